"""What the server refuses in a graph, and how it says so."""

from __future__ import annotations

from typing import Any

import pytest

from aiogen.sandbox.vendors.comfyui.checks import Checked, Crash, Refusal, check_graph

from ...conftest import model_graph, plain_graph

CHECKPOINTS = ["sd_xl_base_1.0.safetensors"]


def check(graph: Any, *, is_new: bool = True) -> Checked:
    def choices(folder: str) -> list[str]:
        return CHECKPOINTS if folder == "checkpoints" else []

    return check_graph(graph, choices, lambda name: name == "ref.png", is_new=is_new)


def refusal(graph: Any, *, is_new: bool = True) -> tuple[str, Any]:
    """The kind of the error, and what it says of nodes."""
    with pytest.raises(Refusal) as caught:
        check(graph, is_new=is_new)
    return caught.value.body["error"]["type"], caught.value.body["node_errors"]


def changed(graph: Any, node: str, **inputs: Any) -> Any:
    graph[node]["inputs"] |= inputs
    return graph


def only_error(graph: Any, node: str) -> Any:
    """The one error, which is of this node."""
    kind, node_errors = refusal(graph)
    assert kind == "prompt_outputs_failed_validation"
    assert list(node_errors) == [node]
    [error] = node_errors[node]["errors"]
    assert {"type", "message", "details", "extra_info"} == set(error)
    return error


def test_usual_graphs_pass() -> None:
    assert check(plain_graph()).outputs == ["3"]
    assert check(model_graph()) == Checked(model_graph(), ["9"], {})


@pytest.mark.parametrize("graph", [None, "x", 7, ["x"], {"1": None}])
def test_the_server_stumbles_over_what_is_no_graph(graph: Any) -> None:
    with pytest.raises(Crash):
        check(graph)


@pytest.mark.parametrize("graph", [{}, [], {"1": plain_graph()["1"]}])
def test_nothing_saves(graph: Any) -> None:
    assert refusal(graph) == ("prompt_no_outputs", {})


@pytest.mark.parametrize(
    ("node", "said_new", "said_old"),
    [
        (
            {"class_type": "Nope", "inputs": {}},
            "Node 'Nope' not found. The custom node may not be installed.",
            "Cannot execute because node Nope does not exist.",
        ),
        (
            {"inputs": {}},
            "Node 'ID #7' has no class_type. The workflow may be corrupted or a custom node is missing.",
            "Cannot execute because a node is missing the class_type property.",
        ),
    ],
)
def test_unknown_nodes(node: Any, said_new: str, said_old: str) -> None:
    for is_new, kind, said in ((True, "missing_node_type", said_new), (False, "invalid_prompt", said_old)):
        with pytest.raises(Refusal) as caught:
            check({**plain_graph(), "7": node}, is_new=is_new)
        error = caught.value.body["error"]
        assert (error["type"], error["message"], error["details"]) == (kind, said, "Node ID '#7'")


@pytest.mark.parametrize(
    ("inputs", "kind", "details"),
    [
        ({"width": 0}, "value_smaller_than_min", "width"),
        ({"width": 16385}, "value_bigger_than_max", "width"),
        ({"width": "wide"}, "invalid_input_type", "width, wide, invalid literal for int() with base 10: 'wide'"),
        ({"width": None}, "invalid_input_type", "width, None, int() argument"),
        ({"width": ["1"]}, "bad_linked_input", "width"),
    ],
)
def test_values(inputs: Any, kind: str, details: str) -> None:
    error = only_error(changed(plain_graph(), "1", **inputs), "1")
    assert error["type"] == kind
    assert error["details"].startswith(details)
    assert error["extra_info"]["input_name"] == "width"
    assert error["extra_info"]["input_config"] == ["INT", {"default": 512, "min": 1, "max": 16384}]


def test_a_missing_value() -> None:
    graph = plain_graph()
    del graph["1"]["inputs"]["width"]
    assert only_error(graph, "1")["type"] == "required_input_missing"


