"""The creates that wait here: who waits in person goes before a batch, and scopes take turns.  Pure."""

from __future__ import annotations

import heapq
from typing import Generic, Protocol, TypeVar

import attrs


class Waiting(Protocol):
    """What the queue needs to know of a job."""

    @property
    def done(self) -> bool:
        """It has ended, and is not sent any more."""
        ...

    @property
    def priority(self) -> int:
        """0 to 9; the highest goes first."""
        ...

    @property
    def scope(self) -> str:
        """Whose it is; those of one priority take turns."""
        ...


J = TypeVar("J", bound=Waiting)

NORMAL = 5
"""The priority of a job about which nothing else was said."""
PRIORITIES = {"interactive": 7, "batch": 3}
"""Words for two of them."""
_SHARE = 8
"""One in this number of creates is of the lowest priority that waits: nobody starves."""


@attrs.define(eq=False)
class _Class(Generic[J]):
    """The jobs of one priority."""

    heap: list[tuple[int, int, J]] = attrs.field(factory=list)
    """Turn, number and job; numbers are unique, so jobs are never compared."""
    turn: int = 0
    """Of the job that was taken out last."""
    last: dict[str, int] = attrs.field(factory=dict)
    """The turn of the newest job of each scope that has some waiting."""

    def waiting(self) -> list[tuple[int, int, J]]:
        """Without those that ended while they waited."""
        return [entry for entry in self.heap if not entry[2].done]

    def place(self, job: J) -> int | None:
        """How many of this priority go before it; None if it is not among them."""
        own = next(((turn, number) for turn, number, other in self.heap if other is job), None)
        return None if own is None else sum((turn, number) < own for turn, number, _ in self.waiting())


class CreateQueue(Generic[J]):
    """Jobs by priority, then by turns of their scopes, then by number; one that is requeued keeps its place."""

    def __init__(self) -> None:
        self._classes: dict[int, _Class[J]] = {}
        self._inside = set[int]()
        """By identity, those in one of the heaps."""
        self._newest = 0
        self._passed_over = 0
        """Creates since one of the lowest priority was sent, or none of it waited."""

    def __len__(self) -> int:
        """How many wait, give or take those that ended meanwhile."""
        return sum(len(each.heap) for each in self._classes.values())

    def __contains__(self, job: J) -> bool:
        return id(job) in self._inside and not job.done

    def put(self, number: int, job: J) -> None:
        """It waits from now on; one that waits already keeps its place."""
        if id(job) in self._inside:
            return
        self._inside.add(id(job))
        among = self._classes.setdefault(job.priority, _Class())
        if number <= self._newest:
            turn = among.turn  # it had its turn, and is sent before all that have not
        else:
            self._newest = number
            turn = among.last[job.scope] = max(among.turn, among.last.get(job.scope, 0)) + 1
        heapq.heappush(among.heap, (turn, number, job))

    def first(self) -> tuple[int, J] | None:
        """The next to be sent, skipping those that ended while they waited."""
        among = self._next()
        return among.heap[0][1:] if among is not None else None

    def pop(self) -> tuple[int, J]:
        """Take the first out.

        Raises:
            IndexError: nobody waits.
        """
        among = self._next()
        if among is None:
            raise IndexError("nobody waits")
        is_lowest = among is self._classes[min(self._classes)]
        self._passed_over = 0 if is_lowest else self._passed_over + 1
        among.turn, number, job = heapq.heappop(among.heap)
        self._inside.discard(id(job))
        self._tidy()
        return number, job

    def drain(self) -> list[J]:
        """Take out all that wait, in the order in which they came."""
        waiting = [entry for among in self._classes.values() for entry in among.heap]
        self._classes.clear()
        self._inside.clear()
        return [job for _, _, job in sorted(waiting, key=lambda entry: entry[1]) if not job.done]

    def ahead_of(self, job: J) -> int:
        """How many are sent before this one, if nobody else comes; none for one that does not wait here."""
        lowest = min((priority for priority, among in self._classes.items() if among.waiting()), default=0)
        others = sum(len(among.waiting()) for priority, among in self._classes.items() if priority > lowest)
        among = self._classes.get(job.priority)
        place = among.place(job) if among is not None else None
        if place is None:
            return 0
        between = _SHARE - 1
        if job.priority == lowest:
            return place + min(others, max(0, (place + 1) * between - self._passed_over))
        before = place + sum(len(a.waiting()) for priority, a in self._classes.items() if priority > job.priority)
        return before + min(len(self._classes[lowest].waiting()), (before + self._passed_over) // between)

    def _next(self) -> _Class[J] | None:
        """Whose turn it is; what has ended is left out."""
        for among in self._classes.values():
            while among.heap and among.heap[0][2].done:
                self._inside.discard(id(heapq.heappop(among.heap)[2]))
        self._tidy()
        if not self._classes:
            return None
        lowest = len(self._classes) > 1 and self._passed_over >= _SHARE - 1
        return self._classes[min(self._classes) if lowest else max(self._classes)]

    def _tidy(self) -> None:
        for priority in [priority for priority, among in self._classes.items() if not among.heap]:
            del self._classes[priority]
