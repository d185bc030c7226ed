"""What some bytes say of themselves: their media type, and how large the picture is.  Pure."""

from __future__ import annotations

import attrs

from aiogen._content.media import HEAD_BYTES, recognise
from aiogen._content.whole import Walk

LOOKED_AT = 1024 * 1024
"""Bytes in which the size has to stand; a JPEG may have a preview and a colour profile before it."""


@attrs.frozen
class Measured:
    """Read from the file itself; None where the file does not say, or its format is not followed here."""

    media_type: str | None
    width: int | None = None
    """Pixels, 1 or more."""
    height: int | None = None
    """Pixels, 1 or more."""


def measured(head: bytes, walk: Walk) -> Measured:
    """By its first `HEAD_BYTES` bytes, and by the walk that has followed it."""
    return Measured(recognise(head), *(walk.size or (None, None)))


def measure(data: bytes) -> Measured:
    """By its bytes, whole or only the first million of them.

    >>> measure(b"GIF89a" + bytes((8, 0, 9, 0)) + bytes(100))
    Measured(media_type='image/gif', width=8, height=9)
    """
    walk = Walk()
    walk.feed(data[:LOOKED_AT])
    walk.finish()
    return measured(data[:HEAD_BYTES], walk)
