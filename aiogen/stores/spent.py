"""What the jobs of a ledger of objects cost, and what those did that are not in it any more, by the minute.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

from aiogen.stores.base import Record
from aiogen.stores.budget import Budget, Sent
from aiogen.stores.charges import Charge, Sum
from aiogen.stores.query import RecordQuery

_MINUTE = 60.0
_DAY = 1440
"""Minutes."""
_LONGEST_PERIOD = 31 * _DAY
"""Minutes; no budget looks back further by the minute."""
_MANY = 50_000
"""Sums after which those of long ago are put together."""
FIRST = datetime.fromtimestamp(0.0, UTC)
"""Before anything was sent."""


def counts(record: Record) -> bool:
    """Its create was sent, and surely not for nothing."""
    return record.submitted_at is not None and record.charge.millionths != 0


def sum_of(record: Record) -> Sum:
    """A single one."""
    charge = record.charge
    return Sum(unit=charge.unit, millionths=charge.millionths or 0, jobs=1, estimated=int(charge.is_estimate))


class Spent:
    """What removed jobs have cost, by the minute."""

    def __init__(self) -> None:
        self._removed: dict[tuple[int, str, str | None], Sum] = {}
        """By minute, connection and unit."""
        self._most = _MANY

    def keep(self, record: Record) -> None:
        """This record is removed, or its create is forgotten for another one."""
        if record.submitted_at is None or not counts(record):
            return
        one, minute = sum_of(record), int(record.submitted_at.timestamp() / _MINUTE)
        self._add(minute, record.connection, one)
        if len(self._removed) > self._most:
            self._fold(minute - _LONGEST_PERIOD)
            self._most = len(self._removed) + _MANY

    def _add(self, minute: int, connection: str, one: Sum) -> None:
        key = minute, connection, one.unit
        before = self._removed.get(key)
        if before is not None:
            one = Sum(
                unit=one.unit,
                millionths=before.millionths + one.millionths,
                jobs=before.jobs + one.jobs,
                estimated=before.estimated + one.estimated,
            )
        self._removed[key] = one

    def _fold(self, before: int) -> None:
        """What lies before this minute is kept by the day, as if it had been sent in the day's last minute."""
        old = [key for key in self._removed if key[0] < before and key[0] % _DAY != _DAY - 1]
        for minute, connection, unit in old:
            one = self._removed.pop((minute, connection, unit))
            self._add(minute - minute % _DAY + _DAY - 1, connection, one)

    def sums(self, query: RecordQuery, now: datetime) -> list[Sum]:
        """What a query for a connection and a time of sending asks for."""
        since = query.sent_after or FIRST
        if query.sent_within is not None:
            since = max(since, now - timedelta(seconds=query.sent_within))
        return [
            removed
            for (minute, connection, _), removed in self._removed.items()
            if _end(minute) > since and query.connection in (None, connection)
        ]

    def check(self, budget: Budget, charge: Charge, records: Collection[Record], now: datetime) -> None:
        """Whether one more job fits.

        Raises:
            BudgetReached: it does not.
        """
        since = FIRST if budget.period is None else now - timedelta(seconds=budget.period)
        sums: dict[str | None, tuple[int, int]] = {}
        for record in records:  # one pass, and nothing is made for each: this is done for every create
            if record.submitted_at is not None and record.submitted_at > since and counts(record):
                spent, jobs = sums.get(record.charge.unit, (0, 0))
                sums[record.charge.unit] = spent + (record.charge.millionths or 0), jobs + 1
        removed = [(_end(minute), part) for (minute, _, _), part in self._removed.items()]
        removed = [(at, part) for at, part in removed if at > since]

        def each() -> Iterator[Sent]:
            found = [(r.submitted_at, sum_of(r)) for r in records if r.submitted_at is not None and counts(r)]
            for at, part in sorted([*found, *removed], key=lambda each: each[0]):
                if at > since:
                    yield (now - at).total_seconds(), part.unit, part.millionths, part.jobs

        parts = [Sum(unit=unit, millionths=spent, jobs=jobs, estimated=0) for unit, (spent, jobs) in sums.items()]
        budget.check(charge, [*parts, *(part for _, part in removed)], each)


def _end(minute: int) -> datetime:
    return datetime.fromtimestamp((minute + 1) * _MINUTE, UTC)
