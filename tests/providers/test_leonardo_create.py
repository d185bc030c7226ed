"""Leonardo's creates: the body, and what an accepted one says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from providers.drive import answer, names_of, sample, sample_body
from providers.leonardo_calls import (
    ID,
    KEY,
    LEONARDO,
    PHOENIX,
    V6,
    body_of,
    complaint,
    created,
    encoded,
)

from aiogen._limits.retry import Verdict, judge_create
from aiogen.errors import (
    InputError,
    ProtocolError,
)
from aiogen.models import Cost, State
from aiogen.providers import Leonardo, LeonardoImage

# --- the body of a create


def test_the_least_on_v2() -> None:
    """On v2 the prompt is a parameter, one picture is asked for, and it is not public."""
    assert body_of("gemini-image-2") == {
        "model": "gemini-image-2",
        "public": False,
        "parameters": {"prompt": "a boat", "quantity": 1},
    }


def test_the_least_on_v1() -> None:
    """On v1 all fields are side by side; one picture is asked for, because the default is four."""
    assert body_of(PHOENIX) == {"modelId": PHOENIX, "public": False, "prompt": "a boat", "num_images": 1}


OPTIONS = [
    ({"width": 1024, "height": 768}, {"width": 1024, "height": 768}, {"width": 1024, "height": 768}),
    ({"num_images": 4}, {"quantity": 4}, {"num_images": 4}),
    ({"n": 3}, {"quantity": 3}, {"num_images": 3}),
    ({"quantity": 2}, {"quantity": 2}, {"num_images": 2}),
    ({"num_images": 4, "n": 2}, {"quantity": 4}, {"num_images": 4}),
    ({"num_images": None, "n": None}, {"quantity": 1}, {"num_images": 1}),
    ({"seed": 9999999998}, {"seed": 9999999998}, {"seed": 9999999998}),
    ({"seed": 0}, {"seed": 0}, {"seed": 0}),
    ({"public": None}, {}, {}),
    ({"width": None, "seed": None, "negative_prompt": None}, {}, {}),
    ({"elements": ["s"]}, {"elements": ["s"]}, {"elements": ["s"]}),
    ({"elements": None}, {}, {}),
    ({"extra": {"alchemy": True}}, {"alchemy": True}, {"alchemy": True}),
    ({"extra": {"elements": [1]}, "elements": [2]}, {"elements": [2]}, {"elements": [2]}),
    ({"extra": None}, {}, {}),
]


@pytest.mark.parametrize(("options", "v2", "v1"), OPTIONS, ids=[repr(options) for options, *_ in OPTIONS])
def test_an_option_reaches_the_body(options: dict[str, Any], v2: dict[str, Any], v1: dict[str, Any]) -> None:
    """Each keyword is said in the words of its version, new ones as they are, and what is None is not said."""
    assert body_of("gemini-image-2", **options)["parameters"] == {"prompt": "a boat", "quantity": 1, **v2}
    assert body_of(PHOENIX, **options) == {
        "modelId": PHOENIX, "public": False, "prompt": "a boat", "num_images": 1, **v1,
    }  # fmt: skip


def test_a_picture_may_be_public() -> None:
    """`public` stands beside the parameters on both versions."""
    assert body_of("gemini-image-2", public=True)["public"] is True
    assert body_of(PHOENIX, public=True)["public"] is True


def test_parameters_in_the_vendors_own_form() -> None:
    """`parameters` as the vendor documents them go into the parameters, and single fields win over them."""
    assert body_of("gemini-image-2", parameters={"quantity": 2, "mode": "FAST"}, mode="QUALITY")["parameters"] == {
        "prompt": "a boat", "quantity": 2, "mode": "QUALITY",
    }  # fmt: skip


def test_no_parameters_are_none() -> None:
    """`parameters=None` says nothing, as everywhere."""
    assert body_of("gemini-image-2", parameters=None)["parameters"] == {"prompt": "a boat", "quantity": 1}


@pytest.mark.parametrize(("quantity", "outputs"), [(None, 1), (4, 4)])
def test_how_many_were_asked_for(quantity: int | None, outputs: int) -> None:
    """What is missing later is counted from what was really asked for, however it was said."""
    parameters = {} if quantity is None else {"quantity": quantity}
    submission = encoded(LEONARDO.prepare("gemini-image-2", "a boat", {"parameters": parameters}))
    assert submission.outputs == submission.body["parameters"]["quantity"] == outputs


def test_what_was_given_is_not_changed() -> None:
    """Preparing and encoding leave the user's dictionaries alone."""
    options = {"n": 2, "extra": {"parameters": {"mode": "FAST"}}}
    encoded(LEONARDO.prepare("gemini-image-2", "a boat", options))
    assert options == {"n": 2, "extra": {"parameters": {"mode": "FAST"}}}


