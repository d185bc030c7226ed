"""How long a job may still take: its place in the queues, here and at the vendor, and its model.  Pure."""

from __future__ import annotations

from aiogen._account.account import AccountState
from aiogen._account.track import J
from aiogen._polling.phases import PhaseModel
from aiogen.models import Eta

_SHARES = (0.5, 0.1, 0.9)


def of_running(account: AccountState[J], key: str, now: float) -> Eta:
    """The estimate for a generation that is followed; `key` is the vendor's id."""
    left = account.schedule.remaining(key, now, _SHARES)
    if left is not None:
        return Eta(*left)
    phases = account.schedule.phases(key)
    queue = account.vendor_queue
    return _with_wait(phases, queue.place(key) * phases.queued.quantile(0.5) / max(1, queue.running))


def of_waiting(account: AccountState[J], job: J, phases: PhaseModel, now: float) -> Eta:
    """The estimate for a job that waits here for its turn."""
    return _with_wait(phases, _wait_here(account, job, phases, now))


def of_sent(phases: PhaseModel) -> Eta:
    """The estimate for a job whose create is on its way."""
    return _with_wait(phases, 0.0)


def of_remote(phases: PhaseModel, age: float, since_begun: float | None) -> Eta:
    """Of a generation that another process follows, accepted `age` seconds ago, and begun so long ago, if known.

    Its place in the vendor's queue is known there alone.
    """
    if since_begun is not None and phases.by_beginning:
        durations, age = phases.processing, since_begun
    else:
        durations = phases.queued
    left = durations.left(age)
    return Eta(*(max(0.0, durations.quantile(left * (1.0 - share)) - age) for share in _SHARES))


def _with_wait(phases: PhaseModel, wait: float) -> Eta:
    """A wait is a sum of many durations: it is taken as it is, and the spread is that of the job's own run."""
    return Eta(*(wait + phases.queued.quantile(1.0 - share) for share in _SHARES))


def _wait_here(account: AccountState[J], job: J, phases: PhaseModel, now: float) -> float:
    """Those before it go as fast as creates are allowed, as places become free, and as the vendor runs them."""
    ahead, window = account.queue.ahead_of(job), account.window
    median = phases.queued.quantile(0.5)
    by_rate = max(0.0, ahead - window.creates_left(now)) * 60.0 / window.creates_per_minute
    by_window = window.turn_at(now, ahead) - now
    by_places = max(0, ahead + 1 - max(0, window.free_places)) * median / max(1, window.max_active)
    slots = account.vendor_queue.slots
    behind = 0 if slots is None else max(0, len(account.tracks) + ahead + 1 - slots)
    return max(by_rate, by_window, by_places, behind * median / (slots or 1))
