"""Stopping a job: taken back if it was not sent, else cancelled at the vendor, where that is possible."""

from __future__ import annotations

import asyncio
from functools import partial

import attrs

from aiogen._answers import granted, outcomes
from aiogen._engine import ends
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.calls import Calls
from aiogen._jobs.registry import Registry
from aiogen._jobs.tickets import ticket_of
from aiogen.errors import AiogenError, SubmissionUnknown, Unsupported
from aiogen.models import Cancellation, Generation, State
from aiogen.stores.base import Record


async def cancel(hub: Hub, calls: Calls, job: Job, timeout: float) -> Cancellation:
    """See `Job.cancel`."""
    if not hub.is_follower or job in hub.remote or await _is_watched_no_more(hub, job):
        stopped = await of_another(hub, job, timeout)
        if stopped is not None:
            return stopped
    return await of_ours(hub, calls, job)


async def cancel_by_id(hub: Hub, registry: Registry, job_id: str, timeout: float) -> Cancellation | None:
    """See `Session.cancel`; None if the ledger does not know it.

    What waits is withdrawn in the ledger before it is looked at in any other way: nobody may own it, and a handle for
    it would be one to send it with.
    """
    await hub.ledger.ready()
    record = await hub.store.get(job_id)
    if record is None:
        return None
    if record.state is State.PENDING and record.owner != hub.store.worker:
        waiting = registry.revived(record)
        ended = None if waiting is None else _stopped(hub, waiting.generation)
        if ended is not None and await hub.store.withdraw(ended):
            hub.remote.seen_end_of(job_id, ended)  # what is written here is no news here
            return Cancellation.WITHDRAWN
    job = await registry.find(job_id)
    return None if job is None else await job.cancel(timeout=timeout)


async def _is_watched_no_more(hub: Hub, job: Job) -> bool:
    """Its waiting is over, and another process follows it all the same."""
    if not job.done or not hub.ledger.is_shared:
        return False
    record = await hub.store.get(job.id)
    return record is not None and record.owner not in (None, hub.store.worker)


async def of_another(hub: Hub, job: Job, timeout: float) -> Cancellation | None:
    """Ask the process that follows it; None if that is us by now.

    Raises:
        CancelTimeout: it did not say in time what came of it.
        AiogenError: the error that the other process got when it tried.
    """
    try:
        async with asyncio.timeout(timeout):
            with hub.ledger.others.asks.about(job.id):
                return await _asked_for(hub, job)
    except TimeoutError as error:
        if isinstance(error, AiogenError):  # the other process's own
            raise
        raise outcomes.not_granted(job.generation, timeout) from None


async def _asked_for(hub: Hub, job: Job) -> Cancellation | None:
    await hub.ledger.adopt()  # its process may be gone
    while True:
        record = await hub.store.get(job.id)
        if record is None:
            raise outcomes.removed(job.generation)
        if record.state.is_terminal:
            if record.generation is not None:
                hub.remote.seen_end_of(record.id, record.generation)
            return _how_it_ended(record)
        if record.state is State.UNKNOWN:
            sent_at = record.submitted_at or record.created_at
            raise outcomes.left_behind(job.generation, job.submission, sent_at)
        if record.owner == hub.store.worker:
            return None
        if record.state is State.PENDING:
            ended = _stopped(hub, job.generation)
            if await hub.store.withdraw(ended):
                hub.remote.seen_end_of(record.id, ended)
                return Cancellation.WITHDRAWN
            continue
        if not job._provider.capabilities.cancel:
            return None  # which is said without asking
        if await hub.store.wish(job.id):
            answer = await hub.ledger.others.asks.answer(job.id)
            if answer is not None:
                return granted.decoded(answer)


def _how_it_ended(record: Record) -> Cancellation:
    """By somebody's wish, or by itself."""
    if record.state is not State.CANCELLED:
        return Cancellation.ENDED
    return Cancellation.WITHDRAWN if record.provider_id is None else Cancellation.STOPPED


async def of_ours(hub: Hub, calls: Calls, job: Job) -> Cancellation:
    """Of a job that is sent and followed here, or by nobody."""
    if await ends.take_back(hub, job):
        return Cancellation.WITHDRAWN
    provider = job._provider
    if not provider.capabilities.cancel:
        raise outcomes.with_ids(
            job.generation,
            Unsupported(
                f"{provider.facts.vendor} has no API call that cancels a generation. Job {job.id} goes on and may be "
                "charged; everybody who waits for it gets its result."
            ),
        )
    provider_id = await _accepted(job)
    if provider_id is None:
        return Cancellation.ENDED
    track = hub.tracked(provider, provider_id)
    ticket = track.ticket if track is not None else await ticket_of(hub, provider, provider_id)
    cancelled = await calls.cancel(provider, ticket)
    track = hub.tracked(provider, provider_id)
    if not cancelled.stopped:
        if track is not None:
            hub.account(provider).schedule.ask_now(provider_id, hub.clock.now())
            hub.wake()
        return Cancellation.ENDED
    if track is not None:
        await ends.settle(hub, hub.account(provider), track, partial(_stopped, hub))
    return Cancellation.STOPPED


async def _accepted(job: Job) -> str | None:
    """The vendor's id of it, once it has one; None if it ends before."""
    try:
        return await job.accepted()
    except SubmissionUnknown:
        raise
    except Exception:
        if job.done:
            return None
        raise


def _stopped(hub: Hub, known: Generation) -> Generation:
    return attrs.evolve(known, state=State.CANCELLED, finished_at=hub.clock.datetime())
