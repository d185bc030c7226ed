"""Where a picture is painted: its light, its sky and its ground, and a brush with measures of its own.

Everything is drawn at twice the size and shrunk in the end, for smooth edges.  Pillow comes in from `painter`.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]

FINE = 2
"""So much larger than the picture it is drawn."""


@attrs.frozen(kw_only=True)
class Light:
    """The colours of an hour and its weather."""

    zenith: Colour
    horizon: Colour
    disc: Colour | None
    """Of the sun or the moon; None if it is not seen."""
    far: Colour
    near: Colour
    tint: Colour
    """What every colour is drawn towards, ..."""
    strength: float
    """... and how much of it, 0 to 1."""
    weather: str = ""
    """stars, aurora, rain, mist, snow or rainbow, several of them in one word."""


DAWN = Light(
    zenith=(84, 108, 168), horizon=(255, 186, 138), disc=(255, 236, 190), far=(146, 120, 156), near=(62, 56, 92),
    tint=(255, 170, 130), strength=0.16,
)  # fmt: skip
RAIN = Light(
    zenith=(104, 120, 136), horizon=(178, 190, 198), disc=None, far=(132, 148, 160), near=(62, 78, 88),
    tint=(132, 148, 162), strength=0.34, weather="rain",
)  # fmt: skip
AURORA = Light(
    zenith=(6, 12, 40), horizon=(30, 84, 104), disc=None, far=(28, 58, 84), near=(8, 22, 42),
    tint=(16, 44, 78), strength=0.52, weather="stars aurora",
)  # fmt: skip
NOON = Light(
    zenith=(58, 140, 222), horizon=(196, 230, 248), disc=(255, 253, 236), far=(124, 168, 196), near=(52, 106, 84),
    tint=(255, 255, 255), strength=0.0,
)  # fmt: skip
BLUE = Light(
    zenith=(20, 36, 96), horizon=(112, 142, 206), disc=None, far=(62, 84, 148), near=(20, 32, 72),
    tint=(38, 62, 140), strength=0.46, weather="stars",
)  # fmt: skip
MIST = Light(
    zenith=(176, 172, 166), horizon=(232, 218, 196), disc=(255, 244, 222), far=(190, 176, 160), near=(112, 96, 84),
    tint=(214, 190, 160), strength=0.3, weather="mist",
)  # fmt: skip
MOON = Light(
    zenith=(8, 14, 44), horizon=(50, 78, 128), disc=(240, 244, 255), far=(36, 56, 100), near=(10, 16, 36),
    tint=(26, 42, 92), strength=0.54, weather="stars",
)  # fmt: skip
STORM = Light(
    zenith=(66, 78, 98), horizon=(228, 206, 160), disc=None, far=(92, 106, 120), near=(44, 58, 58),
    tint=(150, 150, 130), strength=0.16, weather="rainbow",
)  # fmt: skip
GOLDEN = Light(
    zenith=(232, 170, 92), horizon=(255, 226, 150), disc=(255, 250, 214), far=(206, 150, 92), near=(110, 72, 40),
    tint=(255, 184, 80), strength=0.28,
)  # fmt: skip
WINTER = Light(
    zenith=(152, 178, 206), horizon=(230, 238, 246), disc=(255, 252, 244), far=(178, 196, 214), near=(118, 138, 160),
    tint=(222, 232, 244), strength=0.26, weather="snow",
)  # fmt: skip
DUSK = Light(
    zenith=(64, 36, 104), horizon=(250, 124, 98), disc=(255, 212, 140), far=(138, 66, 118), near=(46, 24, 64),
    tint=(200, 80, 110), strength=0.26,
)  # fmt: skip

LIGHTS = (DAWN, RAIN, AURORA, NOON, BLUE, MIST, MOON, STORM, GOLDEN, WINTER, DUSK)

# The first that the prompt speaks of; narrower ones stand before wider ones.
_TOLD = (
    ("northern light", AURORA), ("aurora", AURORA), ("after a storm", STORM), ("storm", STORM), ("rainbow", STORM),
    ("rain", RAIN), ("blue hour", BLUE), ("twilight", BLUE), ("mist", MIST), ("fog", MIST), ("autumn", MIST),
    ("moonlight", MOON), ("moon", MOON), ("golden", GOLDEN), ("winter", WINTER), ("dawn", DAWN), ("sunrise", DAWN),
    ("morning", DAWN), ("noon", NOON), ("midday", NOON), ("dusk", DUSK), ("sunset", DUSK), ("evening", DUSK),
    ("night", MOON), ("snow", WINTER),
)  # fmt: skip


def first_told(prompt: str, words: Sequence[tuple[str, T]]) -> T | None:
    """What belongs to the first of these words that is in the prompt; a train tells of no rain."""
    return next((what for word, what in words if re.search(rf"\b{word}(?:e?s|y|ing)?\b", prompt)), None)


def light_for(prompt: str, dice: random.Random) -> Light:
    """The light that the prompt, in lower case, speaks of; else any."""
    return first_told(prompt, _TOLD) or dice.choice(LIGHTS)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour, 0 to 1."""
    r, g, b = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return r, g, b


