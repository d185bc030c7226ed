"""Ids as people have them, wherever an id is taken; and errors that name the one they are about."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from serving import ID, Vendor, luma, serving

import aiogen
from aiogen import State

LEONARDO_KEY = "11111111-2222-4333-8444-555555555555"
USER = "9c7f2d10-1111-4222-8333-444455556666"
SPELLINGS = {"upper": ID.upper(), "line end": f" {ID}\r\n", "object": UUID(ID), "as it is": ID}
every_spelling = pytest.mark.parametrize("given", SPELLINGS.values(), ids=SPELLINGS)


class Leonardo:
    """Knows generations by their ids in lower case, as the vendor writes them; all are done after half a minute."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self.done_at = asyncio.get_running_loop().time() + 30.0
        self.singles: Counter[str] = Counter()
        self.delete_answer: tuple[int, Any] | None = None
        self.lists = 0

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        last = request.path.rpartition("/")[2]
        if last == "me":
            return web.json_response({"user_details": [{"user": {"id": USER}, "apiConcurrencySlots": 100}]})
        if request.method == "POST":
            self.ids.insert(0, str(UUID(int=(len(self.ids) + 1) << 64, version=4)))
            return web.json_response({"generate": {"generationId": self.ids[0]}})
        if request.method == "DELETE":
            status, document = self.delete_answer or (200, {"delete_generations_by_pk": {"id": last}})
            return web.json_response(document, status=status)
        if last == USER:
            self.lists += 1
            offset, limit = int(request.query["offset"]), int(request.query["limit"])
            return web.json_response({"generations": [self.row(name) for name in self.ids[offset : offset + limit]]})
        self.singles[last] += 1
        return web.json_response({"generations_by_pk": self.row(last) if last in self.ids else None})

    def row(self, name: str) -> dict[str, Any]:
        images = [{"url": "https://cdn.example.com/a.png"}]
        done = asyncio.get_running_loop().time() >= self.done_at
        return {"id": name, "status": "COMPLETE" if done else "PENDING", "generated_images": images if done else []}


def leonardo(url: str, **limits: int) -> aiogen.Leonardo:
    return aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=url, **limits)


@every_spelling
async def test_a_generation_is_found_by_any_spelling_of_its_id(given: str | UUID) -> None:
    """Wherever the vendor's id is taken; and the vendor is asked in its own spelling."""
    async with serving(vendor := Leonardo([ID])) as url, aiogen.Session([leonardo(url)]) as session:
        job = await session.attach("leonardo", given)
        assert await session.attach("leonardo", ID) is job
        assert (await session.get("leonardo", given)).provider_id == ID
        assert [g.provider_id for g in await session.wait_many("leonardo", [given, ID])] == [ID, ID]
        assert await session.wait_many("leonardo", given) == [job.generation]  # type: ignore[arg-type]
        assert await session.delete("leonardo", given) is True
        assert len(await session.records()) == 1
    assert set(vendor.singles) == {ID}


async def test_many_in_upper_case_are_found_on_pages() -> None:
    """One request about fifty, whichever spelling somebody has, and not one request for each."""
    ids = [str(UUID(int=i * 7919 + 0xA0A0, version=4)) for i in range(20)]
    async with serving(vendor := Leonardo(ids)) as url:
        given = [i.upper() if n % 2 else UUID(i) for n, i in enumerate(ids)]
        theirs = list(ids)
        async with aiogen.Session([leonardo(url, running_at_once=1000)]) as session:
            ours = [await session.submit("leonardo/gemini-image-2", "a boat") for _ in range(25)]
            generations = await session.wait_many("leonardo", given)
            await asyncio.gather(*ours)
    assert [g.provider_id for g in generations] == theirs
    assert {g.state for g in generations} == {State.COMPLETED}
    assert vendor.lists > 1
    # Each once at the beginning, for nobody knows how far it is; now and then one more, as a check of the list.
    assert sum(vendor.singles[name] for name in theirs) < 2 * len(theirs)


OURS: dict[str, Any] = {
    "upper": str.upper,
    "line end": lambda job_id: f" {job_id}\r\n",
    "object": UUID,
    "as it is": str,
}


@pytest.mark.parametrize("spelt", OURS.values(), ids=OURS)
async def test_a_job_is_found_by_any_spelling_of_our_id(spelt: Any) -> None:
    """In the ledger as well as among the jobs at hand."""
    async with serving(Vendor(creates=["cut"])) as url, aiogen.Session([luma(url)]) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(3)]
        for job in jobs:
            with pytest.raises(aiogen.SubmissionUnknown):
                await job
        names = [spelt(job.id) for job in jobs]
        assert await session.job(names[0]) is jobs[0]
        assert [unknown.job_id for unknown in await session.reconcile(names[0])] == [jobs[0].id]
        assert (await session.adopt(names[0], SPELLINGS["upper"])).id == jobs[0].id
        assert (await session.resend(names[1])).id == jobs[1].id
        assert await session.forget(names[2]) == 1
        assert jobs[2].id not in {record.id for record in await session.records()}


async def test_what_is_no_job_is_not_found() -> None:
    """Whatever a program was given as an id, by a web page for one."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url)]) as session:
        for odd in ("", " ", "none", "../x", "\x00", "x" * 10_000):
            assert await session.job(odd) is None
        with pytest.raises(aiogen.InputError, match=r"text or a uuid\.UUID"):
            await session.job(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, {"delete_generations_by_pk": None}), aiogen.NotFound),
        ((404, {"error": "not found", "path": "$", "code": "not_found"}), aiogen.NotFound),
        ((404, {"message": "no Route matched"}), aiogen.NotFound),
        ((500, {"error": "internal error", "path": "$", "code": "unexpected"}), aiogen.ProviderError),
        ((401, {"error": "no", "path": "$", "code": "access-denied"}), aiogen.AuthenticationError),
        ((200, ["what"]), aiogen.ProtocolError),
    ],
)
async def test_delete_names_the_id_that_failed(answer: tuple[int, Any], kind: type[aiogen.AiogenError]) -> None:
    """A caller that deletes many by ids reads which one it was, on the error and in its message."""
    async with serving(vendor := Leonardo([ID])) as url, aiogen.Session([leonardo(url)]) as session:
        vendor.delete_answer = answer
        with pytest.raises(kind) as caught:
            await session.delete("leonardo", ID.upper())
    assert ID in str(caught.value)
    assert (caught.value.provider_id, caught.value.connection) == (ID, "leonardo")


async def test_delete_of_one_that_nobody_answers_for_names_it() -> None:
    """Also when the network is at fault."""
    async with aiogen.Session([leonardo("http://127.0.0.1:9")], read_attempts=1) as session:
        with pytest.raises(aiogen.NetworkError, match=ID) as caught:
            await session.delete("leonardo", ID)
    assert caught.value.provider_id == ID


@pytest.mark.parametrize("missing_ok", [True, False])
async def test_a_page_that_is_not_the_apis_deletes_nothing(missing_ok: bool) -> None:
    """A 404 of another server does not say that the generation is gone, and is not taken for it."""
    async with serving(vendor := Leonardo([ID])) as url, aiogen.Session([leonardo(f"{url}/wrong")]) as session:
        vendor.delete_answer = (404, {"message": "no Route matched"})
        with pytest.raises(aiogen.NotFound, match=r"Is the base url http://127\.0\.0\.1:\d+/wrong right"):
            await session.delete("leonardo", ID, missing_ok=missing_ok)
