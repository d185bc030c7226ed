"""`aiogen._ledger.lease`: the lease, its heartbeat, what is adopted, and what others write; on a ledger in memory."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

import attrs
import pytest
from ledger.events import Noted

import aiogen
from aiogen import State
from aiogen._clock import Clock
from aiogen._ledger.lease import Ledger
from aiogen._ledger.losing import why_lost
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores.base import Follows, Record, TakenOver
from aiogen.stores.memory import MemoryStore

pytestmark = pytest.mark.looptime(noop_cycles=4)


class Shared(MemoryStore):
    """A ledger in memory that says of itself what one in a file would."""

    @property
    def lease(self) -> float:
        return 15.0

    async def wait_for_news(self, timeout: float) -> bool:
        await asyncio.sleep(min(0.1, timeout))
        return True


class FromElsewhere(Shared):
    """The same ledger, as another process has it."""

    def __init__(self, ledger: MemoryStore) -> None:
        self.__dict__ = ledger.__dict__

    @property
    def worker(self) -> str:
        return "another"


async def test_the_end_is_seen_within_a_tenth_of_a_second() -> None:
    """Also by who has just begun to wait for another's job."""
    store, loop = Shared(), asyncio.get_running_loop()
    async with Sandbox() as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        another = aiogen.Session([provider], store=FromElsewhere(store))
        async with aiogen.Session([provider], store=store) as one, another as other:
            mine = await one.submit("luma/uni-1", "a boat [[processing=5]]")
            await mine.accepted()
            await asyncio.sleep(6.1)
            theirs = await other.job(mine.id)
            assert theirs is not None
            await mine
            seen_at = loop.time()
            await theirs
            assert loop.time() < seen_at + 0.11


async def test_a_slow_ledger_is_slow_for_each_job_by_itself() -> None:
    """Fifty ends that are written at the same time keep neither each other nor the heartbeat waiting."""
    loop = asyncio.get_running_loop()
    ledger = Ledger(Shared(), Clock(), set, Noted())
    await ledger.ready()
    try:
        began_at = loop.time()
        await asyncio.gather(*(ledger.note(partial(asyncio.sleep, 0.2)) for _ in range(50)))
        assert loop.time() < began_at + 0.3
    finally:
        await ledger.close()


class Silent(Shared):
    """It opens, and does not answer any more."""

    looks = 0

    async def wait_for_news(self, timeout: float) -> bool:
        self.looks += 1
        if self.looks > 100:
            await asyncio.sleep(1e6)  # that is enough to see it
        raise aiogen.StoreError("The disk is gone.")


async def test_a_ledger_that_does_not_answer_is_asked_now_and_then() -> None:
    """However long it is silent, and however many begin to wait for jobs of others."""
    store = Silent()
    ledger = Ledger(store, Clock(), set, Noted(waiting=["a job"]))
    await ledger.ready()
    try:
        for _ in range(100):
            ledger.others.attend()
            await asyncio.sleep(0.2)
        assert 5 < store.looks <= 21
    finally:
        await ledger.close()


class Recovering(Shared):
    """Away for a while, and then slow."""

    is_away = True

    def __init__(self) -> None:
        super().__init__()
        self.beats: list[float] = []

    async def heartbeat(self) -> bool:
        self.beats.append(asyncio.get_running_loop().time())
        return True

    async def write(self) -> None:
        await asyncio.sleep(0.0 if self.is_away else 0.3)
        if self.is_away:
            raise aiogen.StoreError("Another process has locked it.", retryable=True)


async def test_catching_up_puts_off_no_heartbeat() -> None:
    """What could not be written for a while takes longer than the lease to be written."""
    store = Recovering()
    ledger = Ledger(store, Clock(), set, Noted())
    await ledger.ready()
    try:
        for _ in range(100):
            await ledger.note(store.write)
        store.is_away = False
        began_at = asyncio.get_running_loop().time()
        await asyncio.sleep(40.0)
        assert max(later - before for before, later in pairwise([began_at, *store.beats])) < 7.0
    finally:
        await ledger.close()


