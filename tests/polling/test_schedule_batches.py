"""`aiogen._polling.schedule`: hundreds of jobs of one model: early looks, and plans that are made again in parts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from polling.teaching import teach

from aiogen._polling.durations import DurationModel
from aiogen._polling.phases import PhaseModel
from aiogen._polling.schedule import Schedule
from aiogen.models import Typical

TYPICAL = Typical(median=30.0, spread=0.45)
PRICE = 0.15
FIRST = DurationModel(TYPICAL).plan(PRICE).next_age(0.0)
"""The age at which a job is asked about first, as the provider's table has it."""


def schedule_of(phases: PhaseModel, count: int, now: float = 0.0, **how: Any) -> Schedule[int]:
    """Jobs that were accepted just now."""
    schedule: Schedule[int] = Schedule()
    track(schedule, phases, range(count), now, **how)
    return schedule


def track(schedule: Schedule[int], phases: PhaseModel, keys: range, now: float = 0.0, **how: Any) -> None:
    usual = {"floor": 0.5, "ceiling": 90.0, "price": PRICE}
    for key in keys:
        schedule.track(key, now, phases=phases, started_at=now, **usual | how)


def known(median: float = 30.0, ends: int = 8) -> PhaseModel:
    """A model of which some jobs were seen to end."""
    phases = PhaseModel(TYPICAL)
    teach(phases.queued, [median * (0.96 + 0.01 * i) for i in range(ends)])
    return phases


def wake(schedule: Schedule[int]) -> float:
    moment = schedule.wake_at()
    assert moment is not None
    return moment


def looks(schedule: Schedule[int], until: float) -> list[tuple[float, int]]:
    """Which jobs are asked about up to a moment, and when, if each answer comes at once and says that it runs."""
    found, now = [], 0.0
    while (now := max(now, wake(schedule))) <= until:
        key = schedule.take(now)
        if key is not None:
            schedule.answered(key, now, sent_at=now)
            found.append((now, key))
    return found


# --- early looks


def early(count: int) -> list[tuple[float, int]]:
    """Before anybody's planned moment, beside those at 1 s and 2.5 s that the first two jobs have anyway."""
    schedule = schedule_of(PhaseModel(TYPICAL), count)
    return [(now, key) for now, key in looks(schedule, FIRST - 1e-6) if key >= 2]


@pytest.mark.parametrize(("count", "number"), [(1, 0), (2, 0), (9, 0), (10, 10), (20, 16), (500, 105)])
def test_the_more_jobs_learn_from_it_the_more_early_looks(count: int, number: int) -> None:
    """None for a few jobs, some for ten, dozens for hundreds; the gaps grow as the root of the age."""
    found = [now for now, _ in early(count)]
    assert len(found) == number
    assert all(later > now for now, later in pairwise(found))
    if count == 500:
        ages = [0.5]
        while len(ages) < number:
            ages.append(ages[-1] + 3.5 * (PRICE * ages[-1]) ** 0.5 / count**0.6)
        assert found == pytest.approx(ages, rel=0.003)


def test_early_looks_are_spread_over_the_jobs() -> None:
    """None is asked twice before each was asked once."""
    for count in (20, 500):
        keys = [key for _, key in early(count)]
        once = keys[: count - 2]
        assert len(set(once)) == len(once)


def test_one_early_look_at_a_time() -> None:
    """The next depends on its answer; if that takes long, nothing waits but the next early look."""
    schedule = schedule_of(PhaseModel(TYPICAL), 50)
    asked = []
    while (now := wake(schedule)) < FIRST:
        key = schedule.take(now)
        if key is not None and key < 2:
            schedule.answered(key, now, sent_at=now)
        elif key is not None:
            asked.append(key)
    assert len(asked) == 1
    schedule.answered(asked[0], now, sent_at=now)
    assert len(schedule) == 50


