"""The bytes of one file on their way, unpacked and counted: kept in memory, or in a file that somebody else names."""

from __future__ import annotations

from io import BufferedRandom
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import TypeAlias

from aiogen._content.entity import Gunzip
from aiogen._content.measure import Measured, measured
from aiogen._content.media import HEAD_BYTES
from aiogen._content.whole import Walk

OpenFile: TypeAlias = BufferedRandom | SpooledTemporaryFile[bytes]


class TooLarge(Exception):
    """More bytes than may be saved."""


class Part:
    """The bytes of one file on their way: unpacked, counted, and followed to the end."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes: int = max_bytes
        """The most bytes that may come."""
        self._in_use = Lock()  # a download that is cancelled discards it while a thread may still write
        self.begin(packed=False)

    def begin(self, *, packed: bool) -> None:
        """What comes now is the file from its first byte; nothing is done to what came before yet."""
        self.size: int = 0
        """Bytes in it, unpacked."""
        self.head: bytes = b""
        """The first `HEAD_BYTES` of them."""
        self.walk: Walk = Walk()
        self._gunzip = Gunzip() if packed else None
        self._is_new = True

    def write(self, block: bytes) -> None:
        """The next bytes, as they came.

        Raises:
            OSError: the disk does not take them.
            TooLarge: they are too many.
            Mismatch: they cannot be unpacked.
        """
        with self._in_use:
            if self._is_new:
                self._clear()
                self._is_new = False
            for piece in self._gunzip.feed(block) if self._gunzip is not None else (block,):
                self.size += len(piece)
                if self.size > self.max_bytes:
                    raise TooLarge
                if len(self.head) < HEAD_BYTES:
                    self.head += piece[: HEAD_BYTES - len(self.head)]
                self.walk.feed(piece)
                self._put(piece)

    def finish(self) -> None:
        """All bytes have come.

        Raises:
            Mismatch: the end of what is to be unpacked is missing.
        """
        self.walk.finish()
        if self._gunzip is not None:
            self._gunzip.finish()

    def measured(self) -> Measured:
        """What the file says of itself."""
        return measured(self.head, self.walk)

    def _clear(self) -> None:
        raise NotImplementedError

    def _put(self, piece: bytes) -> None:
        raise NotImplementedError


class PartBytes(Part):
    """A file in memory."""

    def __init__(self, max_bytes: int) -> None:
        self._pieces: list[bytes] = []
        super().__init__(max_bytes)

    def joined(self) -> bytes:
        """All that has come, which is then kept only by the caller."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def _clear(self) -> None:
        self._pieces = []

    def _put(self, piece: bytes) -> None:
        self._pieces.append(piece)


class PartOnDisk(Part):
    """A file on its way, in one that is open for reading and writing."""

    def __init__(self, file: OpenFile, max_bytes: int) -> None:
        self._file = file
        super().__init__(max_bytes)

    def _clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def _put(self, piece: bytes) -> None:
        self._file.write(piece)
