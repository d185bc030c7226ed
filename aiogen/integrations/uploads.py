"""Pictures that clients of a web backend have sent, to be named in later requests: in a folder, for all its workers."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from aiogen._checks import check_number, check_seconds
from aiogen._content.measure import Measured
from aiogen._content.media import sniff
from aiogen._transfer.leftovers import sweep
from aiogen._transfer.saving import PartFile, TooLarge
from aiogen._transfer.spooling import discard
from aiogen._transfer.threads import Threads
from aiogen.errors import InputError

KINDS = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"})
"""What is taken; the bytes say what they are."""
MOST_AT_ONCE = 16
"""Uploads of one scope that are on their way."""
MOST_IN_SCOPE = 1000
"""Pictures of one scope; each takes a place on the disk, however small it is."""
_ID = re.compile(r"[0-9a-f]{64}")
_FOLDER = re.compile(r"[0-9a-f]{32}")
_BLOCK = 256 * 1024
_SWEEP_EVERY = 3600.0
_LOCKS = 16


class NotTaken(Exception):
    """An upload that is refused."""

    def __init__(self, code: str, message: str, pause: float | None = None) -> None:
        """`code`: too_large, unknown_kind, incomplete or too_many; `pause`: seconds after which there is room."""
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


class Uploads:
    """Pictures by their scope and their content, on the local disk, for some time.

    Give the same folder to all workers of a machine, and to nothing else.  What lies in it is read by nobody but the
    scope that has sent it.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_bytes: int = 12 * 1024 * 1024,
        max_scope_bytes: int = 256 * 1024 * 1024,
        keep: float = 86_400.0,
    ) -> None:
        """Nothing is opened or made yet.

        Args:
            folder: made with the first upload, with its parents.
            max_bytes: of one picture, 1,024 bytes to 1 GiB.
            max_scope_bytes: of all pictures of one scope, 1,024 bytes to 1 TiB; they are at most 1,000.
            keep: seconds after which a picture is deleted, counted from when it was last sent: 60 seconds to 30 days.

        Raises:
            InputError: a number is out of its range.
        """
        self.folder: Path = Path(folder)
        """Where the pictures lie."""
        self.max_bytes: int = int(check_number(max_bytes, "max_bytes", 1024, 1 << 30))
        """Of one picture."""
        self.max_scope_bytes: int = int(check_number(max_scope_bytes, "max_scope_bytes", 1024, 1 << 40))
        """Of all pictures of one scope."""
        self.keep: float = check_seconds(keep, "keep", 60.0)
        """Seconds."""
        self._clock: Callable[[], float] = time.time
        self._threads = Threads()

    def __repr__(self) -> str:
        return f"Uploads({str(self.folder)!r})"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """What is too old is deleted now, and again and again as long as this is open; the router does this itself."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.wait([sweeping])
            threads, self._threads = self._threads, Threads()  # another router may still need some
            await threads.close()

    async def take(self, scope: str, pieces: AsyncIterable[bytes]) -> Upload:
        """Keep what comes.

        Raises:
            NotTaken: it is no picture, incomplete, too large, or one too many.
            OSError: the disk does not take it.
        """
        folder = self._folder_of(scope)
        part = await self._begin(folder)
        try:
            async for block in _gathered(pieces):
                await self._threads.run(part.write, block)
            found = await self._threads.run(self._keep, folder, part)
        except GeneratorExit:  # nobody is left to be held up, nor to wait
            part.discard()
            raise
        except TooLarge:
            await discard(part, self._threads)
            raise NotTaken("too_large", f"A picture has at most {self.max_bytes:,} bytes.") from None
        except BaseException:
            await discard(part, self._threads)
            raise
        return found

    async def read(self, scope: str, upload_id: str) -> bytes | None:
        """The bytes of a picture of this scope; None if it has none of that id, or not any more."""
        return await self._threads.run(self._read, scope, upload_id)

    async def remove(self, scope: str, upload_id: str) -> bool:
        """Delete a picture of this scope; whether there was one."""
        return await self._threads.run(self._remove, scope, upload_id)

    async def erase(self, scope: str) -> int:
        """Delete every picture of this scope; how many there were.

        Raises:
            OSError: the disk does not let go of one.
        """
        return await self._threads.run(self._erase, scope)

    # --- in threads

    async def _begin(self, folder: Path) -> PartFile:
        """A file for what comes.  A caller that is cancelled meanwhile leaves none behind."""
        opening = self._threads.start(self._part, folder)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._drop)
            raise

    def _drop(self, opened: asyncio.Future[PartFile]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            self._threads.start(opened.result().discard)

    def _part(self, folder: Path) -> PartFile:
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        for _ in range(3):
            folder.mkdir(0o700, exist_ok=True)
            with suppress(FileNotFoundError):  # an empty one is swept away at any moment
                if sum(name.endswith(".part") for name in os.listdir(folder)) >= MOST_AT_ONCE:
                    sweep(folder)
                    raise NotTaken("too_many", f"At most {MOST_AT_ONCE} uploads may be on their way at once.", 5.0)
                return PartFile(folder, "upload", self.max_bytes)
        return PartFile(folder, "upload", self.max_bytes)

    def _keep(self, folder: Path, part: PartFile) -> Upload:
        part.finish()
        found = sniff(part.head)
        if found not in KINDS:
            raise NotTaken("unknown_kind", "The body has to be the bytes of a picture: PNG, JPEG, WebP, GIF or AVIF.")
        if part.walk.ends and not part.walk.ended:
            raise NotTaken("incomplete", f"The picture is incomplete: {part.walk.broken or 'its end is missing'}.")
        now, name = self._clock(), part.digest().hex()
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
            part.keep_as(folder / name, overwrite=False)
            os.utime(folder / name, (now, now))
        return upload

    def _read(self, scope: str, upload_id: str) -> bytes | None:
        if not _ID.fullmatch(upload_id):
            return None
        path = self._folder_of(scope) / upload_id
        with suppress(FileNotFoundError), path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_mtime + self.keep > self._clock() and found.st_size <= self.max_bytes:
                return file.read()
        return None

    def _remove(self, scope: str, upload_id: str) -> bool:
        if not _ID.fullmatch(upload_id):
            return False
        try:
            (self._folder_of(scope) / upload_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def _erase(self, scope: str) -> int:
        folder = self._folder_of(scope)
        count = sum(self._remove(scope, each.name) for each in self._entries(folder, -math.inf))
        with suppress(OSError):  # something comes in
            folder.rmdir()
        return count

    def _sweep_now(self) -> None:
        """Delete what is too old, and what was left by those that were killed; nothing that is not ours."""
        now = self._clock()
        with suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                if _FOLDER.fullmatch(name) and not (self.folder / name).is_symlink():
                    for _ in self._entries(self.folder / name, now):
                        pass
                    sweep(self.folder / name)
                    with suppress(OSError):  # it is not empty
                        (self.folder / name).rmdir()

    def _entries(self, folder: Path, now: float) -> Iterator[_Entry]:
        """The pictures in it; what is too old is deleted on the way."""
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if not _ID.fullmatch(entry.name):
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

    # --- what is where, and until when

    def _folder_of(self, scope: str) -> Path:
        """A name that says nothing of the scope, and leads nowhere else."""
        return self.folder / hashlib.sha256(scope.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _expiry(self, now: float) -> datetime:
        return datetime.fromtimestamp(now, UTC) + timedelta(seconds=self.keep)

    async def _sweep(self) -> None:
        while True:
            with suppress(OSError):  # another time
                await self._threads.run(self._sweep_now)
            await asyncio.sleep(min(self.keep, _SWEEP_EVERY))


@attrs.frozen
class _Entry:
    name: str
    size: int
    made: float


def uploads_of(given: Uploads | str | os.PathLike[str] | None) -> Uploads | None:
    """What an application says about uploads: a folder, or more than that, or nothing.

    Raises:
        InputError: it is none of these.
    """
    if given is None or isinstance(given, Uploads):
        return given
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise InputError("uploads takes the path of a folder, or Uploads(folder, …).")
    return Uploads(given)


async def _gathered(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same in larger pieces, for each takes a turn of a thread."""
    gathered: list[bytes] = []
    size = 0
    async for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield b"".join(gathered)
            gathered, size = [], 0
    if size:
        yield b"".join(gathered)


__all__ = ["Uploads"]
