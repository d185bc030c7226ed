"""What ComfyUI's graphs have no slot for, the words that are common to all providers, and the models of a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from providers.drive import answer, drive

from aiogen import APIError, InputError, ModelInfo, NotFound, ProtocolError, UnknownParameter
from aiogen.exchange import Submission
from aiogen.providers import ComfyUI
from aiogen.references import Reference

COMFY = ComfyUI(typical_seconds={"mine.safetensors": 3.0})
CHECKPOINT = "sd_xl_base_1.0.safetensors"
PNG = b"\x89PNG\r\n\x1a\n"
TWO_IMAGES = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "b.png"}},
    "3": {"class_type": "LoadImageMask", "inputs": {"image": "c.png", "channel": "alpha"}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}
IMAGES = {"mask": "3.image", "face": "1.image", "pose": "2.image"}
SIZED = {
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 768, "height": 768, "batch_size": 1}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "x"}},
}


def encoded(model: str = CHECKPOINT, prompt: str | None = "a boat", **options: Any) -> Submission:
    return COMFY.encode(COMFY.prepare(model, prompt, options))


def value_at(submission: Submission, place: str) -> Any:
    node, _, name = place.rpartition(".")
    return submission.body["graph"][node]["inputs"][name]


def size_of(submission: Submission) -> tuple[Any, Any]:
    return value_at(submission, "5.width"), value_at(submission, "5.height")


# --- what there is no slot for


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("aspectratio", "aspect_ratio"),
        ("seeed", "seed"),
        ("widht", "width"),
        ("hieght", "height"),
        ("negativ", "negative"),
        ("negativePrompt", "negative_prompt"),
        ("step", "steps"),
        ("cgf", "cfg"),
        ("sampler", "sampler_name"),
        ("schedular", "scheduler"),
        ("batchsize", "batch_size"),
        ("reference", "references"),
        ("grahp", "graph"),
        ("output_format", None),
        ("guidances", "guidance"),
        ("web_search", None),
    ],
)
def test_a_misspelt_or_foreign_parameter_is_refused(name: str, meant: str | None) -> None:
    """With what was probably meant, before anything is sent; the message says how a graph gets a slot for it."""
    model = "flux1-dev-fp8.safetensors" if meant == "guidance" else CHECKPOINT
    with pytest.raises(UnknownParameter) as caught:
        encoded(model, **{name: 1})
    assert (caught.value.parameter, caught.value.proposal) == (name, meant)
    assert str(caught.value).startswith(f"The graph has no slot {name!r}; it has batch_size, cfg")
    assert (f"Did you mean {meant!r}?" in str(caught.value)) == (meant is not None)
    assert f"'5.{name}'" in str(caught.value)


def test_a_place_and_extra_go_anywhere() -> None:
    """A graph has more inputs than slots, and the request more fields than the graph."""
    submission = encoded(**{"3.steps": 7}, extra={"front": True})
    assert value_at(submission, "3.steps") == 7
    assert submission.body["extra"] == {"front": True}


# --- words that are common to all providers


@pytest.mark.parametrize(
    ("model", "options", "size"),
    [
        (CHECKPOINT, {"aspect_ratio": "16:9"}, (1344, 768)),
        (CHECKPOINT, {"aspect_ratio": "1:1"}, (1024, 1024)),
        (CHECKPOINT, {"aspect_ratio": "2:3"}, (832, 1280)),
        ("v1-5-pruned-emaonly.safetensors", {"aspect_ratio": "16:9"}, (704, 384)),
        (CHECKPOINT, {"aspect_ratio": "16:9", "width": 1280}, (1280, 720)),
        (CHECKPOINT, {"aspect_ratio": "16:9", "height": 512}, (912, 512)),
        (CHECKPOINT, {"aspect_ratio": "9999:1"}, (102400, 64)),
        ("empty", {"aspect_ratio": "2:1"}, (704, 384)),
    ],
)
def test_an_aspect_ratio_becomes_a_size(model: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    """Of as many pixels as the checkpoint is made for, in steps that it can make; a side that is given stays."""
    submission = encoded(model, **options)
    assert size_of(submission) == size
    assert submission.warnings == ()


def test_an_aspect_ratio_in_a_graph_of_ones_own() -> None:
    """The size that the graph has is changed to that shape, if its slots are named."""
    slots = {"width": "5.width", "height": "5.height"}
    assert size_of(encoded("flow", None, graph=SIZED, slots=slots, aspect_ratio="4:3")) == (896, 640)
    unnamed = encoded("flow", None, graph=SIZED, aspect_ratio="4:3")
    assert size_of(unnamed) == (768, 768)
    assert unnamed.warnings == ("The graph has no slot for aspect_ratio, which was not used.",)


def test_a_size_goes_before_an_aspect_ratio() -> None:
    submission = encoded(aspect_ratio="1:1", width=640, height=480)
    assert size_of(submission) == (640, 480)
    assert submission.warnings == ("width and height say the size; aspect_ratio was not used.",)


@pytest.mark.parametrize("ratio", ["16x9", "0:1", "16:", 1.5, "a:b", ["16:9"]])
def test_what_is_no_aspect_ratio(ratio: Any) -> None:
    with pytest.raises(InputError, match="aspect_ratio is width to height, such as '16:9'"):
        encoded(aspect_ratio=ratio)


@pytest.mark.parametrize(
    ("model", "options", "word"),
    [
        ("flux1-dev-fp8.safetensors", {"negative_prompt": "fog"}, "negative_prompt"),
        (CHECKPOINT, {"image": PNG, "width": 640}, "width"),
        (CHECKPOINT, {"image": PNG, "n": 2}, "n"),
        (CHECKPOINT, {"image": PNG, "aspect_ratio": "1:1"}, "aspect_ratio"),
        ("flow", {"graph": SIZED, "slots": "prompt=", "seed": 7}, "seed"),
        ("flow", {"graph": SIZED, "slots": "prompt=", "height": 7}, "height"),
    ],
)
def test_a_common_word_without_a_slot_is_a_warning(model: str, options: dict[str, Any], word: str) -> None:
    """The graph runs without it, and nothing is silent."""
    assert encoded(model, **options).warnings == (f"The graph has no slot for {word}, which was not used.",)


def test_one_picture_needs_no_slot_for_their_number() -> None:
    assert encoded(image=PNG, n=1).warnings == ()
    assert (value_at(encoded(n=3), "5.batch_size"), encoded(n=3).outputs) == (3, 3)


def test_a_slot_of_that_name_goes_before_the_common_meaning() -> None:
    """Whoever names a slot "n" means that one."""
    slots = {"n": "5.batch_size", "aspect_ratio": "9.filename_prefix"}
    submission = encoded("flow", None, graph=SIZED, slots=slots, n=4, aspect_ratio="wide")
    assert (value_at(submission, "5.batch_size"), value_at(submission, "9.filename_prefix")) == (4, "wide")


def test_references_are_the_images_of_the_graph() -> None:
    """In the order of its slots, masks left out; they are read and uploaded like any other."""
    request = COMFY.prepare("flow", None, {"graph": TWO_IMAGES, "slots": IMAGES, "references": [Path("a.png"), PNG]})
    assert [reference.path for reference in request.references()] == [Path("a.png"), None]
    submission = COMFY.encode(request.with_files({Path("a.png"): Reference(file_id="there.png")}))
    assert value_at(submission, "1.image") == "there.png"
    assert str(value_at(submission, "2.image")).startswith("aiogen-")
    assert [file["places"] for file in submission.body["files"]] == [["2.image"]]
    assert value_at(submission, "3.image") == "c.png"
    assert submission.warnings == ()


def test_a_reference_makes_a_checkpoint_draw_from_an_image() -> None:
    """As `image` does."""
    submission = encoded(references=PNG)
    assert str(value_at(submission, "10.image")).startswith("aiogen-")
    assert value_at(submission, "6.text") == "a boat"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"references": [PNG] * 3}, "The graph has slots for 1 image: 2 of 3 references were not used."),
        ({"graph": SIZED, "slots": "prompt=", "references": [PNG]},
         "The graph has slots for no images: 1 of 1 references was not used."),
    ],
)  # fmt: skip
def test_references_without_a_slot_are_a_warning(options: dict[str, Any], text: str) -> None:
    assert encoded(**options).warnings == (text,)


@pytest.mark.parametrize(
    ("references", "text"),
    [
        ("https://example.com/a.png", "a ComfyUI server fetches neither"),
        ([Reference(generation_id="g")], "a ComfyUI server fetches neither"),
        (5, "references= takes images"),
    ],
)
def test_what_is_no_reference_here(references: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        encoded(references=references)


def test_an_image_is_given_once() -> None:
    with pytest.raises(InputError, match="references and image mean the same"):
        encoded(image=PNG, references=[PNG])


# --- models


def models_from(*answers: Any) -> tuple[ModelInfo, ...]:
    return drive(COMFY.models(), *answers).result


def test_the_checkpoints_of_the_server() -> None:
    """And the graph that needs none; what each takes are the slots of its graph."""
    went = drive(COMFY.models(), answer([CHECKPOINT, "flux1-dev-fp8.safetensors", "mine.safetensors", 5, ""]))
    assert (went.request.method, went.request.url) == ("GET", "http://127.0.0.1:8188/models/checkpoints")
    names = [CHECKPOINT, "flux1-dev-fp8.safetensors", "mine.safetensors", "empty"]
    assert [model.name for model in went.result] == names
    usual, flux, mine, empty = went.result
    taken = {parameter.name: parameter for parameter in usual.parameters}
    assert {"negative", "steps", "width", "seed"} <= set(taken)
    assert (taken["width"].default, usual.max_references, usual.price, usual.takes_prompt) == (1024, 1, None, True)
    assert "negative" not in {parameter.name for parameter in flux.parameters}
    assert (mine.seconds, empty.takes_prompt, empty.max_references) == (3.0, False, 0)
    assert usual.source == "the server itself (GET /models/checkpoints)"


@pytest.mark.parametrize(
    "names", [[[CHECKPOINT], {"tooltip": "The name."}], ["COMBO", {"options": [CHECKPOINT]}]], ids=["list", "combo"]
)
def test_an_older_server_lists_them_with_the_node(names: list[Any]) -> None:
    """Where there is no such call, the node that loads checkpoints says which it takes."""
    info = {"CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": names}}}}
    went = drive(COMFY.models(), answer("404: Not Found", status=404), answer(info))
    assert went.requests[1].url == "http://127.0.0.1:8188/object_info/CheckpointLoaderSimple"
    assert [model.name for model in went.result] == [CHECKPOINT, "empty"]


@pytest.mark.parametrize("body", [{}, "<html>", {"a": 1}, 5])
def test_a_list_of_models_that_cannot_be_read(body: Any) -> None:
    with pytest.raises(ProtocolError):
        models_from(answer(body))
    with pytest.raises(ProtocolError):
        models_from(answer("", status=404), answer({"CheckpointLoaderSimple": body}))


def test_a_refusal_is_an_error() -> None:
    with pytest.raises(APIError):
        models_from(answer("", status=401))
    with pytest.raises(NotFound):
        models_from(answer("", status=404), answer("", status=404))
