"""`aiogen.providers.leonardo`: our words here, Leonardo's there."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from providers.drive import answer, drive, first_request, names_of, sample, sample_body

from aiogen._limits.retry import Verdict, judge_create
from aiogen.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ProviderError,
    RateLimited,
    Throttle,
)
from aiogen.exchange import Deleted, Failure, Response, Snapshot, Submission, Ticket
from aiogen.models import ACTIONS, AccountInfo, Action, Cost, FailureCode, State
from aiogen.providers import Capabilities, Leonardo, LeonardoImage

KEY = "11111111-2222-4333-8444-aaaaaaaaaaaa"
LEONARDO = Leonardo(api_key=KEY, name="leo")
ID = "5a1e2f3c-7b6d-4c8e-9f10-2a3b4c5d6e7f"
V6 = "1f0bba44-923a-69b0-b519-62a6710d46a9"
USER = "11111111-2222-4333-8444-555555555555"
PHOENIX = "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"
TICKET = Ticket(provider_id=ID)
AUTHORISED = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
BASE = "https://cloud.leonardo.ai/api/rest"


def encoded(request: LeonardoImage) -> Submission:
    return LEONARDO.encode(request)


def body_of(model: str, **options: Any) -> Any:
    """The body of the create for keywords."""
    return encoded(LEONARDO.prepare(model, "a boat", options)).body


def created(response: Response, model: str = "gemini-image-2") -> Snapshot:
    accepted = drive(LEONARDO.create(encoded(LeonardoImage(prompt="a boat", model=model))), response).result
    assert accepted.quota is None
    return accepted.snapshot  # type: ignore[no-any-return]


def reading(response: Response, ticket: Ticket = TICKET, **options: Any) -> Snapshot:
    return drive(Leonardo(api_key=KEY, **options).get(ticket), response).result  # type: ignore[no-any-return]


def row(name: str = "complete_image", **changes: Any) -> dict[str, Any]:
    """A recorded generation of which some fields are different."""
    return {**sample_body(f"leonardo/{name}")["generations_by_pk"], **changes}


def reading_of(name: str = "complete_image", ticket: Ticket = TICKET, nsfw: Any = "keep", **changes: Any) -> Snapshot:
    return reading(answer({"generations_by_pk": row(name, **changes)}), ticket, nsfw=nsfw)


def image(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "url": f"https://cdn.leonardo.ai/{number}.jpg", "nsfw": False, **changes}


EXCHANGES = {
    "create": lambda: LEONARDO.create(encoded(LeonardoImage(prompt="a boat", model="gemini-image-2"))),
    "retrieve": lambda: LEONARDO.get(TICKET),
    "list": lambda: LEONARDO.list(USER, 0, 10),
    "delete": lambda: LEONARDO.delete(ID),
    "account": LEONARDO.read_account,
}


def complaint(response: Response, call: str = "create") -> Any:
    """The error that an answer becomes."""
    with pytest.raises((APIError, ProtocolError)) as caught:
        drive(EXCHANGES[call](), response)
    return caught.value


# --- what is asked


@pytest.mark.parametrize(("model", "version"), [("gemini-image-2", "v2"), (PHOENIX, "v1")])
def test_a_create(model: str, version: str) -> None:
    """A slug is created on v2, the UUID of an older model on v1; the key is in its header alone."""
    request = first_request(LEONARDO.create(encoded(LeonardoImage(prompt="a boat", model=model))))
    assert (request.verb, request.method, request.url) == ("create", "POST", f"{BASE}/{version}/generations")
    assert (request.headers, request.query) == (AUTHORISED, {})
    assert KEY not in repr(request)


@pytest.mark.parametrize("provider_id", [ID, V6, "j9k0l1m2-n3o4-p5q6-rstu-vw8901234567"])
def test_a_read(provider_id: str) -> None:
    """A read is a GET on v1 for any id, UUID of whatever version or not."""
    request = first_request(LEONARDO.get(Ticket(provider_id=provider_id)))
    assert (request.verb, request.method, request.url) == ("retrieve", "GET", f"{BASE}/v1/generations/{provider_id}")
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


def test_a_delete() -> None:
    """A delete is a DELETE of the same address."""
    request = first_request(LEONARDO.delete(ID))
    assert (request.verb, request.method, request.url) == ("delete", "DELETE", f"{BASE}/v1/generations/{ID}")
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


@pytest.mark.parametrize(
    ("offset", "limit", "query"),
    [
        (0, 10, {"offset": "0", "limit": "10"}),
        (150, 50, {"offset": "150", "limit": "50"}),
        (0, 51, {"offset": "0", "limit": "50"}),
    ],
)
def test_a_page_of_a_list(offset: int, limit: int, query: dict[str, str]) -> None:
    """A page of a user's generations is a GET with offset and limit, of at most fifty."""
    request = first_request(LEONARDO.list(USER, offset, limit))
    assert (request.verb, request.method, request.url) == ("list", "GET", f"{BASE}/v1/generations/user/{USER}")
    assert (request.headers, request.query, request.body) == (AUTHORISED, query, None)


def test_a_list_of_my_own() -> None:
    """Without a user id the key's own user is looked up first, in the same exchange."""
    went = drive(LEONARDO.list(None, 0, 10), sample("leonardo/me"), sample("leonardo/list"))
    assert [request.url for request in went.requests] == [f"{BASE}/v1/me", f"{BASE}/v1/generations/user/{USER}"]
    assert len(went.result.snapshots) == 3


def test_a_look_at_the_account() -> None:
    """The account is one GET."""
    request = first_request(LEONARDO.read_account())
    assert (request.verb, request.method, request.url) == ("retrieve", "GET", f"{BASE}/v1/me")
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


