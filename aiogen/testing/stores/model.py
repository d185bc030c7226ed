"""The model of a ledger, in a few lines without a file: every store has to agree with it after each step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import attrs

from aiogen.models import State
from aiogen.stores.base import ADOPTED, Record
from aiogen.testing.stores.setup import START

FIRST = datetime.fromtimestamp(START - 86_400.0, UTC)
"""When the first job is made; the others a second apart."""
KEYS_FOR = 366 * 86_400.0
"""Seconds after the end for which the meaning of a key is kept, if something was paid for."""


@attrs.define(eq=False)
class Worker:
    """One worker: from one `open` to the end of its lease; after that it owns nothing."""

    name: str
    lease_until: float
    lease: float
    """Seconds."""
    lives: bool = True


@attrs.define(eq=False)
class Delivery:
    """The end of a job, for one handler."""

    next_at: float | None = None
    """None before the end."""
    pause: float = 0.0
    """Seconds between the last `ack` and the next attempt."""
    attempts: int = 0
    claimed_by: Worker | None = None
    done: bool = False


@attrs.define(eq=False)
class Job:
    """One row."""

    id: str
    account: str
    number: int
    state: State
    owner: Worker | None
    is_ours: bool = True
    """Submitted here, not attached."""
    creates: int = 0
    sender: int | None = None
    """The process that sent the last create, and may report its outcome."""
    sent_in: Worker | None = None
    """The worker that it was then."""
    provider_id: str | None = None
    submitted_at: float | None = None
    ended_as: State | None = None
    ended_at: datetime | None = None
    expires_at: float = 0.0
    deliveries: dict[str, Delivery] = attrs.field(factory=dict)
    key: str | None = None
    scope: str = ""
    attempt: int = 1
    is_bare: bool = False
    """It is reduced to what its key means."""

    @property
    def sent_as(self) -> str:
        """The vendor's id of the last create."""
        return f"v-{self.number}-{self.creates}"

    @property
    def created_at(self) -> datetime:
        return FIRST + timedelta(seconds=self.number)

    @property
    def is_over(self) -> bool:
        return self.ended_as is not None

    @property
    def is_delivered(self) -> bool:
        return all(delivery.done for delivery in self.deliveries.values())


