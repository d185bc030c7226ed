"""`aiogen.providers.luma`: our words here, Luma's there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from providers.drive import answer, drive, first_request, names_of, sample, sample_body

from aiogen.errors import (
    APIError,
    AuthenticationError,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ProviderError,
    RateLimited,
    Throttle,
    Unsupported,
)
from aiogen.exchange import Failure, Quota, Response, Snapshot, Submission, Ticket
from aiogen.models import ACTIONS, AccountInfo, Action, FailureCode, State
from aiogen.providers import (
    Capabilities,
    Luma,
    LumaImage,
    LumaImageEdit,
    LumaLayering,
    LumaRequest,
    LumaVideo,
    LumaVideoEdit,
)
from aiogen.providers.luma_request import MAX_REFERENCE_BYTES
from aiogen.references import Reference

KEY = "luma-api-0123456789"
LUMA = Luma(api_key=KEY, name="luma-eu")
ID = "d290f1ee-6c54-4b01-90e6-d701748f0851"
TICKET = Ticket(provider_id=ID)
AUTHORISED = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
NOON = datetime(2026, 4, 8, 12, 0, 41, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"


def encoded(request: LumaRequest) -> Submission:
    return LUMA.encode(request)


def body_of(**fields: Any) -> Any:
    """The body of the create for keywords."""
    fields.setdefault("prompt", "a boat")
    prompt, model = fields.pop("prompt"), fields.pop("model", "uni-1")
    return dict(encoded(LUMA.prepare(model, prompt, fields)).body)


def created(response: Response) -> Any:
    return drive(LUMA.create(encoded(LumaImage(prompt="a boat"))), response).result


def reading(response: Response) -> Snapshot:
    return drive(LUMA.get(TICKET), response).result  # type: ignore[no-any-return]


def reading_of(**changes: Any) -> Snapshot:
    """A reading of a completed generation of which some fields are different."""
    return reading(answer({**sample_body("luma/completed_image"), **changes}))


def complaint(response: Response, verb: str = "create") -> Any:
    """The error that an answer becomes."""
    exchanges = {
        "create": lambda: LUMA.create(encoded(LumaImage(prompt="a boat"))),
        "retrieve": lambda: LUMA.get(TICKET),
        "account": LUMA.read_account,
    }
    with pytest.raises((APIError, ProtocolError)) as caught:
        drive(exchanges[verb](), response)
    return caught.value


# --- what is asked


def test_a_create() -> None:
    """A create is one POST with the body as JSON, and the key in its header alone."""
    request = first_request(LUMA.create(encoded(LumaImage(prompt="a boat"))))
    assert (request.verb, request.method, request.url) == (
        "create", "POST", "https://agents.lumalabs.ai/v1/generations",
    )  # fmt: skip
    assert request.headers == AUTHORISED
    assert request.query == {}
    assert request.body == {"prompt": "a boat", "type": "image", "model": "uni-1"}
    assert KEY not in repr(request)


def test_a_read() -> None:
    """A read is one GET of the generation's own address, without query or body."""
    request = first_request(LUMA.get(TICKET))
    assert (request.verb, request.method, request.url) == (
        "retrieve", "GET", f"https://agents.lumalabs.ai/v1/generations/{ID}",
    )  # fmt: skip
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


def test_a_look_at_the_account() -> None:
    """There is no account call: a generation is asked for that nobody has, which needs the key and no grant."""
    request = first_request(LUMA.read_account())
    assert (request.verb, request.method) == ("retrieve", "GET")
    assert request.url == "https://agents.lumalabs.ai/v1/generations/00000000-0000-0000-0000-000000000000"
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


def test_another_address_keeps_its_path() -> None:
    """Behind a proxy, requests go below the address that was given."""
    luma = Luma(api_key=KEY, base_url="http://127.0.0.1:8000/proxy/v1/")
    assert first_request(luma.get(TICKET)).url == f"http://127.0.0.1:8000/proxy/v1/generations/{ID}"


@pytest.mark.parametrize(
    ("given", "segment"), [(f"  {ID}\n", ID), ("a b", "a%20b"), ("a?b#c", "a%3Fb%23c"), ("a%2fb", "a%252fb")]
)
def test_an_id_stays_one_segment(given: str, segment: str) -> None:
    """No id can lead to another address."""
    url = first_request(LUMA.get(Ticket(provider_id=given))).url
    assert url == f"https://agents.lumalabs.ai/v1/generations/{segment}"


@pytest.mark.parametrize("wrong", ["", "  "])
def test_a_blank_id_is_not_asked_about(wrong: str) -> None:
    """Nothing is sent for a blank id; the text is the known one."""
    with pytest.raises(InputError) as caught:
        first_request(LUMA.get(Ticket(provider_id=wrong)))
    assert str(caught.value) == "Generation ID cannot be empty. Please provide a valid generation ID."


@pytest.mark.parametrize("wrong", ["../files", "a/b", "a\\b", "a\nb", ".."])
def test_a_path_is_no_id(wrong: str) -> None:
    """Nothing is sent for what cannot be an id."""
    with pytest.raises(InputError, match="is not valid: an id has no slashes and no control characters"):
        first_request(LUMA.get(Ticket(provider_id=wrong)))


def test_what_luma_does_not_offer() -> None:
    """There is no list and no delete, and the capabilities say so."""
    assert Luma(api_key="luma-api-0123456789").capabilities == Capabilities(account=True, models=True)
    with pytest.raises(Unsupported, match="Luma has no API call that lists generations"):
        LUMA.list(None, 0, 10)
    with pytest.raises(Unsupported, match="Luma has no API call that deletes a generation"):
        LUMA.delete(ID)


