"""What one account starts now, within its limits, and when to look again.  Pure.

Creates come first, then questions and single calls out of what they leave of the budget.  Whatever is decided counts as
under way at once; what becomes of it is reported to the account (`AccountState.accepted`, `refused` and others).
"""

from __future__ import annotations

import math

from aiogen._account.account import AccountState
from aiogen._account.actions import (
    Action,
    AnnounceHold,
    AskOne,
    AskPage,
    Fit,
    GiveTurn,
    SendCreate,
    TakeBudget,
)
from aiogen._account.choosing import Choice
from aiogen._account.track import J
from aiogen.stores.base import RequestKind

_AT_ONCE = 25
"""Times that the schedule is asked for a question in one turn of the loop: of many that were due some may not be."""


def decide(account: AccountState[J], now: float, *, creates: bool, shares: bool) -> tuple[list[Action[J]], float]:
    """What to do now, already counted as under way, and when to look again if nothing else happens.

    Args:
        account: whose turn it is.
        now: the moment, in seconds on the session's steady clock.
        creates: whether creates may be sent; not when the session is being closed.
        shares: whether other processes may use this account, and have to hear of its holds.
    """
    actions: list[Action[J]] = []
    if shares:
        actions += _holds_to_announce(account, now)
    actions += [Fit(durations) for durations in account.schedule.outdated()]
    made = account.schedule.plans_made
    refresh_at = now if account.schedule.refresh(now) else account.schedule.decides_at()
    create_at = _take_creates(account, now, actions) if creates else math.inf
    read_at = _take_reads(account, now, actions, made)
    return actions, min(refresh_at, create_at, read_at)


def rests_until(account: AccountState[J], when: float, now: float) -> bool:
    """True if an answer that has just been dealt with leaves nothing to do before `when`, the next look."""
    if len(account.queue) or len(account.calls) or account.shared_budget.is_shared:
        return False
    if max(account.window.held_until) > now or account.schedule.has_news:
        return False
    question = account.schedule.wake_at()
    return question is None or question >= when


def _holds_to_announce(account: AccountState[J], now: float) -> list[AnnounceHold]:
    """The vendor's "not before" is for every process on the ledger."""
    found = []
    for kind, until in zip((RequestKind.CREATES, RequestKind.REQUESTS), account.window.held_until, strict=True):
        if until > max(now, account.announced.get(kind, now)):
            account.announced[kind] = until
            found.append(AnnounceHold(kind, until - now))
    return found


# --- creates


def _take_creates(account: AccountState[J], now: float, actions: list[Action[J]]) -> float:
    # Most places stay free for questions: a create may take many seconds, and opens a connection of its own.
    places = max(1, account.max_in_flight // 3)
    choice = Choice(account, now)
    while len(account.queue):
        if account.creates_in_flight >= places or account.in_flight >= account.max_in_flight:
            return math.inf  # the next answer looks again
        account.window.advance(now)
        weight = choice.weight_of_first()
        if weight is None:
            return choice.looks_again_at()
        when = account.window.create_at(now, weight)
        if when > now:
            return when
        number, job = choice.take()
        account.window.create_sent(now, weight)
        account.shared_budget.spend()
        create = SendCreate(number, job, weight, was_alone=account.creates_in_flight == 0)
        account.create_begins(create)
        actions.append(create)
    return math.inf


# --- questions and single calls


def _take_reads(account: AccountState[J], now: float, actions: list[Action[J]], made: int) -> float:
    """Questions and single calls share what creates leave of the budget: first come, first served.

    `made`: the plans that had been made when this turn of the loop began; there is one more in it at most.
    """
    account.set_lag_weight()
    asks = False
    for _ in range(_AT_ONCE):
        question = account.schedule.wake_at() if account.in_flight < account.max_in_flight else None
        call = account.calls.wake_at()
        due = min(math.inf if question is None else question, math.inf if call is None else call)
        when = max(due, account.window.request_at(now))
        has_planned = account.schedule.plans_made > made
        if when > now:
            if asks and not has_planned and question is not None and _joins(account, now, actions):
                continue
            return when  # without a place for questions, the next answer looks again
        if has_planned:
            return now
        if (when := account.shared_budget.at(now)) > now:
            per_second = account.window.requests_per_second
            if count := account.shared_budget.take(per_second):
                actions.append(TakeBudget(count, per_second))
            return when
        if call == due:
            turn = account.calls.pop(now)
            if turn is not None and not turn.done():
                _request_sent(account, now)
                actions.append(GiveTurn(turn))
        elif (key := account.schedule.take(now)) is not None:
            _ask(account, key, now, actions)
            asks = True
    return now  # the others in the next turn of the loop


def _joins(account: AccountState[J], now: float, actions: list[Action[J]]) -> bool:
    """Ask also about a job that is nearly due; False if there is none, or no room for its question."""
    if account.window.request_at(now) > now or account.shared_budget.at(now) > now:
        return False
    key = account.schedule.take_early(now)
    if key is not None:
        _ask(account, key, now, actions)
    return key is not None


def _ask(account: AccountState[J], key: str, now: float, actions: list[Action[J]]) -> None:
    _request_sent(account, now)
    account.in_flight += 1
    actions.append(_question(account, key, now))


def _request_sent(account: AccountState[J], now: float) -> None:
    account.window.request_sent(now)
    account.shared_budget.spend()


def _question(account: AccountState[J], key: str, now: float) -> AskOne[J] | AskPage[J]:
    """About this job alone, or with one page of the vendor's list about all that are near it there."""
    track, schedule = account.tracks[key], account.schedule

    def gain(name: str) -> float:
        return schedule.gain(name, now) if name == key or schedule.is_free(name) else 0.0

    by_list = account.listing.usable(now) and not schedule.is_urgent(key)
    page = account.listing.page_for(key, gain) if by_list else None
    if page is None:
        return AskOne(track)
    offset, names = page
    return AskPage(track, offset, [key, *(name for name in names if name != key and schedule.take_also(name))])
