"""What an account may start now: creates first, then questions and single calls out of what is left of its budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiogen._engine.account import AccountState
from aiogen._engine.create import send
from aiogen._engine.poll import ask
from aiogen._engine.sweep import sweep
from aiogen.stores.base import RequestKind

if TYPE_CHECKING:
    from aiogen._engine.coordinator import Coordinator


def dispatch(hub: Coordinator, account: AccountState, now: float) -> float:
    """Start what this account may start now; the moment at which to look again."""
    _announce_holds(hub, account, now)
    create_at = _start_creates(hub, account, now)
    read_at = _start_reads(hub, account, now)
    return min(create_at, read_at)


def _start_creates(hub: Coordinator, account: AccountState, now: float) -> float:
    if hub.closed:
        return math.inf
    # Most places stay free for questions: a create may take many seconds, and opens a connection of its own.
    places = max(1, hub.limits.max_in_flight // 3)
    while (entry := account.first()) is not None:
        if account.creates_in_flight >= places or account.in_flight >= hub.limits.max_in_flight:
            return math.inf  # the next answer looks again
        submission = entry[1].submission
        assert submission is not None
        weight = account.window.weight(submission.weight_class, submission.weight)
        account.window.advance(now)
        when = account.window.create_at(now, weight)
        if when > now:
            return when
        number, job = account.pop()
        account.window.create_sent(now, weight)
        account.shared_budget.spend()
        account.creates_in_flight += 1
        hub.start_create(account, job, send(hub, account, number, job, weight))
    return math.inf


def _start_reads(hub: Coordinator, account: AccountState, now: float) -> float:
    """Questions and single calls share what creates leave of the budget: first come, first served."""
    account.set_lag_weight()
    while True:
        question = account.schedule.wake_at() if account.in_flight < hub.limits.max_in_flight else None
        call = account.calls.wake_at()
        due = min(math.inf if question is None else question, math.inf if call is None else call)
        when = max(due, account.window.request_at(now))
        if when > now:
            return when  # without a place for questions, the next answer looks again
        if (when := account.shared_budget.at(now)) > now:
            _take_budget(hub, account)
            return when
        if call == due:
            turn = account.calls.pop(now)
            if turn is not None and not turn.done():  # done: its caller was cancelled just now
                account.request_sent(now)
                turn.set_result(None)
        elif (key := account.schedule.take(now)) is not None:
            account.request_sent(now)
            _start_question(hub, account, key, now)


def _start_question(hub: Coordinator, account: AccountState, key: str, now: float) -> None:
    """About this job alone, or with one page of the vendor's list about all that stand near it."""
    track, schedule = account.tracks[key], account.schedule

    def gain(name: str) -> float:
        return schedule.gain(name, now) if name == key or schedule.is_free(name) else 0.0

    by_list = account.listing.usable(now) and not schedule.is_urgent(key)
    page = account.listing.page_for(key, gain) if by_list else None
    if page is None:
        hub.start_poll(account, [key], ask(hub, account, track))
        return
    offset, names = page
    keys = [key, *(name for name in names if name != key and schedule.take_also(name))]
    hub.start_poll(account, keys, sweep(hub, account, track.provider, offset, keys))


def _take_budget(hub: Coordinator, account: AccountState) -> None:
    """Of what all processes on the ledger may ask; nothing is asked before it is there."""
    per_second = account.window.requests_per_second
    count = account.shared_budget.take(per_second)
    if count:
        hub.spawn(_budget_taken(hub, account, count, per_second))


async def _budget_taken(hub: Coordinator, account: AccountState, count: int, per_second: float) -> None:
    wait = await hub.ledger.acquire(account.key, count, per_second)
    account.shared_budget.taken(count, hub.clock.now() + wait, alone=not hub.ledger.peers)
    hub.wake()


def _announce_holds(hub: Coordinator, account: AccountState, now: float) -> None:
    """The vendor's "not before" is for every process on the ledger."""
    if not hub.ledger.is_shared:
        return
    for lane, until in zip((RequestKind.CREATES, RequestKind.REQUESTS), account.window.held_until, strict=True):
        if until > max(now, account.announced_holds.get(lane, now)):
            account.announced_holds[lane] = until
            hub.spawn(hub.ledger.hold(account.key, lane, until - now))