def test_the_documented_limits() -> None:
    """Without other word the limits are the documented ones; only 502 and 503 allow another create."""
    luma = Luma(api_key=KEY)
    assert (luma.name, luma.max_active, luma.creates_per_minute, luma.requests_per_minute) == ("luma", 10, 30, 600)
    assert Luma.facts.resend_statuses == {502, 503}
    assert Luma.facts.sends_request_id
    assert Luma.facts.max_reference_bytes == 50 * 1024 * 1024


def test_how_often_luma_is_asked() -> None:
    """At most every half second, at least every half minute; what was just created may be missing for ten seconds."""
    assert (Luma.facts.poll_floor, Luma.facts.poll_ceiling, Luma.facts.not_found_grace) == (0.5, 30.0, 10.0)


# --- the body of a create


OPTIONS = [
    ({"aspect_ratio": "16:9"}, {"aspect_ratio": "16:9"}),
    ({"style": "manga"}, {"style": "manga"}),
    ({"output_format": "jpeg"}, {"output_format": "jpeg"}),
    ({"web_search": True}, {"web_search": True}),
    ({"web_search": False}, {"web_search": False}),
    ({"user_id": "tenant-7"}, {"user_id": "tenant-7"}),
    ({"model": "uni-1-max"}, {"model": "uni-1-max"}),
    ({"type": "layering", "layering": {"resolution": "2k"}, "source": {"file_id": "f"}},
     {"type": "layering", "layering": {"resolution": "2k"}, "source": {"file_id": "f"}}),
    ({"image_ref": "https://e.com/a.png"}, {"image_ref": [{"url": "https://e.com/a.png"}]}),
    ({"image_ref": ["https://e.com/a.png", {"file_id": "f"}]},
     {"image_ref": [{"url": "https://e.com/a.png"}, {"file_id": "f"}]}),
    ({"source": "https://e.com/a.png"}, {"source": {"url": "https://e.com/a.png"}, "type": "image_edit"}),
    ({"source": {"generation_id": "g"}, "type": "video_edit"},
     {"source": {"generation_id": "g"}, "type": "video_edit"}),
    ({"extra": {"something_new": {"a": [1, None]}}}, {"something_new": {"a": [1, None]}}),
    ({"extra": {"something_new": 1}}, {"something_new": 1}),
    ({"extra": None}, {}),
    ({"aspect_ratio": None, "style": None, "image_ref": None, "source": None, "web_search": None}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "more"), OPTIONS, ids=lambda value: ",".join(value) or "-")
def test_an_option_reaches_the_body(options: dict[str, Any], more: dict[str, Any]) -> None:
    """Each keyword is said in Luma's words, what is in `extra` as it is, and what is None is not said."""
    assert body_of(**options) == {"prompt": "a boat", "type": "image", "model": "uni-1", **more}


REQUESTS = [
    ("request_minimal", LumaImage(prompt="A neon-lit Tokyo alley in the rain"), {"type": "image", "model": "uni-1"}),
    (
        "request_full",
        LumaImage(
            model="uni-1-max",
            prompt="Use the palette of the first reference. A jazz musician in a smoky club.",
            aspect_ratio="2:3",
            style="auto",
            output_format="png",
            web_search=False,
            image_ref=["https://example.com/color-reference.jpg", PNG],
            user_id="tenant-7-user-42",
        ),
        {},
    ),
    (
        "request_edit_url",
        LumaImageEdit(prompt="Change the sky to a dramatic sunset", source="https://example.com/landscape.jpg"),
        {"model": "uni-1"},
    ),
    (
        "request_edit_base64",
        LumaImageEdit(
            prompt="Replace the background with a beach",
            source={"data": "/9j/4AAQSkZJRgABAQ=="},
            output_format="jpeg",
        ),
        {"model": "uni-1"},
    ),
    (
        "request_edit_file_id",
        LumaImageEdit(
            prompt="Remove the logo",
            source=Reference(file_id="11111111-2222-4333-8444-555555555555"),
            image_ref=[{"file_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],
        ),
        {"model": "uni-1"},
    ),
    (
        "request_edit_generation_id",
        LumaImageEdit(prompt="Same scene, warmer light", source=Reference(generation_id=ID)),
        {"model": "uni-1"},
    ),
    (
        "request_layering",
        LumaImage(
            type="layering",
            prompt="separate the cup from the table",
            source="https://example.com/photo.jpg",
            extra={"layering": {"resolution": "1k"}},
        ),
        {},
    ),
    (
        "request_video",
        LumaImage(
            type="video",
            model="ray-3.2",
            prompt="Slow dolly through a misty greenhouse",
            aspect_ratio="16:9",
            extra={
                "video": {
                    "resolution": "720p",
                    "duration": "5s",
                    "start_frame": Reference(url="https://example.com/first.jpg"),
                }
            },
        ),
        {},
    ),
    (
        "request_layering",
        LumaLayering(prompt="separate the cup from the table", source="https://example.com/photo.jpg", resolution="1k"),
        {},
    ),
    (
        "request_video",
        LumaVideo(
            prompt="Slow dolly through a misty greenhouse",
            aspect_ratio="16:9",
            resolution="720p",
            duration="5s",
            start_frame="https://example.com/first.jpg",
        ),
        {},
    ),
    (
        "request_video_edit_url",
        LumaVideoEdit(
            prompt="the same walk, in winter",
            source={"url": "https://media.example.org/walk.mp4", "media_type": "video/mp4"},
            resolution="720p",
            auto_controls=True,
        ),
        {},
    ),
]


@pytest.mark.parametrize(("name", "request_", "said_too"), REQUESTS, ids=[name for name, *_ in REQUESTS])
def test_a_typed_request_is_the_documented_one(name: str, request_: LumaRequest, said_too: dict[str, Any]) -> None:
    """The documented samples come out of typed requests, with type and model always said."""
    assert encoded(request_).body == {**sample_body(f"luma/{name}"), **said_too}


def test_every_sample_of_a_request_is_tried() -> None:
    """No recorded request is left out of the table."""
    assert names_of("luma", "request_") == sorted({f"luma/{name}" for name, *_ in REQUESTS})


def test_bytes_and_paths_in_new_fields() -> None:
    """Bytes and references deep inside fields that this version does not know are written as Luma writes them."""
    body = body_of(type="video", video={"frames": [PNG, Reference(file_id="f")], "n": 1})
    assert body["video"] == {
        "frames": [{"data": "iVBORw0KGgo=", "media_type": "image/png"}, {"file_id": "f"}],
        "n": 1,
    }


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("image_ref", [{"data": "iVBORw0KGgo=", "media_type": "image/png"}]),
        ("source", {"data": "iVBORw0KGgo=", "media_type": "image/png"}),
        ("something_new", {"data": "iVBORw0KGgo=", "media_type": "image/png"}),
    ],
)
def test_a_local_file_is_sent_as_its_bytes(where: str, said: Any) -> None:
    """A path is a reference that is to be read first; once read it is sent, and unread it is an error."""
    given = {where: Path("a.png")}
    request = LUMA.prepare("uni-1", "a boat", {"extra": given} if where == "something_new" else given)
    assert [reference.path for reference in request.references()] == [Path("a.png")]
    with pytest.raises(InputError, match=r"'a\.png' has not been read"):
        encoded(request)
    assert encoded(request.with_files({Path("a.png"): Reference(data=PNG)})).body[where] == said


