"""What can go wrong with the ledger's file, in words that say what helps."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from aiogen.errors import StoreError
from aiogen.models import Action

DAMAGED = "The file is damaged, or is not a ledger of aiogen's; move it away to start a new one."
USE_ANOTHER = "use another file."

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGES = ("malformed", "not a database", "corrupt", "no such table", "no such column", "already exists")


def is_busy(error: BaseException) -> bool:
    """Another program holds the file: worth trying again."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and (
        "database is locked" in str(error) if code is None else code & 0xFF in _BUSY
    )


def store_error(error: BaseException, path: Path, verb: str) -> StoreError:
    """The error for what went wrong with the file, with what helps."""
    if isinstance(error, StoreError):
        return error
    text = str(error)
    retryable = is_busy(error)
    if not isinstance(error, sqlite3.Error | OSError):
        return StoreError(f"The ledger {str(path)!r} contains something that this version cannot read: {error!r}")
    return StoreError(
        f"The ledger {str(path)!r} could not be {verb}: {text}. {_what_helps(error, text)}",
        action=Action.WAIT if retryable else Action.GIVE_UP,
        retryable=retryable,
    )


def _what_helps(error: sqlite3.Error | OSError, text: str) -> str:
    if is_busy(error):
        return "Another process has locked it; try again, or look for a process that hangs."
    if "full" in text or "No space" in text:
        return "The disk is full; free some space."
    if "disk I/O" in text:  # also what is said of a quota, and of a file that may not grow
        return "The disk is full, over its quota, or failing; free some space, or check it."
    if "readonly" in text or isinstance(error, OSError) or "unable to open" in text:
        return "Its file and its folder must exist and be writable."
    if any(words in text for words in _DAMAGES):
        return DAMAGED
    return "Nothing was sent."
