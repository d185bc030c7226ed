"""A ledger that fails: said clearly before money is spent, and nobody's running job pays for it."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from serving import Vendor, body, done, luma, serving
from stores.disks import KINDS, Disk, held, small_disk

import aiogen
from aiogen import State, StoreError
from aiogen.stores.base import Record
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)


@asynccontextmanager
async def session_on(vendor: Vendor, store: Any, **limits: Any) -> AsyncIterator[aiogen.Session]:
    """A session whose vendor is in the same loop."""
    async with asyncio.timeout(30.0), serving(vendor) as url:
        async with aiogen.Session([luma(url, **limits)], store=store) as session:
            yield session


async def refused(store: SqliteStore, *says: str) -> StoreError:
    """A session on this store says so before it sends anything, names the file, and leaves no thread behind."""
    vendor = Vendor()
    with pytest.raises(StoreError) as caught:
        async with session_on(vendor, store):
            pytest.fail("it has begun")
    assert vendor.seen == []
    for words in (str(store.path), *says):
        assert words in str(caught.value)
    assert not [thread for thread in threading.enumerate() if thread.name == "aiogen-store"]
    return caught.value


async def used(path: Path) -> None:
    """A file as a program leaves it, with forty jobs of some account in it."""
    store = SqliteStore(path)
    await store.open()
    fields = {"connection": "luma", "provider": "luma", "account": "a", "created_at": datetime.now(UTC)}
    jobs = [Record(id=str(i), state=State.PENDING, batch="x" * 300, **fields) for i in range(40)]
    await asyncio.gather(*map(store.add, jobs))
    await store.close()


# --- what is no ledger


def other_bytes(path: Path) -> None:
    """A disk that has lost its mind: the first page is there, the rest is noise."""
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + random.Random(7).randbytes(len(whole) - 4096))


def cut_to(size: float) -> Callable[[Path], None]:
    """A copy that broke off; below one, that part of it is left."""
    return lambda path: os.truncate(path, int(size if size > 1.0 else size * path.stat().st_size))


def changed_by(*statements: str) -> Callable[[Path], None]:
    """Somebody with an SQLite of their own."""

    def change(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return change


def another_program(path: Path) -> None:
    """The path of somebody's accounts, given by mistake."""
    path.unlink()
    changed_by("CREATE TABLE invoice(total REAL)", "INSERT INTO invoice VALUES (7.5)")(path)


MOVE, OTHER, UPDATE = "move it away to start a new one", "use another file", "Update aiogen"
SPOILT = {
    "noise": (other_bytes, MOVE),
    "noise from the first byte": (lambda path: path.write_bytes(os.urandom(20_000)), MOVE),
    "half a header": (cut_to(50), MOVE),
    "one page": (cut_to(4096), MOVE),
    "half": (cut_to(0.5), MOVE),
    "no number": (changed_by("UPDATE aiogen_meta SET v = 'two'"), MOVE),
    "no version": (changed_by("DELETE FROM aiogen_meta"), MOVE),
    "no jobs": (changed_by("DROP TABLE aiogen_job"), MOVE),
    "another program's": (another_program, OTHER),
    "newer": (changed_by("PRAGMA journal_mode = DELETE", "UPDATE aiogen_meta SET v = '99'"), UPDATE),
}


@pytest.mark.parametrize(("spoil", "says"), SPOILT.values(), ids=SPOILT)
async def test_a_file_that_cannot_be_used(path: Path, spoil: Callable[[Path], None], says: str) -> None:
    """What helps is said, nothing is sent, and what is somebody else's stays as it was."""
    await used(path)
    spoil(path)
    before, beside = path.read_bytes(), sorted(path.parent.iterdir())
    await refused(SqliteStore(path), says)
    if says != MOVE:
        assert path.read_bytes() == before
        assert sorted(path.parent.iterdir()) == beside


async def test_a_file_that_another_holds(path: Path) -> None:
    """It is waited for, and then said to be worth trying again."""
    await used(path)
    with held(path):
        error = await refused(SqliteStore(path, busy_timeout=0.05), "Another process has locked it")
    assert error.retryable
    async with session_on(Vendor(), path):
        pass


async def test_a_disk_that_is_full_from_the_beginning(tmp_path: Path) -> None:
    """The file could be made, and nothing could be put into it."""
    with small_disk(tmp_path) as disk:
        store = SqliteStore(disk.path)
        await disk.fill(store)
        await refused(store, "disk is full", "free some space")
        await disk.free(store)
        async with session_on(Vendor(), store):
            pass


# --- what may not be written


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of an ordinary user's: modes mean nothing to root."""
    folder = Path(tempfile.mkdtemp(prefix="aiogen-test-"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        if not os.access(folder, os.W_OK, effective_ids=True):
            pytest.skip("an ordinary user cannot come to the folder for temporary files")
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize("is_there", [False, True], ids=["no file", "a file"])
async def test_a_folder_that_may_not_be_written(folder: Path, is_there: bool) -> None:
    """SQLite needs it for its side files."""
    path = folder / "aiogen.db"
    if is_there:
        await used(path)
    folder.chmod(0o500)
    await refused(SqliteStore(path), "must exist and be writable")


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
async def test_a_file_that_may_not_be_written(folder: Path) -> None:
    """A backup, or one of another user."""
    path = folder / "aiogen.db"
    await used(path)
    path.chmod(0o400)
    await refused(SqliteStore(path), "must exist and be writable")


# --- what goes wrong while jobs run


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with KINDS[request.param](folder) as disk:
        yield disk


async def test_a_full_disk_or_a_held_file_stops_nobody_who_runs(disk: Disk) -> None:
    """New jobs are refused unsent, those in line too; what runs ends in memory, and the ledger hears of it later."""
    vendor = Vendor(reads=[(200, body("processing"))])
    store = SqliteStore(disk.path, busy_timeout=0.05, lease=1.5)
    async with session_on(vendor, store, max_active=1) as session:
        running = await session.submit("luma/uni-1", "a boat")
        provider_id = await running.accepted()
        in_line = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        await disk.fill(store)
        with pytest.raises(StoreError, match=r"disk is full|has locked it") as caught:
            await submit_many(session, in_line)
        assert str(disk.path) in str(caught.value)
        vendor._reads.insert(0, (200, done()))
        await session.get("luma", provider_id)
        assert (await running).state is State.COMPLETED
        if disk.takes_nothing:
            for job in in_line:
                with pytest.raises(StoreError, match=r"disk is full|has locked it"):
                    await job
            assert vendor.creates == 1
        await disk.free(store)
        while (await states(session))[running.id] is not State.COMPLETED:
            await asyncio.sleep(0.05)
        assert (await session.submit("luma/uni-1", "after it")).state is State.PENDING


async def submit_many(session: aiogen.Session, taken: list[aiogen.Job]) -> None:
    """Until one is refused: where the file has a page with space in it, some fit."""
    for i in range(100):
        taken.append(await session.submit("luma/uni-1", f"new boat {i} " + "x" * 500))


async def states(session: aiogen.Session) -> dict[str, State]:
    """What the ledger says."""
    return {record.id: record.state for record in await session.records()}
