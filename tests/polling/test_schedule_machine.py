"""`aiogen._polling.schedule`: any order of events, against what is known of each job from outside."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from polling.teaching import one_job

from aiogen._polling.durations import DurationModel
from aiogen._polling.phases import PhaseModel
from aiogen._polling.schedule import Schedule
from aiogen.models import Typical

TYPICAL = Typical(median=30.0, spread=0.45)
PROBES, PROBE_WAIT, KNOWN = 2, 1.0, 6
SLACK = 1e-6
HOURS = 7_200.0


@lru_cache
def learned() -> str:
    """What is stored of a model of which eight jobs were seen to end."""
    phases = PhaseModel(Typical(median=5.0))
    for i in range(8):
        one_job(phases.queued, [4.0 + 0.2 * i], 5.0 + 0.2 * i)
    return json.dumps(phases.to_json())


def by_beginning(typical: Typical) -> PhaseModel:
    """What is stored of it is that the beginning tells more."""
    return PhaseModel.from_json(typical, PhaseModel(typical).to_json() | {"lead": 9.0})


KEYS = "abc"
keys = st.sampled_from(KEYS)
seconds = st.sampled_from([0.0, 0.25, 1.0, 2.5, 10.0, 45.0, 600.0, 100_000.0])
floors = st.sampled_from([0.0, 0.5, 1.0, 5.0])
prices = st.sampled_from([0.05, 0.15, 2.0])
shares = st.sampled_from([1.0, 0.1])


@attrs.define
class Followed:
    """What is known of one job from outside: its bounds, and between which moments it must be asked about next."""

    phases: PhaseModel
    group: tuple[DurationModel, bool]
    """Which duration model it is planned by, and whether its end teaches."""
    floor: float
    ceiling: float
    known_at: float
    """When it is known to have run."""
    held: bool
    not_before: float = 0.0
    not_after: float = 0.0
    begun: bool = False
    """It was held."""
    turned: bool = False
    """It is known when its processing began."""
    hinted: bool = False
    asked_to_wait: bool = False
    in_flight: bool = False
    asked_at: float = 0.0

    def plan(self, now: float) -> None:
        """Its next question follows from what is known."""
        low, high = max(now, self.known_at + self.floor), max(now, self.known_at + self.ceiling)
        if self.asked_to_wait:
            low, high = min(low, self.not_before), max(high, self.not_after)
        self.not_before, self.not_after = low, high

    def runs(self, now: float, sent_at: float) -> None:
        """An answer, or somebody else's, said so."""
        self.known_at = max(self.known_at, sent_at)
        if not self.in_flight:
            self.hinted = self.asked_to_wait = False
            self.plan(now)


