"""Fields, gardens and the sky above them."""

from __future__ import annotations

import math

from ..brush import Brush
from ..light import Colour
from ..stage import Stage
from .colours import BROWN, CREAM, GOLD, GRASS, INK, LEAF, MEADOW, ORANGE, RED, STONE, WHITE


def bamboo(s: Stage) -> None:
    """Stalk behind stalk, and a path."""
    s.sky(0.9)
    s.ground(0.66, (150, 168, 96), (96, 112, 66))
    pale: Colour = (206, 226, 158)
    for layer in range(3):
        tone = [(176, 206, 132), (128, 176, 88), (78, 132, 62)][layer]
        count = 15 - layer * 3
        for i in range(count):
            x = (i + s.dice.uniform(0.1, 0.9)) / count
            if layer == 2 and 0.36 < x < 0.64:
                continue
            wide = (0.014 + layer * 0.011) * s.unit
            left, foot = x * s.width, (0.66 + layer * 0.07) * s.height
            s.draw.rectangle((left, 0, left + wide, foot), fill=s.lit(tone))
            s.draw.rectangle((left, 0, left + wide * 0.3, foot), fill=(*s.lit(pale), 120))
            y = s.dice.uniform(0, 0.1) * s.height
            while y < foot:
                s.draw.rectangle((left - 1, y, left + wide + 1, y + 3), fill=s.lit((84, 110, 56)))
                y += (0.1 + 0.03 * layer) * s.height
            leaves = s.brush(x, s.dice.uniform(0.05, 0.4), 0.1 + 0.03 * layer)
            for turn in (-0.5, 0.1, 0.7):
                leaves.shape([(0.0, 0.0), (0.6, turn), (1.3, turn - 0.4), (0.6, turn - 0.18)], tone)
                leaves.shape([(0.0, 0.0), (-0.6, turn), (-1.3, turn - 0.4), (-0.6, turn - 0.18)], tone)
    s.draw.polygon(
        [
            (0.48 * s.width, 0.66 * s.height),
            (0.54 * s.width, 0.66 * s.height),
            (0.74 * s.width, s.height),
            (0.24 * s.width, s.height),
        ],
        fill=(*s.lit((206, 190, 150)), 255),
    )


def greenhouse(s: Stage) -> None:
    """Iron and glass, full of leaves."""
    s.sky(0.64)
    s.hills(0.64, count=2, high=0.12)
    s.ground(0.64, MEADOW, GRASS)
    b = s.brush(0.5, 0.72, 0.74)
    arch = [(math.cos(a / 14 * math.pi) * 0.3, 0.36 + math.sin(a / 14 * math.pi) * 0.34) for a in range(15)]
    b.box(-0.7, 0.0, 1.4, 0.34, (206, 232, 230), 215)
    b.shape([(0.3, 0.0), *arch, (-0.3, 0.0)], (218, 240, 238), 235)
    for i in range(20):
        x, tall = -0.64 + i * 0.067, s.dice.uniform(0.1, 0.28 if abs(i - 9.5) > 4.5 else 0.46)
        green = s.dice.choice([(62, 122, 66), (92, 152, 74), (44, 98, 64)])
        b.shape([(x, 0.0), (x - 0.05, tall * 0.8), (x, tall), (x + 0.05, tall * 0.8)], green)
        if i % 4 == 1:
            b.disc(x, tall, 0.026, s.dice.choice([RED, GOLD, (226, 130, 170)]))
    frame: Colour = (246, 248, 246)
    for i in range(15):
        b.line([(-0.7 + i * 0.1, 0.0), (-0.7 + i * 0.1, 0.34)], 0.01, frame)
    for i in range(1, 14, 2):
        b.line([(arch[i][0], 0.0), arch[i]], 0.009, frame)
    for y in (0.17, 0.34):
        b.line([(-0.7, y), (0.7, y)], 0.012, frame)
    b.line([(0.3, 0.0), *arch, (-0.3, 0.0)], 0.016, frame)
    b.box(-0.7, -0.02, 1.4, 0.04, STONE)
    b.line([(0.0, 0.7), (0.0, 0.78)], 0.012, frame)


def sunflowers(s: Stage) -> None:
    """Row after row, up to the horizon."""
    s.sky(0.46)
    s.hills(0.46, count=2, high=0.1)
    s.ground(0.46, (196, 178, 62), (62, 104, 50))
    for row in range(6):
        near = row / 5
        y, size = 0.49 + 0.3 * near**1.3, 0.016 + 0.085 * near**1.5
        count = max(4, round(s.width / s.unit / (size * 2.3)))
        for i in range(count + 1):
            x = (i + (row % 2) * 0.5 + s.dice.uniform(-0.12, 0.12)) / count
            b = s.brush(x, y + s.dice.uniform(-0.01, 0.01), size)
            if row > 2:
                b.line([(0.0, 0.0), (0.0, -3.0)], 0.2, (76, 124, 58))
                b.shape([(0.0, -1.5), (0.9, -0.9), (0.5, -1.7)], (86, 136, 62))
            flower(b, GOLD, (96, 60, 36), 8 if row < 3 else 13)


