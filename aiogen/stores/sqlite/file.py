"""The file of the ledger: opened, brought to this version's tables, and its trouble put into words."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import socket
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import attrs

from aiogen.errors import StoreError
from aiogen.models import Action
from aiogen.stores.sqlite import beside, forks, identity
from aiogen.stores.sqlite.rows import lenient
from aiogen.stores.sqlite.schema import STEPS, VERSION
from aiogen.stores.sqlite.watch import Opened, Watch
from aiogen.stores.sqlite.writer import is_busy

_BUSY = 0.01
"""Seconds between two tries where SQLite does not wait by itself."""
_LARGEST_JOURNAL = 4 * 2**20
"""Bytes of the write-ahead log that are kept when it has been longer."""
_DAMAGES = ("malformed", "not a database", "corrupt", "no such table", "no such column", "already exists")
_DAMAGED = "The file is damaged, or none of ours; move it away to begin a new one."
_ELSEWHERE = "use another file."


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
        counter = count_on(connection)
        if counter.ledger == self.counter.ledger and counter.count <= self.counter.count:
            raise StoreError(f"The ledger {str(self.real)!r} was put back to an older state while it was in use.")
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
                "forked. Leave this session; a new one begins with what the file holds then."
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
        sqlite3.Error, OSError: it cannot be opened; see `trouble`.
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
            connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_JOURNAL}")
            real = Path(os.path.realpath(path))
            counter = _upgrade(connection, path, real, is_adopted=is_adopted)
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
        raise StoreError(f"The store {str(path)!r} is no ordinary file; {_ELSEWHERE}")


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
                _check(connection, path)
            except sqlite3.OperationalError as error:
                is_unfinished = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK
                if not is_unfinished or not _has_just_begun(path):
                    raise
    connection = sqlite3.connect(
        path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, factory=forks.Connection
    )
    try:
        _check(connection, path)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; room is given back in small steps
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
    """There is nothing in it yet: whoever made it died with it."""
    return os.stat(path).st_size <= 4096


def _read_only(path: Path) -> str:
    return f"file:{quote(os.fsencode(path))}?mode=ro"


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError, unless it is a ledger that this version can use, or empty."""
    connection.text_factory = lenient  # whatever may stand in somebody else's file
    version = _version(connection, path)
    connection.text_factory = str
    if version and not _has_shape(connection, _shape(version)):
        raise StoreError(f"The ledger {str(path)!r} has other tables than version {version} has. {_DAMAGED}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Which version's tables the file has; 0 for a new one.

    Raises:
        StoreError: it is of a newer version, or no ledger.
    """
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner not in (0, identity.APPLICATION_ID) or (names and "aiogen_meta" not in names):
        raise StoreError(f"The file {str(path)!r} is a database of something else, no ledger; {_ELSEWHERE}")
    if not names:
        return 0
    found = connection.execute("SELECT v FROM aiogen_meta WHERE k = 'schema'").fetchone()
    told = found[0] if found is not None else None
    if not isinstance(told, str) or not (told.isascii() and told.isdecimal() and len(told) < 10) or int(told) < 1:
        raise StoreError(f"The ledger {str(path)!r} does not say its version. {_DAMAGED}")
    version = int(told)
    if version > VERSION:
        raise StoreError(
            f"The ledger {str(path)!r} is of a newer version of aiogen (schema {version}; this one knows "
            f"{VERSION}). Update aiogen, or use another file."
        )
    return version


@functools.cache
def _shape(version: int) -> dict[str, frozenset[str]]:
    """The columns of each table of a version."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in STEPS[:version]:
            for statement in step:
                connection.execute(statement)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: _columns(connection, name) for name in names}


def _has_shape(connection: sqlite3.Connection, shape: dict[str, frozenset[str]]) -> bool:
    return all(columns <= _columns(connection, name) for name, columns in shape.items())


def _columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))


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


