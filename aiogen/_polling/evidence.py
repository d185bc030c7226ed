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
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

import attrs

from aiogen._polling.survival import BINS, EDGES, SurvivalCurve

_FADING = 0.01
"""What a job counts less when one more has begun (the logarithm): about a hundred are remembered."""
_FADES_AT_MOST = 100
"""A cohort makes those before it fade as if it were of this number of jobs, at most."""
_TRACE = 1e-4
"""What counts less is forgotten altogether."""
_HUGE = 1e300
"""Nothing that was stored is so large."""

Place = tuple[tuple[int, float], ...]
"""An age, shared out between the two edges beside it."""


@attrs.define(eq=False)
class Cohort:
    """Jobs that began before the first of them had ended."""

    number: int
    opened_at: float
    """How much had faded when it was opened (the logarithm)."""
    begun: int = 0


@attrs.define(eq=False)
class Sight:
    """One job, as far as it was seen."""

    cohort: Cohort
    number: int = 0
    """In the order in which they began."""
    age: float = 0.0
    """It is known to have run at this age."""
    place: Place = ((0, 1.0),)
    counted_from: float = 0.0
    """What was known of it when the test for a change began."""
    test: int = 0
    """Which test that was."""


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

    def add(self, other: Counts) -> None:
        """Both together."""
        for pair, weight in other.ended.items():
            self.ended[pair] = self.ended.get(pair, 0.0) + weight
        for i, weight in other.running.items():
            self.running[i] = self.running.get(i, 0.0) + weight

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


class Evidence:
    """Of one model; `older` and `newer` are parted where the test for a change began."""

    def __init__(self) -> None:
        self.older, self.newer = Counts(), Counts()
        self._newer_from = 0
        """The first cohort that counts as newer."""
        self._faded = 0.0
        self._begun = 0
        self._latest = Cohort(0, 0.0)
        self._is_over = False
        """One of the latest cohort has ended: the next job begins another."""

    def begin(self) -> tuple[Sight, bool]:
        """A job begins; True if it opens a cohort."""
        opens = self._is_over
        if opens:
            self._open()
        cohort = self._latest
        cohort.begun += 1
        sight = Sight(cohort, self._begun)
        self._begun += 1
        self._counts(cohort).run(sight.place, 1.0)
        return sight, opens

    def _open(self) -> None:
        fading = _FADING * min(_FADES_AT_MOST, self._latest.begun)
        self.older.scale(math.exp(-fading))
        self.newer.scale(math.exp(-fading))
        self._faded += fading
        self._latest, self._is_over = Cohort(self._latest.number + 1, self._faded), False

    def weight(self, sight: Sight) -> float:
        """Of a job, where one that begins now has 1."""
        return math.exp(sight.cohort.opened_at - self._faded)

    def _counts(self, cohort: Cohort) -> Counts:
        return self.newer if cohort.number >= self._newer_from else self.older

    def is_newer(self, sight: Sight) -> bool:
        """True if it began after the test for a change did."""
        return sight.cohort.number >= self._newer_from

    def runs(self, sight: Sight, age: float) -> None:
        """It runs at this age."""
        counts, weight = self._counts(sight.cohort), self.weight(sight)
        counts.run(sight.place, -weight)
        sight.age, sight.place = age, place_of(age)
        counts.run(sight.place, weight)

    def ended(self, sight: Sight, until: float) -> None:
        """It ended after the age at which it was last seen, and not after this one."""
        counts, weight = self._counts(sight.cohort), self.weight(sight)
        counts.run(sight.place, -weight)
        counts.end(sight.place, place_of(until), weight)
        if sight.cohort is self._latest:
            self._is_over = True

    def together(self) -> Counts:
        """All that is known, as it is now."""
        counts = Counts()
        counts.add(self.older)
        counts.add(self.newer)
        return counts

    def mark(self) -> None:
        """What has begun until now counts as older."""
        self.older.add(self.newer)
        self.newer = Counts()
        self._newer_from = self._latest.number

    def forget_older(self) -> None:
        """Only what is newer is remembered."""
        self.older = Counts()

    def to_json(self) -> dict[str, Any]:
        """Sums, so that what two processes have learned can be added up."""
        counts = self.together()
        return {"ended": [[i, j, round(w, 6)] for (i, j), w in sorted(counts.ended.items())]}

    def load(self, data: Any) -> bool:
        """What was stored; False, and nothing changed, if it cannot be that."""
        rows = data.get("ended") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            return False
        counts = Counts()
        for row in rows:
            if not (isinstance(row, list) and len(row) == 3 and _is_pair(row) and 0.0 <= row[2] < _HUGE):
                return False
            counts.ended[row[0], row[1]] = float(row[2])
        self.older = counts
        return True


def _is_pair(row: Iterable[object]) -> bool:
    i, j, weight = row
    return isinstance(i, int) and isinstance(j, int) and 0 <= i < j <= BINS and isinstance(weight, int | float)
