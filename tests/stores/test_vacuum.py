"""The file is as large as what is in it, not as what once was."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stores.opening import opened

from aiogen import Generation, State
from aiogen.stores.base import Record
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)

MANY = 300
_LONG = "x" * 10_000


async def filled(store: SqliteStore) -> list[str]:
    """Three megabytes of what is over, and one that is not."""
    fields = {"connection": "luma", "provider": "luma", "account": "a", "created_at": datetime.now(UTC)}
    ids = [f"job-{i}" for i in range(MANY)]
    await asyncio.gather(
        *(store.add(Record(id=each, state=State.PENDING, prompt=_LONG, **fields)) for each in [*ids, "more"])
    )
    known = {"provider": "luma", "connection": "luma", "model": "uni-1", "state": State.CANCELLED, "provider_id": None}
    await store.settle([Generation(id=each, **known) for each in ids])
    return ids


def megabytes(path: Path) -> float:
    return sum(each.stat().st_size for each in path.parent.iterdir() if each.name.startswith(path.name)) / 2**20


async def test_what_is_forgotten_leaves_the_disk(tmp_path: Path) -> None:
    """At once, and the rest is there."""
    path = tmp_path / "aiogen.db"
    async with opened(path) as store:
        ids = await filled(store)
        assert await store.forget(ids) == MANY
        await store.heartbeat()
    assert megabytes(path) < 1.2
    async with opened(path) as store:
        assert await store.get("more") is not None


async def test_what_is_old_leaves_the_disk_with_the_heartbeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, while others use the file, who do not take that for an accident."""
    monkeypatch.setattr("aiogen.stores.sqlite.vacuum._STEP", 50)
    monkeypatch.setattr("aiogen.stores.sqlite.store._TIDYING", 0.0)
    path = tmp_path / "aiogen.db"
    async with opened(path, keep_finished=0.0) as store, opened(path) as other:
        await filled(store)
        await asyncio.sleep(0.01)
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes = []
        for _ in range(40):
            assert await store.heartbeat()
            assert await other.heartbeat()
            sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) > 5
    assert megabytes(path) < 1.2


async def test_a_file_of_an_older_version_becomes_small_too(tmp_path: Path) -> None:
    """It cannot be made smaller step by step; from then on it can."""
    path = tmp_path / "aiogen.db"
    async with opened(path):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.execute("PRAGMA journal_mode = DELETE")
        older.execute("PRAGMA auto_vacuum = NONE")
        older.execute("VACUUM")
        assert older.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    async with opened(path) as store:
        await store.forget(await filled(store))
    assert megabytes(path) < 0.5
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("PRAGMA auto_vacuum").fetchone() == (2,)


async def test_little_is_not_worth_the_work(tmp_path: Path) -> None:
    """Free pages are used again; and an error of that harms nobody."""
    path = tmp_path / "aiogen.db"
    async with opened(path) as store:
        ids = await filled(store)
        size = path.stat().st_size
        assert await store.forget(ids[:20]) == 20
        assert path.stat().st_size >= size
