"""`aiogen._polling.life_table`: ends and exposure per bin of age."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._polling import survival
from aiogen._polling.life_table import LifeTable
from aiogen._polling.survival import ANYTHING, BINS, EDGES, WIDTHS, bin_of

quick = settings(deadline=None, derandomize=True, max_examples=40)

AROUND_20 = survival.with_tail(survival.lognormal(math.log(20.0), 0.2))


@cache
def _old() -> LifeTable:
    table, chance = LifeTable(), Random(1)
    for _ in range(2_200):
        age = chance.lognormvariate(math.log(20.0), 0.2)
        table.running(0.0, age)
        table.ended(age, age + 5.0, AROUND_20)
    return table


def old_table() -> LifeTable:
    """Of thousands of ends: had it not been divided, one would count for more than a billion of the first."""
    return deepcopy(_old())


@given(since=st.floats(0.0, 7_000.0), length=st.one_of(st.just(0.0), st.floats(0.01, 50.0), st.floats(0.01, 7_000.0)))
@quick
def test_one_end_counts_once(since: float, length: float) -> None:
    """One job: one end, within its interval, and every bin it ran through counts as wholly or partly run through."""
    until = since + length + 1e-3
    table = LifeTable()
    table.running(0.0, since)
    table.ended(since, until, AROUND_20)
    ends, exposure = table.seen()
    assert (sum(ends), table.weight) == (pytest.approx(1.0), 1.0)
    first, last = bin_of(since), bin_of(until)
    assert all(share == 0.0 for share in [*ends[:first], *ends[last + 1 :]])
    # What was seen before the end counts a hundredth less.
    assert exposure[:first] == pytest.approx([0.99] * first)
    assert all(0.0 <= share <= 1.0 + 1e-9 for share in exposure)
    assert exposure[last + 1 :] == pytest.approx([0.0] * (BINS - last - 1))
    if length == 0.0 and first == last:
        assert exposure[first] == pytest.approx((since - EDGES[first]) / WIDTHS[first], abs=0.01 + 1e-3 / WIDTHS[first])


def test_after_thousands_of_ends_nothing_is_lost() -> None:
    """However long a program runs, a hundred ends are remembered, and all numbers stay small."""
    table = old_table()
    ends, exposure = table.seen()
    assert table.weight == pytest.approx(100.0)
    assert sum(ends) == pytest.approx(table.weight)
    assert exposure[bin_of(5.0)] == pytest.approx(99.0)
    assert table._unit < 1e9
    table.spread_again(ANYTHING)
    assert sum(table.seen()[0]) == pytest.approx(table.weight)


def test_it_goes_on_after_thousands_of_ends() -> None:
    """The next end counts 1, beside the hundred that are remembered."""
    table = old_table()
    before = table.seen()[0]
    table.ended(100.0, 100.5, AROUND_20)
    ends = table.seen()[0]
    assert sum(ends[bin_of(100.0) : bin_of(100.5) + 1]) == pytest.approx(1.0)
    assert ends[bin_of(20.0)] == pytest.approx(0.99 * before[bin_of(20.0)])


@pytest.mark.parametrize("make", [LifeTable, old_table])
def test_asking_changes_nothing(make: type[LifeTable]) -> None:
    """What was seen, the curve and what is stored may be asked for at any time."""
    table = make()
    before = deepcopy(vars(table))
    table.seen()
    table.survival(ANYTHING)
    table.to_json()
    assert vars(table) == before


def test_the_latest_ends_are_spread_again() -> None:
    """An end of which nothing was known moves to where a better estimate has it, and stays one."""
    table = LifeTable()
    table.ended(0.0, 1_000.0, ANYTHING)
    near = slice(bin_of(12.0), bin_of(33.0) + 1)
    assert sum(table.seen()[0][near]) < 0.2
    table.spread_again(AROUND_20)
    assert sum(table.seen()[0][near]) > 0.95
    assert sum(table.seen()[0]) == pytest.approx(1.0)


def test_dividing_by_a_billion_forgets_no_interval() -> None:
    """The latest ends are spread again as ever, at what each of them counts."""
    table = LifeTable()
    for _ in range(2_070):
        table.ended(0.0, 1_000.0, ANYTHING)
    assert table._unit < 2.0
    table.spread_again(AROUND_20)
    ends = table.seen()[0]
    latest = sum(0.99**i for i in range(60))
    assert sum(ends[bin_of(12.0) : bin_of(33.0) + 1]) == pytest.approx(latest + 0.13 * (100.0 - latest), rel=0.05)
    assert sum(ends) == pytest.approx(100.0)


def test_a_restart_keeps_the_latest_ends_alone() -> None:
    """Each of them as a job that ran from its beginning."""
    table = LifeTable()
    for age in (50.0, 50.0, 10.0, 11.0):
        table.running(0.0, age)
        table.ended(age, age + 0.1, ANYTHING)
    table.restart(2, ANYTHING)
    again = LifeTable()
    for age in (10.0, 11.0):
        again.running(0.0, age)
        again.ended(age, age + 0.1, ANYTHING)
    assert table.to_json() == again.to_json()


def test_where_nothing_was_seen_the_prior_counts() -> None:
    """And where something was, that does."""
    table = LifeTable()
    assert table.survival(AROUND_20) == pytest.approx(AROUND_20)
    for _ in range(50):
        table.running(0.0, 60.0)
        table.ended(60.0, 60.5, ANYTHING)
    curve = table.survival(AROUND_20)
    assert survival.at(curve, 55.0) > 0.9
    assert survival.at(curve, 66.0) < 0.2


def test_what_is_stored_comes_back() -> None:
    """As JSON, without a loss."""
    table, again = old_table(), LifeTable()
    assert again.load(json.loads(json.dumps(table.to_json())))
    assert again.to_json() == table.to_json()
    for data in (None, [], {}, table.to_json() | {"weight": -1.0}, table.to_json() | {"ends": [0.0]}):
        assert not again.load(data)
        assert again.to_json() == table.to_json()
