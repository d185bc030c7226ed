"""The Leonardo.Ai Production API: creates of v1 and v2, read, list, delete, and the account.

(Uploads: `uploads`; downloads: `outputs`.)
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ...answering import HTML_PAGE, answer
from ...context import RequestContext
from ...jobs import SandboxJob, View
from ...limits import SlidingWindow, WaitingQueue
from ...script import ScriptError
from ...script.directives import read_prompt
from ...vendor import Services
from .bodies import DEFAULT_MODEL, account, generation, receipt
from .checks import UUID, Refusal, check_account, check_v1, check_v2, price
from .errors import AUTH_HOOK, LeonardoErrorFormat, error_object, reply, usual_error
from .factory import JobFactory
from .models import catalogue, older
from .outputs import Outputs
from .settings import LeonardoSettings
from .uploads import Uploads
from .webhooks import Webhooks

API = "/leonardo/api/rest/"


class Leonardo:
    """One account of the vendor's, whichever key is used. (An `Api`.)"""

    def __init__(self, settings: LeonardoSettings, services: Services) -> None:
        clock, seed = services.clock, services.seed
        self.settings = settings
        self.uploads: Uploads = Uploads(services.url, clock, services.signer, user_id=settings.user_id, seed=seed)
        self.outputs: Outputs = Outputs(services.url, services.jobs, user_id=settings.user_id)
        self._clock = clock
        self._director = services.director
        self._jobs = services.jobs
        self._requests = SlidingWindow(settings.requests_per_window, settings.window_seconds)
        # Each create endpoint has a window of its own.
        self._creates = {
            version: SlidingWindow(settings.creates_per_window, settings.window_seconds) for version in (1, 2)
        }
        self._queue = WaitingQueue(settings.max_running, settings.max_pending)
        self._webhooks = Webhooks(
            settings, clock, services.webhooks, lambda job: self._generation(job, job.view(clock.now()))
        )
        self._factory = JobFactory(settings, clock, self._queue, seed=seed)
        self._error_formats = {version: LeonardoErrorFormat(settings, version) for version in (1, 2)}

    # --- every request ---

    @property
    def latency(self) -> float:
        return self.settings.latency

    def headers(self, context: RequestContext) -> dict[str, str]:
        """The live API sends X-Request-ID sometimes; here it is always sent."""
        return {"X-Content-Type-Options": "nosniff", "X-Request-ID": context.recorded.request_id}

    def error_format(self, context: RequestContext) -> LeonardoErrorFormat:
        return self._error_formats[2 if context.request.path.startswith(f"{API}v2/") else 1]

    def unknown(self, context: RequestContext) -> web.Response:
        if not context.request.path.startswith(API):
            # A path without /rest does not reach the API (reported).
            return web.Response(text=HTML_PAGE, status=403, content_type="text/html")
        return error_object(404, "Endpoint not found", "not-found")  # inferred

    def refusal(self, context: RequestContext) -> web.Response | None:
        """By the key, or by the limit for all requests."""
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
            retry_after = window.retry_after(context.now) if self.settings.retry_after_on_429 else None
            return self.error_format(context).limited("rpm", retry_after)
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
            body = check_v1(raw, uploaded=self.uploads.has) if version == 1 else self._check_v2(raw)
            prompt = str(body.get("parameters", body).get("prompt") or "")
            directives = read_prompt(prompt)
            check_account(self.settings, prompt, version=version)
        except Refusal as refusal:
            return error_format.refused(refusal)
        except ScriptError as error:
            return error_object(400, str(error), "bad-request")
        context.recorded.weight = 1
        if not self._queue.fits(context.now):
            return error_format.limited("pending", None)
        if (limited := self._limited(self._creates[version], context)) is not None:
            return limited
        model = str(body.get("model") or body.get("modelId") or DEFAULT_MODEL)
        fate = self._director.fate("leonardo", model, prompt, directives)

        def accept() -> web.Response:
            job = self._factory.job(context.now, version, body, model, directives.prompt, fate)
            self._jobs.add(job)
            self._webhooks.accepted(job)
            context.recorded.job_id = job.id
            return reply(receipt(self.settings, job, version=version))

        response = await answer(context, fate.create_fault, accept, error_format)
        await context.pause(fate.latency or 0)
        return response

    def _check_v2(self, raw: object) -> dict[str, Any]:
        return check_v2(raw, also=self.settings.extra_models)

    # --- models and prices ---

    async def models(self, context: RequestContext) -> web.StreamResponse:
        return reply(catalogue())

    async def older_models(self, context: RequestContext) -> web.StreamResponse:
        return reply(older())

    async def price(self, context: RequestContext) -> web.StreamResponse:
        try:
            cost = price(await context.body())
        except Refusal as refusal:
            return self._error_formats[1].refused(refusal)
        return reply({"calculateProductionApiServiceCost": {"cost": cost}})

    # --- reading and deleting ---

    async def read(self, context: RequestContext) -> web.StreamResponse:
        job_id, now = context.request.match_info["id"], context.now
        if (malformed := _malformed(job_id)) is not None:
            return malformed
        job = self._jobs.get("leonardo", job_id)
        if job is None:
            return self._not_found("generations_by_pk")
        context.recorded.job_id = job.id
        view = job.poll(now)

        def report() -> web.Response:
            if not view.known or now < job.created_at + self.settings.status_lag:
                return self._not_found("generations_by_pk")
            return reply({"generations_by_pk": self._generation(job, view)})

        response = await answer(context, view.fault, report, self._error_formats[1])
        await context.pause(job.fate.latency or 0)
        return response

    async def list(self, context: RequestContext) -> web.StreamResponse:
        """Newest first (reported). Another user's list is empty; how the vendor answers is not known."""
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
        if (malformed := _malformed(job_id)) is not None:
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
        return generation(job, view, created, lambda index, suffix: self.outputs.url(job, index, suffix))

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
