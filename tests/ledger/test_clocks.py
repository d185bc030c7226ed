"""Two processes whose clocks differ: the same deadline, and the same time that a job has run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from wrong_clocks import wrong_clock

import aiogen
from aiogen import Job
from aiogen.sandbox import LUMA_KEY, Sandbox

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]
wrong_by = pytest.mark.parametrize("wrong", [-90.0, 0.0, 90.0], ids=["behind", "right", "ahead"])


@asynccontextmanager
async def session_on(box: Sandbox, path: Path, wrong: float = 0.0) -> AsyncIterator[aiogen.Session]:
    """Its clock is wrong by so many seconds."""
    provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
    with wrong_clock(wrong):
        async with asyncio.timeout(3600.0), aiogen.Session([provider], store=path) as session:
            yield session


async def changes_hands(box: Sandbox, path: Path, words: str) -> float:
    """A job runs for 100 s in a process that goes then; when it was accepted, on the loop's clock."""
    async with session_on(box, path) as session:
        await (await session.submit("luma/uni-1", words, timeout=300.0)).accepted()
        accepted_at = asyncio.get_running_loop().time()
        await asyncio.sleep(100.0)
    return accepted_at


async def taken_up(session: aiogen.Session) -> Job:
    (job,) = await session.resume()
    return job


@wrong_by
async def test_a_job_that_changes_hands_keeps_its_deadline(tmp_path: Path, wrong: float) -> None:
    """300 s from when it was accepted, whatever the clock of the next process says."""
    async with Sandbox() as box:
        accepted_at = await changes_hands(box, tmp_path / "aiogen.db", "a boat [[processing=1000]]")
        async with session_on(box, tmp_path / "aiogen.db", wrong) as session:
            job = await taken_up(session)
            with pytest.raises(aiogen.GenerationTimeout):
                await job
            assert asyncio.get_running_loop().time() == pytest.approx(accepted_at + 300.0, abs=1.0)


@wrong_by
async def test_how_long_it_ran_is_counted_by_one_clock(tmp_path: Path, wrong: float) -> None:
    """And so is when it was accepted, by that of whoever shows it."""
    async with Sandbox() as box:
        await changes_hands(box, tmp_path / "aiogen.db", "a boat [[processing=200]]")
        async with session_on(box, tmp_path / "aiogen.db", wrong) as session:
            generation = await (await taken_up(session))
            assert generation.accepted_at is not None
            assert generation.finished_at is not None
            ran = generation.finished_at - generation.accepted_at
            assert timedelta(seconds=195) < ran < timedelta(seconds=230), ran


@wrong_by
async def test_who_watches_has_the_deadline_of_who_sends(tmp_path: Path, wrong: float) -> None:
    """It begins when the ledger says that the vendor accepted it."""
    async with Sandbox() as box, session_on(box, tmp_path / "aiogen.db") as one:
        async with session_on(box, tmp_path / "aiogen.db", wrong) as other:
            mine = await one.submit("luma/uni-1", "a boat [[processing=1000]]", timeout=30.0)
            theirs = await other.job(mine.id)
            assert theirs is not None
            await mine.accepted()
            accepted_at = asyncio.get_running_loop().time()
            with pytest.raises(aiogen.GenerationTimeout):
                await theirs
            assert asyncio.get_running_loop().time() == pytest.approx(accepted_at + 30.0, abs=1.0)
