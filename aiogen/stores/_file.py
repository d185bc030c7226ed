"""The file of the ledger: opened, brought to this version's tables, and its trouble put into words."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import time
from pathlib import Path

from aiogen.errors import StoreError
from aiogen.models import Action
from aiogen.stores import _forks as forks
from aiogen.stores._schema import STEPS, VERSION

_BUSY = 0.01
"""Seconds between two tries where SQLite does not wait by itself."""
_DAMAGES = ("malformed", "not a database", "corrupt", "no such table", "already exists")
_DAMAGED = "The file is damaged, or none of ours; move it away to begin a new one."


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Open the file, made if it is not there; `patience` is in seconds.

    Raises:
        StoreError: it is of a newer version, or no ledger, or cannot be used in this forked process; then nothing in it
            is changed.
        sqlite3.Error, OSError: it cannot be opened; see `trouble`.
    """
    forks.refuse_inherited(path)
    # 0600 from the first moment; SQLite gives its side files the mode of the main one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, factory=forks.Connection
    )
    try:
        _version(connection, path)  # before anything is changed
        _use_wal(connection, patience)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _upgrade(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Which version's tables the file has; 0 for a new one.

    Raises:
        StoreError: it is of a newer version, or no ledger.
    """
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if not tables:
        return 0
    if "aiogen_meta" not in tables:
        raise StoreError(f"The file {str(path)!r} is a database of something else, no ledger; use another file.")
    found = connection.execute("SELECT v FROM aiogen_meta WHERE k = 'schema'").fetchone()
    if found is None or not found[0].isdecimal():
        raise StoreError(f"The ledger {str(path)!r} does not say its version. {_DAMAGED}")
    version = int(found[0])
    if version > VERSION:
        raise StoreError(
            f"The ledger {str(path)!r} is of a newer version of aiogen (schema {version}; this one knows "
            f"{VERSION}). Update aiogen, or use another file."
        )
    return version


def _use_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Readers and a writer at once.  Of two that begin a file together, SQLite turns one away without waiting."""
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= until:
                raise
            time.sleep(_BUSY)
        else:
            return


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to this version's tables, under a lock."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path)
        connection.execute("CREATE TABLE IF NOT EXISTS aiogen_meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT")
        for step in STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO aiogen_meta VALUES ('schema', ?)", (str(VERSION),))
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def trouble(error: Exception, path: Path, verb: str) -> StoreError:
    """What went wrong with the file, and the way out."""
    if isinstance(error, StoreError):
        return error
    text = str(error)
    retryable = False
    if "locked" in text or "busy" in text:
        help_text = "Another process holds it; try again, or look for one that hangs."
        retryable = True
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
