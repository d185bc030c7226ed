"""From an accepted graph to its entry in the queue: what it draws, how long it takes, and how it ends."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable
from typing import Any

import attrs

from ...clock import Clock
from ...jobs import SandboxJob
from ...script import Fate
from .checks import Checked
from .files import is_outside
from .graph import Graph, Request, broken, drawing, order, signatures
from .queue import Entry
from .settings import ComfyUISettings

UNNAMED = (6.0, 0.25)
"""Median in seconds and sigma for models that the settings do not name."""

SAMPLERS = ("KSampler", "KSamplerAdvanced")


class EntryFactory:
    """Makes entries; the same seed makes the same."""

    def __init__(
        self, settings: ComfyUISettings, clock: Clock, is_picture: Callable[[str], bool], *, seed: int
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._is_picture = is_picture
        self._seed = seed
        self._accepted = 0

    def entry(
        self, now: float, job_id: str | None, number: float, checked: Checked, extra_data: dict[str, Any],
        asked: Request, prompt: str, fate: Fate,
    ) -> Entry:  # fmt: skip
        """The entry of a create that is accepted now. `prompt` is without directives."""
        serial, self._accepted = self._accepted, self._accepted + 1
        dice = random.Random(f"{self._seed}/comfyui/{serial}")
        made_up = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        median, sigma = self._settings.durations.get(asked.model, UNNAMED)
        usual = dice.lognormvariate(math.log(median), sigma)
        graph, nodes = checked.graph, order(checked.graph, checked.outputs)
        drawn = drawing(graph, checked.outputs[0])
        fate, failing = self._end(graph, nodes, fate)
        job = SandboxJob(
            provider="comfyui",
            id=job_id or made_up,
            kind="image",
            model=asked.model,
            body={"prompt": graph, "extra_data": extra_data},
            prompt=prompt,
            fate=fate,
            outputs=drawn.count if fate.outputs is None else fate.outputs,
            size=drawn.size,
            format="png",
            seed=asked.seed,
            created_at=now,
            started_at=math.inf,  # set by the queue
            ends_at=math.inf,
        )
        return Entry(
            number=number,
            job=job,
            graph=graph,
            extra_data=extra_data,
            outputs=checked.outputs,
            nodes=nodes,
            signatures=signatures(graph, nodes),
            not_before=now + self._clock.shortened(fate.queued or 0.0),
            seconds=self._clock.shortened(usual if fate.processing is None else fate.processing),
            failing_node=failing,
        )

    def _end(self, graph: Graph, nodes: list[str], fate: Fate) -> tuple[Fate, str | None]:
        """The fate, with the error that a node of the graph would cause, and the node at which it fails."""
        for node_id in nodes:
            kind, values = graph[node_id]["class_type"], graph[node_id]["inputs"]
            if kind == "LoadImage" and not self._is_picture(str(values["image"])):
                return attrs.evolve(fate, failure_code="no_picture"), node_id
            if kind == "SaveImage" and is_outside(str(values["filename_prefix"])):
                return attrs.evolve(fate, failure_code="outside"), node_id
        if (failing := broken(graph, nodes)) is not None:
            return attrs.evolve(fate, failure_code="no_link"), failing
        if fate.failure_code is None:
            return fate, None
        return fate, next((one for one in nodes if graph[one]["class_type"] in SAMPLERS), nodes[-1])
