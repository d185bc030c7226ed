"""A window in any order of events."""

from __future__ import annotations

import math
import sys
from copy import deepcopy

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from limits.windows import recover, sent_together

from aiogen._limits.window import Window
from aiogen.errors import Throttle

weights = st.integers(1, 4)
retry_afters = st.sampled_from([None, 0.0, 1.0, 12.0, 60.0, 600.0])
throttles = st.sampled_from(list(Throttle))


@attrs.frozen
class Flight:
    """A create on its way."""

    sent_at: float
    weight: int


class WindowMachine(RuleBasedStateMachine):
    """Sends, answers, refuses, ends and waits in any order, beside a plain account of what the vendor was promised."""

    @initialize(
        limit=st.sampled_from([1, 2, 3, 5, 30]),
        active=st.sampled_from([1, 2, 4, 10]),
        chance=st.sampled_from([0.0, 0.7]),
        is_own=st.booleans(),
    )
    def begin(self, limit: int, active: int, chance: float, is_own: bool) -> None:
        self.limit, self.max_active = limit, active
        self.ceiling = limit if is_own else math.inf  # what the user set, if it was the user
        self.window = Window(
            creates_per_minute=limit,
            max_active=active,
            requests_per_minute=math.inf,
            draw=lambda low, high: low + chance * (high - low),
        )
        self.now = 1_000.0
        self.flying: list[Flight] = []
        self.counted: list[tuple[float, int]] = []  # (answered at, weight)
        self.running: list[int] = []
        self.creates_held_until = self.all_held_until = -math.inf
        self.capacity_retry_at: float | None = None  # while no end of ours has come

    def active(self) -> int:
        return sum(self.running) + sum(flight.weight for flight in self.flying)

    def used(self) -> int:
        """Everything that the vendor may have stamped within the last period."""
        answered = sum(weight for at, weight in self.counted if at + 60.0 > self.now)
        return answered + sum(flight.weight for flight in self.flying)

    @rule(by=st.sampled_from([0.25, 1.0, 5.0, 20.0, 60.0, 120.0, 250.0]))
    def time_passes(self, by: float) -> None:
        self.now += by

    @rule(weight=weights)
    def sleep_until_allowed(self, weight: int) -> None:
        when = self.window.create_at(self.now, weight)
        if when < math.inf:
            self.now = when
            self.create(weight)

    @rule(weight=weights, times=st.integers(1, 4))
    def create_several(self, weight: int, times: int) -> None:
        for _ in range(times):
            self.create(weight)

    def create(self, weight: int) -> None:
        when = self.window.create_at(self.now, weight)
        assert when >= self.now
        for _ in range(2):
            self.window.advance(self.now)
            assert self.window.create_at(self.now, weight) == when
        if when > self.now:
            return
        assert self.used() == 0 or self.used() + weight <= self.limit
        assert self.active() == 0 or self.active() + weight <= self.max_active
        assert self.now >= max(self.creates_held_until, self.all_held_until)
        if self.capacity_retry_at is not None:
            assert self.active() == 0
            assert self.now >= self.capacity_retry_at
            self.capacity_retry_at = None
        self.window.create_sent(self.now, weight)
        self.flying.append(Flight(self.now, weight))

    def land(self, which: int) -> Flight:
        return self.flying.pop(which % len(self.flying))

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 9), how=st.sampled_from(["accepted", "lost", "refused"]))
    def answered(self, which: int, how: str) -> None:
        flight = self.land(which)
        self.counted.append((self.now, flight.weight))
        if how == "refused":
            self.window.create_refused(self.now, flight.weight, counted=True)
        else:
            (self.window.create_accepted if how == "accepted" else self.window.create_lost)(self.now, flight.weight)
            self.running.append(flight.weight)

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 9), throttle=throttles, retry_after=retry_afters, also=st.integers(0, 2))
    def throttled(self, which: int, throttle: Throttle, retry_after: float | None, also: int) -> None:
        for _ in range(min(1 + also, len(self.flying))):
            flight = self.land(which)
            self.window.create_refused(self.now, flight.weight, counted=False)
            self.window.throttled(self.now, throttle, retry_after, sent_at=flight.sent_at)
            until = self.now + (5.0 if retry_after is None else retry_after)
            if throttle is Throttle.CONCURRENCY:
                self.capacity_retry_at = until
            elif throttle is Throttle.CREATES:
                self.creates_held_until = max(self.creates_held_until, until)
            else:
                self.all_held_until = max(self.all_held_until, until)

    @rule(throttle=throttles, retry_after=retry_afters, age=st.sampled_from([0.0, 5.0]))
    def read_throttled(self, throttle: Throttle, retry_after: float | None, age: float) -> None:
        self.window.throttled(self.now, throttle, retry_after, sent_at=self.now - age, read=True)
        self.all_held_until = max(self.all_held_until, self.now + (5.0 if retry_after is None else retry_after))

    @rule()
    def read(self) -> None:
        when = self.window.request_at(self.now)
        assert when >= max(self.now, self.all_held_until)
        if when <= self.now:
            self.window.request_sent(self.now)
            self.window.request_served()

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 9))
    def ended(self, which: int) -> None:
        self.window.ended(self.running.pop(which % len(self.running)))
        self.capacity_retry_at = None

    @rule(weight=weights)
    def follow(self, weight: int) -> None:
        self.window.follow(weight)
        self.running.append(weight)

    @rule(reported=st.sampled_from([-1, 0, 1, 2, 4, 100]))
    def learn_limit(self, reported: int) -> None:
        self.window.learn_limit(reported, ceiling=self.ceiling)
        self.limit = min(self.ceiling, reported) if reported > 0 else self.limit

    @rule(reported=st.integers(0, 30), alone=st.booleans())
    def learn_remaining(self, reported: int, alone: bool) -> None:
        self.window.learn_remaining(reported, "image", alone=alone)
        assert 1 <= self.window.weight("image", 1) <= 30

    @rule(retry_after=retry_afters, age=st.sampled_from([0.0, 5.0]))
    def slowed(self, retry_after: float | None, age: float) -> None:
        self.window.slowed(self.now, retry_after, sent_at=self.now - age)
        self.all_held_until = max(self.all_held_until, self.now + (retry_after or 0.0))

    @rule(pause=st.sampled_from([1.0, 30.0]))
    def unreachable(self, pause: float) -> None:
        self.window.unreachable(self.now, pause)
        self.creates_held_until = max(self.creates_held_until, self.now + pause)

    @invariant()
    def asking_changes_nothing(self) -> None:
        before = deepcopy(vars(self.window))
        for now in (self.now + 1_000.0, self.now):
            for weight in (1, 4):
                self.window.create_at(now, weight)
            self.window.request_at(now)
            self.window.turn_at(now, 2)
            self.window.holds_creates(now)
            self.window.summary(now)
        assert vars(self.window) == before

    @invariant()
    def figures_are_true(self) -> None:
        figures = self.window.figures(self.now)
        assert (figures["creates_used"], figures["creates_per_minute"]) == (self.used(), self.limit)
        assert figures["active"] == self.window.active == self.active()
        assert 1 <= figures["max_active"] <= self.max_active
        assert self.window.creates_left(self.now) == max(0, self.limit - self.used())
        assert self.window.free_places == figures["max_active"] - self.active()
        assert 0.0 < self.window.creates_per_minute <= self.limit
        assert figures["held_seconds"] >= round(max(0.0, self.all_held_until - self.now), 1)

    def teardown(self) -> None:
        """Once everything has ended any create gets through, and in the end the account is as at first."""
        if sys.exc_info()[0] is not None:
            return  # it has already failed
        while self.flying:
            self.answered(0, "accepted")
        while self.running:
            self.ended(0)
        for weight in (1, 4, 50):
            for _ in range(20):
                when = self.window.create_at(self.now, weight)
                assert when < math.inf
                self.now = when
            self.create(weight)
            assert self.flying
            self.answered(0, "accepted")
            self.ended(0)
        self.now = recover(self.window, self.now) + 10.0 * 3_600.0
        for _ in range(self.max_active):
            self.now += 3_600.0
            self.window.advance(self.now)
        assert sent_together(self.window, self.now) == min(self.limit, self.max_active)


TestWindow = pytest.mark.no_cover(WindowMachine.TestCase)
TestWindow.settings = settings(
    deadline=None, derandomize=True, max_examples=100, stateful_step_count=40, report_multiple_bugs=False
)
