"""The vendor's reads fail for a while, in every way that reads fail: the generation goes on, so does the job.

What ends a job is the vendor's word, or its deadline, to the moment; nothing else.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from aiohttp import web
from serving import luma, serving

import aiogen
from aiogen import Job, State
from aiogen._polling.durations import DurationModel

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.no_cover]

USER = "3f1c3a3e-0000-4000-8000-000000000001"
LATENCY = 0.05
LASTS = 20.0
"""Seconds from a create to its end."""


@pytest.fixture(autouse=True)
def nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning is most of the time that a few jobs take, and not what is tested here."""
    monkeypatch.setattr(DurationModel, "_learned", lambda self, amount: None)


# --- how reads fail: each is given the request and what would be the honest answer

Fails = Callable[[web.BaseRequest, Any], Awaitable[web.StreamResponse]]


def answers(status: int, content: str | None = None, *, kind: str = "application/json", **headers: str) -> Fails:
    async def fail(request: web.BaseRequest, honest: Any) -> web.StreamResponse:
        text = json.dumps({"detail": "out of order"}) if content is None else content
        return web.Response(status=status, text=text, content_type=kind, headers=headers)

    return fail


def writes(raw: bytes) -> Fails:
    """Bytes that are no answer, and the end of the connection."""

    async def fail(request: web.BaseRequest, honest: Any) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(raw)
        request.transport.close()
        return web.Response()

    return fail


async def resets(request: web.BaseRequest, honest: Any) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stalls(request: web.BaseRequest, honest: Any) -> web.StreamResponse:
    await asyncio.sleep(1e6)
    return web.Response()


