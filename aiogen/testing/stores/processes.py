"""Processes that open one ledger, use it and leave; what they read and adopt is compared with the model."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from typing import ClassVar, TypeVar

import attrs
import pytest

from aiogen.errors import StoreError
from aiogen.models import State
from aiogen.stores.base import Record, RecordQuery, Store
from aiogen.testing.stores.model import Job, Ledger, Worker, agrees
from aiogen.testing.stores.setup import StoreContext, StoreSetup
from aiogen.testing.stores.stage import Stage

T = TypeVar("T")
FOR_EVER = 1e9

BEFORE_IT_RAN: tuple[State, ...] = (State.PENDING, State.SUBMITTING, State.UNKNOWN)
BACKWARDS: Mapping[State, tuple[State, ...]] = {
    State.QUEUED: BEFORE_IT_RAN,
    State.PROCESSING: (*BEFORE_IT_RAN, State.QUEUED),
}
"""States that never follow a state: what was accepted runs until it ends."""


@attrs.define(eq=False)
class Process:
    """A store that is open, and its worker in the ledger."""

    store: Store
    worker: Worker
    number: int
    """By which the model knows who sent a create: it stays the same when the lease is begun again."""


class Processes:
    """Up to three processes on one ledger, each of which may be suspended, leave, or die at any moment."""

    ledger: ClassVar[type[Ledger]] = Ledger
    """The model."""

    def __init__(self, setup: StoreSetup) -> None:
        super().__init__()
        self.stage: Stage = Stage(setup)
        self.model: Ledger = self.ledger(now=self.context.time, keep_finished=setup.keep_finished)
        self.most: int = 3
        """The most processes at once; one if no other process can see the ledger."""
        self.processes: list[Process] = []
        self.seen: dict[str, Record] = {}
        self.count: int = 0

    @property
    def context(self) -> StoreContext:
        """The ledger's folder and clock."""
        return self.stage.context

    def run(self, work: Awaitable[T]) -> T:
        return self.stage.run(work)

    def number(self) -> int:
        self.count += 1
        return self.count

    def process(self, which: int) -> Process:
        """An open process: the one with this number, or another."""
        return self.processes[which % len(self.processes)]

    def job(self, which: int, state: State | None = None) -> Job:
        """A job in this state, if there is any; else another."""
        jobs = list(self.model.jobs.values())
        jobs = [job for job in jobs if job.state is state] or jobs
        return jobs[which % len(jobs)]

    def owner(self, job: Job) -> Process | None:
        return next((process for process in self.processes if process.worker is job.owner), None)

    # --- coming and going

    def opens(self) -> None:
        store = self.run(self.stage.joins())
        if store.lease is None:
            self.most, self.model.is_alone = 1, True
        self.processes.append(Process(store, self.begun(store), self.number()))

    def begun(self, store: Store) -> Worker:
        return self.model.begin(store.worker, store.lease or FOR_EVER)

    def closes(self, which: int) -> None:
        process = self.leaves(which)
        self.run(self.stage.leaves(process.store))
        if process.worker.lives:
            self.model.end(process.worker)

    def dies(self, which: int, *, is_known: bool) -> None:
        """Its lease is not given back; `is_known`: its machine shows that it is gone, if the store looks."""
        if self.most == 1:
            self.closes(which)  # no other process could tell the difference
            return
        self.run(self.stage.dies(self.leaves(which).store))

    def goes_for_good(self) -> None:
        self.dies(0, is_known=False)

    def leaves(self, which: int) -> Process:
        process = self.process(which)
        self.processes.remove(process)
        return process

    def passes(self, leases: float) -> None:
        """The time moves on by this number of leases."""
        self.context.now += leases * self.context.lease

    def stands_still(self, stands: Process) -> None:
        """It is suspended for longer than its lease; another takes over, and it goes on without knowing."""
        others = [process for process in self.processes if process is not stands]
        for _ in range(2):
            self.passes(0.6)
            for process in others:
                self.heartbeat(process, begins_again=True)
        self.adopt(others[0], ("a", "b"), None)

    def heartbeat(self, process: Process, *, begins_again: bool) -> None:
        kept = self.run(process.store.heartbeat())
        assert kept is self.model.heartbeat(process.worker, process.store.lease or FOR_EVER)
        if not kept and begins_again:
            self.run(process.store.open())
            process.worker = self.begun(process.store)

    def everybody_is_well(self) -> None:
        for process in self.processes:
            self.heartbeat(process, begins_again=True)

    def adopt(self, process: Process, accounts: Collection[str], ids: Collection[str] | None) -> None:
        free = self.model.free(accounts, ids)
        if not process.worker.lives and any(job.state is not State.SUBMITTING for job in free):
            with pytest.raises(StoreError):
                self.run(process.store.adopt(accounts, ids))
            return
        adopted = self.run(process.store.adopt(accounts, ids))
        self.model.adopt(process.worker, free)
        assert [record.id for record in adopted] == [job.id for job in free]
        assert all(agrees(record, job) for record, job in zip(adopted, free, strict=True))

    # --- what has to be true after each step

    def compare(self) -> None:
        """The store agrees with the model about each job."""
        records = self.run(self.process(0).store.find(RecordQuery(with_request=True)))
        jobs = sorted(self.model.jobs.values(), key=lambda job: -job.number)
        assert [record.id for record in records] == [job.id for job in jobs]
        for record, job in zip(records, jobs, strict=True):
            assert agrees(record, job), (record, job)
            self.leads_forward(record)
        self.seen = {record.id: record for record in records}

    def leads_forward(self, record: Record) -> None:
        """What has ended does not change, no state goes backwards, and every owner has a lease."""
        before = self.seen.get(record.id)
        if before is not None and before.state.is_terminal:
            assert record.state is before.state
            # After a while only the meaning of its key is kept.
            is_bare = record.key is not None and record.generation is None
            assert record.generation == before.generation or is_bare
        elif before is not None:
            assert record.state not in BACKWARDS.get(before.state, ())
        assert record.owner is None or record.owner in [worker.name for worker in self.model.workers]

    def look(self, process: Process, job: Job | None) -> None:
        """The other ways to read: by state, by our id, by the vendor's."""
        unfinished = [state for state in State if not state.is_terminal]
        records = self.run(process.store.find(RecordQuery(states=unfinished, limit=2)))
        jobs = sorted((job for job in self.model.jobs.values() if not job.is_over), key=lambda job: -job.number)
        assert [record.id for record in records] == [job.id for job in jobs[:2]]
        if job is None:
            return
        record = self.run(process.store.get(job.id))
        assert record is not None
        assert agrees(record, job)
        if job.provider_id is not None:
            assert self.run(process.store.by_provider_id(job.account, [job.provider_id])) == [record]

    def look_under(self, process: Process, scope: str, key: str) -> None:
        """The last attempt under a key."""
        record, job = self.run(process.store.latest(scope, key)), self.model.latest(scope, key)
        assert (record is None) is (job is None)
        assert record is None or job is None or agrees(record, job)
