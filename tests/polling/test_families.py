"""`aiogen._polling.families`: the curves of all families at once, weighed by what was seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polling.teaching import at_once, counted

from aiogen._polling import families, survival
from aiogen._polling.evidence import Counts, place_of
from aiogen._polling.survival import BINS, EDGES, WIDTHS, SurvivalCurve
from aiogen.models import Typical

quick = settings(deadline=None, derandomize=True, max_examples=25)

HALF_A_MINUTE = Typical(median=30.0, spread=0.45)


def table(ended: list[float], running: list[float] | None = None) -> tuple[list[float], list[float]]:
    """Ends, and exposure in bins, of jobs that ended at these ages and of those that run at these."""
    ends, exposure = [0.0] * BINS, [0.0] * BINS
    for age in [*ended, *(running or [])]:
        last = survival.bin_of(age)
        for i in range(last):
            exposure[i] += 1.0
        exposure[last] += min(1.0, (age - EDGES[last]) / WIDTHS[last])
    for age in ended:
        ends[survival.bin_of(age)] += 1.0
    return ends, exposure


def fitted(typical: Typical, ends: list[float], exposure: list[float], median: float | None = None) -> SurvivalCurve:
    """All steps together."""
    return at_once(families.fitted(typical, ends, exposure, median))


def drawn(draw: Callable[[Random], float], count: int, seed: int = 1) -> list[float]:
    chance = Random(seed)
    return [draw(chance) for _ in range(count)]


def median_of(curve: SurvivalCurve) -> float:
    return survival.quantile(curve, 0.5)


def width_of(curve: SurvivalCurve) -> float:
    """Between one in ten and nine in ten, in units of the logarithm."""
    return math.log(survival.quantile(curve, 0.1) / survival.quantile(curve, 0.9))


NOTHING = table([])


@pytest.mark.parametrize(("median", "spread"), [(3.0, 0.4), (30.0, 0.45), (120.0, 0.6)])
def test_at_first_the_providers_table_counts(median: float, spread: float) -> None:
    """Before anything was seen the typical duration is in the middle, with more doubt than the table has."""
    curve = fitted(Typical(median=median, spread=spread), *NOTHING)
    assert median_of(curve) == pytest.approx(median, rel=0.12)
    assert width_of(curve) > 1.2 * 2.56 * spread


def test_a_surer_table_is_a_narrower_belief() -> None:
    """The spread of the table counts, too."""
    narrow, wide = (width_of(fitted(Typical(median=30.0, spread=spread), *NOTHING)) for spread in (0.2, 0.8))
    assert narrow < 0.8 * wide


@pytest.mark.parametrize("median", [0.01, 86_400.0])
def test_a_table_far_from_the_grid(median: float) -> None:
    """A typical duration that the grid does not hold still gives an estimate."""
    curve = fitted(Typical(median=median), *NOTHING)
    assert all(1.0 >= a >= b > 0.0 for a, b in pairwise(curve))


@given(
    ended=st.lists(st.floats(0.0, 9_000.0), max_size=12),
    running=st.lists(st.floats(0.0, 9_000.0), max_size=12),
    knows_median=st.booleans(),
)
@quick
def test_every_belief_is_a_survival_function(ended: list[float], running: list[float], knows_median: bool) -> None:
    """Whatever was seen, the estimate begins at 1, falls, and leaves something beyond the grid."""
    median = sorted(ended)[len(ended) // 2] if len(ended) >= 3 and knows_median else None
    curve = fitted(HALF_A_MINUTE, *table(ended, running), median)
    assert len(curve) == BINS + 1
    assert curve[0] == 1.0
    assert all(a >= b > 0.0 for a, b in pairwise(curve))


def lognormal(median: float, sigma: float) -> tuple[Callable[[Random], float], Callable[[float], float]]:
    return (
        lambda chance: chance.lognormvariate(math.log(median), sigma),
        lambda age: 0.5 * math.erfc(math.log(max(age, 1e-9) / median) / (sigma * math.sqrt(2.0))),
    )


FAMILIES = {
    "lognormal": lognormal(30.0, 0.3),
    "a slower lognormal": lognormal(200.0, 0.15),
    "a much quicker lognormal": lognormal(2.0, 0.4),
    "exponential": (lambda chance: chance.expovariate(0.1), lambda age: math.exp(-0.1 * age)),
    "uniform": (lambda chance: chance.uniform(20.0, 40.0), lambda age: min(1.0, max(0.0, (40.0 - age) / 20.0))),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_hundred_ends_are_learned(name: str) -> None:
    """After a hundred ends the estimate is nowhere far from the truth, whatever the table had said."""
    draw, survival = FAMILIES[name]
    sample = drawn(draw, 100)
    curve = fitted(HALF_A_MINUTE, *table(sample), sorted(sample)[50])
    assert max(abs(curve[i] - survival(EDGES[i])) for i in range(BINS)) < 0.13


@pytest.mark.parametrize("name", FAMILIES)
def test_looking_only_near_the_median_finds_the_same(name: str) -> None:
    """Curves far from the median that was seen carry no weight, so they may be left out."""
    sample = drawn(FAMILIES[name][0], 30)
    seen = table(sample)
    every, near = fitted(HALF_A_MINUTE, *seen), fitted(HALF_A_MINUTE, *seen, sorted(sample)[15])
    assert max(abs(a - b) for a, b in zip(every, near, strict=True)) < 0.01


def test_more_seen_is_less_doubt() -> None:
    """The estimate narrows by itself as ends come, down to the width of the model."""
    draw, _ = lognormal(30.0, 0.2)
    widths = [width_of(fitted(HALF_A_MINUTE, *table(drawn(draw, count)))) for count in (0, 3, 60)]
    assert widths[0] > 1.5 * widths[1] > 1.5 * widths[2]
    assert widths[2] == pytest.approx(2.56 * 0.2, rel=0.35)


def test_what_runs_still_counts_too() -> None:
    """Of ten jobs two ended at 10 s: if the others still run at 40 s, the model is no quick one."""
    ends_alone = fitted(HALF_A_MINUTE, *table([10.0, 10.0]))
    with_running = fitted(HALF_A_MINUTE, *table([10.0, 10.0], [40.0] * 8))
    assert median_of(ends_alone) < 16.0
    assert median_of(with_running) > 40.0


def test_running_alone_teaches() -> None:
    """Ten jobs that have run for two minutes move the estimate beyond that, with no end seen."""
    assert median_of(fitted(HALF_A_MINUTE, *table([], [120.0] * 10))) > 150.0


def test_one_that_hung_does_not_outweigh_the_rest() -> None:
    """One job of an hour among forty changes the middle by little, and does not make the rest look wide."""
    sample = drawn(lognormal(30.0, 0.2)[0], 40)
    calm, hung = fitted(HALF_A_MINUTE, *table(sample)), fitted(HALF_A_MINUTE, *table([*sample, 3_600.0]))
    assert median_of(hung) == pytest.approx(median_of(calm), rel=0.03)
    assert width_of(hung) < 1.25 * width_of(calm)


def test_three_that_hung_do_not_either() -> None:
    """Of sixty: the middle stays, and the rest looks as narrow as it is."""
    sample = drawn(lognormal(30.0, 0.1)[0], 60)
    calm, hung = (fitted(HALF_A_MINUTE, *table([*sample, *extra])) for extra in ([], [600.0] * 3))
    assert median_of(hung) == pytest.approx(median_of(calm), rel=0.03)
    assert width_of(hung) < 1.5 * width_of(calm)


@pytest.mark.parametrize("age", [0.1, 0.5, 3_600.0, 7_200.0, 7_320.0])
@pytest.mark.parametrize("count", [3, 100, 10_000])
def test_the_ends_of_the_grid_are_learned(age: float, count: int) -> None:
    """However many ends at the edge of the grid there were, some curve not far from them is left."""
    curve = fitted(HALF_A_MINUTE, *table([age] * count), age)
    assert abs(math.log(median_of(curve) / max(age, 0.25))) < 1.8


@pytest.mark.parametrize(("median", "most"), [(None, 150), (30.0, 20)])
def test_a_fit_comes_in_steps(median: float | None, most: int) -> None:
    """Others get their turn between them; they are few where the median is known, also with much seen."""
    seen = table(drawn(lognormal(30.0, 0.3)[0], 500))
    curve, steps = counted(families.fitted(HALF_A_MINUTE, *seen, median))
    assert 3 <= steps <= most
    assert curve == fitted(HALF_A_MINUTE, *seen, median)


# --- by intervals


def counts(ended: list[tuple[float, float]], running: list[float]) -> Counts:
    """Jobs that ended between two ages each, and those that run at these."""
    found = Counts()
    for since, until in ended:
        found.end(place_of(since), place_of(until), 1.0)
    for age in running:
        found.run(place_of(age), 1.0)
    return found


def by_intervals(found: Counts) -> SurvivalCurve:
    """All steps together."""
    return at_once(families.fitted_to(HALF_A_MINUTE, found))


def test_an_end_that_nobody_had_looked_for_is_where_others_still_ran_before() -> None:
    """None of forty had ended at 17 s, and at 19.4 s forty of a hundred: they ended in between, however they are known.

    What was believed of them before is no part of it.
    """
    curve = by_intervals(counts([(0.0, 19.4)] * 40, [17.0] * 40 + [19.4] * 60))
    assert survival.at(curve, 17.0) > 0.93
    assert survival.at(curve, 19.4) == pytest.approx(0.6, abs=0.06)
    assert survival.quantile(curve, 0.1) < 26.0


@pytest.mark.parametrize("name", FAMILIES)
def test_by_intervals_or_by_bins_is_the_same_where_they_are_narrow(name: str) -> None:
    """Two ways to the same estimate."""
    sample = drawn(FAMILIES[name][0], 30)
    narrow = counts([(EDGES[i], EDGES[i + 1]) for i in map(survival.bin_of, sample)], [])
    assert (
        max(abs(a - b) for a, b in zip(by_intervals(narrow), fitted(HALF_A_MINUTE, *table(sample)), strict=True)) < 0.02
    )


@pytest.mark.parametrize("number", [0, 1, 40, 300])
def test_the_more_intervals_the_smaller_the_steps(number: int) -> None:
    """None of them takes long, and there are not many."""
    found = counts([(10.0 + 0.1 * k, 11.0 + 0.1 * k) for k in range(number // 4)], [0.0])
    curve, steps = counted(families.fitted_to(HALF_A_MINUTE, found))
    assert 3 <= steps <= 250
    assert curve == by_intervals(found)
