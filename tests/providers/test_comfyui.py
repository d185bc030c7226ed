"""`aiogen.providers.comfyui`: our words here, ComfyUI's there.

The samples are answers of a server of version 0.3.64, which ran on a CPU and without any model.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from providers.drive import answer, drive, first_request, names_of, sample, sample_body

from aiogen.errors import (
    APIError,
    ConfigurationError,
    InputError,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ProviderError,
)
from aiogen.exchange import Accepted, Multipart, Response, Snapshot, Submission, Ticket
from aiogen.models import Action, FailureCode, State
from aiogen.providers import Capabilities, ComfyGraph, ComfyImage, ComfyUI
from aiogen.references import Reference

COMFY = ComfyUI(name="studio")
ID = "48a63a0a-660b-40a8-ac2d-e55844b129af"
TICKET = Ticket(provider_id=ID)
CHECKPOINT = "sd_xl_base_1.0.safetensors"
PNG = b"\x89PNG\r\n\x1a\n"
NOTHING = sample("comfyui/history_empty")
NO_SUCH_CALL = sample("comfyui/no_jobs_call")
FLOW = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "positive": ["6", 0], "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "mine.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a house", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "ref.png"}},
    "12": {"class_type": "Detailer", "inputs": {"noise_seed": 6, "image": ["10", 0]}},
}


def prepared(model: str = CHECKPOINT, prompt: str | None = "a boat", **options: Any) -> ComfyImage:
    return COMFY.prepare(model, prompt, options)


def encoded(*args: Any, **options: Any) -> Submission:
    return COMFY.encode(prepared(*args, **options))


def graph_of(*args: Any, **options: Any) -> dict[str, Any]:
    """The graph that would be sent."""
    return dict(encoded(*args, **options).body["graph"])


def value_at(graph: dict[str, Any], place: str) -> Any:
    node, _, name = place.rpartition(".")
    return graph[node]["inputs"][name]


def entry(name: str) -> tuple[str, Any]:
    """The id and the entry of a recorded history with one job."""
    ((id_, entry),) = sample_body(name).items()
    return id_, entry


def reading(name: str, **ticket: Any) -> Snapshot:
    """A recorded job that is over, as it is read."""
    id_, _ = entry(name)
    return drive(COMFY.get(Ticket(provider_id=id_, **ticket)), sample(name)).result  # type: ignore[no-any-return]


def ending(*messages: list[Any], status: str = "error", outputs: Any = None) -> Snapshot:
    """A job that is over, with these events or outputs."""
    entry = {
        "prompt": [0, ID, {}, {}, []],
        "outputs": outputs or {},
        "status": {"status_str": status, "completed": status == "success", "messages": list(messages)},
    }
    return drive(COMFY.get(TICKET), answer({ID: entry})).result  # type: ignore[no-any-return]


def created(response: Response) -> Accepted:
    return drive(COMFY.create(encoded("empty")), response).result  # type: ignore[no-any-return]


def complaint(response: Response) -> Any:
    """The error that an answer to a create becomes."""
    with pytest.raises((APIError, ProtocolError)) as caught:
        created(response)
    return caught.value


# --- the connection


def test_it_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is this machine's server without a word, another one by its address, and a key is refused."""
    monkeypatch.delenv("COMFYUI_BASE_URL", raising=False)
    assert (ComfyUI().base_url, ComfyUI().name, ComfyUI().api_key) == ("http://127.0.0.1:8188", "comfyui", "")
    assert ComfyUI.from_environment() is None
    monkeypatch.setenv("COMFYUI_BASE_URL", "http://127.0.0.1:9000/comfy/")
    assert ComfyUI().base_url == "http://127.0.0.1:9000/comfy"
    with pytest.raises(ConfigurationError, match="ComfyUI takes no API key; if a proxy in front of it asks for one"):
        ComfyUI(api_key="secret")


def test_another_machine_is_plain_http_only_if_that_is_accepted() -> None:
    """A server in the network has no https: the error names the argument that allows it, and what can be read then."""
    with pytest.raises(ConfigurationError, match=r"could read prompts and pictures: .* pass allow_insecure=True"):
        ComfyUI(base_url="http://192.168.0.7:8188")
    assert ComfyUI(base_url="http://192.168.0.7:8188", allow_insecure=True).base_url == "http://192.168.0.7:8188"


