"""What the imitated vendors say about a generation, with the fields of their real answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

# As recorded from the live API; what differs between generations is filled in below.
_LEONARDO: dict[str, Any] = {
    "generated_images": [],
    "modelId": "b24e16ff-06e3-43eb-8d33-4416c2d75876",
    "motion": None,
    "motionModel": None,
    "motionStrength": None,
    "prompt": "a picture",
    "negativePrompt": "",
    "imageHeight": 768,
    "imageToVideo": None,
    "imageWidth": 1024,
    "inferenceSteps": 15,
    "seed": 1,
    "public": False,
    "scheduler": "EULER_DISCRETE",
    "sdVersion": "SDXL_LIGHTNING",
    "status": "PENDING",
    "presetStyle": "DYNAMIC",
    "initStrength": None,
    "guidanceScale": 7,
    "promptMagic": False,
    "promptMagicVersion": None,
    "promptMagicStrength": None,
    "photoReal": False,
    "photoRealStrength": None,
    "fantasyAvatar": None,
    "generation_elements": [],
}
_IMAGE: dict[str, Any] = {"nsfw": False, "likeCount": 0, "motionMP4URL": None, "generated_image_variation_generics": []}


def as_json(value: object, status: int = 200) -> web.Response:
    """An answer."""
    return web.Response(body=json.dumps(value).encode(), status=status, content_type="application/json")


def luma(job_id: str, accepted: float, *, over: bool) -> dict[str, Any]:
    """A generation at Luma, accepted at that wall-clock time."""
    url = f"https://storage.invalid/{job_id}.jpg?signature={'0' * 64}"
    return {
        "id": job_id,
        "type": "image",
        "state": "completed" if over else "processing",
        "model": "uni-1",
        "created_at": _stamp(accepted) + "Z",
        "output": [{"type": "image", "url": url}] if over else [],
        "failure_reason": None,
        "failure_code": None,
    }


def leonardo(job_id: str, accepted: float, *, over: bool) -> dict[str, Any]:
    """A generation at Leonardo, accepted at that wall-clock time; whether it waits or runs is not told."""
    shown = _LEONARDO | {"id": job_id, "createdAt": _stamp(accepted)}
    if over:
        image = _IMAGE | {"id": job_id, "url": f"https://cdn.invalid/{job_id}.jpg"}
        shown |= {"status": "COMPLETE", "generated_images": [image]}
    return shown


def _stamp(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
