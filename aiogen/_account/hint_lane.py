"""The hints of one account, on their way to the session: bounded in number and rate.  Pure: the time is an argument."""

from __future__ import annotations

import math

from aiogen._limits.rate import Rate

SHARE = 0.1
"""Of an account's requests, for questions that hints bring forward."""
_LOOKS_PER_MINUTE, _LOOKS_AT_ONCE = 600.0, 20.0
"""Ids that nobody follows here: each is a read of the ledger."""
_MOST_WAITING = 1000
AGAIN_AFTER = (5.0, 10.0, 20.0, 40.0, 75.0)
"""Seconds after each try at which nobody follows an id, until it is tried once more: its create may be under way in
another process, for 120 seconds by default, and in the ledger the id stands when that is answered."""
_MOST_EARLY = 2000
"""Ids that are to be tried again: as many as are looked up while one is tried, and some."""

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
        self._waiting: dict[Key, None] = {}
        self._early: tuple[dict[Key, float], ...] = tuple({} for _ in AGAIN_AFTER)
        """When each is tried again, by how often it was tried; in each the soonest first."""

    def __len__(self) -> int:
        return len(self._waiting) + self._early_ones()

    def put(self, key: Key) -> bool:
        """A hint has come; False if too many wait."""
        if key in self._waiting:
            return True
        if len(self._waiting) >= _MOST_WAITING:
            return False
        # One that is to be tried again comes once more: it is new, and counts as such.
        for early in self._early:
            early.pop(key, None)
        self._waiting[key] = None
        return True

    def at(self, now: float) -> float:
        """When the next one may be given; `math.inf` if there is none."""
        waiting = now if self._waiting else min(next(iter(early.values()), math.inf) for early in self._early)
        return max(waiting, self._hints.at(now), self._looks.at(now))

    def take(self, now: float) -> tuple[Key, int] | None:
        """The next one, and how often it was tried before; None if its time has not come.

        Those that have just come go before those that are tried again.
        """
        if self.at(now) > now:
            return None
        if self._waiting:
            key = next(iter(self._waiting))
            del self._waiting[key]
            return key, 0
        tries, early = min(enumerate(self._early), key=lambda each: next(iter(each[1].values()), math.inf))
        key = next(iter(early))
        del early[key]
        return key, tries + 1

    def followed(self, now: float) -> None:
        """What was taken is followed by somebody, and will be asked about."""
        self._hints.spend(now)

    def unknown(self, key: Key, now: float, *, tries: int) -> bool:
        """Nobody follows what was taken: it may be early.  False if it is not tried again.

        `tries`: before this one.
        """
        self._looks.spend(now)
        if key in self._waiting:  # it has come once more meanwhile
            return True
        if tries >= len(AGAIN_AFTER) or self._early_ones() >= _MOST_EARLY:
            return False
        self._early[tries][key] = now + AGAIN_AFTER[tries]
        return True

    def _early_ones(self) -> int:
        return sum(map(len, self._early))
