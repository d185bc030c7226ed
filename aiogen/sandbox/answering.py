"""From a request to an answer: the record of the context, and the faults that may befall it."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Protocol

import attrs
from aiohttp import web

from .clock import Clock
from .faults import Fault
from .worker import Worker

MEGABYTE = 1024 * 1024
LARGE_BODY = MEGABYTE
"""Bytes; from here on, reading a body takes some milliseconds and is done elsewhere."""

HTML_PAGE = "<!DOCTYPE html>\n<html><head><title>One moment</title></head><body><h1>Back soon</h1></body></html>\n"


@attrs.define(kw_only=True)
class RecordedRequest:
    """One request, as `Sandbox.requests` keeps it."""

    at: float
    """Loop seconds at arrival."""
    provider: str
    """luma, leonardo or storage."""
    action: str
    """What it was for: one of `script.ACTIONS`, or "unknown"."""
    method: str
    path: str
    status: int | None = None
    """None: no answer (yet), or the connection was cut."""
    job_id: str | None = None
    request_id: str
    weight: int | None = None


@attrs.define(kw_only=True)
class RequestContext:
    """One request on its way through the sandbox."""

    request: web.Request
    recorded: RecordedRequest
    clock: Clock
    closing: asyncio.Future[None]
    """Done when the sandbox stops: nobody waits any longer."""
    worker: Worker
    size: int = 0
    """Bytes of the body, once it was read."""
    is_cut: bool = False

    @property
    def now(self) -> float:
        return self.clock.now()

    async def body(self) -> object:
        """The request's JSON; None if it is none."""
        raw = await self.request.read()
        self.size = len(raw)
        try:
            return await self.worker.run(json.loads, raw) if len(raw) > LARGE_BODY else json.loads(raw)
        except ValueError:
            return None

    async def pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the sandbox. A client that goes away ends it as well."""
        if seconds > 0:
            await asyncio.wait([self.closing], timeout=seconds)

    async def hang(self) -> web.Response:
        """Never answers: waits until the sandbox stops or the client goes away."""
        await asyncio.wait([self.closing])
        return self.cut()

    def cut(self, *, at_once: bool = True) -> web.Response:
        """Closes the connection; if not at once, then after what was written has left. The answer that is returned is
        for the server's machinery only, the client never sees it."""
        self.is_cut = True
        if transport := self.request.transport:  # else the client was faster
            (transport.abort if at_once else transport.close)()
        return web.Response(status=500)


class ErrorFormat(Protocol):
    """How one vendor words what went wrong."""

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response:
        """Its usual body for this status."""
        ...

    def limited(self, kind: str, retry_after: float | None) -> web.Response:
        """A 429 of the given kind: rpm, concurrency or abuse."""
        ...

    def error_inside_200(self, status: int) -> web.Response:
        """HTTP 200 with an error in the body."""
        ...


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=json.dumps(value).encode(), status=status, headers=headers, content_type="application/json"
    )


async def answer(
    context: RequestContext, fault: Fault | None, carry_out: Callable[[], web.Response], error_format: ErrorFormat
) -> web.StreamResponse:
    """Carries out the request and answers it, or does as much of that as the fault leaves."""
    if fault is None:
        return carry_out()
    if fault.carried_out:
        return await _spoil(context, fault, carry_out(), error_format)
    return await _refuse(context, fault, error_format)


async def _refuse(context: RequestContext, fault: Fault, error_format: ErrorFormat) -> web.StreamResponse:
    match fault.word:
        case "cut-before":
            return context.cut()
        case "html":
            return web.Response(text=HTML_PAGE, content_type="text/html")
        case "error-200":
            return error_format.error_inside_200(int(fault.amount))
        case "huge":
            return await pour(context, fault.amount)
        case "rpm" | "concurrency" | "abuse":
            return error_format.limited(fault.word, fault.retry_after if fault.retry_after != "date" else None)
    return error_format.refuse(fault.status or 500, retry_after(context, fault))


async def _spoil(
    context: RequestContext, fault: Fault, good: web.Response, error_format: ErrorFormat
) -> web.StreamResponse:
    body = good.body if isinstance(good.body, bytes) else b""
    match fault.word:
        case "cut-after":
            return context.cut()
        case "hang":
            return await context.hang()
        case "slow":
            await context.pause(fault.amount)
            return good
        case "half-json":
            good.body = body[: len(body) // 2]
        case "empty":
            good.body = b""
        case "list":
            good.body = b'["unexpected", 1, null]'
        case "null":
            good.body = b"null"
        case "wrong-types":
            good.body = json.dumps(distorted(json.loads(body))).encode() if body else b""
        case _:
            return error_format.refuse(fault.status or 500, retry_after(context, fault))
    return good


def retry_after(context: RequestContext, fault: Fault) -> dict[str, str]:
    """The Retry-After that a fault asks for, if any."""
    if fault.retry_after is None:
        return {}
    if fault.retry_after == "date":
        when = context.clock.wall(context.now) + timedelta(seconds=fault.amount)
        return {"Retry-After": format_datetime(when, usegmt=True)}
    return {"Retry-After": f"{fault.retry_after:g}"}


async def pour(context: RequestContext, megabytes: float) -> web.StreamResponse:
    """A body that does not seem to end. Stops when the client goes away or the sandbox stops."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(context.request)
    await response.write(b'{"detail": "')
    block = b"x" * MEGABYTE
    for _ in range(math.ceil(megabytes)):
        if context.closing.done():
            context.cut()
            break
        await response.write(block)
    else:
        await response.write(b'"}')
    return response


def distorted(value: Any) -> Any:
    """The same shape with every value of a type that nobody expects."""
    match value:
        case dict():
            return {key: distorted(inner) for key, inner in value.items()}
        case list():
            return "none"
        case str():
            return 7
        case None:
            return ["null"]
    return "seven"
