"""What the sandbox remembers between two resets, and how each request gets its answer."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from aiohttp import web

from .answering import answer
from .clock import Clock
from .context import RecordedRequest, RequestContext
from .jobs import Jobs
from .script.director import Director
from .storage.s3 import Storage
from .storage.signing import Signer
from .vendor import AnyVendor, Api, Route, Services
from .webhooks import WebhookSender
from .worker import Worker

STORAGE = "storage"


class World:
    """Jobs, requests, and the APIs with their limits and files."""

    def __init__(
        self,
        vendors: Sequence[AnyVendor],
        *,
        url: str,
        seed: int,
        clock: Clock,
        director: Director,
        worker: Worker,
        webhooks: WebhookSender,
        closing: asyncio.Future[None],
        max_requests: int,
    ) -> None:
        self.jobs: Jobs = Jobs()
        self.requests: list[RecordedRequest] = []
        self._max_requests = max_requests
        self._clock = clock
        self._director = director
        self._worker = worker
        self._closing = closing
        self._ids = random.Random(f"{seed}/requests")
        signer = Signer(url, clock, f"{seed}/signature".encode())
        services = Services(
            url=url, seed=seed, clock=clock, director=director, jobs=self.jobs, signer=signer, webhooks=webhooks
        )
        self._apis: dict[str, Api] = {STORAGE: Storage()}
        self._apis |= {vendor.name: vendor.api(services) for vendor in vendors}

    def api(self, name: str) -> Api:
        """Of the vendor of this name."""
        return self._apis[name]

    async def receive(self, owner: str, route: Route[Any], request: web.Request) -> web.StreamResponse:
        """One request, from the record of its arrival to the answer. `owner` is the API whose handler the route has."""
        context = self._context(route, request)
        api = self._apis[route.provider]
        try:
            response = await self._through_storm(route, self._apis[owner], api, context)
        except web.HTTPRequestEntityTooLarge:
            response = api.error_format(context).refuse(413, {})
        if not response.prepared:
            response.headers.update(api.headers(context))
        await context.pause(api.latency)
        context.recorded.status = None if context.is_cut else response.status
        return response

    def _context(self, route: Route[Any], request: web.Request) -> RequestContext:
        request_id = request.headers.get("X-Request-Id")
        recorded = RecordedRequest(
            at=self._clock.now(),
            provider=route.provider,
            action=route.action,
            method=request.method,
            path=request.path,
            request_id=request_id or str(uuid.UUID(int=self._ids.getrandbits(128), version=4)),
        )
        self.requests.append(recorded)
        if len(self.requests) > self._max_requests * 1.1:  # not one by one: that would move all of them each time
            del self.requests[: len(self.requests) - self._max_requests]
        return RequestContext(
            request=request, recorded=recorded, clock=self._clock, closing=self._closing, worker=self._worker
        )

    async def _through_storm(
        self, route: Route[Any], owner: Api, api: Api, context: RequestContext
    ) -> web.StreamResponse:
        storm = self._director.storm(self._clock.since_start(), route.provider, context.request.method, route.action)
        if storm is not None and not storm.carried_out:
            return await answer(context, storm, web.Response, api.error_format(context))
        response: web.StreamResponse | None = api.refusal(context)
        if response is None:
            response = await route.handler(owner, context)
        if storm is not None and isinstance(response, web.Response):
            good = response
            return await answer(context, storm, lambda: good, api.error_format(context))
        return response


def routes(vendors: Sequence[AnyVendor]) -> Iterator[tuple[str, Route[Any]]]:
    """All routes, each with the API whose handler it has; of several that fit a request the first is meant."""
    for vendor in vendors:
        for route in vendor.routes:
            yield vendor.name, route
    for name in (*(vendor.name for vendor in vendors), STORAGE):
        yield name, Route("*", f"/{name}/{{rest:.*}}", "unknown", _unknown)


async def _unknown(api: Api, context: RequestContext) -> web.StreamResponse:
    return api.unknown(context)