class Away(Shared):
    """It does not answer for a while, and then as before."""

    is_away = False

    def __init__(self, *, can_be_cut_off: bool) -> None:
        super().__init__()
        self._can_be_cut_off = can_be_cut_off

    @property
    def can_be_cut_off(self) -> bool:
        return self._can_be_cut_off

    def _answer(self) -> None:
        if self.is_away:
            raise aiogen.StoreError("The server cannot be reached.", retryable=True)

    async def heartbeat(self) -> bool:
        self._answer()
        return True

    async def intend(self, job_id: str, *room: Any) -> float:
        if not self._is(job_id, State.PENDING):
            raise TakenOver("It is not pending.")
        wait = await super().intend(job_id, *room)
        self._answer()  # it was noted, and nobody hears of it
        return wait

    async def release(self, job_id: str) -> None:
        self._answer()
        await super().release(job_id)


@pytest.mark.parametrize("can_be_cut_off", [True, False])
async def test_a_ledger_that_others_may_reach_fences_from_four_fifths_of_the_lease(can_be_cut_off: bool) -> None:
    """One that answers nobody does not: nobody takes anything over, and what runs is followed."""
    store, events, loop = Away(can_be_cut_off=can_be_cut_off), Noted(), asyncio.get_running_loop()
    ledger = Ledger(store, Clock(), set, events)
    await ledger.ready()
    try:
        store.is_away = True
        await asyncio.sleep(11.9)
        assert not ledger.is_fenced(loop.time())
        await asyncio.sleep(0.2)
        assert (ledger.is_fenced(loop.time()), ledger.is_sure(loop.time())) == (can_be_cut_off, False)
        await asyncio.sleep(60.0)
        assert ledger.is_fenced(loop.time()) is can_be_cut_off
        store.is_away = False
        await asyncio.sleep(3.0)
        assert (ledger.is_fenced(loop.time()), ledger.is_sure(loop.time())) == (False, True)
        assert events.said == (["renewed"] if can_be_cut_off else [])
    finally:
        await ledger.close()


async def test_while_all_are_cut_off_all_pause_and_then_they_go_on() -> None:
    """Nothing is asked and nothing created; no job fails for it, and none is created twice."""
    store, loop = Away(can_be_cut_off=True), asyncio.get_running_loop()
    async with Sandbox() as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        async with aiogen.Session([provider], store=store) as session:
            runs = await session.submit("luma/uni-1", "runs [[processing=5]]")
            await runs.accepted()
            store.is_away = True
            waits = [await session.submit("luma/uni-1", f"waits {i} [[processing=1]]") for i in range(3)]
            await asyncio.sleep(12.5)
            before = len(box.requests)
            await asyncio.sleep(100.0)
            assert len(box.requests) == before
            assert [job.state for job in waits] == [State.PENDING] * 3
            store.is_away = False
            back_at = loop.time()
            assert {(await job).state for job in (runs, *waits)} == {State.COMPLETED}
            assert loop.time() < back_at + 30.0
    assert sorted(job.prompt for job in box.jobs) == ["runs", "waits 0", "waits 1", "waits 2"]


async def test_a_file_that_cannot_be_written_refuses_at_once() -> None:
    """Nobody else can write it either: the user has to do something about it."""
    store = Away(can_be_cut_off=False)
    async with Sandbox() as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        async with aiogen.Session([provider], store=store) as session:
            store.is_away = True
            job = await session.submit("luma/uni-1", "a boat")
            with pytest.raises(aiogen.StoreError, match="cannot be reached"):
                await job
            store.is_away = False
    assert len(box.jobs) == 0


# --- one that stood still


class Stopped(Shared):
    """Its heartbeats come to nothing while it is stopped; then it says whether the lease was kept."""

    is_stopped = False
    is_kept = True
    opened = 0

    async def open(self) -> None:
        self.opened += 1

    async def heartbeat(self) -> bool:
        while self.is_stopped:
            await asyncio.sleep(0.1)
        return self.is_kept


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_permit_holds_as_long_as_the_lease_under_which_it_was_given(is_kept: bool) -> None:
    """Where the lease was only late, what was decided is sent; where it was lost, only what is decided after that."""
    store = Stopped()
    ledger = Ledger(store, Clock(), set, Noted())
    assert ledger.permit()()  # nothing is anybody's yet
    await ledger.ready()
    try:
        permit = ledger.permit()
        store.is_stopped, store.is_kept = True, is_kept
        await asyncio.sleep(11.9)
        assert permit()
        await asyncio.sleep(0.2)
        assert (permit(), ledger.permit()()) == (False, False)
        store.is_stopped = False
        await asyncio.sleep(3.0)
        assert (permit(), ledger.permit()()) == (is_kept, True)
    finally:
        store.is_kept = True
        await ledger.close()