def test_headers_for_a_proxy() -> None:
    """They go with every request, uploads too, and are not shown; no Origin is sent, which the server would refuse."""
    comfy = ComfyUI(extra_headers={"Authorization": "Basic Ym9iOnNlY3JldA=="})
    request = first_request(comfy.create(comfy.encode(comfy.prepare(CHECKPOINT, "a boat", {"image": PNG}))))
    assert request.verb == "upload"
    assert request.headers == {"Accept": "application/json", "Authorization": "Basic Ym9iOnNlY3JldA=="}
    assert "Ym9i" not in repr(request) + repr(comfy)


def test_what_it_can() -> None:
    """All but an account: the server has one worker, and its queue is the provider's own."""
    assert COMFY.capabilities == Capabilities(
        list=True, delete=True, cancel=True, account=True, models=True, list_page=50
    )
    assert (COMFY.slots, COMFY.max_active) == (1, 50)
    facts = ComfyUI.facts
    assert (facts.poll_cost, facts.poll_floor, facts.not_found_grace) == (0.001, 0.2, 2.0)
    assert facts.resend_is_free


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


# --- what became of a create


def test_a_create_is_accepted() -> None:
    """It waits in the server's queue from then on."""
    accepted = created(sample("comfyui/created"))
    assert (accepted.snapshot.state, accepted.snapshot.provider_id) == (
        State.QUEUED, sample_body("comfyui/created")["prompt_id"],
    )  # fmt: skip
    assert (accepted.reference, accepted.snapshot.warnings) == (None, ())


def test_a_create_of_which_a_part_is_left_out() -> None:
    """The server runs what is valid: that is told at once, and the end counts as partial."""
    accepted = created(sample("comfyui/created_in_part"))
    (warning,) = accepted.snapshot.warnings
    assert "leaves out a part of the graph: node 10 (SaveImage)" in warning
    assert "/srv" not in warning
    assert reading("comfyui/completed", reference=accepted.reference).partial
    assert not reading("comfyui/completed").partial


@pytest.mark.parametrize("body", [{}, {"prompt_id": ""}, {"prompt_id": 5}, {"prompt_id": "../x"}])
def test_a_create_without_an_id(body: Any) -> None:
    """It cannot be followed by that answer."""
    with pytest.raises(ProtocolError, match="no valid prompt_id"):
        created(answer(body))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refused_no_graph", "the server got no graph"),
        ("refused_no_outputs", "nothing in the graph saves a file; it needs a node such as SaveImage"),
        ("refused_unknown_node", "node NoSuchNode does not exist.: Node ID '#5'. The class of a node is missing: "),
        ("refused_bad_value", "node 5 (EmptyImage): Failed to convert an input value to a INT value (width, wide,"),
        ("refused_missing_checkpoint",
         "the checkpoint 'missing.safetensors' is not installed on the server, as ckpt_name of node 4 (Checkpoint"),
    ],
)  # fmt: skip
def test_a_refusal(name: str, words: str) -> None:
    """Each kind says in a sentence what is wrong, and the input has to change."""
    error = complaint(sample(f"comfyui/{name}"))
    assert type(error) is InvalidRequest
    assert words in error.details
    assert (error.from_api, error.action, error.connection) == (True, Action.CHANGE_INPUT, "studio")


def test_a_missing_file_of_which_the_server_lists_no_others() -> None:
    """Then it is said where they are listed."""
    document = sample_body("comfyui/refused_missing_checkpoint")
    del document["node_errors"]["4"]["errors"][0]["extra_info"]["input_config"]
    assert "see GET /models" in complaint(answer(document, status=400)).details


def test_every_recorded_refusal_is_tested() -> None:
    """A new sample has its words above."""
    assert len(names_of("comfyui", "refused")) == 5


def refused(kind: str, *errors: Any, **error: Any) -> Any:
    nodes = {"4": {"class_type": "CheckpointLoaderSimple", "errors": list(errors)}} if errors else {}
    body = {"error": {"type": kind, "message": "no", "details": "", "extra_info": {}, **error}, "node_errors": nodes}
    return complaint(answer(body, status=400))


