"""Follows every job of a session: carries out what its accounts decide, and looks again when they say so.

One timer for all jobs; a task exists only while a request is in flight.  `_tick` asks every account what may start, and
sets the timer; everything that could change an answer calls `wake`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Generator, Iterable
from functools import partial
from typing import Any

from aiogen._account.actions import Action, AnnounceHold, AskOne, AskPage, Fit, GiveTurn, SendCreate, TakeBudget
from aiogen._account.deciding import decide, rests_until
from aiogen._answers import outcomes
from aiogen._checkpoint import Turn
from aiogen._clock import TICK
from aiogen._engine import log
from aiogen._engine.create import send
from aiogen._engine.expiry import expire
from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen._engine.poll import ask
from aiogen._engine.sweep import sweep
from aiogen.errors import AiogenError
from aiogen.models import State

logger = logging.getLogger("aiogen")

_STOOD_STILL = 1.0
"""Seconds by which a timer rings late after which this process has stood still, and not only been busy."""


class Coordinator:
    """One per session."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        hub.wake = self._wake
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf
        """When that is; infinite without one."""
        self._rests_since: float | None = None
        """Since when nothing may be sent."""
        self._looked_at = math.inf
        """When it was looked last what may be started."""
        self._woken: asyncio.Handle | None = None
        self._creates: set[asyncio.Task[None]] = set()
        self._polls: set[asyncio.Task[None]] = set()
        self._has_stopped = False

    # --- when to look

    def _wake(self) -> None:
        if self._woken is None and not self._has_stopped:
            self._woken = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._woken = None
        if self._has_stopped:
            return
        hub, now = self.hub, self.hub.clock.now()
        when = expire(hub, now)
        if hub.is_losing or hub.ledger.is_fenced(now):  # the end of that, or the lease's renewal, looks again
            self._rests_since = self._rests_since or self._stood_still(now) or now
        else:
            self._has_rested(self._rests_since or self._stood_still(now), now)
            for account in hub.accounts():
                when = min(when, self._dispatch(account, now))
        self._looked_at = now
        self._set_timer(when, now)

    def _stood_still(self, now: float) -> float | None:
        """Since when this process stood still, if it did: its timer rings late by more than it can be busy."""
        since = max(self._rings_at, self._looked_at)
        return since if now > since + _STOOD_STILL else None

    def _has_rested(self, since: float | None, now: float) -> None:
        """Something may be sent; if `since`, nothing could be since then."""
        self._rests_since = None
        if since is not None:
            for account in self.hub.accounts():
                account.schedule.rested(since, now)

    def _set_timer(self, when: float, now: float) -> None:
        if self._timer is not None:
            if when == self._rings_at and when > now:
                return
            self._timer.cancel()
        self._rings_at = when
        self._timer = self._loop.call_at(when + TICK, self._tick) if when < math.inf else None

    def _dispatch(self, account: Account, now: float) -> float:
        """Start what this account may start now; the moment at which to look again."""
        creates = not (self.hub.closed or self.hub.creates_stopped)
        actions, when = decide(account, now, creates=creates, shares=self.hub.ledger.is_shared)
        for action in actions:
            self._do(account, action)
        return when

    # --- what to start

    def _do(self, account: Account, action: Action[Job]) -> None:
        hub = self.hub
        match action:
            case SendCreate():
                broken = partial(self._create_broke, action.job)
                self._start(
                    self._creates, send(hub, account, action), partial(self._create_finished, account, action), broken
                )
            case AskOne():
                self._start_read(account, [action.track.key], ask(hub, account, action.track))
            case AskPage():
                work = sweep(hub, account, action.track.provider, action.offset, action.keys)
                self._start_read(account, action.keys, work)
            case GiveTurn():
                action.turn.set_result(None)
            case TakeBudget():
                hub.spawn(self._take_budget(account, action))
            case Fit():
                self._loop.call_soon(self._step, action.durations.fitting())
            case AnnounceHold():
                for name in account.names:
                    hub.spawn(hub.ledger.hold(name, action.kind, action.seconds))

    def _start_read(self, account: Account, keys: list[str], work: Coroutine[Any, Any, None]) -> None:
        finished = partial(self._read_finished, account)
        self._start(self._polls, work, finished, partial(self._read_broke, account, keys))

    def _create_finished(self, account: Account, create: SendCreate[Job]) -> None:
        account.create_finished(create)
        self._wake()

    def _read_finished(self, account: Account) -> None:
        account.read_finished()
        # Most answers only say that it runs on: then the timer is early enough, and to look would be for nothing.
        if not rests_until(account, self._rings_at, self.hub.clock.now()):
            self._wake()

    def _start(
        self,
        tasks: set[asyncio.Task[None]],
        work: Coroutine[Any, Any, None],
        finished: Callable[[], None],
        broken: Callable[[BaseException], None],
    ) -> None:
        task = self._loop.create_task(work)
        tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            finished()
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.error("This is a bug in aiogen, or in a store of yours: %r", error, exc_info=error)
                broken(error)

        task.add_done_callback(done)

    async def _take_budget(self, account: Account, action: TakeBudget) -> None:
        """Of what all processes on the ledger may ask; nothing is asked before it is there."""
        hub = self.hub
        names = account.names  # a process that still has another key of this account takes it under that key's name
        waits = [await hub.ledger.acquire(name, action.count, action.per_second) for name in names]
        wait = max(waits)
        account.shared_budget.taken(action.count, hub.clock.now() + wait, alone=not hub.ledger.peers)
        self._wake()

    def _step(self, fitting: Generator[None, None, None]) -> None:
        """One step of a fit; whatever else the loop has to do comes between two of them."""
        if self._has_stopped:
            fitting.close()
            return
        try:
            next(fitting)
        except StopIteration:
            self._wake()
        except Exception as error:
            logger.error("This is a bug in aiogen: %r", error, exc_info=error)
        else:
            self._loop.call_soon(self._step, fitting)

    def _create_broke(self, job: Job, error: BaseException) -> None:
        """Even a bug leaves no waiter waiting, nor has a create repeated."""
        cause = AiogenError(f"it was interrupted by {type(error).__name__}: {error}.")
        self.hub.end(job, outcomes.lost(job.generation, job.submission, cause, self.hub.clock.datetime()))

    def _read_broke(self, account: Account, keys: list[str], _: BaseException) -> None:
        for key in keys:
            account.give_up_question(key, self.hub.clock.now())

    # --- leaving

    async def leave(self) -> None:
        """Take nothing in and create nothing any more; bring the handlers what has ended by now.

        Meanwhile everything else goes on, so a handler may still download what it is given.
        """
        self.hub.leaving.set()
        self.hub.ledger.takes_up = False  # it is for those who stay
        await self._send_no_more()
        await self.hub.handlers.flush()

    async def close(self) -> None:
        """Send nothing new, let creates in flight be answered, then resolve every waiter."""
        hub = self.hub
        hub.leaving.set()
        self._has_stopped = True
        hub.ledger.takes_up = False
        for poll in self._polls | hub.lookups:
            poll.cancel()
        costly = dict[Job, None]()
        try:
            turn = Turn()
            for job in hub.jobs():
                if self._may_cost(job):
                    costly[job] = None
                await turn.step()
            await self._send_no_more()
            while running := self._polls | hub.lookups | hub.writings:
                await asyncio.wait(running)
            # Nothing more will be heard of what runs: only creates are waited for.
            await self._close_all(job for job in hub.jobs() if job.provider_id is not None or job in hub.remote)
            while running := self._creates | hub.writings:
                await asyncio.wait(running)
        finally:
            await self._close_at_once(costly)

    async def _close_at_once(self, costly: dict[Job, None]) -> None:
        """What is left: nothing, unless the leaving itself was cancelled; creates without an answer end as unknown."""
        hub = self.hub
        for task in (torn := self._creates | self._polls | hub.lookups):
            task.cancel()
        await asyncio.gather(*torn, *hub.writings, return_exceptions=True)
        for handle in (self._timer, self._woken):
            if handle is not None:
                handle.cancel()
        costly |= dict.fromkeys(job for job in hub.jobs() if self._may_cost(job))
        for job in hub.jobs():
            hub.end(job, outcomes.closed(job.generation, kept=hub.ledger.is_shared))
        left = [job for job in costly if not job.state.is_terminal]
        log.left(left, kept=hub.ledger.is_shared and not hub.ledger.is_behind)
        try:
            await hub.learned.save(every=1)
            await hub.proofs.save(every=1)
        finally:
            try:
                await hub.handlers.close()
            finally:
                await hub.ledger.close()

    def _may_cost(self, job: Job) -> bool:
        """It runs at the provider, or may do so, and nobody else follows it."""
        return job not in self.hub.remote and (job.provider_id is not None or job.state is State.SUBMITTING)

    async def _send_no_more(self) -> None:
        await self._close_all(job for account in self.hub.accounts() for job in account.queue.drain())

    async def _close_all(self, jobs: Iterable[Job]) -> None:
        turn = Turn()
        for job in jobs:
            self.hub.end(job, outcomes.closed(job.generation, kept=self.hub.ledger.is_shared))
            await turn.step()