@pytest.mark.parametrize(
    ("asked_at", "now", "refused_at", "said"),
    [
        (31.0, 31.1, (25.0,), "The ledger could not be reached for so long that"),
        (12.0, 12.1, (11.0,), "The ledger could not be reached for so long that"),
        (55.0, 55.1, (25.1, 36.0), "The ledger could not be reached for so long that"),
        (31.0, 31.1, (25.1,), "This process was stopped, or the ledger did not answer, for so long that"),
        (25.0, 25.1, (), "This process was stopped, or the ledger did not answer, for so long that"),
        (25.1, 25.2, (), "This process was stopped for so long that"),
        (24.9, 25.0, (), "although it was renewed in time, as when the clock of the ledger is set forward"),
    ],
)
def test_why_a_lease_was_lost_is_said_as_far_as_it_is_known(
    asked_at: float, now: float, refused_at: tuple[float, ...], said: str
) -> None:
    why = why_lost(renewed_at=10.0, asked_at=asked_at, now=now, lease=15.0, refused_at=refused_at)
    assert said in why
    assert why.endswith("; it continues with a new one, and takes up those of its jobs that no other process owns now.")
    why = why_lost(
        renewed_at=10.0, asked_at=asked_at, now=now, lease=15.0, refused_at=refused_at, follows=False
    )  # it owns none
    assert said in why
    assert why.endswith("; it continues with a new one.")


class AwayUntilItIsOver(Shared):
    """Nobody reaches it for some tries, and the lease is over then."""

    tries = 0
    opened = 0

    async def open(self) -> None:
        self.opened += 1
        if self.opened == 2:
            raise aiogen.StoreError("The server cannot be reached.", retryable=True)

    @property
    def can_be_cut_off(self) -> bool:
        return True

    async def heartbeat(self) -> bool:
        self.tries += 1
        if self.tries <= 20:
            raise aiogen.StoreError("The server cannot be reached.", retryable=True)
        return self.opened > 2


async def test_who_was_cut_off_does_not_say_that_it_was_stopped(caplog: pytest.LogCaptureFixture) -> None:
    """And says it once, also where it cannot begin again at once."""
    store = AwayUntilItIsOver()
    ledger = Ledger(store, Clock(), set, Noted())
    await ledger.ready()
    try:
        while store.opened < 3:
            await asyncio.sleep(1.0)
        lost = [each.getMessage() for each in caplog.records if "has run out" in each.getMessage()]
        assert [text.partition(" for so long")[0] for text in lost] == ["The ledger could not be reached"]
    finally:
        await ledger.close()


def record(job_id: str, state: State = State.PENDING) -> Record:
    at = datetime.now(UTC)
    return Record(id=job_id, connection="luma", provider="luma", account="a", state=state, created_at=at)


async def left_behind(store: MemoryStore, *job_ids: str) -> None:
    """Jobs that nobody owns."""
    for job_id in job_ids:
        await store.add(record(job_id))
        store._change(job_id, owner=None)


@pytest.mark.parametrize("is_kept", [True, False])
async def test_nothing_is_sent_while_the_lease_may_have_run_out(is_kept: bool) -> None:
    """From four fifths of it; then it is renewed, or everything is lost first and begun again."""
    store, events, loop = Stopped(), Noted(), asyncio.get_running_loop()
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    try:
        store.is_stopped, store.is_kept = True, is_kept
        await asyncio.sleep(11.9)
        assert (ledger.is_fenced(loop.time()), ledger.is_sure(loop.time())) == (False, True)
        await asyncio.sleep(0.2)
        assert (ledger.is_fenced(loop.time()), ledger.is_sure(loop.time())) == (True, False)
        assert events.said == []
        await left_behind(store, "theirs")
        store.is_stopped = False
        await asyncio.sleep(3.0)
        assert events.said == (["renewed"] if is_kept else ["lost", "renewed"])
        assert (store.opened, events.adopted_ids) == (1 if is_kept else 2, ["theirs"])
    finally:
        store.is_kept = True
        await ledger.close()


async def test_what_it_owes_is_written_before_it_begins_again() -> None:
    """While nothing is its own: what comes of the fact is then taken up like all the rest."""
    store, events = Stopped(), Noted()
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    written: list[int] = []

    async def write() -> None:
        if not events.said:
            raise aiogen.StoreError("another process owns it")
        written.append(store.opened)

    try:
        await ledger.note(write, "job")
        store.is_kept = False
        await asyncio.sleep(8.0)
        assert written == [1]
    finally:
        store.is_kept = True
        await ledger.close()


