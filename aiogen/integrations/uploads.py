"""Pictures that clients of a web backend have sent, to be named in later requests: in a folder, for all its workers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from aiogen._checks import check_number, check_seconds
from aiogen._transfer.parts import TooLarge
from aiogen._transfer.saving import PartFile
from aiogen._transfer.spooling import begun, discard
from aiogen._transfer.threads import Threads
from aiogen.errors import InputError
from aiogen.integrations.uploaded import NotTaken, Upload, UploadFolder

_BLOCK = 256 * 1024
_SWEEP_EVERY = 3600.0


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
        max_folder_bytes: int = 8 * 1024 * 1024 * 1024,
        keep: float = 86_400.0,
    ) -> None:
        """Nothing is opened or made yet.

        Args:
            folder: made with the first upload, with its parents.
            max_bytes: of one picture, 1,024 bytes to 1 GiB.
            max_scope_bytes: of all pictures of one scope, 1,024 bytes to 1 TiB; they are at most 1,000.
            max_folder_bytes: of all pictures of all scopes, 1,024 bytes to 16 TiB; what is on its way counts, too.
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
        self.max_folder_bytes: int = int(check_number(max_folder_bytes, "max_folder_bytes", 1024, 1 << 44))
        """Of all pictures of all scopes."""
        self.keep: float = check_seconds(keep, "keep", 60.0)
        """Seconds."""
        self._kept = UploadFolder(self.folder, self.max_bytes, self.max_scope_bytes, self.max_folder_bytes, self.keep)
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
        part = await self._begin(scope)
        try:
            async for block in _gathered(pieces):
                await self._threads.run(part.write, block)
            found = await self._threads.run(self._kept.keep_part, scope, part)
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
        return await self._threads.run(self._kept.read, scope, upload_id)

    async def remove(self, scope: str, upload_id: str) -> bool:
        """Delete a picture of this scope; whether there was one."""
        return await self._threads.run(self._kept.remove, scope, upload_id)

    async def erase(self, scope: str) -> int:
        """Delete every picture of this scope; how many there were.

        Raises:
            OSError: the disk does not let go of one.
        """
        return await self._threads.run(self._kept.erase, scope)

    # --- in threads

    async def _begin(self, scope: str) -> PartFile:
        """A file for what comes."""
        return await begun(self._threads, partial(self._kept.begin, scope))

    async def _sweep(self) -> None:
        while True:
            with suppress(OSError):  # another time
                await self._threads.run(self._kept.sweep)
            await asyncio.sleep(min(self.keep, _SWEEP_EVERY))


def uploads_of(given: Uploads | str | os.PathLike[str] | None) -> Uploads | None:
    """What an application says about uploads: a folder, or more than that, or nothing.

    Raises:
        InputError: it is something else.
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