def missing(value: str, names: list[str], name: str = "ckpt_name") -> Any:
    info = {"input_name": name, "input_config": [names, {}], "received_value": value}
    return {"type": "value_not_in_list", "message": "Value not in list", "details": f"{name}: …", "extra_info": info}


def test_a_missing_model_says_what_there_is() -> None:
    """The checkpoint is named, and so are those that are there; another file is not called a checkpoint."""
    kind = "prompt_outputs_failed_validation"
    assert (
        "it has a.safetensors, b.ckpt" in refused(kind, missing("c.safetensors", ["a.safetensors", "b.ckpt"])).details
    )
    assert "the model file 'l.gguf' is not installed" in refused(kind, missing("l.gguf", [], "unet_name")).details
    assert "Value not in list" in refused(kind, missing("eulr", ["euler"], "sampler_name")).details


def test_refusals_of_newer_servers() -> None:
    """Their words for a missing class and for an id are others."""
    assert "NoSuch" in refused("missing_node_type", message="Node 'NoSuch' not found").details
    assert "update ComfyUI" in refused("missing_node_type").details
    assert "please report it" in refused("invalid_prompt_id", message="prompt_id must be a valid UUID").details


def test_a_refusal_without_a_reason() -> None:
    """Links in a circle get no word from older servers; a hint is better than nothing."""
    assert "perhaps links lead in a circle" in refused("prompt_outputs_failed_validation").details


def test_a_traceback_in_a_refusal_is_not_shown() -> None:
    """Its folders are the server's own affair; the file is named."""
    error = refused(
        "prompt_outputs_failed_validation",
        {"type": "exception_during_validation", "message": "Exception when validating node",
         "details": "[Errno 2] No such file: '/srv/comfyui/models/x.pt'",
         "extra_info": {"traceback": ["File /srv/a.py"]}},
    )  # fmt: skip
    assert "'…/x.pt'" in error.details
    assert "/srv" not in str(error) + repr(error)


def test_a_bug_of_the_server() -> None:
    """A page instead of JSON with status 500 is its own: what became of the create is not known."""
    error = complaint(sample("comfyui/broken"))
    assert type(error) is ProviderError
    assert (error.status, error.from_api) == (500, True)
    assert "its own log says why" in error.details


def test_who_says_forbidden() -> None:
    """The server itself has no credentials: 401 and 403 come from something in between, and say what helps."""
    error = complaint(answer("", status=403))
    assert (error.code, error.from_api) == (FailureCode.PROVIDER_ERROR, False)
    assert "Origin" in error.details
    assert "extra_headers" in error.details
    assert "extra_headers" in complaint(answer("<h1>401</h1>", status=401)).details


def test_a_redirect_is_not_followed() -> None:
    """A login page would be taken for an answer."""
    with pytest.raises(ProtocolError, match="a redirect"):
        created(answer("", status=302, headers={"Location": "https://login.example.com"}))


# --- following a job


def test_a_finished_one_takes_one_request() -> None:
    """`GET /history/{id}`; its files are at the server, for as long as they lie there."""
    id_, known = entry("comfyui/completed")
    went = drive(COMFY.get(Ticket(provider_id=id_)), sample("comfyui/completed"))
    assert (went.request.verb, went.request.url) == ("retrieve", f"http://127.0.0.1:8188/history/{id_}")
    snapshot = went.result
    assert (snapshot.state, snapshot.kind, snapshot.provider_id) == (State.COMPLETED, "image", id_)
    (output,) = snapshot.outputs
    name = known["outputs"]["9"]["images"][0]["filename"]
    assert output.url == f"http://127.0.0.1:8188/view?filename={name}&subfolder=&type=output"
    assert (output.kind, output.expires_at) == ("image", None)
    assert snapshot.raw["graph"] == known["prompt"][2]


def test_names_of_files_are_quoted() -> None:
    """They are people's own, with folders and signs in them."""
    files = [{"filename": "a b&c.png", "subfolder": "x/y", "type": "output"}]
    snapshot = ending(status="success", outputs={"9": {"images": files}})
    assert snapshot.outputs[0].url.endswith("/view?filename=a+b%26c.png&subfolder=x%2Fy&type=output")


