"""A width and a height for an aspect ratio: Leonardo takes pixels.  Pure."""

from __future__ import annotations

import math
import re

from aiogen.errors import InputError

_STEP = 8
"""Pixels: both sides are a multiple of it (v1: error page; v2: every size in the guides)."""
_AREA = 1024 * 1024
_SHORT_SIDE_OF_A_FILM = 720
"""Pixels; the guides for films show 1280 × 720."""
_LONGEST_SIDE = 1536
"""Pixels; of v1 (reference), and more than any picture of one megapixel needs on v2 up to 2:1."""
_SHORTEST_SIDE = 32

# What Google's image models make at one megapixel.  The guides for v2 show 1376 × 768 and 1264 × 848 for models of
# others, too.
_USUAL = {
    "1:1": (1024, 1024), "2:3": (848, 1264), "3:4": (896, 1200), "4:5": (928, 1152), "9:16": (768, 1376),
    "21:9": (1584, 672),
}  # fmt: skip


def read_ratio(text: object) -> tuple[int, int]:
    """An aspect ratio such as "16:9".

    Raises:
        InputError: it is not an aspect ratio, or a picture of that shape would be a strip.
    """
    found = re.fullmatch(r"([0-9]{1,3}):([0-9]{1,3})", text) if isinstance(text, str) else None
    wide, high = (int(found[1]), int(found[2])) if found else (0, 0)
    if not wide or not high or not 0.25 <= wide / high <= 4:
        raise InputError(f"aspect_ratio has to be a width and a height such as '16:9', from 1:4 to 4:1, not {text!r}.")
    return wide, high


def size_for(
    ratio: str, *, kind: str, is_v1: bool, width: int | None = None, height: int | None = None
) -> tuple[int, int]:
    """Width and height in pixels; the one that is given stays."""
    wide, high = read_ratio(ratio)
    if width is not None:
        return width, _rounded(width * high / wide)
    if height is not None:
        return _rounded(height * wide / high), height
    if kind == "video":
        short = _SHORT_SIDE_OF_A_FILM / min(wide, high)
        return _rounded(wide * short), _rounded(high * short)
    if not is_v1:
        if ratio in _USUAL:
            return _USUAL[ratio]
        if (turned := f"{high}:{wide}") in _USUAL:
            return _USUAL[turned][1], _USUAL[turned][0]
    return _exactly(wide, high) or _about(wide, high)


def is_exact(ratio: str, width: int, height: int) -> bool:
    """Whether a size has exactly this aspect ratio."""
    wide, high = read_ratio(ratio)
    return width * high == height * wide


def _exactly(wide: int, high: int) -> tuple[int, int] | None:
    """The size nearest to a megapixel that has this very ratio, if it is within an eighth of it."""
    common = math.gcd(wide, high)
    w, h = _STEP * wide // common, _STEP * high // common
    times = max(1, round(math.sqrt(_AREA / (w * h))))
    w, h = w * times, h * times
    return (w, h) if abs(w * h / _AREA - 1) <= 0.125 and max(w, h) <= _LONGEST_SIDE else None


def _about(wide: int, high: int) -> tuple[int, int]:
    side = math.sqrt(_AREA * max(wide, high) / min(wide, high))
    unit = min(side, _LONGEST_SIDE) / max(wide, high)
    return _rounded(wide * unit), _rounded(high * unit)


def _rounded(pixels: float) -> int:
    return max(_SHORTEST_SIDE, _STEP * round(pixels / _STEP))


__all__ = ["is_exact", "read_ratio", "size_for"]
