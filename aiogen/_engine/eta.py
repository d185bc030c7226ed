"""How long a job may still take: its place in line here and at the vendor, and what is known of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiogen._engine.account import AccountState
from aiogen._engine.job import Job
from aiogen._polling.phases import PhaseModel
from aiogen.models import Eta, State

if TYPE_CHECKING:
    from aiogen._engine.coordinator import Coordinator

_SHARES = (0.5, 0.1, 0.9)


def forecast(hub: Coordinator, account: AccountState, job: Job) -> Eta | None:
    """The estimate for a job that is not over, or None if nothing can be said."""
    now = hub.clock.now()
    track = account.tracks.get(job.provider_id) if job.provider_id is not None else None
    if track is not None:
        left = account.schedule.remaining(track.ticket.provider_id, now, _SHARES)
        if left is not None:
            return Eta(*left)
        phases = account.schedule.phases(track.ticket.provider_id)
        return _with_wait(phases, _at_the_vendor(account, track.ticket.provider_id, phases))
    if job.submission is None or job.state not in (State.PENDING, State.SUBMITTING):
        return None
    phases = hub.learned.of(job._provider, job.submission.model, job.submission.typical)
    waits = _here(account, job, phases, now) if job.state is State.PENDING else 0.0
    return _with_wait(phases, waits)


def _with_wait(phases: PhaseModel, wait: float) -> Eta:
    """A wait is a sum of many durations: it is taken as it is, and the spread is that of the job's own run."""
    return Eta(*(wait + phases.queued.quantile(1.0 - share) for share in _SHARES))


def _at_the_vendor(account: AccountState, key: str, phases: PhaseModel) -> float:
    return account.vendor_queue.place(key) * phases.queued.quantile(0.5) / max(1, account.vendor_queue.running)


def _here(account: AccountState, job: Job, phases: PhaseModel, now: float) -> float:
    """Those before it go as fast as creates are allowed, as places become free, and as the vendor runs them."""
    ahead = account.ahead_of(job)
    free = max(0, account.window.free_places)
    by_rate = max(0.0, ahead - account.window.creates_left(now)) * 60.0 / account.window.creates_per_minute
    by_window = account.window.turn_at(now, ahead) - now
    by_places = max(0, ahead + 1 - free) * phases.queued.quantile(0.5) / max(1, account.window.max_active)
    slots = account.vendor_queue.slots
    behind = 0 if slots is None else max(0, len(account.tracks) + ahead + 1 - slots)
    by_line = behind * phases.queued.quantile(0.5) / (slots or 1)
    return max(by_rate, by_window, by_places, by_line)
