"""Luma's requests from keywords: what there is no parameter for is refused, the common words are translated.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiogen._checks import check_prompt
from aiogen.errors import InputError
from aiogen.providers.luma_models import MODELS, nearest_ratio, ratios_of
from aiogen.providers.luma_request import LumaImage, LumaImageEdit, LumaLayering, LumaRequest
from aiogen.providers.luma_video import LumaVideo, LumaVideoEdit, LumaVideoReframe
from aiogen.providers.parameters import COMMON, take_extra, unknown, whole_of

_CLASSES: Mapping[str, type[LumaRequest]] = {
    "image": LumaImage,
    "image_edit": LumaImageEdit,
    "layering": LumaLayering,
    "video": LumaVideo,
    "video_edit": LumaVideoEdit,
    "video_reframe": LumaVideoReframe,
}
_OURS = {"prompt", "model", "extra", "warnings"}
_ANY_TYPE = ("style", "output_format", "web_search", "image_ref", "source", "layering", "video")
"""Fields of the body that stand there for every type: which type takes which is Luma's to say."""
_WITH_REFERENCES = ("image", "image_edit")
_NEEDS_SOURCE = ("layering", "video_edit", "video_reframe")

_MEANT = {
    "num_images": "n", "num_outputs": "n", "quantity": "n", "batch_size": "n", "size": "aspect_ratio",
    "ratio": "aspect_ratio", "init_image": "source", "guidances": "references", "image_prompts": "references",
    "negative": "negative_prompt", "num_seconds": "duration", "user": "user_id",
}  # fmt: skip
"""What other vendors call what is called otherwise here."""

_MOST = 1000
_LARGEST_SIDE = 100_000
"""Pixels."""


def request_for(model: str, prompt: str | None, options: Mapping[str, Any]) -> LumaRequest:
    """The typed request for keywords.

    Raises:
        UnknownParameter: there is no such parameter.
        InputError: something is not valid.
    """
    options = dict(options)
    extra = dict(take_extra(options))
    type_ = _type_of(model, options)
    cls = _CLASSES.get(type_, LumaImage)
    known = _fields_of(cls)
    _check_names(type_, options, known)
    given = {name: value for name, value in options.items() if value is not None}
    prompt = check_prompt(prompt)
    if type_ in _NEEDS_SOURCE and "source" not in given:
        raise InputError(f"Type {type_!r} needs a source: what it begins with.")
    warnings = _translated(model, type_, given)
    # What a type has no field for, and the body has, is Luma's to take or to refuse.
    extra = {name: given.pop(name) for name in _ANY_TYPE if name in given and name not in known} | extra
    return cls(prompt=prompt, model=model, extra=extra, warnings=warnings, **{**given, "type": type_})


def _fields_of(cls: type[LumaRequest]) -> set[str]:
    return {field.name for field in attrs.fields(cls)} - _OURS


def _type_of(model: str, options: Mapping[str, Any]) -> str:
    """What is made, where nobody says: by the model, and by what only one type has."""
    if (given := options.get("type")) is not None:
        if not isinstance(given, str) or not given.strip():
            raise InputError("type must not be empty; it is a Luma name such as 'uni-1' or 'image'.")
        return given
    known = MODELS.get(model)
    has_source = options.get("source") is not None
    if known is None or known.types[0] != "video":
        # `source` is refused for type image (API reference), so a request with one means an edit.
        return "layering" if options.get("layering") is not None else "image_edit" if has_source else "image"
    if not has_source:
        return "video"
    raise InputError(
        f"With a source, {model} edits a video or reframes it: say which, by the type 'video_edit' or 'video_reframe'."
    )


def _check_names(type_: str, names: Mapping[str, Any], known: set[str]) -> None:
    whose = "Luma" if type_ == "image" else f"Luma's type {type_!r}"
    for name in names:
        if name in known or name in COMMON or name in _ANY_TYPE:
            continue
        has_it = [other for other, cls in _CLASSES.items() if name in _fields_of(cls)]
        if has_it:
            types = " and ".join(map(repr, has_it))
            raise unknown(whose, name, known, f"It is a parameter of the type{'s' * (len(has_it) > 1)} {types}.")
        proposed = {*known, *COMMON} - (set() if type_ in _WITH_REFERENCES else {"references"})
        meant = _MEANT.get(name)
        raise unknown(whose, name, proposed, meant=meant if meant in proposed else None)


def _translated(model: str, type_: str, given: dict[str, Any]) -> tuple[str, ...]:
    """The common words, in place; what Luma has nothing for is taken out, and said."""
    warnings = [*_shape(model, given)]
    if (count := given.pop("n", None)) is not None and whole_of(count, "n", 1, _MOST) > 1:
        warnings.append(
            f"Luma makes one generation per request: n was not sent; submit it {count} times for {count} of them."
        )
    if given.pop("seed", None) is not None:
        warnings.append("Luma takes no seed: it was not sent, and the same prompt comes out differently each time.")
    if given.pop("negative_prompt", None) is not None:
        warnings.append("Luma takes no negative prompt: it was not sent. Say in the prompt what is to be seen instead.")
    if (references := given.pop("references", None)) is not None:
        if type_ in _CLASSES and type_ not in _WITH_REFERENCES:
            instead = "start_frame, end_frame or keyframes" if type_ == "video" else "source"
            raise InputError(f"Luma's type {type_!r} takes no references; its pictures go into {instead}.")
        if "image_ref" in given:
            raise InputError("references and image_ref mean the same; give only one of them.")
        given["image_ref"] = references
    return tuple(warnings)


def _shape(model: str, given: dict[str, Any]) -> list[str]:
    """Width and height as the nearest aspect ratio."""
    size = {name: given.pop(name) for name in ("width", "height") if name in given}
    for name, value in size.items():
        whole_of(value, name, 1, _LARGEST_SIDE)
    if not size:
        return []
    if "aspect_ratio" in given:
        return [f"Luma takes no size in pixels: {' and '.join(size)} was not sent, only the aspect ratio."]
    if len(size) == 1:
        return [f"Luma takes no size in pixels: {next(iter(size))} was not sent, for alone it says nothing of a shape."]
    width, height = size["width"], size["height"]
    ratio = given["aspect_ratio"] = nearest_ratio(width, height, ratios_of(model, given.get("style")))
    return [
        f"Luma takes no size in pixels: for {width} x {height} the nearest aspect ratio, {ratio}, was sent; how large "
        "it becomes is Luma's choice."
    ]


__all__ = ["request_for"]
