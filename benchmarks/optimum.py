"""What no schedule can beat, and what a schedule truly costs.

A schedule is the ages at which one job is asked about until it is found over.  Its price is c x requests + lag, where
lag is the time from the end to the question that finds it, and c the seconds of waiting that one request is worth.
For a duration whose distribution is known the best schedule can be found exactly, by dynamic programming; so every
other one can be judged by how much more it costs, without a sample and so without noise.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import attrs
import numpy as np
from numpy.typing import NDArray

from benchmarks.distributions import Distribution, quantiles

Floats = NDArray[np.float64]

POINTS = 4000
"""Ages of the grid: with twice as many the optimum changes by less than a thousandth (`check_grid`)."""
_FORGOTTEN = 1e-9
"""Jobs that last longer than all but so few are left out of every sum."""


@attrs.frozen
class Outcome:
    """What a schedule brings about, in the mean over all durations."""

    requests: float
    lag: float
    """Seconds from the end of a job to the question that finds it."""

    def cost(self, price: float) -> float:
        """In seconds; `price` is what one request is worth."""
        return price * self.requests + self.lag


@attrs.frozen
class Optimum:
    """The best schedule there is."""

    price: float
    outcome: Outcome
    ages: tuple[float, ...]

    @property
    def cost(self) -> float:
        """In seconds."""
        return self.outcome.cost(self.price)


def asked(next_age: Callable[[float], float]) -> Iterator[float]:
    """The schedule of a policy that says, after a question at one age, at which age to ask next."""
    age = 0.0
    while True:
        later = next_age(age)
        if not later > age:
            raise ValueError(f"After a question at age {age!r} the next was said to be due at {later!r}.")
        yield (age := later)


def outcome(ages: Iterable[float], distribution: Distribution) -> Outcome:
    """The true mean of requests and lag, by the distribution itself.

    The question at `age` is sent if the job outlasted the one before, and so is found over after the steps up to
    there: the mean age when it is found is the sum of the steps, each weighed by how many jobs live to its beginning.
    """
    requests = found = before = 0.0
    alive = 1.0
    for age in ages:
        requests += alive
        found += alive * (age - before)
        before, alive = age, distribution.survival(age)
        if alive < _FORGOTTEN:
            break
    else:
        raise ValueError("The schedule ended before the job.")
    return Outcome(requests, found - distribution.mean)


@lru_cache(maxsize=256)
def optimum(distribution: Distribution, price: float, points: int = POINTS) -> Optimum:
    """The schedule that costs least, by dynamic programming over a grid of ages, backwards.

    From age a on, with b the next question, R(a) = S(a) * (price + b - a) - integral of S from a to b + R(b).
    """
    ages, alive, time = _grid(distribution, points)
    count = len(ages)
    rest = np.zeros(count)  # the cost from this age on, times the share that lives to it
    follow = np.full(count, count - 1)
    for i in range(count - 2, -1, -1):
        options = alive[i] * ages[i + 1 :] - time[i + 1 :] + rest[i + 1 :]
        j = int(np.argmin(options))
        rest[i] = options[j] + alive[i] * (price - ages[i]) + time[i]
        follow[i] = i + 1 + j
    chosen: list[float] = []
    i = 0
    while i < count - 1:
        i = int(follow[i])
        chosen.append(float(ages[i]))
    # Whoever outlasts the grid is one in a thousand million; somebody has to ask about him, too.
    step = chosen[-1] * 0.1
    tail = (chosen[-1] + step * k for k in range(1, 1000))
    return Optimum(price, outcome((*chosen, *tail), distribution), tuple(chosen))


def cost_of(distribution: Distribution, price: float, seconds: float) -> float:
    """What the best schedule there is costs for a job that happens to last so long."""
    ages = _best_ages(distribution, price)
    asked = bisect_right(ages, seconds)
    return price * (asked + 1) + ages[asked] - seconds


@lru_cache(maxsize=256)
def _best_ages(distribution: Distribution, price: float) -> tuple[float, ...]:
    chosen = optimum(distribution, price).ages
    return (*chosen, *(chosen[-1] * (1.0 + 0.1 * k) for k in range(1, 1000)))


@lru_cache(maxsize=64)
def _grid(distribution: Distribution, points: int) -> tuple[Floats, Floats, Floats]:
    """Ages (half spread by probability, half by time), survival there, and its integral up to there."""
    half = points // 2
    shares = [1.0 - k / half for k in range(1, half)]
    rare = [10.0 ** (-k / 40.0) / half for k in range(int(40 * (9.0 - math.log10(half))))]
    spread = quantiles(distribution, [*shares, *rare])
    first, last = quantiles(distribution, [1.0 - 1e-6, 1e-6])
    chosen = np.unique(np.concatenate([[0.0], spread, np.linspace(first, last, half)]).round(6))
    alive = np.array([distribution.survival(age) for age in chosen])
    # The integral needs a finer grid than the choice: Simpson's rule within each step.
    middle = np.array([distribution.survival(age) for age in (chosen[1:] + chosen[:-1]) / 2.0])
    pieces = np.diff(chosen) * (alive[1:] + 4.0 * middle + alive[:-1]) / 6.0
    return chosen, alive, np.concatenate([[0.0], np.cumsum(pieces)])


@lru_cache(maxsize=64)
def bound(distribution: Distribution, points: int = 20_000) -> float:
    """J, the integral of sqrt(density x survival): requests x lag cannot fall below J^2/2 (Keller 1974).

    That is the limit of many questions.  With a handful per job the steps are no longer small against the shape, and
    the true optimum lies up to three per cent below the bound (narrow lognormals) or well above it (flat ones).
    """
    first, last = quantiles(distribution, [1.0 - 1e-9, 1e-9])
    edges = np.linspace(first, last, points + 1)
    middles = (edges[1:] + edges[:-1]) / 2.0
    roots = np.array([math.sqrt(distribution.density(t) * distribution.survival(t)) for t in middles])
    return float(np.sum(roots * np.diff(edges)))


def efficiency(result: Outcome, distribution: Distribution) -> float:
    """E: requests x lag over the bound; 1 is what an infinitely fine optimum reaches."""
    return 2.0 * result.requests * result.lag / bound(distribution) ** 2


def price_for(distribution: Distribution, requests: float) -> float:
    """The price at which the optimum asks so often per job."""
    low, high = 1e-4, 100.0
    for _ in range(24):
        middle = math.sqrt(low * high)
        if optimum(distribution, middle, points=800).outcome.requests > requests:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def check_grid(distribution: Distribution, price: float) -> float:
    """By how much the cost changes when the grid is twice as fine, as a share."""
    return abs(optimum(distribution, price, 2 * POINTS).cost / optimum(distribution, price).cost - 1.0)
