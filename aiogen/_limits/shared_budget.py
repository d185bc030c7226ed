"""This process's share of the requests that several processes on one ledger may send together.  Pure.

Requests are taken out of the common allowance in batches for a quarter second, and only as they are needed: a process
that has nothing to ask leaves all of it to the others.
"""

from __future__ import annotations

import math

_BATCH_SECONDS = 0.25
"""Seconds for which a batch lasts."""


class SharedBudget:
    """What was taken and not used yet.  It begins by asking once: others may be using the account already."""

    def __init__(self) -> None:
        self.is_shared = True
        """False while this process is alone: then its own window is all that counts."""
        self._left = 0
        self._from = -math.inf
        self._is_asking = False

    def at(self, now: float) -> float:
        """When the next request may be sent; `math.inf` if a batch has to be taken first."""
        if self.is_shared and self._left <= 0:
            return math.inf
        return max(now, self._from)

    def spend(self) -> None:
        """A request is sent.  Creates do not wait for a batch: the next one pays for them."""
        if self.is_shared:
            self._left -= 1

    def unspend(self) -> None:
        """Give back a request that was not sent after all."""
        if self.is_shared:
            self._left += 1

    def take(self, per_second: float) -> int:
        """Begin to take a batch out of the common allowance; its size, or 0 if one is under way, or not needed.

        This is no query: a batch that is asked for is not asked for twice, so the caller fetches it, and says so with
        `taken`.

        `per_second`: requests that the account is allowed now; above 0.
        """
        if self._is_asking or self._left > 0 or not self.is_shared:
            return 0
        self._is_asking = True
        return max(1, math.ceil(_BATCH_SECONDS * per_second)) - self._left

    def taken(self, count: int, at: float, *, alone: bool) -> None:
        """A batch was taken, to be used from the moment `at` on; `alone` if no other process shares the account."""
        self._is_asking = False
        self._left += count
        self._from = at
        self.is_shared = not alone
        if alone:
            self._left = 0
