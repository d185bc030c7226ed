"""What a graph asks for: which nodes run, what they draw, and whether they ran before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from .nodes import NODES

Graph = Mapping[str, Any]

SQUARE = (512, 512)
"""Width and height where the graph says nothing of them."""

MODEL_INPUTS = ("ckpt_name", "unet_name")
WORD_INPUTS = ("text", "value", "string")
SEED_INPUTS = ("seed", "noise_seed", "color")
"""`color` stands for the seed in a graph without a sampler."""


@attrs.frozen
class Drawing:
    """The images that reach one output."""

    count: int
    size: tuple[int, int]


@attrs.frozen
class Request:
    """What a graph asks for, as scripts and painters need it."""

    prompt: str
    """The prompt that the sampler follows; without a sampler, the first prefix of a file name."""
    model: str
    """The file of the checkpoint, or ""."""
    seed: int


def source(value: object) -> str | None:
    """The node that an input is linked to; None: it is a value."""
    return str(value[0]) if isinstance(value, list) and len(value) == 2 else None


def inputs(graph: Graph, node_id: str) -> Mapping[str, Any]:
    """Only those that the class has; others are ignored."""
    node = graph[node_id]
    return {name: node["inputs"][name] for name in NODES[node["class_type"]].inputs if name in node["inputs"]}


def order(graph: Graph, outputs: Sequence[str]) -> list[str]:
    """The nodes that run for these outputs, each after those that it needs."""
    done: dict[str, None] = {}

    def visit(node_id: str) -> None:
        if node_id not in done:
            for value in inputs(graph, node_id).values():
                if (above := source(value)) is not None:
                    visit(above)
            done[node_id] = None

    for output in outputs:
        visit(output)
    return list(done)


def signatures(graph: Graph, nodes: Sequence[str]) -> dict[str, str]:
    """What each node does, whatever its id is: equal ones give equal results. `nodes` are in their order."""
    known: dict[str, str] = {}
    for node_id in nodes:
        shown = [graph[node_id]["class_type"]]
        for name, value in sorted(inputs(graph, node_id).items()):
            above = source(value)
            shown.append(f"{name}={value!r}" if above is None else f"{name}={known[above]}/{value[1]}")
        known[node_id] = hashlib.sha256("\n".join(shown).encode()).hexdigest()
    return known


def request(graph: Graph, nodes: Sequence[str]) -> Request:
    """`nodes` are those that run."""
    of = {node_id: inputs(graph, node_id) for node_id in nodes}
    words = next((found for one in of if (found := _words(graph, of[one].get("positive"))) is not None), None)
    if words is None:
        words = _first(of, ("text", "filename_prefix")) or ""
    seed = _first(of, SEED_INPUTS[:2])
    seed = _first(of, SEED_INPUTS) if seed is None else seed
    return Request(str(words), str(_first(of, MODEL_INPUTS) or ""), seed if isinstance(seed, int) else 0)


def _first(of: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> Any:
    for name in names:
        for values in of.values():
            if name in values and source(values[name]) is None:
                return values[name]
    return None


def _words(graph: Graph, value: object) -> str | None:
    """The first text on the way up from here."""
    for node_id in _upwards(graph, source(value)):
        for name in WORD_INPUTS:
            if isinstance(words := inputs(graph, node_id).get(name), str):
                return words
    return None


def _upwards(graph: Graph, node_id: str | None) -> Iterator[str]:
    """From a node to those that it needs, itself included; the nearest first."""
    waiting = [] if node_id is None else [node_id]
    for one in waiting:  # grows meanwhile; a checked graph has no circle
        yield one
        waiting += [above for value in inputs(graph, one).values() if (above := source(value)) is not None]


def drawing(graph: Graph, node_id: str) -> Drawing:
    """What reaches this node."""
    values = inputs(graph, node_id)
    kind = graph[node_id]["class_type"]
    above = next((one for name in ("images", "image", "samples", "latent_image", "pixels")
                  if (one := source(values.get(name))) is not None), None)  # fmt: skip
    came = drawing(graph, above) if above is not None else Drawing(values.get("batch_size", 1), SQUARE)
    (width, height), count = came.size, came.count * values.get("amount", 1)
    if "width" in values and "height" in values:
        wanted = values["width"], values["height"]
        width, height = wanted if all(isinstance(side, int) for side in wanted) else SQUARE
    if kind == "ImageScaleBy" and isinstance(factor := values["scale_by"], float):
        width, height = round(width * factor), round(height * factor)
    return Drawing(count, (max(1, width), max(1, height)))


def broken(graph: Graph, nodes: Sequence[str]) -> str | None:
    """The first node that has a plain value where a link belongs; it fails on that when it runs."""
    for node_id in nodes:
        wanted = NODES[graph[node_id]["class_type"]].inputs
        if any(source(value) is None and not wanted[name].is_value for name, value in inputs(graph, node_id).items()):
            return node_id
    return None
