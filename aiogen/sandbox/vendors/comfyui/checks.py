"""What the server refuses in a graph, with its texts; they were recorded, or read in its source. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .nodes import NODES, Choices, Input

Graph = dict[str, Any]
Errors = dict[str, Any]

MANY = 20
"""A longer list of values is not quoted in an error."""

_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


class Refusal(Exception):
    """A 400: the server says what is wrong with the graph."""

    def __init__(self, error: Errors, node_errors: Errors | None = None) -> None:
        super().__init__(error["message"])
        self.body: Errors = {"error": error, "node_errors": node_errors or {}}


class Crash(Exception):
    """A 500: the server fails on what it was sent."""


class _Stumble(Exception):
    """An exception inside the server, which it reports for a node."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@attrs.frozen
class Checked:
    """A graph of which at least one output can be made."""

    graph: Graph
    """With values converted to the types of their inputs."""
    outputs: list[str]
    """The nodes that save and can do so."""
    node_errors: Errors
    """Of the outputs that cannot be made."""


def problem(type_: str, message: str, details: str = "", **extra_info: Any) -> Errors:
    return {"type": type_, "message": message, "details": details, "extra_info": extra_info}


NO_PROMPT = problem("no_prompt", "No prompt provided", "No prompt provided")


def check_id(value: object, *, is_new: bool) -> str | None:
    """The id that a create brings; None: it leaves that to the server. Raises Refusal."""
    if not is_new:
        return str(value)  # also None: the id is "None" then (recorded)
    if value is None:
        return None
    try:
        if isinstance(value, str) and str(uuid.UUID(value)) == value:
            return value
    except ValueError:
        pass
    details = (
        "prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to let the server generate one"
    )
    raise Refusal(problem("invalid_prompt_id", "prompt_id must be a valid UUID", details))


def check_graph(graph: object, choices: Choices, is_image: Callable[[str], bool], *, is_new: bool) -> Checked:
    """The graph, if any of its outputs can be made. `is_image` says whether such a file was uploaded.

    Raises Refusal, or Crash for what is no graph at all.
    """
    if graph == []:
        graph = {}
    if not isinstance(graph, dict) or not all(isinstance(node, dict) for node in graph.values()):
        raise Crash
    outputs = []
    for node_id, node in graph.items():
        _check_class(node_id, node, is_new=is_new)
        if NODES[node["class_type"]].saves:
            outputs.append(node_id)
    if not outputs:
        raise Refusal(problem("prompt_no_outputs", "Prompt has no outputs"))
    return _Check(graph, choices, is_image, is_new=is_new).all(outputs)


def _check_class(node_id: str, node: Mapping[str, Any], *, is_new: bool) -> None:
    kind = node.get("class_type")
    if kind in NODES:
        return
    where = f"Node ID '#{node_id}'"
    if is_new:
        title = (node.get("_meta") or {}).get("title", kind)
        if "class_type" in node:
            message = f"Node '{title}' not found. The custom node may not be installed."
        else:
            name = title or f"ID #{node_id}"
            message = f"Node '{name}' has no class_type. The workflow may be corrupted or a custom node is missing."
        raise Refusal(problem("missing_node_type", message, where, node_id=node_id, class_type=kind, node_title=title))
    message = f"node {kind} does not exist." if "class_type" in node else "a node is missing the class_type property."
    raise Refusal(problem("invalid_prompt", f"Cannot execute because {message}", where))


