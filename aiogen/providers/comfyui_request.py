"""What is asked of ComfyUI: a graph, and what is filled in before it is sent.  Pure.

Values are given by the names of the graph's slots, as for every other provider.  A value whose name is itself a place
(`"5.width"`) goes there without a slot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from aiogen._checks import check_extra, check_json, check_prompt
from aiogen._content.media import EXTENSIONS
from aiogen._content.portions import as_base64
from aiogen.errors import InputError, UnknownParameter
from aiogen.providers.comfyui_common import no_slot, translate
from aiogen.providers.comfyui_graph import ComfyGraph, check_place, listed, texts_in
from aiogen.providers.comfyui_shipped import graph_for, size_for
from aiogen.references import Reference

GRAPH_TYPE = "application/json"
_IMAGES = ("image", "mask", "references")
"""Slots whose text is the path of a file on this machine; anywhere else text is only text."""


def _as_graph(value: Any) -> ComfyGraph | None:
    return value if value is None or isinstance(value, ComfyGraph) else ComfyGraph(value)


def _as_values(values: Any) -> dict[str, Any]:
    """Values by name, without those that are None; what is an image becomes a reference."""
    if not isinstance(values, Mapping):
        raise InputError(f"values= takes {{'width': 512}}, not a {type(values).__name__}.")
    given = {name: value for name, value in values.items() if value is not None}
    references = given.pop("references", None)
    if references is not None:
        several = references if isinstance(references, list | tuple) else [references]
        found = tuple(_as_value("references", each) for each in several)
        if not all(isinstance(each, Reference) for each in found):
            raise InputError("references= takes images: paths, bytes, or references to files.")
        given["references"] = found
    return {name: value if name == "references" else _as_value(name, value) for name, value in given.items()}


def _as_value(name: str, value: Any) -> Any:
    is_image = isinstance(value, bytes | bytearray | memoryview | Path | Reference)
    if not is_image and not (name in _IMAGES and isinstance(value, str | Mapping)):
        check_json(value, str(name))
        return value
    reference = Reference.of(value)
    if reference.url is not None or reference.generation_id is not None:
        raise InputError(
            f"{name}= is an address or the id of a generation; a ComfyUI server fetches neither. "
            "Pass the path of a file, or pass Reference(file_id=…) for a file that the server already has."
        )
    return reference


@attrs.frozen(kw_only=True)
class ComfyImage:
    """One job at a ComfyUI server: a graph with its values filled in.

    Only what no graph could carry is refused here; ranges and names of files are checked by the server.  Source: the
    answers and the code of a server of version 0.3.64.
    """

    prompt: str | None = attrs.field(default=None, repr=False)
    """What goes into the slot "prompt"; None leaves there what a graph of yours says."""
    model: str = ""
    """The file name of a checkpoint on the server; "empty" for a picture without any model.  For a graph of yours
    without a slot "model" it is only what such jobs are called, by default as its file."""
    graph: ComfyGraph | None = attrs.field(default=None, converter=_as_graph)
    """By default a shipped one that suits the model, and the image if there is one."""
    values: Mapping[str, Any] = attrs.field(factory=dict, converter=_as_values)
    """What goes where: the name of a slot, or a place such as "5.width", to the value.  Bytes, a `Path` or a
    `Reference` are images; they are uploaded before the job is sent.  Words that are common to all providers go to the
    slots that mean the same."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """Further fields of `POST /prompt`, such as `front` (true: before those that wait) and `extra_data`."""

    def __attrs_post_init__(self) -> None:
        if not self.model and self.graph is not None and self.graph.shipped is None:
            object.__setattr__(self, "model", self.graph.label)
        if not isinstance(self.model, str) or not self.model.strip():
            raise InputError("The ComfyUI model is the file name of a checkpoint on the server, or 'empty'.")
        if self.graph is None:
            has_image = bool(self.values.get("image") or self.values.get("references"))
            object.__setattr__(self, "graph", ComfyGraph(graph_for(self.model, has_image=has_image)))
        if self.prompt is not None:
            check_prompt(self.prompt)
        check_extra(self.extra)
        for name in ("prompt", "prompt_id"):
            if name in self.extra:
                raise InputError(f"extra= cannot contain {name!r}, which aiogen sets itself.")
        # Anything else is accepted by 0.3.64, whose only worker then ends at this job.
        if not isinstance(self.extra.get("extra_data", {}), Mapping):
            raise InputError("extra_data in extra= must be an object.")
        for name in ("prompt", "model"):
            if name in self.values:
                raise InputError(f"values= contains {name!r}; give it as {name}=.")

    def references(self) -> Iterator[Reference]:
        """Every file it refers to: the graph's, and the images among the values."""
        assert self.graph is not None
        if isinstance(self.graph.graph, Path):
            yield Reference(path=self.graph.graph, media_type=GRAPH_TYPE)
        yield from (value for value in self.values.values() if isinstance(value, Reference))
        yield from self.values.get("references", ())

    def with_files(self, files: Mapping[Path, Reference]) -> ComfyImage:
        """The same request with local files replaced by their bytes."""
        assert self.graph is not None
        graph, values = self.graph, dict(self.values)
        if isinstance(graph.graph, Path):
            graph = ComfyGraph(files[graph.graph], slots=graph.slots)
        for name, value in values.items():
            if isinstance(value, Reference) and value.path is not None:
                values[name] = files[value.path]
        if "references" in values:
            values["references"] = tuple(r if r.path is None else files[r.path] for r in values["references"])
        return attrs.evolve(self, graph=graph, values=values)

    def filled(self, *, seed: int, prefix: str) -> Filled:
        """The graph with the values in their places; `seed` and `prefix` where nobody gave another one.

        Raises:
            UnknownParameter: a name is no slot.
            InputError: a place is not in the graph, or it is no graph in API format.
        """
        assert self.graph is not None
        nodes = self.graph.nodes()
        slots = self.graph.all_slots(nodes)
        values: dict[str, Any] = dict(self.values)
        shipped = self.graph.shipped
        usual = size_for(self.model) ** 2 if shipped is not None and shipped.takes_prompt else None
        warnings = translate(values, slots, nodes, usual)
        if slots.get("seed") and "seed" not in values and not ("color" in values and "color" in slots):
            values["seed"] = seed
        if slots.get("model"):
            values["model"] = self.model
        if shipped is not None:
            # A graph equal to an earlier one is answered with that one's files: so each job saves under its own name,
            # and in our folder: a server looks through all of the folder for each picture.
            values.setdefault("filename_prefix", prefix)
            if shipped.takes_prompt:
                check_prompt(self.prompt)
                for name in {"width", "height"} & slots.keys():
                    values.setdefault(name, size_for(self.model))
        if self.prompt is not None and "prompt" in slots:
            values["prompt"] = self.prompt
        elif self.prompt is not None and shipped is None:
            raise InputError(
                "The graph has no slot for the prompt: say where it goes, as in slots='prompt=6.text', or that it goes "
                f"nowhere (slots='prompt='). Its texts: {listed(texts_in(nodes)) or 'none'}."
            )
        given: dict[str, Any] = {}
        files: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            for place in _places_of(name, slots):
                check_place(place, nodes, name)
                given[place] = _said(value, place, files)
        return Filled(
            nodes=with_values(nodes, given), files=list(files.values()), values=values, warnings=tuple(warnings)
        )


