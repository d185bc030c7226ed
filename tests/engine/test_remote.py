"""`aiogen._engine.remote`: jobs that somebody waits for here, and another process sends and follows."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import aiogen
from aiogen import Job, State
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

LEASE = 3.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


@asynccontextmanager
async def session_on(
    box: Sandbox, store: Any, *, max_active: int = 10, **options: Any
) -> AsyncIterator[aiogen.Session]:
    provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, max_active=max_active)
    async with asyncio.timeout(3600.0), aiogen.Session([provider], store=store, **options) as session:
        yield session


@asynccontextmanager
async def two(path: Path, **options: Any) -> AsyncIterator[tuple[Sandbox, aiogen.Session, aiogen.Session]]:
    """One that runs one job at a time, and another that watches; these are its options."""
    async with Sandbox() as box, session_on(box, path, max_active=1) as one, session_on(box, path, **options) as other:
        yield box, one, other


async def watched(session: aiogen.Session, job: Job) -> Job:
    """The other one's handle to this job."""
    same = await session.job(job.id)
    assert same is not None
    assert same is not job
    return same


async def events(job: Job) -> list[State]:
    return [event.state async for event in job.events()]


class Frozen(SqliteStore):
    """Its process stands still as far as its ledger can see: no heartbeat."""

    stands = False

    async def heartbeat(self) -> bool:
        while self.stands:
            await asyncio.sleep(0.1)
        return await super().heartbeat()


# --- what the ledger knows


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_what_is_unknown_is_said_at_once_also_without_its_first_handle(path: Path, kind: str) -> None:
    """It was collected; the ledger still knows that the create was never answered, and nobody waits for a day."""
    async with Sandbox() as box, session_on(box, path if kind == "file" else None) as session:
        job = await session.submit("luma/uni-1", "a boat [[create=cut-after]]")
        with pytest.raises(aiogen.SubmissionUnknown):
            await job
        job_id, first = job.id, weakref.ref(job)
        del job
        async with asyncio.timeout(3000.0):
            while first() is not None:  # a timer may know it for a while
                await asyncio.sleep(130.0)
                gc.collect()
        again = await session.job(job_id)
        assert again is not None
        began = asyncio.get_running_loop().time()
        with pytest.raises(aiogen.SubmissionUnknown) as caught:
            await again
        assert caught.value.job_id == job_id
        assert asyncio.get_running_loop().time() < began + 0.1


async def test_a_watcher_sees_that_it_was_accepted_and_has_begun(path: Path) -> None:
    """It is queued then, and has the vendor's id: what a user would look for at the vendor."""
    async with two(path) as (_, one, other):
        before = await one.submit("luma/uni-1", "a ship [[processing=20]]")
        mine = await one.submit("luma/uni-1", "a boat [[processing=20]]")
        theirs = await watched(other, mine)
        seen = asyncio.create_task(events(theirs))
        await before
        assert (theirs.state, theirs.provider_id) == (State.PENDING, None)
        provider_id = await mine.accepted()
        assert await asyncio.wait_for(theirs.accepted(), 0.5) == provider_id
        assert (theirs.state, theirs.provider_id, theirs.done) == (State.QUEUED, provider_id, False)
        assert (await theirs).url == (await mine).url
        states = await seen
        assert [states[0], *states[-3:]] == [State.PENDING, State.QUEUED, State.PROCESSING, State.COMPLETED]


async def test_a_watcher_hears_that_the_create_was_never_answered(path: Path) -> None:
    """As soon as the one that sent it."""
    async with two(path) as (_, one, other):
        before = await one.submit("luma/uni-1", "a ship [[processing=20]]")
        mine = await one.submit("luma/uni-1", "a boat [[create=cut-after]]")
        theirs = await watched(other, mine)
        await before
        with pytest.raises(aiogen.SubmissionUnknown):
            await mine
        with pytest.raises(aiogen.SubmissionUnknown) as caught:
            await asyncio.wait_for(theirs, 0.5)
        assert (caught.value.job_id, theirs.state) == (mine.id, State.UNKNOWN)


# --- how long it is waited for


@pytest.mark.no_cover
async def test_a_watcher_s_deadline_begins_when_it_is_accepted(path: Path) -> None:
    """As with the one that sends it: waiting for its turn there does not count."""
    loop = asyncio.get_running_loop()
    async with two(path) as (_, one, other):
        before = await one.submit("luma/uni-1", "a ship [[processing=100]]")
        mine = await one.submit("luma/uni-1", "a boat [[processing=1000]]", timeout=30.0)
        theirs = await watched(other, mine)
        await before
        assert not theirs.done
        await mine.accepted()
        accepted_at = loop.time()
        with pytest.raises(aiogen.GenerationTimeout, match=r"did not finish within 30 s of"):
            await theirs
        assert loop.time() == pytest.approx(accepted_at + 30.0, abs=0.5)


