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
    timers: TimerQueue[str] = TimerQueue()
    timers.put("late", 3.0)
    timers.put("early", 1.0)
    assert timers.wake_at() == 1.0
    assert [timers.pop(0.9), timers.pop(1.0), timers.pop(2.9), timers.pop(3.0), timers.pop(9.0)] == [
        None, "early", None, "late", None,
    ]  # fmt: skip


def test_equal_moments_come_in_the_order_they_were_put() -> None:
    """First come, first served; putting a key again puts it behind the others."""
    timers: TimerQueue[str] = TimerQueue()
    for key in "abca":
        timers.put(key, 1.0)
    assert [timers.pop(1.0) for _ in range(3)] == ["b", "c", "a"]


def test_a_key_has_one_moment() -> None:
    """The last moment that was put counts, be it earlier or later, and the key comes out once."""
    timers: TimerQueue[str] = TimerQueue()
    timers.put("a", 5.0)
    timers.put("a", 1.0)
    timers.put("b", 1.0)
    timers.put("b", 5.0)
    assert len(timers) == 2
    assert [timers.pop(4.0), timers.pop(4.0), timers.pop(5.0), timers.pop(9.0)] == ["a", None, "b", None]


def test_a_dropped_key_is_gone() -> None:
    """A dropped key neither wakes nor comes out, and dropping one that is not there changes nothing."""
    timers: TimerQueue[str] = TimerQueue()
    timers.put("a", 1.0)
    timers.drop("a")
    timers.drop("never there")
    assert ("a" in timers, len(timers), timers.wake_at(), timers.pop(9.0)) == (False, 0, None, None)


def test_a_dropped_key_may_come_back() -> None:
    """What was left behind by a dropped key does not speak for it once it is put again."""
    timers: TimerQueue[str] = TimerQueue()
    timers.put("a", 1.0)
    timers.drop("a")
    timers.put("a", 7.0)
    assert timers.wake_at() == 7.0
    assert timers.pop(6.9) is None


def test_all_keys_in_order_of_their_last_put() -> None:
    """`all` lists each key once."""
    timers: TimerQueue[str] = TimerQueue()
    for key in "abca":
        timers.put(key, 1.0)
    assert timers.all() == ["b", "c", "a"]


def test_keys_need_no_order_of_their_own() -> None:
    """Keys that cannot be compared are no trouble at equal moments."""
    timers: TimerQueue[object] = TimerQueue()
    first, second = object(), object()
    timers.put(first, 1.0)
    timers.put(second, 1.0)
    assert (timers.pop(1.0), timers.pop(1.0)) == (first, second)


def test_its_size_follows_the_number_of_keys() -> None:
    """A few keys that move ten thousand times leave no ten thousand entries behind, and keep their order."""
    timers: TimerQueue[int] = TimerQueue()
    for i in range(10_000):
        timers.put(i % 5, float(10_000 - i))
    assert len(timers._heap) <= 2 * 5 + 64
    assert [timers.pop(1e9) for _ in range(6)] == [4, 3, 2, 1, 0, None]


class AgendaMachine(RuleBasedStateMachine):
    """A timer queue and the plain dictionary that it must agree with."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: TimerQueue[str] = TimerQueue()
        self.model: dict[str, float] = {}  # in order of the last put

    @rule(key=keys, when=moments)
    def put(self, key: str, when: float) -> None:
        self.timers.put(key, when)
        self.model.pop(key, None)
        self.model[key] = when
        assert len(self.timers._heap) <= 2 * len(self.timers) + 64

    @rule(start=st.lists(moments, min_size=1, max_size=5), key=keys)
    def move_often(self, start: list[float], key: str) -> None:
        for i in range(80):
            self.put(key, start[i % len(start)] + i % 7)

    @rule(key=keys)
    def drop(self, key: str) -> None:
        self.timers.drop(key)
        self.model.pop(key, None)

    @rule(now=moments)
    def pop(self, now: float) -> None:
        first = min(self.model, key=lambda key: self.model[key], default=None)  # the first of equals
        expected = first if first is not None and self.model[first] <= now else None
        assert self.timers.pop(now) == expected
        self.model.pop(expected or "", None)

    @precondition(lambda self: self.model)
    @rule()
    def follow_wake(self) -> None:
        wake = self.timers.wake_at()
        assert wake is not None
        self.pop(wake)

    @invariant()
    def agrees(self) -> None:
        assert self.timers.wake_at() == min(self.model.values(), default=None)
        assert self.timers.all() == list(self.model)
        assert len(self.timers) == len(self.model)
        assert all((key in self.timers) is (key in self.model) for key in "abcdefgh")

    def teardown(self) -> None:
        for _ in range(len(self.model)):
            self.follow_wake()
        assert self.timers.pop(1e9) is None


TestAgenda = pytest.mark.no_cover(AgendaMachine.TestCase)
TestAgenda.settings = settings(
    deadline=None, derandomize=True, max_examples=60, stateful_step_count=40, report_multiple_bugs=False
)


def test_a_moment_can_be_looked_up() -> None:
    """The latest that was put; none for what is not here."""
    timers: TimerQueue[str] = TimerQueue()
    timers.put("a", 2.0)
    timers.put("a", 5.0)
    assert (timers.moment("a"), timers.moment("b")) == (5.0, None)


def test_a_heap_is_made_again_in_parts() -> None:
    """However many keys were dropped, no single change looks at more than some of them, and nothing is lost."""
    timers: TimerQueue[int] = TimerQueue()
    looks = 0

    def looked(entry: tuple[float, int, int]) -> bool:
        nonlocal looks
        looks += 1
        return is_current(entry)

    for i in range(10_000):
        timers.put(i, float(i))
    is_current, timers._is_current = timers._is_current, looked  # type: ignore[method-assign]
    most = 0
    for i in range(9_999, 100, -1):
        looks = 0
        timers.drop(i)
        most = max(most, looks)
    assert most <= 50
    assert len(timers._heap) + len(timers._left) < 500
    assert [timers.pop(1e9) for _ in range(102)] == [*range(101), None]
