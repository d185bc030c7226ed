"""A canvas on which scenes are painted: sky, land and water, and brushes for what stands on them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .brush import Brush, Points
from .canvas import FINE, Canvas
from .light import Colour, mix
from .sky import paint_sky, paint_weather


class Stage(Canvas):
    """One picture, from the sky down to the foreground."""

    def brush(self, x: float, y: float, size: float) -> Brush:
        """At a point by shares of width and height, from the upper left; `size` in shares of the shorter side."""
        return Brush(self, x * self.width, y * self.height, size * self.unit)

    def sky(self, horizon: float) -> None:
        """From the top to the horizon, given as a share of the height."""
        paint_sky(self, horizon)

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
        self.shade(round(top * self.height), self.height, self.lit(colour), self.lit(below))

    def mound(self, left: float, right: float, top: float, foot: float, colour: Colour) -> None:
        """A round hill in front."""
        box = (left * self.width, top * self.height, right * self.width, (2 * foot - top) * self.height)
        self.draw.ellipse(box, fill=self.lit(colour))

    def water(self, top: float, *, foot: float = 1.0, clear: float = 0.5, colour: Colour | None = None) -> None:
        """Water that mirrors what has been painted above it."""
        edge, deep = round(top * self.height), round(foot * self.height) - round(top * self.height)
        above = self.image.crop((0, max(0, edge - deep), self.width, edge)).reduce((4, 14))
        mirrored = above.transpose(self.pil.image.Transpose.FLIP_TOP_BOTTOM)
        own = mix(self.light.near, self.light.horizon, 0.4) if colour is None else self.lit(colour)
        tint = self.pil.image.new("RGB", mirrored.size, own)
        # Few rows, stretched again: a light wind.
        smooth = self.pil.image.Resampling.BILINEAR
        calm = self.pil.image.blend(mirrored, tint, 1.0 - clear).resize((self.width, deep), smooth)
        self.image.paste(calm, (0, edge))
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

    def finished(self) -> Any:
        """The picture, in its own size, with its weather."""
        paint_weather(self)
        picture = self.image.reduce(FINE)
        is_turned = self.dice.random() < 0.5  # left is right: so the same words give another place
        return picture.transpose(self.pil.image.Transpose.FLIP_LEFT_RIGHT) if is_turned else picture
