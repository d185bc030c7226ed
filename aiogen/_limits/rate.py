"""An allowance per minute.  Pure."""

from __future__ import annotations

import math

import attrs

_MARGIN = 0.96
"""Requests keep an even distance, a little below the limit: the vendor counts when they arrive, not when they leave."""
_TOGETHER = 0.002
"""Seconds: requests that are due within these are not kept apart."""


@attrs.define
class Rate:
    """An allowance per minute that is cut by refusals and grows back; GCRA with a small burst."""

    per_minute: float
    """The configured ceiling."""
    burst: float
    current: float = attrs.field(default=attrs.Factory(lambda self: self.per_minute, takes_self=True))
    _due: float = attrs.field(init=False, default=-math.inf)
    """Theoretical arrival time of the next request, were they evenly spaced."""

    def at(self, now: float) -> float:
        """When one more request fits."""
        return max(now, self._due - (self.burst - 1.0) * 60.0 / self.current)

    def spend(self, now: float) -> None:
        """One request is sent now."""
        self._due = max(self._due, now) + 60.0 / self.current

    def unspend(self) -> None:
        """One that was to be sent is not."""
        self._due -= 60.0 / self.current

    def cut(self, now: float) -> None:
        """Halve, down to a thirty-second of the ceiling.  What was spent in a burst before is not held against it."""
        self.current = max(self.current / 2.0, self.per_minute / 32.0)
        self._due = min(self._due, now + 60.0 / self.current)

    def grow(self, step: float) -> None:
        """One step back towards the ceiling."""
        self.current = min(self.per_minute, self.current + step)


def request_rate(per_minute: float) -> Rate:
    """For requests of any kind, of which the vendor allows `per_minute`.

    Some may go at once where their distance would be felt, hardly any at thousands a minute: a vendor with a limit that
    high may count by the second.  Where the distance is far below what a timer can keep, those of two milliseconds go
    together: to wake for each of them would only cost the program its time.
    """
    burst = max(2.0, min(10.0, 6000.0 / per_minute), _TOGETHER * per_minute / 60.0)
    return Rate(per_minute=per_minute * _MARGIN, burst=burst)
