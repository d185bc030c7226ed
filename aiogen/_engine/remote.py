"""Jobs that somebody waits for here, and another process sends and follows: their ends are read in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiogen._answers import outcomes
from aiogen._engine.job import Job
from aiogen.models import State
from aiogen.stores.base import Record

if TYPE_CHECKING:
    from aiogen._engine.coordinator import Coordinator


class RemoteJobs:
    """One per session."""

    def __init__(self, hub: Coordinator) -> None:
        self._hub = hub
        self._jobs: dict[str, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Job) -> bool:
        return job.id in self._jobs

    def watched(self) -> list[str]:
        """The ids of all of them."""
        return list(self._jobs)

    async def watch(self, job: Job) -> None:
        """Wait for a job that another process owns."""
        self.hand_over(job)
        await self._hub.ledger.look(force=True)

    def hand_over(self, job: Job) -> None:
        """Another process sends and follows it from now on; whoever waits here is told what the ledger tells."""
        self._watch(job)
        self._hub.ledger.attend()

    def lose(self, jobs: list[Job]) -> None:
        """They were followed here until just now, and keep their deadlines."""
        self._jobs |= {job.id: job for job in jobs if not job.done}

    def reclaim(self, job: Job) -> bool:
        """The other process is gone, or was never heard of; True if the job was watched until now."""
        return self._jobs.pop(job.id, None) is not None

    def _watch(self, job: Job) -> None:
        hub = self._hub
        self._jobs[job.id] = job
        # Its deadline begins when the vendor accepts it; before that it waits for its turn, wherever that is.
        hub.expect(job, job.timeout if job.provider_id is not None else hub.limits.queue_timeout)

    def seen(self, record: Record) -> None:
        """How a job stands in the ledger; of one that is not watched nothing is said."""
        hub, job = self._hub, self._jobs.get(record.id)
        if job is None:
            return
        at = hub.clock.datetime()
        if record.generation is not None and record.state.is_terminal:
            del self._jobs[record.id]
            job._update(record.generation, at, skips=True)
            hub.end(job, outcomes.ended(record.generation))
        elif record.state is State.UNKNOWN:
            del self._jobs[record.id]
            job._update(attrs.evolve(job.generation, state=record.state), at, skips=True)
            hub.end(job, outcomes.left_behind(job.generation, job.submission, record.submitted_at or record.created_at))
        else:
            is_accepted = job.provider_id is None and record.provider_id is not None
            # That it has begun to be processed the ledger does not keep.
            is_further = job.state is State.PROCESSING and record.state is State.QUEUED
            state = job.state if is_further else record.state
            job._update(attrs.evolve(job.generation, state=state, provider_id=record.provider_id), at, skips=True)
            if is_accepted:
                self._watch(job)

    def gone(self, job_id: str) -> None:
        """It was removed from the ledger, so its end cannot be read there."""
        job = self._jobs.pop(job_id, None)
        if job is not None:
            self._hub.end(job, outcomes.removed(job.generation))
