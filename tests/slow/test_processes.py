"""Several processes on one ledger: one stands still, one is killed; nothing is lost, or paid or asked for twice."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from processes.ledger import known, owners, states, until
from processes.running import running
from processes.vendor import Vendor

import aiogen
from aiogen import State
from aiogen.sandbox import LUMA_KEY, LumaSettings, Sandbox
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

LEASE = 1.5
"""Seconds; a machine that does much else may hold up a process for one."""
JOBS, SUBMITTED = 4_700, 300
"""Of the processes that share them: what runs already, and what is sent now."""
COUNT = 200


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


async def test_two_processes_that_await_one_job_get_one_result(path: Path) -> None:
    """Only the one that submitted it asks the vendor."""
    # Two processes begin and end; on a machine at a load of ten times its processors that took half a minute.
    async with asyncio.timeout(100.0), Vendor.open(1.0) as vendor:
        async with running("one", vendor, path) as one, running("other", vendor, path) as other:
            await one.tell("submit", prompts=["a boat"])
            (submitted,) = await one.hears("submitted")
            await until(lambda: states(path) == {"processing": 1})
            for each in (one, other):
                await each.tell("follow", ids=submitted["ids"])
            (here,), (there,) = await one.hears("ended"), await other.hears("ended")
        assert "'url': 'https://storage.example/" in here["result"]
        assert here["result"] == there["result"]
        assert vendor.prompts == ["a boat"]
        assert vendor.of("other") == []


# --- one stands still


async def test_one_that_stood_still_touches_nothing_that_is_anothers(path: Path) -> None:
    """No question, no create and no handler before it knows; and still each of its waiters gets the result."""
    options = {"lease": LEASE, "provider": {"max_active": 4}, "session": {"poll_cost": 0.01}}
    prompts = [f"boat {i}" for i in range(8)]
    async with asyncio.timeout(100.0), Vendor.open(1.2) as vendor:
        # It takes its time to begin anew, so that what it does too early is seen.
        async with running("one", vendor, path, slow_return=0.7, **options) as one:
            await one.tell("handle", name="gallery")
            await one.hears("handles")
            vendor.hold("one", after=3)
            await one.tell("submit", prompts=prompts, wait=True)
            await until(lambda: vendor.unanswered >= 3)  # the fourth create, and two questions
            one.stop()
            stopped_at = time.monotonic()
            assert states(path) == {"processing": 3, "submitting": 1, "pending": 4}
            async with running("other", vendor, path, **options) as other:
                await until(lambda: owners(path, one)[True] == 0 and states(path)["completed"] > 0)
                await until(lambda: time.monotonic() > stopped_at + 2 * LEASE)
                vendor.release()
                woken_at = time.monotonic()
                one.go_on()
                (anew,) = await one.hears("registered anew")
                assert vendor.of("one", since=woken_at) == []
                ended = await one.hears("ended", 8)
                await one.hears("told", 8)
                assert not other.heard("told")
        told = one.heard("told")
        assert min(each["at"] for each in told) > anew["at"]
        assert sorted(each["id"] for each in told) == sorted(each["id"] for each in ended)
        assert all("'state': <State.COMPLETED" in each["result"] for each in ended)
        assert vendor.prompts == prompts
        # The answer to its fourth create came home late: whoever took that job up then is the only one who asks.
        late = [visit.id for visit in vendor.visits if visit.is_create][3]
        assert {visit.id for visit in vendor.of("one", since=woken_at)} <= {late}
        assert {tuple(turns) for turns in vendor.askers().values()} <= {("one",), ("one", "other"), ("other",)}
        assert states(path) == {"completed": 8}


async def test_what_it_was_about_to_do_when_it_was_stopped_is_not_done(path: Path) -> None:
    """One job was about to be sent, another had nearly waited for too long: the other process sends both."""
    prompts = ["boat 0", "boat 1"]
    async with asyncio.timeout(100.0), Vendor.open(3.0) as vendor:
        options = {"lease": LEASE, "provider": {"max_active": 1}, "session": {"queue_timeout": 1.0}}
        async with running("one", vendor, path, slow_intent=1.0, slow_return=0.3, **options) as one:
            await one.tell("submit", prompts=prompts, wait=True)
            await one.hears("intends")
            await one.hears("submitted")
            await asyncio.sleep(0.1)  # it has begun to wait for its disk
            one.stop()
            stopped_at = time.monotonic()
            async with running("other", vendor, path, lease=LEASE) as other:
                await until(lambda: time.monotonic() > stopped_at + 2 * LEASE and len(vendor.made) == 2)
                one.go_on()
                ended = await one.hears("ended", 2)
                assert [each for each in ended if "error" in each] == [], one.said
                assert not other.heard("lost")
        assert vendor.of("one") == []
        assert vendor.prompts == prompts
        assert states(path) == {"completed": 2}


async def test_that_a_job_was_not_sent_only_its_owner_can_say(path: Path) -> None:
    """A withdrawal that comes after another process has taken the job over ends nothing there."""
    one, other = SqliteStore(path, lease=0.5), SqliteStore(path, lease=0.5)
    pending = {"connection": "luma", "provider": "luma", "created_at": datetime.now(UTC), "state": State.PENDING}
    withdrawn = aiogen.Generation(
        id="a", provider_id=None, provider="luma", connection="luma", model="uni-1", state=State.CANCELLED
    )
    async with asyncio.timeout(30.0), AsyncExitStack() as stack:
        for store in (one, other):
            await store.open()
            stack.push_async_callback(store.close)
        await one.add(Record(id="a", account="account", **pending))
        while not await other.adopt(["account"]):  # the first one stands still
            await asyncio.sleep(0.1)
            await other.heartbeat()
        for store, state in ((one, State.PENDING), (other, State.CANCELLED)):
            await store.settle([withdrawn])
            assert [record.state for record in await other.find(RecordQuery())] == [state]


# --- one is killed


@pytest.mark.timeout(150)
async def test_the_jobs_of_one_that_is_killed_are_taken_over(path: Path) -> None:
    """All of them within the lease, a heartbeat and a second; none is lost, and none made or asked for by two."""
    lease = 5.0
    limits = {"max_active": 2 * JOBS, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
    async with asyncio.timeout(140.0), Vendor.open() as vendor, AsyncExitStack() as stack:
        begun = (
            running(name, vendor, path, lease=lease, provider=limits, session={"poll_cost": 1.0})
            for name in ("one", "two", "three")
        )
        workers = await asyncio.gather(*map(stack.enter_async_context, begun))
        one, *others = workers
        running_there = vendor.make(JOBS)
        for i, worker in enumerate(workers):
            await worker.tell("attach", ids=running_there[i::3])
        for i, worker in enumerate(workers):
            await worker.hears("attached")
            await worker.tell("submit", prompts=[f"boat {j:03}" for j in range(i, SUBMITTED, 3)])
        for worker in workers:
            await worker.hears("submitted")
        # Most of its own still wait for their turn, and some are on their way.
        await until(lambda: sum(visit.is_create for visit in vendor.of("one")) > 20)
        killed_at = time.monotonic()
        await one.kill()
        assert owners(path, one)[True] > JOBS // 3
        await until(lambda: owners(path, one)[True] == owners(path, one)[None] == 0)
        adopted_after = time.monotonic() - killed_at
        vendor.end_within(5.0)
        await until(lambda: set(states(path)) <= {"completed", "unknown"}, every=0.1)
        assert not [each.name for each in others if each.heard("lost")]
    # The promise is lease + heartbeat + 1 s; the rest is for a machine that does something else as well.
    assert adopted_after < lease + lease / 3 + 1.0 + 3.0
    counts = states(path)
    assert counts["completed"] + counts["unknown"] == JOBS + SUBMITTED
    assert counts["unknown"] <= 16  # so many creates are on their way at once
    assert len(vendor.prompts) == len(set(vendor.prompts))
    assert len(vendor.prompts) + counts["unknown"] >= SUBMITTED
    assert len(vendor.made.keys() - known(path)) <= counts["unknown"]
    handed_over = {("one", "two"), ("one", "three")}
    assert {tuple(turns) for turns in vendor.askers().values()} <= handed_over | {("one",), ("two",), ("three",)}


async def test_survivors_share_the_jobs_of_the_dead_whatever_the_lease(path: Path) -> None:
    """That its process is gone is seen on its own machine, long before its lease is over; nobody takes all of them."""
    limits = {"max_active": 10_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
    async with asyncio.timeout(100.0), Vendor.open() as vendor, AsyncExitStack() as stack:
        begun = (
            running(name, vendor, path, lease=600.0, provider=limits, session={"poll_cost": 1.0})
            for name in ("one", "two", "three")
        )
        one, *others = await asyncio.gather(*map(stack.enter_async_context, begun))
        await one.tell("attach", ids=vendor.make(300))
        await one.hears("attached")
        assert owners(path, one)[True] == 300
        await one.kill()
        await until(lambda: owners(path, one)[True] == owners(path, one)[None] == 0)
        for each in others:
            assert 100 <= owners(path, each)[True] <= 200
        vendor.end_within(1.0)
        await until(lambda: states(path) == {"completed": 300}, every=0.1)


# --- answers that never come


async def test_creates_whose_answers_are_lost_are_unknown_and_stay_so(path: Path) -> None:
    """Two hundred may be running and charged: each is told, listed, and sent again by nobody."""
    limits = {"max_active": 2 * COUNT, "creates_per_minute": 2 * COUNT, "requests_per_minute": 100_000}
    many = LumaSettings(max_active=2 * COUNT, creates_per_window=2 * COUNT)
    async with asyncio.timeout(50.0), Sandbox(speed=100.0, luma=many) as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, **limits)
        async with aiogen.Session([provider], store=path) as session:
            prompts = [f"boat {i} [[create=cut-after]]" for i in range(COUNT)]
            jobs = [await session.submit("luma/uni-1", prompt) for prompt in prompts]
            ended = await asyncio.gather(*jobs, return_exceptions=True)
            assert {type(error) for error in ended} == {aiogen.SubmissionUnknown}
            assert {error.job_id for error in ended} == {job.id for job in jobs}
            unknown = await session.records(states=[State.UNKNOWN])
            assert {record.id for record in unknown} == {job.id for job in jobs}
        async with aiogen.Session([provider], store=path) as session:
            assert await session.resume() == []
            assert (await session.generate("luma/uni-1", "one more")).state is State.COMPLETED
            assert {record.id for record in await session.records(states=[State.UNKNOWN])} == {job.id for job in jobs}
        creates = [seen for seen in box.requests if seen.action == "create"]
        assert len(creates) == len(box.jobs) == COUNT + 1
