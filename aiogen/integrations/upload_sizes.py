"""How much lies in a folder of uploads, over all scopes.

Everything here may block; it runs in threads.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs

FOLDER_NAME = re.compile(r"[0-9a-f]{32}")
"""Of the folder of one scope."""
PICTURE_NAME = re.compile(r"[0-9a-f]{64}")
_SETTLED = 2_000_000_000
"""Nanoseconds after which a change of a folder shows in its time, on any file system."""


@attrs.frozen
class Used:
    """What lies in some folders."""

    bytes: int
    oldest: float
    """When the oldest picture was sent; `math.inf` if there is none."""


@attrs.frozen
class _Counted:
    changed: int
    used: Used


class Sizes:
    """Folders that have not changed are not read again: of each that costs a look at its time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counted: dict[str, _Counted] = {}

    def used(self) -> Used:
        """All pictures and what is on its way, as far as it has come."""
        found: dict[str, _Counted] = {}
        total, oldest = 0, math.inf
        for name, changed in self._folders():
            counted = self._counted.get(name)
            if counted is None or counted.changed != changed:
                used, is_quiet = _read(self._folder / name)
                counted = _Counted(changed, used)
                if not is_quiet or time.time_ns() < changed + _SETTLED:
                    counted = attrs.evolve(counted, changed=-1)  # and read again the next time
            found[name] = counted
            total += counted.used.bytes
            oldest = min(oldest, counted.used.oldest)
        self._counted = found
        return Used(total, oldest)

    def _folders(self) -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if FOLDER_NAME.fullmatch(entry.name):
                    with suppress(FileNotFoundError):  # an empty one is swept away at any moment
                        yield entry.name, entry.stat(follow_symlinks=False).st_mtime_ns


def _read(folder: Path) -> tuple[Used, bool]:
    """What lies in one; False if some of it still grows."""
    total, oldest, is_quiet = 0, math.inf, True
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                total += found.st_size
                if PICTURE_NAME.fullmatch(entry.name):
                    oldest = min(oldest, found.st_mtime)
                else:
                    is_quiet = False
    return Used(total, oldest), is_quiet


__all__ = ["FOLDER_NAME", "PICTURE_NAME", "Sizes", "Used"]
