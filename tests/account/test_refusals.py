"""`aiogen._account.account`: what a refusal and its `Retry-After` hold back, and for whom it is reported."""

from __future__ import annotations

import math

import pytest
from account.scenes import Scene, luma, too_many

from aiogen._account.actions import Hold, Refusal
from aiogen.errors import AiogenError, AuthenticationError, NetworkError, NotFound, ProviderError, Throttle
from aiogen.stores.base import RequestKind


def overloaded(retry_after: float | None = None) -> ProviderError:
    """A 503."""
    return ProviderError("too busy", status=503, retry_after=retry_after)


def creating(*names: str) -> Scene:
    """The creates of these are on their way since moment 0."""
    scene = Scene(luma())
    scene.submit(*names)
    assert scene.created(0.0) == list(names)
    return scene


def asking(*names: str) -> Scene:
    """Questions about these are on their way since moment 0."""
    scene = Scene(luma())
    for name in names:
        scene.attach(name, 0.0)
    assert scene.at(0.0) == [f"ask {name}" for name in names]
    return scene


# --- creates


@pytest.mark.parametrize(("retry_after", "pause"), [(7.0, 7.0), (None, 5.0), (500.0, 500.0)])
def test_too_many_creates_hold_creates_alone(retry_after: float | None, pause: float) -> None:
    """`Retry-After` is obeyed to the full; without one it is five seconds.  Single calls go on."""
    scene = creating("a", "b")
    refusal = scene.refuse("a", 1.0, too_many(Throttle.CREATES, retry_after))
    assert refusal == Refusal(concerns_all=True, hold=Hold(Throttle.CREATES, 429, pause))
    scene.call(2.0, "x")
    assert scene.at(2.0) == ["turn x"]
    assert scene.moment == 1.0 + pause
    assert scene.at(1.0 + pause) == ["create a"]


@pytest.mark.parametrize(("retry_after", "pause"), [(7.0, 7.0), (None, 5.0)])
def test_too_many_requests_hold_everything(retry_after: float | None, pause: float) -> None:
    """The account's own limit concerns requests of any kind."""
    scene = creating("a", "b")
    refusal = scene.refuse("a", 1.0, too_many(Throttle.ACCOUNT, retry_after))
    assert refusal == Refusal(concerns_all=True, hold=Hold(Throttle.ACCOUNT, 429, pause))
    scene.call(2.0, "x")
    assert scene.at(2.0) == []
    assert scene.moment == 1.0 + pause
    assert scene.at(1.0 + pause) == ["create a", "turn x"]


@pytest.mark.parametrize("retry_after", [7.0, None])
def test_a_full_account_waits_for_the_end_of_one_of_our_own(retry_after: float | None) -> None:
    """However long that takes, and whatever `Retry-After` says: one of ours has to end first."""
    scene = creating("a", "b")
    scene.accept("a", 1.0)
    refusal = scene.refuse("b", 2.0, too_many(Throttle.CONCURRENCY, retry_after))
    assert refusal == Refusal(concerns_all=True, hold=Hold(Throttle.CONCURRENCY, 429, None))
    for now in (2.0, 20.0, 200.0, 2000.0):
        assert scene.created(now) == []
    scene.end("a", 2001.0)
    assert scene.created(2001.0) == ["b"]


@pytest.mark.parametrize(("retry_after", "pause"), [(7.0, 7.0), (None, 5.0), (0.0, 1.0)])
def test_with_nothing_of_ours_running_a_full_account_is_tried_again_after_a_while(
    retry_after: float | None, pause: float
) -> None:
    """Others fill it, and nobody will say when they end."""
    scene = creating("a")
    scene.refuse("a", 2.0, too_many(Throttle.CONCURRENCY, retry_after))
    assert scene.at(2.0) == []
    assert scene.moment == 2.0 + pause
    assert scene.at(2.0 + pause) == ["create a"]


