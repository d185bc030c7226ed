"""An output that is whole, and is read in pieces: small ones lie in memory, larger ones in a file without a name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from aiogen._content.measure import Measured
from aiogen._transfer.parts import PartOnDisk
from aiogen._transfer.saving import PartFile
from aiogen._transfer.threads import Threads
from aiogen.errors import InputError

IN_MEMORY = 1024 * 1024
"""Bytes; a larger output goes to the disk."""
PIECE = 256 * 1024
"""Bytes that are read at once."""


class PartSpool(PartOnDisk):
    """A file on its way that nobody else finds, and that is gone when it is closed, or the process ends."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(SpooledTemporaryFile[bytes](IN_MEMORY), max_bytes)

    def rewind(self) -> None:
        """All bytes have come, and are read from the first."""
        with self._in_use:
            self._file.seek(0)

    def next_piece(self) -> bytes:
        """The next bytes, none at the end."""
        with self._in_use:
            return b"" if self._file.closed else self._file.read(PIECE)

    def discard(self) -> None:
        """Leave nothing behind."""
        with self._in_use:
            self._file.close()


class OutputFile:
    """The bytes of one output, whole, of which only a piece is in memory at a time.

    Close it, or use it with `async with`.  It belongs to the session, and can be read as long as that is open.
    """

    def __init__(
        self,
        size: int,
        head: bytes,
        measured: Measured,
        *,
        read: Callable[[], Awaitable[bytes]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        """Made by `Session.open_output`.

        Args:
            size: bytes.
            head: the first of them.
            measured: what the bytes show of their type and size.
            read: returns the next bytes, none at the end.
            close: releases the bytes.
        """
        self.size: int = size
        """Bytes."""
        self.head: bytes = head
        """The first of them, at most 1024."""
        self.media_type: str | None = measured.media_type
        """By its own bytes; None where they show no known type."""
        self.width: int | None = measured.width
        """Pixels; None where the bytes do not say."""
        self.height: int | None = measured.height
        """Pixels."""
        self._read = read
        self._close = close
        self._is_begun = False
        self._is_closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes, once and in order, up to 256 KiB at a time.

        Raises:
            InputError: they have been read already, or it is closed.
        """
        if self._is_begun or self._is_closed:
            raise InputError("The bytes of an output are read once: open it again.")
        self._is_begun = True
        left = self.size
        while left > 0:
            piece = await self._read()
            if not piece:
                raise InputError("This output was closed before all of it was read.")
            left -= len(piece)
            yield piece

    async def close(self) -> None:
        """Let go of the bytes; more than once is the same."""
        if not self._is_closed:
            self._is_closed = True
            await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()


def opened(part: PartSpool, threads: Threads) -> OutputFile:
    """A whole one, from its first byte."""
    return OutputFile(
        part.size,
        part.head,
        part.measured(),
        read=partial(threads.run, part.next_piece),
        close=partial(discard, part, threads),
    )


async def begun(threads: Threads, make: Callable[[], PartFile]) -> PartFile:
    """A file that `make` makes in a thread.  A caller that is cancelled meanwhile leaves none behind."""
    making = threads.start(make)
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(partial(_drop, threads))
        raise


def _drop(threads: Threads, made: asyncio.Future[PartFile]) -> None:
    if not made.cancelled() and made.exception() is None:
        threads.start(made.result().discard)


async def discard(part: PartSpool | PartFile, threads: Threads) -> None:
    """Close it in a thread, for that frees a file that may be large; once the threads are stopped, here."""
    try:
        closing = threads.start(part.discard)
    except RuntimeError:  # the session is closed
        part.discard()
        return
    await asyncio.shield(closing)


__all__ = ["OutputFile", "PartSpool", "begun", "discard", "opened"]
