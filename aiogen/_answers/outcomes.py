"""What an end means in words: snapshots to generations, ends to errors.  Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from aiogen._wording import duration
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    GenerationFailed,
    GenerationRefused,
    GenerationTimeout,
    InsufficientFunds,
    SessionClosed,
    StoreError,
    SubmissionUnknown,
)
from aiogen.exchange import Failure, Snapshot
from aiogen.models import ACTIONS, Action, FailureCode, Generation, State
from aiogen.providers.base import Provider

if TYPE_CHECKING:
    from aiogen._engine.job import Job

_FRESH = timedelta(minutes=1)
"""A url has to live so long to be given out again."""


def looked_up(provider: Provider, snapshot: Snapshot, *, job_id: str | None = None, at: datetime) -> Generation:
    """A generation as the vendor tells it, with nothing of ours but perhaps the id."""
    bare = Generation(
        id=job_id,
        provider_id=snapshot.provider_id,
        provider=provider.default_name,
        connection=provider.name,
        model=snapshot.model,
        state=snapshot.state,
    )
    return advanced(bare, snapshot, snapshot.state, at)


def advanced(known: Generation, snapshot: Snapshot, state: State, at: datetime) -> Generation:
    """What is known, brought up to date by a snapshot; `state` has been checked to lead forward."""
    failure = snapshot.failure if state is State.FAILED else None
    return attrs.evolve(
        known,
        provider_id=known.provider_id or snapshot.provider_id,
        model=known.model or snapshot.model,
        kind=snapshot.kind or known.kind,
        prompt=known.prompt or snapshot.prompt,
        state=state,
        outputs=snapshot.outputs,
        partial=snapshot.partial,
        cost=snapshot.cost or known.cost,
        warnings=tuple(dict.fromkeys((*known.warnings, *snapshot.warnings))),
        created_at=snapshot.created_at or known.created_at,
        finished_at=at if state.is_terminal else None,
        raw=snapshot.raw,
        **_failure_fields(failure),
    )


def failed(known: Generation, failure: Failure, at: datetime) -> Generation:
    """What is known, ended by a failure that no snapshot tells."""
    return attrs.evolve(known, state=State.FAILED, finished_at=at, **_failure_fields(failure))


def _failure_fields(failure: Failure | None) -> dict[str, Any]:
    if failure is None:
        return {}
    return {
        "failure_code": failure.code,
        "failure_reason": failure.reason,
        "vendor_code": failure.vendor_code,
        "action": failure.action or ACTIONS[failure.code],
    }


def refused(known: Generation, error: AiogenError, at: datetime) -> tuple[Generation, AiogenError]:
    """A create that was refused for good: the ended generation, and what its waiters get.

    Trouble of the account keeps its own type; trouble of the input is also a `GenerationFailed`, so that a loop over
    many jobs catches it where it catches the others.
    """
    details = error.details if isinstance(error, APIError) else error.message
    generation = failed(known, Failure(code=error.code or FailureCode.UNKNOWN, reason=details, action=error.action), at)
    if isinstance(error, AuthenticationError | InsufficientFunds) or not isinstance(error, APIError):
        return generation, error
    refusal = GenerationRefused(
        error.message,
        status=error.status,
        details=error.details,
        from_api=error.from_api,
        reason=error.details,
        code=error.code,
        action=error.action,
        request_id=error.request_id,
        provider=error.provider,
        generation=generation,
    )
    for note in getattr(error, "__notes__", ()):
        refusal.add_note(note)
    refusal.__cause__ = error
    return generation, refusal


def ended(generation: Generation) -> AiogenError | None:
    """What waiters of a generation in a terminal state get: an error, or nothing but the generation."""
    if generation.state is State.CANCELLED and generation.provider_id is None:
        return GenerationFailed(
            f"Job {generation.id} was withdrawn, or given up, before it was sent to {generation.connection}; "
            "nothing was charged.",
            provider=generation.provider,
            connection=generation.connection,
            job_id=generation.id,
            generation=generation,
        )
    return None if generation.state is State.COMPLETED else GenerationFailed.of(generation)


def still_holds(generation: Generation, at: datetime) -> bool:
    """True if nothing newer can be read of a generation that is over: its urls, if it has any, still work."""
    soon = at + _FRESH
    return generation.state.is_terminal and all(o.expires_at is None or o.expires_at > soon for o in generation.outputs)


def about(job: Job, error: AiogenError) -> AiogenError:
    """The error with the job's ids."""
    return error.about(provider=job.provider, connection=job.connection, job_id=job.id, provider_id=job.provider_id)


