"""What is asked of Leonardo: what is refused before it is sent, what is translated, and what is said of the rest."""

from __future__ import annotations

import base64
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from providers.drive import answer, drive, first_request, sample, sample_body

from aiogen.errors import APIError, InputError, UnknownParameter
from aiogen.exchange import Submission
from aiogen.models import Cost
from aiogen.providers import Leonardo, LeonardoImage
from aiogen.providers.leonardo_references import MAX_INLINE_BYTES
from aiogen.providers.leonardo_sizes import is_exact, size_for
from aiogen.references import Reference

KEY = "11111111-2222-4333-8444-aaaaaaaaaaaa"
LEONARDO = Leonardo(api_key=KEY)
PHOENIX = "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"
KINO = "aa77f04e-3eec-4034-9c07-d0f619684628"
PNG = b"\x89PNG\r\n\x1a\n and so on"
INLINE = {"image": {"type": "BASE64", "data": base64.b64encode(PNG).decode()}}
URL = "https://example.com/boat.png"


def asked(model: str = "gemini-image-2", prompt: str | None = "a boat", **options: Any) -> Submission:
    """What a create for these keywords will send."""
    return LEONARDO.encode(LEONARDO.prepare(model, prompt, options))


def parameters(model: str = "gemini-image-2", prompt: str | None = "a boat", **options: Any) -> Any:
    return asked(model, prompt, **options).body["parameters"]


# --- misspelt, or somebody else's


MISSPELT = [
    ("gemini-image-2", "aspectratio", "aspect_ratio"),
    ("gemini-image-2", "aspectRatio", "aspect_ratio"),
    ("gemini-image-2", "seeed", "seed"),
    ("gemini-image-2", "numImages", "num_images"),
    ("gemini-image-2", "negativePrompt", "negative_prompt"),
    ("gemini-image-2", "witdh", "width"),
    ("gemini-image-2", "hight", "height"),
    ("gemini-image-2", "promt_enhance", "prompt_enhance"),
    ("gemini-image-2", "style", "style_ids"),
    ("gemini-image-2", "guidance", "guidances"),
    ("gemini-image-2", "reference", None),
    ("gemini-image-2", "source", None),
    ("gemini-image-2", "alchemy", None),
    ("gemini-image-2", "webhookUrl", None),
    ("gemini-image-2", "temperature", None),
    ("brand-new", "seeed", "seed"),
    ("kling-3.0", "durration", "duration"),
    (PHOENIX, "sd_Version", "sd_version"),
    (PHOENIX, "presetstyle", "presetStyle"),
    (PHOENIX, "guidanceScale", "guidance_scale"),
    (PHOENIX, "alchmy", "alchemy"),
    (PHOENIX, "style_ids", None),
    (PHOENIX, "quality", None),
    (PHOENIX, "parameters", None),
]


