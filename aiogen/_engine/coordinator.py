"""Follows every job of a session: the hub that decides what happens now and when to look again.

The async shell round the pure parts.  One timer for all jobs; a task exists only while a request is in flight.
`_pump` starts what may start and sets the timer; everything that could change its answer calls `kick`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from aiogen._answers import outcomes
from aiogen._clock import TICK, Clock
from aiogen._engine import log
from aiogen._engine.account import AccountState, Track
from aiogen._engine.dispatch import dispatch
from aiogen._engine.eta import forecast
from aiogen._engine.job import Job
from aiogen._engine.remote import RemoteJobs
from aiogen._ledger.handlers import Handlers
from aiogen._ledger.learned import LearnedModels
from aiogen._ledger.lease import Ledger
from aiogen._options import Limits
from aiogen._polling.schedule import Observation
from aiogen._polling.timers import TimerQueue
from aiogen.errors import AiogenError
from aiogen.exchange import Ticket
from aiogen.models import Eta, Generation, State, Typical
from aiogen.providers.base import Provider
from aiogen.stores.base import Store

if TYPE_CHECKING:
    from aiogen._transfer.transport import Transport

logger = logging.getLogger("aiogen")

_DRAIN_SECONDS = 30.0
"""Between two questions about a job that nobody waits for: its place at the vendor is still taken."""
_UNSEEN = 3.0
"""A generation behind others began at most so long before the end of the one before was seen."""
_ENDED_AT_ONCE = 200
"""Jobs that end together in one turn of the loop."""
_DRAIN_FOR = 3600.0
"""Luma forgets an active job after an hour."""


@attrs.frozen(eq=False)
class _Lost:
    """A create without an answer: it may hold its place at the vendor for a while."""

    account: AccountState
    weight: int


@attrs.frozen
class _LastLook:
    """Shortly before a job's deadline it is asked about once more: what is done in time is not called late."""

    job: Job


