"""A model's jobs, polled by what aiogen has learned of them so far, without a loop, a server or a wait.

What is learned is only what a client can know: that a job still ran at one look and was over at the next.  The belief
is judged as it stands after so many ends, by the true cost of its plan for the next job.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from copy import deepcopy
from random import Random

import attrs

from aiogen._polling.durations import DurationModel
from aiogen.models import Typical
from benchmarks.distributions import Distribution
from benchmarks.optimum import Outcome, asked, outcome

TYPICAL = Typical(median=30.0, spread=0.45)
"""What the provider file says of uni-1, and so what is believed before the first job."""

SHIFT_AFTER = 100
"""Ends after which a model becomes twice as fast."""
SHIFT = 0.5


def judged(belief: DurationModel, price: float, truth: Distribution) -> Outcome:
    """What the present plan does for jobs as in `truth`."""
    return outcome(asked(belief.plan(price).next_age), truth)


def follow(belief: DurationModel, durations: Sequence[float], price: float, batch: int) -> Iterator[int]:
    """Run the jobs in batches, the next when the last is over; yields how many have ended, after each end."""
    ended = 0
    for first in range(0, len(durations), batch):
        for _ in _together(belief, durations[first : first + batch], price):
            ended += 1
            yield ended


def _together(belief: DurationModel, durations: Sequence[float], price: float) -> Iterator[None]:
    """Jobs that begin at one time.  Each look is planned by what was known at the look before, as in a session."""
    sights = [belief.begin() for _ in durations]
    looks = [(belief.plan(price).next_age(0.0), job) for job in range(len(durations))]
    heapq.heapify(looks)
    while looks:
        age, job = heapq.heappop(looks)
        if durations[job] > age:
            belief.runs(sights[job], age)
            _up_to_date(belief)
            heapq.heappush(looks, (belief.plan(price).next_age(age), job))
        else:
            belief.ended(sights[job], age)
            _up_to_date(belief)
            yield


def _up_to_date(belief: DurationModel) -> None:
    if belief.is_outdated:
        belief.fit()


@attrs.frozen(kw_only=True)
class Course:
    """One model learned from nothing: so many jobs, with chance fixed by the seed."""

    truth: Distribution
    price: float
    seed: int
    batch: int = 1
    """Jobs that begin together."""
    counts: tuple[int, ...] = (5, 20, 50, 200)
    """Ends after which the belief is judged; the last one ends the course."""
    shifted: tuple[int, ...] = ()
    """If any: after `SHIFT_AFTER` ends the model halves its durations (in a copy of the course), and so many ends
    later the belief is judged by the new durations."""


@attrs.frozen
class Findings:
    """The true outcome of the plan after so many ends."""

    steady: dict[int, Outcome]
    shifted: dict[int, Outcome]
    """By ends since the shift; 0 is the moment of the shift."""


def take(course: Course) -> Findings:
    """Go through one course."""
    chance = Random(course.seed)
    belief = DurationModel(TYPICAL)
    steady: dict[int, Outcome] = {}
    shifted: dict[int, Outcome] = {}
    durations = [course.truth.sample(chance) for _ in range(max(course.counts))]
    for ended in follow(belief, durations, course.price, course.batch):
        if ended in course.counts:
            steady[ended] = judged(belief, course.price, course.truth)
        if course.shifted and ended == SHIFT_AFTER:
            shifted = _after_shift(deepcopy(belief), course, chance)
        if len(steady) == len(course.counts):
            break
    return Findings(steady, shifted)


def _after_shift(belief: DurationModel, course: Course, chance: Random) -> dict[int, Outcome]:
    truth = course.truth.scaled(SHIFT)
    found = {0: judged(belief, course.price, truth)}
    durations = [truth.sample(chance) for _ in range(max(course.shifted))]
    for ended in follow(belief, durations, course.price, course.batch):
        if ended in course.shifted:
            found[ended] = judged(belief, course.price, truth)
    return found
