"""What a ComfyUI server has installed, how long it works, and which of its known variants it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
from attrs.validators import deep_iterable, ge, in_, instance_of

from ...settings import LogNormal


@attrs.frozen(kw_only=True)
class ComfyUISettings:
    """A ComfyUI server, with the nodes that it brings itself. It takes no key."""

    checkpoints: tuple[str, ...] = attrs.field(
        default=("flux1-dev-fp8.safetensors", "sd_xl_base_1.0.safetensors", "v1-5-pruned-emaonly-fp16.safetensors"),
        converter=tuple,
        validator=deep_iterable(instance_of(str)),
    )
    """The files that graphs may load: checkpoints, and diffusion models alone."""
    has_jobs_api: bool = True
    """A server of 2026: with /api/jobs, `create_time`, ids that have to be UUIDs, and `missing_node_type` for a node
    that it does not know. False: version 0.3.64 of October 2025, as it was recorded."""
    cache: Literal["last", "all", "none"] = attrs.field(default="last", validator=in_(("last", "all", "none")))
    """Which earlier graphs are remembered: a node that has run in one of them is not run again, and one that saves
    answers with its earlier files. "last" is recorded; newer servers may remember more."""
    durations: Mapping[str, LogNormal] = attrs.field(factory=lambda: {"": (0.003, 0.2)})
    """Model to running time; "" is a graph without a model (recorded), and 6 s stand for models that are not named
    (nothing is known: it is the graphics card's). Shortened by `speed`."""
    max_history: int = attrs.field(default=10_000, validator=ge(1))
    """Ended prompts that are remembered; the oldest are dropped."""
    latency: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds before each answer leaves. Not shortened by `speed`."""

    @property
    def version(self) -> str:
        return "0.36.0" if self.has_jobs_api else "0.3.64"
