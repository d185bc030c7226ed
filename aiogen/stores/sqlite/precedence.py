"""Whose create goes first where several processes have some at one account, and there is not room for all.

The one of the higher priority, as within one process; but after seven such creates one of the lowest that waits, to
which the others give way then.  A place that is kept free for somebody who does not take it is taken after seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import attrs

_LOOK_AGAIN = 0.5
"""Seconds after which it is looked again whether others still go before."""
_SHARE = 8
"""Of so many creates one is of the lowest priority that waits; the same share as within one process."""
_UNUSED = 3.0
"""Seconds for which a place is kept free while nobody takes it: whoever waits for one looks every half second."""


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


class Precedence:
    """What one worker remembers of whom it let go first."""

    def __init__(self) -> None:
        self._held_back: dict[tuple[str, bool], float] = {}
        """Since when, by account, and by whether the others are more urgent."""
        self._idle: dict[tuple[str, bool], _Idle] = {}

    def wait_for(
        self, c: sqlite3.Connection, me: str, accounts: Sequence[str], priority: int, room: float, now: float
    ) -> float:
        """Seconds until a create of this priority may look again; 0.0 if nobody goes before it.

        `accounts`: the names of one account; `room`: units that others could still have, should this one be sent.
        """
        creates = _last_creates(c, accounts)
        for is_above in (True, False):
            key = accounts[0], is_above
            claim = self._claim(c, me, accounts, priority, now, creates, is_above=is_above)
            if claim is None or claim.weight <= max(0.0, room):
                self._held_back.pop(key, None)
                continue
            since = self._held_back.setdefault(key, now)
            others = max((create.at for create in creates if create.by != me), default=0.0)
            if now < max(since, others) + _UNUSED:
                return _LOOK_AGAIN
            del self._held_back[key]
            self._idle[key] = _Idle(now, claim.newest)
        return 0.0

    def _claim(
        self,
        c: sqlite3.Connection,
        me: str,
        accounts: Sequence[str],
        priority: int,
        now: float,
        creates: Sequence[_Create],
        *,
        is_above: bool,
    ) -> _Claim | None:
        key = accounts[0], is_above
        idle = self._idle.get(key)
        if idle is not None and any(
            create.by != me
            and create.at >= idle.since
            and create.priority != priority
            and (create.priority > priority) is is_above
            for create in creates
        ):
            del self._idle[key]
            idle = None
        after = idle.newest if idle is not None else 0.0
        if not is_above:
            return self._lowest(c, me, accounts, priority, now, creates, after)
        if self._is_due(creates, priority, _oldest(c, accounts, priority)):
            return None
        return self._above(c, me, accounts, priority, now, after)

    @staticmethod
    def _above(
        c: sqlite3.Connection, me: str, accounts: Sequence[str], priority: int, now: float, after: float
    ) -> _Claim | None:
        """All that others who live have waiting of a higher priority."""
        weight, newest = c.execute(
            f"SELECT sum(weight), max(created_at) FROM aiogen_job WHERE {_waits(accounts)} AND priority > ? "
            f"AND created_at > ? AND {_IS_OF_OTHERS}",
            (*accounts, priority, after, me, now),
        ).fetchone()
        return None if weight is None else _Claim(weight, newest)

    def _lowest(
        self,
        c: sqlite3.Connection,
        me: str,
        accounts: Sequence[str],
        priority: int,
        now: float,
        creates: Sequence[_Create],
        after: float,
    ) -> _Claim | None:
        """What others have waiting of the lowest priority, once its turn has come."""
        found = c.execute(
            f"SELECT priority, weight, created_at FROM aiogen_job WHERE {_waits(accounts)} AND priority < ? "
            f"AND created_at > ? AND {_IS_OF_OTHERS} ORDER BY priority, created_at LIMIT 1",
            (*accounts, priority, after, me, now),
        ).fetchone()
        if found is None or not self._is_due(creates, found[0], found[2]):
            return None
        return _Claim(found[1], found[2])

    @staticmethod
    def _is_due(creates: Sequence[_Create], priority: int, since: float) -> bool:
        """So many of a higher priority went before one of this, which waits since then, that it is its turn."""
        return len(creates) == _SHARE - 1 and all(
            create.priority > priority and create.at >= since for create in creates
        )


_IS_OF_OTHERS = "owner IN (SELECT id FROM aiogen_worker WHERE id != ? AND lease_until > ?)"


def _waits(accounts: Sequence[str]) -> str:
    return f"account IN ({', '.join('?' for _ in accounts)}) AND state = 'pending'"


def _oldest(c: sqlite3.Connection, accounts: Sequence[str], priority: int) -> float:
    """Since when something of this priority waits."""
    found = c.execute(
        f"SELECT min(created_at) FROM aiogen_job WHERE {_waits(accounts)} AND priority = ?", (*accounts, priority)
    ).fetchone()[0]
    return float(found or 0.0)


def _last_creates(c: sqlite3.Connection, accounts: Sequence[str]) -> list[_Create]:
    """As many as go before one of the lowest priority, whoever has sent them; the newest first."""
    marks = ", ".join("?" for _ in accounts)
    found = c.execute(
        f"SELECT submitted_at, priority, submitter FROM aiogen_job WHERE account IN ({marks}) "
        "AND submitted_at IS NOT NULL ORDER BY submitted_at DESC LIMIT ?",
        (*accounts, _SHARE - 1),
    )
    return [_Create(*row) for row in found]
