"""`aiogen._jobs.attempts`: after which ends another attempt is made."""

from __future__ import annotations

import pytest

from aiogen import Action, FailureCode, Generation, State, errors
from aiogen._jobs.attempts import _helps


def ended(state: State, **more: object) -> Generation:
    fields = {"id": "1", "provider_id": "v", "provider": "luma", "connection": "luma", "model": "m", "state": state}
    return Generation(**{**fields, **more})  # type: ignore[arg-type]


FAILED = ended(State.FAILED, failure_code=FailureCode.GENERATION_FAILED)


def test_what_the_vendor_says_has_failed_may_be_tried_again() -> None:
    """If trying again may help."""
    assert _helps(errors.GenerationFailed.of(FAILED))


@pytest.mark.parametrize(
    "error",
    [
        None,
        errors.GenerationFailed.of(ended(State.FAILED, failure_code=FailureCode.CONTENT_MODERATED)),
        errors.GenerationFailed("stopped", generation=ended(State.CANCELLED), action=Action.RETRY),
        errors.GenerationRefused("no", generation=FAILED, action=Action.RETRY, status=400),
        errors.GenerationTimeout("late", generation=FAILED, action=Action.RETRY),
        errors.SubmissionUnknown("gone", generation=ended(State.UNKNOWN), action=Action.RETRY),
        errors.SessionClosed("left", generation=ended(State.QUEUED)),
        errors.GenerationFailed("what?", generation=ended(State.UNKNOWN), action=Action.RETRY),
        errors.GenerationFailed("who?", action=Action.RETRY),
    ],
)
def test_nothing_else_is(error: errors.AiogenError | None) -> None:
    """It may run, it was stopped, it was refused, or it is not known what has failed."""
    assert not _helps(error)
