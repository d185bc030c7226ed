"""How jobs come in: submitted, attached by a vendor's id, or taken up because the process that had them is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import attrs

from aiogen._answers import outcomes
from aiogen._engine.ends import withdraw
from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen._engine.own_id import Fate, look_up
from aiogen.errors import BudgetReached, StoreError, TooManyJobs
from aiogen.exchange import Submission, Ticket
from aiogen.models import State, Typical
from aiogen.stores.base import AtMost, Record
from aiogen.stores.charges import Charge

logger = logging.getLogger("aiogen")

_AT_LEAST = 60.0
"""Seconds for which a job that was left behind is followed, however long ago its deadline was."""
UNTOLD = Typical(median=20.0, spread=0.8)
"""For an attached generation: its model may be anything."""


@attrs.frozen(kw_only=True)
class Name:
    """The user's key for a job, with its scope and attempt, and the metadata kept beside the job."""

    key: str | None = None
    scope: str = ""
    attempt: int = 1
    asked: str | None = None
    metadata: Mapping[str, Any] | None = None


NAMELESS = Name()


async def submit(hub: Hub, job: Job, name: Name = NAMELESS, at_most: AtMost | None = None) -> Record | None:
    """Take a job in; it is sent when its turn comes.  If the ledger has one with its id, that stands, and is returned.

    Raises:
        BudgetReached: the session's budget could never allow it.
        TooManyJobs: there are as many unfinished ones as are allowed.
        StoreError: the ledger did not take it, so it will not be sent.
    """
    standing = await add(hub, job, name, at_most)
    if standing is None:
        begin(hub, job)
    return standing


async def add(hub: Hub, job: Job, name: Name = NAMELESS, at_most: AtMost | None = None) -> Record | None:
    """The same, but here it is not sent before `begin` is called, once."""
    provider, submission = job._provider, job.submission
    charge = Charge.of(submission.estimate if submission is not None else None)
    if hub.budget is not None:
        try:
            hub.budget.check_alone(charge)
        except BudgetReached as error:
            raise error.add_context(provider=job.provider, connection=job.connection) from None
    await hub.ledger.ready()
    if submission is not None:
        await hub.learn_of(provider, submission)
    record = _record_of(hub, job, name, charge)
    with hub.taken_in.coming(job):
        standing = await _added(hub, job, record, at_most)
        if standing is None and not hub.is_follower:
            _enqueue(hub, job)
    return standing


def begin(hub: Hub, job: Job) -> None:
    """Have a job sent that was added, when its turn comes.

    Between this and the caller nothing may be awaited: a caller that leaves at once does so before anything was sent.
    """
    if hub.is_follower:
        _enqueue(hub, job)


def _enqueue(hub: Hub, job: Job) -> None:
    if hub.closed:
        job._finish(outcomes.closed(job.generation, kept=hub.ledger.is_shared))
    else:
        hub.enqueue(job)


def _record_of(hub: Hub, job: Job, name: Name, charge: Charge) -> Record:
    """What the ledger keeps of a job that has just come in."""
    submission = job.submission
    return Record(
        id=job.id,
        connection=job.connection,
        provider=job.provider,
        account=job._provider.account,
        state=State.PENDING,
        submission=submission,
        weight=submission.weight if submission is not None else 1,
        timeout=job.timeout,
        batch=job.batch,
        priority=job.priority,
        key=name.key,
        scope=name.scope,
        attempt=name.attempt,
        asked=name.asked,
        metadata=name.metadata,
        prompt=submission.prompt if submission is not None else None,
        model=submission.model if submission is not None else None,
        kind=submission.kind if submission is not None else "image",
        charge=charge,
        handlers=hub.handlers.names,
        created_at=hub.clock.datetime(),
    )


async def _added(hub: Hub, job: Job, record: Record, at_most: AtMost | None) -> Record | None:
    try:
        # A store that was written before there were bounds goes on without any.
        return await (hub.store.add(record) if at_most is None else hub.store.add(record, at_most))
    except TooManyJobs as error:
        raise error.add_context(provider=job.provider, connection=job.connection) from None
    except asyncio.CancelledError:
        # The ledger may take it all the same, and the next session would send what nobody has a handle for.
        hub.spawn(withdraw(hub, job, outcomes.withdrawn(job.generation)))
        raise


async def attach(hub: Hub, job: Job, ticket: Ticket, *, is_new: bool = True, name: Name = NAMELESS) -> Record | None:
    """Follow a generation that another program, or an earlier run, has created; `is_new`: the ledger does not know it.

    If another process was faster, its record stands, and is returned; then nothing is followed under this job.
    """
    await hub.ledger.ready()
    if not hub.is_follower:
        if not is_new:
            raise outcomes.not_asked(job.provider, job.connection, ticket.provider_id)
        return await _attach_for_others(hub, job, ticket, name)
    account = hub.account(job._provider)
    try:
        if is_new and ticket.provider_id not in account.tracks:
            standing = await hub.store.add(_attached(hub, job, ticket, name))
            if standing is not None:
                return standing
    except asyncio.CancelledError:
        # The ledger may take it all the same, as ours: then nobody else would follow it.
        _follow_attached(hub, account, job, ticket)
        raise
    _follow_attached(hub, account, job, ticket)
    return None


