"""Everything that can happen to a ledger and its workers, as rules for hypothesis, checked against one model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Collection
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar
from unittest import mock

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from stores.ledger_model import Delivery, Job, Ledger, Worker, agrees

from aiogen import Generation, State, StoreError
from aiogen.exchange import Submission
from aiogen.models import Typical
from aiogen.stores.base import Record, RecordQuery, Store
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore

T = TypeVar("T")
LEASE, KEEP, FOR_EVER = 15.0, 100.0, 1e9
HANDLERS = ("gallery", "mail")
ENDS = (State.COMPLETED, State.FAILED, State.CANCELLED)
WISH = Submission(
    model="uni-1", kind="image", prompt="a boat", endpoint="generations", body={"prompt": "a boat"}, timeout=90.0,
    typical=Typical(median=30.0),
)  # fmt: skip

BEFORE_IT_RAN = (State.PENDING, State.SUBMITTING, State.UNKNOWN)
BACKWARDS = {State.QUEUED: BEFORE_IT_RAN, State.PROCESSING: (*BEFORE_IT_RAN, State.QUEUED)}
"""What never follows: what was accepted runs until it is over."""

ANSWERS = ("queued", "processing", "put back", "lost", "refused")
MEANWHILE = ("ended", "taken over", "found", "to be sent again", "sent again")
any_worker = st.integers(0, 2)
any_job = st.integers(0, 20)
any_answer = st.sampled_from(ANSWERS)
any_pause = st.sampled_from([None, None, 5.0, 50.0])
some_handlers = st.sampled_from([(), HANDLERS[:1], HANDLERS])
accounts = st.sampled_from("ab")
mostly = st.sampled_from([True, True, True, True, False])
some_accounts = st.sampled_from([("a",), ("b",), ("a", "b")])


@attrs.define(eq=False)
class Seat:
    """One process: a store that is open, and who it is in the ledger."""

    store: Store
    worker: Worker
    number: int
    """By which the model knows who sent a create: it stays the same, life after life."""
    looked_at: float = 0.0
    """The time of its last heartbeat."""


@attrs.define(eq=False)
class Create:
    """One that is on its way."""

    seat: Seat
    job: Job
    provider_id: str
    answer: str = ""
    """What came of it, if that was written already, perhaps; it is written once more then."""


class Machine(RuleBasedStateMachine):
    """Three processes on one ledger, each of which may stand still, leave, or die at any moment."""

    seats_there: ClassVar[int] = 3

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        self.model = Ledger(keep_finished=KEEP)
        self.seats: list[Seat] = []
        self.dead: set[str] = set()
        """The workers whose process this machine knows to be gone."""
        self.creates: list[Create] = []
        self.claimed: list[tuple[Seat, str, str, Delivery]] = []
        self.seen: dict[str, Record] = {}
        self.count = 0
        clock = SimpleNamespace(time=lambda: self.model.now)
        loop = SimpleNamespace(get_running_loop=lambda: clock)
        self.patches = [
            mock.patch("aiogen.stores.sqlite.store.time", clock),
            mock.patch("aiogen.stores.sqlite.workers.is_dead", lambda name: name in self.dead),
            mock.patch("aiogen.stores.memory.asyncio", loop),
        ]
        for patch in self.patches:
            patch.start()

    def new_store(self) -> Store:
        raise NotImplementedError

    def run(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        return self.runner.run(wait())

    def number(self) -> int:
        self.count += 1
        return self.count

    def seat(self, which: int) -> Seat:
        """One that is there: the one that was asked for, or another."""
        return self.seats[which % len(self.seats)]

    def job(self, which: int, state: State | None = None) -> Job:
        """One in this state, if there is any; else another."""
        jobs = list(self.model.jobs.values())
        jobs = [job for job in jobs if job.state is state] or jobs
        return jobs[which % len(jobs)]

    def owner(self, job: Job) -> Seat | None:
        return next((seat for seat in self.seats if seat.worker is job.owner), None)

    # --- processes

    @initialize(handlers=some_handlers)
    def begins(self, handlers: tuple[str, ...]) -> None:
        for _ in range(min(2, self.seats_there)):
            self.opens()
        for account in "aab":
            self.adds(0, account, handlers, is_ours=True)

    @rule(which=any_worker, how=st.sampled_from(["opens", "opens", "closes", "is killed", "vanishes"]))
    def somebody_comes_or_goes(self, which: int, how: str) -> None:
        if how == "opens" and len(self.seats) < self.seats_there:
            self.opens()
        elif how == "closes":
            self.closes(which)
        elif how != "opens":
            self.dies(which, is_known=how == "is killed")
        if not self.seats:
            self.opens()

    def opens(self) -> None:
        store = self.new_store()
        self.run(store.open())
        self.seats.append(Seat(store, self.begun(store), self.number()))

    def begun(self, store: Store) -> Worker:
        """A worker that opens ends those of whom it is known that their process is gone."""
        for worker in [each for each in self.model.workers if each.name in self.dead]:
            self.model.end(worker)
        return self.model.begin(store.worker, store.lease or FOR_EVER)

    def closes(self, which: int) -> None:
        seat = self.leaves(which)
        self.run(seat.store.close())
        if seat.worker.lives:
            self.model.end(seat.worker)

    def dies(self, which: int, *, is_known: bool) -> None:
        """Nothing is given back; that it is gone is known on its own machine alone."""
        seat = self.leaves(which)
        assert isinstance(seat.store, SqliteStore)
        writer, seat.store._writer = seat.store._writer, None
        assert writer is not None
        self.run(writer.close())
        if is_known:
            self.dead.add(seat.store.worker)

    def leaves(self, which: int) -> Seat:
        seat = self.seat(which)
        self.seats.remove(seat)
        self.creates = [create for create in self.creates if create.seat is not seat]
        self.claimed = [claim for claim in self.claimed if claim[0] is not seat]
        return seat

    @rule(seconds=st.sampled_from([0.3, 4.0, 9.0, 16.0, 120.0]), who=st.sets(any_worker), begins_again=mostly)
    def time_passes(self, seconds: float, who: set[int], begins_again: bool) -> None:
        """Some renew their leases then, others stand still."""
        self.model.now += seconds
        for seat in list(dict.fromkeys(self.seat(which) for which in sorted(who))):
            self.heartbeats(seat, begins_again=begins_again)

    def stands_still(self, stands: Seat) -> None:
        """For longer than its lease; another takes over, and it wakes up without knowing."""
        others = [seat for seat in self.seats if seat is not stands]
        for _ in range(2):
            self.model.now += 0.6 * LEASE
            for seat in others:
                self.heartbeats(seat, begins_again=True)
        self.adopt(others[0], ("a", "b"), None)

    def heartbeats(self, seat: Seat, *, begins_again: bool) -> None:
        kept = self.run(seat.store.heartbeat())
        assert kept is self.model.heartbeat(seat.worker, seat.store.lease or FOR_EVER)
        if not kept and begins_again:
            self.run(seat.store.open())
            seat.worker = self.begun(seat.store)

    @rule(which=any_worker, accounts=some_accounts, only=st.none() | st.sets(any_job, max_size=3))
    def adopts(self, which: int, accounts: Collection[str], only: set[int] | None) -> None:
        ids = None if only is None else {self.job(each).id for each in only if self.model.jobs}
        self.adopt(self.seat(which), accounts, ids)

    def adopt(self, seat: Seat, accounts: Collection[str], ids: Collection[str] | None) -> None:
        free = self.model.free(accounts, ids)
        if not seat.worker.lives and any(job.state is not State.SUBMITTING for job in free):
            with pytest.raises(StoreError):
                self.run(seat.store.adopt(accounts, ids))
            return
        adopted = self.run(seat.store.adopt(accounts, ids))
        self.model.adopt(seat.worker, free)
        assert [record.id for record in adopted] == [job.id for job in free]
        assert all(agrees(record, job) for record, job in zip(adopted, free, strict=True))

    # --- the life of a job

    @precondition(lambda self: len(self.model.jobs) < 8)
    @rule(
        which=any_worker,
        account=accounts,
        handlers=some_handlers,
        is_ours=mostly,
    )
    def adds(self, which: int, account: str, handlers: tuple[str, ...], is_ours: bool) -> None:
        seat = self.seat(which)
        number = self.number()
        job = Job(
            id=f"job-{number}",
            account=account,
            number=number,
            state=State.PENDING if is_ours else State.QUEUED,
            owner=seat.worker,
            is_ours=is_ours,
            provider_id=None if is_ours else f"v-{number}",
            deliveries={handler: Delivery() for handler in handlers},
        )
        record = Record(
            id=job.id, connection="luma", provider="luma", account=account, state=job.state, handlers=handlers,
            submission=WISH if is_ours else None, provider_id=job.provider_id, created_at=job.created_at,
        )  # fmt: skip
        if not seat.worker.lives:
            with pytest.raises(StoreError):
                self.run(seat.store.add(record))
            return
        self.run(seat.store.add(record))
        self.model.jobs[job.id] = job

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_worker, what=any_job, is_owner=mostly)
    def intends(self, which: int, what: int, is_owner: bool) -> None:
        seat, job = self.seat(which), self.job(what, State.PENDING)
        self.intend(self.owner(job) or seat if is_owner else seat, job)

    def intend(self, seat: Seat, job: Job) -> None:
        if job.state is not State.PENDING or not self.owns(seat, job):
            with pytest.raises(StoreError):
                self.run(seat.store.intend(job.id))
            return
        assert self.run(seat.store.intend(job.id)) == 0.0
        self.model.intend(job, seat.number)
        job.owner = seat.worker
        self.creates.append(Create(seat, job, job.sent_as))

    def owns(self, seat: Seat, job: Job) -> bool:
        return job.owner is seat.worker

    @precondition(lambda self: self.creates)
    @rule(which=st.integers(0, 9), what=any_answer, again=st.booleans())
    def answers(self, which: int, what: str, again: bool) -> None:
        self.answer(self.creates[which % len(self.creates)], what, again=again)

    def answer(self, create: Create, what: str, *, again: bool) -> None:
        """What came of a create, however late: its job may have been taken over, sent again, or forgotten meanwhile."""
        seat, job, what = create.seat, create.job, create.answer or what
        if what in ("queued", "processing"):
            follows = self.run(seat.store.confirm(job.id, create.provider_id, State(what), datetime.now(UTC)))
            assert follows is self.model.confirm(job, seat.worker, seat.number, create.provider_id, State(what))
        elif what == "put back":
            self.run(seat.store.release(job.id))
            self.model.release(job, seat.worker, seat.number)
        elif what == "lost":
            self.run(seat.store.mark_unknown(job.id))
            self.model.mark_unknown(job, seat.number)
        else:
            self.settle(seat, [job.id], State.FAILED, ran=False)
        create.answer = what
        if not again or what in ("put back", "lost"):
            self.creates.remove(create)

    @precondition(lambda self: self.model.jobs)
    @rule(
        what=any_job,
        meanwhile=st.sampled_from(MEANWHILE),
        wakes=st.booleans(),
        answer=any_answer,
        again=st.booleans(),
    )
    def a_create_is_late(self, what: int, meanwhile: str, wakes: bool, answer: str, again: bool) -> None:
        """Others have gone on without it by the time when its answer comes."""
        job = self.job(what, State.PENDING)
        seat = self.owner(job)
        if seat is None or job.state is not State.PENDING:
            return
        self.intend(seat, job)
        create = self.creates[-1]
        if meanwhile == "ended" or len(self.seats) == 1:
            self.settle(self.seat(what), [job.id], State.COMPLETED)
        else:
            self.stands_still(seat)
            other = next(each for each in self.seats if each is not seat)
            if meanwhile != "taken over":
                self.decide(other, job, f"found-{self.number()}" if meanwhile == "found" else None)
            if meanwhile == "sent again":
                self.intend(other, job)
            if wakes:
                self.heartbeats(seat, begins_again=True)
        self.answer(create, answer, again=again)

    @rule(which=any_worker, what=st.lists(any_job, max_size=2), state=st.sampled_from(ENDS), ran=mostly)
    def ends(self, which: int, what: list[int], state: State, ran: bool) -> None:
        """A question's answer, a hint from outside, a duplicate, one that was taken over; or it was withdrawn."""
        seat = self.seat(which)
        ids = [self.job(each).id for each in what if self.model.jobs]
        self.settle(seat, [*ids, "unheard of"], state, ran=ran)

    def settle(self, seat: Seat, ids: list[str], state: State, *, ran: bool = True) -> None:
        at = datetime.fromtimestamp(self.model.now, UTC)
        known = {"provider": "luma", "connection": "luma", "model": "uni-1", "state": state, "finished_at": at}
        jobs = self.model.jobs
        names = {each: jobs[each].sent_as if each in jobs else "v" for each in ids}
        ended = [Generation(id=each, provider_id=names[each] if ran else None, **known) for each in ids]
        self.run(seat.store.settle(ended))
        for each in ids:
            if each in jobs:
                self.model.settle(jobs[each], state, at, seat.worker, seat.number, ran=ran)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_worker, what=any_job, is_found=st.booleans())
    def user_decides(self, which: int, what: int, is_found: bool) -> None:
        """About one of which nobody knows whether it runs."""
        provider_id = f"found-{self.number()}" if is_found else None
        self.decide(self.seat(which), self.job(what, State.UNKNOWN), provider_id)

    def decide(self, seat: Seat, job: Job, provider_id: str | None) -> None:
        if job.state is State.UNKNOWN and not seat.worker.lives:
            with pytest.raises(StoreError):
                self.run(seat.store.reopen(job.id, provider_id))
            return
        record = self.run(seat.store.reopen(job.id, provider_id))
        assert (record is not None) is (job.state is State.UNKNOWN)
        if record is not None:
            self.model.reopen(job, seat.worker, provider_id)
            assert agrees(record, job)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_worker, what=any_job)
    def user_forgets(self, which: int, what: int) -> None:
        job = self.job(what)
        may = self.model.may_forget(job)
        assert self.run(self.seat(which).store.forget([job.id, "unheard of"])) == may
        if may:
            del self.model.jobs[job.id]

    # --- handlers

    @rule(which=any_worker, handlers=some_handlers, limit=st.sampled_from([1, 20]))
    def claims(self, which: int, handlers: tuple[str, ...], limit: int) -> None:
        seat = self.seat(which)
        self.claim(seat, handlers, limit)

    def claim(self, seat: Seat, handlers: tuple[str, ...], limit: int) -> int:
        claimable = self.model.claimable(handlers) if seat.worker.lives else {}
        found = self.run(seat.store.claim(handlers, limit))
        assert len(found) == min(limit, len(claimable))
        for handler, generation, attempt in found:
            job_id = generation.id or ""
            delivery = claimable.pop((handler, job_id))
            delivery.attempts += 1
            assert attempt == delivery.attempts
            assert generation.state is self.model.jobs[job_id].ended_as
            delivery.claimed_by = seat.worker
            self.claimed.append((seat, handler, job_id, delivery))
        return len(found)

    @precondition(lambda self: self.claimed)
    @rule(which=st.integers(0, 9), again=any_pause, keeps=st.booleans())
    def acks(self, which: int, again: float | None, keeps: bool) -> None:
        self.ack(which % len(self.claimed), again, keeps=keeps)

    def ack(self, which: int, again: float | None, *, keeps: bool) -> None:
        """It was brought, or is due once more; perhaps by one whose claim ended meanwhile."""
        claim = seat, handler, job_id, delivery = self.claimed[which]
        self.run(seat.store.ack(job_id, handler, again))
        if job_id in self.model.jobs:
            self.model.ack(delivery, again)
        if not keeps:
            self.claimed.remove(claim)

    @rule(which=any_worker, again=any_pause, late=any_pause)
    def a_handler_is_slow(self, which: int, again: float | None, late: float | None) -> None:
        """Another brings it meanwhile, as its claim has ended with its lease."""
        seat = self.seat(which)
        if not self.claim(seat, HANDLERS, 1):
            return
        place = len(self.claimed) - 1
        self.claim(self.seat(which + 1), HANDLERS, 20)  # what it claimed is hidden from everybody
        if len(self.seats) == 1:
            self.ack(place, again, keeps=False)
            self.closes(0)
            self.opens()
            return
        self.stands_still(seat)
        other = next(each for each in self.seats if each is not seat)
        for _ in range(self.claim(other, HANDLERS, 20)):
            self.ack(len(self.claimed) - 1, again, keeps=False)
        self.ack(place, late, keeps=True)

    # --- what has to be true after each step

    @invariant()
    def agrees_with_the_model(self) -> None:
        records = self.run(self.seat(0).store.find(RecordQuery()))
        jobs = sorted(self.model.jobs.values(), key=lambda job: -job.number)
        assert [record.id for record in records] == [job.id for job in jobs]
        for record, job in zip(records, jobs, strict=True):
            assert agrees(record, job), (record, job)
            self.leads_forward(record)
        self.seen = {record.id: record for record in records}

    def leads_forward(self, record: Record) -> None:
        """What is over stays as it is, and nothing runs backwards; a living owner is the only one."""
        before = self.seen.get(record.id)
        if before is not None and before.state.is_terminal:
            assert (record.state, record.generation) == (before.state, before.generation)
        elif before is not None:
            assert record.state not in BACKWARDS.get(before.state, ())
        assert record.owner is None or record.owner in [worker.name for worker in self.model.workers]

    @rule(which=any_worker, what=any_job)
    def looks(self, which: int, what: int) -> None:
        """The other ways to look: by state, by our id, by the vendor's."""
        seat = self.seat(which)
        unfinished = [state for state in State if not state.is_terminal]
        records = self.run(seat.store.find(RecordQuery(states=unfinished, limit=2)))
        jobs = sorted((job for job in self.model.jobs.values() if not job.is_over), key=lambda job: -job.number)
        assert [record.id for record in records] == [job.id for job in jobs[:2]]
        if self.model.jobs:
            job = self.job(what)
            record = self.run(seat.store.get(job.id))
            assert record is not None
            assert agrees(record, job)
            assert job.provider_id is None or self.run(seat.store.by_provider_id(job.account, [job.provider_id])) == [
                record
            ]

    # --- in the end

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            for seat in self.seats:
                self.run(seat.store.close())
            self.runner.close()
            for patch in self.patches:
                patch.stop()
            self.folder.cleanup()

    def drain(self) -> None:
        """Everybody has died, and one comes who goes on with all that they left."""
        while self.seats:
            self.goes_for_good()
        self.model.now += 3600.0
        self.opens()
        (seat,) = self.seats
        self.heartbeats(seat, begins_again=False)
        self.user_says_it_is_the_only_one(0)
        lost = {job.id for job in self.model.jobs.values() if job.state is State.SUBMITTING and job.account == "a"}
        self.adopt(seat, ["a"], None)
        for job in self.model.jobs.values():
            if job.account == "a" and not job.is_over:
                assert job.state is State.UNKNOWN or job.owner is seat.worker
        assert {job.id for job in self.model.jobs.values() if job.state is State.UNKNOWN} >= lost
        assert self.run(seat.store.adopt(["a"])) == []
        while self.claim(seat, HANDLERS, 20):
            while self.claimed:
                self.ack(0, None, keeps=False)
        assert all(job.is_delivered for job in self.model.jobs.values() if job.is_over)
        self.agrees_with_the_model()

    def goes_for_good(self) -> None:
        self.closes(0)

    def user_says_it_is_the_only_one(self, which: int) -> None:
        """Of a file that was moved."""


