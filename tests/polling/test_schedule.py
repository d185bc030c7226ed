"""`aiogen._polling.schedule`: when to ask about which job.

The duration model of these tests never changes; what is expected and learned is in `test_schedule_groups`, any order of
events in `test_schedule_machine`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from aiogen._polling.groups import KNOWN
from aiogen._polling.phases import PhaseModel
from aiogen._polling.schedule import Schedule
from aiogen.models import Typical

PRICE = 0.15
UNI = PhaseModel(Typical(median=30.0, spread=0.45))
DURATIONS = UNI.queued


def track(schedule: Schedule[str], key: str, now: float = 100.0, *, age: float = 0.0, **how: Any) -> None:
    """Follow a job that was accepted `age` seconds ago, and teaches nothing."""
    bounds = {"floor": 1.0, "ceiling": 30.0, "price": PRICE, "learns": False, "phases": UNI}
    schedule.track(key, now, started_at=now - age, **bounds | how)


def schedule_of(*keys: str, **how: Any) -> Schedule[str]:
    """A schedule with jobs that were accepted just now."""
    schedule: Schedule[str] = Schedule()
    for key in keys:
        track(schedule, key, **how)
    return schedule


def wake(schedule: Schedule[str]) -> float:
    """When to look for the next question; there is one."""
    moment = schedule.wake_at()
    assert moment is not None
    return moment


def next_question(schedule: Schedule[str]) -> tuple[float, str]:
    """Sleep until the next question and take it."""
    now = wake(schedule)
    key = schedule.take(now)
    assert key is not None
    return now, key


def asked_at(schedule: Schedule[str], times: int) -> list[float]:
    """When the only job is asked about, if each answer comes at once and says that it runs."""
    moments = []
    for _ in range(times):
        now, key = next_question(schedule)
        schedule.answered(key, now)
        moments.append(now)
    return moments


def next_age(age: float, price: float = PRICE) -> float:
    """The age at which a job is asked about next."""
    return DURATIONS.plan(price).next_age(age)


# --- the rhythm


def test_nothing_to_ask() -> None:
    """An empty schedule never wakes."""
    schedule = schedule_of()
    assert (schedule.wake_at(), schedule.take(1e9), len(schedule)) == (None, None, 0)


def test_a_job_is_asked_about_when_it_may_have_ended() -> None:
    """The first question comes when the duration model says, not at once, and not before its moment."""
    schedule = schedule_of("a")
    due = 100.0 + next_age(0.0)
    assert schedule.wake_at() == pytest.approx(due)
    assert schedule.take(due - 0.01) is None
    assert schedule.take(due + 0.01) == "a"


def test_questions_follow_the_model() -> None:
    """Each question comes where the duration model places it after the one before."""
    moments = asked_at(schedule_of("a", floor=0.01), 6)
    ages = [0.0]
    for _ in moments:
        ages.append(next_age(ages[-1]))
    assert moments == pytest.approx([100.0 + age for age in ages[1:]])


def test_the_earliest_job_comes_first_whatever_its_model() -> None:
    """Jobs of several models are asked about in the order of their moments."""
    schedule: Schedule[str] = Schedule()
    models = {name: PhaseModel(Typical(median=m)) for name, m in (("slow", 120.0), ("quick", 3.0), ("usual", 30.0))}
    for name, phases in models.items():
        track(schedule, name, phases=phases)
    assert schedule.phases("quick") is models["quick"]
    assert [next_question(schedule)[1] for _ in models] == ["quick", "usual", "slow"]


def test_a_job_under_way_is_asked_about_from_where_it_stands() -> None:
    """A job that began before it was tracked is not asked about as if it were new, and never in the past."""
    schedule = schedule_of("a", age=60.0)
    assert schedule.wake_at() == 100.0
    schedule.answered("a", 100.0)
    assert schedule.wake_at() == pytest.approx(40.0 + next_age(60.0))


def test_a_question_in_flight_is_not_asked_again() -> None:
    """A job that is being asked about is not due, however long the answer takes, and nobody can hurry it."""
    schedule = schedule_of("a")
    assert schedule.is_free("a")
    next_question(schedule)
    schedule.ask_now("a", 120.0)
    schedule.lower_price("a", 1.0, 30.0, PRICE, 120.0)
    schedule.known_to_run("a", 121.0)
    assert not schedule.take_also("a")
    assert not schedule.is_free("a")
    assert (schedule.wake_at(), schedule.take(1e9), "a" in schedule, len(schedule)) == (None, None, True, 1)


@pytest.mark.parametrize("floor", [2.0, 5.0, 10.0])
def test_the_floor_keeps_questions_apart(floor: float) -> None:
    """No two questions are closer than the floor, the first included."""
    moments = [100.0, *asked_at(schedule_of("a", floor=floor), 30)]
    assert min(b - a for a, b in pairwise(moments)) >= floor - 1e-9


@pytest.mark.parametrize("ceiling", [2.0, 5.0, 10.0])
def test_the_ceiling_keeps_questions_coming(ceiling: float) -> None:
    """No two questions are further apart than the ceiling, even after a day."""
    moments = [100.0, *asked_at(schedule_of("a", ceiling=ceiling), 30)]
    assert max(b - a for a, b in pairwise(moments)) <= ceiling * 1.000001
    schedule = schedule_of("old", now=200_000.0, age=200_000.0, ceiling=ceiling)
    next_question(schedule)
    schedule.answered("old", 200_000.0)
    assert schedule.wake_at() == 200_000.0 + ceiling


def test_a_slow_answer_counts_from_its_end() -> None:
    """If nobody knows when the question was sent, the floor runs from the answer."""
    schedule = schedule_of("a", floor=3.0)
    now, key = next_question(schedule)
    schedule.answered(key, now + 20.0)
    assert wake(schedule) >= now + 23.0


def test_an_answer_is_about_the_moment_it_was_asked_at() -> None:
    """What came after the sending is not known: plan, floor and ceiling count from there, but never into the past."""
    schedule = schedule_of("a", floor=0.01)
    schedule.take(150.0)
    schedule.answered("a", 151.0, sent_at=150.0)
    assert schedule.wake_at() == pytest.approx(100.0 + next_age(50.0))
    now, _ = next_question(schedule)
    schedule.answered("a", now + 50.0, sent_at=now)
    assert schedule.wake_at() == now + 50.01  # the floor, for an answer that took so long


def test_an_older_answer_says_nothing_new() -> None:
    """A question that was sent before another one's answer was known does not set the job back."""
    schedule = schedule_of("a", floor=0.01)
    schedule.take(110.0)
    schedule.known_to_run("a", 120.0)
    schedule.answered("a", 121.0, sent_at=110.0)
    assert schedule.wake_at() == pytest.approx(max(121.0, 100.0 + next_age(20.0)))


