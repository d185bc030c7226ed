"""What was written in a transaction of which it is not known whether it stands: the answer to its commit was lost.

Whoever asked for it was told that it failed, and acts so.  If it stands all the same, a job would be this process's
that nobody follows, for as long as the process lives; or one would be sent later that was said not to have been taken
in.  So that is undone, as soon as the ledger answers again.  What was not written after all is not there to be undone.
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
    """Jobs that were said not to have been taken in."""
    owned: set[str] = attrs.field(factory=set)
    """Jobs that were taken up, and are not followed."""
    claimed: set[tuple[str, str]] = attrs.field(factory=set)
    """Ends that no handler is told."""
    acks: list[tuple[str, str, float | None]] = attrs.field(factory=list)
    """What was not written, or perhaps: an end was told to a handler, or is due for it again."""

    def __bool__(self) -> bool:
        return bool(self.added or self.owned or self.claimed or self.acks)

    def merge(self, other: Doubts) -> None:
        """Those as well, if they are of the same life: what an earlier one had is nobody's."""
        self.acks += other.acks
        if other.owner == self.owner:
            self.added |= other.added
            self.owned |= other.owned
            self.claimed |= other.claimed


async def undo(tx: Tx, doubts: Doubts) -> None:
    """Of what is in doubt nothing stands any more.

    A job under a key is given to whoever follows, for others may wait for it, and asking again means the same one.
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
        await deliveries.ack(tx, job_id, handler, again)
    if gone or freed:
        tx.tell(*(row[0] for row in (*gone, *freed)))