@pytest.mark.parametrize(("model", "name", "meant"), MISSPELT)
def test_a_keyword_that_nothing_has_is_refused(model: str, name: str, meant: str | None) -> None:
    """With the one that was probably meant, or with what helps, before anything is sent; `extra` sends it."""
    with pytest.raises(UnknownParameter) as caught:
        LEONARDO.prepare(model, "a boat", {name: "x"})
    assert (caught.value.parameter, caught.value.proposal) == (name, meant)
    assert f'extra={{"{name}": …}}' in str(caught.value)
    if name != "parameters":
        body = asked(model, extra={name: "x"}).body
        assert body.get("parameters", body)[name] == "x"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("source", "references=[…]"),
        ("start_frame", "guidances={…}"),
        ("alchemy", "older models"),
        ("webhookUrl", "with the API key"),
        ("modelId", "in the model string"),
        ("temperature", "aspect_ratio, contrast, duration, guidances, height, mode, n, negative_prompt"),
    ],
)
def test_what_helps_instead(name: str, words: str) -> None:
    """Names of other vendors are answered with what there is here."""
    with pytest.raises(UnknownParameter) as caught:
        LEONARDO.prepare("gemini-image-2", "a boat", {name: "x"})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("recraft-v4", {"style_ids": ["x"]}, "'recraft-v4' has no parameter 'style_ids'. It takes no styles"),
        ("gpt-image-1.5", {"mode": "FAST"}, "'gpt-image-1.5' has no parameter 'mode'. Since 4 May 2026 it is quality"),
        ("ideogram-v3.0", {"mode": "FAST"}, "Since 4 May 2026"),
        ("kling-2.6", {"num_images": 2}, "'kling-2.6' makes at most 1 at once, not 2. Submit several jobs"),
        ("gemini-image-2", {"quantity": 9}, "'gemini-image-2' makes at most 8 at once, not 9"),
        ("ideogram-v4.0", {"num_images": 5}, "makes at most 4 at once"),
        ("seedream-5.0-pro", {"num_images": 7}, "makes at most 6 at once"),
        (PHOENIX, {"num_images": 9}, "makes at most 8 pictures at once, not 9"),
        ("recraft-v4", {"references": URL}, "'recraft-v4' takes no references"),
        ("recraft-v4", {"guidances": {"style": URL}}, "'recraft-v4' has no guidance 'style'; it has none"),
        ("gemini-image-2", {"guidances": {"style": URL}}, "has no guidance 'style'; it has image_reference"),
        ("gemini-image-2", {"references": [URL] * 7}, "takes at most 6 of image_reference, not 7"),
        ("gemini-image-2", {"references": [URL] * 4, "guidances": {"image_reference": [URL] * 3}}, "not 7"),
        ("lucid-origin", {"guidances": {"style": [URL, URL]}}, "takes at most 1 of style, not 2"),
        ("flux-dev", {"references": URL}, "not clear what the references are for .*'flux-dev': it has style, content"),
        ("kling-3.0", {"references": URL}, "not clear what the references are for .*may also be its frames"),
        ("kling-9.9", {"references": URL}, "not clear what the references are for"),
        ("music-v1", {"references": URL}, "not clear what the references are for"),
        (PHOENIX, {"references": URL}, "only by the ids of uploads.*init_image_id.*its name there is 'phoenix-v1.0'"),
        (PHOENIX.replace("d", "e"), {"references": URL}, "only by the ids of uploads"),
        ("gemini-image-2", {"aspect_ratio": "wide"}, "aspect_ratio has to be a width and a height such as '16:9'"),
        ("gemini-image-2", {"aspect_ratio": "0:1"}, "from 1:4 to 4:1"),
        ("gemini-image-2", {"aspect_ratio": "5:1"}, "from 1:4 to 4:1"),
        ("gemini-image-2", {"aspect_ratio": "1:1", "width": 8, "height": 8}, "can contradict each other"),
        ("gemini-image-2", {"duration": -1}, "duration has to be"),
        ("gemini-image-2", {"n": 0}, "n has to be from 1"),
        ("gemini-image-2", {"n": "2"}, "n has to be a whole number"),
        ("gemini-image-2", {"style_ids": 5}, "style_ids takes the ids of styles"),
        ("gemini-image-2", {"style_ids": []}, "style_ids takes the ids of styles"),
        ("gemini-image-2", {"guidances": [URL]}, "guidances= takes pictures by what they are for"),
        ("gemini-image-2", {"guidances": {"image_reference": 5}}, "A guidance takes pictures or objects"),
        ("gemini-image-2", {"guidances": {"image_reference": {"image": object()}}}, "guidances is a object"),
        ("gemini-image-2", {"references": 5}, "A reference must be"),
        ("gemini-image-2", {"references": "http://example.com/a.png"}, "is not https"),
        ("gemini-image-2", {"parameters": 5}, "parameters= takes fields by name"),
        ("gemini-image-2", {"extra": 5}, "extra= takes further fields"),
    ],
)  # fmt: skip
def test_what_a_model_certainly_does_not_take(model: str, options: dict[str, Any], words: str) -> None:
    """Is refused by the name of the model, before anything is sent."""
    with pytest.raises(InputError, match=words):
        asked(model, **options)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("recraft-v4", {"style_ids": ["x"], "seed": 1, "negative_prompt": "b", "guidances": {"style": []}}),
        ("kling-2.6", {"quantity": 2}),
        ("gpt-image-1.5", {"mode": "FAST"}),
        ("remove-bg", {"prompt": "a boat", "guidances": {"x": []}}),
    ],
)
def test_extra_passes_anything_on(model: str, options: dict[str, Any]) -> None:
    """Nothing that the vendor may take today is refused because the table is old."""
    prompt = None if "prompt" in options else "a boat"
    submission = asked(model, prompt, extra=options)
    assert {name: submission.body["parameters"][name] for name in options} == options
    assert submission.warnings == ()


