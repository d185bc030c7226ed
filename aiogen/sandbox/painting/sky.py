"""The sky, and the weather in front of everything."""

from __future__ import annotations

import math

from .canvas import FINE, Canvas
from .light import Colour, mix


def paint_sky(canvas: Canvas, horizon: float) -> None:
    """From the top to the horizon, with what is in it."""
    light, dice = canvas.light, canvas.dice
    edge = round(horizon * canvas.height)
    canvas.shade(0, edge, light.zenith, light.horizon)
    if "stars" in light.weather:
        for _ in range(70):
            x, y = dice.randrange(canvas.width), dice.randrange(max(1, round(edge * 0.7)))
            bright = mix(light.zenith, (255, 255, 255), dice.uniform(0.3, 1.0))
            canvas.draw.rectangle((x, y, x + 1, y + 1), fill=bright)
    if "aurora" in light.weather:
        _aurora(canvas, edge)
    if light.disc is not None:
        at = dice.uniform(0.15, 0.85) * canvas.width, dice.uniform(0.16, 0.3) * canvas.height
        _shine(canvas, at, light.disc)
    if "rainbow" in light.weather:
        _rainbow(canvas, edge)
    if not light.is_dark and "mist" not in light.weather:
        _clouds(canvas, edge)


def _shine(canvas: Canvas, at: tuple[float, float], colour: Colour) -> None:
    radius = canvas.unit * canvas.dice.uniform(0.045, 0.065)
    side = round(radius * 9)
    fading = [round(190 * (1 - distance / 255) ** 3) for distance in range(256)]
    glow = canvas.pil.image.radial_gradient("L").resize((side, side)).point(fading)
    canvas.image.paste(colour, (round(at[0] - side / 2), round(at[1] - side / 2)), glow)
    canvas.draw.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=colour)


def _clouds(canvas: Canvas, edge: int) -> None:
    white = mix(canvas.light.horizon, (255, 255, 255), 0.55)
    for _ in range(canvas.dice.randrange(2, 4)):
        x, y = canvas.dice.uniform(0.0, 1.0) * canvas.width, canvas.dice.uniform(0.12, 0.6) * edge
        long = canvas.unit * canvas.dice.uniform(0.08, 0.16)
        for puff in range(4):
            left, high = x + (puff - 2) * long * 0.55, long * canvas.dice.uniform(0.16, 0.3)
            canvas.draw.ellipse((left, y - high, left + long, y + high * 0.6), fill=white)


def _aurora(canvas: Canvas, edge: int) -> None:
    bend, low = canvas.dice.uniform(2.0, 5.0), canvas.dice.uniform(0.45, 0.6)
    for colour, shift in (((90, 255, 170), 0.0), ((70, 220, 210), 0.1), ((150, 110, 255), 0.2)):
        line = [
            (x / 24 * canvas.width, (low - shift + 0.1 * math.sin(x / 24 * bend + shift * 9)) * edge) for x in range(25)
        ]
        for tall, alpha in ((0.34, 26), (0.22, 38), (0.1, 56)):
            upper = [(x, y - tall * edge) for x, y in reversed(line)]
            canvas.draw.polygon([*line, *upper], fill=(*colour, alpha))


def _rainbow(canvas: Canvas, edge: int) -> None:
    middle, radius = canvas.dice.uniform(0.3, 0.7) * canvas.width, 0.62 * canvas.width
    bands = ((214, 90, 90), (236, 160, 84), (240, 224, 110), (120, 196, 120), (96, 150, 220), (140, 104, 190))
    for i, colour in enumerate(bands):
        r = radius - i * canvas.unit * 0.014
        box = (middle - r, edge - 0.8 * r, middle + r, edge + 1.2 * r)
        canvas.draw.arc(box, 180, 360, fill=(*colour, 110), width=round(canvas.unit * 0.015))


def paint_weather(canvas: Canvas) -> None:
    """Mist, rain or snow, if the light has one of them and nothing else."""
    weather = {"mist": _mist, "rain": _rain, "snow": _snow}
    if canvas.light.weather in weather:
        weather[canvas.light.weather](canvas)


def _mist(canvas: Canvas) -> None:
    pale = mix(canvas.light.horizon, (255, 255, 255), 0.2)
    for _ in range(7):
        x, y = canvas.dice.uniform(-0.2, 0.8) * canvas.width, canvas.dice.uniform(0.4, 0.78) * canvas.height
        wide, tall = canvas.dice.uniform(0.4, 0.8) * canvas.width, canvas.dice.uniform(0.025, 0.06) * canvas.height
        canvas.draw.ellipse((x, y, x + wide, y + tall), fill=(*pale, 88))


def _rain(canvas: Canvas) -> None:
    long = canvas.unit * 0.05
    for _ in range(150):
        x, y = canvas.dice.uniform(0, canvas.width), canvas.dice.uniform(-0.05, 1.0) * canvas.height
        canvas.draw.line((x, y, x - long * 0.25, y + long), fill=(232, 240, 246, 110), width=FINE)


def _snow(canvas: Canvas) -> None:
    for _ in range(120):
        x, y = canvas.dice.uniform(0, canvas.width), canvas.dice.uniform(0, canvas.height)
        r = canvas.unit * canvas.dice.uniform(0.002, 0.006)
        canvas.draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, 255, 225))