@pytest.mark.parametrize(
    ("model", "endpoint", "kind", "timeout", "median"),
    [
        ("gemini-image-2", "v2", "image", 600.0, 12.0),
        (PHOENIX, "v1", "image", 600.0, 12.0),
        (PHOENIX.upper(), "v1", "image", 600.0, 12.0),
        ("bytedance/seedance-2.5", "v2", "video", 1800.0, 120.0),
        ("hailuo-2_3", "v2", "video", 1800.0, 120.0),
        ("motion_2.0", "v2", "video", 1800.0, 120.0),
        ("KLING2_5", "v2", "video", 1800.0, 120.0),
    ],
)
def test_what_a_create_takes(model: str, endpoint: str, kind: str, timeout: float, median: float) -> None:
    """Version, kind, deadline and typical duration follow from the model."""
    submission = encoded(LeonardoImage(prompt="p", model=model))
    assert (submission.endpoint, submission.kind, submission.timeout) == (endpoint, kind, timeout)
    assert (submission.typical.median, submission.outputs, submission.weight) == (median, 1, 1)
    assert (submission.model, submission.prompt) == (model, "p")


@pytest.mark.parametrize(
    "model",
    ["motion_2.0", "text-to-video", "kling-2.5", "veo-3.1", "sora-2", "seedance-1.0", "hailuo-2_3", "wan-2.5", "ltx-2",
     "ray-3", "runway-gen4", "pika-2"],
)  # fmt: skip
def test_families_of_films(model: str) -> None:
    """A model of a family that makes films is given the time that films take."""
    assert (encoded(LeonardoImage(prompt="p", model=model)).kind, body_of(model)["model"]) == ("video", model)


