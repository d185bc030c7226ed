"""A brush with measures of its own."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .canvas import Canvas
from .light import Colour, mix

Points = Sequence[tuple[float, float]]


@attrs.frozen
class Brush:
    """Draws in measures of its own: x to the right, y upwards, from a point on the ground; 1 is the subject's size."""

    canvas: Canvas
    x: float
    y: float
    size: float

    def at(self, x: float, y: float, size: float = 1.0) -> Brush:
        """A smaller one, at a point of this one."""
        return Brush(self.canvas, self.x + x * self.size, self.y - y * self.size, self.size * size)

    def _points(self, points: Points) -> list[tuple[float, float]]:
        return [(self.x + x * self.size, self.y - y * self.size) for x, y in points]

    def shape(self, points: Points, colour: Colour, alpha: int = 255) -> None:
        """A filled polygon."""
        self.canvas.draw.polygon(self._points(points), fill=(*self.canvas.lit(colour), alpha))

    def box(self, x: float, y: float, wide: float, tall: float, colour: Colour, alpha: int = 255) -> None:
        """A rectangle by its lower left corner."""
        (left, top), (right, bottom) = self._points([(x, y + tall), (x + wide, y)])
        self.canvas.draw.rectangle((left, top, max(left, right), bottom), fill=(*self.canvas.lit(colour), alpha))

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, tall: float | None = None) -> None:
        """A circle round a point; `tall`: an ellipse of that other radius."""
        (left, top), (right, bottom) = self._points(
            [(x - radius, y + (radius if tall is None else tall)), (x + radius, y - (radius if tall is None else tall))]
        )
        self.canvas.draw.ellipse((left, top, right, bottom), fill=self.canvas.lit(colour))

    def ring(self, x: float, y: float, radius: float, wide: float, colour: Colour) -> None:
        """A circle's line."""
        (left, top), (right, bottom) = self._points([(x - radius, y + radius), (x + radius, y - radius)])
        self.canvas.draw.ellipse(
            (left, top, right, bottom), outline=self.canvas.lit(colour), width=max(1, round(wide * self.size))
        )

    def line(self, points: Points, wide: float, colour: Colour) -> None:
        """A line through points."""
        self.canvas.draw.line(
            self._points(points), fill=self.canvas.lit(colour), width=max(1, round(wide * self.size)), joint="curve"
        )

    def glow(self, x: float, y: float, wide: float, tall: float, colour: Colour = (255, 214, 120)) -> None:
        """A lit window or lamp: its colour is its own, whatever the hour."""
        (left, top), (right, bottom) = self._points([(x, y + tall), (x + wide, y)])
        bright = mix((90, 110, 130), colour, 1.0 if self.canvas.is_dark else 0.45)
        self.canvas.draw.rectangle((left, top, right, bottom), fill=bright)
