"""Colours of things, before any light falls on them."""

from __future__ import annotations

from ..light import Colour

WHITE: Colour = (250, 250, 246)
CREAM: Colour = (244, 232, 208)
GREY: Colour = (132, 136, 142)
INK: Colour = (44, 44, 56)
RED: Colour = (206, 62, 52)
ORANGE: Colour = (226, 124, 48)
GOLD: Colour = (240, 196, 72)
BROWN: Colour = (116, 80, 54)
GRASS: Colour = (104, 150, 78)
MEADOW: Colour = (132, 172, 90)
LEAF: Colour = (62, 122, 66)
SNOW: Colour = (240, 245, 250)
ICE: Colour = (196, 222, 236)
STONE: Colour = (150, 144, 136)
BLUE: Colour = (58, 104, 170)