@attrs.frozen(kw_only=True)
class Filled:
    """A graph that is complete but for the names that the server gives to uploaded files."""

    nodes: dict[str, Any]
    files: list[dict[str, Any]]
    """Each with `name`, `media_type`, `data` (base64), and the `places` that its name goes to."""
    values: Mapping[str, Any]
    """All of them, by name."""
    warnings: tuple[str, ...] = ()
    """What was given that the graph has no place for, in sentences."""


def with_values(nodes: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The same graph with these values in their places."""
    changed = dict(nodes)
    for place, value in values.items():
        node, _, name = place.rpartition(".")
        changed[node] = {**changed[node], "inputs": {**changed[node]["inputs"], name: value}}
    return changed


def _places_of(name: str, slots: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Where the value of this name goes: to the places of its slot, or to the one place that it names."""
    if name in slots:
        return slots[name]
    if "." in name:
        return (name,)
    words, meant = no_slot(name, slots)
    raise UnknownParameter(words, parameter=name, proposal=meant)


def _said(value: Any, place: str, files: dict[str, dict[str, Any]]) -> Any:
    """A value as it stands in the graph; an image is noted among the files, each only once."""
    if not isinstance(value, Reference):
        return value
    if value.file_id is not None:
        return value.file_id
    if value.data is None:
        raise InputError(f"The file {str(value.path)!r} has not been read.")
    # Named by its content: the same image is not stored again for each job, and no other file is meant by the name.
    name = f"aiogen-{hashlib.sha256(value.data).hexdigest()[:20]}.{EXTENSIONS.get(value.media_type or '', 'png')}"
    if name not in files:
        data = as_base64(value.data)
        files[name] = {"name": name, "media_type": value.media_type, "data": data, "places": []}
    files[name]["places"].append(place)
    return name
