"""The bodies of Luma's answers about a generation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ...jobs import SandboxJob, View

USUAL_REASONS = {
    # The first four texts are recorded; of the others Luma publishes none, so they are ours.
    "content_moderated": "Generation output was flagged by our content moderation system.",
    "generation_failed": "Generation failed",
    "budget_exhausted": "Insufficient credits to complete this generation.",
    "output_not_found": "Output artifacts not found",
    "image_too_large": "source: image exceeds 50 MB limit",
    "unsupported_format": "image_ref[0]: unsupported format",
    "corrupt_input": "source: image could not be decoded",
    "invalid_request": "Invalid request",
    "rate_limited": "Upstream rate limit",
}
"""By failure code."""


def iso(when: datetime) -> str:
    """As the API writes times."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def failure(job: SandboxJob) -> tuple[str | None, str | None]:
    """Code and reason, as they are reported once the job has failed."""
    code = job.fate.failure_code
    usual = USUAL_REASONS.get(code or "", "Generation failed")
    return None if code == "null" else code, job.fate.failure_reason or usual


def generation(job: SandboxJob, view: View, created: datetime, url: Callable[[int], str]) -> dict[str, Any]:
    """One generation. `url` makes the URL of an output of its index."""
    code, reason = failure(job) if view.state == "failed" else (None, None)
    shown: dict[str, Any] = {
        "id": job.id,
        "type": job.kind,
        "state": view.state,
        "model": job.model,
        "created_at": iso(created),
        "output": [],
        "failure_reason": reason,
        "failure_code": code,
    }
    if view.output == "full":
        shown["output"] = [_output(job, index, url(index)) for index in range(job.outputs)]
    elif view.output == "absent":
        del shown["output"]
    return shown


def _output(job: SandboxJob, index: int, url: str) -> dict[str, Any]:
    output: dict[str, Any] = {"type": "video" if job.format == "mp4" else "image", "url": url}
    if job.kind == "layering":
        is_last = index == job.outputs - 1  # front to back
        output["layer"] = {
            "index": index,
            "label": "background" if is_last else f"layer {index + 1}",
            "description": "what lies behind" if is_last else "something in front",
            "alpha_hint": "none" if is_last else "hard",
        }
    return output
