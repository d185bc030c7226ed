"""One request on its way."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

from aiogen.sandbox import RecordedRequest
from aiogen.sandbox.clock import Clock
from aiogen.sandbox.context import RequestContext


async def test_cutting_after_the_client_has_disconnected_does_no_harm() -> None:
    recorded = RecordedRequest(at=0, provider="luma", action="poll", method="GET", path="/", request_id="")
    loop, request = asyncio.get_running_loop(), Mock(transport=None)
    context = RequestContext(
        request=request, recorded=recorded, clock=Clock(loop), closing=loop.create_future(), worker=Mock()
    )
    context.cut()
    assert context.is_cut
