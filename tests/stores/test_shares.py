"""`aiogen.stores.shares`: what one scope may have of an account; numbers for moments, and no ledger."""

from __future__ import annotations

import math

import pytest

from aiogen.stores.shares import SEEN_FOR, Scopes, ScopesSeen, ScopeWait, Share, kept


@pytest.mark.parametrize(
    ("limit", "expected"), [(1, 0), (2, 0), (3, 0), (4, 1), (10, 1), (19, 1), (20, 2), (180, 18), (math.inf, 0)]
)
def test_a_tenth_is_kept_and_at_least_one_but_none_of_few(limit: float, expected: int) -> None:
    assert kept(limit) == expected


def test_who_has_its_share_leaves_the_last_place_to_others() -> None:
    """Of ten, nine are taken: by one of two scopes, of whom the other has nothing."""
    last = Share(limit=10, left=0, used=9)
    assert last.is_for_others(1, scopes=2)
    assert not last.is_for_others(1, scopes=1), "a scope that is alone has all"
    assert not Share(limit=10, left=1, used=8).is_for_others(1, scopes=2), "another one is left"
    assert not Share(limit=10, left=0, used=0).is_for_others(1, scopes=30), "each may have one"
    assert not Share(limit=10, left=0, used=4).is_for_others(1, scopes=2), "half of it is its share"
    assert Share(limit=10, left=0, used=4).is_for_others(2, scopes=2), "by weight"
    assert not Share(limit=3, left=0, used=2).is_for_others(1, scopes=2), "a third would be too much"
    assert not Share(limit=math.inf, left=math.inf, used=50).is_for_others(1, scopes=2)


def test_two_who_have_their_halves_use_all_of_it() -> None:
    assert not Share(limit=10, left=0, used=4).is_for_others(1, scopes=2)
    assert Share(limit=10, left=0, used=4).is_for_others(1, scopes=3), "but leave one to a third"


def test_it_does_not_matter_how_many_scopes_there_are_where_enough_is_left() -> None:
    assert not Share(limit=10, left=1, used=8).may_matter
    assert not Share(limit=10, left=0, used=0).may_matter
    assert Share(limit=10, left=0, used=1).may_matter


def test_scopes_count_for_a_minute() -> None:
    scopes = Scopes()
    assert scopes.next_change() == math.inf
    scopes.saw(["ann", "ben"], 10.0)
    scopes.saw(["ann"], 30.0)
    assert set(scopes.seen(10.0 + SEEN_FOR - 0.1)) == {"ann", "ben"}
    assert scopes.next_change() == 10.0 + SEEN_FOR
    assert set(scopes.seen(10.0 + SEEN_FOR)) == {"ann"}
    assert scopes.next_change() == 30.0 + SEEN_FOR
    assert not scopes.seen(1000.0)


def test_a_clock_that_is_set_back_makes_none_count_for_longer() -> None:
    scopes = Scopes()
    scopes.saw(["ann"], 1000.0)
    scopes.saw(["ben"], 10.0)
    assert list(scopes.seen(10.0)) == ["ben"]


def test_each_account_is_counted_for_itself() -> None:
    seen = ScopesSeen()
    assert seen.count("a", ["ann", "ben"], 0.0) == 2
    assert seen.count("b", ["cid"], 1.0) == 1
    assert seen.count("a", ["ann"], 59.0) == 2
    assert seen.count("a", ["ann"], 60.0) == 1


def test_the_wait_is_a_number() -> None:
    assert ScopeWait(0.5) == 0.5
