"""Files that outlive what they were made from: compared byte for byte with what came, and synced to the disk.

Everything here may block; it runs in a session's own threads.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiogen._transfer.saving import PartFile, find_saved


def place(part: PartFile, directory: Path, stems: Sequence[str], names: Sequence[str], extension: str) -> Path:
    """Where on the disk the bytes of a whole part are for good, under their own name or one that is free.

    Args:
        part: what came from the storage just now; it is used up.
        directory: the folder.
        stems: under which the same bytes may be there already.
        names: without their ending, under which they may be kept if not: the first that is free.
        extension: of the bytes.

    Raises:
        OSError: the disk does not take them, cannot promise to keep them, or gives other bytes back.
    """
    digest = part.digest()
    for stem in stems:
        found = find_saved(directory, stem)
        if found is not None and os.path.getsize(found) == part.size and digest_of(found) == digest:
            part.discard()
            _sync(found, directory)
            return found
    free = next((name for name in names if find_saved(directory, name) is None), None)
    if free is None:
        raise FileExistsError(errno.EEXIST, "there are other files under its names")
    path = part.keep_as(directory / f"{free}.{extension}", overwrite=False)
    if digest_of(path) != digest:
        raise OSError(errno.EIO, f"{path.name} does not have the bytes that were written to it")
    _sync(path, directory)
    return path


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


class Roots:
    """Folders whose own names are on the disk for good, up to the root."""

    def __init__(self) -> None:
        self._known: set[tuple[int, int]] = set()

    def sync(self, directory: Path) -> None:
        """Sync the folders that it is in, any of which may be new; once, as long as it is the same folder.

        Raises:
            OSError: the disk does not promise it.
        """
        found = os.stat(directory)
        if os.name == "nt" or (found.st_dev, found.st_ino) in self._known:
            return
        for folder in directory.absolute().parents:
            with suppress(PermissionError):  # nobody who may not read a folder has made it
                _sync_folder(folder)
        self._known.add((found.st_dev, found.st_ino))


def _sync(path: Path, directory: Path) -> None:
    """The bytes, and the name by which they are found: what was only in memory may be gone after a power cut.

    Raises:
        OSError: the disk does not promise it.
    """
    # Windows syncs only what may be written; on other systems a read-only file of the user's is enough.
    _sync_one(path, os.O_RDWR | getattr(os, "O_BINARY", 0) if os.name == "nt" else os.O_RDONLY)
    if os.name != "nt":  # it has no call for folders
        _sync_folder(directory)


def _sync_folder(folder: Path) -> None:
    try:
        _sync_one(folder, os.O_RDONLY)
    except OSError as error:
        # Mounts that sync files but have no such call for folders write these at once.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def _sync_one(path: Path, flags: int) -> None:
    number = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(number)
    finally:
        os.close(number)


__all__ = ["Roots", "digest_of", "place"]
