"""What a graph asks for."""

from __future__ import annotations

from typing import Any

import pytest

from aiogen.sandbox.vendors.comfyui.graph import Drawing, Request, broken, drawing, order, request, signatures

from ...conftest import model_graph, plain_graph


def with_nodes(graph: Any, output: str, **nodes: tuple[str, dict[str, Any]]) -> Any:
    """The graph with further nodes, the last of which is saved."""
    for name, (kind, inputs) in nodes.items():
        graph[name] = {"class_type": kind, "inputs": inputs}
    graph[output]["inputs"]["images"] = [[*nodes][-1], 0]
    return graph


def test_nodes_run_after_those_that_they_need() -> None:
    assert order(model_graph(), ["9"]) == ["4", "6", "7", "5", "3", "8", "9"]
    assert order({**plain_graph(), "7": plain_graph()["1"]}, ["3"]) == ["1", "3"]


def test_what_the_sampler_follows() -> None:
    graph = model_graph("a boat", seed=7)
    assert request(graph, order(graph, ["9"])) == Request("a boat", "sd_xl_base_1.0.safetensors", 7)
    graph["10"] = {"class_type": "FluxGuidance", "inputs": {"conditioning": ["6", 0], "guidance": 3.5}}
    graph["3"]["inputs"]["positive"] = ["10", 0]
    assert request(graph, order(graph, ["9"])).prompt == "a boat"


def test_without_a_sampler_the_name_of_the_file_stands_for_the_prompt_and_the_colour_for_the_seed() -> None:
    graph = plain_graph(prefix="boats", color=3)
    assert request(graph, ["1", "3"]) == Request("boats", "", 3)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ({"a": ("ImageScale", {"image": ["1", 0], "width": 30, "height": 20})}, Drawing(2, (30, 20))),
        ({"a": ("ImageScaleBy", {"image": ["1", 0], "scale_by": 0.5})}, Drawing(2, (32, 32))),
        ({"a": ("RepeatImageBatch", {"image": ["1", 0], "amount": 3})}, Drawing(6, (64, 64))),
        ({"a": ("ImageInvert", {"image": ["1", 0]})}, Drawing(2, (64, 64))),
        ({"a": ("LoadImage", {"image": "ref.png"})}, Drawing(1, (512, 512))),
    ],
)
def test_number_and_size(nodes: Any, expected: Drawing) -> None:
    assert drawing(with_nodes(plain_graph(batch=2), "3", **nodes), "3") == expected


def test_number_and_size_of_a_latent() -> None:
    assert drawing(model_graph(), "9") == Drawing(2, (832, 1216))


def test_signatures_tell_what_nodes_do_and_not_their_ids() -> None:
    graph = plain_graph()
    one = signatures(graph, ["1", "3"])
    assert len(set(one.values())) == 2
    other = {"a": graph["1"], "b": {"class_type": "SaveImage", "inputs": {**graph["3"]["inputs"], "images": ["a", 0]}}}
    assert list(signatures(other, ["a", "b"]).values()) == list(one.values())
    changed = signatures(plain_graph(color=1), ["1", "3"])
    assert not set(changed.values()) & set(one.values())  # also of what is below the change


def test_a_value_where_a_link_belongs() -> None:
    graph = plain_graph()
    assert broken(graph, ["1", "3"]) is None
    graph["3"]["inputs"]["images"] = "x"
    assert broken(graph, ["3"]) == "3"
