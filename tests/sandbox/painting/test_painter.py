"""The pictures."""

from __future__ import annotations

import builtins
import io
import random
from typing import Any

import attrs
import pytest
from PIL import Image

from aiogen.cli.demo.plan import _LIGHTS as LIGHTS
from aiogen.cli.demo.plan import _SUBJECTS as SUBJECTS
from aiogen.sandbox.painting import painter
from aiogen.sandbox.painting.light import light_for
from aiogen.sandbox.painting.painter import LONGEST_SIDE, Picture, film, fitted, paint
from aiogen.sandbox.painting.scenes import SCENES, scene_for


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


DEMO = [f"{subject} {light}" for subject, light in zip(SUBJECTS, LIGHTS * 3, strict=False)]
SAID = sorted({word for word, _ in SCENES})


def small(prompt: str) -> list[int]:
    """The picture above its caption, in few dots, so that only its subject makes a difference."""
    image = opened(paint(picture(prompt=prompt, size=(240, 160)))).convert("RGB")
    return list(image.crop((0, 0, 240, 110)).resize((12, 8)).tobytes())


def difference(one: list[int], other: list[int]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def test_each_prompt_of_the_demo_is_another_picture() -> None:
    """Another thing in the same light, and the same thing in another light."""
    assert len({scene_for(prompt, random.Random(1)) for prompt in DEMO}) == len(SUBJECTS)
    for prompts in ([f"{subject} at noon" for subject in SUBJECTS], [f"a lighthouse {light}" for light in LIGHTS]):
        seen = [small(prompt) for prompt in prompts]
        assert min(difference(a, b) for i, a in enumerate(seen) for b in seen[:i]) > 4.0


def test_the_examples_show_what_they_ask_for() -> None:
    words = ("a paper boat", "a fox in the snow", "a tea house", "a red balloon", "an old harbour", "cat 1", "dog")
    assert len({scene_for(f"{word}, variation 3", random.Random(1)) for word in words}) == len(words)


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("a desert caravan", "caravan"),
        ("a boat on a lake", "lake"),
        ("two foxes", "snow_fox"),
        ("a catalogue of dogmas", None),
        ("a housetop", None),
    ],
)
def test_words_are_whole(prompt: str, scene: str | None) -> None:
    chosen = {scene_for(prompt, random.Random(seed)).__name__ for seed in range(20)}
    assert chosen == {scene} if scene is not None else len(chosen) > 3


def test_a_train_does_not_mention_rain() -> None:
    dice = random.Random(1)
    assert light_for("a night train in golden light", dice).weather == ""
    assert light_for("a train in the rain", dice).weather == "rain"


@pytest.mark.parametrize("size", [(64, 64), (160, 90), (90, 160), (16, 16), (512, 16), (16, 512)], ids=str)
def test_every_scene_can_be_painted(size: tuple[int, int]) -> None:
    """In whatever shape, and by whatever seed."""
    for i, prompt in enumerate([*SAID, *DEMO] if size == (64, 64) else SAID[:: 1 if min(size) > 60 else 7]):
        assert opened(paint(picture(prompt=prompt, size=size, seed=i))).size == size


def test_every_light_can_be_painted() -> None:
    pictures = [paint(picture(seed=seed, size=(64, 64))) for seed in range(24)]
    assert {opened(one).size for one in pictures} == {(64, 64)}
    assert len(set(pictures)) == 24


@pytest.mark.parametrize("size", [(512, 288), (512, 512), (341, 512), (512, 341)], ids=str)
def test_a_caption_can_be_read_in_a_row_of_an_overview(size: tuple[int, int]) -> None:
    """Rows there are some 190 dots high: the letters are then no smaller than those of a newspaper on a screen."""
    written: list[int] = []

    def noted(size: int) -> Any:
        written.append(size)
        return font(size)

    font = painter._font
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(painter, "_font", noted)
        paint(picture(prompt="an old sailing ship under the northern lights", size=size))
    assert max(written) * 190 / size[1] >= 13.0


def test_letters_with_accents_are_written_without() -> None:
    assert painter._wrapped("Blätter für Élise", painter._font(12), 500, 3) == ["Blatter fur Elise"]


def test_film_begins_like_an_mp4() -> None:
    content = film(picture(format="mp4"))
    assert content[4:8] == b"ftyp"
    position, kinds = 0, []
    while position < len(content):
        kinds.append(content[position + 4 : position + 8])
        position += int.from_bytes(content[position : position + 4], "big")
    assert kinds == [b"ftyp", b"free", b"mdat"]
    assert position == len(content)


def test_without_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_pillow(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    painter._pillow.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ImportError, match=r'pip install "aiogen-sdk\[sandbox\]"'):
        paint(picture())
