"""From a request to an answer: how vendors word errors, and the faults that replace or spoil an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Protocol

from aiohttp import web

from .context import RequestContext
from .script import Fault

MEGABYTE = 1024 * 1024

HTML_PAGE = "<!DOCTYPE html>\n<html><head><title>One moment</title></head><body><h1>Back soon</h1></body></html>\n"


class ErrorFormat(Protocol):
    """How one provider words errors."""

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response:
        """The usual body for this status."""
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
    """Carries out the request and answers it, unless the fault says otherwise."""
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
    """The header Retry-After of a fault, if it has one."""
    if fault.retry_after is None:
        return {}
    if fault.retry_after == "date":
        when = context.clock.wall(context.now) + timedelta(seconds=fault.amount)
        return {"Retry-After": format_datetime(when, usegmt=True)}
    return {"Retry-After": f"{fault.retry_after:g}"}


async def pour(context: RequestContext, megabytes: float) -> web.StreamResponse:
    """A very large body. It stops when the client disconnects or the sandbox stops."""
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
    """The same shape with an unexpected type in place of every value."""
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
