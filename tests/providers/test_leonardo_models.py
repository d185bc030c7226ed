"""What is known of Leonardo's models, held against what was published, and what follows from it for a create."""

from __future__ import annotations

from typing import Any

import pytest
from providers.drive import answer, drive, sample, sample_body

from aiogen.errors import ProtocolError
from aiogen.exchange import Ticket
from aiogen.models import FailureCode, State
from aiogen.providers import Leonardo, LeonardoImage
from aiogen.providers.leonardo_models import (
    MODELS,
    SLUGS,
    V1_FIELDS,
    V2_WORDS,
    kind_of,
    nearest,
    reference_key,
    slug_of,
)
from aiogen.sandbox.vendors.leonardo import checks as imitated
from aiogen.sandbox.vendors.leonardo.models import catalogue, older

URL = "https://example.com/boat.png"
KEY = "11111111-2222-4333-8444-aaaaaaaaaaaa"
LEONARDO = Leonardo(api_key=KEY)
ID = "5a1e2f3c-7b6d-4c8e-9f10-2a3b4c5d6e7f"
PHOENIX = "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"
PUBLISHED: dict[str, dict[str, Any]] = sample_body("leonardo/table_2026_10_08")


def pictured(model: str, **more: Any) -> LeonardoImage:
    """A request that this model may be asked, with a prompt or a picture."""
    known = MODELS[model]
    if known.takes_prompt is False:
        return LeonardoImage(model=model, references=[b"\x89PNG\r\n\x1a\n"], **more)
    return LeonardoImage(model=model, prompt="a boat", **more)


@pytest.mark.parametrize("slug", PUBLISHED)
def test_the_table_is_as_published(slug: str) -> None:
    """Kind, quantity, seed, negative prompt, styles, references and whether there is a prompt."""
    model, published = MODELS[slug], PUBLISHED[slug]
    assert (model.kind, model.max_quantity) == (published["kind"], published["max_quantity"])
    assert (model.takes_prompt is False) == (published.get("prompt") is False)
    assert model.guidances == published.get("guidances")
    for ours, theirs in (("negative_prompt", "negative_prompt"), ("styles", "style_ids"), ("seed", "seed")):
        if theirs in published and (slug, theirs) != ("gpt-image-1.5", "seed"):  # its guide sends one
            assert getattr(model, ours) == published[theirs], theirs


def test_nothing_is_missing_from_the_table() -> None:
    """Each of the 79, and each UUID leads to one of them."""
    assert set(MODELS) == set(PUBLISHED)
    assert set(SLUGS.values()) <= set(MODELS)


@pytest.mark.parametrize("slug", PUBLISHED)
def test_every_published_model_can_be_asked(slug: str) -> None:
    """With whatever its schema has, up to its maxima, and nothing of it is left out or warned about."""
    published = PUBLISHED[slug]
    more: dict[str, Any] = {"num_images": published["max_quantity"]}
    if published.get("seed"):
        more["seed"] = 7
    if published.get("negative_prompt"):
        more["negative_prompt"] = "rain"
    if published.get("style_ids"):
        more["style_ids"] = ["111dc692-d470-4eec-b791-3475abac4c46"]
    guidances = {
        key: ["https://example.com/boat.png"] * count
        for key, count in published.get("guidances", {}).items()
        if MODELS[slug].takes_prompt is not False or key != "image_reference"
    }
    submission = LEONARDO.encode(pictured(slug, guidances=guidances, **more))
    parameters = submission.body["parameters"]
    assert submission.warnings == ()
    assert submission.outputs == published["max_quantity"]
    assert parameters.get("quantity", 1) == published["max_quantity"]
    assert {name: parameters[name] for name in more if name != "num_images"} == {
        name: value for name, value in more.items() if name != "num_images"
    }
    assert set(guidances) <= set(parameters.get("guidances", {}))