class Slow(Noted):
    """It takes its time before it takes up what is adopted."""

    seconds = 0.0

    async def prepare_for(self, records: Sequence[Record]) -> None:
        await super().prepare_for(records)
        if len(records) > 8:
            await asyncio.sleep(self.seconds)


class Beating(Shared):
    """It notes its heartbeats, and loses its lease when it is told to."""

    loses = False

    def __init__(self) -> None:
        super().__init__()
        self.beats: list[float] = []
        self.lives = 0

    @property
    def worker(self) -> str:
        return f"life {self.lives}"

    async def open(self, follows: Follows = Follows.ALL) -> None:
        await super().open(follows)
        self.lives += 1

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        return [attrs.evolve(each, owner=self.worker) for each in await super().adopt(accounts, only)]

    async def heartbeat(self) -> bool:
        self.beats.append(asyncio.get_running_loop().time())
        kept, self.loses = not self.loses, False
        if not kept:
            for each in list(self._records):
                self._change(each, owner=None)
        return kept


@asynccontextmanager
async def taking_up(seconds: float) -> AsyncIterator[tuple[Beating, Slow, Ledger, list[str]]]:
    """Twenty jobs are left behind, and to take them up takes so long."""
    store, events, ids = Beating(), Slow(), [f"job {i}" for i in range(20)]
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    try:
        events.seconds = seconds
        await left_behind(store, *ids)
        yield store, events, ledger, ids
    finally:
        await ledger.close()


async def test_taking_up_puts_off_no_heartbeat() -> None:
    """Longer than the lease it would lose it, and with it what was taken up; again and again."""
    async with taking_up(40.0) as (store, events, _, ids):
        began_at = asyncio.get_running_loop().time()
        await asyncio.sleep(50.0)
        assert max(later - before for before, later in pairwise([began_at, *store.beats])) < 7.0
        assert (events.adopted_ids, events.said) == (ids, [])


async def test_what_is_lost_while_it_is_taken_up_is_adopted_again() -> None:
    """Each job is taken up once, under the lease that lasts."""
    async with taking_up(12.0) as (store, events, _, ids):
        await asyncio.sleep(2.0)
        store.loses = True
        await asyncio.sleep(40.0)
        assert events.expected == ids * 2
        assert events.adopted_ids == ids
        assert (events.said, store.lives) == (["lost"], 2)


async def test_what_was_lost_is_returning_until_it_is_taken_up() -> None:
    """Deadlines wait for that, but not for ever."""
    loop = asyncio.get_running_loop()
    async with taking_up(12.0) as (store, events, ledger, _):
        await asyncio.sleep(20.0)
        assert not ledger.is_returning(loop.time())
        store.loses = True
        while not events.said:
            await asyncio.sleep(0.1)
        await asyncio.sleep(8.0)
        assert ledger.is_returning(loop.time())
        assert not ledger.is_returning(loop.time() + 4 * 15.0)
        await asyncio.sleep(8.0)
        assert not ledger.is_returning(loop.time())


# --- what is adopted, and what is watched


@pytest.mark.parametrize("count", [3, 250])
async def test_what_nobody_owns_is_adopted_when_it_is_opened(count: int) -> None:
    """All of it before the session is ready, however much that is, in the order in which it was taken in.

    What has been learned of its models is read first: whoever is asked about without that is asked about too often.
    """
    store, events = Shared(), Noted()
    ids = [f"job {i}" for i in range(count)]
    await left_behind(store, *ids)
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    await ledger.ready()
    assert events.adopted_ids == ids
    assert events.expected == ids
    await ledger.close()


class Preparing(Noted):
    """It takes ten seconds to prepare for the first, and notes when the loop has run after what was adopted."""

    has_run = False
    seconds = 10.0

    async def prepare_for(self, records: Sequence[Record]) -> None:
        seconds, self.seconds = self.seconds, 0.0
        await asyncio.sleep(seconds)
        await super().prepare_for(records)

    def adopted(self, record: Record, part: float | None = None) -> None:
        super().adopted(record, part)
        asyncio.get_running_loop().call_soon(setattr, self, "has_run", True)


