"""Every deadline of a session, in one timer queue."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs

from aiogen._engine.job import Job
from aiogen._limits.window import Window
from aiogen._polling.timers import TimerQueue


@attrs.frozen(eq=False)
class Place:
    """A create without an answer: it may hold its place at the vendor for a while."""

    window: Window
    weight: int


@attrs.frozen
class LastLook:
    """Shortly before a job's deadline it is asked about once more: what is done in time is not called late."""

    job: Job


class Deadlines:
    """When something is too late, or may be forgotten; moments on the session's steady clock."""

    def __init__(self) -> None:
        self._timers: TimerQueue[Job | Place | tuple[Job]] = TimerQueue()
        """A tuple is a last look: of thousands of keys it matters how fast they are found."""

    def jobs(self) -> list[Job]:
        """Every job that has a deadline."""
        return [key for key in self._timers.all() if isinstance(key, Job)]

    def put(self, due: Job | Place, when: float) -> None:
        """Its moment is `when`, whatever it was before."""
        self._timers.put(due, when)

    def put_with_last_look(self, job: Job, now: float, within: float | None = None) -> None:
        """Its deadline is its own timeout from now, or `within` seconds if less of it is left.

        Between half a second and two before that it is asked about.
        """
        within = job.timeout if within is None else within
        self._timers.put(job, now + within)
        self._timers.put((job,), now + within - _before(within))

    def put_off(self, job: Job, now: float, seconds: float = 0.0) -> None:
        """It is asked about so many seconds from now, and its deadline comes as long after that as it always does."""
        look_at = now + seconds
        self._timers.put(job, max(self._timers.moment(job) or 0.0, look_at + _before(job.timeout)))
        if seconds:
            self._timers.put((job,), look_at)

    def drop(self, job: Job) -> None:
        """Remove a job that is over."""
        self._timers.drop(job)
        self._timers.drop((job,))

    def earliest(self, jobs: Iterable[Job]) -> float:
        """The first deadline of these; infinite if none has one."""
        return min((when for job in jobs if (when := self._timers.moment(job)) is not None), default=math.inf)

    def pop(self, now: float) -> Job | Place | LastLook | None:
        """Take out the earliest that has passed."""
        due = self._timers.pop(now)
        return LastLook(due[0]) if isinstance(due, tuple) else due

    def next_at(self) -> float:
        """The next moment; infinite if there is none."""
        when = self._timers.wake_at()
        return math.inf if when is None else when


def _before(within: float) -> float:
    """Seconds from the last look to a deadline."""
    return min(2.0, max(0.5, 0.1 * within), within / 2.0)
