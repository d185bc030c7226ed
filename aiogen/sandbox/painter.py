"""Pictures that say what they answer: a small landscape, different for each prompt, and the prompt written below it.

Pure, but slow for an event loop (some milliseconds): `storage` paints in a thread. Pillow is imported on first use,
for only who downloads needs it.
"""

from __future__ import annotations

import functools
import io
import math
import random
import struct
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from PIL import Image, ImageFont

LONGEST_SIDE = 512
"""Pixels; whatever was asked for, pictures are no larger than this."""

STARLIT = 120
"""Sum of the zenith's colours, 0 to 765; below it there are stars."""

Colour = tuple[int, int, int]


@attrs.frozen(kw_only=True)
class Picture:
    """What is to be painted. Equal pictures are equal to the byte."""

    prompt: str
    model: str
    index: int
    """Which of the outputs, from 0."""
    size: tuple[int, int]
    format: str
    """png or jpeg."""
    seed: int
    layer_of: int = 0
    """If not 0, this is one of so many layers, front to back; all but the last are transparent."""


@attrs.frozen
class Light:
    """The colours of one hour of the day."""

    zenith: Colour
    horizon: Colour
    sun: Colour
    far: Colour
    near: Colour


_LIGHTS = (
    Light((26, 42, 88), (244, 162, 116), (255, 226, 170), (128, 92, 128), (28, 26, 56)),  # dawn
    Light((74, 144, 214), (214, 236, 246), (255, 252, 232), (130, 170, 190), (28, 78, 74)),  # noon
    Light((58, 28, 92), (250, 112, 92), (255, 206, 128), (142, 62, 112), (36, 16, 52)),  # dusk
    Light((8, 14, 40), (46, 76, 124), (236, 242, 255), (36, 56, 98), (6, 10, 26)),  # night
    Light((20, 72, 84), (252, 218, 150), (255, 246, 208), (98, 136, 118), (18, 46, 44)),  # green morning
    Light((94, 104, 168), (250, 204, 214), (255, 240, 236), (168, 140, 178), (64, 52, 96)),  # lilac evening
)


def fitted(size: tuple[int, int]) -> tuple[int, int]:
    """The size in which a picture of `size` is painted: the same shape, no side over LONGEST_SIDE."""
    scale = min(1.0, LONGEST_SIDE / max(size))
    return max(16, round(size[0] * scale)), max(16, round(size[1] * scale))


def paint(picture: Picture) -> bytes:
    """The file."""
    pil = _pillow()
    size = fitted(picture.size)
    dice = random.Random(f"{picture.prompt}/{picture.model}/{picture.seed}/{picture.index}")
    light = dice.choice(_LIGHTS)
    if picture.layer_of and picture.index < picture.layer_of - 1:
        canvas = _cutout(pil, size, light, dice)
    else:
        canvas = _landscape(pil, size, light, dice)
    _inscribe(pil, canvas, picture)
    file = io.BytesIO()
    if picture.format == "png":
        canvas.save(file, "PNG", compress_level=1)
    else:
        canvas.convert("RGB").save(file, "JPEG", quality=88)
    return file.getvalue()


def film(picture: Picture) -> bytes:
    """A file with the outer form of an MP4: enough for whoever looks at its first bytes, not for a player."""
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


def _landscape(pil: _Pillow, size: tuple[int, int], light: Light, dice: random.Random) -> Image.Image:
    width, height = size
    shore = round(height * dice.uniform(0.62, 0.7))
    canvas = _sky(pil, size, light, shore, dice)
    sun = dice.uniform(0.18, 0.82) * width, dice.uniform(0.16, 0.34) * height
    _shine(pil, canvas, sun, min(size) * dice.uniform(0.05, 0.09), light.sun)
    ridges = 4
    for ridge in range(ridges):
        depth = ridge / (ridges - 1)
        foot, rise = shore - height * 0.17 * (1 - depth), height * (0.19 - 0.08 * depth)
        _ridge(pil, canvas, foot, rise, shore, _mix(light.far, light.near, depth), dice)
    _water(pil, canvas, shore, light)
    _boat(pil, canvas, (dice.uniform(0.15, 0.85) * width, shore + height * 0.05), min(size) / 30, light)
    return canvas