@pytest.mark.no_cover
async def test_a_watcher_waits_for_another_s_turn_no_longer_than_for_its_own(path: Path) -> None:
    """It is told that it may be sent all the same."""
    loop = asyncio.get_running_loop()
    async with two(path, queue_timeout=30.0) as (box, one, other):
        await one.submit("luma/uni-1", "a ship [[processing=100]]")
        mine = await one.submit("luma/uni-1", "a boat")
        theirs = await watched(other, mine)
        began = loop.time()
        with pytest.raises(aiogen.GenerationTimeout, match="do not submit it again"):
            await theirs
        assert loop.time() == pytest.approx(began + 30.0, abs=0.5)
        assert (await mine).state is State.COMPLETED
        assert len(box.jobs) == 2


# --- from one to the other


async def test_what_was_processed_here_is_not_queued_again_there(path: Path) -> None:
    """One stands still, and another takes its jobs over: who waits here sees the end, and no step back."""
    async with Sandbox() as box:
        store = Frozen(path, lease=LEASE)
        async with session_on(box, store) as one, session_on(box, SqliteStore(path, lease=LEASE)) as other:
            job = await one.submit("luma/uni-1", "a boat [[queued=5 processing=60]]")
            seen = asyncio.create_task(events(job))
            while job.state is not State.PROCESSING:
                await asyncio.sleep(0.5)
            store.stands = True
            taken_up: list[Job] = []
            while not taken_up:
                await asyncio.sleep(0.1)
                taken_up = await other.resume()
            store.stands = False
            ended = await job
            assert (ended.id, ended.url) == (taken_up[0].id, (await taken_up[0]).url)
            assert (await seen)[-2:] == [State.PROCESSING, State.COMPLETED]
            assert [record.state for record in await one.records()] == [State.COMPLETED]
        assert len(box.jobs) == 1


# --- one that stood still, and nobody took anything over


class Silent(MemoryStore):
    """It says of itself what one in a file would; its heartbeats wait while it stands, and the lease is kept then."""

    stands = False

    @property
    def lease(self) -> float:
        return LEASE

    async def heartbeat(self) -> bool:
        while self.stands:
            await asyncio.sleep(0.1)
        return True


@pytest.mark.parametrize("loses", [True, False])
async def test_what_ended_while_its_process_stood_still_is_not_called_late(path: Path, loses: bool) -> None:
    """Its deadline passed while nothing could be asked: that is no fault of the vendor's, so it is asked once more."""
    async with Sandbox() as box:
        store = Frozen(path, lease=LEASE) if loses else Silent()
        async with session_on(box, store) as session:
            job = await session.submit("luma/uni-1", "a boat [[processing=10]]", timeout=12.0)
            await job.accepted()
            await asyncio.sleep(6.0)
            store.stands = True
            await asyncio.sleep(2.5 * LEASE)
            assert not job.done
            store.stands = False
            assert (await asyncio.wait_for(job, 5.0)).state is State.COMPLETED
            assert [(record.id, record.state) for record in await session.records()] == [(job.id, State.COMPLETED)]


async def test_a_ledger_that_stays_away_puts_off_no_deadline_for_ever(path: Path) -> None:
    """For four leases from the last heartbeat; then whoever waits is told that it may still finish."""
    loop = asyncio.get_running_loop()
    async with Sandbox() as box, session_on(box, store := Silent()) as session:
        job = await session.submit("luma/uni-1", "a boat [[processing=1000]]", timeout=12.0)
        await job.accepted()
        await asyncio.sleep(6.0)
        store.stands, since = True, loop.time()
        with pytest.raises(aiogen.GenerationTimeout, match="did not finish within 12 s"):
            await job
        assert since + 3 * LEASE < loop.time() < since + 4 * LEASE + 4.0
        store.stands = False


async def test_however_often_it_is_lost_a_job_keeps_its_deadline(path: Path) -> None:
    """Its age counts once."""
    async with Sandbox() as box:
        store = Frozen(path, lease=LEASE)
        async with session_on(box, store) as session:
            job = await session.submit("luma/uni-1", "a boat [[processing=280]]", timeout=300.0)
            await job.accepted()
            for _ in range(3):
                await asyncio.sleep(60.0)
                store.stands = True
                await asyncio.sleep(1.5 * LEASE)
                store.stands = False
            assert (await job).state is State.COMPLETED
            assert job.timeout == 300.0


class CutOff(SqliteStore):
    """It cannot be reached from the moment after an intent until `is_cut` is False again; facts come through later."""

    is_cut = False
    missing = 3
    """So many facts are still lost on their way once it can be reached."""

    @property
    def can_be_cut_off(self) -> bool:
        return True

    def _answer(self) -> None:
        if self.is_cut:
            raise aiogen.StoreError("The server cannot be reached.", retryable=True)

    def _take(self) -> None:
        self._answer()
        self.missing -= 1
        if self.missing >= 0:
            raise aiogen.StoreError("The connection was lost.", retryable=True)

    async def heartbeat(self) -> bool:
        self._answer()
        return await super().heartbeat()

    async def intend(self, job_id: str, *room: Any) -> float:
        self._answer()
        wait = await super().intend(job_id, *room)
        self.is_cut = self.missing > 0
        return wait

    async def confirm(self, *args: Any, **more: Any) -> bool:
        self._take()
        return await super().confirm(*args, **more)

    async def release(self, job_id: str) -> None:
        self._take()
        await super().release(job_id)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("answer", ["ok", "rpm"])