@pytest.mark.parametrize("slug", PUBLISHED)
def test_the_sandbox_takes_what_is_sent(slug: str) -> None:
    """Its table was written apart from the provider's: both read the same documents alike."""
    known = MODELS[slug]
    guidances = {key: [URL] * count for key, count in (known.guidances or {}).items()}
    prompt = None if known.takes_prompt is False else "a boat"
    options: dict[str, Any] = {"aspect_ratio": "16:9", "seed": 7, "negative_prompt": "rain", "n": 8}
    if known.styles:
        options["style_ids"] = ["x"]
    body = LEONARDO.encode(LEONARDO.prepare(slug, prompt, {**options, "guidances": guidances})).body
    assert imitated.check_v2(body) == body


def test_the_sandbox_lists_what_is_known() -> None:
    """Each of its models is one of the table, though its list has no slugs."""
    names = [
        model.name for model in listed(catalogue()["productionApiAvailableModels"], older()["custom_models"]).result
    ]
    assert len(names) == len(set(names)) == len(MODELS) + len(older()["custom_models"])
    assert set(MODELS) <= set(names)


@pytest.mark.parametrize("name", ["request_references", "request_remove_bg", "request_upscale"])
def test_every_sample_of_a_request_can_be_made(name: str) -> None:
    """By keywords, and nothing in it is refused, renamed or added to."""
    body = sample_body(f"leonardo/{name}")
    parameters = dict(body["parameters"])
    request = LEONARDO.prepare(body["model"], parameters.pop("prompt", None), parameters)
    submission = LEONARDO.encode(request)
    assert (submission.body, submission.warnings) == (body, ())


def test_the_schema_that_was_read_can_be_asked() -> None:
    """Every parameter of the one schema that was published whole."""
    [entry] = sample_body("leonardo/models_v2")["productionApiAvailableModels"]
    values = {"prompt": "a boat", "width": 8, "height": 8, "quantity": 2, "seed": 1, "style_ids": ["s"]}
    values |= {"guidances": {"style": ["https://example.com/a.png"]}, "prompt_enhance": "ON"}
    assert set(values) == set(entry["parameters"]["properties"])
    prompt = values.pop("prompt")
    submission = LEONARDO.encode(LEONARDO.prepare("flux-schnell", str(prompt), values))
    assert set(submission.body["parameters"]) == set(entry["parameters"]["properties"])
    assert submission.warnings == ()


@pytest.mark.parametrize("word", sorted(V2_WORDS - {"prompt"}))
def test_a_word_that_some_model_takes_is_passed_on(word: str) -> None:
    """At a model that nobody knows."""
    value: Any = {"width": 8, "height": 8, "quantity": 2, "seed": 1, "duration": 5, "aspect_ratio": "1:1"}.get(
        word, "x"
    )
    if word in ("guidances", "style_ids"):
        value = {"style": ["https://example.com/a.png"]} if word == "guidances" else ["s"]
    parameters = LEONARDO.encode(LEONARDO.prepare("brand-new", "a boat", {word: value})).body["parameters"]
    assert word in parameters or word == "aspect_ratio"


@pytest.mark.parametrize("word", sorted(V1_FIELDS - {"prompt", "modelId"}))
def test_a_field_of_v1_is_passed_on(word: str) -> None:
    """At a model of v1, each in the vendor's own spelling."""
    value: Any = {"width": 8, "height": 8, "num_images": 2, "seed": 1, "public": True}.get(word, "x")
    assert LEONARDO.encode(LEONARDO.prepare(PHOENIX, "a boat", {word: value})).body[word] == value


# --- kinds and deadlines


@pytest.mark.parametrize("slug", PUBLISHED)
def test_a_kind_is_by_the_table(slug: str) -> None:
    """A film has half an hour, and so has all that is no picture, whatever its name sounds like."""
    submission = LEONARDO.encode(pictured(slug))
    assert submission.kind == PUBLISHED[slug]["kind"]
    assert submission.timeout == (600.0 if submission.kind == "image" else 1800.0)


