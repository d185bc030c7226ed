"""One question about one generation, and what its answer means for everyone who waits."""

from __future__ import annotations

import logging
import random
from functools import partial

from aiogen._account.track import Track
from aiogen._answers import outcomes, snapshots
from aiogen._answers.states import observed
from aiogen._engine import ends
from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen._limits.retry import delay, is_missing, missing_pause
from aiogen._transfer.permits import Withheld
from aiogen.errors import (
    AiogenError,
    AuthenticationError,
    InvalidRequest,
    NotFound,
    ProtocolError,
    RateLimited,
)
from aiogen.exchange import Exchange, Failure, Snapshot
from aiogen.models import FailureCode, Generation, State
from aiogen.stores.base import RequestKind

logger = logging.getLogger("aiogen")

_MISSING_OUTPUTS_POLLS = 4
_AUTH_REFUSALS = 3
_MISSING_OUTPUTS_PAUSE = 2.0


async def ask(hub: Hub, account: Account, track: Track[Job]) -> None:
    """Ask the vendor once; the schedule has already taken the question out."""
    key = track.key
    sent_at, permit = hub.clock.now(), hub.ledger.permit()
    track.note_asked(sent_at)
    try:
        question = about_it(track.provider.get(track.ticket), key)
        snapshot, number = await hub.transport.poll(
            track.provider, question, track.last_answer, before_more=partial(hub.turn, account), permit=permit
        )
    except Withheld:  # this process stood still since it was decided: others may own the job by now
        if account.tracks.get(key) is track:
            account.schedule.put_back(key, hub.clock.now())
    except AiogenError as error:
        # What is refused concerns the account, also if this generation has ended meanwhile by another reading.
        error.add_context(provider_id=key)
        hub.refused(account, error, RequestKind.REQUESTS, sent_at=sent_at)
        if account.tracks.get(key) is track:
            await _unanswered(hub, account, track, error, sent_at)
    else:
        account.served()
        if account.tracks.get(key) is not track:
            return
        if snapshot is None:
            track.forget_failures()
            _goes_on(hub, account, track, sent_at, 1.0)
            return
        if not snapshot.state.is_terminal:
            track.last_answer = number
        await observe(hub, account, track, snapshot, sent_at=sent_at)


def about_it(question: Exchange[Snapshot], key: str) -> Exchange[Snapshot]:
    """The same question, which refuses an answer about another generation: a proxy in between may mix answers up."""
    snapshot = yield from question
    if snapshot.provider_id.lower() != key.lower():
        raise ProtocolError(
            f"The answer to a request about generation {key} is about {snapshot.provider_id}.", path="$.id"
        )
    return snapshot


async def observe(
    hub: Hub,
    account: Account,
    track: Track[Job],
    snapshot: Snapshot,
    *,
    sent_at: float | None = None,
    share: float = 1.0,
) -> None:
    """A reading of a generation that is followed, wherever it comes from.

    `sent_at`: when the schedule's own question was sent; None for a reading of somebody else's.
    `share`: the part of that question that was about this generation.
    """
    track.was_read = True
    track.forget_failures()
    if snapshot.unknown_state is not None:
        _note_unknown_state(hub, track, snapshot.unknown_state)
    if snapshot.missing_outputs:
        await _misses_outputs(hub, account, track, snapshot, sent_at)
        return
    now, at = hub.clock.now(), hub.clock.datetime()
    state = observed(track.state, snapshot.state)
    if state is State.PROCESSING and track.state is State.QUEUED:
        account.schedule.turned(track.key, now if sent_at is None else sent_at)
        hub.begun(track)
    track.state = state
    if state.is_terminal:
        await ends.settle(
            hub, account, track, lambda known: snapshots.advanced(known, snapshot, state, at), sent_at=sent_at
        )
        return
    for job in track.jobs:
        job._update(snapshots.advanced(job.generation, snapshot, observed(job.state, state), at), at)
    _goes_on(hub, account, track, sent_at, share)


async def _misses_outputs(
    hub: Hub, account: Account, track: Track[Job], snapshot: Snapshot, sent_at: float | None
) -> None:
    """It says that it is completed, and has no output: that is believed only when it has been read some times."""
    track.missing_outputs += 1
    if track.missing_outputs < _MISSING_OUTPUTS_POLLS:
        again = account.schedule.postpone if sent_at is None else account.schedule.failed
        again(track.key, hub.clock.now(), _MISSING_OUTPUTS_PAUSE)
        return
    failure = Failure(
        code=FailureCode.OUTPUT_NOT_FOUND,
        reason=f"completed, but {track.missing_outputs} answers had no output url",
    )
    at = hub.clock.datetime()

    def end(known: Generation) -> Generation:
        return snapshots.failed(snapshots.advanced(known, snapshot, known.state, at), failure, at)

    await ends.settle(hub, account, track, end, sent_at=sent_at)


def _goes_on(hub: Hub, account: Account, track: Track[Job], sent_at: float | None, share: float) -> None:
    """It runs: when to ask next?"""
    key, now = track.key, hub.clock.now()
    if account.drained(track, now):
        return
    if sent_at is None:
        account.schedule.known_to_run(key, now)
    else:
        account.schedule.answered(key, now, sent_at=sent_at, share=share)


async def _unanswered(hub: Hub, account: Account, track: Track[Job], error: AiogenError, sent_at: float) -> None:
    """No reading came.  Nearly always that passes, and it never ends a paid job by itself."""
    key = track.key
    now = hub.clock.now()
    track.last_error = error
    track.failures += 1
    if isinstance(error, RateLimited):
        track.failures = 0
        account.schedule.failed(key, now, 0.0)
        return
    if isinstance(error, NotFound) and error.from_api:
        track.not_found += 1
        track.missing_since = min(track.missing_since, sent_at)
        grace = track.provider.facts.not_found_grace
        # Counted from the question: an answer that took long may be as old as it.
        if not is_missing(track.not_found, track.missing_since, sent_at, grace):
            account.schedule.failed(key, now, missing_pause(track.not_found, track.provider.facts.poll_floor, grace))
            return
        if track.is_of_previous_key and not track.was_read:
            ends.abandon(hub, account, track, outcomes.not_shown(error, track.provider.facts.vendor, key))
            return
        failure = Failure(code=FailureCode.NOT_FOUND, reason=error.details)
        at = hub.clock.datetime()
        await ends.settle(hub, account, track, lambda known: snapshots.failed(known, failure, at), error)
        return
    if isinstance(error, AuthenticationError):
        track.auth_refusals += 1
        if not account.key_accepted or track.auth_refusals >= _AUTH_REFUSALS:
            ends.abandon(hub, account, track, error)
            return
    if isinstance(error, InvalidRequest) and error.from_api and not track.is_ours and not track.was_read:
        ends.abandon(hub, account, track, error)  # attached by an id that this vendor cannot even read
        return
    if not account.drained(track, hub.clock.now()):
        wait = delay(track.failures, base=1.0, cap=track.provider.facts.poll_ceiling, draw=random.uniform)
        account.schedule.failed(key, now, max(wait, error.retry_after or 0.0))


def _note_unknown_state(hub: Hub, track: Track[Job], word: str) -> None:
    known = hub.unknown_states
    if (track.provider.facts.name, word) not in known:
        known.add((track.provider.facts.name, word))
        logger.warning(
            "%s reports a state %r that this version does not know; such generations count as running.",
            track.provider.facts.name,
            word,
        )
