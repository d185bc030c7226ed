"""`aiogen._polling.probes`: whose early look is next, at which age, and how many follow."""

from __future__ import annotations

import pytest

from aiogen._polling.probes import Probes

PRICE = 0.15


def probes(*keys: str) -> Probes[str]:
    made: Probes[str] = Probes()
    for key in keys:
        made.add(key)
    return made


def test_the_first_two_jobs_are_marked() -> None:
    """However many come."""
    made = probes()
    assert [made.mark() for _ in range(5)] == [True, True, False, False, False]


def test_five_are_tried_at_once() -> None:
    """The others keep their turn, and who is added again waits behind them."""
    made = probes(*"abcdefg")
    for key in made.candidates():
        made.add(key)
    assert list(made.candidates()) == list("fgabc")
    assert made.count == 2


def test_few_are_tried_once_each() -> None:
    """Also if each is added again at once."""
    made = probes("a", "b")
    tried = []
    for key in made.candidates():
        tried.append(key)
        made.add(key)
    assert tried == ["a", "b"]


def test_one_is_looked_at_at_a_time() -> None:
    """It counts as one that learns, until it is dropped; who else is dropped changes nothing."""
    made = probes("b")
    made.choose("a", 0.5)
    assert (made.key, made.age, made.count) == ("a", 0.5, 2)
    assert not made.drop("b")
    assert made.drop("a")
    assert (made.key, made.count) == (None, 1)


def test_the_age_only_grows() -> None:
    """A question about a younger job says nothing of what the older ones showed."""
    made = probes()
    made.reached(2.0)
    made.reached(1.0)
    assert made.age == 2.0


@pytest.mark.parametrize(
    ("age", "learners", "expected"),
    [
        (0.0, 10, 0.5),  # the first look
        (0.4, 1, 0.4 + 3.5 * (PRICE * 0.4) ** 0.5),
        (4.0, 1, 4.0 + 3.5 * (PRICE * 4.0) ** 0.5),
        (4.0, 0, 4.0 + 3.5 * (PRICE * 4.0) ** 0.5),
        (4.0, 100, 4.0 + 3.5 * (PRICE * 4.0) ** 0.5 / 100**0.6),
    ],
)
def test_the_next_age(age: float, learners: int, expected: float) -> None:
    """By the root of price and age, closer the more jobs learn from it."""
    made = probes()
    made.reached(age)
    assert made.next_age(PRICE, learners) == pytest.approx(expected)


@pytest.mark.parametrize(("learners", "number"), [(9, 0), (10, 1), (100, 4), (500, 9)])
def test_an_end_brings_a_burst(learners: int, number: int) -> None:
    """Looks at the age that was reached, each without the answer of the one before; then as before."""
    made = probes()
    made.reached(3.0)
    made.has_ended(learners)
    assert made.burst == number
    for _ in range(number):
        assert made.next_age(PRICE, learners) == 3.0
        made.choose("a", 3.0)
        assert made.followed_at_once("a") is (made.burst > 0)
        assert not made.followed_at_once("b")
    assert made.next_age(PRICE, learners) > 3.0


def test_an_end_during_a_burst_makes_it_no_longer() -> None:
    """Fifty ends at once are one piece of news."""
    made = probes()
    made.has_ended(100)
    made.choose("a", 3.0)
    made.has_ended(100)
    assert made.burst == 3
