"""How likely a survival curve makes what is known of the jobs of one model.  Pure.

A fit asks this of some dozen curves about the same intervals, so these are taken apart once, and each curve is gone
through in a few passes.
"""

from __future__ import annotations

import math
from itertools import repeat
from operator import mul, sub

from aiogen._polling import survival
from aiogen._polling.evidence import Counts
from aiogen._polling.survival import STEP, SurvivalCurve

_LEAST = 1e-6
"""No curve makes anything less likely than this: one job that contradicts it is not the end of it."""

_TAIL = [survival.TAIL * share for share in survival.ANYTHING]


class Likelihood:
    """Of one state of what is known."""

    def __init__(self, counts: Counts) -> None:
        self._count = max(2.0, counts.ends)
        self._since = [since for since, _ in counts.ended]
        self._until = [until for _, until in counts.ended]
        self._weights = list(counts.ended.values())
        self._running = list(counts.running)
        self._running_weights = list(counts.running.values())
        self._tails = tuple([_TAIL[i] for i in ages] for ages in (self._since, self._until, self._running))

    def _masses(self, curve: SurvivalCurve) -> list[float]:
        get = curve.__getitem__
        return list(map(sub, map(get, self._since), map(get, self._until)))

    def of(self, curve: SurvivalCurve) -> float:
        """The logarithm of the likelihood of a curve."""
        return self._sum(self._masses(curve), [curve[i] for i in self._running])

    def with_tail(self, curve: SurvivalCurve) -> float:
        """The same for the curve with the tail that every curve gets, without making that curve."""
        since, until, running = self._tails
        rest = 1.0 - survival.TAIL
        masses = [
            (rest * curve[i] + more) - (rest * curve[j] + further)
            for i, j, more, further in zip(self._since, self._until, since, until, strict=True)
        ]
        return self._sum(masses, [rest * curve[i] + more for i, more in zip(self._running, running, strict=True)])

    def without_itself(self, curve: SurvivalCurve, width: float) -> float:
        """Of a curve that was made of these jobs, each spread by `width`: by what the others alone say of each."""
        n = self._count
        own: dict[int, float] = {}
        masses = self._masses(curve)
        for k, length in enumerate(map(sub, self._until, self._since)):
            if length not in own:
                own[length] = math.erf(length * STEP / (2.0 * math.sqrt(2.0) * width))
            masses[k] = (n * masses[k] - own[length]) / (n - 1.0)
        return self._sum(masses, [curve[i] for i in self._running])

    def _sum(self, masses: list[float], running: list[float]) -> float:
        ended = map(mul, self._weights, map(math.log, map(max, masses, repeat(_LEAST))))
        left = map(mul, self._running_weights, map(math.log, map(max, running, repeat(_LEAST))))
        total: float = sum(left, sum(ended))
        return total