@pytest.mark.parametrize(
    ("model", "parameters", "kind"),
    [
        ("kling-4.0", {}, "video"),
        ("brand-new", {}, "image"),
        ("brand-new", {"duration": 5}, "video"),
        ("brand-new", {"guidances": {"start_frame": []}}, "video"),
        ("brand-new", {"guidances": {"video_reference_base": []}}, "video"),
        ("brand-new", {"guidances": {"image_reference": []}}, "image"),
        ("brand-new", {"guidances": None}, "image"),
        ("nano-banana-2", {"guidances": {"video_reference_base": []}}, "image"),
        ("elevenlabs/sound-effects-v3", {"duration": 5}, "audio"),
        ("rodin-v3", {}, "3d"),
        (PHOENIX, {"duration": 5}, "image"),
    ],
)
def test_a_kind_without_the_table(model: str, parameters: dict[str, Any], kind: str) -> None:
    """The table, else what only films take, else words in the name."""
    assert kind_of(model, parameters) == kind


def test_a_film_is_one_by_what_is_asked() -> None:
    """The deadline of a model that nobody knows follows from the request."""
    request = LEONARDO.prepare("brand-new", "a boat", {"guidances": {"start_frame": ["https://example.com/a.png"]}})
    assert (LEONARDO.encode(request).kind, LEONARDO.encode(request).timeout) == ("video", 1800.0)


@pytest.mark.parametrize(
    ("slug", "similar"),
    [
        ("kling-4.0", "kling-3.0"),
        ("gemini-image-3", "gemini-image-2"),
        ("lucid_origin", "lucid-origin"),
        ("flux-3-image", "bfl/flux-3-image"),
        ("qqq", None),
    ],
)
def test_the_nearest_model(slug: str, similar: str | None) -> None:
    """Of a model that is not in the table, the one that was probably meant, or that came before."""
    assert nearest(slug) == similar


def test_an_unknown_model_is_passed_on_with_a_word() -> None:
    """Never an allow-list: slugs come and go every few weeks."""
    submission = LEONARDO.encode(
        LEONARDO.prepare("gemini-image-3", "a boat", {"seed": 1, "negative_prompt": "rain", "n": 9})
    )
    assert submission.body["parameters"] == {"prompt": "a boat", "quantity": 9, "seed": 1, "negative_prompt": "rain"}
    assert submission.warnings == (
        "Leonardo AI's model 'gemini-image-3' is not in aiogen's table of 2026-10-08; the most similar name there is "
        "'gemini-image-2'. It was passed on as it is.",
    )
    assert LEONARDO.encode(LEONARDO.prepare(PHOENIX, "a boat", {})).warnings == ()


# --- what a reading says


@pytest.mark.parametrize(
    ("model_id", "asked", "shown"),
    [
        ("b2614463-296c-462a-9586-aafdb8f00e36", None, "flux-dev"),
        ("B2614463-296C-462A-9586-AAFDB8F00E36", None, "flux-dev"),
        ("b2614463-296c-462a-9586-aafdb8f00e36", "gemini-image-2", "gemini-image-2"),
        (PHOENIX, PHOENIX, PHOENIX),
        ("00000000-0000-4000-8000-000000000001", None, "00000000-0000-4000-8000-000000000001"),
        (None, None, None),
    ],
)
def test_which_model_a_reading_shows(model_id: str | None, asked: str | None, shown: str | None) -> None:
    """The slug where it is known; what the create said stays."""
    row = {**sample_body("leonardo/complete_image")["generations_by_pk"], "modelId": model_id}
    ticket = Ticket(provider_id=ID, model=asked)
    assert drive(LEONARDO.get(ticket), answer({"generations_by_pk": row})).result.model == shown