@pytest.mark.parametrize(("delay", "wait"), [(0.0, 2.0), (1.0, 2.0), (2.5, 2.5), (600.0, 600.0)])
def test_a_failed_question_waits_as_asked(delay: float, wait: float) -> None:
    """After a failure the next question waits as asked, beyond the ceiling if need be, never below the floor."""
    schedule = schedule_of("a", floor=2.0)
    now, key = next_question(schedule)
    schedule.failed(key, now, delay)
    assert schedule.wake_at() == now + wait
    assert next_question(schedule) == (now + wait, "a")
    schedule.answered("a", now + wait)
    assert wake(schedule) <= now + wait + 30.0


@pytest.mark.parametrize("how", ["by hint", "by others"])
def test_after_a_good_answer_nothing_is_left_of_a_failure(how: str) -> None:
    """The wait after a failure ends with the next answer, by any reading; another failure begins with its own wait."""
    schedule = schedule_of("a", floor=2.0)
    now, key = next_question(schedule)
    schedule.failed(key, now, 600.0)
    if how == "by hint":
        schedule.ask_now("a", now + 10.0)
        assert schedule.take(now + 10.0) == "a"
        schedule.answered("a", now + 10.0, sent_at=now + 10.0)
    else:
        schedule.known_to_run("a", now + 10.0)
    again = 100.0 + next_age(now + 10.0 - 100.0)
    assert next_question(schedule) == (pytest.approx(max(now + 12.0, again)), "a")
    schedule.failed("a", now + 40.0, 2.5)
    assert schedule.wake_at() == now + 42.5


