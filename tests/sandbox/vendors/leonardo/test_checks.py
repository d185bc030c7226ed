"""What Leonardo refuses, with its words."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiogen.sandbox import LeonardoSettings
from aiogen.sandbox.vendors.leonardo.checks import (
    UNSUPPORTED_MODEL,
    Refusal,
    check_account,
    check_v1,
    check_v2,
    kind_of,
)

UNSUPPORTED = "{} is not supported within the Production API. Please try again with a different model ID."
PROMPTLESS = 'expecting a value for non-nullable variable: "prompt"'


def uploaded(upload_id: str) -> bool:
    return upload_id == "known"


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "a boat"},
        {"prompt": "x" * 1500, "num_images": 4, "width": 1536, "height": 32},
        {"prompt": "a", "num_images": 8, "width": 768, "height": 768, "alchemy": True, "presetStyle": "ANIME"},
        {"prompt": "a", "modelId": "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3", "sd_version": "PHOENIX", "photoReal": None},
        {"prompt": "a", "init_image_id": "known", "init_strength": 0.5},
    ],
)
def test_taken_by_v1(body: dict[str, Any]) -> None:
    assert check_v1(body, uploaded=uploaded) == body


@pytest.mark.parametrize(
    ("body", "text", "code"),
    [
        (None, PROMPTLESS, "validation-failed"),
        ({}, PROMPTLESS, "validation-failed"),
        ({"prompt": "a", "sd_Version": "v2"}, "Unexpected variable sd_Version", "bad-request"),
        ({"prompt": "a", "webhookUrl": "https://x"}, "Unexpected variable webhookUrl", "bad-request"),
        (
            {"prompt": "a", "photoReal": "yes"},
            "expected a boolean for type 'Boolean', but found a string",
            "validation-failed",
        ),
        ({"prompt": "x" * 1501}, "Invalid prompt, maximum length of 1500 characters exceeded.", "unexpected"),
        ({"prompt": "a", "width": 500}, "invalid dimensions", "unexpected"),
        ({"prompt": "a", "height": 1544}, "invalid dimensions", "unexpected"),
        ({"prompt": "a", "height": "512"}, "invalid dimensions", "unexpected"),
        ({"prompt": "a", "num_images": 5}, "num_images must be between 1 and 4", "unexpected"),
        (
            {"prompt": "a", "num_images": 9, "width": 512, "height": 512},
            "num_images must be between 1 and 8",
            "unexpected",
        ),
        ({"prompt": "a", "num_images": 0}, "num_images must be between 1 and 4", "unexpected"),
        (
            {"prompt": "a", "modelId": UNSUPPORTED_MODEL},
            UNSUPPORTED.format(UNSUPPORTED_MODEL),
            "unexpected",
        ),
        (
            {"prompt": "a", "modelId": "flux"},
            UNSUPPORTED.format("flux"),
            "unexpected",
        ),
        ({"prompt": "a", "init_image_id": "stranger"}, "invalid init image id", "unexpected"),
    ],
)
def test_refused_by_v1(body: Any, text: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_v1(body, uploaded=uploaded)
    assert (caught.value.text, caught.value.code, caught.value.status) == (text, code, 400)


def test_wrong_type_is_named_by_its_path() -> None:
    with pytest.raises(Refusal) as caught:
        check_v1({"prompt": "a", "photoReal": "yes"}, uploaded=uploaded)
    assert caught.value.path == "$.selectionSet.sdGenerationJob.args.arg1.photoReal"


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gemini-image-2", "parameters": {"prompt": "a"}},
        {"model": "bytedance/seedance-2.5", "public": False, "parameters": {"prompt": "a", "duration": 5}},
        {"model": "recraft-v4", "parameters": {"prompt": "a", "width": 1344, "height": 768, "quantity": 8, "seed": 1}},
        {"model": "remove-bg", "parameters": {}},
    ],
)
def test_taken_by_v2(body: dict[str, Any]) -> None:
    assert check_v2(body) == body


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, "body must be an object"),
        ({"model": "x", "parameters": {}, "prompt": "a"}, "prompt is not allowed"),
        ({"parameters": {}}, "model must be one of the available models"),
        ({"model": "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3", "parameters": {}}, "model must be one of the available"),
        ({"model": "x"}, "parameters is required"),
        ({"model": "x", "parameters": {"prompt": 7}}, "parameters.prompt must be a string"),
        ({"model": "x", "parameters": {"width": "wide"}}, "parameters.width must be a positive integer"),
        ({"model": "x", "parameters": {"quantity": 0}}, "parameters.quantity must be a positive integer"),
        ({"model": "x", "parameters": {"quantity": 9}}, "parameters.quantity must not be greater than 8"),
    ],
)
def test_refused_by_v2(body: Any, text: str) -> None:
    with pytest.raises(Refusal, match=text):
        check_v2(body)


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        ("gemini-image-2", "image"),
        ("bfl/flux-3-image", "image"),
        ("bfl/flux-3-video", "video"),
        ("motion_2.0", "video"),
        ("bytedance/seedance-2.5", "video"),
        ("bytedance/seedream-5.0-flash", "image"),
        ("hailuo-2_3", "video"),
        ("veo-3.1-lite", "video"),
        ("nano-banana-2", "image"),
    ],
)
def test_kind_is_guessed_from_the_slug(slug: str, kind: str) -> None:
    assert kind_of(slug) == kind


def test_account_without_tokens() -> None:
    settings = LeonardoSettings(out_of_tokens=True)
    with pytest.raises(Refusal) as v1:
        check_account(settings, "a", version=1)
    assert (v1.value.status, v1.value.text) == (400, f"not enough api tokens userId: {settings.user_id}")
    with pytest.raises(Refusal) as v2:
        check_account(settings, "a", version=2)
    assert (v2.value.status, v2.value.text) == (402, "Insufficient tokens")


def test_banned_words() -> None:
    settings = LeonardoSettings(banned_words=("rude",))
    check_account(settings, "a boat", version=1)
    with pytest.raises(Refusal, match="content moderation filter: rude"):
        check_account(settings, "a RUDE boat", version=1)


JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just([1])
FIELDS = st.sampled_from(
    ["prompt", "width", "height", "num_images", "quantity", "modelId", "photoReal", "init_image_id"]
)


@pytest.mark.no_cover
@given(st.dictionaries(FIELDS, JSON), st.sampled_from(["model", "public"]), JSON)
def test_no_body_is_too_strange(fields: dict[str, Any], key: str, value: Any) -> None:
    with contextlib.suppress(Refusal):
        check_v1(fields, uploaded=uploaded)
    with contextlib.suppress(Refusal):
        check_v2({"model": "x", "parameters": fields, key: value})


def test_null_means_the_usual() -> None:
    check_v1({"prompt": "a", "width": None, "height": None, "num_images": None}, uploaded=uploaded)
    check_v2({"model": "x", "parameters": {"width": None, "quantity": None}})
