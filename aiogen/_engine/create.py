"""One create: its intent is noted in the ledger, then it is posted, then whatever came of it is dealt with."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import attrs

from aiogen._account.actions import SendCreate
from aiogen._account.track import Track
from aiogen._answers import outcomes, snapshots
from aiogen._answers.creating import Progress, followed
from aiogen._checkpoint import Turn
from aiogen._engine import log
from aiogen._engine.expiry import requeue
from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen._engine.one_id import may_share, named_before
from aiogen._engine.own_id import Fate, look_up
from aiogen._engine.poll import observe
from aiogen._limits.retry import TAKES, Verdict, judge_create
from aiogen._transfer.permits import Permit, Withheld
from aiogen.errors import (
    AiogenError,
    AuthenticationError,
    BudgetReached,
    InsufficientFunds,
    RateLimited,
    StoreError,
)
from aiogen.exchange import Accepted, Snapshot, Submission, Ticket
from aiogen.models import State
from aiogen.stores.base import RequestKind, ScopeWait, TakenOver

logger = logging.getLogger("aiogen")

_LOOK_AGAIN = 1.0
"""Seconds until a job is tried again of which the ledger has not heard the latest."""


@attrs.frozen(kw_only=True)
class _Withheld:
    """Why a create is not sent although its turn had come."""

    requeue_after: float | None = None
    """It waits in the queue again, and the account for this number of seconds."""
    is_for_others: bool = False
    """What is left of the account is for other scopes: only its own one waits for so long."""
    is_held: bool = False
    """Another create was refused meanwhile, or the ledger could not be reached, which may have taken the intent all the
    same: it is taken back, and the job waits in the queue again."""
    taken_over: bool = False
    """Another process owns the job by now."""
    error: StoreError | BudgetReached | None = None
    """The ledger did not take the intent."""


@attrs.frozen(kw_only=True)
class _Attempt:
    """One create on its way."""

    hub: Hub
    account: Account
    create: SendCreate[Job]
    submission: Submission
    sent_at: float
    """On the session's steady clock, before the intent was noted."""
    submitted_at: datetime
    permit: Permit
    """Of the moment at which its turn had come."""

    @property
    def job(self) -> Job:
        """Whose create it is."""
        return self.create.job


async def send(hub: Hub, account: Account, create: SendCreate[Job]) -> None:
    """Send the create of a job whose turn has come; its place in the window is already taken."""
    job, sent_at, permit = create.job, hub.clock.now(), hub.ledger.permit()
    submission = job.submission
    assert submission is not None
    withheld = await _reserve(hub, account, create)
    if withheld is not None:
        await _withhold(hub, account, create, withheld)
        return
    _move(hub, job, State.SUBMITTING)
    await _post(
        _Attempt(
            hub=hub,
            account=account,
            create=create,
            submission=submission,
            sent_at=sent_at,
            submitted_at=hub.clock.datetime(),
            permit=permit,
        )
    )


# --- reserving


async def _reserve(hub: Hub, account: Account, create: SendCreate[Job]) -> _Withheld | None:
    """Note the intent, durable before the first byte: after a crash this job is "unknown", not "never sent".

    None if the create may be sent now.
    """
    job = create.job
    try:
        # What is owed may be about this job: that it is pending again.
        await hub.ledger.catch_up_if_behind()
        headroom = account.headroom(hub.clock.now(), create)
        # A store that was written before there were budgets goes on without any.
        wait = await (
            hub.store.intend(job.id, headroom) if hub.budget is None else hub.store.intend(job.id, headroom, hub.budget)
        )
    except TakenOver:
        # Or it only looks so, for what is owed says that it is pending again: once that is written we know.
        return _Withheld(requeue_after=_LOOK_AGAIN) if hub.ledger.is_behind else _Withheld(taken_over=True)
    except BudgetReached as error:
        return _Withheld(error=error)
    except Exception as error:
        if isinstance(error, StoreError) and error.retryable and hub.store.can_be_cut_off:
            return _Withheld(is_held=True, requeue_after=_LOOK_AGAIN)  # nothing is sent until the ledger is back
        return _Withheld(error=error if isinstance(error, StoreError) else StoreError(f"The ledger failed: {error!r}"))
    if wait > 0.0:
        return _Withheld(requeue_after=wait, is_for_others=isinstance(wait, ScopeWait))
    if account.scope_use.let_go(job.scope):
        hub.wake()
    if job.done:
        # Withdrawn, or given up, while the intent was being written: its waiters know that it is not sent.
        return _Withheld()
    if hub.creates_stopped or account.window.holds_creates(hub.clock.now()):
        # Not before the vendor says so, however long the intent took.
        return _Withheld(is_held=True)
    return None