def test_typed_requests_are_checked_as_well() -> None:
    """What a keyword refuses, a typed request refuses."""
    with pytest.raises(InputError, match="makes at most 1 at once"):
        LeonardoImage(prompt="a", model="kling-2.6", num_images=2)
    with pytest.raises(UnknownParameter, match="On v1 a style is presetStyle"):
        LeonardoImage(prompt="a", model=PHOENIX, style_ids=("x",))
    with pytest.raises(UnknownParameter, match="has no parameter 'quality'"):
        LeonardoImage(prompt="a", model=PHOENIX, quality="HIGH")


# --- words common to all providers


@pytest.mark.parametrize(
    ("model", "options", "sent", "warning"),
    [
        ("gpt-image-2", {"seed": 7}, {}, "'gpt-image-2' takes no seed: it was not sent."),
        ("gpt-image-1.5", {"seed": 7}, {"seed": 7}, None),
        ("kling-3.0", {"seed": 7, "negative_prompt": "rain"}, {"seed": 7, "negative_prompt": "rain"}, None),
        ("gemini-image-2", {"negative_prompt": "rain"}, {}, "takes no negative_prompt: it was not sent."),
        ("phoenix-v1.0", {"negative_prompt": "rain"}, {"negative_prompt": "rain"}, None),
        ("ideogram-v4.0", {"n": 6}, {"quantity": 4}, "'ideogram-v4.0' makes at most 4 at once: n=6 was sent as 4."),
        ("kling-2.6", {"n": 3}, {}, "'kling-2.6' makes at most 1 at once: n=3 was sent as 1."),
        ("gemini-image-2", {"n": 8}, {"quantity": 8}, None),
        ("music-v1", {"width": 8, "height": 8}, {}, "'music-v1' takes no size: width and height were not sent."),
        ("music-v1", {"aspect_ratio": "1:1"}, {}, "takes no size: aspect_ratio was not sent."),
        ("rodin-v2", {"aspect_ratio": "1:1"}, {}, "takes no size: aspect_ratio was not sent."),
        ("gemini-image-2", {"aspect_ratio": "1:1"}, {"width": 1024, "height": 1024}, None),
        ("gemini-image-2", {"aspect_ratio": "2:1"}, {"width": 1456, "height": 728}, None),
        (
            "gemini-image-2", {"aspect_ratio": "16:9"}, {"width": 1376, "height": 768},
            "Leonardo AI takes pixels: aspect_ratio 16:9 was sent as 1376 × 768, about the same.",
        ),
        ("kling-2.6", {"aspect_ratio": "16:9"}, {"width": 1280, "height": 720}, None),
        ("gemini-image-2", {"aspect_ratio": "2:1", "width": 800}, {"width": 800, "height": 400}, None),
        ("gemini-image-2", {"aspect_ratio": "1:2", "height": 800}, {"width": 400, "height": 800}, None),
    ],
)  # fmt: skip
def test_a_common_word(model: str, options: dict[str, Any], sent: dict[str, Any], warning: str | None) -> None:
    """Is translated; what the model cannot honour is not sent, and a warning says so."""
    submission = asked(model, **options)
    found = dict(submission.body["parameters"])
    assert found.pop("prompt") == "a boat"
    if "quantity" not in sent and found.get("quantity") == 1:
        del found["quantity"]
    assert found == sent
    assert len(submission.warnings) == (warning is not None)
    assert warning is None or submission.warnings[0].endswith(warning)


def test_common_words_on_v1() -> None:
    """The older models take all of them but references."""
    submission = asked(PHOENIX, aspect_ratio="16:9", n=2, seed=7, negative_prompt="rain")
    assert submission.body == {
        "modelId": PHOENIX, "public": False, "prompt": "a boat", "width": 1408, "height": 792, "num_images": 2,
        "seed": 7, "negative_prompt": "rain",
    }  # fmt: skip
    assert submission.warnings == ()
    submission = asked(PHOENIX, n=12)
    assert submission.body["num_images"] == submission.outputs == 8
    assert "makes at most 8 at once: n=12 was sent as 8" in submission.warnings[0]


