"""What floats, and what stands at the water."""

from __future__ import annotations

import math

from ..brush import Brush
from ..light import Colour
from ..stage import Stage
from .colours import BLUE, BROWN, CREAM, GOLD, GRASS, INK, MEADOW, RED, STONE, WHITE


def lighthouse(s: Stage) -> None:
    """On its rock, with its light on."""
    s.sky(0.6)
    s.hills(0.6, count=2, high=0.1)
    s.water(0.6)
    x = s.dice.choice((0.32, 0.66))
    b = s.brush(x, 0.72, 0.56)
    b.shape([(-0.62, -0.3), (-0.5, 0.0), (-0.28, 0.09), (0.0, 0.14), (0.3, 0.08), (0.52, -0.04), (0.66, -0.3)], STONE)
    b.shape([(0.0, 0.14), (0.3, 0.08), (0.52, -0.04), (0.66, -0.3), (0.16, -0.3)], (116, 110, 104))
    b.box(-0.36, 0.08, 0.24, 0.14, WHITE)
    b.shape([(-0.39, 0.22), (-0.09, 0.22), (-0.24, 0.33)], RED)
    b.shape([(-0.14, 0.1), (0.14, 0.1), (0.085, 0.9), (-0.085, 0.9)], WHITE)
    for low in (0.24, 0.5, 0.76):
        a, c = 0.14 - 0.069 * (low - 0.1), 0.14 - 0.069 * (low + 0.03)
        b.shape([(-a, low), (a, low), (c, low + 0.13), (-c, low + 0.13)], RED)
    b.box(-0.12, 0.9, 0.24, 0.03, INK)
    if s.is_dark:
        for end in (-1.5, 1.5):
            b.shape([(0.0, 0.99), (end, 1.16), (end, 0.86)], (255, 240, 180), 70)
    b.glow(-0.06, 0.93, 0.12, 0.11, (255, 236, 150))
    b.shape([(-0.09, 1.04), (0.09, 1.04), (0.0, 1.14)], RED)


def paper_boat(s: Stage) -> None:
    """Folded from one sheet, far too large for its water."""
    s.sky(0.5)
    s.ridge(0.47, 0.08, 0.3)
    s.water(0.5, clear=0.35)
    b = s.brush(s.dice.uniform(0.42, 0.58), 0.74, 0.62)
    b.shape([(-0.42, 0.24), (0.0, 0.78), (0.0, 0.24)], (236, 238, 240))
    b.shape([(0.0, 0.78), (0.42, 0.24), (0.0, 0.24)], (206, 212, 220))
    b.shape([(-0.72, 0.42), (0.72, 0.42), (0.42, 0.0), (-0.42, 0.0)], WHITE)
    b.shape([(0.0, 0.3), (0.72, 0.42), (0.42, 0.0), (0.0, 0.0)], (222, 226, 232))
    b.shape([(-0.72, 0.42), (0.0, 0.3), (0.72, 0.42), (0.0, 0.26)], (190, 198, 208))
    b.shape([(-0.5, 0.0), (0.5, 0.0), (0.3, -0.05), (-0.3, -0.05)], (255, 255, 255), 90)


def sailing_ship(s: Stage) -> None:
    """Three masts, square sails."""
    s.sky(0.62)
    s.water(0.62)
    b = s.brush(s.dice.uniform(0.42, 0.58), 0.73, 0.72)
    for mast, tall in ((-0.34, 0.78), (0.0, 0.94), (0.32, 0.74)):
        b.box(mast - 0.012, 0.1, 0.024, tall, BROWN)
        for level in range(3):
            low, half = 0.22 + level * tall * 0.27, 0.17 - level * 0.035
            top = low + tall * 0.22
            b.shape(
                [(mast - half, top), (mast + half, top), (mast + half + 0.04, low), (mast - half + 0.04, low)],
                CREAM if level % 2 else WHITE,
            )
        b.shape([(mast, 0.1 + tall), (mast, 0.16 + tall), (mast + 0.11, 0.13 + tall)], RED)
    b.shape([(0.36, 0.16), (0.86, 0.34), (0.4, 0.62)], CREAM)
    b.line([(0.4, 0.16), (0.86, 0.34)], 0.02, BROWN)
    b.shape([(-0.66, 0.3), (-0.4, 0.18), (0.42, 0.16), (0.62, 0.22), (0.44, -0.02), (-0.5, -0.02)], (98, 62, 44))
    b.shape([(-0.61, 0.22), (-0.4, 0.12), (0.56, 0.12), (0.52, 0.08), (-0.56, 0.08)], GOLD)
    for port in range(6):
        b.box(-0.4 + port * 0.14, 0.03, 0.035, 0.035, INK)


