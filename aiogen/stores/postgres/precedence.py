"""Whose create goes first where several processes have some at one account, and there is not room for all.

The one of the higher priority, as within one process; but after seven such creates one of the lowest that waits, to
which the others give way then.  A place that is kept free for somebody who does not take it is taken after seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aiogen.stores.postgres.database import Tx

_LOOK_AGAIN = 0.5
"""Seconds after which it is looked again whether others still go before."""
_SHARE = 8
"""Of so many creates one is of the lowest priority that waits; the same share as within one process."""
_UNUSED = 3.0
"""Seconds for which a place is kept free while nobody takes it: whoever waits for one looks every half second."""

_IS_OF_OTHERS = "owner IN (SELECT id FROM aiogen_worker WHERE id != $2 AND lease_until > $3)"
_WAITS = "account = ANY($1::text[]) AND state = 'pending'"


@attrs.frozen
class _Create:
    at: float
    priority: int
    by: str | None


@attrs.frozen
class _Claim:
    """What others have waiting, that may go before a create of ours."""

    weight: int
    newest: float
    """When the last of it was taken in."""


@attrs.frozen
class _Idle:
    """Claims that were given way to for nothing: what their process waits for is not this account."""

    since: float
    newest: float
    """When the last of them was taken in; later ones count again, and all when that process has sent one."""


@attrs.frozen
class _Asking:
    """One create of ours that asks whether it may go."""

    tx: Tx
    me: str
    accounts: list[str]
    """The names of one account."""
    priority: int
    now: float
    creates: Sequence[_Create]
    """The last ones, whoever has sent them."""

    async def above(self, after: float) -> _Claim | None:
        """All that others who live have waiting of a higher priority."""
        row = await self.tx.row(
            f"SELECT sum(weight), max(created_at) FROM aiogen_job WHERE {_WAITS} AND priority > $4 "
            f"AND created_at > $5 AND {_IS_OF_OTHERS}",
            *self._who,
            self.priority,
            after,
        )
        return None if row is None or row[0] is None else _Claim(int(row[0]), row[1])

    async def lowest(self, after: float) -> _Claim | None:
        """What others have waiting of the lowest priority, once its turn has come."""
        row = await self.tx.row(
            f"SELECT priority, weight, created_at FROM aiogen_job WHERE {_WAITS} AND priority < $4 "
            f"AND created_at > $5 AND {_IS_OF_OTHERS} ORDER BY priority, created_at LIMIT 1",
            *self._who,
            self.priority,
            after,
        )
        if row is None or not self.is_due(row[0], row[2]):
            return None
        return _Claim(row[1], row[2])

    async def oldest(self) -> float:
        """Since when something of this priority waits."""
        statement = f"SELECT min(created_at) FROM aiogen_job WHERE {_WAITS} AND priority = $2"
        return float(await self.tx.value(statement, self.accounts, self.priority) or 0.0)

    def is_due(self, priority: int, since: float) -> bool:
        """So many of a higher priority went before one of this, which waits since then, that it is its turn."""
        return len(self.creates) == _SHARE - 1 and all(
            create.priority > priority and create.at >= since for create in self.creates
        )

    @property
    def _who(self) -> tuple[list[str], str, float]:
        return self.accounts, self.me, self.now


class Precedence:
    """What one worker remembers of whom it let go first."""

    def __init__(self) -> None:
        self._held_back: dict[tuple[str, bool], float] = {}
        """Since when, by account, and by whether the others are more urgent."""
        self._idle: dict[tuple[str, bool], _Idle] = {}

    async def wait_for(self, tx: Tx, me: str, accounts: Sequence[str], priority: int, room: float, now: float) -> float:
        """Seconds until a create of this priority may look again; 0.0 if nobody goes before it.

        `accounts`: the names of one account; `room`: units that others could still have, should this one be sent.
        """
        asking = _Asking(tx, me, list(accounts), priority, now, await _last_creates(tx, accounts))
        for is_above in (True, False):
            key = accounts[0], is_above
            claim = await self._claim(asking, key, is_above=is_above)
            if claim is None or claim.weight <= max(0.0, room):
                self._held_back.pop(key, None)
                continue
            since = self._held_back.setdefault(key, now)
            others = max((create.at for create in asking.creates if create.by != me), default=0.0)
            if now < max(since, others) + _UNUSED:
                return _LOOK_AGAIN
            del self._held_back[key]
            self._idle[key] = _Idle(now, claim.newest)
        return 0.0

    def nobody(self, accounts: Sequence[str]) -> None:
        """Nobody else has anything waiting there that could go before."""
        for is_above in (True, False):
            self._held_back.pop((accounts[0], is_above), None)

    async def _claim(self, asking: _Asking, key: tuple[str, bool], *, is_above: bool) -> _Claim | None:
        idle = self._idle.get(key)
        if idle is not None and any(
            create.by != asking.me
            and create.at >= idle.since
            and create.priority != asking.priority
            and (create.priority > asking.priority) is is_above
            for create in asking.creates
        ):
            del self._idle[key]
            idle = None
        after = idle.newest if idle is not None else 0.0
        if not is_above:
            return await asking.lowest(after)
        if asking.is_due(asking.priority, await asking.oldest()):
            return None
        return await asking.above(after)


async def _last_creates(tx: Tx, accounts: Sequence[str]) -> list[_Create]:
    """As many as go before one of the lowest priority, whoever has sent them; the newest first."""
    found = await tx.rows(
        "SELECT submitted_at, priority, submitter FROM aiogen_job WHERE account = ANY($1::text[]) "
        "AND submitted_at IS NOT NULL ORDER BY submitted_at DESC LIMIT $2",
        list(accounts),
        _SHARE - 1,
    )
    return [_Create(*row) for row in found]
