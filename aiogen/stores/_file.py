"""The file of the ledger: opened, brought to this version's tables, and its trouble put into words."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
from pathlib import Path

from aiogen.errors import StoreError
from aiogen.models import Action
from aiogen.stores._schema import STEPS, VERSION


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Open the file, made if it is not there; `patience` is in seconds.

    Raises:
        StoreError: it is of a newer version.
        sqlite3.Error, OSError: it cannot be opened; see `trouble`.
    """
    # 0600 from the first moment; SQLite gives its side files the mode of the main one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _upgrade(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to this version's tables, under a lock; one of a newer version is left alone."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS aiogen_meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT")
        found = connection.execute("SELECT v FROM aiogen_meta WHERE k = 'schema'").fetchone()
        version = int(found[0]) if found is not None else 0
        if version > VERSION:
            raise StoreError(
                f"The ledger {str(path)!r} is of a newer version of aiogen (schema {version}; this one knows "
                f"{VERSION}). Update aiogen, or use another file."
            )
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
    elif "readonly" in text or isinstance(error, OSError) or "unable to open" in text:
        help_text = "Its file and its folder have to be there and writable."
    elif "malformed" in text or "not a database" in text or "corrupt" in text:
        help_text = "The file is damaged, or none of ours; move it away to begin a new one."
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
