"""Sessions and their ledger in a file: what one leaves behind the next takes up, and several share it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from serving import Vendor, done, luma, serving

import aiogen
from aiogen import Generation, State
from aiogen.sandbox import LUMA_KEY, LumaSettings, Sandbox
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """Not started yet: the virtual clock runs in the body of a test alone."""
    box = Sandbox(speed=40.0)
    yield box
    await box.stop()


@asynccontextmanager
async def session_on(box: Sandbox, store: Any, **options: Any) -> AsyncIterator[aiogen.Session]:
    await box.start()
    own = {name: options.pop(name) for name in ("max_active", "key") if name in options}
    provider = aiogen.Luma(
        api_key=own.get("key", LUMA_KEY), base_url=box.luma_url, max_active=own.get("max_active", 10)
    )
    async with asyncio.timeout(30.0), aiogen.Session([provider], store=store, poll_cost=0.01, **options) as session:
        yield session


def made(box: Sandbox) -> list[str]:
    """The prompts of what the vendor carried out."""
    return sorted(job.prompt for job in box.jobs)


# --- one after the other


async def test_what_waited_is_sent_and_what_ran_is_followed_by_the_next(box: Sandbox, path: Path) -> None:
    """Nothing twice, and everything ends."""
    async with session_on(box, path, max_active=2) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}", batch="fleet") for i in range(5)]
        await asyncio.gather(*(job.accepted() for job in jobs[:2]))
    with pytest.raises(aiogen.SessionClosed, match=r"in the ledger: the next session .* follows it"):
        await jobs[0]
    with pytest.raises(aiogen.SessionClosed, match="do not submit it again"):
        await jobs[4]
    async with session_on(box, path) as session:
        taken_up = await session.resume()
        assert await session.resume() == []
        assert {job.id for job in taken_up} == {job.id for job in jobs}
        assert {job.batch for job in taken_up} == {"fleet"}
        ended = await asyncio.gather(*taken_up)
    assert {each.state for each in ended} == {State.COMPLETED}
    assert made(box) == [f"boat {i}" for i in range(5)]


async def test_it_is_taken_up_though_nobody_asks(box: Sandbox, path: Path) -> None:
    """Paid for is paid for: the ledger has the result."""
    async with session_on(box, path) as session:
        await (await session.submit("luma/uni-1", "a boat")).accepted()
    async with session_on(box, path) as session:
        while (await session.records())[0].state is not State.COMPLETED:
            await asyncio.sleep(0.05)
        (record,) = await session.records(states=[State.COMPLETED])
    assert record.generation is not None
    assert record.generation.url is not None


async def test_a_lost_create_is_told_to_the_next(box: Sandbox, path: Path) -> None:
    """It may be running and charged: it is not sent again, and not hidden."""
    async with session_on(box, path) as session:
        await (await session.submit("luma/uni-1", "a boat"))
    connection = sqlite3.connect(path)  # as if the program had died in the create
    connection.execute("UPDATE aiogen_job SET state = 'submitting', finished_at = NULL, submitted_at = 1e9")
    connection.commit()
    connection.close()
    async with session_on(box, path) as session:
        (job,) = await session.resume()
        with pytest.raises(aiogen.SubmissionUnknown, match="2001-09-09") as caught:
            await job
        assert caught.value.job_id == job.id
        assert [record.state for record in await session.records()] == [State.UNKNOWN]
    async with session_on(box, path) as session:
        assert await session.resume() == []  # told once; it stays in the ledger
        assert len(await session.records(states=[State.UNKNOWN])) == 1
    assert len(box.jobs) == 1


async def test_without_its_request_a_job_cannot_be_sent(box: Sandbox, path: Path) -> None:
    """It says so, and the ledger does not keep it for ever."""
    async with session_on(box, SqliteStore(path, keep_requests=False), max_active=1) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        await jobs[0].accepted()
    async with session_on(box, path) as session:
        taken_up = {job.id: job for job in await session.resume()}
        assert (await taken_up[jobs[0].id]).state is State.COMPLETED
        with pytest.raises(aiogen.GenerationFailed, match="nothing was charged"):
            await taken_up[jobs[1].id]
        assert {record.state for record in await session.records()} == {State.COMPLETED, State.CANCELLED}
    assert len(box.jobs) == 1


async def test_what_gave_up_waiting_is_not_sent_by_the_next(box: Sandbox, path: Path) -> None:
    """Its program was told to submit it again."""
    async with session_on(box, path, max_active=1, queue_timeout=0.2) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        with pytest.raises(aiogen.GenerationTimeout):
            await jobs[1]
    async with session_on(box, path) as session:
        assert [job.id for job in await session.resume()] in ([], [jobs[0].id])
    assert made(box) == ["boat 0"]


async def test_a_job_is_withdrawn(box: Sandbox, path: Path) -> None:
    """Before it is sent, and only then."""
    async with session_on(box, path, max_active=1) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        await jobs[0].accepted()
        assert await jobs[1].withdraw()
        assert not await jobs[1].withdraw()
        assert not await jobs[0].withdraw()
        with pytest.raises(aiogen.GenerationFailed, match="withdrawn before it was sent"):
            await jobs[1]
        assert jobs[1].state is State.CANCELLED
        await jobs[0]
    assert made(box) == ["boat 0"]


class Slow(SqliteStore):
    """The disk takes its time for an intent."""

    async def intend(self, *fact: Any) -> float:
        await asyncio.sleep(0.2)
        return await super().intend(*fact)


async def test_what_was_not_sent_is_told_so_by_the_ledger_too(box: Sandbox, path: Path) -> None:
    """In another process, or later: it does not say that a generation failed at the vendor."""
    async with session_on(box, path, max_active=1) as one, session_on(box, path) as other:
        jobs = [await one.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        await jobs[0].accepted()
        same = await other.job(jobs[1].id)
        assert same is not None
        assert await jobs[1].withdraw()
        for told in (same, await other.job(jobs[1].id)):
            with pytest.raises(aiogen.GenerationFailed, match=r"before it was sent to luma; nothing") as caught:
                await told
            assert (caught.value.job_id, caught.value.provider_id) == (jobs[1].id, None)


async def test_what_is_withdrawn_while_its_intent_is_written_is_not_sent(box: Sandbox, path: Path) -> None:
    """Its user was told that nothing is charged."""
    async with session_on(box, Slow(path)) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await asyncio.sleep(0.1)
        assert await job.withdraw()
        await asyncio.sleep(0.4)
        assert [record.state for record in await session.records()] == [State.CANCELLED]
    assert box.jobs == []


async def test_jobs_of_another_key_wait_for_it(box: Sandbox, path: Path) -> None:
    """They are nobody's until a session with that key comes."""
    async with session_on(box, path) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
    async with session_on(box, path, key="luma-api-another-key-987654") as session:
        assert await session.resume() == []
        with pytest.raises(aiogen.ConfigurationError, match="a key that this session does not have"):
            await session.job(job.id)
    async with session_on(box, path) as session:
        assert [job.id for job in await session.resume()] == [job.id]