BLANK = {
    "Generation": "Generation ID cannot be empty. Please provide a valid generation ID.",
    "User": "User ID cannot be empty. Please provide a valid user ID.",
}


@pytest.mark.parametrize("wrong", ["", " \n", "a/b", "../me", "a\nb"])
@pytest.mark.parametrize("call", ["get", "delete", "list"])
def test_what_cannot_be_an_id_is_not_asked_about(call: str, wrong: str) -> None:
    """Nothing is sent for a blank id, in the known text, nor for a path."""
    calls = {
        "get": lambda: LEONARDO.get(Ticket(provider_id=wrong)),
        "delete": lambda: LEONARDO.delete(wrong),
        "list": lambda: LEONARDO.list(wrong, 0, 10),
    }
    what = "User" if call == "list" else "Generation"
    with pytest.raises(InputError) as caught:
        first_request(calls[call]())
    assert str(caught.value) == BLANK[what] if not wrong.strip() else f"{what} ID" in str(caught.value)


def test_an_id_stays_one_segment() -> None:
    """No id can lead to another address."""
    assert first_request(LEONARDO.delete(" a?b ")).url == f"{BASE}/v1/generations/a%3Fb"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://h.example.com/api/rest", "https://h.example.com/api/rest"),
        ("https://h.example.com/api/rest/v1", "https://h.example.com/api/rest"),
        ("https://h.example.com/api/rest/v2/", "https://h.example.com/api/rest"),
        ("https://h.example.com/v3", "https://h.example.com/v3"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_version_is_not_part_of_the_address(given: str, kept: str) -> None:
    """The vendor's own SDK takes the v1 address; here it may be given with a version or without."""
    assert Leonardo(api_key=KEY, base_url=given).base_url == kept


def test_what_leonardo_offers() -> None:
    """Lists of fifty, deletes, an account; limits a little below the published; no 5xx allows another create."""
    leonardo = Leonardo(api_key=KEY)
    assert Leonardo(api_key="1e07a2d0-0000-4000-8000-5a4db0c50000").capabilities == Capabilities(
        list=True, delete=True, account=True, models=True, list_page=50
    )
    assert (leonardo.max_active, leonardo.creates_per_minute, leonardo.requests_per_minute) == (180, 90, 1500)
    assert (leonardo.name, leonardo.nsfw, Leonardo.facts.resend_statuses) == ("leonardo", "keep", frozenset())
    assert not Leonardo.facts.sends_request_id  # nothing documents it


def test_how_often_leonardo_is_asked() -> None:
    """At most every second, at least every half minute; what was just created may be missing for a quarter."""
    assert (Leonardo.facts.poll_floor, Leonardo.facts.poll_ceiling, Leonardo.facts.not_found_grace) == (1.0, 30.0, 15.0)


@pytest.mark.parametrize("nsfw", ["", "KEEP", None, True])
def test_a_policy_that_is_none(nsfw: Any) -> None:
    """A misspelt policy is refused with the three there are."""
    with pytest.raises(ConfigurationError, match="nsfw= must be 'keep', 'drop' or 'fail'"):
        Leonardo(api_key=KEY, nsfw=nsfw)


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


# --- states


def test_pending() -> None:
    """A pending generation is queued: nothing distinguishes a queue from a run."""
    snapshot = reading(sample("leonardo/pending"))
    assert (snapshot.provider_id, snapshot.state, snapshot.outputs) == (ID, State.QUEUED, ())
    assert (snapshot.failure, snapshot.unknown_state, snapshot.partial, snapshot.missing_outputs) == (
        None,
        None,
        False,
        False,
    )
    assert snapshot.created_at == datetime(2024, 7, 23, 16, 56, 21, 208_000, tzinfo=UTC)
    assert snapshot.raw == sample_body("leonardo/pending")["generations_by_pk"]


def test_complete() -> None:
    """A complete generation has its pictures in order, each with its id, its flag, and no end of its url."""
    snapshot = reading(sample("leonardo/complete_image"))
    rows = row()["generated_images"]
    assert (snapshot.state, snapshot.failure, snapshot.kind) == (State.COMPLETED, None, None)
    assert (snapshot.model, snapshot.prompt) == ("lightning-xl", "A majestic cat in the snow")
    assert [output.url for output in snapshot.outputs] == [r["url"] for r in rows]
    assert [output.provider_id for output in snapshot.outputs] == [r["id"] for r in rows]
    assert [output.raw for output in snapshot.outputs] == rows
    assert {(output.kind, output.nsfw, output.expires_at) for output in snapshot.outputs} == {("image", False, None)}


def test_a_signed_url_says_when_it_expires() -> None:
    """Leonardo's own do not expire; whatever is signed does."""
    images = [{**image, "url": f"{image['url']}?Expires=1767225600&Signature=a"} for image in row()["generated_images"]]
    outputs = reading_of(generated_images=images).outputs
    assert {output.expires_at for output in outputs} == {datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize("word", ["COMPLETED", "complete", "Completed"])
def test_complete_in_other_words(word: str) -> None:
    """The word of other calls of this API, and another case, mean the same."""
    snapshot = reading_of(status=word)
    assert (snapshot.state, snapshot.unknown_state) == (State.COMPLETED, None)


@pytest.mark.parametrize("word", ["PROCESSING", "IN_PROGRESS", ""])
def test_an_unknown_state_counts_as_running(word: str) -> None:
    """A state word that is new keeps the job going and is shown as the vendor wrote it."""
    snapshot = reading_of("pending", status=word)
    assert (snapshot.state, snapshot.unknown_state, snapshot.failure) == (State.QUEUED, word, None)


def test_a_video_is_its_film() -> None:
    """Of a video the film is the output, and not its poster."""
    snapshot = reading(sample("leonardo/complete_video"))
    (output,) = snapshot.outputs
    assert (snapshot.kind, output.kind) == ("video", "video")
    assert output.url == row("complete_video")["generated_images"][0]["motionMP4URL"]


@pytest.mark.parametrize(("motion", "kind"), [(True, "video"), (False, None), (None, None)])
def test_a_video_is_known_before_its_film(motion: bool | None, kind: str | None) -> None:
    """A pending video says that it is one."""
    assert reading_of("pending", motion=motion).kind == kind


@pytest.mark.parametrize("field", ["presetStyle", "scheduler", "sdVersion", "modelId", "createdAt", "prompt", "motion"])
def test_null_where_the_schema_forbids_it(field: str) -> None:
    """Nulls, and missing fields, that the published schema does not allow break nothing."""
    assert reading_of(**{field: None}).state is State.COMPLETED
    document = row()
    del document[field]
    assert reading(answer({"generations_by_pk": document})).state is State.COMPLETED


def test_new_words_in_old_fields() -> None:
    """A new scheduler, style or version is nothing to stumble over, and can be read in `raw`."""
    assert reading_of(scheduler="NEW", sdVersion="PHOENIX_9", presetStyle="NEWER").raw["sdVersion"] == "PHOENIX_9"


def test_pending_without_a_list_of_pictures() -> None:
    """The list may be null or missing while there is nothing in it."""
    assert reading_of("pending", generated_images=None).outputs == ()


@pytest.mark.parametrize(("asked", "came", "partial"), [(2, 2, False), (3, 2, True), (1, 2, False), (None, 2, False)])
def test_fewer_pictures_than_asked_for(asked: int | None, came: int, partial: bool) -> None:
    """Fewer pictures than asked for is a success that says so."""
    ticket = Ticket(provider_id=ID, outputs=asked)
    snapshot = reading_of(ticket=ticket, generated_images=[image(i) for i in range(came)])
    assert (snapshot.state, len(snapshot.outputs), snapshot.partial) == (State.COMPLETED, came, partial)


def test_a_running_generation_is_not_partial() -> None:
    """While it runs, nothing is missing yet."""
    assert not reading_of("pending", ticket=Ticket(provider_id=ID, outputs=4)).partial


def test_a_picture_without_a_url_is_none() -> None:
    """A picture that cannot be downloaded is not an output."""
    snapshot = reading_of(generated_images=[image(0, url=None), image(1)])
    assert [output.provider_id for output in snapshot.outputs] == ["i1"]


# --- nsfw

MIXED = [image(0), image(1, nsfw=True), image(2, nsfw=None)]


@pytest.mark.parametrize(
    ("policy", "state", "kept"),
    [
        ("keep", State.COMPLETED, ["i0", "i1", "i2"]),
        ("drop", State.COMPLETED, ["i0", "i2"]),
        ("fail", State.FAILED, ["i0", "i1", "i2"]),
    ],
)
def test_the_policy_on_nsfw(policy: str, state: State, kept: list[str]) -> None:
    """Flagged pictures are kept with their flag, dropped, or make the generation a failure."""
    snapshot = reading_of(nsfw=policy, generated_images=MIXED)
    assert (snapshot.state, [output.provider_id for output in snapshot.outputs]) == (state, kept)


def test_kept_pictures_have_their_flag() -> None:
    """Who keeps flagged pictures can recognise them."""
    assert [output.nsfw for output in reading_of(generated_images=MIXED).outputs] == [False, True, None]
    assert reading(sample("leonardo/complete_nsfw")).outputs[0].nsfw is True


def test_dropped_pictures_are_missing() -> None:
    """A generation from which pictures were dropped is partial."""
    snapshot = reading_of(ticket=Ticket(provider_id=ID, outputs=3), nsfw="drop", generated_images=MIXED)
    assert snapshot.partial


def test_a_policy_of_failing_says_why() -> None:
    """The failure is moderation, and its reason is the policy."""
    assert reading(sample("leonardo/complete_nsfw"), nsfw="fail").failure == Failure(
        code=FailureCode.CONTENT_MODERATED,
        reason="images were flagged nsfw, and this connection has nsfw='fail'",
    )


def test_nothing_left_after_dropping() -> None:
    """If every picture was dropped, the generation was moderated."""
    snapshot = reading(sample("leonardo/complete_nsfw"), nsfw="drop")
    assert snapshot.state is State.FAILED
    assert snapshot.failure == Failure(code=FailureCode.CONTENT_MODERATED, reason="all images were withheld as nsfw")


@pytest.mark.parametrize("policy", ["keep", "drop", "fail"])
def test_clean_pictures_pass_every_policy(policy: str) -> None:
    """Without a flag no policy changes anything."""
    snapshot = reading(sample("leonardo/complete_image"), nsfw=policy)
    assert (snapshot.state, len(snapshot.outputs)) == (State.COMPLETED, 2)


# --- failures


def test_complete_but_moderated() -> None:
    """Complete without pictures and with a classification is a moderated failure, in the vendor's words."""
    snapshot = reading(sample("leonardo/complete_empty_moderated"))
    assert snapshot.state is State.FAILED
    assert snapshot.failure == Failure(code=FailureCode.CONTENT_MODERATED, reason="moderated: NSFW", vendor_code="NSFW")


def test_complete_but_empty() -> None:
    """Complete without pictures or words is no success: probably moderated, so change the input."""
    snapshot = reading_of(generated_images=[])
    assert snapshot.state is State.FAILED
    assert snapshot.failure == Failure(
        code=FailureCode.OUTPUT_NOT_FOUND,
        reason="completed without any image, probably because of moderation",
        action=Action.CHANGE_INPUT,
    )


def test_failed() -> None:
    """A failure without a hint is just that, and another create may help."""
    failure = reading(sample("leonardo/failed")).failure
    assert failure == Failure(code=FailureCode.GENERATION_FAILED)
    assert ACTIONS[failure.code] is Action.RETRY


def test_failed_because_moderated() -> None:
    """The classification of the prompt is the one hint there is."""
    assert reading(sample("leonardo/failed_moderated")).failure == Failure(
        code=FailureCode.CONTENT_MODERATED,
        reason="moderated: NSFW, EXTREME_VIOLENCE",
        vendor_code="NSFW,EXTREME_VIOLENCE",
    )


@pytest.mark.parametrize(
    ("moderations", "code"),
    [
        ([{"moderationClassification": ["NSFW"]}], "content_moderated"),
        ({"moderationClassification": ["NSFW"]}, "content_moderated"),
        ([{}, {"moderationClassification": None}, {"moderationClassification": ["NSFW"]}], "content_moderated"),
        ([{"moderationClassification": []}], "generation_failed"),
        ([], "generation_failed"),
        (None, "generation_failed"),
        ([None, 5, "NSFW"], "generation_failed"),
        ("NSFW", "generation_failed"),
    ],
    ids=repr,
)
def test_moderation_in_any_shape(moderations: Any, code: str) -> None:
    """The undocumented field is read as a list or one object, and nothing in it can break a reading."""
    failure = reading_of("failed", prompt_moderations=moderations).failure
    assert failure is not None
    assert failure.code == code


@pytest.mark.parametrize(
    ("hint", "reason"),
    [
        ({"failedReason": "out of memory"}, "out of memory"),
        ({"failedReason": {"type": "X", "message": "no"}}, "no"),
        ({"failedReason": {"type": "X"}}, "{'type': 'X'}"),
        ({"error": "boom"}, "boom"),
        ({"message": "two\n lines"}, "two lines"),
        ({"notes": [{"failureReason": "x"}]}, "[{'failureReason': 'x'}]"),
        ({"failedReason": "", "error": None, "notes": []}, None),
    ],
    ids=repr,
)
def test_words_about_a_failure(hint: dict[str, Any], reason: str | None) -> None:
    """Any words about a failure, under the names seen in other parts of this API, are its reason."""
    failure = reading_of("failed", **hint).failure
    assert failure is not None
    assert failure.reason == reason


def test_a_classification_does_not_spoil_a_success() -> None:
    """A classification beside pictures that came is no failure."""
    assert reading_of(prompt_moderations=[{"moderationClassification": ["NSFW"]}]).state is State.COMPLETED


# --- not found


@pytest.mark.parametrize(
    "response",
    [
        sample("leonardo/not_found"),
        answer({"generations_by_pk": []}),
        answer([]),
        answer({"error": "not found", "path": "$", "code": "not_found"}, status=404),
        answer("", status=404),
        sample("leonardo/error_graphql_not_found"),
    ],
    ids=["null", "empty", "list", "404", "404-empty", "graphql"],
)
def test_each_shape_of_not_found(response: Response) -> None:
    """Null, nothing, or a 404 in any dress is NotFound with status 404 in the known text."""
    error = complaint(response, "retrieve")
    assert type(error) is NotFound
    assert (error.status, error.code, error.action) == (404, FailureCode.NOT_FOUND, Action.GIVE_UP)
    assert str(error).startswith("Failed to retrieve generation. API error 404: ")


def test_null_is_put_into_words() -> None:
    """A null is reported as what it means."""
    assert str(complaint(sample("leonardo/not_found"), "retrieve")) == (
        "Failed to retrieve generation. API error 404: Generation not found"
    )


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (sample("leonardo/deleted"), True),
        (sample("leonardo/delete_not_found"), False),
        (answer({"error": "not found", "code": "not_found"}, status=404), False),
        (answer("", status=404), False),
        (sample("leonardo/error_graphql_not_found"), False),
    ],
    ids=["deleted", "null", "404", "404-empty", "graphql"],
)
def test_what_became_of_a_delete(response: Response, found: bool) -> None:
    """A delete says whether there was something to delete, and missing is no error."""
    assert drive(LEONARDO.delete(ID), response).result == Deleted(found=found)