@pytest.mark.parametrize(
    ("key", "name", "kind"),
    [
        ("images", "a.png", "image"), ("images", "a.mp4", "video"), ("gifs", "a.webm", "video"),
        ("gifs", "a.gif", "image"), ("audio", "a.flac", "audio"), ("3d", "a.glb", "3d"),
        ("latents", "a.latent", "latents"),
    ],
)  # fmt: skip
def test_other_outputs(key: str, name: str, kind: str) -> None:
    """Films, sounds and shapes are outputs, too, under whatever word a node lists them."""
    listed = {"9": {key: [{"filename": name, "subfolder": "", "type": "output"}], "animated": [True]}}
    snapshot = ending(status="success", outputs=listed)
    assert [output.kind for output in snapshot.outputs] == [kind]
    assert snapshot.kind == kind


def test_previews_count_only_where_nothing_else_is() -> None:
    """PreviewImage writes to a folder that is emptied."""
    assert [output.url[-9:] for output in reading("comfyui/completed_preview").outputs] == ["type=temp"]
    files = {
        "1": {"images": [{"filename": "p.png", "subfolder": "", "type": "temp"}]},
        "2": {"images": [{"filename": "o.png", "subfolder": "", "type": "output"}]},
        "3": {"text": ["words"], "odd": {"filename": "x"}},
    }
    assert ["o.png" in output.url for output in ending(status="success", outputs=files).outputs] == [True]


def test_a_name_that_cannot_be_sent() -> None:
    """The others are given, and it is said that one is missing; if it is the only one, nothing is believed."""
    odd, fine = ({"filename": name, "subfolder": "", "type": "output"} for name in ("\ud83d.png", "a.png"))
    snapshot = ending(status="success", outputs={"9": {"images": [odd, fine]}})
    assert len(snapshot.outputs) == 1
    assert snapshot.warnings == ("1 of 2 outputs could not be read; raw has what the server sent",)
    with pytest.raises(ProtocolError, match="files whose names cannot be sent"):
        ending(status="success", outputs={"9": {"images": [odd]}})


def test_fewer_pictures_than_were_asked_for() -> None:
    """That is partial."""
    assert reading("comfyui/completed", outputs=2).partial
    assert not reading("comfyui/completed", outputs=1).partial


def test_nothing_was_saved() -> None:
    """It succeeded, and there is nothing to fetch: the graph has to change."""
    failure = ending(status="success").failure
    assert failure is not None
    assert (failure.code, failure.action) == (FailureCode.OUTPUT_NOT_FOUND, Action.CHANGE_INPUT)


def test_a_failure() -> None:
    """The node and its first line say why; the traceback, the inputs and the server's folders stay there."""
    snapshot = reading("comfyui/failed")
    failure = snapshot.failure
    assert failure is not None
    assert failure.reason == (
        "node 9 (SaveImage) failed: **** ERROR: Saving image outside the output folder is not allowed."
    )
    assert (failure.code, failure.vendor_code, failure.action) == (
        FailureCode.GENERATION_FAILED, "Exception", Action.CHANGE_INPUT,
    )  # fmt: skip
    kept = json.dumps(snapshot.raw)
    assert "execution_error" in kept
    assert not re.search("traceback|current_inputs|current_outputs|tensor", kept)


def test_no_picture() -> None:
    """What was uploaded is no image."""
    failure = reading("comfyui/failed_no_picture").failure
    assert failure is not None
    assert failure.code is FailureCode.CORRUPT_INPUT
    assert "cannot identify image file '…/no-picture.png'" in str(failure.reason)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("torch.OutOfMemoryError", "Allocation on device 0 would exceed allowed memory."),
        ("torch.cuda.OutOfMemoryError", "x"),
        ("RuntimeError", "CUDA out of memory. Tried to allocate 20.00 GiB"),
        ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory(kind: str, text: str) -> None:
    """It may work later, when less is loaded."""
    error = {"node_id": "3", "node_type": "KSampler", "exception_type": kind, "exception_message": text}
    failure = ending(["execution_error", error]).failure
    assert failure is not None
    assert (failure.code, failure.action) == (FailureCode.PROVIDER_ERROR, Action.RETRY)
    assert "the server ran out of memory in node 3 (KSampler)" in str(failure.reason)