async def test_the_key_is_not_in_the_file(box: Sandbox, path: Path) -> None:
    """Nor in what stands beside it."""
    async with session_on(box, path) as session:
        await session.generate("luma/uni-1", "a boat")
        assert LUMA_KEY.encode() not in b"".join(each.read_bytes() for each in path.parent.iterdir())


async def test_what_was_learned_outlives_the_session(box: Sandbox, path: Path) -> None:
    """Also in a file."""
    async with session_on(box, path) as session:
        await session.generate("luma/uni-1", "a boat")
    async with session_on(box, path) as session:
        job = await session.submit("luma/uni-1", "a boat")
        eta = job.eta()
    assert eta is not None
    assert eta.seconds < 15.0


# --- beside each other


async def test_a_job_of_one_is_awaited_in_another(box: Sandbox, path: Path) -> None:
    """By its id; one stream of questions, whoever waits."""
    async with session_on(box, path) as one, session_on(box, path) as other:
        job = await one.submit("luma/uni-1", "a boat")
        same = await other.job(job.id)
        assert same is not None
        assert same is not job
        ended = await same
        assert ended == await _without_raw(job)
        again = await other.job(job.id)
        assert again is not None
        assert again.done
        assert await other.job("nobody's") is None
    assert len(box.jobs) == 1