def test_other_references_stay_when_files_are_read() -> None:
    """Reading files replaces paths alone."""
    request = LumaImageEdit(
        prompt="a boat", source="https://e.com/a.png", image_ref=[{"file_id": "f"}], extra={"x": Reference(file_id="g")}
    )
    assert encoded(request.with_files({})) == encoded(request)


def test_every_reference_is_found() -> None:
    """References are found in their fields and anywhere inside the extra ones, and nothing else is taken for one."""
    request = LumaImage(
        prompt="a boat",
        image_ref=[{"file_id": "1"}, {"file_id": "2"}],
        source={"file_id": "3"},
        extra={"a": [{"b": Reference(file_id="4")}, (Reference(file_id="5"),)], "c": "text", "d": 1},
    )
    assert [reference.file_id for reference in request.references()] == ["1", "2", "3", "4", "5"]


def test_a_path_in_a_new_field_is_found() -> None:
    """A path inside the extra fields of a typed request is a reference too, and is read like any other."""
    request = LumaImage(prompt="a boat", extra={"video": {"start_frame": Path("a.png")}})
    assert [reference.path for reference in request.references()] == [Path("a.png")]
    assert encoded(request.with_files({Path("a.png"): Reference(data=PNG)})).body["video"] == {
        "start_frame": {"data": "iVBORw0KGgo=", "media_type": "image/png"}
    }