class Coordinator:
    """One per session.  `_intake` brings jobs in, `_dispatch` starts requests, `_create` and `_poll` carry them out."""

    def __init__(
        self, transport: Transport, store: Store, clock: Clock, limits: Limits, accounts: Callable[[], Collection[str]]
    ) -> None:
        self.transport = transport
        self.store = store
        self.clock = clock
        self.limits = limits
        self._loop = asyncio.get_running_loop()
        self._accounts: dict[str, AccountState] = {}
        self.learned = LearnedModels(store)
        self.handlers = Handlers(store, clock, patience=limits.handler_timeout)
        self.ledger = Ledger(store, clock, accounts)
        self.ledger.lost, self.ledger.renewed, self.ledger.joined = self._lose_all, self.wake, self._joined
        self.remote = RemoteJobs(self)
        self.forecast, self.withdraw_one = self.eta, self.withdrawn
        """Made once: a bound method for each of thousands of jobs is memory."""
        self._deadlines: TimerQueue[Job | _Lost | _LastLook] = TimerQueue()
        self.overdue: set[Job] = set()
        """They have waited here for long enough, but their creates are on their way."""
        self._numbers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._woken: asyncio.Handle | None = None
        self._creates: set[asyncio.Task[None]] = set()
        self._polls: set[asyncio.Task[None]] = set()
        self._writings: set[asyncio.Task[None]] = set()
        self.closed = False
        """Nothing is taken in, and nothing created, any more."""
        self._has_stopped = False
        self.unknown_states: set[tuple[str, str]] = set()
        """State words that have been warned about, by provider."""

    # --- what a session asks for

    def account(self, provider: Provider) -> AccountState:
        """The account that a connection belongs to."""
        account = self._accounts.get(provider.account)
        if account is None:
            account = self._accounts[provider.account] = AccountState(
                provider, max_in_flight=self.limits.max_in_flight, clock=self.clock
            )
            account.shared_budget.is_shared = self.ledger.is_shared
        return account

    def accounts(self) -> list[AccountState]:
        """Every account that was used."""
        return list(self._accounts.values())

    def jobs(self) -> list[Job]:
        """Every job that somebody may still wait for."""
        return [key for key in self._deadlines.all() if isinstance(key, Job)]

    def enqueue(self, job: Job) -> None:
        """It is in the ledger, and sent when its turn comes."""
        self._numbers += 1
        self.account(job._provider).enqueue(self._numbers, job)
        self.expect(job, self.limits.queue_timeout)

    def expect(self, job: Job, patience: float) -> None:
        """It has to get on within so many seconds."""
        self._deadlines.put(job, self.clock.now() + patience)
        self.wake()

    def _joined(self) -> None:
        """We are not alone any more."""
        for account in self._accounts.values():
            account.shared_budget.is_shared = True

    def _lose_all(self) -> None:
        """Nothing is ours any more: whoever owns the jobs now goes on with them, and we read how."""
        for account in self._accounts.values():
            for job in account.drain():
                self.remote.hand_over(job)
            for track in list(account.tracks.values()):
                self._leave(account, track)
                self.remote.lose(track.jobs)
        self.ledger.attend()

    async def withdrawn(self, job: Job) -> bool:
        """Withdraw it for its user, if it still waits here."""
        if job.done or job.state is not State.PENDING or job in self.remote:
            return False
        if not self.ledger.is_sure(self.clock.now()):
            return False  # another process may own it by now, and have sent it
        await self.withdraw(job, outcomes.withdrawn(job.generation))
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Writing that the session waits for when it is left."""
        task = self._loop.create_task(work)
        self._writings.add(task)
        task.add_done_callback(self._writings.discard)
        return task

    async def withdraw(self, job: Job, error: AiogenError) -> None:
        """A job that was not sent will not be sent: not by this session, and by no other."""
        at = self.clock.datetime()
        ended = attrs.evolve(job.generation, state=State.CANCELLED, finished_at=at)
        job._update(ended, at)
        self.end(job, error)
        await self.ledger.note(partial(self.store.settle, [ended]), job.id)
        self.handlers.wake()

    def tracked(self, provider: Provider, provider_id: str) -> Track | None:
        """What is followed under the vendor's id."""
        account = self._accounts.get(provider.account)
        return account.tracks.get(provider_id) if account is not None else None

    def extend(self, job: Job, timeout: float) -> None:
        """The job's deadline is `timeout` seconds from now."""
        job.timeout = timeout
        if job in self.remote:
            self.expect(job, timeout)
            return
        self._set_deadline(job)
        self.wake()

    def lower_price(self, job: Job, price: float) -> None:
        """Somebody else waits for it, to whom a request is worth less waiting."""
        job.poll_cost = price
        provider, key = job._provider, job.provider_id or ""
        schedule = self.account(provider).schedule
        schedule.lower_price(key, provider.poll_floor, provider.poll_ceiling, price, self.clock.now())
        self.wake()

    async def turn(self, account: AccountState) -> None:
        """Wait until the account's budget has room for one more request, which is then taken."""
        turn: asyncio.Future[None] = self._loop.create_future()
        account.calls.put(turn, self.clock.now())
        self.wake()
        try:
            await turn
        finally:
            account.calls.drop(turn)

    def eta(self, job: Job) -> Eta | None:
        """How long a job may still take."""
        account = self._accounts.get(job._provider.account)
        return forecast(self, account, job) if account is not None else None

    async def leave(self) -> None:
        """Take nothing in and create nothing any more; tell the handlers of what has ended by now.

        Meanwhile everything else goes on, so a handler may still download what it is told of.
        """
        self.closed = True
        await self._send_no_more()
        await self.handlers.flush()

    async def close(self) -> None:
        """Send nothing new, let creates in flight be answered, then tell every waiter."""
        self.closed = self._has_stopped = True
        self.ledger.takes_up = False
        for poll in self._polls:
            poll.cancel()
        costly = dict.fromkeys(job for job in self.jobs() if self._may_cost(job))
        try:
            await self._send_no_more()
            while running := self._polls | self._writings:
                await asyncio.wait(running)
            # Nothing more will be heard of what runs: only creates are waited for.
            await self._close_all(job for job in self.jobs() if job.provider_id is not None or job in self.remote)
            while running := self._creates | self._writings:
                await asyncio.wait(running)
        finally:
            # Here only if the leaving itself was cancelled: creates without an answer then end as unknown.
            for task in (torn := self._creates | self._polls):
                task.cancel()
            await asyncio.gather(*torn, *self._writings, return_exceptions=True)
            for handle in (self._timer, self._woken):
                if handle is not None:
                    handle.cancel()
            costly |= dict.fromkeys(job for job in self.jobs() if self._may_cost(job))
            for job in self.jobs():
                self.end(job, outcomes.closed(job.generation, kept=self.ledger.is_shared))
            left = [job for job in costly if not job.state.is_terminal]
            log.left(left, kept=self.ledger.is_shared and not self.ledger.is_behind)
            try:
                await self.learned.save(every=1)
            finally:
                try:
                    await self.handlers.close()
                finally:
                    await self.ledger.close()

    def _may_cost(self, job: Job) -> bool:
        """It runs at the provider, or may do so, and nobody else follows it."""
        return job not in self.remote and (job.provider_id is not None or job.state is State.SUBMITTING)

    async def _send_no_more(self) -> None:
        await self._close_all(job for account in self.accounts() for job in account.drain())

    async def _close_all(self, jobs: Iterable[Job]) -> None:
        for i, job in enumerate(jobs, 1):
            self.end(job, outcomes.closed(job.generation, kept=self.ledger.is_shared))
            if i % _ENDED_AT_ONCE == 0:
                await asyncio.sleep(0)

    # --- what carries out requests reports back

    def wake(self) -> None:
        """Something has changed: look again, soon and once."""
        if self._woken is None and not self._has_stopped:
            self._woken = self._loop.call_soon(self._tick)

    def follow(
        self,
        account: AccountState,
        job: Job,
        ticket: Ticket,
        typical: Typical,
        *,
        weight: int,
        is_ours: bool,
        age: float = 0.0,
    ) -> Track:
        """Begin, or go on, to ask about a generation, and run the job's deadline from now.

        `age`: seconds since it was accepted, if it is ours and nobody has asked about it since.
        """
        now = self.clock.now()
        provider = job._provider
        track = account.tracks.get(ticket.provider_id)
        if track is None:
            track = Track(provider, ticket, State.QUEUED, now - age, weight, is_ours)
            account.tracks[ticket.provider_id] = track
            self._schedule(account, job, track, typical, now)
        else:
            price = min([job.poll_cost, *(other.poll_cost for other in track.jobs if not other.done)])
            account.schedule.lower_price(ticket.provider_id, provider.poll_floor, provider.poll_ceiling, price, now)
        track.jobs.append(job)
        self._set_deadline(job)
        self.wake()
        return track

    def _schedule(self, account: AccountState, job: Job, track: Track, typical: Typical, now: float) -> None:
        key, provider, is_ours = track.ticket.provider_id, track.provider, track.is_ours
        runs = True
        if is_ours:
            runs = account.vendor_queue.add(key)
            account.listing.made(key)
        company = (
            min(provider.capabilities.list_page, account.vendor_queue.running) if account.listing.usable(now) else 1
        )
        account.set_lag_weight()
        account.schedule.track(
            key,
            now,
            phases=self.learned.of(provider, track.ticket.model, typical),
            started_at=track.accepted_at,
            floor=provider.poll_floor,
            ceiling=provider.poll_ceiling,
            price=job.poll_cost,
            learns=is_ours and track.accepted_at == now,
            held=not runs,
            share=1.0 / max(1, company),
        )
        if not is_ours:
            account.schedule.ask_now(key, now)  # nobody knows how far it is

    def begin(self, account: AccountState, keys: list[str], at: float, *, always: bool = False) -> None:
        """These generations were behind others at the vendor, and run now; or, as it turns out, `always` did."""
        now = self.clock.now()
        for key in keys:
            account.schedule.begins(key, now, account.tracks[key].accepted_at if always else at)

    def _set_deadline(self, job: Job) -> None:
        now = self.clock.now()
        self._deadlines.put(job, now + job.timeout)
        self._deadlines.put(
            _LastLook(job), now + job.timeout - min(2.0, max(0.5, 0.1 * job.timeout), job.timeout / 2.0)
        )

    async def settle(
        self,
        account: AccountState,
        track: Track,
        end: Callable[[Generation], Generation],
        error: AiogenError | None = None,
    ) -> None:
        """A generation is over: into the ledger first, then to everyone who waits.

        `end` makes the last snapshot of what a job knew; `error` is for its waiters, if the snapshot does not say it.
        """
        now = self.clock.now()
        lesson = self._leave(account, track, over=True)
        ended = [end(job.generation) for job in track.jobs]
        # It is known from here on, so everyone is told, whatever becomes of the call or the question that has seen it.
        await asyncio.shield(self.spawn(self._tell(account, track, ended, error, lesson, now)))

    async def _tell(
        self,
        account: AccountState,
        track: Track,
        ended: list[Generation],
        error: AiogenError | None,
        lesson: Observation[str] | None,
        now: float,
    ) -> None:
        moments = [moment for job in track.jobs if (moment := self._deadlines.moment(job)) is not None]
        within = max(0.0, min([self.ledger.write_timeout, *(moment - now for moment in moments)]))  # a deadline is one
        write = partial(self.store.settle, ended)
        await self.ledger.note(write, *(job.id for job in track.jobs), within=within)
        self.handlers.wake()
        at = self.clock.datetime()
        for job, generation in zip(track.jobs, ended, strict=True):
            was_over, error_of_it = job.done, error or outcomes.ended(generation)
            job._update(generation, at)
            self.end(job, error_of_it)
            if was_over:  # its deadline passed before
                log.ended(job, error_of_it)
        self.wake()
        if lesson is not None and error is None:
            # Last: whatever may be wrong with what is learned, nobody waits longer for it.
            account.schedule.learn(lesson, now)
            await self.learned.save()

    def abandon(self, account: AccountState, track: Track, error: AiogenError) -> None:
        """Nothing more can be learned about a generation; it may go on at the vendor."""
        self._leave(account, track)
        for job in track.jobs:
            self.end(job, error)
        self.wake()

    def end(self, job: Job, error: AiogenError | None) -> None:
        """Resolve everyone who waits for this job."""
        self._deadlines.drop(job)
        self._deadlines.drop(_LastLook(job))
        self.overdue.discard(job)
        if job.done:
            return
        job._finish(outcomes.with_ids(job.generation, error) if error is not None else None)
        log.ended(job, error)

    def hold_place(self, account: AccountState, weight: int, seconds: float) -> None:
        """A create without an answer may hold its place at the vendor: count it for so long."""
        self._deadlines.put(_Lost(account, weight), self.clock.now() + seconds)

    # --- deciding

    def _tick(self) -> None:
        self._woken = None
        if self._has_stopped:
            return
        now = self.clock.now()
        for _ in range(_ENDED_AT_ONCE):
            if (due := self._deadlines.pop(now)) is None:
                break
            self._expire(due)
        else:
            self.wake()  # the others in the next turn of the loop
        wake = self._deadlines.wake_at()
        moments = [math.inf if wake is None else wake]
        if not self.ledger.is_fenced(now):  # else the lease's renewal looks again
            moments += [dispatch(self, account, now) for account in self._accounts.values()]
        self._set_timer(min(moments))

    def start_create(self, account: AccountState, job: Job, work: Coroutine[Any, Any, None]) -> None:
        """One create."""
        self._start(account, self._creates, work, partial(self._broken_create, job))

    def start_poll(self, account: AccountState, keys: list[str], work: Coroutine[Any, Any, None]) -> None:
        """One question about these generations."""
        self._start(account, self._polls, work, partial(self._broken_poll, account, keys))

    def _start(
        self,
        account: AccountState,
        tasks: set[asyncio.Task[None]],
        work: Coroutine[Any, Any, None],
        broken: Callable[[BaseException], None],
    ) -> None:
        account.in_flight += 1
        task = self._loop.create_task(work)
        tasks.add(task)

        def finished(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            account.in_flight -= 1
            self.wake()
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.error("This is a bug in aiogen, or in a store of yours: %r", error, exc_info=error)
                broken(error)

        task.add_done_callback(finished)

    def _broken_create(self, job: Job, error: BaseException) -> None:
        """Even a bug leaves no waiter waiting, nor has a create repeated."""
        trouble = AiogenError(f"it was interrupted by {type(error).__name__}: {error}.")
        self.end(job, outcomes.lost(job.generation, job.submission, trouble, self.clock.datetime()))

    def _broken_poll(self, account: AccountState, keys: list[str], _: BaseException) -> None:
        for key in keys:
            if key in account.tracks and not account.schedule.is_free(key):
                account.schedule.failed(key, self.clock.now(), _DRAIN_SECONDS)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when + TICK, self._tick) if when < math.inf else None

    # --- deadlines

    def _expire(self, due: Job | _Lost | _LastLook) -> None:
        if isinstance(due, _Lost):
            due.account.window.ended(due.weight)
            return
        if isinstance(due, _LastLook):
            self._accounts[due.job._provider.account].schedule.ask_now(due.job.provider_id or "", self.clock.now())
            return
        job = due
        if self.remote.reclaim(job):
            late = outcomes.timed_out(job.generation, job.timeout, None)
            self.end(job, late if job.provider_id else outcomes.still_remote(job.generation, self.limits.queue_timeout))
            return
        account = self._accounts[job._provider.account]
        track = account.tracks.get(job.provider_id) if job.provider_id is not None else None
        if track is None:
            self.expire_unsent(job, self.clock.now())
            return
        self.end(job, outcomes.timed_out(job.generation, job.timeout, track.last_error))
        if not track.is_awaited:
            account.schedule.slow_down(track.ticket.provider_id, _DRAIN_SECONDS)

    def expire_unsent(self, job: Job, now: float) -> None:
        """It has waited here for long enough."""
        patience = self.limits.queue_timeout
        if job.state is not State.PENDING or self.ledger.is_fenced(now):
            # A create in flight ends by its own timeout, and then says how; it is not sent once more.  And who has just
            # stood still asks the ledger first whose job it is by now.
            self.overdue.add(job)
            self._deadlines.put(job, now + 1.0)
        elif self.ledger.is_sure(now):
            # Out of the ledger, too: the next session must not send what somebody may submit again.
            self.spawn(self.withdraw(job, outcomes.timed_out(job.generation, patience, None)))
        else:
            self.end(job, outcomes.still_remote(job.generation, patience))

    def drained(self, account: AccountState, track: Track) -> bool:
        """True, and no longer followed, if nobody has waited for it for long enough."""
        if track.is_awaited or self.clock.now() < track.accepted_at + _DRAIN_FOR:
            return False
        self._leave(account, track)
        return True

    def _leave(self, account: AccountState, track: Track, *, over: bool = False) -> Observation[str] | None:
        """It is no longer followed; what its end teaches, if that is why."""
        key = track.ticket.provider_id
        if account.tracks.get(key) is not track:
            return None
        del account.tracks[key]
        lesson = account.schedule.drop(key)
        account.window.ended(track.weight)
        account.listing.gone(key, over=over)
        now = self.clock.now()
        hasty = lesson is not None and lesson.is_too_early(now)
        begun, always = account.vendor_queue.ended(key, too_early=hasty)
        if always:
            account.schedule.ran_all_along(now)
        if begun:
            # The one before ended between its last two answers.
            since = lesson.asked_at if lesson is not None else now
            self.begin(account, begun, max((since + now) / 2.0, now - _UNSEEN), always=always)
        return None if hasty else lesson
