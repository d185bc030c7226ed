"""One create, from the intent in the ledger to whatever became of it."""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import random
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import attrs

from aiogen._answers import outcomes, snapshots
from aiogen._engine import log
from aiogen._engine.account import AccountState
from aiogen._engine.job import Job
from aiogen._engine.one_id import may_share, named_before
from aiogen._limits.retry import Verdict, judge_create, resend_pause
from aiogen.errors import AiogenError, AuthenticationError, InsufficientFunds, RateLimited, StoreError
from aiogen.exchange import Accepted, Quota, Submission, Ticket
from aiogen.models import State
from aiogen.stores.base import TakenOver

if TYPE_CHECKING:
    from aiogen._engine.coordinator import Coordinator

logger = logging.getLogger("aiogen")

_LOOK_AGAIN = 1.0
"""Seconds until a job is tried again of which the ledger has not heard the latest."""


async def send(hub: Coordinator, account: AccountState, number: int, job: Job, weight: int) -> None:
    """Send the create of a job whose turn has come; its place in the window is already taken."""
    submission = job.submission
    assert submission is not None
    sent_at = hub.clock.now()
    was_alone = account.creates_in_flight == 1
    try:
        try:
            # What is owed may be about this job: that it is pending again.
            await hub.ledger.catch_up_if_behind()
            # Durable before the first byte: after a crash this job is "unknown", not "never sent".
            wait = await hub.store.intend(job.id, account.room())
        except TakenOver:
            account.withheld(weight)
            if hub.ledger.is_behind:
                # Or it only looks so, for what is owed says that it is pending again: once that is written we know.
                account.window.crowded(hub.clock.now(), _LOOK_AGAIN)
                _requeue(hub, account, number, job)
                return
            # It stood still, and somebody else sends this job: its end is read in the ledger, nothing has failed.
            if not job.done:
                hub.remote.hand_over(job)
            return
        except Exception as error:
            account.withheld(weight)
            trouble = error if isinstance(error, StoreError) else StoreError(f"The ledger failed: {error!r}")
            await _refuse(hub, job, trouble)
            return
        if wait > 0.0:
            account.withheld(weight)
            account.window.crowded(hub.clock.now(), wait)
            _requeue(hub, account, number, job)
            return
        if job.done:
            # Withdrawn, or given up, while the intent was being written: its waiters were told that it is not sent.
            account.withheld(weight)
            return
        if account.window.holds_creates(hub.clock.now()):
            # Another one was refused meanwhile: not before the vendor says so, however long the intent took.
            account.withheld(weight)
            await hub.ledger.note(partial(hub.store.release, job.id), job.id)
            _requeue(hub, account, number, job)
            return
        _move(hub, job, State.SUBMITTING)
        submitted_at = hub.clock.datetime()
        try:
            accepted = await hub.transport.perform(job._provider, job._provider.create(submission))
        except AiogenError as error:
            verdict = judge_create(error, job._provider.resend_statuses, not_taken=job._not_taken)
            logger.debug("create of job %s: %s, %s", job.id, verdict, error)
            if verdict is Verdict.UNKNOWN:
                await _lose(hub, account, job, error, weight, submitted_at)
            elif verdict is Verdict.REFUSED:
                account.window.create_refused(hub.clock.now(), weight, counted=True)
                await _refuse(hub, job, error)
                if isinstance(error, AuthenticationError | InsufficientFunds) and error.from_api:
                    await _refuse_all(hub, account, error)
            else:
                await _put_back(hub, account, number, job, error, verdict, sent_at, weight)
        except asyncio.CancelledError:
            # The session was torn down without waiting: the answer is nowhere.
            torn = AiogenError("The session was torn down before the answer came.")
            await _lose(hub, account, job, torn, weight, submitted_at)
            raise
        else:
            alone = account.creates_in_flight == 1 and was_alone
            await _accept(hub, account, job, accepted, submission, weight, submitted_at, alone=alone)
    finally:
        account.creates_in_flight -= 1


async def _accept(
    hub: Coordinator,
    account: AccountState,
    job: Job,
    accepted: Accepted,
    submission: Submission,
    weight: int,
    submitted_at: datetime,
    *,
    alone: bool,
) -> None:
    snapshot = accepted.snapshot
    first = await named_before(hub, account, job, snapshot.provider_id)
    if first is not None and not await may_share(hub, account, job, submission, snapshot.provider_id, first):
        mistaken = AiogenError(f"it answered with generation {snapshot.provider_id}, which is that of job {first}.")
        await _lose(hub, account, job, mistaken, weight, submitted_at)
        return
    now, at = hub.clock.now(), hub.clock.datetime()
    account.window.create_accepted(now, weight)
    account.window.request_served()
    account.key_accepted = True
    account.reached()
    if accepted.quota is not None:
        _learn(account, job, accepted.quota, submission.weight_class, alone=alone and not hub.ledger.peers)
    state = State.QUEUED if snapshot.state.is_terminal else snapshot.state
    is_ours = True

    async def confirm() -> None:
        nonlocal is_ours
        is_ours = await hub.store.confirm(job.id, snapshot.provider_id, state, at) is not False

    await hub.ledger.note(confirm, job.id)
    ticket = Ticket(
        provider_id=snapshot.provider_id,
        model=submission.model,
        kind=submission.kind,
        outputs=submission.outputs,
    )
    if is_ours:
        track = hub.follow(account, job, ticket, submission.typical, weight=weight, is_ours=True)
        track.state = state
    else:
        # It stood still before the answer came: whoever takes the job up asks about it.
        account.window.ended(weight)
        hub.remote.hand_over(job)
    # Last: whoever hears of it can ask how long it will take.
    generation = snapshots.advanced(job.generation, snapshot, state, at)
    job._update(attrs.evolve(generation, accepted_at=at), at)
    log.accepted(job)
    if snapshot.state.is_terminal and is_ours:
        # Done at once.  The next reading says so in the form that every end has.
        account.schedule.ask_now(snapshot.provider_id, now)