@pytest.mark.parametrize("end", [0, 3])
def test_with_the_first_ends_the_looks_go_on_and_with_the_model_known_they_stop(end: int) -> None:
    """Six ends are enough: what follows comes from the model."""
    phases = PhaseModel(TYPICAL)
    schedule = schedule_of(phases, 100)
    before = looks(schedule, 2.0)
    now = before[-1][0]
    for key in range(50, 50 + end):
        observation = schedule.drop(key)
        assert observation is not None
        schedule.learn(observation, now)
    assert len([key for _, key in looks(schedule, 2.3) if key >= 2]) >= 2
    for key in range(60, 66):
        observation = schedule.drop(key)
        assert observation is not None
        schedule.learn(observation, 2.3)
    assert phases.seen == 6 + end
    for durations in schedule.outdated():
        durations.curve = DurationModel(TYPICAL).curve  # as if nothing had come of it
    assert len(looks(schedule, FIRST - 0.5)) <= 3  # those that were planned


@pytest.mark.parametrize(("count", "number"), [(9, 0), (20, 2), (100, 4), (500, 9)])
def test_with_the_first_end_some_are_looked_at_without_a_pause(count: int, number: int) -> None:
    """Is it the first end, or have many ended?  A few for a few jobs, nine for five hundred, and then as before."""
    phases = PhaseModel(TYPICAL)
    schedule = schedule_of(phases, count + 1)
    looks(schedule, 2.0)
    group = schedule._groups.of(phases, phases.queued, learns=True)
    at = max(group.probes.age, 2.0)
    observation = schedule.drop(5)
    assert observation is not None
    schedule.learn(observation, at)
    found = [now for now, key in looks(schedule, at + 0.05) if key >= 2 and now >= at - 1e-9]
    assert number <= len(found) <= number + 2


@pytest.mark.parametrize(("count", "is_looked_at"), [(80, False), (300, True)])
def test_hundreds_are_looked_at_also_later_if_nobody_is_asked(count: int, is_looked_at: bool) -> None:
    """A model that is known by a few ends may be known wrongly, and others have to wait for its next moment."""
    phases = PhaseModel(TYPICAL)
    schedule = schedule_of(phases, count)
    looks(schedule, 2.0)
    for key in range(60, 70):
        observation = schedule.drop(key)
        assert observation is not None
        schedule.learn(observation, 2.0)
    for durations in schedule.outdated():
        durations.curve = DurationModel(TYPICAL).curve  # as if nothing had come of it
    found = [now for now, key in looks(schedule, FIRST - 0.5) if key >= 2]
    assert (len(found) > 10) is is_looked_at
    assert all(later - now < 0.3 for now, later in pairwise(found))


def test_a_known_model_is_not_looked_at_early() -> None:
    """Nor is one of jobs that teach nothing, or that wait behind others."""
    for schedule in (
        schedule_of(known(), 50),
        schedule_of(PhaseModel(TYPICAL), 50, learns=False),
        schedule_of(PhaseModel(TYPICAL), 50, held=True),
    ):
        assert looks(schedule, FIRST - 1e-6) == []


def test_jobs_that_come_later_are_looked_at_where_nobody_was() -> None:
    """What was seen at half a second need not be seen again."""
    phases = PhaseModel(TYPICAL)
    schedule = schedule_of(phases, 50)
    looks(schedule, 3.0)
    group = schedule._groups.of(phases, phases.queued, learns=True)
    probed_to = group.probes.age
    assert 2.5 < probed_to <= 3.3
    track(schedule, phases, range(100, 150), 3.0)
    found = looks(schedule, 3.0 + 2.5)
    assert not [key for now, key in found if key >= 100]
    assert group.probes.age > probed_to


