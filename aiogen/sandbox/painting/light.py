"""The light of a picture: the colours of an hour and its weather."""

from __future__ import annotations

import random

import attrs

from .words import first_mentioned

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Both colours mixed; `share` is that of the other one, 0 to 1."""
    r, g, b = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return r, g, b


@attrs.frozen(kw_only=True)
class Light:
    """The colours of an hour and its weather."""

    zenith: Colour
    horizon: Colour
    disc: Colour | None
    """Of the sun or the moon; None if it is not visible."""
    far: Colour
    near: Colour
    tint: Colour
    """The colour with which every other is mixed."""
    strength: float
    """The share of `tint`, 0 to 1."""
    weather: str = ""
    """stars, aurora, rain, mist, snow or rainbow; several are separated by spaces."""

    @property
    def is_dark(self) -> bool:
        """Whether lamps are lit."""
        return sum(self.horizon) < 440

    def lit(self, colour: Colour) -> Colour:
        """A thing's own colour in this light."""
        return mix(colour, self.tint, self.strength)


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

# The first that the prompt mentions counts, so narrower ones come before wider ones.
_WORDS = (
    ("northern light", AURORA), ("aurora", AURORA), ("after a storm", STORM), ("storm", STORM), ("rainbow", STORM),
    ("rain", RAIN), ("blue hour", BLUE), ("twilight", BLUE), ("mist", MIST), ("fog", MIST), ("autumn", MIST),
    ("moonlight", MOON), ("moon", MOON), ("golden", GOLDEN), ("winter", WINTER), ("dawn", DAWN), ("sunrise", DAWN),
    ("morning", DAWN), ("noon", NOON), ("midday", NOON), ("dusk", DUSK), ("sunset", DUSK), ("evening", DUSK),
    ("night", MOON), ("snow", WINTER),
)  # fmt: skip


def light_for(prompt: str, dice: random.Random) -> Light:
    """The light that the prompt, in lower case, mentions; else any."""
    return first_mentioned(prompt, _WORDS) or dice.choice(LIGHTS)
