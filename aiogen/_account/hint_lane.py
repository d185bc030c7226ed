"""The hints of one account, on their way to the session: bounded in number and rate.  Pure: the time is an argument."""

from __future__ import annotations

import math

from aiogen._limits.rate import Rate

SHARE = 0.1
"""Of an account's requests, for questions that hints bring forward."""
_LOOKS_PER_MINUTE, _LOOKS_AT_ONCE = 600.0, 20.0
"""Ids that nobody follows here: each is a read of the ledger."""
_MOST_WAITING = 1000
_AGAIN_AFTER = 5.0
"""Seconds after which an id that nobody followed is tried once more: its create may have been under way in another
process."""

Key = tuple[str, str, bool]
"""A connection's name, the vendor's id, and whether the vendor has proved that it is the one who says so."""


class Lane:
    """First come, first served; one id waits once, however often it is put in."""

    def __init__(self, requests_per_minute: float) -> None:
        """`requests_per_minute`: what the account allows."""
        most = SHARE * requests_per_minute
        at_once = max(1.0, most / 10.0)
        self._hints = Rate(per_minute=max(most - at_once, most / 2.0), burst=at_once)  # so no minute has more than most
        self._looks = Rate(per_minute=_LOOKS_PER_MINUTE, burst=_LOOKS_AT_ONCE)
        self._waiting: dict[Key, bool] = {}  # whether it is tried for the second time
        self._early: dict[Key, float] = {}  # when it is tried again, soonest first

    def __len__(self) -> int:
        return len(self._waiting) + len(self._early)

    def put(self, key: Key) -> bool:
        """A hint has come; False if too many wait."""
        if key in self._waiting:
            return True
        if len(self._waiting) >= _MOST_WAITING:
            return False
        # One that is to be tried again comes once more: it is new, and counts as such.
        self._early.pop(key, None)
        self._waiting[key] = False
        return True

    def at(self, now: float) -> float:
        """When the next one may be given; `math.inf` if there is none."""
        waiting = now if self._waiting else next(iter(self._early.values()), math.inf)
        return max(waiting, self._hints.at(now), self._looks.at(now))

    def take(self, now: float) -> tuple[Key, bool] | None:
        """The next one, and whether it is given for the second time; None if its time has not come."""
        while self._early and next(iter(self._early.values())) <= now and len(self._waiting) < _MOST_WAITING:
            key = next(iter(self._early))
            del self._early[key]
            self._waiting[key] = True
        if not self._waiting or self.at(now) > now:
            return None
        key = next(iter(self._waiting))
        return key, self._waiting.pop(key)

    def followed(self, now: float) -> None:
        """What was taken is followed by somebody, and will be asked about."""
        self._hints.spend(now)

    def unknown(self, key: Key, now: float, *, again: bool) -> None:
        """Nobody follows what was taken: it may be early, and is tried once more."""
        self._looks.spend(now)
        if not again and key not in self._waiting:
            # Few at any time: those that are looked up within these seconds.
            self._early[key] = now + _AGAIN_AFTER
