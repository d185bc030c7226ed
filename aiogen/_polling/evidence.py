"""What is known of the jobs of one model: of each one interval of ages, however often it was asked about.  Pure.

An answer says an interval, never a moment: "not at the last question, over at this one".  A job that runs has an
interval, too, without an upper end: in a batch the short ones end first, and an estimate from ends alone would be too
short for a long time.  As each job counts once, by all that is known of it, the order in which answers came is no part
of it.

Jobs fade by when they began, not by when they ended.  Those that began before the first of them had ended are one
cohort, and have one weight: whatever is forgotten, it is the short and the long ones of a batch alike.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator, Iterable
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import attrs

from aiogen._polling.survival import BINS, EDGES, SurvivalCurve

_FADING = 0.01
"""What a job counts less when one more has begun (the logarithm): about a hundred are remembered."""
_FADES_AT_MOST = 100
"""A cohort makes those before it fade as if it were of this number of jobs, at most."""
_APART = 60
"""The number of cohorts that are kept apart."""
_TRACE = 1e-4
"""What counts less is forgotten altogether."""
ADDED_AT_ONCE = 1000
"""Weights that are added up in one step, which takes a quarter of a millisecond."""
_HUGE = 1e300
"""Nothing that was stored is so large."""

T = TypeVar("T")
Place = tuple[tuple[int, float], ...]
"""An age, shared out between the two edges beside it."""


def at_once(steps: Generator[None, None, T]) -> T:
    """All steps together."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def place_of(age: float) -> Place:
    """By linear interpolation, so that nothing is rounded on the average."""
    if age >= EDGES[-1]:
        return ((BINS, 1.0),)
    i = bisect_right(EDGES, age) - 1
    share = (age - EDGES[i]) / (EDGES[i + 1] - EDGES[i])
    return ((i, 1.0),) if share <= 0.0 else ((i, 1.0 - share), (i + 1, share))


class Counts:
    """Weights of jobs by their intervals, between edges of the grid."""

    def __init__(self) -> None:
        self.ended: dict[tuple[int, int], float] = {}
        self.running: dict[int, float] = {}

    def run(self, place: Place, weight: float) -> None:
        """A job ran at this age; negative to take it back."""
        for i, share in place:
            left = self.running.get(i, 0.0) + share * weight
            if left > 1e-9:
                self.running[i] = left
            else:
                self.running.pop(i, None)

    def end(self, since: Place, until: Place, weight: float) -> None:
        """A job ended between these ages."""
        for i, a in since:
            for j, b in until:
                pair = (i, j) if j > i else (min(i, BINS - 1), min(i, BINS - 1) + 1)
                self.ended[pair] = self.ended.get(pair, 0.0) + a * b * weight

    def scale(self, factor: float) -> None:
        """All of it counts so much less."""
        self.ended = {k: v * factor for k, v in self.ended.items() if v * factor > _TRACE}
        self.running = {k: v * factor for k, v in self.running.items() if v * factor > _TRACE}

    def add(self, other: Counts, factor: float = 1.0) -> None:
        """Both together, the other with so much less weight."""
        for pair, weight in other.ended.items():
            self.ended[pair] = self.ended.get(pair, 0.0) + factor * weight
        for i, weight in other.running.items():
            self.running[i] = self.running.get(i, 0.0) + factor * weight

    @property
    def ends(self) -> float:
        """The number of ends."""
        return sum(self.ended.values())

    def spread(self, curve: SurvivalCurve) -> tuple[list[float], list[float]]:
        """Ends and exposure per bin, each end spread over its interval as the curve has it."""
        masses = [max(a - b, 1e-12) for a, b in pairwise(curve)]
        upto = [0.0, *accumulate(masses)]
        rates = [0.0] * (BINS + 1)
        """How much more of its mass each bin gets than the one before."""
        for (i, j), weight in self.ended.items():
            rate = weight / (upto[j] - upto[i])
            rates[i] += rate
            rates[j] -= rate
        ends = [max(0.0, rate) * mass for rate, mass in zip(accumulate(rates), masses, strict=False)]
        left = sum(self.running.values()) + sum(ends)
        exposure = []
        for k, ended in enumerate(ends):
            left -= self.running.get(k, 0.0)
            exposure.append(max(0.0, left - ended / 2.0))
            left -= ended
        return ends, exposure


