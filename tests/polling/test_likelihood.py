"""`aiogen._polling.likelihood`: how likely a curve makes what is known."""

from __future__ import annotations

import math

import pytest

from aiogen._polling import fits, survival
from aiogen._polling.evidence import Counts, place_of
from aiogen._polling.likelihood import Likelihood

AROUND_20 = survival.lognormal(math.log(20.0), 0.3)


def known(*intervals: tuple[float, float], running: tuple[float, ...] = ()) -> Likelihood:
    """Jobs that ended between two ages, and jobs that run at one."""
    counts = Counts()
    for since, until in intervals:
        counts.end(place_of(since), place_of(until), 1.0)
    for age in running:
        counts.run(place_of(age), 1.0)
    return Likelihood(counts)


def test_it_is_the_probability_of_each_job() -> None:
    """Between two ages, or beyond one; the logarithms add up."""
    edges = [survival.EDGES[i] for i in (150, 200, 210)]
    left = [survival.at(AROUND_20, edge) for edge in edges]
    found = known((edges[0], edges[1]), running=(edges[2],)).of(AROUND_20)
    assert found == pytest.approx(math.log(left[0] - left[1]) + math.log(left[2]))


def test_what_contradicts_a_curve_is_not_impossible() -> None:
    """One job outside a uniform leaves it a score."""
    assert known((50.0, 60.0)).of(fits.uniform(10.0, 20.0)) == pytest.approx(math.log(1e-6))


@pytest.mark.parametrize("curve", [AROUND_20, fits.uniform(18.0, 22.0)], ids=["lognormal", "uniform"])
def test_the_tail_need_not_be_made(curve: survival.SurvivalCurve) -> None:
    """The score of a curve with its tail is the same whether that curve was made or not."""
    likelihood = known((17.0, 19.5), (21.0, 60.0), (0.0, 1.0), running=(20.5, 300.0))
    assert likelihood.with_tail(curve) == likelihood.of(survival.with_tail(curve))


def test_a_job_is_no_witness_for_itself() -> None:
    """A curve drawn narrowly through each job explains them less than it seems to."""
    likelihood = known((19.0, 21.0), (5.0, 6.0))
    assert likelihood.without_itself(AROUND_20, 0.05) < likelihood.of(AROUND_20)