@attrs.frozen
class Brush:
    """Draws in measures of its own: x to the right, y upwards, from a point on the ground; 1 is the subject's size."""

    stage: Stage
    x: float
    y: float
    size: float

    def at(self, x: float, y: float, size: float = 1.0) -> Brush:
        """A smaller one, at a point of this one."""
        return Brush(self.stage, self.x + x * self.size, self.y - y * self.size, self.size * size)

    def _points(self, points: Points) -> list[tuple[float, float]]:
        return [(self.x + x * self.size, self.y - y * self.size) for x, y in points]

    def shape(self, points: Points, colour: Colour, alpha: int = 255) -> None:
        """A filled polygon."""
        self.stage.draw.polygon(self._points(points), fill=(*self.stage.lit(colour), alpha))

    def box(self, x: float, y: float, wide: float, tall: float, colour: Colour, alpha: int = 255) -> None:
        """A rectangle by its lower left corner."""
        (left, top), (right, bottom) = self._points([(x, y + tall), (x + wide, y)])
        self.stage.draw.rectangle((left, top, max(left, right), bottom), fill=(*self.stage.lit(colour), alpha))

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, tall: float | None = None) -> None:
        """A circle round a point; `tall`: an ellipse of that other radius."""
        (left, top), (right, bottom) = self._points(
            [(x - radius, y + (radius if tall is None else tall)), (x + radius, y - (radius if tall is None else tall))]
        )
        self.stage.draw.ellipse((left, top, right, bottom), fill=self.stage.lit(colour))

    def ring(self, x: float, y: float, radius: float, wide: float, colour: Colour) -> None:
        """A circle's line."""
        (left, top), (right, bottom) = self._points([(x - radius, y + radius), (x + radius, y - radius)])
        self.stage.draw.ellipse(
            (left, top, right, bottom), outline=self.stage.lit(colour), width=max(1, round(wide * self.size))
        )

    def line(self, points: Points, wide: float, colour: Colour) -> None:
        """A line through points."""
        self.stage.draw.line(
            self._points(points), fill=self.stage.lit(colour), width=max(1, round(wide * self.size)), joint="curve"
        )

    def glow(self, x: float, y: float, wide: float, tall: float, colour: Colour = (255, 214, 120)) -> None:
        """A lit window or lamp: its colour is its own, whatever the hour."""
        (left, top), (right, bottom) = self._points([(x, y + tall), (x + wide, y)])
        bright = mix((90, 110, 130), colour, 1.0 if self.stage.is_dark else 0.45)
        self.stage.draw.rectangle((left, top, right, bottom), fill=bright)


