"""The words that mean the same at every provider, as values of a ComfyUI graph's slots.  Pure.

What the graph has no place for is not used, which a warning says: the server would run the graph without it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aiogen._wording import shorten
from aiogen.errors import InputError
from aiogen.providers.comfyui_graph import listed
from aiogen.providers.parameters import COMMON, proposal

Slots = Mapping[str, Sequence[str]]

ALIASES = {"negative_prompt": "negative", "n": "batch_size", "num_images": "batch_size", "quantity": "batch_size"}
"""What other providers call the same, to the name of the slot in the shipped graphs."""

_MEANT = {
    **dict.fromkeys(("cfg_scale", "guidance_scale"), ("guidance", "cfg")),
    **dict.fromkeys(("source", "image_ref", "image_reference", "init_image"), ("image", "references")),
    "num_inference_steps": ("steps",),
    "num_outputs": ("batch_size",),
}
"""What others call what is called otherwise in a graph: the first of these that it has a slot for is meant."""

_SHAPE = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})")
_USUAL_AREA = 1024 * 1024
"""Pixels."""
_STEP, _FINEST = 64, 8
"""Pixels: what checkpoints are made for are multiples of the first; what they can make, of the second."""
_OURS = ("graph", "slots", "extra")


def translate(values: dict[str, Any], slots: Slots, nodes: Mapping[str, Any], area: int | None) -> list[str]:
    """Put the common words among the values where the graph has slots for them; the warnings about the others.

    `area`: the pixels of a picture for which nobody gives a size; None if the graph says so.

    Raises:
        InputError: an aspect ratio is not valid, or there are both references and an image.
    """
    warnings = []
    for word, slot in ALIASES.items():
        if word in values and word not in slots:
            value = values.pop(word)
            if slot in slots:
                values.setdefault(slot, value)
            elif value != 1 or word == "negative_prompt":
                warnings.append(_not_used(word))
    warnings += [_not_used(word) for word in ("width", "height", "seed") if word in values and word not in slots]
    for word in ("width", "height", "seed"):
        if word not in slots:
            values.pop(word, None)
    if "aspect_ratio" in values and "aspect_ratio" not in slots:
        warnings += _shape(values.pop("aspect_ratio"), values, slots, area or _area_in(slots, nodes))
    if (references := values.pop("references", None)) is not None:
        warnings += _place(references, values, slots, nodes)
    return warnings


def _not_used(word: str) -> str:
    return f"The graph has no slot for {word}, which was not used."


def _shape(ratio: Any, values: dict[str, Any], slots: Slots, area: int) -> list[str]:
    found = _SHAPE.fullmatch(ratio) if isinstance(ratio, str) else None
    if found is None:
        raise InputError(f"aspect_ratio is width to height, such as '16:9', not {shorten(repr(ratio), 40)}.")
    if not {"width", "height"} <= set(slots):
        return [_not_used("aspect_ratio")]
    across, down = int(found[1]), int(found[2])
    width, height = values.get("width"), values.get("height")
    if width is not None and height is not None:
        return ["width and height say the size; aspect_ratio was not used."]
    if isinstance(width, int):
        values["height"] = _rounded(width * down / across, _FINEST)
    elif isinstance(height, int):
        values["width"] = _rounded(height * across / down, _FINEST)
    else:
        values["width"] = _rounded(math.sqrt(area * across / down), _STEP)
        values["height"] = _rounded(math.sqrt(area * down / across), _STEP)
    return []


def _rounded(pixels: float, step: int) -> int:
    return max(step, round(pixels / step) * step)


def _area_in(slots: Slots, nodes: Mapping[str, Any]) -> int:
    """Pixels of the pictures that the graph makes as it is."""
    sides = []
    for name in ("width", "height"):
        node, _, key = next(iter(slots.get(name, ())), "").rpartition(".")
        side = nodes[node]["inputs"].get(key) if node in nodes else None
        sides.append(side if isinstance(side, int) and side > 0 else None)
    width, height = sides
    return width * height if width is not None and height is not None else _USUAL_AREA


def _place(references: Sequence[Any], values: dict[str, Any], slots: Slots, nodes: Mapping[str, Any]) -> list[str]:
    """Each reference to a slot of an image, in the order of the slots."""
    places = [name for name, at in slots.items() if any(_is_image(place, nodes) for place in at)]
    if taken := [name for name in places if name in values]:
        raise InputError(f"references and {taken[0]} mean the same; give only one of them.")
    values |= dict(zip(places, references, strict=False))
    if len(references) <= len(places):
        return []
    left = len(references) - len(places)
    return [
        f"The graph has slots for {len(places) or 'no'} image{'s' * (len(places) != 1)}: "
        f"{left} of {len(references)} references {'was' if left == 1 else 'were'} not used."
    ]


def _is_image(place: str, nodes: Mapping[str, Any]) -> bool:
    node, _, key = place.rpartition(".")
    return key == "image" and node in nodes and nodes[node]["class_type"] == "LoadImage"


def no_slot(name: str, slots: Slots) -> tuple[str, str | None]:
    """What to say of a value that has no slot, and the name that was probably meant."""
    known = {*slots, *COMMON, *_OURS}
    meant = next((each for each in _MEANT.get(name, ()) if each in known), None) or proposal(name, known)
    asked = f" Did you mean {meant!r}?" if meant else ""
    return (
        f"The graph has no slot {name!r}; it has {listed(sorted(slots)) or 'none'}.{asked} Name one, as in "
        f"slots='{name}=5.{name}', or give the value by its place, '5.{name}', where 5 is a node."
    ), meant
