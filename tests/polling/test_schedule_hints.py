"""`Schedule.hint`: somebody has heard that there is news, and the next question comes as soon as the floor allows."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from polling.test_schedule import UNI, asked_at, schedule_of, track, wake

from aiogen._polling.phases import PhaseModel
from aiogen._polling.schedule import Schedule
from aiogen.models import Typical


def asked_once() -> Schedule[str]:
    """A job that was asked about at 110 and runs; by itself the next question comes much later."""
    schedule = schedule_of("a")
    schedule.ask_now("a", 110.0)
    assert schedule.take(110.0) == "a"
    schedule.answered("a", 110.0, sent_at=110.0)
    assert wake(schedule) > 112.0
    return schedule


def test_a_hint_brings_the_question_forward() -> None:
    """To now, if the floor has passed since the last one; about this job and no other."""
    schedule = asked_once()
    schedule.hint("a", 111.5)
    schedule.hint("never tracked", 111.5)
    assert wake(schedule) == 111.5
    assert schedule.take(111.5) == "a"
    assert schedule.is_urgent("a")


def test_the_floor_holds() -> None:
    """However often somebody says it."""
    schedule = asked_once()
    for i in range(50):
        schedule.hint("a", 110.0 + 0.01 * i)
    assert wake(schedule) == 111.0
    assert schedule.take(110.9) is None
    moments = []
    now = 111.0
    while now < 121.0:
        schedule.hint("a", now)
        if schedule.take(now) == "a":
            moments.append(now)
            schedule.answered("a", now, sent_at=now)
        now += 0.1
    assert len(moments) == 10


def test_a_question_that_comes_as_soon_anyway_comes_once() -> None:
    """And is not planned again for later, though it has become dearer meanwhile."""
    schedule = schedule_of("a", floor=10.0)
    (first,) = asked_at(schedule, 1)
    assert wake(schedule) == first + 10.0
    schedule.hint("a", first + 1.0)
    schedule.backpressure.value = 5.0
    assert schedule.take(first + 10.0) == "a"
    schedule.answered("a", first + 10.0)
    assert wake(schedule) > first + 20.0


def test_a_hint_during_a_question_is_for_the_one_after() -> None:
    """What was asked before the news may not know it."""
    schedule = asked_once()
    schedule.ask_now("a", 120.0)
    assert schedule.take(120.0) == "a"
    schedule.hint("a", 120.1)
    assert schedule.wake_at() is None
    schedule.answered("a", 120.3, sent_at=120.0)
    assert wake(schedule) == 121.0
    assert schedule.take(121.0) == "a"
    schedule.answered("a", 121.1, sent_at=121.0)
    assert wake(schedule) > 122.0, "one question was enough"


def test_a_page_that_is_older_than_the_hint_does_not_answer_it() -> None:
    """Somebody else's reading counts if it was asked for since."""
    schedule = asked_once()
    schedule.hint("a", 110.5)
    schedule.known_to_run("a", 110.6, sent_at=110.4)
    assert wake(schedule) <= 111.4
    schedule.known_to_run("a", 111.2, sent_at=111.1)
    assert wake(schedule) > 112.1


def test_a_question_that_was_put_back_is_asked_all_the_same() -> None:
    """The page said nothing about it."""
    schedule = asked_once()
    assert schedule.take_also("a")
    schedule.hint("a", 111.2)
    schedule.put_back("a", 111.3)
    assert wake(schedule) == 111.3


def test_who_asks_to_wait_is_obeyed() -> None:
    """`Retry-After`, or the pause after a failure."""
    schedule = asked_once()
    schedule.ask_now("a", 120.0)
    assert schedule.take(120.0) == "a"
    schedule.failed("a", 120.0, 30.0)
    schedule.hint("a", 121.0)
    assert wake(schedule) == 150.0


def test_one_behind_others_at_the_vendor_is_asked_about_too() -> None:
    """The vendor knows better when it runs."""
    schedule: Schedule[str] = Schedule()
    track(schedule, "a", held=True, ceiling=300.0)
    schedule.hint("a", 105.0)
    assert schedule.take(105.0) == "a"
    schedule.drop("a")
    assert schedule.wake_at() in (None, math.inf)


# --- proved: the vendor says so itself


def ends_announced(schedule: Schedule[str], count: int, now: float = 100.0) -> None:
    """So many jobs of the model end, each announced."""
    for i in range(count):
        track(schedule, f"before-{i}", now)
        schedule.hint(f"before-{i}", now + 0.1, proved=True)
        assert schedule.take(now + 0.1) == f"before-{i}"
        over(schedule, f"before-{i}", now + 0.1)


