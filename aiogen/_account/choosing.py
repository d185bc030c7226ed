"""Which create may go next: what is left last of an account is not for a scope that has its share.  Pure."""

from __future__ import annotations

import math
from collections import Counter
from typing import Generic

from aiogen._account.account import AccountState
from aiogen._account.track import J
from aiogen.stores.shares import Share, kept


class Choice(Generic[J]):
    """One look at what waits, at one moment; how many have what is counted at most once in it."""

    def __init__(self, account: AccountState[J], now: float) -> None:
        self._account = account
        self._now = now
        self._held = account.scope_use.held(now, account.undecided)
        """Scopes of which no create may go at this moment."""
        self._running: Counter[str] | None = None
        """Units by scope; None until it matters."""
        self._created = Counter[str]()
        self._scopes = 0

    def weight_of_first(self) -> int | None:
        """Units of the next one that may go by the shares of the scopes; None if none may."""
        while (entry := self._account.queue.first(self._held)) is not None:
            weight = self._weight(entry[1])
            if not self._is_for_others(entry[1].scope, weight):
                return weight
            self._held.add(entry[1].scope)
        return None

    def take(self) -> tuple[int, J]:
        """Take that one out, for it is sent."""
        number, job = self._account.queue.pop(self._held)
        for units in (self._running, self._created):
            if units is not None:
                units[job.scope] += self._weight(job)
        if self._account.scope_use.is_tried(job.scope):
            self._held.add(job.scope)
        return number, job

    def looks_again_at(self) -> float:
        """When somebody has to look who found none."""
        account = self._account
        return min(account.scope_use.next_change(), account.window.changes_at()) if self._held else math.inf

    def _weight(self, job: J) -> int:
        assert job.submission is not None
        return self._account.window.weight(job.submission.weight_class, job.submission.weight)

    def _is_for_others(self, scope: str, weight: int) -> bool:
        window = self._account.window
        places, creates = window.free_places - weight, window.creates_left(self._now) - weight
        if places >= kept(window.places) and creates >= kept(window.limit):
            return False
        if self._running is None:
            self._running = self._count()
        return any(
            share.is_for_others(weight, self._scopes)
            for share in (
                Share(window.places, places, self._running[scope]),
                Share(window.limit, creates, self._created[scope]),
            )
        )

    def _count(self) -> Counter[str]:
        use = self._account.scope_use
        running = use.running(self._account.tracks.values())
        self._created = use.created_lately(self._now)
        use.seen.saw(running.keys() | self._account.queue.scopes(), self._now)
        self._scopes = len(use.seen.seen(self._now))
        return running
