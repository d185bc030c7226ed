"""Hints on their way to the session: how many, how fast, and what becomes of those that nobody follows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiogen._account.early import EarlyHints
from aiogen._account.hint_lane import Key, Lane

pytestmark = pytest.mark.looptime(False)


def keys(count: int) -> list[Key]:
    return [("leonardo", str(i), True) for i in range(count)]


def run(lane: Lane, *, until: float, follows: bool) -> list[tuple[float, Key, bool]]:
    """What is given until then, each as soon as it may be."""
    given_at, now = [], 0.0
    while (at := lane.at(now)) <= until:
        now = at
        taken = lane.take(now)
        assert taken is not None
        given_at.append((now, *taken))
        lane.followed(now) if follows else lane.unknown(taken[0], now, again=taken[1])
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


def test_what_nobody_follows_is_tried_once_more_and_then_forgotten() -> None:
    lane = Lane(1500)
    lane.put(("leonardo", "a", True))
    assert run(lane, until=100.0, follows=False) == [
        (0.0, ("leonardo", "a", True), False),
        (5.0, ("leonardo", "a", True), True),
    ]
    assert lane.at(100.0) == math.inf


def test_each_try_is_a_read_of_the_ledger() -> None:
    """Ten a second, and so those that wait for their second one are few."""
    lane = Lane(6000)
    for key in keys(1000):
        lane.put(key)
    tries = run(lane, until=1000.0, follows=False)
    assert [again for _, _, again in tries].count(True) == 1000
    assert len(tries) == 2000
    times = [at for at, _, _ in tries]
    assert all(later - sooner > 1.0 - 1e-6 for sooner, later in zip(times, times[30:], strict=False))


def test_told_again_while_it_waits_for_its_second_try() -> None:
    lane = Lane(1500)
    lane.put(("leonardo", "a", True))
    key, again = lane.take(0.0) or (None, None)
    assert (key, again) == (("leonardo", "a", True), False)
    lane.unknown(("leonardo", "a", True), 0.0, again=False)
    lane.put(("leonardo", "a", True))
    assert len(lane) == 1
    assert lane.at(1.0) == 1.0


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
