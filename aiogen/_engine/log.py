"""What the log says about jobs and accounts: one line for each thing that matters, with its ids as fields.

`docs/logging.md` lists the lines, their levels and their fields.  No prompt and no vendor's words stand in them: these
may hold anything, and a log is read by more people than a program's results.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aiogen._account.actions import Hold
from aiogen._wording import count, duration, plain
from aiogen.errors import (
    AiogenError,
    APIError,
    GenerationFailed,
    GenerationTimeout,
    SessionClosed,
    SubmissionUnknown,
    Throttle,
)
from aiogen.models import Cost, Generation, State

if TYPE_CHECKING:
    from aiogen._engine.job import Job
    from aiogen.providers.base import Provider

logger = logging.getLogger("aiogen")

_MOST_NAMED = 20
"""The most jobs that are named of those that were left running."""

_HELD = {
    Throttle.CREATES: "too many creates: the next one waits",
    Throttle.CONCURRENCY: "too many jobs at once: the next create waits for one to end",
    Throttle.ACCOUNT: "too many requests: everything waits",
}


def accepted(job: Job) -> None:
    """The provider has taken it; from here on it costs money."""
    if logger.isEnabledFor(logging.INFO):
        known = job.generation
        logger.info(
            "%s accepted%s, job %s", _what(known), _cost(", ", known.cost), job.id, extra=_fields("accepted", job)
        )


def ended(job: Job, error: AiogenError | None) -> None:
    """Nobody waits for it any more: it is over, or nothing more is learned of it here."""
    known = job.generation
    if isinstance(error, SessionClosed):
        return  # `left` names all of them at once
    if isinstance(error, SubmissionUnknown):
        _warn("unknown", job, error, "it is not known whether it was accepted: it may be running and charged")
    elif isinstance(error, GenerationTimeout):
        what = "finished within {}; it may still finish" if job.provider_id else "sent within {}"
        _warn("timeout", job, error, f"not {what.format(duration(error.timeout))}")
    elif known.state is State.COMPLETED:
        if logger.isEnabledFor(logging.INFO):
            logger.info(
                "%s completed%s%s",
                _what(known),
                _took(known),
                _cost(", ", known.cost),
                extra=_fields("completed", job),
            )
    elif known.state is State.FAILED:
        if logger.isEnabledFor(logging.INFO):
            logger.info("%s failed%s: %s", _what(known), _took(known), _why(error), extra=_fields("failed", job, error))
    elif error is None or isinstance(error, GenerationFailed):
        logger.debug("%s %s", _what(known), known.state, extra=_fields(known.state.value, job, error))
    else:
        _warn("unfollowed", job, error, f"it is no longer followed: {_why(error)}")


def throttled(provider: Provider, hold: Hold, *, at: datetime) -> None:
    """The account has to slow down: once for each time that it is held, however many requests met the limit."""
    throttle, status, seconds = hold.throttle, hold.status, hold.seconds
    if not logger.isEnabledFor(logging.INFO):
        return
    why = "it is overloaded: everything waits" if throttle is None else _HELD[throttle]
    until = None if seconds is None else at + timedelta(seconds=seconds)
    how_long = "" if until is None else f", until {until.isoformat(timespec='seconds')} ({duration(seconds or 0.0)})"
    logger.info(
        "%s throttled (HTTP %d), %s%s",
        plain(provider.name, 64),
        status,
        why,
        how_long,
        extra={
            "aiogen_event": "throttled",
            "aiogen_provider": provider.facts.name,
            "aiogen_connection": provider.name,
            "aiogen_account": provider.account,
            "aiogen_throttle": None if throttle is None else throttle.value,
            "aiogen_status": status,
            "aiogen_until": None if until is None else until.isoformat(),
        },
    )


def left(jobs: Sequence[Job], *, kept: bool) -> None:
    """The session is left, and these go on without it; `kept`: the next session on the same ledger finds them there."""
    if not jobs:
        return
    names = [f"{job.connection} {job.provider_id or f'(job {job.id})'}" for job in jobs[:_MOST_NAMED]]
    more = f", and {count(len(jobs) - len(names))} more" if len(jobs) > len(names) else ""
    attachable = next((job for job in jobs if job.provider_id is not None), None)
    if kept:
        how = "The ledger has their ids, and the next session on the same store follows them."
    elif attachable is not None:
        how = (
            'Their ids are kept nowhere: with Session(store="aiogen.db") the next session would follow them. '
            f'session.attach("{attachable.connection}", "{attachable.provider_id}") follows one again.'
        )
    else:
        how = (
            'Check at the provider before you submit anything again; with Session(store="aiogen.db"), '
            "session.reconcile() helps with that."
        )
    logger.log(
        logging.INFO if kept else logging.WARNING,
        "The session was closed with %s that may still run and cost money: %s%s. %s",
        "one generation" if len(jobs) == 1 else f"{count(len(jobs))} generations",
        ", ".join(names),
        more,
        how,
        extra={
            "aiogen_event": "left",
            "aiogen_count": len(jobs),
            "aiogen_jobs": [job.id for job in jobs[:_MOST_NAMED]],
            "aiogen_provider_ids": [job.provider_id for job in jobs[:_MOST_NAMED] if job.provider_id is not None],
        },
    )


def _warn(event: str, job: Job, error: AiogenError, text: str) -> None:
    logger.warning("%s: %s", f"{_what(job.generation)}, job {job.id}", text, extra=_fields(event, job, error))


def _fields(event: str, job: Job, error: AiogenError | None = None) -> dict[str, object]:
    known = job.generation
    return {
        "aiogen_event": event,
        "aiogen_job": job.id,
        "aiogen_provider_id": known.provider_id,
        "aiogen_provider": known.provider,
        "aiogen_connection": known.connection,
        "aiogen_model": known.model,
        "aiogen_batch": job.batch,
        "aiogen_seconds": _seconds(known),
        "aiogen_cost": str(known.cost.amount) if known.cost is not None else None,
        "aiogen_cost_unit": known.cost.unit if known.cost is not None else None,
        "aiogen_code": error.code.value if error is not None and error.code is not None else None,
        "aiogen_action": error.action.value if error is not None and error.action is not None else None,
        "aiogen_status": error.status or None if isinstance(error, APIError) else None,
        "aiogen_request_id": error.request_id if error is not None else None,
        "aiogen_error": type(error).__name__ if error is not None else None,
    }


def _what(known: Generation) -> str:
    model = f"/{plain(known.model, 64)}" if known.model else ""
    return f"{plain(known.connection, 64)}{model}{f' {known.provider_id}' if known.provider_id else ''}"


def _seconds(known: Generation) -> float | None:
    if known.accepted_at is None or known.finished_at is None:
        return None
    return round((known.finished_at - known.accepted_at).total_seconds(), 3)


def _took(known: Generation) -> str:
    seconds = _seconds(known)
    return "" if seconds is None else f" after {duration(max(0.0, seconds))}"


def _cost(before: str, cost: Cost | None) -> str:
    return "" if cost is None else f"{before}{cost}"


def _why(error: AiogenError | None) -> str:
    if error is None:
        return "unknown"
    status = f", HTTP {error.status}" if isinstance(error, APIError) and error.status else ""
    return f"{error.code or type(error).__name__}{status}{f' ({error.action})' if error.action is not None else ''}"