def test_without_retry_after_each_refusal_holds_twice_as_long() -> None:
    """Until a create is accepted."""
    scene = creating("a")
    now = 0.0
    for pause in (5.0, 10.0, 20.0):
        hold = scene.refuse("a", now + 1.0, too_many(Throttle.CREATES)).hold
        assert hold == Hold(Throttle.CREATES, 429, pause)
        assert scene.at(now + 1.0) == []
        now = scene.moment
        assert scene.at(now) == ["create a"]
    scene.accept_only("a", now)
    scene.submit("b")
    assert scene.created(now + 60.0) == ["b"]
    hold = scene.refuse("b", now + 61.0, too_many(Throttle.CREATES)).hold
    assert hold == Hold(Throttle.CREATES, 429, 5.0)


# --- reads


@pytest.mark.parametrize("throttle", list(Throttle))
def test_a_refused_question_holds_everything_whatever_limit_the_vendor_names(throttle: Throttle) -> None:
    """A read is no create, and takes no place."""
    scene = asking("x")
    scene.submit("a")
    refusal = scene.read_refused("x", 1.0, too_many(throttle, 7.0))
    assert refusal == Refusal(concerns_all=True, hold=Hold(Throttle.ACCOUNT, 429, 7.0))
    assert scene.at(1.5) == []
    assert scene.moment == 8.0
    assert scene.at(8.0) == ["create a", "ask x"]


def test_an_overloaded_provider_is_left_alone_for_as_long_as_it_asks() -> None:
    """503 on a read says nothing of the generation."""
    scene = asking("x")
    scene.submit("a")
    refusal = scene.read_refused("x", 1.0, overloaded(7.0))
    assert refusal == Refusal(concerns_all=True, hold=Hold(None, 503, 7.0))
    assert scene.at(1.5) == []
    assert scene.moment == 8.0
    assert scene.at(8.0) == ["create a", "ask x"]


def test_an_overloaded_provider_that_asks_for_nothing_gets_half_as_many_requests() -> None:
    """Nothing is held, so there is nothing to report."""
    scene = asking("x")
    before = scene.account.window.requests_per_second
    assert scene.read_refused("x", 1.0, overloaded()) == Refusal(concerns_all=True)
    assert scene.account.window.requests_per_second == before / 2.0
    scene.submit("a")
    assert "create a" in scene.at(2.0)


