"""Thousands of anything in a row let others run in between; counted in turns of the loop, not in seconds."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from serving import luma

import aiogen
from aiogen import Generation, Job
from aiogen._checkpoint import Checkpoint, Turn
from aiogen._engine.coordinator import Coordinator
from aiogen.stores.memory import MemoryStore

COUNT = 1500
AT_ONCE = 250
"""At most this number in one turn of the loop."""


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here jobs wait for ever."""
    monkeypatch.setattr(Coordinator, "_dispatch", lambda *_: math.inf)


@contextmanager
def others_run() -> Iterator[None]:
    """The loop makes this number of turns meanwhile, in each of which every other task that is ready has its own."""
    loop: Any = asyncio.get_running_loop()
    turn, turns = loop._run_once, 0

    def counted() -> None:
        nonlocal turns
        turns += 1
        turn()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_run_once", counted, raising=False)
        yield
    assert turns >= COUNT / AT_ONCE


async def submit(session: aiogen.Session) -> list[Job]:
    return [await session.submit("luma/uni-1", f"boat {i}") for i in range(COUNT)]


async def submit_together(session: aiogen.Session) -> None:
    await asyncio.gather(*(session.submit("luma/uni-1", f"boat {i}") for i in range(COUNT)))


async def attach(session: aiogen.Session) -> None:
    for i in range(COUNT):
        await session.attach("luma", f"made-elsewhere-{i}")


async def wait_many(session: aiogen.Session) -> None:
    with pytest.raises(aiogen.GenerationTimeout):
        await session.wait_many("luma", [f"made-elsewhere-{i}" for i in range(COUNT)], timeout=1e-3)


@pytest.mark.no_cover
@pytest.mark.parametrize("many", [submit, submit_together, attach, wait_many])
async def test_taking_in_many(many: Callable[[aiogen.Session], Awaitable[object]]) -> None:
    """One after the other, or all at once."""
    async with aiogen.Session([luma("http://127.0.0.1:9")]) as session:
        with others_run():
            await many(session)
        assert sum((await session.count()).values()) == COUNT


@pytest.mark.no_cover
async def test_what_ends_together() -> None:
    """Deadlines that pass at one moment, handlers that hear of it, and going through the ends."""
    heard: list[Generation] = []
    async with aiogen.Session([luma("http://127.0.0.1:9")], queue_timeout=100.0) as session:
        await session.on_completion("gallery", heard.append)
        jobs = await submit(session)
        await asyncio.sleep(99.999)
        with others_run():
            async with asyncio.timeout(1.0):
                await asyncio.gather(*jobs, return_exceptions=True)
        with others_run():
            while len(heard) < COUNT:
                await asyncio.sleep(1.0)
        with others_run():
            assert [job.id async for job in session.as_completed(jobs)] == [job.id for job in jobs]


async def test_leaving_and_taking_up_many() -> None:
    """What one session leaves, the next takes up before it is entered."""
    store = MemoryStore()
    session = aiogen.Session([luma("http://127.0.0.1:9")], store=store)
    jobs = await submit(session)
    with others_run():
        await session.close()
    assert all(isinstance(job.error, aiogen.SessionClosed) for job in jobs)
    with others_run():
        session = await aiogen.Session([luma("http://127.0.0.1:9")], store=store).__aenter__()
    assert len(await session.resume()) == COUNT
    await session.close()


async def test_entering_is_given_up_while_many_are_taken_up() -> None:
    """Nothing is lost of it: the next session takes up all."""
    store = MemoryStore()
    async with aiogen.Session([luma("http://127.0.0.1:9")], store=store) as session:
        await submit(session)
    entering = asyncio.create_task(aiogen.Session([luma("http://127.0.0.1:9")], store=store).__aenter__())
    for _ in range(5):
        await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    async with aiogen.Session([luma("http://127.0.0.1:9")], store=store) as session:
        assert len(await session.resume()) == COUNT


async def test_who_uses_it_while_many_are_taken_up_sees_them_all() -> None:
    """The first call that needs the ledger may be cancelled; the others wait for what it began."""
    store = MemoryStore()
    async with aiogen.Session([luma("http://127.0.0.1:9")], store=store) as session:
        await submit(session)
    session = aiogen.Session([luma("http://127.0.0.1:9")], store=store)
    first = asyncio.create_task(session.records())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    resuming = asyncio.create_task(session.resume())
    await asyncio.sleep(0)
    first.cancel()
    assert len(await resuming) == COUNT
    await asyncio.gather(first, return_exceptions=True)
    await session.close()


async def test_first_come_first_served() -> None:
    """A waiter that gives up leaves its turn to the others."""
    checkpoint = Checkpoint()
    passed: list[int] = []

    async def step(i: int) -> None:
        await checkpoint()
        passed.append(i)

    steps = [asyncio.create_task(step(i)) for i in range(300)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(passed) < 300
    for each in steps[-200::2]:
        each.cancel()
    await asyncio.gather(*steps, return_exceptions=True)
    assert passed == [i for i in range(300) if i < 100 or i % 2]


@pytest.mark.parametrize(("cost", "turns"), [(0.0, 0), (0.0003, 5), (0.001, 20), (0.005, 20)])
async def test_steps_share_a_turn_until_it_has_had_its_part_of_the_cpu(
    monkeypatch: pytest.MonkeyPatch, cost: float, turns: int
) -> None:
    """Each that takes long has one of its own; others come together."""
    used = 0.0
    monkeypatch.setattr("aiogen._checkpoint.time.thread_time", lambda: used)
    seen, loop = 0, asyncio.get_running_loop()

    def other() -> None:
        nonlocal seen, handle
        seen += 1
        handle = loop.call_soon(other)

    turn, handle = Turn(), loop.call_soon(other)
    try:
        for _ in range(20):
            used += cost
            await turn.step()
        assert seen == turns
    finally:
        handle.cancel()