# --- lists


def test_a_list_is_one_page() -> None:
    """Each row of a page is a reading of its own, in the vendor's order."""
    page = drive(LEONARDO.list(USER, 0, 10), sample("leonardo/list")).result
    assert [(snapshot.provider_id[:8], snapshot.state, len(snapshot.outputs)) for snapshot in page.snapshots] == [
        ("5a1e2f3c", State.COMPLETED, 1),
        ("8d2e4f60", State.QUEUED, 0),
        ("2f2f2f2f", State.FAILED, 0),
    ]


def test_an_empty_page() -> None:
    """A page beyond the end is empty, and no error."""
    assert drive(LEONARDO.list(USER, 500, 50), answer({"generations": []})).result.snapshots == ()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"generations": None}, "$.generations"),
        ({"generations": {}}, "$.generations"),
        ({}, "$.generations"),
        ([], "$.generations"),
        (None, "$.generations"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_that_cannot_be_read(document: Any, path: str) -> None:
    """Anything but a list of generations is an error that says where."""
    error = complaint(answer(document), "list")
    assert type(error) is ProtocolError
    assert (error.status, error.path) == (200, path)


@pytest.mark.parametrize(
    ("rows", "path"),
    [
        ([row(id=5), None], "$.generations[0].id"),
        ([None], "$.generations[0]"),
        ([row(id="")], "$.generations[0].id"),
    ],
)
def test_a_page_of_which_no_row_can_be_read(rows: list[Any], path: str) -> None:
    """Every row keeps its place; the first says what is wrong."""
    page = drive(LEONARDO.list(USER, 0, 50), answer({"generations": rows})).result
    assert (page.rows, page.problem.path) == ((None,) * len(rows), path)


UNREAD: list[Any] = [
    None, 5, "PENDING", [], {}, row(id=5), row(id=None), row(id=" "), row(status=None), row(status=["PENDING"]),
    row(generated_images=["https://a"]), row(generated_images={"0": image()}),
]  # fmt: skip


@pytest.mark.parametrize("odd", UNREAD, ids=repr)
def test_a_row_that_cannot_be_read_hides_no_other(odd: Any) -> None:
    """It keeps its place in the list, and a name by which it is known again; what was wrong with it is reported."""
    other = row(id="00000000-0000-4000-8000-00000000000f")
    page = drive(LEONARDO.list(USER, 0, 50), answer({"generations": [row(), odd, other]})).result
    first, gap, last = page.rows
    assert (first.provider_id, gap, last.provider_id) == (ID, None, other["id"])
    assert page.snapshots == (first, last)
    assert page.names[0] == ID.lower()
    assert page.problem.path.startswith("$.generations[1]")
    again = drive(LEONARDO.list(USER, 1, 50), answer({"generations": [odd, other]})).result
    assert again.names[0] == page.names[1]
    assert len(set(page.names)) == 3


# --- refusals

V1 = [
    ("auth", AuthenticationError, "auth", "fix_key"),
    ("auth_hook", AuthenticationError, "auth", "fix_key"),
    ("dimensions", InvalidRequest, "invalid_request", "change_input"),
    ("extension", InvalidRequest, "invalid_request", "change_input"),
    ("image_access", InvalidRequest, "invalid_request", "change_input"),
    ("inappropriate", InvalidRequest, "content_moderated", "change_input"),
    ("init_image", InvalidRequest, "invalid_request", "change_input"),
    ("init_variation", InvalidRequest, "invalid_request", "change_input"),
    ("internal_error", ProviderError, "provider_error", "wait"),
    ("missing_prompt", InvalidRequest, "invalid_request", "change_input"),
    ("model", InvalidRequest, "invalid_request", "change_input"),
    ("moderation", InvalidRequest, "content_moderated", "change_input"),
    ("phoenix", InvalidRequest, "invalid_request", "change_input"),
    ("prompt_improve", InvalidRequest, "invalid_request", "change_input"),
    ("prompt_length", InvalidRequest, "invalid_request", "change_input"),
    ("service_error", ProviderError, "provider_error", "wait"),
    ("unexpected_variable", InvalidRequest, "invalid_request", "change_input"),
    ("wrong_type", InvalidRequest, "invalid_request", "change_input"),
]
VERBS = [
    ("create", "create generation"),
    ("retrieve", "retrieve generation"),
    ("list", "list generations"),
    ("delete", "delete generation"),
]


@pytest.mark.parametrize(("call", "what"), VERBS, ids=[call for call, _ in VERBS])
@pytest.mark.parametrize(("name", "cls", "code", "action"), V1, ids=[name for name, *_ in V1])
def test_each_refusal_of_v1(name: str, cls: type[APIError], code: str, action: str, call: str, what: str) -> None:
    """Each error of v1 is its kind, with status, code, action and the vendor's words in the known text."""
    response, text = sample(f"leonardo/error_v1_{name}"), sample_body(f"leonardo/error_v1_{name}")["error"]
    error = complaint(response, call)
    assert type(error) is cls
    assert (error.code, error.action, error.status, error.details) == (code, action, response.status, text)
    assert str(error) == f"Failed to {what}. API error {response.status}: {text}"
    assert (error.provider, error.connection) == ("leonardo", "leo")


def test_an_empty_account_tells_no_user() -> None:
    """The user's id in the vendor's words about an empty account is nobody's business in a log."""
    error = complaint(sample("leonardo/error_v1_tokens"))
    assert (type(error), error.code, error.action) == (InsufficientFunds, "budget_exhausted", "add_funds")
    assert str(error) == "Failed to create generation. API error 400: not enough api tokens userId: …"
    assert USER not in repr(error)


GRAPHQL = [
    ("bad_request", InvalidRequest, 400, "invalid_request", "Bad request. Please check your input."),
    ("errors_key", InvalidRequest, 400, "invalid_request", "Bad request"),
    ("not_found", NotFound, 404, "not_found", "Blueprint execution not found"),
    ("rate_limit", RateLimited, 429, "rate_limited", "Rate limit exceeded"),
    ("tokens", InsufficientFunds, 402, "budget_exhausted", "Insufficient tokens"),
    ("validation", InvalidRequest, 400, "invalid_request", "parameters.width must be one of: 1344, 768"),
]


@pytest.mark.parametrize(("name", "cls", "status", "code", "details"), GRAPHQL, ids=[name for name, *_ in GRAPHQL])
def test_each_error_inside_a_200(name: str, cls: type[APIError], status: int, code: str, details: str) -> None:
    """HTTP 200 does not mean success: an error inside it has the status, the code and the words of the body."""
    error = complaint(sample(f"leonardo/error_graphql_{name}"))
    assert type(error) is cls
    assert (error.status, error.code, error.details) == (status, code, details)
    assert str(error) == f"Failed to create generation. API error {status}: {details}"


def test_every_sample_of_a_refusal_is_tried() -> None:
    """No recorded refusal is left out."""
    tried = [*(f"v1_{name}" for name, *_ in V1), *(f"graphql_{name}" for name, *_ in GRAPHQL), "v1_tokens", "html"]
    assert names_of("leonardo", "error_") == sorted(f"leonardo/error_{name}" for name in tried)


def graphql(message: Any = "An error occurred.", **extensions: Any) -> Any:
    return [{"message": message, "extensions": extensions}]


WORDS = [
    (graphql(details={"errors": [{"message": "inner"}], "message": "outer"}), "inner"),
    (graphql(details={"errors": [{}], "message": "outer"}), "outer"),
    (graphql(details={"errors": "x", "message": "outer"}), "outer"),
    (graphql(details={"errors": [5], "message": "outer"}), "outer"),
    (graphql(details="words"), "words"),
    (graphql("shown", details="An error occurred processing your request."), "shown"),
    (graphql("shown", details=None), "shown"),
    (graphql("shown", details=[1]), "shown"),
    (graphql(None), "An error occurred."),
    ([{"message": "bare"}], "bare"),
    ([{"extensions": None, "message": "bare"}], "bare"),
    ([{"extensions": "odd", "message": "bare"}], "bare"),
    ([{"extensions": {"code": "X"}}], "An error occurred."),
    ({"errors": ["just text"]}, "just text"),
    ({"errors": [{"message": "first"}, {"message": "second"}]}, "first"),
    ({"error": "no code here"}, "no code here"),
    ({"error": {"a": 1}, "code": "unexpected"}, "{'a': 1}"),
    ([{"message": "two\n  lines"}], "two lines"),
]


@pytest.mark.parametrize(("document", "details"), WORDS, ids=[repr(document) for document, _ in WORDS])
def test_whose_words_are_shown(document: Any, details: str) -> None:
    """Of the words in an error the innermost that say something are shown, at any status."""
    assert complaint(answer(document)).details == details
    assert complaint(answer(document, status=400)).details == details


STATUSES = [
    (graphql(statusCode=402), 402, InsufficientFunds),
    (graphql(details={"statusCode": 404}), 404, NotFound),
    (graphql(statusCode=401, details={"statusCode": 404}), 401, AuthenticationError),
    (graphql(statusCode=500), 500, ProviderError),
    (graphql(statusCode="500"), 500, ProviderError),
    (graphql(statusCode="429"), 429, RateLimited),
    ([{"message": "x"}, *graphql(statusCode=429)], 429, RateLimited),
    ([{"message": "x", "statusCode": 429}], 429, RateLimited),
    (graphql(code="RATE_LIMITED"), 200, RateLimited),
    (graphql(code="TOO_MANY_REQUESTS"), 200, RateLimited),
    (graphql(statusCode=True), 200, ProviderError),
    (graphql(), 200, ProviderError),
    (graphql(statusCode=429), 429, RateLimited),
]


@pytest.mark.parametrize(("document", "status", "cls"), STATUSES, ids=[repr(document) for document, *_ in STATUSES])
def test_the_status_inside_an_error(document: Any, status: int, cls: type[APIError]) -> None:
    """The status inside an error counts; without one, and without words, it is an error of the provider."""
    error = complaint(answer(document))
    assert (type(error), error.status) == (cls, status)


MEANINGS = [
    (400, "x", "access-denied", AuthenticationError, "auth"),
    (403, "x", "unexpected", InvalidRequest, "invalid_request"),
    (400, "Unexpected variable concurrency", "bad-request", InvalidRequest, "invalid_request"),
    (400, "x", "rate-limit-exceeded", RateLimited, "rate_limited"),
    (403, "content moderation filter: x", "unexpected", InvalidRequest, "content_moderated"),
    (400, "PROVIDER_MODERATION_BLOCKED", "unexpected", InvalidRequest, "content_moderated"),
    (400, "Insufficient credits", "unexpected", InsufficientFunds, "budget_exhausted"),
    (402, "x", "unexpected", InsufficientFunds, "budget_exhausted"),
    (400, "Too many pending jobs", "unexpected", RateLimited, "rate_limited"),
    (400, "concurrency limit", "unexpected", RateLimited, "rate_limited"),
    (400, "the queue is full", "unexpected", RateLimited, "rate_limited"),
    (429, "x", "unexpected", RateLimited, "rate_limited"),
    (429, "Unexpected variable x", "bad-request", RateLimited, "rate_limited"),
    (400, "x", "not_found", NotFound, "not_found"),
    (400, "x", "notfound", InvalidRequest, "invalid_request"),
    (418, "x", "unexpected", InvalidRequest, "invalid_request"),
    (200, "Unexpected variable x", "unexpected", InvalidRequest, "invalid_request"),
    (200, "x", "validation-failed", InvalidRequest, "invalid_request"),
    (503, "Service Error", "unexpected", ProviderError, "provider_error"),
    (400, "Service Error", "unexpected", InvalidRequest, "invalid_request"),
]


@pytest.mark.parametrize(("status", "words", "vendors", "cls", "code"), MEANINGS)
def test_words_tell_more_than_a_status(status: int, words: str, vendors: str, cls: type[APIError], code: str) -> None:
    """The vendor's codes are too coarse, so the words decide, and the status where they say nothing."""
    error = complaint(answer({"error": words, "path": "$", "code": vendors}, status=status))
    assert (type(error), error.code, error.status) == (cls, code, status)


@pytest.mark.parametrize(
    ("extensions", "cls"),
    [
        ({"code": "access-denied"}, AuthenticationError),
        ({"code": "BadRequestException"}, InvalidRequest),
        ({"code": "BAD_REQUEST"}, InvalidRequest),
        ({"code": "NOT_FOUND"}, NotFound),
        ({"details": {"code": "VALIDATION_ERROR"}}, InvalidRequest),
        ({"code": "NOT", "details": {"code": "FOUND"}}, ProviderError),
        ({"code": "HttpException", "details": {"code": "NOT_FOUND"}}, NotFound),
    ],
    ids=repr,
)
def test_the_codes_inside_an_error_tell_too(extensions: dict[str, Any], cls: type[APIError]) -> None:
    """Where the words say nothing, either code in an error may."""
    assert type(complaint(answer(graphql("x", **extensions)))) is cls


def test_a_delete_that_cannot_be_read() -> None:
    """An answer to a delete that does not say what became of it says where it should."""
    assert complaint(answer({"ok": True}), "delete").path == "$.delete_generations_by_pk"


def test_a_refused_request_slows_the_account() -> None:
    """Which limit was met is not documented, so the whole account slows down, as long as it was asked to."""
    error = complaint(answer({"error": "Too many requests"}, status=429, headers={"Retry-After": "9"}))
    assert (error.throttle, error.retry_after) == (Throttle.ACCOUNT, 9.0)


@pytest.mark.parametrize("words", ["could not serialize access due to concurrent update", "internal error"])
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_broken_create_is_never_sent_again(status: int, words: str) -> None:
    """After a 5xx it is not known whether the job runs, whatever its words, so it is not sent again."""
    error = complaint(answer({"error": words, "path": "$", "code": "unexpected"}, status=status))
    assert judge_create(error, Leonardo.facts.resend_statuses) is Verdict.UNKNOWN


WORDS = ["Rate limit exceeded", "access-denied", "insufficient funds", "bad_request", "authorization hook"]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("document", ["{'error': %r}", "{'error': {'message': %r}}", "{'errors': [%r]}"])
@pytest.mark.parametrize("status", [200, 201, 408, 500, 502, 503, 504])
def test_words_alone_do_not_say_that_nothing_was_made(status: int, document: str, words: str) -> None:
    """Something on the way may say them after it has passed the create on: it is neither refused nor sent again."""
    error = complaint(answer((document % words).replace("'", '"'), status=status))
    assert judge_create(error, Leonardo.facts.resend_statuses) is Verdict.UNKNOWN
    assert not error.from_api


def test_a_page_of_the_networks_edge() -> None:
    """An HTML page with a 403 blames no key."""
    error = complaint(sample("leonardo/error_html"), "retrieve")
    assert (type(error), error.code, error.status) == (ProviderError, "provider_error", 403)
    assert str(error) == (
        "Failed to retrieve generation. API error 403: HTML page: Attention Required! | Cloudflare "
        "(the answer is not Leonardo AI's own: something in between sent it)"
    )


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (401, ProviderError),
        (402, ProviderError),
        (403, ProviderError),
        (404, NotFound),
        (429, RateLimited),
        (500, ProviderError),
        (400, InvalidRequest),
    ],
)
@pytest.mark.parametrize(
    "body",
    ["<html>no</html>", "", '{"error": "ha', '{"message": "Unauthorized"}', '{"error": "Unauthorized"}', '["no"]',
     '{"errors": [{"title": "Unauthorized"}]}', '{"error": "Unauthorized", "code": 401}',
     '{"status": 401, "error": "Unauthorized", "path": "/api/rest/v2/generations"}', '{"error": "no", "code": "401"}'],
)  # fmt: skip
def test_what_the_api_did_not_say_blames_no_key(status: int, cls: type[APIError], body: str) -> None:
    """An answer in none of the API's shapes goes by its status, and says nothing of the key or the balance."""
    error = complaint(answer(body, status=status))
    assert (type(error), error.from_api) == (cls, False)
    assert "something in between sent it" in str(error)