def test_a_long_list_is_not_quoted() -> None:
    error = only_error(model_graph(sampler_name="best"), "3")
    assert error["details"] == "sampler_name: 'best' not in (list of length 30)"
    assert error["extra_info"]["input_config"] is None


def test_values_are_converted() -> None:
    graph = changed(plain_graph(), "1", width="64", height=True)
    assert check(graph).graph["1"]["inputs"] == {"width": 64, "height": 1, "batch_size": 1, "color": 0}


def test_inputs_that_the_class_does_not_have_are_ignored() -> None:
    assert check(changed(plain_graph(), "1", depth="?")).outputs == ["3"]


def test_nodes_that_no_output_needs_are_not_looked_at() -> None:
    assert check({**plain_graph(), "7": {"class_type": "EmptyImage", "inputs": {}}}).node_errors == {}


def test_a_link_to_the_wrong_kind() -> None:
    error = only_error(model_graph(positive=["5", 0]), "3")
    assert error["type"] == "return_type_mismatch"
    assert error["details"] == "positive, received_type(LATENT) mismatch input_type(CONDITIONING)"


@pytest.mark.parametrize(("link", "kind"), [(["99", 0], "KeyError"), (["1", 4], "IndexError"), ([1, 0], "KeyError")])
def test_a_link_to_nowhere(link: Any, kind: str) -> None:
    error = only_error(changed(plain_graph(), "3", images=link), "3")
    assert (error["type"], error["extra_info"]["exception_type"]) == ("exception_during_validation", kind)
    assert error["extra_info"]["traceback"]


def test_a_link_to_nowhere_further_up() -> None:
    error = only_error(changed(plain_graph(), "1", width=["99", 0]), "1")
    assert (error["type"], error["details"]) == ("exception_during_inner_validation", "'99'")
    graph = plain_graph()
    del graph["1"]["inputs"]
    assert only_error(graph, "1")["extra_info"]["exception_message"] == "'inputs'"


def test_errors_of_other_nodes_are_not_in_the_details() -> None:
    """As recorded: what is wrong stands only with the nodes."""
    with pytest.raises(Refusal) as caught:
        check(changed(plain_graph(), "1", width=0))
    assert caught.value.body["error"]["details"] == ""
    with pytest.raises(Refusal) as caught:
        check(changed(plain_graph(), "3", images=["1"]))
    assert "must be a length-2 list" in caught.value.body["error"]["details"]


def test_some_outputs_only() -> None:
    graph = plain_graph()
    graph["5"] = {"class_type": "EmptyImage", "inputs": {"width": 9, "height": 9, "batch_size": 1}}
    graph["9"] = {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "y"}}
    checked = check(graph)
    assert checked.outputs == ["3"]
    assert list(checked.node_errors) == ["5"]
    assert checked.node_errors["5"]["dependent_outputs"] == ["9"]
    assert checked.node_errors["5"]["class_type"] == "EmptyImage"


def test_circles() -> None:
    graph = {
        "1": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    kind, node_errors = refusal(graph)
    assert kind == "prompt_outputs_failed_validation"
    assert set(node_errors) == {"1", "2"}
    assert node_errors["1"]["errors"][0]["details"] == "1 (ImageInvert) -> 2 (ImageInvert) -> 1 (ImageInvert)"
    assert refusal(graph, is_new=False) == ("prompt_outputs_failed_validation", {})  # as recorded


@pytest.mark.parametrize(("name", "passes"), [("ref.png", True), ("other.png", False)])
def test_images_that_were_uploaded(name: str, passes: bool) -> None:
    graph = changed(plain_graph(), "3", images=["5", 0])
    graph["5"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    if passes:
        assert check(graph).outputs == ["3"]
    else:
        error = only_error(graph, "5")
        assert (error["type"], error["details"]) == (
            "custom_validation_failed", "image - Invalid image file: other.png",
        )  # fmt: skip
