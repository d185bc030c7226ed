"""`Schedule.hint`: somebody has heard that there is news, and the next question comes as soon as the floor allows."""

from __future__ import annotations

import math

from polling.test_schedule import asked_at, schedule_of, track, wake

from aiogen._polling.schedule import Schedule


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
