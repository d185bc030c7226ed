"""What the ledger in a file can do beyond every store: it may be moved, the clock set back, and the dead are known."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from aiogen import State
from aiogen.stores.base import Store
from aiogen.stores.sqlite import SqliteStore
from aiogen.testing import StoreContext, StoreMachine, StoreSetup
from aiogen.testing.stores.model import Job, Ledger, Worker
from aiogen.testing.stores.processes import Process


def file_store(context: StoreContext, store: type[SqliteStore] = SqliteStore) -> SqliteStore:
    """The ledger in a file, told the time by the context, and which workers are known to be dead."""

    def now(_: object) -> float:
        return context.time()

    if "path" not in context.kept:
        context.kept["path"] = context.folder / "aiogen.db"
        dead = context.kept["dead"] = set[str]()
        context.enter(mock.patch("aiogen.stores.sqlite.clock.now", now))
        context.enter(mock.patch("aiogen.stores.sqlite.workers.is_dead", lambda name: name in dead))
    keep = min(context.keep_finished, 365 * 86_400.0)
    return store(context.kept["path"], lease=context.lease, keep_finished=keep)


async def kill(store: Store) -> None:
    """What it holds is let go of, and its lease runs on."""
    assert isinstance(store, SqliteStore)
    writer, store._writer = store._writer, None
    assert writer is not None
    await writer.close()


@attrs.define(eq=False)
class FileLedger(Ledger):
    """The model of a file that may be moved, under a clock that may be set back."""

    held: set[str] = attrs.field(factory=set)
    """Jobs that waited in a file that was moved since: perhaps somebody else sends them."""

    def begin(self, name: str, lease: float) -> Worker:
        self.correct()
        return super().begin(name, lease)

    def correct(self) -> None:
        """The clock may have been set back: nothing lies further ahead than it can have meant."""
        now = self.now()
        for worker in self.workers:
            worker.lease_until = min(worker.lease_until, now + worker.lease)
        for job in self.jobs.values():
            if job.ended_at is not None and job.ended_at.timestamp() > now:
                job.expires_at += now - job.ended_at.timestamp()
                job.ended_at = datetime.fromtimestamp(now, UTC)
            for delivery in job.deliveries.values():
                if delivery.next_at is not None:
                    delivery.next_at = min(delivery.next_at, now + delivery.pause)

    def move(self) -> None:
        """The file is found in another place."""
        self.held |= {job.id for job in self.jobs.values() if job.state is State.PENDING}

    def adopt_copy(self) -> int:
        held = [job for job in self.jobs.values() if job.id in self.held and not job.is_over]
        self.held.clear()
        return len(held)

    def free(self, accounts: object, only: object) -> list[Job]:
        free = super().free(accounts, only)  # type: ignore[arg-type]
        return [job for job in free if not (job.id in self.held and job.state is State.PENDING)]

    def reopen(self, job: Job, worker: Worker, provider_id: str | None) -> None:
        super().reopen(job, worker, provider_id)
        self.held.discard(job.id)

    def may_forget(self, job: Job) -> bool:
        is_held = job.id in self.held and job.state is State.PENDING and job.owner is None
        return super().may_forget(job) or is_held


class FileMachine(StoreMachine):
    """In a file, which may be moved, while the clock may be set back."""

    ledger = FileLedger
    model: FileLedger

    def __init__(self, setup: StoreSetup) -> None:
        super().__init__(setup)
        self.looked_at: dict[Process, float] = {}
        """The time of each one's last heartbeat."""

    def dies(self, which: int, *, is_known: bool) -> None:
        name = self.process(which).store.worker
        super().dies(which, is_known=is_known)
        if is_known:
            self.context.kept["dead"].add(name)

    def begun(self, store: Store) -> Worker:
        """A worker that opens ends those of whom it is known that their process is gone."""
        self.end_the_dead()
        return super().begun(store)

    def adopt(self, process: Process, accounts: Collection[str], ids: Collection[str] | None) -> None:
        """So does one that adopts; where that is refused, for its own lease is over, so is this."""
        if process.worker.lives:
            self.end_the_dead()
        elif self.the_dead():
            return
        super().adopt(process, accounts, ids)

    def the_dead(self) -> list[Worker]:
        return [each for each in self.model.workers if each.name in self.context.kept["dead"]]

    def end_the_dead(self) -> None:
        for worker in self.the_dead():
            self.model.end(worker)

    @rule(seconds=st.sampled_from([10.0, 3600.0]))
    def clock_is_set_back(self, seconds: float) -> None:
        """It was wrong until now; who opens the file, or uses it, puts right what it left there."""
        self.context.now -= seconds
        self.everybody_is_well()

    def heartbeat(self, process: Process, *, begins_again: bool) -> None:
        if self.context.now < self.looked_at.get(process, 0.0):
            self.model.correct()
        self.looked_at[process] = self.context.now
        super().heartbeat(process, begins_again=begins_again)

    @rule(moves=st.sampled_from([True, True, True, True, False]), takes_up=st.booleans())
    def file_is_moved(self, moves: bool, takes_up: bool) -> None:
        """While nobody uses it; what waits in it is held, and everything else goes on."""
        if moves and self.number() % 3:
            return  # not too often
        while self.processes:
            self.goes_for_good()
        path: Path = self.context.kept["path"]
        self.context.kept["path"] = path.rename(path.with_name(f"moved-{self.number()}.db"))
        self.model.move()
        self.opens()
        if takes_up:  # what its last users left, once their leases are over; but for what is held
            self.passes(1.1)
            self.everybody_is_well()
            self.adopt(self.process(0), ("a", "b"), None)

    @rule(which=st.integers(0, 2))
    def user_says_it_is_the_only_one(self, which: int) -> None:
        """Of a file that was moved."""
        store = self.process(which).store
        assert isinstance(store, SqliteStore)
        assert self.run(store.adopt_copy()) == self.model.adopt_copy()

    def before_it_drains(self) -> None:
        self.user_says_it_is_the_only_one(0)
