"""The small file beside a ledger that counts with it: `<file>-epoch`.

When the ledger counts less than this, an older state of it was put in its place.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from aiogen.stores.sqlite.identity import Counter, counter_of

_LONGEST = 200
"""Bytes."""


def name(path: Path) -> Path:
    """The path of the file beside this ledger."""
    return path.with_name(path.name + "-epoch")


def read(path: Path) -> Counter | None:
    """What it says; None if it is not there, or says nothing."""
    try:
        number = os.open(name(path), os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        return counter_of(os.read(number, _LONGEST).decode("ascii", "replace"))
    except OSError:
        return None
    finally:
        os.close(number)


def make(path: Path, counter: Counter) -> bool:
    """Write it so that it is there after a power failure; False if it cannot be written."""
    if not _write(path, counter, is_new=True):
        return False
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return True


def write(path: Path, counter: Counter) -> bool:
    """Count on.  Not forced to the disk: what lies behind the ledger says nothing wrong."""
    return _write(path, counter, is_new=False)


def _write(path: Path, counter: Counter, *, is_new: bool) -> bool:
    try:
        flags = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        number = os.open(name(path), flags, 0o600)
        try:
            written = os.write(number, counter.to_text().encode())  # over what is there: never empty for a moment
            if is_new:
                os.ftruncate(number, written)
                os.fsync(number)
        finally:
            os.close(number)
    except OSError:
        return False
    return True
