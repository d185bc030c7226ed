"""Mountains, snow and rock."""

from __future__ import annotations

from ..brush import Brush
from ..light import Colour
from ..stage import Stage
from .colours import BLUE, GOLD, GRASS, GREY, ICE, INK, LEAF, MEADOW, RED, SNOW, STONE, WHITE


def mountain_hut(s: Stage) -> None:
    """Logs, a warm window, smoke."""
    s.sky(0.62)
    s.hills(0.6, count=2, snow=True, high=0.38)
    is_white = "snow" in s.light.weather
    s.ground(0.62, SNOW if is_white else MEADOW, ICE if is_white else GRASS)
    s.pines([(0.06, 0.66, 0.3), (0.16, 0.64, 0.24), (0.9, 0.66, 0.34), (0.8, 0.64, 0.22)])
    b = s.brush(s.dice.uniform(0.42, 0.56), 0.72, 0.5)
    b.box(0.2, 0.5, 0.1, 0.3, STONE)
    for puff in range(3):
        b.disc(0.27 + puff * 0.06, 0.88 + puff * 0.09, 0.045 + puff * 0.012, (222, 224, 228))
    b.box(-0.42, 0.0, 0.84, 0.38, (132, 88, 56))
    for log in range(5):
        b.box(-0.42, 0.06 + log * 0.075, 0.84, 0.012, (96, 62, 42))
    b.shape([(-0.56, 0.36), (0.56, 0.36), (0.0, 0.76)], SNOW if is_white else (92, 66, 56))
    b.shape([(-0.42, 0.36), (0.42, 0.36), (0.0, 0.67)], (118, 78, 50))
    b.box(-0.07, 0.0, 0.16, 0.27, (84, 54, 38))
    b.glow(-0.32, 0.13, 0.16, 0.14)
    b.glow(0.18, 0.13, 0.16, 0.14)


def frozen_lake(s: Stage) -> None:
    """Cracked ice, and somebody who skates on it."""
    s.sky(0.5)
    s.hills(0.5, count=3, snow=True, high=0.34)
    s.pines(
        [(x, 0.52, s.dice.uniform(0.12, 0.2)) for x in (0.03, 0.1, 0.16, 0.24, 0.78, 0.86, 0.93, 0.99)], (64, 92, 92)
    )
    s.ground(0.51, (222, 238, 246), (150, 192, 216))
    for _ in range(7):
        x, y = s.dice.uniform(0.0, 1.0), s.dice.uniform(0.55, 0.95)
        points = [(x, y)]
        for _ in range(5):
            points.append((points[-1][0] + s.dice.uniform(-0.1, 0.1), points[-1][1] + s.dice.uniform(-0.035, 0.035)))
        s.draw.line([(a * s.width, c * s.height) for a, c in points], fill=(255, 255, 255, 190), width=3)
    b = s.brush(s.dice.uniform(0.4, 0.6), 0.71, 0.34)
    b.line([(-0.02, 0.42), (-0.1, 0.2), (-0.02, 0.0)], 0.07, INK)
    b.line([(0.0, 0.42), (0.16, 0.24), (0.36, 0.2)], 0.07, INK)
    b.line([(-0.05, 0.0), (0.08, 0.0)], 0.025, GREY)
    b.shape([(-0.1, 0.4), (0.08, 0.4), (-0.06, 0.76), (-0.2, 0.72)], RED)
    b.line([(-0.12, 0.68), (-0.36, 0.56)], 0.055, RED)
    b.line([(-0.1, 0.68), (0.14, 0.62)], 0.055, RED)
    b.disc(-0.16, 0.86, 0.085, (226, 184, 152))
    b.shape([(-0.25, 0.88), (-0.07, 0.88), (-0.12, 0.99), (-0.2, 0.99)], BLUE)
    b.line([(-0.1, 0.77), (0.12, 0.8)], 0.045, GOLD)


def monastery(s: Stage) -> None:
    """White walls and domes on top of a cliff, mist in the valley."""
    s.sky(0.74)
    s.hills(0.66, count=3, high=0.26)
    x = s.dice.choice((0.4, 0.6))
    b = s.brush(x, 0.98, 1.0)
    b.shape(
        [(-0.5, -0.1), (-0.42, 0.2), (-0.46, 0.34), (-0.36, 0.5), (0.34, 0.5), (0.4, 0.3), (0.36, 0.16), (0.52, -0.1)],
        (156, 126, 100),
    )
    b.shape([(0.06, 0.5), (0.34, 0.5), (0.4, 0.3), (0.36, 0.16), (0.52, -0.1), (0.16, -0.1)], (122, 96, 78))
    for crack in (-0.24, -0.08, 0.2):
        b.line([(crack, 0.48), (crack - 0.04, 0.3), (crack + 0.02, 0.1)], 0.008, (104, 82, 66))
    top = b.at(0.0, 0.5)
    for left, wide, tall in ((-0.34, 0.2, 0.13), (-0.18, 0.2, 0.22), (0.0, 0.18, 0.16), (0.14, 0.17, 0.12)):
        top.box(left, 0.0, wide, tall, WHITE)
        for window in range(3):
            top.glow(left + 0.02 + window * wide * 0.3, tall * 0.5, 0.022, 0.035)
    for dome, low, r in ((-0.08, 0.22, 0.07), (0.22, 0.12, 0.055)):
        top.disc(dome, low, r, BLUE)
        top.line([(dome, low + r), (dome, low + r + 0.06)], 0.008, GOLD)
    top.shape([(-0.36, 0.13), (-0.12, 0.13), (-0.18, 0.18), (-0.3, 0.18)], (188, 92, 66))
    for y in (0.78, 0.84):
        left = s.dice.uniform(-0.3, 0.1)
        s.draw.ellipse(
            (left * s.width, y * s.height, (left + 0.9) * s.width, (y + 0.09) * s.height), fill=(250, 250, 252, 70)
        )


