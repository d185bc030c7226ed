"""The file of the ledger: made, opened, and opened again after a fork."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import attrs

from aiogen.errors import ConfigurationError, StoreError
from aiogen.stores.sqlite import beside, copies, forks, identity
from aiogen.stores.sqlite.failures import USE_ANOTHER, is_busy
from aiogen.stores.sqlite.upgrade import check, upgrade
from aiogen.stores.sqlite.watch import Opened, Watch

_BUSY = 0.01
"""Seconds between two tries where SQLite does not wait by itself."""
_LARGEST_JOURNAL = 4 * 2**20
"""Bytes of the write-ahead log that are kept when it has been longer."""
_SCHEMES = ("sqlite", "sqlite+aiosqlite", "sqlite+pysqlite")
"""Of urls that name a file: as SQLAlchemy has them, so that one serves both."""


@attrs.define(eq=False)
class LedgerFile:
    """One that is open."""

    connection: sqlite3.Connection
    real: Path
    watch: Watch
    counter: identity.Counter

    def count(self, connection: sqlite3.Connection) -> None:
        """With each heartbeat.

        Raises:
            StoreError: it counts less than it did.
        """
        counter = copies.count_on(connection)
        if counter.ledger == self.counter.ledger and counter.count <= self.counter.count:
            raise StoreError(f"The ledger {str(self.real)!r} was restored to an older state while it was in use.")
        self.counter = counter

    def write_beside(self) -> None:
        """After that is on the disk."""
        beside.write(self.real, self.counter)


class Handle:
    """What a store's thread has open.  The thread keeps this, so nothing in here leads to the store."""

    def __init__(self, path: Path, busy_timeout: float, *, is_adopted: bool = False) -> None:
        """See `connect`."""
        self._path = path
        self._busy_timeout = busy_timeout
        self._is_adopted = is_adopted
        self.file: LedgerFile | None = None
        """While it is open."""
        self._is_lost = False

    def connect(self) -> sqlite3.Connection:
        """See `connect`.  Called again after a fork, for which every connection is closed.

        Raises:
            StoreError: it is not the ledger that was open before.
        """
        before = self.file
        if before is not None and not before.watch.is_there():
            self._is_lost = True
            self.let_go()
        if self._is_lost:
            raise StoreError(
                f"The ledger {str(self._path)!r} is gone, or another file is in its place, since this process was "
                "forked. Close this session and open a new one, which begins with what is in the file then."
            )
        self.file = connect(self._path, self._busy_timeout, is_adopted=self._is_adopted)
        if before is not None:
            before.watch.close()  # not sooner: to close the last descriptor ends the locks of those who read just now
        return self.file.connection

    def glance(self, connection: sqlite3.Connection) -> None:
        """See `Watch.glance`."""
        assert self.file is not None
        self.file.watch.glance(connection)

    def check(self, connection: sqlite3.Connection) -> None:
        """See `Watch.check`."""
        assert self.file is not None
        self.file.watch.check(connection)

    def let_go(self) -> None:
        """After the connection was closed."""
        if self.file is not None:
            self.file.watch.close()
            self.file = None

    def connect_to_read(self) -> sqlite3.Connection:
        """A connection of its own for a long read; called in a reader's thread.

        Raises:
            StoreError: the ledger is no longer open, or no longer there.
        """
        file = self.file
        connection = connect_to_read(self._path, self._busy_timeout)
        if file is None or not file.watch.is_there():
            connection.close()
            raise StoreError(f"The ledger {str(self._path)!r} was closed, deleted or replaced before it was read.")
        return connection


def connect(path: Path, busy_timeout: float, *, is_adopted: bool = False) -> LedgerFile:
    """Open the file, made if it is not there; `busy_timeout` is in seconds.

    `is_adopted`: if it is a copy, it is used like any other all the same.

    Raises:
        StoreError: it is of a newer version, or no ledger, or cannot be used in this forked process; then nothing in it
            is changed.
        sqlite3.Error, OSError: it cannot be opened; see `failures.store_error`.
    """
    forks.refuse_inherited(path)
    path = Path(os.path.abspath(path))  # also if the program goes into another folder
    _make(path)
    opened = Opened(path)
    try:
        connection = _opened(path, busy_timeout)
        try:
            _use_wal(connection, busy_timeout)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is written over with zeros
            connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_JOURNAL}")
            real = Path(os.path.realpath(path))
            counter = _prepare(connection, path, real, is_adopted=is_adopted)
            beside.write(real, counter)
            return LedgerFile(connection, real, Watch(path, real, opened, connection), counter)
        except BaseException:
            connection.close()
            raise
    except BaseException:
        opened.close()
        raise


