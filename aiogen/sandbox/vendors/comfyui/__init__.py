"""A ComfyUI server, imitated: its native API, without a key. Recorded from version 0.3.64, and read in its source.

A script knows a graph by the file of its checkpoint, and by the words that its sampler follows; a graph without a model
has "" for the one, and the first `filename_prefix` for the other. Both may have directives. As `failure_code` there are
`out_of_memory` and `execution_interrupted` (another client has stopped it); any other word is the exception's type.
`Sandbox.restart("comfyui")` loses queue and history, as a restart of the server does.

Not imitated: the WebSocket, masks, previews and single channels of pictures, custom nodes, dates in names of files. An
interrupted prompt ends at once, while the server first finishes the node that runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...vendor import Imitation, Route, Vendor
from .api import ComfyUI
from .jobs_api import cancel_job, cancel_jobs, list_jobs, read_job
from .settings import ComfyUISettings

__all__ = ["IMITATION", "ComfyUISettings"]

_BASE = "/comfyui"

_GET: tuple[Route[ComfyUI], ...] = (
    Route("GET", "/prompt", "account", ComfyUI.remaining),
    Route("GET", "/queue", "list", ComfyUI.list_queue),
    Route("GET", "/history", "list", ComfyUI.list_history),
    Route("GET", "/history/{id}", "poll", ComfyUI.read_history),
    Route("GET", "/view", "download", lambda api, context: api.files.view(context)),
    Route("GET", "/object_info", "account", ComfyUI.object_info),
    Route("GET", "/object_info/{name}", "account", ComfyUI.object_info),
    Route("GET", "/models", "account", ComfyUI.list_models),
    Route("GET", "/models/{folder}", "account", ComfyUI.list_models),
    Route("GET", "/system_stats", "account", ComfyUI.system_stats),
    Route("GET", "/api/jobs", "list", list_jobs),
    Route("GET", "/api/jobs/{id}", "poll", read_job),
)
_POST: tuple[Route[ComfyUI], ...] = (
    Route("POST", "/prompt", "create", ComfyUI.create),
    Route("POST", "/queue", "delete", ComfyUI.change_queue),
    Route("POST", "/history", "delete", ComfyUI.change_history),
    Route("POST", "/interrupt", "delete", ComfyUI.interrupt),
    Route("POST", "/upload/image", "upload", lambda api, context: api.files.upload(context)),
    Route("POST", "/api/jobs/cancel", "delete", cancel_jobs),
    Route("POST", "/api/jobs/{id}/cancel", "delete", cancel_job),
)


def _routes() -> Iterator[Route[ComfyUI]]:
    """Every route also under /api, and HEAD wherever there is GET."""
    for route in (*_GET, *_POST):
        for path in (f"{_BASE}{route.path}", f"{_BASE}/api{route.path}"):
            for method in ("GET", "HEAD") if route.method == "GET" else ("POST",):
                yield Route(method, path, route.action, route.handler)


def _vendor(settings: ComfyUISettings) -> Vendor[ComfyUI]:
    return Vendor(
        name="comfyui",
        title="ComfyUI",
        base_path=_BASE,
        environment=lambda url: {"COMFYUI_BASE_URL": url},
        routes=tuple(_routes()),
        api=lambda services: ComfyUI(settings, services),
        restart=ComfyUI.restart,
    )


IMITATION = Imitation(
    name="comfyui", settings=ComfyUISettings, vendor=_vendor, exports={"ComfyUISettings": ComfyUISettings}
)
