"""The Luma Agents API: create a generation, read it. (Files: `files`; downloads: `outputs`.)"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ...answering import answer, as_json
from ...context import LARGE_BODY, RequestContext
from ...jobs import SandboxJob, View
from ...limits import ActiveSlots, SlidingWindow
from ...script import ScriptError
from ...script.directives import read_prompt
from ...vendor import Services
from .bodies import generation
from .checks import check_create, fetched_urls
from .errors import KEY_TEXTS, LumaErrorFormat, detail
from .factory import JobFactory, finished, model_and_kind
from .files import Files
from .outputs import Outputs
from .refusals import Refusal
from .settings import LumaSettings

API_VERSION = "2026-04-01"


class Luma:
    """One account of the vendor's, whichever key is used. (An `Api`.)"""

    def __init__(self, settings: LumaSettings, services: Services) -> None:
        clock = services.clock
        self.settings = settings
        self.files: Files = Files(clock, services.signer, seed=services.seed, lenient=settings.lenient)
        self.outputs: Outputs = Outputs(services.jobs, services.signer)
        self._clock = clock
        self._director = services.director
        self._jobs = services.jobs
        self._factory = JobFactory(settings, clock, seed=services.seed)
        self._window = SlidingWindow(settings.creates_per_window, settings.window_seconds)
        self._slots = ActiveSlots(
            settings.max_active, on_end=settings.release == "end", prune_after=clock.shortened(settings.prune_after)
        )
        ceiling = settings.get_ceiling_per_minute
        self._ceiling = None if ceiling is None else SlidingWindow(ceiling, settings.window_seconds)
        self._error_format = LumaErrorFormat(settings, self._window, clock)

    # --- every request ---

    @property
    def latency(self) -> float:
        return self.settings.latency

    def headers(self, context: RequestContext) -> dict[str, str]:
        return {"X-Request-Id": context.recorded.request_id, "X-API-Version": API_VERSION}

    def error_format(self, context: RequestContext) -> LumaErrorFormat:
        return self._error_format

    def unknown(self, context: RequestContext) -> web.Response:
        return detail(404, "Not Found")  # not documented

    def refusal(self, context: RequestContext) -> web.Response | None:
        """By the key, or by the abuse ceiling."""
        scheme, _, key = context.request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key.strip():  # the word is case-sensitive
            return detail(401, "Missing or invalid API key")
        if self.settings.lenient:
            return None
        kind = self.settings.api_keys.get(key.strip())
        if kind is None:
            return detail(401, "Invalid API key")
        if kind in KEY_TEXTS:
            return detail(*KEY_TEXTS[kind])
        if self._ceiling is not None:
            if not self._ceiling.fits(context.now):
                return self._error_format.too_many_requests(self._ceiling.retry_after(context.now))
            self._ceiling.take(context.now)
        return None

    # --- POST /generations ---

    async def create(self, context: RequestContext) -> web.StreamResponse:
        try:
            body = await self._body(context)
            directives = read_prompt(str(body.get("prompt", "")))
        except Refusal as refusal:
            return detail(refusal.status, refusal.text)
        except ScriptError as error:
            return detail(400, str(error))
        model, kind = model_and_kind(body)
        weight = context.recorded.weight = self.settings.weights.get((model, kind), 1)
        if (refused := self._limited(context.now, weight)) is not None:
            return refused
        fate = self._director.fate("luma", model, str(body.get("prompt", "")), directives)
        if fate.create_fault is None or fate.create_fault.word != "concurrency":
            self._window.take(context.now, weight)  # a refusal for capacity, scripted or not, does not count in it
        fetching = self.settings.reference_latency * fetched_urls(body)

        def accept() -> web.Response:
            now = context.now
            job = self._factory.job(now, body, directives.prompt, fate, weight=weight, fetching=fetching)
            self._jobs.add(job)
            self._slots.take(job.id, now, ends_at=job.ends_at, weight=weight)
            context.recorded.job_id = job.id
            rate = self._error_format.rate_headers(now, self.settings.window_seconds, self._window.remaining(now))
            return as_json(self._generation(job, job.view(now), now), 201, rate)

        # The vendor fetches references before it accepts. Here the job exists at once and starts later by that time, so
        # that it exists also if the client does not wait for the answer.
        response = await answer(context, fate.create_fault, accept, self._error_format)
        await context.pause(fetching + (fate.latency or 0))
        return response

    async def _body(self, context: RequestContext) -> dict[str, Any]:
        body = await context.body()
        if not isinstance(body, dict):
            raise Refusal(400, "Invalid JSON body")  # neither text nor status is documented
        if self.settings.lenient:
            return body
        if context.size > LARGE_BODY:  # every image in it is decoded
            await context.worker.run(check_create, body, self._usable)
        else:
            check_create(body, self._usable)
        return body

    def _usable(self, key: str, value: str) -> bool:
        if key == "file_id":
            return self.files.ready(value)
        job = self._jobs.get("luma", value)
        return job is not None and job.state(self._clock.now()) == "completed"

    def _limited(self, now: float, weight: int) -> web.Response | None:
        # Which of the two limits is checked first, and whether a request that the second refuses counts for the first,
        # is not documented.
        if self.settings.lenient:
            return None
        if not self._window.fits(now, weight):
            retry_after = self._window.retry_after(now)
            return self._error_format.rate_exceeded(now, retry_after, remaining=self._window.remaining(now))
        if not self._slots.fits(now, weight):
            return self._error_format.too_many_jobs(weight)
        return None

    # --- GET /generations/{id} ---

    async def read(self, context: RequestContext) -> web.StreamResponse:
        job_id, now = context.request.match_info["id"], context.now
        job = self._jobs.get("luma", job_id)
        if job is None and self.settings.lenient:
            job = finished(job_id, now)
        if job is None:
            return detail(404, "Generation not found")  # also for an id that is no UUID
        context.recorded.job_id, context.recorded.weight = job.id, job.weight
        view = job.poll(now)
        if job.seen_end_at is not None:
            self._slots.saw_end(job.id)

        def report() -> web.Response:
            if not view.known:
                return detail(404, "Generation not found")
            return as_json(self._generation(job, view, now))

        response = await answer(context, view.fault, report, self._error_format)
        await context.pause(job.fate.latency or 0)
        return response

    def _generation(self, job: SandboxJob, view: View, now: float) -> dict[str, Any]:
        lifetime = self._clock.shortened(job.fate.url_lifetime or self.settings.url_lifetime)
        created = self._clock.wall(job.created_at)
        return generation(job, view, created, lambda index: self.outputs.url(job, index, now=now, lifetime=lifetime))
