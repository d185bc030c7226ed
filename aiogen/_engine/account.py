"""What one session keeps for one account: its window, its waiting creates, its questions."""

from __future__ import annotations

import asyncio
import heapq
import math
import random

import attrs

from aiogen._clock import Clock
from aiogen._engine import log
from aiogen._engine.job import Job
from aiogen._limits.retry import delay
from aiogen._limits.shared_budget import SharedBudget
from aiogen._limits.window import Window
from aiogen._polling.listing import Listing
from aiogen._polling.schedule import Schedule
from aiogen._polling.timers import TimerQueue
from aiogen._polling.vendor_queue import VendorQueue
from aiogen.errors import AiogenError, APIError, RateLimited, Throttle
from aiogen.exchange import Ticket
from aiogen.models import State
from aiogen.providers.base import Provider
from aiogen.stores.base import Headroom, RequestKind

_NAMES = 10_000
"""Ids that are remembered per account, to see one that is given twice."""


class SeenIds:
    """The latest ids that an account's creates were answered with."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._said: set[str] = set()

    def first(self, provider_id: str, job_id: str) -> str | None:
        """This job's create was answered with this id; the job that was given it before, if there is one."""
        first = self._first.setdefault(provider_id, job_id)
        if len(self._first) > _NAMES:
            oldest = next(iter(self._first))
            del self._first[oldest]
            self._said.discard(oldest)
        return first if first != job_id else None

    def report_once(self, provider_id: str) -> bool:
        """True the first time: one id is reported once, however often it is given."""
        if provider_id in self._said:
            return False
        self._said.add(provider_id)
        return True


@attrs.define(eq=False)
class Track:
    """One generation at the vendor, and everyone here who waits for it."""

    provider: Provider
    ticket: Ticket
    state: State
    accepted_at: float
    """On the session's steady clock."""
    weight: int
    is_ours: bool
    """Created by this session: "not found" may then mean "not yet"."""
    jobs: list[Job] = attrs.field(factory=list)
    """Every handle to it, also those whose deadline has passed."""
    last_answer: int | None = None
    """Stands for the last answer that said it runs, to know the same one again."""
    was_read: bool = False
    """The vendor has told about it at least once."""
    failures: int = 0
    not_found: int = 0
    missing_since: float = math.inf
    """When the first of the questions was sent that were answered with "not found", one after the other."""
    missing_outputs: int = 0
    auth_refusals: int = 0
    last_error: Exception | None = None

    def forget_failures(self) -> None:
        """It was read."""
        self.failures = self.not_found = self.auth_refusals = 0
        self.missing_since = math.inf
        self.last_error = None

    @property
    def is_awaited(self) -> bool:
        """True while somebody may still get its result."""
        return any(not job.done for job in self.jobs)


