"""The folder of a batch: whether it can be written, and has room, before anything is paid for.

May block; it runs in a session's own threads.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from aiogen._transfer.leftovers import sweep
from aiogen._wording import count
from aiogen.errors import InputError

_PER_PICTURE = 1024 * 1024
"""Bytes of disk for each row that is new, at least: a PNG of a million pixels has one to two million."""


def check_folder(folder: Path, pictures: int) -> None:
    """Make it, write into it, delete what a killed program has left in it, and see how much room there is.

    Raises:
        InputError: it cannot be written, or there is certainly too little room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".aiogen-"):
            pass
        sweep(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(
            f"The folder {str(folder)!r} cannot be written: {error.strerror or error}. Nothing was sent; name another."
        ) from None
    if free < pictures * _PER_PICTURE:
        raise InputError(
            f"The disk of {str(folder)!r} has {free // 1_000_000:,} MB free, and {count(pictures)} pictures will need "
            "more. Nothing was sent; make room, or name another folder."
        )