async def _attach_for_others(hub: Hub, job: Job, ticket: Ticket, name: Name) -> Record | None:
    """The same for those who follow."""
    with hub.taken_in.coming(job):
        standing = await hub.store.add(_attached(hub, job, ticket, name))
        if standing is None:
            hub.taken_in.take_in(job)
    return standing


def _attached(hub: Hub, job: Job, ticket: Ticket, name: Name) -> Record:
    now = hub.clock.datetime()
    return Record(
        id=job.id,
        connection=job.connection,
        provider=job.provider,
        account=job._provider.account,
        state=State.QUEUED,
        provider_id=ticket.provider_id,
        timeout=job.timeout,
        key=name.key,
        scope=name.scope,
        asked=name.asked,
        metadata=name.metadata,
        handlers=hub.handlers.names,
        created_at=now,
        accepted_at=now,
    )


def _follow_attached(hub: Hub, account: Account, job: Job, ticket: Ticket) -> None:
    if hub.closed:
        job._finish(outcomes.closed(job.generation, kept=hub.ledger.is_shared))
        return
    hub.follow(account, job, ticket, UNTOLD, weight=1, is_ours=False)


def take_up(hub: Hub, job: Job, record: Record, part: float | None = None) -> None:
    """Go on with a job that a session before this one, or another process, has left behind.

    `part`: where it stands among many, see `AccountState.follow`.
    """
    if not hub.is_follower:
        hub.taken_in.take_in(job)  # the user has decided about it, and somebody else carries it out
        return
    if hub.remote.is_ahead_of(record, job):
        hub.remote.lose([job])  # as soon as the ledger knows what became of its create, it is taken up
        return
    was_watched = hub.remote.reclaim(job)
    if record.state is State.UNKNOWN:
        if job.state is State.SUBMITTING and not was_watched:
            return  # our own create, which outlives our lease: its answer will say
        if record.submission is not None and record.submission.provider_id is not None:
            hub.expect(job, job.timeout)
            hub.look_up(_find_out(hub, job, record, record.submission))
            return
        hub.end(job, outcomes.left_behind(job.generation, job.submission, record.submitted_at or record.created_at))
    elif record.provider_id is not None:
        _follow_left_behind(hub, job, record, record.provider_id, part)
    elif job.submission is not None and job.submission.body:
        hub.enqueue(job)  # after a pause we have what the ledger may not have kept
    else:
        hub.spawn(withdraw(hub, job, outcomes.not_kept(job.generation)))


async def _find_out(hub: Hub, job: Job, record: Record, submission: Submission) -> None:
    """Its create chose its id, so the vendor can be asked whether it arrived."""
    provider = job._provider
    found = await look_up(hub, hub.account(provider), provider, submission, within=job.timeout)
    may_resend = found.fate is Fate.ABSENT and provider.facts.resend_is_free and bool(submission.body)
    try:
        if found.snapshot is not None or may_resend:
            provider_id = found.snapshot.provider_id if found.snapshot is not None else None
            reopened = await hub.store.reopen(job.id, provider_id)
            if reopened is None:
                hub.remote.hand_over(job)  # somebody else has decided about it meanwhile
            else:
                take_up(hub, job, reopened)
            return
    except StoreError as error:
        logger.warning("Job %s cannot be taken up: %s", job.id, error)
    hub.end(job, outcomes.left_behind(job.generation, job.submission, record.submitted_at or record.created_at))


def _follow_left_behind(hub: Hub, job: Job, record: Record, provider_id: str, part: float | None) -> None:
    account, submission, at = hub.account(job._provider), record.submission, hub.clock.datetime()
    weight = submission.weight if submission is not None else 1
    ticket = Ticket(provider_id=provider_id, reference=record.reference)
    if submission is not None:
        ticket = attrs.evolve(ticket, model=submission.model, kind=submission.kind, outputs=submission.outputs)
    accepted_at = record.accepted_at or record.created_at  # by the ledger's clock: only how long ago it was is used
    if job.provider_id is None:  # a caller has waited here since before another process sent it
        known = attrs.evolve(job.generation, state=record.state, provider_id=provider_id)
        job._update(attrs.evolve(known, accepted_at=record.by(at, accepted_at)), at, skips=True)
    # Its timeout stays what it is: the same job may be left behind, and taken up here, more than once.
    within = max(_AT_LEAST, job.timeout - record.ago(accepted_at))
    typical = submission.typical if submission is not None else UNTOLD
    # Of what was attached nobody knows how long it runs, but for at least so long; one that the user recognised runs
    # since it was sent.
    age = record.ago(record.submitted_at or accepted_at)
    is_ours = submission is not None
    track = hub.follow(account, job, ticket, typical, weight=weight, is_ours=is_ours, age=age, within=within, part=part)
    track.is_of_previous_key = record.account != account.key
