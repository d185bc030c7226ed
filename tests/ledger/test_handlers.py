"""Handlers that are told of ends: whatever they do, the others are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from serving import Vendor, body, done, luma, serving

import aiogen
from aiogen import Generation
from aiogen.stores.memory import MemoryStore

pytestmark = pytest.mark.looptime(noop_cycles=4)


async def test_a_handler_in_which_something_was_cancelled_is_called_again() -> None:
    """A task that it waits for was cancelled: that is its failure, and keeps no other end from being told."""
    calls: list[str | None] = []

    async def handler(generation: Generation) -> None:
        calls.append(generation.id)
        if len(calls) == 1:
            upload = asyncio.ensure_future(asyncio.sleep(60.0))
            upload.cancel()
            await upload

    vendor = Vendor(creates=[(201, body())], reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.on_completion("gallery", handler)
        job = await session.submit("luma/uni-1", "a boat")
        await job
        async with asyncio.timeout(10.0):
            while len(calls) < 2:
                await asyncio.sleep(0.1)
    assert calls == [job.id] * 2


async def test_a_handler_may_download_while_the_session_is_left(tmp_path: Path) -> None:
    """What has ended by now is told before anything is closed; and nothing is created meanwhile."""
    vendor = Vendor(creates=[(201, body())], reads=[(200, body("processing")), (200, done())])
    saved: list[Path] = []
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, creates_per_minute=1)]) as session:

            async def save(generation: Generation) -> None:
                await asyncio.sleep(5.0)
                saved.append(tmp_path / f"{(await session.get('luma', generation.provider_id or '')).provider_id}.png")

            await session.on_completion("gallery", save)
            first, second = [await session.submit("luma/uni-1", prompt) for prompt in ("a boat", "another")]
            await first
        assert session.jobs() == []
        with pytest.raises(aiogen.SessionClosed):
            await second
    assert [path.name for path in saved] == [f"{first.provider_id}.png"]
    assert vendor.creates == 1


async def test_a_plain_function_is_told_once() -> None:
    """It has done its work when it returns."""
    calls: list[Generation] = []
    vendor = Vendor(creates=[(201, body())], reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.on_completion("gallery", calls.append)
        job = await session.submit("luma/uni-1", "a boat")
        await job
        await asyncio.sleep(30.0)
    assert [generation.id for generation in calls] == [job.id]


async def test_a_handler_is_called_when_the_job_ends() -> None:
    """Not when it is next looked for what has ended."""
    loop = asyncio.get_running_loop()
    called: list[float] = []
    vendor = Vendor(creates=[(201, body())], reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url, creates_per_minute=60)]) as session:
        await session.on_completion("gallery", lambda _: called.append(loop.time()))
        ended = []
        for i in range(4):
            await session.generate("luma/uni-1", f"boat {i}")
            ended.append(loop.time())
            await asyncio.sleep(1.3)  # at no multiple of that time
        assert called == pytest.approx(ended, abs=0.05)


# --- several at once


async def test_a_call_that_hangs_holds_up_no_other() -> None:
    """Neither other ends of its own handler, nor other handlers; and as many run at once as there are places."""
    told: list[int] = []
    most, running = 0, 0
    loop, hanging = asyncio.get_running_loop(), asyncio.Event()

    async def sometimes(generation: Generation) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await (hanging.wait() if generation.prompt == "0" else asyncio.sleep(0.1))
        running -= 1

    async def always(generation: Generation) -> None:
        await hanging.wait()

    def never(generation: Generation) -> None:
        told.append(int(generation.prompt or ""))

    async with serving(Vendor()) as url:
        async with aiogen.Session([luma(url)]) as session:
            for name, handler in (("sometimes", sometimes), ("always", always), ("never", never)):
                await session.on_completion(name, handler)
            jobs = [await session.submit("luma/uni-1", str(i)) for i in range(90)]
            began = loop.time()
            await asyncio.gather(*(job.withdraw() for job in jobs))
            while len(told) < 90:
                await asyncio.sleep(0.1)
            await asyncio.sleep(5.0)
            assert loop.time() < began + 10.0
            assert (most, running) == (20, 1)
            leaving = asyncio.create_task(session.close())
            await asyncio.sleep(5.0)
            assert not leaving.done()  # it waits for what has ended by then
            hanging.set()
            await leaving
    assert told[:80] == list(range(10, 90))  # ten were sent before they could be withdrawn, and ended later


# --- closed by a handler


async def test_a_handler_may_close_its_session() -> None:
    """It comes back when all else is done, the others have been told, and it is not told again."""
    said: list[str] = []
    store = MemoryStore()

    async def closing(generation: Generation) -> None:
        said.append("closing")
        await session.close()
        said.append("closed")
        with pytest.raises(aiogen.InputError, match="closed"):
            await session.submit("luma/uni-1", "too late")

    async def other(generation: Generation) -> None:
        await asyncio.sleep(5.0)
        said.append("the other one")

    async with serving(Vendor()) as url:
        async with aiogen.Session([luma(url, creates_per_minute=1)], store=store) as session:
            await session.on_completion("closing", closing)
            await session.on_completion("other", other)
            first = await session.submit("luma/uni-1", "a boat")
            waiting = await session.submit("luma/uni-1", "another")
            await first
            with pytest.raises(aiogen.SessionClosed):
                await waiting
        async with aiogen.Session([luma(url)], store=store, take_up=False) as after:
            await after.on_completion("closing", closing)
            await asyncio.sleep(30.0)
    assert said == ["closing", "the other one", "closed"]


async def close_it(session: aiogen.Session) -> None:
    await session.close()


async def leave_it(session: aiogen.Session) -> None:
    async with session:
        pass


async def close_it_in_a_task(session: aiogen.Session) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(session.close())


async def close_it_within_a_time(session: aiogen.Session) -> None:
    async with asyncio.timeout(30.0):
        await session.close()
        await session.close()


async def close_it_from_a_callback(session: aiogen.Session) -> None:
    asyncio.get_running_loop().call_soon(lambda: CLOSING.add(asyncio.ensure_future(session.close())))


CLOSING: set[asyncio.Task[None]] = set()


@pytest.mark.parametrize("stays", [0.0, 1.0001, 5.0])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "close", [close_it, leave_it, close_it_in_a_task, close_it_within_a_time, close_it_from_a_callback]
)
async def test_however_a_handler_closes_it_everything_ends(
    close: Callable[[aiogen.Session], Awaitable[None]], count: int, stays: float
) -> None:
    """Also when several do, and the program leaves it before, meanwhile, or after."""
    told: list[str | None] = []

    async def handler(generation: Generation) -> None:
        told.append(generation.id)
        await asyncio.sleep(1.0)
        await close(session)

    loop = asyncio.get_running_loop()
    async with serving(Vendor()) as url:
        async with aiogen.Session([luma(url)], handler_timeout=300.0) as session:
            await session.on_completion("gallery", handler)
            jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(count)]
            began = loop.time()
            await asyncio.gather(*(job.withdraw() for job in jobs))
            await asyncio.sleep(stays)
        if CLOSING:
            await asyncio.wait(CLOSING)
            CLOSING.clear()
    assert loop.time() < began + 10.0
    assert sorted(told, key=str) == sorted((job.id for job in jobs), key=str)
    assert repr(session) == "<Session [luma] closed>"


async def test_a_plain_function_may_begin_to_close_it() -> None:
    """It cannot wait for that; whoever leaves the session does."""
    tasks: list[asyncio.Task[None]] = []
    async with serving(Vendor()) as url:
        async with aiogen.Session([luma(url)]) as session:
            await session.on_completion("gallery", lambda _: tasks.append(asyncio.create_task(session.close())))
            job = await session.submit("luma/uni-1", "a boat")
            await job
            while not tasks:
                await asyncio.sleep(0.1)
        assert repr(session) == "<Session [luma] closed>"
        await asyncio.gather(*tasks)


async def test_a_handler_closes_another_session_as_anybody_does() -> None:
    """That one waits for its own handlers alone."""
    said: list[str] = []

    async def slow(generation: Generation) -> None:
        await asyncio.sleep(5.0)
        said.append("slow")

    async def closing(generation: Generation) -> None:
        await other.close()
        said.append("closed")

    async with serving(Vendor()) as url:
        async with aiogen.Session([luma(url)]) as session, aiogen.Session([luma(url)]) as other:
            await other.on_completion("slow", slow)
            await session.on_completion("closing", closing)
            for each in (other, session):
                await (await each.submit("luma/uni-1", "a boat")).withdraw()
            while len(said) < 2:
                await asyncio.sleep(0.1)
    assert said == ["slow", "closed"]