def test_a_reference_may_be_as_large_as_luma_takes() -> None:
    """Fifty megabytes pass, one byte more is refused, wherever it stands."""
    largest = Reference(data=bytes(MAX_REFERENCE_BYTES), media_type="image/png")
    LumaImage(prompt="a boat", image_ref=largest)
    larger = Reference(data=bytes(MAX_REFERENCE_BYTES + 1), media_type="image/png")
    for place in ({"image_ref": larger}, {"source": larger}, {"extra": {"x": [larger]}}):
        with pytest.raises(InputError, match="52,428,801 bytes; Luma accepts at most 52,428,800"):
            LumaImage(prompt="a boat", **place)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"prompt": " "}, "The prompt cannot be empty"),
        ({"prompt": None}, "The prompt cannot be empty"),
        ({"model": ""}, "model must not be empty"),
        ({"model": None}, "model must not be empty"),
        ({"type": "  "}, "type must not be empty"),
        ({"type": 5}, "type must not be empty"),
        ({"aspect_ratio": b"16:9"}, r"options\[0\] is a bytes"),
        ({"user_id": float("nan")}, r"options\[4\] is nan"),
        ({"extra": "layering"}, "extra"),
        ({"extra": ["layering"]}, "extra"),
        ({"image_ref": 5}, "A reference must be an https url"),
        ({"source": "http://e.com/a.png"}, "is not https"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_said_is_refused(fields: dict[str, Any], why: str) -> None:
    """Only what no request could carry is refused here, in words that say what would be right."""
    with pytest.raises(InputError, match=why):
        LumaImage(**{"prompt": "a boat", **fields})


def test_what_json_cannot_carry_is_found_in_new_fields() -> None:
    """A field that this version does not know must still be JSON; the error says where it is not."""
    with pytest.raises(InputError, match=r"options\.video\.n is nan"):
        body_of(video={"n": float("nan")})


@pytest.mark.parametrize("prompt", [None, "", 5])
def test_keywords_need_a_prompt(prompt: Any) -> None:
    """Without a prompt there is nothing to prepare."""
    with pytest.raises(InputError, match="The prompt cannot be empty"):
        LUMA.prepare("uni-1", prompt, {})


@pytest.mark.parametrize(
    ("request_", "kind", "weight", "timeout", "median"),
    [
        (LumaImage(prompt="p"), "image", 1, 120.0, 30.0),
        (LumaImageEdit(prompt="p", source={"file_id": "f"}), "image_edit", 1, 120.0, 30.0),
        (LumaImage(prompt="p", model="uni-1-max"), "image", 1, 300.0, 60.0),
        (LumaImageEdit(prompt="p", model="uni-1-max", source={"file_id": "f"}), "image_edit", 3, 300.0, 60.0),
        (LumaImage(prompt="p", type="layering", source={"file_id": "f"}), "layering", 1, 300.0, 30.0),
        (LumaImage(prompt="p", type="video", model="ray-3.2"), "video", 1, 900.0, 90.0),
        (LumaImage(prompt="p", model="uni-9"), "image", 1, 300.0, 40.0),
    ],
)
def test_what_a_create_takes(request_: LumaImage, kind: str, weight: int, timeout: float, median: float) -> None:
    """Kind, weight, deadline and typical duration follow from model and type."""
    submission = encoded(request_)
    assert (submission.kind, submission.weight, submission.timeout) == (kind, weight, timeout)
    assert (submission.typical.median, submission.endpoint, submission.outputs) == (median, "generations", None)
    assert (submission.model, submission.prompt) == (request_.model, "p")


def test_the_users_durations_are_used() -> None:
    """A typical duration given with the connection is what its creates go by."""
    luma = Luma(api_key=KEY, typical_seconds={"uni-1": 7.0})
    assert luma.encode(LumaImage(prompt="p")).typical.median == 7.0


# --- accepted


def test_a_create_is_accepted() -> None:
    """A 201 brings the new id, its state, and what the headers say about the window."""
    accepted = created(sample("luma/created"))
    assert (accepted.snapshot.provider_id, accepted.snapshot.state) == (ID, State.QUEUED)
    assert accepted.quota == Quota(limit=30, remaining=28)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_without_headers_nothing_is_known_of_the_window(status: int) -> None:
    """Any 2xx is an acceptance, and the headers may be missing."""
    assert created(answer(sample_body("luma/created"), status=status)).quota == Quota()


# --- states


def test_queued() -> None:
    """A queued generation has nothing yet."""
    assert reading(sample("luma/queued")) == Snapshot(
        provider_id=ID,
        state=State.QUEUED,
        model="uni-1",
        kind="image",
        created_at=datetime(2026, 4, 8, 12, tzinfo=UTC),
        raw=sample_body("luma/queued"),
    )


def test_processing() -> None:
    """A processing generation is distinguished from a queued one."""
    assert reading(sample("luma/processing")).state is State.PROCESSING


def test_completed() -> None:
    """A completed image has its url, which dies an hour after the answer came."""
    snapshot = reading(sample("luma/completed_image", received_at=NOON.timestamp()))
    (output,) = snapshot.outputs
    assert (snapshot.state, snapshot.failure, snapshot.missing_outputs) == (State.COMPLETED, None, False)
    assert output.kind == "image"
    assert output.url == sample_body("luma/completed_image")["output"][0]["url"]
    assert output.expires_at == datetime(2026, 4, 8, 13, 0, 41, tzinfo=UTC)
    assert output.raw == sample_body("luma/completed_image")["output"][0]


def test_the_url_knows_better_when_it_expires() -> None:
    """An hour is what the documents say; a url of six minutes lives six minutes."""
    url = "https://storage.example/a.png?X-Amz-Date=20260408T120000Z&X-Amz-Expires=360&X-Amz-Signature=ab"
    document = {**sample_body("luma/completed_image"), "output": [{"type": "image", "url": url}]}
    (output,) = reading(answer(document)).outputs
    assert output.expires_at == datetime(2026, 4, 8, 12, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kind", "outputs"),
    [("completed_image_edit", "image_edit", ["image"]), ("completed_video", "video", ["video"])],
)
def test_other_kinds_complete_too(name: str, kind: str, outputs: list[str]) -> None:
    """Edits and videos say what they are."""
    snapshot = reading(sample(f"luma/{name}"))
    assert (snapshot.kind, [output.kind for output in snapshot.outputs]) == (kind, outputs)


def test_layers_are_several_outputs() -> None:
    """Every layer is an output, in the vendor's order, with what the vendor says about it in `raw`."""
    outputs = reading(sample("luma/completed_layering")).outputs
    assert [output.raw["layer"]["label"] for output in outputs] == ["cup", "background"]
    assert len({output.url for output in outputs}) == 2


def test_an_output_of_a_new_kind() -> None:
    """A kind of output that this version does not know is passed on in the vendor's word, and none means an image."""
    snapshot = reading_of(output=[{"type": "exr", "url": "https://a"}, {"url": "https://b", "type": None}])
    assert [(output.kind, output.url) for output in snapshot.outputs] == [("exr", "https://a"), ("image", "https://b")]


@pytest.mark.parametrize("output", [None, [], [{"type": "image"}], [{"type": "image", "url": None}], [{"url": ""}]])
def test_completed_without_a_url_is_hollow(output: Any) -> None:
    """Completed, yet nothing to download: worth asking again before it is believed."""
    snapshot = reading_of(output=output)
    assert (snapshot.state, snapshot.outputs, snapshot.missing_outputs) == (State.COMPLETED, (), True)


def test_completed_without_output_is_hollow() -> None:
    """The field may be missing altogether."""
    assert reading(sample("luma/completed_missing_output")).missing_outputs


def test_only_a_completed_generation_can_be_hollow() -> None:
    """A running or failed generation has no outputs, and nobody misses them."""
    assert not [
        name for name in ("queued", "processing", "failed_null") if reading(sample(f"luma/{name}")).missing_outputs
    ]


def test_an_unknown_state_counts_as_running() -> None:
    """A state word that is new keeps the job going and is shown as the vendor wrote it."""
    snapshot = reading(sample("luma/unknown_state"))
    assert (snapshot.state, snapshot.unknown_state, snapshot.failure) == (State.QUEUED, "moderating", None)
    assert reading(sample("luma/queued")).unknown_state is None


def test_new_fields_stay_in_raw() -> None:
    """A field that this version does not know breaks nothing and can be read in `raw`."""
    snapshot = reading_of(bounds={"w": 1}, output=[{"type": "image", "url": "https://a", "seed": 7}])
    assert snapshot.raw["bounds"] == {"w": 1}
    assert snapshot.outputs[0].raw["seed"] == 7


@pytest.mark.parametrize("field", ["type", "model", "created_at", "failure_code", "failure_reason", "output"])
def test_what_may_be_null_may_be(field: str) -> None:
    """Null where the types allow it, or nothing at all, is no error."""
    document = sample_body("luma/queued")
    assert reading(answer({**document, field: None})).state is State.QUEUED
    del document[field]
    assert reading(answer(document)).state is State.QUEUED


def test_a_time_that_cannot_be_read_is_none() -> None:
    """A creation time in another form loses nothing but itself."""
    assert reading_of(created_at="last tuesday").created_at is None


# --- failures

FAILURES = [
    ("content_moderated", Action.CHANGE_INPUT),
    ("generation_failed", Action.RETRY),
    ("output_not_found", Action.RETRY),
    ("budget_exhausted", Action.ADD_FUNDS),
    ("image_too_large", Action.CHANGE_INPUT),
    ("unsupported_format", Action.CHANGE_INPUT),
    ("corrupt_input", Action.CHANGE_INPUT),
    ("invalid_request", Action.CHANGE_INPUT),
    ("rate_limited", Action.WAIT),
]


@pytest.mark.parametrize(("code", "action"), FAILURES)
def test_each_failure_code(code: str, action: Action) -> None:
    """Each of the nine codes is ours of the same name, with the vendor's reason, and leads to the action that helps."""
    snapshot = reading(sample(f"luma/failed_{code}"))
    reason = sample_body(f"luma/failed_{code}")["failure_reason"]
    assert snapshot.state is State.FAILED
    refunded = code in (
        "content_moderated",
        "generation_failed",
        "output_not_found",
    )  # as documented; of others unknown
    assert snapshot.failure == Failure(code=FailureCode(code), reason=reason, vendor_code=code, refunded=refunded)
    assert ACTIONS[snapshot.failure.code] is action


def test_every_sample_of_a_failure_is_tried() -> None:
    """No recorded failure is left out."""
    assert names_of("luma", "failed_") == sorted(f"luma/failed_{code}" for code in [*dict(FAILURES), "null"])


def test_a_failure_without_a_code() -> None:
    """A null code is unknown, nothing is known to help, and the reason is kept."""
    failure = reading(sample("luma/failed_null")).failure
    assert failure == Failure(code=FailureCode.UNKNOWN, reason="Generation failed")
    assert ACTIONS[failure.code] is Action.GIVE_UP


@pytest.mark.parametrize("word", ["cosmic_ray", "auth", "unknown", ""])
def test_a_failure_code_that_is_new(word: str) -> None:
    """A code that is not Luma's is unknown here, and kept as it was written."""
    failure = reading_of(state="failed", failure_code=word, failure_reason=None).failure
    assert failure == Failure(code=FailureCode.UNKNOWN, vendor_code=word)


def test_only_a_failed_generation_has_a_failure() -> None:
    """A code beside a state that is not failed is not believed."""
    assert reading_of(failure_code="generation_failed").failure is None


# --- refusals

REFUSALS = [
    ("400_aspect_ratio", InvalidRequest, "invalid_request", "change_input"),
    ("400_media_type", InvalidRequest, "invalid_request", "change_input"),
    ("400_prompt_length", InvalidRequest, "invalid_request", "change_input"),
    ("400_reference_both", InvalidRequest, "invalid_request", "change_input"),
    ("400_reference_neither", InvalidRequest, "invalid_request", "change_input"),
    ("400_source_missing", InvalidRequest, "invalid_request", "change_input"),
    ("400_source_refused", InvalidRequest, "invalid_request", "change_input"),
    ("400_too_many_references", InvalidRequest, "invalid_request", "change_input"),
    ("400_type", InvalidRequest, "invalid_request", "change_input"),
    ("400_unknown_model", InvalidRequest, "invalid_request", "change_input"),
    ("401_expired", AuthenticationError, "auth", "fix_key"),
    ("401_invalid", AuthenticationError, "auth", "fix_key"),
    ("401_missing", AuthenticationError, "auth", "fix_key"),
    ("401_revoked", AuthenticationError, "auth", "fix_key"),
    ("402", InsufficientFunds, "budget_exhausted", "add_funds"),
    ("403_deactivated", AuthenticationError, "auth", "fix_key"),
    ("403_suspended", AuthenticationError, "auth", "fix_key"),
    ("404", NotFound, "not_found", "give_up"),
    ("413_image", InvalidRequest, "image_too_large", "change_input"),
    ("413_source", InvalidRequest, "image_too_large", "change_input"),
    ("422_base64", InvalidRequest, "invalid_request", "change_input"),
    ("422_content_type", InvalidRequest, "invalid_request", "change_input"),
    ("422_fetch", InvalidRequest, "invalid_request", "change_input"),
    ("422_fetch_404", InvalidRequest, "invalid_request", "change_input"),
    ("502_fetch_proxy", ProviderError, "provider_error", "wait"),
    ("502_upstream", ProviderError, "provider_error", "wait"),
    ("503_ingestion", ProviderError, "provider_error", "wait"),
]


@pytest.mark.parametrize("verb", ["create", "retrieve"])
@pytest.mark.parametrize(("name", "cls", "code", "action"), REFUSALS, ids=[name for name, *_ in REFUSALS])
def test_each_refusal(name: str, cls: type[APIError], code: str, action: str, verb: str) -> None:
    """Each documented refusal is its kind of error, with status, code, action and the vendor's words."""
    response, detail = sample(f"luma/error_{name}"), sample_body(f"luma/error_{name}")["detail"]
    error = complaint(response, verb)
    assert type(error) is cls
    assert (error.code, error.action, error.status, error.details) == (code, action, response.status, detail)
    assert str(error) == f"Failed to {verb} generation. API error {response.status}: {detail}"
    assert (error.provider, error.connection) == ("luma", "luma-eu")
    assert error.request_id == "550e8400-e29b-41d4-a716-446655440000"


def test_every_sample_of_a_refusal_is_tried() -> None:
    """No recorded refusal is left out; two have their own tests."""
    tried = [*(name for name, *_ in REFUSALS), "422_listed", "502_html"]
    assert names_of("luma", "error_") == sorted(f"luma/error_{name}" for name in tried)


def test_a_refusal_in_a_list() -> None:
    """A list of complaints is said on one line, each with its place."""
    assert str(complaint(sample("luma/error_422_listed"))) == (
        "Failed to create generation. API error 422: body.prompt: Field required"
    )


def test_a_page_of_the_networks_edge() -> None:
    """HTML with a 502 is an error of the provider, and its page is quoted shortly."""
    error = complaint(sample("luma/error_502_html"))
    assert type(error) is ProviderError
    assert str(error) == (
        "Failed to create generation. API error 502: HTML page: <html><body>502 Bad Gateway</body></html> "
        "(the answer is not Luma's own: something in between sent it)"
    )


DETAILS = [
    (
        {"detail": [{"loc": ["body", 0], "msg": "bad"}, {"loc": [], "msg": "worse"}, "text"]},
        "body.0: bad; : worse; text",
    ),
    ({"detail": [{"msg": "bad"}]}, ": bad"),
    ({"detail": []}, "{'detail': []}"),
    ({"detail": {"a": 1}}, "{'a': 1}"),
    ({"detail": 5}, "5"),
    ({"detail": None}, "{'detail': None}"),
    ({"message": "no"}, "{'message': 'no'}"),
    (["no", 5], "['no', 5]"),
    ("no", "no"),
    (5, "5"),
    ({"detail": "two\n  lines"}, "two lines"),
]


@pytest.mark.parametrize(("document", "details"), DETAILS, ids=lambda value: repr(value)[:40])
def test_a_refusal_in_another_shape(document: Any, details: str) -> None:
    """Whatever shape the words of a refusal come in, they are shown, and nothing breaks."""
    assert complaint(answer(document, status=422)).details == details


@pytest.mark.parametrize("loc", ["body", 5, None])
def test_a_place_in_another_shape(loc: Any) -> None:
    """A complaint whose place is not a list is still shown, with its place."""
    error = complaint(answer({"detail": [{"loc": loc, "msg": "bad"}]}, status=422))
    assert type(error) is InvalidRequest
    assert "bad" in error.details
    assert loc is None or str(loc) in error.details


def test_a_long_refusal_is_cut() -> None:
    """The words of a refusal never fill a page."""
    assert len(complaint(answer({"detail": "x" * 10_000}, status=400)).details) == 500
    assert len(complaint(answer({"detail": ["x" * 10_000]}, status=400)).details) == 500
    assert len(complaint(answer({"detail": {"x": "x" * 10_000}}, status=400)).details) == 500


def test_an_empty_refusal() -> None:
    """A refusal without a body is reported by its status."""
    assert complaint(answer(b"", status=500)).message.startswith(
        "Failed to create generation. API error 500: (empty body) (the answer is not Luma's own"
    )


@pytest.mark.parametrize(
    "body",
    ["<html>Forbidden</html>", "", "Forbidden", {"message": "Forbidden"}, ["no"], {"detail": "Forbidden"},
     {"detail": None}, {"detail": ""}, {"detail": []}, {"detail": {}}, {"detail": False}],
)  # fmt: skip
@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_the_api_did_not_say_blames_no_key(status: int, body: Any) -> None:
    """A refusal that has not the API's own shape says nothing about the key or the balance."""
    error = complaint(answer(body, status=status), "retrieve")
    assert (type(error), error.code, error.status) == (ProviderError, FailureCode.PROVIDER_ERROR, status)
    assert not error.from_api


@pytest.mark.parametrize("detail", ["no", ["no"], {"why": "no"}])
def test_a_403_of_the_api_is_about_the_key(detail: Any) -> None:
    """A 403 in the API's own JSON is about the key, whatever shape its words have."""
    assert type(complaint(answer({"detail": detail}, status=403), "retrieve")) is AuthenticationError


@pytest.mark.parametrize(
    ("status", "cls"), [(400, InvalidRequest), (404, NotFound), (500, ProviderError), (504, ProviderError)]
)
def test_other_pages_count_by_their_status(status: int, cls: type[APIError]) -> None:
    """Any other refusal that is no JSON goes by its status."""
    assert type(complaint(answer("<html>", status=status))) is cls


# --- three kinds of 429

THROTTLES = [
    ("429_creates", Throttle.CREATES, 12.0),
    ("429_concurrency", Throttle.CONCURRENCY, 60.0),
    ("429_concurrency_weights", Throttle.CONCURRENCY, None),
    ("429_concurrency_limit", Throttle.CONCURRENCY, None),
    ("429_account", Throttle.ACCOUNT, 30.0),
]


@pytest.mark.parametrize(("name", "throttle", "wait"), THROTTLES, ids=[name for name, *_ in THROTTLES])
def test_each_429_of_a_create(name: str, throttle: Throttle, wait: float | None) -> None:
    """Each recorded 429 says which limit it speaks of and how long to wait, in the known text."""
    error = complaint(sample(f"luma/{name}"))
    assert type(error) is RateLimited
    assert (error.throttle, error.retry_after, error.status, error.action) == (throttle, wait, 429, Action.WAIT)
    assert str(error) == f"Failed to create generation. API error 429: {sample_body(f'luma/{name}')['detail']}"


@pytest.mark.parametrize("name", names_of("luma", "429_"))
def test_a_429_of_a_read_is_the_abuse_ceiling(name: str) -> None:
    """Reads are outside the limits of creates, so a refused read slows everything, whatever its words."""
    assert complaint(sample(name), "retrieve").throttle is Throttle.ACCOUNT


@pytest.mark.parametrize(
    ("detail", "headers", "throttle"),
    [
        ("CONCURRENCY reached", {"X-RateLimit-Remaining": "0"}, Throttle.CONCURRENCY),
        ("Rate Limit hit", {"Retry-After": "60"}, Throttle.CREATES),
        ("slow down", {"X-RateLimit-Remaining": "3"}, Throttle.CREATES),
        ("slow down", {"Retry-After": "60"}, Throttle.CONCURRENCY),
        ("slow down", {"Retry-After": "59"}, Throttle.ACCOUNT),
        ("slow down", {}, Throttle.ACCOUNT),
        (["concurrent"], {}, Throttle.CONCURRENCY),
    ],
)
def test_words_before_headers(detail: Any, headers: dict[str, str], throttle: Throttle) -> None:
    """Words drift: first "concurren", then "rate limit" or its header, then a minute's wait, else the account."""
    assert complaint(answer({"detail": detail}, status=429, headers=headers)).throttle is throttle


@pytest.mark.parametrize("body", ["<html>Too Many Requests</html>", ""])
def test_a_429_without_json(body: str) -> None:
    """A 429 of the network's edge slows the account."""
    error = complaint(answer(body, status=429))
    assert (type(error), error.throttle) == (RateLimited, Throttle.ACCOUNT)


# --- answers that cannot be read

UNREADABLE = [
    ("<html><body>hello</body></html>", "HTML that is not JSON", "$"),
    ('{"id": "d290f1', "text that is not JSON", "$"),
    ("", "an empty body", "$"),
    ("null", "a NoneType instead of an object", "$"),
    ([], "a list instead of an object", "$"),
    ([{"id": ID, "state": "queued"}], "a list instead of an object", "$"),
    ('"queued"', "a str instead of an object", "$"),
    ({"state": "queued"}, "required field missing", "$.id"),
    ({"id": ID}, "required field missing", "$.state"),
    ({"id": 5, "state": "queued"}, "expected str", "$.id"),
    ({"id": "  ", "state": "queued"}, "an empty id", "$.id"),
    ({"id": ID, "state": None}, "expected str", "$.state"),
    ({"id": ID, "state": ["queued"]}, "expected str", "$.state"),
    ({"id": ID, "state": "completed", "output": 5}, "cannot read", "$.output"),
    ({"id": ID, "state": "completed", "output": [None]}, "cannot read", "$.output"),
    ({"id": ID, "state": "completed", "output": [{}, {"url": 5}]}, "cannot read", "$.output"),
]


def names_a_job(body: Any) -> bool:
    return isinstance(body, dict) and body.get("id") == ID


@pytest.mark.parametrize(
    ("body", "what", "path", "verb"),
    [(*case, verb) for case in UNREADABLE for verb in ("create", "retrieve")[names_a_job(case[0]) :]],
)
def test_an_answer_that_cannot_be_read(body: Any, what: str, path: str, verb: str) -> None:
    """A 2xx with anything but a generation is an error that names what came, where, and with which status."""
    error = complaint(answer(body, status=203), verb)
    assert type(error) is ProtocolError
    assert (error.status, error.path) == (203, path)
    assert f"Cannot read the answer to {verb!r}: HTTP 203 with " in str(error)
    assert what in str(error)


@pytest.mark.parametrize("body", [body for body, *_ in UNREADABLE if names_a_job(body)])
def test_a_create_that_names_a_job_has_taken_it(body: Any) -> None:
    """Whatever else is wrong with the answer: it runs and is paid for, and the next reading says the rest."""
    snapshot = created(answer(body, status=203)).snapshot
    assert snapshot == Snapshot(provider_id=ID, state=State.QUEUED, kind="image")


@pytest.mark.parametrize("name", ["a/b", "..", "x" * 257, "\ud800", "\n\x00"])
def test_a_create_that_names_what_is_no_id(name: str) -> None:
    """Nobody could ask about it: whether something runs is not known."""
    error = complaint(answer({"id": name, "state": "queued"}, status=201))
    assert (type(error), error.path) == (ProtocolError, "$.id")


@pytest.mark.parametrize(
    "output",
    [["https://a"], "https://a", [["https://a"]], {"0": {"url": "https://a"}}, [{"url": {"a": 1}}], [{}, None]],
)
def test_outputs_in_another_shape(output: Any) -> None:
    """Outputs that are not a list of objects are an answer that cannot be read, at `$.output`."""
    error = complaint(answer({"id": ID, "state": "completed", "output": output}), "retrieve")
    assert type(error) is ProtocolError
    assert error.path.startswith("$.output")


@pytest.mark.parametrize("value", [5, True, {}, [], ["x"], None, 1.5], ids=repr)
@pytest.mark.parametrize("name", ["created_at", "model", "type", "failure_code", "failure_reason", "style", "video"])
def test_a_field_that_nobody_needs_hides_no_picture(name: str, value: Any) -> None:
    """Whatever type it has: the picture is there, and the whole answer is kept."""
    given = {"id": ID, "state": "completed", "output": [{"type": "image", "url": "https://a"}], name: value}
    snapshot = reading(answer(given))
    assert (snapshot.state, [output.url for output in snapshot.outputs]) == (State.COMPLETED, ["https://a"])
    assert snapshot.raw == given


@pytest.mark.parametrize("value", [5, {}, ["x"]], ids=repr)
def test_a_failure_whose_words_cannot_be_read_is_a_failure(value: Any) -> None:
    """It has ended all the same."""
    snapshot = reading(answer({"id": ID, "state": "failed", "failure_code": value, "failure_reason": value}))
    assert (snapshot.state, snapshot.failure.code, snapshot.failure.reason) == ("failed", FailureCode.UNKNOWN, None)


@pytest.mark.parametrize("odd", [None, 5, "https://a", [], {"type": "image"}, {"url": 5}], ids=repr)
def test_an_odd_element_beside_good_outputs(odd: Any) -> None:
    """The good ones count, and that something is missing is said."""
    given = {"id": ID, "state": "completed", "output": [{"url": "https://a"}, odd, {"type": 5, "url": "https://b"}]}
    snapshot = reading(answer(given))
    assert [(output.kind, output.url) for output in snapshot.outputs] == [
        ("image", "https://a"),
        ("image", "https://b"),
    ]
    assert snapshot.warnings == ("1 of 3 outputs could not be read; raw has what the vendor sent",)


def test_one_output_that_is_not_in_a_list() -> None:
    """A list of one, written as what it holds."""
    snapshot = reading(answer({"id": ID, "state": "completed", "output": {"url": "https://a"}}))
    assert ([output.url for output in snapshot.outputs], snapshot.warnings) == (["https://a"], ())


@pytest.mark.parametrize("verb", ["create", "retrieve", "account"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, verb: str) -> None:
    """A redirect would carry the key to another host, so it is an answer that cannot be used."""
    error = complaint(answer("", status=status, headers={"Location": "https://elsewhere"}), verb)
    assert type(error) is ProtocolError
    assert "a redirect, which is not followed because the request contains the key" in str(error)


# --- the account


def test_a_key_that_works() -> None:
    """Whoever has a good key is told that there is no such generation; more is not known of the account."""
    assert drive(LUMA.read_account(), sample("luma/error_404")).result == AccountInfo(
        provider="luma", connection="luma-eu"
    )


def test_a_key_that_finds_something_works() -> None:
    """Should that id ever be somebody's, it is a generation that is answered, and the key is good all the same."""
    assert drive(LUMA.read_account(), sample("luma/queued")).result.connection == "luma-eu"


@pytest.mark.parametrize("body", [{"detail": "Not Found"}, "<html>Not Found</html>", "", {"error": "no such route"}])
def test_a_404_of_somebody_else_is_no_proof(body: Any) -> None:
    """A server without this route says nothing about the key."""
    assert type(complaint(answer(body, status=404), "account")) is NotFound


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("error_401_invalid", AuthenticationError),
        ("error_402", InsufficientFunds),
        ("error_403_suspended", AuthenticationError),
        ("error_403_deactivated", AuthenticationError),
        ("429_account", RateLimited),
        ("error_502_html", ProviderError),
    ],
)
def test_a_key_that_does_not_work(name: str, cls: type[APIError]) -> None:
    """A refusal of the key, of the client, or of every client is reported."""
    assert type(complaint(sample(f"luma/{name}"), "account")) is cls


@pytest.mark.parametrize("body", ["<html>Sign in to the hotel's network</html>", "", '{"data": ['])
def test_a_page_in_between_is_no_proof(body: str) -> None:
    """A 200 that is not the API's answer does not show that the key works."""
    assert type(complaint(answer(body), "account")) is ProtocolError


def test_no_answer_is_changed_on_the_way() -> None:
    """`raw` is the vendor's whole answer."""
    assert reading(sample("luma/completed_layering")).raw == sample_body("luma/completed_layering")


def test_requests_are_values() -> None:
    """A typed request cannot be changed, and shows no prompt."""
    request = LumaImage(prompt="a private matter")
    assert "private" not in repr(request)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.prompt = "x"  # type: ignore[misc]
