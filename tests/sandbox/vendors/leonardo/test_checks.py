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
    price,
)
from aiogen.sandbox.vendors.leonardo.models import MODELS, kind_of

BY_ID = {"image": {"type": "GENERATED", "id": "17f2"}, "strength": "MID"}
BY_URL = {"image": {"type": "URL", "url": "https://example.com/boat.png"}}
INLINE = {"image": {"type": "BASE64", "data": "iVBORw0KGgo"}}
CUT = {"guidances": {"image_reference": [INLINE]}}


def asked(model: str = "lucid-origin", /, **parameters: Any) -> dict[str, Any]:
    """A create on v2."""
    return {"model": model, "parameters": parameters}


def cut_out(**image: Any) -> dict[str, Any]:
    return asked("remove-bg", guidances={"image_reference": [{"image": image}]})


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
        {"prompt": "a", "styleUUID": "111dc692-d470-4eec-b791-3475abac4c46", "contrast": 3.5},
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
        {"model": "recraft-v4", "parameters": {"prompt": "a", "width": 1344, "height": 768, "quantity": 8}},
        {"model": "phoenix-v1.0", "parameters": {"prompt": "a", "seed": 1, "negative_prompt": "b", "mode": "FAST"}},
        {"model": "music-v1", "parameters": {"prompt": "a", "quantity": 4, "duration": 30}},
        {"model": "rodin-v2", "parameters": {"mesh_mode": "Quad", "guidances": {"image_reference": [BY_ID]}}},
        {"model": "kling-3.0", "parameters": {"prompt": "a", "guidances": {"start_frame": [BY_ID]}}},
        {
            "model": "gemini-image-2",
            "parameters": {"prompt": "a", "guidances": {"image_reference": [BY_ID, BY_URL, INLINE]}},
        },
        {"model": "remove-bg", "parameters": {"format": "png", "guidances": {"image_reference": [INLINE]}}},
        {
            "model": "aurora-upscaler-precise",
            "parameters": {"width": 8, "height": 8, "guidances": {"image_reference": [BY_ID]}},
        },
    ],
)
def test_taken_by_v2(body: dict[str, Any]) -> None:
    assert check_v2(body) == body


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, "body must be an object"),
        ({"model": "gemini-image-2", "parameters": {}, "prompt": "a"}, "^prompt is not allowed"),
        ({"parameters": {}}, "model must be one of the available models"),
        ({"model": "foo", "parameters": {"prompt": "a"}}, "model must be one of the available models"),
        ({"model": ["foo"], "parameters": {"prompt": "a"}}, "model must be one of the available models"),
        ({"model": "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3", "parameters": {}}, "model must be one of the available"),
        ({"model": "lucid-origin"}, "parameters is required"),
        (asked(), "parameters.prompt is required"),
        (asked(prompt=7), "parameters.prompt must be a string"),
        (asked(prompt="a", width="wide"), "parameters.width must be a positive integer"),
        (asked(prompt="a", quantity=0), "parameters.quantity must be a positive integer"),
        (asked(prompt="a", quantity=9), "parameters.quantity must not be greater than 8"),
        (asked("kling-2.6", prompt="a", quantity=2), "parameters.quantity must not be greater than 1"),
        (asked("ideogram-v4.0", prompt="a", quantity=5), "parameters.quantity must not be greater than 4"),
        (asked(prompt="a", aspect_ratio="1:1"), "parameters.aspect_ratio is not allowed"),
        (asked(prompt="a", seeed=1), "parameters.seeed is not allowed"),
        (asked(prompt="a", negative_prompt="b"), "parameters.negative_prompt is not allowed"),
        (asked("recraft-v4", prompt="a", seed=1), "parameters.seed is not allowed"),
        (asked("recraft-v4", prompt="a", guidances={}), "parameters.guidances is not allowed"),
        (asked("krea-2-turbo", prompt="a", style_ids=[]), "parameters.style_ids is not allowed"),
        (asked("remove-bg", prompt="a", **CUT), "parameters.prompt is not allowed"),
        (asked("remove-bg", width=8, **CUT), "parameters.width is not allowed"),
        (asked("remove-bg"), "parameters.guidances is required"),
        (asked("aurora-upscaler-precise", prompt="a", **CUT), "parameters.prompt is not allowed"),
        (asked("aurora-upscaler-precise", width=8, height=8), "parameters.guidances is required"),
        (asked("remove-bg", guidances=[INLINE]), "parameters.guidances must be an object"),
        (asked("remove-bg", guidances={"style": [INLINE]}), "guidances.style is not allowed"),
        (asked("remove-bg", guidances={"image_reference": []}), "image_reference must be a non-empty array"),
        (asked("remove-bg", guidances={"image_reference": [INLINE, INLINE]}), "no more than 1 elements"),
        (asked("remove-bg", guidances={"image_reference": ["x"]}), "image_reference.0 must have an image"),
        (asked("remove-bg", guidances={"image_reference": [{"image": "x"}]}), "image_reference.0 must have an image"),
        (cut_out(type="FILE", id="x"), "image.type must be one of: UPLOADED, GENERATED, VARIATION, URL, BASE64"),
        (cut_out(type="UPLOADED"), "image.id is required"),
        (cut_out(type="URL", id="x"), "image.url is required"),
        (cut_out(type="BASE64", data=""), "image.data is required"),
        (cut_out(type="BASE64", data="data:image/png;base64,iVBO"), "image.data must be base64"),
        (cut_out(type="BASE64", data="A" * 10_000_008), "image.data must be base64 of at most"),
    ],
)
def test_refused_by_v2(body: Any, text: str) -> None:
    with pytest.raises(Refusal, match=text):
        check_v2(body)


