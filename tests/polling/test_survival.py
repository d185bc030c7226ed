"""`aiogen._polling.survival`: survival functions on one grid of ages."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._polling import survival as shapes
from aiogen._polling.survival import ANYTHING, BINS, EDGES, WIDTHS, SurvivalCurve

quick = settings(deadline=None, derandomize=True, max_examples=60)

ages = st.floats(0.0, 20_000.0)
samples = st.lists(st.floats(0.01, 9_000.0), min_size=1, max_size=30)


def seen_in(sample: list[float]) -> SurvivalCurve:
    """The share of a sample that outlasts each edge, each duration spread over its bin."""
    shape = [0.0] * (BINS + 1)
    for age in sample:
        for i in range(shapes.bin_of(age) + 1):
            shape[i] += 1.0 / len(sample)
    return [1.0, *shape[1:]]


def lognormal_sample(count: int, median: float, sigma: float, seed: int = 1) -> list[float]:
    chance = Random(seed)
    return [chance.lognormvariate(math.log(median), sigma) for _ in range(count)]


def check(shape: SurvivalCurve) -> None:
    """It is a survival function."""
    assert len(shape) == BINS + 1
    assert shape[0] == pytest.approx(1.0)
    assert all(a >= b - 1e-12 for a, b in pairwise(shape))
    assert shape[-1] >= -1e-12


LOGNORMAL = shapes.lognormal(math.log(30.0), 0.4)

# --- the grid


def test_the_grid_covers_a_quarter_of_a_second_to_two_hours() -> None:
    """Below the first edge and beyond the last nothing is told apart; between them no two edges are far apart."""
    assert (EDGES[0], EDGES[1]) == (0.0, 0.25)
    assert 7_200.0 <= EDGES[-1] < 7_200.0 * 1.03
    assert all(b / a == pytest.approx(1.03) for a, b in pairwise(EDGES[1:]))
    assert len(WIDTHS) == len(shapes.LOGS) == BINS == len(EDGES) - 1


@given(age=ages)
@quick
def test_every_age_has_its_bin(age: float) -> None:
    """An age lies between the edges of its bin, the last of which takes all that is beyond."""
    i = shapes.bin_of(age)
    assert EDGES[i] <= age
    assert age < EDGES[i + 1] or i == BINS - 1


def test_no_age_falls_off_the_grid() -> None:
    """Below nothing is the first bin, beyond everything the last."""
    assert (shapes.bin_of(-3.0), shapes.bin_of(1e9)) == (0, BINS - 1)


# --- reading a shape


@given(age=ages)
@quick
def test_survival_is_a_line_between_two_edges(age: float) -> None:
    """Between two edges survival lies on the line between its values there, and beyond the grid it stays."""
    i = shapes.bin_of(age)
    share = min(1.0, (age - EDGES[i]) / WIDTHS[i])
    for shape in (LOGNORMAL, ANYTHING):
        assert shapes.survival(shape, age) == pytest.approx(shape[i] + share * (shape[i + 1] - shape[i]))


@given(share=st.floats(0.001, 0.999))
@quick
def test_a_quantile_is_outlasted_by_its_share(share: float) -> None:
    """The age that a share of all jobs outlasts is outlasted by that share."""
    age = shapes.quantile(LOGNORMAL, share)
    assert shapes.survival(LOGNORMAL, age) == pytest.approx(share, abs=1e-9)


def test_a_quantile_is_on_the_grid() -> None:
    """All jobs outlast nothing; an age that more outlast than were asked for is the end of the grid."""
    assert shapes.quantile(LOGNORMAL, 1.0) == 0.0
    assert shapes.quantile(ANYTHING, 1e-6) == EDGES[-1]
    assert shapes.quantile([1.0] * (BINS + 1), 0.5) == EDGES[-1]


def test_a_quantile_where_survival_rises_by_rounding() -> None:
    """An unevenness in the last digits does not lead outside the bin."""
    uneven = [1.0, 0.5, 0.5 + 1e-15, *([0.5 - 1e-15] * (BINS - 2))]
    assert 0.0 <= shapes.quantile(uneven, 0.5) <= EDGES[3]
    assert EDGES[0] <= shapes.quantile([0.4, 0.5, *([0.3] * (BINS - 1))], 0.4) <= EDGES[2]


# --- shapes


def test_a_mixture_is_the_weighted_sum() -> None:
    """Of two shapes, a quarter and three quarters."""
    mixed = shapes.mixed([(0.25, LOGNORMAL), (0.75, ANYTHING)])
    assert mixed == pytest.approx([0.25 * a + 0.75 * b for a, b in zip(LOGNORMAL, ANYTHING, strict=True)])


@given(mu=st.floats(-3.0, 11.0), sigma=st.floats(0.02, 3.0))
@quick
def test_a_lognormal(mu: float, sigma: float) -> None:
    """Half outlast its median, 16 % one standard deviation of the logarithm more, and it only falls."""
    shape = shapes.lognormal(mu, sigma)
    check(shape)
    for deviations, share in ((0.0, 0.5), (1.0, 0.158655), (-1.0, 0.841345)):
        age = math.exp(mu + deviations * sigma)
        if sigma > 0.3 and 1.0 < age < 7_000.0:
            assert shapes.survival(shape, age) == pytest.approx(share, abs=0.005)


def test_anything_goes() -> None:
    """Nothing ends within half a second, as many end between one and ten seconds as between ten and a hundred."""
    check(ANYTHING)
    assert shapes.survival(ANYTHING, 0.45) == 1.0
    decades = [shapes.survival(ANYTHING, 10.0**k) for k in range(4)]
    first, second, third = (a - b for a, b in pairwise(decades))
    assert first == pytest.approx(second, rel=0.01)
    assert second == pytest.approx(third, rel=0.01)
    assert shapes.survival(ANYTHING, 3_600.0) == pytest.approx(0.02, rel=0.05)
    assert shapes.survival(ANYTHING, 7_200.0) == pytest.approx(0.01, rel=0.05)


def test_with_a_tail_no_job_is_forgotten() -> None:
    """Even of a shape that ends some outlast the grid, and the shape itself hardly changes."""
    ends = [1.0, *([0.0] * BINS)]
    check(shapes.with_tail(ends))
    assert shapes.with_tail(ends)[-1] > 1e-4
    assert shapes.with_tail(ends, 0.5)[5] == pytest.approx(0.5 * ANYTHING[5])
    assert max(abs(a - b) for a, b in zip(shapes.with_tail(LOGNORMAL), LOGNORMAL, strict=True)) < 0.015


# --- fitted to what was seen


@given(sample=samples, count=st.floats(0.0, 100.0), bandwidth=st.floats(0.02, 1.5))
@quick
def test_every_fit_is_a_survival_function(sample: list[float], count: float, bandwidth: float) -> None:
    """Whatever has been seen, a fit begins at 1, never rises, and never falls below 0."""
    seen = seen_in(sample)
    check(shapes.flat(seen, count))
    check(shapes.smoothed(seen, bandwidth))
    humps = shapes.two_humps(seen, max(4.0, count))
    if humps is not None:
        check(humps)
    assert 0.01 <= shapes.spread_of(seen) <= 12.0


@pytest.mark.parametrize("count", [5, 50])
def test_flat_is_as_likely_anywhere(count: int) -> None:
    """Of durations between 20 s and 40 s: all outlast 15 s, half 30 s, none 50 s, and the more seen the closer."""
    seen = seen_in([20.0 + 20.0 * (k + 0.5) / 100 for k in range(100)])
    shape = shapes.flat(seen, count)
    assert shapes.survival(shape, 30.0) == pytest.approx(0.5, abs=0.03)
    assert shapes.survival(shape, 15.0) == 1.0
    assert shapes.survival(shape, 50.0) == 0.0
    beyond = 20.0 - shapes.quantile(shape, 0.9999)
    assert beyond == pytest.approx({5: 4.0, 50: 0.5}[count], abs=0.8)


def test_flat_where_everything_outlasts_the_grid() -> None:
    """If nothing has ended, the fit still is one."""
    check(shapes.flat([1.0] * (BINS + 1), 4.0))


@pytest.mark.parametrize("sigma", [0.15, 0.4, 0.9])
def test_the_spread_is_that_of_the_logarithm(sigma: float) -> None:
    """Measured on a lognormal it is its own, within some per cent."""
    assert shapes.spread_of(shapes.lognormal(math.log(30.0), sigma)) == pytest.approx(sigma, rel=0.06)


def test_the_spread_forgets_the_outermost() -> None:
    """One job in a hundred that hung for an hour does not widen it."""
    calm = lognormal_sample(100, 30.0, 0.2)
    hung = [*calm[:-1], 3_600.0]
    assert shapes.spread_of(seen_in(hung)) < 1.2 * shapes.spread_of(seen_in(calm))


def test_the_spread_of_nothing() -> None:
    """If everything outlasts the grid there is no spread to be seen, and a narrow one is said."""
    assert shapes.spread_of([1.0] * (BINS + 1)) == 0.05
    assert shapes.spread_of(seen_in([30.0])) == pytest.approx(0.0106, abs=1e-4)


@pytest.mark.parametrize("bandwidth", [0.1, 0.3])
def test_a_needle_is_smoothed_to_a_normal_curve(bandwidth: float) -> None:
    """One duration becomes a lognormal round it, as wide as it was told."""
    shape = shapes.smoothed(seen_in([30.0]), bandwidth)
    for deviations, share in ((0.0, 0.5), (1.0, 0.16), (-1.0, 0.84), (2.0, 0.023)):
        age = 30.0 * math.exp(deviations * bandwidth)
        assert shapes.survival(shape, age) == pytest.approx(share, abs=0.06)


def test_smoothing_keeps_what_falls_off_the_grid() -> None:
    """What would be spread below the first edge stays in the first bin, and what outlasts the grid still does."""
    low = shapes.smoothed(seen_in([0.1, 0.1, 30.0, 30.0]), 0.5)
    assert shapes.survival(low, 5.0) == pytest.approx(0.5, abs=0.02)
    assert shapes.smoothed([1.0] * (BINS + 1), 0.5) == [1.0] * (BINS + 1)


def test_two_humps_are_found() -> None:
    """Of a model that answers in 10 s or in 60 s, both are seen, and how many of each."""
    sample = [*lognormal_sample(60, 10.0, 0.15), *lognormal_sample(40, 60.0, 0.15, seed=2)]
    shape = shapes.two_humps(seen_in(sample), 100.0)
    assert shape is not None
    assert shapes.survival(shape, 25.0) == pytest.approx(0.4, abs=0.01)
    assert shapes.survival(shape, 10.0) == pytest.approx(0.7, abs=0.06)
    assert shapes.survival(shape, 60.0) == pytest.approx(0.2, abs=0.06)


def test_a_hump_of_three_is_no_needle() -> None:
    """With little seen the humps stay wide, though the durations were all alike."""
    seen = seen_in([10.0, 10.0, 10.0, 60.0, 60.0, 60.0])
    few, many = shapes.two_humps(seen, 6.0), shapes.two_humps(seen, 100.0)
    assert few is not None
    assert many is not None
    widths = [shapes.quantile(shape, 0.6) / shapes.quantile(shape, 0.9) for shape in (few, many)]
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
    assert shapes.two_humps(seen, 18.0) is None