def _upgrade(connection: sqlite3.Connection, path: Path, real: Path, *, is_adopted: bool) -> identity.Counter:
    """Bring the file to this version's tables, and have it know its place, under a lock."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path)
        connection.execute("CREATE TABLE IF NOT EXISTS aiogen_meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT")
        for step in STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO aiogen_meta VALUES ('schema', ?)", (str(VERSION),))
        took = _take_place(connection, real, is_adopted=is_adopted)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return took


def _take_place(connection: sqlite3.Connection, real: Path, *, is_adopted: bool) -> identity.Counter:
    """The ledger lies here from now on, and counts on.

    What waits in a copy is marked, so that nobody takes it up before the user has said so.
    """
    told: dict[str, str] = dict(connection.execute("SELECT k, v FROM aiogen_file").fetchall())
    here, known = place(real), identity.places_of(told.get("places"))
    name, count = told.get("ledger"), number(told.get("count"))
    by_file = beside.read(real)
    why = None
    if name is None:
        name, known = secrets.token_hex(8), [here]
    else:
        was_beside = told.get("beside") == "1"
        inside = identity.Counter(name, count)
        why = identity.is_copy(known, here, inside, by_file, was_beside=was_beside)
        if why is not None and here not in known and any(identity.same_file(each, here) for each in known):
            known.append(here)
        elif why is not None:
            name, known = secrets.token_hex(8), [here]  # from here on it is a ledger of its own
    if why is not None and not is_adopted:
        connection.execute("UPDATE aiogen_job SET copied = 1 WHERE state = 'pending' AND finished_at IS NULL")
        put(connection, "copied", why)
    if is_adopted:
        adopt(connection)
    if by_file is None or by_file.ledger != name:
        put(connection, "beside", str(int(beside.make(real, identity.Counter(name, count)))))
    put(connection, "ledger", name)
    put(connection, "places", identity.places_text(known))
    return count_on(connection)


def adopt(connection: sqlite3.Connection) -> int:
    """What came with a copy may be sent; how many jobs that are."""
    connection.execute("DELETE FROM aiogen_file WHERE k = 'copied'")
    return connection.execute("UPDATE aiogen_job SET copied = 0 WHERE copied AND finished_at IS NULL").rowcount


def count_on(connection: sqlite3.Connection) -> identity.Counter:
    """One more; at each opening, and with each heartbeat."""
    told: dict[str, str] = dict(
        connection.execute("SELECT k, v FROM aiogen_file WHERE k IN ('ledger', 'count')").fetchall()
    )
    counter = identity.Counter(told["ledger"], number(told.get("count")) + 1)
    put(connection, "count", str(counter.count))
    connection.execute(f"PRAGMA user_version = {identity.stamp(counter.ledger, counter.count)}")
    return counter


def put(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Something about the file itself."""
    connection.execute("INSERT OR REPLACE INTO aiogen_file VALUES (?, ?)", (key, value))


def number(text: str | None) -> int:
    """A count; 0 if it is none."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else 0


def place(real: Path) -> identity.Place:
    """Where a file lies."""
    return identity.Place(os.fsencode(real).decode("utf-8", "backslashreplace"), os.stat(real).st_ino, _machine())


def _machine() -> str:
    try:
        with open("/etc/machine-id", encoding="ascii", errors="replace") as file:
            told = file.read(64).strip()
    except OSError:
        return ""
    return hashlib.sha256(f"aiogen {told}".encode()).hexdigest()[:16] if told else ""  # it is nobody else's to know


def store_error(error: BaseException, path: Path, verb: str) -> StoreError:
    """What went wrong with the file, and the way out."""
    if isinstance(error, StoreError):
        return error
    text = str(error)
    retryable = False
    if is_busy(error):
        help_text = "Another process holds it; try again, or look for one that hangs."
        retryable = True
    elif not isinstance(error, sqlite3.Error | OSError):
        return StoreError(f"The ledger {str(path)!r} holds something that this version cannot read: {error!r}")
    elif "full" in text or "No space" in text:
        help_text = "The disk is full; make room."
    elif "disk I/O" in text:  # also what is said of a quota, and of a file that may not grow
        help_text = "The disk is full, over a quota, or failing; make room, or look at it."
    elif "readonly" in text or isinstance(error, OSError) or "unable to open" in text:
        help_text = "Its file and its folder have to be there and writable."
    elif any(words in text for words in _DAMAGES):
        help_text = _DAMAGED
    else:
        help_text = "Nothing was sent because of it."
    return StoreError(
        f"The ledger {str(path)!r} could not be {verb}: {text}. {help_text}",
        action=Action.WAIT if retryable else Action.GIVE_UP,
        retryable=retryable,
    )


def new_worker() -> str:
    """A name of its own each time: what an earlier life of this process left behind is not ours by itself."""
    return f"{_home()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(worker: str) -> bool:
    """True for a worker of this machine whose process is gone; nothing is known of others."""
    home, _, rest = worker.partition(":")
    pid = rest.partition(":")[0]
    if home != _home() or not pid.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _home() -> str:
    """Where process ids mean what they mean here: this machine, and this container of it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()}/{space.strip('pid:[]')}"
