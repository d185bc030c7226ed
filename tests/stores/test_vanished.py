"""The ledger's file goes away under a running session: said before money is spent, and what runs ends all the same."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from serving import Vendor, body, done, luma, serving

import aiogen
from aiogen import State, StoreError
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)


@asynccontextmanager
async def session_on(vendor: Vendor, store: Any, **limits: Any) -> AsyncIterator[aiogen.Session]:
    async with asyncio.timeout(30.0), serving(vendor) as url:
        async with aiogen.Session([luma(url, **limits)], store=store) as session:
            yield session


def record(job_id: str) -> Record:
    return Record(
        id=job_id, connection="luma", provider="luma", account="a", state=State.PENDING, created_at=datetime.now(UTC)
    )


def another(path: Path, pages: int = 20) -> Path:
    """A ledger of somebody else's."""

    async def used() -> None:
        store = SqliteStore(path)
        await store.open()
        await asyncio.gather(*(store.add(record("x" * 2000 + str(i))) for i in range(pages)))
        await store.close()

    import threading

    thread = threading.Thread(target=lambda: asyncio.run(used()))
    thread.start()
    thread.join()
    return path


def side(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def deleted(path: Path) -> None:
    path.unlink()


def renamed(path: Path) -> None:
    path.rename(side(path, ".old"))


def folder_renamed(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.mkdir()


def replaced(path: Path) -> None:
    os.replace(another(side(path, ".other")), path)


def overwritten(path: Path) -> None:
    shutil.copyfile(another(side(path, ".other")), path)


def with_words(path: Path) -> None:
    path.write_bytes(b"something else entirely " * 10_000)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4096)


def without_wal(path: Path) -> None:
    side(path, "-wal").unlink()


def wal_replaced(path: Path) -> None:
    side(path, "-wal").rename(side(path, ".old-wal"))
    shutil.copyfile(side(path, ".old-wal"), side(path, "-wal"))


def wal_emptied(path: Path) -> None:
    os.truncate(side(path, "-wal"), 0)


def wal_overwritten(path: Path) -> None:
    side(path, "-wal").write_bytes(b"\0" * side(path, "-wal").stat().st_size)


GONE = "was deleted or renamed"
KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "deleted": (deleted, GONE),
    "renamed": (renamed, GONE),
    "its folder renamed": (folder_renamed, GONE),
    "replaced": (replaced, "was replaced by another file"),
    "overwritten with another": (overwritten, "overwritten"),
    "overwritten with words": (with_words, "overwritten with other data"),
    "emptied": (emptied, "truncated or overwritten"),
    "cut off": (cut_off, "truncated or overwritten"),
    "its log deleted": (without_wal, "has lost its file"),
    "its log replaced": (wal_replaced, "has a different file"),
    "its log emptied": (wal_emptied, "that was emptied"),
    "its log overwritten": (wal_overwritten, "has a damaged file"),
}


@pytest.mark.parametrize(("happens", "says"), KINDS.values(), ids=KINDS)
async def test_nothing_is_sent_that_the_next_program_would_not_find(
    tmp_path: Path, happens: Callable[[Path], None], says: str
) -> None:
    """New jobs and those in line are refused, with the file and the reason; what runs ends."""
    path = tmp_path / "data" / "aiogen.db"
    path.parent.mkdir()
    vendor = Vendor(reads=[(200, body("processing"))])
    async with session_on(vendor, path, max_active=1) as session:
        running = await session.submit("luma/uni-1", "a boat")
        provider_id = await running.accepted()
        in_line = await session.submit("luma/uni-1", "in line")
        await asyncio.to_thread(happens, path)
        with pytest.raises(StoreError, match=says) as caught:
            await session.submit("luma/uni-1", "one more")
        assert str(path) in str(caught.value)
        assert "Nothing was sent" in str(caught.value)
        assert not caught.value.retryable
        vendor._reads.insert(0, (200, done()))
        await session.get("luma", provider_id)
        assert (await running).state is State.COMPLETED
        with pytest.raises(StoreError, match=says):
            await in_line
        with pytest.raises(StoreError, match=says):
            await session.records()
    assert vendor.creates == 1


