"""`aiogen._account.account`: any order of events, against what is known of the account from outside."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from account.scenes import FakeJob, FakeTurn, leonardo, luma, too_many
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiogen._account.account import AccountState
from aiogen._account.actions import (
    Action,
    AnnounceHold,
    AskOne,
    AskPage,
    GiveTurn,
    SendCreate,
    TakeBudget,
)
from aiogen._account.deciding import decide
from aiogen._account.track import Track
from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.phases import PhaseModel
from aiogen.errors import AiogenError, NetworkError, ProviderError, Throttle
from aiogen.exchange import Quota, Submission, Ticket
from aiogen.models import AccountInfo, Typical
from aiogen.providers.base import Provider
from aiogen.stores.base import RequestKind

seconds = st.sampled_from([0.0, 0.1, 0.7, 3.0, 20.0, 70.0, 700.0, 4000.0])
which = st.integers(0, 50)
looks = st.sampled_from([True, True, False])
"""Whether the account is looked at at once, as it is when something has changed."""
retry_afters = st.sampled_from([None, 0.0, 0.5, 7.0, 90.0])

SMALL = luma(creates_per_minute=6, max_active=4, requests_per_minute=120)
QUEUED = leonardo(creates_per_minute=20, max_active=12, requests_per_minute=300, running_at_once=2)


class Unteachable(DurationModel):
    """What is learned has its own machine (test_schedule_machine.py), and takes long to compute."""

    def runs(self, sight: Sight, age: float) -> None:
        assert sight.age <= age
        sight.age = age

    def ended(self, sight: Sight, until: float) -> None:
        assert sight.age <= until


def unteachable() -> PhaseModel:
    """A model that stays as it is, so that its plans are made once for all runs."""
    phases = PhaseModel(Typical(median=20.0))
    phases.queued, phases.processing = (Unteachable(phases.typical) for _ in range(2))
    return phases


PHASES = unteachable()


@attrs.define(eq=False)
class Read:
    """A question, or a page, that is under way."""

    keys: list[str]
    sent_at: float


@attrs.define(eq=False)
class Create:
    """A create that is under way."""

    action: SendCreate[FakeJob]
    sent_at: float


class AccountMachine(RuleBasedStateMachine):
    """Everything that can happen to an account; what is under way is known here from its actions alone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.numbers = 0
        self.waiting: dict[int, FakeJob] = {}
        self.creates: list[Create] = []
        self.reads: list[Read] = []
        self.turns: list[FakeTurn] = []
        self.places: list[int] = []
        """Weights of creates without an answer, which may hold their places at the vendor."""
        self.takes: list[int] = []
        """What is being taken out of the shared budget."""

    @initialize(
        provider=st.sampled_from([SMALL, QUEUED]), most=st.sampled_from([1, 2, 3, 7, 30]), is_shared=st.booleans(),
        chance=st.sampled_from([0.0, 0.5, 1.0]),
    )  # fmt: skip
    def begin(self, provider: Provider, most: int, is_shared: bool, chance: float) -> None:
        self.provider, self.most = provider, most
        self.account: AccountState[FakeJob] = AccountState(
            provider, max_in_flight=most, draw=lambda low, high: low + chance * (high - low)
        )
        self.account.shared_budget.is_shared = is_shared
        self.phases = PHASES
        is_luma = provider is SMALL
        light = ("uni-1", {}) if is_luma else ("gemini-image-2", {})
        heavy = ("uni-1-max", {"type": "image_edit", "source": "https://example.com/b.png"}) if is_luma else light
        self.submissions = [self.submission(*model) for model in (light, heavy)]

    def submission(self, model: str, options: dict[str, Any]) -> Submission:
        return self.provider.encode(self.provider.prepare(model, "a boat", options))

    def tracks(self) -> list[Track[FakeJob]]:
        return list(self.account.tracks.values())

    # --- what the account decides

    def look(self, *, creates: bool = True, shares: bool = False) -> float:
        """Carry out what it decides at this moment, and look whether that is all.

        Only where a plan of questions had to be made, which takes long, the rest comes in another turn of the loop.
        """
        has_planned, moment = True, -math.inf
        while has_planned and moment <= self.now:
            made = self.account.schedule.plans_made
            actions, moment = decide(self.account, self.now, creates=creates, shares=shares)
            has_planned = self.account.schedule.plans_made > made
            assert self.account.schedule.plans_made <= made + 1
            for action in actions:
                self.carry_out(action)
        assert moment > self.now
        again, same = decide(self.account, self.now, creates=creates, shares=shares)
        assert again == [], "nothing has changed since"
        assert same >= moment  # later, if what was taken last has filled the places
        self.nothing_is_forgotten(moment, creates=creates)
        return moment

    def carry_out(self, action: Action[FakeJob]) -> None:
        match action:
            case SendCreate():
                assert action.job is self.waiting.pop(action.number)
                assert not action.job.done
                assert action.number < min(
                    (number for number, job in self.waiting.items() if not job.done), default=math.inf
                ), "first come, first served"
                self.creates.append(Create(action, self.now))
            case AskOne():
                self.ask([action.track.key])
            case AskPage():
                assert self.provider is QUEUED
                assert action.track.key in action.keys
                self.ask(action.keys)
            case GiveTurn():
                assert isinstance(action.turn, FakeTurn)
                assert not action.turn.done()
                self.turns.remove(action.turn)
            case TakeBudget():
                assert not self.takes, "once"
                assert action.count >= 1
                self.takes.append(action.count)
            case AnnounceHold():
                assert action.seconds > 0.0

    def ask(self, keys: list[str]) -> None:
        """Each is followed, and asked about once at a time."""
        assert len(set(keys)) == len(keys)
        for key in keys:
            assert key in self.account.tracks
            assert not any(key in read.keys for read in self.reads)
        self.reads.append(Read(list(keys), self.now))

    def nothing_is_forgotten(self, moment: float, *, creates: bool) -> None:
        """What is due and not held has been taken; what comes later has its moment."""
        account, window, now = self.account, self.account.window, self.now
        in_flight = len(self.creates) + len(self.reads)
        entry = account.queue.first()
        has_place = in_flight < self.most and len(self.creates) < max(1, self.most // 3)
        if creates and entry is not None and has_place and entry[1].submission is not None:
            submission = entry[1].submission
            at = window.create_at(now, window.weight(submission.weight_class, submission.weight))
            assert at > now
            assert moment <= at
        due = [account.calls.wake_at(), account.schedule.wake_at() if in_flight < self.most else None]
        when = max(min((at for at in due if at is not None), default=math.inf), window.request_at(now))
        if when > now:
            assert moment <= when
            return
        budget_at = account.shared_budget.at(now)
        assert budget_at > now
        assert moment <= budget_at
        assert budget_at < math.inf or self.takes, "somebody has to ask for it"

    @rule(creates=st.sampled_from([True, True, True, False]), shares=st.booleans())
    def tick(self, creates: bool, shares: bool) -> None:
        self.look(creates=creates, shares=shares)

    @rule()
    def sleep_until_the_moment(self) -> None:
        """At which there may be something to do, or a moment after it."""
        moment = self.look()
        if moment < math.inf:
            self.now = moment
            self.look()

    @rule(by=seconds)
    def time_passes(self, by: float) -> None:
        self.now += by

    # --- what users do

    @rule(many=st.integers(1, 9), heavy=st.booleans(), poll_cost=st.sampled_from([0.05, 2.0]), looks=looks)
    def submit(self, many: int, heavy: bool, poll_cost: float, looks: bool) -> None:
        for _ in range(many):
            self.numbers += 1
            job = FakeJob(f"j{self.numbers}", self.submissions[heavy], poll_cost)
            self.waiting[self.numbers] = job
            self.account.queue.put(self.numbers, job)
        if looks:
            self.look()

    @precondition(lambda self: self.waiting)
    @rule(i=which)
    def withdraw(self, i: int) -> None:
        number = list(self.waiting)[i % len(self.waiting)]
        self.waiting[number].done = True

    @rule()
    def call(self) -> None:
        turn = FakeTurn(f"c{len(self.turns)}")
        self.turns.append(turn)
        self.account.calls.put(turn, self.now)

    @precondition(lambda self: self.turns)
    @rule(i=which, is_dropped=st.booleans())
    def cancel_call(self, i: int, is_dropped: bool) -> None:
        turn = self.turns.pop(i % len(self.turns))
        turn.is_cancelled = True
        if is_dropped:
            self.account.calls.drop(turn)

    @rule(i=which, is_new=st.booleans(), poll_cost=st.sampled_from([0.01, 2.0]), looks=looks)
    def attach(self, i: int, is_new: bool, poll_cost: float, looks: bool) -> None:
        keys = list(self.account.tracks)
        self.numbers += 1
        key = f"x{self.numbers}" if is_new or not keys else keys[i % len(keys)]
        job = FakeJob(f"j{self.numbers}", None, poll_cost)
        track = self.account.follow(
            self.now, job, Ticket(provider_id=key), self.provider, self.phases, weight=1, is_ours=False
        )
        assert track.jobs[-1] is job
        assert track.price <= poll_cost
        if looks:
            self.look()

    @rule(age=st.sampled_from([0.0, 30.0, 5000.0]), heavy=st.booleans())
    def resume(self, age: float, heavy: bool) -> None:
        self.numbers += 1
        job = FakeJob(f"j{self.numbers}", self.submissions[heavy])
        self.account.follow(
            self.now, job, Ticket(provider_id=f"x{self.numbers}"), self.provider, self.phases,
            weight=self.submissions[heavy].weight, is_ours=True, age=age,
        )  # fmt: skip

    @precondition(lambda self: self.account.tracks)
    @rule(i=which)
    def nobody_waits_any_more(self, i: int) -> None:
        track = self.tracks()[i % len(self.account.tracks)]
        for job in track.jobs:
            job.done = True
        self.account.slow_down(track)

    @precondition(lambda self: self.account.tracks)
    @rule(i=which)
    def hint(self, i: int) -> None:
        self.account.schedule.ask_now(self.tracks()[i % len(self.account.tracks)].key, self.now)

    # --- what becomes of creates

    def answered(self, i: int) -> Create:
        return self.creates.pop(i % len(self.creates))

    def requeue(self, create: Create) -> None:
        self.account.create_finished(create.action)
        self.waiting[create.action.number] = create.action.job
        self.account.queue.put(create.action.number, create.action.job)

    @precondition(lambda self: self.creates)
    @rule(
        i=which, alone=st.booleans(), limit=st.sampled_from([None, None, 2, 50]),
        remaining=st.sampled_from([None, 1, 2, 5]), is_named_again=st.sampled_from([False, False, True]),
    )  # fmt: skip
    def accepted(self, i: int, alone: bool, limit: int | None, remaining: int | None, is_named_again: bool) -> None:
        """Perhaps with the id of one that runs."""
        create = self.answered(i)
        job, weight = create.action.job, create.action.weight
        quota = None if limit is None and remaining is None else Quota(limit=limit, remaining=remaining)
        assert job.submission is not None
        weight_class = job.submission.weight_class
        self.account.accepted(self.now, weight, quota=quota, weight_class=weight_class, alone=alone)
        keys = list(self.account.tracks)
        key = keys[i % len(keys)] if is_named_again and keys else f"g{job.id}"
        self.account.follow(
            self.now, job, Ticket(provider_id=key), self.provider, self.phases,
            weight=weight, is_ours=True, is_counted=True,
        )  # fmt: skip
        self.account.create_finished(create.action)

    @precondition(lambda self: self.creates)
    @rule(i=which, throttle=st.sampled_from(list(Throttle)), retry_after=retry_afters)
    def throttled(self, i: int, throttle: Throttle, retry_after: float | None) -> None:
        create, error = self.answered(i), too_many(throttle, retry_after)
        self.account.window.create_refused(self.now, create.action.weight, counted=False)
        refusal = self.account.refused(error, RequestKind.CREATES, self.now, sent_at=create.sent_at)
        assert refusal.concerns_all
        again = self.account.refused(error, RequestKind.CREATES, self.now, sent_at=create.sent_at)
        assert again.hold is None, "once per hold"
        self.requeue(create)

    @precondition(lambda self: self.creates)
    @rule(i=which, timeout=st.sampled_from([0.0, 30.0, 3000.0]), retry_after=retry_afters)
    def found_nobody(self, i: int, timeout: float, retry_after: float | None) -> None:
        create, error = self.answered(i), NetworkError("nobody", sent=False, retry_after=retry_after)
        self.account.window.create_refused(self.now, create.action.weight, counted=False)
        if self.account.unreachable(self.now, error, sent_at=create.sent_at, timeout=timeout):
            create.action.job.done = True
            self.account.create_finished(create.action)
            self.all_are_refused()
        else:
            self.requeue(create)

    def all_are_refused(self) -> None:
        jobs = [job for _, job in sorted(self.waiting.items()) if not job.done]
        assert self.account.queue.drain() == jobs
        self.waiting.clear()

    @precondition(lambda self: self.creates)
    @rule(i=which, times=st.integers(1, 2), retry_after=retry_afters)
    def not_taken(self, i: int, times: int, retry_after: float | None) -> None:
        create = self.answered(i)
        self.account.window.create_refused(self.now, create.action.weight, counted=False)
        self.account.not_taken(self.now, times, ProviderError("no", status=503, retry_after=retry_after))
        assert self.account.window.holds_creates(self.now)
        self.requeue(create)

    @precondition(lambda self: self.creates)
    @rule(i=which, pause=st.sampled_from([None, 1.0, 40.0]))
    def withheld(self, i: int, pause: float | None) -> None:
        create = self.answered(i)
        self.account.withheld(create.action)
        if pause is not None:
            self.account.window.crowded(self.now, pause)
        self.requeue(create)

    @precondition(lambda self: self.creates)
    @rule(i=which)
    def lost(self, i: int) -> None:
        """Without an answer: it may run, and holds a place for a while."""
        action = self.answered(i).action
        self.account.window.create_lost(self.now, action.weight)
        self.places.append(action.weight)
        self.account.create_finished(action)

    @precondition(lambda self: self.places)
    @rule()
    def place_passes(self) -> None:
        self.account.window.ended(self.places.pop())

    @precondition(lambda self: self.creates)
    @rule(i=which)
    def refused_for_good(self, i: int) -> None:
        create = self.answered(i)
        self.account.window.create_refused(self.now, create.action.weight, counted=True)
        create.action.job.done = True
        self.account.create_finished(create.action)

    # --- what becomes of questions

    @precondition(lambda self: self.reads)
    @rule(i=which, share=st.sampled_from([1.0, 0.25]))
    def runs(self, i: int, share: float) -> None:
        """All of a page, or one; those that nobody waits for are left after a while."""
        read = self.reads.pop(i % len(self.reads))
        self.account.served()
        for key in read.keys:
            track = self.account.tracks.get(key)
            if track is not None and not self.account.drained(track, self.now):
                self.account.schedule.answered(key, self.now, sent_at=read.sent_at, share=share)
        self.account.read_finished()

    @precondition(lambda self: self.reads)
    @rule(i=which)
    def has_ended(self, i: int) -> None:
        """The first of them; of the others the page did not tell."""
        read = self.reads.pop(i % len(self.reads))
        self.account.served()
        first, *others = read.keys
        if first in self.account.tracks:
            self.end(self.account.tracks[first])
        for key in others:
            self.account.schedule.put_back(key, self.now)
        self.account.read_finished()

    def end(self, track: Track[FakeJob]) -> None:
        observation = self.account.leave(track, self.now, over=True)
        for job in track.jobs:
            job.done = True
        if observation is not None:
            self.account.schedule.learn(observation, self.now)
        assert self.account.leave(track, self.now, over=True) is None

    @precondition(lambda self: self.reads)
    @rule(
        i=which, retry_after=retry_afters, throttle=st.sampled_from(list(Throttle)), status=st.sampled_from([429, 503]),
    )  # fmt: skip
    def read_refused(self, i: int, retry_after: float | None, throttle: Throttle, status: int) -> None:
        read = self.reads.pop(i % len(self.reads))
        error: AiogenError = too_many(throttle, retry_after)
        if status == 503:
            error = ProviderError("busy", status=503, retry_after=retry_after)
        assert self.account.refused(error, RequestKind.REQUESTS, self.now, sent_at=read.sent_at).concerns_all
        if len(read.keys) > 1:
            self.account.listing.throttled(self.now)
        for key in read.keys:
            self.account.schedule.put_back(key, self.now)
        self.account.read_finished()

    @precondition(lambda self: self.reads)
    @rule(i=which)
    def read_broke(self, i: int) -> None:
        for key in self.reads[i % len(self.reads)].keys:
            self.account.give_up_question(key, self.now)
        del self.reads[i % len(self.reads)]
        self.account.read_finished()

    # --- what becomes of generations

    @precondition(lambda self: self.account.tracks)
    @rule(i=which, over=st.booleans())
    def somebody_else_sees(self, i: int, over: bool) -> None:
        """A question of our own may be under way meanwhile; if it is not over, it is only left."""
        track = self.tracks()[i % len(self.account.tracks)]
        slots = self.account.vendor_queue.slots
        if over:
            self.end(track)
        else:
            assert self.account.leave(track, self.now) is None
            assert self.account.vendor_queue.slots == slots
        for read in self.reads:  # its answer, when it comes, is about nothing that is followed
            read.keys = [key for key in read.keys if key != track.key] or ["nothing"]

    @rule(slots=st.sampled_from([None, 1, 3, 20]))
    def identified(self, slots: int | None) -> None:
        info = AccountInfo(provider="p", connection="c", user_id="u", concurrency_slots=slots)
        self.account.identified(info, self.now)

    # --- the budget that processes share

    @precondition(lambda self: self.takes)
    @rule(wait=st.sampled_from([0.0, 0.3, 5.0]), alone=st.booleans())
    def budget_taken(self, wait: float, alone: bool) -> None:
        self.account.shared_budget.taken(self.takes.pop(), self.now + wait, alone=alone)

    @rule()
    def others_join(self) -> None:
        self.account.shared_budget.is_shared = True

    # --- what always holds

    @invariant()
    def places_are_counted(self) -> None:
        account = getattr(self, "account", None)
        if account is None:
            return
        assert account.creates_in_flight == len(self.creates) <= max(1, self.most // 3)
        assert account.in_flight == len(self.creates) + len(self.reads) <= self.most
        tracked = sum(track.weight for track in account.tracks.values())
        assert account.window.active == tracked + sum(self.places) + sum(c.action.weight for c in self.creates)
        assert all(key == track.key for key, track in account.tracks.items())
        running, slots = account.vendor_queue.running, account.vendor_queue.slots
        ours = sum(track.is_ours for track in account.tracks.values())
        assert len(account.vendor_queue) == ours
        assert running == ours if slots is None else running == min(ours, slots)

    def teardown(self) -> None:
        """As all goes well from here on, every job is sent, every call gets its turn, and nothing is left."""
        if not hasattr(self, "account"):
            return
        for _ in range(2_000):
            self.all_goes_well()
            moment = self.look()
            if not (self.creates or self.reads or self.takes):
                if moment == math.inf:
                    break
                self.now = moment
        assert not [job for job in self.waiting.values() if not job.done]
        assert not self.turns
        account = self.account
        assert (account.in_flight, account.creates_in_flight, account.window.active) == (0, 0, 0)
        assert (len(account.queue), len(account.schedule), len(account.vendor_queue)) == (0, 0, 0)

    def all_goes_well(self) -> None:
        while self.takes:
            self.account.shared_budget.taken(self.takes.pop(), self.now, alone=False)
        while self.places:
            self.place_passes()
        while self.creates:
            self.accepted(0, alone=False, limit=None, remaining=None, is_named_again=False)
        while self.reads:
            self.has_ended(0)


TestAccount = pytest.mark.no_cover(AccountMachine.TestCase)
TestAccount.settings = settings(
    deadline=None, derandomize=True, max_examples=100, stateful_step_count=50, report_multiple_bugs=False
)