def test_a_question_that_said_nothing_is_put_back() -> None:
    """After `put_back` the moment is what it was, or now; who is not being asked about cannot be put back."""
    schedule = schedule_of("a")
    due = wake(schedule)
    assert schedule.take_also("a")
    schedule.put_back("a", 101.0)
    assert schedule.wake_at() == due
    next_question(schedule)
    schedule.put_back("a", due + 5.0)
    assert (schedule.wake_at(), schedule.take(due + 4.9)) == (due + 5.0, None)
    schedule.put_back("a", due + 70.0)
    assert schedule.wake_at() == due + 5.0
    assert next_question(schedule) == (due + 5.0, "a")


# --- what others know, and want


def test_a_hint_is_asked_about_at_once() -> None:
    """`ask_now` brings a waiting job to the front, and leaves the others."""
    schedule = schedule_of("a", "b")
    schedule.ask_now("b", 100.25)
    schedule.ask_now("never tracked", 100.25)
    assert next_question(schedule) == (100.25, "b")
    assert len(schedule) == 2
    assert wake(schedule) > 100.25


def test_after_a_hint_the_usual_rhythm_returns() -> None:
    """The question after one that was hurried keeps the floor again, and there is only one."""
    schedule = schedule_of("a", floor=2.0)
    schedule.ask_now("a", 100.25)
    schedule.ask_now("a", 100.5)
    now, key = next_question(schedule)
    assert schedule.take(1e9) is None
    schedule.answered(key, now)
    assert wake(schedule) >= now + 2.0


@pytest.mark.parametrize("known", [False, True])
def test_a_hint_that_was_answered_otherwise_asks_no_more(known: bool) -> None:
    """By any reading, and with whichever job it came: there is one question, at the usual moment."""
    schedule = schedule_of("a")
    schedule.ask_now("a", 120.0)
    if known:
        schedule.known_to_run("a", 120.0)
    else:
        assert schedule.take_also("a")
        assert schedule.take(120.0) is None
        schedule.answered("a", 120.0)
    assert schedule.wake_at() == pytest.approx(100.0 + next_age(20.0))


def test_a_question_by_hint_is_about_this_very_job() -> None:
    """It differs from one that was planned, or goes along with another's, until its answer comes."""
    schedule = schedule_of("a", "b")
    assert not schedule.is_urgent("a")
    for come_back in (schedule.answered, schedule.put_back):
        schedule.ask_now("a", 100.0)
        assert schedule.take(100.0) == "a"
        assert schedule.is_urgent("a")
        come_back("a", 100.0)
        assert not schedule.is_urgent("a")
    schedule.take_also("a")
    assert next_question(schedule)[1] == "b"
    assert not schedule.is_urgent("a")
    assert not schedule.is_urgent("b")


def test_a_hint_and_a_failure_are_one_question() -> None:
    """Somebody else's reading came to nothing before a hint was taken up."""
    schedule = schedule_of("a")
    schedule.ask_now("a", 110.0)
    schedule.failed("a", 110.0, 2.0)
    assert [schedule.take(120.0), schedule.take(120.0)] == ["a", None]


def test_somebody_elses_failure_leaves_the_question_in_flight() -> None:
    """A webhook's reading came to nothing while our own question is on its way: it goes on, alone."""
    schedule = schedule_of("a")
    now, _ = next_question(schedule)
    schedule.postpone("a", now + 0.5, 2.0)
    assert schedule.take(now + 60.0) is None


def test_somebody_elses_failure_puts_a_free_job_off() -> None:
    """A webhook's reading came to nothing: the same would come of asking now."""
    schedule = schedule_of("a")
    schedule.postpone("a", 101.0, 50.0)
    schedule.postpone("nobody", 101.0, 50.0)
    assert schedule.wake_at() == 151.0


