"""Keys, each with one moment; the earliest first.  Pure.

A heap whose entries are left behind when their key moves or goes, and skipped when they surface.  The heap is made
again before the dead outnumber the living, so its size follows the number of keys.  That is done in small parts, with
each change some: for ten thousand keys it would take several milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from heapq import heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_MOVED_AT_ONCE = 50
"""Entries that are looked at with each change while the heap is made again."""
_NEVER = (math.inf, 0)


class TimerQueue(Generic[K]):
    """O(log n) per change."""

    def __init__(self) -> None:
        self._current: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._left: list[tuple[float, int, K]] = []
        """What is left of the heap before, while it is made again; a heap, too."""
        self._count = 0

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, key: K) -> bool:
        return key in self._current

    def all(self) -> list[K]:
        """Every key, in order of its last `put`."""
        return list(self._current)

    def put(self, key: K, when: float) -> None:
        """The key's moment is `when`, whatever it was before.  Equal moments come in the order they were put."""
        self._count += 1
        self._current.pop(key, None)
        self._current[key] = (when, self._count)
        heappush(self._heap, (when, self._count, key))
        self._tidy()

    def moment(self, key: K) -> float | None:
        """When its time comes, or None if it is not here."""
        found = self._current.get(key)
        return None if found is None else found[0]

    def drop(self, key: K) -> None:
        """Remove a key."""
        if self._current.pop(key, None) is not None:
            self._tidy()

    def _tidy(self) -> None:
        """Keep the dead from outnumbering the living."""
        if not self._left:
            if len(self._heap) <= 2 * len(self._current) + 64:
                return
            self._left, self._heap = self._heap, []
        # Without its last entries a heap is still one.
        some, self._left[-_MOVED_AT_ONCE:] = self._left[-_MOVED_AT_ONCE:], []
        for entry in some:
            if self._is_current(entry):
                heappush(self._heap, entry)

    def wake_at(self) -> float | None:
        """The earliest moment, or None.

        It forgets entries that no longer count, which changes no answer.
        """
        heap = self._first()
        return heap[0][0] if heap else None

    def first(self) -> K | None:
        """The earliest key, or None."""
        heap = self._first()
        return heap[0][2] if heap else None

    def pop(self, now: float) -> K | None:
        """Take out the earliest key whose moment has come, or None."""
        heap = self._first()
        if not heap or heap[0][0] > now:
            return None
        key = heappop(heap)[2]
        del self._current[key]
        return key

    def _first(self) -> list[tuple[float, int, K]]:
        """The heap with the earliest entry on top; an empty one if there is none."""
        for heap in (self._heap, self._left) if self._left else (self._heap,):
            while heap and not self._is_current(heap[0]):
                heappop(heap)
        if not self._left:
            return self._heap
        return min(self._heap, self._left, key=lambda heap: heap[0][:2] if heap else _NEVER)

    def _is_current(self, entry: tuple[float, int, K]) -> bool:
        current = self._current.get(entry[2])
        return current is not None and current[1] == entry[1]
