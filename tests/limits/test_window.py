"""`aiogen._limits.window`: what one account allows."""

from __future__ import annotations

import math
import random
import sys
from copy import deepcopy
from heapq import heappop, heappush
from itertools import count

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiogen._limits.rate import Rate
from aiogen._limits.window import Window
from aiogen.errors import Throttle

quick = settings(deadline=None, derandomize=True, max_examples=100)


def window_of(creates: int = 30, active: int = 1_000, requests: float = math.inf) -> Window:
    """Unless a number of requests is given, their limit is not felt."""
    return Window(creates_per_minute=creates, max_active=active, requests_per_minute=requests)


def accept(window: Window, now: float, times: int = 1, weight: int = 1) -> None:
    """`times` creates are sent and answered at this moment."""
    for _ in range(times):
        window.create_sent(now, weight)
        window.create_accepted(now, weight)


def refuse(window: Window, sent_at: float, now: float, throttle: Throttle, retry_after: float | None = None) -> None:
    """A create meets a 429."""
    window.create_sent(sent_at, 1)
    window.create_refused(now, 1, counted=False)
    window.throttled(now, throttle, retry_after, sent_at=sent_at)


def recover(window: Window, now: float) -> float:
    """Create one after the other, each ending at once, until the account is at its full rate; when that is."""
    for _ in range(200):
        now = window.create_at(now, 1)
        accept(window, now)
        window.ended(1)
    return now + 60.0


def sent_together(window: Window, now: float, most: int = 10_000) -> int:
    """How many creates may be sent at one moment, when each is accepted at once."""
    sent = 0
    while sent < most and window.create_at(now, 1) <= now:
        window.advance(now)
        accept(window, now)
        sent += 1
    return sent


# --- creates per sliding period


def test_a_burst_is_what_the_vendor_allows() -> None:
    """An account at rest sends its whole minute at once, and then waits until the first has left the window."""
    window = window_of(creates=30)
    assert sent_together(window, 100.0) == 30
    assert window.create_at(100.0, 1) == 160.0
    assert sent_together(window, 159.99) == 0
    assert sent_together(window, 160.0) == 30


@pytest.mark.parametrize("used", [0, 7, 30])
def test_the_turn_of_those_that_wait_is_foretold(used: int) -> None:
    """A full window opens when its creates leave it, not little by little."""
    window = window_of(30)
    accept(window, 0.0, used)
    foretold = [window.turn_at(10.0, ahead) for ahead in range(70)]
    now = 10.0
    for moment in foretold:
        now = max(now, window.create_at(now, 1))
        assert moment == pytest.approx(now)
        accept(window, now)


@pytest.mark.parametrize("seed", range(20))
def test_a_turn_is_when_as_many_units_as_go_before_have_left(seed: int) -> None:
    """Whatever creates weigh, and however many are on their way; those leave a period after now, if not later."""
    chance = random.Random(seed)
    limit = chance.randint(1, 20)
    window, leaving = window_of(limit), list[float]()
    for at in sorted(chance.uniform(0.0, 70.0) for _ in range(chance.randint(0, 12))):
        weight = chance.randint(1, 4)
        window.create_sent(at, weight)
        window.create_accepted(at, weight)
        leaving += [at + 60.0] * weight
    for _ in range(chance.randint(0, 3)):
        window.create_sent(70.0, 2)
        leaving += [130.0] * 2
    for ahead in range(60):
        place, free = ahead % limit, limit - len(leaving)
        free_at = 70.0 if place < free else max(70.0, sorted(leaving)[place - free])
        assert window.turn_at(70.0, ahead) == free_at + ahead // limit * 60.0


def test_the_first_that_leaves_makes_room() -> None:
    """Room comes back piece by piece, as each create leaves the window."""
    window = window_of(creates=3)
    for now in (0.0, 10.0, 20.0):
        accept(window, now)
    assert [window.create_at(20.0, weight) for weight in (1, 2, 3)] == [60.0, 70.0, 80.0]


