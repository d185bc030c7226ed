"""Which scopes use an account, as far as its jobs are here; of other processes the ledger knows.  Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Iterable
from typing import Generic

from aiogen._account.actions import SendCreate
from aiogen._account.track import J, Track
from aiogen.stores.shares import Scopes

_PERIOD = 60.0
"""Seconds of the window of creates."""


class ScopeUse(Generic[J]):
    """One account's."""

    def __init__(self) -> None:
        self.seen = Scopes()
        self.sending: dict[int, SendCreate[J]] = {}
        """Creates that are not dealt with yet, by number."""
        self._created: deque[tuple[float, str, int]] = deque()
        """Creates of the last minute: when, of which scope, and units."""
        self._held: dict[str, float] = {}
        """Until when, by scope."""
        self._tries: set[str] = set()
        """Scopes of which one create at a time asks the ledger, until one may be sent."""

    def running(self, tracks: Iterable[Track[J]]) -> Counter[str]:
        """What each scope has running or being sent."""
        found = Counter[str]()
        for track in tracks:
            found[track.jobs[0].scope] += track.weight
        for create in self.sending.values():
            found[create.job.scope] += create.weight
        return found

    def created(self, scope: str, weight: int, now: float) -> None:
        """A create of this scope was accepted."""
        self._created.append((now, scope, weight))
        self._forget(now)

    def created_lately(self, now: float) -> Counter[str]:
        """What each scope has created within the last minute, or is creating."""
        self._forget(now)
        found = Counter[str]()
        for _, scope, weight in self._created:
            found[scope] += weight
        for create in self.sending.values():
            found[create.job.scope] += create.weight
        return found

    def hold(self, scope: str, until: float) -> None:
        """The ledger says that what is left is for others: no create of this scope is sent before that."""
        self._held[scope] = until
        self._tries.add(scope)

    def let_go(self, scope: str) -> bool:
        """The ledger has let a create of this scope go; True if others of it waited for that."""
        found = scope in self._tries
        self._tries.discard(scope)
        return found

    def held(self, now: float, undecided: Container[int]) -> set[str]:
        """The scopes of which no create may go; `undecided`: the numbers of those which the ledger was not asked of."""
        self._held = {scope: until for scope, until in self._held.items() if until > now}
        asks = {c.job.scope for number, c in self.sending.items() if number in undecided} if self._tries else set()
        return self._held.keys() | (self._tries & asks)

    def is_tried(self, scope: str) -> bool:
        """True if only one of its creates may ask."""
        return scope in self._tries

    def next_change(self) -> float:
        """When a scope that has to leave places to others may have one without the end of a job."""
        return min((self.seen.next_change(), *self._held.values()))

    def _forget(self, now: float) -> None:
        while self._created and self._created[0][0] + _PERIOD <= now:
            self._created.popleft()