def test_a_list_shows_slugs() -> None:
    """A list has no ticket, so it shows what is known."""
    page = drive(LEONARDO.list("11111111-2222-4333-8444-555555555555", 0, 10), sample("leonardo/list")).result
    assert {snapshot.model for snapshot in page.snapshots} == {"lightning-xl"}


REASON = sample_body("leonardo/blueprint_generations")["blueprintExecutionGenerations"]["edges"][1]["node"][
    "failedReason"
]


@pytest.mark.parametrize(
    ("found", "code", "reason", "vendor_code"),
    [
        ({"failedReason": REASON}, FailureCode.CONTENT_MODERATED, REASON["message"], "PROMPT_MODERATION_BLOCKED"),
        ({"failedReason": {"type": "INTERNAL", "message": "no"}}, FailureCode.GENERATION_FAILED, "no", "INTERNAL"),
        (
            {"notes": [{"failureReason": {"errorCode": "PROVIDER_MODERATION_ERROR", "errorMessage": "blocked"}}]},
            FailureCode.CONTENT_MODERATED, "blocked", "PROVIDER_MODERATION_ERROR",
        ),
        ({"failedReason": {"type": 5}}, FailureCode.GENERATION_FAILED, "{'type': 5}", None),
    ],
    ids=repr,
)  # fmt: skip
def test_a_reason_of_a_failure(found: dict[str, Any], code: FailureCode, reason: str, vendor_code: str | None) -> None:
    """Where a reading has one, as the runs of blueprints do."""
    row = {**sample_body("leonardo/failed")["generations_by_pk"], **found}
    failure = drive(LEONARDO.get(Ticket(provider_id=ID)), answer({"generations_by_pk": row})).result.failure
    assert (failure.code, failure.reason, failure.vendor_code) == (code, reason, vendor_code)


def test_completed_with_nothing_because_of_moderation() -> None:
    """The reason is the vendor's, not our guess."""
    row = {
        **sample_body("leonardo/complete_image")["generations_by_pk"],
        "generated_images": [],
        "failedReason": REASON,
    }
    snapshot = drive(LEONARDO.get(Ticket(provider_id=ID)), answer({"generations_by_pk": row})).result
    assert (snapshot.state, snapshot.failure.reason) == (State.FAILED, REASON["message"])


@pytest.mark.parametrize("kind", ["audio", "3d", "image"])
def test_an_output_is_of_the_kind_that_was_asked_for(kind: str) -> None:
    """Of sounds and solids nothing else tells: their fields are documented nowhere."""
    row = sample_body("leonardo/complete_image")["generations_by_pk"]
    snapshot = drive(LEONARDO.get(Ticket(provider_id=ID, kind=kind)), answer({"generations_by_pk": row})).result
    assert {output.kind for output in snapshot.outputs} == {kind}


# --- which models there are


def listed(v2: Any = None, v1: Any = None) -> Any:
    first = answer({"productionApiAvailableModels": v2}) if v2 is not None else sample("leonardo/models_v2")
    second = answer({"custom_models": v1}) if v1 is not None else sample("leonardo/models_v1")
    return drive(LEONARDO.models(), first, second)