def test_a_create_counts_until_a_period_after_its_answer() -> None:
    """The vendor may have stamped it as late as it answered, so that is when the period begins."""
    window = window_of(creates=1)
    window.create_sent(0.0, 1)
    assert window.create_at(30.0, 1) == math.inf  # only its answer helps
    window.create_accepted(30.0, 1)
    assert window.create_at(60.0, 1) == 90.0


@pytest.mark.parametrize(("counted", "when"), [(True, 62.0), (False, 2.0)])
def test_a_refusal_counts_unless_surely_not(counted: bool, when: float) -> None:
    """A create that was refused keeps its slot, unless the vendor surely did not count it."""
    window = window_of(creates=1)
    window.create_sent(0.0, 1)
    window.create_refused(2.0, 1, counted=counted)
    assert window.create_at(2.0, 1) == when


def test_a_lost_create_counts_as_sent_and_as_active() -> None:
    """A create without an answer keeps its slot in the window, and its place until somebody gives it up."""
    window = window_of(creates=2, active=1)
    window.create_sent(0.0, 1)
    window.create_lost(5.0, 1)
    assert (window.active, window.create_at(5.0, 1)) == (1, math.inf)
    window.ended(1)
    assert (window.create_at(5.0, 1), window.create_at(5.0, 2)) == (5.0, 65.0)


def test_heavier_than_the_window_goes_alone() -> None:
    """A create that weighs more than the whole window gets through when nothing else is in it, and fills it."""
    window = window_of(creates=2)
    accept(window, 0.0)
    assert window.create_at(0.0, 5) == 60.0
    accept(window, 60.0, weight=5)
    assert window.create_at(60.0, 1) == 120.0


@pytest.mark.parametrize("reported", [5, 29])
def test_a_lower_limit_is_learned(reported: int) -> None:
    """The vendor's own figure, when it is lower than what was configured, is kept to."""
    window = window_of(creates=30)
    window.learn_limit(reported, ceiling=30)
    assert sent_together(window, 0.0) == reported
    assert window.figures(0.0)["creates_per_minute"] == reported


@pytest.mark.parametrize("reported", [0, -1, 30, 1_000])
def test_no_other_limit_is_learned(reported: int) -> None:
    """The user's figure is a ceiling, and nonsense is not learned."""
    window = window_of(creates=30)
    window.learn_limit(reported, ceiling=30)
    assert sent_together(window, 0.0) == 30


@pytest.mark.parametrize(("ceiling", "limit"), [(math.inf, 100), (50, 50)])
def test_a_higher_limit_is_learned_where_the_user_set_none(ceiling: float, limit: int) -> None:
    """An account that is allowed more than our default uses it, as far as the user lets it."""
    window = window_of(creates=30)
    accept(window, 0.0, times=30)
    window.learn_limit(100, ceiling=ceiling)
    assert (window.creates_per_minute, window.creates_left(0.0)) == (limit, limit - 30)
    assert sent_together(window, 0.0) == limit - 30


def test_a_higher_limit_does_not_end_a_slowdown() -> None:
    """An account that was refused keeps its distance, and goes on growing, now to the new limit."""
    window = window_of(creates=30)
    refuse(window, 0.0, 1.0, Throttle.CREATES, 9.0)
    window.learn_limit(60, ceiling=math.inf)
    assert window.creates_per_minute == 15.0
    window.create_sent(10.0, 1)
    assert window.create_at(10.0, 1) == 14.0
    window.create_accepted(10.0, 1)
    assert sent_together(window, recover(window, 14.0)) == 60


def test_after_learning_a_limit_a_burst_is_still_allowed() -> None:
    """A lower limit is not a refusal: creates need not keep a distance because of it."""
    window = window_of(creates=30)
    window.learn_limit(10, ceiling=30)
    assert sent_together(window, 0.0) == 10
    assert window.create_at(60.0, 10) == 60.0


@pytest.mark.parametrize("accepted", [0, 10])
def test_a_learned_limit_is_what_a_refusal_halves(accepted: int) -> None:
    """After a refusal creates keep the distance of half the learned rate, not of half the configured one."""
    window = window_of(creates=30)
    window.learn_limit(10, ceiling=30)
    accept(window, 0.0, times=accepted)
    refuse(window, 60.0, 61.0, Throttle.CREATES, 9.0)
    window.create_sent(70.0, 1)
    assert window.create_at(70.0, 1) == 82.0