def lavender(s: Stage) -> None:
    """Rows that run together at the farm."""
    s.sky(0.46)
    s.hills(0.46, count=2, high=0.14)
    s.ground(0.46, (170, 160, 112), (130, 118, 92))
    far = (0.5, 0.44)
    for i in range(-9, 10):
        tone: Colour = (142, 104, 190) if i % 2 else (116, 80, 168)
        points = [far, (0.5 + (i - 0.32) * 0.19, 1.02), (0.5 + (i + 0.32) * 0.19, 1.02)]
        s.draw.polygon([(x * s.width, y * s.height) for x, y in points], fill=s.lit(tone))
        for step in range(7):
            share = 0.25 + 0.12 * step
            x, y = 0.5 + i * 0.19 * share, 0.44 + 0.58 * share
            dot = s.brush(x, y, 0.05 * share)
            dot.disc(0.0, 0.0, 0.5, (172, 138, 216), tall=0.26)
    s.draw.rectangle((0, 0.445 * s.height, s.width, 0.475 * s.height), fill=s.lit((96, 130, 80)))
    b = s.brush(s.dice.choice((0.3, 0.68)), 0.48, 0.34)
    b.box(-0.4, 0.0, 0.8, 0.36, CREAM)
    b.shape([(-0.47, 0.36), (0.47, 0.36), (0.36, 0.54), (-0.36, 0.54)], (196, 104, 74))
    for x in (-0.28, -0.04, 0.2):
        b.glow(x, 0.14, 0.1, 0.12)
    b.disc(0.56, 0.34, 0.2, LEAF, tall=0.26)
    b.box(0.535, 0.0, 0.05, 0.16, BROWN)


def flower(b: Brush, petal: Colour, heart: Colour, count: int = 12) -> None:
    """One, from the front."""
    for i in range(count):
        a = i / count * math.tau
        u, v = math.cos(a), math.sin(a)
        b.shape([(u * 0.5 - v * 0.2, v * 0.5 + u * 0.2), (u, v), (u * 0.5 + v * 0.2, v * 0.5 - u * 0.2)], petal)
    b.disc(0.0, 0.0, 0.5, heart)


def windmill(s: Stage) -> None:
    """With tulips before it."""
    s.sky(0.6)
    s.ridge(0.58, 0.05, 0.2)
    s.ground(0.6, MEADOW, GRASS)
    for i, colour in enumerate((RED, GOLD, (226, 120, 168), ORANGE, (150, 90, 170))):
        top, foot = 0.7 + i * 0.06, 0.7 + i * 0.06 + 0.035 + i * 0.005
        s.draw.rectangle((0, top * s.height, s.width, foot * s.height), fill=s.lit(colour))
    b = s.brush(s.dice.choice((0.36, 0.62)), 0.71, 0.54)
    b.shape([(-0.22, 0.0), (0.22, 0.0), (0.13, 0.62), (-0.13, 0.62)], (206, 186, 158))
    b.shape([(0.02, 0.0), (0.22, 0.0), (0.13, 0.62), (0.02, 0.62)], (176, 154, 128))
    b.box(-0.28, 0.2, 0.56, 0.03, BROWN)
    b.shape([(-0.16, 0.6), (0.16, 0.6), (0.1, 0.76), (-0.1, 0.76)], (110, 70, 54))
    b.box(-0.05, 0.0, 0.1, 0.15, (92, 60, 44))
    b.glow(-0.03, 0.36, 0.07, 0.09)
    turn = s.dice.uniform(0.2, 1.2)
    for i in range(4):
        a = turn + i * math.pi / 2
        u, v = math.cos(a), math.sin(a)
        b.line([(0.0, 0.66), (u * 0.56, 0.66 + v * 0.56)], 0.02, (92, 66, 50))
        b.shape(
            [(u * 0.12 - v * 0.02, 0.66 + v * 0.12 + u * 0.02), (u * 0.56 - v * 0.02, 0.66 + v * 0.56 + u * 0.02),
             (u * 0.56 - v * 0.13, 0.66 + v * 0.56 + u * 0.13), (u * 0.12 - v * 0.13, 0.66 + v * 0.12 + u * 0.13)],
            WHITE, 235,
        )  # fmt: skip
    b.disc(0.0, 0.66, 0.035, INK)


def balloon(s: Stage) -> None:
    """A large one and its company, over hills."""
    s.sky(0.72)
    s.hills(0.66, count=3, high=0.16)
    s.ground(0.68, MEADOW, GRASS)
    pairs: list[tuple[Colour, Colour]] = [
        (RED, CREAM),
        (GOLD, (70, 120, 170)),
        ((80, 150, 120), WHITE),
        (ORANGE, (120, 60, 110)),
    ]
    s.dice.shuffle(pairs)
    for (x, y, size), pair in zip(((0.16, 0.34, 0.18), (0.84, 0.46, 0.14), (0.76, 0.22, 0.1)), pairs[1:], strict=True):
        envelope(s.brush(x, y, size), pair)
    envelope(s.brush(s.dice.uniform(0.42, 0.54), 0.66, 0.52), pairs[0])