class Stage:
    """One picture while it is painted."""

    def __init__(self, pil: Any, size: tuple[int, int], light: Light, dice: random.Random) -> None:
        self.pil = pil
        self.light = light
        self.dice = dice
        self.width: int = size[0] * FINE
        self.height: int = size[1] * FINE
        self.canvas: Any = pil.image.new("RGB", (self.width, self.height), light.zenith)
        self.draw: Any = pil.draw.Draw(self.canvas, "RGBA")
        self.unit: int = min(self.width, self.height)
        """Subjects are as large as the shorter side allows."""

    @property
    def is_dark(self) -> bool:
        """Whether lamps are lit."""
        return sum(self.light.horizon) < 440

    def lit(self, colour: Colour) -> Colour:
        """A thing's own colour in this light."""
        return mix(colour, self.light.tint, self.light.strength)

    def brush(self, x: float, y: float, size: float) -> Brush:
        """At a point by shares of width and height, from the upper left; `size` in shares of the shorter side."""
        return Brush(self, x * self.width, y * self.height, size * self.unit)

    # --- above

    def sky(self, horizon: float) -> None:
        """From the top to the horizon, with what stands in it."""
        light, dice = self.light, self.dice
        edge = round(horizon * self.height)
        self._shade(0, edge, light.zenith, light.horizon)
        if "stars" in light.weather:
            for _ in range(70):
                x, y = dice.randrange(self.width), dice.randrange(max(1, round(edge * 0.7)))
                bright = mix(light.zenith, (255, 255, 255), dice.uniform(0.3, 1.0))
                self.draw.rectangle((x, y, x + 1, y + 1), fill=bright)
        if "aurora" in light.weather:
            self._aurora(edge)
        if light.disc is not None:
            at = dice.uniform(0.15, 0.85) * self.width, dice.uniform(0.16, 0.3) * self.height
            self._shine(at, light.disc)
        if "rainbow" in light.weather:
            self._rainbow(edge)
        if not self.is_dark and "mist" not in light.weather:
            self._clouds(edge)

    def _shade(self, top: int, foot: int, upper: Colour, lower: Colour) -> None:
        """From one colour to the other; one column wide first, for widening it costs less than shading all of it."""
        column = self.pil.image.new("RGB", (1, foot - top), upper)
        column.paste(lower, (0, 0), self.pil.image.linear_gradient("L").resize((1, foot - top)))
        nearest = self.pil.image.Resampling.NEAREST
        self.canvas.paste(column.resize((self.width, foot - top), nearest), (0, top))

    def _shine(self, at: tuple[float, float], colour: Colour) -> None:
        radius = self.unit * self.dice.uniform(0.045, 0.065)
        side = round(radius * 9)
        fading = [round(190 * (1 - distance / 255) ** 3) for distance in range(256)]
        glow = self.pil.image.radial_gradient("L").resize((side, side)).point(fading)
        self.canvas.paste(colour, (round(at[0] - side / 2), round(at[1] - side / 2)), glow)
        self.draw.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=colour)

    def _clouds(self, edge: int) -> None:
        white = mix(self.light.horizon, (255, 255, 255), 0.55)
        for _ in range(self.dice.randrange(2, 4)):
            x, y = self.dice.uniform(0.0, 1.0) * self.width, self.dice.uniform(0.12, 0.6) * edge
            long = self.unit * self.dice.uniform(0.08, 0.16)
            for puff in range(4):
                left, high = x + (puff - 2) * long * 0.55, long * self.dice.uniform(0.16, 0.3)
                self.draw.ellipse((left, y - high, left + long, y + high * 0.6), fill=white)

    def _aurora(self, edge: int) -> None:
        bend, low = self.dice.uniform(2.0, 5.0), self.dice.uniform(0.45, 0.6)
        for colour, shift in (((90, 255, 170), 0.0), ((70, 220, 210), 0.1), ((150, 110, 255), 0.2)):
            line = [
                (x / 24 * self.width, (low - shift + 0.1 * math.sin(x / 24 * bend + shift * 9)) * edge)
                for x in range(25)
            ]
            for tall, alpha in ((0.34, 26), (0.22, 38), (0.1, 56)):
                upper = [(x, y - tall * edge) for x, y in reversed(line)]
                self.draw.polygon([*line, *upper], fill=(*colour, alpha))

    def _rainbow(self, edge: int) -> None:
        middle, radius = self.dice.uniform(0.3, 0.7) * self.width, 0.62 * self.width
        bands = ((214, 90, 90), (236, 160, 84), (240, 224, 110), (120, 196, 120), (96, 150, 220), (140, 104, 190))
        for i, colour in enumerate(bands):
            r = radius - i * self.unit * 0.014
            box = (middle - r, edge - 0.8 * r, middle + r, edge + 1.2 * r)
            self.draw.arc(box, 180, 360, fill=(*colour, 110), width=round(self.unit * 0.015))

    # --- below

    def ridge(self, foot: float, rise: float, depth: float, *, waves: float = 1.0, snow: bool = False) -> None:
        """A line of hills: `foot` and `rise` in shares of the height, `depth` from far (0) to near (1)."""
        colour = mix(self.light.far, self.light.near, depth)
        parts = [
            (self.dice.uniform(0.7, 1.3) * waves * 2.0**n * 3.0, self.dice.uniform(0, math.tau), 0.55 / 2.1**n)
            for n in range(4)
        ]
        line = []
        for step in range(65):
            x = step / 64
            high = sum((1 - abs(math.sin(x * pitch + phase))) * part for pitch, phase, part in parts)
            line.append((x * self.width, (foot - rise * high) * self.height))
        self.draw.polygon([(0, self.height), *line, (self.width, self.height)], fill=colour)
        if snow:
            self._caps(
                line, 0.45 * foot * self.height + 0.55 * min(y for _, y in line), mix(colour, (255, 255, 255), 0.8)
            )

    def _caps(self, line: Points, level: float, colour: Colour) -> None:
        """Snow on what is higher than that, with a ragged edge."""
        peak: list[tuple[float, float]] = []
        for x, y in [*line, (0.0, math.inf)]:
            if y < level:
                peak.append((x, y))
            elif peak:
                edge = [(x, y + (level - y) * (0.85 if j % 2 else 0.5)) for j, (x, y) in enumerate(peak)]
                self.draw.polygon([*peak, *reversed(edge)], fill=colour)
                peak = []

    def hills(self, horizon: float, *, count: int = 3, snow: bool = False, high: float = 0.2) -> None:
        """Lines of hills, one behind the other, down to the horizon."""
        for i in range(count):
            depth = i / max(1, count - 1) * 0.7
            self.ridge(
                horizon - 0.03 * (count - i), high * (1 - 0.28 * i), depth, waves=1.0 + 0.4 * i, snow=snow and i == 0
            )

    def ground(self, top: float, colour: Colour, below: Colour) -> None:
        """Flat land from there to the lower edge."""
        self._shade(round(top * self.height), self.height, self.lit(colour), self.lit(below))

    def mound(self, left: float, right: float, top: float, foot: float, colour: Colour) -> None:
        """A round hill in front."""
        box = (left * self.width, top * self.height, right * self.width, (2 * foot - top) * self.height)
        self.draw.ellipse(box, fill=self.lit(colour))

    def water(self, top: float, *, foot: float = 1.0, clear: float = 0.5, colour: Colour | None = None) -> None:
        """Water that mirrors what has been painted above it."""
        edge, deep = round(top * self.height), round(foot * self.height) - round(top * self.height)
        above = self.canvas.crop((0, max(0, edge - deep), self.width, edge)).reduce((4, 14))
        mirrored = above.transpose(self.pil.image.Transpose.FLIP_TOP_BOTTOM)
        own = mix(self.light.near, self.light.horizon, 0.4) if colour is None else self.lit(colour)
        tint = self.pil.image.new("RGB", mirrored.size, own)
        # Few rows, stretched again: a light wind.
        smooth = self.pil.image.Resampling.BILINEAR
        calm = self.pil.image.blend(mirrored, tint, 1.0 - clear).resize((self.width, deep), smooth)
        self.canvas.paste(calm, (0, edge))
        pale = mix(own, (255, 255, 255), 0.45)
        for _ in range(26):
            y = edge + deep * self.dice.uniform(0.04, 1.0) ** 1.4
            x, long = self.dice.uniform(0, self.width), self.unit * self.dice.uniform(0.03, 0.14)
            self.draw.line((x, y, x + long, y), fill=(*pale, 90), width=FINE)

    def pines(self, places: Iterable[tuple[float, float, float]], colour: Colour = (38, 74, 62)) -> None:
        """Trees: where by shares of width and height, and how large."""
        is_white = "snow" in self.light.weather
        for x, y, size in places:
            tree = self.brush(x, y, size)
            tree.box(-0.04, 0.0, 0.08, 0.2, (84, 62, 48))
            for level in range(3):
                low, half = 0.14 + level * 0.26, 0.3 - level * 0.075
                tree.shape([(-half, low), (half, low), (0, low + 0.44)], colour)
                if is_white:
                    tree.shape([(-half * 0.5, low + 0.22), (half * 0.5, low + 0.22), (0, low + 0.44)], (240, 246, 252))

    # --- in front

    def finished(self) -> Any:
        """The picture, in its own size, with its weather."""
        weather = {"mist": self._mist, "rain": self._rain, "snow": self._snow}
        if self.light.weather in weather:
            weather[self.light.weather]()
        picture = self.canvas.reduce(FINE)
        is_turned = self.dice.random() < 0.5  # left is right: the same words again look like another place
        return picture.transpose(self.pil.image.Transpose.FLIP_LEFT_RIGHT) if is_turned else picture

    def _mist(self) -> None:
        pale = mix(self.light.horizon, (255, 255, 255), 0.2)
        for _ in range(7):
            x, y = self.dice.uniform(-0.2, 0.8) * self.width, self.dice.uniform(0.4, 0.78) * self.height
            wide, tall = self.dice.uniform(0.4, 0.8) * self.width, self.dice.uniform(0.025, 0.06) * self.height
            self.draw.ellipse((x, y, x + wide, y + tall), fill=(*pale, 88))

    def _rain(self) -> None:
        long = self.unit * 0.05
        for _ in range(150):
            x, y = self.dice.uniform(0, self.width), self.dice.uniform(-0.05, 1.0) * self.height
            self.draw.line((x, y, x - long * 0.25, y + long), fill=(232, 240, 246, 110), width=FINE)

    def _snow(self) -> None:
        for _ in range(120):
            x, y = self.dice.uniform(0, self.width), self.dice.uniform(0, self.height)
            r = self.unit * self.dice.uniform(0.002, 0.006)
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, 255, 225))