def test_what_has_left_the_window_is_forgotten() -> None:
    """An account that sends for days keeps no more than one window of it."""
    window = window_of(creates=30)
    for i in range(1_000):
        window.advance(10.0 * i)
        accept(window, 10.0 * i)
        window.ended(1)
    assert len(window._recent) == 6


# --- active jobs


def test_active_jobs_fill_their_places() -> None:
    """No more jobs run than allowed, those in flight included; only the end of one makes room."""
    window = window_of(active=3)
    accept(window, 0.0, times=2)
    window.create_sent(0.0, 1)
    assert (window.active, window.create_at(1_000.0, 1)) == (3, math.inf)
    window.ended(1)
    assert window.create_at(1_000.0, 1) == 1_000.0


def test_weights_share_the_places() -> None:
    """Three units leave one of four: a light job fits, a heavy one waits."""
    window = window_of(active=4)
    accept(window, 0.0, weight=3)
    assert (window.create_at(0.0, 1), window.create_at(0.0, 2)) == (0.0, math.inf)


def test_heavier_than_all_places_goes_alone() -> None:
    """A job that weighs more than all places gets through when nothing runs, and nothing runs beside it."""
    window = window_of(active=2)
    assert window.create_at(0.0, 3) == 0.0
    accept(window, 0.0, weight=3)
    assert window.create_at(0.0, 1) == math.inf


def test_jobs_of_others_take_places() -> None:
    """A job that another process sent counts as active until it ends."""
    window = window_of(active=2)
    window.follow(2)
    assert window.create_at(0.0, 1) == math.inf
    window.ended(2)
    assert window.create_at(0.0, 1) == 0.0


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


# --- requests of any kind


def test_a_create_is_a_request() -> None:
    """Creates wait for the budget of requests, and spend it."""
    window = window_of(requests=600)
    for _ in range(9):
        window.request_sent(0.0)
    assert (window.create_at(0.0, 1), window.request_at(0.0)) == (0.0, 0.0)
    window.create_sent(0.0, 1)
    assert window.create_at(0.0, 1) == window.request_at(0.0) == pytest.approx(60.0 / 576)


@pytest.mark.parametrize(
    ("per_minute", "burst"), [(60, 10), (600, 10), (1_500, 4), (3_000, 2), (60_000, 2), (600_000, 20)]
)
def test_requests_flow_evenly_after_a_small_burst(per_minute: int, burst: int) -> None:
    """A few requests go at once, fewer the more are allowed, but what two milliseconds allow; the rest evenly."""
    window, now, sent = window_of(requests=per_minute), 0.0, []
    for _ in range(3 * burst):
        now = window.request_at(now)
        window.request_sent(now)
        sent.append(now)
    assert len([moment for moment in sent if moment < 1e-9]) == burst
    assert sent[-1] == pytest.approx(2 * burst * 60.0 / (0.96 * per_minute))


@pytest.mark.parametrize("per_minute", [300, 1_500, 6_000])
def test_a_vendor_that_counts_by_the_minute_never_refuses(per_minute: int) -> None:
    """Whoever sends whatever he may stays below the limit in every sliding minute, the burst included."""
    window, now, sent = window_of(requests=per_minute), 0.0, []
    while now < 120.0:
        now = window.request_at(now)
        window.request_sent(now)
        sent.append(now)
    assert all(later >= first + 60.0 for first, later in zip(sent, sent[per_minute:], strict=False))


@given(
    per_minute=st.floats(1.0, 6_000.0),
    burst=st.floats(1.0, 100.0),
    pauses=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=60),
)
@quick
def test_no_span_holds_more_than_the_rate(per_minute: float, burst: float, pauses: list[float]) -> None:
    """In any span of time no more requests are sent than the burst and what the rate gives for the span."""
    rate, now, sent = Rate(per_minute=per_minute, burst=burst), 0.0, []
    for pause in pauses:
        now = rate.at(now + pause)
        rate.spend(now)
        sent.append(now)
    for i, first in enumerate(sent):
        for j, last in enumerate(sent[i:], 1):
            assert j <= burst + (last - first) * per_minute / 60.0 + 1e-6


