"""`aiogen._answers.granted`: what came of a wish to cancel a job, through the ledger as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aiogen import errors
from aiogen._answers.granted import decoded, encoded
from aiogen.errors import AiogenError, CancelTimeout, NotFound, RateLimited, SubmissionUnknown, Throttle
from aiogen.models import Action, Cancellation, FailureCode

SENT_AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
FAILURES = (
    RateLimited("Too many.", provider="luma", status=429, retry_after=5.0, throttle=Throttle.CREATES),
    NotFound("It is gone.", connection="studio", provider_id="gen-1", request_id="req-1"),
    SubmissionUnknown("Nobody knows.", job_id="job-1", submitted_at=SENT_AT, action=Action.WAIT),
    CancelTimeout("It said nothing.", timeout=60.0),
    AiogenError("It failed.", code=FailureCode.BUDGET_EXHAUSTED),
)


@pytest.mark.parametrize("what", list(Cancellation))
def test_a_result_is_heard_as_it_was_told(what: Cancellation) -> None:
    """Whoever asked gets what the process that follows the job has got."""
    assert decoded(json.loads(json.dumps(encoded(what)))) is what


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_an_error_is_raised_as_it_was_told(failure: AiogenError) -> None:
    """With all that a handler needs, and its notes."""
    failure.add_note("The vendor was asked twice.")
    with pytest.raises(type(failure)) as raised:
        decoded(json.loads(json.dumps(encoded(failure))))
    assert raised.value.message == failure.message
    assert encoded(raised.value) == encoded(failure)
    assert raised.value.__notes__ == ["The vendor was asked twice."]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"error": "SomethingNew", "message": "Of next year."}, "Of next year."),
        ({"error": "State", "message": "No error at all."}, "No error at all."),
        ({"cancellation": "postponed"}, "It could not be cancelled."),
        ({"error": "RateLimited", "message": "Too many.", "throttle": "moon", "action": "dance"}, "Too many."),
    ],
)
def test_what_a_newer_version_tells_is_an_error_all_the_same(answer: dict[str, Any], expected: str) -> None:
    """Never a wrong result, and never an error of its own."""
    with pytest.raises(errors.AiogenError) as raised:
        decoded(answer)
    assert raised.value.message == expected
