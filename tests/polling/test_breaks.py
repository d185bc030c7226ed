"""`aiogen._polling.breaks`: what could not be asked for a while does not come all at once."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

import pytest
from polling.test_schedule import next_age, track, wake

from aiogen._polling.breaks import MANY, Break
from aiogen._polling.schedule import Schedule

JOBS, PACE = 2_000, 10.0
RATE = JOBS / PACE


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0, 7.0, 10.0, 15.0, 3600.0])
def test_no_second_after_it_has_many_more_than_before(seconds: float) -> None:
    """However long it was: each of the jobs, one after the other, is asked about every ten seconds otherwise."""
    rests = Break(100.0, 100.0 + seconds)
    dues = [100.0 + PACE * i / JOBS for i in range(JOBS)]
    moments = sorted(rests.moment(due, PACE) if rests.has_kept(due) else due for due in dues)
    asked = moments + [moment + PACE for moment in moments]
    asked.sort()
    for at in range(40):
        begin = rests.until + at / 4.0
        assert bisect_left(asked, begin + 1.0) - bisect_left(asked, begin) <= 1.22 * RATE
    assert moments[0] >= 100.0
    assert moments[-1] <= rests.until + PACE


def test_their_order_is_kept() -> None:
    """Who has waited for longest is first; what was due before it began comes at once."""
    rests = Break(100.0, 104.0)
    moments = [rests.moment(due, PACE) for due in (90.0, 100.0, 100.1, 101.0, 102.0, 103.9)]
    assert moments[:2] == [104.0, 104.0]
    assert moments == sorted(moments)
    assert not rests.has_kept(104.0)


def after(count: int, *, rests: bool) -> tuple[list[float], float]:
    """When that many jobs are asked about that fell due while nothing could be asked, and when that was over."""
    schedule: Schedule[str] = Schedule()
    for i in range(count):
        track(schedule, f"{i}", 100.0 + 10.0 * i / count, age=0.0)
    first = wake(schedule)
    now = until = first + 20.0
    if rests:
        schedule.rested(first, until)
    moments = []
    while len(moments) < count:
        now = max(now, wake(schedule))
        if (key := schedule.take(now)) is not None:
            schedule.answered(key, now)
            moments.append(now)
    return moments, until


def test_few_are_asked_about_at_once() -> None:
    moments, until = after(MANY - 1, rests=True)
    assert set(moments) == {until}


def test_many_are_asked_about_one_after_the_other() -> None:
    """As long as it takes to ask each of them once at the usual rate; without a break all at once."""
    moments, until = after(200, rests=True)
    assert moments[0] == until
    usual = 200 / (next_age(next_age(0.0)) - next_age(0.0))
    assert max(bisect_left(moments, at + 1.0) - i for i, at in enumerate(moments)) < 2.0 * usual < 150
    moments, until = after(200, rests=False)
    assert set(moments) == {until}


def test_those_that_are_taken_up_together_come_in_turn() -> None:
    """Each after its part of the time between two questions; one that is not due yet, when it is."""
    schedule: Schedule[str] = Schedule()
    for i in range(1, 11):
        track(schedule, f"{i}", age=40.0)
        schedule.in_turn(f"{i}", 100.0, i / 10)
    track(schedule, "young")
    due = schedule._questions["young"].due
    schedule.in_turn("young", 100.0, 1.0)
    track(schedule, "behind", age=40.0, held=True)
    schedule.in_turn("behind", 100.0, 1.0)
    schedule.in_turn("unknown", 100.0, 1.0)
    assert schedule._questions["young"].due == due
    moments = []
    for _ in range(12):
        at = wake(schedule)
        key = schedule.take(at)
        assert key is not None
        if key not in ("young", "behind"):
            moments.append(at)
    steps = [later - earlier for earlier, later in pairwise(moments)]
    assert moments[0] > 100.0
    assert steps == pytest.approx([steps[0]] * len(steps))
