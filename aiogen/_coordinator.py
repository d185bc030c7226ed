"""Follows every job of a session: the hub that decides what happens now and when to look again.

The async shell round the pure parts.  One timer for all jobs; a task exists only while a request is in flight.
`_pump` starts what may start and sets the timer; everything that could change its answer calls `kick`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from aiogen import _outcomes as outcomes
from aiogen._account import AccountDesk, Track
from aiogen._agenda import Agenda
from aiogen._clock import TICK, Clock
from aiogen._create import send
from aiogen._job import Job
from aiogen._poll import ask
from aiogen._wire import Ticket, Typical
from aiogen.errors import AiogenError
from aiogen.models import Generation, State
from aiogen.providers.base import Provider
from aiogen.stores.base import Record, Store

if TYPE_CHECKING:
    from aiogen._transport import Transport

logger = logging.getLogger("aiogen")

_DRAIN_SECONDS = 30.0
"""Between two questions about a job that nobody waits for: its place at the vendor is still taken."""
_DRAIN_FOR = 3600.0
"""Luma forgets an active job after an hour."""


@attrs.frozen(kw_only=True)
class Limits:
    """What bounds a coordinator; `Session` says what each is."""

    max_in_flight: int
    poll_cost: float
    queue_timeout: float
    unreachable_timeout: float


@attrs.frozen(eq=False)
class _Lost:
    """A create without an answer: it may hold its place at the vendor for a while."""

    desk: AccountDesk
    weight: int


@attrs.frozen
class _LastLook:
    """Shortly before a job's deadline it is asked about once more: what is done in time is not called late."""

    job: Job


