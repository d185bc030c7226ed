"""Unfinished files of programs that were killed: found, and distinguished from those that are still being written.

Who writes one holds a lock on it, which ends with the process, however that ends.  May block; it runs in a session's
own threads.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"\..*-[0-9a-f]{12}\.part")
_AGE = 1.0
"""Seconds: a file that was only just made may not be held yet."""


def hold(file: int) -> None:
    """Mark a file as being written by this process, until it is closed."""
    if sys.platform != "win32":  # there nobody can delete a file that is open
        import fcntl

        with suppress(OSError):  # some mounts have no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path) -> int:
    """Delete what nobody writes any more; how many files that were."""
    swept = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):  # in use, gone by now, or not ours
                    swept += _swept(entry.path)
    return swept


def _swept(path: str) -> bool:
    if abs(time.time() - os.lstat(path).st_mtime) < _AGE:
        return False
    if sys.platform == "win32":
        os.unlink(path)
        return True
    import fcntl

    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(file)
    return True


__all__ = ["hold", "sweep"]
