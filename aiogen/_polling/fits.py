"""Survival curves drawn through what was seen: each takes the curve of a life table, and makes it smooth.  Pure.

A family (`families`) knows by itself what durations look like; these follow whatever came, and so need more of it.  No
one of them is right for every model: `durations` weighs them by how well each predicted the durations that came.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Generator

from aiogen._polling import survival
from aiogen._polling.survival import BINS, EDGES, FIRST, LOGS, STEP, SurvivalCurve

_SPREAD_AT_ONCE = 8_000
"""Products in one step, which takes less than a millisecond."""
_FINE = 100
"""Points from which on two humps are fitted to half as many."""


def flat(
    seen: SurvivalCurve, explains: Callable[[SurvivalCurve], float], before: tuple[float, float] | None
) -> Generator[None, None, tuple[float, float]]:
    """The shortest and the longest duration of the uniform that explains best what is known; in steps.

    Args:
        seen: the curve of what is known.
        explains: the logarithm of how likely a curve makes what is known.
        before: what was found the last time, to begin there.
    """
    low, high = before or (survival.quantile(seen, 0.95), survival.quantile(seen, 0.05))
    low = min(low, 0.98 * high)  # where everything outlasts the grid
    step = (high - low) / (16.0 if before else 8.0)
    best = explains(uniform(low, high))
    for _ in range(2 if before else 4):
        for _ in range(8):
            around = ((low - step, high), (low + step, high), (low, high - step), (low, high + step))
            scores = []
            for a, b in around:
                if 0.0 <= a < b - 1e-3:
                    scores.append((explains(uniform(a, b)), a, b))
                    yield
            score, a, b = max(scores, default=(-math.inf, low, high))
            if score <= best + 1e-6:
                break
            low, high, best = a, b, score
        step /= 2.0
    return low, high


def uniform(low: float, high: float) -> SurvivalCurve:
    """Between a shortest and a longest duration."""
    span = high - low
    first, last = bisect_left(EDGES, low), bisect_left(EDGES, high)
    return [1.0] * first + [(high - edge) / span for edge in EDGES[first:last]] + [0.0] * (BINS + 1 - last)


def spread_of(seen: SurvivalCurve) -> float:
    """The standard deviation of the logarithm, without the outermost few per cent; above 0."""
    low, high = survival.bin_of(survival.quantile(seen, 0.985)), survival.bin_of(survival.quantile(seen, 0.03))
    masses = [seen[i] - seen[i + 1] for i in range(low, high + 1)]
    total = sum(masses)
    if total <= 0.0:
        return 0.05
    logs = LOGS[low : high + 1]
    mean = sum(m * log for m, log in zip(masses, logs, strict=True)) / total
    square = sum(m * (log - mean) ** 2 for m, log in zip(masses, logs, strict=True)) / total
    return 1.06 * math.sqrt(max(square, 1e-4))


def smoothed(seen: SurvivalCurve, bandwidth: float) -> Generator[None, None, SurvivalCurve]:
    """What was seen, each duration spread over a normal curve of its logarithm; in steps.

    `bandwidth`: the standard deviation of that curve; above 0.
    """
    reach = max(1, math.ceil(2.5 * bandwidth / STEP))
    kernel = [math.exp(-0.5 * (j * STEP / bandwidth) ** 2) for j in range(-reach, reach + 1)]
    norm = sum(kernel)
    kernel = [k / norm for k in kernel]
    masses = [0.0] * (BINS + 2 * reach)
    done = 0
    for i in range(BINS):
        mass = seen[i] - seen[i + 1]
        if mass > 1e-5:
            near = slice(i, i + 2 * reach + 1)
            masses[near] = [m + mass * k for m, k in zip(masses[near], kernel, strict=True)]
            done += len(kernel)
            if done > _SPREAD_AT_ONCE:
                done = 0
                yield
    masses[reach] += sum(masses[:reach])
    curve = [1.0]
    for mass in masses[reach : reach + BINS]:
        curve.append(max(curve[-1] - mass, 0.0))
    return curve


def _coarser(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Two and two in one: where this number of bins are not empty, both humps are far wider than a bin."""
    pairs = zip(points[::2], [*points[1::2], (0.0, 0.0)], strict=False)
    return [(a + b, (a * log + b * further) / (a + b)) for (a, log), (b, further) in pairs]


def two_humps(seen: SurvivalCurve, count: float, rounds: int = 10) -> Generator[None, None, SurvivalCurve | None]:
    """Two lognormals side by side (expectation maximisation); None if there are not two to be seen; in steps.

    `count`: the number of ends that were seen; above 0.
    """
    points = [(seen[i] - seen[i + 1], LOGS[i]) for i in range(BINS) if seen[i] - seen[i + 1] > 5e-4]
    if len(points) > _FINE:
        points = _coarser(points)
    mu, nu = math.log(max(survival.quantile(seen, 0.9), FIRST)), math.log(max(survival.quantile(seen, 0.1), FIRST))
    if nu - mu < 0.1:
        return None
    sigma = tau = max(0.05, (nu - mu) / 4.0)
    share, extra = 0.5, 2.0 / count
    for _ in range(rounds):
        yield
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
        # Two more ends with a spread of 0.2 each: a hump of three ends is no needle.
        sigma = math.sqrt(max(0.0025, (sums[2] - sums[0] * mu * mu + extra * 0.04) / (sums[0] + extra)))
        tau = math.sqrt(max(0.0025, (sums[5] - sums[3] * nu * nu + extra * 0.04) / (sums[3] + extra)))
        share = sums[0] / (sums[0] + sums[3])
    humps = survival.lognormal(mu, 1.03 * sigma), survival.lognormal(nu, 1.03 * tau)
    return survival.mixed([(share, humps[0]), (1.0 - share, humps[1])])