@attrs.define(eq=False)
class Ledger:
    """Every fact, and what follows from it."""

    now: Callable[[], float]
    keep_finished: float
    """Seconds."""
    is_alone: bool = False
    """There is only one worker: every report comes from the owner."""
    jobs: dict[str, Job] = attrs.field(factory=dict)
    workers: list[Worker] = attrs.field(factory=list)

    # --- workers

    def begin(self, name: str, lease: float) -> Worker:
        worker = Worker(name, self.now() + lease, lease)
        self.workers.append(worker)
        return worker

    def end(self, worker: Worker) -> None:
        """What it owned has no owner."""
        worker.lives = False
        self.workers.remove(worker)
        for job in self.jobs.values():
            if job.owner is worker:
                job.owner = None
            for delivery in job.deliveries.values():
                if delivery.claimed_by is worker:
                    delivery.claimed_by = None

    def heartbeat(self, worker: Worker, lease: float) -> bool:
        kept = worker.lives and worker.lease_until > self.now()
        if kept:
            worker.lease_until = self.now() + lease
        for other in [each for each in self.workers if each.lease_until < self.now()]:
            self.end(other)
        self.purge()
        return kept

    def purge(self) -> None:
        """What ended long enough ago is removed, but not before every handler has acknowledged it."""
        for job in [each for each in self.jobs.values() if each.is_over and each.is_delivered]:
            if job.expires_at >= self.now():
                continue
            if job.key is not None and job.provider_id is not None and not job.is_bare:
                job.is_bare = True
                job.expires_at += KEYS_FOR - self.keep_finished
            else:
                del self.jobs[job.id]

    def free(self, accounts: Collection[str], only: Collection[str] | None) -> list[Job]:
        """What may be adopted, the oldest first."""
        return [
            job
            for job in sorted(self.jobs.values(), key=lambda job: job.number)
            if job.owner is None and job.state in ADOPTED and job.account in accounts
            if only is None or job.id in only
        ]

    def adopt(self, worker: Worker, free: list[Job]) -> None:
        for job in free:
            if job.state is State.SUBMITTING:
                job.state = State.UNKNOWN
            else:
                job.owner = worker

    # --- jobs

    def intend(self, job: Job, worker: Worker, sender: int) -> None:
        job.creates += 1
        job.state, job.sender, job.submitted_at = State.SUBMITTING, sender, self.now()
        job.owner = job.sent_in = worker

    def confirm(self, job: Job, worker: Worker, sender: int, provider_id: str, state: State) -> bool:
        """True if this worker follows it; one that was forgotten is followed by no other."""
        if not job.is_over and job.sender in (None, sender) and job.provider_id in (None, provider_id):
            job.state = job.state if job.state is State.PROCESSING else state
            job.provider_id = provider_id
            job.owner = job.owner or self._since(job, worker)
        return worker.lives and (job.owner is worker or job.id not in self.jobs)

    def _since(self, job: Job, worker: Worker) -> Worker | None:
        """This worker, if it has kept its lease since the create; else None."""
        return worker if worker.lives and (self.is_alone or job.sent_in in (None, worker)) else None

    def progressed(self, job: Job, worker: Worker) -> None:
        """Its owner reports that it has begun."""
        if job.state is State.QUEUED and job.owner is worker:
            job.state = State.PROCESSING

    def release(self, job: Job, worker: Worker, sender: int) -> None:
        if job.state in (State.SUBMITTING, State.UNKNOWN) and job.sender == sender:
            job.state, job.submitted_at = State.PENDING, None
            job.owner = self._since(job, worker)

    def mark_unknown(self, job: Job, sender: int) -> None:
        if job.state is State.SUBMITTING and job.sender == sender:
            job.state, job.owner = State.UNKNOWN, None

    def reopen(self, job: Job, worker: Worker, provider_id: str | None) -> None:
        job.owner, job.provider_id = worker, provider_id
        job.state = State.PENDING if provider_id is None else State.QUEUED
        if provider_id is None:
            job.submitted_at = None

    def settle(self, job: Job, state: State, at: datetime, worker: Worker, sender: int, *, ran: bool) -> None:
        """That it was not sent, or was refused, only its owner or its sender may report; that it ran, every process."""
        is_free = job.owner is None and job.state is State.PENDING
        may = ran or is_free or self.is_alone or job.owner is worker or job.sender == sender
        if job.is_over or not may:
            return
        if ran:
            job.provider_id = job.provider_id or job.sent_as
        job.state = job.ended_as = state
        job.owner, job.ended_at, job.expires_at = None, at, self.now() + self.keep_finished
        for delivery in job.deliveries.values():
            delivery.next_at = self.now()

    def withdraw(self, job: Job, at: datetime) -> bool:
        """True if it was not sent: then any process may end it."""
        if job.state is not State.PENDING:
            return False
        job.state = job.ended_as = State.CANCELLED
        job.owner, job.ended_at, job.expires_at = None, at, self.now() + self.keep_finished
        for delivery in job.deliveries.values():
            delivery.next_at = self.now()
        return True

    def latest(self, scope: str, key: str) -> Job | None:
        """The last attempt under a key."""
        attempts = [job for job in self.jobs.values() if (job.scope, job.key) == (scope, key)]
        return max(attempts, key=lambda job: job.attempt, default=None)

    def may_forget(self, job: Job) -> bool:
        return job.is_over or job.state is State.UNKNOWN

    # --- handlers

    def claimable(self, handlers: Collection[str]) -> dict[tuple[str, str], Delivery]:
        """By handler and job."""
        return {
            (handler, job.id): delivery
            for job in self.jobs.values()
            for handler, delivery in job.deliveries.items()
            if handler in handlers and not delivery.done and delivery.claimed_by is None
            if delivery.next_at is not None and delivery.next_at <= self.now()
        }

    def ack(self, delivery: Delivery, again: float | None, worker: Worker) -> None:
        if delivery.done or (again is not None and delivery.claimed_by not in (None, worker)):
            return
        delivery.claimed_by = None
        delivery.done = again is None
        delivery.next_at = None if again is None else self.now() + again
        delivery.pause = again or 0.0


def agrees(record: Record, job: Job) -> bool:
    """The store says the same of this job."""
    return (
        record.id == job.id
        and record.account == job.account
        and record.state is job.state
        and record.owner == (job.owner.name if job.owner is not None else None)
        and record.provider_id == job.provider_id
        and (record.submitted_at is None) is (job.submitted_at is None)
        and (record.generation.state if record.generation is not None else None)
        is (None if job.is_bare else job.ended_as)
        and record.finished_at == job.ended_at
        and record.created_at == job.created_at
        and (record.key, record.scope, record.attempt) == (job.key, job.scope, job.attempt)
        and (record.submission is None) is (job.state is State.COMPLETED or not job.is_ours)
    )
