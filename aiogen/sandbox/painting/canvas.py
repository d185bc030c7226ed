"""What everything is drawn on: an image in its light, and the dice that vary it.

It is drawn at twice the size and reduced in the end, for smooth edges. `painter` passes Pillow in.
"""

from __future__ import annotations

import random
from typing import Any

from .light import Colour, Light

FINE = 2
"""The factor by which the canvas is larger than the picture."""


class Canvas:
    """One picture while it is painted. Lengths are pixels of the canvas."""

    def __init__(self, pil: Any, size: tuple[int, int], light: Light, dice: random.Random) -> None:
        self.pil = pil
        self.light = light
        self.dice = dice
        self.width: int = size[0] * FINE
        self.height: int = size[1] * FINE
        self.image: Any = pil.image.new("RGB", (self.width, self.height), light.zenith)
        self.draw: Any = pil.draw.Draw(self.image, "RGBA")
        self.unit: int = min(self.width, self.height)
        """Subjects are as large as the shorter side allows."""

    @property
    def is_dark(self) -> bool:
        return self.light.is_dark

    def lit(self, colour: Colour) -> Colour:
        return self.light.lit(colour)

    def shade(self, top: int, foot: int, upper: Colour, lower: Colour) -> None:
        """From one colour to the other; one column first, because widening it costs less than shading all of it."""
        column = self.pil.image.new("RGB", (1, foot - top), upper)
        column.paste(lower, (0, 0), self.pil.image.linear_gradient("L").resize((1, foot - top)))
        nearest = self.pil.image.Resampling.NEAREST
        self.image.paste(column.resize((self.width, foot - top), nearest), (0, top))
