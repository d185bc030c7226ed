"""A ComfyUI graph, and the places in it that take values.  Pure.

A graph has no parameters: each value stands in some input of some node, and the ids of nodes differ from graph to
graph.  So a graph comes with slots, names for such places: `prompt="6.text"` is the input `text` of node `6`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from aiogen._checks import check_json
from aiogen._wording import shorten
from aiogen.errors import InputError
from aiogen.providers.comfyui_shipped import SHIPPED, ShippedGraph
from aiogen.references import Reference

_SEEDS = ("seed", "noise_seed")
_SHOWN = 12
"""The most names in one message."""


def _slots_of(slots: Any) -> dict[str, tuple[str, ...]]:
    """Slots as people write them: a mapping of names to one place or several, or `"prompt=6.text,seed=3.seed"`."""
    if slots is None:
        return {}
    if isinstance(slots, str):
        pairs = [pair.partition("=") for pair in slots.split(",") if pair.strip()]
        named: dict[str, list[str]] = {}
        for name, equals, place in pairs:
            if not equals:
                raise InputError(f"slots={slots!r} cannot be read; write it like 'prompt=6.text,seed=3.seed'.")
            named.setdefault(name.strip(), []).extend([place.strip()] if place.strip() else [])
        slots = named
    if not isinstance(slots, Mapping):
        raise InputError(f"slots= takes {{'prompt': '6.text'}}, not a {type(slots).__name__}.")
    return {name: _places_of(name, places) for name, places in slots.items()}


def _places_of(name: Any, places: Any) -> tuple[str, ...]:
    if not isinstance(name, str) or not name.strip() or "." in name:
        raise InputError(f"The name of a slot is a word such as 'prompt', not {name!r}.")
    if places is None:
        return ()
    found: tuple[Any, ...] = (None,)
    if isinstance(places, str | list | tuple):
        found = (places,) if isinstance(places, str) else tuple(places)
    if not all(isinstance(place, str) and all(place.rpartition(".")[::2]) for place in found):
        raise InputError(
            f"The slot {name!r} must name an input of a node, as in '6.text' (the input text of node 6), "
            f"or several in a list; {shorten(repr(places), 60)} does not."
        )
    return found


@attrs.frozen(init=False)
class ComfyGraph:
    """A graph, and where in it the values go.

    >>> ComfyGraph("flow.json", prompt="6.text", seed="3.seed", width="5.width")
    ComfyGraph('flow.json', prompt='6.text', seed='3.seed', width='5.width')

    Args:
        graph: the path of a file in API format (in ComfyUI: File, Export (API)), such a graph as a dict, or the name
            of one that comes with aiogen: "text-to-image", "image-to-image", "flux", "empty".  A file is read when a
            job is submitted, not before.
        slots: name to place; for a name that is no Python word.  A place is written `<node>.<input>`; several in a
            list all get the value; an empty list means that the value goes nowhere.
        places: the same as keywords.

    A graph of yours has the slots "seed" (every `seed` and `noise_seed` in it) and, if it has one LoadImage node,
    "image", unless you name them yourself.

    Raises:
        InputError: the graph is none of these, or a place is not valid.
    """

    graph: Path | Mapping[str, Any] | str | Reference = attrs.field(repr=False)
    slots: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    def __init__(self, graph: Any, *, slots: Any = None, **places: Any) -> None:
        if isinstance(graph, str) and graph not in SHIPPED:
            if not graph.strip():
                raise InputError(
                    "graph= is empty; it takes the path of a file, a dict, or the name of a shipped graph."
                )
            graph = Path(graph)
        elif isinstance(graph, Mapping):
            check_json(graph, "graph")
            graph = _nodes_in(graph, "the graph")
        elif not isinstance(graph, str | Path | Reference):
            raise InputError(f"graph= takes the path of a file, a dict, or a name, not a {type(graph).__name__}.")
        fill = object.__setattr__  # frozen for users; what they wrote is read once, here
        fill(self, "graph", graph)
        fill(self, "slots", {**_slots_of(slots), **_slots_of(places)})

    def __repr__(self) -> str:
        graph = self.graph if isinstance(self.graph, str) else str(self.graph) if isinstance(self.graph, Path) else None
        given = [repr(graph) if graph is not None else "{…}"]
        given += [f"{name}={(at[0] if len(at) == 1 else list(at))!r}" for name, at in self.slots.items()]
        return f"ComfyGraph({', '.join(given)})"

    def with_slots(self, slots: Any) -> ComfyGraph:
        """The same graph with these slots as well, as a mapping or as `"prompt=6.text,seed=3.seed"`."""
        return ComfyGraph(self.graph, slots={**self.slots, **_slots_of(slots)})

    @property
    def label(self) -> str:
        """What it is called where nobody names a model."""
        if isinstance(self.graph, Path):
            return self.graph.stem or "graph"
        return self.graph if isinstance(self.graph, str) else "graph"

    @property
    def shipped(self) -> ShippedGraph | None:
        """The graph of this package that it means, if it means one."""
        return SHIPPED[self.graph] if isinstance(self.graph, str) else None

    def nodes(self) -> Mapping[str, Any]:
        """The nodes by id; those of a file once it is read.

        Raises:
            InputError: it is no graph in API format.
        """
        if (shipped := self.shipped) is not None:
            return shipped.nodes
        if isinstance(self.graph, Mapping):
            return self.graph
        if isinstance(self.graph, Reference) and self.graph.data is not None:
            return _read_graph(self.graph.data)
        raise InputError(f"The graph {str(self.graph)!r} has not been read.")

    def all_slots(self, nodes: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """The slots: those that were named, the shipped graph's own, and those that are found."""
        if (shipped := self.shipped) is not None:
            return {**{name: (place,) for name, place in shipped.slots.items()}, **self.slots}
        return {**_found_in(nodes), **self.slots}