def canyon(s: Stage) -> None:
    """Walls in bands, and the river between them."""
    s.sky(0.5)
    s.ridge(0.46, 0.06, 0.0)
    bands: tuple[Colour, ...] = (
        (214, 128, 84),
        (190, 96, 66),
        (226, 158, 108),
        (168, 80, 58),
        (204, 116, 78),
        (150, 70, 54),
    )
    s.ground(0.46, (206, 150, 108), (176, 116, 84))
    s.draw.polygon(
        [(0.47 * s.width, 0.46 * s.height), (0.53 * s.width, 0.46 * s.height), (0.62 * s.width, 0.6 * s.height),
         (0.5 * s.width, 0.72 * s.height), (0.86 * s.width, s.height), (0.14 * s.width, s.height),
         (0.36 * s.width, 0.74 * s.height), (0.5 * s.width, 0.6 * s.height)],
        fill=s.lit((66, 150, 160)),
    )  # fmt: skip
    for side in (0, 1):
        for layer in range(3):
            reach = 0.46 - layer * 0.12 + s.dice.uniform(-0.02, 0.02)
            top, foot = 0.2 + layer * -0.06, 0.56 + layer * 0.16
            count = len(bands)
            for band in range(count):
                low, high = foot - (foot - top) * band / count, foot - (foot - top) * (band + 1) / count
                edge, inner = reach - band * 0.018 - (band % 2) * 0.012, reach - (band + 1) * 0.018 - (band % 2) * 0.012
                xs = [(0.0, low), (edge, low), (inner, high), (0.0, high)]
                points = [((1 - x if side else x) * s.width, y * s.height) for x, y in xs]
                shade = bands[(band + layer) % count]
                s.draw.polygon(
                    points,
                    fill=s.lit(
                        shade if not side else (round(shade[0] * 0.86), round(shade[1] * 0.84), round(shade[2] * 0.86))
                    ),
                )


def caravan(s: Stage) -> None:
    """Camels in a line, over dunes."""
    s.sky(0.58)
    sand: tuple[Colour, ...] = ((226, 188, 132), (236, 200, 144), (214, 170, 112))
    s.ground(0.56, sand[0], sand[2])
    for i, (left, peak, right, top) in enumerate(
        ((-0.2, 0.24, 0.8, 0.44), (0.3, 0.78, 1.3, 0.47), (-0.3, 0.1, 0.7, 0.56))
    ):
        lift = s.dice.uniform(-0.02, 0.02)
        points = [(left, 0.68), (peak, top + lift), (right, 0.68)]
        s.draw.polygon([(x * s.width, y * s.height) for x, y in points], fill=s.lit(sand[i]))
        shade = [(peak, top + lift), (right, 0.68), (peak + 0.05, 0.68)]
        s.draw.polygon([(x * s.width, y * s.height) for x, y in shade], fill=(*s.lit((186, 138, 92)), 200))
    s.mound(-0.3, 1.3, 0.64, 0.86, (232, 194, 138))
    count = 3 if s.width < s.height else 4
    rugs = [RED, BLUE, (150, 60, 120), (60, 130, 110)]
    s.dice.shuffle(rugs)
    for i in range(count):
        x = (i + 0.5) / count * 0.9 + 0.03
        foot = 0.655 + 0.1 * (x - 0.5) ** 2
        camel(s.brush(x, foot + 0.03, 0.27 * min(1.0, s.width / s.height * 1.1)), rugs[i])


def camel(b: Brush, rug: Colour) -> None:
    """One, with a rider."""
    fur: Colour = (150, 104, 62)
    for x in (-0.3, -0.2, 0.16, 0.26):
        b.line([(x, 0.4), (x + 0.02, 0.0)], 0.055, fur)
    b.disc(0.0, 0.46, 0.36, fur, tall=0.15)
    b.disc(-0.04, 0.58, 0.15, fur, tall=0.18)
    b.line([(0.28, 0.46), (0.46, 0.5), (0.5, 0.82)], 0.09, fur)
    b.shape([(0.44, 0.78), (0.5, 0.9), (0.7, 0.82), (0.68, 0.75)], fur)
    b.line([(-0.35, 0.5), (-0.42, 0.26)], 0.03, fur)
    b.shape([(-0.2, 0.42), (0.14, 0.42), (0.1, 0.72), (-0.16, 0.72)], rug)
    b.shape([(-0.12, 0.68), (0.1, 0.68), (0.05, 1.0), (-0.07, 1.0)], (236, 228, 212))
    b.disc(-0.01, 1.06, 0.075, (164, 110, 78))
    b.shape([(-0.09, 1.08), (0.07, 1.08), (0.04, 1.17), (-0.06, 1.17)], BLUE)


def woods(s: Stage) -> None:
    """Trees of all sizes."""
    s.sky(0.58)
    s.hills(0.58, count=2, high=0.2)
    s.ground(0.58, GRASS, LEAF)
    for row in range(3):
        green: Colour = ((86, 128, 92), (62, 106, 78), (40, 80, 62))[row]
        places = [(i / 8 + s.dice.uniform(-0.05, 0.05), 0.62 + row * 0.06, 0.2 + row * 0.1) for i in range(9)]
        s.pines([(x, y, size * s.dice.uniform(0.8, 1.2)) for x, y, size in places], green)
