"""`aiogen._answers.outcomes`: what an end means in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from pictures import png

from aiogen._answers import outcomes, snapshots
from aiogen._binding import Binding
from aiogen._engine.job import Job
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    GenerationFailed,
    GenerationRefused,
    GenerationTimeout,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    NetworkError,
    NotFound,
    SessionClosed,
    StoreError,
    SubmissionUnknown,
)
from aiogen.exchange import Failure, Snapshot, Submission
from aiogen.models import Action, Cancellation, Cost, Eta, FailureCode, Generation, Output, State, Typical
from aiogen.providers import Luma

LUMA = Luma(api_key="k", name="luma-eu")
NOON = datetime(2026, 10, 21, 12, 0, 0, 123_456, tzinfo=UTC)
MORNING = datetime(2026, 10, 21, 8, tzinfo=UTC)
IMAGE = Output(kind="image", url="https://cdn.example.com/a.png")
CREATE = Submission(
    model="uni-1",
    kind="image",
    endpoint="generations",
    body={"prompt": "a boat"},
    timeout=120.0,
    typical=Typical(median=30.0),
)


def known(**changes: Any) -> Generation:
    """What is known of a job that runs."""
    generation = Generation(
        id="j1",
        provider_id="p1",
        provider="luma",
        connection="luma-eu",
        model="uni-1",
        state=State.QUEUED,
        prompt="a boat",
        cost=Cost(Decimal("0.04"), "DOLLARS"),
        created_at=MORNING,
    )
    return attrs.evolve(generation, **changes)


def read(state: State = State.COMPLETED, **changes: Any) -> Snapshot:
    return Snapshot(provider_id="p1", state=state, **changes)


def job(**changes: Any) -> Job:
    return job_of(known(**changes), CREATE)


def job_of(generation: Generation, submission: Submission | None) -> Job:
    async def too_late(_: Job) -> bool:
        return False

    async def cancelled(_: Job, timeout: float) -> Cancellation:
        return Cancellation.ENDED

    return Job(
        generation,
        LUMA,
        submission=submission,
        timeout=120.0,
        poll_cost=0.15,
        binding=Binding("session"),
        forecast=lambda _: Eta(9.0, 5.0, 14.0),
        withdraw=too_late,
        cancel=cancelled,
        outputs=None,  # type: ignore[arg-type]  # nobody asks for them here
    )


# --- snapshots to generations


def test_progress_changes_the_state_alone() -> None:
    """A reading that only says "processing" changes the state, since when, and the raw answer, and forgets nothing."""
    after = snapshots.advanced(known(), read(State.PROCESSING, raw={"state": "processing"}), State.PROCESSING, NOON)
    assert after == known(state=State.PROCESSING, began_at=NOON, raw={"state": "processing"})
    later = snapshots.advanced(after, read(State.PROCESSING), State.PROCESSING, NOON + timedelta(seconds=9))
    assert later.began_at == NOON


def test_an_end_brings_the_outputs() -> None:
    """A completed reading brings outputs, cost and kind, and the moment of the end."""
    snapshot = read(
        outputs=(IMAGE,), partial=True, kind="video", cost=Cost(Decimal(9), "CREDITS"), created_at=NOON, raw={"k": 1}
    )
    after = snapshots.advanced(known(), snapshot, State.COMPLETED, NOON)
    assert after == known(
        state=State.COMPLETED,
        outputs=(IMAGE,),
        partial=True,
        kind="video",
        cost=Cost(Decimal(9), "CREDITS"),
        created_at=NOON,
        finished_at=NOON,
        raw={"k": 1},
    )


def test_what_we_knew_stays() -> None:
    """The id, model and prompt that we asked with are not replaced by the vendor's wording of them."""
    snapshot = Snapshot(provider_id="P1", state=State.QUEUED, model="uni-1-2026", prompt="A boat, rewritten")
    after = snapshots.advanced(known(), snapshot, State.QUEUED, NOON)
    assert (after.provider_id, after.model, after.prompt) == ("p1", "uni-1", "a boat")