def test_an_interrupted_one() -> None:
    """Somebody stopped it: that is no failure of the graph."""
    snapshot = reading("comfyui/interrupted")
    assert (snapshot.state, snapshot.failure) == (State.CANCELLED, None)


def test_a_failure_without_words() -> None:
    """It failed all the same."""
    snapshot = ending()
    assert (snapshot.state, snapshot.failure and snapshot.failure.code) == (
        State.FAILED, FailureCode.GENERATION_FAILED,
    )  # fmt: skip


def test_an_unknown_word() -> None:
    """It counts as running, and is told."""
    snapshot = ending(status="paused")
    assert (snapshot.state, snapshot.unknown_state) == (State.PROCESSING, "paused")


def test_when_it_was_made() -> None:
    """Newer servers note it; keys of paid nodes beside it are not kept."""
    id_, known = entry("comfyui/completed")
    known["prompt"][3] = {"create_time": 1795856591947, "api_key_comfy_org": "secret"}
    snapshot = drive(COMFY.get(Ticket(provider_id=id_)), answer({id_: known})).result
    assert snapshot.created_at == datetime(2026, 11, 28, 9, 3, 11, 947000, tzinfo=UTC)
    assert "secret" not in json.dumps(snapshot.raw)
    for odd in (True, "soon", -1, 1e300):
        known["prompt"][3] = {"create_time": odd}
        assert drive(COMFY.get(Ticket(provider_id=id_)), answer({id_: known})).result.created_at is None


def test_an_older_server_is_asked_for_its_queue() -> None:
    """It has no call for one job, and says so in an answer without any word."""
    queue = sample("comfyui/queue")
    body = sample_body("comfyui/queue")
    ids = {State.PROCESSING: body["queue_running"][0][1], State.QUEUED: body["queue_pending"][0][1]}
    for state, id_ in ids.items():
        went = drive(COMFY.get(Ticket(provider_id=id_)), NOTHING, NO_SUCH_CALL, queue)
        assert [request.url.removeprefix("http://127.0.0.1:8188") for request in went.requests] == [
            f"/history/{id_}", f"/api/jobs/{id_}", "/queue",
        ]  # fmt: skip
        assert (went.result.state, went.result.provider_id) == (state, id_)


@pytest.mark.parametrize(("word", "state"), [("pending", State.QUEUED), ("in_progress", State.PROCESSING)])
def test_a_newer_server_is_asked_for_the_job(word: str, state: State) -> None:
    """One small answer instead of a queue of whole graphs."""
    went = drive(COMFY.get(TICKET), NOTHING, answer({"id": ID, "status": word, "outputs_count": 0}))
    assert (went.result.state, len(went.requests)) == (state, 2)


def test_a_state_of_a_newer_server_that_is_not_known() -> None:
    """It counts as running, and is told; it is not taken for lost."""
    snapshot = drive(COMFY.get(TICKET), NOTHING, answer({"id": ID, "status": "paused"})).result
    assert (snapshot.state, snapshot.unknown_state) == (State.PROCESSING, "paused")
    with pytest.raises(ProtocolError, match="a status that is no word"):
        drive(COMFY.get(TICKET), NOTHING, answer({"id": ID, "status": []}))


def test_one_that_ends_meanwhile() -> None:
    """Between the history and the queue it moved from one to the other: it is not taken for lost."""
    id_, _ = entry("comfyui/completed")
    ticket, done = Ticket(provider_id=id_), sample("comfyui/completed")
    empty = answer({"queue_running": [], "queue_pending": []})
    assert drive(COMFY.get(ticket), NOTHING, NO_SUCH_CALL, empty, done).result.state is State.COMPLETED
    newer = answer({"id": id_, "status": "completed"})
    assert drive(COMFY.get(ticket), NOTHING, newer, done).result.state is State.COMPLETED


