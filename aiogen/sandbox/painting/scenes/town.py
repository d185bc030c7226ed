"""Houses, streets and rails."""

from __future__ import annotations

import math

from ..light import Colour
from ..stage import Stage
from .colours import BLUE, BROWN, GOLD, GREY, INK, LEAF, RED, STONE, WHITE
from .water import boat


def harbour_town(s: Stage) -> None:
    """A row of narrow houses on the quay, masts before them."""
    s.sky(0.6)
    s.ridge(0.5, 0.16, 0.2)
    colours: list[Colour] = [
        (204, 92, 72),
        (232, 184, 96),
        (120, 160, 170),
        (236, 224, 200),
        (170, 116, 92),
        (96, 128, 100),
    ]
    s.dice.shuffle(colours)
    wide, left, i = 0.11 * s.unit / s.width, -0.01, 0
    while left < 1.0:
        tall = s.dice.uniform(0.44, 0.62)
        b = s.brush(left, 0.62, 0.5)
        span = wide * s.width / b.size
        b.box(0.0, 0.0, span, tall, colours[i % len(colours)])
        b.shape([(0.0, tall), (span, tall), (span / 2, tall + 0.14)], (112, 66, 54))
        for row in range(3):
            for column in (0.16, 0.58):
                b.glow(span * column, 0.1 + row * tall * 0.27, span * 0.24, 0.075)
        left, i = left + wide * 1.02, i + 1
    s.draw.rectangle((0, 0.6 * s.height, s.width, 0.635 * s.height), fill=s.lit(STONE))
    s.water(0.635, clear=0.62)
    for x in (0.2, 0.5, 0.82):
        boat(s.brush(x + s.dice.uniform(-0.05, 0.05), 0.72, 0.2), sail=False)


def fishing_village(s: Stage) -> None:
    """Red cabins on stilts, boats drawn up on the shore."""
    s.sky(0.56)
    s.hills(0.56, count=2, high=0.26, snow=True)
    s.water(0.56)
    for x, size in ((0.12, 0.3), (0.34, 0.36), (0.6, 0.32), (0.85, 0.36)):
        b = s.brush(x + s.dice.uniform(-0.03, 0.03), 0.69, size)
        for leg in (-0.34, -0.12, 0.1, 0.32):
            b.box(leg, -0.08, 0.05, 0.26, (84, 62, 50))
        b.box(-0.48, 0.16, 0.96, 0.05, (124, 92, 66))
        b.box(-0.4, 0.2, 0.8, 0.42, (176, 54, 46))
        b.shape([(-0.48, 0.62), (0.48, 0.62), (0.28, 0.9), (-0.28, 0.9)], (74, 78, 84))
        b.glow(-0.26, 0.34, 0.16, 0.15)
        b.glow(0.12, 0.34, 0.16, 0.15)
    boat(s.brush(0.47, 0.76, 0.18), sail=False, hull=BLUE)
    boat(s.brush(0.74, 0.75, 0.15), sail=False, hull=GOLD)


def night_train(s: Stage) -> None:
    """Lit windows, all in a row, over a viaduct."""
    s.sky(0.6)
    s.hills(0.62, count=3, high=0.26)
    s.ground(0.66, (86, 110, 82), (50, 70, 60))
    wide = s.width / s.unit
    b = s.brush(0.0, 0.74, 1.0)
    b.box(0.0, 0.12, wide, 0.06, (122, 114, 110))
    for i in range(round(wide / 0.22) + 2):
        b.box(i * 0.22 - 0.03, -0.3, 0.06, 0.43, (122, 114, 110))
        b.shape(
            [
                (i * 0.22 + 0.03, 0.12),
                (i * 0.22 + 0.19, 0.12),
                (i * 0.22 + 0.15, 0.07),
                (i * 0.22 + 0.11, 0.05),
                (i * 0.22 + 0.07, 0.07),
            ],
            (96, 90, 90),
        )
    nose = wide * s.dice.uniform(0.7, 0.82)
    b.shape([(nose, 0.45), (nose + 1.4, 0.62), (nose + 1.4, 0.2), (nose, 0.3)], (255, 240, 180), 60)
    cars: Colour = s.dice.choice([(150, 40, 44), (36, 62, 110), (40, 92, 76)])
    left = nose
    for car in range(6):
        long = 0.36 if car else 0.3
        left -= long
        b.box(left, 0.2, long - 0.02, 0.17, cars)
        b.box(left, 0.36, long - 0.02, 0.02, (210, 210, 214))
        for window in range(5 if car else 3):
            b.glow(left + 0.03 + window * 0.062, 0.27, 0.044, 0.055, (255, 220, 130))
        for wheel in (0.07, long - 0.09):
            b.disc(left + wheel, 0.2, 0.022, INK)
    b.shape([(nose - 0.06, 0.2), (nose + 0.06, 0.2), (nose + 0.02, 0.34), (nose - 0.06, 0.38)], cars)
    b.disc(nose + 0.03, 0.25, 0.018, (255, 244, 190))


