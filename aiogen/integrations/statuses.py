"""Which HTTP status an error of aiogen is, for those who answer requests.  Pure."""

from __future__ import annotations

from aiogen import errors
from aiogen.models import Action

STATUSES: tuple[tuple[type[errors.AiogenError], int], ...] = (
    (errors.ConfigurationError, 503),
    (errors.Unsupported, 409),
    (errors.InputError, 422),
    (errors.GenerationTimeout, 504),
    (errors.CancelTimeout, 504),
    (errors.SubmissionUnknown, 502),
    (errors.SessionClosed, 503),
    (errors.NotFound, 404),
    (errors.RateLimited, 503),
    (errors.InvalidRequest, 422),
    (errors.StoreError, 503),
    (errors.OutputExpired, 410),
    (errors.AiogenError, 502),
)
"""The first that matches: narrower kinds come before wider ones."""


def http_status(error: errors.AiogenError) -> int:
    """The status for a client that asked the program for it: 4xx where they can do something about it, else 5xx.

    - 404: the provider does not know the generation.
    - 409: the provider has no such call, or the job was withdrawn or cancelled.
    - 410: the address of an output has expired, and there will be no fresh one here.
    - 422: the input was refused here or by the provider, or the generation failed by its input (moderation).
    - 429: the scope's own bound on unfinished jobs; 503: the bound on all jobs.
    - 502: the provider failed, cannot be reached, or refuses the program's key or funds, which are not the client's.
    - 503: the program itself cannot now: its session is closed, its ledger fails, its budget is spent, it lacks a key.
    - 504: a deadline passed; the job may still finish.

    `retry_after`, where the error has one, is the answer's `Retry-After`.
    """
    if isinstance(error, errors.TooManyJobs):
        return 503 if error.scope is None else 429
    if isinstance(error, errors.BudgetReached):
        return 422 if error.action is Action.CHANGE_INPUT else 503
    if isinstance(error, errors.GenerationFailed):
        return 409 if error.code is None else 422 if error.action is Action.CHANGE_INPUT else 502
    return next(status for kind, status in STATUSES if isinstance(error, kind))


__all__ = ["http_status"]