@pytest.mark.parametrize(
    "looks",
    [
        [NO_SUCH_CALL, answer({"queue_running": [], "queue_pending": []})],
        [answer({"error": "Job not found"}, status=404)],
    ],
)
def test_one_that_is_nowhere(looks: list[Response]) -> None:
    """It was deleted, or the server was started again; that is said, in the API's own name."""
    with pytest.raises(NotFound, match="or the server was started again since, which forgets them all") as caught:
        drive(COMFY.get(TICKET), NOTHING, *looks, NOTHING)
    assert caught.value.from_api


@pytest.mark.parametrize(
    "answers",
    [
        [answer("<html>")],
        [answer([])],
        [answer({"another": {}})],
        [answer({ID: []})],
        [answer({ID: {}})],
        [NOTHING, NO_SUCH_CALL, answer({"queue_running": None})],
        [NOTHING, NO_SUCH_CALL, answer({"queue_running": [], "queue_pending": {}})],
        [NOTHING, NO_SUCH_CALL, answer("busy")],
    ],
)
def test_an_answer_that_cannot_be_read(answers: list[Response]) -> None:
    """It ends nothing, and nobody takes the job for lost."""
    with pytest.raises(ProtocolError):
        drive(COMFY.get(TICKET), *answers)


@pytest.mark.parametrize("wrong", ["", "../queue", "a/b"])
def test_what_is_no_id(wrong: str) -> None:
    """Nothing is sent for it."""
    with pytest.raises(InputError):
        first_request(COMFY.get(Ticket(provider_id=wrong)))


# --- lists


def queue_of(running: list[str], pending: list[Any]) -> Response:
    listed = [item if isinstance(item, list) else [number, item, {}, {}, []] for number, item in enumerate(pending)]
    return answer({"queue_running": [[0, id_, {}, {}, []] for id_ in running], "queue_pending": listed})


def test_a_list() -> None:
    """Newest first: what waits, what runs, what is over; a queue is told in the order of a heap."""
    pending = [[-43, "front", {}, {}, []], [41, "late", {}, {}, []], [40, "early", {}, None, []]]
    history = sample("comfyui/history_two")
    old, new = sample_body("comfyui/history_two")
    went = drive(COMFY.list(None, 0, 50), queue_of(["runs"], pending), history)
    assert went.result.names == ("late", "early", "front", "runs", new, old)
    assert [row.state for row in went.result.snapshots[:4]] == [State.QUEUED] * 3 + [State.PROCESSING]
    assert went.requests[1].query == {"max_items": "50"}


def test_a_later_page() -> None:
    """The history is counted from its end, so the pages before are part of the answer."""
    old, _ = sample_body("comfyui/history_two")
    went = drive(COMFY.list(None, 2, 1), queue_of(["runs"], []), sample("comfyui/history_two"))
    assert went.result.names == (old,)
    assert went.requests[1].query == {"max_items": "3"}


def test_a_list_while_one_ends() -> None:
    """It is in both answers; the later one is right."""
    old, new = sample_body("comfyui/history_two")
    page = drive(COMFY.list(None, 0, 50), queue_of([new], []), sample("comfyui/history_two")).result
    assert page.names == (new, old)
    assert page.snapshots[0].state is not State.PROCESSING


def test_a_row_that_cannot_be_read() -> None:
    """It hides no other."""
    page = drive(COMFY.list(None, 0, 50), queue_of([], []), answer({"a": 5, **sample_body("comfyui/completed")})).result
    assert [row is None for row in page.rows] == [False, True]
    assert page.problem is not None


def test_which_create_a_listed_one_is() -> None:
    """The one with its id, and no other."""
    submission = encoded("empty")
    mine = Snapshot(provider_id=str(submission.provider_id), state=State.QUEUED)
    assert COMFY.resembles(submission, mine)
    assert not COMFY.resembles(submission, attrs.evolve(mine, provider_id=ID))


# --- cancel, delete, account


EMPTY = answer("")
NO_CANCEL_CALL = sample("comfyui/no_cancel_call")


def paths(went: Any) -> list[tuple[str, str]]:
    return [(request.method, request.url.removeprefix("http://127.0.0.1:8188")) for request in went.requests]


