"""`aiogen.providers.comfyui`: our words here, ComfyUI's there.

The samples are answers of a server of version 0.3.64, which ran on a CPU and without any model.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from providers.comfyui_calls import (
    CHECKPOINT,
    COMFY,
    ID,
    NO_SUCH_CALL,
    NOTHING,
    PNG,
    TICKET,
    complaint,
    created,
    encoded,
    ending,
    entry,
    reading,
)
from providers.drive import answer, drive, first_request, names_of, sample, sample_body

from aiogen.errors import (
    ConfigurationError,
    InputError,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ProviderError,
)
from aiogen.exchange import Response, Snapshot, Ticket
from aiogen.models import Action, FailureCode, State
from aiogen.providers import Capabilities, ComfyUI

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
