"""/api/jobs, which servers of 2026 have; read in their source. An older one has no such routes."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ...answering import answer
from ...context import RequestContext
from .api import ComfyUI
from .bodies import JOB_STATUSES, execution_status, job_of_history, job_of_queue, outputs, workflow
from .errors import failed, no_route, reply
from .queue import Entry

SORTED_BY = ("created_at", "execution_duration")


async def list_jobs(api: ComfyUI, context: RequestContext) -> web.StreamResponse:
    if not api.settings.has_jobs_api:
        return no_route(context.request.method)
    query = context.request.query
    wanted = [word.strip().lower() for word in query.get("status", "").split(",") if word.strip()]
    if unknown := [word for word in wanted if word not in JOB_STATUSES]:
        valid = ", ".join(JOB_STATUSES)
        return failed(f"Invalid status value(s): {', '.join(unknown)}. Valid values: {valid}", 400)
    sort_by, sort_order = query.get("sort_by", SORTED_BY[0]).lower(), query.get("sort_order", "desc").lower()
    if sort_by not in SORTED_BY:
        return failed("sort_by must be 'created_at' or 'execution_duration'", 400)
    if sort_order not in ("asc", "desc"):
        return failed("sort_order must be 'asc' or 'desc'", 400)
    try:
        limit = int(query["limit"]) if "limit" in query else None
        offset = max(0, int(query.get("offset", "0")))
    except ValueError:
        return failed(f"{'limit' if not _is_number(query.get('limit', '1')) else 'offset'} must be an integer", 400)
    if limit is not None and limit <= 0:
        return failed("limit must be a positive integer", 400)
    jobs = [job for job in _all(api, context.now) if not wanted or job["status"] in wanted]
    jobs.sort(key=_duration if sort_by == SORTED_BY[1] else _created, reverse=sort_order == "desc")
    page = jobs[offset:] if limit is None else jobs[offset : offset + limit]
    pagination = {"offset": offset, "limit": limit, "total": len(jobs), "has_more": offset + len(page) < len(jobs)}
    return reply({"jobs": page, "pagination": pagination})


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _created(job: dict[str, Any]) -> Any:
    return job["create_time"]


def _duration(job: dict[str, Any]) -> Any:
    return job.get("execution_end_time", 0) - job.get("execution_start_time", 0)


def _all(api: ComfyUI, now: float) -> list[dict[str, Any]]:
    running = api.queue.running(now)
    return [
        *([job_of_queue(running, "in_progress")] if running else []),
        *(job_of_queue(entry, "pending") for entry in api.queue.pending_as_kept(now)),
        *(_ended(api, entry, entry.job.view(now).output) for entry in api.queue.history.values()),
    ]


def _ended(api: ComfyUI, entry: Entry, output: str) -> dict[str, Any]:
    job = entry.job
    return job_of_history(entry, api.clock.wall(job.started_at), api.clock.wall(job.ends_at), output)


async def read_job(api: ComfyUI, context: RequestContext) -> web.StreamResponse:
    if not api.settings.has_jobs_api:
        return no_route(context.request.method)
    now = context.now
    entry = api.queue.find(context.request.match_info["id"], now)
    if entry is None:
        return failed("Job not found", 404)
    context.recorded.job_id = entry.job.id
    view = entry.job.poll(now)

    def report() -> web.Response:
        if not view.known:
            return failed("Job not found", 404)
        shown = _job(api, entry, view.output, now)
        if view.state not in ("queued", "processing", "completed", "failed"):
            shown["status"] = view.state
        return reply(shown)

    response = await answer(context, view.fault, report, api.error_format(context))
    await context.pause(entry.job.fate.latency or 0)
    return response


def _job(api: ComfyUI, entry: Entry, output: str, now: float) -> dict[str, Any]:
    if not entry.job.has_ended(now):
        is_running = entry is api.queue.running(now)
        return {**job_of_queue(entry, "in_progress" if is_running else "pending"), "workflow": workflow(entry)}
    started, ended = api.clock.wall(entry.job.started_at), api.clock.wall(entry.job.ends_at)
    shown = _ended(api, entry, output)
    if output != "absent":
        shown["outputs"] = outputs(entry, output)
    shown["execution_status"] = execution_status(entry, started, ended)
    return {**shown, "workflow": workflow(entry)}


async def cancel_job(api: ComfyUI, context: RequestContext) -> web.StreamResponse:
    if not api.settings.has_jobs_api:
        return no_route(context.request.method)
    return await _cancel(api, context, [context.request.match_info["id"]])


async def cancel_jobs(api: ComfyUI, context: RequestContext) -> web.StreamResponse:
    if not api.settings.has_jobs_api:
        return no_route(context.request.method)
    body = await context.body()
    if body is None:
        return failed("Request body must be valid JSON", 400)
    ids = body.get("job_ids") if isinstance(body, dict) else None
    if not isinstance(ids, list):
        return failed("job_ids must be a list", 400)
    if wrong := [one if isinstance(one, str) else repr(one) for one in ids if not _is_id(one)]:
        return reply({"error": "job_ids contains invalid id(s)", "invalid_ids": wrong}, 400)
    return await _cancel(api, context, ids)


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


async def _cancel(api: ComfyUI, context: RequestContext, ids: list[str]) -> web.StreamResponse:
    """What has ended, or was never there, is no error."""
    now = context.now
    entries = [entry for job_id in ids if (entry := api.queue.find(job_id, now)) is not None]
    faults = [fault for entry in entries if (fault := entry.job.delete_fault()) is not None]
    if entries:
        context.recorded.job_id = entries[0].job.id

    def carry_out() -> web.Response:
        # First what waits: the server needs a moment to stop the one that runs, and only then starts the next.
        removed = [api.queue.remove(job_id, now) for job_id in ids]
        stopped = [api.queue.interrupt(now, job_id) for job_id in ids]
        return reply({"cancelled": any(removed) or any(stopped)})

    return await answer(context, faults[0] if faults else None, carry_out, api.error_format(context))
