"""`aiogen._jobs.intake`: how jobs come in, and for how long what was left behind is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

import aiogen
from aiogen import State
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores.base import Record
from aiogen.stores.memory import MemoryStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]


@asynccontextmanager
async def session_on(box: Sandbox, store: Any, **options: Any) -> AsyncIterator[aiogen.Session]:
    own = {name: options.pop(name) for name in ("max_active",) if name in options}
    provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, **own)
    async with asyncio.timeout(36_000.0), aiogen.Session([provider], store=store, **options) as session:
        yield session


async def test_what_is_taken_in_stands_in_the_ledger_with_all_that_the_next_session_needs() -> None:
    """Before it is sent: who may follow it, for how long, what it weighs, and who is told of its end."""
    store = MemoryStore()
    async with Sandbox() as box, session_on(box, store, max_active=1) as session:
        await session.submit("luma/uni-1", "first")
        await session.on_completion("gallery", lambda _: None)
        job = await session.submit("luma/uni-1", "a boat", timeout=77.0, batch="fleet")
        record = await store.get(job.id)
        assert record is not None
        assert (record.state, record.timeout, record.batch, record.weight) == (State.PENDING, 77.0, "fleet", 1)
        assert (record.connection, record.provider, record.handlers) == ("luma", "luma", ("gallery",))
        assert record.submission is not None
        assert record.submission.prompt == "a boat"


class Unwilling(MemoryStore):
    """It takes no job, or takes its time."""

    async def add(self, record: Record) -> None:
        raise aiogen.StoreError("no paper left")


@pytest.mark.parametrize("verb", ["submit", "attach"])
async def test_what_the_ledger_does_not_take_is_not_begun(verb: str) -> None:
    """The caller has no handle, so nobody may send or follow it either."""
    async with Sandbox() as box, session_on(box, Unwilling()) as session:
        with pytest.raises(aiogen.StoreError, match="no paper left"):
            await (session.submit("luma/uni-1", "a boat") if verb == "submit" else session.attach("luma", "some-id"))
        await asyncio.sleep(60.0)
        assert (session.jobs(), box.requests) == ([], [])


# --- left behind


@pytest.mark.parametrize(("away", "left"), [(0.0, 300.0), (100.0, 200.0), (290.0, 60.0), (5000.0, 60.0)])
async def test_what_was_left_behind_keeps_its_deadline(away: float, left: float) -> None:
    """It counts from the acceptance, whoever was away meanwhile; a minute is given in any case."""
    store, loop = MemoryStore(), asyncio.get_running_loop()
    async with Sandbox() as box:
        async with session_on(box, store) as session:
            await (await session.submit("luma/uni-1", "a boat [[processing=30000]]", timeout=300.0)).accepted()
        await asyncio.sleep(away)
        async with session_on(box, store) as session:
            (job,) = await session.resume()
            began = loop.time()
            with pytest.raises(aiogen.GenerationTimeout):
                await job
            assert loop.time() == pytest.approx(began + left, abs=1.0)


@pytest.mark.parametrize("away", [0.0, 300.0])
async def test_how_long_it_runs_already_counts(away: float) -> None:
    """What has run for minutes is probably done, and is asked about at once; what has just begun is not."""
    store, loop = MemoryStore(), asyncio.get_running_loop()
    async with Sandbox() as box:
        async with session_on(box, store) as session:
            await (await session.submit("luma/uni-1", "a boat [[processing=100]]")).accepted()
        await asyncio.sleep(away)
        async with session_on(box, store) as session:
            (job,) = await session.resume()
            began, asked = loop.time(), len(box.requests)
            assert (await job).state is State.COMPLETED
            assert (box.requests[asked].at - began < 0.3) is (away > 0.0)


async def test_the_vendor_s_places_are_taken_by_what_was_left_behind() -> None:
    """Nothing more is sent than the account allows, also right after a restart."""
    store = MemoryStore()
    async with Sandbox() as box:
        async with session_on(box, store, max_active=2) as session:
            jobs = [await session.submit("luma/uni-1", f"boat {i} [[processing=100]]") for i in range(2)]
            await asyncio.gather(*(job.accepted() for job in jobs))
        async with session_on(box, store, max_active=2) as session:
            running = await session.resume()
            waiting = await session.submit("luma/uni-1", "boat 2")
            await asyncio.sleep(30.0)
            assert waiting.state is State.PENDING
            await asyncio.gather(*running)
            await asyncio.wait_for(waiting.accepted(), 5.0)
        assert sum(seen.status == 429 for seen in box.requests) == 0


async def test_what_cannot_be_sent_again_is_withdrawn_in_the_ledger_too() -> None:
    """Its request was not kept: it says so, and no later session finds it."""
    store = MemoryStore()
    async with Sandbox() as box:
        async with session_on(box, store, max_active=1) as session:
            await (await session.submit("luma/uni-1", "first [[processing=100]]")).accepted()
            job_id = (await session.submit("luma/uni-1", "a boat")).id
        record = store._records[job_id]
        assert record.submission is not None
        store._records[job_id] = attrs.evolve(record, submission=attrs.evolve(record.submission, body=b""))
        async with session_on(box, store) as session:
            job = await session.job(job_id)
            assert job is not None
            with pytest.raises(aiogen.GenerationFailed, match="its request was not kept"):
                await job
            assert [each.id for each in await session.records(states=[State.CANCELLED])] == [job_id]
        assert [each.prompt for each in box.jobs] == ["first"]


async def test_a_create_that_was_under_way_is_told_as_unknown_with_its_moment() -> None:
    """It is sent by nobody again."""
    store = MemoryStore()
    async with Sandbox() as box:
        async with session_on(box, store, max_active=1) as session:
            await (await session.submit("luma/uni-1", "first")).accepted()
            job_id = (await session.submit("luma/uni-1", "a boat")).id
        await store.intend(job_id)  # the program died in that create
        store._change(job_id, owner=None)
        async with session_on(box, store) as session:
            job = await session.job(job_id)
            assert job is not None
            with pytest.raises(aiogen.SubmissionUnknown) as caught:
                await job
            assert caught.value.job_id == job_id
            assert (await session.records(states=[State.UNKNOWN]))[0].id == job_id
            await asyncio.sleep(100.0)
        assert [each.prompt for each in box.jobs] == ["first"]
