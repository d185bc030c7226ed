"""Early questions about the jobs of a model that nobody knows yet: whose is next, at which age, and how many.  Pure.

The first jobs are asked about at a few ages of their own (`Question.early_look`).  Where there are many more, these
take turns, one question at a time and each at a higher age than the one before: all of them learn from every answer.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import attrs

K = TypeVar("K", bound=Hashable)

MANY = 10
"""With this number of jobs of a model that is not known some are asked about early, for the others to learn from."""
HUNDREDS = 100
"""From this number on they are looked at also later, whenever a while goes by without any question."""
FIRST_JOBS = 2
"""Of a model that is not known this number of jobs are asked about at once: the others learn from the answers."""
WAIT = 1.0
"""But the others wait no longer than this for it (seconds)."""
_FIRST_AGE = 0.5
"""The age of the first early look."""
_STEP = 3.5
"""From one early look to the next: this factor times the root of price and age (Keller's rule for a hazard that falls
with the age), for one job."""
_POWER = 0.6
"""And for n jobs it is divided by n to this power: between the root, for durations that are all alike, and none."""
_BURST = 0.4
"""With the first ends this factor times the root of n are looked at without a pause: are they the first, or many?"""
_TRIED = 5
"""Jobs that are tried in one call, until one is found that can be asked about early."""


@attrs.define(eq=False)
class Probes(Generic[K]):
    """The early looks at the jobs of one model."""

    key: K | None = None
    """The job whose next question is an early look."""
    age: float = 0.0
    """The highest age of an early look, or of any other question."""
    burst: int = 0
    """The number of early looks that still follow at once, for an end was seen."""
    _waiting: deque[K] = attrs.field(factory=deque)
    """The other jobs that may be asked about early, in their turn."""
    _unmarked: int = FIRST_JOBS
    """The number of the first jobs that are still to come."""

    @property
    def count(self) -> int:
        """The number of jobs that may be asked about early."""
        return len(self._waiting) + (self.key is not None)

    def mark(self) -> bool:
        """Count a job that comes; true if it is one of the first."""
        self._unmarked -= 1
        return self._unmarked >= 0

    def add(self, key: K) -> None:
        """A job waits for its turn."""
        self._waiting.append(key)

    def candidates(self) -> Iterator[K]:
        """The next few, each taken out; who cannot be asked about early now, and may later, is added again."""
        for _ in range(min(_TRIED, len(self._waiting))):
            yield self._waiting.popleft()

    def choose(self, key: K, age: float) -> None:
        """The next early look is at this job, at this age."""
        self.key, self.age = key, age
        self.burst = max(0, self.burst - 1)

    def reached(self, age: float) -> None:
        """A job of this age is asked about, for whatever reason."""
        self.age = max(self.age, age)

    def followed_at_once(self, key: K) -> bool:
        """True if this is the job that is looked at, and the next look does not wait for its answer."""
        return key == self.key and self.burst > 0

    def drop(self, key: K) -> bool:
        """True if this was the job to be looked at; it is not any more."""
        if self.key != key:
            return False
        self.key = None
        return True

    def next_age(self, price: float, learners: int) -> float:
        """The age of the next early look: the more jobs learn from it, the closer they follow each other."""
        if self.burst:
            return self.age
        step = _STEP * math.sqrt(price * self.age) / math.pow(max(1, learners), _POWER)
        return max(_FIRST_AGE, self.age + step)

    def has_ended(self, learners: int) -> None:
        """One of the jobs of a model that is not known: what has become of the others?"""
        if not self.burst and learners >= MANY:
            self.burst = round(_BURST * math.sqrt(learners))