def over(schedule: Schedule[str], key: str, sent_at: float) -> None:
    """The question that was sent then has found its end."""
    schedule.found_over(key, sent_at)
    schedule.drop(key)


def factor(schedule: Schedule[str], untrue: int = 0) -> float:
    """How many times dearer a question about this model is, of whose job so many hints have come while it ran."""
    group = schedule._groups.of(UNI, UNI.queued, learns=False)
    schedule.refresh(1e6)
    return group.announcements.price_factor(untrue)


def test_a_proved_one_does_not_wait_for_the_floor_after_a_question_of_pollings() -> None:
    schedule = asked_once()
    schedule.hint("a", 110.1, proved=True)
    assert schedule.take(110.1) == "a"
    assert schedule.is_urgent("a")


def test_but_for_the_floor_after_one_that_a_hint_brought() -> None:
    """Whoever brought that forward, and however often it is said: one per floor."""
    for first_is_proved in (True, False):
        schedule = asked_once()
        schedule.hint("a", 111.0, proved=first_is_proved)
        moments = []
        now = 111.0
        while now < 121.0:
            schedule.hint("a", now, proved=True)
            if schedule.take(now) == "a":
                moments.append(now)
                schedule.answered("a", now + 0.01, sent_at=now)
            now += 0.05
        assert len(moments) == 10
        assert all(later - sooner > 0.99 for sooner, later in pairwise(moments))


def test_a_question_of_pollings_keeps_its_own_floor_after_a_hinted_one() -> None:
    schedule = asked_once()
    schedule.hint("a", 110.5, proved=True)
    assert schedule.take(110.5) == "a"
    schedule.answered("a", 110.6, sent_at=110.5)
    assert wake(schedule) >= 111.5


def test_a_proved_one_waits_where_the_vendor_asks_to() -> None:
    schedule = asked_once()
    schedule.ask_now("a", 120.0)
    assert schedule.take(120.0) == "a"
    schedule.failed("a", 120.0, 30.0)
    schedule.hint("a", 121.0, proved=True)
    assert wake(schedule) == 150.0


def test_a_proved_one_during_a_question_is_for_the_one_after_at_once() -> None:
    schedule = asked_once()
    schedule.ask_now("a", 120.0)
    assert schedule.take(120.0) == "a"
    schedule.hint("a", 120.1, proved=True)
    schedule.answered("a", 120.2, sent_at=120.0)
    assert wake(schedule) == pytest.approx(120.4), "a vendor that takes long to answer is not asked again at once"


def test_where_ends_are_announced_questions_come_later() -> None:
    """Those that run meanwhile, too."""
    schedule = schedule_of("runs")
    first = wake(schedule)
    ends_announced(schedule, 30)
    assert factor(schedule) > 20.0
    assert schedule.take(first) is None, "it has become dearer"
    assert wake(schedule) > first + 5.0
    track(schedule, "new")
    schedule.drop("runs")
    assert wake(schedule) > first + 5.0


def test_when_they_stop_those_that_run_are_asked_about_as_before() -> None:
    """None waits for the moment that was planned while hints came."""
    schedule = schedule_of("runs")
    usual = wake(schedule)
    schedule.drop("runs")
    ends_announced(schedule, 30)
    track(schedule, "runs")
    assert wake(schedule) > usual + 5.0
    for i in range(20):
        track(schedule, f"late-{i}", 90.0)
        over(schedule, f"late-{i}", 98.0)
    assert schedule.decides_at() == 98.25
    track(schedule, "new")
    assert schedule.has_news, "which is decided with whatever comes next, too"
    schedule.drop("new")
    while schedule.refresh(100.0):
        pass
    assert not schedule.has_news
    assert schedule.decides_at() == math.inf
    assert wake(schedule) == pytest.approx(usual)


def test_what_nobody_has_proved_changes_no_price() -> None:
    """However well it fits."""
    schedule: Schedule[str] = Schedule()
    for i in range(50):
        track(schedule, f"job-{i}")
        schedule.hint(f"job-{i}", 108.0)
        assert schedule.take(108.0) == f"job-{i}"
        over(schedule, f"job-{i}", 108.0)
    assert factor(schedule) == 1.0


def test_hints_long_before_the_end_change_no_price() -> None:
    """One for every job, twice, or replayed: the answer says that it runs, and so none has announced the end."""
    schedule: Schedule[str] = Schedule()
    for i in range(50):
        key = f"job-{i}"
        track(schedule, key)
        for at in (101.0, 103.0):
            schedule.hint(key, at, proved=True)
            schedule.hint(key, at, proved=True)
            assert schedule.take(at) == key
            schedule.answered(key, at, sent_at=at)
        schedule.ask_now(key, 108.0)
        assert schedule.take(108.0) == key
        over(schedule, key, 108.0)
    assert [factor(schedule, untrue) for untrue in range(5)] == [1.0] * 5


