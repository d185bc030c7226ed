"""The error for each kind of end, for those who wait for the job.  Pure."""

from __future__ import annotations

from datetime import datetime

from aiogen._answers.snapshots import failed
from aiogen._wording import duration
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    CancelTimeout,
    GenerationFailed,
    GenerationRefused,
    GenerationTimeout,
    InputError,
    InsufficientFunds,
    NotFound,
    SessionClosed,
    StoreError,
    SubmissionUnknown,
)
from aiogen.exchange import Failure, Submission
from aiogen.models import Action, FailureCode, Generation, State


def refused(known: Generation, error: AiogenError, at: datetime) -> tuple[Generation, AiogenError]:
    """A create that was refused for good: the ended generation, and what its waiters get.

    An error of the account keeps its own type; an error of the input is also a `GenerationFailed`, so that a loop over
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
            f"Job {generation.id} was withdrawn before it was sent to {generation.connection}; nothing was charged.",
            provider=generation.provider,
            connection=generation.connection,
            job_id=generation.id,
            generation=generation,
        )
    if generation.state is State.CANCELLED:
        return GenerationFailed(
            f"Generation {generation.provider_id} (job {generation.id}) was cancelled at {generation.connection}; what "
            "it had done by then may be charged, where the provider charges.",
            provider=generation.provider,
            connection=generation.connection,
            job_id=generation.id,
            provider_id=generation.provider_id,
            generation=generation,
        )
    return None if generation.state is State.COMPLETED else GenerationFailed.of(generation)


def with_ids(job: Generation, error: AiogenError) -> AiogenError:
    """The error with the job's ids."""
    return error.add_context(**ids_of(job))


def ids_of(generation: Generation) -> dict[str, str | None]:
    """What names it in errors: the attributes of `AiogenError` that say where it is, and its ids."""
    return {
        "provider": generation.provider,
        "connection": generation.connection,
        "job_id": generation.id,
        "provider_id": generation.provider_id,
    }


def timed_out(job: Generation, seconds: float, last_error: Exception | None) -> AiogenError:
    """The error for a job whose deadline has passed."""
    if job.provider_id is None:
        text = (
            f"Job {job.id} waited {duration(seconds)} for its turn at {job.connection} and was not sent; "
            "nothing was charged. Submit it again, or allow a longer wait with Session(queue_timeout=…)."
        )
        return with_ids(job, GenerationTimeout(text, timeout=seconds, action=Action.RETRY))
    last = f" The last status request failed: {last_error}" if last_error is not None else ""
    text = (
        f"Generation {job.provider_id} (job {job.id}) did not finish within {duration(seconds)} of its acceptance by "
        f"{job.connection}; it may still finish.{last}{'' if last.endswith('.') or not last else '.'} "
        f"session.attach({job.connection!r}, {job.provider_id!r}) follows it again."
    )
    late = GenerationTimeout(text, timeout=seconds)
    late.__cause__ = last_error
    return with_ids(job, late)


def unfollowed(job: Generation, seconds: float) -> AiogenError:
    """The error for a job that was left to other processes, of which none follows the ledger."""
    text = (
        f"Job {job.id} waited {duration(seconds)} and was not sent to {job.connection}: nobody follows jobs on its "
        "ledger. Nothing was charged. Start `aiogen worker`, or a session that follows, and submit it again."
    )
    return with_ids(job, GenerationTimeout(text, timeout=seconds, action=Action.RETRY))


def not_asked(provider: str, connection: str, provider_id: str | None = None) -> AiogenError:
    """Something that only the provider knows, in a session that asks none."""
    about = f"about generation {provider_id}" if provider_id is not None else "about generations"
    return InputError(
        f"This session leaves its jobs to other processes, so it does not ask {connection} {about}. One "
        "that follows jobs does, and so does the command line: aiogen get, aiogen download.",
        provider=provider,
        connection=connection,
        provider_id=provider_id,
    )


def still_remote(job: Generation, seconds: float) -> AiogenError:
    """It waits for its turn, as far as is known in another process."""
    text = (
        f"Job {job.id} was still {job.state} after {duration(seconds)}. Another process has it, or may have it by now, "
        f"and may still send it to {job.connection}: do not submit it again. session.job({job.id!r}) waits for it."
    )
    return with_ids(job, GenerationTimeout(text, timeout=seconds))