def test_a_model_that_the_settings_add() -> None:
    """The vendor's list changes every few weeks; what is new takes whatever an image model may take."""
    body = {"model": "kiln-9", "parameters": {"prompt": "a", "seed": 1, "guidances": {"style": [BY_ID]}}}
    assert check_v2(body, also=("kiln-9",)) == body
    with pytest.raises(Refusal, match=r"parameters\.seeed is not allowed"):
        check_v2({"model": "kiln-9", "parameters": {"prompt": "a", "seeed": 1}}, also=("kiln-9",))


def test_how_many_models_of_each_kind() -> None:
    """As they were published in October 2026: the three that take no prompt count as images."""
    kinds = [model.kind for model in MODELS.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"image": 42, "video": 32, "audio": 4, "3d": 1}


def question(service: str = "IMAGE_GENERATION", **params: Any) -> dict[str, Any]:
    return {"service": service, "serviceParams": {service: params}}


@pytest.mark.parametrize(
    ("params", "cost"),
    [
        # the one documented example
        ({"imageHeight": 512, "imageWidth": 512, "numImages": 4, "inferenceSteps": 15, "alchemyMode": False}, 16),
        ({"imageHeight": 512, "imageWidth": 512, "numImages": 4, "inferenceSteps": 15, "alchemyMode": True}, 32),
        ({}, 4),
    ],
)
def test_a_price(params: dict[str, Any], cost: int) -> None:
    assert price(question(**params)) == cost


@pytest.mark.parametrize(
    "body", [None, [], {}, question("IMAGES"), {"service": "IMAGE_GENERATION"}, question(numImages="x")]
)
def test_a_question_without_a_price(body: Any) -> None:
    with pytest.raises(Refusal) as caught:
        price(body)
    assert caught.value.code == "validation-failed"


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
        ("happy-horse", "video"),
        ("grok-imagine-1.5", "video"),
        ("google/gemini-omni-1.1-flash-preview", "video"),
        ("remove-bg", "image"),
        ("music-v1", "audio"),
        ("rodin-v2", "3d"),
        ("what-comes-next", "image"),
    ],
)
def test_kind_is_looked_up(slug: str, kind: str) -> None:
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
        check_v2({"model": "gemini-image-2", "parameters": fields, key: value})
        check_v2({"model": "kling-3.0", "parameters": {"prompt": "a", "guidances": value}})


def test_null_means_the_usual() -> None:
    check_v1({"prompt": "a", "width": None, "height": None, "num_images": None}, uploaded=uploaded)
    check_v2({"model": "kling-3.0", "parameters": {"width": None, "quantity": None, "guidances": None}})
