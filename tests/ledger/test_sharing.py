"""Several sessions on one ledger and one account: together they take what the account allows, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import aiogen
from aiogen import State
from aiogen.sandbox import LUMA_KEY, LumaSettings, Sandbox, Storm
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]


@asynccontextmanager
async def vendor(**settings: Any) -> AsyncIterator[Sandbox]:
    async with Sandbox(speed=100.0, luma=LumaSettings(**settings)) as box:
        yield box


@asynccontextmanager
async def session_on(box: Sandbox, path: Path, **limits: Any) -> AsyncIterator[aiogen.Session]:
    provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, **limits)
    async with asyncio.timeout(30.0), aiogen.Session([provider], store=path, poll_cost=0.01) as session:
        yield session


def refusals(box: Sandbox) -> int:
    """How often the vendor had to say 429."""
    return sum(seen.status == 429 for seen in box.requests)


async def test_together_they_run_no_more_than_the_account_allows(tmp_path: Path) -> None:
    """Each believes that it may run four; the vendor allows four to all."""
    path = tmp_path / "aiogen.db"
    async with vendor(max_active=4) as box:
        async with session_on(box, path, max_active=4) as one, session_on(box, path, max_active=4) as other:
            jobs = [await s.submit("luma/uni-1", f"boat {i}") for i in range(8) for s in (one, other)]
            await asyncio.gather(*jobs)
        assert len(box.jobs) == 16
        assert refusals(box) == 0


@pytest.mark.parametrize("limits", [{"max_active": 10}, {"creates_per_minute": 10}], ids=["places", "minute"])
async def test_what_is_free_is_used_however_many_wait(tmp_path: Path, limits: dict[str, Any]) -> None:
    """Each has some running, and more waiting than there is room for: none keeps the other from what is free."""
    path = tmp_path / "aiogen.db"
    async with vendor() as box, session_on(box, path, **limits) as one, session_on(box, path, **limits) as other:
        for session in (one, other):
            for i in range(2):
                await (await session.submit("luma/uni-1", f"boat {i} [[processing=6000]]")).accepted()
        waiting = await asyncio.gather(
            *(
                session.submit("luma/uni-1", f"ship {i} [[processing=6000]]")
                for session in (one, other)
                for i in range(8)
            )
        )
        await asyncio.sleep(5.0)
        assert len(box.jobs) == 10
        assert refusals(box) == 0
        for job in waiting:
            if job.state is State.PENDING:
                await job.cancel()


async def test_one_after_the_other_they_keep_the_minute(tmp_path: Path) -> None:
    """A program that is started again does not run into the limit that the first has used up."""
    path = tmp_path / "aiogen.db"
    async with vendor(creates_per_window=6, window_seconds=60.0) as box:
        async with session_on(box, path, creates_per_minute=6) as session:
            await asyncio.gather(*[await session.submit("luma/uni-1", f"boat {i}") for i in range(4)])
        async with session_on(box, path, creates_per_minute=6) as session:
            jobs = [await session.submit("luma/uni-1", f"ship {i}") for i in range(4)]
            await asyncio.gather(*(job.accepted() for job in jobs[:2]))
            await asyncio.sleep(0.5)
            assert [job.state for job in jobs[2:]] == [State.PENDING] * 2
        assert len(box.jobs) == 6
        assert refusals(box) == 0


async def test_together_they_ask_no_more_than_the_account_allows(tmp_path: Path) -> None:
    """300 requests a minute for both, and never more than some at once beyond it."""
    path = tmp_path / "aiogen.db"
    async with Sandbox(speed=10.0, luma=LumaSettings(max_active=60, creates_per_window=100)) as box:
        limits = {"max_active": 60, "creates_per_minute": 100, "requests_per_minute": 300}
        async with session_on(box, path, **limits) as one, session_on(box, path, **limits) as other:
            jobs = [await s.submit("luma/uni-1", f"boat {i}") for i in range(12) for s in (one, other)]
            await asyncio.gather(*(job.accepted() for job in jobs))
            await asyncio.sleep(2.5)  # by now the first has seen that it is not alone
            before, since = len(box.requests), asyncio.get_running_loop().time()
            await asyncio.gather(*jobs)
            seconds = asyncio.get_running_loop().time() - since
        assert len(box.requests) - before <= 5.0 * seconds + 8


async def test_a_refusal_of_one_holds_the_other(tmp_path: Path) -> None:
    """`Retry-After` is for the account, whichever process was told."""
    path = tmp_path / "aiogen.db"
    async with vendor(max_active=20) as box:
        async with session_on(box, path, max_active=20) as one, session_on(box, path, max_active=20) as other:
            box.script.storms.append(Storm("429@2", actions=("create",), times=1))
            refused = await one.submit("luma/uni-1", "boat")
            await asyncio.sleep(0.5)
            held = await other.submit("luma/uni-1", "ship")
            await asyncio.gather(refused, held)
        (at,) = [seen.at for seen in box.requests if seen.status == 429]
        later = [seen.at for seen in box.requests if seen.method == "POST" and seen.at > at]
        assert len(later) == 2
        assert min(later) >= at + 2.0


async def test_a_ledger_that_does_not_answer_holds_nobody(tmp_path: Path) -> None:
    """The common budget is a courtesy to the vendor: what runs is followed without it."""

    class Mute(SqliteStore):
        async def acquire(self, account: str, count: int, per_second: float) -> float:
            raise aiogen.StoreError("the disk is full")

    async with vendor(max_active=20) as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        async with asyncio.timeout(30.0), aiogen.Session([provider], store=Mute(tmp_path / "aiogen.db")) as session:
            assert (await session.generate("luma/uni-1", "boat")).state is State.COMPLETED
