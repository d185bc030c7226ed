"""`previous_keys=`: a vendor's key is changed while jobs of the old one wait and run."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from ledger.in_loop import files_in_the_loop
from serving import ID, KEY, body, done, serving

import aiogen
from aiogen import State
from aiogen.stores import MemoryStore
from aiogen.stores.base import RequestKind

pytestmark = pytest.mark.looptime(noop_cycles=4)

NEW = "luma-api-new-key-9876543210"


class Vault:
    """A vendor of two keys of one account; what one has created the other may see, or not."""

    def __init__(self, seconds: float = 30.0, *, shows_all: bool = True) -> None:
        self.seconds, self.shows_all = seconds, shows_all
        self.creates: list[tuple[str, str]] = []
        self.made: dict[str, tuple[str, float]] = {}
        self.keys: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        key, now = request.headers["Authorization"].removeprefix("Bearer "), asyncio.get_running_loop().time()
        self.keys.append(key)
        if request.method == "POST":
            made = f"{ID[:-4]}{len(self.creates):04}"
            self.creates.append((key, (await request.json())["prompt"]))
            self.made[made] = key, now + self.seconds
            return web.json_response(body() | {"id": made}, status=201)
        made = request.path.rsplit("/", 1)[-1]
        owner, ends_at = self.made[made]
        if owner != key and not self.shows_all:
            return web.json_response({"detail": f"Generation not found, it is of {owner}"}, status=404)
        return web.json_response((done() if now >= ends_at else body("processing")) | {"id": made})


def luma(url: str, key: str, *previous: str, **more: Any) -> aiogen.Luma:
    return aiogen.Luma(api_key=key, previous_keys=list(previous), base_url=f"{url}/v1", **more)


@pytest.fixture(params=["memory", "file"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Gives the same ledger again each time it is called."""
    if request.param == "memory":
        kept = MemoryStore()
        yield lambda: kept
        return
    with files_in_the_loop(asyncio.get_running_loop()):
        yield lambda: tmp_path / "jobs.db"


async def test_jobs_of_the_old_key_are_followed_and_sent_with_the_new_one(store: Any) -> None:
    """What ran is followed, what waited is sent; and from then on the ledger has it under the new key."""
    vault = Vault()
    async with serving(vault) as url:
        async with aiogen.Session([luma(url, KEY, max_active=1)], store=store()) as session:
            runs = await session.submit("luma/uni-1", "runs")
            waits = await session.submit("luma/uni-1", "waits", key="w")
            await runs.accepted()
        async with aiogen.Session([luma(url, NEW)], store=store()) as session:
            assert await session.resume() == []
            with pytest.raises(aiogen.ConfigurationError, match="with a key that this session does not have"):
                await session.job(runs.id)
        vault.keys.clear()
        async with aiogen.Session([luma(url, NEW, KEY, max_active=1)], store=store()) as session:
            jobs = {job.id: job for job in await session.resume()}
            assert set(jobs) == {runs.id, waits.id}
            assert await session.attach("luma", (await jobs[runs.id].accepted())) is jobs[runs.id]
            assert (await jobs[runs.id]).state is State.COMPLETED
            assert (await session.submit("luma/uni-1", "waits", key="w")) is jobs[waits.id]
            assert (await jobs[waits.id]).state is State.COMPLETED
        assert set(vault.keys) == {NEW}, "the old key is not used any more"
        assert vault.creates == [(KEY, "runs"), (NEW, "waits")]
        async with aiogen.Session([luma(url, NEW)], store=store()) as session:
            job = await session.job(waits.id)
            assert job is not None
            assert (await job).provider_id is not None


async def test_what_the_vendor_does_not_show_is_no_end(store: Any) -> None:
    """It may run on and be charged: that is said, and whoever has the old key follows it."""
    vault = Vault(shows_all=False)
    async with serving(vault) as url:
        async with aiogen.Session([luma(url, KEY)], store=store()) as session:
            job = await session.submit("luma/uni-1", "a boat")
            await job.accepted()
        async with aiogen.Session([luma(url, NEW, KEY)], store=store()) as session:
            (again,) = await session.resume()
            with pytest.raises(aiogen.NotFound, match="was created with a previous key, and Luma") as caught:
                await again
            assert not caught.value.retryable
            assert caught.value.job_id == job.id
            assert KEY not in caught.value.describe(), "the vendor has quoted it"
            (record,) = await session.records()
            assert record.state in (State.QUEUED, State.PROCESSING)
            own = await session.generate("luma/uni-1", "another")
            assert own.state is State.COMPLETED
        async with aiogen.Session([luma(url, KEY)], store=store()) as session:
            (again,) = await session.resume()
            assert (await again).state is State.COMPLETED
    assert len(vault.creates) == 2


