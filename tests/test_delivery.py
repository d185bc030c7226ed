"""Handlers that are told of ends: whatever they do, the others are told."""

from __future__ import annotations

import asyncio

from serving import Vendor, body, done, luma, serving

import aiogen
from aiogen import Generation


async def test_a_handler_in_which_something_was_cancelled_is_called_again() -> None:
    """A task that it waits for was cancelled: that is its failure, and keeps no other end from being told."""
    calls: list[str | None] = []

    async def handler(generation: Generation) -> None:
        calls.append(generation.id)
        if len(calls) == 1:
            upload = asyncio.ensure_future(asyncio.sleep(60.0))
            upload.cancel()
            await upload

    vendor = Vendor(creates=[(201, body())], reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.on_completion("gallery", handler)
        job = await session.submit("luma/uni-1", "a boat")
        await job
        async with asyncio.timeout(10.0):
            while len(calls) < 2:
                await asyncio.sleep(0.1)
    assert calls == [job.id] * 2