@pytest.mark.parametrize("event", ["dropped", "asked about by somebody", "held", "turned"])
def test_early_looks_go_on_whatever_becomes_of_one(event: str) -> None:
    """It is gone, or known otherwise: the next one is looked at."""
    phases = PhaseModel.from_json(TYPICAL, PhaseModel(TYPICAL).to_json() | {"lead": 3.0})
    schedule = schedule_of(phases, 20)
    looks(schedule, 0.7)
    group = schedule._groups.of(phases, phases.queued, learns=True)
    key = group.probes.key
    assert key is not None
    match event:
        case "dropped":
            schedule.drop(key)
            schedule.known_to_run(5, 0.7)
        case "asked about by somebody":
            schedule.ask_now(key, 0.7)
        case "held":
            schedule.postpone(key, 0.7, 60.0)
        case "turned":
            schedule.turned(key, 0.7)
            schedule.known_to_run(key, 0.7)
            assert schedule._questions[key].group is not group
    assert len({other for now, other in looks(schedule, FIRST - 1e-6) if now > 0.8} - {0, 1, key}) >= 5


def test_an_early_look_does_not_come_before_the_vendor_lets_it() -> None:
    """Whoever is to wait for a minute waits for a minute; another job is looked at instead."""
    schedule: Schedule[int] = Schedule()
    phases = PhaseModel(TYPICAL)
    track(schedule, phases, range(4))
    for key in range(2, 4):
        schedule.take_also(key)
        schedule.failed(key, 0.1, 60.0)
    looks(schedule, 3.0)
    track(schedule, phases, range(4, 5), 3.0)
    assert all(key not in (2, 3) for _, key in looks(schedule, 60.0))


def test_the_number_of_jobs_is_that_of_those_that_are_followed() -> None:
    """Also where jobs are planned by their beginning from then on."""
    phases = PhaseModel.from_json(TYPICAL, PhaseModel(TYPICAL).to_json() | {"lead": 3.0})
    schedule = schedule_of(phases, 10)
    for key in range(10):
        schedule.known_to_run(key, 1.0)
        schedule.turned(key, 1.5)
        schedule.known_to_run(key, 1.5)
    groups = [schedule._groups.of(phases, durations, learns=True) for durations in (phases.queued, phases.processing)]
    assert [group.size for group in groups] == [0, 10]
    for key in range(10):
        schedule.drop(key)
    assert [group.size for group in groups] == [0, 0]


def test_more_of_a_large_batch_is_asked_before_the_others_wait() -> None:
    """Two of a few, and one in twenty-five of hundreds: what they say arrives in time for the others all the same."""
    for count, at_once in ((20, 2), (500, 20)):
        schedule = schedule_of(known(ends=5), count, floor=40.0)
        due = wake(schedule)
        taken = 0
        while schedule.take(due) is not None:
            taken += 1
        assert taken == at_once
        assert wake(schedule) == due + 1.0


# --- planned again in parts


def dues(schedule: Schedule[int]) -> list[float]:
    return [question.due for question in schedule._questions.values()]


def quicker(count: int) -> tuple[PhaseModel, Schedule[int], float]:
    """Jobs of a model that turns out to take a third of the time."""
    phases = known()
    schedule = schedule_of(phases, count)
    due = wake(schedule)
    assert not schedule.refresh(0.0)
    teach(phases.queued, [10.0] * 40)
    return phases, schedule, due


@pytest.mark.parametrize(("count", "calls"), [(10, 1), (40, 1), (41, 2), (500, 13)])
def test_a_model_that_is_quicker_is_planned_again_in_parts(count: int, calls: int) -> None:
    """Forty jobs in one call, so that others get their turn; and then all are due earlier."""
    phases, schedule, due = quicker(count)
    made = 1
    while schedule.refresh(0.0):
        made += 1
    assert made == calls
    new = phases.queued.plan(PRICE).next_age(0.0)
    assert new < 0.7 * due
    assert dues(schedule) == pytest.approx([new] * len(schedule))
    assert not schedule.refresh(0.0)