async def test_one_of_the_present_key_that_is_gone_is_over() -> None:
    """As without any previous keys."""
    vault = Vault(shows_all=False)
    async with serving(vault) as url, aiogen.Session([luma(url, NEW, KEY)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        made = await job.accepted()
        vault.made[made] = "nobody's", 0.0
        with pytest.raises(aiogen.NotFound):
            await job
        assert job.state is State.FAILED


async def test_windows_carry_over(tmp_path: Path) -> None:
    """What the old key has running and has created counts for the new one, which is the same account."""
    path, vault = tmp_path / "jobs.db", Vault(20.0)
    with files_in_the_loop(asyncio.get_running_loop()):
        async with serving(vault) as url:
            old = luma(url, KEY, max_active=3, creates_per_minute=1000)
            new = luma(url, NEW, KEY, max_active=3, creates_per_minute=1000)
            async with aiogen.Session([old], store=path) as one, aiogen.Session([new], store=path) as two:
                jobs = [await one.submit("luma/uni-1", f"old {i}") for i in range(3)]
                await asyncio.gather(*(job.accepted() for job in jobs))
                began = asyncio.get_running_loop().time()
                job = await two.submit("luma/uni-1", "new")
                await job.accepted()
                assert asyncio.get_running_loop().time() - began > 15.0
                await asyncio.gather(job, *jobs)
        async with serving(vault) as url:
            limited = luma(url, NEW, KEY, creates_per_minute=4)
            async with aiogen.Session([luma(url, NEW, KEY)], store=path) as session:
                await session.store.hold(luma(url, KEY).account, RequestKind.CREATES, 100.0)
            async with aiogen.Session([limited], store=path) as session:
                began = asyncio.get_running_loop().time()
                await (await session.submit("luma/uni-1", "held")).accepted()
                assert asyncio.get_running_loop().time() - began > 90.0


async def test_a_refusal_is_announced_to_those_who_have_the_old_key(tmp_path: Path) -> None:
    """They are the same account."""
    vault, refused = Vault(), list[float]()

    async def throttles_once(request: web.Request) -> web.StreamResponse:
        if request.method == "POST" and not refused:
            refused.append(asyncio.get_running_loop().time())
            return web.json_response({"detail": "Rate limit exceeded"}, status=429, headers={"Retry-After": "100"})
        return await vault(request)

    path = tmp_path / "jobs.db"
    with files_in_the_loop(asyncio.get_running_loop()):
        async with (
            serving(throttles_once) as url,
            aiogen.Session([luma(url, NEW, KEY)], store=path) as new,
            aiogen.Session([luma(url, KEY)], store=path) as old,
        ):
            first = await new.submit("luma/uni-1", "a boat")
            await asyncio.sleep(2.0)
            await (await old.submit("luma/uni-1", "another")).accepted()
            assert asyncio.get_running_loop().time() - refused[0] > 99.0
            await first


def test_the_keys_are_shown_nowhere() -> None:
    """They are as secret as the present one."""
    provider = aiogen.Luma(api_key=NEW, previous_keys=[KEY])
    session = aiogen.Session([provider])
    shown = [repr(provider), session.describe(), repr(session), *provider.accounts, str(provider.secrets)]
    for wrong in ({"name": KEY}, {"base_url": f"https://{KEY}.example"}, {"creates_per_minute": 0}, {"name": "a b"}):
        with pytest.raises(aiogen.InputError) as caught:
            aiogen.Luma(api_key=NEW, previous_keys=[KEY], **wrong)  # type: ignore[arg-type]
        shown.append(str(caught.value))
        stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        shown += [str(frame.locals) for frame in stack if frame.filename != __file__]
    assert [text for text in shown if KEY in text or NEW in text] == []


@pytest.mark.parametrize("keys", ["a-key", [""], ["with space"], ["line\nbreak"], ["ü"], [None], 5, b"bytes"])
def test_keys_that_cannot_be(keys: Any) -> None:
    """Said at once, without showing them."""
    with pytest.raises(aiogen.ConfigurationError, match="previous_keys=") as caught:
        aiogen.Luma(api_key=NEW, previous_keys=keys)
    assert "a-key" not in str(caught.value)


def test_where_no_key_is_taken_there_was_none_before() -> None:
    """And the present key among the previous ones changes nothing."""
    with pytest.raises(aiogen.ConfigurationError, match="previous_keys="):
        aiogen.ComfyUI(previous_keys=["k" * 20])
    provider = aiogen.Leonardo(api_key=NEW, previous_keys=[NEW])
    assert provider.accounts == (provider.account,)
