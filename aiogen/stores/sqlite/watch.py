"""Looks whether the path still leads to the file that was opened.

SQLite does not: it goes on with a file that was deleted, renamed or replaced, and the next that opens the path finds
nothing of what was written since.  So it is looked at with each transaction; a few system calls, all in the store's
thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from aiogen.errors import StoreError
from aiogen.models import Action
from aiogen.stores.sqlite import identity

_WAL_HEADER = 32
_WAL_MAGICS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_BACK = "Put it back, or close this session and open another one."
_ANEW = "Close this session and open a new one, which begins with what is in the file then."


class Opened:
    """A descriptor of the ledger's file, for looking at its first bytes.

    Closing any descriptor of a file ends all locks that the process holds on it, SQLite's too; so all stores of this
    process on one file share one, and the last one to leave closes it.
    """

    _shared: ClassVar[dict[tuple[int, int], list[int]]] = {}
    """By device and inode: the descriptor, and how many use it."""
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        """Raises OSError if it cannot be opened."""
        with self._lock:
            found = os.stat(path)
            self.key: tuple[int, int] = (found.st_dev, found.st_ino)
            if self.key not in self._shared:
                self._shared[self.key] = [os.open(path, os.O_RDONLY | os.O_CLOEXEC), 0]
            shared = self._shared[self.key]
            shared[1] += 1
            self._number = shared[0]

    def header(self) -> bytes:
        """Its first bytes, as they are on the disk; none where that cannot be asked for."""
        return _read(self._number, identity.HEADER)

    def close(self) -> None:
        """Let go of it; once."""
        with self._lock:
            shared = self._shared[self.key]
            shared[1] -= 1
            if not shared[1]:
                del self._shared[self.key]
                os.close(self._number)


class Watch:
    """What is known of an open ledger's files; `check` raises when they are others, or gone."""

    def __init__(self, path: Path, real: Path, opened: Opened, connection: sqlite3.Connection) -> None:
        """After something was written: only then are all files there.

        `path` is absolute; `real` where it leads to, beside which SQLite has its journal.
        """
        self._path = path
        self._wal = real.with_name(real.name + "-wal")
        self._opened = opened
        self._size = os.stat(path).st_size
        self._written_at = 0
        """When the main file was changed last, in nanoseconds: as often as not it is not looked into."""
        self._stamp = identity.header_of(opened.header())
        self._shrunk = _shrunk(connection)
        wal = os.stat(self._wal)
        self._wal_key = (wal.st_dev, wal.st_ino)
        self._wal_number = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)  # on this one SQLite holds no locks
        self._is_wal_empty = False
        self._is_rescued = False

    def is_there(self) -> bool:
        """True if the path leads to the file; from any thread."""
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._opened.key

    def glance(self, connection: sqlite3.Connection) -> None:
        """Before each transaction: the log, of which within one too little can be found out."""
        start = _read(self._wal_number, _WAL_HEADER)
        if start[:4] not in _WAL_MAGICS:
            self.check(connection)

    def check(self, connection: sqlite3.Connection) -> None:
        """Raises StoreError, if what is written now would not be found by the next that opens the path."""
        what = self._what_is_wrong(connection)
        if what is not None:
            raise StoreError(
                f"The ledger {str(self._path)!r} {what} Nothing was sent; what runs continues in memory.",
                action=Action.GIVE_UP,
            )

    def close(self) -> None:
        """After the connection was closed."""
        os.close(self._wal_number)
        self._opened.close()

    def _what_is_wrong(self, connection: sqlite3.Connection) -> str | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            self._rescue(connection)
            return f"is gone: it was deleted or renamed while it was in use. {_BACK}"
        except OSError as error:
            return f"can no longer be checked: {error}. {_BACK}"
        if (found.st_dev, found.st_ino) != self._opened.key:
            self._rescue(connection)
            return f"was replaced by another file while it was in use. {_BACK}"
        self._is_rescued = False
        what = None
        if found.st_mtime_ns != self._written_at or found.st_size != self._size:
            what = self._size_is_wrong(connection, found.st_size) or self._header_is_wrong(connection)
            if what is None:
                self._written_at = found.st_mtime_ns
        return what or self._wal_is_wrong(connection)

    def _rescue(self, connection: sqlite3.Connection) -> None:
        """What is in the journal belongs into the file that was moved, and must not get into one that replaces it."""
        if not self._is_rescued:
            self._is_rescued = True
            if connection.in_transaction:
                connection.rollback()
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _size_is_wrong(self, connection: sqlite3.Connection, size: int) -> str | None:
        if size < self._size and not self._may_shrink(connection, size):
            return f"was truncated or overwritten while it was in use: {size} of {self._size} bytes are left. {_BACK}"
        self._size = size
        return None

    def _may_shrink(self, connection: sqlite3.Connection, size: int) -> bool:
        """Room was given back to the disk: by one of us, who says so, or by somebody with an SQLite of their own."""
        if size == 0:
            return False
        try:
            before, self._shrunk = self._shrunk, _shrunk(connection)
            (pages,), (page,) = (connection.execute(f"PRAGMA {x}").fetchone() for x in ("page_count", "page_size"))
        except sqlite3.Error:
            return False
        return self._shrunk != before or size == pages * page

    def _header_is_wrong(self, connection: sqlite3.Connection) -> str | None:
        header = self._opened.header()
        if not header:
            return None
        stamp = identity.header_of(header)
        if stamp is None:
            return f"was overwritten with other data while it was in use. {_BACK}"
        if stamp == self._stamp:
            return None
        inside = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if not identity.is_the_same(stamp, inside, self._stamp):
            return f"was overwritten with another ledger, or an older state, while it was in use. {_ANEW}"
        self._stamp = stamp
        return None

    def _wal_is_wrong(self, connection: sqlite3.Connection) -> str | None:
        try:
            wal = os.stat(self._wal)
        except OSError:
            return f"has lost its file {str(self._wal)!r} while it was in use. {_ANEW}"
        if (wal.st_dev, wal.st_ino) != self._wal_key:
            return f"has a different file {str(self._wal)!r} from the one in use. {_ANEW}"
        if wal.st_size == 0:
            # Who puts everything into the main file may empty it; somebody who does not, must not.
            if not self._is_wal_empty:
                try:
                    if not connection.in_transaction:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                except sqlite3.Error:
                    return f"has a file {str(self._wal)!r} that was emptied: what was in it is lost. {_ANEW}"
                self._is_wal_empty = not connection.in_transaction
            return None
        self._is_wal_empty = False
        if not connection.in_transaction:
            start = _read(self._wal_number, _WAL_HEADER)
            if start and start[:4] not in _WAL_MAGICS:
                return f"has a damaged file {str(self._wal)!r}. {_ANEW}"
        return None


def _read(number: int, count: int) -> bytes:
    return os.pread(number, count, 0) if hasattr(os, "pread") else b""


def _shrunk(connection: sqlite3.Connection) -> str | None:
    found = connection.execute("SELECT v FROM aiogen_file WHERE k = 'shrunk'").fetchone()
    return None if found is None else str(found[0])
