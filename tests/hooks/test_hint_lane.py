"""Hints on their way to the session: how many, how fast, and what becomes of those that nobody follows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiogen._account.early import EarlyHints
from aiogen._account.hint_lane import AGAIN_AFTER, Key, Lane

pytestmark = pytest.mark.looptime(False)


def keys(count: int) -> list[Key]:
    return [("leonardo", str(i), True) for i in range(count)]


def run(lane: Lane, *, until: float, follows: bool) -> list[tuple[float, Key, int]]:
    """What is given until then, each as soon as it may be."""
    given_at, now = [], 0.0
    while (at := lane.at(now)) <= until:
        now = at
        taken = lane.take(now)
        assert taken is not None
        given_at.append((now, *taken))
        lane.followed(now) if follows else lane.unknown(taken[0], now, tries=taken[1])
    return given_at


@given(st.sampled_from([6, 60, 300, 1500, 6000]), st.integers(0, 900))
def test_hints_take_at_most_a_tenth_of_what_the_account_allows(per_minute: int, count: int) -> None:
    """In any minute; an account of a few requests a minute is allowed one at a time."""
    lane = Lane(per_minute)
    for key in keys(count):
        assert lane.put(key)
    times = [at for at, _, _ in run(lane, until=600.0, follows=True)]
    most = max(1, per_minute // 10)
    assert all(later - sooner > 60.0 - 1e-6 for sooner, later in zip(times, times[most:], strict=False))
    assert len(times) >= min(count, 9 * most // 2)


def test_in_the_order_in_which_they_came() -> None:
    lane = Lane(1500)
    for key in keys(10):
        lane.put(key)
    assert [key for _, key, _ in run(lane, until=10.0, follows=True)] == keys(10)


def test_one_id_waits_once() -> None:
    lane = Lane(1500)
    assert {lane.put(("leonardo", "a", True)) for _ in range(5000)} == {True}
    assert len(lane) == 1


def test_too_many_are_left_to_polling() -> None:
    lane = Lane(1500)
    assert [lane.put(key) for key in keys(1005)] == [True] * 1000 + [False] * 5


def test_what_nobody_follows_is_tried_again_for_as_long_as_a_create_may_take_and_then_forgotten() -> None:
    """Its create may be under way in another process: two minutes by default."""
    lane = Lane(1500)
    lane.put(("leonardo", "a", True))
    tries = run(lane, until=1000.0, follows=False)
    assert [(at, tries) for at, _, tries in tries] == [(0.0, 0), (5.0, 1), (15.0, 2), (35.0, 3), (75.0, 4), (150.0, 5)]
    assert lane.at(1000.0) == math.inf
    assert len(lane) == 0


def test_it_says_which_try_was_the_last() -> None:
    lane = Lane(1500)
    last = len(AGAIN_AFTER)
    assert [lane.unknown(("leonardo", "a", True), 0.0, tries=tries) for tries in (last - 1, last)] == [True, False]


def test_each_try_is_a_read_of_the_ledger() -> None:
    """Ten a second."""
    lane = Lane(6000)
    for key in keys(1000):
        lane.put(key)
    tries = run(lane, until=2000.0, follows=False)
    assert [number for _, _, number in tries].count(5) == 1000
    assert len(tries) == 6000
    times = [at for at, _, _ in tries]
    assert all(later - sooner > 1.0 - 1e-6 for sooner, later in zip(times, times[30:], strict=False))


def test_one_that_has_just_come_does_not_wait_for_those_that_are_tried_again() -> None:
    lane, now = Lane(6000), 0.0
    for key in keys(500):
        lane.put(key)
    run(lane, until=49.0, follows=False)
    now = lane.at(60.0)
    lane.put(("leonardo", "new", True))
    assert lane.take(now) == (("leonardo", "new", True), 0)


def test_those_that_are_tried_again_are_bounded() -> None:
    lane, now = Lane(6000), 0.0
    kept = []
    for key in keys(2100):
        now = lane.at(now) if lane.at(now) < math.inf else now
        kept.append(lane.unknown(key, now, tries=0))
    assert (kept.count(True), kept[-1]) == (2000, False)


def test_told_again_while_it_waits_for_its_next_try() -> None:
    lane = Lane(1500)
    key = ("leonardo", "a", True)
    lane.put(key)
    assert lane.take(0.0) == (key, 0)
    assert lane.unknown(key, 0.0, tries=0)
    lane.put(key)
    assert len(lane) == 1
    assert lane.take(1.0) == (key, 0)


def test_told_again_while_it_is_tried() -> None:
    """It waits already, and is not kept twice; nor has anything been lost, however often it was tried."""
    lane = Lane(1500)
    key = ("leonardo", "a", True)
    lane.put(key)
    assert lane.take(0.0) == (key, 0)
    lane.put(key)
    assert lane.unknown(key, 0.0, tries=5)
    assert len(lane) == 1


def test_its_time_has_to_come() -> None:
    lane = Lane(1500)
    assert lane.take(0.0) is None
    lane.unknown(("leonardo", "a", True), 0.0, tries=0)
    assert lane.take(1.0) is None


# --- before the create was answered


def test_an_early_one_is_given_once() -> None:
    early = EarlyHints()
    early.put("a", 0.0)
    assert not early.take("b", 1.0)
    assert early.take("a", 1.0)
    assert not early.take("a", 1.0)


def test_early_ones_do_not_last_and_are_few() -> None:
    early = EarlyHints()
    for i in range(205):
        early.put(str(i), 0.0)
    assert [early.take(str(i), 150.0) for i in (0, 4, 5)] == [False, False, True]
    assert not early.take("204", 151.0)
