"""What nobody owns is taken up, in portions: no two workers get the same, and none waits for another."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import attrs

from aiogen.models import State
from aiogen.stores import rows
from aiogen.stores.base import ADOPTED, Record
from aiogen.stores.postgres import reading
from aiogen.stores.postgres.database import Tx

_AT_LEAST = 200
"""Orphans that one look adopts, at most."""
_FEW = 20
"""The same while others are expected that have lost their leases together with this one."""
_WHERE = "finished_at IS NULL AND owner IS NULL AND account = ANY($1::text[]) AND state = ANY($2::text[])"
_STATES = [str(state) for state in ADOPTED]


async def are_there(tx: Tx, accounts: Collection[str]) -> bool:
    """True if there is any."""
    statement = f"SELECT 1 FROM aiogen_job WHERE {_WHERE} LIMIT 1"
    return await tx.value(statement, list(accounts), _STATES) is not None


async def adopt(
    tx: Tx,
    me: str,
    accounts: Collection[str],
    only: Collection[str] | None,
    expected: int,
    unreadable: Callable[[rows.Unreadable], None],
) -> list[Record]:
    """They are this worker's now, the oldest first; what was being submitted is unknown, and nobody's.

    `expected`: so many share them, at least.
    """
    limit = None if only is not None else await _portion(tx, me, accounts, expected)
    found = await tx.rows(
        f"SELECT {reading.COLUMNS} , aiogen_now() FROM aiogen_job WHERE {_WHERE} "
        "AND ($3::text[] IS NULL OR id = ANY($3::text[])) ORDER BY created_at LIMIT $4 FOR UPDATE SKIP LOCKED",
        list(accounts),
        _STATES,
        None if only is None else list(only),
        limit,
    )
    ours, unknown = list[Record](), list[Record]()
    for row in found:
        try:
            record = reading.record(row)
        except rows.Unreadable as unread:  # it must not keep all the others from being taken up
            unreadable(unread)
            continue
        if record.state is State.SUBMITTING:
            unknown.append(attrs.evolve(record, state=State.UNKNOWN))
        else:
            ours.append(attrs.evolve(record, owner=me))
    if ours:
        ids = [record.id for record in ours]
        await tx.rows("UPDATE aiogen_job SET owner = $2 WHERE id = ANY($1::text[]) RETURNING 1", ids, me)
    if unknown:
        ids = [record.id for record in unknown]
        await tx.rows("UPDATE aiogen_job SET state = 'unknown' WHERE id = ANY($1::text[]) RETURNING 1", ids)
        tx.tell(*ids)
    return sorted(ours + unknown, key=lambda record: record.created_at)


async def _portion(tx: Tx, me: str, accounts: Collection[str], expected: int) -> int:
    """So many that all living workers have about the same then; some in any case, for others may not want them."""
    row = await tx.row(
        f"SELECT (SELECT count(*) FROM aiogen_job WHERE {_WHERE}), "
        "(SELECT count(*) FROM aiogen_worker WHERE follows != 'nothing'), "
        "count(*), count(*) FILTER (WHERE owner = $3) FROM aiogen_job WHERE finished_at IS NULL AND owner IS NOT NULL",
        list(accounts),
        _STATES,
        me,
    )
    assert row is not None
    orphans, living, owned, mine = row
    fair = math.ceil((owned + orphans) / max(1, living, expected)) - mine
    if living < expected:  # they come back in a moment, as this one did
        return max(int(fair), _FEW)
    return int(max(fair, _AT_LEAST, orphans // 4))
