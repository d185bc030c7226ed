"""What one scope may have of an account while others use it, too.  Pure.

A scope that asks for much would take every place at the moment at which it becomes free, and later scopes would wait
for an end.  So the last places of an account, and the last creates of its minute, are for scopes that have less than
their equal share: a tenth, and at least one.  That holds while more than one scope was seen within the last minute; a
scope that is alone has all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import attrs

SEEN_FOR = 60.0
"""Seconds after its last job for which a scope counts as one that uses the account."""
_FEWEST = 4
"""Units from which on some are kept: of three it would be a third of what one scope alone may have."""


class ScopeWait(float):
    """Seconds to wait that concern the scope of a job alone: creates of other scopes may go."""


def kept(limit: float) -> int:
    """How many units of so many are kept; none where there is no limit."""
    return max(1, int(limit) // 10) if _FEWEST <= limit < math.inf else 0


@attrs.frozen
class Share:
    """What the scope of a create has of an account's places, or of the creates of its minute; in units."""

    limit: float
    """What all may have together."""
    left: float
    """What is left, should this create be sent."""
    used: float
    """What its scope has, without this create."""

    @property
    def may_matter(self) -> bool:
        """False if the create may be sent however many scopes there are."""
        return self.left < kept(self.limit) and self.used > 0

    def is_for_others(self, weight: int, scopes: int) -> bool:
        """True if what is left is for other scopes.

        Args:
            weight: units of the create.
            scopes: how many use the account, its own included.
        """
        return scopes > 1 and self.may_matter and not self.is_within(weight, scopes)

    def is_within(self, weight: int, scopes: int) -> bool:
        """True if its scope has no more than an equal share, this create included; one it may always have."""
        return self.used <= 0 or self.used + weight <= self.limit / scopes


class Scopes:
    """Which scopes used one account within the last minute."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        """When each was seen last; the one that was not seen for longest first."""
        self._latest = -math.inf

    def saw(self, scopes: Iterable[str], now: float) -> None:
        """These have something waiting or running, or had until now."""
        if now < self._latest:  # the clock was set back: what was seen later than now would count for too long
            self._seen.clear()
        self._latest = now
        for scope in scopes:
            self._seen.pop(scope, None)
            self._seen[scope] = now

    def seen(self, now: float) -> Collection[str]:
        """Those of the last minute."""
        while self._seen and (oldest := next(iter(self._seen.items())))[1] + SEEN_FOR <= now:
            del self._seen[oldest[0]]
        return self._seen.keys()

    def next_change(self) -> float:
        """When the first of them is no longer counted, unless it is seen again; `math.inf` if there is none."""
        return next(iter(self._seen.values()), math.inf) + SEEN_FOR


class ScopesSeen:
    """The same for each account of a ledger, as one worker remembers it."""

    def __init__(self) -> None:
        self._accounts: dict[str, Scopes] = {}

    def count(self, account: str, scopes: Iterable[str], now: float) -> int:
        """How many use it, with those that have something there now."""
        found = self._accounts.setdefault(account, Scopes())
        found.saw(scopes, now)
        return len(found.seen(now))
