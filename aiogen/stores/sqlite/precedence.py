"""Whose create goes first where several processes have some at one account, and there is not room for all.

The one of the higher priority, as within one process.  Nobody starves: a create that others went before goes after
seven of theirs, and a place that was kept free for somebody who does not take it is taken after some seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import attrs

_LOOK_AGAIN = 0.5
"""Seconds after which it is looked again whether others still go before."""
_SHARE = 8
"""Of so many creates one is held back by nobody; the same share as within one process."""
_UNUSED = 3.0
"""Seconds for which a place is kept free while nobody takes it: whoever waits for one looks every half second."""


@attrs.define
class _HeldBack:
    """A create of ours that others go before."""

    since: float


@attrs.frozen
class _Idle:
    """Creates of others that were gone before for nothing: what their process waits for is not this account."""

    since: float
    newest: float
    """When the last of them was taken in; later ones are gone before again."""


class Precedence:
    """What one worker remembers of whom it let go first, by account."""

    def __init__(self) -> None:
        self._held_back: dict[str, _HeldBack] = {}
        self._idle: dict[str, _Idle] = {}

    def wait_for(
        self, c: sqlite3.Connection, me: str, accounts: Sequence[str], priority: int, room: float, now: float
    ) -> float:
        """Seconds until a create of this priority may look again; 0.0 if nobody goes before it.

        `accounts`: the names of one account; `room`: units that others could still have, should this one be sent.
        """
        account = accounts[0]
        weight, newest = self._waiting(c, me, accounts, priority, now)
        if weight <= max(0.0, room):
            self._held_back.pop(account, None)
            return 0.0
        held = self._held_back.setdefault(account, _HeldBack(now))
        count, last = _sent(c, me, accounts, priority, held.since)
        if count >= _SHARE - 1:
            del self._held_back[account]
            return 0.0
        if now >= max(held.since, last) + _UNUSED:
            del self._held_back[account]
            self._idle[account] = _Idle(now, newest)
            return 0.0
        return _LOOK_AGAIN

    def _waiting(
        self, c: sqlite3.Connection, me: str, accounts: Sequence[str], priority: int, now: float
    ) -> tuple[float, float]:
        """What others that live have waiting of a higher priority, by weight; and when the last came."""
        idle = self._idle.get(accounts[0])
        if idle is not None and _sent(c, me, accounts, priority, idle.since)[0]:
            del self._idle[accounts[0]]
            idle = None
        found: tuple[float, float] = c.execute(
            "SELECT coalesce(sum(weight), 0), coalesce(max(created_at), 0.0) FROM aiogen_job "
            f"WHERE account IN ({_marks(accounts)}) AND state = 'pending' AND priority > ? AND created_at > ? "
            "AND owner IN (SELECT id FROM aiogen_worker WHERE id != ? AND lease_until > ?)",
            (*accounts, priority, idle.newest if idle is not None else 0.0, me, now),
        ).fetchone()
        return found


def _sent(c: sqlite3.Connection, me: str, accounts: Sequence[str], priority: int, since: float) -> tuple[int, float]:
    """How many creates of a higher priority others have sent since then, and when the last."""
    found: tuple[int, float] = c.execute(
        "SELECT count(*), coalesce(max(submitted_at), 0.0) FROM aiogen_job "
        f"WHERE account IN ({_marks(accounts)}) AND submitted_at >= ? AND submitter IS NOT ? AND priority > ?",
        (*accounts, since, me, priority),
    ).fetchone()
    return found


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
