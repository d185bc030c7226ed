"""One picture that shows all the others, in rows of equal height that fill the width."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

_WIDTH = 1920
_GAP = 8
_HEAD = 76
_GROUND = (16, 18, 24)
_MOST_ROWS = 12


def draw_overview(files: Sequence[Path], target: Path, title: str) -> None:
    """Write the picture; what cannot be read as an image is left out.  Slow for an event loop."""
    pictures = [picture for path in files if (picture := _opened(path)) is not None]
    rows = _rows([picture.width / picture.height for picture in pictures])
    heights = [_height(row) for row in rows]
    sheet = Image.new("RGB", (_WIDTH, _HEAD + sum(map(round, heights)) + _GAP * len(rows)), _GROUND)
    ImageDraw.Draw(sheet).text((_GAP * 2, _HEAD // 2), title, "white", ImageFont.load_default(34), anchor="lm")
    remaining = iter(pictures)
    y = _HEAD
    for row, height in zip(rows, heights, strict=True):
        left = float(_GAP)
        for shape in row:
            # Edges are rounded, not widths, so that all rows end at the same place.
            right = left + shape * height
            size = round(right) - round(left), round(height)
            sheet.paste(next(remaining).resize(size, Image.Resampling.LANCZOS), (round(left), y))
            left = right + _GAP
        y += round(height) + _GAP
    sheet.save(target)


def _opened(path: Path) -> Image.Image | None:
    with suppress(OSError, UnidentifiedImageError), Image.open(path) as image:
        image.thumbnail((640, 640))
        return image.convert("RGB")
    return None


def _rows(shapes: Sequence[float]) -> list[list[float]]:
    """The shapes (width by height), in order, in rows whose heights come close to each other's."""
    if not shapes:
        return []
    # About as many rows as make the whole a little wider than high.
    count = max(1, min(_MOST_ROWS, round((sum(shapes) / 1.6) ** 0.5)))
    width = sum(shapes) / count
    rows: list[list[float]] = [[] for _ in range(count)]
    past = 0.0
    for shape in shapes:
        rows[min(count - 1, int((past + shape / 2) / width))].append(shape)
        past += shape
    return [row for row in rows if row]


def _height(row: Sequence[float]) -> float:
    # A single picture would be blown up to the whole width; half of it is enough.
    return min(_WIDTH / 2, (_WIDTH - _GAP * (len(row) + 1)) / sum(row))
