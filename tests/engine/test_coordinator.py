"""The corners of a session's life: what happens when things happen at the same time, or should never happen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from serving import ID, Vendor, body, completed_at, done, luma, serving

import aiogen
from aiogen import State
from aiogen.stores.memory import MemoryStore


class Slow(MemoryStore):
    """A ledger that takes its time, or breaks in a way that no ledger should."""

    def __init__(self, seconds: float = 0.0, breaks_at: str = "") -> None:
        super().__init__()
        self._seconds = seconds
        self._breaks_at = breaks_at

    async def add(self, record: Any) -> None:
        await asyncio.sleep(self._seconds)
        await super().add(record)

    async def intend(self, *fact: Any) -> float:
        if self._breaks_at == "intend":
            raise RuntimeError("no ledger does this")
        return await super().intend(*fact)

    async def confirm(self, *fact: Any) -> None:
        if self._breaks_at == "confirm":
            raise RuntimeError("no ledger does this")
        await super().confirm(*fact)

    async def settle(self, ended: Any) -> None:
        if self._breaks_at == "settle":
            self._breaks_at = ""
            raise RuntimeError("no ledger does this")
        await super().settle(ended)

    async def release(self, job_id: str) -> None:
        if self._breaks_at == "release":
            raise aiogen.StoreError("disk full")
        await super().release(job_id)


@pytest.mark.parametrize("verb", ["submit", "attach"])
async def test_a_session_that_is_left_meanwhile(verb: str) -> None:
    """A job that was taken in too late is not sent, and says so."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=Slow(5.0)) as session:
        call = session.submit("luma/uni-1", "a boat") if verb == "submit" else session.attach("luma", ID)
        late = asyncio.create_task(call)
        await asyncio.sleep(1.0)
        await session.close()
        with pytest.raises(aiogen.SessionClosed):
            await (await late)
    assert not vendor.seen


async def test_the_queue_timeout_does_not_cut_a_create() -> None:
    """What is on its way is answered, however long it waited before."""

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(20.0 if request.method == "POST" else 0.0)
        return web.json_response(body() if request.method == "POST" else done(), status=201)

    async with serving(slow) as url, aiogen.Session([luma(url)], queue_timeout=5.0) as session:
        assert (await session.generate("luma/uni-1", "a boat")).state is State.COMPLETED


async def test_a_create_put_back_while_leaving() -> None:
    """A refusal that comes while the session is being left: not sent, nothing charged; even if the ledger fails."""

    async def refuse(request: web.Request) -> web.Response:
        await asyncio.sleep(5.0)
        return web.json_response({"detail": "Too many requests"}, status=429)

    async with serving(refuse) as url, aiogen.Session([luma(url)], store=Slow(breaks_at="release")) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await asyncio.sleep(1.0)
        await session.close()
        with pytest.raises(aiogen.SessionClosed, match="nothing was charged"):
            await job


@pytest.mark.parametrize("verb", ["intend", "confirm", "settle"])
async def test_a_store_that_breaks_its_promise(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    """Before the create nothing is sent; afterwards what is known of a paid job is not thrown away."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=Slow(breaks_at=verb)) as session:
        if verb == "intend":
            with pytest.raises(aiogen.StoreError, match="RuntimeError"):
                await session.generate("luma/uni-1", "a boat")
        else:
            assert (await session.generate("luma/uni-1", "a boat")).state is State.COMPLETED
            assert "no ledger does this" in caplog.text
    assert vendor.creates == (verb != "intend")


async def test_a_bug_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """If aiogen itself breaks after a create, the outcome is called unknown, and nothing is sent twice."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("aiogen._engine.create._accept", broken)
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown, match="RuntimeError"):
            await session.generate("luma/uni-1", "a boat")
    assert vendor.creates == 1
    assert "a bug in aiogen" in caplog.text


async def test_a_bug_while_asking_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question is asked again, and the deadline holds."""
    times = 0

    async def broken(*_: object, **__: object) -> None:
        nonlocal times
        times += 1
        raise RuntimeError("a bug")

    monkeypatch.setattr("aiogen._engine.poll.observe", broken)
    async with serving(Vendor()) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.GenerationTimeout):
            await session.generate("luma/uni-1", "a boat", timeout=100.0)
    assert times > 1


async def test_an_accepted_job_that_ends_at_once() -> None:
    """`accepted()` raises what ended a job that never was; asked later it answers at once."""
    refusal = (400, {"detail": "Unknown model: x"})
    async with serving(Vendor(creates=[refusal])) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/x", "a boat")
        with pytest.raises(aiogen.GenerationRefused):
            await job.accepted()
        assert isinstance(job.error, aiogen.GenerationRefused)
        assert [ended async for ended in session.as_completed([job, job])] == [job]


async def test_as_completed_may_be_left() -> None:
    """Who stops listening leaves nothing behind, and the jobs go on."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        jobs = [await session.submit("luma/uni-1", "a boat")]
        listening = asyncio.create_task(anext(session.as_completed(jobs)))
        await asyncio.sleep(1.0)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert (await jobs[0]).state is State.COMPLETED


@pytest.mark.parametrize(
    ("reading", "what", "kind", "action"),
    [
        ((404, {"detail": "Generation not found"}), "no fresh one could be fetched", aiogen.OutputExpired, "give_up"),
        ((401, {"detail": "Invalid API key"}), "no fresh one could be fetched", aiogen.DownloadError, "fix_key"),
        (
            (200, body("completed", output=[{"url": "http://127.0.0.1/a"}, {"url": "http://127.0.0.1/b"}])),
            "2 outputs",
            aiogen.DownloadError,
            "wait",
        ),
    ],
)
async def test_an_expired_url_without_a_fresh_one(
    tmp_path: Path, reading: Any, what: str, kind: type[aiogen.DownloadError], action: str
) -> None:
    """The download says why there is no picture, and whether to wait for it."""
    async with serving(Vendor(reads=[(403, ""), reading])) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.DownloadError, match=what) as raised:
            await session.download(completed_at(f"{url}/a.png"), tmp_path)
    assert (type(raised.value), raised.value.action) == (kind, action)


async def test_urls_that_are_none(tmp_path: Path) -> None:
    """What cannot be requested is an error of the provider's, not a crash."""
    async with aiogen.Session([luma("http://127.0.0.1:9", allow_insecure=True)]) as session:
        for url in ("https://", "https://[half", "https://a b/c"):
            with pytest.raises(aiogen.DownloadError):
                await session.download(completed_at(url), tmp_path)
        # With allow_insecure plain http is tried, and here finds nobody.
        with pytest.raises(aiogen.DownloadError, match="attempts"):
            await session.download(completed_at("http://192.0.2.1.invalid/a.png"), tmp_path)


async def test_a_ledger_in_memory_by_name() -> None:
    """The word that SQLite has for it."""
    async with aiogen.Session([], store=":memory:") as session:
        assert repr(session) == "<Session [] no jobs>"
