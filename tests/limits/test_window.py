"""`aiogen._limits.window`: what one account allows."""

from __future__ import annotations

import math
import random
from heapq import heappop, heappush
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.windows import accept, quick, recover, refuse, sent_together, window_of

from aiogen._limits.rate import Rate
from aiogen._limits.window import Window
from aiogen.errors import Throttle

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