def test_what_we_did_not_know_is_filled_in() -> None:
    """Of a generation made by another program the vendor's words are all there is."""
    snapshot = read(State.QUEUED, model="uni-1-2026", prompt="theirs")
    after = snapshots.advanced(known(provider_id=None, model=None, prompt=None), snapshot, State.QUEUED, NOON)
    assert (after.provider_id, after.model, after.prompt, after.finished_at) == ("p1", "uni-1-2026", "theirs", None)


def test_a_failure_brings_its_code_and_what_helps() -> None:
    """A failed reading gives code, reason, the vendor's spelling, and the action of the table."""
    failure = Failure(code=FailureCode.RATE_LIMITED, reason="upstream", vendor_code="rate_limited")
    after = snapshots.advanced(known(), read(State.FAILED, failure=failure), State.FAILED, NOON)
    assert (after.failure_code, after.failure_reason, after.vendor_code, after.action, after.finished_at) == (
        "rate_limited", "upstream", "rate_limited", Action.WAIT, NOON,
    )  # fmt: skip


def test_a_failure_that_was_overtaken_is_not_told() -> None:
    """If the state that counts is no failure, the reading's failure does not show."""
    snapshot = read(State.FAILED, failure=Failure(code=FailureCode.GENERATION_FAILED))
    after = snapshots.advanced(known(), snapshot, State.COMPLETED, NOON)
    assert (after.state, after.failure_code, after.action) == (State.COMPLETED, None, None)


def test_the_provider_may_know_what_helps() -> None:
    """An action that the provider file gave wins over the table's."""
    failure = Failure(code=FailureCode.OUTPUT_NOT_FOUND, action=Action.CHANGE_INPUT)
    assert snapshots.failed(known(), failure, NOON).action is Action.CHANGE_INPUT


def test_a_failure_without_a_reading() -> None:
    """An end that is in no reading keeps what was known, and says when and why."""
    after = snapshots.failed(known(), Failure(code=FailureCode.NOT_FOUND, reason="gone"), NOON)
    assert after == known(
        state=State.FAILED,
        finished_at=NOON,
        failure_code=FailureCode.NOT_FOUND,
        failure_reason="gone",
        action=Action.GIVE_UP,
    )


@pytest.mark.parametrize("job_id", [None, "j9"])
def test_a_generation_that_was_looked_up(job_id: str | None) -> None:
    """A reading of any generation becomes one with the vendor's words, and with our id if there is one."""
    snapshot = read(model="uni-1", kind="image_edit", outputs=(IMAGE,), created_at=MORNING, raw={"k": 1})
    assert snapshots.looked_up(LUMA, snapshot, job_id=job_id, at=NOON) == Generation(
        id=job_id,
        provider_id="p1",
        provider="luma",
        connection="luma-eu",
        model="uni-1",
        kind="image_edit",
        state=State.COMPLETED,
        outputs=(IMAGE,),
        created_at=MORNING,
        finished_at=NOON,
        raw={"k": 1},
    )


# --- refusals


def refusal(cls: type[APIError], **context: Any) -> APIError:
    return cls(
        "Failed to create generation. API error 400: no such model",
        status=400,
        details="no such model",
        request_id="r1",
        provider="luma",
        **context,
    )


@pytest.mark.parametrize("cls", [InvalidRequest, NotFound])
def test_a_refused_input_is_a_failure_and_an_answer(cls: type[APIError]) -> None:
    """Waiters get one error that is caught both as a failed generation and as the provider's refusal."""
    error = refusal(cls)
    error.add_note("a note")
    generation, raised = outcomes.refused(known(provider_id=None), error, NOON)
    assert isinstance(raised, GenerationRefused)
    assert isinstance(raised, GenerationFailed)
    assert isinstance(raised, APIError)
    assert str(raised) == "Failed to create generation. API error 400: no such model"
    assert (raised.status, raised.details, raised.reason, raised.request_id) == (
        400,
        "no such model",
        "no such model",
        "r1",
    )
    assert (raised.code, raised.action, raised.provider) == (error.code, error.action, "luma")
    assert raised.generation is generation
    assert raised.__cause__ is error
    assert raised.__notes__ == ["a note"]


