"""What Luma's Agents API refuses in a create, with its documented texts. Pure.

The sandbox fetches nothing. The URL itself decides whether it can be fetched: it must be https and not name this or
a private machine; a path that contains `/status/404` answers 404, and one that ends in .html, .txt, .json or .pdf
is not an image.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from .refusals import Refusal
from .video import check_layering, check_video

TYPES: dict[str, tuple[str, ...]] = {
    "uni-1": ("image", "image_edit", "layering"),
    "uni-1-max": ("image", "image_edit"),
    "ray-3.2": ("video", "video_edit", "video_reframe"),
}
UNI_RATIOS = ("1:1", "1:2", "1:3", "16:9", "2:1", "2:3", "3:1", "3:2", "9:16")
RAY_RATIOS = ("16:9", "1:1", "21:9", "3:4", "4:3", "9:16")
MANGA_RATIOS = ("1:2", "1:3", "2:3", "9:16")

LONGEST_PROMPT = 6000
LONGEST_LAYERING_PROMPT = 500
MOST_REFERENCES = {"image": 9, "image_edit": 8}
LARGEST_IMAGE = 50 * 1024 * 1024

_BY_VIDEO = ("video_edit", "video_reframe")

REFERENCE_KEYS = ("url", "data", "generation_id", "file_id")

_STATUS_IN_PATH = re.compile(r"/status/(\d{3})")
_NO_IMAGE = (".html", ".txt", ".json", ".pdf")


Usable = Callable[[str, str], bool]
"""Given "generation_id" or "file_id" and an id, whether a create may refer to it."""


def check_create(body: Mapping[str, Any], usable: Usable) -> None:
    """Raises Refusal if the vendor would not accept this body."""
    model, kind = body.get("model", "uni-1"), body.get("type", "image")
    if not isinstance(model, str) or model not in TYPES:
        raise Refusal(400, f"Unknown model: {model}")
    if kind not in TYPES[model]:
        raise Refusal(400, f"Type '{kind}' is not supported for model '{model}'")
    _check_prompt(body.get("prompt"), kind)
    _check_look(body, model)
    _check_references(body, kind, usable)


def _check_prompt(prompt: object, kind: str) -> None:
    longest = LONGEST_LAYERING_PROMPT if kind == "layering" else LONGEST_PROMPT
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= longest:
        raise Refusal(400, f"Prompt must be between 1 and {longest} characters")


def _check_look(body: Mapping[str, Any], model: str) -> None:
    ratio = body.get("aspect_ratio")
    ratios: tuple[str, ...] = RAY_RATIOS if model == "ray-3.2" else UNI_RATIOS
    style = body.get("style", "auto")
    if style == "manga":
        ratios = MANGA_RATIOS
    elif style != "auto":
        raise Refusal(400, f"Invalid style '{style}'. Valid: auto, manga")  # text not documented
    if ratio is not None and ratio not in ratios:
        raise Refusal(400, f"Invalid aspect_ratio '{ratio}'. Valid: {', '.join(ratios)}")
    form = body.get("output_format")
    if form not in (None, "png", "jpeg"):
        raise Refusal(400, f"Invalid output_format '{form}'. Valid: jpeg, png")  # text not documented


def _check_references(body: Mapping[str, Any], kind: str, usable: Usable) -> None:
    source = body.get("source")
    if kind in ("image", "video") and source is not None:
        raise Refusal(400, "source is only valid for type 'image_edit'")
    if kind not in ("image", "video") and source is None:
        raise Refusal(400, f"source is required for type '{kind}'")
    references = body.get("image_ref") or []
    most = MOST_REFERENCES.get(kind, MOST_REFERENCES["image"])
    if not isinstance(references, list):
        raise Refusal(400, "image_ref must be a list")  # text not documented
    if len(references) > most:
        note = " (source occupies one slot)" if kind == "image_edit" else ""
        raise Refusal(400, f"{kind} supports up to {most} reference images{note}")
    if source is not None:
        check_reference(source, "source", usable)
    for position, reference in enumerate(references):
        check_reference(reference, f"image_ref[{position}]", usable)
    given = source if isinstance(source, Mapping) and kind in _BY_VIDEO else {}
    if given.get("url") is not None and not str(given.get("media_type") or "").startswith("video/"):
        # From the vendor's SDK; the text is not documented.
        raise Refusal(400, f"source: 'media_type' is required with 'url' for type '{kind}'")
    check_layering(body.get("layering"))
    check_video(body.get("video"), kind, lambda one, where: check_reference(one, where, usable))


def check_reference(reference: object, where: str, usable: Usable) -> None:
    """Raises Refusal unless it names exactly one image that is available."""
    if not isinstance(reference, Mapping):
        raise Refusal(400, f"{where}: must be an object")  # text not documented
    given = [key for key in REFERENCE_KEYS if reference.get(key) is not None]
    if len(given) != 1:
        # The text is older than the two kinds of ids; how they are worded today is not documented.
        raise Refusal(400, f"{where}: provide either 'url' or 'data', not {'both' if given else 'neither'}")
    value = str(reference[given[0]])
    if given[0] == "url":
        _check_url(value, where)
    elif given[0] == "data":
        _check_data(value, reference.get("media_type"), where)
    elif not usable(given[0], value):
        raise Refusal(400, f"{where}: {given[0]} {value} not found or not ready")  # text not documented


def _check_url(url: str, where: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not _public(parts.hostname or ""):
        raise Refusal(422, f"{where}: failed to fetch URL")
    if match := _STATUS_IN_PATH.search(parts.path):
        raise Refusal(422, f"{where}: failed to fetch URL (HTTP {match[1]})")
    if parts.path.endswith(_NO_IMAGE):
        raise Refusal(422, f"{where}: content-type is not an image")


def _public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))


def _check_data(data: str, media_type: object, where: str) -> None:
    if not media_type:
        raise Refusal(400, f"{where}: 'media_type' is required with 'data'")
    try:
        size = len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise Refusal(422, f"{where}: invalid base64 data") from None
    if size > LARGEST_IMAGE:
        raise Refusal(413, f"{where}: image exceeds 50 MB limit")


def fetched_urls(body: Mapping[str, Any]) -> int:
    """The number of references that the vendor fetches before it answers the create."""
    listed = body.get("image_ref")
    references = [body.get("source"), *(listed if isinstance(listed, list) else [])]
    return sum(isinstance(one, Mapping) and one.get("url") is not None for one in references)