class AccountState:
    """One account.  Several connections with the same key share it, as the vendor counts them together."""

    def __init__(self, provider: Provider, *, max_in_flight: int, clock: Clock) -> None:
        self.key = provider.account
        self.name = provider.name
        self._provider = provider
        self._clock = clock
        self.places = asyncio.Semaphore(max_in_flight)
        """For single calls; creates and questions are counted by `in_flight`."""
        self.window = Window(
            creates_per_minute=provider.creates_per_minute,
            max_active=provider.max_active,
            requests_per_minute=provider.requests_per_minute,
            draw=random.uniform,
        )
        self.shared_budget = SharedBudget()
        self.announced_holds: dict[RequestKind, float] = {}
        """Until when other processes were told to hold back."""
        self.schedule: Schedule[str] = Schedule()
        self.vendor_queue: VendorQueue[str] = VendorQueue(provider.slots)
        can = provider.capabilities
        self.listing = Listing(can.list_page if can.list else 0)
        self.user_id: str | None = None
        """Whose list it is; looked up once, under `looking_up`."""
        self.looking_up = asyncio.Lock()
        self.calls: TimerQueue[asyncio.Future[None]] = TimerQueue()
        """Single calls and downloads that wait for their turn."""
        self.tracks: dict[str, Track] = {}
        self.in_flight = 0
        self.creates_in_flight = 0
        self.key_accepted = False
        """The key has been accepted at least once."""
        self.seen_ids = SeenIds()
        self._unreachable_since: float | None = None
        self._unreachable_at = -math.inf
        self._gave_up_at = -math.inf
        self._unreachable_streak = 0
        self._queue: list[tuple[int, Job]] = []  # a heap; numbers are unique, so jobs are never compared

    def __repr__(self) -> str:
        return (
            f"<AccountDesk {self.key[:6]}… {len(self._queue)} waiting, {self.creates_in_flight} being submitted, "
            f"{len(self.tracks)} running>"
        )

    # --- creates that wait for their turn, first come first served

    def enqueue(self, number: int, job: Job) -> None:
        """`number` is the job's place in line; one that was put back keeps it."""
        heapq.heappush(self._queue, (number, job))

    def first(self) -> tuple[int, Job] | None:
        """The next to be sent, skipping those that ended while they waited."""
        while self._queue and self._queue[0][1].done:
            heapq.heappop(self._queue)
        return self._queue[0] if self._queue else None

    def pop(self) -> tuple[int, Job]:
        """Take the first out of the line."""
        return heapq.heappop(self._queue)

    def drain(self) -> list[Job]:
        """Everyone in line, who are then no longer in it."""
        jobs = [job for _, job in sorted(self._queue, key=lambda entry: entry[0]) if not job.done]
        self._queue.clear()
        return jobs

    @property
    def waiting(self) -> int:
        """How many creates wait, give or take those that ended meanwhile."""
        return len(self._queue)

    def withheld(self, weight: int) -> None:
        """A create whose turn had come was not sent."""
        self.window.create_withheld(weight)
        self.shared_budget.unspend()

    def room(self) -> Headroom:
        """What is left for other processes, our own creates in flight included."""
        return Headroom(creates=self.window.creates_left(self._clock.now()), active=self.window.free_places)

    def reached(self) -> None:
        """The provider has answered a create."""
        self._unreachable_since, self._unreachable_streak = None, 0

    @property
    def is_unreachable(self) -> bool:
        """No create has been answered since one found nobody."""
        return self._unreachable_since is not None

    def gives_up(self, now: float, sent_at: float, timeout: float) -> bool:
        """A create that was sent at `sent_at` found nobody: True if that has gone on for `timeout` seconds."""
        if sent_at <= self._gave_up_at:
            return True  # it was under way together with the one that gave up
        if self._unreachable_since is None:
            self._unreachable_since = now
        if now - self._unreachable_since < timeout:
            return False
        self._gave_up_at = now
        self.reached()
        return True

    def unreachable_pause(self, now: float, sent_at: float) -> float:
        """Seconds to wait before the next create; creates that failed together count once."""
        if sent_at >= self._unreachable_at or self._unreachable_streak == 0:
            self._unreachable_streak += 1
            self._unreachable_at = now
        return delay(self._unreachable_streak, base=1.0, cap=10.0, draw=random.uniform)

    # --- questions

    def request_sent(self, now: float) -> None:
        """A request that is no create is sent now."""
        self.window.request_sent(now)
        self.shared_budget.spend()

    def refused(self, error: AiogenError, now: float, *, sent_at: float) -> bool:
        """A read was refused: True if that was for the account's rate, or the vendor is overloaded."""
        if isinstance(error, RateLimited):
            self.throttled(error, now, sent_at=sent_at, read=True)
            return True
        if isinstance(error, APIError) and error.status == 503:
            before = self.window.held_until
            self.window.slowed(now, error.retry_after, sent_at=sent_at)
            self._note_hold(None, error, now, before)
            return True
        return False

    def throttled(self, error: RateLimited, now: float, *, sent_at: float, read: bool = False) -> None:
        """A 429 came for a create, or a read, that was sent at `sent_at`."""
        throttle = Throttle.ACCOUNT if read else error.throttle
        before, had_place = self.window.held_until, not self.window.waits_for_place
        self.window.throttled(now, error.throttle, error.retry_after, sent_at=sent_at, read=read)
        if throttle is not Throttle.CONCURRENCY:
            self._note_hold(throttle, error, now, before)
        elif had_place:
            log.throttled(self._provider, throttle, status=error.status, seconds=None, at=self._clock.datetime())

    def _note_hold(self, throttle: Throttle | None, error: APIError, now: float, before: tuple[float, float]) -> None:
        """Once per hold: what is held already, and only for longer now, is not told again."""
        lane = 0 if throttle is Throttle.CREATES else 1
        until = self.window.held_until[lane]
        if before[lane] <= now < until:
            log.throttled(self._provider, throttle, status=error.status, seconds=until - now, at=self._clock.datetime())

    def set_lag_weight(self) -> None:
        """A second of lag delays a job, and through the place it holds every job that waits behind it.

        Unless the vendor has a line of its own: that is never empty while jobs wait here.
        """
        active = max(1, len(self.tracks))
        is_behind = self.vendor_queue.slots is not None and active > self.vendor_queue.slots
        self.schedule.lag_weight = 1.0 if is_behind else 1.0 + len(self._queue) / active

    def ahead_of(self, job: Job) -> int:
        """How many jobs are sent before this one."""
        ordered = sorted(entry for entry in self._queue if not entry[1].done)
        return next((i for i, (_, other) in enumerate(ordered) if other is job), 0)