def not_granted(job: Generation, seconds: float) -> AiogenError:
    """The process that follows it has not said what came of a wish to cancel it."""
    text = (
        f"Job {job.id} is followed by another process, which did not say within {duration(seconds)} whether it could "
        "cancel it: it may be busy, suspended or gone. The request to cancel it stays in the ledger, and the process "
        "that follows the job then carries it out; cancel it again to wait for that."
    )
    return with_ids(job, CancelTimeout(text, timeout=seconds))


def removed(job: Generation) -> AiogenError:
    """It was in the ledger, and no longer is: only what is over or unknown is removed."""
    read = (
        f" session.get({job.connection!r}, {job.provider_id!r}) reads it from the provider." if job.provider_id else ""
    )
    text = (
        f"Job {job.id} ended in another process, and was removed from the ledger (keep_finished, or forget) before "
        f"its result was read here.{read}"
    )
    return with_ids(job, StoreError(text))


def not_shown(error: APIError, vendor: str, provider_id: str) -> AiogenError:
    """It was created with another key of the account, and the vendor says that the present one knows nothing of it."""
    return NotFound(
        f"Generation {provider_id} was created with a previous key, and {vendor} does not show it to the present one: "
        f"API error {error.status}: {error.details}. It may run on and be charged, so it stays unfinished in the "
        "ledger; a connection with the key that created it follows it.",
        status=error.status,
        details=error.details,
        request_id=error.request_id,
        provider_id=provider_id,
    )


def lost(job: Generation, submission: Submission | None, error: AiogenError, at: datetime) -> AiogenError:
    """The error for a job whose create was never answered."""
    fingerprint = submission.fingerprint() if submission is not None else ""
    unknown = SubmissionUnknown(
        f"It is not known whether {job.connection} accepted job {job.id}: {error.message} "
        f"It was sent at {at.isoformat(timespec='seconds')} and may be running and charged; aiogen does not send it "
        "again on its own. session.reconcile() shows what it could have become; check that before you submit it again "
        f"(fingerprint {fingerprint[:12]}).",
        submitted_at=at,
        fingerprint=fingerprint,
        request_id=error.request_id,
    )
    unknown.__cause__ = error
    return with_ids(job, unknown)


def _kept(job: Generation) -> str:
    if job.state is State.PENDING:
        return (
            f"The session was closed before job {job.id} was sent to {job.connection}. The job is in the ledger: the "
            "next session on the same store sends it, so do not submit it again."
        )
    return (
        f"The session was closed while job {job.id} was {job.state} at {job.connection}. The job is in the ledger: the "
        "next session on the same store follows it (session.resume())."
    )


def left_behind(job: Generation, submission: Submission | None, at: datetime) -> AiogenError:
    """The program that sent its create ended before the answer came."""
    ended = AiogenError("the program that sent it ended before the answer came.")
    return lost(job, submission, ended, at)


def not_kept(job: Generation) -> AiogenError:
    """The error for a job that was not sent, and whose request was not kept."""
    return with_ids(
        job,
        GenerationFailed(
            f"Job {job.id} was not sent before its program ended, and its request was not kept "
            "(keep_requests=False); nothing was charged. Submit it again.",
            action=Action.RETRY,
            generation=job,
        ),
    )


def withdrawn(job: Generation) -> AiogenError:
    """The error for a job that its user has withdrawn."""
    text = f"Job {job.id} was withdrawn before it was sent to {job.connection}; nothing was charged."
    return with_ids(job, GenerationFailed(text, generation=job))


def closed(job: Generation, *, kept: bool = False) -> AiogenError:
    """The session was closed; `kept`: the job is in a ledger with which the next session continues."""
    if kept:
        return with_ids(job, SessionClosed(_kept(job), action=Action.WAIT))
    if job.provider_id is not None:
        text = (
            f"The session was closed while generation {job.provider_id} (job {job.id}) was running at "
            f"{job.connection}, where it continues. "
            f"session.attach({job.connection!r}, {job.provider_id!r}) follows it again."
        )
        return with_ids(job, SessionClosed(text, action=Action.WAIT))
    if job.state is State.SUBMITTING:
        text = (
            f"The session was closed while the create request of job {job.id} was on its way to {job.connection}: it "
            "may be running and may be charged. Check at the provider before you submit it again."
        )
        return with_ids(job, SessionClosed(text, action=Action.GIVE_UP))
    text = (
        f"The session was closed before job {job.id} was sent to {job.connection}; nothing was charged. "
        "Submit it again."
    )
    return with_ids(job, SessionClosed(text))