@pytest.mark.parametrize(
    "ratio",
    ["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "5:4", "4:5", "21:9", "9:21", "2:1", "1:2", "3:1", "1:3",
     "17:9", "4:1", "1:4", "239:100"],
)  # fmt: skip
@pytest.mark.parametrize("is_v1", [True, False])
def test_a_size_for_a_ratio(ratio: str, is_v1: bool) -> None:
    """Multiples of eight, about one megapixel, about that shape; on v1 no side is longer than 1536."""
    width, height = size_for(ratio, kind="image", is_v1=is_v1)
    wide, high = map(int, ratio.split(":"))
    assert (width % 8, height % 8) == (0, 0)
    assert 0.5 * 1024**2 <= width * height <= 1.15 * 1024**2
    assert width / height == pytest.approx(wide / high, rel=0.03)
    assert not is_v1 or 32 <= min(width, height) <= max(width, height) <= 1536
    assert size_for(f"{high}:{wide}", kind="image", is_v1=is_v1) == (height, width)
    assert is_exact(ratio, width, height) == (width * high == height * wide)


# --- pictures


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (PNG, INLINE["image"]),
        (bytearray(PNG), INLINE["image"]),
        (URL, {"type": "URL", "url": URL}),
        (Reference(data=PNG), INLINE["image"]),
        (Reference(generation_id="17f2"), {"type": "GENERATED", "id": "17f2"}),
        (Reference(file_id="9a4c"), {"type": "UPLOADED", "id": "9a4c"}),
        ({"url": URL}, {"type": "URL", "url": URL}),
    ],
    ids=repr,
)
def test_a_reference_in_the_vendors_words(given: Any, said: dict[str, str]) -> None:
    """Inline, by address, or by the vendor's own ids; alone or in a list; by `references` or in its guidance."""
    expected = {"image_reference": [{"image": said}]}
    assert parameters(references=given)["guidances"] == expected
    assert parameters(references=[given])["guidances"] == expected
    if not isinstance(given, dict):
        assert parameters(guidances={"image_reference": given})["guidances"] == expected
        assert parameters(guidances={"image_reference": [given]})["guidances"] == expected
    if not isinstance(given, str | dict):
        assert parameters(guidances={"image_reference": {"image": given}})["guidances"] == expected


def test_references_and_guidances_come_together() -> None:
    """References first, what is said of a guidance stays, and `extra` has the last word on its own keys."""
    submission = asked(
        "nano-banana-2", references=[URL, PNG],
        guidances={"image_reference": [{"image": PNG, "strength": "HIGH"}]},
        extra={"guidances": {"video_reference_base": [1]}},
    )  # fmt: skip
    assert submission.body["parameters"]["guidances"] == {
        "image_reference": [{"image": {"type": "URL", "url": URL}}, INLINE, {**INLINE, "strength": "HIGH"}],
        "video_reference_base": [1],
    }


def test_a_single_guidance_is_what_references_mean() -> None:
    """Where there is only one, nothing else can be meant."""
    assert set(parameters("krea/krea-2", references=URL)["guidances"]) == {"style"}
    assert set(parameters("rodin-v2", None, references=URL)["guidances"]) == {"image_reference"}
    assert set(parameters("brand-new", references=URL)["guidances"]) == {"image_reference"}


def test_no_references_are_none() -> None:
    """None and nothing say nothing."""
    for nothing in (None, [], ()):
        assert "guidances" not in parameters(references=nothing)
    assert "guidances" not in parameters(guidances=None)
    assert "guidances" not in parameters(guidances={})
    assert "guidances" not in parameters(guidances={"image_reference": None})


