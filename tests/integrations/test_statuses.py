"""Every error of aiogen knows its HTTP status, and tells a client no more than concerns it."""

from __future__ import annotations

import inspect

import pytest

from aiogen import errors
from aiogen.integrations.fastapi.problems import problem_of
from aiogen.integrations.statuses import http_status
from aiogen.models import Action, FailureCode

EVERY = [cls for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, errors.AiogenError)]
USUAL = {
    "InputError": 422, "KeyReused": 422, "RowsError": 422, "UnknownParameter": 422, "ConfigurationError": 503,
    "Unsupported": 409, "AuthenticationError": 502, "InsufficientFunds": 502, "InvalidRequest": 422, "NotFound": 404,
    "RateLimited": 503, "ProviderError": 502, "APIError": 502, "ProtocolError": 502, "NetworkError": 502,
    "GenerationTimeout": 504, "SubmissionUnknown": 502, "SessionClosed": 503, "TooManyJobs": 503, "BudgetReached": 503,
    "CancelTimeout": 504, "DownloadError": 502, "OutputExpired": 410, "StoreError": 503, "GenerationError": 502,
    "AiogenError": 502, "GenerationFailed": 409, "GenerationRefused": 409,
}  # fmt: skip
"""With nothing else said."""


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind: type[errors.AiogenError]) -> None:
    """One that a client understands, and never an internal error."""
    assert http_status(kind("So it went.")) == USUAL[kind.__name__]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.GenerationFailed("x", code=FailureCode.CONTENT_MODERATED), 422),
        (errors.GenerationFailed("x", code=FailureCode.GENERATION_FAILED), 502),
        (errors.GenerationRefused("x", code=FailureCode.AUTH), 502),
        (errors.TooManyJobs.of("ann", 2, 2), 429),
        (errors.TooManyJobs.of("", 2, 2), 429),
        (errors.TooManyJobs.of(None, 2, 2), 503),
        (errors.BudgetReached("x", action=Action.CHANGE_INPUT), 422),
    ],
)
def test_what_an_error_says_counts(error: errors.AiogenError, status: int) -> None:
    """Whether the client can do something about it."""
    assert http_status(error) == status


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_what_is_the_servers_own_stays_here(kind: type[errors.AiogenError]) -> None:
    """The message of a 5xx may name files, keys' variables, or the vendor's words."""
    problem, pause = problem_of(kind("/srv/images.db LUMA_AGENTS_API_KEY", job_id="j1"))
    assert problem.job == "j1"
    if problem.status >= 500:
        assert "/srv" not in problem.detail
        assert "KEY" not in problem.detail
        assert problem.detail
    assert pause is None or pause > 0


def test_when_to_try_again_is_told() -> None:
    """What the error knows, else a usual pause where the same may work later."""
    assert problem_of(errors.BudgetReached("x", retry_after=90.0))[1] == 90.0
    assert problem_of(errors.TooManyJobs.of("ann", 2, 2))[1] is not None
    assert problem_of(errors.InputError("x"))[1] is None
