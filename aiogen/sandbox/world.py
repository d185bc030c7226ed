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
from .workshop import Worker


class Vendor(Protocol):
    """Who answers behind a door."""

    @property
    def latency(self) -> float:
        """Seconds before each answer leaves."""
        ...

    def headers(self, visit: RequestContext) -> Mapping[str, str]:
        """What every answer carries."""
        ...

    def turned_away(self, visit: RequestContext) -> web.Response | None:
        """An answer for who may not come in."""
        ...

    def voice(self, visit: RequestContext) -> ErrorFormat:
        """How errors are worded here."""
        ...

    def unknown(self, visit: RequestContext) -> web.Response:
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
        workshop: Worker,
        closing: asyncio.Future[None],
        max_requests: int,
    ) -> None:
        self.jobs: Jobs = Jobs()
        self.requests: list[RecordedRequest] = []
        self._max_requests = max_requests
        self._clock = clock
        self._director = director
        self._worker = workshop
        self._closing = closing
        self._names = random.Random(f"{seed}/requests")
        signer = Signer(clock, f"{seed}/signature".encode())
        self.files: Files = Files(url, clock, signer, seed=seed, lenient=luma.lenient)
        self.storage: Storage = Storage(url, self.jobs, signer, workshop, user_id=leonardo.user_id)
        self.luma: Luma = Luma(luma, clock, director, self.jobs, self.storage, self.files, seed=seed)
        self.uploads: Uploads = Uploads(url, clock, signer, user_id=leonardo.user_id, seed=seed)
        self.leonardo: Leonardo = Leonardo(leonardo, clock, director, self.jobs, self.storage, self.uploads, seed=seed)

    async def receive(self, route: Route, request: web.Request) -> web.StreamResponse:
        """One request, from the record of its arrival to the answer."""
        visit = self._context(route, request)
        vendor: Vendor = getattr(self, route.provider)
        try:
            response = await self._through_storm(route, vendor, visit)
        except web.HTTPRequestEntityTooLarge:
            response = vendor.voice(visit).refuse(413, {})
        if not response.prepared:
            response.headers.update(vendor.headers(visit))
        await visit.pause(vendor.latency)
        visit.recorded.status = None if visit.is_cut else response.status
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

    async def _through_storm(self, route: Route, vendor: Vendor, visit: RequestContext) -> web.StreamResponse:
        storm = self._director.storm(self._clock.since_start(), route.provider, visit.request.method, route.action)
        if storm is not None and not storm.carried_out:
            return await answer(visit, storm, web.Response, vendor.voice(visit))
        response = vendor.turned_away(visit) or await route.handler(self, visit)
        if storm is not None and isinstance(response, web.Response):
            return await answer(visit, storm, lambda: response, vendor.voice(visit))
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


async def _unknown(vendor: Vendor, visit: RequestContext) -> web.StreamResponse:
    return vendor.unknown(visit)


_V1 = "/luma/v1"
_API = "/leonardo/api/rest"
_BUCKET = "/storage/luma/generations/{id}/{name}"
_CDN = "/storage/leonardo/users/{user}/generations/{id}/{name:.+}"

ROUTES = (
    Route("POST", f"{_V1}/generations", "create", lambda world, visit: world.luma.create(visit)),
    Route("GET", f"{_V1}/generations/{{id}}", "poll", lambda world, visit: world.luma.read(visit)),
    Route("POST", f"{_V1}/files", "upload", lambda world, visit: world.files.create(visit)),
    Route("GET", f"{_V1}/files", "upload", lambda world, visit: world.files.list(visit)),
    Route("GET", f"{_V1}/files/{{id}}", "upload", lambda world, visit: world.files.read(visit)),
    Route("DELETE", f"{_V1}/files/{{id}}", "upload", lambda world, visit: world.files.delete(visit)),
    Route("POST", f"{_V1}/files/{{id}}/complete", "upload", lambda world, visit: world.files.complete(visit)),
    Route("*", "/luma/{rest:.*}", "unknown", lambda world, visit: _unknown(world.luma, visit)),
    Route("POST", f"{_API}/v1/generations", "create", lambda world, visit: world.leonardo.create_v1(visit)),
    Route("POST", f"{_API}/v2/generations", "create", lambda world, visit: world.leonardo.create_v2(visit)),
    Route("GET", f"{_API}/v1/generations/user/{{user}}", "list", lambda world, visit: world.leonardo.list(visit)),
    Route("GET", f"{_API}/v1/generations/{{id}}", "poll", lambda world, visit: world.leonardo.read(visit)),
    Route("DELETE", f"{_API}/v1/generations/{{id}}", "delete", lambda world, visit: world.leonardo.delete(visit)),
    Route("GET", f"{_API}/v1/me", "account", lambda world, visit: world.leonardo.me(visit)),
    Route("POST", f"{_API}/v1/init-image", "upload", lambda world, visit: world.uploads.create(visit)),
    Route("GET", f"{_API}/v1/init-image/{{id}}", "upload", lambda world, visit: world.uploads.read(visit)),
    Route("DELETE", f"{_API}/v1/init-image/{{id}}", "upload", lambda world, visit: world.uploads.delete(visit)),
    Route("*", "/leonardo/{rest:.*}", "unknown", lambda world, visit: _unknown(world.leonardo, visit)),
    Route("GET", _BUCKET, "download", lambda world, visit: world.storage.serve_luma(visit)),
    Route("HEAD", _BUCKET, "download", lambda world, visit: world.storage.serve_luma(visit)),
    Route("GET", _CDN, "download", lambda world, visit: world.storage.serve_leonardo(visit)),
    Route("HEAD", _CDN, "download", lambda world, visit: world.storage.serve_leonardo(visit)),
    Route("PUT", "/storage/luma/uploads/{id}", "upload", lambda world, visit: world.files.put(visit)),
    Route("POST", "/storage/leonardo/uploads/", "upload", lambda world, visit: world.uploads.post(visit)),
    Route("*", "/storage/{rest:.*}", "unknown", lambda world, visit: _unknown(world.storage, visit)),
)
"""The first that fits."""