class FileMachine(Machine):
    """In a file, which may be moved, while the clock may be set back."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(self.folder.name) / "aiogen.db"

    def new_store(self) -> Store:
        return SqliteStore(self.path, lease=LEASE, keep_finished=KEEP)

    def goes_for_good(self) -> None:
        self.dies(0, is_known=False)

    @rule(seconds=st.sampled_from([10.0, 3600.0]))
    def clock_is_set_back(self, seconds: float) -> None:
        """It was wrong until now; who opens the file, or uses it, puts right what it left there."""
        self.model.now -= seconds
        for seat in self.seats:
            self.heartbeats(seat, begins_again=True)

    def heartbeats(self, seat: Seat, *, begins_again: bool) -> None:
        if self.model.now < seat.looked_at:
            self.model.correct()
        seat.looked_at = self.model.now
        super().heartbeats(seat, begins_again=begins_again)

    @rule(moves=mostly)
    def file_is_moved(self, moves: bool) -> None:
        """While nobody uses it; what waits in it is held, and everything else goes on."""
        if moves and self.number() % 3:
            return  # not too often
        while self.seats:
            self.goes_for_good()
        self.path = self.path.rename(self.path.with_name(f"moved-{self.number()}.db"))
        self.model.move()
        self.opens()

    @rule(which=any_worker)
    def user_says_it_is_the_only_one(self, which: int) -> None:
        store = self.seat(which).store
        assert isinstance(store, SqliteStore)
        assert self.run(store.adopt_copy()) == self.model.adopt_copy()


class MemoryMachine(Machine):
    """In memory, where there is one worker, who may leave and come back."""

    seats_there = 1

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.model.keep_finished, self.model.is_alone = FOR_EVER, True

    def new_store(self) -> Any:
        return self.store

    def owns(self, seat: Seat, job: Job) -> bool:
        return True  # nobody else can

    def dies(self, which: int, *, is_known: bool) -> None:
        self.closes(which)  # what is in memory dies with its process
