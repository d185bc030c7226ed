"""Of many jobs as much is dealt with in one turn of the loop as it may take; what comes of it stays the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from engine.test_sweep import KEY, WIDE, Gallery
from serving import serving
from turns import IN_A_TURN, Steps, steps_that_cost

import aiogen
from aiogen import State
from aiogen._engine import create, sweep
from aiogen._engine.coordinator import Coordinator
from aiogen._engine.hub import Hub
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores.base import RecordQuery

pytestmark = pytest.mark.looptime(noop_cycles=4)


@asynccontextmanager
async def a_session(key: str = LUMA_KEY, *, max_active: int = 8) -> AsyncIterator[tuple[aiogen.Session, Hub]]:
    async with Sandbox() as box:
        provider = aiogen.Luma(api_key=key, base_url=box.luma_url, max_active=max_active, creates_per_minute=1000)
        async with asyncio.timeout(3600.0), aiogen.Session([provider]) as session:
            parts = session._parts
            assert parts is not None
            yield session, parts.hub


async def test_what_is_lost_with_the_lease_is_let_go_of_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent for the rest of it meanwhile; afterwards all of it is read in the ledger."""
    async with a_session() as (session, hub):
        jobs = [await session.submit("luma/uni-1", f"boat {i} [[processing=3000]]") for i in range(40)]
        await asyncio.gather(*(job.accepted() for job in jobs[:8]))
        steps, looked = steps_that_cost(monkeypatch), list[bool]()
        monkeypatch.setattr(hub.remote, "lose", steps.noting(hub.remote.lose))
        monkeypatch.setattr(hub.remote, "hand_over", steps.noting(hub.remote.hand_over))
        dispatch = Coordinator._dispatch

        def dispatching(coordinator: Coordinator, *args: Any) -> float:
            looked.append(hub.is_losing)
            return dispatch(coordinator, *args)

        monkeypatch.setattr(Coordinator, "_dispatch", dispatching)
        losing = asyncio.create_task(hub.lost())
        await asyncio.sleep(0)
        while hub.is_losing:
            hub.wake()
            await asyncio.sleep(0)
        await losing
        await asyncio.sleep(0.01)
        assert (max(steps.of_turns), sum(steps.of_turns)) == (IN_A_TURN, 40)
        assert looked
        assert not any(looked)
        assert sorted(hub.remote.ids()) == sorted(job.id for job in jobs)
        assert [(account.tracks, len(account.queue)) for account in hub.accounts()] == [({}, 0)]


async def test_who_ends_while_what_is_lost_is_let_go_of_is_waited_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process is asked how it stands."""
    async with a_session(max_active=1) as (session, hub):
        jobs = [await session.submit("luma/uni-1", f"boat {i} [[processing=3000]]") for i in range(9)]
        await jobs[0].accepted()
        steps_that_cost(monkeypatch)
        losing = asyncio.create_task(hub.lost())
        await asyncio.sleep(0)
        hub.end(jobs[-1], aiogen.AiogenError("enough"))
        await losing
        assert sorted(hub.remote.ids()) == sorted(job.id for job in jobs[:-1])


async def test_what_jobs_left_behind_need_is_looked_through_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of one model, of which the first is all that has to be read."""
    async with a_session() as (session, hub):
        for i in range(20):
            await session.submit("luma/uni-1", f"boat {i} [[processing=3000]]")
        records = await session.store.find(RecordQuery(limit=20, with_request=True))
        assert all(record.submission for record in records)
        steps_that_cost(monkeypatch)
        turns, loop = 0, asyncio.get_running_loop()

        def turned() -> None:
            nonlocal turns, handle
            turns += 1
            handle = loop.call_soon(turned)

        handle = loop.call_soon(turned)
        await hub.prepare_for(records * 5)
        handle.cancel()
        assert turns == 100 // IN_A_TURN


async def test_all_that_wait_are_refused_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ledger in memory nothing of it waits, and the account's key was refused for a thousand jobs at once."""
    async with a_session("luma-wrong-key") as (session, _):
        steps, refuse = steps_that_cost(monkeypatch), create._refuse
        monkeypatch.setattr(create, "_refuse", steps.noting(refuse))
        jobs = await asyncio.gather(*(session.submit("luma/uni-1", f"boat {i}") for i in range(40)))
        ends = await asyncio.gather(*jobs, return_exceptions=True)
        assert {type(end) for end in ends} == {aiogen.AuthenticationError}
        assert {job.state for job in jobs} == {State.FAILED}
        assert max(steps.of_turns) <= IN_A_TURN + 10  # and the creates that were on their way


async def test_a_session_with_many_jobs_is_left_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them may go on at the vendor, and who waits for them; those that run and those that wait."""
    async with a_session() as (session, hub):
        jobs = [await session.submit("luma/uni-1", f"boat {i} [[processing=3000]]") for i in range(40)]
        await asyncio.gather(*(job.accepted() for job in jobs[:8]))
        waiting = [asyncio.ensure_future(job.result()) for job in jobs]
        steps, looked = steps_that_cost(monkeypatch), Steps()
        monkeypatch.setattr(hub, "end", steps.noting(hub.end))
        monkeypatch.setattr(Coordinator, "_may_cost", looked.noting(Coordinator._may_cost))
        await session.close()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(end) for end in ends} == {aiogen.SessionClosed}
        assert (max(steps.of_turns), sum(steps.of_turns)) == (IN_A_TURN, 40)
        assert max(looked.of_turns) == IN_A_TURN


async def test_a_page_of_the_list_is_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row may need a plan of questions for a price that it alone has."""
    async with serving(gallery := Gallery()) as url:
        provider = aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)
        async with asyncio.timeout(3600.0), aiogen.Session([provider]) as session:
            jobs = [await session.submit("leonardo/phoenix-1.0", f"boat {i}", poll_cost=0.1) for i in range(40)]
            await asyncio.gather(*(job.accepted() for job in jobs))
            steps = steps_that_cost(monkeypatch)
            monkeypatch.setattr(sweep, "observe", steps.noting(sweep.observe))
            await asyncio.gather(*jobs)
    assert gallery.count("list") > 0
    assert sum(steps.of_turns) >= 40
    assert max(steps.of_turns) <= IN_A_TURN