def test_each_answer_lets_a_slowed_account_ask_a_little_faster() -> None:
    """A two-hundredth of its full rate: from half of it, after a hundred answers it is as fast as before."""
    scene = asking("x")
    before = scene.account.window.requests_per_second
    scene.read_refused("x", 1.0, overloaded())
    for _ in range(50):
        scene.account.served()
    assert scene.account.window.requests_per_second == pytest.approx(0.75 * before)
    for _ in range(51):
        scene.account.served()
    assert scene.account.window.requests_per_second == before


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("broken", status=500, retry_after=7.0),
        NotFound("what?", status=404, retry_after=7.0),
        AuthenticationError("no", status=401, retry_after=7.0),
        NetworkError("lost", retry_after=7.0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_of_a_read_hold_nothing(error: AiogenError) -> None:
    """They are about this generation, or this answer."""
    scene = asking("x")
    assert scene.read_refused("x", 1.0, error) == Refusal()
    scene.submit("a")
    assert scene.at(2.0) == ["create a", "ask x"]


def test_a_503_on_a_create_is_not_the_accounts() -> None:
    """What that means for the job is decided elsewhere; it may have been carried out."""
    scene = creating("a")
    refusal = scene.account.refused(overloaded(7.0), RequestKind.CREATES, 1.0, sent_at=0.0)
    assert refusal == Refusal()
    scene.call(1.0, "x")
    assert scene.at(1.0) == ["turn x"]


# --- reported once


@pytest.mark.parametrize("throttle", [Throttle.CREATES, Throttle.ACCOUNT])
def test_a_hold_is_reported_once_and_again_only_after_it_has_passed(throttle: Throttle) -> None:
    """That it is held for longer is not worth another line; that it is held again is."""
    scene = creating("a", "b", "c")
    assert scene.refuse("a", 1.0, too_many(throttle, 7.0)).hold == Hold(throttle, 429, 7.0)
    assert scene.refuse("b", 3.0, too_many(throttle, 7.0)) == Refusal(concerns_all=True)
    assert scene.at(9.9) == []
    assert scene.moment == 10.0
    assert scene.refuse("c", 10.0, too_many(throttle, 7.0)).hold == Hold(throttle, 429, 7.0)


def test_a_retry_after_of_nothing_is_no_hold() -> None:
    """The account is slower from now on, but waits for nothing."""
    scene = creating("a")
    assert scene.refuse("a", 1.0, too_many(Throttle.ACCOUNT, 0.0)) == Refusal(concerns_all=True)


def test_each_limit_is_reported_for_itself() -> None:
    """Creates may be held longer than everything is."""
    scene = creating("a", "b")
    assert scene.refuse("a", 1.0, too_many(Throttle.ACCOUNT, 7.0)).hold == Hold(Throttle.ACCOUNT, 429, 7.0)
    assert scene.refuse("b", 1.0, too_many(Throttle.CREATES, 9.0)).hold == Hold(Throttle.CREATES, 429, 9.0)


def test_an_overload_while_everything_is_held_is_not_reported() -> None:
    """It holds no longer than what was reported, or only for longer."""
    scene = asking("x", "y")
    assert scene.read_refused("x", 1.0, too_many(retry_after=7.0)).hold is not None
    assert scene.read_refused("y", 1.5, overloaded(20.0)) == Refusal(concerns_all=True)


def test_a_full_account_is_reported_once_and_again_when_it_was_tried_again() -> None:
    """Two creates that found it full together are one line."""
    scene = creating("z", "a", "b")
    scene.accept("z", 0.5)
    full = too_many(Throttle.CONCURRENCY)
    assert scene.refuse("a", 1.0, full).hold == Hold(Throttle.CONCURRENCY, 429, None)
    assert scene.refuse("b", 1.0, full) == Refusal(concerns_all=True)
    scene.end("z", 5.0)
    assert scene.created(5.0) == ["a"]
    assert scene.refuse("a", 6.0, full).hold == Hold(Throttle.CONCURRENCY, 429, None)


# --- announced to other processes


@pytest.mark.parametrize(("throttle", "kind"), [(Throttle.CREATES, "creates"), (Throttle.ACCOUNT, "requests")])
def test_a_hold_is_announced_once_and_only_when_the_account_is_shared(throttle: Throttle, kind: str) -> None:
    """Every process on the ledger holds back; with nobody there, nothing is written."""
    scene = creating("a")
    scene.refuse("a", 1.0, too_many(throttle, 7.0))
    assert scene.at(1.0, shares=False) == []
    assert scene.at(2.0, shares=True) == [f"announce {kind} 6"]
    assert scene.at(2.0, shares=True) == []
    assert scene.at(7.9, shares=True) == []
    assert scene.at(8.0, shares=True) == ["create a"]


def test_a_longer_hold_is_announced_again() -> None:
    """Others would come back too soon."""
    scene = creating("a", "b")
    scene.refuse("a", 1.0, too_many(Throttle.CREATES, 7.0))
    assert scene.at(1.0, shares=True) == ["announce creates 7"]
    scene.refuse("b", 2.0, too_many(Throttle.CREATES, 60.0))
    assert scene.at(3.0, shares=True) == ["announce creates 59"]
    assert scene.moment == 62.0


def test_both_holds_are_announced() -> None:
    """Of creates, and of requests of any kind."""
    scene = creating("a", "b")
    scene.refuse("a", 1.0, too_many(Throttle.ACCOUNT, 7.0))
    scene.refuse("b", 1.0, too_many(Throttle.CREATES, 9.0))
    assert scene.at(1.0, shares=True) == ["announce creates 9", "announce requests 7"]


def test_a_full_account_is_not_announced() -> None:
    """No moment is known at which it is not full any more."""
    scene = creating("a")
    scene.refuse("a", 1.0, too_many(Throttle.CONCURRENCY))
    assert scene.at(1.0, shares=True) == []
    assert scene.moment < math.inf
