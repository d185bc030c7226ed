"""One request on its way through the sandbox, and what is recorded of it."""

from __future__ import annotations

import asyncio
import json

import attrs
from aiohttp import web

from .clock import Clock
from .worker import Worker

LARGE_BODY = 1024 * 1024
"""Bytes; from this size on, reading a body takes some milliseconds and is left to the worker."""


@attrs.define(kw_only=True)
class RecordedRequest:
    """One request, as `Sandbox.requests` keeps it."""

    at: float
    """Loop seconds at arrival."""
    provider: str
    """A vendor's name, or "storage"."""
    action: str
    """One of `script.ACTIONS`, or "unknown"."""
    method: str
    path: str
    status: int | None = None
    """None: no answer (yet), or the connection was closed without one."""
    job_id: str | None = None
    request_id: str
    weight: int | None = None


@attrs.define(kw_only=True)
class RequestContext:
    """One request while it is handled."""

    request: web.Request
    recorded: RecordedRequest
    clock: Clock
    closing: asyncio.Future[None]
    """Done when the sandbox stops; every pause ends then."""
    worker: Worker
    size: int = 0
    """Bytes of the body, once it has been read."""
    is_cut: bool = False
    """Whether the connection was closed instead of answered."""

    @property
    def now(self) -> float:
        return self.clock.now()

    async def body(self) -> object:
        """The request's JSON; None if it has none."""
        raw = await self.request.read()
        self.size = len(raw)
        try:
            return await self.worker.run(json.loads, raw) if len(raw) > LARGE_BODY else json.loads(raw)
        except ValueError:
            return None

    async def pause(self, seconds: float) -> None:
        """Waits, but not longer than the sandbox runs. A client that disconnects ends the pause as well."""
        if seconds > 0:
            await asyncio.wait([self.closing], timeout=seconds)

    async def hang(self) -> web.Response:
        """Never answers: waits until the sandbox stops or the client disconnects."""
        await asyncio.wait([self.closing])
        return self.cut()

    def cut(self, *, at_once: bool = True) -> web.Response:
        """Closes the connection; if not at once, then after what was written has been sent. The returned answer
        satisfies aiohttp's server; the client never receives it."""
        self.is_cut = True
        if transport := self.request.transport:  # None: the client has disconnected already
            (transport.abort if at_once else transport.close)()
        return web.Response(status=500)
