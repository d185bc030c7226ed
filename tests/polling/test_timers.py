"""`aiogen._polling.timers`: keys, each with one moment."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aiogen._polling.timers import TimerQueue

keys = st.sampled_from("abcdefgh")
moments = st.integers(0, 20).map(float)


def test_the_earliest_comes_first() -> None:
    """Keys come out in order of their moments, and none before its moment."""
    agenda: TimerQueue[str] = TimerQueue()
    agenda.put("late", 3.0)
    agenda.put("early", 1.0)
    assert agenda.wake_at() == 1.0
    assert [agenda.pop(0.9), agenda.pop(1.0), agenda.pop(2.9), agenda.pop(3.0), agenda.pop(9.0)] == [
        None, "early", None, "late", None,
    ]  # fmt: skip


def test_equal_moments_come_in_the_order_they_were_put() -> None:
    """First come, first served; putting a key again puts it behind the others."""
    agenda: TimerQueue[str] = TimerQueue()
    for key in "abca":
        agenda.put(key, 1.0)
    assert [agenda.pop(1.0) for _ in range(3)] == ["b", "c", "a"]


def test_a_key_has_one_moment() -> None:
    """The last moment that was put counts, be it earlier or later, and the key comes out once."""
    agenda: TimerQueue[str] = TimerQueue()
    agenda.put("a", 5.0)
    agenda.put("a", 1.0)
    agenda.put("b", 1.0)
    agenda.put("b", 5.0)
    assert len(agenda) == 2
    assert [agenda.pop(4.0), agenda.pop(4.0), agenda.pop(5.0), agenda.pop(9.0)] == ["a", None, "b", None]


def test_a_dropped_key_is_gone() -> None:
    """A dropped key neither wakes nor comes out, and dropping one that is not there changes nothing."""
    agenda: TimerQueue[str] = TimerQueue()
    agenda.put("a", 1.0)
    agenda.drop("a")
    agenda.drop("never there")
    assert ("a" in agenda, len(agenda), agenda.wake_at(), agenda.pop(9.0)) == (False, 0, None, None)


def test_a_dropped_key_may_come_back() -> None:
    """What was left behind by a dropped key does not speak for it once it is put again."""
    agenda: TimerQueue[str] = TimerQueue()
    agenda.put("a", 1.0)
    agenda.drop("a")
    agenda.put("a", 7.0)
    assert agenda.wake_at() == 7.0
    assert agenda.pop(6.9) is None


def test_all_keys_in_order_of_their_last_put() -> None:
    """`all` lists each key once."""
    agenda: TimerQueue[str] = TimerQueue()
    for key in "abca":
        agenda.put(key, 1.0)
    assert agenda.all() == ["b", "c", "a"]


def test_keys_need_no_order_of_their_own() -> None:
    """Keys that cannot be compared are no trouble at equal moments."""
    agenda: TimerQueue[object] = TimerQueue()
    first, second = object(), object()
    agenda.put(first, 1.0)
    agenda.put(second, 1.0)
    assert (agenda.pop(1.0), agenda.pop(1.0)) == (first, second)


def test_its_size_follows_the_number_of_keys() -> None:
    """A few keys that move ten thousand times leave no ten thousand entries behind, and keep their order."""
    agenda: TimerQueue[int] = TimerQueue()
    for i in range(10_000):
        agenda.put(i % 5, float(10_000 - i))
    assert len(agenda._heap) <= 2 * 5 + 64
    assert [agenda.pop(1e9) for _ in range(6)] == [4, 3, 2, 1, 0, None]


class AgendaMachine(RuleBasedStateMachine):
    """An agenda and the plain dictionary that it must agree with."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda: TimerQueue[str] = TimerQueue()
        self.model: dict[str, float] = {}  # in order of the last put

    @rule(key=keys, when=moments)
    def put(self, key: str, when: float) -> None:
        self.agenda.put(key, when)
        self.model.pop(key, None)
        self.model[key] = when
        assert len(self.agenda._heap) <= 2 * len(self.agenda) + 64

    @rule(start=st.lists(moments, min_size=1, max_size=5), key=keys)
    def move_often(self, start: list[float], key: str) -> None:
        for i in range(80):
            self.put(key, start[i % len(start)] + i % 7)

    @rule(key=keys)
    def drop(self, key: str) -> None:
        self.agenda.drop(key)
        self.model.pop(key, None)

    @rule(now=moments)
    def pop(self, now: float) -> None:
        first = min(self.model, key=lambda key: self.model[key], default=None)  # the first of equals
        expected = first if first is not None and self.model[first] <= now else None
        assert self.agenda.pop(now) == expected
        self.model.pop(expected or "", None)

    @precondition(lambda self: self.model)
    @rule()
    def follow_wake(self) -> None:
        wake = self.agenda.wake_at()
        assert wake is not None
        self.pop(wake)

    @invariant()
    def agrees(self) -> None:
        assert self.agenda.wake_at() == min(self.model.values(), default=None)
        assert self.agenda.all() == list(self.model)
        assert len(self.agenda) == len(self.model)
        assert all((key in self.agenda) is (key in self.model) for key in "abcdefgh")

    def teardown(self) -> None:
        for _ in range(len(self.model)):
            self.follow_wake()
        assert self.agenda.pop(1e9) is None


TestAgenda = pytest.mark.no_cover(AgendaMachine.TestCase)
TestAgenda.settings = settings(
    deadline=None, derandomize=True, max_examples=60, stateful_step_count=40, report_multiple_bugs=False
)


def test_a_moment_can_be_looked_up() -> None:
    """The latest that was put; none for what is not here."""
    agenda: TimerQueue[str] = TimerQueue()
    agenda.put("a", 2.0)
    agenda.put("a", 5.0)
    assert (agenda.moment("a"), agenda.moment("b")) == (5.0, None)