@pytest.mark.parametrize("document", [{"ok": True}, [], [1], "no", None, {"errors": []}, {"error": ""}, [{"id": 1}]])
def test_a_refusal_in_another_shape(document: Any) -> None:
    """JSON of any shape with a status that says no is an error, and says what came."""
    error = complaint(answer(document, status=400))
    assert (type(error), error.details) == (InvalidRequest, str(document))


def test_an_empty_error_is_none() -> None:
    """A success that also has an empty `error` is a success."""
    assert reading(answer({"generations_by_pk": row(), "error": ""})).state is State.COMPLETED


def test_a_long_refusal_is_cut() -> None:
    """The words of a refusal never fill a page."""
    assert len(complaint(answer({"error": "x" * 10_000, "code": "unexpected"}, status=400)).details) == 500
    assert len(complaint(answer({"x": "x" * 10_000}, status=400)).details) == 300


# --- answers that cannot be read


@pytest.mark.parametrize("call", EXCHANGES)
@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("<html><body>hello</body></html>", "HTML that is not JSON"),
        ('{"generations_by_pk": {"id', "text that is not JSON"),
        ("", "an empty body"),
        ("5", ""),
        ('"COMPLETE"', ""),
        ("{}", ""),
        ('[{"a": 1}, {"b": 2}]', ""),
    ],
)
def test_an_answer_that_cannot_be_read(body: str, what: str, call: str) -> None:
    """A 2xx that is not what was asked for is an error that names what came, where, and with which status."""
    error = complaint(answer(body, status=203), call)
    assert type(error) is ProtocolError
    assert error.status == 203
    assert error.path.startswith("$")
    verb = "retrieve" if call == "account" else call
    assert f"Cannot read the answer to {verb!r}: HTTP 203 with {what}" in str(error)


