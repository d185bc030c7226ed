"""What the schedule does where its account's budget allows fewer questions than it has planned.  Pure.

If each job simply waited its turn, the jobs whose questions are worth most would wait as long as the others.  So
questions become dearer for all until they fit: then each plan asks more rarely, and leaves out what is worth least.
"""

from __future__ import annotations

import math

_MOST = 100.0
_BUSY = 0.05
"""A question may be late by this time (seconds) because the program was busy for a moment: that is no shortage."""
_GAIN = 0.5
"""How fast the common price follows, in the time that is planned from this question to the next about the same job."""
_LATE = 0.1
"""Questions that are late by more than this part of that time are too many."""
_RELAX = 0.25
"""Where they are not late, the price falls as fast as if they were early by this part."""


class Backpressure:
    """One account's."""

    def __init__(self) -> None:
        self.value = 1.0
        """How much further apart than planned the budget puts two questions, from 1 to 100.

        The price of a question goes with its square, as the distance of two goes with the square root of the price.
        """
        self._asked_at = -math.inf

    def asked(self, now: float, *, ready_at: float, pace: float) -> None:
        """A question is asked now that could have been asked at `ready_at`.

        `pace`: seconds that are planned from it to the next about the same job; above 0.
        """
        elapsed, self._asked_at = now - self._asked_at, now
        late = (now - ready_at - _BUSY) / pace
        step = min(late, 1.0) if late > _LATE else -_RELAX
        self.value = min(_MOST, max(1.0, self.value * math.exp(_GAIN * min(1.0, elapsed / pace) * step)))
