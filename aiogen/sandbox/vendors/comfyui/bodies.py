"""The bodies of the server's answers about prompts: of /queue, /history and /api/jobs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from .queue import INTERRUPTED, Entry

JobStatus = Literal["pending", "in_progress", "completed", "failed", "cancelled"]
JOB_STATUSES = ("pending", "in_progress", "completed", "failed", "cancelled")

OUT_OF_MEMORY = "out_of_memory"
"""As a failure code: the graphics card has too little memory."""

_EXCEPTIONS = {
    OUT_OF_MEMORY: (
        "torch.OutOfMemoryError",
        "Allocation on device 0 would exceed allowed memory. (out of memory)\nThis error means you ran out of memory "
        "on your GPU.\n\nTIPS: If the workflow worked before you might have accidentally set the batch_size to a large "
        "number.",
    ),
    "no_picture": ("PIL.UnidentifiedImageError", "cannot identify image file '/srv/ComfyUI/input/{input}'\n"),
    "outside": ("Exception", "**** ERROR: Saving image outside the output folder is not allowed.\n"),
    "no_link": ("AttributeError", "'str' object has no attribute 'shape'\n"),
}
"""Failure code to the type and the message of the exception."""

TRACE = '  File "/srv/ComfyUI/execution.py", line 496, in execute\n'


def milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def queue_item(entry: Entry) -> list[Any]:
    """One prompt, as /queue lists it and as the history keeps it."""
    return [entry.number, entry.job.id, entry.graph, entry.extra_data, entry.outputs]


def history_entry(
    entry: Entry, started: datetime, ended: datetime, *, state: str | None, output: str
) -> dict[str, Any]:
    """An ended prompt. `state` stands in place of its status word; `output` says what is shown of its files, as in
    `View`."""
    shown: dict[str, Any] = {"prompt": queue_item(entry)}
    if output != "absent":
        shown["outputs"] = outputs(entry, output)
    shown["status"] = execution_status(entry, started, ended, state)
    shown["meta"] = {node: _meta(node) for node in shown.get("outputs", {})}
    return shown


def execution_status(entry: Entry, started: datetime, ended: datetime, state: str | None = None) -> dict[str, Any]:
    """`state` stands in place of the usual word."""
    succeeded = entry.job.fate.failure_code is None
    word = state or ("success" if succeeded else "error")
    return {"status_str": word, "completed": succeeded, "messages": _messages(entry, started, ended)}


def outputs(entry: Entry, output: str) -> dict[str, Any]:
    if output == "empty":
        return {}
    return {node: {"images": files} for node, files in entry.files.items()}


def _meta(node: str) -> dict[str, Any]:
    return {"node_id": node, "display_node": node, "parent_node": None, "real_node_id": node}


def _messages(entry: Entry, started: datetime, ended: datetime) -> list[list[Any]]:
    job_id = entry.job.id
    return [
        ["execution_start", {"prompt_id": job_id, "timestamp": milliseconds(started)}],
        ["execution_cached", {"nodes": entry.cached, "prompt_id": job_id, "timestamp": milliseconds(started)}],
        _last_message(entry, milliseconds(ended)),
    ]


def _last_message(entry: Entry, timestamp: int) -> list[Any]:
    code = entry.job.fate.failure_code
    if code is None:
        return ["execution_success", {"prompt_id": entry.job.id, "timestamp": timestamp}]
    node = entry.failing_node or entry.nodes[-1]
    said: dict[str, Any] = {
        "prompt_id": entry.job.id,
        "node_id": node,
        "node_type": entry.graph[node]["class_type"],
        "executed": entry.executed(),
    }
    if code != INTERRUPTED:
        kind, message = _EXCEPTIONS.get(code, ("RuntimeError" if code == "null" else code, "The node has failed.\n"))
        values = entry.graph[node]["inputs"]
        said |= {
            "exception_message": entry.job.fate.failure_reason or message.format(input=values.get("image")),
            "exception_type": kind,
            "traceback": [TRACE],
            "current_inputs": {name: [str(value)] for name, value in values.items()},
            "current_outputs": entry.nodes,
        }
    return [INTERRUPTED if code == INTERRUPTED else "execution_error", {**said, "timestamp": timestamp}]


# --- /api/jobs


def job_of_queue(entry: Entry, status: JobStatus) -> dict[str, Any]:
    return {
        "id": entry.job.id,
        "status": status,
        "priority": entry.number,
        "create_time": entry.extra_data["create_time"],
        "outputs_count": 0,
        "previewable_outputs_count": 0,
    }


def job_of_history(entry: Entry, started: datetime, ended: datetime, output: str) -> dict[str, Any]:
    images = [(node, one) for node, files in entry.files.items() for one in files] if output == "full" else []
    shown: dict[str, Any] = {
        "id": entry.job.id,
        "status": status_of(entry),
        "priority": entry.number,
        "create_time": entry.extra_data["create_time"],
        "execution_start_time": milliseconds(started),
        "execution_end_time": milliseconds(ended),
        "outputs_count": len(images),
        "previewable_outputs_count": len(images),
    }
    event, said = _last_message(entry, milliseconds(ended))
    if event == "execution_error":
        shown["execution_error"] = said
    best = sorted(images, key=lambda one: one[1]["type"] != "output")
    if best:
        node, image = best[0]
        shown["preview_output"] = {**image, "nodeId": node, "mediaType": "images"}
    return shown


def status_of(entry: Entry) -> JobStatus:
    """Of an ended one."""
    code = entry.job.fate.failure_code
    if code is None:
        return "completed"
    return "cancelled" if code == INTERRUPTED else "failed"


def workflow(entry: Entry) -> dict[str, Any]:
    return {"prompt": entry.graph, "extra_data": entry.extra_data}


def system_stats(version: str) -> Mapping[str, Any]:
    memory = 24 * 1024**3
    return {
        "system": {
            "os": "posix",
            "ram_total": memory,
            "ram_free": memory // 2,
            "comfyui_version": version,
            "required_frontend_version": None,
            "python_version": "3.11 (aiogen sandbox)",
            "pytorch_version": "none (aiogen sandbox)",
            "embedded_python": False,
            "argv": ["main.py"],
        },
        "devices": [
            {
                "name": "aiogen sandbox",
                "type": "cpu",
                "index": None,
                "vram_total": memory,
                "vram_free": memory // 2,
                "torch_vram_total": memory,
                "torch_vram_free": memory // 2,
            }
        ],
    }