async def _withhold(hub: Hub, account: Account, create: SendCreate[Job], why: _Withheld) -> None:
    job = create.job
    account.withheld(create)
    if why.error is not None:
        await _refuse(hub, job, why.error)
    elif why.taken_over:
        # It stood still, and another process sends this job: its end is read in the ledger, nothing has failed.
        if not job.done and job not in account.queue:  # or it was taken up again meanwhile
            hub.remote.hand_over(job)
    elif why.is_held:
        if why.requeue_after is not None:
            account.window.crowded(hub.clock.now(), why.requeue_after)
        await hub.ledger.note(partial(hub.store.release, job.id), job.id)
        requeue(hub, account, create.number, job)
    elif why.requeue_after is not None:
        if why.is_for_others:
            account.scope_use.hold(job.scope, hub.clock.now() + why.requeue_after)
        else:
            account.window.crowded(hub.clock.now(), why.requeue_after)
        requeue(hub, account, create.number, job)


# --- posting


async def _post(attempt: _Attempt) -> None:
    hub, account, job = attempt.hub, attempt.account, attempt.job
    provider, progress = job._provider, Progress()
    try:
        exchange = followed(provider.create(attempt.submission), progress)
        # What is asked once it was accepted is about a paid generation, and goes on.
        permit = attempt.permit
        accepted = await hub.transport.perform(provider, exchange, permit=lambda: progress.went_on or permit())
    except Withheld:
        # This process stood still since its turn had come, so others may have written the job off as unknown: it is
        # not, and its present owner sends it.
        await _requeue(attempt)
    except AiogenError as error:
        verdict = judge_create(
            error,
            provider.facts.resend_statuses,
            not_taken=job._not_taken,
            posted=progress.posted,
            went_on=progress.went_on,
        )
        logger.debug("create of job %s: %s, %s", job.id, verdict, error)
        if verdict is Verdict.UNKNOWN:
            await _lose_or_find(attempt, error)
        elif verdict is Verdict.REFUSED:
            account.window.create_refused(hub.clock.now(), attempt.create.weight, counted=True)
            await _refuse(hub, job, error)
            if isinstance(error, AuthenticationError | InsufficientFunds) and error.from_api:
                await _refuse_all(hub, account, error)
        else:
            await _put_back(attempt, error, verdict)
    except asyncio.CancelledError:
        # The session was torn down without waiting: the answer is nowhere.
        await _lose(attempt, AiogenError("The session was cancelled before the answer came."))
        raise
    else:
        alone = account.creates_in_flight == 1 and attempt.create.was_alone
        await _accept(attempt, accepted, alone=alone)


async def _accept(attempt: _Attempt, accepted: Accepted, *, alone: bool) -> None:
    hub, account, job, submission = attempt.hub, attempt.account, attempt.job, attempt.submission
    snapshot, weight = accepted.snapshot, attempt.create.weight
    first = await named_before(hub, account, job, snapshot.provider_id)
    if first is not None and not await may_share(hub, account, job, submission, snapshot.provider_id, first):
        await _lose(
            attempt, AiogenError(f"it answered with generation {snapshot.provider_id}, which belongs to job {first}.")
        )
        return
    now, at = hub.clock.now(), hub.clock.datetime()
    account.accepted(
        now,
        weight,
        quota=accepted.quota,
        weight_class=submission.weight_class,
        alone=alone and not hub.ledger.peers,
    )
    state = State.QUEUED if snapshot.state.is_terminal else snapshot.state
    is_ours = await _confirm(hub, job, snapshot, state, now, accepted.reference)
    track = None
    if is_ours:
        track = _follow(attempt, accepted, state)
    else:
        # It stood still before the answer came: the process that takes the job up asks about it.
        account.window.ended(weight)
        hub.remote.hand_over(job)
    # Last: once this is known, people ask how long it will take.
    generation = snapshots.advanced(job.generation, snapshot, state, at)
    job._update(attrs.evolve(generation, accepted_at=at), at)
    log.accepted(job)
    if snapshot.state.is_terminal and track is not None:
        if snapshot.outputs or snapshot.failure is not None:
            await observe(hub, account, track, snapshot)
        else:
            # Done at once, and how is not said.  The next reading says so.
            account.schedule.ask_now(snapshot.provider_id, now)


def _follow(attempt: _Attempt, accepted: Accepted, state: State) -> Track[Job]:
    submission = attempt.submission
    ticket = Ticket(
        provider_id=accepted.snapshot.provider_id,
        model=submission.model,
        kind=submission.kind,
        outputs=submission.outputs,
        reference=accepted.reference,
    )
    track = attempt.hub.follow(
        attempt.account,
        attempt.job,
        ticket,
        submission.typical,
        weight=attempt.create.weight,
        is_ours=True,
        is_counted=True,
    )
    track.state = state
    return track


