"""Stopping a job: taken back if it was not sent, else cancelled at the vendor, where that is possible."""

from __future__ import annotations

from functools import partial

import attrs

from aiogen._answers import outcomes
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.calls import Calls
from aiogen._jobs.tickets import ticket_of
from aiogen.errors import SubmissionUnknown, Unsupported
from aiogen.models import Cancellation, Generation, State


async def cancel(hub: Hub, calls: Calls, job: Job) -> Cancellation:
    """See `Job.cancel`."""
    if job in hub.remote:
        await hub.ledger.adopt()  # its process may be gone
    if await hub.withdrawn(job):
        return Cancellation.WITHDRAWN
    if job.provider_id is None and job in hub.remote:
        ended = _stopped(hub, job.generation)
        if await hub.store.withdraw(ended):
            hub.remote.seen_end(job, ended)
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
        await hub.settle(hub.account(provider), track, partial(_stopped, hub))
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
