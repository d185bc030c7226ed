"""The pictures."""

from __future__ import annotations

import builtins
import io
from typing import Any

import attrs
import pytest
from PIL import Image

from aiogen.sandbox import painter
from aiogen.sandbox.painter import LONGEST_SIDE, Picture, film, fitted, paint


def picture(**fields: Any) -> Picture:
    return Picture(
        **{
            "prompt": "a boat on a lake",
            "model": "uni-1",
            "index": 0,
            "size": (320, 180),
            "format": "png",
            "seed": 1,
            **fields,
        }
    )


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize(("form", "pillow"), [("png", "PNG"), ("jpeg", "JPEG")])
def test_is_what_its_format_says(form: str, pillow: str) -> None:
    image = opened(paint(picture(format=form)))
    assert image.format == pillow
    assert image.size == (320, 180)


@pytest.mark.parametrize(
    ("asked", "painted"),
    [((2048, 1024), (LONGEST_SIDE, LONGEST_SIDE // 2)), ((300, 200), (300, 200)), ((2048, 8), (LONGEST_SIDE, 16))],
)
def test_keeps_its_shape_but_stays_small(asked: tuple[int, int], painted: tuple[int, int]) -> None:
    assert fitted(asked) == painted
    assert opened(paint(picture(size=asked))).size == painted


def test_equal_pictures_are_equal_to_the_byte() -> None:
    assert paint(picture()) == paint(picture())


@pytest.mark.parametrize("change", [{"prompt": "a train"}, {"model": "uni-1-max"}, {"index": 1}, {"seed": 2}])
def test_different_ones_differ(change: dict[str, Any]) -> None:
    assert paint(attrs.evolve(picture(), **change)) != paint(picture())


def test_there_is_something_to_see() -> None:
    colours = opened(paint(picture())).convert("RGB").getcolors(1_000_000)
    assert colours is not None
    assert len(colours) > 100


@pytest.mark.parametrize("prompt", ["", "word " * 300, "Ünïcödé 灯台", "w" * 900, "two\nlines"])
def test_any_prompt_can_be_written_below(prompt: str) -> None:
    assert opened(paint(picture(prompt=prompt))).size == (320, 180)


def test_the_prompt_shows() -> None:
    def bright(prompt: str) -> int:
        strip = opened(paint(picture(prompt=prompt))).convert("L").crop((0, 120, 320, 180))
        return sum(pixel > 220 for pixel in strip.tobytes())

    assert bright("a boat on a lake and a house behind it") > bright("boat") > 20


def test_layers_in_front_are_transparent_and_the_last_is_not() -> None:
    front = opened(paint(picture(index=0, layer_of=3)))
    assert front.mode == "RGBA"
    assert front.getpixel((0, 0)) == (0, 0, 0, 0)
    assert opened(paint(picture(index=2, layer_of=3))).mode == "RGB"


def test_layers_may_be_tiny() -> None:
    assert opened(paint(picture(index=0, layer_of=2, size=(16, 16)))).size == (16, 16)


def test_every_light_can_be_painted() -> None:
    pictures = [paint(picture(seed=seed, size=(64, 64))) for seed in range(12)]
    assert {opened(one).size for one in pictures} == {(64, 64)}
    assert len(set(pictures)) == 12


def test_film_begins_like_an_mp4() -> None:
    content = film(picture(format="mp4"))
    assert content[4:8] == b"ftyp"
    position, kinds = 0, []
    while position < len(content):
        kinds.append(content[position + 4 : position + 8])
        position += int.from_bytes(content[position : position + 4], "big")
    assert kinds == [b"ftyp", b"free", b"mdat"]
    assert position == len(content)


def test_without_pillow_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_pillow(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    painter._pillow.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ImportError, match=r'pip install "aiogen-sdk\[sandbox\]"'):
        paint(picture())