@attrs.define(eq=False)
class Cohort:
    """Jobs that began before the first of them had ended."""

    opened_at: float
    """How much had faded when it was opened (the logarithm)."""
    expected: SurvivalCurve
    """The estimate when it was opened, by which the test for a change goes."""
    counts: Counts
    ahead: dict[float, float] = attrs.field(factory=dict)
    """For each change how much better it explains these jobs than what was expected (the logarithm)."""
    follows: float = 0.0
    """The number of ends that were remembered when it was opened."""
    begun: int = 0
    is_over: bool = False
    """One of them has ended: the next job begins another cohort."""


@attrs.define(eq=False)
class Sight:
    """One job, as far as it was seen."""

    cohort: Cohort
    number: int = 0
    """In the order in which they began."""
    age: float = 0.0
    """It is known to have run at this age."""
    place: Place = ((0, 1.0),)


class Evidence:
    """Of one model.  Jobs of the latest cohorts are kept apart, so that those before any of them can be forgotten."""

    def __init__(self, expected: SurvivalCurve) -> None:
        """`expected`: the estimate before anything was seen."""
        self._before, self._before_at = Counts(), 0.0
        """Of cohorts that are kept apart no longer, and how much had faded when the last of them was opened."""
        self._faded = 0.0
        self._ends = 0.0
        """The number of ends that are remembered."""
        self._begun = 0
        self.cohorts = [Cohort(0.0, expected, Counts())]
        """The latest, one at least."""

    def begin(self, expected: SurvivalCurve) -> Sight:
        """A job begins; `expected`: the estimate now."""
        if self.cohorts[-1].is_over:
            self._open(expected)
        cohort = self.cohorts[-1]
        cohort.begun += 1
        sight = Sight(cohort, self._begun)
        self._begun += 1
        cohort.counts.run(sight.place, 1.0)
        return sight

    def _open(self, expected: SurvivalCurve) -> None:
        fading = _FADING * min(_FADES_AT_MOST, self.cohorts[-1].begun)
        self._faded += fading
        self._ends *= math.exp(-fading)
        self.cohorts.append(Cohort(self._faded, expected, Counts(), follows=self._ends))
        if len(self.cohorts) > _APART:
            oldest = self.cohorts.pop(0)
            at = max(self._before_at, oldest.opened_at)
            self._before.scale(math.exp(self._before_at - at))
            self._before.add(oldest.counts, math.exp(oldest.opened_at - at))
            self._before_at, oldest.counts = at, self._before

    def weight(self, cohort: Cohort) -> float:
        """The weight of each of its jobs, where one that begins now has 1."""
        return math.exp(cohort.opened_at - self._faded)

    def _own_weight(self, sight: Sight) -> float:
        """In the counts that its cohort is in."""
        if sight.cohort.counts is self._before:
            return math.exp(sight.cohort.opened_at - self._before_at)
        return 1.0

    def runs(self, sight: Sight, age: float) -> None:
        """It runs at this age."""
        counts, weight = sight.cohort.counts, self._own_weight(sight)
        counts.run(sight.place, -weight)
        sight.age, sight.place = age, place_of(age)
        counts.run(sight.place, weight)

    def ended(self, sight: Sight, until: float) -> None:
        """It ended after the age at which it was last seen, and not after this one."""
        counts, weight = sight.cohort.counts, self._own_weight(sight)
        counts.run(sight.place, -weight)
        counts.end(sight.place, place_of(until), weight)
        sight.cohort.is_over = True
        self._ends += self.weight(sight.cohort)

    def together(self) -> Counts:
        """All that is known, as it is now."""
        return at_once(self.gathering())

    def gathering(self) -> Generator[None, None, Counts]:
        """The same in steps; of what changes meanwhile each job is in it once, as it was before or after."""
        # Not the cohorts, for one that is kept apart no longer shares the counts of those before it.
        parts = [(cohort.counts, self.weight(cohort)) for cohort in self.cohorts]
        found = Counts()
        found.add(self._before, math.exp(self._before_at - self._faded))
        looked_at = len(self._before.ended)
        for counts, weight in parts:
            if looked_at > ADDED_AT_ONCE:
                yield
                looked_at = 0
            found.add(counts, weight)
            looked_at += len(counts.ended) + len(counts.running)
        return found

    def forget_before(self, first: Cohort) -> None:
        """Only this cohort and later ones are remembered; nor does it count what becomes of jobs before it."""
        forgotten = self.cohorts.index(first)
        self._before = Counts()
        self.cohorts = self.cohorts[forgotten:]
        self._ends = self.together().ends

    @property
    def faded(self) -> float:
        """How much has faded since the beginning, for the jobs that began here (the logarithm)."""
        return self._faded

    def of_cohorts(self) -> Counts:
        """What is known of the jobs that began here lately, with the weights of now."""
        found = Counts()
        for cohort in self.cohorts:
            found.add(cohort.counts, self.weight(cohort))
        return found

    def take_in(self, others: Counts, fading: float) -> None:
        """What others have learned, of whose jobs no cohort is known; what is known from before fades for them."""
        before = self._before
        before.scale(math.exp(self._before_at - self._faded))
        self._before_at = self._faded
        self._ends += others.ends - before.ends * (1.0 - math.exp(-fading))
        before.ended = {pair: weight * math.exp(-fading) for pair, weight in before.ended.items()}
        before.add(others)

    def to_json(self) -> dict[str, Any]:
        """Sums, so that what two processes have learned can be added up."""
        return at_once(self.storing())

    def storing(self) -> Generator[None, None, dict[str, Any]]:
        """Make what goes into the store, in steps."""
        counts = yield from self.gathering()
        yield
        return {"ended": (yield from rows_of(counts))}

    def load(self, data: Any) -> bool:
        """What was stored; False, and nothing changed, if it cannot be that."""
        counts = at_once(reading(data))
        if counts is not None:
            self.begin_with(counts)
        return counts is not None

    def begin_with(self, counts: Counts) -> None:
        """Begin with what the store holds, before anything is seen here."""
        self._before, self._before_at = Counts(), self._faded
        self._before.add(counts)
        self._ends = self.cohorts[-1].follows = counts.ends


def rows_of(counts: Counts) -> Generator[None, None, list[list[float]]]:
    """The ends as they are stored, in steps."""
    pairs = sorted(counts.ended)
    rows: list[list[float]] = []
    for k in range(0, len(pairs), ADDED_AT_ONCE):
        yield
        rows += [[*pair, round(counts.ended[pair], 6)] for pair in pairs[k : k + ADDED_AT_ONCE]]
    return rows


def reading(data: Any) -> Generator[None, None, Counts | None]:
    """What was stored, in steps; None if it cannot be that."""
    rows = data.get("ended") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        return None
    counts = Counts()
    for i, row in enumerate(rows, 1):
        if not (isinstance(row, list) and len(row) == 3 and _is_pair(row) and 0.0 <= row[2] < _HUGE):
            return None
        counts.ended[row[0], row[1]] = float(row[2])
        if i % ADDED_AT_ONCE == 0:
            yield
    return counts


def _is_pair(row: Iterable[object]) -> bool:
    i, j, weight = row
    return isinstance(i, int) and isinstance(j, int) and 0 <= i < j <= BINS and isinstance(weight, int | float)
