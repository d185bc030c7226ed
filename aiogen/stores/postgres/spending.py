"""What the jobs of a ledger cost: added up by the server, for people and for budgets.

What was removed from the ledger is kept by the minute (`aiogen_spent`, filled by a trigger), and counts until that
minute is over.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiogen.costs import Costs
from aiogen.stores.budget import Budget, Sent
from aiogen.stores.charges import Charge, Sum, costs_of
from aiogen.stores.postgres import where
from aiogen.stores.postgres.database import Row, Tx
from aiogen.stores.postgres.sql import Values
from aiogen.stores.query import RecordQuery

_COUNTS = "submitted_at IS NOT NULL AND coalesce(charge, 1) > 0"
"""What was sent, and surely not for nothing."""
_SUMS = "charge_unit, coalesce(sum(charge), 0)::bigint, count(*), sum(charge_is_estimate)::bigint"
_REMOVED_SUMS = "nullif(unit, ''), sum(charge)::bigint, sum(jobs)::bigint, sum(estimated)::bigint"
_MINUTE = 60.0


async def costs(tx: Tx, query: RecordQuery, *, is_of_all: bool) -> Costs:
    """Of the jobs that a query asks for; and of those that were removed, if it asks for none in particular."""
    values = Values()
    statement = f"SELECT * FROM aiogen_job WHERE {where.conditions(query, values)} AND {_COUNTS}"
    statement += where.limited(query, values)
    found = await tx.rows(f"SELECT {_SUMS} FROM ({statement}) s GROUP BY charge_unit", *values.all)
    if is_of_all:
        values = Values()
        parts = [f"(minute + 1) * 60 > {since}" for since in where.sent_since(query, values)]
        if query.connection is not None:
            parts.append(f"connection = {values(query.connection)}")
        conditions = " AND ".join(["true", *parts])
        removed = f"SELECT {_REMOVED_SUMS} FROM aiogen_spent WHERE {conditions} GROUP BY unit"
        found += await tx.rows(removed, *values.all)
    return costs_of(_sums(found))


class _OneByOne(Exception):
    """It does not fit: what was sent has to be looked at one by one."""


async def check(tx: Tx, budget: Budget, charge: Charge) -> None:
    """Whether one more job fits.

    Raises:
        BudgetReached: it does not.
    """
    now = float(await tx.value("SELECT aiogen_now()"))
    since = 0.0 if budget.period is None else now - budget.period
    found = await tx.rows(
        f"SELECT {_SUMS} FROM aiogen_job WHERE submitted_at > $1 AND {_COUNTS} GROUP BY charge_unit", since
    )
    found += await tx.rows(
        f"SELECT {_REMOVED_SUMS} FROM aiogen_spent WHERE minute > $1 GROUP BY unit", since / _MINUTE - 1.0
    )
    sums = _sums(found)

    def nobody_knows() -> Iterable[Sent]:
        raise _OneByOne

    try:
        budget.check(charge, sums, nobody_knows)
    except _OneByOne:
        sent = await _each(tx, since, now)
        budget.check(charge, sums, lambda: sent)


def _sums(found: list[Row]) -> list[Sum]:
    return [
        Sum(unit=unit, millionths=charge, jobs=jobs, estimated=estimated) for unit, charge, jobs, estimated in found
    ]


async def _each(tx: Tx, since: float, now: float) -> list[Sent]:
    """The oldest first; of what was removed, what a whole minute has cost, at the minute's end."""
    found = await tx.rows(
        "SELECT submitted_at AS at, charge_unit, coalesce(charge, 0), 1::bigint FROM aiogen_job "
        f"WHERE submitted_at > $1 AND {_COUNTS} "
        "UNION ALL SELECT (minute + 1) * 60.0::float8, nullif(unit, ''), charge, jobs FROM aiogen_spent "
        "WHERE minute > $2 ORDER BY at",
        since,
        since / _MINUTE - 1.0,
    )
    return [(now - at, unit, charge, jobs) for at, unit, charge, jobs in found]


async def keep_lost(tx: Tx, job_id: str) -> None:
    """It is to be sent again: what its first create may have cost counts as well."""
    await tx.rows(
        "INSERT INTO aiogen_spent AS s SELECT floor(submitted_at / 60)::bigint, connection, coalesce(charge_unit, ''), "
        f"coalesce(charge, 0), 1, charge_is_estimate FROM aiogen_job WHERE id = $1 AND {_COUNTS} "
        "ON CONFLICT (minute, connection, unit) DO UPDATE SET charge = s.charge + excluded.charge, "
        "jobs = s.jobs + excluded.jobs, estimated = s.estimated + excluded.estimated RETURNING 1",
        job_id,
    )