def test_the_models() -> None:
    """Two requests; each model by the name that a create takes, with what is known and what the vendor says."""
    went = listed()
    assert [(request.method, request.url.partition("/rest")[2]) for request in went.requests] == [
        ("GET", "/v2/models"), ("GET", "/v1/platformModels"),
    ]  # fmt: skip
    found = {model.name: model for model in went.result}
    assert set(found) == {*MODELS, PHOENIX, "b2614463-296c-462a-9586-aafdb8f00e36"}
    flux = found["flux-schnell"]
    assert (flux.provider_id, flux.title) == ("1dd50843-d653-4516-a8e3-f0238ee453ff", "FLUX Schnell")
    assert [each.name for each in flux.parameters if each.required] == ["prompt"]
    assert "GET /v2/models" in str(flux.source)
    assert "2026-10-08" in str(flux.source)
    gemini = found["gemini-image-2"]
    assert (gemini.kind, gemini.max_outputs, gemini.max_references, gemini.takes_prompt) == ("image", 8, 6, True)
    assert [each.name for each in gemini.parameters] == [
        "prompt", "width", "height", "quantity", "seed", "style_ids", "guidances",
    ]  # fmt: skip
    assert found["remove-bg"].takes_prompt is False
    assert found["recraft-v4"].max_references == 0
    assert found["flux-dev"].max_references is None  # one for style, one for content: there is no one figure
    assert (found["kling-2.6"].kind, found["kling-2.6"].seconds) == ("video", 120.0)
    older = found[PHOENIX]
    assert (older.title, older.takes_prompt, older.max_outputs) == ("Leonardo Phoenix 1.0", True, 8)
    assert str(older.about).endswith("On v2 it is phoenix-v1.0.")


@pytest.mark.parametrize(
    ("entry", "slug"),
    [
        ({"id": "GPT_IMAGE_1_5", "name": "x"}, "gpt-image-1.5"),
        ({"id": "x", "name": "Seedance 2.5"}, "bytedance/seedance-2.5"),
        ({"id": "x", "name": "Nano Banana Pro"}, "gemini-image-2"),
        ({"id": "1DD50843-d653-4516-a8e3-f0238ee453ff", "name": "x"}, "flux-schnell"),
    ],
)
def test_a_model_is_known_by_its_uuid_or_its_name(entry: dict[str, Any], slug: str) -> None:
    """The vendor's list has no slugs."""
    [found] = [model for model in listed([entry]).result if model.name == slug]
    assert (found.provider_id, found.title) == (entry["id"], entry["name"])


def test_a_model_newer_than_the_table() -> None:
    """It is shown with what the vendor says, and with what is missing to create with it."""
    entry = {
        "id": "u-1",
        "name": "Kiln 9",
        "parameters": {"properties": {"glow": {"enum": [1, 2], "default": 1}, "x": 5}},
    }
    [found] = [model for model in listed([entry]).result if model.name == "u-1"]
    assert found.title == "Kiln 9"
    assert "slug" in str(found.about)
    assert [(each.name, each.choices, each.default) for each in found.parameters] == [("glow", (1, 2), 1)]


@pytest.mark.parametrize(
    "odd", [[], [5, None, {}], [{"id": 5, "name": []}], [{"parameters": {"properties": []}}]], ids=repr
)
def test_odd_entries_hide_no_model(odd: Any) -> None:
    """What is known stays, whatever the vendor adds."""
    assert set(MODELS) <= {model.name for model in listed(odd, odd).result}


@pytest.mark.parametrize("document", [{}, [], None, {"productionApiAvailableModels": None}], ids=repr)
def test_a_list_of_models_that_cannot_be_read(document: Any) -> None:
    """An answer without a list says so."""
    with pytest.raises(ProtocolError, match="no list of models"):
        drive(LEONARDO.models(), answer(document))


def test_the_users_durations_are_shown() -> None:
    """What somebody knows better is what the list says."""
    leonardo = Leonardo(api_key=KEY, typical_seconds={"kling-2.6": 99.0})
    went = drive(leonardo.models(), sample("leonardo/models_v2"), sample("leonardo/models_v1"))
    assert {model.name: model.seconds for model in went.result}["kling-2.6"] == 99.0


def test_where_references_go() -> None:
    """To `image_reference`, or to the only guidance; where neither is there it has to be said."""
    keys = {slug: reference_key(model) for slug, model in MODELS.items()}
    assert (keys["nano-banana-2"], keys["krea/krea-2"], keys["rodin-v2"]) == (
        "image_reference",
        "style",
        "image_reference",
    )
    assert (keys["flux-dev"], keys["kino-xl"], keys["recraft-v4"], keys["kling-3.0"]) == (None, None, None, None)
    assert slug_of(None) is None
