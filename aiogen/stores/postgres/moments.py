"""Moments in the ledger that mean something though the server's clock was wrong when they were written.

It is set back when a standby takes over whose clock is behind.  A lease, a hold, a pause: each is kept with its length,
and cannot end later than that length from now.  What has happened cannot have happened later than now.  Moments are
corrected when a ledger is opened, and by each process that sees with a heartbeat that the clock was set back; done
twice it changes nothing.
"""

from __future__ import annotations

from enum import Enum, auto

import attrs

from aiogen.stores.postgres.database import Database, Tx

LONGEST_HOLD = 7 * 86_400.0
"""Seconds; of holds that came from a version that did not keep how long they are."""
_ROWS = 500
"""Jobs that are put right in one transaction: others wait meanwhile for those."""
_WAITS_FOR = 2.0
"""Seconds to wait for others that have locked what is wrong."""
_SURELY = 0.5
"""Seconds by which a clock is behind what it should say that was set back: less changes nothing that matters."""
_NOW = "(SELECT aiogen_now())"
_LEASES = f"lease_until > {_NOW} + lease"
_HOLDS = f"held_until > {_NOW} + coalesce(held_for, {LONGEST_HOLD!r}::float8)"
_DUE = f"next_at > {_NOW} AND next_at > {_NOW} + coalesce(pause, 0.0::float8)"
_SENT = f"submitted_at > {_NOW}"
_ACCEPTED = f"finished_at IS NULL AND accepted_at > {_NOW}"
_LAST_TO_GO = (
    "(SELECT id, finished_at FROM aiogen_job WHERE expires_at IS NOT NULL ORDER BY expires_at DESC LIMIT $1) last "
    f"WHERE finished_at > {_NOW}"
)
_MINUTES = f"minute > floor({_NOW} / 60)::bigint"
_IS_ANYTHING = "SELECT " + " OR ".join(
    f"EXISTS (SELECT 1 FROM {each})"
    for each in (
        f"aiogen_worker WHERE {_LEASES}",
        f"aiogen_budget WHERE {_HOLDS}",
        f"aiogen_delivery WHERE {_DUE}",
        f"aiogen_job WHERE {_SENT}",
        f"aiogen_job WHERE {_ACCEPTED}",
        _LAST_TO_GO,
        f"aiogen_spent WHERE {_MINUTES}",
    )
)


class Set(Enum):
    """What happened to a clock."""

    BACK = auto()
    FORWARD = auto()


@attrs.define(eq=False)
class ServerClock:
    """What the server's clock said last, and when that was by a clock that nobody sets."""

    _behind: tuple[float, float] | None = None
    """By how many seconds ours was ahead of it, at least and at most."""

    def was_set(self, now: float, asked_at: float, heard_at: float) -> Set | None:
        """It says `now`, having been asked and heard of at these moments of ours."""
        before, self._behind = self._behind, (asked_at - now, heard_at - now)
        if before is not None and asked_at - now > before[1] + _SURELY:
            return Set.BACK
        if before is not None and heard_at - now < before[0] - _SURELY:
            return Set.FORWARD
        return None


async def correct(here: Database) -> None:
    """Nothing in the ledger lies further ahead than it can have meant.

    In several transactions, so that nobody waits long; what is put right first is what others wait for.
    """
    if not await here.run(lambda tx: tx.value(_IS_ANYTHING, _ROWS)):
        return
    async with here.transaction(lock_timeout=_WAITS_FOR) as tx:
        await _ahead(tx)
    for some in (_jobs, _ends):
        found = _ROWS
        while found:
            async with here.transaction(lock_timeout=_WAITS_FOR) as tx:
                found = await some(tx)


async def _ahead(tx: Tx) -> None:
    """All but the jobs; in the order of their keys, so that two that do this at once do not wait for each other."""
    await tx.rows(
        f"UPDATE aiogen_worker SET lease_until = {_NOW} + lease WHERE id IN (SELECT id FROM aiogen_worker "
        f"WHERE {_LEASES} ORDER BY id FOR UPDATE) RETURNING 1"
    )
    await tx.rows(
        f"UPDATE aiogen_budget SET held_until = {_NOW} + coalesce(held_for, {LONGEST_HOLD!r}::float8) "
        f"WHERE (account, lane) IN (SELECT account, lane FROM aiogen_budget WHERE {_HOLDS} ORDER BY account, lane "
        "FOR UPDATE) RETURNING 1"
    )
    await tx.rows(
        f"UPDATE aiogen_delivery SET next_at = {_NOW} + coalesce(pause, 0.0::float8) WHERE (job, handler) IN "
        f"(SELECT job, handler FROM aiogen_delivery WHERE {_DUE} ORDER BY job, handler FOR UPDATE) RETURNING 1"
    )
    await tx.rows(
        f"WITH gone AS (DELETE FROM aiogen_spent WHERE {_MINUTES} RETURNING connection, unit, charge, jobs, estimated) "
        f"INSERT INTO aiogen_spent AS s SELECT floor({_NOW} / 60)::bigint, connection, unit, sum(charge), sum(jobs), "
        "sum(estimated) FROM gone GROUP BY connection, unit ORDER BY connection, unit "
        "ON CONFLICT (minute, connection, unit) DO UPDATE SET charge = s.charge + excluded.charge, "
        "jobs = s.jobs + excluded.jobs, estimated = s.estimated + excluded.estimated RETURNING 1"
    )


async def _jobs(tx: Tx) -> int:
    """Some that were sent or accepted later than now: just now, then."""
    found = await tx.rows(
        f"UPDATE aiogen_job SET submitted_at = CASE WHEN {_SENT} THEN {_NOW} ELSE submitted_at END, "
        f"accepted_at = CASE WHEN accepted_at > {_NOW} THEN {_NOW} ELSE accepted_at END WHERE id IN ("
        "SELECT id FROM aiogen_job "
        f"WHERE id IN (SELECT id FROM aiogen_job WHERE {_SENT} UNION SELECT id FROM aiogen_job WHERE {_ACCEPTED}) "
        "ORDER BY id LIMIT $1 FOR UPDATE) RETURNING 1",
        _ROWS,
    )
    return len(found)


async def _ends(tx: Tx) -> int:
    """What is over is kept for as long as was meant.  The latest to go are looked at, as long as some are wrong."""
    found = await tx.rows(
        f"UPDATE aiogen_job SET expires_at = {_NOW} + (expires_at - finished_at), finished_at = {_NOW} "
        f"WHERE id IN (SELECT id FROM {_LAST_TO_GO} ORDER BY id) RETURNING 1",
        _ROWS,
    )
    return len(found)
