"""One job of a simulation, as both sides know it."""

from __future__ import annotations

import math

import attrs

from aiogen.exchange import Submission


@attrs.define(eq=False)
class Job:
    """One job, at both sides; moments are seconds on the simulation's clock."""

    handed_in_at: float
    seconds: float
    """From its beginning at the vendor to its end."""
    queued: float = 0.0
    """Seconds from its acceptance to its beginning."""
    model: int = 0
    """Which of the duration models it is of."""
    is_later: bool = False
    """It began after the model had changed."""
    timeout: float = math.inf
    """Seconds from its acceptance to its deadline."""
    poll_cost: float = 0.15
    id: str = ""
    done: bool = False
    submission: Submission | None = None
    accepted_at: float = math.nan
    begun_at: float = math.nan
    ended_at: float = math.nan
    found_at: float = math.nan
    questions: float = 0.0
    """About this job alone 1; of a page that answers for several its part."""

    @property
    def lag(self) -> float:
        """Seconds from its end until it is known."""
        return self.found_at - self.ended_at


@attrs.define
class Meter:
    """The CPU of one kind of call, in seconds."""

    total: float = 0.0
    longest: float = 0.0
    calls: int = 0

    def add(self, seconds: float) -> None:
        """One more call."""
        self.total += seconds
        self.longest = max(self.longest, seconds)
        self.calls += 1