async def _without_raw(job: aiogen.Job) -> Generation:
    import attrs

    generation = await job
    return attrs.evolve(generation, raw={}, outputs=tuple(attrs.evolve(each, raw={}) for each in generation.outputs))


async def test_one_that_stood_still_sends_nothing_before_it_knows(path: Path) -> None:
    """Its jobs are another's by then; whoever waits here reads how they end."""
    async with Sandbox(speed=20.0, luma=LumaSettings(max_active=4)) as box:
        stands, goes_on = SqliteStore(path, lease=2.0), SqliteStore(path, lease=2.0)
        async with session_on(box, stands, max_active=2) as one, session_on(box, goes_on, max_active=2) as other:
            jobs = [await one.submit("luma/uni-1", f"boat {i}") for i in range(4)]
            await jobs[0].accepted()
            # Its heart stops, as with SIGSTOP, and the other takes over.
            ledger = one._parts.hub.ledger  # type: ignore[union-attr]
            ledger._keeping.cancel()  # type: ignore[union-attr]
            await asyncio.sleep(1.7)
            assert ledger.is_fenced(asyncio.get_running_loop().time())
            transport = one._parts.transport  # type: ignore[union-attr]
            before = transport.sent
            async with asyncio.timeout(10.0):
                while len(await other.resume()) == 0:
                    await asyncio.sleep(0.1)
            assert transport.sent == before > 0
            # It wakes up.
            ledger._keeping = asyncio.get_running_loop().create_task(ledger._keep(2.0))
            ended = await asyncio.gather(*jobs)
        assert {each.state for each in ended} == {State.COMPLETED}
        assert made(box) == [f"boat {i}" for i in range(4)]


class Silent(SqliteStore):
    """It opens, and never renews a lease."""

    async def heartbeat(self) -> bool:
        await asyncio.Event().wait()
        return True


async def test_deadlines_pass_while_nothing_may_be_sent(path: Path) -> None:
    """Whoever waits is told in time, whatever the ledger does."""
    async with Sandbox(speed=0.1) as box, session_on(box, Silent(path, lease=0.5)) as session:
        job = await session.submit("luma/uni-1", "a boat", timeout=1.5)
        await job.accepted()
        with pytest.raises(aiogen.GenerationTimeout, match="may still finish"):
            await job
        ledger = session._parts.hub.ledger  # type: ignore[union-attr]
        assert ledger.is_fenced(asyncio.get_running_loop().time())


# --- who is told of ends


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_each_end_is_told_once(box: Sandbox, path: Path, kind: str) -> None:
    """Of those that were submitted since the handler is there, whoever awaits them."""
    told: list[Generation] = []

    async def handler(generation: Generation) -> None:
        told.append(generation)

    async with session_on(box, path if kind == "file" else None) as session:
        before = await session.submit("luma/uni-1", "too early")
        await session.on_completion("gallery", handler)
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(4)]
        await asyncio.gather(before, *jobs)
    # Leaving waits for what is to be told.
    assert sorted(each.id or "" for each in told) == sorted(job.id for job in jobs)
    assert {each.state for each in told} == {State.COMPLETED}
    assert all(each.url for each in told)


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_handler_that_fails_is_called_again(box: Sandbox, path: Path, kind: str) -> None:
    """With the same id, so that it can see what it has done already; one that hangs counts as failed."""
    calls: list[str | None] = []

    async def handler(generation: Generation) -> None:
        calls.append(generation.id)
        if len(calls) == 1:
            raise RuntimeError("the database of the gallery is away")
        if len(calls) == 2:
            await asyncio.sleep(60.0)

    async with session_on(box, path if kind == "file" else None, handler_timeout=0.1) as session:
        await session.on_completion("gallery", handler)
        job = await session.submit("luma/uni-1", "a boat")
        async with asyncio.timeout(10.0):
            while len(calls) < 3:
                await asyncio.sleep(0.02)
    assert calls == [job.id] * 3


