"""Handlers that are told of ends: whatever they do, the others are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
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


async def test_a_handler_may_download_while_the_session_is_left(tmp_path: Path) -> None:
    """What has ended by now is told before anything is closed; and nothing is created meanwhile."""
    vendor = Vendor(creates=[(201, body())], reads=[(200, body("processing")), (200, done())])
    saved: list[Path] = []
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, creates_per_minute=1)]) as session:

            async def save(generation: Generation) -> None:
                await asyncio.sleep(5.0)
                saved.append(tmp_path / f"{(await session.get('luma', generation.provider_id or '')).provider_id}.png")

            await session.on_completion("gallery", save)
            first, second = [await session.submit("luma/uni-1", prompt) for prompt in ("a boat", "another")]
            await first
        assert session.jobs() == []
        with pytest.raises(aiogen.SessionClosed):
            await second
    assert [path.name for path in saved] == [f"{first.provider_id}.png"]
    assert vendor.creates == 1


async def test_a_plain_function_is_told_once() -> None:
    """It has done its work when it returns."""
    calls: list[Generation] = []
    vendor = Vendor(creates=[(201, body())], reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.on_completion("gallery", calls.append)
        job = await session.submit("luma/uni-1", "a boat")
        await job
        await asyncio.sleep(30.0)
    assert [generation.id for generation in calls] == [job.id]