class ScheduleMachine(RuleBasedStateMachine):
    """Everything that can happen to a handful of jobs, whose ids are used again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.jobs: dict[str, Followed] = {}
        self.schedule: Schedule[str] = Schedule()

    @initialize()
    def begin(self) -> None:
        self.models = {
            "new": PhaseModel(TYPICAL),
            "known": PhaseModel.from_json(TYPICAL, json.loads(learned())),
            "by beginning": by_beginning(Typical(median=600.0)),
        }

    def waiting(self) -> dict[str, Followed]:
        return {key: job for key, job in self.jobs.items() if not job.in_flight}

    def last_moment(self, job: Followed) -> float:
        """When it is asked about at the latest."""
        if job.hinted:
            return self.now
        return job.not_after + (PROBE_WAIT if self.waits_for_probes(job) else 0.0)

    def waits_for_probes(self, job: Followed) -> bool:
        durations, learns = job.group
        probes = sum(other.in_flight for other in self.jobs.values() if other.group == job.group)
        return learns and durations.seen < KNOWN and probes >= PROBES

    # --- jobs come and go

    @rule(
        key=keys, model=st.sampled_from(["new", "known", "by beginning"]), floor=floors, price=prices, share=shares,
        span=st.sampled_from([0.5, 4.0, 30.0]), age=st.sampled_from([0.0, 0.0, 2.0, 600.0, 100_000.0]),
        learns=st.sampled_from([True, True, False]), held=st.sampled_from([False, False, True]),
    )  # fmt: skip
    def track(self, key: str, model: str, floor: float, span: float, age: float, **how: Any) -> None:
        """A new job, perhaps with the id of one that is over."""
        self.drop(key, lag=None)
        phases, at = self.models[model], self.now - age
        ceiling = floor + span
        self.schedule.track(key, self.now, phases=phases, started_at=at, floor=floor, ceiling=ceiling, **how)
        job = self.jobs[key] = Followed(phases, (phases.queued, how["learns"]), floor, ceiling, at, how["held"])
        job.plan(self.now)

    @rule(key=keys, lag=st.sampled_from([None, 0.0, 0.5]))
    def drop(self, key: str, lag: float | None) -> None:
        """It has ended, or nobody wants to know."""
        observation = self.schedule.drop(key)
        job = self.jobs.pop(key, None)
        assert (observation is not None) is (job is not None and job.group[1] and not job.held)
        if observation is None or lag is None or observation.is_too_early(self.now):
            return
        if observation.asked_at < observation.began_at + HOURS:  # see test_an_end_after_hours_is_learned
            self.schedule.learn(observation, self.now + lag)

    # --- questions

    @rule(by=seconds)
    def time_passes(self, by: float) -> None:
        self.now += by

    @precondition(lambda self: self.waiting())
    @rule()
    def sleep_until_woken(self) -> None:
        """Until one is due; a plan may be made again instead, but not for ever."""
        for _ in range(3 * len(self.jobs) + 1):
            wake = self.schedule.wake_at()
            assert wake is not None
            self.now = max(self.now, wake)
            if self.taken() is not None:
                return
        raise AssertionError("nothing but waking")

    @rule()
    def take(self) -> None:
        self.taken()

    @rule()
    def take_all(self) -> None:
        """Each job that is due, once."""
        while self.taken() is not None:
            pass

    def taken(self) -> str | None:
        key, wake = None, self.now
        for _ in range(len(self.jobs) + 1):  # a call looks at a few
            if key is None and wake is not None and wake <= self.now:
                key = self.schedule.take(self.now)
                wake = self.schedule.wake_at()
        if key is None:
            assert wake is None or wake > self.now
            assert all(self.last_moment(job) > self.now - SLACK for job in self.waiting().values())
            assert not any(job.hinted for job in self.waiting().values())
            return None
        job = self.jobs[key]
        assert not job.in_flight
        assert job.hinted or self.now >= job.not_before - SLACK
        self.sent(job)
        return key

    def sent(self, job: Followed) -> None:
        job.in_flight, job.asked_at = True, self.now
        if job.hinted:
            job.hinted, job.not_before = False, self.now

    @rule(key=keys)
    def take_also(self, key: str) -> None:
        assert self.schedule.take_also(key) is (key in self.waiting())
        if key in self.waiting():
            self.sent(self.jobs[key])

    # --- answers

    @rule(key=keys, knows_when=st.booleans(), share=shares)
    def answered(self, key: str, knows_when: bool, share: float) -> None:
        """In time, or late: the job may have been followed again meanwhile."""
        job = self.jobs.get(key)
        sent_at = job.asked_at if job is not None and knows_when else None
        self.schedule.answered(key, self.now, sent_at=sent_at, share=share)
        if job is not None:
            job.in_flight = False
            job.runs(self.now, self.now if sent_at is None else sent_at)
            if sent_at is not None:  # as long as the answer took, if it was slow
                until = self.now + min(job.floor, self.now - sent_at)
                job.not_after = max(job.not_after, until)

    @rule(key=keys)
    def known_to_run(self, key: str) -> None:
        self.schedule.known_to_run(key, self.now)
        if key in self.jobs:
            self.jobs[key].runs(self.now, self.now)

    @rule(key=keys, ours=st.booleans())
    def turned(self, key: str, ours: bool) -> None:
        """A reading says that it is processed, which it was not before."""
        self.schedule.turned(key, self.now)
        if key in self.jobs:
            self.processed(self.jobs[key])
        if ours:
            self.answered(key, knows_when=True, share=1.0)
        else:
            self.known_to_run(key)

    def processed(self, job: Followed) -> None:
        """It runs, and is planned by the time since it began to, where that is known and says more."""
        job.held = False
        _, learns = job.group
        if learns and not job.turned and not job.phases.is_vague(max(0.0, self.now - job.known_at)):
            job.turned = True
            if job.phases.by_beginning:
                job.group = (job.phases.processing, True)

    @rule(key=keys, delay=seconds)
    def failed(self, key: str, delay: float) -> None:
        job = self.jobs.get(key)
        self.schedule.failed(key, self.now, delay)
        if job is not None:
            job.in_flight, job.hinted, job.asked_to_wait = False, False, True
            job.not_before = job.not_after = self.now + max(delay, job.floor)

    @rule(key=keys)
    def put_back(self, key: str) -> None:
        self.schedule.put_back(key, self.now)
        job = self.jobs.get(key)
        if job is not None and job.in_flight:
            job.in_flight, job.not_after = False, max(self.now, job.not_after)

    # --- what is learned

    @rule()
    def fit(self) -> None:
        """As soon as there is time for it."""
        for durations in self.schedule.outdated():
            assert durations.is_outdated
            durations.fit()
        assert self.schedule.outdated() == []

    @rule()
    def refresh(self) -> None:
        """All moments that a quicker model makes earlier."""
        while self.schedule.refresh(self.now):
            pass

    # --- what others know, and want

    @rule(key=keys)
    def ask_now(self, key: str) -> None:
        self.schedule.ask_now(key, self.now)
        if key in self.waiting():
            self.jobs[key].hinted = True

    @rule(key=keys, floor=st.sampled_from([0.1, 3.0, 60.0]))
    def nobody_waits(self, key: str, floor: float) -> None:
        self.schedule.slow_down(key, floor)
        if key in self.jobs:
            job = self.jobs[key]
            job.floor, job.ceiling = max(job.floor, floor), max(job.ceiling, floor)
            job.not_after = max(job.not_after, job.known_at + job.ceiling)

    @rule(key=keys, floor=floors, price=prices)
    def somebody_waits(self, key: str, floor: float, price: float) -> None:
        self.schedule.lower_price(key, floor, floor + 2.0, price, self.now)
        if key in self.jobs:
            job = self.jobs[key]
            job.floor, job.ceiling = floor, floor + 2.0
            job.hinted = not job.in_flight
            job.not_before = min(job.not_before, job.known_at + floor)

    @rule(key=keys, ago=st.sampled_from([0.0, 1.0, 30.0]))
    def begins(self, key: str, ago: float) -> None:
        job = self.jobs.get(key)
        self.schedule.begins(key, self.now, self.now - ago)
        if job is not None and job.held:
            job.held, job.begun = False, True
            self.planned(job, max(job.known_at, self.now - ago))

    @rule()
    def ran_all_along(self) -> None:
        self.schedule.ran_all_along(self.now)
        for job in self.jobs.values():
            if job.begun:
                job.begun = False
                self.planned(job, job.known_at)

    def planned(self, job: Followed, known_at: float) -> None:
        job.known_at = known_at
        if not job.in_flight:
            job.plan(self.now)
        else:
            job.not_after = max(job.not_after, known_at + job.ceiling)

    @rule(lag_weight=st.sampled_from([0.0, 1.0, 50.0]), backpressure=st.sampled_from([1.0, 1.0, 5.0, 100.0]))
    def prices_change(self, lag_weight: float, backpressure: float) -> None:
        self.schedule.lag_weight, self.schedule.backpressure.value = lag_weight, backpressure

    # --- what always holds

    @invariant()
    def wakes_within_the_bounds(self) -> None:
        waiting = self.waiting().values()
        wake = self.schedule.wake_at()
        assert (wake is None) is (not waiting)
        if wake is not None:
            if not any(job.hinted for job in waiting):
                assert min(job.not_before for job in waiting) - SLACK <= wake
            assert wake <= min(self.last_moment(job) for job in waiting) + SLACK

    @invariant()
    def knows_its_jobs(self) -> None:
        assert len(self.schedule) == len(self.jobs)
        for key in KEYS:
            assert (key in self.schedule) is (key in self.jobs)
            if key in self.jobs:
                self.expects(key, self.jobs[key])

    def expects(self, key: str, job: Followed) -> None:
        schedule, now = self.schedule, self.now
        assert schedule.is_free(key) is not job.in_flight
        assert 0.0 <= schedule.gain(key, now) <= 1.0
        assert schedule.hazard(key, now) >= 0.0
        remaining = schedule.remaining(key, now, (0.1, 0.5, 0.9))
        assert (remaining is None) is job.held
        assert remaining is None or list(remaining) == sorted(remaining)
        assert 1.0 <= schedule.backpressure.value <= 100.0

    def teardown(self) -> None:
        """As time runs on, each job is asked about and ends, and then there is nothing left."""
        for key in [key for key, job in self.jobs.items() if job.in_flight]:
            self.answered(key, knows_when=True, share=1.0)
        for _ in range(len(self.jobs)):
            self.sleep_until_woken()
            key = next(key for key, job in self.jobs.items() if job.in_flight)
            self.drop(key, lag=0.0)
        assert (self.schedule.wake_at(), self.schedule.take(1e12), len(self.schedule)) == (None, None, 0)
        assert all(group.asking == 0 for group in self.schedule._groups)


TestSchedule = pytest.mark.no_cover(ScheduleMachine.TestCase)
TestSchedule.settings = settings(
    deadline=None, derandomize=True, max_examples=25, stateful_step_count=40, report_multiple_bugs=False
)
