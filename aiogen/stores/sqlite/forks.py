"""SQLite connections that no forked child inherits.

What SQLite knows of a file's locks it keeps for the whole process, and a fork copies that, but not the locks.  A child
that opens the file believes that it holds what only its parent holds: the parent then removes the journal under it,
and what the child commits is lost without a word; or a lock of the parent's seems to be held for ever.  So every
connection is closed before a fork, when nobody works with it, and opened again when it is next needed.

https://www.sqlite.org/howtocorrupt.html, 2.6: do not carry an open connection across a fork.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from weakref import WeakSet

from aiogen.errors import StoreError

_FORK_TIMEOUT = 1.0
"""Seconds that a fork waits for transactions, all together; the longest wait for other programs' locks."""

_numbers = itertools.count(1)


class Connection(sqlite3.Connection):
    """Knows which one it is: what SQLite counts per connection begins again with the next."""

    number: int

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.number = next(_numbers)


class Guarded:
    """One connection, made by `connect` when it is first needed; only within `with` does anybody use it.

    `connect` has to allow other threads (`check_same_thread=False`): the one that forks closes it.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        with _forking:
            _all.add(self)

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            if self._connection is None:
                connection = self._connection = self._connect()
                self._file = _identity(connection.execute("PRAGMA database_list").fetchone()[2])
            return self._connection
        except BaseException:
            self._lock.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._lock.release()

    def close(self) -> None:
        """Until it is needed again."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        connection, self._connection, self._file = self._connection, None, None
        if connection is not None:
            connection.close()


def refuse_inherited(path: Path) -> None:
    """Refuse a file that was open when this process was forked, and could not be closed in time.

    Raises:
        StoreError: it is such a file, or may be.
    """
    if _inherited_files & {_identity(path), None}:
        raise StoreError(
            f"The ledger {str(path)!r} was in use while this process was forked, so it cannot be used in here: SQLite "
            "does not survive that. Fork before the session is opened, or start a new process "
            "(multiprocessing's 'spawn' or 'forkserver')."
        )


def _identity(path: str | Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


_all: WeakSet[Guarded] = WeakSet()
_inherited: list[Guarded] = []
"""Of the parent, and never closed here."""
_inherited_files: set[tuple[int, int] | None] = set()
"""None: one that was just being opened, whichever that was."""
_forking = threading.RLock()
_held: list[Guarded] = []
"""Whose connections are closed, and who wait, while this thread forks."""


def _before_fork() -> None:
    _forking.acquire()
    over = time.monotonic() + _FORK_TIMEOUT
    for guarded in list(_all):
        if guarded._lock.acquire(timeout=max(0.0, over - time.monotonic())):
            _held.append(guarded)
            with suppress(sqlite3.Error):
                guarded._let_go()


def _after_fork_in_parent() -> None:
    for guarded in _held:
        guarded._lock.release()
    _held.clear()
    _forking.release()


def _after_fork_in_child() -> None:
    global _forking
    for guarded in list(_all):
        # In use for too long, or forked by something that does not tell Python before.
        if guarded not in _held and (guarded._connection is not None or guarded._lock.locked()):
            _inherited.append(guarded)
            _inherited_files.add(guarded._file)
    _held.clear()
    _all.clear()  # their threads are the parent's
    _forking = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