def _sky(pil: _Pillow, size: tuple[int, int], light: Light, shore: int, dice: random.Random) -> Image.Image:
    canvas: Image.Image = pil.image.new("RGB", size, light.zenith)
    if sum(light.zenith) < STARLIT:
        draw = pil.draw.Draw(canvas)
        for _ in range(60):
            spot = dice.randrange(size[0]), dice.randrange(max(1, shore // 2))
            draw.point(spot, fill=_mix(light.zenith, light.sun, dice.uniform(0.2, 0.9)))
    ramp = pil.image.linear_gradient("L").resize((size[0], shore))
    canvas.paste(light.horizon, (0, 0), ramp)
    return canvas


def _shine(pil: _Pillow, canvas: Image.Image, at: tuple[float, float], radius: float, colour: Colour) -> None:
    side = round(radius * 12)
    fading = [round(200 * (1 - distance / 255) ** 3) for distance in range(256)]
    glow = pil.image.radial_gradient("L").resize((side, side)).point(fading)
    canvas.paste(colour, (round(at[0] - side / 2), round(at[1] - side / 2)), glow)
    disc = pil.image.new("L", (round(radius * 8), round(radius * 8)))
    pil.draw.Draw(disc).ellipse((0, 0, disc.width - 1, disc.height - 1), fill=255)
    disc = disc.reduce(4)  # smooth at the edge
    canvas.paste(colour, (round(at[0] - radius), round(at[1] - radius)), disc)


def _ridge(
    pil: _Pillow, canvas: Image.Image, foot: float, rise: float, shore: int, colour: Colour, dice: random.Random
) -> None:
    waves = [(dice.uniform(0.7, 1.3) * 2.1**n / 110, dice.uniform(0, math.tau), rise * 0.6 / 2.2**n) for n in range(5)]
    top, below = max(0, round(foot - 1.2 * rise)), round(foot) + 1
    # The jagged band is drawn at twice the size and shrunk, for a smooth edge; what lies below is plain.
    band = pil.image.new("L", (canvas.width * 2, (below - top) * 2))
    line = []
    for x in range(0, band.width + 4, 4):
        y = foot - sum((1 - abs(math.sin(x / 2 * pitch + phase))) * part for pitch, phase, part in waves)
        line.append((x, (y - top) * 2))
    pil.draw.Draw(band).polygon([(0, band.height), *line, (band.width, band.height)], fill=255)
    canvas.paste(colour, (0, top), band.reduce(2))
    canvas.paste(colour, (0, below, canvas.width, max(below, shore)))


def _water(pil: _Pillow, canvas: Image.Image, shore: int, light: Light) -> None:
    deep = canvas.height - shore
    mirrored = canvas.crop((0, shore - deep, canvas.width, shore)).transpose(pil.image.Transpose.FLIP_TOP_BOTTOM)
    # Fewer rows, stretched again: a light wind.
    mirrored = mirrored.resize((canvas.width, max(1, deep // 4))).resize((canvas.width, deep))
    tint = pil.image.new("RGB", mirrored.size, _mix(light.near, light.horizon, 0.45))
    canvas.paste(pil.image.blend(mirrored, tint, 0.4), (0, shore))


def _boat(pil: _Pillow, canvas: Image.Image, at: tuple[float, float], long: float, light: Light) -> None:
    x, y = at
    draw = pil.draw.Draw(canvas)
    draw.polygon([(x, y - 2.6 * long), (x, y - 0.3 * long), (x + 1.1 * long, y - 0.3 * long)], fill=light.sun)
    draw.polygon(
        [(x - long, y), (x + 1.3 * long, y), (x + long, y + 0.5 * long), (x - 0.7 * long, y + 0.5 * long)],
        fill=light.near,
    )


def _cutout(pil: _Pillow, size: tuple[int, int], light: Light, dice: random.Random) -> Image.Image:
    canvas: Image.Image = pil.image.new("RGBA", size, (0, 0, 0, 0))
    radius = min(size) * dice.uniform(0.15, 0.25)
    x, y = size[0] * dice.uniform(0.3, 0.7), size[1] * dice.uniform(0.3, 0.5)
    draw = pil.draw.Draw(canvas)
    for shrink in range(6):
        colour = _mix(light.far, light.sun, shrink / 5)
        r = radius * (1 - shrink * 0.08)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 255))
    return canvas


def _inscribe(pil: _Pillow, canvas: Image.Image, picture: Picture) -> None:
    width, height = canvas.size
    large, small = (_font(max(9, round(min(max(width, height * 0.8), 640) / part))) for part in (30, 42))
    margin = max(4, round(min(width, height) * 0.035))
    lines = _wrapped(picture.prompt, large, width - 4 * margin, 3)
    what = f"layer {picture.index + 1} of {picture.layer_of}" if picture.layer_of else f"image {picture.index + 1}"
    leading = round(large.size * 1.25)
    tall = leading * len(lines) + round(small.size * 1.3) + margin
    strip = pil.image.new("RGBA", (width - 2 * margin, tall + margin // 2))
    draw = pil.draw.Draw(strip)
    draw.rounded_rectangle((0, 0, strip.width - 1, strip.height - 1), radius=margin, fill=(10, 14, 26, 168))
    y = margin // 2 + 2
    for line in lines:
        draw.text((margin, y), line, font=large, fill=(250, 250, 252, 255))
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
    for word in text[:400].split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        elif len(lines) == most:
            lines[-1] += " …"
            break
        else:
            lines.append(word)
    return lines or ["(no prompt)"]


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour, 0 to 1."""
    r, g, b = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return r, g, b
