"""What others have waiting at an account that may go before a create of ours; `stores.turns` decides what follows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from aiogen.stores.turns import LOOK_AGAIN, SHARE, Asking, Claim, Create, Turns


class Precedence(Turns):
    """What one worker remembers of whom it let go first, and what it reads of the others."""

    def wait_for(
        self, c: sqlite3.Connection, me: str, accounts: Sequence[str], priority: int, room: float, now: float
    ) -> float:
        """Seconds until a create of this priority may look again; 0.0 if nobody goes before it.

        `accounts`: the names of one account; `room`: units that others could still have, should this one be sent.
        """
        asking = Asking(me, tuple(accounts), priority, room, now, _last_creates(c, accounts))
        for is_above, read in ((True, self._above), (False, self._lowest)):
            claim = read(c, asking, self.counted_after(asking, is_above=is_above))
            if self.gives_way(asking, claim, is_above=is_above):
                return LOOK_AGAIN
        return 0.0

    def _above(self, c: sqlite3.Connection, asking: Asking, after: float) -> Claim | None:
        """All that others who live have waiting of a higher priority, unless it is our turn after theirs."""
        if asking.is_due(asking.priority, _oldest(c, asking)):
            return None
        weight, newest = c.execute(
            f"SELECT sum(weight), max(created_at) FROM aiogen_job WHERE {_waits(asking.accounts)} AND priority > ? "
            f"AND created_at > ? AND {_IS_OF_OTHERS}",
            (*asking.accounts, asking.priority, after, asking.me, asking.at),
        ).fetchone()
        return None if weight is None else Claim(weight, newest)

    def _lowest(self, c: sqlite3.Connection, asking: Asking, after: float) -> Claim | None:
        """What others have waiting of the lowest priority, once its turn has come."""
        found = c.execute(
            f"SELECT priority, weight, created_at FROM aiogen_job WHERE {_waits(asking.accounts)} AND priority < ? "
            f"AND created_at > ? AND {_IS_OF_OTHERS} ORDER BY priority, created_at LIMIT 1",
            (*asking.accounts, asking.priority, after, asking.me, asking.at),
        ).fetchone()
        if found is None or not asking.is_due(found[0], found[2]):
            return None
        return Claim(found[1], found[2])


_IS_OF_OTHERS = "owner IN (SELECT id FROM aiogen_worker WHERE id != ? AND lease_until > ?)"


def _waits(accounts: Sequence[str]) -> str:
    return f"account IN ({', '.join('?' for _ in accounts)}) AND state = 'pending'"


def _oldest(c: sqlite3.Connection, asking: Asking) -> float:
    """Since when something of its priority waits."""
    found = c.execute(
        f"SELECT min(created_at) FROM aiogen_job WHERE {_waits(asking.accounts)} AND priority = ?",
        (*asking.accounts, asking.priority),
    ).fetchone()[0]
    return float(found or 0.0)


def _last_creates(c: sqlite3.Connection, accounts: Sequence[str]) -> list[Create]:
    """As many as go before one of the lowest priority, of whichever worker; the newest first."""
    marks = ", ".join("?" for _ in accounts)
    found = c.execute(
        f"SELECT submitted_at, priority, submitter FROM aiogen_job WHERE account IN ({marks}) "
        "AND submitted_at IS NOT NULL ORDER BY submitted_at DESC LIMIT ?",
        (*accounts, SHARE - 1),
    )
    return [Create(*row) for row in found]
