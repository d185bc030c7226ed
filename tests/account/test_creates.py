"""`aiogen._account.account`: which create is sent when, and what its answer means for the next."""

from __future__ import annotations

import math

import pytest
from account.scenes import Scene, highest, leonardo, luma, too_many

import aiogen
from aiogen.errors import NetworkError, ProviderError, Throttle
from aiogen.exchange import Quota
from aiogen.stores.base import Headroom

ALL = [f"j{i}" for i in range(40)]


# --- in which order


def test_creates_go_first_come_first_served_within_the_window() -> None:
    """Three a minute: the fourth waits until a minute after the answer to the first, not after its request."""
    scene = Scene(luma(creates_per_minute=3))
    scene.submit("a", "b", "c", "d", "e")
    assert scene.at(100.0) == ["create a", "create b", "create c"]
    assert scene.moment == math.inf  # all of the window is in flight: the answers will say
    for name in ("c", "a", "b"):
        scene.accept_only(name, 101.0)
    assert scene.at(101.0) == []
    assert scene.moment == 161.0
    assert scene.at(160.9) == []
    assert scene.at(161.0) == ["create d", "create e"]
    assert scene.moment == math.inf


def test_an_account_at_rest_waits_for_nothing() -> None:
    """There is no moment at which to look."""
    scene = Scene(luma())
    assert scene.at(5.0) == []
    assert scene.moment == math.inf


def test_a_requeued_job_keeps_its_place() -> None:
    """It came first, so it is sent first, before those that came while it was on its way."""
    scene = Scene(luma(), max_in_flight=3)
    scene.submit("a", "b")
    assert scene.at(0.0) == ["create a"]
    scene.submit("c")
    scene.refuse("a", 0.5, too_many(Throttle.CREATES, retry_after=1.0))
    assert [scene.created(now) for now in (1.0, 1.5)] == [[], []]
    assert scene.created(10.0) == ["a"]
    scene.accept_only("a", 10.5)
    assert scene.created(20.0) == ["b"]
    scene.accept_only("b", 20.5)
    assert scene.created(30.0) == ["c"]


def test_who_ended_while_waiting_is_not_sent_and_costs_nothing() -> None:
    """A withdrawn job takes no place from the others."""
    scene = Scene(luma(creates_per_minute=3))
    scene.submit("a", "b", "c", "d", "e")
    scene.jobs["a"].done = scene.jobs["c"].done = True
    assert scene.at(0.0) == ["create b", "create d", "create e"]


def test_when_all_that_waited_have_ended_nothing_is_left_to_do() -> None:
    """Not even a moment."""
    scene = Scene(luma())
    scene.submit("a", "b")
    scene.jobs["a"].done = scene.jobs["b"].done = True
    assert scene.at(0.0) == []
    assert scene.moment == math.inf
    assert len(scene.account.queue) == 0


def test_while_the_session_is_being_closed_no_create_is_sent() -> None:
    """What runs is still asked about."""
    scene = Scene(luma())
    scene.submit("a")
    scene.attach("x", 0.0)
    assert scene.at(0.0, creates=False) == ["ask x"]
    assert scene.moment == math.inf
    assert scene.at(1.0) == ["create a"]


# --- places


@pytest.mark.parametrize(("max_in_flight", "places"), [(1, 1), (2, 1), (3, 1), (9, 3), (30, 10)])
def test_creates_take_a_third_of_the_places(max_in_flight: int, places: int) -> None:
    """The others stay free for questions; each answer makes room for one more."""
    scene = Scene(luma(max_active=100, requests_per_minute=600), max_in_flight=max_in_flight)
    scene.submit(*ALL[: places + 2])
    assert len(scene.at(0.0)) == places
    assert scene.moment == math.inf
    scene.accept_only("j0", 0.5)
    assert scene.at(0.5) == [f"create j{places}"]


def test_creates_wait_while_questions_take_every_place() -> None:
    """The next answer makes room; no moment can say when that is."""
    scene = Scene(luma(), max_in_flight=3)
    for name in "xyz":
        scene.attach(name, 0.0)
    assert scene.at(0.0) == ["ask x", "ask y", "ask z"]
    scene.submit("a")
    assert scene.at(0.5) == []
    assert scene.moment == math.inf
    scene.runs("y", 0.6)
    assert scene.at(0.6) == ["create a"]


def test_a_place_at_the_vendor_is_free_when_a_generation_ends() -> None:
    """Two run at once here: the third waits for the end of one of them, which no moment foretells."""
    scene = Scene(luma(max_active=2))
    scene.submit("a", "b", "c")
    assert scene.at(0.0) == ["create a", "create b"]
    scene.accept("a", 0.5)
    scene.accept("b", 0.5)
    assert scene.created(500.0) == []
    scene.end("a", 501.0)
    assert scene.created(501.0) == ["c"]


