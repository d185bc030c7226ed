"""The models as a form: which there are, and the fields of each."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import attrs
from fastapi import HTTPException

import aiogen

SHOWN = ("image", "video")
"""What the page can show."""
MOST_OUTPUTS = 4
"""Of one job; the router's own limit."""
_COUNTS = ("quantity", "batch_size", "n", "num_images")
_TEXTS = ("negative_prompt", "negative", "sampler_name", "scheduler")
_WHOLE = ("seed", "width", "height", *_COUNTS)
# The form has a field of its own for pictures, and does not ask how each is to be used, nor who the user is.
_LEFT_OUT = ("prompt", "type", "auto_controls", "keyframe_indexes", "color")
_OF_PICTURES = ("Of layers", "Of an edit", "Of a reframe")
_A_PICTURE = "https://pictures.invalid/a.png"
"""For an estimate, in which nothing is fetched: what a picture shows is no matter for the price."""
_KEPT = 600.0
"""Seconds for which a list of models counts."""


def field_of(parameter: aiogen.Parameter) -> dict[str, Any] | None:
    """A parameter as a field of the form; None if too little is known of it to ask for it well."""
    name, about = parameter.name, parameter.about or ""
    if name in _LEFT_OUT or about.startswith(_OF_PICTURES):
        return None
    bounds = parameter.minimum, parameter.maximum
    if parameter.choices:
        kind = "switch" if set(parameter.choices) == {True, False} else "choice"
    elif name in _WHOLE:
        kind = "whole"
    elif bounds != (None, None) or isinstance(parameter.default, int | float):
        kind = "whole" if isinstance(parameter.default, int) else "number"
    elif name in _TEXTS:
        kind = "text"
    else:
        return None
    maximum = parameter.maximum
    if name in _COUNTS:
        maximum = min(maximum or MOST_OUTPUTS, MOST_OUTPUTS)
        if maximum == 1:
            return None
    return {
        "name": name,
        "kind": kind,
        "about": parameter.about,
        "choices": list(parameter.choices) if kind == "choice" else [],
        "minimum": parameter.minimum if name not in ("width", "height") else parameter.minimum or 1,
        "maximum": maximum,
        "default": parameter.default,
        "required": parameter.required,
    }


def model_of(info: aiogen.ModelInfo) -> dict[str, Any] | None:
    """A model as the form offers it; None if it makes what a page cannot show, or from what nobody has said."""
    references = info.max_references or 0
    if info.kind not in SHOWN or (info.takes_prompt is False and info.max_references is None):
        return None
    fields = [field for each in info.parameters if (field := field_of(each)) is not None]
    return {
        "name": info.name,
        "title": info.title or info.name,
        "kind": info.kind,
        "about": info.about,
        "takes_prompt": info.takes_prompt is not False,
        "references": references,
        "needs_reference": info.takes_prompt is False and references > 0,
        "seconds": info.seconds,
        "fields": fields,
    }


@attrs.define
class Catalogue:
    """The models of every connection, asked for once for all visitors."""

    _found: list[dict[str, Any]] = attrs.field(factory=list)
    _until: float = 0.0
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def of(self, session: aiogen.Session) -> list[dict[str, Any]]:
        """By connection: its models, or in a sentence why there are none."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() >= self._until:
                self._found = list(await asyncio.gather(*(_asked(session, name) for name in session.connections)))
                whole = all(each["problem"] is None for each in self._found)
                self._until = clock() + (_KEPT if whole else 5.0)
            return self._found

    async def checked(self, session: aiogen.Session, model: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """A request to be estimated, of what the form can say and nothing else: so no text in it names a file.

        Raises:
            HTTPException: 422, the form cannot say this.
        """
        connection, _, name = model.partition("/")
        listed = [each for found in await self.of(session) if found["name"] == connection for each in found["models"]]
        known = next((each for each in listed if each["name"] == name), None)
        if known is None:
            raise HTTPException(422, "There is no such model here.")
        fields = {field["name"]: field for field in known["fields"]}
        for key, value in parameters.items():
            if key not in fields or not _fits(fields[key], value):
                raise HTTPException(422, f"The parameter {key[:40]!r} is not one of the form, or has a wrong value.")
        asked = {"model": model, "prompt": "a picture" if known["takes_prompt"] else None, **parameters}
        return asked | {"references": [_A_PICTURE]} if known["needs_reference"] else asked


def _fits(field: dict[str, Any], value: Any) -> bool:
    match field["kind"]:
        case "switch":
            return isinstance(value, bool)
        case "choice":
            return value in field["choices"]
        case "text":
            return isinstance(value, str) and len(value) <= 10_000
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


async def _asked(session: aiogen.Session, name: str) -> dict[str, Any]:
    models: list[dict[str, Any]] = []
    problem = None
    try:
        models = [model for each in await session.models(name) if (model := model_of(each)) is not None]
    except aiogen.AiogenError as error:
        # Not the error's own words: they are for whoever runs this, and may name addresses and settings.
        problem = error.action.help_text if error.action is not None else "Its models cannot be listed now."
    return {"name": name, "title": _TITLES.get(name, name), "models": models, "problem": problem}


_TITLES = {"luma": "Luma", "leonardo": "Leonardo.Ai", "comfyui": "ComfyUI"}
