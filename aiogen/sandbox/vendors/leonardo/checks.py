"""What Leonardo's API refuses in a create, with its documented texts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

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
    sd_version seed tiling transparency ultra unzoom unzoomAmount upscaleRatio userElements weighting
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

_VIDEO = re.compile(r"motion|veo-|kling|hailuo|ltxv|wan-|seedance|video|gemini-omni", re.IGNORECASE)


class Refusal(Exception):
    """The vendor refuses a create. v1 reports `code` and `path` beside the text."""

    def __init__(self, text: str, *, code: str = "unexpected", path: str = "$", status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.path = path
        self.status = status


def kind_of(slug: str) -> str:
    """image or video, guessed from the name: the vendor's list of models changes every few weeks."""
    return "video" if _VIDEO.search(slug) else "image"


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


def check_v2(body: object) -> dict[str, Any]:
    """The body. Raises Refusal.

    What `parameters` may contain differs by model and is published per model only, so only those are checked that
    (nearly) all models have. The texts are modelled on the one that is known.
    """
    if not isinstance(body, Mapping):
        raise Refusal("body must be an object")
    for key in body:
        if key not in V2_KEYS:
            raise Refusal(f"{key} is not allowed")
    model, parameters = body.get("model"), body.get("parameters")
    if not isinstance(model, str) or not model or UUID.fullmatch(model):
        raise Refusal("model must be one of the available models")  # a slug; the catalogue's UUIDs are not
    if not isinstance(parameters, Mapping):
        raise Refusal("parameters is required")
    prompt = parameters.get("prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise Refusal("parameters.prompt must be a string")
    for key, value in zip(("width", "height", "quantity"), size_v2(parameters), strict=True):
        if not isinstance(value, int) or value < 1:
            raise Refusal(f"parameters.{key} must be a positive integer")
    if size_v2(parameters)[2] > MOST_IMAGES:
        raise Refusal(f"parameters.quantity must not be greater than {MOST_IMAGES}")
    return dict(body)