def test_a_rate_says_where_it_stands() -> None:
    """A cut halves the present rate, growth is by the step, and the ceiling stays."""
    rate = Rate(per_minute=64.0, burst=1.0)
    rate.cut(0.0)
    assert rate.current == 32.0
    rate.grow(3.0)
    assert rate.current == 35.0
    rate.grow(1_000.0)
    assert rate.current == 64.0
    for _ in range(20):
        rate.cut(0.0)
    assert rate.current == 2.0


# --- what a create weighs


def answers(window: Window, kind: str, *remaining: int, alone: bool = True) -> None:
    for left in remaining:
        window.learn_remaining(left, kind, alone=alone)


def test_a_weight_is_learned_from_what_is_left() -> None:
    """Two creates in a row that cost the same show their weight; until then it is what the provider file says."""
    window = window_of(creates=30)
    answers(window, "edit", 27, 24)
    assert window.weight("edit", 1) == 1
    answers(window, "edit", 21)
    assert (window.weight("edit", 1), window.weight("image", 1)) == (3, 1)


def test_one_drop_alone_shows_nothing() -> None:
    """Others use the account, and slots become free: what does not repeat itself proves nothing."""
    window = window_of(creates=30)
    answers(window, "edit", 29, 26, 24, 21, 19)
    assert window.weight("edit", 1) == 1


def test_a_weight_may_change() -> None:
    """The vendor may change its mind, and so do we, once it has said so twice."""
    window = window_of(creates=30)
    answers(window, "edit", 30, 27, 24, 22)
    assert window.weight("edit", 1) == 3
    answers(window, "edit", 20)
    assert window.weight("edit", 1) == 2


@pytest.mark.parametrize(
    ("remaining", "alone"),
    [((9, 9, 9, 9), True), ((1, 2, 3, 4), True), ((90, 50, 10), True), ((29, 26, 23, 20), False)],
)
def test_a_drop_that_cannot_be_a_weight(remaining: tuple[int, ...], alone: bool) -> None:
    """Nothing, less than nothing, more than the window, or what other creates took a part in."""
    window = window_of(creates=30)
    answers(window, "edit", *remaining, alone=alone)
    assert window.weight("edit", 1) == 1


def test_company_does_not_hide_the_next_drop() -> None:
    """What is left is remembered from every answer, also from one that taught nothing."""
    window = window_of(creates=30)
    answers(window, "edit", 29)
    answers(window, "edit", 20, alone=False)
    answers(window, "edit", 17, 14)
    assert window.weight("edit", 1) == 3


# --- for forecasts and for people


def test_what_could_begin_now() -> None:
    """Places and creates that are left, those in flight not counted as free."""
    window = window_of(creates=30, active=10)
    assert (window.free_places, window.creates_left(0.0), window.creates_per_minute) == (10, 30.0, 30)
    accept(window, 0.0, times=2, weight=3)
    window.create_sent(0.0, 1)
    assert (window.free_places, window.creates_left(0.0)) == (3, 23.0)
    refuse(window, 0.0, 1.0, Throttle.CREATES, 9.0)
    assert (window.creates_per_minute, window.creates_left(1.0)) == (15.0, 23.0)


def test_never_less_than_no_create_is_left() -> None:
    """One that is heavier than the whole window leaves nothing, not less."""
    window = window_of(creates=2)
    accept(window, 0.0, weight=5)
    assert window.creates_left(0.0) == 0.0


def test_a_window_in_a_few_words() -> None:
    """What is used and allowed, and how long it is held, if it is."""
    window = window_of(creates=30, active=10, requests=600)
    accept(window, 0.0, weight=3)
    assert window.summary(0.0) == "3/10 active, 3/30 creates, 576 requests/min"
    window.throttled(1.0, Throttle.ACCOUNT, 12.5, sent_at=0.5)
    assert window.summary(1.0) == "3/10 active, 3/30 creates, 288 requests/min, paused for 12.5 s"


