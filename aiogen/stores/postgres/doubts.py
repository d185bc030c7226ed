"""What was written in a transaction whose commit was never answered, so that nobody knows whether it stands.

The caller got an error, and acts on that.  If the commit stands all the same, this process would own a job that nobody
follows, for as long as it lives; or a job would be sent later whose submission has failed.  So it is undone as soon as
the ledger answers again.  Where the commit does not stand there is nothing to undo.
"""

from __future__ import annotations

import attrs

from aiogen.stores.postgres import deliveries
from aiogen.stores.postgres.database import Tx


@attrs.define(eq=False)
class Doubts:
    """Of one life of a worker."""

    owner: str = ""
    added: set[str] = attrs.field(factory=set)
    """Jobs whose submission has failed for its caller."""
    owned: set[str] = attrs.field(factory=set)
    """Jobs that are this worker's if the commit stands, and are not followed."""
    claimed: set[tuple[str, str]] = attrs.field(factory=set)
    """Ends, with their handlers, that are claimed if the commit stands, and are given to no handler."""
    acks: list[tuple[str, str, float | None]] = attrs.field(factory=list)
    """Calls of `ack` that failed, or perhaps did: a job, a handler, and after how many seconds it is due again."""

    def __bool__(self) -> bool:
        return bool(self.added or self.owned or self.claimed or self.acks)

    def merge(self, other: Doubts) -> None:
        """Add these, if they are of the same life of the worker: what an earlier one owned is nobody's."""
        self.acks += other.acks
        if other.owner == self.owner:
            self.added |= other.added
            self.owned |= other.owned
            self.claimed |= other.claimed


async def undo(tx: Tx, doubts: Doubts) -> None:
    """Undo what is in doubt.

    A job under a key stays, without an owner, for others may wait for it, and asking again means the same job.
    """
    gone = await tx.rows(
        "DELETE FROM aiogen_job WHERE id = ANY($1::text[]) AND key IS NULL AND state = 'pending' "
        "AND submitted_at IS NULL AND (owner = $2 OR owner IS NULL) RETURNING id",
        sorted(doubts.added),
        doubts.owner,
    )
    freed = await tx.rows(
        "UPDATE aiogen_job SET owner = NULL WHERE id = ANY($1::text[]) AND owner = $2 RETURNING id",
        sorted(doubts.added | doubts.owned),
        doubts.owner,
    )
    await tx.rows(
        "UPDATE aiogen_delivery d SET owner = NULL, attempts = d.attempts - 1 "
        "FROM unnest($1::text[], $2::text[]) AS c(job, handler) "
        "WHERE d.job = c.job AND d.handler = c.handler AND d.owner = $3 RETURNING 1",
        [job_id for job_id, _ in sorted(doubts.claimed)],
        [handler for _, handler in sorted(doubts.claimed)],
        doubts.owner,
    )
    for job_id, handler, again in doubts.acks:
        await deliveries.ack(tx, doubts.owner, job_id, handler, again)
    if gone or freed:
        tx.tell(*(row[0] for row in (*gone, *freed)))
