"""The creates that wait here: who waits in person goes before a batch, and scopes take turns.  Pure.

Everybody who waits may ask again and again how many go before: thousands do.  So a place is found by bisection, and not
by looking at all that wait.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection
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

    entries: list[tuple[int, int, J]] = attrs.field(factory=list)
    """Turn, number and job, in order; numbers are unique, so jobs are never compared."""
    turn: int = 0
    """Of the job that was taken out last."""
    last: dict[str, int] = attrs.field(factory=dict)
    """The turn of the newest job of each scope that has some waiting."""
    waiting: Counter[str] = attrs.field(factory=Counter)
    """How many of each scope wait."""

    def place(self, entry: tuple[int, int, J]) -> int:
        """How many of this priority go before it."""
        return bisect_left(self.entries, entry[:2])

    def put(self, entry: tuple[int, int, J]) -> None:
        """It waits from now on."""
        insort(self.entries, entry)
        self.waiting[entry[2].scope] += 1

    def take(self, entry: tuple[int, int, J]) -> None:
        """It does not wait any more."""
        del self.entries[self.place(entry)]
        scope = entry[2].scope
        self.waiting[scope] -= 1
        if not self.waiting[scope]:
            del self.waiting[scope]

    def first(self, held: Collection[str]) -> tuple[int, int, J] | None:
        """The next one of a scope that is not held."""
        if all(scope in held for scope in self.waiting):  # thousands of one scope may wait
            return None
        return next((entry for entry in self.entries if entry[2].scope not in held and not entry[2].done), None)


class CreateQueue(Generic[J]):
    """Jobs by priority, then by turns of their scopes, then by number; one that is requeued keeps its place."""

    def __init__(self) -> None:
        self._classes: dict[int, _Class[J]] = {}
        self._inside: dict[int, tuple[int, int, J]] = {}
        """Those that wait, by the identity of the job."""
        self._newest = 0
        self._passed_over = 0
        """Creates since one of the lowest priority was sent, or none of it waited."""

    def __len__(self) -> int:
        """How many wait, give or take those that ended meanwhile."""
        return sum(len(each.entries) for each in self._classes.values())

    def __contains__(self, job: J) -> bool:
        return id(job) in self._inside and not job.done

    def put(self, number: int, job: J) -> None:
        """It waits from now on; one that waits already keeps its place."""
        if id(job) in self._inside:
            return
        among = self._classes.setdefault(job.priority, _Class())
        if number <= self._newest:
            turn = among.turn  # it had its turn, and is sent before all that have not
        else:
            self._newest = number
            turn = among.last[job.scope] = max(among.turn, among.last.get(job.scope, 0)) + 1
        entry = self._inside[id(job)] = (turn, number, job)
        among.put(entry)

    def ended(self, job: J) -> None:
        """It is not sent any more; one that does not wait here is none.

        Of whom nobody says so, that is seen when it would be sent; until then those behind it count it.
        """
        entry = self._inside.pop(id(job), None)
        if entry is not None:
            self._classes[job.priority].take(entry)
            self._tidy()

    def scopes(self) -> set[str]:
        """Whose jobs wait."""
        return {scope for among in self._classes.values() for scope in among.waiting}

    def first(self, held: Collection[str] = ()) -> tuple[int, J] | None:
        """The next to be sent, skipping those that ended while they waited, and all of the scopes that are `held`."""
        found = self._next(held)
        return found[1:] if found is not None else None

    def pop(self, held: Collection[str] = ()) -> tuple[int, J]:
        """Take the first out.

        Raises:
            IndexError: nobody waits, or only those of `held` scopes.
        """
        found = self._next(held)
        if found is None:
            raise IndexError("nobody waits")
        turn, number, job = found
        among = self._classes[job.priority]
        is_lowest = among is self._classes[min(self._classes)]
        self._passed_over = 0 if is_lowest else min(self._passed_over + 1, _SHARE - 1)
        among.turn = max(among.turn, turn)  # one that was held goes before the newer ones, and sets nobody back
        among.take(found)
        del self._inside[id(job)]
        self._tidy()
        return number, job

    def drain(self) -> list[J]:
        """Take out all that wait, in the order in which they came."""
        waiting = [entry for among in self._classes.values() for entry in among.entries]
        self._classes.clear()
        self._inside.clear()
        return [job for _, _, job in sorted(waiting, key=lambda entry: entry[1]) if not job.done]

    def ahead_of(self, job: J) -> int:
        """How many are sent before this one, if nobody else comes; none for one that does not wait here."""
        entry = self._inside.get(id(job))
        if entry is None or job.done:
            return 0
        waiting = {priority: len(among.entries) for priority, among in self._classes.items()}
        lowest, place, between = min(waiting), self._classes[job.priority].place(entry), _SHARE - 1
        if job.priority == lowest:
            others = sum(count for priority, count in waiting.items() if priority > lowest)
            return place + min(others, max(0, (place + 1) * between - self._passed_over))
        before = place + sum(count for priority, count in waiting.items() if priority > job.priority)
        return before + min(waiting[lowest], (before + self._passed_over) // between)

    def _next(self, held: Collection[str]) -> tuple[int, int, J] | None:
        """Whose turn it is; what has ended is left out.  Where all of a priority are held, the next one has it."""
        for among in self._classes.values():
            while among.entries and among.entries[0][2].done:
                ended = among.entries[0]
                among.take(ended)
                del self._inside[id(ended[2])]
        self._tidy()
        order = sorted(self._classes, reverse=True)
        if len(order) > 1 and self._passed_over >= _SHARE - 1:
            order.insert(0, order.pop())
        return next((entry for priority in order if (entry := self._classes[priority].first(held)) is not None), None)

    def _tidy(self) -> None:
        for priority in [priority for priority, among in self._classes.items() if not among.entries]:
            del self._classes[priority]
