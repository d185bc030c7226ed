"""The graphs that come with the ComfyUI provider, in the server's API format, and where their values go.  Pure data.

Node classes, inputs and ranges are those of `GET /object_info` of ComfyUI 0.3.64.  All of them are part of the server
itself, so none of these graphs needs a custom node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiogen.models import Typical

Inputs = dict[str, Any]


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


@attrs.frozen(kw_only=True)
class ShippedGraph:
    """One of them."""

    nodes: Mapping[str, Any]
    """The graph; what the slots name is filled in."""
    slots: Mapping[str, str]
    """What a value is called, and the input it goes to, written `<node>.<input>`."""
    seeds: int = 2**32
    """A seed that nobody gave is below this."""
    takes_prompt: bool = True
    typical: Typical
    """How long it usually takes, counted from the moment it begins.  Ours: it depends on the machine."""


_SAMPLED: Mapping[str, str] = {
    "model": "4.ckpt_name",
    "prompt": "6.text",
    "negative": "7.text",
    "seed": "3.seed",
    "steps": "3.steps",
    "cfg": "3.cfg",
    "sampler_name": "3.sampler_name",
    "scheduler": "3.scheduler",
    "denoise": "3.denoise",
    "filename_prefix": "9.filename_prefix",
}
_SIZED: Mapping[str, str] = {"width": "5.width", "height": "5.height", "batch_size": "5.batch_size"}


def _sampled(latent: dict[str, Any], **sampler: Any) -> dict[str, Any]:
    """The usual way from a checkpoint to a picture; `latent` is what the sampler begins with."""
    settings = {"seed": 0, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return {
        "3": _node("KSampler", **{**settings, **links, **sampler}),
        "4": _node("CheckpointLoaderSimple", ckpt_name=""),
        "5": latent,
        "6": _node("CLIPTextEncode", text="", clip=["4", 1]),
        "7": _node("CLIPTextEncode", text="", clip=["4", 1]),
        "8": _node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": _node("SaveImage", images=["8", 0], filename_prefix="aiogen"),
    }


SHIPPED: Mapping[str, ShippedGraph] = {
    "text-to-image": ShippedGraph(
        nodes=_sampled(_node("EmptyLatentImage", width=1024, height=1024, batch_size=1)),
        slots={**_SAMPLED, **_SIZED},
        typical=Typical(median=15.0, spread=0.9),
    ),
    "image-to-image": ShippedGraph(
        nodes={
            **_sampled(_node("VAEEncode", pixels=["10", 0], vae=["4", 2]), denoise=0.6),
            "10": _node("LoadImage", image=""),
        },
        slots={**_SAMPLED, "image": "10.image"},
        typical=Typical(median=15.0, spread=0.9),
    ),
    # FLUX as one file (the fp8 checkpoints): guidance is a node of its own, cfg stays 1, and no negative prompt counts.
    "flux": ShippedGraph(
        nodes={
            **_sampled(
                _node("EmptySD3LatentImage", width=1024, height=1024, batch_size=1),
                cfg=1.0,
                scheduler="simple",
                positive=["11", 0],
            ),
            "11": _node("FluxGuidance", conditioning=["6", 0], guidance=3.5),
        },
        slots={
            **{name: at for name, at in _SAMPLED.items() if name != "negative"},
            **_SIZED,
            "guidance": "11.guidance",
        },
        typical=Typical(median=40.0, spread=0.9),
    ),
    # No weights and no GPU: a server with nothing installed runs it.  The seed is the colour.
    "empty": ShippedGraph(
        nodes={
            "5": _node("EmptyImage", width=512, height=512, batch_size=1, color=0),
            "9": _node("SaveImage", images=["5", 0], filename_prefix="aiogen"),
        },
        slots={**_SIZED, "seed": "5.color", "color": "5.color", "filename_prefix": "9.filename_prefix"},
        seeds=2**24,
        takes_prompt=False,
        typical=Typical(median=0.01, spread=1.0),
    ),
}
"""Every one, by name."""

_SMALL = ("v1-4", "v1-5", "sd15", "sd1.5", "sd_1.5", "sd-1.5")
"""What the names of checkpoints contain that were made for pictures of 512 by 512."""


def graph_for(model: str, *, has_image: bool) -> str:
    """Which of them a model is for, if nobody says so."""
    if model == "empty":
        return "empty"
    if has_image:
        return "image-to-image"
    return "flux" if "flux" in model.lower() else "text-to-image"


def size_for(model: str) -> int:
    """Pixels of each side, by default: what the checkpoint was made for, as far as its name says."""
    return 512 if any(word in model.lower() for word in _SMALL) else 1024
