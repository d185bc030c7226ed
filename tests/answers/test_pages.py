"""`aiogen._answers.pages`: reading a list that moves."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._answers.pages import Moved, Pager


class Listed:
    """A vendor's list, newest first, and one reading of it."""

    def __init__(self, count: int, limit: int = 5, at_most: int | None = None) -> None:
        self.rows = [f"g{i}" for i in range(count)]
        self.pager = Pager(limit)
        self.at_most = min(limit, at_most or limit)
        self.given: list[str] = []
        self.offsets: list[int] = []

    def page(self) -> list[str]:
        """One request; the new rows."""
        self.offsets.append(self.pager.offset)
        rows = self.rows[self.pager.offset :][: self.at_most]
        fresh = [rows[i] for i in self.pager.read(rows)]
        self.given += fresh
        return fresh

    def to_the_end(self, after_page: Callable[[list[str]], None] = lambda fresh: None) -> list[str]:
        while not self.pager.is_over:
            after_page(self.page())
        return self.given

    def delete(self, name: str, *, ours: bool = True) -> None:
        if name in self.rows:
            self.rows.remove(name)
        if ours:
            self.pager.removed(name)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 9, 10, 43])
@pytest.mark.parametrize("at_most", [1, 2, 3, 5])
def test_a_list_that_stands_still(count: int, at_most: int) -> None:
    """Every row comes once, in order, however few a page has; one row of each page is one of the page before."""
    listed = Listed(count, at_most=at_most)
    assert listed.to_the_end() == [f"g{i}" for i in range(count)]
    step = max(1, at_most - 1)
    assert len(listed.offsets) <= max(1, count) / step + 2


def test_what_is_deleted_while_it_is_listed_hides_nothing() -> None:
    """The loop of a clean-up: each one that comes is deleted, and it costs no more requests than reading."""
    listed = Listed(43)

    def clean_up(fresh: list[str]) -> None:
        for name in fresh:
            listed.delete(name)

    assert listed.to_the_end(clean_up) == [f"g{i}" for i in range(43)]
    assert listed.rows == []
    assert len(listed.offsets) <= 43 / 4 + 2


def test_what_others_delete_is_read_back() -> None:
    """The list has moved by more than a page: it is read back to a row that is known."""
    listed = Listed(40)
    for _ in range(4):
        listed.page()
    for i in range(12):
        listed.delete(f"g{i}", ours=False)
    assert listed.to_the_end() == [f"g{i}" for i in range(40)]
    assert any(after < before for before, after in pairwise(listed.offsets))


def test_what_is_made_meanwhile_moves_the_rest_along() -> None:
    """Rows that come a second time are not given a second time; what is new may come or not."""
    listed = Listed(20)
    listed.page()
    listed.rows[:0] = [f"new{i}" for i in range(13)]
    assert [name for name in listed.to_the_end() if name.startswith("g")] == [f"g{i}" for i in range(20)]


def test_who_gives_a_short_list_only_as_a_whole_is_understood() -> None:
    """Nothing at any other offset, again and again: it is how this vendor is."""
    pager, given = Pager(50), list[int]()
    while not pager.is_over:
        given += pager.read(["a", "b", "c"] if pager.offset == 0 else [])
    assert given == [0, 1, 2]


def test_who_does_not_heed_the_offset_is_said() -> None:
    """What lies behind the first page cannot be known."""
    pager = Pager(3)
    assert pager.read(["a", "b", "c"]) == [0, 1, 2]
    assert [pager.read(["a", "b", "c"]) for _ in range(2)] == [[], []]
    with pytest.raises(Moved, match="the same rows at every offset"):
        pager.read(["a", "b", "c"])


def test_a_list_that_moves_for_ever_is_said() -> None:
    """As many are made as are read: it would never end."""
    listed = Listed(10, limit=3)
    listed.page()
    made = iter(range(1000))

    def make(fresh: list[str]) -> None:
        listed.rows[:0] = [f"new{next(made)}" for _ in range(2)]

    with pytest.raises(Moved):
        listed.to_the_end(make)


def test_a_list_that_says_nothing_new_is_given_up() -> None:
    """Known rows in ever another order: what lies between them cannot be known."""
    pager = Pager(3)
    pager.read(["a", "b", "c"])

    def read_on() -> None:
        for i in range(100):
            pager.read(["a", "b", "c"] if i % 2 else ["c", "a", "b"])

    with pytest.raises(Moved, match="faster than it can be read"):
        read_on()


def test_the_same_page_at_the_same_place_is_no_sign() -> None:
    """A deletion of ours brings it back to where it was: that says nothing about the vendor."""
    pager = Pager(3)
    pager.read(["a", "b", "c"])
    assert (pager.read(["c", "d"]), pager.offset) == ([1], 3)
    pager.read(["c", "d"])
    for name in ("a", "b", "c", "d"):
        pager.removed(name)
        assert pager.offset == 3
        assert pager.read(["c", "d"]) == []


def test_what_was_not_read_yet_moves_nothing() -> None:
    """Nor does what is deleted a second time."""
    pager = Pager(3)
    pager.read(["a", "b", "c"])
    pager.removed("x")
    assert pager.offset == 2
    pager.removed("a")
    pager.removed("a")
    assert pager.offset == 1


@given(
    count=st.integers(0, 30),
    limit=st.integers(2, 7),
    at_most=st.integers(2, 9),
    chance=st.randoms(use_true_random=False),
    own=st.sampled_from([0.0, 0.2, 0.9]),
    others=st.sampled_from([0.0, 0.1, 0.5]),
    made=st.sampled_from([0.0, 0.1, 0.5]),
)
@settings(deadline=None, derandomize=True, max_examples=400)
def test_whatever_moves(
    count: int, limit: int, at_most: int, chance: random.Random, own: float, others: float, made: float
) -> None:
    """What was there at the start, and was not deleted by others, comes once; or it is said that nobody can know."""
    listed = Listed(count, limit, at_most)
    start, gone = set(listed.rows), set[str]()

    def moves(fresh: list[str]) -> None:
        for name in fresh:
            if chance.random() < own:
                listed.delete(name)
        while len(listed.offsets) < 40 and listed.rows and chance.random() < others:
            name = chance.choice(listed.rows)
            gone.add(name)
            listed.delete(name, ours=False)
        while len(listed.offsets) < 40 and chance.random() < made:
            listed.rows.insert(0, f"new{len(listed.rows)}-{chance.random()}")

    try:
        listed.to_the_end(moves)
    except Moved:
        assert others or made
    else:
        assert start - gone <= set(listed.given)
    assert len(listed.given) == len(set(listed.given))
