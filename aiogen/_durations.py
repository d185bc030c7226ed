"""What is believed of how long generations take, and how densely to ask because of it.  Pure.

For durations with hazard h, the density of questions that minimises (mean lag + c × requests) is n(t) = sqrt(h(t)/2c)
(Keller, "Optimum checking schedules for systems subject to random failure", 1974).  `Durations` keeps the integral
of sqrt(h/2) on a grid; the price c only scales it, so one table serves every price: the next question after one at
age t is due where the integral has grown by sqrt(c).

The belief is a mixture: mostly the lognormal that the provider file calls typical, a part that any duration between
half a second and an hour is as likely on a log scale (a new model, a quiet day, a small image), so that no duration
is a surprise and no job is ever forgotten.
"""

from __future__ import annotations

import math
from bisect import bisect_right

from aiogen._wire import Typical

_FROM, _TO, _RATIO = 0.1, 86_400.0, 1.05
_ANY_FROM, _ANY_TO = 0.5, 3_600.0
_TRUST = 0.65
"""Weight of the typical durations against "anything goes", while nothing has been learned."""


def _lognormal_survival(t: float, typical: Typical) -> float:
    return 0.5 * math.erfc(math.log(t / typical.median) / (typical.spread * math.sqrt(2.0)))


def _any_survival(t: float) -> float:
    if t <= _ANY_FROM:
        return 1.0
    # Beyond the last decade a Pareto tail takes over: survival falls, but never to nothing.
    floor = 0.02
    if t >= _ANY_TO:
        return floor * _ANY_TO / t
    return 1.0 - (1.0 - floor) * math.log(t / _ANY_FROM) / math.log(_ANY_TO / _ANY_FROM)


class Durations:
    """The belief about one model's durations."""

    def __init__(self, typical: Typical, trust: float = _TRUST) -> None:
        self.typical = typical
        self._ages = [0.0]
        self._sums = [0.0]
        age, survival = 0.0, 1.0
        edge = _FROM
        while edge < _TO:
            left = trust * _lognormal_survival(edge, typical) + (1.0 - trust) * _any_survival(edge)
            hazard = max(0.0, math.log(survival / left)) / (edge - age)
            self._sums.append(self._sums[-1] + math.sqrt(hazard / 2.0) * (edge - age))
            self._ages.append(edge)
            age, survival = edge, left
            edge *= _RATIO

    def next_age(self, age: float, price: float) -> float:
        """The age at which to ask next, after having asked at `age` (both in seconds since acceptance).

        `price` is what one request is worth, in seconds of waiting.
        """
        return self._age_at(self._sum_at(age) + math.sqrt(price))

    def _sum_at(self, age: float) -> float:
        i = min(bisect_right(self._ages, age), len(self._ages) - 1)
        a, b = self._ages[i - 1], self._ages[i]
        return self._sums[i - 1] + (self._sums[i] - self._sums[i - 1]) * (age - a) / (b - a)

    def _age_at(self, total: float) -> float:
        i = bisect_right(self._sums, total)
        if i >= len(self._sums):
            return math.inf
        low, high = self._sums[i - 1], self._sums[i]
        return self._ages[i - 1] + (self._ages[i] - self._ages[i - 1]) * (total - low) / (high - low)
