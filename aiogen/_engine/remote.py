"""Jobs that are awaited here, while another process sends and follows them: their ends are read from the ledger."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aiogen._answers import outcomes
from aiogen._clock import Clock
from aiogen._engine.job import Job
from aiogen.errors import AiogenError
from aiogen.models import Generation, State
from aiogen.stores.base import Record


class RemoteJobs:
    """One per session."""

    def __init__(
        self,
        clock: Clock,
        *,
        expect: Callable[[Job, float], None],
        end: Callable[[Job, AiogenError | None], None],
        attend: Callable[[], None],
        owes: Callable[[str], bool],
        queue_timeout: float,
    ) -> None:
        """What it works with.

        Args:
            clock: the session's.
            expect: gives a job a deadline, seconds from now.
            end: resolves everyone who waits for a job.
            attend: has the ledger looked into soon.
            owes: whether something is known here about a job, by its id, that the ledger could not take yet.
            queue_timeout: seconds that a job may wait for its turn, wherever that is.
        """
        self._clock = clock
        self._expect = expect
        self._end = end
        self._attend = attend
        self._owes = owes
        self._queue_timeout = queue_timeout
        self._jobs: dict[str, Job] = {}
        self._begun: dict[str, float] = {}
        """When those were seen to have begun that were queued before, on the session's steady clock."""

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Job) -> bool:
        return job.id in self._jobs

    def begun_at(self, job: Job) -> float | None:
        """When it was seen to have begun; None if that was not seen from here."""
        return self._begun.get(job.id)

    def ids(self) -> list[str]:
        """Whom somebody here waits for."""
        return list(self._jobs)

    def hand_over(self, job: Job) -> None:
        """Another process sends and follows it from now on; here the ledger is read."""
        self.watch(job)
        self._attend()

    def lose(self, jobs: list[Job]) -> None:
        """They were followed here until just now, and keep their deadlines."""
        self._jobs |= {job.id: job for job in jobs if not job.done}

    def reclaim(self, job: Job) -> bool:
        """The other process is gone, or was never heard of; True if the job was watched until now."""
        return self._drop(job.id) is not None

    def watch(self, job: Job, age: float = 0.0) -> None:
        """The same, where its record is read just after; `age`: seconds since the vendor accepted it."""
        self._jobs[job.id] = job
        # Its deadline begins when the vendor accepts it; before that it waits for its turn, wherever that is.
        self._expect(job, self._queue_timeout if job.provider_id is None else max(0.0, job.timeout - age))

    def seen(self, record: Record) -> None:
        """Take over the state of a job as its record in the ledger has it."""
        job = self._jobs.get(record.id)
        if job is None:
            return
        at = self._clock.datetime()
        if record.generation is not None and record.state.is_terminal:
            self.seen_end(job, record.generation)
        elif self.is_ahead_of(record, job):
            pass  # it is taken up, by whomever, as soon as the ledger knows
        elif record.state is State.UNKNOWN:
            self._drop(record.id)
            job._update(attrs.evolve(job.generation, state=record.state), at, skips=True)
            sent_at = record.submitted_at or record.created_at
            self._end(job, outcomes.left_behind(job.generation, job.submission, sent_at))
        else:
            is_accepted = job.provider_id is None and record.provider_id is not None
            # That it has begun to be processed the ledger knows later, or not at all.
            is_further = job.state is State.PROCESSING and record.state is State.QUEUED
            state = job.state if is_further else record.state
            if job.state is State.QUEUED and state is State.PROCESSING:
                self._begun[job.id] = self._clock.now()
            known = attrs.evolve(
                job.generation,
                state=state,
                provider_id=record.provider_id,
                accepted_at=record.accepted_at or job.generation.accepted_at,
            )
            job._update(known, at, skips=True)
            if is_accepted:
                self.watch(job, 0.0 if record.accepted_at is None else record.ago(record.accepted_at))

    def is_ahead_of(self, record: Record, job: Job) -> bool:
        """The ledger says that nobody knows what became of its create, but here that is known."""
        is_named = job.provider_id is not None and record.provider_id is None
        return record.state is State.UNKNOWN and (is_named or self._owes(job.id))

    def seen_end(self, job: Job, generation: Generation) -> None:
        """End a job here as it has ended in the ledger."""
        self._drop(job.id)
        job._update(generation, self._clock.datetime(), skips=True)
        self._end(job, outcomes.ended(generation))

    def seen_end_of(self, job_id: str, generation: Generation) -> None:
        """The same, by our id of the job, whether it is watched or not."""
        job = self._jobs.get(job_id)
        if job is not None:
            self.seen_end(job, generation)

    def gone(self, job_id: str) -> None:
        """One of them is no longer in the ledger."""
        job = self._drop(job_id)
        if job is not None:
            self._end(job, outcomes.removed(job.generation))

    def _drop(self, job_id: str) -> Job | None:
        self._begun.pop(job_id, None)
        return self._jobs.pop(job_id, None)