class _Check:
    """One walk through a graph, from its outputs up."""

    def __init__(self, graph: Graph, choices: Choices, is_image: Callable[[str], bool], *, is_new: bool) -> None:
        self._graph = graph
        self._choices = choices
        self._is_image = is_image
        self._is_new = is_new
        self._converted: Graph = {
            key: {**node, "inputs": dict(node.get("inputs") or {})} for key, node in graph.items()
        }
        self._seen: dict[str, tuple[bool, list[Errors]]] = {}
        """Node to whether it can run, and what is wrong with itself."""
        self._path: list[str] = []

    def all(self, outputs: list[str]) -> Checked:
        good, details = [], []
        node_errors: Errors = {}
        for output in outputs:
            if self._of_output(output):
                good.append(output)
                continue
            details += [f"{reason['message']}: {reason['details']}" for reason in self._seen[output][1]]
            for node_id, (_, reasons) in self._seen.items():
                if reasons:
                    kind = self._graph[node_id]["class_type"]
                    errors = {"errors": reasons, "dependent_outputs": [], "class_type": kind}
                    node_errors.setdefault(node_id, errors)["dependent_outputs"].append(output)
        if not good:
            message = "Prompt outputs failed validation"
            raise Refusal(problem("prompt_outputs_failed_validation", message, "\n".join(details)), node_errors)
        return Checked(self._converted, good, node_errors)

    def _of_output(self, node_id: str) -> bool:
        try:
            return self._of(node_id)
        except _Stumble as stumble:
            extra = {"exception_type": stumble.kind, "traceback": [_TRACE]}
            reason = problem("exception_during_validation", "Exception when validating node", str(stumble), **extra)
            self._seen[node_id] = False, [reason]
            return False

    def _of(self, node_id: str) -> bool:
        """Whether the node and all above it can run."""
        if node_id in self._seen:
            return self._seen[node_id][0]
        if node_id in self._path:
            return self._cycle(node_id)
        node = self._graph[node_id]
        if "inputs" not in node:
            raise _Stumble("KeyError", "'inputs'")
        self._path.append(node_id)
        reasons: list[Errors] = []
        can_run = True
        try:
            for name, wanted in NODES[node["class_type"]].inputs.items():
                if name not in node["inputs"]:
                    if not wanted.optional:
                        message = "Required input is missing"
                        reasons.append(problem("required_input_missing", message, name, input_name=name))
                    continue
                value = node["inputs"][name]
                if isinstance(value, list):
                    can_run &= self._link(name, wanted, value, reasons)
                elif (reason := self._value(node_id, name, wanted, value)) is not None:
                    reasons.append(reason)
        finally:
            self._path.pop()
        reasons = [*self._seen.get(node_id, (False, []))[1], *reasons]  # a cycle may have been found on the way
        self._seen[node_id] = can_run and not reasons, reasons
        return self._seen[node_id][0]

    def _cycle(self, node_id: str) -> bool:
        """The older server runs out of stack, and reports nothing."""
        nodes = self._path[self._path.index(node_id) :]
        shown = " -> ".join(f"{one} ({self._graph[one]['class_type']})" for one in (*nodes, node_id))
        for one in nodes if self._is_new else []:
            extra = {"node_id": one, "cycle_nodes": nodes}
            self._seen[one] = False, [problem("dependency_cycle", "Dependency cycle detected", shown, **extra)]
        return False

    def _link(self, name: str, wanted: Input, value: list[Any], reasons: list[Errors]) -> bool:
        """Whether what the link leads to can run; what is wrong with the link itself is added to the reasons."""
        config = wanted.config(self._choices)
        if len(value) != 2:
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            extra = {"input_name": name, "input_config": config, "received_value": value}
            reasons.append(problem("bad_linked_input", message, name, **extra))
            return True
        source, slot = value
        if not isinstance(source, str) or source not in self._graph:
            raise _Stumble("KeyError", repr(source))
        outputs = NODES[self._graph[source]["class_type"]].outputs
        if not isinstance(slot, int) or not -len(outputs) <= slot < len(outputs):
            raise _Stumble("IndexError", "tuple index out of range")
        if wanted.type not in (outputs[slot], "COMBO"):
            details = f"{name}, received_type({outputs[slot]}) mismatch input_type({wanted.type})"
            extra = {
                "input_name": name, "input_config": config, "received_type": outputs[slot], "linked_node": value,
            }  # fmt: skip
            message = "Return type mismatch between linked nodes"
            reasons.append(problem("return_type_mismatch", message, details, **extra))
            return True
        try:
            return self._of(source)
        except _Stumble as stumble:
            extra = {
                "input_name": name, "input_config": config, "exception_message": str(stumble),
                "exception_type": stumble.kind, "traceback": [_TRACE], "linked_node": value,
            }  # fmt: skip
            message = "Exception when validating inner node"
            reason = problem("exception_during_inner_validation", message, str(stumble), **extra)
            self._seen[source] = False, [reason]
            return False

    def _value(self, node_id: str, name: str, wanted: Input, value: Any) -> Errors | None:
        """What is wrong with a value. A plain value where a link belongs is not noticed before the node runs."""
        config = wanted.config(self._choices)
        extra = {"input_name": name, "input_config": config, "received_value": value}
        try:
            value = _CONVERTERS.get(wanted.type, lambda same: same)(value)
        except (TypeError, ValueError) as error:
            message = f"Failed to convert an input value to a {wanted.type} value"
            details = f"{name}, {value}, {error}"
            return problem("invalid_input_type", message, details, **extra, exception_message=str(error))
        self._converted[node_id]["inputs"][name] = value
        if wanted.options == "input":
            if self._is_image(str(value)):
                return None
            message = "Custom validation failed for node"
            details = f"{name} - Invalid image file: {value}"
            return problem("custom_validation_failed", message, details, input_name=name)
        extra["received_value"] = value
        if "min" in wanted.extra and value < wanted.extra["min"]:
            message = f"Value {value} smaller than min of {wanted.extra['min']}"
            return problem("value_smaller_than_min", message, name, **extra)
        if "max" in wanted.extra and value > wanted.extra["max"]:
            message = f"Value {value} bigger than max of {wanted.extra['max']}"
            return problem("value_bigger_than_max", message, name, **extra)
        if wanted.type == "COMBO" and value not in config[0]:
            is_long = len(config[0]) > MANY
            listed = f"(list of length {len(config[0])})" if is_long else str(config[0])
            extra["input_config"] = None if is_long else config
            return problem("value_not_in_list", "Value not in list", f"{name}: '{value}' not in {listed}", **extra)
        return None


_TRACE = '  File "/srv/ComfyUI/execution.py", line 788, in validate_inputs\n'
