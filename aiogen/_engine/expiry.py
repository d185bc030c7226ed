"""Deadlines that have passed: what becomes of a job that waited for long enough, here or at the vendor."""

from __future__ import annotations

from aiogen._answers import outcomes
from aiogen._engine.deadlines import LastLook, Place
from aiogen._engine.ends import withdraw
from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen.models import State

_ENDED_AT_ONCE = 40
"""Deadlines that are dealt with in one turn of the loop."""
_LOOK_AGAIN = 1.0
"""Seconds until a deadline is looked at again that passed while nothing could be asked."""


def expire(hub: Hub, now: float) -> float:
    """Deal with the deadlines that have passed; the moment of the next one."""
    for _ in range(_ENDED_AT_ONCE):
        if (due := hub.deadlines.pop(now)) is None:
            break
        _expire(hub, due, now)
    else:
        hub.wake()  # the others in the next turn of the loop
    return hub.deadlines.next_at()


def _expire(hub: Hub, due: Job | LastLook | Place, now: float) -> None:
    if isinstance(due, Place):
        due.window.ended(due.weight)
    elif isinstance(due, LastLook):
        _look_once_more(hub, due.job, now)
    elif due in hub.taken_in:
        hub.spawn(hub.taken_in.expire(due))
    elif due.provider_id is not None and hub.ledger.is_returning(now):
        hub.deadlines.put_off(due, now, _LOOK_AGAIN)
    elif hub.remote.reclaim(due):
        known = due.generation
        late = outcomes.timed_out(known, due.timeout, None)
        hub.end(due, late if due.provider_id else outcomes.still_remote(known, hub.limits.queue_timeout))
    elif (track := hub.tracked(due._provider, due.provider_id or "")) is None:
        _expire_unsent(hub, due, now)
    else:
        hub.end(due, outcomes.timed_out(due.generation, due.timeout, track.last_error))
        if not track.is_awaited:
            hub.account(due._provider).slow_down(track)


def _look_once_more(hub: Hub, job: Job, now: float) -> None:
    """Its deadline is near.  Where nothing may be asked for a while, or this comes late, the deadline waits for it.

    Else what ended in time would be called late because this process, not the vendor, had stood still.
    """
    if hub.ledger.is_returning(now):
        hub.deadlines.put_off(job, now, _LOOK_AGAIN)
        return
    hub.deadlines.put_off(job, now)
    hub.account(job._provider).schedule.ask_now(job.provider_id or "", now)


def requeue(hub: Hub, account: Account, number: int, job: Job) -> None:
    """Its create was not sent, or surely not carried out: it waits again, in its old place."""
    if hub.closed:
        hub.end(job, outcomes.closed(job.generation, kept=hub.ledger.is_shared))
    elif job in hub.overdue:
        _expire_unsent(hub, job, hub.clock.now())
    else:
        account.queue.put(number, job)


def _expire_unsent(hub: Hub, job: Job, now: float) -> None:
    """It has waited here for long enough."""
    waited, known = hub.limits.queue_timeout, job.generation
    if job.state is not State.PENDING or hub.ledger.is_fenced(now):
        # A create in flight ends by its own timeout, and then says how; it is not sent once more.  And a process
        # that has just stood still asks the ledger first whose job it is by now.
        hub.overdue.add(job)
        hub.deadlines.put(job, now + 1.0)
    elif hub.ledger.is_sure(now):
        # Out of the ledger, too: the next session must not send what somebody may submit again.
        hub.spawn(withdraw(hub, job, outcomes.timed_out(known, waited, None)))
    else:
        hub.end(job, outcomes.still_remote(known, waited))