def test_a_file_is_read_before() -> None:
    """A request names its files, in references and in guidances; read, they are sent inline."""
    request = LEONARDO.prepare(
        "flux-dev", "a boat", {"guidances": {"style": Path("a.png"), "content": [{"image": Path("b.png")}]}}
    )
    assert [reference.path for reference in request.references()] == [Path("a.png"), Path("b.png")]
    with pytest.raises(InputError, match=r"The file 'a\.png' has not been read"):
        LEONARDO.encode(request)
    read = request.with_files({Path("a.png"): Reference(data=PNG), Path("b.png"): Reference(data=PNG)})
    assert LEONARDO.encode(read).body["parameters"]["guidances"] == {"style": [INLINE], "content": [INLINE]}
    request = LEONARDO.prepare("gemini-image-2", "a boat", {"references": [Path("a.png"), URL]})
    read = request.with_files({Path("a.png"): Reference(data=PNG)})
    assert LEONARDO.encode(read).body["parameters"]["guidances"]["image_reference"][0] == INLINE


def test_a_picture_that_is_too_large_to_be_sent_along() -> None:
    """Is refused with what helps; a file is not even read."""
    large = PNG + bytes(MAX_INLINE_BYTES)
    for options in ({"references": large}, {"guidances": {"image_reference": large}}):
        with pytest.raises(
            InputError, match=r"7,000,\d+ bytes; .* about 7,000,000. Make it smaller, or pass its https"
        ):
            asked(**options)
    assert Leonardo.facts.max_reference_bytes == MAX_INLINE_BYTES
    assert parameters(references=PNG + bytes(MAX_INLINE_BYTES - len(PNG)))


# --- models without a prompt


@pytest.mark.parametrize("model", ["remove-bg", "aurora-upscaler-creative", "aurora-upscaler-precise"])
def test_a_model_without_a_prompt(model: str) -> None:
    """None is sent, nor a quantity: its schema has nothing but what belongs to the picture."""
    submission = asked(model, None, references=PNG)
    assert submission.body["parameters"] == {"guidances": {"image_reference": [INLINE]}}
    assert (submission.prompt, submission.outputs, submission.kind, submission.warnings) == (None, 1, "image", ())
    with pytest.raises(UnknownParameter, match=f"{model}' takes no prompt; leave it out"):
        asked(model, "a boat", references=PNG)
    with pytest.raises(InputError, match=f"{model}' needs a picture"):
        asked(model, None)
    with pytest.raises(InputError, match="The prompt cannot be empty"):
        asked(model, " ", references=PNG)


def test_what_a_model_without_a_prompt_leaves_out() -> None:
    """Common words that it cannot honour are said in warnings; an upscaler takes the size of its picture."""
    submission = asked("remove-bg", None, references=PNG, width=8, seed=1, negative_prompt="rain", n=2, size="full")
    assert submission.body["parameters"] == {"guidances": {"image_reference": [INLINE]}, "size": "full"}
    assert len(submission.warnings) == 4
    submission = asked("aurora-upscaler-precise", None, references=PNG, width=8, height=16, upscale_factor=2)
    assert submission.body["parameters"] == {
        "guidances": {"image_reference": [INLINE]}, "width": 8, "height": 16, "upscale_factor": 2,
    }  # fmt: skip
    assert submission.warnings == ()
    [warning] = asked("aurora-upscaler-precise", None, references=PNG, aspect_ratio="1:1").warnings
    assert warning.endswith("keeps the shape of the picture: aspect_ratio was not sent.")


@pytest.mark.parametrize("model", ["gemini-image-2", "kling-3.0", PHOENIX])
def test_every_other_model_needs_a_prompt(model: str) -> None:
    """Also with a picture."""
    options = {} if model == PHOENIX else {"guidances": {"image_reference": URL}}
    with pytest.raises(InputError, match="The prompt cannot be empty"):
        asked(model, None, **options)


def test_of_a_model_that_nobody_knows_a_picture_may_be_enough() -> None:
    """Without either, something was forgotten."""
    assert parameters("brand-new-upscaler", None, references=URL)["guidances"]
    assert parameters("brand-new-upscaler", None, extra={"prompt": "a"})["prompt"] == "a"
    with pytest.raises(InputError, match="The prompt cannot be empty"):
        asked("brand-new-upscaler", None)