def test_a_refused_create_ends_its_generation() -> None:
    """The ledger hears that the job failed, in the vendor's words."""
    generation, _ = outcomes.refused(known(provider_id=None), refusal(InvalidRequest), NOON)
    assert (generation.state, generation.finished_at) == (State.FAILED, NOON)
    assert (generation.failure_code, generation.failure_reason) == ("invalid_request", "no such model")
    assert generation.action is Action.CHANGE_INPUT


@pytest.mark.parametrize("cls", [AuthenticationError, InsufficientFunds])
def test_trouble_of_the_account_keeps_its_type(cls: type[APIError]) -> None:
    """A wrong key or an empty account is reported as what it is, and not as a failed generation."""
    error = refusal(cls)
    generation, raised = outcomes.refused(known(), error, NOON)
    assert raised is error
    assert (generation.state, generation.failure_code, generation.action) == (State.FAILED, cls.code, cls.action)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no prompt"), FailureCode.INVALID_REQUEST),
        (NetworkError("cannot be reached", sent=False), FailureCode.PROVIDER_ERROR),
        (StoreError("disk full"), FailureCode.UNKNOWN),
    ],
)
def test_what_no_provider_said_keeps_its_type(error: AiogenError, code: FailureCode) -> None:
    """An error that is no answer is reported as it is; its message is the reason, its action what helps."""
    generation, raised = outcomes.refused(known(), error, NOON)
    assert raised is error
    assert (generation.failure_code, generation.failure_reason, generation.action) == (
        code,
        error.message,
        error.action,
    )


# --- ends


def test_a_completed_generation_is_no_error() -> None:
    """Waiters of a completed generation get the generation."""
    assert outcomes.ended(known(state=State.COMPLETED)) is None


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_any_other_end_is_an_error(state: State) -> None:
    """Waiters of a generation that failed or was cancelled get an error that holds it."""
    generation = known(state=state, failure_code=FailureCode.CONTENT_MODERATED)
    error = outcomes.ended(generation)
    assert isinstance(error, GenerationFailed)
    assert error.generation is generation


async def test_an_error_has_the_ids_of_its_job() -> None:
    """Whatever waiters get names provider, connection, and both ids."""
    error = outcomes.with_ids(known(), StoreError("disk full"))
    assert (error.provider, error.connection, error.job_id, error.provider_id) == ("luma", "luma-eu", "j1", "p1")


async def test_a_deadline_says_that_it_may_still_finish() -> None:
    """A timeout names the generation, the seconds, the last error, and the call that follows it again."""
    error = outcomes.timed_out(known(), 120.0, NetworkError("connection lost"))
    assert isinstance(error, GenerationTimeout)
    assert isinstance(error, TimeoutError)
    assert str(error) == (
        "Generation p1 (job j1) did not finish within 120 s of its acceptance by luma-eu; it may still finish. "
        "The last status request failed: connection lost. "
        "session.attach('luma-eu', 'p1') follows it again."
    )
    assert (error.timeout, error.provider_id, error.job_id, error.action) == (120.0, "p1", "j1", Action.WAIT)
    assert "The end passed. session" in str(outcomes.timed_out(known(), 120.0, NetworkError("The end passed.")))


async def test_a_deadline_without_an_error_speaks_of_none() -> None:
    """If the last status request succeeded, nothing is said about it."""
    assert "last status request" not in str(outcomes.timed_out(known(), 0.5, None))
    assert "did not finish within 0.5 s" in str(outcomes.timed_out(known(), 0.5, None))


