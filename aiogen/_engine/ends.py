"""How jobs end: an end that the vendor reports, one that nobody will learn, and the withdrawal of what was not sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import attrs

from aiogen._account.track import Track
from aiogen._answers import outcomes
from aiogen._engine import log
from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen._polling.schedule import Observation
from aiogen.errors import AiogenError
from aiogen.models import Generation, State


async def settle(
    hub: Hub,
    account: Account,
    track: Track[Job],
    end: Callable[[Generation], Generation],
    error: AiogenError | None = None,
    *,
    sent_at: float | None = None,
) -> None:
    """A generation is over: into the ledger first, then to everyone who waits.

    `end` makes the last snapshot of what a job knew; `error` is for its waiters, if the snapshot does not say it;
    `sent_at`: when the schedule's question was sent that has found it, if one has.
    """
    now = hub.clock.now()
    observation = account.leave(track, now, over=True, sent_at=sent_at)
    asked_after = track.asked_after()
    ended = [attrs.evolve(end(job.generation), asked_after=asked_after) for job in track.jobs]
    # It is known from here on, so all hear of it, whatever becomes of the call or the question that has seen it.
    await asyncio.shield(hub.spawn(_settle(hub, account, track, ended, error, observation, now)))


async def _settle(
    hub: Hub,
    account: Account,
    track: Track[Job],
    ended: list[Generation],
    error: AiogenError | None,
    observation: Observation | None,
    now: float,
) -> None:
    within = min(hub.ledger.write_timeout, hub.deadlines.earliest(track.jobs) - now)
    write = partial(hub.store.settle, ended)
    ids = {job.id for job in track.jobs}
    hub.settling |= ids
    try:
        await hub.ledger.note(write, *(job.id for job in track.jobs), within=max(0.0, within))
    finally:
        hub.settling -= ids
    hub.handlers.wake()
    at = hub.clock.datetime()
    for job, generation in zip(track.jobs, ended, strict=True):
        was_over, error_of_it = job.done, error or outcomes.ended(generation)
        job._update(generation, at)
        hub.end(job, error_of_it)
        if was_over:  # its deadline passed before
            log.ended(job, error_of_it)
    hub.wake()
    if observation is not None and error is None:
        # Last: whatever may be wrong with what is learned, nobody waits longer for it.
        account.schedule.learn(observation, now)
        hub.wake()
        await hub.learned.save()
        await hub.proofs.save()


def abandon(hub: Hub, account: Account, track: Track[Job], error: AiogenError) -> None:
    """Nothing more can be learned about a generation; it may go on at the vendor."""
    account.leave(track, hub.clock.now())
    for job in track.jobs:
        hub.end(job, error)
    hub.wake()


# --- what was not sent


async def take_back(hub: Hub, job: Job) -> bool:
    """Withdraw it for its user; False if it does not wait here any more, or may have been sent."""
    if job.done or job.state is not State.PENDING:
        return False
    if job in hub.remote:
        return job in hub.taken_in and await hub.taken_in.take_back(job, outcomes.withdrawn(job.generation))
    if not hub.ledger.is_sure(hub.clock.now()):
        return False  # another process may own it by now, and have sent it
    await withdraw(hub, job, outcomes.withdrawn(job.generation))
    return True


async def withdraw(hub: Hub, job: Job, error: AiogenError) -> None:
    """A job that was not sent will not be sent: not by this session, and by no other."""
    at = hub.clock.datetime()
    ended = attrs.evolve(job.generation, state=State.CANCELLED, finished_at=at)
    job._update(ended, at)
    hub.end(job, error)
    await hub.ledger.note(partial(_write_withdrawn, hub, ended), job.id)
    hub.handlers.wake()


async def _write_withdrawn(hub: Hub, ended: Generation) -> None:
    if hub.is_follower:
        await hub.store.settle([ended])
    else:
        await hub.store.withdraw(ended)  # also if another worker has adopted it by now