async def says_half(request: web.BaseRequest, honest: Any) -> web.StreamResponse:
    text = json.dumps(honest)
    return web.Response(text=text[: len(text) // 2], content_type="application/json")


async def mixes_types(request: web.BaseRequest, honest: Any) -> web.StreamResponse:
    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: other(item) for key, item in value.items()}
        return [7.5, {}] if isinstance(value, str) else "seven"

    return web.json_response(other(honest))


PAGE = "<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
FAILS: dict[str, Fails] = {
    "500": answers(500),
    "503 with Retry-After": answers(503, **{"Retry-After": "4"}),
    "429": answers(429),
    "reset": resets,
    "garbage": writes(b"\x00\xff\x16\x03\x01 garbage \r\n\r\n" * 20),
    "cut": writes(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"id": '),
    "a page": answers(200, PAGE, kind="text/html"),
    "a page with 502": answers(502, PAGE, kind="text/html"),
    "stall": stalls,
    "half a JSON": says_half,
    "wrong types": mixes_types,
    "empty": answers(200, ""),
    "null": answers(200, "null"),
}


# --- the vendors


@attrs.define(eq=False)
class Vendors:
    """Luma and Leonardo in a few lines, with an outage of what `hits` says from `begins` to `ends`."""

    fails: Fails
    begins: float
    ends: float = math.inf
    hits: str = "/"
    """A part of the paths that fail."""
    made: dict[str, float] = attrs.field(factory=dict)
    """When each was made."""
    seen: list[tuple[float, str]] = attrs.field(factory=list)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(LATENCY)
        now = asyncio.get_running_loop().time()
        self.seen.append((now, request.path))
        if request.method == "POST":
            name = f"generation-{len(self.made)}"
            self.made[name] = now
            is_luma = request.path.startswith("/luma")
            return web.json_response(self.luma(name, now) if is_luma else {"generate": {"generationId": name}})
        honest = self.honest(request.path, now)
        if self.begins <= now < self.ends and self.hits in request.path:
            return await self.fails(request, honest)
        return web.json_response(honest)

    def honest(self, path: str, now: float) -> Any:
        name = path.rpartition("/")[2]
        if name == "me":
            return {"user_details": [{"user": {"id": USER, "username": "me"}, "apiConcurrencySlots": 100}]}
        if "/user/" in path:
            return {"generations": [self.leonardo(made, now) for made in reversed(self.made)]}
        return self.luma(name, now) if path.startswith("/luma") else {"generations_by_pk": self.leonardo(name, now)}

    def luma(self, name: str, now: float) -> dict[str, Any]:
        over = now >= self.made[name] + LASTS
        output = [{"type": "image", "url": f"https://cdn.example/{name}.png"}] if over else []
        return {"id": name, "type": "image", "state": "completed" if over else "processing", "output": output}

    def leonardo(self, name: str, now: float) -> dict[str, Any]:
        over = now >= self.made[name] + LASTS
        images = [{"id": "an-image", "url": f"https://cdn.example/{name}.png", "nsfw": False}] if over else []
        return {"id": name, "status": "COMPLETE" if over else "PENDING", "generated_images": images}

    def count(self, part: str, since: float = 0.0) -> int:
        return sum(part in path and at >= since for at, path in self.seen)


# --- the programs


@attrs.frozen
class Setting:
    """Whom is asked, and about how many."""

    model: str
    jobs: int = 1
    by_list: bool = False


SETTINGS = {
    "luma": Setting("luma/uni-1"),
    "leonardo": Setting("leonardo/gemini-image-2"),
    "leonardo by list": Setting("leonardo/gemini-image-2", jobs=8, by_list=True),
}


@attrs.frozen
class End:
    """How waiting for a job ended, and when."""

    job: Job
    accepted_at: float
    at: float
    error: aiogen.AiogenError | None


async def followed(session: aiogen.Session, setting: Setting, timeout: float) -> list[End]:
    """Submit and wait."""
    loop = asyncio.get_running_loop()

    async def one(job: Job) -> End:
        await job.accepted()
        accepted_at = loop.time()
        try:
            await job
        except aiogen.AiogenError as error:
            return End(job, accepted_at, loop.time(), error)
        return End(job, accepted_at, loop.time(), None)

    jobs = [await session.submit(setting.model, f"boat {i}", timeout=timeout) for i in range(setting.jobs)]
    return await asyncio.gather(*map(one, jobs))


def connections(url: str) -> list[aiogen.Provider]:
    wide = {"max_active": 100, "creates_per_minute": 1000}
    leonardo = aiogen.Leonardo(api_key="leonardo-key", base_url=url, running_at_once=100, **wide)
    return [luma(f"{url}/luma", **wide), leonardo]


BACK = (31.0, 61.0)
"""Seconds after an outage within which every job is asked about: 30 s are the longest pause, and a stalled read's."""


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("fails", FAILS)
async def test_an_outage_shorter_than_the_deadline_ends_well(fails: str, setting: str) -> None:
    """The job is completed soon after the vendor is there again."""
    vendors = Vendors(FAILS[fails], begins=10.0, ends=45.0)
    async with serving(vendors) as url, aiogen.Session(connections(url), poll_cost=0.05) as session:
        ends = await followed(session, SETTINGS[setting], timeout=120.0)
    check_reads(vendors, SETTINGS[setting])
    for end in ends:
        assert (end.error, end.job.state) == (None, State.COMPLETED)
        assert end.job.generation.url == f"https://cdn.example/{end.job.provider_id}.png"
        assert 45.0 <= end.at < 45.0 + BACK[fails == "stall"]
    assert len(vendors.made) == len(ends)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("fails", FAILS)
async def test_an_outage_longer_than_the_deadline_ends_at_the_deadline(fails: str, setting: str) -> None:
    """To the moment, with the id to go on with; and the generation is there when the vendor is."""
    vendors = Vendors(FAILS[fails], begins=10.0)
    async with serving(vendors) as url, aiogen.Session(connections(url), poll_cost=0.05) as session:
        ends = await followed(session, SETTINGS[setting], timeout=60.0)
        check_reads(vendors, SETTINGS[setting])
        for end in ends:
            assert isinstance(end.error, aiogen.GenerationTimeout)
            assert end.at == pytest.approx(end.accepted_at + 60.0, abs=0.05)
            assert not end.job.state.is_terminal
            assert end.error.provider_id == end.job.provider_id
            for said in (f"Generation {end.job.provider_id}", "may still finish", "session.attach("):
                assert said in str(end.error)
        vendors.ends = asyncio.get_running_loop().time()
        ids = [end.job.provider_id or "" for end in ends]
        again = await session.wait_many(ends[0].job.connection, ids, timeout=180.0)
    assert [each.state for each in again] == [State.COMPLETED] * len(ends)
    assert len(vendors.made) == len(ends)


@pytest.mark.parametrize("model", ["luma/uni-1", "leonardo/gemini-image-2"])
@pytest.mark.parametrize("fails", ["500", "reset", "a page", "wrong types", "empty"])
async def test_an_outage_that_ends_just_before_the_deadline(fails: str, model: str) -> None:
    """What is done in time is not called late: there is a last look."""
    vendors = Vendors(FAILS[fails], begins=10.0, ends=57.0)
    async with serving(vendors) as url, aiogen.Session(connections(url)) as session:
        (end,) = await followed(session, Setting(model), timeout=60.0)
    assert (end.error, end.job.state) == (None, State.COMPLETED)
    assert 57.0 <= end.at <= 58.5


def check_reads(vendors: Vendors, setting: Setting) -> None:
    """It was really met, and with the list in use where that is said."""
    assert vendors.count("/generations/", since=vendors.begins) > 0
    assert (vendors.count("/user/") > 0) is setting.by_list


@pytest.mark.parametrize("hits", ["/user/", "/me"])
@pytest.mark.parametrize("fails", FAILS)
async def test_an_outage_of_the_list_alone_is_hardly_noticed(fails: str, hits: str) -> None:
    """What the list does not tell is asked about singly."""
    vendors = Vendors(FAILS[fails], begins=0.0, hits=hits)
    async with serving(vendors) as url, aiogen.Session(connections(url), poll_cost=0.05) as session:
        ends = await followed(session, SETTINGS["leonardo by list"], timeout=120.0)
    assert 0 < vendors.count(hits) <= 3
    for end in ends:
        assert (end.error, end.job.state) == (None, State.COMPLETED)
        assert end.at < LASTS + {"stall": 15.0, "429": 30.0, "503 with Retry-After": 15.0}.get(fails, 5.0)
