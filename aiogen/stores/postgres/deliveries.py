"""Ends and the handlers that wait for them: which are due, who brings them, and which were brought."""

from __future__ import annotations

from collections.abc import Callable, Collection

from aiogen.models import Generation
from aiogen.stores import rows
from aiogen.stores.postgres.database import Tx


async def are_due(tx: Tx) -> bool:
    """True if one is, for any handler."""
    statement = "SELECT 1 FROM aiogen_delivery WHERE next_at <= (SELECT aiogen_now()) AND owner IS NULL LIMIT 1"
    return await tx.value(statement) is not None


async def claim(
    tx: Tx, owner: str, handlers: Collection[str], limit: int, unreadable: Callable[[str, Exception], None]
) -> list[tuple[str, Generation, int]]:
    """Ends that are due for these handlers, for the owner to bring: the handler, the end, and which attempt it is.

    What another one claims just now is left to that.  A claim of the dead would hold nobody else off: they get none.
    `unreadable` hears of jobs whose end cannot be read.
    """
    found = await tx.rows(
        "WITH me AS (SELECT id FROM aiogen_worker WHERE id = $1), "
        "due AS (SELECT d.job, d.handler FROM aiogen_delivery d WHERE d.next_at <= (SELECT aiogen_now()) "
        "AND d.owner IS NULL AND d.handler = ANY($2::text[]) AND EXISTS (SELECT 1 FROM me) "
        "ORDER BY d.next_at LIMIT $3 FOR UPDATE OF d SKIP LOCKED), "
        "ours AS (UPDATE aiogen_delivery d SET attempts = d.attempts + 1, owner = $1 FROM due "
        "WHERE d.job = due.job AND d.handler = due.handler RETURNING d.job, d.handler, d.attempts, d.next_at) "
        "SELECT o.job, o.handler, o.attempts, j.result FROM ours o JOIN aiogen_job j ON j.id = o.job "
        "ORDER BY o.next_at",
        owner,
        list(handlers),
        limit,
    )
    claimed = list[tuple[str, Generation, int]]()
    for job_id, handler, attempts, result in found:
        try:
            claimed.append((handler, rows.generation_from(result), attempts))
        except Exception as unread:  # it must not keep all others from being brought; our claim hides it
            unreadable(job_id, unread)
    return claimed


async def ack(tx: Tx, owner: str, job_id: str, handler: str, again: float | None) -> None:
    """It was brought; or, if `again`, it is due once more after this number of seconds.

    That it has to be brought once more nobody says but its owner: another may be bringing it by now.
    """
    await tx.rows(
        "UPDATE aiogen_delivery SET next_at = aiogen_now() + $3::float8, pause = $3::float8, "
        "done_at = CASE WHEN $3::float8 IS NULL THEN aiogen_now() END, owner = NULL "
        "WHERE job = $1 AND handler = $2 AND done_at IS NULL "
        "AND ($3::float8 IS NULL OR owner IS NULL OR owner = $4) RETURNING 1",
        job_id,
        handler,
        again,
        owner,
    )