def test_what_happens_between_two_parts() -> None:
    """Who has gone, is being asked about, or is due already is left alone."""
    _, schedule, due = quicker(100)
    assert schedule.refresh(0.0)
    before = {key for key, question in schedule._questions.items() if question.due < due}
    later = sorted(set(range(100)) - before)
    gone, asked, put_off, soon = later[:4]
    schedule.drop(gone)
    schedule.take_also(asked)
    schedule.failed(put_off, 0.0, 77.0)
    schedule.lower_price(soon, 0.5, 90.0, PRICE, 0.0)
    while schedule.refresh(0.0):
        pass
    assert gone not in schedule
    assert not schedule.is_free(asked)
    assert schedule._questions[put_off].due == 77.0
    assert schedule.take(0.0) == soon
    schedule.answered(asked, 1.0)
    moments = [question.due for key, question in schedule._questions.items() if key not in (soon, put_off)]
    assert max(moments) < due


def test_a_change_between_two_parts_begins_again() -> None:
    """The model has become quicker still: all are planned by the latest."""
    phases, schedule, _ = quicker(100)
    assert schedule.refresh(0.0)
    teach(phases.queued, [3.0] * 40)
    while schedule.refresh(0.0):
        pass
    new = phases.queued.plan(PRICE).next_age(0.0)
    assert dues(schedule) == pytest.approx([new] * len(schedule))


def test_slower_ones_are_planned_when_their_moment_comes_a_few_in_each_call() -> None:
    """`take` finds four of them not to be due and says so: `wake_at` is not later than now, and it is called again."""
    phases = known()
    schedule = schedule_of(phases, 30)
    due = wake(schedule)
    teach(phases.queued, [300.0] * 60)
    while schedule.refresh(due):
        pass
    calls = 0
    while wake(schedule) <= due:
        assert schedule.take(due) is None
        calls += 1
    assert calls == 8
    assert wake(schedule) > due


def test_a_moment_that_was_planned_at_a_lower_price_is_planned_again() -> None:
    """The budget binds now, so it may come later; if it is hardly dearer it stays."""
    for backpressure, asked in ((1.05, True), (3.0, False)):
        schedule = schedule_of(known(), 1)
        due = wake(schedule)
        schedule.backpressure.value = backpressure
        assert (schedule.take(due) is not None) is asked
        assert asked or wake(schedule) > due


# --- what has to be fitted


def test_each_model_that_learned_enough_is_named_once() -> None:
    """Both models of phases, if both have learned; and again only when something more was learned."""
    phases, other = PhaseModel(TYPICAL), PhaseModel(TYPICAL)
    schedule = schedule_of(phases, 4)
    track(schedule, other, range(10, 12))
    assert schedule.outdated() == []
    for key in range(3):
        schedule.known_to_run(key, 3.0)
        schedule.turned(key, 4.0)
        schedule.known_to_run(key, 4.0)
        observation = schedule.drop(key)
        assert observation is not None
        schedule.learn(observation, 20.0)
    assert schedule.outdated() == [phases.queued, phases.processing]
    assert schedule.outdated() == []
    schedule.known_to_run(3, 30.0)
    assert schedule.outdated() == [phases.queued, phases.processing]
    phases.queued.fit()
    phases.processing.fit()
    schedule.known_to_run(3, 30.5)
    assert schedule.outdated() == []


def test_a_fit_under_way_is_not_begun_again() -> None:
    """Whatever is seen meanwhile is named when it is done."""
    phases = PhaseModel(TYPICAL)
    schedule = schedule_of(phases, 40)
    for key in range(20):
        observation = schedule.drop(key)
        assert observation is not None
        schedule.learn(observation, 20.0)
    (durations,) = schedule.outdated()
    steps = durations.fitting()
    next(steps)
    for key in range(20, 39):
        observation = schedule.drop(key)
        assert observation is not None
        schedule.learn(observation, 20.0)
    assert schedule.outdated() == []
    for _ in steps:
        pass
    schedule.known_to_run(39, 21.0)
    assert schedule.outdated() == [durations]
