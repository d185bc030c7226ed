"""What Leonardo's API refuses in a create, with its documented texts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .models import find
from .settings import LeonardoSettings

LONGEST_PROMPT = 1500
LARGE = 768
"""Pixels; with a longer side there are 4 images at most, else 8."""
MOST_IMAGES, MOST_LARGE_IMAGES = 8, 4
SIDES = range(32, 1537, 8)

_V1_KEYS = """alchemy canvasInitId canvasMaskId canvasRequest canvasRequestType contrast contrastRatio controlNet
    controlNetType controlnets elements enhancePrompt enhancePromptInstruction expandedDomain fantasyAvatar
    guidance_scale height highContrast highResolution imagePromptWeight imagePrompts init_generation_image_id
    init_image_id init_strength modelId negative_prompt num_images num_inference_steps photoReal photoRealStrength
    photoRealVersion presetStyle prompt promptMagic promptMagicStrength promptMagicVersion public scheduler
    sd_version seed styleUUID tiling transparency ultra unzoom unzoomAmount upscaleRatio userElements weighting
    width"""
V1_KEYS = frozenset(_V1_KEYS.split())
V1_BOOLEANS = (
    "alchemy",
    "canvasRequest",
    "enhancePrompt",
    "expandedDomain",
    "fantasyAvatar",
    "highContrast",
    "highResolution",
    "photoReal",
    "promptMagic",
    "public",
    "tiling",
    "ultra",
    "unzoom",
)
V2_KEYS = ("model", "public", "parameters")

UNSUPPORTED_MODEL = "00000000-0000-4000-8000-000000000000"
"""A model id that is never supported, for tests of that error."""

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

MOST_BASE64 = 7_500_000
"""Characters of an image inside a request (documented for remove-bg)."""
_BY_ID, _MEDIA = ("UPLOADED", "GENERATED", "VARIATION"), ("image", "video", "audio")

SERVICES = """IMAGE_GENERATION FANTASY_AVATAR_GENERATION MOTION_SVD_GENERATION MOTION_VIDEO_GENERATION
    VEO3_MOTION_VIDEO_GENERATION LCM_GENERATION MODEL_TRAINING TEXTURE_GENERATION UNIVERSAL_UPSCALER
    UNIVERSAL_UPSCALER_ULTRA"""
"""What the pricing calculator knows."""


class Refusal(Exception):
    """The vendor refuses a create. v1 reports `code` and `path` beside the text."""

    def __init__(self, text: str, *, code: str = "unexpected", path: str = "$", status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.path = path
        self.status = status


def check_v1(body: object, *, uploaded: Callable[[str], bool]) -> dict[str, Any]:
    """The body. `uploaded` says whether an upload of this id exists. Raises Refusal."""
    if not isinstance(body, Mapping):
        # A body that is not JSON is answered like one without a prompt.
        raise Refusal('expecting a value for non-nullable variable: "prompt"', code="validation-failed")
    for key in body:
        if key not in V1_KEYS:
            raise Refusal(f"Unexpected variable {key}", code="bad-request")
    if body.get("prompt") is None:
        raise Refusal('expecting a value for non-nullable variable: "prompt"', code="validation-failed")
    for key in V1_BOOLEANS:
        if isinstance(body.get(key), str):
            raise Refusal(
                "expected a boolean for type 'Boolean', but found a string",
                code="validation-failed",
                path=f"$.selectionSet.sdGenerationJob.args.arg1.{key}",
            )
    if len(str(body["prompt"])) > LONGEST_PROMPT:
        raise Refusal(f"Invalid prompt, maximum length of {LONGEST_PROMPT} characters exceeded.")
    model = body.get("modelId")
    if model is not None and (model == UNSUPPORTED_MODEL or not UUID.fullmatch(str(model))):
        raise Refusal(
            f"{model} is not supported within the Production API. Please try again with a different model ID."
        )
    if body.get("init_image_id") is not None and not uploaded(str(body["init_image_id"])):
        raise Refusal("invalid init image id")
    _check_size(body)
    return dict(body)


def check_account(settings: LeonardoSettings, prompt: str, *, version: int) -> None:
    """Raises Refusal if no tokens are left or the prompt contains a banned word."""
    for word in settings.banned_words:
        if word.lower() in prompt.lower():
            # v1's text, and one of its two documented statuses; v2's is not known.
            raise Refusal(f"content moderation filter: {word}")
    if settings.out_of_tokens:
        if version == 1:
            raise Refusal(f"not enough api tokens userId: {settings.user_id}")
        raise Refusal("Insufficient tokens", status=402)


def size_v1(body: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Width, height and number of images of a v1 create; the number is 4 by default."""
    return _or(body.get("width"), 1024), _or(body.get("height"), 768), _or(body.get("num_images"), 4)