def test_a_heavy_create_waits_until_it_fits() -> None:
    """It weighs three of the four units; a light one behind it does not overtake it."""
    scene = Scene(luma(creates_per_minute=4))
    scene.submit("a", "b", "c")
    heavy = scene.provider.prepare("uni-1-max", "a boat", {"type": "image_edit", "source": "https://example.com/b.png"})
    scene.jobs["b"].submission = scene.provider.encode(heavy)
    scene.jobs["c"].submission = scene.provider.encode(heavy)
    scene.submit("d")
    assert scene.at(0.0) == ["create a", "create b"]
    assert [scene.creates[name].weight for name in "ab"] == [1, 3]
    for name in "ab":
        scene.accept_only(name, 1.0)
    assert scene.at(61.0) == ["create c", "create d"]


def test_a_create_that_is_not_sent_after_all_gives_back_what_it_took() -> None:
    """The ledger said no in the last moment: the window, the budget of requests and the place are as before."""
    scene = Scene(luma(creates_per_minute=2, requests_per_minute=3000))  # of which two may go at once
    scene.submit("a", "b")
    before = scene.account.window.figures(0.0)
    assert scene.at(0.0) == ["create a", "create b"]
    scene.withhold("b")
    scene.withhold("a")
    assert scene.account.window.figures(0.0) == before
    assert scene.at(0.0) == ["create a", "create b"]


# --- what is learned from an answer


@pytest.mark.parametrize(
    ("own", "told", "allowed"),
    [(None, 60, 60), (None, 10, 10), (20, 60, 20), (20, 10, 10), (30, 60, 30), (None, None, 30)],
)
def test_a_limit_left_at_its_default_may_grow_but_an_own_one_does_not(
    own: int | None, told: int | None, allowed: int
) -> None:
    """Luma reports the limit in its headers.  Thirty a minute is a guess; who set twenty means twenty,
    and who set thirty means thirty."""
    scene = Scene(luma() if own is None else luma(creates_per_minute=own))
    scene.submit("a")
    scene.at(0.0)
    scene.accept_only("a", 1.0, quota=Quota(limit=told))
    assert scene.account.window.figures(1.0)["creates_per_minute"] == allowed


@pytest.mark.parametrize(("alone", "weight"), [(True, 3), (False, 1)])
def test_what_a_create_weighs_is_learned_from_what_it_left(alone: bool, weight: int) -> None:
    """Each leaves three units less: it weighs three, if no other create was under way that took them."""
    scene = Scene(luma())
    for name, now, left in (("a", 0.0, 27), ("b", 10.0, 24), ("c", 20.0, 21)):
        scene.submit(name)
        scene.at(now)
        assert scene.creates[name].weight == 1
        scene.accept_only(name, now + 1.0, quota=Quota(remaining=left), alone=alone)
    scene.submit("d")
    scene.at(30.0)
    assert scene.creates["d"].weight == weight


def test_a_create_says_whether_it_began_alone() -> None:
    """Only then what it leaves of the window can say what it weighs."""
    scene = Scene(luma(), max_in_flight=9)
    scene.submit("a", "b")
    scene.at(0.0)
    assert [scene.creates[name].was_alone for name in "ab"] == [True, False]
    scene.accept_only("a", 1.0)
    scene.submit("c")
    scene.at(1.0)
    assert not scene.creates["c"].was_alone
    for name in "bc":
        scene.accept_only(name, 2.0)
    scene.submit("d")
    scene.at(2.0)
    assert scene.creates["d"].was_alone


def test_an_answer_shows_that_the_key_is_accepted() -> None:
    """An error about the key is then not believed at once."""
    created, read = Scene(luma()), Scene(luma())
    created.submit("a")
    created.at(0.0)
    assert not created.account.key_accepted
    created.accept_only("a", 1.0)
    read.attach("x", 0.0)
    read.at(0.0)
    read.runs("x", 0.5)
    assert created.account.key_accepted
    assert read.account.key_accepted


# --- nobody is there


def test_creates_that_find_nobody_are_sent_again_ever_later_and_given_up_after_the_timeout() -> None:
    """Each pause doubles up to ten seconds; then the outage has lasted for its thirty."""
    scene = Scene(luma(), draw=highest)
    scene.submit("a")
    now, pauses = 0.0, []
    assert scene.at(now) == ["create a"]
    while not scene.find_nobody("a", now, timeout=30.0):
        assert scene.at(now) == []
        pauses.append(scene.moment - now)
        now = scene.moment
        assert scene.at(now) == ["create a"]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert now == 35.0


