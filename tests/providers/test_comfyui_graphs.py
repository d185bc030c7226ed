"""The graphs that are sent to a ComfyUI: those that come with aiogen, graphs of one's own, and images in them."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from providers.comfyui_calls import (
    CHECKPOINT,
    COMFY,
    FLOW,
    PNG,
    encoded,
    graph_of,
    prepared,
    value_at,
)
from providers.drive import answer, drive, first_request

from aiogen.errors import (
    InputError,
    InvalidRequest,
    ProtocolError,
)
from aiogen.exchange import Multipart
from aiogen.providers import ComfyGraph, ComfyImage
from aiogen.references import Reference

# --- the graphs that come with it


def test_a_checkpoint() -> None:
    """The model is the checkpoint; keywords are values of the graph's slots."""
    graph = graph_of(width=832, steps=30, negative="blurry", cfg=5.5, seed=7)
    places = {"4.ckpt_name": CHECKPOINT, "6.text": "a boat", "7.text": "blurry", "5.width": 832, "5.height": 1024,
              "3.steps": 30, "3.cfg": 5.5, "3.seed": 7}  # fmt: skip
    assert {place: value_at(graph, place) for place in places} == places


@pytest.mark.parametrize(
    ("options", "place", "value"),
    [
        ({"negative_prompt": "fog"}, "7.text", "fog"),
        ({"n": 3}, "5.batch_size", 3),
        ({"num_images": 3}, "5.batch_size", 3),
        ({"width": None}, "5.width", 1024),
        ({"3.denoise": 0.5}, "3.denoise", 0.5),
        ({"filename_prefix": "boats/red"}, "9.filename_prefix", "boats/red"),
    ],
)
def test_a_keyword_reaches_the_graph(options: dict[str, Any], place: str, value: Any) -> None:
    """What other providers call otherwise has the same names here; a name with a dot is a place."""
    assert value_at(graph_of(**options), place) == value


def test_a_small_checkpoint_makes_small_pictures() -> None:
    """Checkpoints of the first generation are made for 512 pixels, which their names tell."""
    assert value_at(graph_of("v1-5-pruned-emaonly.safetensors"), "5.width") == 512


def test_flux_has_a_graph_of_its_own() -> None:
    """Its checkpoints take their guidance from another node, and have no negative prompt."""
    graph = graph_of("flux1-dev-fp8.safetensors", guidance=2.5)
    assert (value_at(graph, "11.guidance"), value_at(graph, "3.cfg")) == (2.5, 1.0)
    with pytest.raises(InputError, match="The graph has no slot 'negative'; it has batch_size, "):
        graph_of("flux1-dev-fp8.safetensors", negative="fog")


def test_without_any_model() -> None:
    """`empty` needs no weights: no node of it loads any, and a prompt has no place in it."""
    graph = graph_of("empty", width=64, height=32, color=255)
    assert {node["class_type"] for node in graph.values()} == {"EmptyImage", "SaveImage"}
    assert graph["5"]["inputs"] == {"width": 64, "height": 32, "batch_size": 1, "color": 255}
    assert graph_of("empty", None)


def test_every_link_of_a_shipped_graph_leads_to_a_node() -> None:
    """Each graph is whole, and each slot is an input that is there."""
    for options in ({}, {"model": "flux1"}, {"image": PNG}, {"model": "empty"}):
        graph = graph_of(options.pop("model", CHECKPOINT), **options)
        for node in graph.values():
            links = [value for value in node["inputs"].values() if isinstance(value, list)]
            assert all(id_ in graph and isinstance(output, int) for id_, output in links)


def test_a_shipped_graph_needs_a_prompt() -> None:
    """A model that draws from words is given some."""
    with pytest.raises(InputError, match="The prompt cannot be empty"):
        encoded(prompt=None)


# --- equal graphs, and ids


def test_no_two_graphs_are_equal() -> None:
    """A server answers an equal graph with the files of the one before: so the seed, or at least the name, differs."""
    for model in (CHECKPOINT, "empty"):
        one, other = encoded(model), encoded(model)
        assert one.body["graph"] != other.body["graph"]
        assert value_at(one.body["graph"], "9.filename_prefix") == f"aiogen/{str(one.provider_id)[:8]}"
    one, other = graph_of(seed=5), graph_of(seed=5)
    assert (value_at(one, "3.seed"), value_at(other, "3.seed")) == (5, 5)
    assert one != other