def envelope(b: Brush, stripes: tuple[Colour, Colour]) -> None:
    """A hot air balloon, its basket included."""
    b.shape([(-0.36, 0.74), (-0.1, 0.24), (0.1, 0.24), (0.36, 0.74)], stripes[0])
    b.disc(0.0, 0.8, 0.38, stripes[0], tall=0.36)
    for x, half in ((-0.2, 0.07), (0.0, 0.07), (0.2, 0.07)):
        b.shape(
            [(x * 0.4 - half * 0.4, 0.25), (x * 0.4 + half * 0.4, 0.25), (x * 1.1 + half, 0.78),
             (x * 0.9 + half * 0.7, 1.08 - abs(x)), (x * 0.5, 1.16), (x * 0.9 - half * 0.7, 1.08 - abs(x)),
             (x * 1.1 - half, 0.78)],
            stripes[1],
        )  # fmt: skip
    for x in (-0.08, 0.08):
        b.line([(x, 0.25), (x * 0.9, 0.13)], 0.01, INK)
    b.box(-0.08, 0.0, 0.16, 0.14, (150, 98, 58))


def toy_balloon(s: Stage) -> None:
    """One on its string."""
    s.sky(0.74)
    s.hills(0.72, count=2, high=0.1)
    s.ground(0.72, MEADOW, GRASS)
    b = s.brush(s.dice.uniform(0.4, 0.6), 0.7, 0.62)
    b.line([(0.0, 0.34), (0.05, 0.2), (-0.03, 0.08), (0.02, -0.06)], 0.008, INK)
    b.disc(0.0, 0.64, 0.27, RED, tall=0.31)
    b.shape([(-0.04, 0.3), (0.04, 0.3), (0.0, 0.36)], RED)
    b.disc(-0.1, 0.76, 0.05, (250, 190, 180), tall=0.08)


def tree(s: Stage) -> None:
    """One, on its hill."""
    s.sky(0.66)
    s.hills(0.62, count=2, high=0.12)
    s.ground(0.66, MEADOW, GRASS)
    s.mound(-0.1, 1.1, 0.62, 0.82, MEADOW)
    b = s.brush(s.dice.uniform(0.35, 0.65), 0.66, 0.6)
    b.shape([(-0.06, 0.0), (0.06, 0.0), (0.03, 0.4), (-0.03, 0.4)], BROWN)
    greens: list[Colour] = [(86, 140, 70), (110, 164, 82), (64, 116, 62)]
    if "mist" in s.light.weather:
        greens = [(206, 110, 52), (226, 150, 62), (176, 80, 48)]
    for _ in range(22):
        b.disc(
            s.dice.uniform(-0.32, 0.32), s.dice.uniform(0.34, 0.86), s.dice.uniform(0.09, 0.16), s.dice.choice(greens)
        )


def blossom(s: Stage) -> None:
    """A few flowers, near."""
    s.sky(0.7)
    s.hills(0.66, count=2, high=0.1)
    s.ground(0.68, MEADOW, GRASS)
    for i in range(5):
        x, tall = (i + 0.5 + s.dice.uniform(-0.2, 0.2)) / 5, s.dice.uniform(0.22, 0.42)
        b = s.brush(x, 0.76 - tall, 0.085)
        b.line([(0.0, 0.0), (0.0, -tall * s.height / b.size)], 0.14, LEAF)
        flower(b, s.dice.choice([(226, 110, 150), (240, 196, 72), (150, 110, 200), WHITE]), (240, 180, 60), 9)


def cottage(s: Stage) -> None:
    """A house in its garden."""
    s.sky(0.64)
    s.hills(0.62, count=2, high=0.14)
    s.ground(0.64, MEADOW, GRASS)
    b = s.brush(s.dice.uniform(0.44, 0.56), 0.72, 0.56)
    wall: Colour = s.dice.choice([CREAM, (206, 222, 226), (236, 206, 190)])
    b.box(0.22, 0.5, 0.1, 0.26, (160, 90, 70))
    b.box(-0.42, 0.0, 0.84, 0.4, wall)
    b.shape([(-0.52, 0.4), (0.52, 0.4), (0.34, 0.7), (-0.34, 0.7)], s.dice.choice([(176, 84, 62), (90, 100, 116)]))
    b.box(-0.08, 0.0, 0.16, 0.28, (70, 104, 96))
    for x in (-0.34, 0.16):
        b.glow(x, 0.14, 0.17, 0.16)
    for i in range(12):
        b.disc(-0.62 + i * 0.113, 0.02, 0.06, s.dice.choice([LEAF, (96, 150, 82)]))
        b.disc(-0.6 + i * 0.113, 0.06, 0.022, s.dice.choice([RED, GOLD, WHITE]))
