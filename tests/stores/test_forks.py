"""Connections at a fork, as the parent and the child see it; with real forks in test_binding.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import pytest

from aiogen import StoreError
from aiogen.stores.base import RecordQuery
from aiogen.stores.sqlite import SqliteStore, forks

pytestmark = pytest.mark.looptime(False)


@pytest.fixture(autouse=True)
def nothing_else_is_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test does here stays here."""
    for name, value in (("_all", WeakSet()), ("_held", []), ("_inherited", []), ("_inherited_files", set())):
        monkeypatch.setattr(forks, name, value)
    monkeypatch.setattr(forks, "_FORK_TIMEOUT", 0.05)
    yield
    for guarded in forks._inherited:
        if guarded._lock.locked():
            guarded._lock.release()
        guarded.close()


async def test_the_parent_goes_on(tmp_path: Path) -> None:
    """With another connection, which takes whatever another one has written for new."""
    store = SqliteStore(tmp_path / "aiogen.db")
    await store.open()
    try:
        await store.wait_for_news(0.0)
        assert not await store.wait_for_news(0.0)
        forks._before_fork()
        there = {path.name for path in tmp_path.iterdir()}
        forks._after_fork_in_parent()
        assert there == {"aiogen.db", "aiogen.db-epoch"}  # nothing is open, or the journal would be there
        assert await store.wait_for_news(0.0)
        assert not await store.wait_for_news(0.0)
        assert await store.find(RecordQuery()) == []
        forks._before_fork()
        store.path.unlink()
        store.path.mkdir()
        forks._after_fork_in_parent()
        with pytest.raises(StoreError, match="another file is in its place, since this process was forked"):
            await store.find(RecordQuery())
    finally:
        await store.close()


def connection_to(path: Path) -> forks.Guarded:
    return forks.Guarded(lambda: sqlite3.connect(path, check_same_thread=False))


def test_the_child_refuses_what_was_in_use(tmp_path: Path) -> None:
    """And nothing else."""
    busy, idle, other = (tmp_path / name for name in ("busy.db", "idle.db", "other.db"))
    in_use, not_in_use = connection_to(busy), connection_to(idle)
    with not_in_use:
        pass
    with in_use:
        forks._before_fork()
        forks._after_fork_in_child()
        with pytest.raises(StoreError, match=r"in use while this process was forked.*spawn"):
            forks.refuse_inherited(busy)
    for path in (idle, other):
        forks.refuse_inherited(path)


def test_forked_by_what_does_not_tell_python_before(tmp_path: Path) -> None:
    """What is open then is inherited, whether it is in use or not."""
    path = tmp_path / "aiogen.db"
    guarded = connection_to(path)
    with guarded:
        pass
    forks._after_fork_in_child()
    with pytest.raises(StoreError, match="forked"):
        forks.refuse_inherited(path)


def test_what_was_just_being_opened_may_be_any_file(tmp_path: Path) -> None:
    """So none is opened."""

    def connect() -> sqlite3.Connection:
        forks._before_fork()
        forks._after_fork_in_child()
        raise sqlite3.OperationalError

    guarded = forks.Guarded(connect)
    with pytest.raises(sqlite3.OperationalError), guarded:
        pass
    with pytest.raises(StoreError, match="forked"):
        forks.refuse_inherited(tmp_path / "aiogen.db")
