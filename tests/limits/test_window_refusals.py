"""What a window makes of refusals: for capacity, for speed, and of an overloaded vendor."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.windows import accept, quick, recover, refuse, sent_together, window_of

from aiogen._limits.window import Window
from aiogen.errors import Throttle

# --- refused for capacity


def test_at_capacity_the_next_create_waits_for_an_end() -> None:
    """After a concurrency refusal no create is sent until one of our own jobs has ended, then at once."""
    window = window_of(active=10)
    accept(window, 0.0, times=3)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    assert window.create_at(10_000.0, 1) == math.inf
    window.ended(1)
    assert window.create_at(2.0, 1) == 2.0


def test_a_refusal_for_capacity_is_no_speeding() -> None:
    """A concurrency refusal slows neither reads nor, once there is room, creates."""
    window = window_of(active=10)
    accept(window, 0.0, times=3)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(3)
    assert (window.request_at(1.0), sent_together(window, 1.0)) == (1.0, 3)


def test_capacity_is_learned_from_what_ran() -> None:
    """As many jobs as ran when the vendor refused are sent from then on."""
    window = window_of(active=10)
    accept(window, 0.0, times=3)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    assert sent_together(window, 2.0) == 1
    assert window.figures(2.0)["max_active"] == 3


def test_learned_capacity_is_probed() -> None:
    """Two minutes after the refusal one more place is tried, and again two minutes later, if nobody refuses."""
    window = window_of(active=10)
    accept(window, 0.0, times=3)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    accept(window, 2.0)
    assert window.create_at(3.0, 1) == 121.0
    assert sent_together(window, 121.0) == 1
    assert window.create_at(122.0, 1) == 241.0
    assert sent_together(window, 241.0) == 1


def test_a_heavy_create_is_let_in_by_several_probes() -> None:
    """While it waits, one more place is counted every two minutes, until it fits beside what runs."""
    window = window_of(active=4)
    accept(window, 0.0)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    accept(window, 1.0)
    moments = [now := 1.0]
    while now < window.create_at(now, 3):
        now = window.create_at(now, 3)
        window.advance(now)
        moments.append(now)
    assert moments == [1.0, 121.0, 241.0, 361.0]


def test_a_probe_that_is_due_counts_before_anybody_says_so() -> None:
    """One more place is there, and no second one before its own time, whether the account was advanced or not."""
    window = window_of(active=4)
    accept(window, 0.0)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    accept(window, 1.0)
    for _ in range(2):
        assert [window.create_at(500.0, weight) for weight in (1, 2)] == [500.0, 620.0]
        window.advance(500.0)


def test_who_has_nothing_to_send_is_given_no_more_places() -> None:
    """Only while a create waits does time count: after an hour without one there is one more place, not thirty."""
    window = window_of(active=100)
    accept(window, 0.0, times=3)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    window.advance(3_600.0)
    assert sent_together(window, 3_600.0) == 2


def test_an_account_that_waits_for_an_end_is_not_probed() -> None:
    """However late it is: the vendor has just said that it is full."""
    window = window_of(active=10)
    accept(window, 0.0, times=3)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.advance(1_000.0)
    assert window.figures(1_000.0)["max_active"] == 3


def test_each_failed_probe_waits_twice_as_long() -> None:
    """A probe that is refused doubles the time to the next one, up to an hour."""
    window = window_of(active=10)
    accept(window, 0.0, times=2)
    now, waits = 0.0, []
    for _ in range(7):
        refuse(window, now, now, Throttle.CONCURRENCY, 60.0)
        window.ended(1)
        accept(window, now)
        waits.append(window.create_at(now, 1) - now)
        now += waits[-1]
        assert window.create_at(now, 1) == now
    assert waits == [120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]


def test_one_batch_of_refusals_is_one_refusal() -> None:
    """However many creates in flight meet the full account together, the first probe comes after two minutes."""
    window = window_of(active=10)
    for _ in range(10):
        window.create_sent(0.0, 1)
    for _ in range(3):
        window.create_accepted(1.0, 1)
    for _ in range(7):
        window.create_refused(1.0, 1, counted=False)
        window.throttled(1.0, Throttle.CONCURRENCY, 60.0, sent_at=0.0)
    window.ended(1)
    assert sent_together(window, 1.0) == 1
    assert window.create_at(1.0, 1) == 121.0


def test_probing_ends_at_what_was_configured() -> None:
    """Once every place was given back, no later moment allows more than the places there are."""
    window = window_of(active=2)
    accept(window, 0.0)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    accept(window, 2.0)
    assert sent_together(window, 121.0) == 1
    assert [now for now in range(121, 5_000) if window.create_at(now, 1) <= now] == []


def test_probing_ends_when_everything_ran() -> None:
    """If as much ran as was configured there is nothing left to try, now or later."""
    window = window_of(active=2)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    accept(window, 61.0, weight=2)
    assert window.figures(61.0)["max_active"] == 2
    assert [now for now in range(61, 5_000) if window.create_at(now, 1) <= now] == []


def test_what_runs_fits() -> None:
    """If more run than was thought to fit, then as many fit, but never more than configured."""
    window = window_of(active=4)
    accept(window, 0.0)
    for _ in range(2):
        window.create_sent(0.0, 1)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    for _ in range(2):
        window.create_accepted(2.0, 1)
    window.follow(9)
    accept(window, 2.0)
    assert window.figures(2.0)["max_active"] == 4


@pytest.mark.parametrize(("retry_after", "when"), [(60.0, 61.0), (None, 6.0)])
def test_with_nothing_of_ours_running_time_has_to_help(retry_after: float | None, when: float) -> None:
    """If others fill the account, no end of ours will come: one create is tried after the pause."""
    window = window_of(active=10)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, retry_after)
    assert window.create_at(1.0, 1) == when
    window.create_sent(when, 1)
    assert window.create_at(when, 1) > when  # one at a time


def test_time_does_not_lift_another_hold() -> None:
    """A create that waits for capacity still keeps to a pause that the whole account was given."""
    window = window_of()
    refuse(window, 0.0, 1.0, Throttle.ACCOUNT, 100.0)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 1.0)
    assert window.create_at(2.0, 1) == 101.0


def test_time_does_not_empty_the_window() -> None:
    """A create that waits for capacity still keeps to the sliding window."""
    window = window_of(creates=2)
    accept(window, 0.0)
    window.ended(1)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 1.0)
    assert window.create_at(2.0, 2) == 60.0


def test_capacity_may_go_down_to_one() -> None:
    """Refused with one running, one job at a time is still tried."""
    window = window_of(active=10)
    accept(window, 0.0)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    window.ended(1)
    accept(window, 61.0)
    assert (window.figures(61.0)["max_active"], window.create_at(62.0, 1)) == (1, 121.0)


def test_what_others_fill_is_not_held_against_the_account() -> None:
    """Refused with nothing running, the next is tried alone, and each that is accepted makes room for one more."""
    window = window_of(active=4)
    refuse(window, 0.0, 1.0, Throttle.CONCURRENCY, 60.0)
    assert sent_together(window, 60.9) == 0
    for running in range(1, 5):
        assert window.create_at(61.0, 1) == 61.0
        accept(window, 61.0)
        assert window.figures(61.0)["active"] == running
    assert window.create_at(61.0, 1) == math.inf


# --- refused for speed


@pytest.mark.parametrize(
    ("throttle", "read", "create_at", "request_at"),
    [
        (Throttle.CREATES, False, 13.0, 1.0),
        (Throttle.ACCOUNT, False, 13.0, 13.0),
        (Throttle.CREATES, True, 13.0, 13.0),
        (Throttle.ACCOUNT, True, 13.0, 13.0),
        (Throttle.CONCURRENCY, True, 13.0, 13.0),
    ],
)
def test_who_waits_after_a_refusal(throttle: Throttle, read: bool, create_at: float, request_at: float) -> None:
    """Too many creates hold creates alone; too many requests, or a refused read, hold everything."""
    window = window_of()
    window.throttled(1.0, throttle, 12.0, sent_at=0.5, read=read)
    assert (window.create_at(1.0, 1), window.request_at(1.0)) == (create_at, request_at)


@pytest.mark.parametrize("throttle", [Throttle.CREATES, Throttle.ACCOUNT])
def test_a_shorter_wait_does_not_shorten_a_longer_one(throttle: Throttle) -> None:
    """Of several `Retry-After` the latest moment counts."""
    window = window_of()
    for retry_after in (5.0, 30.0, 1.0):
        window.throttled(0.0, throttle, retry_after, sent_at=0.0)
    assert window.create_at(0.0, 1) == 30.0


def test_a_refusal_halves_the_rate() -> None:
    """After a refusal creates keep a distance: at half of thirty a minute, four seconds."""
    window = window_of(creates=30)
    refuse(window, 0.0, 1.0, Throttle.CREATES, 9.0)
    assert window.create_at(1.0, 1) == 10.0
    window.create_sent(10.0, 1)
    assert window.create_at(10.0, 1) == 14.0


def test_a_distance_is_kept_beside_the_window() -> None:
    """After a refusal the next create waits for room in the window and for its distance, whichever is later."""
    window = window_of(creates=4)
    accept(window, 0.0, times=4)
    refuse(window, 0.0, 1.0, Throttle.CREATES, 1.0)
    assert window.create_at(2.0, 1) == 60.0  # room comes later than the thirty seconds of distance
    accept(window, 60.0)
    assert window.create_at(60.0, 1) == 90.0  # the distance comes later than the room, which is there at once


def test_a_distance_is_kept_in_a_full_window() -> None:
    """If the window has room before the distance is over, the distance decides."""
    window = window_of(creates=2)
    accept(window, 0.0)
    accept(window, 50.0)
    refuse(window, 55.0, 55.0, Throttle.CREATES, 0.0)
    assert window.create_at(56.0, 1) == 110.0  # what was spent at two a minute counts; there is room at 60


def test_a_burst_before_a_refusal_is_not_held_against_it() -> None:
    """Thirty creates at once are allowed; a refusal of one does not make the next wait for the time of all."""
    window = window_of(creates=60)
    accept(window, 0.0, times=30)
    refuse(window, 0.0, 1.0, Throttle.CREATES, 1.0)
    assert window.create_at(1.0, 1) == 3.0


def test_one_cut_for_all_that_was_in_flight() -> None:
    """Refusals of what was sent before the cut cut nothing more; a later one does."""
    window = window_of(requests=600)
    for answered_at in (1.0, 1.1, 1.2):
        window.throttled(answered_at, Throttle.ACCOUNT, 1.0, sent_at=0.0)
    assert window.figures(2.0)["requests_per_minute"] == 288.0
    window.throttled(4.0, Throttle.ACCOUNT, 1.0, sent_at=3.0)
    assert window.figures(5.0)["requests_per_minute"] == 144.0


def test_the_rate_is_never_cut_to_nothing() -> None:
    """However often it is refused, an account keeps a thirty-second of its rate."""
    window = window_of(creates=32, requests=3_200)
    for now in range(100):
        window.throttled(float(now), Throttle.ACCOUNT, 0.0, sent_at=float(now))
    assert window.figures(0.0)["requests_per_minute"] == 96.0
    window.create_sent(200.0, 1)
    assert window.create_at(200.0, 1) == 260.0


def test_too_many_creates_leave_reads_alone() -> None:
    """A limit on creates does not slow down reads."""
    window = window_of(requests=600)
    window.throttled(1.0, Throttle.CREATES, 12.0, sent_at=0.5)
    assert window.figures(1.0)["requests_per_minute"] == 576.0


def test_each_success_gives_one_step_back() -> None:
    """Accepted creates give the rate back one by one, until the account may burst again."""
    window = window_of(creates=30)
    refuse(window, 0.0, 1.0, Throttle.CREATES, 9.0)
    distances = []
    now = 10.0
    for _ in range(3):
        accept(window, now)
        distances.append(window.create_at(now, 1) - now)
        now += distances[-1]
    assert distances == pytest.approx([4.0, 60.0 / 16.0, 60.0 / 17.0])
    assert sent_together(window, recover(window, now)) == 30


def test_reads_give_the_rate_of_requests_back() -> None:
    """A hundred answers after a cut, requests flow as before, a little below the limit, and never faster."""
    window = window_of(requests=600)
    window.throttled(1.0, Throttle.ACCOUNT, 1.0, sent_at=0.0)
    rates = []
    for _ in range(120):
        window.request_served()
        rates.append(window.figures(1.0)["requests_per_minute"])
    assert (rates[0], rates[98], rates[99], rates[-1]) == (290.9, 573.1, 576.0, 576.0)


def test_without_retry_after_the_pause_doubles() -> None:
    """A vendor that does not say how long is given five seconds, then twice as many, up to two minutes."""
    window, now, pauses = window_of(), 0.0, []
    for _ in range(7):
        window.throttled(now, Throttle.ACCOUNT, None, sent_at=now)
        pauses.append(window.request_at(now) - now)
        now += pauses[-1]
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 120.0]


def test_a_success_ends_the_doubling() -> None:
    """After an accepted create the next pause is the first again."""
    window = window_of()
    for now in (0.0, 100.0):
        window.throttled(now, Throttle.CREATES, None, sent_at=now)
    accept(window, 200.0)
    window.throttled(300.0, Throttle.CREATES, None, sent_at=300.0)
    assert window.create_at(300.0, 1) == 305.0


def test_an_answered_read_ends_the_doubling() -> None:
    """Refusals with answers between them are not in a row: a session that only reads does not slow down for ever."""
    window = window_of()
    for now in (0.0, 1_000.0, 2_000.0):
        window.throttled(now, Throttle.ACCOUNT, None, sent_at=now, read=True)
        assert window.request_at(now) == now + 5.0
        window.request_served()


def test_a_late_refusal_of_an_old_batch_pauses_as_long() -> None:
    """A refusal that comes late, after others were served, pauses no shorter than the first did."""
    window = window_of()
    window.throttled(1.0, Throttle.ACCOUNT, None, sent_at=0.0, read=True)
    window.request_served()
    window.throttled(30.0, Throttle.ACCOUNT, None, sent_at=0.0, read=True)
    assert window.request_at(30.0) == 35.0


def test_refused_together_is_paused_once() -> None:
    """Reads in flight that meet the same limit together make one pause, not one twice as long for each."""
    window = window_of()
    for _ in range(5):
        window.throttled(1.0, Throttle.ACCOUNT, None, sent_at=0.0, read=True)
    assert window.request_at(1.0) == 6.0


@given(retry_after=st.floats(0.0, 600.0), chance=st.floats(0.0, 1.0), throttle=st.sampled_from(["creates", "account"]))
@quick
def test_chance_only_adds(retry_after: float, chance: float, throttle: str) -> None:
    """What waits for one moment is spread over a tenth of the wait, at most a second, and never before it."""
    window = Window(
        creates_per_minute=30,
        max_active=10,
        requests_per_minute=600,
        draw=lambda low, high: low + chance * (high - low),
    )
    window.throttled(0.0, Throttle(throttle), retry_after, sent_at=0.0)
    assert retry_after <= window.create_at(0.0, 1) <= retry_after + min(1.0, 0.1 * retry_after)


# --- overloaded


@pytest.mark.parametrize("retry_after", [None, 20.0])
def test_an_overloaded_vendor_is_asked_half_as_often(retry_after: float | None) -> None:
    """A 503 halves the rate of requests, and holds everything for as long as it says."""
    window = window_of(requests=600)
    window.slowed(1.0, retry_after, sent_at=0.5)
    at = 1.0 + (retry_after or 0.0)
    assert (window.request_at(1.0), window.create_at(1.0, 1)) == (at, at)
    assert window.figures(1.0)["requests_per_minute"] == 288.0
    assert window.creates_per_minute == 30  # it said nothing about these


def test_overloaded_together_is_slowed_once() -> None:
    """Several 503s for what was in flight together are one, also beside a 429; the longest wait counts."""
    window = window_of(requests=600)
    window.slowed(1.0, 30.0, sent_at=0.0)
    window.slowed(1.1, 5.0, sent_at=0.9)
    window.throttled(1.2, Throttle.ACCOUNT, 1.0, sent_at=0.5, read=True)
    assert (window.request_at(1.2), window.figures(1.2)["requests_per_minute"]) == (31.0, 288.0)
    window.slowed(40.0, None, sent_at=39.0)
    assert window.figures(40.0)["requests_per_minute"] == 144.0


def test_an_unreachable_provider_gets_no_creates() -> None:
    """While the provider cannot be reached creates wait, and a shorter pause shortens nothing."""
    window = window_of()
    window.unreachable(0.0, 8.0)
    window.unreachable(1.0, 2.0)
    assert window.create_at(1.0, 1) == 8.0
