"""Jobs that were submitted here and are sent by other processes: from their entry in the ledger to their turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

import attrs

from aiogen._answers import outcomes
from aiogen._clock import Clock
from aiogen._engine.job import Job
from aiogen._engine.remote import RemoteJobs
from aiogen._ledger.lease import Ledger
from aiogen.errors import AiogenError, StoreError
from aiogen.models import State
from aiogen.stores.base import Record, Store

logger = logging.getLogger("aiogen")


class TakenIn:
    """One per session; empty in one that follows."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ledger: Ledger,
        remote: RemoteJobs,
        *,
        end: Callable[[Job, AiogenError | None], None],
        queue_timeout: float,
        is_used: bool,
    ) -> None:
        """What it works with.

        Args:
            store: the ledger of jobs.
            clock: the session's.
            ledger: the session's side of it.
            remote: reads how they stand.
            end: resolves everyone who waits for a job.
            queue_timeout: seconds that a job may wait for its turn.
            is_used: False in a session that follows.
        """
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._remote = remote
        self._end = end
        self._queue_timeout = queue_timeout
        self._is_used = is_used
        self._jobs: WeakSet[Job] = WeakSet()
        self._coming: dict[str, Record | None] = {}
        """What is being taken in, and what was read of it meanwhile."""

    def __contains__(self, job: Job) -> bool:
        """Whether it was taken in here, and still waits for its turn as far as is known."""
        return job in self._jobs and job in self._remote and job.provider_id is None

    def ids(self) -> list[str]:
        """The ids of jobs that are being added, which are watched though nobody waits for them yet."""
        return list(self._coming)

    @contextmanager
    def coming(self, job: Job) -> Iterator[None]:
        """Within this the ledger takes it; it may be over before the caller learns that it is written."""
        if self._is_used:
            self._coming[job.id] = None
        try:
            yield
        finally:
            self._coming.pop(job.id, None)

    def seen(self, record: Record) -> None:
        """Keep the record of a job that is being added."""
        if record.id in self._coming:
            self._coming[record.id] = record

    def take_in(self, job: Job) -> None:
        """The ledger has it, for the process that will send it."""
        self._jobs.add(job)
        self._remote.watch(job)
        self._ledger.others.listen()
        seen = self._coming.get(job.id)
        if seen is not None:
            self._remote.seen(seen)

    async def take_back(self, job: Job, error: AiogenError) -> bool:
        """Nobody is to send it any more; False if somebody has.

        Raises:
            StoreError: the ledger could not be written.
        """
        at = self._clock.datetime()
        ended = attrs.evolve(job.generation, state=State.CANCELLED, finished_at=at)
        if not await self._store.withdraw(ended):
            return False
        self._remote.reclaim(job)
        job._update(ended, at, skips=True)
        self._end(job, error)
        return True

    async def expire(self, job: Job) -> None:
        """End a job that has waited for its turn for too long."""
        waited, known = self._queue_timeout, job.generation
        is_followed = self._ledger.is_followed
        late = outcomes.timed_out(known, waited, None) if is_followed else outcomes.unfollowed(known, waited)
        try:
            if await self.take_back(job, late):
                return
        except StoreError as error:
            logger.warning("Job %s could not be taken back: %s", job.id, error)
        if job in self:  # else it was accepted meanwhile, and has another deadline
            self._remote.reclaim(job)
            self._end(job, outcomes.still_remote(known, waited))
