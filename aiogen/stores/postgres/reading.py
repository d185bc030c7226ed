"""Reading a ledger: slice by slice, so that nobody waits for a long list, and past rows that cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable

import attrs

from aiogen.models import State
from aiogen.stores import rows, selecting
from aiogen.stores.base import MOST_FOUND, Record, RecordQuery
from aiogen.stores.postgres import where
from aiogen.stores.postgres.database import Database, Row, Tx
from aiogen.stores.postgres.sql import Values
from aiogen.stores.unread import UnreadRows

Key = tuple[float, str]
"""By which rows are sorted: when they were taken in, the newest first, and their id."""

COLUMNS = ", ".join(rows.COLUMNS)
"""Of a record, for a SELECT."""
BARE = ", ".join("NULL" if name == "request" else name for name in rows.COLUMNS)
"""The same without what was sent, which may be megabytes."""
_SLICE = 500
"""Rows that are fetched at once."""
_BREATH = 20
"""Rows after which others get a turn of the loop."""
_CREATED_AT = rows.COLUMNS.index("created_at")


def record(found: Row) -> Record:
    """The record in a row that ends with the time at which it was read.

    Raises:
        rows.Unreadable: it holds no record that this version can read.
    """
    *values, now = found
    return rows.record_from(tuple(values), now)


async def one(tx: Tx, job_id: str) -> Record | None:
    """The record of a job, by our id.

    Raises:
        rows.Unreadable: its row cannot be read.
    """
    found = await tx.row(f"SELECT {COLUMNS} , aiogen_now() FROM aiogen_job WHERE id = $1", job_id)
    return None if found is None else record(found)


async def by_provider_id(tx: Tx, account: str, ids: Collection[str]) -> list[Row]:
    """The rows of an account with these ids of the vendor's."""
    return await tx.rows(
        f"SELECT {COLUMNS} , aiogen_now() FROM aiogen_job WHERE account = $1 AND provider_id = ANY($2::text[])",
        account,
        list(ids),
    )


async def bare(tx: Tx, job_ids: Collection[str]) -> list[Row]:
    """These jobs, without what was sent."""
    statement = f"SELECT {BARE} , aiogen_now() FROM aiogen_job WHERE id = ANY($1::text[])"
    return await tx.rows(statement, list(job_ids))


async def found(database: Database, query: RecordQuery, after: Key | None = None) -> AsyncIterator[list[Row]]:
    """The rows that a query asks for, in slices, the newest first; those behind a key, if one is given."""
    left = MOST_FOUND if query.limit is None else query.limit
    while left > 0:
        at_once = min(left, _SLICE)
        values = Values()
        conditions = where.conditions(query, values)
        if after is not None:
            at, job_id = values(after[0]), values(after[1])
            conditions += f" AND created_at <= {at} AND (created_at < {at} OR id > {job_id})"
        statement = (
            f"SELECT {COLUMNS if query.with_request else BARE} , aiogen_now() FROM aiogen_job WHERE {conditions} "
            f"{where.ORDER} LIMIT {values(at_once)}"
        )
        some = await database.rows(statement, *values.all)
        if some:
            after = key_of(some[-1])
            left -= len(some)
            yield some
        if len(some) < at_once:
            return


def key_of(row: Row) -> Key:
    """Where a row stands."""
    return row[_CREATED_AT], row[0]


async def narrowed(database: Database, query: RecordQuery) -> RecordQuery:
    """The same query by ids, if it asks for words of the prompt or for metadata: those are looked for here."""
    if query.prompt is None and query.metadata is None:
        return query
    wanted = None if query.metadata is None else selecting.wanted_in(selecting.canonical(query.metadata))
    left, after, ids = query.limit, None, list[str]()
    while left is None or len(ids) < left:
        values = Values()
        conditions = where.conditions(query, values)
        if after is not None:
            at, job_id = values(after[0]), values(after[1])
            conditions += f" AND created_at <= {at} AND (created_at < {at} OR id > {job_id})"
        prompt = "NULL" if query.prompt is None else "prompt"
        metadata = "NULL" if query.metadata is None else "metadata"
        statement = (
            f"SELECT id, created_at, {prompt}, {metadata} FROM aiogen_job WHERE {conditions} {where.ORDER} "
            f"LIMIT {_SLICE}"
        )
        some = await database.rows(statement, *values.all)
        for i, (job_id, created_at, text, known) in enumerate(some, 1):
            after = (created_at, job_id)
            if (query.prompt is None or selecting.says(text, query.prompt)) and (
                wanted is None or selecting.has_in(known, wanted)
            ):
                ids.append(job_id)
            if i % _BREATH == 0:
                await asyncio.sleep(0)
        if len(some) < _SLICE:
            break
    return attrs.evolve(query, prompt=None, metadata=None, ids=ids if left is None else ids[:left])


async def counted(tx: Tx, query: RecordQuery) -> dict[State, int]:
    """How many rows a query asks for, by state; one in a state that nobody knows is not counted."""
    values = Values()
    statement = f"SELECT state FROM aiogen_job WHERE {where.conditions(query, values)}{where.limited(query, values)}"
    counts = await tx.rows(f"SELECT state, count(*) FROM ({statement}) s GROUP BY state", *values.all)
    found = {row[0]: int(row[1]) for row in counts}
    return {state: found[state] for state in State if state in found}


async def ids(tx: Tx, query: RecordQuery) -> list[str]:
    """Our ids of what a query asks for."""
    values = Values()
    statement = f"SELECT id FROM aiogen_job WHERE {where.conditions(query, values)}{where.limited(query, values)}"
    return [row[0] for row in await tx.rows(statement, *values.all)]


# --- rows that cannot be read


class Unread(UnreadRows):
    """Those that could not be read so far."""

    def __init__(self, place: str) -> None:
        super().__init__(place, "PostgresStore")

    async def records(self, found: Iterable[Row], take: Callable[[Record], None]) -> None:
        """Each record in these rows, with pauses."""
        for i, row in enumerate(found, 1):
            try:
                take(record(row))
            except rows.Unreadable as unread:
                self.skip(unread)
            if i % _BREATH == 0:
                await asyncio.sleep(0)
