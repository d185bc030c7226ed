"""`aiogen.stores.turns`: whose create goes first; numbers for moments, and no ledger."""

from __future__ import annotations

import math

import pytest

from aiogen.stores.turns import SHARE, Asking, Claim, Create, Turns, wait_for_window


def asking(now: float, *creates: Create, priority: int = 5, room: float = 0.0) -> Asking:
    """A create of worker "me" at account "a"; the others' creates before it, the newest first."""
    return Asking("me", ("a",), priority, room, now, creates)


def theirs(at: float, priority: int = 9) -> Create:
    """A create of another worker."""
    return Create(at, priority, "them")


# --- the window


@pytest.mark.parametrize(
    ("creates", "expected"),
    [
        (math.inf, 0.0),
        (6, 0.0),
        (5, 10.0),  # the oldest has to leave the window: it was sent at 10, and it is 60 now
        (4, 10.0),
        (3, 20.0),
        (0, 40.0),
        (-2, 40.0),  # all of theirs have to leave, and no more
    ],
)
def test_a_create_waits_until_enough_of_theirs_have_left_the_window(creates: float, expected: float) -> None:
    lately = [(10.0, 2), (20.0, 1), (40.0, 3)]
    assert wait_for_window(lately, creates, 60.0, 60.0) == expected


def test_where_nothing_was_sent_there_is_room() -> None:
    assert wait_for_window([], 0.0, 60.0, 100.0) == 0.0


# --- when the lowest has its turn


def test_after_seven_of_a_higher_priority_one_of_the_lowest_is_due() -> None:
    seven = [theirs(10.0 + i) for i in range(SHARE - 1)]
    assert asking(20.0, *seven).is_due(5, since=10.0)
    assert not asking(20.0, *seven[1:]).is_due(5, since=10.0), "only six went before it"


def test_it_is_not_due_where_one_of_its_own_priority_was_sent_or_one_before_it_waited() -> None:
    seven = [theirs(10.0 + i) for i in range(SHARE - 1)]
    assert not asking(20.0, theirs(10.0, priority=5), *seven[1:]).is_due(5, since=10.0)
    assert not asking(20.0, *seven).is_due(5, since=11.0), "the first of them went before it waited"


# --- giving way


def test_nobody_is_given_way_to_where_nothing_waits_or_there_is_room_for_all() -> None:
    turns = Turns()
    assert not turns.gives_way(asking(0.0), None, is_above=True)
    assert not turns.gives_way(asking(0.0, room=2.0), Claim(2, 0.0), is_above=True)
    assert turns.gives_way(asking(0.0, room=2.0), Claim(3, 0.0), is_above=True)
    assert turns.gives_way(asking(0.0, room=-4.0), Claim(1, 0.0), is_above=True), "less room than none is none"


def test_a_place_is_kept_for_three_seconds_from_the_first_look() -> None:
    turns, claim = Turns(), Claim(1, 0.0)
    assert turns.gives_way(asking(10.0), claim, is_above=True)
    assert turns.gives_way(asking(12.9), claim, is_above=True)
    assert not turns.gives_way(asking(13.0), claim, is_above=True)


def test_it_is_kept_for_longer_while_others_are_sending() -> None:
    turns, claim = Turns(), Claim(1, 0.0)
    assert turns.gives_way(asking(10.0), claim, is_above=True)
    assert turns.gives_way(asking(13.5, theirs(11.0)), claim, is_above=True)
    assert not turns.gives_way(asking(14.0, theirs(11.0), Create(13.5, 5, "me")), claim, is_above=True)


@pytest.mark.parametrize("freed", ["by room", "by nobody"])
def test_the_seconds_begin_again_where_it_did_not_have_to_wait_in_between(freed: str) -> None:
    turns, claim = Turns(), Claim(1, 0.0)
    assert turns.gives_way(asking(10.0), claim, is_above=True)
    if freed == "by room":
        assert not turns.gives_way(asking(12.0, room=1.0), claim, is_above=True)
    else:
        turns.nobody(["a"])
    assert turns.gives_way(asking(14.0), claim, is_above=True)


def test_higher_and_lower_ones_are_waited_for_each_for_itself() -> None:
    turns, claim = Turns(), Claim(1, 0.0)
    assert turns.gives_way(asking(10.0), claim, is_above=True)
    assert turns.gives_way(asking(13.0), claim, is_above=False)


# --- places that were kept for nothing


def left_unused(is_above: bool = True) -> Turns:
    """A place was kept from 10 to 13 for creates that others added until 8, and they did not take it."""
    turns = Turns()
    assert turns.gives_way(asking(10.0), Claim(1, 8.0), is_above=is_above)
    assert not turns.gives_way(asking(13.0), Claim(1, 8.0), is_above=is_above)
    return turns


def test_what_left_its_place_unused_is_no_claim_any_more_but_what_comes_later_is() -> None:
    turns = left_unused()
    assert turns.counted_after(asking(14.0), is_above=True) == 8.0
    assert turns.counted_after(asking(14.0), is_above=False) == 0.0
    assert Turns().counted_after(asking(14.0), is_above=True) == 0.0


@pytest.mark.parametrize("is_above", [True, False])
def test_all_of_theirs_count_again_once_they_have_sent_one_of_those(is_above: bool) -> None:
    turns = left_unused(is_above)
    priority = 9 if is_above else 1
    for other in (theirs(12.9, priority), theirs(14.0, 5), theirs(14.0, 10 - priority), Create(14.0, priority, "me")):
        assert turns.counted_after(asking(15.0, other), is_above=is_above) == 8.0, other
    assert turns.counted_after(asking(15.0, theirs(14.0, priority)), is_above=is_above) == 0.0
    assert turns.counted_after(asking(15.0), is_above=is_above) == 0.0, "for good"


def test_what_is_remembered_does_not_hold_until_a_clock_that_was_set_back_is_where_it_was() -> None:
    """Neither that a place is kept free since a moment to come, nor that what others add from now on is no claim."""
    turns, claim = Turns(), Claim(1, 1000.0)
    for at in (1000.0, 1004.0):
        assert turns.counted_after(asking(at), is_above=True) == 0.0
        assert turns.gives_way(asking(at), claim, is_above=True) is (at == 1000.0)
    assert turns.counted_after(asking(1005.0), is_above=True) == 1000.0
    assert turns.counted_after(asking(10.0), is_above=True) == 0.0
    assert turns.gives_way(asking(10.0), claim, is_above=True)
    assert turns.counted_after(asking(14.0), is_above=True) == 0.0
    assert not turns.gives_way(asking(14.0), claim, is_above=True)
