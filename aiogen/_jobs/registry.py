"""The handles of one session: a `Job` for each generation that somebody here asked for, took up, or looks at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import WeakValueDictionary

import attrs

from aiogen._account.create_queue import NORMAL
from aiogen._account.track import Track
from aiogen._answers import outcomes, snapshots
from aiogen._binding import Binding
from aiogen._engine.ends import take_back
from aiogen._engine.forecast import forecast
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.intake import attach, take_up
from aiogen._jobs.outputs import Outputs
from aiogen._jobs.tickets import ticket_of
from aiogen.errors import ConfigurationError, GenerationTimeout, StoreError
from aiogen.exchange import Submission
from aiogen.models import Cancellation, Generation, State
from aiogen.providers import registry as provider_registry
from aiogen.providers.base import Provider
from aiogen.stores.base import Record

if TYPE_CHECKING:
    from aiogen.providers.connections import Connections

ATTACHED_TIMEOUT = 600.0
"""Seconds for which a generation is followed of which nobody said how long it may take."""
_TAKEN_UP = 1000
"""Jobs that were taken up, and are over, that are kept for a caller who asks for them: a worker takes jobs up all the
time."""
_UNSENT = (State.PENDING, State.SUBMITTING)


class Registry:
    """Makes them, and finds them again by our id while anybody holds them."""

    def __init__(
        self,
        hub: Hub,
        connections: Connections,
        *,
        binding: Binding,
        poll_cost: float | None,
        cancel: Callable[[Job, float], Awaitable[Cancellation]],
        outputs: Outputs,
    ) -> None:
        """What it works with.

        Args:
            hub: of the same session.
            connections: the session's, which may come and go.
            binding: the session's.
            poll_cost: of jobs that have none of their own; by default the provider's.
            cancel: stops one; given the job, and the seconds to wait if another process follows it.
            outputs: hands out what came of one.
        """
        self._hub = hub
        self._binding = binding
        self._poll_cost = poll_cost
        self._cancel = cancel
        self._forecast, self._withdraw = partial(forecast, hub), partial(take_back, hub)
        self._outputs = outputs
        self._connections = connections
        self._jobs: WeakValueDictionary[str, Job] = WeakValueDictionary()
        self._taken_up: dict[str, Job] = {}
        self._attaching: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def new(
        self,
        generation: Generation,
        provider: Provider,
        submission: Submission | None,
        timeout: float,
        poll_cost: float | None = None,
        batch: str | None = None,
        priority: int = NORMAL,
        scope: str = "",
        attempt: int = 1,
    ) -> Job:
        """A handle, known to nobody yet; see `keep`."""
        return Job(
            generation,
            provider,
            submission=submission,
            timeout=timeout,
            poll_cost=poll_cost or self._poll_cost or provider.facts.poll_cost,
            binding=self._binding,
            forecast=self._forecast,
            withdraw=self._withdraw,
            cancel=self._cancel,
            outputs=self._outputs,
            batch=batch,
            priority=priority,
            scope=scope,
            attempt=attempt,
        )

    def keep(self, job: Job) -> Job:
        """From now on it is found by its id."""
        self._jobs[job.id] = job
        return job

    def take_up(self, record: Record, part: float | None = None) -> None:
        """Go on with a job that was left behind, by a session before this one or by another process that died.

        `part`: where it stands among many, see `AccountState.follow`.
        """
        job = self.go_on(record, part)
        if job is None:
            return
        self._taken_up[job.id] = job
        while len(self._taken_up) > _TAKEN_UP and next(iter(self._taken_up.values())).done:
            del self._taken_up[next(iter(self._taken_up))]

    def go_on(self, record: Record, part: float | None = None) -> Job | None:
        """Send or follow a job that is ours now; None without a key for it."""
        job = self._jobs.get(record.id)
        if job is None or job.done:
            job = self.revived(record)
            if job is None:
                return None
            self.keep(job)
        take_up(self._hub, job, record, part)
        return job

    def taken_up(self) -> list[Job]:
        """The jobs that were taken up since the last call."""
        jobs = list(self._taken_up.values())
        self._taken_up.clear()
        return jobs

    async def find(self, job_id: str) -> Job | None:
        """See `Session.job`."""
        hub = self._hub
        job = self._jobs.get(job_id)
        if job is not None and not _may_be_outdated(job):
            return job
        await hub.ledger.ready()
        record = await hub.store.get(job_id)
        if record is not None:
            with suppress(ConfigurationError):  # said below
                await self.revivable(record)
        if record is None or self._jobs.get(job_id) is not job:  # taken up just now
            return self._jobs.get(job_id)
        if job is not None and record.generation is None and job.state not in _UNSENT:
            is_ours = record.owner is not None and record.owner == hub.store.worker
            if is_ours and self._was_left(job, record):
                return self.go_on(attrs.evolve(record, state=job.state))
            if is_ours or record.state is job.state is State.UNKNOWN:
                return job  # nothing more is known of it
        if job is None and record.provider_id is not None and record.owner == hub.store.worker:
            return self.go_on(record)  # ours, and followed no more: its key was refused, or nobody waited for an hour
        job = self.revived(record)
        if job is None:
            raise ConfigurationError(
                f"Job {job_id} was submitted at {record.connection!r} with a key that this session does not have."
            )
        if record.generation is not None:
            job._finish(outcomes.ended(record.generation))
        else:
            self.keep(job)
            await hub.watch(job)
        return job

    def _was_left(self, job: Job, record: Record) -> bool:
        """Its deadline has passed, nobody waited for it for an hour after its acceptance, and now somebody asks."""
        key, hub = record.provider_id, self._hub
        return (
            hub.is_follower
            and isinstance(job.error, GenerationTimeout)
            and not job.state.is_terminal
            and record.state is not State.UNKNOWN
            and key is not None
            and job.id not in hub.settling
            and hub.tracked(job._provider, key) is None
        )

    async def attached(
        self, provider: Provider, provider_id: str, timeout: float | None, poll_cost: float | None
    ) -> Job:
        """See `Session.attach`."""
        # A caller who attaches it while it is looked for and written gets the same job.
        async with self._attaching.setdefault((provider.account, provider_id), asyncio.Lock()):
            track = self._hub.tracked(provider, provider_id)
            known: Job | str | None = None
            if track is None:
                known = await self.known(provider, provider_id)
            elif (running := next((job for job in track.jobs if not job.done), None)) is not None:
                known = running
                if poll_cost is not None and poll_cost < running.poll_cost:
                    self._hub.lower_price(running, poll_cost)
            if not isinstance(known, Job):
                return await self._attach(provider, provider_id, timeout, poll_cost, track=track, known=known)
            if timeout is not None and not known.done:
                self._hub.extend(known, timeout)
            return known

    async def _attach(
        self,
        provider: Provider,
        provider_id: str,
        timeout: float | None,
        poll_cost: float | None,
        *,
        track: Track[Job] | None = None,
        known: str | None = None,
    ) -> Job:
        """A new handle.  `track`: it is asked about, but nobody waits for it; `known`: our id of it in the ledger."""
        generation = Generation(
            id=known or str(uuid4()),
            provider_id=provider_id,
            provider=provider.facts.name,
            connection=provider.name,
            model=None,
            state=State.QUEUED,
        )
        if track is None:
            ticket = await ticket_of(self._hub, provider, provider_id)
        else:
            ticket = track.ticket
            generation = track.jobs[0].generation if track.jobs else generation
        job = self.new(generation, provider, None, timeout or ATTACHED_TIMEOUT, poll_cost)
        standing = await attach(self._hub, job, ticket, is_new=known is None)
        return self.keep(job) if standing is None else await self.standing(standing)

    async def standing(self, record: Record) -> Job:
        """The job of a record that was there before: ours, another process's, or one that is over."""
        job = self._jobs.get(record.id)
        if job is not None and not _may_be_outdated(job):
            return job
        if record.state.is_terminal and record.generation is None and record.provider_id is not None:
            provider = self.provider_of(record)
            if provider is not None:  # it was purged but for its key and id: the vendor may still have it
                return await self._attach(provider, record.provider_id, None, None, known=record.id)
        found = await self.find(record.id)
        if found is None:
            raise StoreError(f"Job {record.id} was removed from the ledger just now; submit it again.", retryable=True)
        return found

    async def known(self, provider: Provider, provider_id: str) -> Job | str | None:
        """A generation that the ledger has already: its job, if somebody follows it; else our id of it, or None."""
        hub = self._hub
        await hub.ledger.ready()
        for record in await hub.known(provider, [provider_id]):
            # Who asks nobody has no better answer than an old one.
            holds = record.generation is not None and (
                not hub.is_follower or snapshots.still_holds(record.generation, hub.clock.datetime())
            )
            if record.generation is not None and holds:
                # A vendor that lags behind may not even know it yet.
                job = self.revived(record)
                if job is not None:
                    job._finish(outcomes.ended(record.generation))
                    return job
            if record.state.is_terminal or record.owner == hub.store.worker:
                return record.id
            for orphan in await hub.store.adopt([record.account], [record.id]):
                return self.go_on(orphan)
            return await self.find(record.id)
        return None

    def revived(self, record: Record) -> Job | None:
        """A new handle for what the ledger says; None without a key for it."""
        provider = self.provider_of(record)
        if provider is None:
            return None
        submission, accepted_at = record.submission, record.accepted_at
        generation = record.generation or snapshots.asked_for(
            record.id,
            provider,
            submission,
            record.state,
            provider_id=record.provider_id,
            accepted_at=accepted_at if accepted_at is None else record.by(self._hub.clock.datetime(), accepted_at),
        )
        return self._like(record, generation, provider, submission)

    async def revivable(self, record: Record) -> Provider:
        """The connection of a record, which may be there only once it is named.

        Raises:
            ConfigurationError: this session does not have its key.
        """
        if self.provider_of(record) is None:
            with suppress(ConfigurationError):
                await self._hub.transport.threads.run(provider_registry.find, record.connection)
                self._connections.find(record.connection)
        provider = self.provider_of(record)
        if provider is None:
            raise ConfigurationError(
                f"Job {record.id} was submitted at {record.connection!r} with a key that this session does not have."
            )
        return provider

    def another_attempt(self, record: Record, provider: Provider, job_id: str) -> Job:
        """A handle for another attempt of what a record says."""
        submission = _repeated(record.submission)
        job = self._like(record, snapshots.asked_for(job_id, provider, submission, State.PENDING), provider, submission)
        job.attempt = record.attempt + 1
        return job

    def next_attempt(self, failed: Job, job_id: str) -> Job:
        """A handle for another attempt of a job that was sent from here."""
        submission, provider = _repeated(failed.submission), failed._provider
        return self.new(
            snapshots.asked_for(job_id, provider, submission, State.PENDING),
            provider,
            submission,
            failed.timeout,
            failed.poll_cost,
            failed.batch,
            failed.priority,
            failed.scope,
            failed.attempt + 1,
        )

    def _like(self, record: Record, generation: Generation, provider: Provider, submission: Submission | None) -> Job:
        """A handle with all that the user has said of the job in a record."""
        return self.new(
            generation,
            provider,
            submission,
            record.timeout or ATTACHED_TIMEOUT,
            batch=record.batch,
            priority=record.priority,
            scope=record.scope,
            attempt=record.attempt,
        )

    def provider_of(self, record: Record) -> Provider | None:
        """The connection with the key that it was submitted with; the one of the same name, if there are several.

        Else one whose account had that key before.
        """
        connections = self._connections.values()
        found = [c for c in connections if c.account == record.account]
        found = found or [c for c in connections if record.account in c.accounts]
        return next((c for c in found if c.name == record.connection), found[0] if found else None)


def _repeated(submission: Submission | None) -> Submission | None:
    """The same request; where creates choose their ids, under another one."""
    if submission is None or submission.provider_id is None:
        return submission
    return attrs.evolve(submission, provider_id=str(uuid4()))


def _may_be_outdated(job: Job) -> bool:
    """Its waiting is over but it was not, when that ended: the ledger may know more by now."""
    was_left = isinstance(job.error, GenerationTimeout) and job.provider_id is not None
    return job.done and (was_left or not job.state.is_terminal)
