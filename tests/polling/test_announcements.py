"""What is known of hints: which ends they announced, and what that makes of a question's price."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiogen._polling.announcements import Announcements, lower_bound

pytestmark = pytest.mark.looptime(False)

MOST = 61.0
FAR = 1e9


def after(ends: str) -> Announcements[int]:
    """`+` was announced, `-` was not, `~` was found just before its hint came."""
    announcements: Announcements[int] = Announcements()
    for i, end in enumerate(ends):
        now = 100.0 * i
        if end == "+":
            announcements.announced(0)
        elif end == "-":
            announcements.found(i, 0, now, -FAR)
            announcements.decide(now + 1.0)
        else:
            announcements.found(i, 0, now, -FAR)
            announcements.hinted(i, now + 0.2)
    return announcements


def factor(ends: str) -> float:
    return after(ends).price_factor(0)


def test_without_a_proof_nothing_is_dearer() -> None:
    assert factor("") == 1.0
    assert factor("-" * 100) == 1.0
    assert factor("+") == pytest.approx(2.0)


def test_what_is_proved_is_dearer_and_never_without_end() -> None:
    """Twenty ends are a proof already; a thousand are no greater one than sixty."""
    assert factor("+" * 20) == pytest.approx(21.0)
    assert factor("+" * 60) == factor("+" * 1000) == pytest.approx(MOST)


def test_when_they_stop_it_costs_what_it_did_within_twenty_ends() -> None:
    """Most of that is over after three."""
    factors = [factor("+" * 200 + "-" * n) for n in range(21)]
    assert factors == sorted(factors, reverse=True)
    assert factors[3] < 5.0
    assert factors[10] < 2.0
    assert factors[20] == 1.0


def test_one_that_was_lost_is_not_the_end_of_them() -> None:
    assert factor("+" * 59 + "-") > 15.0
    assert factor(("+" * 30 + "-") * 10) > 8.0


def test_half_of_them_is_worth_less_than_twice() -> None:
    assert 1.2 < factor("+-" * 50) < 2.0


def test_those_that_begin_are_known_before_all_is_forgotten() -> None:
    """A key with webhooks after one without."""
    assert factor("-" * 200 + "+" * 20) == pytest.approx(21.0)


def test_a_question_that_was_a_little_quicker_says_nothing() -> None:
    assert factor("+" * 20 + "~" * 50) == factor("+" * 20)
    assert factor("+" + "~" * 50) == factor("+")
    during = after("+" * 20)
    during.found(1, 0, 5.0, 5.1)
    during.decide(100.0)
    assert during.price_factor(0) == factor("+" * 20)


def test_whoever_has_no_webhooks_has_nothing_to_wait_for() -> None:
    """Each end is done with at once."""
    announcements: Announcements[int] = Announcements()
    announcements.found(1, 0, 5.0, -FAR)
    assert announcements.decides_at() == math.inf


def test_a_question_that_was_much_quicker_says_that_hints_are_late() -> None:
    """However it is told: the hint comes while the question is under way, or after it, or never."""
    for late in (0.26, 5.0):
        during, later, never = after("+" * 20), after("+" * 20), after("+" * 20)
        during.found(1, 0, 5.0, 5.0 + late)
        later.found(1, 0, 5.0, -FAR)
        later.hinted(1, 5.0 + late)
        never.found(1, 0, 5.0, -FAR)
        assert never.decides_at() == 5.25
        never.decide(5.2)
        assert never.price_factor(0) == pytest.approx(21.0), "it may still come"
        never.decide(never.decides_at())
        assert never.decides_at() == math.inf
        assert during.price_factor(0) == later.price_factor(0) == never.price_factor(0) < 21.0


def test_one_that_is_told_twice_counts_once() -> None:
    announcements = after("+" * 20)
    announcements.found(1, 0, 5.0, -FAR)
    announcements.hinted(2, 5.1)
    for now in (6.0, 7.0):
        announcements.hinted(1, now)
        announcements.decide(now)
    once = announcements.price_factor(0)
    assert once == factor("+" * 20 + "-")


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_bound_is_below_the_share(hits: int, of: int) -> None:
    hits = min(hits, of)
    bound = lower_bound(hits, of)
    assert 0.0 <= bound <= hits / of
    assert bound < 1.0
    assert hits == 0 or bound > lower_bound(hits - 1, of)
    assert lower_bound(2 * hits, 2 * of) >= bound, "more of the same proves more"


@given(st.text("+-~", max_size=150))
def test_it_is_never_out_of_its_bounds(ends: str) -> None:
    assert 1.0 <= factor(ends) <= MOST + 1e-9
    assert factor(ends + "-" * 20) == 1.0


def test_the_next_program_begins_where_the_one_before_has_ended() -> None:
    for ends in ("", "+" * 5, "+" * 60, "-" * 30 + "+" * 10, "+" * 40 + "-" * 20, "+++-+"):
        known, fresh = after(ends), after("")
        known.announced(2)
        fresh.restore(known.to_json())
        assert fresh.price_factor(0) == factor(ends)
        assert fresh.price_factor(2) == pytest.approx(2.0)
        assert (fresh.unwritten, fresh.hits, fresh.falls) == (0, 0, 0)
        fresh.found(1, 0, 0.0, -FAR)
        fresh.decide(1.0)
        assert fresh.unwritten == 1


def test_what_was_seen_here_counts_more_than_what_was_written() -> None:
    known = after("-")
    known.restore(after("+" * 20).to_json())
    assert known.price_factor(0) == 1.0
    assert (known.unwritten, known.hits) == (1, 0)


@pytest.mark.parametrize("data", [None, {}, "1111", ["1"], ["11"] * 5, [1, 2, 3, 4], ["2", "x", None, [1]]])
def test_what_cannot_be_read_is_nothing(data: object) -> None:
    fresh = after("")
    fresh.restore(data)
    assert [fresh.price_factor(n) for n in range(4)] == [1.0] * 4
