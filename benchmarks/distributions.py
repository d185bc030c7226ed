"""How long generations may take: the distributions that every schedule is tried on.

Image models are not all alike.  A quiet one is narrow, a busy one has a long tail, one that caches or queues has two
humps; the uniform ones are what the sandbox draws from, and the exponential is the case where the past tells nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from functools import lru_cache
from random import Random
from statistics import fmean
from typing import Protocol, Self

import attrs


class Distribution(Hashable, Protocol):
    """A duration's distribution, known exactly."""

    @property
    def mean(self) -> float:
        """Seconds."""

    def survival(self, t: float) -> float:
        """The probability to last longer than `t`."""

    def density(self, t: float) -> float:
        """The probability per second to end at `t`."""

    def sample(self, chance: Random) -> float:
        """One duration."""

    def scaled(self, factor: float) -> Self:
        """The same shape, every duration multiplied: a model that became faster or slower."""


@attrs.frozen
class Lognormal:
    """By its mean and its coefficient of variation (standard deviation over mean)."""

    mean: float
    cv: float
    sigma: float = attrs.field(init=False, repr=False)
    """Standard deviation of the logarithm."""
    mu: float = attrs.field(init=False, repr=False)
    """Mean of the logarithm."""

    @sigma.default
    def _sigma(self) -> float:
        return math.sqrt(math.log1p(self.cv**2))

    @mu.default
    def _mu(self) -> float:
        return math.log(self.mean) - self.sigma**2 / 2.0

    def survival(self, t: float) -> float:
        """The probability to last longer than `t`."""
        if t <= 0.0:
            return 1.0
        return 0.5 * math.erfc((math.log(t) - self.mu) / (self.sigma * math.sqrt(2.0)))

    def density(self, t: float) -> float:
        """The probability per second to end at `t`."""
        if t <= 0.0:
            return 0.0
        z = (math.log(t) - self.mu) / self.sigma
        return math.exp(-0.5 * z * z) / (t * self.sigma * math.sqrt(2.0 * math.pi))

    def sample(self, chance: Random) -> float:
        """One duration."""
        return chance.lognormvariate(self.mu, self.sigma)

    def scaled(self, factor: float) -> Lognormal:
        """The same shape, every duration multiplied."""
        return Lognormal(self.mean * factor, self.cv)


@attrs.frozen
class Uniform:
    """As likely anywhere between two ages, and nowhere else."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        """Seconds."""
        return (self.low + self.high) / 2.0

    def survival(self, t: float) -> float:
        """The probability to last longer than `t`."""
        return min(1.0, max(0.0, (self.high - t) / (self.high - self.low)))

    def density(self, t: float) -> float:
        """The probability per second to end at `t`."""
        return 1.0 / (self.high - self.low) if self.low <= t < self.high else 0.0

    def sample(self, chance: Random) -> float:
        """One duration."""
        return chance.uniform(self.low, self.high)

    def scaled(self, factor: float) -> Uniform:
        """The same shape, every duration multiplied."""
        return Uniform(self.low * factor, self.high * factor)


@attrs.frozen
class Exponential:
    """Without memory: however long it has run, it runs as long again."""

    mean: float

    def survival(self, t: float) -> float:
        """The probability to last longer than `t`."""
        return math.exp(-max(0.0, t) / self.mean)

    def density(self, t: float) -> float:
        """The probability per second to end at `t`."""
        return math.exp(-t / self.mean) / self.mean if t >= 0.0 else 0.0

    def sample(self, chance: Random) -> float:
        """One duration."""
        return chance.expovariate(1.0 / self.mean)

    def scaled(self, factor: float) -> Exponential:
        """The same shape, every duration multiplied."""
        return Exponential(self.mean * factor)


@attrs.frozen
class Mixture:
    """Two kinds of jobs that look alike from outside: `share` of them of the first kind."""

    share: float
    first: Lognormal
    second: Lognormal

    @property
    def mean(self) -> float:
        """Seconds."""
        return self.share * self.first.mean + (1.0 - self.share) * self.second.mean

    def survival(self, t: float) -> float:
        """The probability to last longer than `t`."""
        return self.share * self.first.survival(t) + (1.0 - self.share) * self.second.survival(t)

    def density(self, t: float) -> float:
        """The probability per second to end at `t`."""
        return self.share * self.first.density(t) + (1.0 - self.share) * self.second.density(t)

    def sample(self, chance: Random) -> float:
        """One duration."""
        return (self.first if chance.random() < self.share else self.second).sample(chance)

    def scaled(self, factor: float) -> Mixture:
        """The same shape, every duration multiplied."""
        return Mixture(self.share, self.first.scaled(factor), self.second.scaled(factor))


_DRAWN = 20_000


@attrs.frozen
class Total:
    """A wait and a run one after the other, by a large sample."""

    wait: Distribution
    work: Distribution

    @property
    def mean(self) -> float:
        """Seconds."""
        return fmean(_drawn(self))

    def survival(self, t: float) -> float:
        """The probability to last longer than `t`."""
        return 1.0 - bisect_right(_drawn(self), t) / _DRAWN

    def density(self, t: float) -> float:
        """The probability per second to end at `t`."""
        return (self.survival(t - 0.05) - self.survival(t + 0.05)) / 0.1

    def sample(self, chance: Random) -> float:
        """One duration."""
        return self.wait.sample(chance) + self.work.sample(chance)

    def scaled(self, factor: float) -> Total:
        """The same shape, every duration multiplied."""
        return Total(self.wait.scaled(factor), self.work.scaled(factor))


@lru_cache(maxsize=16)
def _drawn(total: Total) -> list[float]:
    chance = Random(0)
    return sorted(total.sample(chance) for _ in range(_DRAWN))


USUAL = "lognormal 20 s, CV 0.35"
"""The one that the comparison with other clients is drawn for: the middle of what image models do."""

DISTRIBUTIONS: dict[str, Distribution] = {
    "lognormal 20 s, CV 0.2": Lognormal(20.0, 0.2),
    USUAL: Lognormal(20.0, 0.35),
    "lognormal 20 s, CV 0.6": Lognormal(20.0, 0.6),
    "lognormal 32 s, CV 0.3": Lognormal(32.0, 0.3),
    "uniform 10-30 s": Uniform(10.0, 30.0),
    "uniform 18-22 s": Uniform(18.0, 22.0),
    "two humps, 12 s and 39 s": Mixture(0.7, Lognormal(12.0, 0.15), Lognormal(39.0, 0.15)),
    "exponential 20 s": Exponential(20.0),
}


def quantile(distribution: Distribution, left: float) -> float:
    """The age that the share `left` of all jobs outlasts."""
    low, high = 0.0, distribution.mean
    while distribution.survival(high) > left:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = (low + high) / 2.0
        if distribution.survival(middle) > left:
            low = middle
        else:
            high = middle
    return high


def quantiles(distribution: Distribution, shares: Sequence[float]) -> list[float]:
    """Several at once, read off a fine table; good to a ten-thousandth of the range."""
    first, last = quantile(distribution, 1.0 - 1e-9), quantile(distribution, min(shares))
    ages = [first + (last - first) * k / 20_000 for k in range(20_001)]
    fallen = [-distribution.survival(age) for age in ages]
    return [ages[min(len(ages) - 1, bisect_left(fallen, -share))] for share in shares]
