"""Whether a picture has reached its end, by its own structure, checked while its bytes arrive.  Pure.

A transfer may end early without saying so.  PNG, JPEG, WebP and GIF have an end that is found by going from block to
block; pixels are not decoded.  Bytes after the end are allowed.  On the way the width and height are read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator

import attrs

from aiogen._content.media import SNIFF_BYTES, sniff


@attrs.define
class _Pass:
    """The next bytes are of no interest one by one; `look` sees them in pieces of any size."""

    left: int
    look: Callable[[bytes], None] | None = None


@attrs.frozen
class _Size:
    """Nothing is wanted: this is how large the picture is."""

    width: int
    height: int


_Want = int | _Pass | re.Pattern[bytes] | _Size
"""Some bytes together; some bytes in passing; whatever ends with a match of the pattern; or nothing, see `_Size`."""
_Steps = Generator[_Want, bytes, None]
"""The way through one format: yields what it wants next, and is sent it (nothing of what is passed)."""


class _Broken(Exception):
    """The bytes break the rules of their format; the message says how."""


class Walk:
    """Follows one file from its first byte, in blocks of any size."""

    def __init__(self) -> None:
        self.ends: bool = False
        """The format of this file has an end that can be found."""
        self.ended: bool = False
        """It has been found."""
        self.broken: str | None = None
        """How the bytes break the rules of their format, if they do."""
        self.size: tuple[int, int] | None = None
        """Width and height in pixels, as the file says, once that has been read; None if it says 0, or nothing."""
        self._begun = False
        self._kept = b""
        self._steps: _Steps | None = None
        self._want: _Want = 0

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        if self._begun and self._steps is None:
            return  # it is over, or of no format that has an end
        self._kept += block
        if not self._begun:
            if len(self._kept) < SNIFF_BYTES:
                return
            self._begin()
        self._go()

    def finish(self) -> None:
        """There are no more bytes."""
        if not self._begun:
            self._begin()
            self._go()

    def _begin(self) -> None:
        self._begun = True
        way = _WAYS.get(sniff(self._kept) or "")
        if way is not None:
            self.ends = True
            self._steps = way()
            self._want = next(self._steps)

    def _go(self) -> None:
        block, self._kept, at = self._kept, b"", 0
        try:
            while self._steps is not None:
                want, got = self._want, b""
                if isinstance(want, int):
                    if at + want > len(block):
                        self._kept = block[at:]
                        return
                    got = block[at : at + want]
                    at += want
                elif isinstance(want, _Pass):
                    size = min(want.left, len(block) - at)
                    if want.look is not None:
                        want.look(block[at : at + size])
                    want.left -= size
                    at += size
                    if want.left:
                        return
                elif isinstance(want, _Size):
                    if self.size is None and want.width and want.height:
                        self.size = want.width, want.height
                else:
                    match = want.search(block, at)
                    if match is None:
                        self._kept = block[max(at, len(block) - 1) :]  # may be the first byte of a match
                        return
                    got, at = match[0], match.end()
                self._want = self._steps.send(got)
        except StopIteration:
            self.ended, self._steps = True, None
        except _Broken as error:
            self.broken, self._steps = str(error), None


def _png() -> _Steps:
    # https://www.w3.org/TR/png-3/#5DataRep
    yield 8
    first = True
    has_data = False
    while True:
        head = yield 8
        size, name = int.from_bytes(head[:4], "big"), head[4:]
        if size > 0x7FFFFFFF or not name.isalpha():
            raise _Broken(f"a PNG chunk was expected, but {head!r} came")
        if first != (name == b"IHDR") or (first and size != 13):
            raise _Broken("a PNG must begin with one header of 13 bytes")
        has_data = has_data or name == b"IDAT"
        check = _Check(name)
        if first:
            header = yield size
            check.look(header)
            yield _Size(int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big"))
        else:
            yield _Pass(size, check.look)
        first = False
        given = int.from_bytes((yield 4), "big")
        # A wrong sum of something optional, such as a comment, harms no pixel: readers skip it.
        if given != check.sum and name[:1].isupper():
            raise _Broken(f"the checksum of the PNG chunk {name.decode()} is wrong")
        if name == b"IEND":
            if not has_data:
                raise _Broken("the PNG contains no picture")
            return


@attrs.define
class _Check:
    """The check sum of a PNG chunk, over its name and data."""

    name: bytes
    sum: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sum = zlib.crc32(self.name)

    def look(self, piece: bytes) -> None:
        self.sum = zlib.crc32(piece, self.sum)


_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""A JPEG marker with something behind it.  In pixel data FF is followed by 00 or by a restart marker (D0 to D7)."""
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_FRAMES = frozenset(bytes((0xFF, code)) for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC))
"""The markers of segments that begin a frame, and say how large it is."""


