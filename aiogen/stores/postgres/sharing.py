"""One window and one budget per account for all processes that share a ledger.

What an account has running and has created lately stands in the jobs themselves: nobody has to give a place back, so
a crash leaks none.  Who decides about one more holds the account's row meanwhile, so that no two decide at once.
Requests are too many for a row each: they are taken in small batches out of one allowance (GCRA).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from aiogen.stores.base import Headroom, RequestKind
from aiogen.stores.budget import Budget
from aiogen.stores.charges import Charge
from aiogen.stores.peers import Worker
from aiogen.stores.postgres import spending
from aiogen.stores.postgres.database import Tx
from aiogen.stores.postgres.moments import LONGEST_HOLD
from aiogen.stores.postgres.precedence import Precedence
from aiogen.stores.shares import ScopesSeen, ScopeWait, Share
from aiogen.stores.turns import LONGEST_CREATE, LONGEST_RUN, LOOK_AGAIN, wait_for_window

_MOST_SCOPES = 1000
"""Scopes that are counted, at most."""
_HELD = f"least({{1}}held_until, {{0}} + coalesce({{1}}held_for, {LONGEST_HOLD!r}::float8))"
"""Until when, as of the first; a clock that was set back since, and is not put right yet, makes it no longer."""


async def intend(
    tx: Tx, worker: Worker, precedence: Precedence, job_id: str, headroom: Headroom, budget: Budget | None = None
) -> float | None:
    """Its create is about to be sent: 0.0; else the seconds to wait for others, or None if it is not ours to send.

    Raises:
        BudgetReached: the budget does not allow it.
        Split: another account is locked already in this transaction.
    """
    ours = await tx.row(
        "SELECT account, priority, scope, weight, charge, charge_unit FROM aiogen_job WHERE id = $1 AND owner = $2 "
        "AND state = 'pending'",
        job_id,
        worker.name,
    )
    if ours is None:
        return None  # asked first: nobody waits for a place for what another one sends
    account, priority, scope, weight, charge, unit = ours
    accounts = tuple(dict.fromkeys((*headroom.accounts, account)))
    await tx.lock([*(f"account {name}" for name in accounts), *(["budgets"] if budget is not None else [])])
    if budget is not None:  # before the window: what is not sent waits for nobody's place
        await spending.check(tx, budget, Charge(charge, unit))
    wanted = _Wanted(accounts, priority, scope, weight)
    wait = await _wait_for(tx, worker.name, wanted, headroom, precedence)
    if wait > 0.0:
        return wait
    sent = await tx.value(
        "UPDATE aiogen_job SET state = 'submitting', submitted_at = aiogen_now(), submitter = $2, account = $3 "
        "WHERE id = $1 AND owner = $2 AND state = 'pending' RETURNING id",
        job_id,
        worker.name,
        (*headroom.accounts, account)[0],
    )
    if sent is None:
        return None
    tx.tell(job_id)
    return 0.0


@attrs.frozen
class _Wanted:
    """What a create of ours is, as the ledger has it."""

    accounts: tuple[str, ...]
    """The names of one account; it is known by the first."""
    priority: int
    scope: str
    weight: int


@attrs.frozen
class _Others:
    """What others have of an account, and what that means for a create of ours."""

    now: float
    wait: float
    """Seconds until it fits beside them."""
    held: float
    """Seconds for which no create may be sent at all."""
    room: float
    """Units that they could still have, should it be sent now."""
    shares: tuple[Share, Share]
    """What its scope has of the places, and of the creates, over all workers."""
    have_rivals: bool
    """Something of theirs, of another priority, waits as well."""


async def _wait_for(tx: Tx, me: str, wanted: _Wanted, headroom: Headroom, precedence: Precedence) -> float:
    """Seconds until a create may be sent; 0.0 if it may now."""
    others = await _others(tx, me, wanted, headroom)
    if others.wait > LOOK_AGAIN and await _may_be_kept(tx, wanted, others, precedence.scopes):
        return max(LOOK_AGAIN, others.held)
    if others.wait:
        return others.wait
    if await _is_for_others(tx, wanted, others, precedence.scopes):
        return ScopeWait(LOOK_AGAIN)
    if not others.have_rivals:
        precedence.nobody(wanted.accounts)
        return 0.0
    return await precedence.wait_for(tx, me, wanted.accounts, wanted.priority, others.room, others.now)


async def _is_for_others(tx: Tx, wanted: _Wanted, others: _Others, seen: ScopesSeen) -> bool:
    """True if what is left of the account is for other scopes; they are counted only where that matters."""
    matter = [share for share in others.shares if share.may_matter]
    if not matter:
        return False
    scopes = await _count(tx, wanted, others, seen)
    return any(share.is_for_others(wanted.weight, scopes) for share in matter)


async def _may_be_kept(tx: Tx, wanted: _Wanted, others: _Others, seen: ScopesSeen) -> bool:
    """True if others have to leave it what becomes free, which may be sooner than they alone would let it be."""
    scopes = await _count(tx, wanted, others, seen)
    return scopes > 1 and all(share.is_within(wanted.weight, scopes) for share in others.shares)


async def _count(tx: Tx, wanted: _Wanted, others: _Others, seen: ScopesSeen) -> int:
    """How many scopes use the account: one step in the index for each, however many jobs it has."""
    most = max(share.limit for share in others.shares)
    found = await tx.rows(
        "WITH RECURSIVE s(scope) AS (SELECT (SELECT min(scope) FROM aiogen_job WHERE finished_at IS NULL) UNION ALL "
        "SELECT (SELECT min(scope) FROM aiogen_job WHERE finished_at IS NULL AND scope > s.scope) "
        "FROM s WHERE s.scope IS NOT NULL) "
        "SELECT scope FROM s WHERE EXISTS (SELECT 1 FROM aiogen_job AS j WHERE j.finished_at IS NULL "
        "AND j.scope = s.scope AND j.account = ANY($1::text[]) AND j.state != 'unknown') LIMIT $2",
        list(wanted.accounts),
        math.ceil(min(most, _MOST_SCOPES)),
    )
    return seen.count(wanted.accounts[0], [row[0] for row in found], others.now)


async def _others(tx: Tx, me: str, wanted: _Wanted, headroom: Headroom) -> _Others:
    """What others have under any of the names of an account."""
    accounts = list(wanted.accounts)
    row = await tx.row(
        "WITH t AS MATERIALIZED (SELECT aiogen_now() AS now), r AS ("
        # Our own unknown ones have no owner, and hold their places in our own window.
        "SELECT coalesce(sum(weight) FILTER (WHERE owner IS DISTINCT FROM $1 "
        "AND NOT (state = 'unknown' AND submitter IS NOT DISTINCT FROM $1)), 0) AS others, "
        "coalesce(sum(weight) FILTER (WHERE scope = $5), 0) AS of_scope "
        "FROM aiogen_job, t WHERE account = ANY($2::text[]) AND finished_at IS NULL "
        "AND state IN ('submitting', 'queued', 'processing', 'unknown') "
        "AND coalesce(accepted_at, submitted_at, created_at) > t.now - CASE state WHEN 'unknown' "
        "THEN least(coalesce(timeout, $3::float8), $3::float8) ELSE $3::float8 END) "
        "SELECT t.now, EXISTS (SELECT 1 FROM aiogen_job WHERE account = ANY($2::text[]) AND state = 'pending' "
        "AND (priority < $4 OR priority > $4) AND owner != $1), "
        f"(SELECT max({_HELD.format('t.now', 'b.')}) FROM aiogen_budget b "
        "WHERE b.account = ANY($2::text[]) AND b.held_by != $1), r.others, r.of_scope FROM t, r",
        me,
        accounts,
        LONGEST_RUN,
        wanted.priority,
        wanted.scope,
    )
    assert row is not None
    now, have_rivals, held, running, of_scope = row
    created = await _created(tx, me, accounts, headroom.period, now) if math.isfinite(headroom.creates) else []
    lately = [(at, weight) for at, weight, _, is_ours in created if not is_ours]
    waits = [(held or 0.0) - now, wait_for_window(lately, headroom.creates, headroom.period, now)]
    if running > max(0.0, headroom.active):
        waits.append(LOOK_AGAIN)
    places, creates = headroom.active - running, headroom.creates - sum(weight for _, weight in lately)
    created_by_scope = sum(weight for _, weight, scope, _ in created if scope == wanted.scope)
    shares = Share(headroom.places, places, of_scope), Share(headroom.limit, creates, created_by_scope)
    return _Others(now, max(0.0, *waits), waits[0], min(places, creates), shares, have_rivals)


async def _created(
    tx: Tx, me: str, accounts: Sequence[str], period: float, now: float
) -> list[tuple[float, int, str, bool]]:
    """What was created within the period: when, how much it weighs, its scope, and if by us; the oldest first.

    The vendor stamped a create somewhere between its sending and its answer.
    """
    since = now - period
    found = await tx.rows(
        "SELECT least(coalesce(accepted_at, submitted_at), submitted_at + $1::float8) AS at, weight, scope, "
        "submitter IS NOT DISTINCT FROM $3 FROM aiogen_job "
        "WHERE account = ANY($2::text[]) AND submitted_at > $4 AND coalesce(accepted_at, submitted_at) > $5 "
        "ORDER BY at",
        LONGEST_CREATE,
        list(accounts),
        me,
        since - LONGEST_CREATE,
        since,
    )
    return [(min(at, now), weight, scope, is_ours) for at, weight, scope, is_ours in found]


async def acquire(tx: Tx, me: str, account: str, count: int, per_second: float) -> float:
    """Take `count` requests out of the allowance; seconds until they are all earned.  One batch may be saved up."""
    batch, now = "$4::float8", "(SELECT now FROM t)"
    held = f"(CASE WHEN b.held_by = $2 THEN 0.0::float8 ELSE {_HELD.format(now, 'b.')} END)"
    row = await tx.row(
        "WITH t AS MATERIALIZED (SELECT aiogen_now() AS now, (SELECT count(*) FROM aiogen_worker) AS workers), "
        "taken AS (INSERT INTO aiogen_budget AS b (account, lane, spent_until) SELECT $1, $3, t.now FROM t "
        # Each worker has taken one batch ahead, at most: what lies further ahead a wrong clock has written.
        f"ON CONFLICT (account, lane) DO UPDATE SET spent_until = greatest(least(b.spent_until, greatest({now}, {held})"
        f" + {batch} * ((SELECT workers FROM t) + 1)), {now} - {batch}, {held} - {batch}) + {batch} "
        f"RETURNING spent_until) SELECT greatest(0.0, spent_until - {now}) FROM taken",
        account,
        me,
        str(RequestKind.REQUESTS),
        count / per_second,
    )
    assert row is not None
    return float(row[0])


async def hold(tx: Tx, me: str, account: str, kind: RequestKind, seconds: float) -> None:
    """Nobody sends such requests for this number of seconds; the hold that ends last counts."""
    await tx.rows(
        "INSERT INTO aiogen_budget AS b (account, lane, held_until, held_by, held_for) "
        "VALUES ($1, $2, aiogen_now() + $3, $4, $3) "
        "ON CONFLICT (account, lane) DO UPDATE SET held_until = excluded.held_until, held_by = excluded.held_by, "
        f"held_for = excluded.held_for WHERE excluded.held_until > {_HELD.format('aiogen_now()', 'b.')} RETURNING 1",
        account,
        str(kind),
        seconds,
        me,
    )
