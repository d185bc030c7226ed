"""One file in one or several answers of a storage: what each answer says, and which bytes it may add.  Pure.

A download that broke continues only where it is proven that the rest belongs to the same file: requested with a strong
ETag, answered with that ETag, at the right place, and with the same total as before.  Everything else begins again at
the first byte.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from enum import Enum

import attrs

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_PIECE = 256 * 1024


class Verdict(Enum):
    """What an HTTP status of a storage means for a download."""

    BODY = "body"
    MOVED = "moved"
    EXPIRED = "expired"
    """Perhaps: storages report an expired url in many ways."""
    BUSY = "busy"
    """Trying again may help."""
    CHANGED = "changed"
    """What came before is not the beginning of what is there now."""
    REFUSED = "refused"


def verdict(status: int) -> Verdict:
    """What the status means."""
    if status in (200, 206):
        return Verdict.BODY
    if status in (301, 302, 303, 307, 308):
        return Verdict.MOVED
    if status in (400, 401, 403, 404, 409, 410):
        return Verdict.EXPIRED
    if status in (412, 416):
        return Verdict.CHANGED
    return Verdict.BUSY if status in (408, 425, 429) or status >= 500 else Verdict.REFUSED


MAY_APPEAR = frozenset({403, 404, 409})
"""Statuses by which storages report a file that is not there yet (S3 answers 403 without permission to list)."""


COMPRESSIONS = frozenset({"br", "compress", "deflate", "x-compress", "zstd"})
"""Content encodings that are not undone here, unlike gzip.  Any other word there is a mistake made in an upload."""


class Mismatch(Exception):
    """The answer does not belong to what came before, or is less than the file; the message says how."""


@attrs.define
class Entity:
    """What is known of the file, and how much of it has arrived."""

    size: int = 0
    """Bytes so far, as they travel."""
    total: int | None = None
    """Bytes of the whole, as they travel; None if the storage does not say."""
    etag: str | None = None
    """A strong one, or None."""
    chunked: bool = False
    """The answer has an end of its own, and is complete if it was read without an error."""
    encoding: str = ""
    """A `Content-Encoding` that came although none was requested."""
    content_type: str = ""
    """In lower case, without parameters."""
    received: int = 0
    """Bytes of all answers together, including those that were discarded."""
    _limit: int | None = attrs.field(default=None, init=False)

    def request_headers(self) -> dict[str, str]:
        """What to request: the rest, if it can be proven to belong to the same file; else everything."""
        if self.size and self.etag is not None and not self.encoding:
            return {"Range": f"bytes={self.size}-", "If-Range": self.etag}
        return {}

    def forget(self) -> None:
        """Begin at the first byte the next time."""
        self.size, self.etag = 0, None

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """An answer with a body; whether it continues what came before, rather than beginning again.

        Args:
            status: 200 or 206.
            headers: whose names may be written in any case.

        Raises:
            Mismatch: it is a part that was not requested, or not of the same file.
        """
        if status == 206:
            self._go_on(headers)
            return True
        etag = headers.get("ETag", "").strip()
        self.etag = etag if re.fullmatch(r'"[^"]*"', etag) else None
        self.chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        self.encoding = _encoding(headers)
        self.content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self.size, self.total = 0, None if self.chunked else _number(headers.get("Content-Length"))
        self._limit = self.total
        return False

    def _go_on(self, headers: Mapping[str, str]) -> None:
        if not self.request_headers():
            raise Mismatch("the storage sent a part although the whole file was requested")
        part = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if part is None or int(part[1]) != self.size:
            raise Mismatch("the storage sent a different part than the one requested")
        if headers.get("ETag", "").strip() != self.etag or _encoding(headers):
            raise Mismatch("the file at the storage has changed in the meantime")
        total = self.total if part[3] == "*" else int(part[3])
        end = int(part[2]) + 1
        if total is None or total != (total if self.total is None else self.total) or not self.size < end <= total:
            raise Mismatch("the storage reports a different length than before")
        if _number(headers.get("Content-Length")) not in (None, end - self.size):
            raise Mismatch("the storage sent a part of a different length than it announced")
        self.total, self._limit, self.chunked = total, end, False

    def add(self, count: int) -> None:
        """Count bytes that arrived.

        Raises:
            Mismatch: they are more than the answer announced.
        """
        self.size += count
        self.received += count
        if self._limit is not None and self.size > self._limit:
            raise Mismatch("the storage sent more bytes than it announced")

    @property
    def is_gzip(self) -> bool:
        """True if it has to be unpacked."""
        return self.encoding in ("gzip", "x-gzip")

    @property
    def is_short(self) -> bool:
        """True if fewer bytes have arrived than were announced."""
        return self.total is not None and self.size < self.total

    def check_end(self, *, ended: bool) -> None:
        """The answer has ended, and it is not short.

        Args:
            ended: the file itself shows that it is complete; needed where neither a length nor chunks say so.

        Raises:
            Mismatch: it cannot be known whether bytes are missing.
        """
        if self.total is None and not self.chunked and not ended:
            raise Mismatch(f"the storage sent {self.size:,} bytes without saying how many there are")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,18}", text) else None


def _encoding(headers: Mapping[str, str]) -> str:
    encoding = headers.get("Content-Encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


class Gunzip:
    """Undoes gzip in pieces of bounded size, however much it unpacks to; what is not gzip passes unchanged."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._plain: bool | None = None
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes unpack to.

        Raises:
            Mismatch: they are damaged.
        """
        if self._plain is None and data:
            self._plain = data[0] != 0x1F  # some storages declare a file compressed that is not
        if self._plain:
            yield data
            return
        data, self._rest = self._rest + data, b""
        piece = b""
        while data or len(piece) == _PIECE:
            if self._stream.eof:  # a further member may follow (RFC 1952, 2.2); anything else is no part of it
                if data[:2] != b"\x1f\x8b":
                    self._rest = data if data == b"\x1f" else b""
                    return
                self._stream = zlib.decompressobj(wbits=31)
            try:
                piece = self._stream.decompress(data, _PIECE)
            except zlib.error as error:
                raise Mismatch(f"the storage sent the file compressed, and it cannot be unpacked ({error})") from None
            data = self._stream.unconsumed_tail or self._stream.unused_data
            yield piece

    def finish(self) -> None:
        """No more bytes come.

        Raises:
            Mismatch: the end of the compressed bytes is missing.
        """
        if not self._plain and not self._stream.eof:
            raise Mismatch("the storage sent the file compressed, and its end is missing")