@pytest.mark.parametrize("stopped", [True, False])
def test_a_newer_server_cancels(stopped: bool) -> None:
    """With one call, whatever the job's state."""
    went = drive(COMFY.cancel(TICKET), answer({"cancelled": stopped}))
    assert paths(went) == [("POST", f"/api/jobs/{ID}/cancel")]
    assert (went.request.verb, went.result.stopped) == ("cancel", stopped)


def test_one_that_runs_is_interrupted() -> None:
    """By its id, or whatever runs by then would be."""
    went = drive(COMFY.cancel(TICKET), NO_CANCEL_CALL, queue_of([ID], ["other"]), EMPTY)
    assert paths(went)[-1] == ("POST", "/interrupt")
    assert (went.requests[-1].body, went.result.stopped) == ({"prompt_id": ID}, True)


def test_one_that_waits_is_taken_from_the_queue() -> None:
    """And looked for again: it may have begun meanwhile."""
    went = drive(COMFY.cancel(TICKET), NO_CANCEL_CALL, queue_of(["x"], [ID]), EMPTY, queue_of(["x"], []), NOTHING)
    assert went.requests[2].body == {"delete": [ID]}
    assert went.result.stopped
    begun = drive(COMFY.cancel(TICKET), NO_CANCEL_CALL, queue_of(["x"], [ID]), EMPTY, queue_of([ID], []), EMPTY)
    assert (paths(begun)[-1], begun.result.stopped) == (("POST", "/interrupt"), True)
    done = answer({ID: entry("comfyui/completed")[1]})
    late = drive(COMFY.cancel(TICKET), NO_CANCEL_CALL, queue_of(["x"], [ID]), EMPTY, queue_of([], []), done)
    assert not late.result.stopped


def test_one_that_stays_in_the_queue_is_taken_out_twice_at_most() -> None:
    """Whatever the server says then, the history tells whether it ran."""
    waits = queue_of(["x"], [ID])
    went = drive(COMFY.cancel(TICKET), NO_CANCEL_CALL, waits, EMPTY, waits, EMPTY, NOTHING)
    assert paths(went).count(("POST", "/queue")) == 2
    assert went.result.stopped


def test_one_that_is_over_is_not_stopped() -> None:
    """Nothing is sent that could stop another one."""
    went = drive(COMFY.cancel(TICKET), NO_CANCEL_CALL, queue_of(["other"], []))
    assert paths(went)[1:] == [("GET", "/queue")]
    assert not went.result.stopped


def test_a_cancel_that_fails() -> None:
    """A server in trouble has stopped nothing that we know of."""
    with pytest.raises(ProviderError):
        drive(COMFY.cancel(TICKET), sample("comfyui/broken"))


def test_a_delete() -> None:
    """The entry alone goes; one that is not there is not found."""
    id_, _ = entry("comfyui/completed")
    went = drive(COMFY.delete(id_), sample("comfyui/completed"), EMPTY)
    assert paths(went)[-1] == ("POST", "/history")
    assert (went.requests[-1].body, went.result.found) == ({"delete": [id_]}, True)
    assert not drive(COMFY.delete(ID), NOTHING).result.found


def test_a_page_is_no_proof() -> None:
    """The server itself answers with nothing: whatever writes a page has neither deleted nor stopped anything."""
    page = answer("<html>Please log in</html>")
    with pytest.raises(ProtocolError, match="text where an empty answer is expected"):
        drive(COMFY.delete(entry("comfyui/completed")[0]), sample("comfyui/completed"), page)
    with pytest.raises(ProtocolError, match="text where an empty answer is expected"):
        drive(COMFY.cancel(TICKET), NO_CANCEL_CALL, queue_of([ID], []), page)


def test_the_account() -> None:
    """There is none; whether the server is there, and which, is told."""
    went = drive(COMFY.read_account(), sample("comfyui/system_stats"))
    assert paths(went) == [("GET", "/system_stats")]
    assert went.result.raw["system"]["comfyui_version"] == "0.3.64"
    assert (went.result.connection, went.result.user_id) == ("studio", None)
    with pytest.raises(ProtocolError):
        drive(COMFY.read_account(), answer({"hello": "world"}))