async def test_a_deadline_in_the_queue_says_that_nothing_was_charged() -> None:
    """A job that was never sent can be submitted again, and the error says so."""
    error = outcomes.timed_out(known(provider_id=None, state=State.PENDING), 3600.0, None)
    assert str(error) == (
        "Job j1 waited 1 hour for its turn at luma-eu and was not sent; nothing was charged. "
        "Submit it again, or allow a longer wait with Session(queue_timeout=…)."
    )
    assert (error.provider_id, error.action, error.retryable) == (None, Action.RETRY, True)


async def test_a_deadline_while_another_process_has_it_says_not_to_pay_again() -> None:
    """It may still be sent there; its id finds it."""
    error = outcomes.still_remote(known(provider_id=None, state=State.PENDING), 90.0)
    assert isinstance(error, GenerationTimeout)
    assert str(error) == (
        "Job j1 was still pending after 90 s. Another process has it, or may have it by now, and may still send it to "
        "luma-eu: do not submit it again. session.job('j1') waits for it."
    )
    assert (error.job_id, error.timeout) == ("j1", 90.0)


async def test_a_deadline_while_nobody_follows_says_what_to_start() -> None:
    """It is out of the ledger, so it may be submitted again."""
    error = outcomes.unfollowed(known(provider_id=None, state=State.PENDING), 90.0)
    assert isinstance(error, GenerationTimeout)
    assert str(error) == (
        "Job j1 waited 90 s and was not sent to luma-eu: nobody follows jobs on its ledger. Nothing was charged. Start "
        "`aiogen worker`, or a session that follows, and submit it again."
    )
    assert (error.job_id, error.timeout, error.action) == ("j1", 90.0, Action.RETRY)


@pytest.mark.parametrize(("provider_id", "about"), [("v1", "about generation v1"), (None, "about generations")])
async def test_who_asks_no_provider_says_who_does(provider_id: str | None, about: str) -> None:
    """With the connection, and the id if it is about one."""
    error = outcomes.not_asked("luma", "luma-eu", provider_id)
    assert isinstance(error, InputError)
    expected = f"This session leaves its jobs to other processes, so it does not ask luma-eu {about}. One that follows"
    assert str(error).startswith(expected)
    assert (error.provider, error.connection, error.provider_id) == ("luma", "luma-eu", provider_id)


async def test_a_lost_create_is_said_to_be_unknown() -> None:
    """The error says when it was sent, that it may be charged, and its fingerprint."""
    cause = NetworkError("The connection was lost.", request_id="r1")
    error = outcomes.lost(known(provider_id=None), CREATE, cause, NOON)
    assert isinstance(error, SubmissionUnknown)
    assert str(error) == (
        "It is not known whether luma-eu accepted job j1: The connection was lost. It was sent at "
        "2026-10-21T12:00:00+00:00 and may be running and charged; aiogen does not send it again on its own. "
        "session.reconcile() shows what it could have become; check that before you submit it again "
        f"(fingerprint {CREATE.fingerprint()[:12]})."
    )
    assert (error.submitted_at, error.fingerprint, error.request_id) == (NOON, CREATE.fingerprint(), "r1")
    assert (error.job_id, error.connection, error.__cause__) == ("j1", "luma-eu", cause)


async def test_a_lost_create_without_its_words() -> None:
    """A job whose submission is not known any more has no fingerprint, and its loss is still reported."""
    error = outcomes.lost(known(provider_id=None), None, NetworkError("gone"), NOON)
    assert isinstance(error, SubmissionUnknown)
    assert error.fingerprint == ""


async def test_a_session_that_was_left_says_how_to_go_on() -> None:
    """A generation that runs continues at the provider, and the error has the call that follows it."""
    error = outcomes.closed(known())
    assert isinstance(error, SessionClosed)
    assert str(error) == (
        "The session was closed while generation p1 (job j1) was running at luma-eu, where it continues. "
        "session.attach('luma-eu', 'p1') follows it again."
    )
    assert (error.job_id, error.provider_id) == ("j1", "p1")


