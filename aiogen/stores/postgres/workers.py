"""The workers that share a ledger: their names, and their leases by the server's clock."""

from __future__ import annotations

import os
import secrets

import attrs

from aiogen.stores.peers import Follows, Peers
from aiogen.stores.postgres.database import Tx


def new_name() -> str:
    """One that nobody ever had: what an earlier life of this process left behind is not ours by itself."""
    host = os.uname().nodename if hasattr(os, "uname") else "host"
    return f"{host}:{os.getpid()}:{secrets.token_hex(6)}"


async def begin(tx: Tx, name: str, lease: float, follows: Follows = Follows.ALL) -> None:
    """Enter a new worker, whose lease lasts `lease` seconds."""
    await tx.row(
        "INSERT INTO aiogen_worker VALUES ($1, aiogen_now() + $2, $2, $3) ON CONFLICT (id) DO NOTHING RETURNING id",
        name,
        lease,
        str(follows),
    )


@attrs.frozen
class Renewal:
    """What came of a heartbeat."""

    is_ours: bool
    """The lease was renewed; else it had run out."""
    are_dead: bool
    """A lease has run out, this one or another."""
    now: float
    """The server's time: seconds since the epoch."""
    company: int
    """Workers that follow."""


async def renew(tx: Tx, name: str, lease: float) -> Renewal:
    """Renew this lease, for `lease` seconds from now."""
    row = await tx.row(
        "WITH ours AS (UPDATE aiogen_worker SET lease_until = aiogen_now() + $2 "
        "WHERE id = $1 AND lease_until > aiogen_now() RETURNING 1) "
        "SELECT EXISTS (SELECT 1 FROM ours), "
        "EXISTS (SELECT 1 FROM aiogen_worker WHERE lease_until < aiogen_now()), aiogen_now(), "
        "(SELECT count(*) FROM aiogen_worker WHERE follows != 'nothing')",
        name,
        lease,
    )
    assert row is not None
    return Renewal(is_ours=row[0], are_dead=row[1], now=row[2], company=row[3])


async def renew_late(tx: Tx, name: str, lease: float) -> bool:
    """Renew a lease that has run out, if nobody has ended it: what is this worker's is still nobody else's."""
    statement = "UPDATE aiogen_worker SET lease_until = aiogen_now() + $2 WHERE id = $1 RETURNING true"
    return bool(await tx.value(statement, name, lease))


async def let_go(tx: Tx, idle: float) -> None:
    """End connections that have locked something of the ledger, and from which nothing was heard for `idle` seconds.

    The server itself ends those that it knows to be idle (`Database.transaction`).  The driver has each statement
    parsed before it sends its values: a process that stands still, or is cut off, in between counts as active, and no
    limit of the server's is for that.  A connection of another role is not seen, nor is one that copies.
    """
    await tx.rows(
        "SELECT pg_terminate_backend(a.pid, 500) FROM pg_stat_activity a "
        "WHERE a.datname = current_database() AND a.usename = current_user AND a.pid != pg_backend_pid() "
        "AND a.state = 'active' AND a.wait_event = 'ClientRead' AND a.query NOT ILIKE 'copy%' "
        "AND a.state_change < clock_timestamp() - make_interval(secs => $1) AND EXISTS (SELECT 1 FROM pg_locks l "
        "WHERE l.pid = a.pid AND l.granted AND l.mode IN ('RowShareLock', 'RowExclusiveLock') AND l.relation IN "
        "('aiogen_worker'::regclass, 'aiogen_job'::regclass, 'aiogen_lock'::regclass))",
        idle,
    )


async def reap(tx: Tx) -> None:
    """End those whose lease has run out: what was theirs is for others to take up.  What another one ends, is left."""
    await tx.rows(
        "DELETE FROM aiogen_worker WHERE id IN ("
        "SELECT id FROM aiogen_worker WHERE lease_until < aiogen_now() FOR UPDATE SKIP LOCKED) RETURNING id"
    )


async def end(tx: Tx, name: str) -> None:
    """Give up this lease."""
    await tx.rows("DELETE FROM aiogen_worker WHERE id = $1 RETURNING id", name)


async def peers(tx: Tx, me: str) -> Peers:
    """Other living workers."""
    row = await tx.row(
        "SELECT count(*), count(*) FILTER (WHERE follows = 'all'), count(*) FILTER (WHERE follows = 'nothing') "
        "FROM aiogen_worker WHERE id != $1 AND lease_until > aiogen_now()",
        me,
    )
    assert row is not None
    return Peers(row[0], follow_all=row[1], follow_nothing=row[2])