def tea_house(s: Stage) -> None:
    """Two curved roofs, a lantern, a cherry tree, the pond."""
    s.sky(0.6)
    s.hills(0.6, count=3, high=0.2)
    s.ground(0.6, (132, 150, 96), (96, 122, 84))
    s.mound(-0.1, 1.1, 0.6, 0.7, (122, 148, 92))
    b = s.brush(s.dice.choice((0.46, 0.54)), 0.67, 0.6)
    for x in (-0.4, -0.16, 0.1, 0.34):
        b.box(x, -0.06, 0.05, 0.16, (92, 62, 48))
    b.box(-0.48, 0.07, 0.96, 0.04, (140, 92, 62))
    b.box(-0.36, 0.11, 0.72, 0.26, (244, 232, 206))
    for x in (-0.36, -0.19, -0.02, 0.15, 0.32):
        b.box(x, 0.11, 0.025, 0.26, (112, 62, 48))
    b.glow(-0.15, 0.15, 0.13, 0.17, (255, 206, 120))
    b.glow(0.03, 0.15, 0.12, 0.17, (255, 206, 120))
    roof: Colour = (70, 84, 104)
    b.shape(
        [
            (-0.64, 0.4),
            (-0.52, 0.38),
            (0.52, 0.38),
            (0.64, 0.4),
            (0.4, 0.46),
            (0.24, 0.56),
            (-0.24, 0.56),
            (-0.4, 0.46),
        ],
        roof,
    )
    b.box(-0.18, 0.56, 0.36, 0.12, (244, 232, 206))
    b.shape(
        [
            (-0.38, 0.7),
            (-0.28, 0.67),
            (0.28, 0.67),
            (0.38, 0.7),
            (0.2, 0.76),
            (0.06, 0.88),
            (-0.06, 0.88),
            (-0.2, 0.76),
        ],
        roof,
    )
    b.line([(0.0, 0.88), (0.0, 0.97)], 0.02, GOLD)
    tree = s.brush(0.13 if b.x > s.width / 2 else 0.87, 0.68, 0.46)
    tree.line([(0.0, 0.0), (0.06, 0.3), (-0.04, 0.6)], 0.06, (92, 66, 58))
    for _ in range(16):
        tree.disc(
            s.dice.uniform(-0.34, 0.3),
            s.dice.uniform(0.45, 0.95),
            s.dice.uniform(0.08, 0.15),
            s.dice.choice([(246, 190, 206), (236, 160, 184), (252, 216, 226)]),
        )
    s.water(0.7, clear=0.6)


def bicycle(s: Stage) -> None:
    """Leaning at a wall with a window and a door."""
    s.ground(0.0, (236, 214, 176), (222, 192, 150))
    plaster: Colour = s.dice.choice([(236, 206, 160), (214, 224, 214), (232, 190, 170), (206, 216, 232)])
    s.draw.rectangle((0, 0, s.width, 0.64 * s.height), fill=s.lit(plaster))
    for _ in range(14):
        x, y = s.dice.uniform(0, 1), s.dice.uniform(0, 0.6)
        brick = s.brush(x, y, 0.05)
        brick.box(0.0, 0.0, 1.4, 0.5, (206, 150, 116), 150)
    for x, is_door in ((0.16, False), (0.84, True)):
        b = s.brush(x, 0.64, 0.5)
        low = 0.0 if is_door else 0.4
        b.box(-0.22, low, 0.44, 0.98 - low, WHITE)
        if is_door:
            b.box(-0.18, 0.0, 0.36, 0.94, (60, 104, 110))
            b.disc(0.12, 0.44, 0.022, GOLD)
        else:
            b.glow(-0.18, 0.44, 0.36, 0.5, (255, 216, 140))
            b.line([(0.0, 0.44), (0.0, 0.94)], 0.03, WHITE)
            b.box(-0.26, 0.32, 0.52, 0.1, (150, 92, 62))
            for i in range(6):
                b.disc(-0.22 + i * 0.09, 0.45, 0.06, s.dice.choice([RED, LEAF, (230, 140, 170)]))
    s.draw.rectangle((0, 0.64 * s.height, s.width, s.height), fill=s.lit((150, 142, 136)))
    for row in range(5):
        y = (0.66 + row * 0.075) * s.height
        s.draw.line((0, y, s.width, y), fill=s.lit((126, 120, 116)), width=3)
    b = s.brush(0.5, 0.7, 0.62)
    for x in (-0.42, 0.42):
        b.ring(x, 0.28, 0.28, 0.035, INK)
        for i in range(6):
            a = i * math.pi / 6
            b.line(
                [
                    (x - math.cos(a) * 0.25, 0.28 - math.sin(a) * 0.25),
                    (x + math.cos(a) * 0.25, 0.28 + math.sin(a) * 0.25),
                ],
                0.006,
                GREY,
            )
    for points in (
        [(-0.42, 0.28), (-0.04, 0.28), (0.3, 0.62), (-0.16, 0.62), (-0.42, 0.28)],
        [(-0.04, 0.28), (-0.19, 0.7)],
        [(0.42, 0.28), (0.28, 0.76)],
    ):
        b.line(points, 0.042, RED)
    b.line([(0.28, 0.76), (0.2, 0.84), (0.36, 0.86)], 0.03, INK)
    b.shape([(-0.3, 0.7), (-0.08, 0.7), (-0.1, 0.76), (-0.3, 0.76)], BROWN)
    b.ring(-0.04, 0.28, 0.06, 0.02, GREY)
    b.box(0.3, 0.6, 0.24, 0.18, (190, 140, 84))
    for i in range(4):
        b.disc(0.34 + i * 0.055, 0.81, 0.045, s.dice.choice([GOLD, (226, 130, 170), WHITE]))