def test_a_job_behind_others_that_is_processed_runs() -> None:
    """Whatever was thought of the vendor's queue: its own word counts."""
    schedule = schedule_of("a", held=True)
    schedule.known_to_run("a", 140.0)
    assert schedule.remaining("a", 140.0, (0.5,)) is None
    schedule.turned("a", 142.0)
    schedule.known_to_run("a", 142.0, sent_at=142.0)
    assert schedule.remaining("a", 142.0, (0.5,)) is not None
    assert schedule.wake_at() == pytest.approx(141.0 + next_age(1.0))


@pytest.mark.parametrize("always", [False, True])
def test_a_hint_and_a_beginning_are_one_question(always: bool) -> None:
    """A job behind others is hinted at, and begins before the hint is taken up."""
    schedule = schedule_of("a", held=True)
    if always:
        schedule.begins("a", 105.0, 105.0)
    schedule.ask_now("a", 110.0)
    if always:
        schedule.ran_all_along(110.0)
    else:
        schedule.begins("a", 110.0, 110.0)
    assert [schedule.take(160.0), schedule.take(160.0)] == ["a", None]


def test_nobody_waits_any_more() -> None:
    """`slow_down` leaves the question that is planned, and from then on keeps questions apart."""
    schedule = schedule_of("a")
    planned = schedule.wake_at()
    schedule.slow_down("a", 60.0)
    assert schedule.wake_at() == planned
    moments = asked_at(schedule, 3)
    assert [b - a for a, b in pairwise(moments)] == pytest.approx([60.0, 60.0])


def test_slowing_down_never_hurries() -> None:
    """A floor that is already higher stays, and so does the ceiling."""
    schedule = schedule_of("a", floor=20.0, ceiling=25.0)
    schedule.slow_down("a", 5.0)
    moments = asked_at(schedule, 4)
    assert all(20.0 <= b - a <= 25.0 for a, b in pairwise(moments))


def test_somebody_waits_again() -> None:
    """`lower_price` asks now, and goes back to the bounds and the price it is given."""
    schedule = schedule_of("a", price=5.0)
    schedule.slow_down("a", 60.0)
    schedule.lower_price("a", 0.2, 3.0, 0.02, 100.5)
    moments = asked_at(schedule, 4)
    assert moments[0] == 100.5
    assert all(0.2 <= b - a <= 3.000001 for a, b in pairwise(moments))
    schedule.lower_price("a", 0.2, 60.0, 0.02, 120.0)
    assert asked_at(schedule, 2)[1] == pytest.approx(100.0 + next_age(20.0, 0.02))


@pytest.mark.parametrize("price", [0.02, 1.0, 5.0])
def test_who_waits_again_waits_at_his_own_price(price: float) -> None:
    """The one before was in a hurry, and has given up: what it was worth to that one is worth nothing any more."""
    schedule = schedule_of("a", price=1.0, floor=0.01, ceiling=60.0)
    schedule.lower_price("a", 0.01, 60.0, 0.02, 105.0)
    assert asked_at(schedule, 2)[1] == pytest.approx(100.0 + next_age(5.0, 0.02))
    schedule.slow_down("a", 30.0)
    schedule.lower_price("a", 0.01, 60.0, price, 120.0)
    moments = asked_at(schedule, 3)
    ages = [20.0, next_age(20.0, price), next_age(next_age(20.0, price), price)]
    assert moments == pytest.approx([100.0 + age for age in ages])


def test_a_hurry_reaches_a_question_in_flight() -> None:
    """Bounds given while a question is in flight hold from its answer on."""
    schedule = schedule_of("a")
    schedule.slow_down("a", 60.0)
    now, key = next_question(schedule)
    schedule.lower_price("a", 1.0, 3.0, PRICE, now)
    schedule.answered(key, now + 1.0)
    assert now + 2.0 <= wake(schedule) <= now + 4.0


def test_the_same_question_answers_for_another_job() -> None:
    """`take_also` takes out a job that is planned or urgent, once, and nothing that is not there."""
    schedule = schedule_of("a", "b", "c")
    schedule.ask_now("c", 105.0)
    assert [schedule.take_also(key) for key in ("b", "c", "b", "never tracked")] == [True, True, False, False]
    assert next_question(schedule)[1] == "a"
    assert schedule.wake_at() is None


