"""Pictures that show their prompt: a scene of what it mentions, with the prompt written below it.

Painting takes some milliseconds, so `worker` does it in a thread. Pillow is imported on first use, because only
downloads need it.
"""

from __future__ import annotations

import functools
import io
import random
import struct
import unicodedata
from typing import TYPE_CHECKING, Any

import attrs

from .light import Light, light_for, mix
from .scenes import scene_for
from .stage import Stage

if TYPE_CHECKING:
    from PIL import Image, ImageFont

LONGEST_SIDE = 512
"""Pixels; whatever size is requested, no picture is larger than this."""


@attrs.frozen(kw_only=True)
class Picture:
    """The description of a picture."""

    prompt: str
    model: str
    index: int
    """Which of the outputs, from 0."""
    size: tuple[int, int]
    format: str
    """png or jpeg."""
    seed: int
    layer_of: int = 0
    """If not 0, the number of layers of which this is one, front to back; all but the last are transparent."""


def fitted(size: tuple[int, int]) -> tuple[int, int]:
    """The size in which a picture of `size` is painted: the same shape, no side over LONGEST_SIDE."""
    scale = min(1.0, LONGEST_SIDE / max(size))
    return max(16, round(size[0] * scale)), max(16, round(size[1] * scale))


def paint(picture: Picture) -> bytes:
    """The file."""
    pil = _pillow()
    size = fitted(picture.size)
    dice = random.Random(f"{picture.prompt}/{picture.model}/{picture.seed}/{picture.index}")
    words = picture.prompt.lower()
    light = light_for(words, dice)
    if picture.layer_of and picture.index < picture.layer_of - 1:
        canvas = _cutout(pil, size, light, dice)
    else:
        stage = Stage(pil, size, light, dice)
        scene_for(words, dice)(stage)
        canvas = stage.finished()
    _inscribe(pil, canvas, picture)
    file = io.BytesIO()
    if picture.format == "png":
        canvas.save(file, "PNG", compress_level=1)
    else:
        canvas.convert("RGB").save(file, "JPEG", quality=88)
    return file.getvalue()


def film(picture: Picture) -> bytes:
    """A file with the outer form of an MP4: enough for a look at its first bytes, not for a player."""
    title = f"{picture.prompt} | {picture.model} | {picture.index}".encode()
    noise = random.Random(f"{picture.prompt}/{picture.seed}/{picture.index}").randbytes(48 * 1024)
    return (
        _box(b"ftyp", b"isom" + struct.pack(">I", 512) + b"isomiso2mp41") + _box(b"free", title) + _box(b"mdat", noise)
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


@attrs.frozen
class _Pillow:
    image: Any
    draw: Any
    font: Any


@functools.cache
def _pillow() -> _Pillow:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError('the sandbox paints with Pillow: pip install "aiogen-sdk[sandbox]"') from error
    return _Pillow(Image, ImageDraw, ImageFont)


def _cutout(pil: _Pillow, size: tuple[int, int], light: Light, dice: random.Random) -> Image.Image:
    canvas: Image.Image = pil.image.new("RGBA", size, (0, 0, 0, 0))
    radius = min(size) * dice.uniform(0.15, 0.25)
    x, y = size[0] * dice.uniform(0.3, 0.7), size[1] * dice.uniform(0.3, 0.5)
    draw = pil.draw.Draw(canvas)
    for shrink in range(6):
        colour = mix(light.far, light.disc or light.horizon, shrink / 5)
        r = radius * (1 - shrink * 0.08)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 255))
    return canvas


def _inscribe(pil: _Pillow, canvas: Image.Image, picture: Picture) -> None:
    width, height = canvas.size
    # By the height: in rows of equal height, as in an overview, all captions are equally readable.
    high = min(height, 1.6 * width)
    large, small = _font(max(9, round(high / 14))), _font(max(8, round(high / 22)))
    margin = max(2, round(min(high, width) * 0.025))
    lines = _wrapped(picture.prompt, large, width - 4 * margin, 3)
    what = f"layer {picture.index + 1} of {picture.layer_of}" if picture.layer_of else f"image {picture.index + 1}"
    leading = round(large.size * 1.18)
    tall = leading * len(lines) + round(small.size * 1.25) + margin
    strip = pil.image.new("RGBA", (width - 2 * margin, tall + margin // 2))
    draw = pil.draw.Draw(strip)
    draw.rounded_rectangle((0, 0, strip.width - 1, strip.height - 1), radius=margin, fill=(10, 14, 26, 176))
    y = margin // 2 + 1
    for line in lines:
        draw.text((margin, y), line, font=large, fill=(255, 255, 255, 255))
        y += leading
    draw.text((margin, y + 1), f"{picture.model}  ·  {what}", font=small, fill=(205, 212, 226, 255))
    at = margin, max(0, height - strip.height - margin)
    if canvas.mode == "RGBA":
        canvas.alpha_composite(strip, at)
    else:
        canvas.paste(strip.convert("RGB"), at, strip)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font: ImageFont.FreeTypeFont = _pillow().font.load_default(size)
    return font


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int, most: int) -> list[str]:
    lines: list[str] = []
    # The font has no accents: letters without them are better than none.
    bare = "".join(c for c in unicodedata.normalize("NFKD", text[:400]) if not unicodedata.combining(c))
    for word in bare.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        elif len(lines) == most:
            lines[-1] += " …"
            break
        else:
            lines.append(word)
    return lines or ["(no prompt)"]
