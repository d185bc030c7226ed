"""What was seen of one model's durations: ends and exposure per bin of age.  Pure.

An answer says an interval, never a moment: "not at the last question, over at this one".  So an end is spread over its
interval, as likely in each bin as the present estimate has it.  What runs still counts, too: in a batch the short ones
end first, and an estimate from ends alone would be too short for a long time.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import accumulate, pairwise
from typing import Any

from aiogen._polling.survival import BINS, EDGES, WIDTHS, SurvivalCurve, bin_of

_DECAY = 0.99
"""What an end still counts after the next one: about a hundred ends are remembered."""
_LATEST = 60
"""This number of ends is spread over their intervals again as the estimate improves."""
_HUGE = 1e300
"""Nothing that was stored is so large."""
_HEAVY = 1e9
"""When one end counts for more than this, everything is divided by it."""

_Parts = list[tuple[int, float, float]]
"""An end spread over bins: (bin, share of it, part of the bin that lies in its interval)."""


class LifeTable:
    """Ends and exposure per bin of age.  Instead of old ends becoming lighter, new ones become heavier."""

    def __init__(self) -> None:
        self.weight = 0.0
        """The number of ends that are remembered; old ones count in part."""
        self._clear()

    def _clear(self) -> None:
        self._ends = [0.0] * BINS
        self._partly = [0.0] * BINS
        """Exposure of jobs that ran through part of a bin."""
        self._wholly = [0.0] * (BINS + 1)
        """How many more jobs ran through this whole bin than through the one before."""
        self._unit = 1.0
        """What one end counts now."""
        self._latest: deque[tuple[float, float, float, _Parts]] = deque(maxlen=_LATEST)

    # --- what is learned; ages in seconds, `since` before `until`

    def running(self, since: float, until: float) -> None:
        """A job ran from one age to another."""
        self._expose(since, until, self._unit)

    def ended(self, since: float, until: float, curve: SurvivalCurve) -> None:
        """A job ended between two ages; `curve` is the present estimate of where."""
        if self._unit > _HEAVY:
            self._make_lighter()
        self._unit /= _DECAY
        self.weight = self.weight * _DECAY + 1.0
        parts = _spread(since, until, curve)
        self._count(since, parts, self._unit)
        self._latest.append((since, until, self._unit, parts))

    def spread_again(self, curve: SurvivalCurve) -> None:
        """The latest ends once more, by a better estimate (expectation maximisation)."""
        for _ in range(len(self._latest)):
            since, until, unit, parts = self._latest.popleft()
            self._count(since, parts, -unit)
            parts = _spread(since, until, curve)
            self._count(since, parts, unit)
            self._latest.append((since, until, unit, parts))

    def restart(self, count: int, curve: SurvivalCurve) -> None:
        """Forget all but the latest `count` ends; each of those jobs ran from its beginning."""
        kept = list(self._latest)[-count:]
        self.weight = 0.0
        self._clear()
        for since, until, _, _ in kept:
            self.running(0.0, since)
            self.ended(since, until, curve)

    def _count(self, since: float, parts: _Parts, unit: float) -> None:
        first = parts[0][0]
        if EDGES[first] > since:
            self._expose(since, EDGES[first], unit)
        left = 1.0
        for i, share, length in parts:
            self._ends[i] += share * unit
            self._partly[i] += (left - share / 2.0) * length * unit
            left -= share

    def _expose(self, since: float, until: float, unit: float) -> None:
        i, j = bin_of(since), bin_of(until)
        if i == j:
            self._partly[i] += (until - since) / WIDTHS[i] * unit
            return
        self._partly[i] += (EDGES[i + 1] - since) / WIDTHS[i] * unit
        self._partly[j] += (until - EDGES[j]) / WIDTHS[j] * unit
        self._wholly[i + 1] += unit
        self._wholly[j] -= unit

    def _make_lighter(self) -> None:
        ends, exposure = self.seen()
        unit, latest = self._unit, self._latest
        self._put(ends, exposure)
        self._latest.extend((since, until, u / unit, parts) for since, until, u, parts in latest)

    def _put(self, ends: list[float], exposure: list[float]) -> None:
        self._clear()
        self._ends, self._partly = list(ends), list(exposure)

    # --- what it says

    def seen(self) -> tuple[list[float], list[float]]:
        """Ends, and exposure in bins, so that the newest end counts 1."""
        ends = [max(0.0, value / self._unit) for value in self._ends]
        exposure = [
            max(0.0, (partly + wholly) / self._unit)
            for partly, wholly in zip(self._partly, accumulate(self._wholly), strict=False)
        ]
        return ends, exposure

    def survival(self, prior: SurvivalCurve) -> SurvivalCurve:
        """By ends and exposure, with a touch of the prior where little has been seen."""
        ends, exposure = self.seen()
        curve = [1.0]
        for i in range(BINS):
            hazard = math.log(prior[i] / prior[i + 1])
            touch = 0.25 * prior[i]
            curve.append(curve[-1] * math.exp(-(ends[i] + hazard * touch) / (exposure[i] + touch)))
        return curve

    # --- the store

    def to_json(self) -> dict[str, Any]:
        """All of it but the intervals of the latest ends."""
        ends, exposure = self.seen()
        return {"ends": ends, "exposure": exposure, "weight": self.weight}

    def load(self, data: Any) -> bool:
        """Take over what was stored; False, and nothing has changed, if it cannot be that."""
        if not isinstance(data, dict):
            return False
        ends, exposure, weight = amounts(data.get("ends")), amounts(data.get("exposure")), amounts([data.get("weight")])
        if ends is None or exposure is None or weight is None or not len(ends) == len(exposure) == BINS:
            return False
        self._put(ends, exposure)
        self.weight = weight[0]
        return True


def amounts(values: object) -> list[float] | None:
    """Numbers as they were stored, or None if they are not all finite and at least 0."""
    if not isinstance(values, list):
        return None
    found = [float(v) for v in values if isinstance(v, int | float) and 0.0 <= v < _HUGE]
    return found if len(found) == len(values) else None


def _spread(since: float, until: float, curve: SurvivalCurve) -> _Parts:
    """An end somewhere in an interval; what is hardly likely is left out, which is most of a long interval."""
    first, last = bin_of(since), bin_of(until)
    if last > first and EDGES[last] >= until:
        last -= 1
    masses = [a - b for a, b in pairwise(curve[first : last + 2])]
    lengths = [1.0] * len(masses)
    lengths[0] = (min(until, EDGES[first + 1]) - since) / WIDTHS[first]
    if last > first:
        lengths[-1] = (min(until, EDGES[last + 1]) - EDGES[last]) / WIDTHS[last]
    masses = [max(mass * length, 1e-12 * length) for mass, length in zip(masses, lengths, strict=True)]
    least = 1e-3 * max(masses)
    parts = [(i, m, n) for i, m, n in zip(range(first, last + 1), masses, lengths, strict=True) if m >= least]
    total = sum(mass for _, mass, _ in parts)
    return [(i, mass / total, length) for i, mass, length in parts]