async def test_ends_that_nobody_was_told_of_are_told_later(box: Sandbox, path: Path) -> None:
    """The job was taken up by a program without that handler; the next one with it is told."""

    async def nothing(_: Generation) -> None:
        pytest.fail("it had not ended yet")

    async with session_on(box, path) as session:
        await session.on_completion("gallery", nothing)
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
    async with session_on(box, path) as session:
        (same,) = await session.resume()
        await same
    told: list[Generation] = []

    async def handler(generation: Generation) -> None:
        told.append(generation)

    async with session_on(box, path) as session:
        await session.on_completion("gallery", handler)
        async with asyncio.timeout(5.0):
            while not told:
                await asyncio.sleep(0.02)
    assert [each.id for each in told] == [job.id]


async def test_a_handler_needs_a_name(box: Sandbox) -> None:
    """By it the ledger knows what it was told."""

    async def handler(_: Generation) -> None: ...

    async with session_on(box, None) as session:
        with pytest.raises(aiogen.InputError, match="needs a name"):
            await session.on_completion(" ", handler)


async def test_a_suspended_session_goes_on_with_its_own(box: Sandbox, path: Path) -> None:
    """A laptop that slept longer than the lease: its jobs are its own again, and others' stay where they are."""
    async with session_on(box, path, max_active=1) as session:
        await (await session.submit("luma/uni-1", "boat 0")).accepted()
    async with session_on(box, SqliteStore(path, lease=1.0), take_up=False) as session:
        assert await session.resume() == []
        job = await session.submit("luma/uni-1", "boat 1")
        await job.accepted()
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM aiogen_worker")
        connection.commit()
        connection.close()
        assert (await job).state is State.COMPLETED
        others = [record.state for record in await session.records() if record.id != job.id]
    assert others == [State.QUEUED]
    assert len(box.jobs) == 2


async def test_a_suspended_session_still_has_what_its_ledger_does_not_keep(box: Sandbox, path: Path) -> None:
    """What waits for its turn is sent: only a program that died has lost what it would have said."""
    store = SqliteStore(path, lease=1.0, keep_requests=False)
    async with session_on(box, store, max_active=1) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        await jobs[0].accepted()
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM aiogen_worker")
        connection.commit()
        connection.close()
        assert {(await job).state for job in jobs} == {State.COMPLETED}
    assert made(box) == [f"boat {i}" for i in range(2)]


# --- a ledger in trouble


async def test_without_its_ledger_nothing_is_begun(box: Sandbox, tmp_path: Path) -> None:
    """Before money is spent."""
    with pytest.raises(aiogen.StoreError, match="must exist"):
        async with session_on(box, tmp_path / "nowhere" / "aiogen.db"):
            pytest.fail("it has opened")
    assert box.requests == []


class Stumbling(SqliteStore):
    """The disk is full for a while."""

    full = False

    async def confirm(self, *fact: Any) -> None:
        self._stumble()
        await super().confirm(*fact)

    async def settle(self, ended: Any) -> None:
        self._stumble()
        await super().settle(ended)

    async def add(self, record: Any) -> None:
        self._stumble()
        await super().add(record)

    async def heartbeat(self) -> bool:
        self._stumble()
        return await super().heartbeat()

    def _stumble(self) -> None:
        if self.full:
            raise aiogen.StoreError("The disk is full; make room.")


