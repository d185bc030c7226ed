"""The Leonardo.Ai Production API: creates of v1 and v2, read, list, delete, and the account."""

from __future__ import annotations

import math
import random
import uuid
from typing import Any

from aiohttp import web

from .answering import HTML_PAGE, RequestContext, answer
from .clock import Clock
from .directives import read_prompt
from .director import Director
from .jobs import Jobs, SandboxJob, View
from .leonardo_bodies import DEFAULT_MODEL, account, generation, receipt
from .leonardo_checks import UUID, Refusal, check_account, check_v1, check_v2, kind_of, size_v1, size_v2
from .leonardo_errors import AUTH_HOOK, LeonardoErrorFormat, error_object, reply, usual_error
from .leonardo_uploads import Uploads
from .limits import SlidingWindow, WaitingQueue
from .script import Fate, ScriptError
from .settings import LeonardoSettings
from .storage import Storage

API = "/leonardo/api/rest/"

FIRST_TICK = 0x1F1_8000_0000_0000
"""Where the 60-bit timestamps of v2's ids begin, in units of 100 ns since 1582: some day in 2026."""


class Leonardo:
    """One account of the vendor's, whatever key is used."""

    def __init__(
        self,
        settings: LeonardoSettings,
        clock: Clock,
        director: Director,
        jobs: Jobs,
        storage: Storage,
        uploads: Uploads,
        *,
        seed: int,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._director = director
        self._jobs = jobs
        self._storage = storage
        self._uploads = uploads
        self._seed = seed
        self._accepted = 0
        self._requests = SlidingWindow(settings.requests_per_window, settings.window_seconds)
        # Each create endpoint has a window of its own.
        self._creates = {
            version: SlidingWindow(settings.creates_per_window, settings.window_seconds) for version in (1, 2)
        }
        self._line = WaitingQueue(settings.max_running, settings.max_pending)
        self._error_formats = {version: LeonardoErrorFormat(settings, version) for version in (1, 2)}

    # --- at the door ---

    @property
    def latency(self) -> float:
        return self.settings.latency

    def headers(self, context: RequestContext) -> dict[str, str]:
        """The live API sends X-Request-ID sometimes; here always."""
        return {"X-Content-Type-Options": "nosniff", "X-Request-ID": context.recorded.request_id}

    def error_format(self, context: RequestContext) -> LeonardoErrorFormat:
        return self._error_formats[2 if context.request.path.startswith(f"{API}v2/") else 1]

    def unknown(self, context: RequestContext) -> web.Response:
        if not context.request.path.startswith(API):
            # Without /rest one never reaches the API (reported).
            return web.Response(text=HTML_PAGE, status=403, content_type="text/html")
        return error_object(404, "Endpoint not found", "not-found")  # inferred

    def turned_away(self, context: RequestContext) -> web.Response | None:
        """By key, or by the limit for all requests."""
        if not context.request.path.startswith(API):
            return None  # left to `unknown`
        given = context.request.headers.get("Authorization")
        if given is None:
            return usual_error(401)
        scheme, _, key = given.partition(" ")
        if scheme.lower() != "bearer" or not UUID.fullmatch(key.strip()):
            return error_object(500, AUTH_HOOK, "unexpected")  # the text is documented, the status inferred
        if self.settings.api_keys.get(key.strip()) != "valid":
            return usual_error(401)
        return self._limited(self._requests, context)

    def _limited(self, window: SlidingWindow, context: RequestContext) -> web.Response | None:
        if not window.fits(context.now):
            told = self.settings.retry_after_on_429
            return self.error_format(context).limited("rpm", window.retry_after(context.now) if told else None)
        window.take(context.now)
        return None

    # --- creates ---

    async def create_v1(self, context: RequestContext) -> web.StreamResponse:
        return await self._create(context, version=1)

    async def create_v2(self, context: RequestContext) -> web.StreamResponse:
        return await self._create(context, version=2)

    async def _create(self, context: RequestContext, *, version: int) -> web.StreamResponse:
        error_format = self._error_formats[version]
        raw = await context.body()
        try:
            body = check_v1(raw, uploaded=self._uploads.has) if version == 1 else check_v2(raw)
            prompt = str(body.get("parameters", body).get("prompt") or "")
            directives = read_prompt(prompt)
            check_account(self.settings, prompt, version=version)
        except Refusal as refusal:
            return error_format.say(refusal)
        except ScriptError as error:
            return error_object(400, str(error), "bad-request")
        context.recorded.weight = 1
        if not self._line.fits(context.now):
            return error_format.limited("pending", None)
        if refused := self._limited(self._creates[version], context):
            return refused
        model = str(body.get("model") or body.get("modelId") or DEFAULT_MODEL)
        fate = self._director.fate("leonardo", model, prompt, directives)

        def accept() -> web.Response:
            job = self._accept(context.now, version, body, model, directives.prompt, fate)
            context.recorded.job_id = job.id
            return reply(receipt(self.settings, job, version=version))

        response = await answer(context, fate.create_fault, accept, error_format)
        await context.pause(fate.latency or 0)
        return response

    def _accept(
        self, now: float, version: int, body: dict[str, Any], model: str, prompt: str, fate: Fate
    ) -> SandboxJob:
        serial, self._accepted = self._accepted, self._accepted + 1
        dice = random.Random(f"{self._seed}/leonardo/{serial}")
        job_id = str(uuid.UUID(int=dice.getrandbits(128), version=4)) if version == 1 else _uuid6(serial, dice)
        kind = kind_of(model) if version == 2 else "image"
        started_at, ends_at = self._times(now, kind, fate, dice)
        width, height, images = size_v1(body) if version == 1 else size_v2(body["parameters"])
        job = SandboxJob(
            provider="leonardo",
            id=job_id,
            kind=kind,
            model=model,
            body=body,
            prompt=prompt,
            fate=fate,
            outputs=images if fate.outputs is None else fate.outputs,
            size=(width, height),
            format="mp4" if kind == "video" else "jpeg",
            seed=dice.randrange(9_999_999_998),
            created_at=now,
            started_at=started_at,
            ends_at=ends_at,
        )
        self._jobs.add(job)
        return job

    def _times(self, now: float, kind: str, fate: Fate, dice: random.Random) -> tuple[float, float]:
        """When it will start and end, in loop seconds."""
        median, sigma = self.settings.durations.get(kind, (8.0, 0.4))
        usual = dice.lognormvariate(math.log(median), sigma)
        running = self._clock.shortened(usual if fate.processing is None else fate.processing)
        earliest = now + self._clock.shortened(fate.queued or 0)
        started_at = self._line.enter(now, running, not_before=earliest)
        return started_at, started_at + running

    # --- reading ---

    async def read(self, context: RequestContext) -> web.StreamResponse:
        job_id, now = context.request.match_info["id"], context.now
        if malformed := _malformed(job_id):
            return malformed
        job = self._jobs.get("leonardo", job_id)
        if job is None:
            return self._not_found("generations_by_pk")
        context.recorded.job_id = job.id
        view = job.asked(now)

        def tell() -> web.Response:
            if not view.known or now < job.created_at + self.settings.status_lag:
                return self._not_found("generations_by_pk")
            return reply({"generations_by_pk": self._generation(job, view)})

        response = await answer(context, view.fault, tell, self._error_formats[1])
        await context.pause(job.fate.latency or 0)
        return response

    async def list(self, context: RequestContext) -> web.StreamResponse:
        """Newest first (reported). Somebody else's list is empty; what the vendor does is not known."""
        query = context.request.query
        try:
            offset, limit = max(0, int(query.get("offset", 0))), max(0, int(query.get("limit", 10)))
        except ValueError:
            return error_object(400, "expected an integer", "validation-failed")
        if context.request.match_info["user"] != self.settings.user_id:
            return reply({"generations": []})
        then = context.now - self.settings.list_lag
        page = self._jobs.page("leonardo", before=then, offset=offset, limit=min(limit, self.settings.list_max))
        return reply({"generations": [self._generation(job, job.view(then)) for job in page]})

    async def delete(self, context: RequestContext) -> web.StreamResponse:
        """Whether deleting stops or refunds a running job is not known; here its place stays taken."""
        job_id = context.request.match_info["id"]
        if malformed := _malformed(job_id):
            return malformed
        job = self._jobs.get("leonardo", job_id)
        if job is None:
            return self._not_found("delete_generations_by_pk")
        context.recorded.job_id = job.id

        def remove() -> web.Response:
            self._jobs.delete(job, context.now)
            return reply({"delete_generations_by_pk": {"id": job.id}})

        response = await answer(context, job.delete_fault(), remove, self._error_formats[1])
        await context.pause(job.fate.latency or 0)
        return response

    async def me(self, context: RequestContext) -> web.StreamResponse:
        return reply(account(self.settings))

    def _generation(self, job: SandboxJob, view: View) -> dict[str, Any]:
        created = self._clock.wall(job.created_at)
        return generation(job, view, created, lambda index, suffix: self._storage.public(job, index, suffix))

    def _not_found(self, root: str) -> web.Response:
        match self.settings.not_found:
            case "404":
                return usual_error(404)
            case "empty":
                return reply([])
        return reply({root: None})


def _malformed(job_id: str) -> web.Response | None:
    """Inferred from what the API is built on; not recorded."""
    if UUID.fullmatch(job_id):
        return None
    return error_object(400, f'invalid input syntax for type uuid: "{job_id}"', "data-exception")


def _uuid6(serial: int, dice: random.Random) -> str:
    """Like v2's ids: version 6, in order of creation. Counted, not timed, so that a seed repeats them."""
    ticks = FIRST_TICK + serial * 10_000
    high, low = ticks >> 12, ticks & 0xFFF
    return str(uuid.UUID(int=high << 80 | 0x6 << 76 | low << 64 | 0b10 << 62 | dice.getrandbits(62)))
