"""What others have waiting at an account that may go before a create of ours; `stores.turns` decides what follows."""

from __future__ import annotations

from collections.abc import Sequence

from aiogen.stores.postgres.database import Tx
from aiogen.stores.shares import ScopesSeen
from aiogen.stores.turns import LOOK_AGAIN, SHARE, Asking, Claim, Create, Turns

_IS_OF_OTHERS = "owner IN (SELECT id FROM aiogen_worker WHERE id != $2 AND lease_until > $3)"
_WAITS = "account = ANY($1::text[]) AND state = 'pending'"


class Precedence(Turns):
    """What one worker remembers of whom it let go first, and what it reads of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: ScopesSeen = ScopesSeen()

    async def wait_for(self, tx: Tx, me: str, accounts: Sequence[str], priority: int, room: float, now: float) -> float:
        """Seconds until a create of this priority may look again; 0.0 if nobody goes before it.

        `accounts`: the names of one account; `room`: units that others could still have, should this one be sent.
        """
        asking = Asking(me, tuple(accounts), priority, room, now, await _last_creates(tx, accounts))
        for is_above, read in ((True, self._above), (False, self._lowest)):
            claim = await read(tx, asking, self.counted_after(asking, is_above=is_above))
            if self.gives_way(asking, claim, is_above=is_above):
                return LOOK_AGAIN
        return 0.0

    async def _above(self, tx: Tx, asking: Asking, after: float) -> Claim | None:
        """All that others who live have waiting of a higher priority, unless it is our turn after theirs."""
        if asking.is_due(asking.priority, await _oldest(tx, asking)):
            return None
        row = await tx.row(
            f"SELECT sum(weight), max(created_at) FROM aiogen_job WHERE {_WAITS} AND priority > $4 "
            f"AND created_at > $5 AND {_IS_OF_OTHERS}",
            *_who(asking),
            asking.priority,
            after,
        )
        return None if row is None or row[0] is None else Claim(int(row[0]), row[1])

    async def _lowest(self, tx: Tx, asking: Asking, after: float) -> Claim | None:
        """What others have waiting of the lowest priority, once its turn has come."""
        row = await tx.row(
            f"SELECT priority, weight, created_at FROM aiogen_job WHERE {_WAITS} AND priority < $4 "
            f"AND created_at > $5 AND {_IS_OF_OTHERS} ORDER BY priority, created_at LIMIT 1",
            *_who(asking),
            asking.priority,
            after,
        )
        if row is None or not asking.is_due(row[0], row[2]):
            return None
        return Claim(row[1], row[2])


def _who(asking: Asking) -> tuple[list[str], str, float]:
    return list(asking.accounts), asking.me, asking.at


async def _oldest(tx: Tx, asking: Asking) -> float:
    """Since when something of its priority waits."""
    statement = f"SELECT min(created_at) FROM aiogen_job WHERE {_WAITS} AND priority = $2"
    return float(await tx.value(statement, list(asking.accounts), asking.priority) or 0.0)


async def _last_creates(tx: Tx, accounts: Sequence[str]) -> list[Create]:
    """As many as go before one of the lowest priority, of whichever worker; the newest first."""
    found = await tx.rows(
        "SELECT submitted_at, priority, submitter FROM aiogen_job WHERE account = ANY($1::text[]) "
        "AND submitted_at IS NOT NULL ORDER BY submitted_at DESC LIMIT $2",
        list(accounts),
        SHARE - 1,
    )
    return [Create(*row) for row in found]
