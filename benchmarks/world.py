"""The generations of one imitated account: when they end, which limits they meet, and what was asked about them."""

from __future__ import annotations

import heapq
import math
import random
import uuid
from collections import deque
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Config:
    """What the imitated vendors are like."""

    durations: tuple[Any, ...] = ("uniform", 18.0, 22.0)
    """("uniform", low, high), ("lognormal", mean, coefficient of variation), ("fixed", seconds) or ("never",)."""
    seed: int = 1
    latency: float = 0.0
    """Seconds that every answer takes, refusals too."""
    requests_per_second: int | None = None
    retry_after: bool = True
    """Whether a 429 says `Retry-After: 1`."""
    slots: int | None = None
    """How many generations run at once; the others wait, in the order they were accepted."""
    max_outstanding: int | None = None
    """How many may wait and run together; beyond, a create is refused with 429."""
    page: int = 50
    """Most generations in one answer to the list."""


@attrs.define
class Job:
    """What the server knows of one generation."""

    accepted_at: float
    ended_at: float
    questions: int = 0
    told_at: float | None = None
    """When the first answer was sent that says it is over, by whatever call."""


@attrs.define
class Totals:
    """What the server was asked."""

    requests: int = 0
    creates: int = 0
    reads: int = 0
    lists: int = 0
    refused: int = 0
    """429s."""
    in_flight: int = 0
    peak_in_flight: int = 0
    connections: int = 0
    peak_connections: int = 0


@attrs.frozen
class Report:
    """Everything since the last reset."""

    totals: Totals
    jobs: dict[str, Job]


class World:
    """The generations of one account, and the limits it has."""

    def __init__(self, config: Config, connections: int = 0) -> None:
        self.config = config
        self.jobs: dict[str, Job] = {}
        self.totals = Totals(connections=connections, peak_connections=connections)
        self._order: list[str] = []
        self._served: deque[float] = deque()
        self._dice = random.Random(config.seed)
        self._free_at: list[float] = [0.0] * (config.slots or 0)  # a heap: when each slot is next free
        self._ends: list[float] = []  # a heap: of those that are outstanding

    def admits(self, now: float) -> bool:
        """Whether one more request fits into the second that ends now; it then counts."""
        limit = self.config.requests_per_second
        if limit is None:
            return True
        while self._served and self._served[0] <= now - 1.0:
            self._served.popleft()
        if len(self._served) >= limit:
            return False
        self._served.append(now)
        return True

    def has_room(self, now: float) -> bool:
        """Whether one more generation may be outstanding."""
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        return self.config.max_outstanding is None or len(self._ends) < self.config.max_outstanding

    def accept(self, now: float) -> str:
        """A new generation's id."""
        seconds = self._seconds()
        starts_at = heapq.heappop(self._free_at) if self._free_at else now
        ended_at = max(now, starts_at) + seconds
        if self.config.slots is not None:
            heapq.heappush(self._free_at, ended_at)
        if self.config.max_outstanding is not None:
            heapq.heappush(self._ends, ended_at)
        job_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        self.jobs[job_id] = Job(accepted_at=now, ended_at=ended_at)
        self._order.append(job_id)
        return job_id

    def end_within(self, now: float, seconds: float) -> None:
        """All of them one after the other, evenly."""
        for i, job in enumerate(self.jobs.values()):
            job.ended_at = now + seconds * i / len(self.jobs)

    def page(self, offset: int, limit: int) -> list[str]:
        """Newest first, finished ones too."""
        last = len(self._order) - offset
        return self._order[max(0, last - min(limit, self.config.page)) : max(0, last)][::-1]

    def is_over(self, job: Job, now: float) -> bool:
        """Whether it has ended; whoever asks is about to be told."""
        if now < job.ended_at:
            return False
        if job.told_at is None:
            job.told_at = now
        return True

    def _seconds(self) -> float:
        match self.config.durations:
            case ("uniform", low, high):
                return self._dice.uniform(low, high)
            case ("lognormal", mean, cv):
                variance = math.log(1.0 + cv * cv)
                return self._dice.lognormvariate(math.log(mean) - variance / 2.0, math.sqrt(variance))
            case ("fixed", seconds):
                return float(seconds)
            case ("never",):
                return 1e9
        raise ValueError(f"unknown durations {self.config.durations!r}")
