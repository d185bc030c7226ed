"""Files on disk: their names, what counts as saved, and a file that gets its name only when it is whole.

Everything here may block; it runs in a session's own threads.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from aiogen._content.measure import LOOKED_AT, Measured, measured
from aiogen._content.media import EXTENSIONS, HEAD_BYTES, OTHER_EXTENSIONS
from aiogen._content.whole import Walk
from aiogen._transfer.leftovers import hold
from aiogen._transfer.parts import PartOnDisk
from aiogen.models import Generation

_LONGEST_STEM = 200
"""Bytes of a name without index and ending; most file systems end at 255 for the whole."""
_BLOCK = 64 * 1024
_NO_FSYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES})
"""How file systems answer that they have no fsync.  What it is for (ENOSPC, EDQUOT, EIO) is not among them."""


def file_stem(generation: Generation, index: int) -> str:
    """The name of an output's file without its extension: connection, the vendor's id, index."""
    name = f"{generation.connection}-{generation.provider_id}"
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    # Two ids that differ only in what a file name cannot hold must not share a file.
    if len(safe) > _LONGEST_STEM:
        safe = f"{safe[: _LONGEST_STEM - 17]}-{digest[:16]}"
    elif safe != name:
        safe = f"{safe}-{digest[:8]}"
    return f"{safe}-{index}"


def make_folder(directory: Path) -> bool:
    """Make it with its parents; False if a file is in the way."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return True


def find_saved(directory: Path, stem: str) -> Path | None:
    """The file of that output, if it was saved before, under whatever ending."""
    for extension in (*EXTENSIONS.values(), *OTHER_EXTENSIONS.values(), "bin"):
        name = f"{stem}.{extension}"
        if is_saved(os.path.join(directory, name)):  # a `Path` for each would take most of the time
            return directory / name
    return None


def is_saved(path: str | Path) -> bool:
    """Whether there is a file with something in it; a link, a folder and an empty file do not count."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def measure_file(path: Path) -> Measured:
    """What a file says of itself, by no more of it than that takes; nothing if it cannot be read."""
    walk, head, seen = Walk(), b"", 0
    with suppress(OSError), path.open("rb") as file:
        while seen < LOOKED_AT and (block := file.read(_BLOCK)):
            head = head or block[:HEAD_BYTES]
            seen += len(block)
            walk.feed(block)
            if walk.size is not None or not walk.ends:
                break
    walk.finish()
    return measured(head, walk)


def means_folder(path: str) -> bool:
    """Whether somebody who gives this path to save to means a folder: there is one, or it ends as one."""
    separators = {os.sep, os.altsep} - {None}
    return path[-1:] in separators or path == "" or os.path.isdir(path)


def names_of(path: Path, count: int) -> list[Path]:
    """The names for several files that were given one: the first has it, the others a number behind it."""
    return [path, *(path.with_name(f"{path.stem}-{i}{path.suffix}") for i in range(1, count))]


def in_the_way(path: Path, *, overwrite: bool) -> str | None:
    """Why no file may be saved under this very name; None if one may.  Links and empty files are replaced."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return "there is a folder of that name"
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
        return "it is no ordinary file"
    if not overwrite and stat.S_ISREG(found.st_mode) and found.st_size > 0:
        return "there is a file of that name, which may be another picture"
    return None


class PartFile(PartOnDisk):
    """A file on its way, beside the one that it will become."""

    def __init__(self, directory: Path, stem: str, max_bytes: int) -> None:
        self._path = directory / f".{stem[:100]}-{uuid4().hex[:12]}.part"
        # The mode is that of any new file: the process's umask takes from it, or the folder's default ACL.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(self._path, flags, 0o666), "w+b")
        hold(file.fileno())
        super().__init__(file, max_bytes)

    def digest(self) -> bytes:
        """SHA-256 of what is in the file, once all of it is."""
        with self._in_use:
            self._file.seek(0)
            return hashlib.file_digest(self._file, "sha256").digest()

    def keep_as(self, path: Path, *, overwrite: bool) -> Path:
        """Give it its name; what is there by now is kept unless `overwrite`.  A link is replaced, never followed.

        Raises:
            OSError: the disk does not take it, or a folder has that name.
        """
        if not overwrite and is_saved(path):
            self.discard()
            return path
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, f"there is a folder named {path.name!r}")
        with self._in_use:
            self._write_out()
            os.replace(self._path, path)
            self._file.close()
        return path

    def keep_named(self, path: Path, *, overwrite: bool) -> Path:
        """Give it the name that somebody chose; unless `overwrite`, what has come there by now is an error.

        Raises:
            OSError: the same as `keep_as`.
            FileExistsError: something is in the way.
        """
        with self._in_use:
            self._write_out()
            if not overwrite:
                try:
                    os.link(self._path, path)  # of two at the same moment only one can
                except OSError:
                    pass  # there is something, or the file system has no second names
                else:
                    os.unlink(self._path)
                    self._file.close()
                    return path
            if (why := in_the_way(path, overwrite=overwrite)) is not None:
                raise FileExistsError(errno.EEXIST, why)
            os.replace(self._path, path)
            self._file.close()
        return path

    def _write_out(self) -> None:
        """From here on it only needs its name."""
        self._file.flush()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            if error.errno not in _NO_FSYNC:
                raise
        if os.name == "nt":  # on other systems it is held until it has its name
            self._file.close()

    def discard(self) -> None:
        """Leave nothing behind."""
        with self._in_use:
            with suppress(OSError):  # a full disk does not take what was not written yet
                self._file.close()
            with suppress(OSError):
                os.unlink(self._path)
