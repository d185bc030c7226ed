"""What is believed of how long one model's generations take, learned from every answer.  Pure.

An answer tells an interval, never a moment: "not at the last look, done at this one".  What runs still counts too:
in a batch the short ones end first, and a belief that looked only at ends would be too short for a long time.  So the
life table is kept (ends and exposure per bin of age), and several shapes are fitted to it.  Each shape is scored by
how likely it called every duration before it was told, and the belief is their mixture by score.  Old scores and old
ends fade, so that a model that became faster is believed to be.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from aiogen._polling import curves
from aiogen._polling import survival as shapes
from aiogen._polling.plan import Plan
from aiogen._polling.survival import BINS, EDGES, WIDTHS, SurvivalCurve
from aiogen.models import Typical

_DECAY = 0.99
"""What an end still counts after the next one: about a hundred ends are remembered."""
_SCORE_DECAY = 0.96
"""What a score still counts after the next end."""
_NEWCOMER = 1.0
"""A shape that is new begins so far behind the best."""
_PENALTY = {"curves": 0.0, "flat": 1.0, "wide": 0.7, "narrow": 0.7, "two humps": 1.0}
"""How much better (in the logarithm) a shape has to foretell than the first, to weigh as much."""
_CHANGES = (0.5, 0.7)
"""So many times as long a model's generations may suddenly take.  If they take longer, questions that
find them running teach it soon enough: that costs some of these, and no time."""
_SETTLED = 10.0
"""Before so many ends there is nothing that could have changed."""
_THRESHOLD = 9.0
"""Of the test for a change: one false alarm in some thousand ends (e to this power), as far as the belief is right."""
_REFIT = 0.4
"""The shapes are fitted anew when so much more has been seen."""
_REFIT_AT_MOST = 40.0
"""Or after so many ends."""
_LATEST = 60
"""So many ends are spread over their intervals again as the belief improves."""
_HUGE = 1e300
"""Nothing that was stored is so large."""
_HEAVY = 1e9
"""When one end counts so much, everything is divided by it."""
_PRICE, _PRICE_STEP = 0.15, 0.2
"""Prices are rounded to steps of the logarithm, from the default on: neighbours share one plan."""


_Parts = list[tuple[int, float, float]]
"""An end spread over bins: (bin, share of it, part of the bin in question)."""


class _Table:
    """Ends and exposure per bin of age.  Instead of old ends becoming lighter, new ones become heavier."""

    def __init__(self) -> None:
        self.weight = 0.0
        """How many ends are remembered."""
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

    def running(self, since: float, until: float) -> None:
        self._expose(since, until, self._unit)

    def ended(self, since: float, until: float, belief: SurvivalCurve) -> None:
        """One end, spread over its interval as the present belief has it."""
        self._unit /= _DECAY
        self.weight = self.weight * _DECAY + 1.0
        parts = _spread(since, until, belief)
        self._count(since, parts, self._unit)
        self._latest.append((since, until, self._unit, parts))

    def spread_again(self, belief: SurvivalCurve) -> None:
        """The latest ends anew, as a better belief has them (expectation maximisation)."""
        for _ in range(len(self._latest)):
            since, until, unit, parts = self._latest.popleft()
            self._count(since, parts, -unit)
            parts = _spread(since, until, belief)
            self._count(since, parts, unit)
            self._latest.append((since, until, unit, parts))

    def restart(self, count: int, belief: SurvivalCurve) -> None:
        """Forget all but the latest ends; each of those jobs ran from its beginning."""
        kept = list(self._latest)[-count:]
        self.weight = 0.0
        self._clear()
        for since, until, _, _ in kept:
            self.running(0.0, since)
            self.ended(since, until, belief)

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
        i, j = shapes.bin_of(since), shapes.bin_of(until)
        if i == j:
            self._partly[i] += (until - since) / WIDTHS[i] * unit
            return
        self._partly[i] += (EDGES[i + 1] - since) / WIDTHS[i] * unit
        self._partly[j] += (until - EDGES[j]) / WIDTHS[j] * unit
        self._wholly[i + 1] += unit
        self._wholly[j] -= unit

    def seen(self) -> tuple[list[float], list[float]]:
        """Ends, and exposure in bins, so that the newest end counts 1."""
        ends = [max(0.0, value / self._unit) for value in self._ends]
        exposure = [
            max(0.0, (partly + wholly) / self._unit)
            for partly, wholly in zip(self._partly, accumulate(self._wholly), strict=False)
        ]
        if self._unit > _HEAVY:
            self._load(ends, exposure)
        return ends, exposure

    def _load(self, ends: list[float], exposure: list[float]) -> None:
        unit, latest = self._unit, self._latest
        self._clear()
        self._ends, self._partly = list(ends), list(exposure)
        self._latest.extend((since, until, u / unit, parts) for since, until, u, parts in latest)

    def survival(self, prior: SurvivalCurve) -> SurvivalCurve:
        """By ends and exposure, with a touch of the prior where little has been seen."""
        ends, exposure = self.seen()
        shape = [1.0]
        for i in range(BINS):
            hazard = math.log(prior[i] / prior[i + 1])
            touch = 0.25 * prior[i]
            shape.append(shape[-1] * math.exp(-(ends[i] + hazard * touch) / (exposure[i] + touch)))
        return shape

    def to_json(self) -> dict[str, Any]:
        ends, exposure = self.seen()
        return {"ends": ends, "exposure": exposure, "weight": self.weight}

    def load(self, data: Any) -> bool:
        """What was stored; False, and nothing changed, if it cannot be that."""
        if not isinstance(data, dict):
            return False
        ends, exposure, weight = (
            _amounts(data.get("ends")),
            _amounts(data.get("exposure")),
            _amounts([data.get("weight")]),
        )
        if ends is None or exposure is None or weight is None or not len(ends) == len(exposure) == BINS:
            return False
        self._clear()
        self._load(ends, exposure)
        self.weight = weight[0]
        return True


def _amounts(values: object) -> list[float] | None:
    """Numbers as they were stored, or None if they are not all finite and at least 0."""
    if not isinstance(values, list):
        return None
    amounts = [float(v) for v in values if isinstance(v, int | float) and 0.0 <= v < _HUGE]
    return amounts if len(amounts) == len(values) else None


def _spread(since: float, until: float, belief: SurvivalCurve) -> _Parts:
    """An end somewhere in an interval; what is hardly likely is left out, which is most of a long interval."""
    first, last = shapes.bin_of(since), shapes.bin_of(until)
    if last > first and EDGES[last] >= until:
        last -= 1
    masses = [a - b for a, b in pairwise(belief[first : last + 2])]
    lengths = [1.0] * len(masses)
    lengths[0] = (min(until, EDGES[first + 1]) - since) / WIDTHS[first]
    if last > first:
        lengths[-1] = (min(until, EDGES[last + 1]) - EDGES[last]) / WIDTHS[last]
    masses = [max(mass * length, 1e-12 * length) for mass, length in zip(masses, lengths, strict=True)]
    least = 1e-3 * max(masses)
    parts = [(i, m, n) for i, m, n in zip(range(first, last + 1), masses, lengths, strict=True) if m >= least]
    total = sum(mass for _, mass, _ in parts)
    return [(i, mass / total, length) for i, mass, length in parts]


def _outlasts(left: float, later: float) -> float:
    """The logarithm of the probability to be still there later."""
    return math.log(max(1e-9, later) / max(1e-9, left))


def _ends(left: float, later: float) -> float:
    """The logarithm of the probability to be over by then."""
    return math.log(max(1e-6, left - later) / max(1e-6, left))


@lru_cache(maxsize=64)
def _prior(typical: Typical) -> SurvivalCurve:
    return shapes.with_tail(curves.fitted(typical, [0.0] * BINS, [0.0] * BINS))


class DurationModel:
    """The belief about one model's durations."""

    def __init__(self, typical: Typical) -> None:
        self.typical = typical
        self._table = _Table()
        self._prior = _prior(typical)
        self._shapes: dict[str, SurvivalCurve] = {"curves": self._prior}
        self._scores: dict[str, float] = {"curves": 0.0}
        self._cusum: dict[float, tuple[float, int]] = dict.fromkeys(_CHANGES, (0.0, 0))
        """For each change how much better it would explain the latest ends, and how many those are."""
        self._unfitted = 0.0
        self._evidence = 0.0
        self._plans: dict[int, Plan] = {}
        self.seen = 0
        """How many ends have been seen in all."""
        self.shape: SurvivalCurve = self._prior
        """The belief: the probability to last longer than each of `_shapes.EDGES`."""
        self.version = 0
        """Grows whenever the belief changes."""

    def running(self, since: float, until: float) -> None:
        """A job of age `until` still runs, and did at age `since`."""
        until = min(until, EDGES[-1])
        if since >= until:
            return
        self._table.running(since, until)
        # How many ends were expected and did not come.
        self._learned(-self._judge(since, until, _outlasts))

    def ended(self, since: float, until: float) -> None:
        """A job ended at some age after `since`, and not after `until`."""
        until = min(max(until, since + 1e-3), EDGES[-1])
        since = min(since, until - 1e-3)
        for name, shape in self._shapes.items():
            likely = shapes.survival(shape, since) - shapes.survival(shape, until)
            self._scores[name] = self._scores[name] * _SCORE_DECAY + math.log(max(likely, 1e-6))
        self._judge(since, until, _ends)
        self._table.ended(since, until, self.shape)
        self.seen += 1
        self._cusum = {change: (odd, run + 1 if odd > 0.0 else 0) for change, (odd, run) in self._cusum.items()}
        change, (odd, run) = max(self._cusum.items(), key=lambda item: item[1][0])
        if self._table.weight < _SETTLED:
            self._cusum = dict.fromkeys(_CHANGES, (0.0, 0))
        elif odd > _THRESHOLD:
            self._restart(run, change)
        self._learned(1.0)

    def _judge(self, since: float, until: float, likely: Callable[[float, float], float]) -> float:
        """How likely was this answer, and how likely if the model had changed?  Returns the former (in the logarithm).

        Each answer counts given what was known of its job before: so it does not matter that the short ones of a
        batch end first.
        """
        own = likely(self.left(since), self.left(until))
        for change, (odd, run) in self._cusum.items():
            # Page's cumulative sum.  Without it a narrow belief would not see that a model became faster: every job
            # has ended at the first look, and an end somewhere before the first look tells little by itself.
            step = likely(self.left(since / change), self.left(until / change)) - own
            # That a job has not ended speaks for no faster model, whatever the tail of the belief is like.
            odd += step if likely is _ends else min(0.0, step)
            self._cusum[change] = (odd, run) if odd > 0.0 else (0.0, 0)
        return own

    def _restart(self, run: int, change: float) -> None:
        """Forget all but the latest ends, and spread those as a model would that has changed so.

        Being too early is soon seen, being too late is not; so of two changes that explain the same the faster counts.
        """
        self.shape = [self.left(edge / change) for edge in EDGES]
        self._table.restart(run, self.shape)
        self._scores = dict.fromkeys(self._scores, 0.0)
        self._evidence = self._unfitted = 0.0
        self._cusum = dict.fromkeys(_CHANGES, (0.0, 0))

    def left(self, age: float) -> float:
        """The probability to last longer than `age`."""
        return shapes.survival(self.shape, age)

    def quantile(self, share: float) -> float:
        """The age that a `share` of all jobs outlasts."""
        return shapes.quantile(self.shape, share)

    def plan(self, price: float) -> Plan:
        """When to ask, where a request is worth `price` seconds of waiting."""
        step = round(math.log(price / _PRICE) / _PRICE_STEP)
        plan = self._plans.get(step)
        if plan is None:
            plan = self._plans[step] = Plan(self.shape, _PRICE * math.exp(step * _PRICE_STEP))
        return plan

    def _learned(self, amount: float) -> None:
        self._unfitted += amount
        if self._unfitted >= max(0.5, min(_REFIT_AT_MOST, _REFIT * self._evidence)):
            self._evidence += self._unfitted
            self._unfitted = 0.0
            self._fit()

    def _fit(self) -> None:
        self._table.spread_again(self.shape)
        best = max(self._scores.values())
        self._shapes = {name: shapes.with_tail(shape) for name, shape in self._fits().items() if shape is not None}
        self._scores = {name: self._scores.get(name, best - _NEWCOMER) for name in self._shapes}
        best = max(self._scores.values())
        odds = {name: math.exp(score - best - _PENALTY[name]) for name, score in self._scores.items()}
        total = sum(odds.values())
        self.shape = shapes.mixed([(odds[name] / total, self._shapes[name]) for name in odds if odds[name] > 1e-4])
        self.version += 1
        self._plans.clear()

    def _fits(self) -> dict[str, SurvivalCurve | None]:
        table = self._table
        seen, count = table.survival(self._prior), table.weight
        median = shapes.quantile(seen, 0.5) if count >= 3.0 else None
        fits: dict[str, SurvivalCurve | None] = {"curves": curves.fitted(self.typical, *table.seen(), median)}
        if count >= 4.0:
            spread, narrowing = shapes.spread_of(seen), count**-0.2
            fits["flat"] = shapes.flat(seen, count)
            fits["wide"] = shapes.smoothed(seen, max(0.02, 0.9 * spread * narrowing))
            fits["narrow"] = shapes.smoothed(seen, max(0.05, 0.3 * spread * narrowing))
            fits["two humps"] = shapes.two_humps(seen, count)
        return fits

    def to_json(self) -> dict[str, Any]:
        """All that was learned, for the store."""
        return {"table": self._table.to_json(), "scores": dict(self._scores), "seen": self.seen}

    @classmethod
    def from_json(cls, typical: Typical, data: object) -> DurationModel:
        """What was learned before; starts over where the data are none, or of another grid."""
        learned = cls(typical)
        if not isinstance(data, dict):
            return learned
        seen, scores = _amounts([data.get("seen")]), data.get("scores")
        if not seen or not learned._table.load(data.get("table")):
            return learned
        learned.seen = int(seen[0])
        learned._evidence = learned._table.weight
        if isinstance(scores, dict):
            known = {
                name: score for name, score in scores.items() if name in _PENALTY and isinstance(score, int | float)
            }
            learned._scores |= {name: float(score) for name, score in known.items() if -_HUGE < score < _HUGE}
        learned._fit()
        return learned