def test_the_figures() -> None:
    """The window says in plain numbers what is used, what is allowed, and how long it is held."""
    window = window_of(creates=30, active=10, requests=600)
    accept(window, 0.0, times=2, weight=3)
    accept(window, 50.0)
    window.ended(3)
    window.create_sent(50.0, 1)
    window.throttled(50.0, Throttle.CREATES, 12.34, sent_at=50.0)
    assert window.figures(50.0) == {
        "creates_used": 8,
        "creates_per_minute": 30,
        "active": 5,
        "max_active": 10,
        "requests_per_minute": 576,
        "held_seconds": 12.3,
    }
    window.throttled(51.0, Throttle.ACCOUNT, 0.0, sent_at=51.0)
    window.request_served()
    for _ in range(3):
        window.throttled(51.0, Throttle.ACCOUNT, 0.0, sent_at=51.0)
    assert window.figures(51.0)["requests_per_minute"] == 36.4
    later = window.figures(65.0)
    assert (later["creates_used"], later["held_seconds"]) == (2, 0.0)


# --- a vendor that counts exactly


@given(
    limit=st.integers(1, 6),
    trips=st.lists(st.tuples(st.integers(1, 3), st.floats(0.0, 40.0), st.floats(0.0, 40.0)), min_size=1, max_size=40),
)
@quick
def test_latency_earns_no_refusal(limit: int, trips: list[tuple[int, float, float]]) -> None:
    """A vendor that stamps each create whenever it arrives never has to refuse one, and all get through."""
    window = window_of(creates=limit)
    number, waiting = count(), list(trips)
    events: list[tuple[float, int, str, tuple[int, float, float]]] = []
    stamps: list[tuple[float, int]] = []
    now = 0.0
    while waiting or events:
        while waiting and (when := window.create_at(now, waiting[0][0])) <= now:
            trip = waiting.pop(0)
            window.create_sent(now, trip[0])
            heappush(events, (now + trip[1], next(number), "arrives", trip))
        if waiting and when < (events[0][0] if events else math.inf):
            now = when
            continue
        now, _, what, trip = heappop(events)
        if what == "arrives":
            held = sum(weight for stamp, weight in stamps if stamp > now - 60.0 + 1e-6)  # floats, not the vendor
            assert held == 0 or held + trip[0] <= limit
            stamps.append((now, trip[0]))
            heappush(events, (now + trip[2], next(number), "answer", trip))
        else:
            window.create_accepted(now, trip[0])
    assert now <= (len(trips) * 3 / limit + 1) * (60.0 + 80.0) + 80.0


# --- any order of events

weights = st.integers(1, 4)
retry_afters = st.sampled_from([None, 0.0, 1.0, 12.0, 60.0, 600.0])
throttles = st.sampled_from(list(Throttle))


@attrs.frozen
class Flight:
    """A create on its way."""

    sent_at: float
    weight: int


