"""`aiogen._schedule`: when to ask about which job."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiogen._durations import Durations
from aiogen._schedule import Schedule
from aiogen._wire import Typical

FAST, UNI, SLOW = (Durations(Typical(median=m, spread=s)) for m, s in ((3.0, 0.4), (30.0, 0.45), (120.0, 0.6)))


def schedule_of(*keys: str, now: float = 100.0, floor: float = 1.0, ceiling: float = 30.0) -> Schedule[str]:
    """A schedule with jobs that were accepted just now."""
    schedule: Schedule[str] = Schedule(poll_cost=0.15)
    for key in keys:
        schedule.track(key, now, durations=UNI, started_at=now, floor=floor, ceiling=ceiling)
    return schedule


def next_question(schedule: Schedule[str]) -> tuple[float, str]:
    """Sleep until the next question and take it."""
    wake = schedule.wake_at()
    assert wake is not None
    key = schedule.take(wake)
    assert key is not None
    return wake, key


def asked_at(schedule: Schedule[str], times: int) -> list[float]:
    """When the only job is asked about, if each answer comes at once and says that it runs."""
    moments = []
    for _ in range(times):
        now, key = next_question(schedule)
        schedule.answered(key, now)
        moments.append(now)
    return moments


def test_nothing_to_ask() -> None:
    """An empty schedule never wakes."""
    schedule = schedule_of()
    assert (schedule.wake_at(), schedule.take(1e9), len(schedule)) == (None, None, 0)


def test_a_job_is_asked_about_when_it_may_have_ended() -> None:
    """The first question comes when the belief says, not at once, and not before its moment."""
    schedule = schedule_of("a")
    for look in (101.0, 102.5):  # two early looks, for a model quicker than anyone believed
        assert schedule.wake_at() == pytest.approx(look)
        assert schedule.take(look) == "a"
        schedule.answered("a", look)
    due = 100.0 + UNI.next_age(2.5, 0.15)
    assert schedule.wake_at() == pytest.approx(due)
    assert schedule.take(due - 0.01) is None
    assert schedule.take(due + 0.01) == "a"


def test_questions_follow_the_belief() -> None:
    """Each question comes where the belief places it after the one before."""
    moments = asked_at(schedule_of("a", floor=0.01), 6)
    ages = [0.0, 1.0, 2.5]
    for _ in range(4):
        ages.append(UNI.next_age(ages[-1], 0.15))
    assert moments == pytest.approx([100.0 + age for age in ages[1:]])


def test_a_job_under_way_is_asked_about_from_where_it_stands() -> None:
    """A job that began before it was tracked is not asked about as if it were new, and never in the past."""
    schedule: Schedule[str] = Schedule(poll_cost=0.15)
    schedule.track("a", 100.0, durations=UNI, started_at=40.0, floor=1.0, ceiling=30.0)
    assert schedule.wake_at() == 100.0


def test_a_question_in_flight_is_not_asked_again() -> None:
    """A job that is being asked about is not due, however long the answer takes, and nobody can hurry it."""
    schedule = schedule_of("a")
    next_question(schedule)
    schedule.ask_now("a", 120.0)
    schedule.hasten("a", 1.0, 30.0, 120.0)
    assert (schedule.wake_at(), schedule.take(1e9), "a" in schedule, len(schedule)) == (None, None, True, 1)


@pytest.mark.parametrize("floor", [2.0, 5.0, 10.0])
def test_the_floor_keeps_questions_apart(floor: float) -> None:
    """No two questions are closer than the floor, the first included."""
    moments = [100.0, *asked_at(schedule_of("a", floor=floor), 30)]
    assert min(b - a for a, b in pairwise(moments)) >= floor


@pytest.mark.parametrize("ceiling", [2.0, 5.0, 10.0])
def test_the_ceiling_keeps_questions_coming(ceiling: float) -> None:
    """No two questions are further apart than the ceiling, even after a day."""
    moments = [100.0, *asked_at(schedule_of("a", ceiling=ceiling), 30)]
    assert max(b - a for a, b in pairwise(moments)) <= ceiling * 1.000001
    schedule: Schedule[str] = Schedule(poll_cost=0.15)
    schedule.track("old", 200_000.0, durations=UNI, started_at=0.0, floor=1.0, ceiling=ceiling)
    next_question(schedule)
    schedule.answered("old", 200_000.0)
    assert schedule.wake_at() == 200_000.0 + ceiling


def test_a_slow_answer_counts_from_its_end() -> None:
    """The floor runs from the answer, so a slow vendor is not asked again at once."""
    schedule = schedule_of("a", floor=3.0)
    now, key = next_question(schedule)
    schedule.answered(key, now + 20.0)
    assert schedule.wake_at() >= now + 23.0  # type: ignore[operator]


@pytest.mark.parametrize(("delay", "wait"), [(0.0, 2.0), (1.0, 2.0), (2.5, 2.5), (600.0, 600.0)])
def test_a_failed_question_waits_as_told(delay: float, wait: float) -> None:
    """After a failure the next question waits as asked, beyond the ceiling if need be, never below the floor."""
    schedule = schedule_of("a", floor=2.0)
    now, key = next_question(schedule)
    schedule.failed(key, now, delay)
    assert schedule.wake_at() == now + wait


def test_a_hint_is_asked_about_at_once() -> None:
    """`ask_now` brings a waiting job to the front, and leaves the others."""
    schedule = schedule_of("a", "b")
    schedule.ask_now("b", 100.25)
    schedule.ask_now("never tracked", 100.25)
    assert next_question(schedule) == (100.25, "b")
    assert len(schedule) == 2


def test_after_a_hint_the_usual_rhythm_returns() -> None:
    """The question after one that was hurried keeps the floor again."""
    schedule = schedule_of("a", floor=2.0)
    schedule.ask_now("a", 100.25)
    now, key = next_question(schedule)
    schedule.answered(key, now)
    assert schedule.wake_at() >= now + 2.0  # type: ignore[operator]


def test_nobody_waits_any_more() -> None:
    """`slow_down` leaves the question that is planned, and from then on keeps questions apart."""
    schedule = schedule_of("a")
    planned = schedule.wake_at()
    schedule.slow_down("a", 60.0)
    assert schedule.wake_at() == planned
    moments = asked_at(schedule, 3)
    assert [b - a for a, b in pairwise(moments)] == pytest.approx([60.0, 60.0])


def test_slowing_down_never_hurries() -> None:
    """A floor that is already higher stays, and so does the ceiling."""
    schedule = schedule_of("a", floor=20.0, ceiling=25.0)
    schedule.slow_down("a", 5.0)
    moments = asked_at(schedule, 4)
    assert all(20.0 <= b - a <= 25.0 for a, b in pairwise(moments))


def test_somebody_waits_again() -> None:
    """`hasten` asks now, and goes back to the bounds it is given."""
    schedule = schedule_of("a")
    schedule.slow_down("a", 60.0)
    schedule.hasten("a", 1.0, 3.0, 100.5)
    moments = asked_at(schedule, 4)
    assert moments[0] == 100.5
    assert all(1.0 <= b - a <= 3.000001 for a, b in pairwise(moments))


def test_a_hurry_reaches_a_question_in_flight() -> None:
    """Bounds given while a question is in flight hold from its answer on."""
    schedule = schedule_of("a")
    schedule.slow_down("a", 60.0)
    now, key = next_question(schedule)
    schedule.hasten("a", 1.0, 3.0, now)
    schedule.answered(key, now + 1.0)
    assert now + 2.0 <= schedule.wake_at() <= now + 4.0  # type: ignore[operator]


def test_a_dropped_job_is_never_asked_about() -> None:
    """After `drop` no question comes, whether one was planned or in flight."""
    schedule = schedule_of("planned", "flying")
    schedule.ask_now("flying", 100.0)
    assert schedule.take(100.0) == "flying"
    for key in ("planned", "flying", "never tracked"):
        schedule.drop(key)
    schedule.answered("flying", 101.0)
    schedule.failed("flying", 101.0, 1.0)
    schedule.slow_down("flying", 9.0)
    schedule.hasten("flying", 1.0, 2.0, 101.0)
    assert (schedule.wake_at(), len(schedule), "flying" in schedule) == (None, 0, False)


def test_a_late_answer_asks_no_second_question() -> None:
    """A job that was dropped and tracked anew has one question, even if the answer to its older one comes late."""
    schedule = schedule_of("a")
    next_question(schedule)
    schedule.drop("a")
    schedule.track("a", 200.0, durations=UNI, started_at=200.0, floor=1.0, ceiling=30.0)
    schedule.answered("a", 200.5)
    assert [schedule.take(1_000.0), schedule.take(1_000.0)] == ["a", None]


def test_lag_that_delays_others_is_dearer() -> None:
    """Under pressure questions come sooner; relief below one job changes nothing."""
    calm, pressed, relieved = schedule_of(), schedule_of(), schedule_of()
    pressed.pressure, relieved.pressure = 9.0, 0.0
    wakes = []
    for schedule in (calm, pressed, relieved):
        schedule.track("a", 0.0, durations=UNI, started_at=0.0, floor=0.0, ceiling=30.0)
        assert schedule.take(10.0) == "a"
        schedule.answered("a", 10.0)
        wakes.append(schedule.wake_at())
    assert wakes == pytest.approx([UNI.next_age(10.0, price) for price in (0.15, 0.15 / 9.0, 0.15)])


def test_dearer_requests_are_rarer() -> None:
    """`poll_cost` is the price of a question."""
    cheap, dear = Schedule[str](poll_cost=0.01), Schedule[str](poll_cost=1.0)
    for schedule in (cheap, dear):
        schedule.track("a", 0.0, durations=UNI, started_at=0.0, floor=0.0, ceiling=90.0)
    assert len([m for m in asked_at(cheap, 40) if m < 30.0]) > 3 * len([m for m in asked_at(dear, 40) if m < 30.0])


# --- any order of events

keys = st.sampled_from("abcde")
seconds = st.sampled_from([0.0, 0.25, 1.0, 2.5, 10.0, 45.0, 600.0, 100_000.0])
floors = st.sampled_from([0.0, 0.5, 1.0, 5.0])
SLACK = 1e-6


@attrs.define
class Followed:
    """What is known of one job from outside: its bounds, and between which moments it must be asked about next."""

    floor: float
    ceiling: float
    not_before: float
    not_after: float
    in_flight: bool = False


class ScheduleMachine(RuleBasedStateMachine):
    """Tracks, waits, takes, answers, throttles and drops, with a handful of keys that are used again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.jobs: dict[str, Followed] = {}

    @initialize(cost=st.sampled_from([0.01, 0.15, 2.0]))
    def begin(self, cost: float) -> None:
        self.schedule: Schedule[str] = Schedule(poll_cost=cost)

    def waiting(self) -> dict[str, Followed]:
        return {key: job for key, job in self.jobs.items() if not job.in_flight}

    @rule(key=keys, floor=floors, span=st.sampled_from([0.5, 4.0, 30.0]), durations=st.sampled_from([FAST, UNI, SLOW]),
          age=seconds)  # fmt: skip
    def track(self, key: str, floor: float, span: float, durations: Durations, age: float) -> None:
        if key in self.jobs and self.jobs[key].in_flight:
            self.schedule.drop(key)  # its answer will be to nobody, and is not reported
        begun, ceiling = self.now - age, floor + span
        self.schedule.track(key, self.now, durations=durations, started_at=begun, floor=floor, ceiling=ceiling)
        self.jobs[key] = Followed(floor, ceiling, max(self.now, begun + floor), max(self.now, begun + ceiling))

    @rule(by=seconds)
    def time_passes(self, by: float) -> None:
        self.now += by

    @precondition(lambda self: self.waiting())
    @rule()
    def sleep_until_woken(self) -> None:
        wake = self.schedule.wake_at()
        assert wake is not None
        self.now = max(self.now, wake)
        assert self.taken() is not None

    @rule()
    def take(self) -> None:
        self.taken()

    def taken(self) -> str | None:
        key = self.schedule.take(self.now)
        if key is None:
            assert all(job.not_after > self.now - SLACK for job in self.waiting().values())
            return None
        job = self.jobs[key]
        assert not job.in_flight
        assert self.now >= job.not_before - SLACK
        job.in_flight = True
        return key

    @rule(key=keys)
    def answered(self, key: str) -> None:
        if key not in self.jobs or self.jobs[key].in_flight:
            self.schedule.answered(key, self.now)
            self.plan(key, lambda job: (job.floor, job.ceiling))

    @rule(key=keys, delay=seconds)
    def failed(self, key: str, delay: float) -> None:
        if key not in self.jobs or self.jobs[key].in_flight:
            self.schedule.failed(key, self.now, delay)
            self.plan(key, lambda job: (max(delay, job.floor), max(delay, job.floor)))

    def plan(self, key: str, bounds: Callable[[Followed], tuple[float, float]]) -> None:
        if key in self.jobs:
            job = self.jobs[key]
            low, high = bounds(job)
            job.not_before, job.not_after, job.in_flight = self.now + low, self.now + high, False

    @rule(key=keys)
    def ask_now(self, key: str) -> None:
        self.schedule.ask_now(key, self.now)
        if key in self.waiting():
            self.jobs[key].not_before = self.jobs[key].not_after = self.now

    @rule(key=keys, floor=st.sampled_from([0.1, 3.0, 60.0]))
    def slow_down(self, key: str, floor: float) -> None:
        self.schedule.slow_down(key, floor)
        if key in self.jobs:
            job = self.jobs[key]
            job.floor, job.ceiling = max(job.floor, floor), max(job.ceiling, floor)

    @rule(key=keys, floor=floors)
    def hasten(self, key: str, floor: float) -> None:
        self.schedule.hasten(key, floor, floor + 2.0, self.now)
        if key in self.jobs:
            job = self.jobs[key]
            job.floor, job.ceiling = floor, floor + 2.0
            if not job.in_flight:
                job.not_before = job.not_after = self.now

    @rule(pressure=st.sampled_from([0.0, 1.0, 5.0, 500.0]))
    def press(self, pressure: float) -> None:
        self.schedule.pressure = pressure

    @rule(key=keys)
    def drop(self, key: str) -> None:
        self.schedule.drop(key)
        self.jobs.pop(key, None)

    @invariant()
    def wakes_within_the_bounds(self) -> None:
        waiting = self.waiting().values()
        wake = self.schedule.wake_at()
        assert (wake is None) is (not waiting)
        if wake is not None:
            assert min(job.not_before for job in waiting) - SLACK <= wake
            assert wake <= min(job.not_after for job in waiting) + SLACK

    @invariant()
    def knows_its_jobs(self) -> None:
        assert len(self.schedule) == len(self.jobs)
        assert all((key in self.schedule) is (key in self.jobs) for key in "abcde")

    def teardown(self) -> None:
        """Follow the schedule until every job was asked about."""
        for key in [key for key, job in self.jobs.items() if job.in_flight]:
            self.answered(key)
        left = set(self.jobs)
        while left:
            wake = self.schedule.wake_at()
            assert wake is not None, f"{left} are forgotten"
            self.now = max(self.now, wake)
            key = self.taken()
            assert key in left
            left.discard(key)
        assert not self.jobs or self.schedule.wake_at() is None


TestSchedule = ScheduleMachine.TestCase
TestSchedule.settings = settings(
    deadline=None, derandomize=True, max_examples=100, stateful_step_count=40, report_multiple_bugs=False
)
