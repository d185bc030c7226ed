"""`aiogen._polling.survival`: survival functions on one grid of ages."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polling.curves import check

from aiogen._polling import survival
from aiogen._polling.survival import ANYTHING, BINS, EDGES, WIDTHS

quick = settings(deadline=None, derandomize=True, max_examples=60)

ages = st.floats(0.0, 20_000.0)


LOGNORMAL = survival.lognormal(math.log(30.0), 0.4)

# --- the grid


def test_the_grid_covers_a_quarter_of_a_second_to_two_hours() -> None:
    """Below the first edge and beyond the last all ages are alike; between them no two edges are far apart."""
    assert (EDGES[0], EDGES[1]) == (0.0, 0.25)
    assert 7_200.0 <= EDGES[-1] < 7_200.0 * 1.02
    assert all(b / a == pytest.approx(1.02) for a, b in pairwise(EDGES[1:]))
    assert len(WIDTHS) == len(survival.LOGS) == BINS == len(EDGES) - 1


@given(age=ages)
@quick
def test_every_age_has_its_bin(age: float) -> None:
    """An age lies between the edges of its bin, the last of which takes all that is beyond."""
    i = survival.bin_of(age)
    assert EDGES[i] <= age
    assert age < EDGES[i + 1] or i == BINS - 1


def test_no_age_falls_off_the_grid() -> None:
    """Below nothing is the first bin, beyond everything the last."""
    assert (survival.bin_of(-3.0), survival.bin_of(1e9)) == (0, BINS - 1)


# --- reading a curve


@given(age=ages)
@quick
def test_survival_is_a_line_between_two_edges(age: float) -> None:
    """Between two edges survival lies on the line between its values there, and beyond the grid it stays."""
    i = survival.bin_of(age)
    share = min(1.0, (age - EDGES[i]) / WIDTHS[i])
    for curve in (LOGNORMAL, ANYTHING):
        assert survival.at(curve, age) == pytest.approx(curve[i] + share * (curve[i + 1] - curve[i]))


@given(share=st.floats(0.001, 0.999))
@quick
def test_a_quantile_is_outlasted_by_its_share(share: float) -> None:
    """The age that a share of all jobs outlasts is outlasted by that share."""
    age = survival.quantile(LOGNORMAL, share)
    assert survival.at(LOGNORMAL, age) == pytest.approx(share, abs=1e-9)


def test_a_quantile_is_on_the_grid() -> None:
    """All jobs outlast nothing; an age that more outlast than were asked for is the end of the grid."""
    assert survival.quantile(LOGNORMAL, 1.0) == 0.0
    assert survival.quantile(ANYTHING, 1e-6) == EDGES[-1]
    assert survival.quantile([1.0] * (BINS + 1), 0.5) == EDGES[-1]


def test_a_quantile_where_survival_rises_by_rounding() -> None:
    """An unevenness in the last digits does not lead outside the bin."""
    uneven = [1.0, 0.5, 0.5 + 1e-15, *([0.5 - 1e-15] * (BINS - 2))]
    assert 0.0 <= survival.quantile(uneven, 0.5) <= EDGES[3]
    assert EDGES[0] <= survival.quantile([0.4, 0.5, *([0.3] * (BINS - 1))], 0.4) <= EDGES[2]


# --- shapes


def test_a_mixture_is_the_weighted_sum() -> None:
    """Of two shapes, a quarter and three quarters."""
    mixed = survival.mixed([(0.25, LOGNORMAL), (0.75, ANYTHING)])
    assert mixed == pytest.approx([0.25 * a + 0.75 * b for a, b in zip(LOGNORMAL, ANYTHING, strict=True)])


@given(mu=st.floats(-3.0, 11.0), sigma=st.floats(0.02, 3.0))
@quick
def test_a_lognormal(mu: float, sigma: float) -> None:
    """Half outlast its median, 16 % one standard deviation of the logarithm more, and it only falls."""
    curve = survival.lognormal(mu, sigma)
    check(curve)
    for deviations, share in ((0.0, 0.5), (1.0, 0.158655), (-1.0, 0.841345)):
        age = math.exp(mu + deviations * sigma)
        if sigma > 0.3 and 1.0 < age < 7_000.0:
            assert survival.at(curve, age) == pytest.approx(share, abs=0.005)


def test_anything_goes() -> None:
    """Nothing ends within half a second, as many end between one and ten seconds as between ten and a hundred."""
    check(ANYTHING)
    assert survival.at(ANYTHING, 0.45) == 1.0
    decades = [survival.at(ANYTHING, 10.0**k) for k in range(4)]
    first, second, third = (a - b for a, b in pairwise(decades))
    assert first == pytest.approx(second, rel=0.01)
    assert second == pytest.approx(third, rel=0.01)
    assert survival.at(ANYTHING, 3_600.0) == pytest.approx(0.02, rel=0.05)
    assert survival.at(ANYTHING, 7_200.0) == pytest.approx(0.01, rel=0.05)


def test_with_a_tail_no_job_is_forgotten() -> None:
    """Even of a curve that ends some outlast the grid, and the curve itself hardly changes."""
    ends = [1.0, *([0.0] * BINS)]
    check(survival.with_tail(ends))
    assert survival.with_tail(ends)[-1] > 1e-4
    assert survival.with_tail(ends, 0.5)[5] == pytest.approx(0.5 * ANYTHING[5])
    assert max(abs(a - b) for a, b in zip(survival.with_tail(LOGNORMAL), LOGNORMAL, strict=True)) < 0.015