def ferry(s: Stage) -> None:
    """White decks, a red funnel, the island behind."""
    s.sky(0.58)
    s.ridge(0.56, 0.07, 0.0)
    s.mound(0.5, 1.12, 0.36, 0.58, (96, 132, 96))
    s.mound(0.38, 0.72, 0.47, 0.58, (112, 148, 104))
    s.water(0.58)
    b = s.brush(s.dice.uniform(0.36, 0.5), 0.73, 0.8)
    b.shape([(-0.62, 0.2), (0.66, 0.2), (0.54, 0.0), (-0.56, 0.0)], BLUE)
    b.box(-0.62, 0.17, 1.27, 0.035, RED)
    b.box(-0.52, 0.2, 1.0, 0.12, WHITE)
    b.box(-0.44, 0.32, 0.78, 0.11, (232, 236, 240))
    b.box(0.1, 0.43, 0.2, 0.08, WHITE)
    for window in range(9):
        b.glow(-0.48 + window * 0.105, 0.23, 0.05, 0.05, (255, 226, 150))
    for window in range(7):
        b.glow(-0.4 + window * 0.105, 0.35, 0.05, 0.045, (255, 226, 150))
    b.shape([(-0.26, 0.43), (-0.1, 0.43), (-0.12, 0.62), (-0.26, 0.62)], RED)
    b.box(-0.265, 0.57, 0.16, 0.05, INK)
    for puff in range(4):
        s.draw.ellipse(
            (
                b.x + (-0.3 - puff * 0.13) * b.size, b.y - (0.78 + puff * 0.045) * b.size,
                b.x + (-0.14 - puff * 0.1) * b.size, b.y - (0.66 + puff * 0.045) * b.size,
            ),
            fill=(220, 222, 226, 120),
        )  # fmt: skip


def rowing_crew(s: Stage) -> None:
    """Four and a cox, seen from the bank."""
    s.sky(0.44)
    s.hills(0.44, count=2, high=0.1)
    s.pines([(x / 12, 0.46 + s.dice.uniform(0, 0.01), s.dice.uniform(0.08, 0.14)) for x in range(13)], (70, 116, 70))
    s.water(0.46, clear=0.45)
    b = s.brush(0.5, 0.68, 0.9 * min(1.0, s.width / s.height))
    for i in range(4):
        x = -0.42 + i * 0.22
        b.line([(x + 0.05, 0.12), (x - 0.14, -0.09)], 0.014, CREAM)
        b.shape([(x - 0.12, -0.06), (x - 0.2, -0.12), (x - 0.17, -0.15), (x - 0.1, -0.09)], RED)
    b.shape([(-0.76, 0.05), (0.8, 0.07), (0.6, -0.02), (-0.6, -0.02)], (236, 214, 160))
    b.shape([(-0.7, 0.03), (0.74, 0.04), (0.6, -0.02), (-0.6, -0.02)], (150, 96, 58))
    for i in range(5):
        x, lean = -0.42 + i * 0.22, 0.05 if i < 4 else -0.02
        b.shape(
            [(x - 0.035, 0.05), (x + 0.045, 0.05), (x + lean + 0.05, 0.21), (x + lean - 0.04, 0.21)],
            RED if i < 4 else BLUE,
        )
        b.disc(x + lean + 0.01, 0.255, 0.036, (216, 168, 136))
        if i < 4:
            b.line([(x + lean, 0.18), (x + 0.09, 0.11)], 0.024, (216, 168, 136))


def lake(s: Stage) -> None:
    """Mountains, water, one sail."""
    s.sky(0.62)
    s.hills(0.62, count=4, high=0.24)
    s.water(0.62)
    boat(s.brush(s.dice.uniform(0.25, 0.75), 0.7, 0.14))


def boat(b: Brush, *, sail: bool = True, hull: Colour = (150, 60, 52)) -> None:
    """A small one."""
    b.line([(0.0, 0.1), (0.0, 1.2)], 0.04, BROWN)
    if sail:
        b.shape([(0.05, 1.15), (0.05, 0.3), (0.75, 0.3)], WHITE)
        b.shape([(-0.05, 1.0), (-0.05, 0.3), (-0.45, 0.3)], CREAM)
    b.shape([(-0.7, 0.24), (0.8, 0.24), (0.55, 0.0), (-0.5, 0.0)], hull)
    b.box(-0.68, 0.2, 1.46, 0.05, WHITE)


def stone_bridge(s: Stage) -> None:
    """Three arches over a river."""
    s.sky(0.52)
    s.hills(0.54, count=3, high=0.18)
    s.ground(0.54, MEADOW, GRASS)
    s.draw.polygon(
        [(0, 0.74 * s.height), (0, 0.6 * s.height), (s.width, 0.6 * s.height), (s.width, 0.74 * s.height)],
        fill=s.lit((90, 128, 84)),
    )
    wide = s.width / s.unit
    b = s.brush(0.5, 0.7, 1.0)
    half = wide / 2 + 0.02
    top = [(x / 10 * half, 0.24 + 0.1 * (1 - (x / 10) ** 2)) for x in range(-10, 11)]
    b.shape([(-half, 0.0), *top, (half, 0.0)], (166, 158, 146))
    b.line(top, 0.025, (120, 114, 106))
    dark: Colour = (84, 112, 110)
    for x, r in ((-0.46 * wide / 1.5, 0.15), (0.0, 0.2), (0.46 * wide / 1.5, 0.15)):
        points = [(x + math.cos(a / 16 * math.pi) * r, math.sin(a / 16 * math.pi) * r) for a in range(17)]
        ring = [(x + math.cos(a / 16 * math.pi) * r * 1.16, math.sin(a / 16 * math.pi) * r * 1.16) for a in range(17)]
        b.shape(ring, (198, 190, 176))
        b.shape(points, dark)
        b.shape([(x + (p - x) * 0.92, y * 0.8) for p, y in points], s.light.horizon)
    for _ in range(26):
        x, y = s.dice.uniform(-half, half), s.dice.uniform(0.2, 0.25)
        b.box(x, y, 0.05, 0.014, (136, 128, 118))
    s.water(0.7, clear=0.6)