def _jpeg() -> _Steps:
    # ITU-T T.81, annex B.  What stands between segments and is none is passed, as every reader does.
    yield 2
    has_scan = False
    while True:
        marker = yield _MARKER
        if marker == _END:
            if not has_scan:
                raise _Broken("the JPEG contains no picture")
            return
        if marker == b"\xff\xd8":
            raise _Broken("a second JPEG begins inside the first")
        size = int.from_bytes((yield 2), "big")
        if size < 2:
            raise _Broken(f"a JPEG segment has the impossible length {size}")
        left = size - 2
        if marker in _FRAMES and left >= 5:
            head = yield 5
            yield _Size(int.from_bytes(head[3:5], "big"), int.from_bytes(head[1:3], "big"))
            left -= 5
        yield _Pass(left)
        has_scan = has_scan or marker == _SCAN


def _webp() -> _Steps:
    # https://developers.google.com/speed/webp/docs/riff_container
    head = yield 12
    left = int.from_bytes(head[4:8], "little") - 4
    has_data = False
    while left >= 8:
        head = yield 8
        size = int.from_bytes(head[4:], "little")
        size += size % 2
        has_data = has_data or head[:4] in (b"VP8 ", b"VP8L", b"ANMF")
        left -= 8 + size
        # Some writers leave out the last byte of padding.
        if left < -1:
            raise _Broken("a WebP chunk is longer than the announced length of the file")
        size -= left < 0
        begin = yield min(size, 10)
        if (found := _webp_size(head[:4], begin)) is not None:
            yield found
        yield _Pass(size - len(begin))
    yield _Pass(max(left, 0))
    if not has_data:
        raise _Broken("the WebP contains no picture")


def _webp_size(chunk: bytes, begin: bytes) -> _Size | None:
    """What the first bytes of a chunk say, up to ten, if it is one of those that do (RFC 6386 and RFC 9649)."""
    if chunk == b"VP8X" and len(begin) == 10:
        return _Size(1 + int.from_bytes(begin[4:7], "little"), 1 + int.from_bytes(begin[7:10], "little"))
    if chunk == b"VP8 " and len(begin) == 10 and begin[3:6] == b"\x9d\x01\x2a":
        return _Size(*(int.from_bytes(begin[i : i + 2], "little") & 0x3FFF for i in (6, 8)))
    if chunk == b"VP8L" and len(begin) >= 5 and begin[:1] == b"\x2f":
        bits = int.from_bytes(begin[1:5], "little")
        return _Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    return None


def _gif() -> _Steps:
    # https://www.w3.org/Graphics/GIF/spec-gif89a.txt
    head = yield 13
    yield _Size(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"))
    yield _Pass(_colours(head[10]))
    has_image = False
    while True:
        kind = yield 1
        if kind == b"\x3b":
            if not has_image:
                raise _Broken("the GIF contains no picture")
            return
        if kind == b"\x21":
            yield 1
        elif kind == b"\x2c":
            has_image = True
            head = yield 9
            yield _Pass(_colours(head[8]))
            yield 1
        elif kind == b"\x00":
            continue  # an end of sub-blocks too many; every reader passes it
        else:
            raise _Broken(f"a GIF block was expected, but {kind!r} came")
        while size := (yield 1)[0]:
            yield _Pass(size)


def _colours(flags: int) -> int:
    """The bytes of the table of colours that is announced."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


_WAYS: dict[str, Callable[[], _Steps]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
}
