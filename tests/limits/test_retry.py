"""`aiogen._limits.retry`: again, or not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._limits.retry import (
    TAKES,
    Verdict,
    delay,
    is_missing,
    judge_create,
    missing_pause,
    resend_pause,
    retry_pause,
    waits,
    worth_repeating,
)
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    ConfigurationError,
    DownloadError,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    NetworkError,
    NotFound,
    ProtocolError,
    ProviderError,
    RateLimited,
    StoreError,
    Throttle,
    Unsupported,
)

quick = settings(deadline=None, derandomize=True)

RESEND = frozenset({502, 503})


def highest(low: float, high: float) -> float:
    return high


def lowest(low: float, high: float) -> float:
    return low


OUTCOMES = [
    (RateLimited("slow", status=429), Verdict.THROTTLED),
    (RateLimited("slow", status=200, throttle=Throttle.CONCURRENCY), Verdict.THROTTLED),
    (NetworkError("refused", sent=False), Verdict.UNREACHABLE),
    (NetworkError("lost", sent=True), Verdict.UNKNOWN),
    (NetworkError("lost"), Verdict.UNKNOWN),
    (ProviderError("down", status=502), Verdict.NOT_TAKEN),
    (ProviderError("down", status=503), Verdict.NOT_TAKEN),
    (ProviderError("a page", status=502, from_api=False), Verdict.UNKNOWN),
    (ProviderError("a page", status=503, from_api=False), Verdict.UNKNOWN),
    (ProviderError("a page", status=408, from_api=False), Verdict.UNKNOWN),
    (ProviderError("a login page", status=401, from_api=False), Verdict.REFUSED),
    (InvalidRequest("a page", status=413, from_api=False), Verdict.REFUSED),
    (RateLimited("a page", status=429, from_api=False), Verdict.THROTTLED),
    (ProviderError("broken", status=500), Verdict.UNKNOWN),
    (ProviderError("late", status=504), Verdict.UNKNOWN),
    (ProviderError("late", status=408), Verdict.UNKNOWN),
    (ProviderError("odd", status=599), Verdict.UNKNOWN),
    (ProviderError("edge", status=403), Verdict.REFUSED),
    (ProviderError("an error inside a success", status=200), Verdict.UNKNOWN),
    (InvalidRequest("no", status=400), Verdict.REFUSED),
    (AuthenticationError("no", status=401), Verdict.REFUSED),
    (InsufficientFunds("no", status=402), Verdict.REFUSED),
    (NotFound("no", status=404), Verdict.REFUSED),
    (APIError("no", status=418), Verdict.REFUSED),
    (InputError("no"), Verdict.REFUSED),
    (ConfigurationError("no"), Verdict.REFUSED),
    (Unsupported("no"), Verdict.REFUSED),
    (ProtocolError("what?", status=201), Verdict.UNKNOWN),
    (StoreError("disk"), Verdict.UNKNOWN),
    (AiogenError("anything"), Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("error", "verdict"), OUTCOMES, ids=lambda v: f"{type(v).__name__}-{getattr(v, 'status', '')}")
def test_what_became_of_a_create(error: AiogenError, verdict: Verdict) -> None:
    """Only what surely was not carried out may be sent again; what nobody knows is never sent again."""
    assert judge_create(error, RESEND) is verdict


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_without_the_vendors_word_a_5xx_is_unknown(status: int) -> None:
    """A 5xx is sent again only where the vendor documents that nothing was carried out."""
    assert judge_create(ProviderError("down", status=status), frozenset()) is Verdict.UNKNOWN


# --- how long to wait


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (31, 30.0), (10_000, 30.0)]
)
def test_each_failure_may_wait_twice_as_long(attempt: int, longest: float) -> None:
    """The longest wait doubles with each failure, up to the cap, however many there were."""
    assert delay(attempt, draw=highest) == longest


def test_base_and_cap_are_the_callers() -> None:
    """The first wait and the longest are arguments."""
    assert [delay(n, base=1.0, cap=3.0, draw=highest) for n in (1, 2, 3)] == [1.0, 2.0, 3.0]


@given(attempt=st.integers(1, 100), chance=st.floats(0.0, 1.0))
@quick
def test_chance_decides_within_the_bounds(attempt: int, chance: float) -> None:
    """The whole range from nothing to the longest wait is drawn from."""
    wait = delay(attempt, draw=lambda low, high: low + chance * (high - low))
    assert wait == chance * delay(attempt, draw=highest)
    assert delay(attempt, draw=lowest) == 0.0


def test_waits_grow_with_each_failure() -> None:
    """As `backoff` drives it: an empty first step, then one wait per failure."""
    steps = waits(draw=highest)
    assert next(steps) == 0.0
    assert [steps.send(NetworkError("lost")) for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_waits_have_their_own_bounds() -> None:
    """Base and cap reach the waits."""
    steps = waits(base=1.0, cap=2.0, draw=highest)
    next(steps)
    assert [steps.send(None) for _ in range(3)] == [1.0, 2.0, 2.0]


@given(
    errors=st.lists(st.none() | st.floats(0.0, 600.0).map(lambda s: RateLimited("slow", retry_after=s)), max_size=8),
    chance=st.floats(0.0, 1.0),
)
@quick
def test_retry_after_is_never_undercut(errors: list[Exception | None], chance: float) -> None:
    """Whatever chance says, the wait is at least what the vendor asked for."""
    steps = waits(draw=lambda low, high: low + chance * (high - low))
    next(steps)
    for error in errors:
        assert steps.send(error) >= (getattr(error, "retry_after", None) or 0.0)


# --- reads


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RateLimited("slow"), True),
        (ProviderError("down", status=500), True),
        (ProtocolError("what?"), True),
        (NetworkError("lost"), True),
        (InvalidRequest("no"), False),
        (AuthenticationError("no"), False),
        (InsufficientFunds("no"), False),
        (NotFound("no"), False),
        (InputError("no"), False),
        (DownloadError("no"), False),
        (TimeoutError("not ours"), False),
        (KeyError("a bug"), False),
    ],
    ids=lambda v: type(v).__name__,
)
def test_which_reads_are_worth_repeating(error: Exception, again: bool) -> None:
    """A read is repeated when the vendor or the network failed, and never when the answer would be the same."""
    assert worth_repeating(error, 60.0) is again


@pytest.mark.parametrize(("asked", "again"), [(None, True), (0.0, True), (9.9, True), (10.0, True), (10.1, False)])
def test_patience_has_an_end(asked: float | None, again: bool) -> None:
    """A read is not repeated if the vendor asks to wait longer than the caller is willing to."""
    assert worth_repeating(RateLimited("slow", retry_after=asked), 10.0) is again


def test_who_has_no_patience_may_still_repeat() -> None:
    """Where the vendor asks for no wait, none is too long."""
    assert worth_repeating(NetworkError("lost"), 0.0)


def test_a_job_is_sent_so_often_on_the_vendors_word() -> None:
    """Then it is refused: what the vendor cannot take it cannot take the next time either."""
    error = ProviderError("down", status=503)
    verdicts = [judge_create(error, RESEND, not_taken=count) for count in range(TAKES + 1)]
    assert verdicts == [Verdict.NOT_TAKEN, Verdict.NOT_TAKEN, Verdict.REFUSED, Verdict.REFUSED]
    assert TAKES == 3


@pytest.mark.parametrize(("count", "low", "high"), [(1, 1.0, 2.0), (2, 4.0, 8.0)])
def test_tries_are_spread(count: int, low: float, high: float) -> None:
    """Longer each time, and apart from each other."""
    assert (resend_pause(count, draw=lowest), resend_pause(count, draw=highest)) == (low, high)


@pytest.mark.parametrize(
    ("answers", "since", "sent_at", "is_so"),
    [
        (1, 5.0, 99.0, False),
        (2, 5.0, 99.0, False),
        (3, 5.0, 14.9, False),
        (3, 5.0, 15.0, True),
        (9, 5.0, 14.9, False),
    ],
)
def test_not_found_has_to_hold(answers: int, since: float, sent_at: float, is_so: bool) -> None:
    """Several answers in a row, and for some time."""
    assert is_missing(answers, since, sent_at, 10.0) is is_so


def test_who_looks_for_what_is_missing_looks_ever_more_rarely() -> None:
    """Soon at first, for most are there a moment later; never more rarely than three times within the grace."""
    assert [missing_pause(n, 0.5, 9.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert missing_pause(1, 2.0, 3.0) == 2.0
    assert missing_pause(10_000, 0.5, 9.0) == 3.0


@pytest.mark.parametrize(
    ("error", "not_taken", "verdict"),
    [
        (RateLimited("slow down"), 0, Verdict.THROTTLED),
        (NetworkError("nobody", sent=False), 0, Verdict.UNREACHABLE),
        (NetworkError("cut", sent=True), 0, Verdict.NOT_TAKEN),
        (NetworkError("cut", sent=True), TAKES - 1, Verdict.REFUSED),
        (ProviderError("down", status=500), 0, Verdict.NOT_TAKEN),
        (InvalidRequest("too large", status=413), 0, Verdict.REFUSED),
    ],
)
def test_before_the_create_was_sent_nothing_was_carried_out(
    error: AiogenError, not_taken: int, verdict: Verdict
) -> None:
    """Whatever became of an upload for it: again where that may help, a few times; never unknown."""
    assert judge_create(error, RESEND, not_taken=not_taken, posted=False) is verdict


def test_after_the_create_was_accepted_it_is_there() -> None:
    """Whatever went wrong then: never again, and never refused."""
    for error in (RateLimited("slow down"), NetworkError("nobody", sent=False), InvalidRequest("x", status=400)):
        assert judge_create(error, RESEND, went_on=True) is Verdict.UNKNOWN


def test_pauses_between_attempts_grow() -> None:
    """To a minute at most, and never nothing."""
    pauses = [retry_pause(attempt, draw=lambda low, high: high) for attempt in range(1, 7)]
    assert pauses == [2.0, 6.0, 18.0, 54.0, 60.0, 60.0]
    assert retry_pause(1, draw=lambda low, high: low) == 1.0