# --- jobs come and go


def test_a_dropped_job_is_never_asked_about() -> None:
    """After `drop` no question comes, whether one was planned, urgent or in flight, and nothing brings it back."""
    schedule = schedule_of("planned", "urgent", "flying")
    schedule.ask_now("flying", 100.0)
    assert schedule.take(100.0) == "flying"
    schedule.ask_now("urgent", 100.0)
    for key in ("planned", "urgent", "flying", "never tracked"):
        assert schedule.drop(key) is None  # they teach nothing
    schedule.answered("flying", 101.0)
    schedule.known_to_run("flying", 101.0)
    schedule.failed("flying", 101.0, 1.0)
    schedule.put_back("flying", 101.0)
    schedule.slow_down("flying", 9.0)
    schedule.lower_price("flying", 1.0, 2.0, PRICE, 101.0)
    schedule.begins("flying", 101.0, 101.0)
    schedule.turned("flying", 101.0)
    schedule.ran_all_along(101.0)
    assert not schedule.take_also("flying")
    assert schedule.remaining("flying", 101.0, (0.5,)) is None
    assert (schedule.wake_at(), len(schedule), "flying" in schedule) == (None, 0, False)


def test_a_late_answer_asks_no_second_question() -> None:
    """A job that was dropped and tracked again has one question, even if the answer to its older one comes late."""
    schedule = schedule_of("a")
    next_question(schedule)
    schedule.drop("a")
    track(schedule, "a", 200.0)
    schedule.answered("a", 200.5, sent_at=110.0)
    assert wake(schedule) > 201.0
    assert [schedule.take(1_000.0), schedule.take(1_000.0)] == ["a", None]


# --- behind others at the vendor


def test_a_job_behind_others_is_asked_about_once_per_ceiling() -> None:
    """It does not run, so there is little to see, but it is not forgotten either."""
    schedule = schedule_of("a", held=True, ceiling=20.0)
    assert asked_at(schedule, 3) == [120.0, 140.0, 160.0]
    assert (schedule.gain("a", 200.0), schedule.hazard("a", 200.0)) == (0.0, 0.0)
    assert schedule.remaining("a", 200.0, (0.5,)) is None


def test_a_job_that_begins_is_new() -> None:
    """From its beginning on it is asked about like one that was accepted then, and it begins only once."""
    schedule = schedule_of("a", held=True)
    schedule.begins("a", 125.0, 123.0)
    assert schedule.wake_at() == pytest.approx(123.0 + next_age(0.0))
    schedule.begins("a", 128.0, 128.0)
    assert schedule.wake_at() == pytest.approx(123.0 + next_age(0.0))
    assert schedule.remaining("a", 123.0, (0.5,)) == pytest.approx((DURATIONS.quantile(0.5),))


def test_a_beginning_that_is_seen_late_undoes_no_answer() -> None:
    """It ran at the last look, so the questions go on from there."""
    schedule = schedule_of("a", held=True, ceiling=20.0)
    asked_at(schedule, 1)
    schedule.begins("a", 121.0, 110.0)
    assert schedule.wake_at() == pytest.approx(110.0 + next_age(10.0))


def test_a_job_may_begin_while_it_is_asked_about() -> None:
    """The question goes on, and its answer plans the next."""
    schedule = schedule_of("a", held=True)
    next_question(schedule)
    schedule.begins("a", 131.0, 129.0)
    assert schedule.wake_at() is None
    schedule.answered("a", 131.0, sent_at=130.0)
    assert schedule.wake_at() == pytest.approx(129.0 + next_age(1.0))


def test_a_beginning_does_not_shorten_the_wait_that_was_asked_for() -> None:
    """The vendor said when to come back (Retry-After), and that holds for a job that begins, too."""
    schedule = schedule_of("a", held=True)
    now, _ = next_question(schedule)
    schedule.failed("a", now, 600.0)
    schedule.begins("a", now + 1.0, now + 1.0)
    assert schedule.wake_at() == now + 600.0


