"""The body of a create at Leonardo, in the words of the version that its model belongs to.  Pure.

Words that mean the same at every provider are translated here; what a model certainly cannot honour is left out, with a
sentence that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiogen.providers.leonardo_models import DATE, MODELS, Model, is_uuid, kind_of, nearest
from aiogen.providers.leonardo_references import guidances_of
from aiogen.providers.leonardo_request import MOST_ON_V1, LeonardoImage, whose
from aiogen.providers.leonardo_sizes import is_exact, size_for


@attrs.frozen(kw_only=True)
class Body:
    """What a create will say."""

    is_v1: bool
    kind: str
    body: dict[str, Any]
    outputs: int | None
    """How many are asked for, where the body says."""
    warnings: tuple[str, ...]


def body_of(request: LeonardoImage) -> Body:
    """The body of the create, and what of the request is not in it."""
    return _v1(request) if is_uuid(request.model) else _v2(request)


def _v1(request: LeonardoImage) -> Body:
    warnings: list[str] = []
    width, height = _size(request, "image", warnings, is_v1=True)
    fields = {
        "prompt": request.prompt,
        "width": width,
        "height": height,
        "num_images": _count(request, MOST_ON_V1, warnings),
        "seed": request.seed,
        "negative_prompt": request.negative_prompt,
        "contrast": request.contrast,
    }
    body = {"modelId": request.model, "public": request.public, **_given(fields), **request.extra}
    return Body(is_v1=True, kind="image", body=body, outputs=_whole(body.get("num_images")), warnings=tuple(warnings))


def _v2(request: LeonardoImage) -> Body:
    extra = dict(request.extra)
    theirs = extra.pop("parameters", None) or {}
    model = MODELS.get(request.model)
    pictures = guidances_of(request.model, request.images, request.guidances)
    kind = kind_of(request.model, {**_given({"duration": request.duration}), "guidances": pictures, **theirs, **extra})
    warnings = [] if model is not None else [_stranger(request.model)]
    width, height = _size(request, kind, warnings, model=model)
    count = _count(request, None if model is None else model.max_quantity, warnings)
    fields = {
        "prompt": request.prompt,
        "width": width,
        "height": height,
        # Where one is all there is, one is the default, and not every schema's samples have the key.
        "quantity": None if model is not None and model.max_quantity == 1 else count,
        "seed": _taken(request, "seed", None if model is None else model.seed, warnings),
        "negative_prompt": _taken(
            request, "negative_prompt", None if model is None else model.negative_prompt, warnings
        ),
        "style_ids": None if request.style_ids is None else list(request.style_ids),
        "prompt_enhance": request.prompt_enhance,
        "quality": request.quality,
        "mode": request.mode,
        "contrast": request.contrast,
        "duration": request.duration,
        "guidances": pictures or None,
    }
    said = _given(fields)
    if request.num_images is None and request.n is None and "quantity" in theirs:
        said.pop("quantity", None)
    parameters = {**theirs, **said, **extra}
    if pictures and all(isinstance(each.get("guidances") or {}, Mapping) for each in (theirs, extra)):
        parameters["guidances"] = {**(theirs.get("guidances") or {}), **pictures, **(extra.get("guidances") or {})}
    body = {"model": request.model, "public": request.public, "parameters": parameters}
    outputs = _whole(parameters.get("quantity", count))
    return Body(is_v1=False, kind=kind, body=body, outputs=outputs, warnings=tuple(warnings))


def _stranger(slug: str) -> str:
    similar = nearest(slug)
    meant = f"; the most similar name there is {similar!r}" if similar else ""
    return f"{whose(slug)} is not in aiogen's table of {DATE}{meant}. It was passed on as it is."


def _count(request: LeonardoImage, most: int | None, warnings: list[str]) -> int:
    """How many to ask for.  Of what the common word asks beyond the maximum, the maximum."""
    if request.num_images is not None:
        return request.num_images
    if request.n is None:
        return 1
    if most is None or request.n <= most:
        return request.n
    warnings.append(f"{whose(request.model)} makes at most {most} at once: n={request.n} was sent as {most}.")
    return most


def _taken(request: LeonardoImage, name: str, takes: bool | None, warnings: list[str]) -> Any:
    """A common word's value, unless the model certainly does not take it."""
    value = getattr(request, name)
    if value is None or takes is not False:
        return value
    warnings.append(f"{whose(request.model)} takes no {name}: it was not sent.")
    return None


def _size(
    request: LeonardoImage, kind: str, warnings: list[str], *, model: Model | None = None, is_v1: bool = False
) -> tuple[int | None, int | None]:
    """Width and height in pixels, as far as they are asked for."""
    ratio, width, height = request.aspect_ratio, request.width, request.height
    if (model is not None and model.size is False) or (model is None and kind in ("audio", "3d")):
        given = [name for name in ("aspect_ratio", "width", "height") if getattr(request, name) is not None]
        if given:
            were = "was" if len(given) == 1 else "were"
            warnings.append(f"{whose(request.model)} takes no size: {' and '.join(given)} {were} not sent.")
        return None, None
    if ratio is None:
        return width, height
    if model is not None and model.takes_prompt is False:
        warnings.append(f"{whose(request.model)} keeps the shape of the picture: aspect_ratio was not sent.")
        return width, height
    width, height = size_for(ratio, kind=kind, is_v1=is_v1, width=width, height=height)
    if not is_exact(ratio, width, height):
        warnings.append(
            f"Leonardo AI takes pixels: aspect_ratio {ratio} was sent as {width} × {height}, about the same."
        )
    return width, height


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


__all__ = ["Body", "body_of"]
