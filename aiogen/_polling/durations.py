"""How long one model's generations take, learned from every answer.  Pure.

What is known of its jobs is kept as intervals (`evidence`), and several survival curves are fitted to them.  Each is
scored by how likely it makes what is known, and the estimate is their mean by score: a function of what is known, and
not of the order in which that came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

from aiogen._polling import families, fits, survival
from aiogen._polling.evidence import Cohort, Counts, Evidence, Sight, at_once
from aiogen._polling.likelihood import Likelihood
from aiogen._polling.merging import Share, Stored, stored_in
from aiogen._polling.plan import Plan
from aiogen._polling.survival import BINS, EDGES, SurvivalCurve
from aiogen.models import Typical

_PENALTY = {"curves": 2.0, "flat": 3.0, "two humps": 5.0, "wide": 0.7, "narrow": 0.7}
"""How much better (in the logarithm) a curve has to explain what is known than one without any parameter.

"curves" is the mean of the families.  The smoothed ones are scored by what they say of each job without that job.
"""
_CHANGES = (0.5, 0.7)
"""The factors by which a model's durations may suddenly change.  If they become longer, questions that find
generations running teach it soon enough: that costs some of these, and no time."""
_SETTLED = 10.0
"""With fewer ends there is nothing that could have changed."""
_THRESHOLD = 9.0
"""Of the test for a change: one false alarm in some thousand jobs (e to this power), if the estimate is right."""
_REFIT = 0.4
"""The curves are fitted again when this part of what was seen before has been seen since."""
_REFIT_AT_MOST = 40.0
_FIRST_ENDS = 10
"""Of these no more than the same part is waited for, however many ends were expected and not seen."""
_SURPRISE = 2.5
"""Or when the ends since then are this number of standard errors from what was expected."""
_MANY = 10
"""In a cohort of this number of jobs."""
_FEW_INTERVALS = 300
"""With no more the families are compared by the intervals themselves; or where nobody has reached the median yet."""
"""Or after this number of ends."""
_PRIORS_KEPT = 64
_PLANS_AT_MOST = 12
"""Plans of one estimate, for that many prices."""
_PLANS_KEPT = 2
"""Plans that are made again as soon as the estimate has changed: those that were asked for last."""
_PRICE, _PRICE_STEP = 0.15, 0.2
"""Prices are rounded to steps of the logarithm, from the default on: neighbours share one plan."""

_priors: dict[Typical, SurvivalCurve] = {}
"""What is expected before anything was seen; the same for all models with the same typical durations."""


def preparing(typical: Typical) -> Generator[None, None, None]:
    """Make what a new model needs, in steps, before it is needed."""
    if typical in _priors:
        return
    yield from families.preparing(typical)
    curve = yield from families.fitted(typical, [0.0] * BINS, [0.0] * BINS)
    if len(_priors) >= _PRIORS_KEPT:
        del _priors[next(iter(_priors))]
    _priors[typical] = survival.with_tail(curve)


def _prior(typical: Typical) -> SurvivalCurve:
    at_once(preparing(typical))
    return _priors[typical]


class DurationModel:
    """The durations of one model; ages in seconds."""

    def __init__(self, typical: Typical) -> None:
        """`typical`: what is expected before anything was seen."""
        self.typical = typical
        self._prior = _prior(typical)
        self._evidence = Evidence(self._prior)
        self._share = Share()
        self._unfitted = 0.0
        self._fitted_to = 0.0
        self._fitted_seen = 0
        """The number of ends that had been seen then."""
        self._expected = 0.0
        """Of those that have been seen since, how many were expected."""
        self._is_fitting = False
        self._is_restored = False
        """It was read from the store, and not fitted since."""
        self._flat: tuple[float, float] | None = None
        """The uniform of the last fit."""
        self._plans: dict[int, Plan] = {}
        self.plans_made = 0
        """The number of plans that were made when somebody needed them; those of a fit are steps of it."""
        self.seen = 0
        """The number of ends that have been seen in all."""
        self.curve: SurvivalCurve = self._prior
        """The estimate: the probability to last longer than each of `survival.EDGES`."""
        self.version = 0
        """Grows whenever the estimate changes."""
        self.alarms = 0

    # --- learning

    def begin(self) -> Sight:
        """A job begins; what is seen of it is reported with what this returns."""
        return self._evidence.begin(self.curve)

    def runs(self, sight: Sight, age: float) -> None:
        """The job runs at this age."""
        age = min(age, EDGES[-1])
        if age <= sight.age:
            return
        before = self.left(sight.age)
        self._count(sight, lambda curve, c: survival.at(curve, age / c))
        self._evidence.runs(sight, age)
        expected = math.log(max(1e-9, before) / max(1e-9, self.left(age)))
        self._learned(expected)  # ends that were expected and not seen
        self._expected += expected

    def ended(self, sight: Sight, until: float) -> None:
        """The job has ended, at an age that is not above this one."""
        since = min(sight.age, EDGES[-1] - 1e-3)
        until = min(max(until, since + 1e-3), EDGES[-1])
        self._count(sight, lambda curve, c: survival.at(curve, since / c) - survival.at(curve, until / c))
        before = self.left(sight.age)
        self._expected += math.log(max(1e-9, before) / max(1e-9, (before + self.left(until)) / 2.0))
        self._share.ended(sight.age, until, sight.cohort.opened_at)
        self._evidence.ended(sight, until)
        self.seen += 1
        self._look_for_change()
        self._learned(1.0)

    def weight(self, sight: Sight) -> float:
        """What a job still counts, where one that begins now counts 1."""
        return self._evidence.weight(sight.cohort)

    def _count(self, sight: Sight, likely: Callable[[SurvivalCurve, float], float]) -> None:
        """How much better does each change explain what is known of this job now, than what was known of it before?"""
        cohort, age = sight.cohort, sight.age
        if cohort.follows < _SETTLED:
            return
        own = _conditional(cohort.expected, likely, age, 1.0)
        for change in _CHANGES:
            step = _conditional(cohort.expected, likely, age, change) - own
            cohort.ahead[change] = cohort.ahead.get(change, 0.0) + step

    def _look_for_change(self) -> None:
        """Is there a cohort from which on a change explains much better what is known?  Page's test, by beginnings.

        Being too early is soon seen, being too late is not; so of two changes that explain the same the faster counts.
        """
        highest, found = _THRESHOLD, None
        for change in _CHANGES:
            ahead = 0.0
            for cohort in reversed(self._evidence.cohorts):
                if cohort.follows < _SETTLED:
                    break
                ahead += cohort.ahead.get(change, 0.0)
                if ahead > highest:
                    highest, found = ahead, (change, cohort)
        if found is not None:
            self._changed(*found)

    def _changed(self, change: float, first: Cohort) -> None:
        """Forget what began before the change, and spread the rest as a model would that has changed."""
        self.alarms += 1
        self._evidence.forget_before(first)
        self.curve = [survival.at(first.expected, edge / change) for edge in EDGES]
        for cohort in self._evidence.cohorts:
            cohort.expected, cohort.ahead, cohort.follows = self.curve, {}, 0.0
        remembered = self._evidence.together()
        self._share.forget(remembered, self._evidence.faded)
        self._fitted_to, self._unfitted = 0.0, remembered.ends
        self._flat = None
        self.version += 1
        self._plans.clear()

    def _learned(self, amount: float) -> None:
        self._unfitted += amount

    @property
    def is_outdated(self) -> bool:
        """True if enough has been seen since the last fit to fit again, and that is not under way."""
        if self._is_fitting:
            return False
        if self._unfitted >= max(0.5, min(_REFIT_AT_MOST, _REFIT * self._fitted_to)):
            return True
        if self._evidence.cohorts[-1].begun < _MANY:
            return False
        ends = self.seen - self._fitted_seen
        if self._fitted_seen < _FIRST_ENDS and ends >= max(1.0, _REFIT * self._fitted_seen):
            return True
        return abs(ends - self._expected) > _SURPRISE * math.sqrt(self._expected + 1.0)

    def fit(self) -> None:
        """Bring the estimate up to date, at once."""
        at_once(self.fitting())

    def fitting(self) -> Generator[None, None, None]:
        """The same in steps, each of them less than a millisecond or two; what is seen meanwhile waits for the next.

        It is under way from this call on, so that it is not begun twice.
        """
        self._is_fitting = True
        return self._steps()

    def _steps(self) -> Generator[None, None, None]:
        try:
            self._fitted_to += self._unfitted
            self._unfitted = 0.0
            self._fitted_seen = self.seen
            self._expected = 0.0
            alarms = self.alarms
            counts = yield from self._evidence.gathering()
            yield
            curve = yield from self._mean(counts)
            if alarms == self.alarms:  # else it is of jobs that are forgotten
                self.curve = curve
                self.version += 1
                if self._is_restored:
                    self._evidence.cohorts[-1].expected = curve
                    self._is_restored = False
                steps, self._plans = list(self._plans), {}
                for step in steps[-_PLANS_KEPT:]:  # before anybody needs them
                    yield
                    self._plan(step)
        finally:
            self._is_fitting = False

    def _mean(self, counts: Counts) -> Generator[None, None, SurvivalCurve]:
        likelihood = Likelihood(counts)
        yield
        curves = yield from self._fitted(counts, likelihood)
        scores = {}
        for name, (curve, width) in curves.items():
            score = likelihood.without_itself(curve, width) if width > 0.0 else likelihood.of(curve)
            scores[name] = score - _PENALTY[name]
            yield
        best = max(scores.values())
        odds = {name: math.exp(score - best) for name, score in scores.items()}
        total = sum(odds.values())
        return survival.mixed([(odds[name] / total, curves[name][0]) for name in odds if odds[name] > 1e-4])

    def _fitted(
        self, counts: Counts, likelihood: Likelihood
    ) -> Generator[None, None, dict[str, tuple[SurvivalCurve, float]]]:
        """Each curve, and the width over which a job was spread for it; 0 if it was not."""
        ends, exposure = counts.spread(self.curve)
        yield
        seen, count = _seen(ends, exposure, self._prior), sum(ends)
        yield
        median = survival.quantile(seen, 0.5)
        if len(counts.ended) <= _FEW_INTERVALS or exposure[survival.bin_of(median)] < 1.0:
            curve = yield from families.fitted_to(self.typical, counts)
        else:
            curve = yield from families.fitted(self.typical, ends, exposure, median)
        curves: dict[str, tuple[SurvivalCurve | None, float]] = {"curves": (curve, 0.0)}
        if count > 3.5:  # of whole ends, and no rounding decides
            yield
            spread, narrowing = fits.spread_of(seen), count**-0.2
            wide, narrow = max(0.02, 0.9 * spread * narrowing), max(0.05, 0.3 * spread * narrowing)
            yield
            curves["wide"] = (yield from fits.smoothed(seen, wide)), wide
            yield
            curves["narrow"] = (yield from fits.smoothed(seen, narrow)), narrow
            yield
            self._flat = yield from fits.flat(seen, likelihood.with_tail, self._flat)
            curves["flat"] = fits.uniform(*self._flat), 0.0
            humps = yield from fits.two_humps(seen, count)
            curves["two humps"] = humps, 0.0
        return {
            name: (survival.with_tail(curve), width) for name, (curve, width) in curves.items() if curve is not None
        }

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
            plan = self._plan(step)
            self.plans_made += 1
        return plan

    def _plan(self, step: int) -> Plan:
        if len(self._plans) >= _PLANS_AT_MOST:
            del self._plans[next(iter(self._plans))]
        plan = self._plans[step] = Plan(self.curve, _PRICE * math.exp(step * _PRICE_STEP))
        return plan

    # --- the store

    def to_json(self) -> dict[str, Any]:
        """All that was learned, for the store."""
        return at_once(self.storing())

    def storing(self) -> Generator[None, None, dict[str, Any]]:
        """Make what goes into the store, in steps."""
        seen = self.seen
        evidence = yield from self._evidence.storing()
        return {"evidence": evidence, "seen": seen}

    @classmethod
    def from_json(cls, typical: Typical, data: object) -> DurationModel:
        """What was learned before, fitted; starts over where the data cannot be that."""
        learned = cls(typical)
        if learned.restore(data):
            learned.fit()
        return learned

    def restore(self, data: object) -> bool:
        """Take what was learned before, to be fitted next; False, and nothing changed, if the data cannot be that."""
        stored = at_once(stored_in(data))
        if stored is None:
            return False
        self._share.begin(stored)
        self._evidence.begin_with(stored.counts)
        self.seen = stored.seen
        self._unfitted = stored.counts.ends
        self._is_restored = True
        return True

    def merging(self, data: object) -> Generator[None, None, bool]:
        """Take up what others have written since it was read or written here, in steps; to be fitted next.

        False if it cannot be read: then all that is known here is to be written.
        """
        stored: Stored | None = yield from stored_in(data)
        if stored is None:
            self._share.begin_again(self._evidence.together(), self.seen, self._evidence.faded)
            return False
        news = yield from self._share.merging(stored)
        counts = news.counts
        if news.is_all:
            counts = self._share.without(self._evidence.of_cohorts(), counts, self._evidence.faded)
        self._evidence.take_in(counts, news.fading)
        self.seen += news.seen
        self._fitted_seen += news.seen  # no surprises: another process has seen them
        self._unfitted += counts.ends
        return True

    @property
    def unwritten(self) -> int:
        """The number of ends seen here that are not in the store yet."""
        return self._share.unwritten

    @property
    def seen_here(self) -> int:
        """The number of ends seen here, by this process."""
        return self._share.seen_here

    def sharing(self) -> Generator[None, None, dict[str, Any]]:
        """What is to stand in the store now, in steps: what stood there, and what was seen here since."""
        return (yield from self._share.storing(self._evidence.faded))

    def shared(self, is_written: bool) -> None:
        """Whether what `sharing` said stands in the store now."""
        self._share.stored(is_written)


def _conditional(
    expected: SurvivalCurve, likely: Callable[[SurvivalCurve, float], float], age: float, change: float
) -> float:
    """How likely is what was seen of a job that was known to run at `age`, if durations have changed by a factor?"""
    return math.log(max(likely(expected, change), 1e-6) / max(survival.at(expected, age / change), 1e-6))


def _seen(ends: list[float], exposure: list[float], prior: SurvivalCurve) -> SurvivalCurve:
    """By ends and exposure, with a touch of the prior where little has been seen."""
    curve = [1.0]
    for i in range(BINS):
        hazard = math.log(prior[i] / prior[i + 1])
        touch = 0.25 * prior[i]
        curve.append(curve[-1] * math.exp(-(ends[i] + hazard * touch) / (exposure[i] + touch)))
    return curve
