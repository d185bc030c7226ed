"""How long a job may still take, wherever it stands: here in the queue, at the vendor, or with another process."""

from __future__ import annotations

from aiogen._account import eta
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen.models import Eta, State


def forecast(hub: Hub, job: Job) -> Eta | None:
    """How long a job that is not over may still take; None if nothing can be said."""
    if job in hub.remote:
        return _of_remote(hub, job)
    account = hub.used_account(job._provider)
    if account is None:
        return None
    if job.provider_id in account.tracks:
        return eta.of_running(account, job.provider_id, hub.clock.now())
    if job.submission is None or job.state not in (State.PENDING, State.SUBMITTING):
        return None
    phases = hub.learned.of(job._provider, job.submission.model, job.submission.typical)
    if job.state is State.SUBMITTING:
        return eta.of_sent(phases)
    return eta.of_waiting(account, job, phases, hub.clock.now())


def _of_remote(hub: Hub, job: Job) -> Eta | None:
    """Of a job that another process sends and follows; None where its turn has not come, which is known there."""
    known, accepted_at = job.submission, job.generation.accepted_at
    phases = hub.learned.known(job._provider, known.model, known.typical) if known is not None else None
    if phases is None or accepted_at is None:
        return None
    age = max(0.0, (hub.clock.datetime() - accepted_at).total_seconds())
    begun_at = hub.remote.begun_at(job)
    return eta.of_remote(phases, age, None if begun_at is None else hub.clock.now() - begun_at)
