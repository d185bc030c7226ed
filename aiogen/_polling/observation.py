"""What one job shows of its model's durations, and how the model learns it.  Pure.

Two spans of a job are learned: from its acceptance to its end, and, where the vendor reports that, from the beginning
of its processing to its end.  An answer never says when something happened, only between which two questions.
"""

from __future__ import annotations

import math

import attrs

from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.phases import PhaseModel

Interval = tuple[float, float]
"""Two moments between which something happened."""


def middle(interval: Interval) -> float:
    """Where something is taken to have happened that happened in the interval."""
    return (interval[0] + interval[1]) / 2.0


@attrs.frozen
class Observation:
    """A job of which no question will be asked any more: what its end teaches, if it has ended.

    Moments are seconds on the clock of the schedule.
    """

    phases: PhaseModel
    """Of its model."""
    began_at: float
    """When it was accepted; if it waited behind others at the vendor, when its turn came."""
    asked_at: float
    """The last moment at which it is known to have run."""
    processed: Interval | None
    """When its processing began; None if that was not seen, or only roughly."""
    durations: DurationModel
    """Which of the two duration models of `phases` its questions were planned by."""
    queued: Sight | None
    """By which the two duration models know it."""
    processing: Sight | None
    price: float
    """Seconds of waiting that a question about it was worth."""
    earliest_end: float = -math.inf
    """It cannot have ended before this moment, if its beginning was guessed right; -inf if that was no guess."""

    def is_too_early(self, now: float) -> bool:
        """True if an end that is seen now came so soon that the job must have begun before it was thought to."""
        return now < self.earliest_end

    def teach(self, now: float) -> None:
        """The job has ended, somewhere between the last answer and `now`."""
        since, until = self.asked_at, max(self.asked_at, now)
        whole = (since - self.began_at, until - self.began_at)
        if self.processed is not None:
            start = middle(self.processed)
            part = (max(0.0, since - start), until - start)
            known = max(0.0, self.processed[1] - start)
            if self.processing is not None:
                self.phases.compare(self.processing, (self.processed[1] - self.began_at, *whole), (known, *part))
                self.phases.processing.ended(self.processing, part[1])
        if self.queued is not None:
            self.phases.queued.ended(self.queued, whole[1])
