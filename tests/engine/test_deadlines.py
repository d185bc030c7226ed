"""`aiogen._engine.deadlines`: what is too late when; numbers for moments, and no loop."""

from __future__ import annotations

import math

import pytest

from aiogen._engine.deadlines import Deadlines, LastLook, Place
from aiogen._engine.job import Job
from aiogen._limits.window import Window


class Waiting(Job):
    """A job, as far as deadlines know one."""

    __slots__ = ("name",)

    def __init__(self, name: str = "a", timeout: float = 100.0) -> None:
        self.name, self.timeout = name, timeout

    def __repr__(self) -> str:
        return f"<{self.name}>"


def popped(deadlines: Deadlines, now: float) -> list[object]:
    """All that have passed, in order."""
    return list(iter(lambda: deadlines.pop(now), None))


def test_nothing_is_too_late_where_nothing_is_due() -> None:
    """There is no next moment."""
    deadlines = Deadlines()
    assert deadlines.next_at() == math.inf
    assert deadlines.pop(1e12) is None
    assert deadlines.jobs() == []


def test_deadlines_pass_in_their_order() -> None:
    """Each once, and none before its moment."""
    deadlines, early, late = Deadlines(), Waiting("early"), Waiting("late")
    deadlines.put(late, 20.0)
    deadlines.put(early, 10.0)
    assert deadlines.next_at() == 10.0
    assert popped(deadlines, 9.9) == []
    assert popped(deadlines, 10.0) == [early]
    assert deadlines.next_at() == 20.0
    assert popped(deadlines, 100.0) == [late]
    assert deadlines.next_at() == math.inf


def test_a_job_has_one_deadline() -> None:
    """The latest that was given to it, earlier or later than the one before."""
    deadlines, job = Deadlines(), Waiting()
    for when in (10.0, 30.0, 20.0):
        deadlines.put(job, when)
        assert deadlines.next_at() == when
    assert popped(deadlines, 100.0) == [job]


@pytest.mark.parametrize(
    ("timeout", "before"),
    [(1000.0, 2.0), (20.0, 2.0), (15.0, 1.5), (5.0, 0.5), (2.0, 0.5), (1.0, 0.5), (0.5, 0.25), (0.0, 0.0)],
)
def test_shortly_before_its_deadline_a_job_is_asked_about_once_more(timeout: float, before: float) -> None:
    """A tenth of the timeout before, from half a second to two, and never before half of it has gone."""
    deadlines, job = Deadlines(), Waiting(timeout=timeout)
    deadlines.put_with_last_look(job, 100.0)
    assert deadlines.next_at() == pytest.approx(100.0 + timeout - before)
    assert set(popped(deadlines, 100.0 + timeout - before + 1e-9)) >= {LastLook(job)}
    assert before == 0.0 or deadlines.next_at() == 100.0 + timeout


def test_a_longer_timeout_moves_the_last_look_too() -> None:
    """There is one of each."""
    deadlines, job = Deadlines(), Waiting(timeout=10.0)
    deadlines.put_with_last_look(job, 0.0)
    job.timeout = 100.0
    deadlines.put_with_last_look(job, 5.0)
    assert popped(deadlines, 102.9) == []
    assert popped(deadlines, 105.0) == [LastLook(job), job]


def test_of_one_that_was_left_behind_the_rest_of_its_time_counts() -> None:
    """Its timeout stays what it is."""
    deadlines, job = Deadlines(), Waiting(timeout=100.0)
    deadlines.put_with_last_look(job, 0.0, within=60.0)
    assert popped(deadlines, 57.9) == []
    assert popped(deadlines, 58.0) == [LastLook(job)]
    assert popped(deadlines, 60.0) == [job]
    assert job.timeout == 100.0


def test_a_last_look_that_comes_late_moves_the_deadline() -> None:
    """So that its answer may come before it; one that comes in time moves nothing."""
    deadlines, early, late = Deadlines(), Waiting("early"), Waiting("late")
    for job in (early, late):
        deadlines.put_with_last_look(job, 0.0)
    assert popped(deadlines, 98.5) == [LastLook(early), LastLook(late)]
    deadlines.put_off(early, 98.0)
    deadlines.put_off(late, 99.5)
    assert popped(deadlines, 100.0) == [early]
    assert popped(deadlines, 101.5) == [late]


def test_where_nothing_can_be_asked_the_last_look_is_put_off() -> None:
    """And the deadline with it, whether it has passed by then or not."""
    deadlines, job = Deadlines(), Waiting()
    deadlines.put_with_last_look(job, 0.0)
    for now in (99.0, 100.0):
        popped(deadlines, now)
        deadlines.put_off(job, now, 1.0)
    assert popped(deadlines, 100.9) == []
    assert popped(deadlines, 101.0) == [LastLook(job)]
    assert popped(deadlines, 102.9) == []
    assert popped(deadlines, 103.0) == [job]


def test_what_is_over_has_no_deadline_and_no_last_look() -> None:
    """Nor has it to have had one."""
    deadlines, over, other = Deadlines(), Waiting("over"), Waiting("other", timeout=200.0)
    for job in (over, other):
        deadlines.put_with_last_look(job, 0.0)
    deadlines.drop(over)
    deadlines.drop(Waiting("unheard of"))
    assert deadlines.jobs() == [other]
    assert popped(deadlines, 1000.0) == [LastLook(other), other]


def test_the_jobs_with_a_deadline_are_those_that_somebody_waits_for() -> None:
    """Places that are held, and last looks, are none."""
    deadlines, first, second = Deadlines(), Waiting("first"), Waiting("second")
    deadlines.put_with_last_look(first, 0.0)
    deadlines.put(place(), 1.0)
    deadlines.put(second, 500.0)
    assert deadlines.jobs() == [first, second]
    popped(deadlines, 100.0)
    assert deadlines.jobs() == [second]


def test_the_first_deadline_of_some_jobs() -> None:
    """Without last looks; there is none if none of them has one."""
    deadlines, first, second, third = Deadlines(), Waiting("first"), Waiting("second"), Waiting("third")
    deadlines.put_with_last_look(first, 0.0)
    deadlines.put(second, 50.0)
    assert deadlines.earliest([first, second, third]) == 50.0
    assert deadlines.earliest([first, third]) == 100.0
    assert deadlines.earliest([third]) == math.inf
    assert deadlines.earliest([]) == math.inf


def place(weight: int = 1) -> Place:
    """That a create without an answer may hold."""
    return Place(Window(creates_per_minute=30, max_active=10, requests_per_minute=600), weight)


def test_places_that_creates_without_an_answer_may_hold_are_two_however_alike() -> None:
    """Each is freed for itself."""
    deadlines, one = Deadlines(), place(3)
    other = Place(one.window, 3)
    deadlines.put(one, 10.0)
    deadlines.put(other, 10.0)
    assert popped(deadlines, 10.0) == [one, other]
