"""One window and one budget per account for all processes that share a ledger.

What an account has running and has created lately stands in the jobs themselves: nobody has to give a place back, so
a crash leaks none.  Each worker counts its own in its own window; here are the others.  Requests are too many for a
row each: they are taken in small batches out of one allowance (GCRA).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

import attrs

from aiogen.stores.base import Headroom, Peers, RequestKind
from aiogen.stores.shares import ScopesSeen, ScopeWait, Share
from aiogen.stores.sqlite.moments import LONGEST_HOLD
from aiogen.stores.sqlite.precedence import Precedence
from aiogen.stores.turns import LONGEST_CREATE, LONGEST_RUN, LOOK_AGAIN, wait_for_window

_MOST_SCOPES = 1000
"""Scopes that are counted, at most."""
_HELD = f"min(held_until, ? + coalesce(held_for, {LONGEST_HOLD}))"
"""Until when, as of now; a clock that was set back since, and is not put right yet, makes it no longer."""


def peers(c: sqlite3.Connection, me: str, now: float) -> Peers:
    """Other living workers."""
    others, follow_all, follow_nothing = c.execute(
        "SELECT count(*), coalesce(sum(follows = 'all'), 0), coalesce(sum(follows = 'nothing'), 0) FROM aiogen_worker "
        "WHERE id != ? AND lease_until > ?",
        (me, now),
    ).fetchone()
    return Peers(others, follow_all=follow_all, follow_nothing=follow_nothing)


@attrs.frozen
class Wanted:
    """What a create of ours is, as the ledger has it."""

    account: str
    priority: int
    scope: str
    weight: int


@attrs.frozen
class _Others:
    """What others have of an account, and what that means for a create of ours."""

    wait: float
    """Seconds until it fits beside them."""
    held: float
    """Seconds for which no create may be sent at all."""
    room: float
    """Units that they could still have, should it be sent now."""
    shares: tuple[Share, Share]
    """What its scope has of the places, and of the creates, over all workers."""
    is_nothing: bool
    """They have nothing at all."""


class Neighbours:
    """The other workers, as far as a create of ours has to wait for them."""

    def __init__(self) -> None:
        self._free: set[str] = set()
        """Accounts at which nobody else had anything, when we were alone; not known once another worker writes."""
        self._version = -1
        self._precedence = Precedence()
        self._scopes = ScopesSeen()

    def wait_for(self, c: sqlite3.Connection, me: str, wanted: Wanted, headroom: Headroom, now: float) -> float:
        """Seconds until a create may be sent; 0.0 if it may now.  Costs next to nothing for a worker that is alone."""
        alone = _is_alone(c, me)
        if (version := data_version(c)) != self._version:
            # One that came, created and left again between two creates of ours has left no other trace.
            self._free.clear()
            self._version = version
        if alone and wanted.account in self._free:
            return 0.0
        accounts = tuple(dict.fromkeys((*headroom.accounts, wanted.account)))
        others = _others(c, me, accounts, wanted, headroom, now)
        if alone:
            if others.is_nothing:
                self._free.add(wanted.account)  # and remains so until another worker writes
            return others.wait
        if others.wait > LOOK_AGAIN and self._may_be_kept(c, accounts, wanted, others.shares, now):
            return max(LOOK_AGAIN, others.held)
        if others.wait:
            return others.wait
        if self._is_for_others(c, accounts, wanted, others.shares, now):
            return ScopeWait(LOOK_AGAIN)
        return self._precedence.wait_for(c, me, accounts, wanted.priority, others.room, now)

    def _is_for_others(
        self, c: sqlite3.Connection, accounts: Sequence[str], wanted: Wanted, shares: Sequence[Share], now: float
    ) -> bool:
        """True if what is left of the account is for other scopes; they are counted only where that matters."""
        matter = [share for share in shares if share.may_matter]
        if not matter:
            return False
        scopes = self._count(c, accounts, matter, now)
        return any(share.is_for_others(wanted.weight, scopes) for share in matter)

    def _may_be_kept(
        self, c: sqlite3.Connection, accounts: Sequence[str], wanted: Wanted, shares: Sequence[Share], now: float
    ) -> bool:
        """True if others have to leave it what becomes free, which may be sooner than they alone would let it be."""
        scopes = self._count(c, accounts, shares, now)
        return scopes > 1 and all(share.is_within(wanted.weight, scopes) for share in shares)

    def _count(self, c: sqlite3.Connection, accounts: Sequence[str], shares: Sequence[Share], now: float) -> int:
        most = max(share.limit for share in shares)
        return self._scopes.count(accounts[0], _scopes(c, accounts, min(most, _MOST_SCOPES)), now)


def data_version(c: sqlite3.Connection) -> int:
    """Changes whenever another connection has written, and with each connection of ours."""
    return int(c.execute("PRAGMA data_version").fetchone()[0]) + (getattr(c, "number", 0) << 32)


def _is_alone(c: sqlite3.Connection, me: str) -> bool:
    """True if no other worker stands in the ledger, living or not."""
    return c.execute("SELECT 1 FROM aiogen_worker WHERE id != ? LIMIT 1", (me,)).fetchone() is None


def _scopes(c: sqlite3.Connection, accounts: Sequence[str], most: float) -> list[str]:
    """Whose jobs wait or run at an account, of whichever worker; not more than `most`.

    One step in the index for each scope, however many jobs it has.
    """
    marks = ", ".join("?" for _ in accounts)
    found = c.execute(
        "WITH RECURSIVE s(scope) AS (SELECT min(scope) FROM aiogen_job WHERE finished_at IS NULL UNION ALL "
        "SELECT (SELECT min(scope) FROM aiogen_job WHERE finished_at IS NULL AND scope > s.scope) "
        "FROM s WHERE s.scope IS NOT NULL) "
        "SELECT scope FROM s WHERE EXISTS (SELECT 1 FROM aiogen_job AS j WHERE j.finished_at IS NULL "
        f"AND j.scope = s.scope AND j.account IN ({marks}) AND j.state != 'unknown') LIMIT ?",
        (*accounts, math.ceil(most)),
    )
    return [scope for (scope,) in found]


def _others(
    c: sqlite3.Connection, me: str, accounts: Sequence[str], wanted: Wanted, headroom: Headroom, now: float
) -> _Others:
    """What others have under any of the names of an account."""
    marks = ", ".join("?" for _ in accounts)
    held = c.execute(
        f"SELECT max({_HELD}) FROM aiogen_budget WHERE account IN ({marks}) AND held_by != ?", (now, *accounts, me)
    ).fetchone()[0]
    created = _created(c, me, accounts, headroom.period, now)
    lately = [(at, weight) for at, weight, _, is_ours in created if not is_ours]
    running, of_scope = c.execute(
        # Our own unknown ones have no owner, and hold their places in our own window.
        "SELECT coalesce(sum(weight) FILTER (WHERE owner IS NOT ? AND NOT (state = 'unknown' AND submitter IS ?)), 0), "
        f"coalesce(sum(weight) FILTER (WHERE scope = ?), 0) FROM aiogen_job WHERE account IN ({marks}) "
        "AND finished_at IS NULL AND state IN ('submitting', 'queued', 'processing', 'unknown') "
        "AND coalesce(accepted_at, submitted_at, created_at) > "
        "? - CASE state WHEN 'unknown' THEN min(coalesce(timeout, ?), ?) ELSE ? END",
        (me, me, wanted.scope, *accounts, now, LONGEST_RUN, LONGEST_RUN, LONGEST_RUN),
    ).fetchone()
    waits = [(held or 0.0) - now, wait_for_window(lately, headroom.creates, headroom.period, now)]
    is_nothing = not lately and not running and waits[0] <= 0.0
    if running > max(0.0, headroom.active):
        waits.append(LOOK_AGAIN)
    places, creates = headroom.active - running, headroom.creates - sum(weight for _, weight in lately)
    created_by_scope = sum(weight for _, weight, scope, _ in created if scope == wanted.scope)
    shares = Share(headroom.places, places, of_scope), Share(headroom.limit, creates, created_by_scope)
    return _Others(max(0.0, *waits), waits[0], min(places, creates), shares, is_nothing)


def _created(
    c: sqlite3.Connection, me: str, accounts: Sequence[str], period: float, now: float
) -> list[tuple[float, int, str, int]]:
    """What was created within the period: when, how much it weighs, its scope, and 1 if by us; the oldest first.

    The vendor stamped a create somewhere between its sending and its answer.
    """
    since = now - period
    marks = ", ".join("?" for _ in accounts)
    return c.execute(
        # An answer that came later than one can was stamped by a clock that had been set meanwhile; so was all that
        # seems to come later than now.
        "SELECT min(coalesce(accepted_at, submitted_at), submitted_at + ?, ?) AS at, weight, scope, submitter IS ? "
        f"FROM aiogen_job WHERE account IN ({marks}) AND submitted_at > ? "
        "AND coalesce(accepted_at, submitted_at) > ? ORDER BY at",
        (LONGEST_CREATE, now, me, *accounts, since - LONGEST_CREATE, since),
    ).fetchall()


def acquire(c: sqlite3.Connection, me: str, account: str, count: int, per_second: float, now: float) -> float:
    """Take `count` requests out of the allowance; seconds until they are all earned.  One batch may be saved up."""
    found = c.execute(
        f"SELECT spent_until, CASE WHEN held_by = ? THEN 0.0 ELSE {_HELD} END FROM aiogen_budget "
        "WHERE account = ? AND lane = ?",
        (me, now, account, str(RequestKind.REQUESTS)),
    ).fetchone()
    spent_until, held_until = found or (0.0, 0.0)
    batch = count / per_second
    # Each worker has taken one batch ahead, at most: what lies further ahead a wrong clock has written.
    workers = c.execute("SELECT count(*) FROM aiogen_worker").fetchone()[0]
    spent_until = min(spent_until, max(now, held_until) + batch * (workers + 1))
    spent_until = max(spent_until, now - batch, held_until - batch) + batch
    c.execute(
        "INSERT INTO aiogen_budget (account, lane, spent_until) VALUES (?, ?, ?) "
        "ON CONFLICT (account, lane) DO UPDATE SET spent_until = excluded.spent_until",
        (account, str(RequestKind.REQUESTS), spent_until),
    )
    return float(max(0.0, spent_until - now))


def hold(c: sqlite3.Connection, me: str, account: str, kind: RequestKind, seconds: float, now: float) -> None:
    """Nobody sends such requests for this number of seconds; the hold that ends last counts."""
    c.execute(
        "INSERT INTO aiogen_budget (account, lane, held_until, held_for, held_by) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (account, lane) DO UPDATE SET held_until = excluded.held_until, held_for = excluded.held_for, "
        f"held_by = excluded.held_by WHERE excluded.held_until > {_HELD}",
        (account, str(kind), now + seconds, seconds, me, now),
    )
