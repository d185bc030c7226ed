"""The time of a ledger in a file is SQLite's: two processes, of which one reads another time of day, agree on it.

No clock is at rest here, so figures are as exact as a slow machine allows.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from aiogen import Generation, State
from aiogen.stores.base import Headroom, Record, RecordQuery, RequestKind, Store
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)

LEASE = 600.0
SLACK = 20.0
"""Seconds that a test may take: less than any clock here is wrong by."""
wrong_by = pytest.mark.parametrize("wrong", [-90.0, 90.0], ids=["behind", "ahead"])


@contextmanager
def wrong_clock(seconds: float) -> Iterator[None]:
    """What a process whose clock is wrong by so much does in here."""
    right = time.time
    with mock.patch("time.time", side_effect=lambda: right() + seconds):
        yield


def record(job_id: str, wrong: float = 0.0) -> Record:
    """As somebody with such a clock makes it."""
    now = datetime.now(UTC) + timedelta(seconds=wrong)
    return Record(
        id=job_id, connection="luma", provider="luma", account="a", state=State.PENDING, created_at=now, read_at=now,
        handlers=("gallery",),
    )  # fmt: skip


class Ledger:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> Store:
        return SqliteStore(self.path, lease=LEASE)

    async def lease_ends(self) -> list[float]:
        """By the clock of this machine."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [until for (until,) in connection.execute("SELECT lease_until FROM aiogen_worker")]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "aiogen.db")


@asynccontextmanager
async def two(ledger: Ledger, wrong: float) -> AsyncIterator[tuple[Store, Store]]:
    """The second is opened by a wrong clock."""
    async with asyncio.timeout(SLACK):
        one, other = (ledger.make() for _ in range(2))
        await one.open()
        with wrong_clock(wrong):
            await other.open()
        try:
            yield one, other
        finally:
            await one.close()
            await other.close()


@wrong_by
async def test_they_have_the_same_window(ledger: Ledger, wrong: float) -> None:
    """What one created leaves the minute of the other after a minute."""
    async with two(ledger, wrong) as (one, other):
        with wrong_clock(wrong):
            await other.add(record("theirs", wrong))
            await other.intend("theirs")
            await other.confirm("theirs", "v", State.QUEUED, 30.0)
        await one.add(record("ours"))
        assert 30.0 - SLACK < await one.intend("ours", Headroom(creates=0)) <= 30.01
        with wrong_clock(wrong):
            await other.hold("a", RequestKind.CREATES, 300.0)
        assert 300.0 - SLACK < await one.intend("ours", Headroom()) <= 300.01


@wrong_by
async def test_they_have_the_same_leases(ledger: Ledger, wrong: float) -> None:
    """No lease ends early or late because somebody renewed it by another clock."""
    async with two(ledger, wrong) as (one, other):
        with wrong_clock(wrong):
            assert await other.heartbeat()
        assert await one.heartbeat()
        now = time.time()
        ends = [until - now for until in await ledger.lease_ends()]
        assert len(ends) == 2
        assert all(LEASE - SLACK < seconds <= LEASE + 0.01 for seconds in ends), ends


@wrong_by
async def test_they_read_the_same_ages(ledger: Ledger, wrong: float) -> None:
    """From which each of them has the same deadline; and an end is due for a handler at once."""
    async with two(ledger, wrong) as (one, other):
        with wrong_clock(wrong):
            await other.add(record("a", wrong))
            await other.intend("a")
            await other.confirm("a", "v", State.QUEUED, 100.0)
            seen = await other.get("a")
        for kept in (seen, await one.get("a"), *await one.find(RecordQuery(younger=SLACK))):
            assert kept is not None
            assert kept.accepted_at is not None
            assert kept.submitted_at is not None
            assert [kept.ago(kept.created_at), kept.ago(kept.submitted_at)] == pytest.approx([0.0, 0.0], abs=SLACK)
            assert kept.ago(kept.accepted_at) == pytest.approx(100.0, abs=SLACK)
        with wrong_clock(wrong):
            end = Generation(
                id="a", provider_id="v", provider="luma", connection="luma", model="uni-1", state=State.COMPLETED
            )
            await other.settle([end])
        assert len(await one.claim(["gallery"], 1)) == 1


async def test_jobs_of_one_millisecond_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite tells no finer time apart."""
    now = round(time.time(), 3)
    monkeypatch.setattr("aiogen.stores.sqlite.clock.now", lambda _: now)
    async with two(Ledger(tmp_path / "aiogen.db"), 0.0) as (one, _):
        names = [f"{i * 7 % 20}" for i in range(20)]
        for name in names:
            await one.add(record(name))
        assert [each.id for each in await one.find(RecordQuery())] == names[::-1]
