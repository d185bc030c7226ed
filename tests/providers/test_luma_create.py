"""Luma's creates: the body, and what an accepted one says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from providers.drive import answer, names_of, sample, sample_body
from providers.luma_calls import (
    ID,
    KEY,
    LUMA,
    PNG,
    body_of,
    created,
    encoded,
)

from aiogen.errors import (
    InputError,
)
from aiogen.exchange import Quota
from aiogen.models import State
from aiogen.providers import (
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
