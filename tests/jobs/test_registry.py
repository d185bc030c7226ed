"""`aiogen._jobs.registry`: one handle for each job while anybody holds it, and the right connection for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import aiogen
from aiogen import State
from aiogen.sandbox import LUMA_KEY, LumaSettings, Sandbox
from aiogen.stores.memory import MemoryStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]


def luma(box: Sandbox, name: str = "luma", key: str = LUMA_KEY) -> aiogen.Luma:
    return aiogen.Luma(api_key=key, base_url=box.luma_url, name=name)


@asynccontextmanager
async def session_on(box: Sandbox, store: Any, *providers: Any, **options: Any) -> AsyncIterator[aiogen.Session]:
    async with (
        asyncio.timeout(36_000.0),
        aiogen.Session(providers or [luma(box)], store=store, **options) as session,
    ):
        yield session


async def left_running(box: Sandbox, store: Any, *providers: Any, prompt: str = "a boat") -> aiogen.Job:
    """A job that a session has left while it ran."""
    async with session_on(box, store, *providers) as session:
        job = await session.submit("luma/uni-1", prompt)
        await job.accepted()
    return job


# --- one handle


async def test_who_asks_by_its_id_gets_the_same_handle() -> None:
    """While it is held, also when it is over."""
    async with Sandbox() as box, session_on(box, None) as session:
        job = await session.submit("luma/uni-1", "a boat")
        assert await session.job(job.id) is job
        await job
        assert await session.job(job.id) is job
        assert await session.job("no such job") is None


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_what_was_taken_up_is_the_handle_of_its_id(tmp_path: Path, kind: str) -> None:
    """And is given once."""
    store: Any = MemoryStore() if kind == "memory" else tmp_path / "aiogen.db"
    async with Sandbox() as box:
        left = await left_running(box, store)
        async with session_on(box, store) as session:
            (job,) = await session.resume()
            assert job.id == left.id
            assert await session.job(job.id) is job
            assert await session.attach("luma", job.provider_id or "") is job
            assert await session.resume() == []
            assert (await job).state is State.COMPLETED
        assert len(box.jobs) == 1


# --- attached


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_what_nobody_follows_is_followed_when_it_is_attached(tmp_path: Path, kind: str) -> None:
    """Also by a session that takes nothing up by itself, and on a ledger that has no heartbeat."""
    store: Any = MemoryStore() if kind == "memory" else tmp_path / "aiogen.db"
    async with Sandbox() as box:
        left = await left_running(box, store)
        async with session_on(box, store, take_up=False) as session:
            assert await session.resume() == []
            attached = await session.attach("luma", left.provider_id or "")
            assert (attached.id, attached.provider_id) == (left.id, left.provider_id)
            assert (await asyncio.wait_for(attached, 120.0)).state is State.COMPLETED


async def test_an_end_whose_addresses_have_run_out_is_read_again() -> None:
    """The ledger knows it, but what it knows is of no use: same job, one more question, addresses that work."""
    async with Sandbox(luma=LumaSettings(url_lifetime=600.0)) as box, session_on(box, None) as session:
        job = await session.submit("luma/uni-1", "a boat")
        ended = await job
        provider_id = job.provider_id or ""
        asked = len(box.requests)
        early = await session.attach("luma", provider_id)
        assert early.done
        assert await early == ended
        assert len(box.requests) == asked
        await asyncio.sleep(1000.0)
        late = await session.attach("luma", provider_id)
        assert late.id == job.id
        again = await late
        assert again.outputs[0].url != ended.outputs[0].url
        assert len(box.requests) == asked + 1
        assert [record.id for record in await session.records()] == [job.id]


async def test_the_lowest_price_and_the_latest_deadline_count() -> None:
    """Of all who attach one generation that runs."""
    async with Sandbox() as box, session_on(box, None) as session:
        job = await session.submit("luma/uni-1", "a boat [[processing=500]]", poll_cost=10.0)
        provider_id = await job.accepted()
        for price, lowest in ((5.0, 5.0), (20.0, 5.0), (None, 5.0), (1.0, 1.0)):
            assert await session.attach("luma", provider_id, poll_cost=price) is job
            assert job.poll_cost == lowest
        for timeout in (1000.0, 50.0, None):
            await session.attach("luma", provider_id, timeout=timeout)
        began = asyncio.get_running_loop().time()
        with pytest.raises(aiogen.GenerationTimeout, match=r"within 50 s of"):
            await job
        assert asyncio.get_running_loop().time() == pytest.approx(began + 50.0, abs=0.5)


# --- with which key


async def test_it_is_followed_with_its_own_key_under_any_name() -> None:
    """The key counts; where several connections have it, the one that it was submitted with."""
    store = MemoryStore()
    async with Sandbox() as box:
        left = await left_running(box, store)
        async with session_on(box, store, luma(box, "mine"), luma(box, "yours")) as session:
            (job,) = await session.resume()
            assert (job.id, job.connection) == (left.id, "mine")
        async with session_on(box, store, luma(box, "another"), luma(box, "luma")) as session:
            (job,) = await session.resume()
            assert job.connection == "luma"
            assert (await job).state is State.COMPLETED


async def test_without_its_key_it_is_left_alone_and_that_is_said() -> None:
    """It may not even be read with another."""
    store = MemoryStore()
    async with Sandbox() as box:
        left = await left_running(box, store)
        async with session_on(box, store, luma(box, key="luma-api-another-key-987654")) as session:
            assert await session.resume() == []
            asked = len(box.requests)
            with pytest.raises(aiogen.ConfigurationError, match="a key that this session does not have"):
                await session.job(left.id)
            assert len(box.requests) == asked