@pytest.mark.parametrize(
    ("found", "path"),
    [
        ({"status": "COMPLETE"}, "$.generations_by_pk.id"),
        ({"id": ID}, "$.generations_by_pk.status"),
        ({"id": 5, "status": "COMPLETE"}, "$.generations_by_pk.id"),
        ({"id": " ", "status": "COMPLETE"}, "$.generations_by_pk.id"),
        ({"id": ID, "status": None}, "$.generations_by_pk.status"),
        (row(generated_images=5), "$.generations_by_pk.generated_images"),
        (row(generated_images=[None]), "$.generations_by_pk.generated_images"),
        (row(generated_images=[image(url=5)]), "$.generations_by_pk.generated_images"),
        ([row()], "$.generations_by_pk"),
        ("COMPLETE", "$.generations_by_pk"),
        (5, "$.generations_by_pk"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_generation_that_cannot_be_read(found: Any, path: str) -> None:
    """Something missing or of another type is an error that says where."""
    error = complaint(answer({"generations_by_pk": found}), "retrieve")
    assert type(error) is ProtocolError
    assert (error.status, error.path.startswith(path)) == (200, True)


@pytest.mark.parametrize(
    "images", [["https://a"], "https://a", [["https://a"]], {"0": image()}, [None], [image(url={"a": 1})]], ids=repr
)
def test_pictures_in_another_shape_end_no_paid_job(images: Any) -> None:
    """Pictures that are not a list of objects cannot be read, which is not the same as no pictures."""
    error = complaint(answer({"generations_by_pk": row(generated_images=images)}), "retrieve")
    assert type(error) is ProtocolError
    assert error.path.startswith("$.generations_by_pk.generated_images")


USELESS: list[dict[str, Any]] = [
    {name: value}
    for name in ("createdAt", "modelId", "prompt", "motion", "prompt_moderations", "imageWidth", "scheduler")
    for value in (5, "no", True, {}, [], ["x"], None, 1.5)
]


@pytest.mark.parametrize("odd", USELESS, ids=repr)
def test_a_field_that_nobody_needs_hides_no_picture(odd: dict[str, Any]) -> None:
    """Whatever type it has: the picture is there, and the whole answer is kept."""
    given = row(generated_images=[image()], **odd)
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": given})).result
    assert (snapshot.state, len(snapshot.outputs), snapshot.raw) == (State.COMPLETED, 1, given)


@pytest.mark.parametrize("odd", [None, 5, "https://a", [], image(url=None), image(url=5)], ids=repr)
def test_an_odd_element_beside_good_pictures(odd: Any) -> None:
    """The good ones count, and that something is missing is said."""
    given = row(generated_images=[image(), odd, image(id="i2")])
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": given})).result
    assert (snapshot.state, len(snapshot.outputs)) == (State.COMPLETED, 2)
    assert snapshot.warnings == ("1 of 3 outputs could not be read; raw has what the vendor sent",)


def test_one_picture_that_is_not_in_a_list() -> None:
    """A list of one, written as what it holds."""
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": row(generated_images=image())})).result
    assert (len(snapshot.outputs), snapshot.warnings) == (1, ())


@pytest.mark.parametrize(
    ("given", "flag"),
    [(True, True), (1, True), ("true", True), (False, False), (0, False), ("False", False), (None, None),
     ("maybe", None), ({}, None), ([1], None), (7, None)],
)  # fmt: skip
def test_the_nsfw_flag_in_any_form(given: Any, flag: bool | None) -> None:
    """A user who wants flagged pictures dropped does not get one because its flag is a number."""
    found = row(generated_images=[image(nsfw=given)])
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": found})).result
    assert [output.nsfw for output in snapshot.outputs] == [flag]


def test_an_answer_without_the_generation() -> None:
    """An answer that does not even mention a generation is not the same as a generation that is not there."""
    error = complaint(answer({"something": "else"}), "retrieve")
    assert (type(error), error.path) == (ProtocolError, "$.generations_by_pk")
    assert "no generations_by_pk" in str(error)


@pytest.mark.parametrize("call", EXCHANGES)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, call: str) -> None:
    """A redirect would carry the key to another host, so it is an answer that cannot be used."""
    error = complaint(answer("", status=status, headers={"Location": "https://elsewhere"}), call)
    assert type(error) is ProtocolError
    assert "a redirect, which is not followed because the request contains the key" in str(error)


# --- the account


def test_the_account() -> None:
    """The user, what is left, and how many jobs run at once, in the vendor's own names and numbers."""
    assert drive(LEONARDO.read_account(), sample("leonardo/me")).result == AccountInfo(
        provider="leonardo",
        connection="leo",
        user_id=USER,
        username="example-user",
        balances={
            "paidTokens": 0,
            "subscriptionTokens": 150,
            "subscriptionGptTokens": 0,
            "subscriptionModelTokens": 0,
            "apiPaidTokens": 5000,
            "apiSubscriptionTokens": 10000,
        },
        concurrency_slots=10,
        raw=sample_body("leonardo/me"),
    )


def test_an_account_with_little_in_it() -> None:
    """What is null or missing is left out."""
    details = {"user": {"id": USER}, "paidTokens": None, "apiConcurrencySlots": "10"}
    account = drive(LEONARDO.read_account(), answer({"user_details": [details]})).result
    assert (account.user_id, account.username, account.balances, account.concurrency_slots) == (USER, None, {}, None)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"user_details": None},
        {"user_details": []},
        {"user_details": {}},
        {"user_details": [{}]},
        {"user_details": [{"user": None}]},
        {"user_details": [{"user": {}}]},
        {"user_details": [{"user": []}]},
        {"user_details": [{"user": {"id": None}}]},
        {"user_details": [{"user": {"id": ""}}]},
        [],
        None,
    ],
    ids=repr,
)
def test_an_account_that_cannot_be_read(document: Any) -> None:
    """Without a user there is no account, and the error says where one belongs."""
    error = complaint(answer(document), "account")
    assert (type(error), error.path) == (ProtocolError, "$.user_details[0].user")


def test_requests_are_values() -> None:
    """A typed request cannot be changed, and shows no prompt."""
    request = LeonardoImage(prompt="a private matter", model="m")
    assert "private" not in repr(request)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.prompt = "x"  # type: ignore[misc]
