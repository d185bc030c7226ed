"""One window and one budget for all who share a ledger: `Store.intend`, `acquire` and `hold` in a file.

Exact figures, and what only a file can tell; what every store has to share is in test_machine.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from stores.still_clock import Clock

from aiogen import State
from aiogen.stores.base import Headroom, Record, RequestKind
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)


@asynccontextmanager
async def two(tmp_path: Path) -> AsyncIterator[tuple[SqliteStore, SqliteStore]]:
    one, other = (SqliteStore(tmp_path / "aiogen.db", lease=3600.0) for _ in range(2))
    await one.open()
    await other.open()
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


async def sent(store: SqliteStore, clock: Clock, job_id: str, headroom: Headroom | None = None, **more: Any) -> float:
    """A job is added and about to be sent; how long it has to wait."""
    fields = {"connection": "luma", "provider": "luma", "account": "a", "created_at": clock.datetime()}
    await store.add(Record(id=job_id, state=State.PENDING, **(fields | more)))
    return await store.intend(job_id, headroom or Headroom())


async def test_what_is_over_or_forgotten_gives_its_place_back(tmp_path: Path, clock: Clock) -> None:
    """A crash leaks no place for longer than a vendor keeps it."""
    async with two(tmp_path) as (one, other):
        await sent(one, clock, "running", timeout=600.0)
        await sent(one, clock, "lost", timeout=600.0)
        await one.mark_unknown("lost")
        await sent(one, clock, "refused", timeout=600.0)
        await one.release("refused")
        full = Headroom(active=0)
        assert await sent(other, clock, "ours", full) > 0.0
        clock.now += 601.0
        assert await other.intend("ours", Headroom(active=1)) == 0.0  # the lost one's deadline is over
        assert await sent(other, clock, "more", full) > 0.0
        clock.now += 3000.0
        assert await other.intend("more", full) == 0.0


async def test_the_creates_of_others_fill_the_minute(tmp_path: Path, clock: Clock) -> None:
    """Until enough of them are a minute old; a refused one was never counted."""
    async with two(tmp_path) as (one, other):
        for i in range(3):
            await sent(one, clock, f"{i}")
            clock.now += 10.0
        await one.release("2")
        assert await sent(other, clock, "ours", Headroom(creates=1)) == pytest.approx(30.0)
        assert await other.intend("ours", Headroom(creates=0)) == pytest.approx(40.0)
        assert await other.intend("ours", Headroom(creates=2)) == 0.0


async def test_a_create_counts_from_its_answer(tmp_path: Path, clock: Clock) -> None:
    """The vendor stamped it at some moment before."""
    async with two(tmp_path) as (one, other):
        await sent(one, clock, "theirs")
        clock.now += 25.0
        await one.confirm("theirs", "v", State.QUEUED)
        assert await sent(other, clock, "ours", Headroom(creates=0)) == pytest.approx(60.0)
        clock.now += 60.5
        assert await other.intend("ours", Headroom(creates=0)) == 0.0


async def test_what_the_next_program_finds_is_the_same_minute(tmp_path: Path, clock: Clock) -> None:
    """Programs that run one after the other share it, too."""
    async with two(tmp_path) as (one, _):
        for i in range(4):
            await sent(one, clock, f"{i}")
    async with two(tmp_path) as (_, other):
        clock.now += 15.0
        assert await sent(other, clock, "ours", Headroom(creates=3)) == pytest.approx(45.0)


async def test_who_came_and_left_between_two_creates_is_counted(tmp_path: Path, clock: Clock) -> None:
    """A program that runs for long is alone again, but the minute is not its own."""
    long = SqliteStore(tmp_path / "aiogen.db", lease=3600.0)
    await long.open()
    try:
        assert await sent(long, clock, "first", Headroom(creates=3)) == 0.0
        short = SqliteStore(tmp_path / "aiogen.db", lease=3600.0)
        await short.open()
        for i in range(3):
            await sent(short, clock, f"{i}")
        await short.close()
        assert await sent(long, clock, "second", Headroom(creates=2)) == pytest.approx(60.0)
    finally:
        await long.close()


async def test_requests_come_out_of_one_allowance(tmp_path: Path, clock: Clock) -> None:
    """Ten a second for both together; a quarter second may be saved up, and no more."""
    async with two(tmp_path) as (one, other):
        waits = [await store.acquire("a", 5, 10.0) for store in (one, other, one)]
        assert waits == pytest.approx([0.0, 0.5, 1.0])
        assert await other.acquire("b", 5, 10.0) == 0.0
        clock.now += 60.0
        assert [await one.acquire("a", 5, 10.0), await one.acquire("a", 5, 10.0)] == pytest.approx([0.0, 0.5])


async def test_a_refusal_holds_everybody_else(tmp_path: Path, clock: Clock) -> None:
    """Who was refused knows it already; a shorter pause does not undercut a longer one."""
    async with two(tmp_path) as (one, other):
        await one.hold("a", RequestKind.REQUESTS, 20.0)
        await other.hold("a", RequestKind.REQUESTS, 5.0)
        assert await one.acquire("a", 1, 10.0) == 0.0
        assert await other.acquire("a", 1, 10.0) == pytest.approx(20.0)
        assert await other.acquire("b", 1, 10.0) == 0.0
        assert await sent(other, clock, "ours") == pytest.approx(20.0)


async def test_a_refusal_of_creates_holds_creates(tmp_path: Path, clock: Clock) -> None:
    """Questions go on."""
    async with two(tmp_path) as (one, other):
        await one.hold("a", RequestKind.CREATES, 20.0)
        assert await other.acquire("a", 1, 10.0) == 0.0
        assert await sent(other, clock, "ours") == pytest.approx(20.0)
        assert await sent(one, clock, "theirs") == 0.0
        clock.now += 20.0
        assert await other.intend("ours") == 0.0
