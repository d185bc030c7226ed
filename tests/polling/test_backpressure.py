"""`aiogen._polling.backpressure`: how the common price follows from how late questions come."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from aiogen._polling.backpressure import Backpressure


def after(*questions: tuple[float, float], pace: float = 10.0) -> Backpressure:
    """What questions leave behind, each given by when it was asked and how late that was."""
    backpressure = Backpressure()
    for now, late in questions:
        backpressure.asked(now, ready_at=now - late, pace=pace)
    return backpressure


def late_by(seconds: float, times: int, *, every: float = 10.0) -> Backpressure:
    """Every question comes late by the same time."""
    return after(*((every * i, seconds) for i in range(times)))


def test_it_begins_with_none() -> None:
    """Until a question is late, questions are asked as planned."""
    assert Backpressure().value == 1.0


@pytest.mark.parametrize(("late", "rises"), [(0.0, False), (0.05, False), (1.0, False), (1.04, False), (1.06, True)])
def test_a_little_late_is_no_shortage(late: float, rises: bool) -> None:
    """A tenth of the time to the next question is tolerated, and the twentieth of a second of a busy program."""
    assert (late_by(late, 1).value > 1.0) is rises


@pytest.mark.parametrize("late", [10.05, 20.0, 1e6])
def test_one_question_raises_it_by_a_bounded_step(late: float) -> None:
    """Late by one pace or by a thousand is the same; half as late, half the step."""
    step = late_by(late, 1).value
    assert step == pytest.approx(math.exp(0.5))
    assert late_by(5.05, 1).value == pytest.approx(math.sqrt(step))


def test_it_follows_time_and_not_the_number_of_questions() -> None:
    """A hundred late questions within one pace raise it about as much as one does."""
    together = after(*((0.0, 20.0), *((0.1 * i, 20.0) for i in range(101))))
    assert together.value == pytest.approx(math.exp(0.5) * math.exp(0.5))


def test_it_rises_and_falls() -> None:
    """While questions are late it rises to a hundred; once they are not it falls back to one, at half that speed."""
    rising = [late_by(20.0, times).value for times in range(1, 15)]
    assert rising == sorted(rising)
    assert rising[-1] == 100.0
    late = [(10.0 * i, 20.0) for i in range(4)]
    falling = [after(*late, *((100.0 + 10.0 * i, 0.0) for i in range(times))).value for times in range(18)]
    assert falling[0] == pytest.approx(math.exp(2.0))
    assert [b / a for a, b in pairwise(falling[:17])] == pytest.approx([math.exp(-0.125)] * 16)
    assert falling[-1] == pytest.approx(1.0)
    assert after(*late, *((100.0 + 10.0 * i, 0.0) for i in range(40))).value == 1.0