def size_v2(parameters: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """The same of a v2 create. The default size differs by model; here it is a square."""
    return _or(parameters.get("width"), 1024), _or(parameters.get("height"), 1024), _or(parameters.get("quantity"), 1)


def _or(value: Any, usual: int) -> Any:
    """Most fields are nullable."""
    return usual if value is None else value


def _check_size(body: Mapping[str, Any]) -> None:
    width, height, images = size_v1(body)
    if not isinstance(width, int) or not isinstance(height, int) or width not in SIDES or height not in SIDES:
        raise Refusal("invalid dimensions")
    most = MOST_LARGE_IMAGES if max(width, height) > LARGE else MOST_IMAGES
    if not isinstance(images, int) or not 1 <= images <= most:
        raise Refusal(f"num_images must be between 1 and {most}")  # 400 is documented, the text is not


def check_v2(body: object, *, also: Collection[str] = ()) -> dict[str, Any]:
    """The body. `also`: slugs that are taken beside those of the table. Raises Refusal.

    What `parameters` may contain differs by model, and any other key is refused (documented). The texts are modelled on
    the one that is known.
    """
    if not isinstance(body, Mapping):
        raise Refusal("body must be an object")
    for key in body:
        if key not in V2_KEYS:
            raise Refusal(f"{key} is not allowed")
    slug, parameters = body.get("model"), body.get("parameters")
    model = find(slug, also) if isinstance(slug, str) else None
    if model is None:
        raise Refusal("model must be one of the available models")  # a slug; the catalogue's UUIDs are not
    if not isinstance(parameters, Mapping):
        raise Refusal("parameters is required")
    for key in parameters:
        if key not in model.keys:
            raise Refusal(f"parameters.{key} is not allowed")
    for key in model.required:
        if not parameters.get(key):
            raise Refusal(f"parameters.{key} is required")
    prompt = parameters.get("prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise Refusal("parameters.prompt must be a string")
    for key, value in zip(("width", "height", "quantity"), size_v2(parameters), strict=True):
        if not isinstance(value, int) or value < 1:
            raise Refusal(f"parameters.{key} must be a positive integer")
    if size_v2(parameters)[2] > model.most:
        raise Refusal(f"parameters.quantity must not be greater than {model.most}")
    if parameters.get("guidances") is not None:
        _check_guidances(parameters["guidances"], model.guidances)
    return dict(body)


def _check_guidances(guidances: object, known: Mapping[str, int] | None) -> None:
    if not isinstance(guidances, Mapping):
        raise Refusal("parameters.guidances must be an object")
    for key, items in guidances.items():
        where = f"parameters.guidances.{key}"
        if known is not None and key not in known:
            raise Refusal(f"{where} is not allowed")
        if not isinstance(items, list) or not items:
            raise Refusal(f"{where} must be a non-empty array")
        if known is not None and len(items) > known[key]:
            raise Refusal(f"{where} must contain no more than {known[key]} elements")
        for index, item in enumerate(items):
            _check_media(item, f"{where}.{index}")


def _check_media(item: object, where: str) -> None:
    """One reference: by id, by address, or inline."""
    found = [(name, item[name]) for name in _MEDIA if name in item] if isinstance(item, Mapping) else []
    if len(found) != 1 or not isinstance(found[0][1], Mapping):
        raise Refusal(f"{where} must have an image")
    (name, media), types = found[0], (*_BY_ID, "URL", "BASE64")
    kind = media.get("type")
    if kind not in types:
        raise Refusal(f"{where}.{name}.type must be one of: {', '.join(types)}")
    needed = "url" if kind == "URL" else "data" if kind == "BASE64" else "id"
    text = media.get(needed)
    if not isinstance(text, str) or not text:
        raise Refusal(f"{where}.{name}.{needed} is required")
    if kind == "BASE64" and (text.startswith("data:") or len(text) > 4 * MOST_BASE64 // 3 + 4):
        raise Refusal(f"{where}.{name}.data must be base64 of at most {MOST_BASE64} bytes")


def price(body: object) -> int:
    """What the pricing calculator answers, in credits. Only the shape is documented; the figures are made up, but for
    the one example that there is. Raises Refusal."""
    service = body.get("service") if isinstance(body, Mapping) else None
    given = body.get("serviceParams") if isinstance(body, Mapping) else None
    if service not in SERVICES.split() or not isinstance(given, Mapping):
        raise Refusal('expecting a value for non-nullable variable: "service"', code="validation-failed")
    of_service = given.get(service)
    params = of_service if isinstance(of_service, Mapping) else {}
    numbers = [_or(params.get(name), usual) for name, usual in _PRICED]
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        raise Refusal("expected an int for type 'Int'", code="validation-failed")
    width, height, images, steps = numbers
    cost: int = max(1, round(4 * images * width * height * steps / (512 * 512 * 15)))
    return cost * (2 if params.get("alchemyMode") else 1)


_PRICED = (("imageWidth", 512), ("imageHeight", 512), ("numImages", 1), ("inferenceSteps", 15))
