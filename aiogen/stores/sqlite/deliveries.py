"""Ends and the handlers that wait for them: which are due, who brings them, and which were brought."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection

from aiogen.models import Generation
from aiogen.stores import rows
from aiogen.stores.sqlite import reading

Connection = sqlite3.Connection


def are_due(c: Connection, now: float) -> bool:
    """True if one is, for any handler."""
    found = c.execute("SELECT 1 FROM aiogen_delivery WHERE next_at <= ? AND owner IS NULL LIMIT 1", (now,))
    return found.fetchone() is not None


def claim(
    c: Connection,
    owner: str,
    handlers: Collection[str],
    limit: int,
    now: float,
    unreadable: Callable[[str, Exception], None],
) -> list[tuple[str, Generation, int]]:
    """Ends that are due for these handlers, for the owner to bring: the handler, the end, and which attempt it is.

    `unreadable` hears of jobs whose end cannot be read.
    """
    found = reading.fetched(
        c,
        "SELECT d.job, d.handler, d.attempts, j.result "
        "FROM aiogen_delivery d JOIN aiogen_job j ON j.id = d.job "
        f"WHERE d.next_at <= ? AND d.owner IS NULL AND d.handler IN ({', '.join('?' for _ in handlers)}) "
        "ORDER BY d.next_at LIMIT ?",
        (now, *handlers, limit),
    )
    c.executemany(
        "UPDATE aiogen_delivery SET attempts = attempts + 1, owner = ? WHERE job = ? AND handler = ?",
        [(owner, job, handler) for job, handler, _, _ in found],
    )
    claimed = list[tuple[str, Generation, int]]()
    for job, handler, attempts, result in found:
        try:
            claimed.append((handler, rows.generation_from(result), attempts + 1))
        except Exception as unread:  # it must not keep all others from being brought; our claim hides it
            unreadable(job, unread)
    return claimed


def ack(c: Connection, owner: str, job_id: str, handler: str, again: float | None, now: float) -> None:
    """It was brought; or, if `again`, it is due once more after this number of seconds.

    That it has to be brought once more nobody says but its owner: another may be bringing it by now.
    """
    next_at, done_at = (None, now) if again is None else (now + again, None)
    c.execute(
        "UPDATE aiogen_delivery SET next_at = ?, pause = ?, done_at = ?, owner = NULL "
        "WHERE job = ? AND handler = ? AND done_at IS NULL AND (? IS NULL OR owner IS NULL OR owner = ?)",
        (next_at, again, done_at, job_id, handler, again, owner),
    )
