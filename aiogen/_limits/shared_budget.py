"""This process's share of the requests that several processes on one ledger may send together.  Pure.

Requests are taken out of the common allowance in lots of a quarter second, and only as they are needed: who has
nothing to ask leaves all of it to the others.
"""

from __future__ import annotations

import math

_BATCH = 0.25
"""Seconds for which a lot lasts."""


class SharedBudget:
    """What was taken and not used yet.  It begins by asking once: others may be using the account already."""

    def __init__(self) -> None:
        self.is_shared = True
        """False while this process is alone: then its own window is all that counts."""
        self._left = 0
        self._from = -math.inf
        self._is_asking = False

    def at(self, now: float) -> float:
        """When the next request may be sent; `math.inf` if a lot has to be taken first."""
        if self.is_shared and self._left <= 0:
            return math.inf
        return max(now, self._from)

    def spend(self) -> None:
        """A request is sent.  Creates do not wait for a lot: the next one pays for them."""
        if self.is_shared:
            self._left -= 1

    def unspend(self) -> None:
        """It was not sent after all."""
        if self.is_shared:
            self._left += 1

    def take(self, per_second: float) -> int:
        """How many to take out of the common allowance now; 0 if that is under way, or not needed."""
        if self._is_asking or self._left > 0 or not self.is_shared:
            return 0
        self._is_asking = True
        return max(1, math.ceil(_BATCH * per_second)) - self._left

    def taken(self, count: int, at: float, *, alone: bool) -> None:
        """So many were taken, to be used from a moment on."""
        self._is_asking = False
        self._left += count
        self._from = at
        self.is_shared = not alone
        if alone:
            self._left = 0
