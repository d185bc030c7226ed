"""`aiogen._polling.plan`: the best ages to ask at."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._polling import survival
from aiogen._polling.plan import Plan
from aiogen._polling.survival import BINS, EDGES, SurvivalCurve

quick = settings(deadline=None, derandomize=True, max_examples=25)


def shape_of(median: float, sigma: float) -> SurvivalCurve:
    return survival.with_tail(survival.lognormal(math.log(median), sigma))


SHAPES = {
    "narrow": shape_of(30.0, 0.1),
    "usual": shape_of(30.0, 0.35),
    "wide": shape_of(12.0, 0.8),
    "quick": shape_of(1.5, 0.4),
    "flat": survival.with_tail([min(1.0, max(0.0, (40.0 - edge) / 20.0)) for edge in EDGES]),
    "two humps": survival.mixed([(0.5, shape_of(10.0, 0.1)), (0.5, shape_of(60.0, 0.1))]),
    "anything": survival.ANYTHING,
}
every_shape = pytest.mark.parametrize("curve", SHAPES.values(), ids=SHAPES.keys())
PRICES = (0.02, 0.15, 1.0)
every_price = pytest.mark.parametrize("price", PRICES)
PLANS = {(name, price): Plan(curve, price) for name, curve in SHAPES.items() for price in PRICES}


def questions(plan: Plan, until: float) -> list[float]:
    """The ages at which a job is asked about that lasts for ever."""
    ages = [plan.next_age(0.0)]
    while ages[-1] < until:
        ages.append(plan.next_age(ages[-1]))
    return ages


def cost(ages: list[float], curve: SurvivalCurve, price: float) -> float:
    """What these questions cost in the mean: each sent is a price, and what a job waits between its end and the next.

    The mean duration is in it, too, which is the same for all plans.
    """
    total, before, alive = 0.0, 0.0, 1.0
    for age in ages:
        total += alive * (price + age - before)
        before, alive = age, survival.at(curve, age)
    return total


def mean_until(until: float, curve: SurvivalCurve) -> float:
    """The mean duration, where everything ends at `until` at the latest: the integral of survival."""
    edges = [*(edge for edge in EDGES if edge < until), until]
    alive = [survival.at(curve, edge) for edge in edges]
    return sum((b - a) * (x + y) / 2.0 for (a, b), (x, y) in zip(pairwise(edges), pairwise(alive), strict=True))


def least_cost(curve: SurvivalCurve, price: float, until: float) -> float:
    """The optimum of `cost` over a fine grid, by plain dynamic programming without any short cut."""
    grid = sorted({0.0, until, *(survival.quantile(curve, 1.0 - k / 300) for k in range(1, 300)), *EDGES[1::3]})
    grid = grid[: bisect_right(grid, until)]
    alive = [survival.at(curve, age) for age in grid]
    rest = [0.0] * len(grid)
    for i in range(len(grid) - 2, -1, -1):
        here, now = alive[i], grid[i]
        rest[i] = min(here * (price + grid[j] - now) + rest[j] for j in range(i + 1, len(grid)))
    return rest[0]


@every_price
@pytest.mark.parametrize("name", SHAPES)
def test_the_plan_costs_hardly_more_than_the_optimum(name: str, price: float) -> None:
    """In the first two minutes no other ages would cost noticeably less, whatever the curve and the price."""
    curve, plan = SHAPES[name], PLANS[name, price]
    until = questions(plan, min(120.0, survival.quantile(curve, 0.01)))[-1]
    mean = mean_until(until, curve)
    spent, least = cost(questions(plan, until), curve, price) - mean, least_cost(curve, price, until) - mean
    assert spent <= 1.015 * least


@given(
    name=st.sampled_from(sorted(SHAPES)),
    price=st.sampled_from(PRICES),
    age=st.one_of(st.floats(0.0, 100.0), st.floats(0.0, 100_000.0)),
    later=st.floats(0.0, 50.0),
)
@settings(quick, max_examples=300)
def test_the_next_question_is_always_later(name: str, price: float, age: float, later: float) -> None:
    """The next age is later than this one, and who is asked about later is asked about again later."""
    plan = PLANS[name, price]
    assert age < plan.next_age(age) < math.inf
    assert plan.next_age(age + later) >= plan.next_age(age)


@given(falls=st.lists(st.tuples(st.integers(1, BINS), st.floats(0.0, 1.0)), max_size=8), price=st.floats(1e-6, 1e6))
@quick
def test_any_shape_has_a_plan(falls: list[tuple[int, float]], price: float) -> None:
    """A curve of a few steps, or none at all, is asked about at ever later ages, for any price."""
    curve = [1.0] * (BINS + 1)
    for where, share in falls:
        curve[where:] = [value * share for value in curve[where:]]
    plan = Plan(curve, price)
    ages = [0.0]
    while ages[-1] < 9_000.0 and len(ages) < 50:
        ages.append(plan.next_age(ages[-1]))
    assert all(a < b for a, b in pairwise(ages))


@given(price=st.floats(0.001, 20.0), more=st.floats(1.5, 10.0))
@quick
def test_dearer_requests_are_rarer(price: float, more: float) -> None:
    """The higher the price, the fewer questions until a job has surely ended, and the later the first."""
    cheap, dear = (Plan(SHAPES["usual"], p) for p in (price, price * more))
    assert len(questions(dear, 90.0)) <= len(questions(cheap, 90.0))
    assert dear.next_age(0.0) >= cheap.next_age(0.0) - 0.2


@pytest.mark.parametrize("price", [0.003, 0.01, 0.02])
def test_four_times_the_price_is_half_the_questions(price: float) -> None:
    """Where there are many questions their number goes with one over the root of the price."""
    cheap, dear = (len([a for a in questions(Plan(SHAPES["usual"], p), 60.0) if a < 60.0]) for p in (price, 4 * price))
    assert cheap / dear == pytest.approx(2.0, rel=0.12)


def test_nothing_is_asked_before_anything_can_have_ended() -> None:
    """A model that never took less than twenty seconds is first asked about after twenty."""
    flat = [min(1.0, max(0.0, (40.0 - edge) / 20.0)) for edge in EDGES]
    for price in PRICES:
        assert 20.0 < Plan(flat, price).next_age(0.0) < 40.0


def test_between_two_humps_nothing_is_asked() -> None:
    """Who has outlasted the first hump is left alone until the second."""
    ages = questions(PLANS["two humps", 0.15], 80.0)
    assert [age for age in ages if 20.0 < age < 42.0] == []
    assert [age for age in ages if 8.0 < age < 14.0]
    assert [age for age in ages if 50.0 < age < 70.0]


def test_without_memory_questions_keep_their_distance() -> None:
    """Where the age says nothing of the end, one question follows another at the same distance."""
    plan = Plan([math.exp(-edge / 20.0) for edge in EDGES], 0.15)
    ages = [age for age in questions(plan, 60.0) if 1.0 < age < 40.0]
    gaps = [b - a for a, b in pairwise(ages)]
    assert max(gaps) < 1.35 * min(gaps)
    assert sum(gaps) / len(gaps) == pytest.approx(math.sqrt(2.0 * 0.15 * 20.0), rel=0.05)


@pytest.mark.parametrize("price", [0.15, 1.0])
def test_ages_that_hardly_differ_are_asked_about_at_ages_that_hardly_differ(price: float) -> None:
    """Between two ages of the plan the next one lies between theirs: jobs that come one after another stay apart."""
    plan = PLANS["usual", price]
    found = [plan.next_age(20.0 + n / 50.0) for n in range(1_000)]
    assert max(b - a for a, b in pairwise(found)) < 0.5
    assert len(set(found)) > 700


@every_shape
def test_no_job_is_forgotten(curve: SurvivalCurve) -> None:
    """A job that outlasts everything is asked about on and on, each time by some part of its age later."""
    plan = Plan(curve, 0.15)
    ages = [age for age in questions(plan, 60_000.0) if age > EDGES[-1]]
    assert len(ages) >= 10
    assert all(b <= 1.5 * a for a, b in pairwise(ages))


def test_beyond_the_grid_by_a_part_of_the_age() -> None:
    """Beyond two hours the next question comes after 15 % of the age."""
    assert PLANS["usual", 0.15].next_age(10_000.0) == pytest.approx(11_500.0)


@every_price
def test_half_a_minute_costs_few_questions(price: float) -> None:
    """A job of half a minute takes some three to fifteen questions, by the price."""
    ages = questions(PLANS["usual", price], 30.0)
    low, high = {0.02: (7, 20), 0.15: (3, 9), 1.0: (1, 4)}[price]
    assert low <= len(ages) <= high


def test_the_questions_are_as_many_as_the_price_says() -> None:
    """A plan holds few ages, so making one takes about a millisecond, and more only where they are needed."""
    assert len(Plan(SHAPES["usual"], 60.0)._ages) < 300
    assert len(Plan(SHAPES["usual"], 1e-6)._ages) < 700
