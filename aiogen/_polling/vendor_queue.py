"""Which of an account's accepted generations run, and which wait behind them at the vendor.  Pure.

Leonardo accepts two hundred images and runs ten; both are PENDING.  Generations begin in the order of submission, one
whenever one ends.  So only the oldest `slots` are taken to run, and the clock of the next one starts when one of
them ends.  One that ends while it should have been waiting proves that there are more slots than was thought.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_EARLY_ENDS = 3
"""This number in a row that ended too early after they began proves that they had begun before."""


class VendorQueue(Generic[K]):
    """The generations of one account in order of submission."""

    def __init__(self, slots: int | None) -> None:
        """`slots`: the number that runs at once; None if every accepted one runs."""
        self.slots = slots
        self._early_ends = 0
        self._running: set[K] = set()
        self._waiting: OrderedDict[K, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._running) + len(self._waiting)

    @property
    def running(self) -> int:
        """The number that is taken to run."""
        return len(self._running)

    def add(self, key: K) -> bool:
        """Add a generation that was accepted; True if it runs at once."""
        if self.slots is None or len(self._running) < self.slots:
            self._running.add(key)
            return True
        self._waiting[key] = None
        return False

    def ended(self, key: K, *, too_early: bool = False) -> tuple[list[K], bool]:
        """It is over: which ones begin now, and whether they have been running all the time, as it has.

        `too_early`: it ended sooner after it was thought to begin than any could.
        """
        self._early_ends = self._early_ends + 1 if too_early else 0
        proof = key in self._waiting
        if proof:
            rank = len(self._running) + list(self._waiting).index(key) + 1
            self.slots = 2 * rank
            del self._waiting[key]
        self._running.discard(key)
        if self.slots is not None and self._early_ends >= _EARLY_ENDS:
            self.slots, self._early_ends, proof = 2 * self.slots, 0, True
        return self._begin(), proof

    def left(self, key: K) -> list[K]:
        """It is no longer followed, which proves nothing; which ones are believed to begin now."""
        self._running.discard(key)
        self._waiting.pop(key, None)
        return self._begin()

    def learn(self, slots: int) -> list[K]:
        """The vendor says how many run at once; which ones therefore begin."""
        if self.slots is not None and slots > self.slots:
            self.slots = slots
        return self._begin()

    def place(self, key: K) -> int:
        """How many wait before it; 0 if it runs."""
        return list(self._waiting).index(key) + 1 if key in self._waiting else 0

    def _begin(self) -> list[K]:
        begun = []
        while self._waiting and (self.slots is None or len(self._running) < self.slots):
            key = self._waiting.popitem(last=False)[0]
            self._running.add(key)
            begun.append(key)
        return begun
