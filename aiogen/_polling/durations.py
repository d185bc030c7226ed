"""How long one model's generations take, learned from every answer.  Pure.

What was seen is kept in a life table, and several survival curves are fitted to it.  Each is scored by how likely it
called every duration before that was seen, and the estimate is their mixture by score.  Old scores and old ends fade,
so a model that became faster is soon expected to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from aiogen._polling import families, fits, survival
from aiogen._polling.life_table import LifeTable, amounts
from aiogen._polling.plan import Plan
from aiogen._polling.survival import BINS, EDGES, SurvivalCurve
from aiogen.models import Typical

_SCORE_DECAY = 0.96
"""What a score still counts after the next end."""
_NEWCOMER = 1.0
"""A curve that is new begins at this distance behind the best."""
_PENALTY = {"curves": 0.0, "flat": 1.0, "wide": 0.7, "narrow": 0.7, "two humps": 1.0}
"""How much better (in the logarithm) a curve has to foretell than the first, to weigh as much.

"curves" is the mean of the families.  The names are those of the scores in the store.
"""
_CHANGES = (0.5, 0.7)
"""The factors by which a model's durations may suddenly change.  If they become longer, questions that find
generations running teach it soon enough: that costs some of these, and no time."""
_SETTLED = 10.0
"""With fewer ends there is nothing that could have changed."""
_THRESHOLD = 9.0
"""Of the test for a change: one false alarm in some thousand ends (e to this power), if the estimate is right."""
_REFIT = 0.4
"""The curves are fitted again when this part of what was seen before has been seen since."""
_REFIT_AT_MOST = 40.0
"""Or after this number of ends."""
_SCORE_LIMIT = 1e300
"""No score that was stored is so large."""
_PRICE, _PRICE_STEP = 0.15, 0.2
"""Prices are rounded to steps of the logarithm, from the default on: neighbours share one plan."""


def _outlasts(left: float, later: float) -> float:
    """The logarithm of the probability to be still there later."""
    return math.log(max(1e-9, later) / max(1e-9, left))


def _ends(left: float, later: float) -> float:
    """The logarithm of the probability to be over by then."""
    return math.log(max(1e-6, left - later) / max(1e-6, left))


@lru_cache(maxsize=64)
def _prior(typical: Typical) -> SurvivalCurve:
    return survival.with_tail(families.fitted(typical, [0.0] * BINS, [0.0] * BINS))


class DurationModel:
    """The durations of one model; ages in seconds."""

    def __init__(self, typical: Typical) -> None:
        """`typical`: what is expected before anything was seen."""
        self.typical = typical
        self._table = LifeTable()
        self._prior = _prior(typical)
        self._curves: dict[str, SurvivalCurve] = {"curves": self._prior}
        self._scores: dict[str, float] = {"curves": 0.0}
        self._cusum: dict[float, tuple[float, int]] = dict.fromkeys(_CHANGES, (0.0, 0))
        """For each change how much better it would explain the latest ends, and how many those are."""
        self._unfitted = 0.0
        self._evidence = 0.0
        self._plans: dict[int, Plan] = {}
        self.seen = 0
        """The number of ends that have been seen in all."""
        self.curve: SurvivalCurve = self._prior
        """The estimate: the probability to last longer than each of `survival.EDGES`."""
        self.version = 0
        """Grows whenever the estimate changes."""

    # --- learning

    def running(self, since: float, until: float) -> None:
        """A job of age `until` still runs, and did at age `since`."""
        until = min(until, EDGES[-1])
        if since >= until:
            return
        self._table.running(since, until)
        own = _outlasts(self.left(since), self.left(until))
        self._test_for_change(own, since, until, _outlasts)
        self._learned(-own)  # the number of ends that were expected and did not come

    def ended(self, since: float, until: float) -> None:
        """A job ended at some age after `since`, and not after `until`."""
        until = min(max(until, since + 1e-3), EDGES[-1])
        since = min(since, until - 1e-3)
        for name, curve in self._curves.items():
            likely = survival.at(curve, since) - survival.at(curve, until)
            self._scores[name] = self._scores[name] * _SCORE_DECAY + math.log(max(likely, 1e-6))
        self._test_for_change(_ends(self.left(since), self.left(until)), since, until, _ends)
        self._table.ended(since, until, self.curve)
        self.seen += 1
        self._cusum = {change: (sum_, run + 1 if sum_ > 0.0 else 0) for change, (sum_, run) in self._cusum.items()}
        change, (highest, run) = max(self._cusum.items(), key=lambda item: item[1][0])
        if self._table.weight < _SETTLED:
            self._cusum = dict.fromkeys(_CHANGES, (0.0, 0))
        elif highest > _THRESHOLD:
            self._restart(run, change)
        self._learned(1.0)

    def _test_for_change(self, own: float, since: float, until: float, likely: Callable[[float, float], float]) -> None:
        """How much better would each change explain an answer that the estimate calls `own`?  Page's cumulative sum.

        Without it a narrow estimate would not notice that a model became faster: every job has ended at the first
        question, and an end somewhere before that says little by itself.

        Each answer counts given what was known of its job before: so it does not matter that the short ones of a
        batch end first.
        """
        for change, (sum_, run) in self._cusum.items():
            step = likely(self.left(since / change), self.left(until / change)) - own
            # That a job has not ended speaks for no faster model, whatever the tail of the estimate is like.
            sum_ += step if likely is _ends else min(0.0, step)
            self._cusum[change] = (sum_, run) if sum_ > 0.0 else (0.0, 0)

    def _restart(self, run: int, change: float) -> None:
        """Forget all but the latest ends, and spread those as a model would that has changed by this factor.

        Being too early is soon seen, being too late is not; so of two changes that explain the same the faster counts.
        """
        self.curve = [self.left(edge / change) for edge in EDGES]
        self._table.restart(run, self.curve)
        self._scores = dict.fromkeys(self._scores, 0.0)
        self._evidence = self._unfitted = 0.0
        self._cusum = dict.fromkeys(_CHANGES, (0.0, 0))

    def _learned(self, amount: float) -> None:
        self._unfitted += amount
        if self._unfitted >= max(0.5, min(_REFIT_AT_MOST, _REFIT * self._evidence)):
            self._evidence += self._unfitted
            self._unfitted = 0.0
            self._fit()

    def _fit(self) -> None:
        self._table.spread_again(self.curve)
        best = max(self._scores.values())
        self._curves = {name: survival.with_tail(curve) for name, curve in self._fitted().items() if curve is not None}
        self._scores = {name: self._scores.get(name, best - _NEWCOMER) for name in self._curves}
        best = max(self._scores.values())
        odds = {name: math.exp(score - best - _PENALTY[name]) for name, score in self._scores.items()}
        total = sum(odds.values())
        self.curve = survival.mixed([(odds[name] / total, self._curves[name]) for name in odds if odds[name] > 1e-4])
        self.version += 1
        self._plans.clear()

    def _fitted(self) -> dict[str, SurvivalCurve | None]:
        table = self._table
        seen, count = table.survival(self._prior), table.weight
        median = survival.quantile(seen, 0.5) if count >= 3.0 else None
        curves: dict[str, SurvivalCurve | None] = {"curves": families.fitted(self.typical, *table.seen(), median)}
        if count >= 4.0:
            spread, narrowing = fits.spread_of(seen), count**-0.2
            curves["flat"] = fits.flat(seen, count)
            curves["wide"] = fits.smoothed(seen, max(0.02, 0.9 * spread * narrowing))
            curves["narrow"] = fits.smoothed(seen, max(0.05, 0.3 * spread * narrowing))
            curves["two humps"] = fits.two_humps(seen, count)
        return curves

    # --- what is expected

    def left(self, age: float) -> float:
        """The probability to last longer than `age`."""
        return survival.at(self.curve, age)

    def quantile(self, share: float) -> float:
        """The age that a `share` of all jobs outlasts."""
        return survival.quantile(self.curve, share)

    def plan(self, price: float) -> Plan:
        """When to ask, where a request is worth `price` seconds of waiting (above 0).

        Made when it is first asked for, and kept as long as the estimate stays the same.
        """
        step = round(math.log(price / _PRICE) / _PRICE_STEP)
        plan = self._plans.get(step)
        if plan is None:
            plan = self._plans[step] = Plan(self.curve, _PRICE * math.exp(step * _PRICE_STEP))
        return plan

    # --- the store

    def to_json(self) -> dict[str, Any]:
        """All that was learned, for the store."""
        return {"table": self._table.to_json(), "scores": dict(self._scores), "seen": self.seen}

    @classmethod
    def from_json(cls, typical: Typical, data: object) -> DurationModel:
        """What was learned before; starts over where the data are none, or of another grid."""
        learned = cls(typical)
        if not isinstance(data, dict):
            return learned
        seen, scores = amounts([data.get("seen")]), data.get("scores")
        if not seen or not learned._table.load(data.get("table")):
            return learned
        learned.seen = int(seen[0])
        learned._evidence = learned._table.weight
        if isinstance(scores, dict):
            known = {
                name: score for name, score in scores.items() if name in _PENALTY and isinstance(score, int | float)
            }
            learned._scores |= {
                name: float(score) for name, score in known.items() if -_SCORE_LIMIT < score < _SCORE_LIMIT
            }
        learned._fit()
        return learned
