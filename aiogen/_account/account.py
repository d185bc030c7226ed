"""One account as a machine that is given events and the time: its limits, what waits, and what runs.  Pure.

What it starts next is decided in `deciding`.  Several connections with the same key share an account, as the vendor
counts them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic

from aiogen._account.actions import Hold, Refusal, SendCreate, Turn
from aiogen._account.create_queue import CreateQueue
from aiogen._account.early import EarlyHints
from aiogen._account.scope_use import ScopeUse
from aiogen._account.seen_ids import SeenIds
from aiogen._account.track import J, Track
from aiogen._limits.outage import Outage
from aiogen._limits.retry import resend_pause
from aiogen._limits.shared_budget import SharedBudget
from aiogen._limits.window import Window
from aiogen._polling.listing import Listing
from aiogen._polling.phases import PhaseModel
from aiogen._polling.schedule import Observation, Schedule
from aiogen._polling.survival import FIRST
from aiogen._polling.timers import TimerQueue
from aiogen._polling.vendor_queue import VendorQueue
from aiogen.errors import AiogenError, APIError, RateLimited, Throttle
from aiogen.exchange import Quota, Ticket
from aiogen.models import AccountInfo, State
from aiogen.providers.base import Provider
from aiogen.stores.base import Headroom, RequestKind

_UNAWAITED_PAUSE = 30.0
"""Seconds between two questions about a generation that nobody waits for: its place at the vendor is still taken."""
_UNAWAITED_FOR = 3600.0
"""Seconds after its acceptance for which it is asked about all the same.  Luma forgets an active job after an hour."""
_UNSEEN = 3.0
"""Seconds: a generation behind others began at most so long before the end of the one before was seen."""


class AccountState(Generic[J]):
    """One account; every method that depends on the time is given `now`, in seconds on the session's steady clock."""

    def __init__(self, provider: Provider, *, max_in_flight: int, draw: Callable[[float, float], float]) -> None:
        """`max_in_flight`: requests under way at once; `draw(low, high)`: the chance that spreads pauses."""
        self.key = provider.account
        self.names: tuple[str, ...] = provider.accounts
        """What the ledger calls it: `key` first, then what it was called while it had other keys."""
        self.name = provider.name
        self.provider = provider
        self._draw = draw
        self.max_in_flight = max_in_flight
        self.window = Window(
            creates_per_minute=provider.creates_per_minute,
            max_active=provider.max_active,
            requests_per_minute=provider.requests_per_minute,
            draw=draw,
        )
        self.shared_budget = SharedBudget()
        self.schedule: Schedule[str] = Schedule()
        self.vendor_queue: VendorQueue[str] = VendorQueue(provider.slots)
        can = provider.capabilities
        self.listing = Listing(can.list_page if can.list else 0)
        self.queue: CreateQueue[J] = CreateQueue()
        self.calls: TimerQueue[Turn] = TimerQueue()
        """Single calls and downloads that wait for their turn."""
        self.tracks: dict[str, Track[J]] = {}
        self.seen_ids = SeenIds()
        self.early = EarlyHints()
        self.early_proved = EarlyHints()
        """By vendors that have proved who they are, as `Schedule.hint` has it."""
        self.user_id: str | None = None
        """Whose list it is, once that is known."""
        self.in_flight = 0
        """Creates and questions; single calls are counted where they are made."""
        self.creates_in_flight = 0
        self.scope_use: ScopeUse[J] = ScopeUse()
        self.undecided: dict[int, int] = {}
        """The weights of creates whose places are taken, and of which the ledger has not been asked yet; by number."""
        self.key_accepted = False
        """The key has been accepted at least once."""
        self.outage = Outage(draw)
        self.announced: dict[RequestKind, float] = {}
        """Until when other processes were asked to hold back."""

    def joins(self, provider: Provider) -> None:
        """A connection belongs to it: what that one's account was called before is this account, too."""
        if provider is not self.provider:
            self.names = tuple(dict.fromkeys((*self.names, *provider.accounts)))

    def __repr__(self) -> str:
        return (
            f"<AccountState {self.key[:6]}… {len(self.queue)} waiting, {self.creates_in_flight} being submitted, "
            f"{len(self.tracks)} running>"
        )

    def set_lag_weight(self) -> None:
        """A second of lag delays a job, and through the place it holds every job that waits behind it.

        Unless there are places left, and creates are only on their way; or the vendor has a queue of its own, which is
        never empty while jobs wait here.
        """
        active = max(1, len(self.tracks))
        is_behind = self.vendor_queue.slots is not None and active > self.vendor_queue.slots
        waits = self.window.free_places < 1 and not is_behind
        self.schedule.lag_weight = 1.0 + len(self.queue) / active if waits else 1.0

    # --- what became of requests

    def create_begins(self, create: SendCreate[J]) -> None:
        """A create is on its way: first to the ledger, then to the vendor."""
        self.in_flight += 1
        self.creates_in_flight += 1
        self.undecided[create.number] = create.weight
        self.scope_use.sending[create.number] = create

    def create_finished(self, create: SendCreate[J]) -> None:
        """What came of a create has been dealt with."""
        self.in_flight -= 1
        self.creates_in_flight -= 1
        if self.scope_use.sending.get(create.number) is create:  # put back, it may be sent again already
            del self.scope_use.sending[create.number]

    def read_finished(self) -> None:
        """The answer to a question has been dealt with."""
        self.in_flight -= 1

    def served(self) -> None:
        """A request was answered with something else than a refusal."""
        self.key_accepted = True
        self.window.request_served()

    def withheld(self, create: SendCreate[J]) -> None:
        """A create whose turn had come was not sent."""
        self.undecided.pop(create.number, None)
        self.window.create_withheld(create.weight)
        self.shared_budget.unspend()

    def accepted(self, now: float, weight: int, *, quota: Quota | None, weight_class: str, alone: bool) -> None:
        """The vendor took a create, and its headers say how much is left.

        `alone`: no other create was in flight meanwhile, here or in another process.
        """
        self.window.create_accepted(now, weight)
        self.served()
        self.outage.reached()
        if quota is not None:
            self._learn(quota, weight_class, alone=alone)

    def _learn(self, quota: Quota, weight_class: str, *, alone: bool) -> None:
        """A limit that was left at its default may also grow."""
        limit = self.provider.creates_per_minute
        if quota.limit is not None:
            ceiling = limit if self.provider.is_given("creates_per_minute") else math.inf
            self.window.learn_limit(quota.limit, ceiling=ceiling)
        if quota.remaining is not None:
            self.window.learn_remaining(quota.remaining, weight_class, alone=alone)

    def refused(self, error: AiogenError, kind: RequestKind, now: float, *, sent_at: float) -> Refusal:
        """A request that was sent at `sent_at` was refused: the one door for refusals and their `Retry-After`.

        `kind`: what was refused.  A read's refusal concerns requests of any kind, whatever the vendor names.
        """
        if isinstance(error, RateLimited):
            return Refusal(concerns_all=True, hold=self._throttled(error, kind, now, sent_at))
        if kind is RequestKind.REQUESTS and isinstance(error, APIError) and error.status == 503:
            before = self.window.held_until
            self.window.slowed(now, error.retry_after, sent_at=sent_at)
            return Refusal(concerns_all=True, hold=self._new_hold(None, error, now, before))
        return Refusal()

    def _throttled(self, error: RateLimited, kind: RequestKind, now: float, sent_at: float) -> Hold | None:
        is_read = kind is RequestKind.REQUESTS
        throttle = Throttle.ACCOUNT if is_read else error.throttle
        before, had_place = self.window.held_until, not self.window.waits_for_place
        self.window.throttled(now, error.throttle, error.retry_after, sent_at=sent_at, read=is_read)
        if throttle is not Throttle.CONCURRENCY:
            return self._new_hold(throttle, error, now, before)
        return Hold(throttle, error.status, None) if had_place else None

    def _new_hold(
        self, throttle: Throttle | None, error: APIError, now: float, before: tuple[float, float]
    ) -> Hold | None:
        """Once per hold: of what is held already, that it is held for longer is not reported again."""
        i = 0 if throttle is Throttle.CREATES else 1
        until = self.window.held_until[i]
        return Hold(throttle, error.status, until - now) if before[i] <= now < until else None

    def not_taken(self, now: float, times: int, error: AiogenError) -> None:
        """The vendor's own word is that a job's create was not queued, for the `times`-th time: wait, then send it."""
        pause = resend_pause(times, draw=self._draw)
        self.window.unreachable(now, max(pause, error.retry_after or 0.0))

    def unreachable(self, now: float, error: AiogenError, *, sent_at: float, timeout: float) -> bool:
        """A create found nobody; True if that has gone on for `timeout` seconds, and creates are given up."""
        if self.outage.gives_up(now, sent_at, timeout):
            return True
        self.window.unreachable(now, max(self.outage.pause(now, sent_at), error.retry_after or 0.0))
        return False

    def identified(self, info: AccountInfo, now: float) -> None:
        """The vendor has said whose account it is, and perhaps how many of its generations run at once."""
        self.user_id = info.user_id
        if info.concurrency_slots is not None:
            # More slots than was thought were there before, too.
            self._begin(self.vendor_queue.learn(info.concurrency_slots), now, now, always=True)

    def headroom(self, now: float, create: SendCreate[J]) -> Headroom:
        """What is left for other processes beside this create, of which the ledger is asked now, and those before it.

        Those after it do not count: else a process with many waiting would claim the whole account for each of them,
        and of two such processes none would ever get what is free.
        """
        self.undecided.pop(create.number, None)
        later = sum(self.undecided.values())
        return Headroom(
            creates=self.window.creates_left(now, without=later),
            active=self.window.free_places + later,
            places=self.window.places,
            limit=self.window.limit,
            accounts=self.names,
        )

    # --- generations

    def follow(
        self,
        now: float,
        job: J,
        ticket: Ticket,
        provider: Provider,
        phases: PhaseModel,
        *,
        weight: int,
        is_ours: bool,
        age: float = 0.0,
        is_counted: bool = False,
        part: float | None = None,
    ) -> Track[J]:
        """Begin, or go on, to ask about a generation, for one more job.

        Args:
            now: the moment.
            job: who waits for it.
            ticket: what asking about it needs.
            provider: the connection by which it is asked about.
            phases: what is known of its model's durations.
            weight: units of the window that it takes.
            is_ours: created by this session, or one before it.
            age: seconds since it was accepted, if it is ours and nobody has asked about it since.
            is_counted: its create was accepted just now, so that the window counts its weight already.
            part: where it stands, 0 to 1, among many that are taken up together: they are not asked about all at once.
        """
        track = self.tracks.get(ticket.provider_id)
        if is_counted:
            self.scope_use.created(job.scope, weight, now)
        if track is None:
            if not is_counted:
                self.window.follow(weight)
            track = Track(provider, ticket, State.QUEUED, now - age, weight, is_ours, [job])
            self.tracks[track.key] = track
            self._schedule(track, phases, now, part)
            is_proved = self.early_proved.take(track.key, now)
            if self.early.take(track.key, now) or is_proved:
                self.schedule.hint(track.key, now, proved=is_proved)
        else:
            track.jobs.append(job)
            if is_counted:  # two creates were answered with one id: what both take is free when it ends
                track.weight += weight
            self.schedule.lower_price(
                track.key, provider.facts.poll_floor, provider.facts.poll_ceiling, track.price, now
            )
        return track

    def heard(self, provider_id: str, now: float, *, proved: bool = False) -> bool:
        """There is news of a generation; False if it is not followed here, though its create may be on its way.

        `proved`: the vendor says so, see `Schedule.hint`.
        """
        if provider_id in self.tracks:
            self.schedule.hint(provider_id, now, proved=proved)
            return True
        if proved:
            self.schedule.announced_late(provider_id, now)
        if self.creates_in_flight:
            (self.early_proved if proved else self.early).put(provider_id, now)
        return False

    def _schedule(self, track: Track[J], phases: PhaseModel, now: float, part: float | None) -> None:
        key, provider = track.key, track.provider
        runs = True
        if track.is_ours:
            runs = self.vendor_queue.add(key)
            self.listing.made(key)
        company = min(provider.capabilities.list_page, self.vendor_queue.running) if self.listing.usable(now) else 1
        self.set_lag_weight()
        self.schedule.track(
            key,
            now,
            phases=phases,
            started_at=track.accepted_at,
            floor=provider.facts.poll_floor,
            ceiling=provider.facts.poll_ceiling,
            price=track.price,
            learns=track.is_ours and track.accepted_at == now,
            held=not runs,
            share=1.0 / max(1, company),
        )
        if part is not None:
            self.schedule.in_turn(key, now, part)
        elif not track.is_ours:
            self.schedule.ask_now(key, now)  # nobody knows how far it is

    def slow_down(self, track: Track[J]) -> None:
        """Nobody waits for it any more: ask seldom."""
        self.schedule.slow_down(track.key, _UNAWAITED_PAUSE)

    def drained(self, track: Track[J], now: float) -> bool:
        """True, and no longer followed, if nobody has waited for it for long enough."""
        if track.is_awaited or now < track.accepted_at + _UNAWAITED_FOR:
            return False
        self.leave(track, now)
        return True

    def give_up_question(self, key: str, now: float) -> None:
        """Whatever became of a question about it, it is not under way any more."""
        if key in self.tracks and not self.schedule.is_free(key):
            self.schedule.failed(key, now, _UNAWAITED_PAUSE)

    def leave(
        self, track: Track[J], now: float, *, over: bool = False, sent_at: float | None = None
    ) -> Observation | None:
        """It is no longer followed; what its end teaches, if that is why.

        `sent_at`: when the question was sent that found its end; None if none of the schedule's did.
        """
        if self.tracks.get(track.key) is not track:
            return None
        del self.tracks[track.key]
        self.scope_use.seen.saw([track.jobs[0].scope], now)
        if over and sent_at is not None:
            self.schedule.found_over(track.key, sent_at)
        observation = self.schedule.drop(track.key)
        self.window.ended(track.weight)
        self.listing.gone(track.key, over=over)
        if not over:
            self._begin(self.vendor_queue.left(track.key), now, now)
            return None
        too_early = observation is not None and observation.is_too_early(now)
        begun, always = self.vendor_queue.ended(track.key, too_early=too_early)
        if always:
            self.schedule.ran_all_along(now)
        if begun:
            # The one before ended between its last two answers.  Where these are so near to each other that the model
            # shows no difference between them, many may have ended meanwhile, one after the other: then the next one
            # is taken to have begun at the first of them, for its question shows whether it is over, too.
            since = observation.asked_at if observation is not None else now
            at = since if now - since <= FIRST else max((since + now) / 2.0, now - _UNSEEN)
            self._begin(begun, at, now, always=always)
        return None if too_early else observation

    def _begin(self, keys: list[str], at: float, now: float, *, always: bool = False) -> None:
        """These were behind others at the vendor, and run now; or, as it turns out, `always` did."""
        for key in keys:
            self.schedule.begins(key, now, self.tracks[key].accepted_at if always else at)
