"""`aiogen._polling.fits`: survival curves drawn through what was seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polling.curves import check, lognormal_sample, samples, seen_in
from polling.teaching import at_once, counted

from aiogen._polling import fits, survival
from aiogen._polling.survival import BINS, EDGES, SurvivalCurve

quick = settings(deadline=None, derandomize=True, max_examples=60)


def explaining(sample: list[float]) -> Callable[[SurvivalCurve], float]:
    """How likely a curve, with a tail as every curve has it, makes a sample that is known to a bin (the logarithm)."""
    numbers = Counter(survival.bin_of(age) for age in sample)

    def explains(curve: SurvivalCurve) -> float:
        tailed = survival.with_tail(curve)
        return sum(number * math.log(max(tailed[i] - tailed[i + 1], 1e-6)) for i, number in numbers.items())

    return explains


def two_humps(seen: SurvivalCurve, count: float) -> SurvivalCurve | None:
    """All steps together."""
    return at_once(fits.two_humps(seen, count))


@given(sample=samples, count=st.floats(4.0, 100.0), bandwidth=st.floats(0.02, 1.5))
@quick
def test_every_fit_is_a_survival_function(sample: list[float], count: float, bandwidth: float) -> None:
    """Whatever has been seen, a fit begins at 1, never rises, and never falls below 0."""
    seen = seen_in(sample)
    check(fits.uniform(*at_once(fits.flat(seen, explaining(sample), None))))
    check(at_once(fits.smoothed(seen, bandwidth)))
    humps = two_humps(seen, count)
    if humps is not None:
        check(humps)
    assert 0.01 <= fits.spread_of(seen) <= 12.0


# --- a shortest and a longest duration

EVENLY = [20.0 + 20.0 * (k + 0.5) / 100 for k in range(100)]
"""Between 20 s and 40 s."""


def test_flat_is_as_likely_anywhere() -> None:
    """Of durations between 20 s and 40 s: all outlast 15 s, half 30 s, none 50 s."""
    low, high = at_once(fits.flat(seen_in(EVENLY), explaining(EVENLY), None))
    assert (low, high) == (pytest.approx(20.0, abs=0.5), pytest.approx(40.0, abs=0.8))
    curve = fits.uniform(low, high)
    assert survival.at(curve, 30.0) == pytest.approx(0.5, abs=0.03)
    assert survival.at(curve, 15.0) == 1.0
    assert survival.at(curve, 50.0) == 0.0


def test_one_that_hung_is_no_longest_duration() -> None:
    """A stray is left to the tail that every curve keeps."""
    hung = [*EVENLY, 3_600.0]
    assert at_once(fits.flat(seen_in(hung), explaining(hung), None))[1] < 42.0


@pytest.mark.parametrize("before", [(20.2, 39.5), (18.5, 42.0)], ids=str)
def test_flat_goes_on_from_the_last_one(before: tuple[float, float]) -> None:
    """It finds what it finds from nothing, with fewer steps."""
    seen, explains = seen_in(EVENLY), explaining(EVENLY)
    (anew, steps), (again, fewer) = (counted(fits.flat(seen, explains, at)) for at in (None, before))
    assert fewer <= 65
    assert steps <= 129
    assert explains(fits.uniform(*again)) == pytest.approx(explains(fits.uniform(*anew)), abs=1.5)


def test_flat_where_everything_outlasts_the_grid() -> None:
    """If nothing has ended, or hardly anything, the fit still is one."""
    curve = fits.uniform(*at_once(fits.flat([1.0] * (BINS + 1), lambda curve: 0.0, None)))
    check(curve)
    assert survival.quantile(curve, 0.5) > EDGES[-1] / 2.0, "what outlasts everything is not expected early"


# --- the spread


@pytest.mark.parametrize("sigma", [0.15, 0.4, 0.9])
def test_the_spread_is_that_of_the_logarithm(sigma: float) -> None:
    """Measured on a lognormal it is its own, within some per cent."""
    assert fits.spread_of(survival.lognormal(math.log(30.0), sigma)) == pytest.approx(sigma, rel=0.07)


def test_the_spread_forgets_the_outermost() -> None:
    """One job in a hundred that hung for an hour does not widen it."""
    calm = lognormal_sample(100, 30.0, 0.2)
    hung = [*calm[:-1], 3_600.0]
    assert fits.spread_of(seen_in(hung)) < 1.2 * fits.spread_of(seen_in(calm))


def test_the_spread_of_nothing() -> None:
    """If everything outlasts the grid there is no spread to be seen, and a narrow one is said."""
    assert fits.spread_of([1.0] * (BINS + 1)) == 0.05
    assert fits.spread_of(seen_in([30.0])) == pytest.approx(0.0106, abs=1e-4)


# --- smoothed, and two humps


@pytest.mark.parametrize("bandwidth", [0.1, 0.3])
def test_a_needle_is_smoothed_to_a_normal_curve(bandwidth: float) -> None:
    """One duration becomes a lognormal round it, as wide as it is asked for."""
    curve = at_once(fits.smoothed(seen_in([30.0]), bandwidth))
    for deviations, share in ((0.0, 0.5), (1.0, 0.16), (-1.0, 0.84), (2.0, 0.023)):
        age = 30.0 * math.exp(deviations * bandwidth)
        assert survival.at(curve, age) == pytest.approx(share, abs=0.06)


def test_smoothing_keeps_what_falls_off_the_grid() -> None:
    """What would be spread below the first edge stays in the first bin, and what outlasts the grid still does."""
    low = at_once(fits.smoothed(seen_in([0.1, 0.1, 30.0, 30.0]), 0.5))
    assert survival.at(low, 5.0) == pytest.approx(0.5, abs=0.02)
    assert at_once(fits.smoothed([1.0] * (BINS + 1), 0.5)) == [1.0] * (BINS + 1)


def test_two_humps_are_found() -> None:
    """Of a model that answers in 10 s or in 60 s, both are seen, and how many of each."""
    sample = [*lognormal_sample(60, 10.0, 0.15), *lognormal_sample(40, 60.0, 0.15, seed=2)]
    curve = two_humps(seen_in(sample), 100.0)
    assert curve is not None
    assert survival.at(curve, 25.0) == pytest.approx(0.4, abs=0.01)
    assert survival.at(curve, 10.0) == pytest.approx(0.7, abs=0.06)
    assert survival.at(curve, 60.0) == pytest.approx(0.2, abs=0.06)


def test_a_hump_of_three_is_no_needle() -> None:
    """With little seen the humps stay wide, though the durations were all alike."""
    seen = seen_in([10.0, 10.0, 10.0, 60.0, 60.0, 60.0])
    few, many = two_humps(seen, 6.0), two_humps(seen, 100.0)
    assert few is not None
    assert many is not None
    widths = [survival.quantile(curve, 0.6) / survival.quantile(curve, 0.9) for curve in (few, many)]
    assert widths[0] > 1.05 * widths[1]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(seen_in([30.0] * 10), id="one needle"),
        pytest.param(seen_in([*[30.0] * 15, 31.5, 33.0, 200.0]), id="one hump and a stray"),
        pytest.param([1.0, *(1.0 - 2e-4 * i for i in range(1, BINS + 1))], id="hardly anything seen"),
    ],
)
def test_not_two_to_be_seen(seen: SurvivalCurve) -> None:
    """One hump, one stray beside it, or next to nothing: these are not two humps."""
    assert two_humps(seen, 18.0) is None


@pytest.mark.parametrize(("bandwidth", "steps"), [(0.02, 1), (0.3, 2), (1.0, 7)])
def test_the_wider_it_is_spread_the_more_steps_it_takes(bandwidth: float, steps: int) -> None:
    """None of them takes longer than another."""
    seen = survival.lognormal(math.log(30.0), 0.5)
    curve, number = counted(fits.smoothed(seen, bandwidth))
    check(curve)
    assert number == steps