def connect_to_read(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """A connection of its own for a long read of a ledger that is open."""
    connection = sqlite3.connect(
        os.path.abspath(path),
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        factory=forks.Connection,
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _make(path: Path) -> None:
    """An empty file, readable by its owner alone from the first moment; SQLite gives its side files the same mode."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{str(path)!r} is a folder")
    if not stat.S_ISREG(found.st_mode):  # to open a pipe might never end
        raise StoreError(f"The store {str(path)!r} is not an ordinary file; {USE_ANOTHER}")


def _opened(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """A connection to what is a ledger, or an empty file; nothing was changed so far.

    Whatever a program left behind that died, SQLite brings in order when it is done with reading: that changes the
    file.  So one with such remains is first looked at without the right to write.
    """
    if _has_remains(path):
        with closing(
            sqlite3.connect(_read_only(path), timeout=busy_timeout, isolation_level=None, uri=True)
        ) as connection:
            try:
                check(connection, path)
            except sqlite3.OperationalError as error:
                is_unfinished = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK
                if not is_unfinished or not _has_just_begun(path):
                    raise
    connection = sqlite3.connect(
        path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, factory=forks.Connection
    )
    try:
        check(connection, path)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; pages are given back in small steps
    except BaseException:
        connection.close()
        raise
    return connection


def _has_remains(path: Path) -> bool:
    real = os.path.realpath(path)
    for suffix in ("-wal", "-journal"):
        try:
            if os.stat(f"{real}{suffix}").st_size:
                return True
        except OSError:
            pass
    return False


def _has_just_begun(path: Path) -> bool:
    """There is nothing in it yet: its maker died with it."""
    return os.stat(path).st_size <= 4096


def _read_only(path: Path) -> str:
    return f"file:{quote(os.fsencode(path))}?mode=ro"


def _use_wal(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Readers and a writer at once.  Of two that begin a file together, SQLite turns one away without waiting."""
    until = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= until:
                raise
            time.sleep(_BUSY)
        else:
            return


def _prepare(connection: sqlite3.Connection, path: Path, real: Path, *, is_adopted: bool) -> identity.Counter:
    """Bring the file to this version's tables, and have it know its place, under a lock."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        upgrade(connection, path)
        counter = copies.take_place(connection, real, is_adopted=is_adopted)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return counter


def path_of(path: object) -> Path:
    """Where the file is to be, from what a program says.

    Raises:
        ConfigurationError: that is no path of a file.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise ConfigurationError(f"The store {path!r} is not a path; pass the path of a file, such as 'aiogen.db'.")
    if isinstance(path, str) and (named := path_in_url(path)) is not None:
        return named
    text = os.fsdecode(path)
    if "://" in text:  # what follows may be a password
        scheme = text.partition("://")[0]
        raise ConfigurationError(f"The store '{scheme}://…' is not a file, nor a database of PostgreSQL.")
    if not text or "\0" in text:
        raise ConfigurationError(f"The store {text!r} is not a file.")
    return Path(text)


def path_in_url(name: str) -> Path | None:
    """The file that `sqlite:jobs.db`, or SQLAlchemy's `sqlite:///jobs.db`, names; None for what is no such url.

    Raises:
        ConfigurationError: it is one, and names no file, or has parameters.
    """
    scheme, colon, rest = name.strip().partition(":")
    if not colon or scheme.lower() not in _SCHEMES:
        return None
    rest = rest.removeprefix("///")
    if not rest or rest.startswith("//") or "\0" in rest:
        raise ConfigurationError(
            f"The store '{scheme}:…' names no file; write sqlite:jobs.db, or sqlite:////var/lib/jobs.db."
        )
    if "?" in rest:
        raise ConfigurationError(f"The store '{scheme}:…?…' has parameters, and takes none: write sqlite:jobs.db.")
    return Path(rest)