def test_the_users_durations_are_used() -> None:
    """A typical duration given with the connection is what its creates go by."""
    leonardo = Leonardo(api_key=KEY, typical_seconds={"gemini-image-2": 7.0})
    assert leonardo.encode(LeonardoImage(prompt="p", model="gemini-image-2")).typical.median == 7.0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"prompt": " "}, "The prompt cannot be empty"),
        ({"prompt": None}, "The prompt cannot be empty"),
        ({"model": ""}, "The Leonardo model is a slug"),
        ({"model": None}, "The Leonardo model is a slug"),
        ({"width": 0}, "width has to be from 1 to 100,000, not 0"),
        ({"height": -8}, "height has to be from 1"),
        ({"width": 64.0}, "width has to be a whole number"),
        ({"width": "64"}, "width has to be a whole number"),
        ({"width": True}, "width has to be a number"),
        ({"num_images": 0}, "num_images has to be from 1"),
        ({"seed": float("nan")}, r"options\[0\] is nan"),
        ({"negative_prompt": b"x"}, r"options\[1\] is a bytes"),
        ({"extra": {"a": [object]}}, r"extra\.a\[0\] is a type"),
        ({"extra": "alchemy"}, "extra"),
        ({"extra": ["alchemy"]}, "extra"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_said_is_refused(fields: dict[str, Any], why: str) -> None:
    """Only what no request could carry is refused here, in words that say what would be right."""
    with pytest.raises(InputError, match=why):
        LeonardoImage(**{"prompt": "a boat", "model": "gemini-image-2", **fields})


def test_keywords_need_a_prompt() -> None:
    """Without a prompt there is nothing to prepare."""
    with pytest.raises(InputError, match="The prompt cannot be empty"):
        LEONARDO.prepare("gemini-image-2", None, {})


def test_what_extra_names_is_no_file() -> None:
    """Pictures that `extra` names by id are the vendor's own words, so nothing is read for them."""
    assert not list(LeonardoImage(prompt="p", model="m", extra={"init_image_id": "x"}).references())


# --- accepted

CREATED = [
    ("created_v2_dollars", V6, Cost(Decimal("0.0972"), "DOLLARS")),
    ("created_v2_credits", V6, Cost(Decimal(140), "CREDITS")),
    ("created_v2_published", "b3a6c1d2-0000-4000-8000-000000000000", Cost(Decimal(1), "CREDITS")),
    ("created_v1_dollars", "a1b2c3d4-e5f6-7890-abcd-ef1234567890", Cost(Decimal("0.0147"), "DOLLARS")),
    ("created_v1_credits", ID, Cost(Decimal(9), "CREDITS")),
    ("created_video", "j9k0l1m2-n3o4-p5q6-rstu-vw8901234567", Cost(Decimal("0.0147"), "DOLLARS")),
]


@pytest.mark.parametrize(("name", "provider_id", "cost"), CREATED, ids=[name for name, *_ in CREATED])
def test_each_shape_of_an_acceptance(name: str, provider_id: str, cost: Cost) -> None:
    """Wherever this version of the API puts the new id, it is found, with the exact cost."""
    snapshot = created(sample(f"leonardo/{name}"))
    assert (snapshot.provider_id, snapshot.state, snapshot.cost) == (provider_id, State.QUEUED, cost)


def test_every_sample_of_an_acceptance_is_tried() -> None:
    """No recorded acceptance is left out."""
    assert names_of("leonardo", "created_") == sorted(f"leonardo/{name}" for name, *_ in CREATED)


@pytest.mark.parametrize(
    "document",
    [
        {"motionSvdGenerationJob": {"generationId": V6}},
        [{"generate": {"generationId": V6}}],
        [{"generationId": V6}],
        {"generate": None, "sdGenerationJob": {"generationId": V6}},
        {"generate": {"generationId": " "}, "sdGenerationJob": {"generationId": V6}},
        {"generate": {"generationId": V6}, "generationId": "another"},
    ],
    ids=repr,
)
def test_other_shapes_of_an_acceptance(document: Any) -> None:
    """The first id that is one is taken, in a list of one as well."""
    assert created(answer(document)).provider_id == V6


@pytest.mark.parametrize(
    "document",
    [
        {"generate": {"generationId": V6}, "errors": [{"message": "the cost is not available"}]},
        {"sdGenerationJob": {"generationId": V6}, "error": "the cost is not available", "code": "unexpected"},
    ],
    ids=repr,
)
def test_an_id_is_an_acceptance_whatever_stands_beside_it(document: Any) -> None:
    """A generation whose id is known runs and is charged, so a complaint beside the id does not lose it."""
    assert created(answer(document)).provider_id == V6


@pytest.mark.parametrize(
    ("job", "cost"),
    [
        ({"cost": {"amount": "0", "unit": "DOLLARS"}}, Cost(Decimal(0), "DOLLARS")),
        ({"cost": {"amount": 0.1, "unit": "CREDITS"}}, Cost(Decimal("0.1"), "CREDITS")),
        ({"cost": {"amount": "0.5"}}, Cost(Decimal("0.5"), "DOLLARS")),
        ({"cost": {"amount": None}, "apiCreditCost": 5}, Cost(Decimal(5), "CREDITS")),
        ({"cost": {"amount": "free"}}, None),
        ({"cost": "0.5"}, None),
        ({"apiCreditCost": 0}, None),
        ({"apiCreditCost": None}, None),
        ({}, None),
    ],
    ids=repr,
)
def test_costs_are_read_exactly_or_not_at_all(job: dict[str, Any], cost: Cost | None) -> None:
    """An amount is a Decimal in its own unit; zero credits without a cost does not mean free."""
    assert created(answer({"generate": {"generationId": V6, **job}})).cost == cost


def test_an_acceptance_knows_its_kind() -> None:
    """What was asked for is known before the first reading, and the answer is kept."""
    snapshot = created(sample("leonardo/created_v2_dollars"), model="bytedance/seedance-2.5")
    assert snapshot.kind == "video"
    assert snapshot.raw == sample_body("leonardo/created_v2_dollars")["generate"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"generate": None},
        {"generate": {}},
        {"generate": {"generationId": None}},
        {"generate": {"generationId": ""}},
        {"generate": {"generationId": 5}},
        {"generate": {"generationId": "a/b"}},
        {"generate": V6},
        {"id": V6},
        [],
        [{"generationId": V6}, {"generationId": ID}],
        [V6],
        f'"{V6}"',
        None,
        5,
    ],
    ids=repr,
)
def test_an_acceptance_without_an_id(document: Any) -> None:
    """A 2xx without one id to follow cannot be read, so whether a job runs cannot be known."""
    error = complaint(answer(document, status=201))
    assert type(error) is ProtocolError
    assert (error.status, error.path) == (201, "$")
    assert "HTTP 201 with no generationId" in str(error)
    assert judge_create(error, Leonardo.facts.resend_statuses) is Verdict.UNKNOWN