class WindowMachine(RuleBasedStateMachine):
    """Sends, answers, refuses, ends and waits in any order, beside a plain account of what the vendor was promised."""

    @initialize(
        limit=st.sampled_from([1, 2, 3, 5, 30]),
        active=st.sampled_from([1, 2, 4, 10]),
        chance=st.sampled_from([0.0, 0.7]),
        is_own=st.booleans(),
    )
    def begin(self, limit: int, active: int, chance: float, is_own: bool) -> None:
        self.limit, self.max_active = limit, active
        self.ceiling = limit if is_own else math.inf  # what the user set, if it was the user
        self.window = Window(
            creates_per_minute=limit,
            max_active=active,
            requests_per_minute=math.inf,
            draw=lambda low, high: low + chance * (high - low),
        )
        self.now = 1_000.0
        self.flying: list[Flight] = []
        self.counted: list[tuple[float, int]] = []  # (answered at, weight)
        self.running: list[int] = []
        self.creates_held_until = self.all_held_until = -math.inf
        self.capacity_retry_at: float | None = None  # while no end of ours has come

    def active(self) -> int:
        return sum(self.running) + sum(flight.weight for flight in self.flying)

    def used(self) -> int:
        """Everything that the vendor may have stamped within the last period."""
        answered = sum(weight for at, weight in self.counted if at + 60.0 > self.now)
        return answered + sum(flight.weight for flight in self.flying)

    @rule(by=st.sampled_from([0.25, 1.0, 5.0, 20.0, 60.0, 120.0, 250.0]))
    def time_passes(self, by: float) -> None:
        self.now += by

    @rule(weight=weights)
    def sleep_until_allowed(self, weight: int) -> None:
        when = self.window.create_at(self.now, weight)
        if when < math.inf:
            self.now = when
            self.create(weight)

    @rule(weight=weights, times=st.integers(1, 4))
    def create_several(self, weight: int, times: int) -> None:
        for _ in range(times):
            self.create(weight)

    def create(self, weight: int) -> None:
        when = self.window.create_at(self.now, weight)
        assert when >= self.now
        for _ in range(2):
            self.window.advance(self.now)
            assert self.window.create_at(self.now, weight) == when
        if when > self.now:
            return
        assert self.used() == 0 or self.used() + weight <= self.limit
        assert self.active() == 0 or self.active() + weight <= self.max_active
        assert self.now >= max(self.creates_held_until, self.all_held_until)
        if self.capacity_retry_at is not None:
            assert self.active() == 0
            assert self.now >= self.capacity_retry_at
            self.capacity_retry_at = None
        self.window.create_sent(self.now, weight)
        self.flying.append(Flight(self.now, weight))

    def land(self, which: int) -> Flight:
        return self.flying.pop(which % len(self.flying))

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 9), how=st.sampled_from(["accepted", "lost", "refused"]))
    def answered(self, which: int, how: str) -> None:
        flight = self.land(which)
        self.counted.append((self.now, flight.weight))
        if how == "refused":
            self.window.create_refused(self.now, flight.weight, counted=True)
        else:
            (self.window.create_accepted if how == "accepted" else self.window.create_lost)(self.now, flight.weight)
            self.running.append(flight.weight)

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 9), throttle=throttles, retry_after=retry_afters, also=st.integers(0, 2))
    def throttled(self, which: int, throttle: Throttle, retry_after: float | None, also: int) -> None:
        for _ in range(min(1 + also, len(self.flying))):
            flight = self.land(which)
            self.window.create_refused(self.now, flight.weight, counted=False)
            self.window.throttled(self.now, throttle, retry_after, sent_at=flight.sent_at)
            until = self.now + (5.0 if retry_after is None else retry_after)
            if throttle is Throttle.CONCURRENCY:
                self.capacity_retry_at = until
            elif throttle is Throttle.CREATES:
                self.creates_held_until = max(self.creates_held_until, until)
            else:
                self.all_held_until = max(self.all_held_until, until)

    @rule(throttle=throttles, retry_after=retry_afters, age=st.sampled_from([0.0, 5.0]))
    def read_throttled(self, throttle: Throttle, retry_after: float | None, age: float) -> None:
        self.window.throttled(self.now, throttle, retry_after, sent_at=self.now - age, read=True)
        self.all_held_until = max(self.all_held_until, self.now + (5.0 if retry_after is None else retry_after))

    @rule()
    def read(self) -> None:
        when = self.window.request_at(self.now)
        assert when >= max(self.now, self.all_held_until)
        if when <= self.now:
            self.window.request_sent(self.now)
            self.window.request_served()

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 9))
    def ended(self, which: int) -> None:
        self.window.ended(self.running.pop(which % len(self.running)))
        self.capacity_retry_at = None

    @rule(weight=weights)
    def follow(self, weight: int) -> None:
        self.window.follow(weight)
        self.running.append(weight)

    @rule(reported=st.sampled_from([-1, 0, 1, 2, 4, 100]))
    def learn_limit(self, reported: int) -> None:
        self.window.learn_limit(reported, ceiling=self.ceiling)
        self.limit = min(self.ceiling, reported) if reported > 0 else self.limit

    @rule(reported=st.integers(0, 30), alone=st.booleans())
    def learn_remaining(self, reported: int, alone: bool) -> None:
        self.window.learn_remaining(reported, "image", alone=alone)
        assert 1 <= self.window.weight("image", 1) <= 30

    @rule(retry_after=retry_afters, age=st.sampled_from([0.0, 5.0]))
    def slowed(self, retry_after: float | None, age: float) -> None:
        self.window.slowed(self.now, retry_after, sent_at=self.now - age)
        self.all_held_until = max(self.all_held_until, self.now + (retry_after or 0.0))

    @rule(pause=st.sampled_from([1.0, 30.0]))
    def unreachable(self, pause: float) -> None:
        self.window.unreachable(self.now, pause)
        self.creates_held_until = max(self.creates_held_until, self.now + pause)

    @invariant()
    def asking_changes_nothing(self) -> None:
        before = deepcopy(vars(self.window))
        for now in (self.now + 1_000.0, self.now):
            for weight in (1, 4):
                self.window.create_at(now, weight)
            self.window.request_at(now)
            self.window.turn_at(now, 2)
            self.window.holds_creates(now)
            self.window.summary(now)
        assert vars(self.window) == before

    @invariant()
    def figures_are_true(self) -> None:
        figures = self.window.figures(self.now)
        assert (figures["creates_used"], figures["creates_per_minute"]) == (self.used(), self.limit)
        assert figures["active"] == self.window.active == self.active()
        assert 1 <= figures["max_active"] <= self.max_active
        assert self.window.creates_left(self.now) == max(0, self.limit - self.used())
        assert self.window.free_places == figures["max_active"] - self.active()
        assert 0.0 < self.window.creates_per_minute <= self.limit
        assert figures["held_seconds"] >= round(max(0.0, self.all_held_until - self.now), 1)

    def teardown(self) -> None:
        """Once everything has ended any create gets through, and in the end the account is as at first."""
        if sys.exc_info()[0] is not None:
            return  # it has already failed
        while self.flying:
            self.answered(0, "accepted")
        while self.running:
            self.ended(0)
        for weight in (1, 4, 50):
            for _ in range(20):
                when = self.window.create_at(self.now, weight)
                assert when < math.inf
                self.now = when
            self.create(weight)
            assert self.flying
            self.answered(0, "accepted")
            self.ended(0)
        self.now = recover(self.window, self.now) + 10.0 * 3_600.0
        for _ in range(self.max_active):
            self.now += 3_600.0
            self.window.advance(self.now)
        assert sent_together(self.window, self.now) == min(self.limit, self.max_active)


