"""Steps of processes on one ledger; the effect of each step is compared with the model."""

from __future__ import annotations

from datetime import datetime

import attrs
import pytest

from aiogen.errors import StoreError
from aiogen.models import Generation, State
from aiogen.stores.base import Follows, Record
from aiogen.testing.stores.model import Delivery, Job, agrees
from aiogen.testing.stores.processes import Process, Processes
from aiogen.testing.stores.samples import WISH
from aiogen.testing.stores.setup import StoreSetup

HANDLERS = ("gallery", "mail")
MEANWHILE = ("ended", "taken over", "found", "to be sent again", "sent again")
ANSWERS = ("queued", "processing", "put back", "lost", "refused")


@attrs.define(eq=False)
class Create:
    """A create whose answer is still to come."""

    process: Process
    job: Job
    provider_id: str
    answer: str = ""
    """Its outcome, if that was written already and may be written once more; else empty."""


class Driver(Processes):
    """Up to three processes on one ledger, each of which may be suspended, leave, or die at any moment."""

    def __init__(self, setup: StoreSetup) -> None:
        super().__init__(setup)
        self.creates: list[Create] = []
        self.claimed: list[tuple[Process, str, str, Delivery]] = []

    def begin(self, handlers: tuple[str, ...]) -> None:
        """Two processes, and three jobs of the first."""
        self.opens()
        if self.most > 1:
            self.opens()
        for account in "aab":
            self.add(self.process(0), account, handlers, is_ours=True)

    def leaves(self, which: int) -> Process:
        process = super().leaves(which)
        self.creates = [create for create in self.creates if create.process is not process]
        self.claimed = [claim for claim in self.claimed if claim[0] is not process]
        return process

    # --- the life of a job

    def add(
        self,
        process: Process,
        account: str,
        handlers: tuple[str, ...],
        *,
        is_ours: bool,
        name: tuple[str, str] | None = None,
    ) -> None:
        """`name`: scope and key.  While the last attempt under it has not ended, no other is added."""
        latest = self.model.latest(*name) if name is not None else None
        if latest is not None and not latest.is_over:
            self.add_again(process, latest)
            return
        number = self.number()
        scope, key = name or ("", None)
        job = Job(
            id=f"job-{number}",
            account=account,
            number=number,
            state=State.PENDING if is_ours else State.QUEUED,
            owner=process.worker,
            is_ours=is_ours,
            provider_id=None if is_ours else f"v-{number}",
            deliveries={handler: Delivery() for handler in handlers},
            key=key,
            scope=scope,
            attempt=latest.attempt + 1 if latest is not None else 1,
        )
        record = Record(
            id=job.id, connection="luma", provider="luma", account=account, state=job.state, handlers=handlers,
            submission=WISH if is_ours else None, provider_id=job.provider_id, created_at=job.created_at,
            read_at=self.stage.moment, key=key, scope=scope, attempt=job.attempt,
        )  # fmt: skip
        if not process.worker.lives:
            with pytest.raises(StoreError):
                self.run(process.store.add(record))
            return
        assert self.run(process.store.add(record)) is None
        self.model.jobs[job.id] = job

    def take_in(self, account: str, handlers: tuple[str, ...], *, is_ours: bool) -> None:
        """A process that follows nothing opens the ledger, adds a job and leaves: the job never had an owner."""
        store = self.run(self.stage.joins(Follows.NOTHING))
        process = Process(store, self.begun(store), self.number())
        self.add(process, account, handlers, is_ours=is_ours)
        list(self.model.jobs.values())[-1].owner = None
        assert self.run(store.adopt(["a", "b"])) == []
        self.compare()
        self.run(self.stage.leaves(store))
        self.model.end(process.worker)

    def add_again(self, process: Process, job: Job, *, by_generation: bool = False) -> None:
        """It is added once more, by its id or as one generation: the present job is returned unchanged."""
        by_generation = by_generation and job.provider_id is not None
        record = Record(
            id=f"again-{self.number()}" if by_generation else job.id, connection="luma", provider="luma",
            account=job.account, state=State.QUEUED if by_generation else State.PENDING, handlers=HANDLERS,
            submission=None if by_generation else WISH, provider_id=job.provider_id if by_generation else None,
            created_at=self.stage.moment, read_at=self.stage.moment, key=job.key, scope=job.scope, attempt=job.attempt,
        )  # fmt: skip
        if not process.worker.lives:
            with pytest.raises(StoreError):
                self.run(process.store.add(record))
            return
        standing = self.run(process.store.add(record))
        assert standing is not None, "one job was added twice"
        assert agrees(standing, job)

    def withdraw(self, process: Process, job: Job) -> None:
        """Any process may withdraw it as long as it was not sent."""
        at = self.stage.moment
        withdrawn = self.run(process.store.withdraw(self.end_of(job.id, State.CANCELLED, at, ran=False)))
        assert withdrawn is self.model.withdraw(job, at)

    def intend(self, process: Process, job: Job) -> None:
        if job.state is not State.PENDING or not (self.model.is_alone or job.owner is process.worker):
            with pytest.raises(StoreError):
                self.run(process.store.intend(job.id))
            return
        assert self.run(process.store.intend(job.id)) == 0.0
        self.model.intend(job, process.worker, process.number)
        self.creates.append(Create(process, job, job.sent_as))

    def answer(self, create: Create, what: str, *, again: bool) -> None:
        """The outcome of a create, however late: its job may be taken over, sent again, or forgotten by then."""
        process, job, what = create.process, create.job, create.answer or what
        if what in ("queued", "processing"):
            state = State(what)
            follows = self.run(process.store.confirm(job.id, create.provider_id, state))
            assert follows is self.model.confirm(job, process.worker, process.number, create.provider_id, state)
        elif what == "put back":
            self.run(process.store.release(job.id))
            self.model.release(job, process.worker, process.number)
        elif what == "lost":
            self.run(process.store.mark_unknown(job.id))
            self.model.mark_unknown(job, process.number)
        else:
            self.settle(process, [job.id], State.FAILED, ran=False)
        create.answer = what
        if not again or what in ("put back", "lost"):
            self.creates.remove(create)

    def progressed(self, process: Process, job: Job) -> None:
        """A process reports that it has begun, perhaps one that does not follow it any more."""
        self.run(process.store.progressed([job.id, "unheard of"]))
        self.model.progressed(job, process.worker)

    def answer_late(self, job: Job, meanwhile: str, *, wakes: bool, answer: str, again: bool) -> None:
        """The answer of its create comes after other processes have gone on with the job."""
        process = self.owner(job)
        if process is None or job.state is not State.PENDING:
            return
        self.intend(process, job)
        create = self.creates[-1]
        if meanwhile == "ended" or len(self.processes) == 1:
            self.settle(self.process(job.number), [job.id], State.COMPLETED)
        else:
            self.stands_still(process)
            other = next(each for each in self.processes if each is not process)
            if meanwhile != "taken over":
                self.decide(other, job, f"found-{self.number()}" if meanwhile == "found" else None)
            if meanwhile == "sent again":
                self.intend(other, job)
            if wakes:
                self.heartbeat(process, begins_again=True)
        self.answer(create, answer, again=again)

    def settle(self, process: Process, ids: list[str], state: State, *, ran: bool = True) -> None:
        at = self.stage.moment
        jobs = self.model.jobs
        ended = [self.end_of(each, state, at, ran=ran) for each in ids]
        self.run(process.store.settle(ended))
        for each in ids:
            if each in jobs:
                self.model.settle(jobs[each], state, at, process.worker, process.number, ran=ran)

    def end_of(self, job_id: str, state: State, at: datetime, *, ran: bool) -> Generation:
        name = self.model.jobs[job_id].sent_as if job_id in self.model.jobs else "v"
        return Generation(
            id=job_id, provider_id=name if ran else None, provider="luma", connection="luma", model="uni-1",
            state=state, finished_at=at,
        )  # fmt: skip

    def decide(self, process: Process, job: Job, provider_id: str | None) -> None:
        if job.state is State.UNKNOWN and not process.worker.lives:
            with pytest.raises(StoreError):
                self.run(process.store.reopen(job.id, provider_id))
            return
        record = self.run(process.store.reopen(job.id, provider_id))
        assert (record is not None) is (job.state is State.UNKNOWN)
        if record is not None:
            self.model.reopen(job, process.worker, provider_id)
            assert agrees(record, job)

    # --- handlers

    def claim(self, process: Process, handlers: tuple[str, ...], limit: int) -> int:
        claimable = self.model.claimable(handlers) if process.worker.lives else {}
        found = self.run(process.store.claim(handlers, limit))
        assert len(found) == min(limit, len(claimable))
        for handler, generation, attempt in found:
            job_id = generation.id or ""
            assert (handler, job_id) in claimable, "an end was claimed that is not due, or by two processes"
            delivery = claimable.pop((handler, job_id))
            delivery.attempts += 1
            assert attempt == delivery.attempts
            assert generation.state is self.model.jobs[job_id].ended_as
            delivery.claimed_by = process.worker
            self.claimed.append((process, handler, job_id, delivery))
        return len(found)

    def ack(self, which: int, again: float | None, *, keeps: bool) -> None:
        """It was delivered, or is due again; perhaps reported by a process whose claim has ended."""
        claim = process, handler, job_id, delivery = self.claimed[which]
        self.run(process.store.ack(job_id, handler, again))
        if job_id in self.model.jobs:
            self.model.ack(delivery, again, process.worker)
        if not keeps:
            self.claimed.remove(claim)

    def bring_late(self, which: int, again: float | None, late: float | None) -> None:
        """Another process delivers an end, as the claim of a slow process has ended with its lease."""
        process = self.process(which)
        if not self.claim(process, HANDLERS, 1):
            return
        place = len(self.claimed) - 1
        self.claim(self.process(which + 1), HANDLERS, 20)  # what is claimed is due for no other process
        if len(self.processes) == 1:
            self.ack(place, again, keeps=False)
            self.closes(0)
            self.opens()
            return
        self.stands_still(process)
        other = next(each for each in self.processes if each is not process)
        for _ in range(self.claim(other, HANDLERS, 20)):
            self.ack(len(self.claimed) - 1, again, keeps=False)
        self.ack(place, late, keeps=True)

    # --- in the end

    def finish(self) -> None:
        """All processes die, and a new one goes on with everything they left; then everything is closed."""
        try:
            self.drain()
        finally:
            self.stage.close()

    def drain(self) -> None:
        while self.processes:
            self.goes_for_good()
        self.context.now += max(3600.0, 2.0 * self.context.lease)
        self.opens()
        (process,) = self.processes
        self.heartbeat(process, begins_again=False)
        self.before_it_drains()
        lost = {job.id for job in self.model.jobs.values() if job.state is State.SUBMITTING and job.account == "a"}
        self.adopt(process, ["a"], None)
        for job in self.model.jobs.values():
            if job.account == "a" and not job.is_over:
                assert job.state is State.UNKNOWN or job.owner is process.worker
        assert {job.id for job in self.model.jobs.values() if job.state is State.UNKNOWN} >= lost
        assert self.run(process.store.adopt(["a"])) == []
        while self.claim(process, HANDLERS, 20):
            while self.claimed:
                self.ack(0, None, keeps=False)
        assert all(job.is_delivered for job in self.model.jobs.values() if job.is_over)
        self.compare()

    def before_it_drains(self) -> None:
        """A hook for stores that need a step of their own before one process can go on with everything."""