def test_the_colour_of_no_model_is_within_its_range() -> None:
    """EmptyImage takes 24 bits."""
    colours = [value_at(graph_of("empty"), "5.color") for _ in range(50)]
    assert max(colours) <= 0xFFFFFF
    assert len(set(colours)) > 40


def test_an_id_of_ours() -> None:
    """Made before anything is sent, in the one spelling that newer servers take, and sent with the graph."""
    submission = encoded("empty")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(submission.provider_id))
    request = first_request(COMFY.create(submission))
    assert (request.verb, request.method, request.url) == ("create", "POST", "http://127.0.0.1:8188/prompt")
    assert request.body == {"prompt": submission.body["graph"], "prompt_id": submission.provider_id}


def test_a_submission_is_whole() -> None:
    """It can be kept as JSON, and sent after a restart; how many pictures it makes is known where the graph is ours."""
    submission = encoded(image=PNG, **{"5.pixels": ["10", 0]})
    assert json.loads(json.dumps(submission.body)) == submission.body
    assert encoded(n=3).outputs == 3
    assert encoded("flow", "x", graph=FLOW, slots={"prompt": "6.text"}).outputs is None


# --- graphs of one's own


def test_named_slots() -> None:
    """A graph says once where values go; then they are given as for any other model."""
    flow = ComfyGraph(FLOW, prompt="6.text", seed="3.seed", steps="3.steps", model="4.ckpt_name")
    graph = graph_of("other.safetensors", graph=flow, seed=9, steps=4)
    places = {"6.text": "a boat", "7.text": "blurry", "3.seed": 9, "12.noise_seed": 6, "3.steps": 4,
              "4.ckpt_name": "other.safetensors"}  # fmt: skip
    assert {place: value_at(graph, place) for place in places} == places
    assert FLOW["6"]["inputs"]["text"] == "a house"  # type: ignore[index]


@pytest.mark.parametrize(
    "slots",
    [
        {"prompt": "6.text", "negative": "7.text"},
        "prompt=6.text,negative=7.text,seed=",
        " prompt = 6.text , negative=7.text",
    ],
)
def test_slots_as_a_keyword(slots: Any) -> None:
    """As a mapping, or as one text on the command line."""
    graph = graph_of("flow", graph=FLOW, slots=slots, negative="fog")
    assert (value_at(graph, "6.text"), value_at(graph, "7.text")) == ("a boat", "fog")


def test_several_places() -> None:
    """One value may go to several nodes, and a slot may go nowhere."""
    graph = graph_of("flow", graph=FLOW, slots={"prompt": ["6.text", "7.text"], "seed": []})
    assert value_at(graph, "6.text") == value_at(graph, "7.text") == "a boat"
    assert (value_at(graph, "3.seed"), value_at(graph, "12.noise_seed")) == (5, 6)


def test_seeds_are_found() -> None:
    """Nobody has to name them, and a batch of one graph does not become one picture."""
    one, other = (graph_of("flow", None, graph=FLOW) for _ in range(2))
    assert value_at(one, "3.seed") == value_at(one, "12.noise_seed") != value_at(other, "3.seed")
    assert value_at(graph_of("flow", None, graph=FLOW, seed=8), "12.noise_seed") == 8


def test_a_prompt_without_a_place_is_refused() -> None:
    """It would be lost without a word; the error lists where it could go."""
    with pytest.raises(InputError, match=r"no slot for the prompt.*6\.text \(CLIPTextEncode\), 7\.text"):
        graph_of("flow", graph=FLOW)
    assert value_at(graph_of("flow", graph=FLOW, slots={"prompt": []}), "6.text") == "a house"
    assert value_at(graph_of("flow", None, graph=FLOW, slots={"prompt": "6.text"}), "6.text") == "a house"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slots": {"prompt": "66.text"}}, "'prompt' goes to '66.text', but the graph has no node '66'; it has 3, 4"),
        ({"slots": {"prompt": "6.txt"}},
         r"node '6' \(CLIPTextEncode\) has no input 'txt'; it has text, clip"),
        ({"slots": {"prompt": "6.text"}, "5.width": 3}, "the graph has no node '5'"),
        ({"slots": {"prompt": "6.text"}, "stepz": 3},
         r"The graph has no slot 'stepz'; it has .*slots='stepz=5.stepz'"),
        ({"slots": {"prompt": "text"}}, "The slot 'prompt' must name an input of a node, as in '6.text'"),
        ({"slots": {"prompt": 6}}, "must name an input of a node"),
        ({"slots": {"6.text": "6.text"}}, "The name of a slot is a word"),
        ({"slots": "6.text"}, "cannot be read; write it like 'prompt=6.text,seed=3.seed'"),
        ({"slots": 5}, "slots= takes {'prompt': '6.text'}, not a int"),
    ],
)  # fmt: skip
def test_a_wrong_slot_is_refused(options: dict[str, Any], text: str) -> None:
    """The server ignores inputs that it does not know, so a typing error would pass unseen."""
    with pytest.raises(InputError, match=text):
        graph_of("flow", graph=FLOW, **options)