class Coordinator:
    """One per session.  `_create.send` and `_poll.ask` carry out what it starts."""

    def __init__(self, transport: Transport, store: Store, clock: Clock, limits: Limits) -> None:
        self.transport = transport
        self.store = store
        self.clock = clock
        self.limits = limits
        self._loop = asyncio.get_running_loop()
        self._desks: dict[str, AccountDesk] = {}
        self._deadlines: Agenda[Job | _Lost | _LastLook] = Agenda()
        self._numbers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._kicked: asyncio.Handle | None = None
        self._creates: set[asyncio.Task[None]] = set()
        self._polls: set[asyncio.Task[None]] = set()
        self.closed = False
        self.strange_words: set[tuple[str, str]] = set()
        """State words that have been warned about, by provider."""

    # --- what a session asks for

    def desk(self, provider: Provider) -> AccountDesk:
        """The account that a connection belongs to."""
        desk = self._desks.get(provider.account)
        if desk is None:
            desk = self._desks[provider.account] = AccountDesk(
                provider, poll_cost=self.limits.poll_cost, max_in_flight=self.limits.max_in_flight
            )
        return desk

    def jobs(self) -> list[Job]:
        """Every job that somebody may still wait for."""
        return [key for key in self._deadlines.all() if isinstance(key, Job)]

    async def submit(self, job: Job) -> None:
        """Take a job in; it is sent when its turn comes.

        Raises:
            StoreError: the ledger did not take it, so it will not be sent.
        """
        provider = job._provider
        await self.store.add(
            Record(
                id=job.id,
                connection=job.connection,
                provider=job.provider,
                account=provider.account,
                state=State.PENDING,
                submission=job.submission,
                created_at=self.clock.datetime(),
            )
        )
        if self.closed:
            job._finish(outcomes.closed(job))
            return
        self._numbers += 1
        self.desk(provider).enqueue(self._numbers, job)
        self._deadlines.put(job, self.clock.now() + self.limits.queue_timeout)
        self.kick()

    async def attach(self, job: Job, ticket: Ticket, typical: Typical) -> None:
        """Follow a generation that was created elsewhere, or before, or whose deadline has passed."""
        desk = self.desk(job._provider)
        if ticket.provider_id not in desk.tracks:
            now = self.clock.datetime()
            await self.store.add(
                Record(
                    id=job.id,
                    connection=job.connection,
                    provider=job.provider,
                    account=job._provider.account,
                    state=State.QUEUED,
                    provider_id=ticket.provider_id,
                    created_at=now,
                    accepted_at=now,
                )
            )
        if self.closed:
            job._finish(outcomes.closed(job))
            return
        if ticket.provider_id not in desk.tracks:
            desk.window.follow(1)
        self.follow(desk, job, ticket, typical, weight=1, is_ours=False)

    def tracked(self, provider: Provider, provider_id: str) -> Track | None:
        """What is followed under the vendor's id."""
        desk = self._desks.get(provider.account)
        return desk.tracks.get(provider_id) if desk is not None else None

    def extend(self, job: Job, timeout: float) -> None:
        """The job's deadline is `timeout` seconds from now."""
        job.timeout = timeout
        self._set_deadline(job)
        self.kick()

    async def close(self) -> None:
        """Send nothing new, let creates in flight be answered, then tell every waiter."""
        self.closed = True
        for desk in self._desks.values():
            for job in desk.drain():
                self.end(job, outcomes.closed(job))
        for poll in self._polls:
            poll.cancel()
        try:
            while self._creates or self._polls:
                await asyncio.wait(self._creates | self._polls)
        finally:
            # Here only if the leaving itself was cancelled: creates without an answer then end as unknown.
            for task in (left := self._creates | self._polls):
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            for handle in (self._timer, self._kicked):
                if handle is not None:
                    handle.cancel()
            for job in self.jobs():
                self.end(job, outcomes.closed(job))

    # --- what carries out requests reports back

    def kick(self) -> None:
        """Something has changed: look again, soon and once."""
        if self._kicked is None and not self.closed:
            self._kicked = self._loop.call_soon(self._pump)

    def follow(
        self, desk: AccountDesk, job: Job, ticket: Ticket, typical: Typical, *, weight: int, is_ours: bool
    ) -> Track:
        """Begin, or go on, to ask about a generation, and run the job's deadline from now."""
        now = self.clock.now()
        provider = job._provider
        track = desk.tracks.get(ticket.provider_id)
        if track is None:
            track = desk.tracks[ticket.provider_id] = Track(provider, ticket, State.QUEUED, now, weight, is_ours)
            desk.set_pressure()
            desk.schedule.track(
                ticket.provider_id,
                now,
                durations=desk.durations(ticket.model, typical),
                started_at=now,
                floor=provider.poll_floor,
                ceiling=provider.poll_ceiling,
            )
            if not is_ours:
                desk.schedule.ask_now(ticket.provider_id, now)  # nobody knows how far it is
        else:
            desk.schedule.hasten(ticket.provider_id, provider.poll_floor, provider.poll_ceiling, now)
        track.jobs.append(job)
        self._set_deadline(job)
        self.kick()
        return track

    def _set_deadline(self, job: Job) -> None:
        now = self.clock.now()
        self._deadlines.put(job, now + job.timeout)
        self._deadlines.put(
            _LastLook(job), now + job.timeout - min(2.0, max(0.5, 0.1 * job.timeout), job.timeout / 2.0)
        )

    async def settle(
        self,
        desk: AccountDesk,
        track: Track,
        end: Callable[[Generation], Generation],
        error: AiogenError | None = None,
    ) -> None:
        """A generation is over: into the ledger first, then to everyone who waits.

        `end` makes the last snapshot of what a job knew; `error` is for its waiters, if the snapshot does not say it.
        """
        self._leave(desk, track)
        ended = [end(job.generation) for job in track.jobs]
        await self.written(self.store.settle(ended))
        at = self.clock.datetime()
        for job, generation in zip(track.jobs, ended, strict=True):
            job._update(generation, at)
            self.end(job, error or outcomes.ended(generation))
        self.kick()

    async def written(self, writing: Awaitable[None]) -> None:
        """Write to the ledger what has happened at the provider; trouble there, of any kind, must not hide it."""
        try:
            await writing
        except Exception as trouble:
            logger.error("The ledger could not be written, so this is only in memory: %r", trouble)

    def abandon(self, desk: AccountDesk, track: Track, error: AiogenError) -> None:
        """Nothing more can be learned about a generation; it may go on at the vendor."""
        self._leave(desk, track)
        for job in track.jobs:
            self.end(job, error)
        self.kick()

    def end(self, job: Job, error: AiogenError | None) -> None:
        """Resolve everyone who waits for this job."""
        self._deadlines.drop(job)
        self._deadlines.drop(_LastLook(job))
        job._finish(outcomes.about(job, error) if error is not None else None)

    def hold_place(self, desk: AccountDesk, weight: int, seconds: float) -> None:
        """A create without an answer may hold its place at the vendor: count it for so long."""
        self._deadlines.put(_Lost(desk, weight), self.clock.now() + seconds)

    # --- deciding

    def _pump(self) -> None:
        self._kicked = None
        if self.closed:
            return
        now = self.clock.now()
        while (due := self._deadlines.pop(now)) is not None:
            self._expire(due)
        wake = self._deadlines.wake_at()
        moments = [math.inf if wake is None else wake]
        moments += [self._pump_desk(desk, now) for desk in self._desks.values()]
        self._set_timer(min(moments))

    def _pump_desk(self, desk: AccountDesk, now: float) -> float:
        """Start what this account may start now; the moment at which to look again."""
        create_at = self._start_creates(desk, now)
        poll_at = self._start_polls(desk, now)
        return min(create_at, poll_at)

    def _start_creates(self, desk: AccountDesk, now: float) -> float:
        # A quarter of the places stays free for questions: a create may take many seconds.
        places = max(1, self.limits.max_in_flight * 3 // 4)
        while (entry := desk.first()) is not None:
            if desk.creates_in_flight >= places or desk.in_flight >= self.limits.max_in_flight:
                return math.inf  # the next answer looks again
            submission = entry[1].submission
            assert submission is not None
            when = desk.window.create_at(now, submission.weight)
            if when > now:
                return when
            number, job = desk.pop()
            desk.window.create_sent(now, submission.weight)
            desk.creates_in_flight += 1
            self._start(desk, self._creates, send(self, desk, number, job), partial(self._broken_create, job))
        return math.inf

    def _start_polls(self, desk: AccountDesk, now: float) -> float:
        desk.set_pressure()
        while (due := desk.schedule.wake_at()) is not None:
            if desk.in_flight >= self.limits.max_in_flight:
                return math.inf  # the next answer looks again
            when = max(due, desk.window.request_at(now))
            if when > now:
                return when
            key = desk.schedule.take(now)
            assert key is not None
            desk.window.request_sent(now)
            self._start(desk, self._polls, ask(self, desk, desk.tracks[key]), partial(self._broken_poll, desk, key))
        return math.inf

    def _start(
        self,
        desk: AccountDesk,
        tasks: set[asyncio.Task[None]],
        work: Coroutine[Any, Any, None],
        broken: Callable[[BaseException], None],
    ) -> None:
        desk.in_flight += 1
        task = self._loop.create_task(work)
        tasks.add(task)

        def finished(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            desk.in_flight -= 1
            self.kick()
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.error("This is a bug in aiogen, or in a store of yours: %r", error, exc_info=error)
                broken(error)

        task.add_done_callback(finished)

    def _broken_create(self, job: Job, error: BaseException) -> None:
        """Even a bug leaves no waiter waiting, nor has a create repeated."""
        trouble = AiogenError(f"it was interrupted by {type(error).__name__}: {error}.")
        self.end(job, outcomes.lost(job, trouble, self.clock.datetime()))

    def _broken_poll(self, desk: AccountDesk, key: str, _: BaseException) -> None:
        desk.schedule.failed(key, self.clock.now(), _DRAIN_SECONDS)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when + TICK, self._pump) if when < math.inf else None

    # --- deadlines

    def _expire(self, due: Job | _Lost | _LastLook) -> None:
        if isinstance(due, _Lost):
            due.desk.window.ended(due.weight)
            return
        if isinstance(due, _LastLook):
            self._desks[due.job._provider.account].schedule.ask_now(due.job.provider_id or "", self.clock.now())
            return
        job = due
        desk = self._desks[job._provider.account]
        track = desk.tracks.get(job.provider_id) if job.provider_id is not None else None
        if track is None:
            if job.state is State.PENDING:
                self.end(job, outcomes.timed_out(job, self.limits.queue_timeout, None))
            else:
                # A create in flight ends by its own timeout, and then says how.
                self._deadlines.put(job, self.clock.now() + 1.0)
            return
        self.end(job, outcomes.timed_out(job, job.timeout, track.last_error))
        if not track.is_awaited:
            desk.schedule.slow_down(track.ticket.provider_id, _DRAIN_SECONDS)

    def drained(self, desk: AccountDesk, track: Track) -> bool:
        """True, and no longer followed, if nobody has waited for it for long enough."""
        if track.is_awaited or self.clock.now() < track.accepted_at + _DRAIN_FOR:
            return False
        self._leave(desk, track)
        return True

    def _leave(self, desk: AccountDesk, track: Track) -> None:
        key = track.ticket.provider_id
        if desk.tracks.get(key) is track:
            del desk.tracks[key]
            desk.schedule.drop(key)
            desk.window.ended(track.weight)
