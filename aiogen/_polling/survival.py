"""Survival curves as data: a grid of ages, and the probability to last longer than each.  Pure.

`curve[i]` is the probability to last longer than `EDGES[i]`; it begins at 1 and never rises.  Two other modules
make curves: `families` has those that durations follow by their nature, `fits` those that are drawn through what was
seen.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from operator import neg

SurvivalCurve = list[float]
"""One value per edge."""

RATIO = 1.02
"""Of one edge to the one before: fine enough that the grid costs less than half a per cent."""
FIRST, LAST = 0.25, 7200.0
"""Seconds: below the first edge and beyond the last all ages are alike."""
EDGES: list[float] = [0.0, FIRST]
while EDGES[-1] < LAST:
    EDGES.append(EDGES[-1] * RATIO)
BINS = len(EDGES) - 1
WIDTHS = [b - a for a, b in pairwise(EDGES)]
STEP = math.log(RATIO)
LOGS = [math.log(math.sqrt(max(a, FIRST / 2.0) * b)) for a, b in pairwise(EDGES)]
"""The logarithm of each bin's middle."""

TAIL = 0.015
"""The part of "any duration is possible" that every curve keeps: no job is ever forgotten."""


def bin_of(age: float) -> int:
    """The bin that an age falls into."""
    return min(BINS - 1, max(0, bisect_right(EDGES, age) - 1))


def at(curve: SurvivalCurve, age: float) -> float:
    """The probability to last longer than `age`."""
    if age >= EDGES[-1]:
        return curve[-1]
    i = bin_of(age)
    return curve[i] + (curve[i + 1] - curve[i]) * (age - EDGES[i]) / WIDTHS[i]


def quantile(curve: SurvivalCurve, share: float) -> float:
    """The age that a `share` of all jobs outlasts, from 0 to the last edge."""
    i = bisect_left(curve, -share, key=neg)  # survival falls, its negative grows
    if i == 0:
        return 0.0
    if i > BINS:
        return EDGES[-1]
    drop = curve[i - 1] - curve[i]
    return EDGES[i - 1] + WIDTHS[i - 1] * ((curve[i - 1] - share) / drop if drop > 0.0 else 1.0)


def mixed(parts: list[tuple[float, SurvivalCurve]]) -> SurvivalCurve:
    """The weighted sum of survival; the weights sum to 1."""
    total = [0.0] * (BINS + 1)
    for weight, curve in parts:
        total = [t + weight * s for t, s in zip(total, curve, strict=True)]
    return total


def lognormal(mu: float, sigma: float) -> SurvivalCurve:
    """By mean and standard deviation (above 0) of the logarithm of the duration in seconds."""
    scale = sigma * math.sqrt(2.0)
    return [1.0, *(0.5 * math.erfc((math.log(edge) - mu) / scale) for edge in EDGES[1:])]


def _anything() -> SurvivalCurve:
    """As likely at any age from half a second to an hour, on a log scale, and a Pareto tail beyond."""
    low, high, rest = 0.5, 3600.0, 0.02
    curve = [1.0]
    for edge in EDGES[1:]:
        if edge <= low:
            curve.append(1.0)
        elif edge < high:
            curve.append(1.0 - (1.0 - rest) * math.log(edge / low) / math.log(high / low))
        else:
            curve.append(rest * high / edge)
    return curve


ANYTHING = _anything()
"""Nothing is known."""


def with_tail(curve: SurvivalCurve, weight: float = TAIL) -> SurvivalCurve:
    """The curve with a little of `ANYTHING` in it."""
    return [(1.0 - weight) * a + weight * b for a, b in zip(curve, ANYTHING, strict=True)]
