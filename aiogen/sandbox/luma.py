"""The Luma Agents API: create a generation, read it. (Files: `luma_files`.)"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from aiohttp import web

from .answering import LARGE_BODY, RequestContext, answer, as_json
from .clock import Clock
from .directives import read_prompt
from .director import Director
from .jobs import Jobs, SandboxJob, View
from .limits import ActiveSlots, SlidingWindow
from .luma_checks import Refusal, check_create, fetched_urls
from .luma_errors import KEY_TEXTS, LumaErrorFormat, detail
from .luma_files import Files
from .script import USUAL, Fate, ScriptError
from .settings import LumaSettings
from .storage import Storage

API_VERSION = "2026-04-01"
WEB_SEARCH_SECONDS = 3.0
"""Documented as "a few seconds"."""
LONGEST_SIDE = 2048
"""Pixels; the price list speaks of 2K."""


class Luma:
    """One account of the vendor's, whatever key is used."""

    def __init__(
        self,
        settings: LumaSettings,
        clock: Clock,
        director: Director,
        jobs: Jobs,
        storage: Storage,
        files: Files,
        *,
        seed: int,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._director = director
        self._jobs = jobs
        self._storage = storage
        self._files = files
        self._seed = seed
        self._accepted = 0
        self._window = SlidingWindow(settings.creates_per_window, settings.window_seconds)
        self._slots = ActiveSlots(
            settings.max_active, on_end=settings.release == "end", prune_after=clock.shortened(settings.prune_after)
        )
        ceiling = settings.get_ceiling_per_minute
        self._ceiling = None if ceiling is None else SlidingWindow(ceiling, settings.window_seconds)
        self._error_format = LumaErrorFormat(settings, self._window, clock)

    # --- at the door ---

    @property
    def latency(self) -> float:
        return self.settings.latency

    def headers(self, context: RequestContext) -> dict[str, str]:
        return {"X-Request-Id": context.recorded.request_id, "X-API-Version": API_VERSION}

    def error_format(self, context: RequestContext) -> LumaErrorFormat:
        return self._error_format

    def unknown(self, context: RequestContext) -> web.Response:
        return detail(404, "Not Found")  # not documented

    def turned_away(self, context: RequestContext) -> web.Response | None:
        """By key, or by the abuse ceiling."""
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
        model, kind = str(body.get("model", "uni-1")), str(body.get("type", "image"))
        weight = context.recorded.weight = self.settings.weights.get((model, kind), 1)
        if refused := self._limited(context.now, weight):
            return refused
        fate = self._director.fate("luma", model, str(body.get("prompt", "")), directives)
        if fate.create_fault is None or fate.create_fault.word != "concurrency":
            self._window.take(context.now, weight)  # scripted or not, a refusal for capacity takes no place in it
        fetching = self.settings.reference_latency * fetched_urls(body)

        def accept() -> web.Response:
            now = context.now
            job = self._accept(now, fetching, body, directives.prompt, fate, weight)
            context.recorded.job_id = job.id
            rate = self._error_format.rate_headers(now, self.settings.window_seconds, self._window.remaining(now))
            return as_json(self._generation(job, job.view(now), now), 201, rate)

        # The vendor fetches references before it accepts. Here the job is there at once and begins that much later,
        # so that it exists also if the client does not wait for the answer.
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
            return self._files.ready(value)
        job = self._jobs.get("luma", value)
        return job is not None and job.state(self._clock.now()) == "completed"

    def _limited(self, now: float, weight: int) -> web.Response | None:
        # Which of the two is looked at first, and whether a request refused for the second counts for the first, is
        # not documented.
        if self.settings.lenient:
            return None
        if not self._window.fits(now, weight):
            retry_after = self._window.retry_after(now)
            return self._error_format.rate_exceeded(now, retry_after, remaining=self._window.remaining(now))
        if not self._slots.fits(now, weight):
            return self._error_format.too_many_jobs(weight)
        return None

    def _accept(
        self, now: float, delay: float, body: dict[str, Any], prompt: str, fate: Fate, weight: int
    ) -> SandboxJob:
        dice = random.Random(f"{self._seed}/luma/{self._accepted}")
        self._accepted += 1
        model, kind = str(body.get("model", "uni-1")), str(body.get("type", "image"))
        job_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        usual_outputs = dice.randint(2, 4) if kind == "layering" else 1
        queued, processing = self._seconds(dice, model, web_search=bool(body.get("web_search")), fate=fate)
        started_at = now + delay + self._clock.shortened(queued)
        job = SandboxJob(
            provider="luma",
            id=job_id,
            kind=kind,
            model=model,
            body=body,
            prompt=prompt,
            fate=fate,
            outputs=usual_outputs if fate.outputs is None else fate.outputs,
            size=_size(body.get("aspect_ratio")),
            format=_format(body, kind),
            seed=dice.getrandbits(32),
            weight=weight,
            created_at=now,
            started_at=started_at,
            ends_at=started_at + self._clock.shortened(processing),
        )
        self._jobs.add(job)
        self._slots.take(job.id, now, ends_at=job.ends_at, weight=weight)
        return job

    def _seconds(self, dice: random.Random, model: str, *, web_search: bool, fate: Fate) -> tuple[float, float]:
        """Of the vendor's time: queued, and processing."""
        median, sigma = self.settings.durations.get(model, (30.0, 0.33))
        whole = dice.lognormvariate(math.log(median), sigma) + WEB_SEARCH_SECONDS * web_search
        queued = whole * self.settings.queued_share
        return (
            queued if fate.queued is None else fate.queued,
            whole - queued if fate.processing is None else fate.processing,
        )

    # --- GET /generations/{id} ---

    async def read(self, context: RequestContext) -> web.StreamResponse:
        job_id, now = context.request.match_info["id"], context.now
        job = self._jobs.get("luma", job_id)
        if job is None and self.settings.lenient:
            job = self._finished(job_id, now)
        if job is None:
            return detail(404, "Generation not found")  # the same for what is not even a UUID
        context.recorded.job_id, context.recorded.weight = job.id, job.weight
        view = job.asked(now)
        if job.seen_end_at is not None:
            self._slots.saw_end(job.id)

        def tell() -> web.Response:
            if not view.known:
                return detail(404, "Generation not found")
            return as_json(self._generation(job, view, now))

        response = await answer(context, view.fault, tell, self._error_format)
        await context.pause(job.fate.latency or 0)
        return response

    def _finished(self, job_id: str, now: float) -> SandboxJob:
        """For the lenient mode: whatever one asks for has been made."""
        return SandboxJob(
            provider="luma",
            id=job_id,
            kind="image",
            model="uni-1",
            body={},
            prompt="",
            fate=USUAL,
            outputs=1,
            size=_size(None),
            format="png",
            seed=0,
            created_at=now,
            started_at=now,
            ends_at=now,
        )

    def _generation(self, job: SandboxJob, view: View, now: float) -> dict[str, Any]:
        code, reason = job.failure if view.state == "failed" else (None, None)
        generation: dict[str, Any] = {
            "id": job.id,
            "type": job.kind,
            "state": view.state,
            "model": job.model,
            "created_at": self._clock.wall(job.created_at).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "output": [],
            "failure_reason": reason,
            "failure_code": code,
        }
        if view.output == "full":
            generation["output"] = [self._output(job, index, now) for index in range(job.outputs)]
        elif view.output == "absent":
            del generation["output"]
        return generation

    def _output(self, job: SandboxJob, index: int, now: float) -> dict[str, Any]:
        lifetime = self._clock.shortened(job.fate.url_lifetime or self.settings.url_lifetime)
        output: dict[str, Any] = {
            "type": "video" if job.format == "mp4" else "image",
            "url": self._storage.presigned(job, index, now=now, lifetime=lifetime),
        }
        if job.kind == "layering":
            last = index == job.outputs - 1  # front to back
            output["layer"] = {
                "index": index,
                "label": "background" if last else f"layer {index + 1}",
                "description": "what lies behind" if last else "something in front",
                "alpha_hint": "none" if last else "hard",
            }
        return output


def _format(body: Mapping[str, Any], kind: str) -> Literal["png", "jpeg", "mp4"]:
    if kind.startswith("video"):
        return "mp4"
    # What the model chooses when nobody says is not documented; the samples are PNG, and layers need transparency.
    return "jpeg" if body.get("output_format") == "jpeg" and kind != "layering" else "png"


def _size(aspect_ratio: object) -> tuple[int, int]:
    """A square if the model decides (not documented)."""
    try:
        width, height = (int(side) for side in str(aspect_ratio or "1:1").split(":"))
    except ValueError:  # lenient
        return LONGEST_SIDE, LONGEST_SIDE
    scale = LONGEST_SIDE / max(width, height, 1)
    return round(width * scale), round(height * scale)