async def test_a_session_that_was_left_before_anything_was_sent() -> None:
    """A waiting job was not charged, and the error says so."""
    error = outcomes.closed(known(provider_id=None, state=State.PENDING))
    assert str(error) == (
        "The session was closed before job j1 was sent to luma-eu; nothing was charged. Submit it again."
    )


async def test_a_session_that_was_left_while_a_create_was_on_its_way() -> None:
    """Of a create that was sent nobody says that nothing was charged, or that it should be submitted again."""
    error = outcomes.closed(known(provider_id=None, state=State.SUBMITTING))
    assert "nothing was charged" not in str(error)
    assert "Submit it again" not in str(error)


SOON = NOON + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("generation", "holds"),
    [
        (known(), False),
        (known(state=State.FAILED), True),
        (known(state=State.CANCELLED), True),
        (known(state=State.COMPLETED, outputs=(IMAGE,)), True),
        (known(state=State.COMPLETED, outputs=(attrs.evolve(IMAGE, expires_at=SOON),)), True),
        (known(state=State.COMPLETED, outputs=(IMAGE, attrs.evolve(IMAGE, expires_at=NOON))), False),
    ],
)
def test_what_the_ledger_knows_of_an_end_holds_while_its_urls_live(generation: Generation, holds: bool) -> None:
    """A state that is over stays; a url that dies soon is asked for again."""
    assert snapshots.still_holds(generation, NOON) is holds


def test_warnings_are_kept_and_said_once() -> None:
    """What was odd about it before, and what its last answer adds."""
    after = snapshots.advanced(known(warnings=("a", "b")), read(warnings=("b", "c")), State.COMPLETED, NOON)
    assert after.warnings == ("a", "b", "c")


UNSENT: dict[str, Any] = {"provider_id": None, "state": State.PENDING}
IN_FLIGHT: dict[str, Any] = {"provider_id": None, "state": State.SUBMITTING}


@pytest.mark.parametrize(
    ("changes", "kept", "action", "again"),
    [
        ({}, False, Action.WAIT, False),
        ({}, True, Action.WAIT, False),
        (UNSENT, False, Action.RETRY, True),
        (UNSENT, True, Action.WAIT, False),
        (IN_FLIGHT, False, Action.GIVE_UP, False),
    ],
    ids=["runs", "runs, kept", "unsent", "unsent, kept", "in flight"],
)
async def test_what_goes_on_is_not_to_be_paid_for_again(
    changes: dict[str, Any], kept: bool, action: Action, again: bool
) -> None:
    """Only a job that nobody will send any more may be submitted again."""
    error = outcomes.closed(known(**changes), kept=kept)
    assert (error.action, error.retryable) == (action, again)
    assert ("Submit it again" in str(error)) is again


async def test_what_was_not_kept_may_be_submitted_again() -> None:
    """A job whose request is nowhere was not sent, and costs nothing."""
    error = outcomes.not_kept(known(**UNSENT))
    assert (error.action, error.retryable) == (Action.RETRY, True)


def test_what_a_new_key_is_not_shown_may_run_on() -> None:
    """The error keeps what the vendor said, and says who can follow it."""
    error = outcomes.not_shown(
        APIError("no", status=404, details="unknown generation", request_id="req-1"), "Luma", "gen-1"
    )
    assert isinstance(error, NotFound)
    assert (error.provider_id, error.status, error.request_id) == ("gen-1", 404, "req-1")
    assert "created with a previous key" in error.message
    assert "a connection with the key that created it follows it" in error.message


def test_bytes_that_the_vendor_sent_say_what_they_are() -> None:
    """Whatever it calls them: nobody else looks at them before they are saved."""
    sent = Output(kind="image", data=png(), media_type="image/jpeg", width=1, height=1)
    found = snapshots.looked_up(LUMA, Snapshot(provider_id="g", state=State.COMPLETED, outputs=(sent,)), at=NOON)
    assert [(out.media_type, out.width, out.height) for out in found.outputs] == [("image/png", 8, 8)]
