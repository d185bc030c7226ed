"""How far a batch is: its jobs by state and connection, how fast they end, and when the last one will.  Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

import attrs

from aiogen.costs import Costs
from aiogen.models import Cost, State

_RECENT = 60
"""Ends from which the rate of one connection is read."""

WAITING = (State.PENDING, State.SUBMITTING)


@attrs.frozen(kw_only=True)
class ConnectionProgress:
    """The rows of one connection."""

    total: int
    """As far as it is known: rows that were read, or counted when the batch was checked."""
    states: Mapping[State, int]
    """How many jobs are in which state; rows that were not taken in yet are in none."""
    lost: int = 0
    """Rows without an end: they could not be submitted, or their job had none in time."""
    per_minute: float | None = None
    """Ends in a minute, lately; None before the second end."""

    @property
    def ended(self) -> int:
        """How many are over."""
        over = (count for state, count in self.states.items() if state.is_terminal or state is State.UNKNOWN)
        return sum(over) + self.lost

    @property
    def waiting(self) -> int:
        """How many have not been sent, those among them that were not even taken in yet."""
        on_their_way = sum(count for state, count in self.states.items() if state not in WAITING)
        return max(0, self.total - on_their_way - self.lost)

    @property
    def eta(self) -> float | None:
        """Seconds until the last one ends, if all goes on as lately; None before that is known."""
        left = self.total - self.ended
        if left <= 0:
            return 0.0
        return None if not self.per_minute else left * 60.0 / self.per_minute


@attrs.frozen(kw_only=True)
class Progress:
    """How far a batch is."""

    connections: Mapping[str, ConnectionProgress]
    """By connection."""
    costs: Costs
    """Of all jobs that were sent, in this run and before it, by what is known by now; what waits is not in it."""

    @property
    def total(self) -> int:
        """Rows."""
        return sum(each.total for each in self.connections.values())

    @property
    def states(self) -> Mapping[State, int]:
        """How many jobs are in which state, over all connections."""
        return sum((Counter(each.states) for each in self.connections.values()), Counter())

    @property
    def ended(self) -> int:
        """Rows that are over, well or not."""
        return sum(each.ended for each in self.connections.values())

    @property
    def eta(self) -> float | None:
        """Seconds until the last row of all is over; None while that is not known of some connection."""
        found = [each.eta for each in self.connections.values()]
        return None if None in found else max((eta for eta in found if eta is not None), default=0.0)


class Tally:
    """Counts along with a batch."""

    def __init__(self) -> None:
        self._totals: Counter[str] = Counter()
        self._read: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._ended: dict[str, Counter[State]] = {}
        self._ends: dict[str, deque[float]] = {}
        self._amounts = Costs()

    def expects(self, totals: Mapping[str, int]) -> None:
        """The number of rows, by connection."""
        self._totals = Counter(totals)

    def reads(self, connection: str) -> None:
        """A row of this connection was read."""
        self._read[connection] += 1

    def loses(self, connection: str) -> None:
        """A row of it could not be submitted."""
        self._lost[connection] += 1

    def ends(self, connection: str, state: State, cost: Cost | None, *, at: float, is_new: bool) -> None:
        """A job of it is over.  `is_new`: just now, and not before this run."""
        if state.is_terminal or state is State.UNKNOWN:
            self._ended.setdefault(connection, Counter())[state] += 1
        else:
            self._lost[connection] += 1  # its deadline has passed
        if is_new:
            self._ends.setdefault(connection, deque(maxlen=_RECENT)).append(at)
        self._amounts = self._amounts.plus(cost)

    def progress(self, running: Mapping[str, Mapping[State, int]], expected: Costs) -> Progress:
        """How far it is.

        Args:
            running: the jobs that are not over, by connection.
            expected: what those of them will cost that were sent.
        """
        names = dict.fromkeys((*self._totals, *self._read, *running, *self._ended))
        return Progress(
            connections={name: self._of(name, running.get(name, {})) for name in names},
            costs=self._amounts.and_(expected),
        )

    def _of(self, name: str, running: Mapping[State, int]) -> ConnectionProgress:
        ends = self._ends.get(name, ())
        span = max(ends) - min(ends) if ends else 0.0
        return ConnectionProgress(
            total=max(self._totals[name], self._read[name]),
            states=Counter(running) + self._ended.get(name, Counter()),
            lost=self._lost[name],
            per_minute=(len(ends) - 1) * 60.0 / span if span > 0.0 else None,
        )