def rooftop_garden(s: Stage) -> None:
    """Boxes and trees, the city all around."""
    skyline(s, 0.6)
    s.draw.rectangle((0, 0.62 * s.height, s.width, s.height), fill=s.lit((172, 132, 104)))
    s.draw.rectangle((0, 0.6 * s.height, s.width, 0.635 * s.height), fill=s.lit((206, 176, 146)))
    for x, size, green in (
        (0.1, 0.36, LEAF),
        (0.38, 0.26, (96, 150, 82)),
        (0.63, 0.3, (78, 136, 92)),
        (0.9, 0.4, (58, 112, 70)),
    ):
        b = s.brush(x, 0.74, size)
        b.shape([(-0.36, 0.3), (0.36, 0.3), (0.3, 0.0), (-0.3, 0.0)], (186, 98, 66))
        b.box(-0.39, 0.27, 0.78, 0.06, (206, 116, 80))
        b.box(-0.03, 0.3, 0.06, 0.3, BROWN)
        for _ in range(9):
            b.disc(s.dice.uniform(-0.26, 0.26), s.dice.uniform(0.46, 0.86), s.dice.uniform(0.1, 0.18), green)
        for _ in range(5):
            b.disc(
                s.dice.uniform(-0.26, 0.26), s.dice.uniform(0.5, 0.9), 0.04, s.dice.choice([RED, GOLD, (240, 170, 200)])
            )
    lamps = [(i / 14, 0.33 + 0.1 * math.sin(math.pi * ((i % 7) / 7 + 1.0)) * -1.0) for i in range(15)]
    s.draw.line([(x * s.width, y * s.height) for x, y in lamps], fill=s.lit(INK), width=2)
    for x, y in lamps[1::1]:
        s.brush(x, y + 0.012, 0.03).glow(-0.2, -0.2, 0.4, 0.5, (255, 224, 140))


def city(s: Stage) -> None:
    """Towers behind a river."""
    skyline(s, 0.62)
    s.water(0.62, clear=0.6)


def skyline(s: Stage, foot: float) -> None:
    """Towers, with some of their windows lit."""
    s.sky(foot)
    for layer in range(2):
        left = -0.02
        while left < 1.0:
            wide, tall = s.dice.uniform(0.05, 0.11), s.dice.uniform(0.14, 0.34) * (1.0 if layer else 1.35)
            tone: Colour = (120, 132, 152) if not layer else (84, 94, 116)
            box = (left * s.width, (foot - tall) * s.height, (left + wide) * s.width, foot * s.height + 2)
            s.draw.rectangle(box, fill=s.lit(tone))
            if layer:
                tower = s.brush(left, foot, 1.0)
                across = wide * s.width / s.unit
                for row in range(int(tall * s.height / s.unit / 0.05)):
                    for column in range(3):
                        if s.dice.random() < 0.5:
                            tower.glow(across * (0.16 + column * 0.27), 0.02 + row * 0.05, across * 0.14, 0.022)
            left += wide + s.dice.uniform(0.0, 0.015)