def test_slots_need_a_graph() -> None:
    """Those of the shipped graphs are known."""
    with pytest.raises(InputError, match=r"give graph= as well"):
        graph_of(slots={"prompt": "6.text"})


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        ({"nodes": [], "links": []}, r"a workflow as the editor saves it.*Export \(API\)"),
        ({"a": 1}, "no graph in API format"),
        ({}, "no graph in API format"),
        ({"1": {"class_type": "X"}}, "no graph in API format"),
        ({"1": {"class_type": "X", "inputs": {"a": float("nan")}}}, "JSON allows only finite numbers"),
        ("", "graph= is empty"),
        (5, "not a int"),
    ],
)
def test_what_is_no_graph(graph: Any, text: str) -> None:
    """The editor's own format is the usual mistake, and is named as such."""
    with pytest.raises(InputError, match=text):
        graph_of("flow", None, graph=graph)


def test_a_graph_from_a_file() -> None:
    """The file is a reference like an image: it is read before the job is sent, and not here."""
    request = prepared("flow", graph="flow.json", slots={"prompt": "6.text"})
    (reference,) = request.references()
    assert (reference.path, reference.media_type) == (Path("flow.json"), "application/json")
    with pytest.raises(InputError, match=r"The graph 'flow.json' has not been read"):
        COMFY.encode(request)
    read = Reference(data=json.dumps(FLOW).encode(), media_type="application/json")
    submission = COMFY.encode(request.with_files({Path("flow.json"): read}))
    assert value_at(submission.body["graph"], "6.text") == "a boat"
    assert submission.body["files"] == []


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"<html>", "contains no JSON"), (b"[1]", "no graph in API format"), (b'{"nodes": []}', "Export")],
)
def test_a_file_that_is_no_graph(content: bytes, text: str) -> None:
    """It is said what is wrong with it, before anything is sent."""
    read = Reference(data=content, media_type="application/json")
    with pytest.raises(InputError, match=text):
        COMFY.encode(prepared("flow", None, graph="flow.json").with_files({Path("flow.json"): read}))


def test_a_graph_inside_what_is_posted() -> None:
    """What tools record as a request holds the graph in `prompt`."""
    assert graph_of("flow", None, graph={"prompt": FLOW, "client_id": "x"}).keys() == FLOW.keys()


def test_a_typed_request() -> None:
    """The same as with keywords; a graph of one's own is called as its file, and a shipped one has the model's name."""
    flow = ComfyGraph("flows/boat.json", prompt="6.text", seed="3.seed")
    assert repr(flow) == "ComfyGraph('flows/boat.json', prompt='6.text', seed='3.seed')"
    request = ComfyImage(prompt="a boat", graph=flow, values={"seed": 7})
    assert request.model == "boat"
    assert request == prepared("boat", graph=flow, seed=7)
    with pytest.raises(InputError, match="the file name of a checkpoint on the server, or 'empty'"):
        ComfyImage(prompt="a boat")
    with pytest.raises(InputError, match="give it as prompt="):
        ComfyImage(model="x", values={"prompt": "a boat"})


def test_what_a_graph_and_a_request_make_of_little() -> None:
    """A slot that names no place goes nowhere; of several images none is the image; a graph is called by its name."""
    assert ComfyGraph("empty", prompt=None).slots == {"prompt": ()}
    assert (ComfyGraph("empty").label, ComfyGraph(FLOW).label, ComfyGraph("a/flow.json").label) == (
        "empty",
        "graph",
        "flow",
    )
    two = FLOW | {"11": {"class_type": "LoadImage", "inputs": {"image": "other.png"}}}
    with pytest.raises(InputError, match="image"):
        encoded("flow", None, graph=two, image=PNG)
    request = prepared(image=PNG, width=512)
    assert request.with_files({}) == request
    with pytest.raises(InputError, match="values= takes"):
        ComfyImage(prompt="a boat", model="empty", values=5)  # type: ignore[arg-type]