def timed_out(job: Job, seconds: float, last_error: Exception | None) -> AiogenError:
    """The deadline has passed."""
    if job.provider_id is None:
        text = (
            f"Job {job.id} waited {duration(seconds)} for its turn at {job.connection} and was not sent; "
            "nothing was charged. Submit it again, or allow more with Session(queue_timeout=…)."
        )
        return about(job, GenerationTimeout(text, timeout=seconds, action=Action.RETRY))
    last = f" The last question was answered with: {last_error}" if last_error is not None else ""
    text = (
        f"Generation {job.provider_id} (job {job.id}) was not finished {duration(seconds)} after {job.connection} "
        f"accepted it; it may still finish.{last}{'' if last.endswith('.') or not last else '.'} "
        f"session.attach({job.connection!r}, {job.provider_id!r}) follows it again."
    )
    late = GenerationTimeout(text, timeout=seconds)
    late.__cause__ = last_error
    return about(job, late)


def still_elsewhere(job: Job, seconds: float) -> AiogenError:
    """It waits for its turn, and in another process as far as is known."""
    text = (
        f"Job {job.id} was still {job.state} after {duration(seconds)}, and is another process's, or may be by now: "
        f"it may still be sent to {job.connection}, so do not submit it again. session.job({job.id!r}) waits for it."
    )
    return about(job, GenerationTimeout(text, timeout=seconds))


def removed(job: Job) -> AiogenError:
    """It was in the ledger, and is not any more: only what is over or unknown is removed."""
    read = f" session.get({job.connection!r}, {job.provider_id!r}) reads it there." if job.provider_id else ""
    text = (
        f"Job {job.id}, which another process followed, is over, but was removed from the ledger (keep_finished, or "
        f"forget) before its end was read here.{read}"
    )
    return about(job, StoreError(text))


def lost(job: Job, error: AiogenError, at: datetime) -> AiogenError:
    """The create's answer never came."""
    fingerprint = job.submission.fingerprint() if job.submission is not None else ""
    unknown = SubmissionUnknown(
        f"Whether {job.connection} accepted job {job.id} cannot be known: {error.message} "
        f"It was sent at {at.isoformat(timespec='seconds')} and may be running and charged; it is not sent again by "
        f"itself. session.reconcile() tells what it could be; look there before you submit it again (fingerprint "
        f"{fingerprint[:12]}).",
        submitted_at=at,
        fingerprint=fingerprint,
        request_id=error.request_id,
    )
    unknown.__cause__ = error
    return about(job, unknown)


def _kept(job: Job) -> str:
    if job.state is State.PENDING:
        return (
            f"The session was left before job {job.id} was sent to {job.connection}. It is in the ledger: the next "
            "session on the same store sends it, so do not submit it again."
        )
    return (
        f"The session was left while job {job.id} was {job.state} at {job.connection}. It is in the ledger: the next "
        "session on the same store takes it up (session.resume())."
    )


def left_behind(job: Job, at: datetime) -> AiogenError:
    """The program that sent its create ended before the answer came."""
    ended = AiogenError("the program that sent it ended before the answer came.")
    return lost(job, ended, at)


def not_kept(job: Job) -> AiogenError:
    """It was not sent, and what it would have said was not kept."""
    return about(
        job,
        GenerationFailed(
            f"Job {job.id} was not sent before its program ended, and its request was not kept "
            "(keep_requests=False); nothing was charged. Submit it again.",
            action=Action.RETRY,
            generation=job.generation,
        ),
    )


def withdrawn(job: Job) -> AiogenError:
    """Its user took it back."""
    text = f"Job {job.id} was withdrawn before it was sent to {job.connection}; nothing was charged."
    return about(job, GenerationFailed(text, generation=job.generation))


def closed(job: Job, *, kept: bool = False) -> AiogenError:
    """The session was left; `kept`: in a ledger that the next session goes on with."""
    if kept:
        return about(job, SessionClosed(_kept(job), action=Action.WAIT))
    if job.provider_id is not None:
        text = (
            f"The session was left while generation {job.provider_id} (job {job.id}) was running at "
            f"{job.connection}, where it goes on. "
            f"session.attach({job.connection!r}, {job.provider_id!r}) takes it up again."
        )
        return about(job, SessionClosed(text, action=Action.WAIT))
    if job.state is State.SUBMITTING:
        text = (
            f"The session was left while the create of job {job.id} was on its way to {job.connection}: it may be "
            "running and may be charged. Look at the provider before you submit it again."
        )
        return about(job, SessionClosed(text, action=Action.GIVE_UP))
    text = (
        f"The session was left before job {job.id} was sent to {job.connection}; nothing was charged. Submit it again."
    )
    return about(job, SessionClosed(text))
