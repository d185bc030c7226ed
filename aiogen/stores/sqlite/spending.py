"""What the jobs of a ledger cost: added up by SQLite, for people and for budgets.

What was removed from the ledger is kept by the minute (`aiogen_spent`, filled by a trigger), and counts until that
minute is over.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator
from typing import Any

from aiogen.costs import Costs
from aiogen.models import State
from aiogen.stores.budget import Budget, Sent
from aiogen.stores.charges import Charge, Sum, costs_of
from aiogen.stores.query import RecordQuery
from aiogen.stores.selecting import is_of_all
from aiogen.stores.sqlite import where

Connection = sqlite3.Connection

_COUNTS = "submitted_at IS NOT NULL AND coalesce(charge, 1) > 0"
"""What was sent, and surely not for nothing.  That it was sent is said by itself, so that the partial index serves."""
_SUMS = "charge_unit, coalesce(sum(charge), 0), count(*), sum(charge_is_estimate)"
_REMOVED_SUMS = "nullif(unit, ''), sum(charge), sum(jobs), sum(estimated)"
_ADDED = (
    "ON CONFLICT (minute, connection, unit) DO UPDATE SET charge = charge + excluded.charge, "
    "jobs = jobs + excluded.jobs, estimated = estimated + excluded.estimated"
)
_MINUTE = 60.0


def costs(c: Connection, query: RecordQuery) -> Costs:
    """What the jobs that a query asks for cost together."""
    conditions, values = where.conditions(c, query)
    statement = f"SELECT * FROM aiogen_job WHERE {conditions} AND {_COUNTS}"
    if query.limit is not None:
        statement += f" {where.ORDER} LIMIT ?"
        values.append(query.limit)
    found = c.execute(f"SELECT {_SUMS} FROM ({statement}) GROUP BY charge_unit", values).fetchall()
    if is_of_all(query):
        since = max([0.0, *where.sent_since(c, query)])
        more, removed = ("", ()) if query.connection is None else (" AND connection = ?", (query.connection,))
        found += c.execute(
            f"SELECT {_REMOVED_SUMS} FROM aiogen_spent WHERE (minute + 1) * 60 > ?{more} GROUP BY unit",
            (since, *removed),
        ).fetchall()
    return costs_of(_sums(found))


def check(c: Connection, budget: Budget, charge: Charge, now: float) -> None:
    """Whether one more job fits.

    Raises:
        BudgetReached: it does not.
    """
    since = 0.0 if budget.period is None else now - budget.period
    units = list(budget.amounts)
    # Without GROUP BY, which would sort all of them: this is done for every create.
    by_unit = "coalesce(sum(CASE WHEN charge_unit = ? THEN charge END), 0), " * len(units)
    named = f"charge_unit IN ({', '.join('?' for _ in units)})"
    *known, others = c.execute(
        f"SELECT {by_unit} coalesce(sum(CASE WHEN {named} THEN 0 ELSE 1 END), 0) FROM aiogen_job "
        f"WHERE submitted_at > ? AND {_COUNTS}",
        (*units, *units, since),
    ).fetchone()
    sums = [Sum(unit=unit, millionths=spent, jobs=0, estimated=0) for unit, spent in zip(units, known, strict=True)]
    removed = c.execute(
        f"SELECT {_REMOVED_SUMS} FROM aiogen_spent WHERE minute > ? GROUP BY unit", (since / _MINUTE - 1.0,)
    ).fetchall()
    rest = Sum(unit=None, millionths=0, jobs=others, estimated=0)
    budget.check(charge, [*sums, rest, *_sums(removed)], lambda: _each(c, since, now))


def _sums(found: list[Any]) -> list[Sum]:
    return [
        Sum(unit=unit, millionths=charge, jobs=jobs, estimated=estimated) for unit, charge, jobs, estimated in found
    ]


def _each(c: Connection, since: float, now: float) -> Iterator[Sent]:
    """The oldest first; of what was removed, what a whole minute has cost, at the minute's end."""
    jobs = c.execute(
        "SELECT submitted_at, charge_unit, coalesce(charge, 0), 1 FROM aiogen_job "
        f"WHERE submitted_at > ? AND {_COUNTS} ORDER BY submitted_at",
        (since,),
    )
    removed = c.execute(
        "SELECT (minute + 1) * 60.0, nullif(unit, ''), charge, jobs FROM aiogen_spent WHERE minute > ? ORDER BY minute",
        (since / _MINUTE - 1.0,),
    )
    for at, unit, charge, count in heapq.merge(jobs, removed, key=lambda row: row[0]):
        yield now - at, unit, charge, count


def keep_lost(c: Connection, job_id: str, state: State) -> None:
    """It is to be sent again, if it is in this state: what its first create may have cost counts as well."""
    c.execute(
        "INSERT INTO aiogen_spent SELECT CAST(submitted_at / 60 AS INTEGER), connection, coalesce(charge_unit, ''), "
        f"coalesce(charge, 0), 1, charge_is_estimate FROM aiogen_job WHERE id = ? AND state = ? "
        f"AND {_COUNTS} {_ADDED}",
        (job_id, str(state)),
    )


def correct(c: Connection, now: float) -> None:
    """Nothing was spent later than now; see `moments`."""
    minute = int(now / _MINUTE)
    c.execute(
        "INSERT INTO aiogen_spent SELECT ?, connection, unit, sum(charge), sum(jobs), sum(estimated) FROM aiogen_spent "
        f"WHERE minute > ? GROUP BY connection, unit {_ADDED}",
        (minute, minute),
    )
    c.execute("DELETE FROM aiogen_spent WHERE minute > ?", (minute,))
