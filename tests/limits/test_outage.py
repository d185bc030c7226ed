"""`aiogen._limits.outage`: creates that find nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aiogen._limits.outage import Outage


def highest(low: float, high: float) -> float:
    return high


def outage_of() -> Outage:
    """One whose pauses are the longest that chance allows."""
    return Outage(highest)


def pauses(outage: Outage, times: int, now: float = 0.0) -> Iterator[float]:
    """One create after the other finds nobody, each sent when the pause before it is over."""
    for _ in range(times):
        pause = outage.pause(now, sent_at=now)
        yield pause
        now += pause


# --- giving up


def test_an_account_begins_reachable() -> None:
    """Nothing was tried yet."""
    assert not outage_of().is_unreachable


@pytest.mark.parametrize(("now", "gives_up"), [(130.0, False), (159.9, False), (160.0, True), (500.0, True)])
def test_creates_are_given_up_after_the_timeout(now: float, gives_up: bool) -> None:
    """It runs from the first failure, not from when that create was sent."""
    outage = outage_of()
    assert not outage.gives_up(100.0, sent_at=70.0, timeout=60.0)
    assert outage.is_unreachable
    assert outage.gives_up(now, sent_at=now - 1.0, timeout=60.0) is gives_up
    assert outage.is_unreachable is not gives_up


def test_without_a_timeout_nothing_is_tried_again() -> None:
    """A timeout of 0 gives up at once."""
    assert outage_of().gives_up(100.0, sent_at=99.0, timeout=0.0)


def test_an_answer_ends_the_outage() -> None:
    """Two short outages are not one long one."""
    outage = outage_of()
    assert not outage.gives_up(100.0, sent_at=99.0, timeout=60.0)
    outage.reached()
    assert not outage.is_unreachable
    assert not outage.gives_up(170.0, sent_at=169.0, timeout=60.0)
    assert not outage.gives_up(229.9, sent_at=229.0, timeout=60.0)
    assert outage.gives_up(230.0, sent_at=229.0, timeout=60.0)


def test_creates_under_way_together_are_given_up_together() -> None:
    """One that was sent before the others were given up does not begin an outage of its own."""
    outage = outage_of()
    outage.gives_up(100.0, sent_at=99.0, timeout=60.0)
    assert outage.gives_up(160.0, sent_at=159.0, timeout=60.0)
    assert outage.gives_up(161.0, sent_at=159.5, timeout=60.0)
    assert outage.gives_up(162.0, sent_at=160.0, timeout=60.0)
    assert not outage.is_unreachable


def test_what_is_sent_after_giving_up_has_the_whole_timeout() -> None:
    """The next create begins an outage of its own."""
    outage = outage_of()
    outage.gives_up(100.0, sent_at=99.0, timeout=60.0)
    assert outage.gives_up(160.0, sent_at=159.0, timeout=60.0)
    assert not outage.gives_up(171.0, sent_at=170.0, timeout=60.0)
    assert outage.is_unreachable
    assert not outage.gives_up(230.9, sent_at=230.0, timeout=60.0)
    assert outage.gives_up(231.0, sent_at=230.0, timeout=60.0)


# --- pauses


def test_each_failure_pauses_twice_as_long() -> None:
    """From one second to ten."""
    assert list(pauses(outage_of(), 6)) == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_chance_decides_within_the_bounds() -> None:
    """Several processes that met the same outage come back apart."""
    asked = []

    def draw(low: float, high: float) -> float:
        asked.append((low, high))
        return 0.25 * high

    assert list(pauses(Outage(draw), 3)) == [0.25, 0.5, 1.0]
    assert asked == [(0.0, 1.0), (0.0, 2.0), (0.0, 4.0)]


def test_creates_that_failed_together_count_once() -> None:
    """However many were under way, the pause does not grow; one that was sent after the failure lengthens it."""
    outage = outage_of()
    assert [outage.pause(now, sent_at=5.0) for now in (10.0, 10.1, 12.0)] == [1.0, 1.0, 1.0]
    assert outage.pause(14.0, sent_at=10.0) == 2.0
    assert outage.pause(14.5, sent_at=13.9) == 2.0


@pytest.mark.parametrize("by", ["an answer", "giving up"])
def test_the_next_outage_pauses_from_the_start_again(by: str) -> None:
    """Also for a create that was sent before the latest failure."""
    outage = outage_of()
    outage.gives_up(0.0, sent_at=0.0, timeout=60.0)
    assert list(pauses(outage, 4))[-1] == 8.0
    if by == "an answer":
        outage.reached()
    else:
        assert outage.gives_up(60.0, sent_at=59.0, timeout=60.0)
    assert outage.pause(61.0, sent_at=1.0) == 1.0
    assert outage.pause(63.0, sent_at=62.0) == 2.0
