"""Which models Leonardo offers: what its two calls list, joined with what is known of each.  Pure.

`GET /v2/models` names its models by UUID or in capitals, never by the slug that a create takes, so they are joined by
known UUIDs and by their names.  `GET /v1/platformModels` has the older ones, whose UUID is what a create takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiogen.catalogue import ModelInfo, Parameter
from aiogen.providers.leonardo_models import MODELS, SLUGS, SOURCE, Model
from aiogen.providers.leonardo_request import MOST_ON_V1
from aiogen.providers.reading import objects_in

_ABOUT = {
    "prompt": "What to make, in words.",
    "width": "Pixels.",
    "height": "Pixels.",
    "quantity": "How many outputs.",
    "seed": "A whole number; the same seed makes about the same picture.",
    "negative_prompt": "What not to show, in words.",
    "style_ids": "UUIDs of styles.",
    "guidances": "Pictures by what they are for.",
}


def joined(listed: Any, older: Any, seconds: Callable[[str, str], float]) -> tuple[ModelInfo, ...]:
    """Every model of the table, of `listed` (v2) and of `older` (v1).

    `seconds`: how long half of a model's generations take, by name and kind.
    """
    by_slug: dict[str, Mapping[str, Any]] = {}
    strangers = []
    for entry in objects_in(listed):
        slug = _slug_of(entry)
        if slug is None:
            strangers.append(entry)
        else:
            by_slug[slug] = entry
    found = [_known(model, by_slug.get(model.slug)) for model in MODELS.values()]
    found += [_stranger(entry) for entry in strangers]
    found += [_older(entry) for entry in objects_in(older) if _text(entry.get("id"))]
    return tuple(attrs.evolve(each, seconds=seconds(each.name, each.kind)) for each in found)


def _slug_of(entry: Mapping[str, Any]) -> str | None:
    """The slug of a model that `GET /v2/models` lists: by its UUID, or because its id or name has the same letters."""
    if (slug := SLUGS.get(str(entry.get("id")).lower())) is not None:
        return slug
    for name in ("id", "name"):
        if (slug := _BY_LETTERS.get(_letters(str(entry.get(name))))) is not None:
            return slug
    return None


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


# Without the maker in front of it, as names have it; and the one name in the guides that has nothing of its slug.
_BY_LETTERS = {
    **{_letters(slug.rpartition("/")[2]): slug for slug in MODELS},
    **{_letters(slug): slug for slug in MODELS},
    "nanobananapro": "gemini-image-2",
}


def _known(model: Model, entry: Mapping[str, Any] | None) -> ModelInfo:
    schema = _schema(entry)
    return ModelInfo(
        name=model.slug,
        provider_id=_text(entry.get("id")) if entry is not None else None,
        title=_text(entry.get("name")) if entry is not None else None,
        kind=model.kind,
        about=model.about,
        takes_prompt=model.takes_prompt,
        max_outputs=model.max_quantity,
        max_references=model.max_references,
        parameters=schema or _parameters(model),
        source=f"{SOURCE}; parameters from GET /v2/models" if schema else SOURCE,
    )


def _parameters(model: Model) -> tuple[Parameter, ...]:
    """Those that the table is sure of."""
    takes = {
        "prompt": model.takes_prompt,
        "width": model.size,
        "height": model.size,
        "quantity": True,
        "seed": model.seed,
        "negative_prompt": model.negative_prompt,
        "style_ids": model.styles,
        "guidances": bool(model.guidances),
    }
    limits: dict[str, dict[str, Any]] = {"quantity": {"minimum": 1, "maximum": model.max_quantity, "default": 1}}
    return tuple(
        Parameter(name=name, about=_ABOUT[name], required=name == "prompt", **limits.get(name, {}))
        for name, is_taken in takes.items()
        if is_taken
    )


def _stranger(entry: Mapping[str, Any]) -> ModelInfo:
    """A model that is newer than the table: the answer does not have the slug that a create takes."""
    name = _text(entry.get("id")) or _text(entry.get("name")) or "?"
    return ModelInfo(
        name=name,
        provider_id=_text(entry.get("id")),
        title=_text(entry.get("name")),
        about="Newer than aiogen's table. A create takes its slug, which stands in Leonardo's guide for it.",
        parameters=_schema(entry),
        source="GET /v2/models",
    )


def _schema(entry: Mapping[str, Any] | None) -> tuple[Parameter, ...]:
    """The parameters of a JSON schema."""
    schema = entry.get("parameters") if entry is not None else None
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping):
        return ()
    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    return tuple(
        Parameter(
            name=str(name),
            about=_text(each.get("description")) or _ABOUT.get(str(name)),
            choices=tuple(each["enum"]) if isinstance(each.get("enum"), list) else (),
            minimum=_number(each.get("minimum")),
            maximum=_number(each.get("maximum")),
            default=each.get("default"),
            required=name in needed,
        )
        for name, each in properties.items()
        if isinstance(each, Mapping)
    )


def _older(entry: Mapping[str, Any]) -> ModelInfo:
    name = str(entry["id"])
    slug = SLUGS.get(name.lower())
    newer = f" On v2 it is {slug}." if slug is not None else ""
    return ModelInfo(
        name=name,
        provider_id=name,
        title=_text(entry.get("name")),
        kind="image",
        about=f"{_text(entry.get('description')) or 'A model of v1.'}{newer}",
        takes_prompt=True,
        max_outputs=MOST_ON_V1,
        source="GET /v1/platformModels",
    )


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


__all__ = ["joined"]