async def test_one_that_comes_back_is_gone_on_with(path: Path) -> None:
    """What ended meanwhile is written then."""
    vendor = Vendor(reads=[(200, body("processing"))])
    async with session_on(vendor, SqliteStore(path, lease=1.5)) as session:
        running = await session.submit("luma/uni-1", "a boat")
        provider_id = await running.accepted()
        renamed(path)
        vendor._reads.insert(0, (200, done()))
        await session.get("luma", provider_id)
        assert (await running).state is State.COMPLETED
        with pytest.raises(StoreError, match=GONE):
            await session.submit("luma/uni-1", "refused")
        side(path, ".old").rename(path)
        while not [each for each in await session.records() if each.state is State.COMPLETED]:
            await asyncio.sleep(0.05)
        await (await session.submit("luma/uni-1", "after it")).accepted()
        assert len(await session.records()) == 2
    assert vendor.creates == 2


async def test_two_ledgers_are_never_mixed(path: Path) -> None:
    """One is moved away and another put in its place: each keeps its own jobs, and all of them."""
    store = SqliteStore(path)
    await store.open()
    await store.add(record("ours"))
    other = await asyncio.to_thread(another, side(path, ".other"), 3)
    path.rename(side(path, ".old"))
    os.replace(other, path)
    with pytest.raises(StoreError, match="replaced"):
        await store.add(record("lost"))
    await store.close()
    for each, count in ((side(path, ".old"), 1), (path, 3)):
        again = SqliteStore(each)
        await again.open()
        assert len(await again.find(RecordQuery())) == count
        await again.close()


async def test_what_is_owed_at_the_end_is_named(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The user learns which jobs the next session will not know."""
    vendor = Vendor(reads=[(200, body("processing"))])
    async with session_on(vendor, path) as session:
        running = await session.submit("luma/uni-1", "a boat")
        provider_id = await running.accepted()
        path.unlink()
        vendor._reads.insert(0, (200, done()))
        await session.get("luma", provider_id)
        await running
    (said,) = [each for each in caplog.records if "changes could not be written" in each.getMessage()]
    assert said.levelno == logging.ERROR
    assert running.id in said.getMessage()


async def test_what_others_do_rightly_is_no_alarm(path: Path) -> None:
    """Another program may empty the log into the file, make the file smaller, or move through folders."""
    store = SqliteStore(path)
    await store.open()
    before = os.getcwd()
    try:
        for i in range(300):
            await store.add(record("x" * 2000 + str(i)))
        await store.settle([_ended("x" * 2000 + str(i)) for i in range(300)])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            assert side(path, "-wal").stat().st_size == 0
            await store.heartbeat()
            other.execute("DELETE FROM aiogen_job")
            other.execute("VACUUM")
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        os.chdir(path.parent.parent)
        await store.heartbeat()
        await store.add(record("a"))
    finally:
        os.chdir(before)
        await store.close()


def _ended(job_id: str) -> aiogen.Generation:
    return aiogen.Generation(
        id=job_id, provider_id=job_id[-4:], provider="luma", connection="luma", model="uni-1", state=State.COMPLETED
    )


async def test_the_locks_of_one_store_outlive_another_of_the_same_process(path: Path) -> None:
    """Two stores of one process on one file: who leaves takes nobody's lock on the file along."""
    one, other = SqliteStore(path), SqliteStore(path)
    await one.open()
    await other.open()
    await other.close()
    held = os.stat(path).st_ino
    locks = Path("/proc/locks")
    if locks.exists():
        assert any(f":{held} " in line for line in locks.read_text().splitlines())
    await one.close()
