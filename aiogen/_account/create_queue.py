"""The creates of one account that wait here for their turn, first come, first served.  Pure."""

from __future__ import annotations

import heapq
from typing import Generic

from aiogen._account.track import J


class CreateQueue(Generic[J]):
    """Jobs by number; one that is requeued keeps its number, and so its place."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, J]] = []  # numbers are unique, so jobs are never compared

    def __len__(self) -> int:
        """How many wait, give or take those that ended meanwhile."""
        return len(self._heap)

    def put(self, number: int, job: J) -> None:
        """It waits from now on."""
        heapq.heappush(self._heap, (number, job))

    def first(self) -> tuple[int, J] | None:
        """The next to be sent, skipping those that ended while they waited."""
        while self._heap and self._heap[0][1].done:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def pop(self) -> tuple[int, J]:
        """Take the first out."""
        return heapq.heappop(self._heap)

    def drain(self) -> list[J]:
        """Take out all that wait, in order."""
        jobs = [job for _, job in sorted(self._heap, key=lambda entry: entry[0]) if not job.done]
        self._heap.clear()
        return jobs

    def ahead_of(self, job: J) -> int:
        """How many are sent before this one."""
        ordered = sorted((entry for entry in self._heap if not entry[1].done), key=lambda entry: entry[0])
        return next((i for i, (_, other) in enumerate(ordered) if other is job), 0)
