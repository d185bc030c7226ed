"""Everything the sandbox knows, behind one door per provider."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import attrs
from aiohttp import web

from .answering import ErrorFormat, RecordedRequest, RequestContext, answer
from .clock import Clock
from .director import Director
from .jobs import Jobs
from .leonardo import Leonardo
from .leonardo_uploads import Uploads
from .luma import Luma
from .luma_files import Files
from .settings import LeonardoSettings, LumaSettings
from .storage import Signer, Storage
from .worker import Worker


class Vendor(Protocol):
    """Who answers behind a door."""

    @property
    def latency(self) -> float:
        """Seconds before each answer leaves."""
        ...

    def headers(self, context: RequestContext) -> Mapping[str, str]:
        """What every answer carries."""
        ...

    def turned_away(self, context: RequestContext) -> web.Response | None:
        """An answer for who may not come in."""
        ...

    def error_format(self, context: RequestContext) -> ErrorFormat:
        """How errors are worded here."""
        ...

    def unknown(self, context: RequestContext) -> web.Response:
        """The answer to a request that no route takes."""
        ...


class World:
    """What the sandbox remembers, and forgets on a reset."""

    def __init__(
        self,
        *,
        url: str,
        seed: int,
        luma: LumaSettings,
        leonardo: LeonardoSettings,
        clock: Clock,
        director: Director,
        worker: Worker,
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
        self._names = random.Random(f"{seed}/requests")
        signer = Signer(clock, f"{seed}/signature".encode())
        self.files: Files = Files(url, clock, signer, seed=seed, lenient=luma.lenient)
        self.storage: Storage = Storage(url, self.jobs, signer, worker, user_id=leonardo.user_id)
        self.luma: Luma = Luma(luma, clock, director, self.jobs, self.storage, self.files, seed=seed)
        self.uploads: Uploads = Uploads(url, clock, signer, user_id=leonardo.user_id, seed=seed)
        self.leonardo: Leonardo = Leonardo(leonardo, clock, director, self.jobs, self.storage, self.uploads, seed=seed)

    async def receive(self, route: Route, request: web.Request) -> web.StreamResponse:
        """One request, from the record of its arrival to the answer."""
        context = self._context(route, request)
        vendor: Vendor = getattr(self, route.provider)
        try:
            response = await self._through_storm(route, vendor, context)
        except web.HTTPRequestEntityTooLarge:
            response = vendor.error_format(context).refuse(413, {})
        if not response.prepared:
            response.headers.update(vendor.headers(context))
        await context.pause(vendor.latency)
        context.recorded.status = None if context.is_cut else response.status
        return response

    def _context(self, route: Route, request: web.Request) -> RequestContext:
        request_id = request.headers.get("X-Request-Id")
        seen = RecordedRequest(
            at=self._clock.now(),
            provider=route.provider,
            action=route.action,
            method=request.method,
            path=request.path,
            request_id=request_id or str(uuid.UUID(int=self._names.getrandbits(128), version=4)),
        )
        self.requests.append(seen)
        if len(self.requests) > self._max_requests * 1.1:  # not one by one: that would move all of them each time
            del self.requests[: len(self.requests) - self._max_requests]
        return RequestContext(
            request=request, recorded=seen, clock=self._clock, closing=self._closing, worker=self._worker
        )

    async def _through_storm(self, route: Route, vendor: Vendor, context: RequestContext) -> web.StreamResponse:
        storm = self._director.storm(self._clock.since_start(), route.provider, context.request.method, route.action)
        if storm is not None and not storm.carried_out:
            return await answer(context, storm, web.Response, vendor.error_format(context))
        response = vendor.turned_away(context) or await route.handler(self, context)
        if storm is not None and isinstance(response, web.Response):
            return await answer(context, storm, lambda: response, vendor.error_format(context))
        return response


@attrs.frozen
class Route:
    """Which requests go where."""

    method: str
    path: str
    action: str
    """One of `script.ACTIONS`, or "unknown"."""
    handler: Callable[[World, RequestContext], Awaitable[web.StreamResponse]]

    @property
    def provider(self) -> str:
        return self.path.split("/")[1]


async def _unknown(vendor: Vendor, context: RequestContext) -> web.StreamResponse:
    return vendor.unknown(context)


_V1 = "/luma/v1"
_API = "/leonardo/api/rest"
_BUCKET = "/storage/luma/generations/{id}/{name}"
_CDN = "/storage/leonardo/users/{user}/generations/{id}/{name:.+}"

ROUTES = (
    Route("POST", f"{_V1}/generations", "create", lambda world, context: world.luma.create(context)),
    Route("GET", f"{_V1}/generations/{{id}}", "poll", lambda world, context: world.luma.read(context)),
    Route("POST", f"{_V1}/files", "upload", lambda world, context: world.files.create(context)),
    Route("GET", f"{_V1}/files", "upload", lambda world, context: world.files.list(context)),
    Route("GET", f"{_V1}/files/{{id}}", "upload", lambda world, context: world.files.read(context)),
    Route("DELETE", f"{_V1}/files/{{id}}", "upload", lambda world, context: world.files.delete(context)),
    Route("POST", f"{_V1}/files/{{id}}/complete", "upload", lambda world, context: world.files.complete(context)),
    Route("*", "/luma/{rest:.*}", "unknown", lambda world, context: _unknown(world.luma, context)),
    Route("POST", f"{_API}/v1/generations", "create", lambda world, context: world.leonardo.create_v1(context)),
    Route("POST", f"{_API}/v2/generations", "create", lambda world, context: world.leonardo.create_v2(context)),
    Route("GET", f"{_API}/v1/generations/user/{{user}}", "list", lambda world, context: world.leonardo.list(context)),
    Route("GET", f"{_API}/v1/generations/{{id}}", "poll", lambda world, context: world.leonardo.read(context)),
    Route("DELETE", f"{_API}/v1/generations/{{id}}", "delete", lambda world, context: world.leonardo.delete(context)),
    Route("GET", f"{_API}/v1/me", "account", lambda world, context: world.leonardo.me(context)),
    Route("POST", f"{_API}/v1/init-image", "upload", lambda world, context: world.uploads.create(context)),
    Route("GET", f"{_API}/v1/init-image/{{id}}", "upload", lambda world, context: world.uploads.read(context)),
    Route("DELETE", f"{_API}/v1/init-image/{{id}}", "upload", lambda world, context: world.uploads.delete(context)),
    Route("*", "/leonardo/{rest:.*}", "unknown", lambda world, context: _unknown(world.leonardo, context)),
    Route("GET", _BUCKET, "download", lambda world, context: world.storage.serve_luma(context)),
    Route("HEAD", _BUCKET, "download", lambda world, context: world.storage.serve_luma(context)),
    Route("GET", _CDN, "download", lambda world, context: world.storage.serve_leonardo(context)),
    Route("HEAD", _CDN, "download", lambda world, context: world.storage.serve_leonardo(context)),
    Route("PUT", "/storage/luma/uploads/{id}", "upload", lambda world, context: world.files.put(context)),
    Route("POST", "/storage/leonardo/uploads/", "upload", lambda world, context: world.uploads.post(context)),
    Route("*", "/storage/{rest:.*}", "unknown", lambda world, context: _unknown(world.storage, context)),
)
"""The first that fits."""