TestWindow = pytest.mark.no_cover(WindowMachine.TestCase)
TestWindow.settings = settings(
    deadline=None, derandomize=True, max_examples=100, stateful_step_count=40, report_multiple_bugs=False
)


# --- other processes


def test_a_create_that_was_not_sent_takes_nothing() -> None:
    """Neither of the minute, nor of the places, nor of the requests."""
    window = window_of(creates=1, active=1, requests=600.0)
    before = window.figures(0.0)
    for _ in range(50):
        assert window.create_at(0.0, 1) == 0.0
        window.create_sent(0.0, 1)
        window.create_withheld(1)
    assert window.figures(0.0) == before
    assert window.request_at(0.0) == 0.0


def test_others_that_fill_the_account_are_waited_for() -> None:
    """For so long, or until one of our own ends."""
    window = window_of(active=2)
    accept(window, 0.0)
    window.crowded(0.0, 0.5)
    assert window.create_at(0.1, 1) == 0.5
    window.ended(1)
    assert window.create_at(0.1, 1) == 0.1


def test_what_is_passed_on_to_others() -> None:
    """Until when creates, and when requests of any kind, are held."""
    window = window_of()
    assert window.held_until == (-math.inf, -math.inf)
    refuse(window, 0.0, 0.0, Throttle.ACCOUNT, retry_after=20.0)
    assert window.held_until[1] >= 20.0
    assert window_of(requests=600.0).requests_per_second == pytest.approx(9.6)


def test_what_there_is_in_all_and_when_the_oldest_create_leaves() -> None:
    """By the answer's moment, one period after it; nothing that is answered leaves where there is none."""
    window = window_of(creates=20, active=7)
    assert (window.limit, window.places) == (20, 7)
    assert window.changes_at() == math.inf
    accept(window, 3.0)
    accept(window, 5.0)
    assert window.changes_at() == 63.0