def test_typed_fields_reach_the_body() -> None:
    """Each under the vendor's own name."""
    request = LeonardoImage(
        prompt="a boat", model="phoenix-v1.0", style_ids=("s",), prompt_enhance="OFF", quality="HIGH", mode="FAST",
        contrast="MEDIUM", duration=5,
    )  # fmt: skip
    assert LEONARDO.encode(request).body["parameters"] == {
        "prompt": "a boat", "quantity": 1, "style_ids": ["s"], "prompt_enhance": "OFF", "quality": "HIGH",
        "mode": "FAST", "contrast": "MEDIUM", "duration": 5,
    }  # fmt: skip
    assert LEONARDO.encode(LeonardoImage(prompt="a", model=PHOENIX, contrast=3.5)).body["contrast"] == 3.5


# --- prices


def quoted(model: str, *responses: Any, **options: Any) -> Any:
    return drive(LEONARDO.quote(asked(model, **options)), *responses)


def test_a_price_of_v1() -> None:
    """Asked as the documented example asks; it is an estimate in credits, and asking creates nothing."""
    went = quoted(KINO, sample("leonardo/price"), width=512, height=512, n=4, alchemy=False)
    [request] = went.requests
    assert (request.verb, request.method, request.url.partition("/rest")[2]) == (
        "retrieve",
        "POST",
        "/v1/pricing-calculator",
    )
    assert request.body == sample_body("leonardo/price_question")
    assert went.result == Cost(Decimal(16), "CREDITS", is_estimate=True)


@pytest.mark.parametrize(
    ("model", "options", "asked_for"),
    [
        (PHOENIX, {}, {"imageWidth": 1024, "imageHeight": 768, "numImages": 1, "inferenceSteps": 15}),
        (PHOENIX, {}, {"isPhoenix": True}),
        (PHOENIX, {}, {"alchemyMode": True, "highResolution": False}),
        (PHOENIX, {"ultra": True, "num_inference_steps": 30}, {"isUltra": True, "alchemyMode": False}),
        (PHOENIX, {"num_inference_steps": 30}, {"inferenceSteps": 30}),
        (KINO, {"photoReal": True, "photoRealVersion": "v2"}, {"photoRealMode": True, "photoRealVersion": "v2"}),
        (KINO, {"elements": [1, 2], "userElements": [3]}, {"loraCount": 3}),
        (PHOENIX.replace("d", "e"), {"sd_version": "FLUX_DEV"}, {"isFluxDev": True}),
    ],
)  # fmt: skip
def test_what_the_calculator_is_asked(model: str, options: dict[str, Any], asked_for: dict[str, Any]) -> None:
    """The create in the calculator's words, with the create's own defaults."""
    request = first_request(LEONARDO.quote(asked(model, **options)))
    found = request.body["serviceParams"]["IMAGE_GENERATION"]  # type: ignore[call-overload, index]
    assert asked_for.items() <= found.items()


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("gemini-image-2", {}),
        ("7b592283-e8a7-4c5a-9ba6-d18c31f258b9", {}),
        (PHOENIX.replace("d", "e"), {}),
        (PHOENIX, {"controlnets": [{}]}),
        (PHOENIX, {"init_image_id": "x"}),
    ],
)
def test_what_nobody_quotes(model: str, options: dict[str, Any]) -> None:
    """Models of v2, families that the calculator has no flag for, and what it has no words for: nothing is asked."""
    went = quoted(model, **options)
    assert (went.requests, went.result) == ([], None)


@pytest.mark.parametrize(
    "document", [{}, {"calculateProductionApiServiceCost": None}, {"calculateProductionApiServiceCost": {}}]
)
def test_a_price_that_is_not_there(document: Any) -> None:
    """Unknown, and no error: a price is not worth a job."""
    assert quoted(PHOENIX, answer(document)).result is None


def test_a_calculator_that_refuses() -> None:
    """Is the vendor's refusal."""
    with pytest.raises(APIError, match="API error 400"):
        quoted(PHOENIX, answer({"error": "no", "code": "validation-failed", "path": "$"}, status=400))


def test_no_picture_is_none() -> None:
    """None in place of references or guidances says nothing; anything but a mapping of guidances is refused."""
    request = LeonardoImage(prompt="a boat", model="lucid-origin", references=None, guidances=None)  # type: ignore[arg-type]
    assert list(request.references()) == []
    with pytest.raises(InputError, match="guidances= takes pictures by what they are for"):
        LeonardoImage(prompt="a boat", model="lucid-origin", guidances=["a.png"])  # type: ignore[arg-type]