async def test_few_are_taken_up_in_the_turn_in_which_the_opening_ends() -> None:
    """Whoever leaves at once does so before anything that was woken for them has had its turn."""
    store, events = Shared(), Preparing()
    ids = [f"job {i}" for i in range(8)]
    await left_behind(store, *ids)
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    assert (events.adopted_ids, events.has_run) == (ids, False)
    await ledger.close()


class Holding(Noted):
    """It notes how many of the records that it was given before are still held by anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[weakref.ref[Record]] = []
        self.held: list[int] = []

    def adopted(self, record: Record, part: float | None = None) -> None:
        self.held.append(sum(each() is not None for each in self.given))
        self.given.append(weakref.ref(record))


async def test_what_was_taken_up_is_let_go_of_one_by_one() -> None:
    """To free thousands of records at the end takes several milliseconds in one turn of the loop."""
    store, events = Beating(), Holding()
    await left_behind(store, *(f"job {i}" for i in range(30)))
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    await left_behind(store, *(f"another {i}" for i in range(30)))
    await asyncio.sleep(2.0)
    assert len(events.held) == 60
    assert max(events.held) <= 1
    await ledger.close()


async def test_what_was_adopted_is_taken_up_though_who_opened_the_ledger_is_gone() -> None:
    """It is ours, so nobody else would go on with it."""
    store, events = Shared(), Preparing()
    await left_behind(store, "one", "two")
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ledger.ready(), 5.0)
    await asyncio.sleep(0.1)
    assert events.adopted_ids == ["one", "two"]
    await ledger.ready()
    assert events.adopted_ids == ["one", "two"]
    await ledger.close()


async def test_what_others_leave_is_adopted_within_two_seconds_if_it_may_be() -> None:
    """Of this session's accounts, and of those jobs alone that it may adopt."""
    store, events = Shared(), Noted(only=["one"])
    accounts = ["another"]
    ledger = Ledger(store, Clock(), lambda: accounts, events)
    await ledger.ready()
    try:
        await left_behind(store, "one", "two")
        await asyncio.sleep(2.1)
        assert events.adopted_ids == []
        accounts[:] = ["a"]
        await asyncio.sleep(2.1)
        assert events.adopted_ids == ["one"]
        events.only = None
        await asyncio.sleep(2.1)
        assert events.adopted_ids == ["one", "two"]
    finally:
        await ledger.close()


async def test_nothing_is_adopted_while_it_is_closed() -> None:
    """It is for the next one."""
    store, events = Shared(), Noted()
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    ledger.takes_up = False
    await left_behind(store, "job")
    await asyncio.sleep(5.0)
    assert events.adopted_ids == []
    await ledger.close()


async def test_what_is_watched_is_read_when_others_have_written() -> None:
    """Or when somebody has just begun to wait; what is no longer there is reported as gone."""

    class Quiet(Shared):
        is_changed = False

        async def wait_for_news(self, timeout: float) -> bool:
            await asyncio.sleep(min(0.1, timeout))
            changed, self.is_changed = self.is_changed, False
            return changed

    store, events = Quiet(), Noted()
    ledger = Ledger(store, Clock(), set, events)
    await ledger.ready()
    try:
        await store.add(record("job"))
        events.waiting.append("job")
        ledger.others.attend()
        await asyncio.sleep(0.3)
        assert [(each.id, each.state) for each in events.seen_records] == [("job", State.PENDING)]
        await asyncio.sleep(10.0)
        assert len(events.seen_records) == 1  # nobody has written
        store._change("job", state=State.SUBMITTING)
        store.is_changed = True
        await asyncio.sleep(0.3)
        assert [each.state for each in events.seen_records] == [State.PENDING, State.SUBMITTING]
        store._remove("job")
        store.is_changed = True
        await asyncio.sleep(0.3)
        assert events.said == ["gone job"]
    finally:
        await ledger.close()


async def test_that_others_have_come_is_said_once() -> None:
    """When there were none before."""

    class Busy(Shared):
        others = 0

        async def peers(self) -> int:
            return self.others

    store, events = Busy(), Noted()
    ledger = Ledger(store, Clock(), set, events)
    await ledger.ready()
    try:
        for others in (1, 2, 0, 1):
            store.others = others
            await asyncio.sleep(5.0)
            assert ledger.peers == others
        assert events.said == ["joined", "joined"]
    finally:
        await ledger.close()
