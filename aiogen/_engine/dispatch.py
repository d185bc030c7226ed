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


def dispatch(hub: Coordinator, desk: AccountState, now: float) -> float:
    """Start what this account may start now; the moment at which to look again."""
    _announce_holds(hub, desk, now)
    create_at = _start_creates(hub, desk, now)
    read_at = _start_reads(hub, desk, now)
    return min(create_at, read_at)


def _start_creates(hub: Coordinator, desk: AccountState, now: float) -> float:
    if hub.closed:
        return math.inf
    # Most places stay free for questions: a create may take many seconds, and opens a connection of its own.
    places = max(1, hub.limits.max_in_flight // 3)
    while (entry := desk.first()) is not None:
        if desk.creates_in_flight >= places or desk.in_flight >= hub.limits.max_in_flight:
            return math.inf  # the next answer looks again
        submission = entry[1].submission
        assert submission is not None
        weight = desk.window.weight(submission.weight_class, submission.weight)
        when = desk.window.create_at(now, weight)
        if when > now:
            return when
        number, job = desk.pop()
        desk.window.create_sent(now, weight)
        desk.shared_budget.spend()
        desk.creates_in_flight += 1
        hub.start_create(desk, job, send(hub, desk, number, job, weight))
    return math.inf


def _start_reads(hub: Coordinator, desk: AccountState, now: float) -> float:
    """Questions and single calls share what creates leave of the budget: first come, first served."""
    desk.set_lag_weight()
    while True:
        question = desk.schedule.wake_at() if desk.in_flight < hub.limits.max_in_flight else None
        call = desk.calls.wake_at()
        due = min(math.inf if question is None else question, math.inf if call is None else call)
        when = max(due, desk.window.request_at(now))
        if when > now:
            return when  # without a place for questions, the next answer looks again
        if (when := desk.shared_budget.at(now)) > now:
            _take_budget(hub, desk)
            return when
        if call == due:
            turn = desk.calls.pop(now)
            if turn is not None and not turn.done():  # done: its caller was cancelled just now
                desk.request_sent(now)
                turn.set_result(None)
        elif (key := desk.schedule.take(now)) is not None:
            desk.request_sent(now)
            _start_question(hub, desk, key, now)


def _start_question(hub: Coordinator, desk: AccountState, key: str, now: float) -> None:
    """About this job alone, or with one page of the vendor's list about all that stand near it."""
    track, schedule = desk.tracks[key], desk.schedule

    def gain(name: str) -> float:
        return schedule.gain(name, now) if name == key or schedule.is_free(name) else 0.0

    by_list = desk.listing.usable(now) and not schedule.is_urgent(key)
    page = desk.listing.page_for(key, gain) if by_list else None
    if page is None:
        hub.start_poll(desk, [key], ask(hub, desk, track))
        return
    offset, names = page
    keys = [key, *(name for name in names if name != key and schedule.take_also(name))]
    hub.start_poll(desk, keys, sweep(hub, desk, track.provider, offset, keys))


def _take_budget(hub: Coordinator, desk: AccountState) -> None:
    """Of what all processes on the ledger may ask; nothing is asked before it is there."""
    per_second = desk.window.requests_per_second
    count = desk.shared_budget.take(per_second)
    if count:
        hub.spawn(_budget_taken(hub, desk, count, per_second))


async def _budget_taken(hub: Coordinator, desk: AccountState, count: int, per_second: float) -> None:
    wait = await hub.ledger.acquire(desk.key, count, per_second)
    desk.shared_budget.taken(count, hub.clock.now() + wait, alone=not hub.ledger.peers)
    hub.wake()


def _announce_holds(hub: Coordinator, desk: AccountState, now: float) -> None:
    """The vendor's "not before" is for every process on the ledger."""
    if not hub.ledger.is_shared:
        return
    for lane, until in zip((RequestKind.CREATES, RequestKind.REQUESTS), desk.window.held_until, strict=True):
        if until > max(now, desk.announced_holds.get(lane, now)):
            desk.announced_holds[lane] = until
            hub.spawn(hub.ledger.hold(desk.key, lane, until - now))
