"""The folder of uploads: which pictures lie in it, for whom, and until when.

Everything here may block; it runs in threads.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from aiogen._content.measure import Measured
from aiogen._content.media import sniff
from aiogen._transfer.leftovers import sweep
from aiogen._transfer.saving import PartFile
from aiogen.integrations.upload_sizes import FOLDER_NAME, PICTURE_NAME, Sizes

KINDS = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"})
"""What is taken; the bytes say what they are."""
MOST_AT_ONCE = 16
"""Uploads of one scope that are on their way."""
MOST_IN_SCOPE = 1000
"""Pictures of one scope; each takes a place on the disk, however small it is."""
_LOCKS = 16
_LONGEST_PAUSE = 3600.0
"""Seconds after which a client asks again at a folder that is full: others may delete theirs."""


class NotTaken(Exception):
    """An upload that is refused."""

    def __init__(self, code: str, message: str, pause: float | None = None) -> None:
        """`code`: too_large, unknown_kind, incomplete, too_many or full; `pause`: seconds after which to ask again."""
        super().__init__(message)
        self.code = code
        self.pause = pause


@attrs.frozen
class Upload:
    """A picture that was taken."""

    id: str
    """SHA-256 of its bytes, in hexadecimal: the same picture has the same id."""
    bytes: int
    measured: Measured
    expires: datetime
    is_new: bool = True
    """False if the scope had it already; its time begins again then."""


@attrs.frozen
class _Entry:
    name: str
    size: int
    made: float


@attrs.define
class UploadFolder:
    """Pictures by their scope and their content; several processes may use one."""

    folder: Path
    max_bytes: int
    max_scope_bytes: int
    max_folder_bytes: int
    keep: float
    """Seconds."""
    clock: Callable[[], float] = time.time
    _sizes: Sizes = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sizes = Sizes(self.folder)

    def begin(self, scope: str) -> PartFile:
        """A file for what comes.

        Raises:
            NotTaken: too many are on their way, or the folder is full.
        """
        folder = self._folder_of(scope)
        self._check_room(1)  # a body for which there is none need not be read
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        for _ in range(3):
            folder.mkdir(0o700, exist_ok=True)
            with suppress(FileNotFoundError):  # an empty one is swept away at any moment
                if sum(name.endswith(".part") for name in os.listdir(folder)) >= MOST_AT_ONCE:
                    sweep(folder)
                    raise NotTaken("too_many", f"At most {MOST_AT_ONCE} uploads may be on their way at once.", 5.0)
                return PartFile(folder, "upload", self.max_bytes)
        return PartFile(folder, "upload", self.max_bytes)

    def keep_part(self, scope: str, part: PartFile) -> Upload:
        """All of it has come: give it its name, if it is a picture and there is room.

        Raises:
            NotTaken: it is not a picture, or there is no room.
        """
        folder = self._folder_of(scope)
        part.finish()
        found = sniff(part.head)
        if found not in KINDS:
            raise NotTaken("unknown_kind", "The body has to be the bytes of a picture: PNG, JPEG, WebP, GIF or AVIF.")
        if part.walk.ends and not part.walk.ended:
            raise NotTaken("incomplete", f"The picture is incomplete: {part.walk.broken or 'its end is missing'}.")
        now, name = self.clock(), part.digest().hex()
        upload = Upload(name, part.size, part.measured(), self._expiry(now))
        with self._locked(folder):
            kept = {each.name: each for each in self._entries(folder, now)}
            if name in kept:
                os.utime(folder / name, (now, now))
                part.discard()
                return attrs.evolve(upload, is_new=False)
            used = sum(each.size for each in kept.values())
            if used + part.size > self.max_scope_bytes or len(kept) >= MOST_IN_SCOPE:
                oldest = min((each.made for each in kept.values()), default=now)
                raise NotTaken(
                    "too_many",
                    f"There are {len(kept):,} uploads of {used:,} bytes; at most {MOST_IN_SCOPE:,} of "
                    f"{self.max_scope_bytes:,} are kept. Delete some, or wait until they are deleted.",
                    max(oldest + self.keep - now, 1.0),
                )
            self._check_room()
            part.keep_as(folder / name, overwrite=False)
            os.utime(folder / name, (now, now))
        return upload

    def read(self, scope: str, upload_id: str) -> bytes | None:
        """The bytes of a picture; None if there is none."""
        if not PICTURE_NAME.fullmatch(upload_id):
            return None
        path = self._folder_of(scope) / upload_id
        with suppress(FileNotFoundError), path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_mtime + self.keep > self.clock() and found.st_size <= self.max_bytes:
                return file.read()
        return None

    def remove(self, scope: str, upload_id: str) -> bool:
        """Delete one; whether there was one."""
        if not PICTURE_NAME.fullmatch(upload_id):
            return False
        try:
            (self._folder_of(scope) / upload_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def erase(self, scope: str) -> int:
        """Delete all of a scope; how many there were."""
        folder = self._folder_of(scope)
        count = sum(self.remove(scope, each.name) for each in self._entries(folder, -math.inf))
        with suppress(OSError):  # something comes in
            folder.rmdir()
        return count

    def sweep(self) -> None:
        """Delete what is too old, and what was left by those that were killed; nothing that is not ours."""
        now = self.clock()
        with suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                if FOLDER_NAME.fullmatch(name) and not (self.folder / name).is_symlink():
                    for _ in self._entries(self.folder / name, now):
                        pass
                    sweep(self.folder / name)
                    with suppress(OSError):  # it is not empty
                        (self.folder / name).rmdir()

    def _check_room(self, more: int = 0) -> None:
        """Whether all scopes together have room for so many bytes more; what is on its way counts already.

        Raises:
            NotTaken: they have not.
        """
        used = self._sizes.used()
        if used.bytes + more > self.max_folder_bytes and used.oldest + self.keep <= self.clock():
            self.sweep()
            used = self._sizes.used()
        if used.bytes + more > self.max_folder_bytes:
            pause = used.oldest + self.keep - self.clock()
            raise NotTaken("full", "There is no room for more uploads now.", min(max(pause, 1.0), _LONGEST_PAUSE))

    def _entries(self, folder: Path, now: float) -> Iterator[_Entry]:
        """The pictures in it; what is too old is deleted on the way."""
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if not PICTURE_NAME.fullmatch(entry.name):
                    continue
                with suppress(FileNotFoundError):  # another worker was quicker
                    found = entry.stat(follow_symlinks=False)
                    if found.st_mtime + self.keep <= now:
                        os.unlink(entry.path)
                    else:
                        yield _Entry(entry.name, found.st_size, found.st_mtime)

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """Of all workers one looks whether there is room, and takes it.  Some scopes share a lock, which stays."""
        if sys.platform == "win32":  # there two at the same moment may both find the last room
            yield
            return
        import fcntl

        path = self.folder / f".lock-{int(folder.name[:8], 16) % _LOCKS}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with suppress(OSError):  # some mounts have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _folder_of(self, scope: str) -> Path:
        """A name that says nothing of the scope, and leads nowhere else."""
        return self.folder / hashlib.sha256(scope.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _expiry(self, now: float) -> datetime:
        return datetime.fromtimestamp(now, UTC) + timedelta(seconds=self.keep)


__all__ = ["KINDS", "MOST_AT_ONCE", "MOST_IN_SCOPE", "NotTaken", "Upload", "UploadFolder"]
