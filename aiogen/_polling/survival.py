"""Shapes that a model's durations may have, each fitted to what has been seen.  Pure.

Everything is a survival function on the same grid of ages: `shape[i]` is the probability to last longer than
`EDGES[i]`.  No shape is right for every model, so `_durations` fits several and weighs them by how well each foretold
the durations that came.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from operator import neg

SurvivalCurve = list[float]

RATIO = 1.03
"""Of one edge to the one before: fine enough that the grid costs less than half a per cent."""
FIRST, LAST = 0.25, 7200.0
"""Seconds: below the first edge and beyond the last nothing is told apart."""
EDGES: list[float] = [0.0, FIRST]
while EDGES[-1] < LAST:
    EDGES.append(EDGES[-1] * RATIO)
BINS = len(EDGES) - 1
WIDTHS = [b - a for a, b in pairwise(EDGES)]
STEP = math.log(RATIO)
LOGS = [math.log(math.sqrt(max(a, FIRST / 2.0) * b)) for a, b in pairwise(EDGES)]
"""The logarithm of each bin's middle."""

_TAIL = 0.015
"""Every shape keeps so much of "anything goes": no job is ever forgotten."""


def bin_of(age: float) -> int:
    """The bin that an age falls into."""
    return min(BINS - 1, max(0, bisect_right(EDGES, age) - 1))


def survival(shape: SurvivalCurve, age: float) -> float:
    """The probability to last longer than `age`."""
    if age >= EDGES[-1]:
        return shape[-1]
    i = bin_of(age)
    return shape[i] + (shape[i + 1] - shape[i]) * (age - EDGES[i]) / WIDTHS[i]


def quantile(shape: SurvivalCurve, share: float) -> float:
    """The age that a `share` of all jobs outlasts."""
    i = bisect_left(shape, -share, key=neg)  # survival falls, its negative grows
    if i == 0:
        return 0.0
    if i > BINS:
        return EDGES[-1]
    drop = shape[i - 1] - shape[i]
    return EDGES[i - 1] + WIDTHS[i - 1] * ((shape[i - 1] - share) / drop if drop > 0.0 else 1.0)


def mixed(parts: list[tuple[float, SurvivalCurve]]) -> SurvivalCurve:
    """The weighted sum of shapes; the weights sum to 1."""
    total = [0.0] * (BINS + 1)
    for weight, shape in parts:
        total = [t + weight * s for t, s in zip(total, shape, strict=True)]
    return total


def lognormal(mu: float, sigma: float) -> SurvivalCurve:
    """By mean and standard deviation of the logarithm."""
    scale = sigma * math.sqrt(2.0)
    return [1.0, *(0.5 * math.erfc((math.log(edge) - mu) / scale) for edge in EDGES[1:])]


def _anything() -> SurvivalCurve:
    """As likely at any age from half a second to an hour, on a log scale, and a Pareto tail beyond."""
    low, high, rest = 0.5, 3600.0, 0.02
    shape = [1.0]
    for edge in EDGES[1:]:
        if edge <= low:
            shape.append(1.0)
        elif edge < high:
            shape.append(1.0 - (1.0 - rest) * math.log(edge / low) / math.log(high / low))
        else:
            shape.append(rest * high / edge)
    return shape


ANYTHING = _anything()


def with_tail(shape: SurvivalCurve, weight: float = _TAIL) -> SurvivalCurve:
    """The shape with a little of everything in it."""
    return [(1.0 - weight) * a + weight * b for a, b in zip(shape, ANYTHING, strict=True)]


def flat(seen: SurvivalCurve, count: float) -> SurvivalCurve:
    """Uniform between a shortest and a longest duration, a little beyond what was seen of them."""
    low, high = quantile(seen, 0.96), quantile(seen, 0.04)
    beyond = (high - low) * (0.04 + 1.0 / max(count, 2.0)) + 0.01 * low
    low, high = max(0.0, low - beyond), high + beyond
    return [min(1.0, max(0.0, (high - edge) / (high - low))) for edge in EDGES]


def spread_of(seen: SurvivalCurve) -> float:
    """The standard deviation of the logarithm, without the outermost few per cent."""
    low, high = bin_of(quantile(seen, 0.985)), bin_of(quantile(seen, 0.03))
    masses = [seen[i] - seen[i + 1] for i in range(low, high + 1)]
    total = sum(masses)
    if total <= 0.0:
        return 0.05
    logs = LOGS[low : high + 1]
    mean = sum(m * log for m, log in zip(masses, logs, strict=True)) / total
    square = sum(m * (log - mean) ** 2 for m, log in zip(masses, logs, strict=True)) / total
    return 1.06 * math.sqrt(max(square, 1e-4))


def smoothed(seen: SurvivalCurve, bandwidth: float) -> SurvivalCurve:
    """What was seen, each duration spread over a normal curve of its logarithm."""
    reach = max(1, math.ceil(2.5 * bandwidth / STEP))
    kernel = [math.exp(-0.5 * (j * STEP / bandwidth) ** 2) for j in range(-reach, reach + 1)]
    norm = sum(kernel)
    kernel = [k / norm for k in kernel]
    masses = [0.0] * (BINS + 2 * reach)
    for i in range(BINS):
        mass = seen[i] - seen[i + 1]
        if mass > 1e-5:
            masses[i : i + 2 * reach + 1] = [m + mass * k for m, k in zip(masses[i:], kernel, strict=False)]
    masses[reach] += sum(masses[:reach])
    shape = [1.0]
    for mass in masses[reach : reach + BINS]:
        shape.append(max(shape[-1] - mass, 0.0))
    return shape


def two_humps(seen: SurvivalCurve, count: float, rounds: int = 10) -> SurvivalCurve | None:
    """Two lognormals side by side (expectation maximisation); None if there are not two to be seen."""
    points = [(seen[i] - seen[i + 1], LOGS[i]) for i in range(BINS) if seen[i] - seen[i + 1] > 5e-4]
    mu, nu = math.log(max(quantile(seen, 0.9), FIRST)), math.log(max(quantile(seen, 0.1), FIRST))
    if nu - mu < 0.1:
        return None
    sigma = tau = max(0.05, (nu - mu) / 4.0)
    share, doubt = 0.5, 2.0 / count
    for _ in range(rounds):
        sums = [0.0] * 6
        for mass, log in points:
            a = share * math.exp(-0.5 * ((log - mu) / sigma) ** 2) / sigma + 1e-300
            b = (1.0 - share) * math.exp(-0.5 * ((log - nu) / tau) ** 2) / tau + 1e-300
            first = mass * a / (a + b)
            second = mass - first
            for k, w in ((0, first), (3, second)):
                sums[k] += w
                sums[k + 1] += w * log
                sums[k + 2] += w * log * log
        if min(sums[0], sums[3]) * count < 1.5:
            return None
        mu, nu = sums[1] / sums[0], sums[4] / sums[3]
        # Two more observations of a spread of 0.2 each: a hump of three durations is no needle.
        sigma = math.sqrt(max(0.0025, (sums[2] - sums[0] * mu * mu + doubt * 0.04) / (sums[0] + doubt)))
        tau = math.sqrt(max(0.0025, (sums[5] - sums[3] * nu * nu + doubt * 0.04) / (sums[3] + doubt)))
        share = sums[0] / (sums[0] + sums[3])
    return mixed([(share, lognormal(mu, 1.03 * sigma)), (1.0 - share, lognormal(nu, 1.03 * tau))])
