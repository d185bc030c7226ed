"""What Luma refuses, with its words."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiogen.sandbox.vendors.luma import checks
from aiogen.sandbox.vendors.luma.checks import REFERENCE_KEYS, check_create, fetched_urls
from aiogen.sandbox.vendors.luma.refusals import Refusal

URL = {"url": "https://example.com/a.jpg"}
DATA = {"data": "iVBORw0KGgo=", "media_type": "image/png"}


CLIP = {"url": "https://example.com/a.mp4", "media_type": "video/mp4"}
POSITION = {"x_norm": -2, "y_norm": 0.5, "w_norm": 1, "h_norm": 2}
VIDEO = {"type": "video", "model": "ray-3.2"}


def usable(key: str, value: str) -> bool:
    return value == "known"


def check(**body: Any) -> None:
    check_create({"prompt": "a boat", **body}, usable)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": "x" * 6000},
        {"model": "uni-1-max", "aspect_ratio": "2:3", "style": "auto", "output_format": "png", "web_search": False},
        {"style": "manga", "aspect_ratio": "9:16"},
        {"image_ref": [URL, DATA, {"generation_id": "known"}, {"file_id": "known"}]},
        {"image_ref": [URL] * 9, "user_id": "tenant-7"},
        {"type": "image_edit", "source": DATA, "image_ref": [URL] * 8},
        {"type": "layering", "source": URL, "layering": {"resolution": "1k"}},
        {"type": "video", "model": "ray-3.2", "aspect_ratio": "16:9", "video": {"duration": "5s", "start_frame": URL}},
        {"type": "video_edit", "model": "ray-3.2", "source": CLIP},
        {
            "type": "video_edit",
            "model": "ray-3.2",
            "source": {"file_id": "known"},
            "video": {
                "hdr": True,
                "exr_export": True,
                "edit": {"strength": "flex_2", "keyframes": [URL], "keyframe_indexes": [400]},
            },
        },
        {"type": "video_reframe", "model": "ray-3.2", "source": CLIP, "video": {"source_position": POSITION}},
        {
            "type": "video",
            "model": "ray-3.2",
            "video": {"duration": "10s", "keyframes": [URL, DATA], "keyframe_indexes": [0, 240]},
        },
        {"aspect_ratio": None, "output_format": None, "source": None, "image_ref": None},
    ],
)
def test_taken(body: dict[str, Any]) -> None:
    """What the documents allow raises no refusal."""
    check(**body)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"model": "super-model-v9"}, 400, "Unknown model: super-model-v9"),
        ({"type": "video"}, 400, "Type 'video' is not supported for model 'uni-1'"),
        (
            {"aspect_ratio": "4:3"},
            400,
            "Invalid aspect_ratio '4:3'. Valid: 1:1, 1:2, 1:3, 16:9, 2:1, 2:3, 3:1, 3:2, 9:16",
        ),
        (
            {"type": "video", "model": "ray-3.2", "aspect_ratio": "3:1"},
            400,
            "Invalid aspect_ratio '3:1'. Valid: 16:9, 1:1, 21:9, 3:4, 4:3, 9:16",
        ),
        ({"style": "manga", "aspect_ratio": "16:9"}, 400, "Invalid aspect_ratio '16:9'. Valid: 1:2, 1:3, 2:3, 9:16"),
        ({"style": "cubism"}, 400, "Invalid style 'cubism'. Valid: auto, manga"),
        ({"output_format": "gif"}, 400, "Invalid output_format 'gif'. Valid: jpeg, png"),
        ({"prompt": ""}, 400, "Prompt must be between 1 and 6000 characters"),
        ({"prompt": None}, 400, "Prompt must be between 1 and 6000 characters"),
        ({"prompt": "x" * 6001}, 400, "Prompt must be between 1 and 6000 characters"),
        (
            {"type": "layering", "source": URL, "prompt": "x" * 501},
            400,
            "Prompt must be between 1 and 500 characters",
        ),
        ({"image_ref": [{**URL, **DATA}]}, 400, "image_ref[0]: provide either 'url' or 'data', not both"),
        ({"image_ref": [URL, {}]}, 400, "image_ref[1]: provide either 'url' or 'data', not neither"),
        ({"image_ref": ["x"]}, 400, "image_ref[0]: must be an object"),
        ({"image_ref": "x"}, 400, "image_ref must be a list"),
        ({"image_ref": [URL] * 10}, 400, "image supports up to 9 reference images"),
        (
            {"type": "image_edit", "source": URL, "image_ref": [URL] * 9},
            400,
            "image_edit supports up to 8 reference images (source occupies one slot)",
        ),
        ({"source": URL}, 400, "source is only valid for type 'image_edit'"),
        ({"type": "image_edit"}, 400, "source is required for type 'image_edit'"),
        ({"image_ref": [{"data": "aGk="}]}, 400, "image_ref[0]: 'media_type' is required with 'data'"),
        ({"image_ref": [{**DATA, "data": "%%%"}]}, 422, "image_ref[0]: invalid base64 data"),
        ({"image_ref": [{"url": "http://example.com/a.jpg"}]}, 422, "image_ref[0]: failed to fetch URL"),
        ({"image_ref": [{"url": "https://127.0.0.1/a.jpg"}]}, 422, "image_ref[0]: failed to fetch URL"),
        ({"image_ref": [{"url": "https://localhost/a.jpg"}]}, 422, "image_ref[0]: failed to fetch URL"),
        ({"image_ref": [{"url": "https://nas.local/a.jpg"}]}, 422, "image_ref[0]: failed to fetch URL"),
        ({"image_ref": [{"url": "https://10.0.0.8/a.jpg"}]}, 422, "image_ref[0]: failed to fetch URL"),
        (
            {"type": "image_edit", "source": {"url": "https://example.com/status/404"}},
            422,
            "source: failed to fetch URL (HTTP 404)",
        ),
        ({"image_ref": [{"url": "https://example.com/a.html"}]}, 422, "image_ref[0]: content-type is not an image"),
        ({"image_ref": [{"file_id": "stranger"}]}, 400, "image_ref[0]: file_id stranger not found or not ready"),
        (
            {"type": "video", "model": "ray-3.2", "video": {"end_frame": {}}},
            400,
            "video.end_frame: provide either 'url' or 'data', not neither",
        ),
        *(
            (
                {"type": kind, "model": "ray-3.2", "source": source},
                400,
                f"source: 'media_type' is required with 'url' for type '{kind}'",
            )
            for kind in ("video_edit", "video_reframe")
            for source in (URL, {**CLIP, "media_type": "image/png"})
        ),
        (
            {"type": "layering", "source": URL, "layering": {"resolution": "4k"}},
            400,
            "Invalid layering.resolution. Valid: 1k, 2k",
        ),
        ({**VIDEO, "video": []}, 400, "video must be an object"),
        ({**VIDEO, "video": {"duration": "9s"}}, 400, "Invalid video.duration '9s'. Valid: 5s, 10s"),
        ({**VIDEO, "video": {"loop": True, "duration": "10s"}}, 400, "video.loop is not supported with duration '10s'"),
        ({**VIDEO, "video": {"loop": True, "hdr": True}}, 400, "video.loop is not supported with hdr"),
        ({**VIDEO, "video": {"exr_export": True}}, 400, "video.exr_export requires hdr"),
        (
            {**VIDEO, "video": {"hdr": True, "resolution": "360p"}},
            400,
            "video.hdr is not supported with resolution '360p'",
        ),
        (
            {**VIDEO, "type": "video_reframe", "source": CLIP, "video": {"hdr": True}},
            400,
            "video.hdr is not supported for type 'video_reframe'",
        ),
        (
            {**VIDEO, "video": {"keyframes": [URL], "keyframe_indexes": [0], "loop": True, "end_frame": URL}},
            400,
            "video.keyframes cannot be combined with end_frame, loop",
        ),
        (
            {**VIDEO, "video": {"keyframes": [URL]}},
            400,
            "video.keyframes and video.keyframe_indexes must have the same length",
        ),
        (
            {**VIDEO, "video": {"keyframes": [URL] * 65, "keyframe_indexes": [*range(65)]}},
            400,
            "video.keyframes supports up to 64 images",
        ),
        (
            {**VIDEO, "video": {"keyframes": [URL], "keyframe_indexes": [121], "duration": "5s"}},
            400,
            "video.keyframe_indexes[0]: invalid index 121",
        ),
        (
            {**VIDEO, "video": {"keyframes": [URL] * 2, "keyframe_indexes": [3, 3]}},
            400,
            "video.keyframe_indexes[1]: invalid index 3",
        ),
        (
            {**VIDEO, "video": {"keyframes": [{}], "keyframe_indexes": [0]}},
            400,
            "video.keyframes[0]: provide either 'url' or 'data', not neither",
        ),
        ({**VIDEO, "video": {"edit": {}}}, 400, "video.edit is only valid for type 'video_edit'"),
        (
            {**VIDEO, "video": {"source_position": POSITION}},
            400,
            "video.source_position is only valid for type 'video_reframe'",
        ),
        (
            {**VIDEO, "type": "video_reframe", "source": CLIP, "video": {"source_position": {**POSITION, "w_norm": 0}}},
            400,
            "video.source_position.w_norm: invalid value",
        ),
        (
            {**VIDEO, "type": "video_edit", "source": CLIP, "video": {"edit": {"strength": "wild"}}},
            400,
            "Invalid video.edit.strength 'wild'. Valid: adhere_1, adhere_2, adhere_3, flex_1, flex_2, flex_3, "
            "reimagine_1, reimagine_2, reimagine_3",
        ),
    ],
)
def test_refused(body: dict[str, Any], status: int, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(**body)
    assert (caught.value.status, caught.value.text) == (status, text)


def test_too_large_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LARGEST_IMAGE", 10)
    with pytest.raises(Refusal) as caught:
        check(type="image_edit", source={"data": base64.b64encode(b"x" * 11).decode(), "media_type": "image/png"})
    assert (caught.value.status, caught.value.text) == (413, "source: image exceeds 50 MB limit")


def test_counts_what_is_to_be_fetched() -> None:
    assert fetched_urls({"prompt": "x"}) == 0
    assert fetched_urls({"source": URL, "image_ref": [URL, DATA, "nonsense", {"file_id": "f"}]}) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(REFERENCE_KEYS), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ("prompt", "type", "model", "aspect_ratio", "style", "output_format", "image_ref", "source", "video")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_body_is_too_strange(body: dict[str, Any]) -> None:
    with contextlib.suppress(Refusal):
        check_create(body, usable)
    assert fetched_urls(body) >= 0


IN_VIDEOS = ("duration", "resolution", "keyframes", "keyframe_indexes", "edit", "source_position", "loop", "x_norm")
VIDEO_JSON = st.recursive(
    st.none() | st.integers(-1, 2) | st.sampled_from(["5s", "flex_1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(IN_VIDEOS), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["video", "video_edit", "video_reframe"]), VIDEO_JSON)
def test_no_video_is_too_strange(kind: str, video: Any) -> None:
    with contextlib.suppress(Refusal):
        check(type=kind, model="ray-3.2", source=None if kind == "video" else {"file_id": "known"}, video=video)
