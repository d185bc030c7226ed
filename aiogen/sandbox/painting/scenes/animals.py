"""Foxes, cats and dogs."""

from __future__ import annotations

from ..brush import Brush
from ..light import Colour
from ..stage import Stage
from .colours import GOLD, GRASS, INK, MEADOW, SNOW, WHITE


def snow_fox(s: Stage) -> None:
    """In drifts, before dark trees."""
    s.sky(0.56)
    s.ridge(0.54, 0.16, 0.2, snow=True)
    s.pines([(i / 9 + s.dice.uniform(-0.02, 0.02), 0.58, s.dice.uniform(0.2, 0.34)) for i in range(10)], (58, 82, 88))
    s.ground(0.57, SNOW, (206, 222, 238))
    s.mound(-0.2, 0.5, 0.6, 0.74, (232, 240, 248))
    s.mound(0.45, 1.2, 0.62, 0.76, (246, 249, 253))
    fox(s.brush(s.dice.uniform(0.48, 0.56), 0.74, 0.5), (222, 122, 62), WHITE)


def cat(s: Stage) -> None:
    """On a window sill."""
    animal(s, s.dice.choice([(70, 66, 72), (214, 142, 76), (150, 140, 132)]), round_head=True)


def dog(s: Stage) -> None:
    """On a meadow."""
    animal(s, s.dice.choice([(150, 104, 64), (92, 74, 62), (226, 200, 156)]), round_head=False)


def animal(s: Stage, fur: Colour, *, round_head: bool) -> None:
    """A cat, or a dog."""
    pale: Colour = (244, 236, 224)
    s.sky(0.6)
    s.hills(0.6, count=2, high=0.14)
    s.ground(0.6, MEADOW, GRASS)
    b = s.brush(s.dice.uniform(0.46, 0.54), 0.75, 0.6)
    if not round_head:
        fox(b, fur, pale, tail=False)
        b.shape([(-0.06, 0.88), (-0.14, 0.6), (0.02, 0.66), (0.08, 0.88)], (70, 52, 42))
        b.line([(-0.36, 0.12), (-0.56, 0.34)], 0.07, fur)
        return
    b.line([(0.2, 0.06), (0.5, 0.06), (0.6, 0.24), (0.52, 0.42)], 0.09, fur)
    b.disc(0.0, 0.26, 0.29, fur, tall=0.3)
    b.disc(0.0, 0.2, 0.15, pale, tall=0.2)
    b.disc(0.0, 0.66, 0.24, fur, tall=0.21)
    for side in (-1, 1):
        b.shape([(side * 0.23, 0.7), (side * 0.22, 0.98), (side * 0.06, 0.84)], fur)
        b.disc(side * 0.09, 0.69, 0.045, GOLD)
        b.disc(side * 0.09, 0.69, 0.016, INK, tall=0.04)
        b.line([(side * 0.06, 0.58), (side * 0.36, 0.6)], 0.01, WHITE)
        b.box(side * 0.1 - 0.06, 0.0, 0.12, 0.1, fur)
    b.shape([(-0.03, 0.62), (0.03, 0.62), (0.0, 0.58)], (220, 130, 130))


def fox(b: Brush, fur: Colour, belly: Colour, *, tail: bool = True) -> None:
    """Sitting, seen from the side."""
    if tail:
        b.shape([(-0.3, 0.02), (-0.62, 0.08), (-0.84, 0.3), (-0.8, 0.5), (-0.62, 0.3), (-0.4, 0.2), (-0.2, 0.16)], fur)
        b.shape([(-0.84, 0.3), (-0.8, 0.5), (-0.69, 0.38), (-0.75, 0.24)], belly)
    b.shape([(-0.4, 0.0), (-0.44, 0.2), (-0.3, 0.44), (-0.02, 0.62), (0.16, 0.62), (0.2, 0.3), (0.18, 0.0)], fur)
    b.shape([(0.06, 0.6), (0.2, 0.58), (0.22, 0.26), (0.12, 0.1), (0.04, 0.34)], belly)
    for leg in (0.04, 0.15):
        b.box(leg, 0.0, 0.07, 0.3, fur)
        b.box(leg, 0.0, 0.09, 0.05, INK)
    b.shape([(-0.06, 0.58), (-0.04, 0.86), (0.14, 0.92), (0.3, 0.82), (0.52, 0.66), (0.5, 0.62), (0.2, 0.56)], fur)
    b.shape([(0.16, 0.6), (0.3, 0.72), (0.52, 0.66), (0.5, 0.62), (0.24, 0.56)], belly)
    b.shape([(-0.03, 0.84), (-0.07, 1.08), (0.09, 0.92)], fur)
    b.shape([(0.1, 0.9), (0.14, 1.1), (0.22, 0.86)], fur)
    b.disc(0.51, 0.655, 0.03, INK)
    b.disc(0.24, 0.77, 0.024, INK)
