"""Jobs that a session before left behind, in number."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from serving import Vendor, body, luma, serving

import aiogen
from aiogen._ledger.learned import LearnedModels
from aiogen.sandbox import LUMA_KEY, LumaSettings, Sandbox
from aiogen.stores import Record, SqliteStore

WIDE = {"max_active": 1000, "creates_per_minute": 10_000, "requests_per_minute": 60_000}
"""An account that waits for nothing."""


async def left_behind(provider: aiogen.Luma, path: Path, count: int) -> None:
    """Generations that run, and nobody follows."""
    store, now = SqliteStore(path), datetime.now(UTC)
    submission = provider.encode(provider.prepare("uni-1", "a boat", {}))
    await store.open()
    for _ in range(count):
        await store.add(
            Record(
                id=str(uuid4()), connection="luma", provider="luma", account=provider.account, provider_id=str(uuid4()),
                state=aiogen.State.QUEUED, submission=submission, timeout=3600.0, created_at=now, accepted_at=now,
            )
        )  # fmt: skip
    await store.close()


async def test_their_duration_model_is_loaded_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made from nothing it takes long, in one turn of the loop, and knows nothing of what was learned before."""
    known, was_there = LearnedModels.of, list[bool]()

    def noting(models: LearnedModels, *args: Any) -> Any:
        was_there.append(models.known(*args) is not None)
        return known(models, *args)

    monkeypatch.setattr(LearnedModels, "of", noting)
    async with serving(Vendor(reads=[(200, body("processing"))])) as url:
        provider = luma(url)
        await left_behind(provider, tmp_path / "jobs.db", 12)
        async with aiogen.Session([provider], store=tmp_path / "jobs.db") as session:
            assert len(await session.resume()) == 12
    assert was_there
    assert all(was_there)


@pytest.mark.usefixtures("virtual_files")
@pytest.mark.looptime(noop_cycles=4)
@pytest.mark.parametrize("is_watched", [False, True], ids=["by the next session", "by one that waits for them"])
async def test_they_are_asked_about_when_they_would_have_been(is_watched: bool, tmp_path: Path) -> None:
    """Not at once: how old they are stands in the ledger, and so does how long such jobs take."""
    draw = random.Random(3)
    async with (
        Sandbox(luma=LumaSettings(creates_per_window=1_000_000, max_active=1000)) as box,
        AsyncExitStack() as open_,
    ):
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, **WIDE)

        async def opened() -> aiogen.Session:
            return await open_.enter_async_context(aiogen.Session([provider], store=tmp_path / "jobs.db"))

        async def begun(count: int) -> list[aiogen.Job]:
            prompts = [f"boat [[queued=0 processing={draw.uniform(30, 70):.1f}]]" for _ in range(count)]
            jobs = [await first.submit("luma/uni-1", prompt) for prompt in prompts]
            await asyncio.gather(*(job.accepted() for job in jobs))
            return jobs

        first = await opened()
        for _ in range(3):
            await asyncio.gather(*await begun(15))
        await asyncio.gather(*await begun(5))
        usual = [job.polls[0] - job.created_at for job in box.jobs[-5:]]
        jobs = await begun(5)
        second = await opened() if is_watched else None
        handles = [await second.job(job.id) for job in jobs] if second is not None else []
        await asyncio.sleep(2.0)
        await first.close()
        await asyncio.sleep(2.0)
        if second is None:
            second = await opened()
            handles = [await second.job(job.id) for job in jobs]
        await asyncio.gather(*(handle for handle in handles if handle is not None))
        taken_over = [job.polls[0] - job.created_at for job in box.jobs[-5:]]
    assert min(usual) > 20.0
    assert min(taken_over) > 0.8 * min(usual)