async def test_what_came_of_a_create_is_not_lost_though_the_ledger_hears_of_it_late(
    path: Path, answer: str, others: int
) -> None:
    """Others had to believe that nobody knows.  It runs, or waits, and is followed, or sent, by whoever looks next."""
    async with Sandbox() as box, AsyncExitStack() as stack:
        store = CutOff(path, lease=LEASE)
        one = await stack.enter_async_context(session_on(box, store))
        for _ in range(others):
            await stack.enter_async_context(session_on(box, SqliteStore(path, lease=LEASE)))
        directive = "" if answer == "ok" else f"create={answer}"
        job = await one.submit("luma/uni-1", f"a boat [[processing=20 {directive}]]")
        ended = asyncio.create_task(events(job))
        while not store.is_cut:
            await asyncio.sleep(0.1)
        await asyncio.sleep(2.5 * LEASE)
        store.is_cut = False
        generation = await asyncio.wait_for(job, 200.0)
        assert generation.state is State.COMPLETED
        assert State.UNKNOWN not in await ended
        assert [(record.id, record.state) for record in await one.records()] == [(job.id, State.COMPLETED)]
        assert len(box.jobs) == 1


class Overtaken(SqliteStore):
    """Others end its lease while it writes down what came of a create, which takes seconds."""

    async def confirm(self, *args: Any, **more: Any) -> bool:
        await asyncio.sleep(2.0)
        await self._write(lambda c: c.execute("DELETE FROM aiogen_worker WHERE id = ?", (self.worker,)))
        return await super().confirm(*args, **more)


async def test_what_turns_out_late_to_be_anothers_is_not_followed_here(path: Path) -> None:
    """Nobody waits for the ledger for longer than a moment; but what it says then counts."""
    async with (
        Sandbox() as box,
        session_on(box, Overtaken(path, lease=60.0)) as one,
        session_on(box, SqliteStore(path, lease=60.0)) as other,
    ):
        job = await one.submit("luma/uni-1", "a boat [[processing=15]]")
        ended = asyncio.create_task(events(job))
        await job.accepted()
        await asyncio.sleep(4.0)  # and one's next heartbeat is in 14 s
        account = one.connections["luma"]
        assert one._open().hub.account(account).tracks == {}
        assert len(other._open().hub.account(account).tracks) == 1
        assert (await asyncio.wait_for(job, 200.0)).state is State.COMPLETED
        assert State.UNKNOWN not in await ended
        assert len(box.jobs) == 1


async def test_a_watcher_that_takes_it_over_goes_on_with_the_same_handle(path: Path) -> None:
    """The one that followed it has left: whoever waits here notices nothing."""
    async with Sandbox() as box, session_on(box, path) as other:
        async with session_on(box, path) as one:
            mine = await one.submit("luma/uni-1", "a boat [[processing=30]]")
            await mine.accepted()
            theirs = await watched(other, mine)
        assert (await theirs).state is State.COMPLETED
        assert await other.resume() == [theirs]
    assert len(box.jobs) == 1


async def test_what_is_taken_over_before_it_is_sent_can_be_withdrawn(path: Path) -> None:
    """It is this session's then, and not another's any more."""
    async with Sandbox() as box, session_on(box, path, max_active=1) as other:
        running = await other.submit("luma/uni-1", "a ship [[processing=60]]")
        await running.accepted()
        async with session_on(box, path, max_active=1) as one:
            mine = await one.submit("luma/uni-1", "a boat")
            theirs = await watched(other, mine)
            assert not await theirs.withdraw()
        while not await other.resume():
            await asyncio.sleep(0.1)
        assert await theirs.withdraw()
        with pytest.raises(aiogen.GenerationFailed, match="withdrawn before it was sent"):
            await theirs
    assert [job.prompt for job in box.jobs] == ["a ship"]


async def test_a_create_that_was_on_its_way_when_its_process_stood_still_is_unknown(path: Path) -> None:
    """It is not sent again by whoever takes it over, and the one that waits there is told so at once."""
    async with Sandbox() as box:
        store, its = Frozen(path, lease=LEASE), SqliteStore(path, lease=LEASE)
        async with session_on(box, store, submit_timeout=60.0) as one, session_on(box, its) as other:
            mine = await one.submit("luma/uni-1", "a boat [[create=hang]]")
            while mine.state is not State.SUBMITTING:
                await asyncio.sleep(0.1)
            theirs = await watched(other, mine)
            store.stands = True
            began = asyncio.get_running_loop().time()
            with pytest.raises(aiogen.SubmissionUnknown):
                await theirs
            assert asyncio.get_running_loop().time() < began + LEASE + LEASE / 3 + 1.0
            store.stands = False
            with pytest.raises(aiogen.SubmissionUnknown):
                await mine
        assert sum(seen.action == "create" for seen in box.requests) == 1