async def test_what_runs_goes_on_in_memory_and_is_caught_up(box: Sandbox, path: Path) -> None:
    """Nobody waits longer, nothing new is paid for, and at last the ledger knows it all."""
    store = Stumbling(path, lease=0.6)
    async with session_on(box, store) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
        store.full = True
        await asyncio.sleep(0.6)  # longer than the lease: it is not fenced off for the ledger's fault
        assert (await job).state is State.COMPLETED
        with pytest.raises(aiogen.StoreError, match="disk is full"):
            await session.submit("luma/uni-1", "another")
        assert (await session.records())[0].state is State.QUEUED
        store.full = False
        async with asyncio.timeout(5.0):
            while (await session.records())[0].state is not State.COMPLETED:
                await asyncio.sleep(0.05)
    assert len(box.jobs) == 1


# --- attached


async def test_an_attached_id_that_is_known_keeps_its_job(box: Sandbox, path: Path) -> None:
    """One generation, one entry: while another session follows it, after it has ended, and once it is left behind."""
    async with session_on(box, path) as one, session_on(box, path) as other:
        job = await one.submit("luma/uni-1", "a boat")
        provider_id = await job.accepted()
        attached = await other.attach("luma", provider_id)
        assert attached.id == job.id
        assert [seen.path for seen in box.requests if seen.action == "poll"] == []
        assert (await attached).outputs
        polls = len(box.requests)
        again = await other.attach("luma", provider_id)  # over: the ledger knows how, and its addresses still work
        assert again.id == job.id
        assert (await again).outputs == (await attached).outputs
        assert len(box.requests) == polls
        assert [record.id for record in await one.records()] == [job.id]


async def test_what_was_left_behind_is_followed_when_it_is_attached(box: Sandbox, path: Path) -> None:
    """Also by a session that takes nothing up by itself."""
    async with session_on(box, path) as session:
        job = await session.submit("luma/uni-1", "a boat")
        provider_id = await job.accepted()
    async with session_on(box, path, take_up=False) as session:
        attached = await session.attach("luma", provider_id)
        assert attached.id == job.id
        assert (await attached).outputs
        (record,) = await session.records()
        assert (record.id, record.state) == (job.id, State.COMPLETED)


async def test_what_is_taken_up_is_asked_about_when_an_answer_is_likely(path: Path) -> None:
    """Not at once, all of it: how long each runs already stands in the ledger."""
    async with Sandbox(speed=1.0) as box:
        async with session_on(box, path) as session:
            await asyncio.gather(*[(await session.submit("luma/uni-1", f"boat {i}")).accepted() for i in range(10)])
        sent = len(box.requests)
        async with session_on(box, path) as session:
            assert len(await session.resume()) == 10
            await asyncio.sleep(0.5)
            assert len(box.requests) == sent


async def test_what_has_run_for_long_is_asked_about_at_once(path: Path) -> None:
    """It is probably done."""
    async with Sandbox(speed=100.0) as box:
        async with session_on(box, path) as session:
            job = await session.submit("luma/uni-1", "a boat")
            await job.accepted()
        connection = sqlite3.connect(path)
        connection.execute("UPDATE aiogen_job SET submitted_at = submitted_at - 300, accepted_at = accepted_at - 300")
        connection.commit()
        connection.close()
        await asyncio.sleep(1.0)
        asked = len(box.requests)
        async with session_on(box, path) as session:
            (job,) = await session.resume()
            await job
        assert len(box.requests) == asked + 1


