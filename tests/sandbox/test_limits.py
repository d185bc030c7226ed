"""Windows, slots and the waiting queue, with times as plain numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiogen.sandbox.limits import ActiveSlots, SlidingWindow, WaitingQueue


class TestSlidingWindow:
    def test_lets_the_limit_pass_and_no_more(self) -> None:
        window = SlidingWindow(3, 60)
        for second in range(3):
            assert window.fits(second)
            window.take(second)
        assert not window.fits(3)

    def test_frees_one_after_the_other_as_they_grow_old(self) -> None:
        window = SlidingWindow(2, 60)
        window.take(0)
        window.take(10)
        assert not window.fits(59.9)
        assert window.fits(60)
        window.take(60)
        assert not window.fits(69.9)
        assert window.fits(70)

    def test_counts_weight(self) -> None:
        window = SlidingWindow(30, 60)
        window.take(0, 3)
        window.take(1, 3)
        assert window.remaining(1) == 24
        assert not window.fits(1, 25)
        assert window.remaining(60) == 27

    def test_retry_after_is_when_the_oldest_leaves_in_whole_seconds(self) -> None:
        window = SlidingWindow(1, 60)
        window.take(0.5)
        assert window.retry_after(1) == 60
        assert window.retry_after(48.6) == 12
        assert window.retry_after(60.4) == 1

    def test_retry_after_is_at_least_one_also_when_empty(self) -> None:
        assert SlidingWindow(1, 60).retry_after(5) == 1

    @given(at=st.floats(0, 1e7), seconds=st.floats(0.1, 3600))
    def test_a_wait_of_retry_after_is_enough(self, at: float, seconds: float) -> None:
        window = SlidingWindow(1, seconds)
        window.take(at)
        assert window.fits(at + window.retry_after(at))


class TestActiveSlots:
    def test_job_that_ends_makes_room(self) -> None:
        slots = ActiveSlots(2, on_end=True, prune_after=3600)
        slots.take("a", 0, ends_at=10, weight=1)
        slots.take("b", 0, ends_at=20, weight=1)
        assert not slots.fits(9.9, 1)
        assert slots.fits(10, 1)
        assert not slots.fits(10, 2)

    def test_weight_is_held_and_given_back(self) -> None:
        slots = ActiveSlots(10, on_end=True, prune_after=3600)
        for name in "abc":
            slots.take(name, 0, ends_at=10, weight=3)
        assert slots.used(0) == 9
        assert slots.fits(0, 1)
        assert not slots.fits(0, 3)
        assert slots.used(10) == 0

    def test_only_a_poll_frees_when_so_set(self) -> None:
        slots = ActiveSlots(1, on_end=False, prune_after=3600)
        slots.take("a", 0, ends_at=10, weight=1)
        assert not slots.fits(3599, 1)
        slots.saw_end("a")
        assert slots.fits(3599, 1)

    def test_polling_twice_frees_once(self) -> None:
        slots = ActiveSlots(3, on_end=False, prune_after=3600)
        slots.take("a", 0, ends_at=1, weight=1)
        slots.take("b", 0, ends_at=1, weight=2)
        slots.saw_end("a")
        slots.saw_end("a")
        assert slots.used(2) == 2

    def test_forgotten_after_a_while(self) -> None:
        for on_end in (True, False):
            slots = ActiveSlots(1, on_end=on_end, prune_after=3600)
            slots.take("a", 0, ends_at=9999, weight=1)
            assert not slots.fits(3599, 1)
            assert slots.fits(3600, 1)


class TestWaitingLine:
    def test_places_are_taken_at_once(self) -> None:
        line = WaitingQueue(2, 5)
        assert [line.enter(0, 10, not_before=0) for _ in range(2)] == [0, 0]

    def test_others_start_in_order_as_places_become_free(self) -> None:
        line = WaitingQueue(2, 5)
        starts = [line.enter(0, duration, not_before=0) for duration in (10, 4, 3, 5, 1)]
        assert starts == [0, 0, 4, 7, 10]

    def test_may_have_to_wait_longer(self) -> None:
        line = WaitingQueue(1, 5)
        assert line.enter(0, 1, not_before=7) == 7
        assert line.enter(0, 1, not_before=0) == 8

    def test_room_to_wait_is_limited(self) -> None:
        line = WaitingQueue(1, 2)
        for _ in range(3):
            assert line.fits(0)
            line.enter(0, 10, not_before=0)
        assert line.waiting(0) == 2
        assert not line.fits(9.9)
        assert line.fits(10)

    def test_nobody_waits_if_nobody_may(self) -> None:
        line = WaitingQueue(1, 0)
        line.enter(0, 10, not_before=0)
        assert not line.fits(9)
        assert line.fits(10)

    @given(
        places=st.integers(1, 5),
        jobs=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), min_size=1, max_size=40),
    )
    def test_never_more_at_once_than_places(self, places: int, jobs: list[tuple[float, float]]) -> None:
        line, now, spans = WaitingQueue(places, 100), 0.0, []
        for pause, duration in jobs:
            now += pause
            start = line.enter(now, duration, not_before=now)
            assert start >= now
            spans.append((start, start + duration))
        assert [start for start, _ in spans] == sorted(start for start, _ in spans)
        for at, _ in spans:
            assert sum(start <= at < end for start, end in spans) <= places