def test_further_fields() -> None:
    """They go beside the graph; what would stop the server's worker for good is refused."""
    request = first_request(COMFY.create(encoded("empty", extra={"front": True})))
    assert isinstance(request.body, dict)
    assert request.body["front"] is True
    with pytest.raises(InputError, match="extra= cannot contain 'prompt_id'"):
        encoded("empty", extra={"prompt_id": "x"})
    with pytest.raises(InputError, match="extra_data in extra= must be an object"):
        encoded("empty", extra={"extra_data": None})


# --- images


def test_an_image_is_uploaded_first() -> None:
    """Its bytes go up as a form, and the graph has the name that the server gives it."""
    submission = encoded(image=PNG)
    went = drive(
        COMFY.create(submission),
        answer({"name": "ref (1).png", "subfolder": "", "type": "input"}),
        answer({"prompt_id": submission.provider_id, "number": 0, "node_errors": {}}),
    )
    upload, create = went.requests
    assert (upload.verb, upload.method, upload.url) == ("upload", "POST", "http://127.0.0.1:8188/upload/image")
    assert isinstance(upload.body, Multipart)
    image, kind = upload.body.parts
    assert base64.b64decode(str(image.base64)) == PNG
    assert (image.name, image.media_type, kind.name, kind.text) == ("image", "image/png", "type", "input")
    assert re.fullmatch(r"aiogen-[0-9a-f]{20}\.png", str(image.filename))
    assert create.verb == "create"
    assert isinstance(create.body, dict)
    assert value_at(create.body["prompt"], "10.image") == "ref (1).png"
    assert went.result.snapshot.provider_id == submission.provider_id


def test_a_folder_of_the_upload_is_kept() -> None:
    """Below a folder the name alone would not be found."""
    exchange = COMFY.create(encoded(image=PNG))
    first_request(exchange)
    request = exchange.send(answer({"name": "ref.png", "subfolder": "a", "type": "input"}))
    assert isinstance(request.body, dict)
    assert value_at(request.body["prompt"], "10.image") == "a/ref.png"


def test_one_image_in_several_places_is_uploaded_once() -> None:
    """By its content: the same bytes are the same file."""
    files = encoded("flow", None, graph=FLOW, image=PNG, **{"12.image": PNG}).body["files"]
    assert [file["places"] for file in files] == [["10.image", "12.image"]]


def test_what_an_image_may_be() -> None:
    """A path in the slot `image`, bytes or a path anywhere; a name that the server knows needs no upload."""
    request = prepared(image="cat.png", **{"5.pixels": Path("dog.png")})
    assert [reference.path for reference in request.references()] == [Path("cat.png"), Path("dog.png")]
    read = {Path("cat.png"): Reference(data=PNG), Path("dog.png"): Reference(data=PNG)}
    assert len(COMFY.encode(request.with_files(read)).body["files"]) == 1
    there = encoded(image=Reference(file_id="clipspace/x.png")).body
    assert (value_at(there["graph"], "10.image"), there["files"]) == ("clipspace/x.png", [])
    assert value_at(graph_of("flow", None, graph=FLOW, **{"10.image": "on-server.png"}), "10.image") == "on-server.png"
    with pytest.raises(InputError, match="a ComfyUI server fetches neither"):
        encoded(image="https://example.com/cat.png")


def test_an_upload_that_is_refused() -> None:
    """Nothing is created; one that is too large is told by the server's own limit."""
    with pytest.raises(InvalidRequest, match="larger than the server takes") as caught:
        drive(COMFY.create(encoded(image=PNG)), answer("413: Request Entity Too Large", status=413))
    assert str(caught.value).startswith("Failed to upload generation.")


def test_an_upload_without_a_name() -> None:
    """Then nobody knows what the graph should name, and nothing is created."""
    with pytest.raises(ProtocolError, match="no name"):
        drive(COMFY.create(encoded(image=PNG)), answer({"subfolder": ""}))