async def test_who_attach_one_generation_at_the_same_time_get_one_job(box: Sandbox, path: Path) -> None:
    """One entry in the ledger, and each handler is told once."""
    async with session_on(box, None) as session:
        provider_id = await (await session.submit("luma/uni-1", "a boat")).accepted()
    told: list[str | None] = []

    async def handler(generation: Generation) -> None:
        told.append(generation.id)

    async with session_on(box, path) as session:
        await session.on_completion("gallery", handler)
        jobs = await asyncio.gather(*(session.attach("luma", provider_id) for _ in range(3)))
        assert jobs[0] is jobs[1] is jobs[2]
        await jobs[0]
        assert [record.id for record in await session.records()] == [jobs[0].id]
    assert told == [jobs[0].id]


async def test_the_deadline_of_who_attaches_counts_also_for_the_job_of_another(path: Path) -> None:
    """Who waits for five seconds does not wait for the two minutes of whoever submitted it."""
    async with Sandbox(speed=0.1) as box, session_on(box, path) as one, session_on(box, path) as other:
        job = await one.submit("luma/uni-1", "a boat")
        same = await other.attach("luma", await job.accepted(), timeout=0.3)
        assert same.id == job.id
        with pytest.raises(aiogen.GenerationTimeout, match=r"did not finish within 0\.3 s"):
            await asyncio.wait_for(same, 5.0)
        assert not job.done
        again = await other.attach("luma", job.provider_id or "", timeout=30.0)
        assert not again.done


async def test_an_end_that_came_after_the_deadline_is_found(box: Sandbox, path: Path) -> None:
    """Also by who still holds the handle whose waiting is over."""
    async with session_on(box, path) as session:
        late = await session.submit("luma/uni-1", "a boat", timeout=0.05)
        with pytest.raises(aiogen.GenerationTimeout):
            await late
        assert await session.job(late.id) is late  # it runs, and is no longer waited for
        while (await session.get("luma", late.provider_id or "")).state is not State.COMPLETED:
            await asyncio.sleep(0.05)
        found = await session.job(late.id)
        assert found is not None
        assert (await found).state is State.COMPLETED


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_one_s_own_job_that_is_followed_no_more_is_followed_again(path: Path, kind: str) -> None:
    """Its key was refused for a while; no other process will ever write its end."""
    vendor = Vendor(reads=[(401, {"detail": "Invalid API key"})])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=path if kind == "file" else None, poll_cost=0.01) as session:
            job = await session.submit("luma/uni-1", "a boat")
            with pytest.raises(aiogen.AuthenticationError):
                await job
            job_id = job.id
            del job
            gc.collect()
            vendor._reads[:] = [(200, done())]
            async with asyncio.timeout(10.0):
                again = await session.job(job_id)
                assert again is not None
                assert (await again).state is State.COMPLETED
    assert vendor.creates == 1


async def test_an_end_that_was_removed_before_it_was_read_is_said(path: Path) -> None:
    """By a ledger that keeps nothing of what is over, or by who forgot it: nobody waits for it until the deadline."""
    async with Sandbox(speed=20.0) as box, session_on(box, path) as one, session_on(box, path) as other:
        job = await one.submit("luma/uni-1", "a boat")
        provider_id = await job.accepted()
        same = await other.job(job.id)
        assert same is not None
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM aiogen_job")
        async with asyncio.timeout(5.0):
            with pytest.raises(
                aiogen.StoreError, match=r"ended in another process, and was removed .* reads it from the provider"
            ) as caught:
                await same
        assert caught.value.provider_id == provider_id
        assert (await job).state is State.COMPLETED


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_records_are_searched_by_time(box: Sandbox, path: Path, kind: str) -> None:
    """A moment without a time zone could be meant in any, and is refused."""
    async with session_on(box, path if kind == "file" else None) as session:
        job = await session.submit("luma/uni-1", "a boat")
        now = datetime.now(UTC)
        assert [record.id for record in await session.records(created_before=now + timedelta(seconds=5))] == [job.id]
        assert await session.records(created_after=now + timedelta(seconds=5)) == []
        with pytest.raises(aiogen.InputError, match="created_after needs a time zone"):
            await session.records(created_after=now.replace(tzinfo=None))
        await job.withdraw()