async def _confirm(
    hub: Hub, job: Job, snapshot: Snapshot, state: State, at: float, reference: Mapping[str, Any] | None
) -> bool:
    """Note what the vendor answered at `at` of the steady clock: the id, and perhaps a price.

    False if another process owns the job by now.  What the ledger says of that later is heeded then.
    """
    is_ours, has_gone_on = True, False

    async def confirm() -> None:
        nonlocal is_ours
        ago = hub.clock.now() - at  # the ledger may have been behind for a while
        quoted = {} if snapshot.cost is None else {"cost": snapshot.cost}
        is_ours = await hub.store.confirm(job.id, snapshot.provider_id, state, ago, reference, **quoted) is not False
        if has_gone_on and not is_ours:
            hub.not_ours(job, snapshot.provider_id)

    await hub.ledger.note(confirm, job.id)
    has_gone_on = True
    return is_ours


async def _lose_or_find(attempt: _Attempt, error: AiogenError) -> None:
    """Its answer never came; where the create chose its id, the vendor can be asked."""
    hub, account, job = attempt.hub, attempt.account, attempt.job
    provider_id = attempt.submission.provider_id
    if provider_id is None:
        await _lose(attempt, error)
        return
    found = await look_up(hub, account, job._provider, attempt.submission, within=job.timeout)
    logger.debug("create of job %s without an answer: %s", job.id, found.fate)
    if found.snapshot is not None:
        await _accept(attempt, Accepted(snapshot=found.snapshot), alone=False)
    elif found.fate is Fate.ABSENT and job._provider.facts.resend_is_free and job._not_taken + 1 < TAKES:
        job._not_taken += 1
        await _requeue(attempt)
    else:
        await _lose(attempt, error)


async def _lose(attempt: _Attempt, error: AiogenError) -> None:
    """Whether it was carried out cannot be known."""
    hub, account, job, weight = attempt.hub, attempt.account, attempt.job, attempt.create.weight
    account.window.create_lost(hub.clock.now(), weight)
    hub.hold_place(account, weight, job.timeout)
    await hub.ledger.note(partial(hub.store.mark_unknown, job.id), job.id)
    _move(hub, job, State.UNKNOWN)
    hub.end(job, outcomes.lost(job.generation, job.submission, error, attempt.submitted_at))


async def _put_back(attempt: _Attempt, error: AiogenError, verdict: Verdict) -> None:
    """Surely not carried out: back into the queue, in its old place.  Not an attempt."""
    hub, account, job = attempt.hub, attempt.account, attempt.job
    now = hub.clock.now()
    account.window.create_refused(now, attempt.create.weight, counted=False)
    if isinstance(error, RateLimited):
        hub.refused(account, error, RequestKind.CREATES, sent_at=attempt.sent_at)
    elif verdict is Verdict.NOT_TAKEN:
        job._not_taken += 1
        logger.warning(
            "The create of job %s was not carried out by %s (%s); aiogen sends it again soon.",
            job.id,
            job.connection,
            error.message,
        )
        account.not_taken(now, job._not_taken, error)
    elif await _is_given_up(attempt, error, now):
        return
    await _again(attempt)


async def _requeue(attempt: _Attempt) -> None:
    """It was not carried out: it was not sent, or the vendor does not know its id."""
    attempt.account.window.create_refused(attempt.hub.clock.now(), attempt.create.weight, counted=False)
    await _again(attempt)


async def _again(attempt: _Attempt) -> None:
    hub, job = attempt.hub, attempt.job
    await hub.ledger.note(partial(hub.store.release, job.id), job.id)
    _move(hub, job, State.PENDING)
    requeue(hub, attempt.account, attempt.create.number, job)


async def _is_given_up(attempt: _Attempt, error: AiogenError, now: float) -> bool:
    """It found nobody; True if that has gone on for too long, and all that wait were refused."""
    hub, account, job = attempt.hub, attempt.account, attempt.job
    timeout, is_first = hub.limits.unreachable_timeout, not account.outage.is_unreachable
    if account.unreachable(now, error, sent_at=attempt.sent_at, timeout=timeout):
        await _refuse(hub, job, error)
        await _refuse_all(hub, account, error)
        return True
    if is_first:
        # Once for an outage: until its end nothing is seen but jobs that are requeued.
        logger.warning("%s Nothing was sent; aiogen keeps trying for %.0f s.", error.message, timeout)
    return False


async def _refuse(hub: Hub, job: Job, error: AiogenError) -> None:
    generation, refusal = outcomes.refused(job.generation, error, hub.clock.datetime())
    await hub.ledger.note(partial(hub.store.settle, [generation]), job.id)
    hub.handlers.wake()
    job._update(generation, hub.clock.datetime())
    hub.end(job, refusal)


async def _refuse_all(hub: Hub, account: Account, error: AiogenError) -> None:
    """The account itself is refused: those that wait would only be refused one by one."""
    turn = Turn()  # with a ledger in memory nothing of this waits
    for job in account.queue.drain():
        await _refuse(hub, job, _same(error))
        await turn.step()


def _same(error: AiogenError) -> AiogenError:
    """The same refusal for another job: without the first job's ids."""
    other = copy.copy(error)
    other.job_id = other.provider_id = other.generation = None
    return other


def _move(hub: Hub, job: Job, state: State) -> None:
    job._update(attrs.evolve(job.generation, state=state), hub.clock.datetime())