def _learn(account: AccountState, job: Job, quota: Quota, tariff: str, *, alone: bool) -> None:
    """What the answer's headers say about the window.  A limit that was left at its default may also grow."""
    provider = job._provider
    default = attrs.fields_dict(type(provider))["creates_per_minute"].default
    is_own = provider.creates_per_minute != default
    if quota.limit is not None:
        account.window.learn_limit(quota.limit, ceiling=provider.creates_per_minute if is_own else math.inf)
    if quota.remaining is not None:
        account.window.learn_remaining(quota.remaining, tariff, alone=alone)


async def _lose(
    hub: Coordinator,
    account: AccountState,
    job: Job,
    error: AiogenError,
    weight: int,
    submitted_at: datetime,
) -> None:
    account.window.create_lost(hub.clock.now(), weight)
    hub.hold_place(account, weight, job.timeout)
    await hub.ledger.note(partial(hub.store.mark_unknown, job.id), job.id)
    _move(hub, job, State.UNKNOWN)
    hub.end(job, outcomes.lost(job.generation, job.submission, error, submitted_at))


async def _refuse(hub: Coordinator, job: Job, error: AiogenError) -> None:
    generation, refusal = outcomes.refused(job.generation, error, hub.clock.datetime())
    await hub.ledger.note(partial(hub.store.settle, [generation]), job.id)
    hub.handlers.wake()
    job._update(generation, hub.clock.datetime())
    hub.end(job, refusal)


async def _refuse_all(hub: Coordinator, account: AccountState, error: AiogenError) -> None:
    """The account itself is refused: those in line would only be refused one by one."""
    for job in account.drain():
        await _refuse(hub, job, _same(error))


async def _put_back(
    hub: Coordinator,
    account: AccountState,
    number: int,
    job: Job,
    error: AiogenError,
    verdict: Verdict,
    sent_at: float,
    weight: int,
) -> None:
    """Surely not carried out: back into line, at its old place.  Not an attempt."""
    now = hub.clock.now()
    account.window.create_refused(now, weight, counted=False)
    if isinstance(error, RateLimited):
        account.throttled(error, now, sent_at=sent_at)
    elif verdict is Verdict.NOT_TAKEN:
        job._not_taken += 1
        logger.warning(
            "%s answered the create of job %s with HTTP %s, by which its documents mean that nothing was queued; it is "
            "sent again soon.",
            job.connection,
            job.id,
            getattr(error, "status", None),
        )
        pause = resend_pause(job._not_taken, draw=random.uniform)
        account.window.unreachable(now, max(pause, error.retry_after or 0.0))
    else:
        was_reached = not account.is_unreachable
        if account.gives_up(now, sent_at, hub.limits.unreachable_timeout):
            await _refuse(hub, job, error)
            await _refuse_all(hub, account, error)
            return
        if was_reached:
            # Once for an outage: whoever waits for its end sees nothing but jobs that go back into line.
            patience = hub.limits.unreachable_timeout
            logger.warning("%s Nothing was sent; it is tried again for %.0f s.", error.message, patience)
        account.window.unreachable(now, max(account.unreachable_pause(now, sent_at), error.retry_after or 0.0))
    await hub.ledger.note(partial(hub.store.release, job.id), job.id)
    _move(hub, job, State.PENDING)
    _requeue(hub, account, number, job)


def _requeue(hub: Coordinator, account: AccountState, number: int, job: Job) -> None:
    if hub.closed:
        hub.end(job, outcomes.closed(job.generation, kept=hub.ledger.is_shared))
    elif job in hub.overdue:
        hub.expire_unsent(job, hub.clock.now())
    else:
        account.enqueue(number, job)


def _same(error: AiogenError) -> AiogenError:
    """The same refusal for another job: without the first job's ids."""
    other = copy.copy(error)
    other.job_id = other.provider_id = other.generation = None
    return other


def _move(hub: Coordinator, job: Job, state: State) -> None:
    job._update(attrs.evolve(job.generation, state=state), hub.clock.datetime())
