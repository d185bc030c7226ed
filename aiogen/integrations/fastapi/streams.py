"""The response that streams events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi.sse import EventSourceResponse, ServerSentEvent, format_sse_event
from starlette.types import Receive, Scope, Send

EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "data": {"type": "string"},
        "event": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer", "minimum": 0},
    },
}
"""One event in a description of the routes, as OpenAPI 3.2 has it (section 4.14.4)."""


class EventStream(EventSourceResponse):
    """FastAPI's server-sent events, each written in the turn of the loop in which it is made.

    In a route that yields them each passes through four tasks: a client hears of an end some turns later, and thousands
    of clients take several times as long.
    """

    def __init__(self, events: AsyncGenerator[ServerSentEvent, None]) -> None:
        self._lines = _lines(events)
        super().__init__(self._lines, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them until they end, or the client has gone."""
        limit = asyncio.timeout(None)
        try:
            async with limit, aclosing(self._lines):
                watching = asyncio.create_task(_watch(receive, limit))
                try:
                    await self.stream_response(send)
                finally:
                    watching.cancel()
                    await asyncio.wait([watching])
        except TimeoutError:
            if not limit.expired():
                raise
        except OSError:
            pass  # how some servers report that the client has gone


async def _lines(events: AsyncGenerator[ServerSentEvent, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield format_sse_event(data_str=event.raw_data, id=event.id, retry=event.retry, comment=event.comment)


async def _watch(receive: Receive, limit: asyncio.Timeout) -> None:
    """End the stream as soon as the client has gone, and not only with the next event."""
    while (await receive())["type"] != "http.disconnect":
        pass
    limit.reschedule(asyncio.get_running_loop().time())
