"""The best ages to ask about one job, by dynamic programming over its survival curve.  Pure.

A job that has lasted to age a is asked about next at the b that makes the least of: the request's price, the expected
time between its end and b, and the same again from b on.  Backwards over some two hundred ages, spread by probability,
by time and by the logarithm of time, that is near the continuous optimum (docs/benchmarks.md), and takes some
milliseconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise

from aiogen._polling import survival
from aiogen._polling.survival import BINS, EDGES, WIDTHS, SurvivalCurve

_POINTS, _MOST_POINTS = 200, 500
"""At the default price; a quarter of it asks twice as often and wants twice as many."""
_PRICE = 0.15
_LAST_STEP = 0.15
"""Beyond the last age the next question comes after this part of the age."""


class Plan:
    """When to ask, for one survival curve and one price."""

    def __init__(self, curve: SurvivalCurve, price: float) -> None:
        """`price`: seconds of waiting that one request is worth."""
        points = min(_MOST_POINTS, round(_POINTS * max(1.0, math.sqrt(_PRICE / price))))
        self._ages = _ages(curve, points)
        self._next = _best_next(self._ages, curve, price)

    def next_age(self, age: float) -> float:
        """The age at which to ask next, after having asked at `age`."""
        ages = self._ages
        if age >= ages[-1]:
            return age * (1.0 + _LAST_STEP)
        i = bisect_right(ages, age) - 1
        # Between two ages, between their answers.
        low, high = ages[self._next[i]], ages[self._next[min(i + 1, len(ages) - 2)]]
        share = (age - ages[i]) / (ages[i + 1] - ages[i])
        return max(low + share * (high - low), math.nextafter(age, math.inf))


def _ages(curve: SurvivalCurve, points: int) -> list[float]:
    half, third = points // 2, points * 3 // 10
    first, last = survival.quantile(curve, 0.995), survival.quantile(curve, 0.01)
    start = max(first, EDGES[1])
    ages = [0.0, *_quantiles(curve, half)]
    ages += [first + (last - first) * k / third for k in range(third + 1)]
    ages += [start * (EDGES[-1] / start) ** (k / third) for k in range(third + 1)]
    return sorted({round(age, 3) for age in ages})


def _quantiles(curve: SurvivalCurve, count: int) -> list[float]:
    """The ages that 1/count, 2/count … of all jobs have ended by; one pass over the curve."""
    found: list[float] = []
    i = 0
    for k in range(1, count):
        share = 1.0 - k / count
        while i < BINS - 1 and curve[i + 1] > share:
            i += 1
        drop = curve[i] - curve[i + 1]
        found.append(EDGES[i] + WIDTHS[i] * ((curve[i] - share) / drop if drop > 0.0 else 1.0))
    return found


def _best_next(ages: list[float], curve: SurvivalCurve, price: float) -> list[int]:
    """For each age the index of the next, such that the rest costs least.

    The best next age never comes earlier for a later age, so the search begins where the last one ended.
    """
    count = len(ages)
    left = [survival.at(curve, age) for age in ages]
    time = _integrals(ages, curve)  # of survival, up to each age
    beyond = [0.0] * count  # the cost from each age on, less the integral up to there
    beyond[-1] = left[-1] * ages[-1] * _LAST_STEP - time[-1]
    follow = [count - 1] * count
    bound = count - 1
    for i in range(count - 2, -1, -1):
        best, chosen = math.inf, i + 1
        here = left[i]
        for j in range(i + 1, max(bound, i + 1) + 1):
            total = here * ages[j] + beyond[j]  # what differs between the next ages
            if total < best:
                best, chosen = total, j
        # Price, plus the time from the end to the question: survival's fall below its value here, integrated.
        cost = here * (price - ages[i]) + time[i] + best
        beyond[i], follow[i] = cost - time[i], chosen
        bound = chosen
    return follow


def _integrals(ages: list[float], curve: SurvivalCurve) -> list[float]:
    """The integral of survival up to each age; survival is linear within a bin."""
    upto = [0.0, *accumulate(width * (a + b) / 2.0 for width, (a, b) in zip(WIDTHS, pairwise(curve), strict=True))]
    found = []
    for age in ages:
        i = min(BINS - 1, max(0, bisect_left(EDGES, age) - 1))
        inside = age - EDGES[i]
        slope = (curve[i + 1] - curve[i]) / WIDTHS[i]
        found.append(upto[i] + curve[i] * inside + slope * inside * inside / 2.0)
    return found