def test_a_job_that_began_in_flight_is_not_put_back_behind_others() -> None:
    """It was on a page that said nothing about it, and has begun meanwhile: it is asked about like one that runs."""
    schedule = schedule_of("a", held=True)
    assert schedule.take_also("a")
    schedule.begins("a", 101.0, 101.0)
    schedule.put_back("a", 101.0)
    assert schedule.wake_at() == pytest.approx(101.0 + next_age(0.0))


def test_what_ran_all_along_began_when_it_was_accepted() -> None:
    """Whose beginning was guessed is planned again, once, in flight or not; nothing changes for the others."""
    schedule = schedule_of("waits", "flies", "behind", held=True)
    track(schedule, "other", 100.0)
    planned = 100.0 + next_age(0.0)
    for key in ("waits", "flies"):
        schedule.begins(key, 120.0, 120.0)
    assert schedule.take_also("flies")
    for _ in range(2):
        schedule.ran_all_along(121.0)
        assert not schedule.is_free("flies")
        assert schedule.remaining("flies", 121.0, (0.5,)) == schedule.remaining("other", 121.0, (0.5,))
        assert schedule.remaining("behind", 121.0, (0.5,)) is None
    assert next_question(schedule) == (pytest.approx(planned), "other")
    assert next_question(schedule) == (pytest.approx(max(121.0, 100.0 + next_age(20.0))), "waits")
    assert next_question(schedule) == (130.0, "behind")
    schedule.begins("waits", 130.0, 130.0)  # it is not behind anything any more
    assert schedule.remaining("waits", 121.0, (0.5,)) == schedule.remaining("other", 121.0, (0.5,))


def test_who_ends_too_soon_began_before() -> None:
    """Only a beginning that was guessed can be wrong, and only if less than a third of the usual time has passed."""
    too_early = {}
    for key, end in (("soon", 105.0), ("late", 115.0)):
        schedule = schedule_of(key, held=True, learns=True)
        schedule.begins(key, 100.0, 100.0)
        observation = schedule.drop(key)
        assert observation is not None
        too_early[key] = observation.is_too_early(end)
    schedule = schedule_of("no guess", held=True, learns=True)
    schedule.begins("no guess", 101.0, 101.0)
    schedule.ran_all_along(102.0)
    observation = schedule.drop("no guess")
    assert observation is not None
    assert not observation.is_too_early(103.0)
    schedule = schedule_of("never held", learns=True)
    observation = schedule.drop("never held")
    assert observation is not None
    assert (too_early, observation.is_too_early(105.0)) == ({"soon": True, "late": False}, False)


# --- in company


def company(**how: Any) -> tuple[Schedule[str], float]:
    """Three jobs of a model that is known, one accepted a moment and one a while after the first; its question."""
    phases = PhaseModel(Typical(median=30.0, spread=0.45))
    phases.queued.seen = KNOWN
    schedule: Schedule[str] = Schedule()
    for key, age in (("first", 0.0), ("nearly", -0.05), ("later", -5.0)):
        track(schedule, key, age=age, phases=phases, **how)
    return schedule, wake(schedule)


def test_who_is_nearly_due_is_asked_about_in_company() -> None:
    """A program that wakes for one question sends those that would wake it again at once; others wait."""
    schedule, now = company()
    assert schedule.take(now) == "first"
    assert schedule.take(now) is None
    assert (schedule.take_early(now), schedule.take_early(now)) == ("nearly", None)
    assert wake(schedule) == pytest.approx(now + 5.0)


def test_nobody_is_asked_about_sooner_in_company_than_the_floor_allows() -> None:
    """Nor before a moment that a failure has set."""
    schedule, now = company(floor=now_floor(), ceiling=60.0)
    assert (schedule.take(now), schedule.take_early(now)) == ("first", None)
    schedule, now = company()
    for key in ("first", "nearly"):
        schedule.ask_now(key, 100.0)
        schedule.take(100.0)
    schedule.failed("first", 100.0, 10.0)
    schedule.failed("nearly", 100.01, 10.0)
    assert (schedule.take(110.0), schedule.take_early(110.0)) == ("first", None)


def now_floor() -> float:
    """Longer than any plan would wait for its first question."""
    return next_age(0.0) + 10.0
