"""Which requests are still allowed: a sliding window of requests, and the number of unfinished jobs. Pure."""

from __future__ import annotations

import heapq
import math
from collections import deque

TOLERANCE = 1e-6
"""Seconds. A client that waits exactly as long as Retry-After says must not be refused because of rounding."""


class SlidingWindow:
    """At most `limit` units in any `seconds`. A refused request is not counted."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._taken: deque[tuple[float, int]] = deque()
        self._used = 0

    def used(self, now: float) -> int:
        while self._taken and self._taken[0][0] + self.seconds <= now + TOLERANCE:
            self._used -= self._taken.popleft()[1]
        return self._used

    def remaining(self, now: float) -> int:
        return self.limit - self.used(now)

    def fits(self, now: float, weight: int = 1) -> bool:
        return self.used(now) + weight <= self.limit

    def take(self, now: float, weight: int = 1) -> None:
        self._taken.append((now, weight))
        self._used += weight

    def retry_after(self, now: float) -> int:
        """Whole seconds, at least 1, until the oldest request leaves the window; only its units are freed then."""
        if self.used(now) == 0:
            return 1
        return max(1, math.ceil(self._taken[0][0] + self.seconds - now))


class ActiveSlots:
    """Units of weight held by jobs that have not ended.

    With `on_end` a slot is freed by the job's end, else only by `saw_end`. In any case it is freed `prune_after`
    seconds after it was taken.
    """

    def __init__(self, limit: int, *, on_end: bool, prune_after: float) -> None:
        self.limit = limit
        self._on_end = on_end
        self._prune_after = prune_after
        self._held: dict[str, int] = {}
        self._until: list[tuple[float, str]] = []
        self._used = 0

    def used(self, now: float) -> int:
        while self._until and self._until[0][0] <= now:
            self._free(heapq.heappop(self._until)[1])
        return self._used

    def fits(self, now: float, weight: int) -> bool:
        return self.used(now) + weight <= self.limit

    def take(self, job_id: str, now: float, *, ends_at: float, weight: int) -> None:
        self.used(now)  # frees what is over
        until = now + self._prune_after
        if self._on_end:
            until = min(until, ends_at)
        self._held[job_id] = weight
        self._used += weight
        heapq.heappush(self._until, (until, job_id))

    def saw_end(self, job_id: str) -> None:
        """A poll has reported that this job is over."""
        self._free(job_id)

    def _free(self, job_id: str) -> None:
        self._used -= self._held.pop(job_id, 0)


class WaitingQueue:
    """`places` jobs run at once; the others wait and start in the order of arrival.

    The duration is known when a job arrives, so its start is known at once and needs no timer.
    """

    def __init__(self, places: int, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self._free_at = [-math.inf] * places
        self._starts: list[float] = []

    def waiting(self, now: float) -> int:
        while self._starts and self._starts[0] <= now:
            heapq.heappop(self._starts)
        return len(self._starts)

    def fits(self, now: float) -> bool:
        """Whether a job that arrives now can start at once or may wait."""
        return self._free_at[0] <= now or self.waiting(now) < self.max_waiting

    def enter(self, now: float, duration: float, *, not_before: float) -> float:
        """Gives the next free place to a job and returns when it starts."""
        self.waiting(now)  # frees what is over
        start = max(now, not_before, self._free_at[0])
        heapq.heapreplace(self._free_at, start + duration)
        heapq.heappush(self._starts, start)
        return start