# --- reading a graph


def _read_graph(data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The graph's file contains no JSON ({shorten(str(error), 80)}).") from None
    return _nodes_in(document, "the graph's file")


def _nodes_in(document: Any, what: str) -> Mapping[str, Any]:
    """The nodes of a graph in API format, which may stand alone or as the `prompt` of what is posted."""
    inner = document.get("prompt") if isinstance(document, Mapping) else None
    nodes = inner if isinstance(inner, Mapping) and "class_type" not in inner else document
    if isinstance(nodes, Mapping) and isinstance(nodes.get("nodes"), list):
        raise InputError(
            f"In {what} is a workflow as the editor saves it, which the server does not run. Export it once more in "
            "API format (in ComfyUI: File, Export (API))."
        )
    is_graph = isinstance(nodes, Mapping) and all(
        isinstance(node, Mapping)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), Mapping)
        for node in nodes.values()
    )
    if not is_graph or not nodes:
        raise InputError(
            f"In {what} is no graph in API format, which is like "
            '{"9": {"class_type": "SaveImage", "inputs": {…}}}. In ComfyUI: File, Export (API).'
        )
    return nodes


def check_place(place: str, nodes: Mapping[str, Any], name: str) -> None:
    """Whether the graph has that input: the server would ignore one that it does not know.

    Raises:
        InputError: it has not; `name` is what was to go there.
    """
    node, _, key = place.rpartition(".")
    if node not in nodes:
        raise InputError(f"{name!r} goes to {place!r}, but the graph has no node {node!r}; it has {listed(nodes)}.")
    inputs = nodes[node]["inputs"]
    if key not in inputs:
        raise InputError(
            f"{name!r} goes to {place!r}, but node {node!r} ({nodes[node]['class_type']}) has no input {key!r}; "
            f"it has {listed(inputs) or 'none'}."
        )


def _found_in(nodes: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Slots that need no name: the seeds, which must differ from job to job, and the only image."""
    seeds = [
        f"{id_}.{name}"
        for id_, node in nodes.items()
        for name in _SEEDS
        if isinstance(node["inputs"].get(name), int | float)
    ]
    images = [f"{id_}.image" for id_, node in nodes.items() if node["class_type"] == "LoadImage"]
    found = {"seed": tuple(seeds)} if seeds else {}
    if len(images) == 1:
        found["image"] = (images[0],)
    return found


def texts_in(nodes: Mapping[str, Any]) -> list[str]:
    """Where a prompt could go, with the classes of the nodes."""
    return [
        f"{id_}.{name} ({node['class_type']})"
        for id_, node in nodes.items()
        for name, value in node["inputs"].items()
        if isinstance(value, str) and ("text" in name or "prompt" in name)
    ]


def listed(names: Iterable[object]) -> str:
    """The first names, for a message."""
    words = list(map(str, names))
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return shorten(", ".join(words[:_SHOWN]), 400) + more
