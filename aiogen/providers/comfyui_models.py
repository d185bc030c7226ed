"""The models of a ComfyUI server: the checkpoints that it has, and what the graphs for them take.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiogen.catalogue import ModelInfo, Parameter
from aiogen.models import Typical
from aiogen.providers.comfyui_shipped import SHIPPED, ShippedGraph, graph_for, size_for

LOADER = "CheckpointLoaderSimple"
"""The class of the node that loads a checkpoint."""

# Ranges and defaults: `GET /object_info` of version 0.3.64, and the graphs themselves.
_ABOUT: Mapping[str, Parameter] = {
    each.name: each
    for each in (
        Parameter(name="negative", about="What is not to be seen; negative_prompt is the same."),
        Parameter(name="seed", about="Another one for each job unless it is given.", minimum=0),
        Parameter(name="steps", about="Steps of the sampler.", minimum=1, maximum=10_000, default=20),
        Parameter(name="cfg", about="How closely the prompt is followed.", minimum=0, maximum=100),
        Parameter(name="sampler_name", about="Such as euler.", default="euler"),
        Parameter(name="scheduler", about="Such as normal or simple."),
        Parameter(name="denoise", about="How far the picture may be from the image.", minimum=0, maximum=1),
        Parameter(name="width", about="Pixels.", minimum=1),
        Parameter(name="height", about="Pixels.", minimum=1),
        Parameter(name="batch_size", about="Pictures of one job; n is the same.", minimum=1, default=1),
        Parameter(name="guidance", about="How closely the prompt is followed.", minimum=0, default=3.5),
        Parameter(name="color", about="Red, green and blue in one number.", minimum=0, maximum=0xFFFFFF),
        Parameter(name="filename_prefix", about="Folder and beginning of the name on the server."),
    )
}


def checkpoints_in(info: object) -> list[Any] | None:
    """The names that `GET /object_info/CheckpointLoaderSimple` lists; None if it does not."""
    for key in (LOADER, "input", "required", "ckpt_name"):
        info = info.get(key) if isinstance(info, Mapping) else None
    if not isinstance(info, list) or not info:
        return None
    options = info[1].get("options") if len(info) > 1 and isinstance(info[1], Mapping) else None
    found = info[0] if isinstance(info[0], list) else options
    return found if isinstance(found, list) else None


TypicalOf = Callable[[str, Typical], Typical]
"""How long a model usually takes: as the user says, or as the graph does."""


def models_of(names: Iterable[object], typical: TypicalOf, source: str) -> list[ModelInfo]:
    """What is known of the checkpoints of these names, and of the graph without any."""
    checkpoints = [name for name in names if isinstance(name, str) and name.strip()]
    found = [_model(name, SHIPPED[graph_for(name, has_image=False)], typical, source) for name in checkpoints]
    return [*found, _model("empty", SHIPPED["empty"], typical, "the graph is part of aiogen")]


def _model(name: str, graph: ShippedGraph, typical: TypicalOf, source: str) -> ModelInfo:
    sides = {"width": size_for(name), "height": size_for(name)} if graph.takes_prompt else {}
    known = [_ABOUT[slot] for slot in graph.slots if slot in _ABOUT]
    about = (
        "A checkpoint; graph= runs it in a graph of yours." if graph.takes_prompt else "One colour, without a model."
    )
    return ModelInfo(
        name=name,
        kind="image",
        about=about,
        takes_prompt=graph.takes_prompt,
        max_references=1 if graph.takes_prompt else 0,
        parameters=tuple(
            Parameter(
                name=each.name,
                about=each.about,
                minimum=each.minimum,
                maximum=each.maximum,
                default=sides.get(each.name, each.default),
            )
            for each in known
        ),
        seconds=typical(name, graph.typical).median,
        typical=typical(name, graph.typical),
        source=source,
    )
