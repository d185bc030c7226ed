"""Keys, each with one moment; the earliest first.  Pure.

A heap whose entries are left behind when their key moves or goes, and skipped when they surface.  The heap is made
again before the dead outnumber the living, so its size follows the number of keys.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class TimerQueue(Generic[K]):
    """O(log n) per change."""

    def __init__(self) -> None:
        self._current: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
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
        if len(self._heap) > 2 * len(self._current) + 64:
            self._heap = [entry for entry in self._heap if self._is_current(entry)]
            heapify(self._heap)

    def moment(self, key: K) -> float | None:
        """When its time comes, or None if it is not here."""
        found = self._current.get(key)
        return None if found is None else found[0]

    def drop(self, key: K) -> None:
        """The key is no longer here."""
        self._current.pop(key, None)

    def wake_at(self) -> float | None:
        """The earliest moment, or None.

        It forgets entries that no longer count, which changes no answer.
        """
        while self._heap and not self._is_current(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def first(self) -> K | None:
        """The earliest key, or None."""
        return self._heap[0][2] if self.wake_at() is not None else None

    def pop(self, now: float) -> K | None:
        """Take out the earliest key whose moment has come, or None."""
        when = self.wake_at()
        if when is None or when > now:
            return None
        key = heappop(self._heap)[2]
        del self._current[key]
        return key

    def _is_current(self, entry: tuple[float, int, K]) -> bool:
        current = self._current.get(entry[2])
        return current is not None and current[1] == entry[1]