def test_creates_that_failed_together_count_once() -> None:
    """Three that were under way at once are one failure: the pause after the next is the second, not the fourth."""
    scene = Scene(luma(), draw=highest)
    scene.submit("a", "b", "c")
    assert scene.at(0.0) == ["create a", "create b", "create c"]
    for name, now in (("c", 1.0), ("a", 1.0), ("b", 1.0)):
        scene.find_nobody(name, now)
    assert scene.at(1.0) == []
    assert scene.moment == 2.0
    assert scene.at(2.0) == ["create a", "create b", "create c"]
    scene.find_nobody("a", 2.5)
    scene.find_nobody("b", 2.6)
    scene.at(2.6)
    assert scene.moment == 4.6


def test_those_under_way_together_are_given_up_together_and_the_next_begins_another_outage() -> None:
    """A create that was sent before is refused like the first; one sent later is tried again."""
    scene = Scene(luma(), draw=highest)
    scene.submit("a", "b")
    scene.at(0.0)
    assert not scene.find_nobody("a", 0.0, timeout=1.0)
    assert scene.at(1.0) == ["create a"]
    assert scene.find_nobody("a", 1.0, timeout=1.0)
    assert scene.find_nobody("b", 1.5, timeout=1.0)
    scene.submit("c")
    assert scene.created(5.0) == ["c"]
    assert not scene.find_nobody("c", 5.0, timeout=1.0)


def test_an_accepted_create_ends_the_outage() -> None:
    """The pauses begin at a second again, and so does the time after which creates are given up."""
    scene = Scene(luma(), draw=highest)
    scene.submit("a")
    for now in (0.0, 1.0, 3.0):
        assert scene.at(now) == ["create a"]
        scene.find_nobody("a", now, timeout=10.0)
    assert scene.at(7.0) == ["create a"]
    assert scene.account.outage.is_unreachable
    scene.accept_only("a", 7.5)
    assert not scene.account.outage.is_unreachable
    scene.submit("b")
    assert scene.at(20.0) == ["create b"]
    assert not scene.find_nobody("b", 20.0, timeout=10.0)
    scene.at(20.0)
    assert scene.moment == 21.0


def test_who_is_unreachable_and_says_until_when_is_obeyed() -> None:
    """A gateway that answers in the provider's place may say how long."""
    scene = Scene(luma(), draw=highest)
    scene.submit("a")
    scene.at(0.0)
    scene.find_nobody("a", 0.0, error=NetworkError("nobody", sent=False, retry_after=40.0))
    scene.at(0.0)
    assert scene.moment == 40.0


# --- not queued, by the vendor's own word


@pytest.mark.parametrize(
    ("times", "retry_after", "pause"),
    [(1, None, 1.0), (2, None, 4.0), (1, 30.0, 30.0), (1, 0.5, 1.0), (2, 4.5, 4.5)],
)
def test_what_was_not_queued_is_sent_again_after_a_pause(times: int, retry_after: float | None, pause: float) -> None:
    """Four times as long after the second; and never before `Retry-After`."""
    scene = Scene(luma())
    scene.submit("a", "b")
    assert scene.at(0.0) == ["create a", "create b"]
    scene.not_taken("b", 10.0, times, ProviderError("not queued", status=503, retry_after=retry_after))
    assert scene.at(10.0) == []
    assert scene.moment == 10.0 + pause
    assert scene.at(10.0 + pause) == ["create b"]


# --- what is left for others


def test_the_headroom_is_what_is_left_beside_this_create_and_those_before_it() -> None:
    """The ledger is told how much other processes may have used for each; those that come after it do not count."""
    scene = Scene(luma(creates_per_minute=20, max_active=5))
    scene.submit("a", "b", "c")
    scene.at(0.0)
    names = scene.account.names
    asked = [scene.account.headroom(0.0, scene.creates[name]) for name in "bac"]
    assert asked == [Headroom(creates=20 - n, active=5 - n, places=5, limit=20, accounts=names) for n in (1, 2, 3)]
    scene.accept("a", 1.0)
    scene.end("a", 2.0)
    scene.submit("d", "e")
    scene.at(2.0)
    scene.withhold("e")
    left = Headroom(creates=16, active=2, places=5, limit=20, accounts=names)
    assert scene.account.headroom(2.0, scene.creates["d"]) == left


def test_an_account_in_one_line() -> None:
    """Connections with the same key have one account; its name shows nothing of the key."""
    scene = Scene(leonardo())
    scene.submit("a", "b")
    assert repr(scene.account).endswith("2 waiting, 0 being submitted, 0 running>")
    scene.at(0.0)
    scene.accept("a", 1.0)
    assert repr(scene.account).endswith("0 waiting, 1 being submitted, 1 running>")
    assert scene.account.key == aiogen.Leonardo(api_key="k" * 20, name="other").account
    assert "k" * 20 not in repr(scene.account)