def test_one_whose_hint_came_too_early_is_asked_about_as_if_there_were_none() -> None:
    """A vendor that tells once tells of it no more; or its own answers are a little behind its calls."""
    schedule = schedule_of("a")
    usual = asked_at(schedule, 5)
    schedule.drop("a")
    ends_announced(schedule, 30)
    track(schedule, "a")
    assert wake(schedule) > usual[0] + 5.0
    schedule.hint("a", usual[3], proved=True)
    assert schedule.take(usual[3]) == "a"
    schedule.answered("a", usual[3], sent_at=usual[3])
    assert wake(schedule) == pytest.approx(usual[4])


def test_hints_all_the_time_change_no_price() -> None:
    """One of many comes just before the end by chance."""
    schedule: Schedule[str] = Schedule()
    for i in range(50):
        key = f"job-{i}"
        track(schedule, key)
        for at in (101.0, 102.0, 103.0, 104.0, 105.0):
            schedule.hint(key, at, proved=True)
            assert schedule.take(at) == key
            if at < 105.0:
                schedule.answered(key, at, sent_at=at)
        over(schedule, key, 105.0)
    assert [factor(schedule, untrue) for untrue in range(6)] == [1.0] * 6


def test_a_vendor_may_tell_of_each_state() -> None:
    """Queued, processing, completed."""
    schedule: Schedule[str] = Schedule()
    for i in range(20):
        key = f"job-{i}"
        track(schedule, key)
        for at in (101.0, 104.0, 108.0):
            schedule.hint(key, at, proved=True)
            assert schedule.take(at) == key
            if at < 108.0:
                schedule.answered(key, at, sent_at=at)
        over(schedule, key, 108.0)
    assert [factor(schedule, untrue) for untrue in range(4)] == [1.0, 1.0, pytest.approx(21.0), 1.0]


def test_late_hints_change_no_price() -> None:
    """Polling has found the end before; what comes a moment later says nothing, either way."""
    schedule: Schedule[str] = Schedule()
    for late in (3.0, 0.1):
        ends_announced(schedule, 30)
        before = factor(schedule)
        for i in range(20):
            key = f"job-{i}"
            track(schedule, key)
            schedule.ask_now(key, 108.0)
            assert schedule.take(108.0) == key
            over(schedule, key, 108.0)
            schedule.announced_late(key, 108.0 + late)
        assert factor(schedule) == (1.0 if late > 1.0 else before)


def test_one_that_comes_while_the_end_is_being_found_has_not_announced_it() -> None:
    schedule: Schedule[str] = Schedule()
    for i in range(20):
        key = f"job-{i}"
        track(schedule, key)
        schedule.ask_now(key, 108.0)
        assert schedule.take(108.0) == key
        schedule.hint(key, 108.1, proved=True)
        over(schedule, key, 108.0)
    assert factor(schedule) == 1.0


def test_each_model_for_itself() -> None:
    """A vendor may tell of pictures, and not of films."""
    films = PhaseModel(Typical(median=8.0))
    schedule: Schedule[str] = Schedule()
    track(schedule, "film", phases=films)
    usual = wake(schedule)
    ends_announced(schedule, 30)
    assert schedule.take(usual) == "film"


def test_an_announced_end_teaches_how_long_it_took() -> None:
    """Though it was never asked about before; that it has ended somewhere before now would teach next to nothing."""
    phases = PhaseModel(Typical(median=30.0))
    schedule: Schedule[str] = Schedule()
    for i in range(40):
        now = 100.0 + 10.0 * i
        track(schedule, "a", now, phases=phases, learns=True)
        schedule.hint("a", now + 5.0, proved=True)
        while (key := schedule.take(now + 5.0)) is None:
            pass
        schedule.found_over(key, now + 5.0)
        observation = schedule.drop(key)
        assert observation is not None
        assert observation.asked_at == now + 4.0
        schedule.learn(observation, now + 5.1)
        for durations in schedule.outdated():
            for _ in durations.fitting():
                pass
    assert 4.0 < phases.queued.quantile(0.5) < 5.5


def test_who_is_not_followed_is_no_error() -> None:
    """Nor does it change when the others are asked about."""
    schedule = asked_once()
    before = wake(schedule)
    schedule.found_over("never tracked", 111.0)
    schedule.announced_late("never tracked", 111.0)
    schedule.hint("never tracked", 111.0, proved=True)
    assert schedule.take(111.0) is None
    assert wake(schedule) == before
