"""ComfyUI's calls with prepared answers: what is sent, and what is read."""

from __future__ import annotations

from typing import Any

import pytest
from providers.drive import answer, drive, sample, sample_body

from aiogen.errors import (
    APIError,
    ProtocolError,
)
from aiogen.exchange import Accepted, Response, Snapshot, Submission, Ticket
from aiogen.providers import ComfyImage, ComfyUI

COMFY = ComfyUI(name="studio")
ID = "48a63a0a-660b-40a8-ac2d-e55844b129af"
TICKET = Ticket(provider_id=ID)
CHECKPOINT = "sd_xl_base_1.0.safetensors"
PNG = b"\x89PNG\r\n\x1a\n"
NOTHING = sample("comfyui/history_empty")
NO_SUCH_CALL = sample("comfyui/no_jobs_call")
FLOW = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "positive": ["6", 0], "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "mine.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a house", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "ref.png"}},
    "12": {"class_type": "Detailer", "inputs": {"noise_seed": 6, "image": ["10", 0]}},
}


def prepared(model: str = CHECKPOINT, prompt: str | None = "a boat", **options: Any) -> ComfyImage:
    return COMFY.prepare(model, prompt, options)


def encoded(*args: Any, **options: Any) -> Submission:
    return COMFY.encode(prepared(*args, **options))


def graph_of(*args: Any, **options: Any) -> dict[str, Any]:
    """The graph that would be sent."""
    return dict(encoded(*args, **options).body["graph"])


def value_at(graph: dict[str, Any], place: str) -> Any:
    node, _, name = place.rpartition(".")
    return graph[node]["inputs"][name]


def entry(name: str) -> tuple[str, Any]:
    """The id and the entry of a recorded history with one job."""
    ((id_, entry),) = sample_body(name).items()
    return id_, entry


def reading(name: str, **ticket: Any) -> Snapshot:
    """A recorded job that is over, as it is read."""
    id_, _ = entry(name)
    return drive(COMFY.get(Ticket(provider_id=id_, **ticket)), sample(name)).result  # type: ignore[no-any-return]


def ending(*messages: list[Any], status: str = "error", outputs: Any = None) -> Snapshot:
    """A job that is over, with these events or outputs."""
    entry = {
        "prompt": [0, ID, {}, {}, []],
        "outputs": outputs or {},
        "status": {"status_str": status, "completed": status == "success", "messages": list(messages)},
    }
    return drive(COMFY.get(TICKET), answer({ID: entry})).result  # type: ignore[no-any-return]


def created(response: Response) -> Accepted:
    return drive(COMFY.create(encoded("empty")), response).result  # type: ignore[no-any-return]


def complaint(response: Response) -> Any:
    """The error that an answer to a create becomes."""
    with pytest.raises((APIError, ProtocolError)) as caught:
        created(response)
    return caught.value
