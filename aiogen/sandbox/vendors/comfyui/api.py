"""The native API of a ComfyUI server: prompts, queue, history. (Jobs of newer servers: `jobs_api`; files: `files`.)"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ...answering import answer
from ...clock import Clock
from ...context import LARGE_BODY, RequestContext
from ...script import ScriptError
from ...script.directives import read_prompt
from ...vendor import Services
from .bodies import history_entry, milliseconds, queue_item, system_stats
from .checks import NO_PROMPT, Crash, Refusal, check_graph, check_id, problem
from .errors import ComfyUIErrorFormat, empty, no_route, plain, refused, reply
from .factory import EntryFactory
from .files import Files
from .graph import order, request
from .nodes import FOLDERS, NODES
from .queue import Entry, Queue
from .settings import ComfyUISettings


class ComfyUI:
    """One server with one worker. (An `Api`.)"""

    def __init__(self, settings: ComfyUISettings, services: Services) -> None:
        self.settings = settings
        self.clock: Clock = services.clock
        self.files: Files = Files(services.clock)
        self.queue: Queue = Queue(self.files.save, memory=settings.cache, max_history=settings.max_history)
        self._director = services.director
        self._jobs = services.jobs
        self._factory = EntryFactory(settings, services.clock, self.files.is_picture, seed=services.seed)
        self._error_format = ComfyUIErrorFormat()
        self._number = 0

    def restart(self) -> None:
        """The server is restarted: queue and history are lost, files are not."""
        self.queue.restart(self.clock.now())
        self._number = 0

    # --- every request ---

    @property
    def latency(self) -> float:
        return self.settings.latency

    def headers(self, context: RequestContext) -> dict[str, str]:
        return {}

    def error_format(self, context: RequestContext) -> ComfyUIErrorFormat:
        return self._error_format

    def unknown(self, context: RequestContext) -> web.Response:
        return no_route(context.request.method)

    def refusal(self, context: RequestContext) -> web.Response | None:
        """From a page of another site in a browser: no other client sends Origin."""
        origin = context.request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != context.request.headers.get("Host", "").lower():
            return empty(403)
        return None

    # --- POST /prompt ---

    async def create(self, context: RequestContext) -> web.StreamResponse:
        body = await context.body()
        if not isinstance(body, dict | list):
            return plain(500)
        sent: dict[str, Any] = body if isinstance(body, dict) else {}
        try:
            number = self._take_number(sent)
            if "prompt" not in sent:
                raise Refusal(NO_PROMPT)
            is_new = self.settings.has_jobs_api
            job_id = check_id(sent["prompt_id"], is_new=is_new) if "prompt_id" in sent else None
            check = context.worker.run if context.size > LARGE_BODY else _at_once
            checked = await check(check_graph, sent["prompt"], self.choices, self.files.has, is_new=is_new)
            extra_data = _extra_data(sent)
            asked = request(checked.graph, order(checked.graph, checked.outputs))
            directives = read_prompt(asked.prompt)
        except Refusal as refusal:
            return refused(refusal.body)
        except ScriptError as error:
            return refused(Refusal(problem("invalid_prompt", str(error))).body)
        except Crash:
            return plain(500)
        fate = self._director.fate("comfyui", asked.model, asked.prompt, directives)

        def accept() -> web.Response:
            now = context.now
            if is_new:
                extra_data["create_time"] = milliseconds(self.clock.wall(now))
            entry = self._factory.entry(now, job_id, number, checked, extra_data, asked, directives.prompt, fate)
            self._jobs.add(entry.job)
            self.queue.put(entry, now)
            context.recorded.job_id = entry.job.id
            return reply({"prompt_id": entry.job.id, "number": number, "node_errors": checked.node_errors})

        response = await answer(context, fate.create_fault, accept, self._error_format)
        await context.pause(fate.latency or 0)
        return response

    def _take_number(self, sent: dict[str, Any]) -> float:
        """The number of the place in the queue; refused prompts take one as well. Raises Crash."""
        if "number" in sent:
            try:
                return float(sent["number"])
            except (TypeError, ValueError):
                raise Crash from None
        number, self._number = self._number, self._number + 1
        return -number if sent.get("front") else number

    def choices(self, folder: str) -> list[str]:
        """The files of a folder."""
        if folder == "input":
            return self.files.names()
        return list(self.settings.checkpoints) if folder in ("checkpoints", "diffusion_models") else []

    # --- looking ---

    async def remaining(self, context: RequestContext) -> web.StreamResponse:
        running, pending = self.queue.running(context.now), self.queue.pending(context.now)
        return reply({"exec_info": {"queue_remaining": len(pending) + (running is not None)}})

    async def list_queue(self, context: RequestContext) -> web.StreamResponse:
        running = self.queue.running(context.now)
        pending = self.queue.pending_as_kept(context.now)
        return reply({
            "queue_running": [queue_item(running)] if running else [],
            "queue_pending": [queue_item(entry) for entry in pending],
        })  # fmt: skip

    async def list_history(self, context: RequestContext) -> web.StreamResponse:
        """The oldest first; without an offset the last `max_items`."""
        self.queue.settle(context.now)
        query, entries = context.request.query, [*self.queue.history.values()]
        try:
            most = int(query["max_items"]) if "max_items" in query else len(entries)
            offset = int(query["offset"]) if "offset" in query else -1
        except ValueError:
            return plain(500)
        if offset < 0:
            offset = max(0, len(entries) - most)
        page = entries[offset : offset + max(0, most)]
        return reply({entry.job.id: self._history_entry(entry) for entry in page})

    async def read_history(self, context: RequestContext) -> web.StreamResponse:
        """{} unless it has ended: also for one that waits or runs, and for an id that was never seen."""
        job_id = context.request.match_info["id"]
        entry = self.queue.find(job_id, context.now)
        if entry is None:
            return reply({})
        job = entry.job
        context.recorded.job_id = job.id
        view = job.poll(context.now)

        def report() -> web.Response:
            if not view.known or not job.has_ended(context.now):
                return reply({})
            state = view.state if view.state not in ("completed", "failed") else None
            return reply({job.id: self._history_entry(entry, state=state, output=view.output)})

        response = await answer(context, view.fault, report, self._error_format)
        await context.pause(job.fate.latency or 0)
        return response

    def _history_entry(self, entry: Entry, *, state: str | None = None, output: str | None = None) -> dict[str, Any]:
        job = entry.job
        started, ended = self.clock.wall(job.started_at), self.clock.wall(job.ends_at)
        return history_entry(entry, started, ended, state=state, output=output or job.view(self.clock.now()).output)

    # --- stopping and forgetting ---

    async def change_queue(self, context: RequestContext) -> web.StreamResponse:
        body = await _object(context)
        if body is None:
            return plain(500)
        if body.get("clear"):
            self.queue.clear(context.now)
        return await self._one_after_the_other(
            context, body.get("delete", []), lambda job_id: self.queue.remove(job_id, context.now)
        )

    async def change_history(self, context: RequestContext) -> web.StreamResponse:
        body = await _object(context)
        if body is None:
            return plain(500)
        self.queue.settle(context.now)
        if body.get("clear"):
            self.queue.history.clear()
        return await self._one_after_the_other(
            context, body.get("delete", []), lambda job_id: self.queue.history.pop(job_id, None)
        )

    async def _one_after_the_other(
        self, context: RequestContext, ids: list[str], change: Callable[[str], object]
    ) -> web.StreamResponse:
        """What is deleted in one request shares the first fault that one of them has."""
        entries = [entry for job_id in ids if (entry := self.queue.find(job_id, context.now)) is not None]
        faults = [fault for entry in entries if (fault := entry.job.delete_fault()) is not None]
        if entries:
            context.recorded.job_id = entries[0].job.id

        def carry_out() -> web.Response:
            for job_id in ids:
                change(job_id)
            return empty()

        return await answer(context, faults[0] if faults else None, carry_out, self._error_format)

    async def interrupt(self, context: RequestContext) -> web.StreamResponse:
        """The prompt of this id if it runs; without an id, the one that runs."""
        body = await context.body()
        job_id = body.get("prompt_id") if isinstance(body, dict) else None
        running = self.queue.running(context.now)
        fault = running.job.delete_fault() if running is not None and job_id in (None, "", running.job.id) else None

        def carry_out() -> web.Response:
            self.queue.interrupt(context.now, job_id or None)
            return empty()

        return await answer(context, fault, carry_out, self._error_format)

    # --- what is installed ---

    async def object_info(self, context: RequestContext) -> web.StreamResponse:
        """Of one class, or of all; {} for one that is not there."""
        name = context.request.match_info.get("name")
        names = NODES if name is None else [name] if name in NODES else []
        return reply({one: NODES[one].info(one, self.choices) for one in names})

    async def list_models(self, context: RequestContext) -> web.StreamResponse:
        """The files of one folder, or all folders."""
        folder = context.request.match_info.get("folder")
        if folder is None:
            return reply(FOLDERS)
        return reply(self.choices(folder)) if folder in FOLDERS else empty(404)

    async def system_stats(self, context: RequestContext) -> web.StreamResponse:
        return reply(system_stats(self.settings.version))


async def _at_once(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


async def _object(context: RequestContext) -> dict[str, Any] | None:
    body = await context.body()
    return body if isinstance(body, dict) else None


def _extra_data(sent: dict[str, Any]) -> dict[str, Any]:
    """With what the server adds. Raises Crash. (It takes null, and then its worker is lost; here that is a 500.)"""
    extra_data = sent.get("extra_data", {})
    if not isinstance(extra_data, dict):
        raise Crash
    extra_data = json.loads(json.dumps(extra_data))
    if "client_id" in sent:
        extra_data["client_id"] = sent["client_id"]
    return dict(extra_data)
