"""`aiogen._durations`: what is believed of how long generations take."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._durations import Durations
from aiogen._wire import Typical

quick = settings(deadline=None, derandomize=True, max_examples=60)

PRICE = 0.15
UNI = Durations(Typical(median=30.0, spread=0.45))

typicals = st.builds(Typical, median=st.floats(0.01, 86_400.0), spread=st.floats(0.05, 2.0))


def questions(durations: Durations, price: float = PRICE, until: float = 3_600.0) -> list[float]:
    """The ages at which one job is asked about, if every answer comes at once."""
    ages = [durations.next_age(0.0, price)]
    while ages[-1] < until:
        ages.append(durations.next_age(ages[-1], price))
    return ages


def gaps(ages: list[float], low: float, high: float) -> list[float]:
    """Seconds between questions whose earlier one falls between two ages."""
    return [b - a for a, b in pairwise(ages) if low <= a < high]


@given(typical=typicals, age=st.floats(0.0, 86_000.0), price=st.floats(0.001, 10.0))
@quick
def test_the_next_question_is_always_later(typical: Typical, age: float, price: float) -> None:
    """Whatever is believed, the next question comes after this one."""
    assert Durations(typical).next_age(age, price) > age


@given(age=st.floats(0.0, 5_000.0), later=st.floats(0.0, 500.0), price=st.floats(0.001, 10.0))
@quick
def test_who_asks_later_asks_again_later(age: float, later: float, price: float) -> None:
    """The order of jobs does not change: an older question never brings an earlier next one."""
    assert UNI.next_age(age + later, price) >= UNI.next_age(age, price)


@given(age=st.floats(0.0, 5_000.0), price=st.floats(0.001, 10.0), more=st.floats(1.0, 10.0))
@quick
def test_dearer_requests_are_rarer(age: float, price: float, more: float) -> None:
    """The higher the price of a request, the later the next."""
    assert UNI.next_age(age, price * more) >= UNI.next_age(age, price)


def test_four_times_the_price_is_half_the_questions() -> None:
    """The density of questions goes with one over the root of the price."""
    cheap, dear = len(questions(UNI, 0.01)), len(questions(UNI, 0.04))
    assert cheap / dear == pytest.approx(2.0, rel=0.02)


@given(age=st.floats(0.0, 600.0), price=st.floats(0.01, 1.0))
@quick
def test_two_half_steps_are_one(age: float, price: float) -> None:
    """The price only scales one integral: two steps at a quarter of the price lead where one step leads."""
    half = UNI.next_age(UNI.next_age(age, price / 4.0), price / 4.0)
    assert half == pytest.approx(UNI.next_age(age, price), rel=1e-6)


@pytest.mark.parametrize(("median", "spread"), [(12.0, 0.7), (30.0, 0.45), (120.0, 0.6)])
def test_questions_are_densest_where_jobs_end(median: float, spread: float) -> None:
    """Around the typical duration questions are closer than long before it and long after it."""
    ages = questions(Durations(Typical(median=median, spread=spread)))
    around = max(gaps(ages, 0.7 * median, 1.4 * median))
    assert around < min(gaps(ages, 0.1 * median, 0.35 * median))
    assert around < 0.6 * min(gaps(ages, 4.0 * median, 10.0 * median))


def test_no_job_is_forgotten() -> None:
    """A job that runs for hours is still asked about, again and again."""
    ages = questions(UNI, until=40_000.0)
    assert all(math.isfinite(age) for age in ages)
    assert len(gaps(ages, 3_600.0, 40_000.0)) >= 2


def survival(t: float) -> float:
    """The mixture that is believed of a model with a median of 30 s and a spread of 0.45."""
    lognormal = 0.5 * math.erfc(math.log(t / 30.0) / (0.45 * math.sqrt(2.0)))
    if t <= 0.5:
        anything = 1.0
    elif t <= 3_600.0:
        anything = 1.0 - 0.98 * math.log(t / 0.5) / math.log(3_600.0 / 0.5)
    else:
        anything = 0.02 * 3_600.0 / t
    return 0.65 * lognormal + 0.35 * anything


@pytest.mark.parametrize("age", [0.7, 3.0, 15.0, 30.0, 60.0, 300.0, 2_000.0, 5_000.0, 40_000.0])
def test_questions_follow_the_hazard(age: float) -> None:
    """At any age the density of questions is sqrt(hazard / 2c) of the mixture that is believed."""
    step, price = 1e-3 * age, 1e-4
    hazard = (math.log(survival(age - step)) - math.log(survival(age + step))) / (2.0 * step)
    gap = UNI.next_age(age, price) - age
    assert 1.0 / gap == pytest.approx(math.sqrt(hazard / (2.0 * price)), rel=0.06)


def test_nothing_is_asked_before_anything_can_have_ended() -> None:
    """In the first half second nothing is believed to end, so even the cheapest question waits for it."""
    assert 0.5 < UNI.next_age(0.0, 1e-6) < 0.6


def test_beyond_all_belief_there_is_no_next_age() -> None:
    """Beyond a day nothing is believed any more; the ceiling of the schedule takes over."""
    assert UNI.next_age(86_400.0, PRICE) == math.inf
    assert UNI.next_age(200_000.0, PRICE) == math.inf


def test_half_a_minute_costs_few_questions() -> None:
    """A typical job is asked about some ten times, with a mean lag that is small beside its duration."""
    ages = questions(UNI, until=30.0)
    assert 4 <= len(ages) <= 16
    assert max(gaps(ages, 20.0, 30.0)) < 3.0


def test_more_trust_means_fewer_questions_before() -> None:
    """Who trusts the typical duration more asks less before it."""
    sure, unsure = (Durations(Typical(median=30.0, spread=0.45), trust) for trust in (0.95, 0.2))
    assert len(questions(sure, until=8.0)) < len(questions(unsure, until=8.0))


def test_it_says_what_was_believed() -> None:
    """The belief it was made from can be read."""
    assert UNI.typical == Typical(median=30.0, spread=0.45)
