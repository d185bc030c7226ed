"""`aiogen._polling.schedule`: what is expected of jobs, what their answers teach, and what follows for the others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest

from aiogen._polling import timers as _timers
from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.groups import Groups
from aiogen._polling.phases import Ages, PhaseModel
from aiogen._polling.plan import Plan
from aiogen._polling.schedule import Schedule
from aiogen._polling.timers import TimerQueue
from aiogen.models import Typical

PRICE = 0.15
TYPICAL = Typical(median=30.0, spread=0.45)
UNI = DurationModel(TYPICAL)
KNOWN = 6
"""This number of ends makes a model known."""
LATE = 8.0
"""Seconds between two questions that leave no room for early looks."""


class Scripted(DurationModel):
    """A duration model that changes only when a test says so, and writes down what it is taught."""

    def __init__(self, seen: int) -> None:
        super().__init__(TYPICAL)
        self.seen = seen
        self.taught: list[tuple[str, int, float, float]] = []

    def runs(self, sight: Sight, age: float) -> None:
        assert sight.age <= age
        self.taught.append(("runs", sight.number, sight.age, age))
        sight.age = age

    def ended(self, sight: Sight, until: float) -> None:
        self.taught.append(("ended", sight.number, sight.age, until))

    def become(self, median: float) -> None:
        self.curve = DurationModel(Typical(median=median, spread=0.45)).curve
        self.version += 1
        self._plans.clear()


class Model(PhaseModel):
    """Two such duration models, and it writes down how they were compared."""

    queued: Scripted
    processing: Scripted

    def __init__(self, seen: int = KNOWN, *, by_beginning: bool = False) -> None:
        super().__init__(TYPICAL)
        self.queued, self.processing = Scripted(seen), Scripted(seen)
        self._others_lead = 9.0 if by_beginning else 0.0
        self.compared: list[tuple[int, Ages, Ages]] = []

    def compare(self, sight: Sight, whole: Ages, part: Ages) -> None:
        self.compared.append((sight.number, whole, part))


def track(schedule: Schedule[Any], key: Any, phases: PhaseModel, now: float = 100.0, **how: Any) -> None:
    """Follow a job that was accepted just now."""
    usual = {"floor": 0.5, "ceiling": 30.0, "price": PRICE}
    schedule.track(key, now, phases=phases, started_at=now, **usual | how)


def schedule_of(phases: PhaseModel, *keys: str, **how: Any) -> Schedule[str]:
    """A schedule with jobs of one model that were accepted just now."""
    schedule: Schedule[str] = Schedule()
    for key in keys:
        track(schedule, key, phases, **how)
    return schedule


def wake(schedule: Schedule[Any]) -> float:
    """When to look for the next question; there is one."""
    moment = schedule.wake_at()
    assert moment is not None
    return moment


def answers(schedule: Schedule[Any], until: float) -> list[float]:
    """When jobs are asked about up to a moment, if each answer comes at once and says that it runs."""
    moments, now = [], 0.0
    while (now := max(now, wake(schedule))) <= until:
        up_to_date(schedule, now)
        key = schedule.take(now)
        if key is not None:
            schedule.answered(key, now, sent_at=now)
            moments.append(now)
    return moments


def end(schedule: Schedule[str], key: str, now: float) -> None:
    """It has ended."""
    observation = schedule.drop(key)
    assert observation is not None
    schedule.learn(observation, now)
    up_to_date(schedule, now)


def up_to_date(schedule: Schedule[Any], now: float) -> None:
    """What a session does between two looks: fits, and plans again."""
    for durations in schedule.outdated():
        durations.fit()
    while schedule.refresh(now):
        pass


def next_age(age: float, price: float = PRICE) -> float:
    """The age at which a job is asked about next, as the provider's table has it."""
    return UNI.plan(price).next_age(age)


# --- a model that nobody knows


def test_a_model_nobody_has_seen_end_is_looked_at_early() -> None:
    """Whatever is expected of it, it may be much quicker: the first looks come after one second and two and a half."""
    schedule = schedule_of(Model(0), "a")
    early = answers(schedule, 103.0)
    assert early == pytest.approx([101.0, 102.5])
    assert schedule.wake_at() == pytest.approx(100.0 + next_age(2.5))


@pytest.mark.parametrize(
    ("seen", "how"), [(KNOWN, {}), (0, {"learns": False}), (0, {"held": True}), (0, {"ceiling": 0.9})]
)
def test_who_is_not_looked_at_early(seen: int, how: dict[str, Any]) -> None:
    """Not what was seen before, nor what teaches nothing or does not run yet, nor what is asked about sooner anyway."""
    schedule = schedule_of(Model(seen), "a", **how)
    assert wake(schedule) not in (100.5, 101.0)


def test_an_early_look_keeps_the_floor() -> None:
    """Then it comes later, and none is sent that has passed meanwhile."""
    schedule = schedule_of(Model(0), "a", floor=2.0)
    assert answers(schedule, 105.0) == pytest.approx([102.0, 104.0])
    schedule = schedule_of(Model(0), "b", floor=4.0)
    assert answers(schedule, 105.0) == pytest.approx([104.0])


def test_an_early_look_is_not_put_off() -> None:
    """It does not come from the duration model, so one that changes does not move it."""
    model = Model(0)
    schedule = schedule_of(model, "a")
    model.queued.become(300.0)
    assert schedule.take(101.0) == "a"


def test_two_probes_go_first() -> None:
    """Of a model that is not known two jobs are asked about; the others wait for what they learn, but not for long."""
    schedule = schedule_of(Model(KNOWN - 1), "a", "b", "c", "d", "e", floor=LATE)
    due = wake(schedule)
    assert [schedule.take(due) for _ in range(3)] == ["a", "b", None]
    assert schedule.wake_at() == due + 1.0
    assert schedule.take(due + 0.99) is None
    assert [schedule.take(due + 1.0) for _ in range(4)] == ["c", "d", "e", None]


@pytest.mark.parametrize("event", ["answered", "failed", "put_back", "drop", "turned"])
def test_when_a_probe_is_back_the_next_one_goes(event: str) -> None:
    """Whatever came of it; and it counts once, however often that is said."""
    schedule = schedule_of(Model(KNOWN - 1), "a", "b", "c", "d", "e", floor=LATE)
    due = wake(schedule)
    assert [schedule.take(due), schedule.take_also("b"), schedule.take(due)] == ["a", True, None]
    for _ in range(2):
        if event == "failed":
            schedule.failed("a", due, 60.0)
        elif event == "drop":
            schedule.drop("a")
        elif event == "put_back":
            schedule.put_back("a", due + 60.0)
        else:
            if event == "turned":
                schedule.turned("a", due)
            schedule.answered("a", due)
    assert [schedule.take(due), schedule.take(due)] == ["c", None]


@pytest.mark.parametrize(("seen", "how"), [(KNOWN, {}), (0, {"learns": False})])
def test_where_nothing_is_to_be_learned_nobody_waits_for_probes(seen: int, how: dict[str, Any]) -> None:
    """Jobs of a known model, and jobs that teach nothing, are all asked about at their moment."""
    schedule = schedule_of(Model(seen), "a", "b", "c", **how)
    due = wake(schedule)
    assert [schedule.take(due) for _ in range(4)] == ["a", "b", "c", None]


def test_probes_hold_up_only_their_own_model() -> None:
    """Another model's jobs are asked about at their moment, and a hint is taken up at once."""
    new, other = Model(KNOWN - 1), Model(KNOWN - 1)
    schedule = schedule_of(new, "a", "b", "c", "d", floor=LATE)
    track(schedule, "other", other, 100.5, floor=LATE)
    due = wake(schedule)
    assert [schedule.take(due) for _ in range(2)] == ["a", "b"]
    assert schedule.wake_at() == due + 0.5
    schedule.ask_now("d", due)
    assert [schedule.take(due), schedule.take(due)] == ["d", None]
    assert [schedule.take(due + 0.5), schedule.take(due + 0.5)] == ["other", None]
    assert schedule.take(due + 1.0) == "c"


# --- what answers teach


def test_every_answer_teaches() -> None:
    """A job that runs says that it has not ended since the last answer, one that ended, between which answers."""
    model = Model()
    schedule = schedule_of(model, "a")
    schedule.answered("a", 106.0, sent_at=105.0)
    schedule.known_to_run("a", 112.0)
    schedule.answered("a", 113.0, sent_at=110.0)
    end(schedule, "a", 120.0)
    assert model.queued.taught == [
        ("runs", 0, 0.0, 5.0),
        ("runs", 0, 5.0, 12.0),
        ("runs", 0, 12.0, 12.0),
        ("ended", 0, 12.0, 20.0),
    ]
    assert (model.processing.taught, model.compared) == ([], [])


def test_an_end_that_was_seen_before_the_last_answer() -> None:
    """Readings may cross; no interval runs backwards."""
    model = Model()
    schedule = schedule_of(model, "a")
    schedule.known_to_run("a", 112.0)
    end(schedule, "a", 111.0)
    assert model.queued.taught[-1] == ("ended", 0, 12.0, 12.0)


def test_who_was_found_under_way_teaches_nothing() -> None:
    """Nobody knows how far it was at the beginning."""
    model = Model()
    schedule = schedule_of(model, "a", learns=False)
    schedule.turned("a", 101.0)
    schedule.answered("a", 101.0)
    assert schedule.drop("a") is None
    assert (model.queued.taught, model.processing.taught) == ([], [])


def test_who_is_behind_others_teaches_nothing() -> None:
    """What it waits there says nothing of the model; from its beginning on it teaches like any other."""
    model = Model()
    schedule = schedule_of(model, "never began", "a", held=True)
    schedule.answered("a", 130.0)
    assert schedule.drop("never began") is None
    schedule.begins("a", 151.0, 150.0)
    schedule.answered("a", 155.0, sent_at=155.0)
    end(schedule, "a", 160.0)
    assert model.queued.taught == [("runs", 0, 0.0, 5.0), ("ended", 0, 5.0, 10.0)]


def test_who_ran_all_along_teaches_from_its_acceptance() -> None:
    """The vendor runs more at once than was thought."""
    model = Model()
    schedule = schedule_of(model, "a", held=True)
    schedule.begins("a", 150.0, 150.0)
    schedule.ran_all_along(152.0)
    end(schedule, "a", 155.0)
    assert model.queued.taught == [("ended", 0, 0.0, 55.0)]  # nobody has seen it run


def test_an_end_that_is_not_learned_teaches_nothing() -> None:
    """A job that is "not found" has ended, too, but that says nothing about how long generations take."""
    model = Model()
    schedule = schedule_of(model, "lost", "a")
    schedule.answered("lost", 110.0)
    moment = wake(schedule)
    assert schedule.drop("lost") is not None
    assert model.queued.taught == [("runs", 0, 0.0, 10.0)]
    assert (model.compared, model.queued.version, model.seen) == ([], 0, KNOWN)
    assert schedule.wake_at() == moment


def test_an_end_after_hours_is_learned() -> None:
    """A job may take longer than the whole grid of ages."""
    phases = PhaseModel(TYPICAL)
    schedule = schedule_of(phases, "a")
    schedule.known_to_run("a", 10_000.0)
    end(schedule, "a", 10_001.0)
    assert phases.seen == 1


# --- queued, then processing


def turned_at(model: Model, before: float, after: float, **how: Any) -> Schedule[str]:
    """A job that was queued at the one question, and processed at the next."""
    schedule = schedule_of(model, "a", **how)
    schedule.answered("a", before, sent_at=before)
    schedule.take_also("a")
    schedule.turned("a", after)
    schedule.answered("a", after, sent_at=after)
    return schedule


def test_a_beginning_teaches_both_models() -> None:
    """The whole time, and the time since the middle between queued and processing, and which foretold better."""
    model = Model()
    schedule = turned_at(model, 104.0, 110.0)
    schedule.turned("a", 115.0)  # it has begun already
    schedule.answered("a", 120.0)
    end(schedule, "a", 130.0)
    assert model.queued.taught == [
        ("runs", 0, 0.0, 4.0), ("runs", 0, 4.0, 10.0), ("runs", 0, 10.0, 20.0), ("ended", 0, 20.0, 30.0),
    ]  # fmt: skip
    assert model.processing.taught == [("runs", 0, 0.0, 3.0), ("runs", 0, 3.0, 13.0), ("ended", 0, 13.0, 23.0)]
    assert model.compared == [(0, (10.0, 20.0, 30.0), (3.0, 13.0, 23.0))]


def test_a_beginning_may_foretell_the_end_better() -> None:
    """Then the questions follow the time since the beginning, also while one is in flight."""
    model = Model(by_beginning=True)
    model.processing.become(3.0)
    schedule = schedule_of(model, "a")
    track(schedule, "b", model, 104.0)
    schedule.known_to_run("a", 104.0)
    schedule.take_also("a")
    schedule.turned("a", 104.5)
    assert not schedule.is_free("a")
    assert schedule.remaining("a", 104.25, (0.5,)) == pytest.approx((model.processing.quantile(0.5),))
    schedule.answered("a", 105.0, sent_at=104.5)
    assert schedule.take(wake(schedule)) == "a"
    schedule.answered("a", 106.0, sent_at=106.0)
    end(schedule, "a", 107.0)
    assert model.queued.taught[-1] == ("ended", 0, 6.0, 7.0)
    assert model.processing.taught[-1] == ("ended", 0, 1.75, 2.75)
    assert len(schedule) == 1
    assert schedule.take(140.0) == "b"
    assert schedule.take(140.0) is None


def test_a_probe_that_begins_is_a_probe_still() -> None:
    """A question in flight counts where its job is, so two more are not asked before its answer."""
    model = Model(KNOWN - 1, by_beginning=True)
    schedule = schedule_of(model, "a", "b", "c", "d", "e")
    for key in "abcde":
        schedule.known_to_run(key, 104.0)
        if key == "a":
            schedule.take_also(key)
        schedule.turned(key, 106.0)
        schedule.known_to_run(key, 106.0)
    due = wake(schedule)
    assert [schedule.take(due), schedule.take(due)] == ["b", None]
    schedule.answered("a", due)
    assert [schedule.take(due), schedule.take(due)] == ["c", None]


def test_a_beginning_seen_by_others_is_planned_by() -> None:
    """Somebody else's reading tells it while no question of ours is in flight; there is one question all the same."""
    model = Model(by_beginning=True)
    model.processing.become(3.0)
    schedule = schedule_of(model, "a")
    schedule.known_to_run("a", 103.4)
    schedule.turned("a", 104.0)
    schedule.known_to_run("a", 104.0)
    due = 103.7 + model.processing.plan(PRICE).next_age(0.3)
    assert schedule.wake_at() == pytest.approx(max(104.5, due))
    assert due < 108.0
    assert [schedule.take(140.0), schedule.take(140.0)] == ["a", None]


def test_a_vague_beginning_teaches_nothing() -> None:
    """If the look before was long ago, nobody knows when it began, so only the whole is learned."""
    model = Model(by_beginning=True)
    schedule = turned_at(model, 104.0, 112.0)
    assert schedule.remaining("a", 112.0, (0.5,)) != schedule_of(model, "b").remaining("b", 100.0, (0.5,))
    end(schedule, "a", 130.0)
    assert (model.processing.taught, model.compared) == ([], [])
    assert model.queued.taught[-1] == ("ended", 0, 12.0, 30.0)


def test_a_beginning_that_was_sent_for_before_the_last_answer() -> None:
    """Readings may cross: it began at that answer at the latest."""
    model = Model()
    schedule = turned_at(model, 104.0, 103.0)
    end(schedule, "a", 110.0)
    assert model.compared == [(0, (4.0, 4.0, 10.0), (0.0, 0.0, 6.0))]


def test_what_a_job_waited_behind_others_is_never_its_own_time() -> None:
    """It began to be queued for itself when its place came, also if it is seen to begin to be processed later."""
    model = Model()
    schedule = schedule_of(model, "a", held=True)
    schedule.begins("a", 200.0, 200.0)
    schedule.answered("a", 201.0, sent_at=201.0)
    schedule.turned("a", 203.0)
    schedule.answered("a", 203.0, sent_at=203.0)
    end(schedule, "a", 211.0)
    assert model.queued.taught[-1] == ("ended", 0, 3.0, 11.0)


# --- a duration model that changes


def test_a_plan_whose_moment_comes_is_made_again_where_the_model_has_changed() -> None:
    """A model turned out to be slower: jobs are not moved at once, but when their moment comes they wait longer."""
    model = Model()
    schedule = schedule_of(model, "a", "b", ceiling=600.0)
    due = wake(schedule)
    model.queued.become(300.0)
    assert schedule.wake_at() == due
    assert schedule.take(due) is None  # the plan is made for the first of them
    assert schedule.wake_at() == due
    assert schedule.take(due) is None
    later = 100.0 + model.queued.plan(PRICE).next_age(0.0)
    assert later > due
    assert schedule.wake_at() == pytest.approx(later)
    assert [schedule.take(later) for _ in range(3)] == ["a", "b", None]


PRICES = (0.8, 1.2, 2.0, 4.0)
"""Each of them has plans of its own."""


def jobs_of_many_prices(model: PhaseModel) -> Schedule[str]:
    """Two of each price."""
    schedule: Schedule[str] = Schedule()
    for i in range(2):
        for price in PRICES:
            track(schedule, f"{price} {i}", model, ceiling=6000.0, price=price)
    return schedule


def planned(schedule: Schedule[str], step: Callable[[], bool]) -> list[int]:
    """How many plans each step makes, until one says that it was the last."""
    made, going_on = [schedule.plans_made], True
    while going_on:
        going_on = step()
        made.append(schedule.plans_made)
    return [after - before for before, after in pairwise(made)]


def test_looking_for_a_question_makes_one_plan_at_a_time() -> None:
    """It takes as long as dozens of questions; whoever looks does the rest in the next turn of the loop."""
    model = Model()
    schedule = jobs_of_many_prices(model)
    model.queued.become(300.0)
    late = 100.0 + next_age(0.0, max(PRICES))

    def take() -> bool:
        assert schedule.take(late) is None  # all of them are due by the plans of before, and none by the new ones
        return wake(schedule) <= late

    made = planned(schedule, take)
    assert (max(made), sum(made)) == (1, len(PRICES))
    dues = [schedule._questions[f"{price} 1"].due for price in PRICES]
    assert dues == [pytest.approx(100.0 + model.queued.plan(price).next_age(0.0)) for price in PRICES]


def test_planning_again_makes_one_plan_at_a_time() -> None:
    """Where a model has turned out to be quicker, all its jobs come forward; those of one price after the others."""
    model = Model()
    schedule = jobs_of_many_prices(model)
    model.queued.become(3.0)
    made = planned(schedule, lambda: schedule.refresh(100.0))
    assert (max(made), sum(made)) == (1, len(PRICES))
    dues = {key: schedule._questions[key].due for key in schedule._questions}
    expected = {price: 100.0 + model.queued.plan(price).next_age(0.0) for price in PRICES}
    assert dues == {f"{price} {i}": pytest.approx(max(expected[price], 100.5)) for price in PRICES for i in range(2)}
    assert len(set(dues.values())) == len(PRICES)


def test_a_plan_that_is_still_now_is_kept() -> None:
    """A model that hardly changed asks about the job when its moment comes, once."""
    model = Model()
    schedule = schedule_of(model, "a")
    due = wake(schedule)
    model.queued.become(29.9)
    assert [schedule.take(due), schedule.take(due + 60.0)] == ["a", None]


def changed(model: Model, schedule: Schedule[str], median: float) -> None:
    """The duration model changes, and then an answer comes of a job called "news"."""
    model.queued.become(median)
    schedule.known_to_run("news", 100.0)
    up_to_date(schedule, 100.0)


def test_a_model_that_turns_out_to_be_quicker_is_planned_again_at_once() -> None:
    """All its jobs are due earlier, except what does not come from the model, and what is in flight."""
    model = Model()
    schedule = schedule_of(model, "a", "b", "failed", "flies", "news", floor=0.1)
    track(schedule, "other", Model())
    track(schedule, "held", model, held=True)
    changed(model, schedule, 30.0)
    schedule.take_also("failed")
    schedule.failed("failed", 100.0, 9.0)
    schedule.take_also("flies")
    changed(model, schedule, 3.0)
    due = 100.0 + model.queued.plan(PRICE).next_age(0.0)
    assert due < 100.0 + next_age(0.0) - 2.0
    assert schedule.wake_at() == pytest.approx(due)
    asked = {}
    for now in (due, 100.0 + next_age(0.0), 109.0, 130.0):
        while (key := schedule.take(now)) is not None:
            asked[key] = now
    assert asked == {
        "a": due, "b": due, "news": due, "other": 100.0 + next_age(0.0), "failed": 109.0, "held": 130.0,
    }  # fmt: skip


def test_an_end_moves_the_others_at_once() -> None:
    """As an answer does: what has ended sooner than planned makes the others due."""
    model = Model()
    schedule = schedule_of(model, "a", "ends", "news", floor=0.1)
    changed(model, schedule, 30.0)
    model.queued.become(3.0)
    end(schedule, "ends", 101.0)
    assert wake(schedule) < 104.0


@pytest.mark.parametrize("median", [29.5, 60.0])
def test_a_model_that_is_hardly_quicker_is_left_alone(median: float) -> None:
    """Planning all jobs again would cost more than it is worth; nor is it needed for one that is slower."""
    model = Model()
    schedule = schedule_of(model, "a", "news", ceiling=600.0)
    changed(model, schedule, 30.0)
    with mock.patch.object(TimerQueue, "all", return_value=[]) as planned_again:
        changed(model, schedule, median)
    assert not planned_again.called


def test_the_first_end_of_a_model_may_turn_it_out_to_be_quicker() -> None:
    """A webhook reports an end after two seconds: the others do not keep the plans from before it."""
    phases = PhaseModel(TYPICAL)
    schedule = schedule_of(phases, *map(str, range(10)))
    answers(schedule, 101.0)
    end(schedule, "9", 102.0)
    assert phases.queued.version == 1
    due = []
    while (key := schedule.take(103.0)) is not None:
        due.append(key)
    assert len(due) >= 7  # all but those that were looked at a moment ago


def test_a_real_model_is_learned() -> None:
    """Twenty jobs of ten seconds, where thirty were expected: the last ones are asked about a few times only."""
    phases = PhaseModel(TYPICAL)
    schedule: Schedule[str] = Schedule()
    asked: dict[str, int] = {}
    for i in range(20):
        key, now = str(i), 100.0 * i
        track(schedule, key, phases, now)
        while key in schedule:
            now = wake(schedule)
            if schedule.take(now) is not None:
                asked[key] = asked.get(key, 0) + 1
                if now < 100.0 * i + 10.0:
                    schedule.answered(key, now, sent_at=now)
                else:
                    end(schedule, key, now)
    assert phases.seen == 20
    assert phases.queued.quantile(0.5) == pytest.approx(10.0, rel=0.1)
    assert max(asked[str(i)] for i in range(15, 20)) <= 4


# --- when the budget binds


def under_budget(schedule: Schedule[int], now: float, until: float, pause: float) -> tuple[float, int]:
    """Answers at once, but no two questions within `pause` seconds; when it ended, and how many were asked."""
    count = 0
    while now < until:
        key = schedule.take(now)
        if key is not None:
            schedule.answered(key, now, sent_at=now)
            count += 1
        now = max(now + pause, wake(schedule))
    return now, count


def test_a_budget_that_binds_makes_all_questions_dearer() -> None:
    """The common price rises until the questions fit, and falls back when they do."""
    schedule: Schedule[int] = Schedule()
    model = Model()
    for i in range(40):
        track(schedule, i, model, 0.0)
    now, _ = under_budget(schedule, 0.0, 100.0, pause=0.25)
    assert schedule.backpressure.value > 1.5
    now, _ = under_budget(schedule, now, 200.0, pause=0.25)
    assert now - wake(schedule) < 5.0  # so late, where each job's turn comes every ten seconds
    under_budget(schedule, now, 400.0, pause=0.0)
    assert schedule.backpressure.value < 1.1


def test_without_a_shortage_the_price_stays() -> None:
    """Questions that are asked at their moment cost what they are worth, also where a moment is late by a little."""
    schedule: Schedule[int] = Schedule()
    track(schedule, 0, Model(), 0.0, floor=0.01, price=1e-4)
    under_budget(schedule, 0.0, 20.0, pause=0.0)
    for _ in range(20):
        now = wake(schedule) + 0.04
        schedule.take(now)
        schedule.answered(0, now, sent_at=now)
    assert schedule.backpressure.value == pytest.approx(1.0)


@pytest.mark.parametrize("is_stale", [False, True])
def test_the_price_does_not_rise_without_end(is_stale: bool) -> None:
    """Nor does one late question raise it by much, however late it is, and whatever was learned meanwhile."""
    schedule: Schedule[int] = Schedule()
    model, values = Model(), [1.0]
    for i in range(40):
        track(schedule, i, model, 1_000.0 * i, price=0.001, ceiling=1.0)
        if is_stale:
            model.queued.become(30.0)
        assert schedule.take(1_000.0 * i + 900.0) == i
        schedule.drop(i)
        values.append(schedule.backpressure.value)
    assert values == sorted(values)
    assert all(b < 8.0 * a for a, b in pairwise(values))
    assert values[-1] == 100.0


def test_hints_and_probes_say_nothing_about_the_budget() -> None:
    """They do not come at a moment that was planned."""
    new, known = Model(KNOWN - 1), Model()
    schedule: Schedule[int] = Schedule()
    for i, phases in enumerate((new, new, known)):
        track(schedule, i, phases, 0.0)
    for i in range(1, 20):
        schedule.ask_now(2, 60.0 * i)
        for _ in range(3):
            key = schedule.take(60.0 * i)
            assert key is not None
            schedule.answered(key, 60.0 * i, sent_at=60.0 * i)
    assert schedule.backpressure.value == 1.0


# --- what may be expected


def test_the_gain_of_a_question_grows_with_time() -> None:
    """Nothing right after an answer, later the share of those that ran then and have ended since."""
    schedule = schedule_of(Model(), "a")
    schedule.take(120.0)
    schedule.answered("a", 120.0)
    assert schedule.gain("a", 120.0) == 0.0
    gains = [schedule.gain("a", 120.0 + later) for later in (1.0, 10.0, 100.0)]
    assert gains == sorted(gains)
    assert gains[1] == pytest.approx(1.0 - UNI.left(30.0) / UNI.left(20.0))
    assert 0.8 < gains[2] <= 1.0


def test_the_hazard_is_highest_where_jobs_end() -> None:
    """Per second, and of those that are left."""
    schedule = schedule_of(Model(), "a")
    hazards = {age: schedule.hazard("a", 100.0 + age) for age in (2.0, 30.0, 1_000.0)}
    assert max(hazards, key=hazards.__getitem__) == 30.0
    step = 0.5
    assert hazards[2.0] == pytest.approx((1.0 - UNI.left(2.0 + step) / UNI.left(2.0)) / step, rel=0.02)
    assert schedule.hazard("a", 99.0) == pytest.approx(schedule.hazard("a", 100.0))


def test_what_remains_is_counted_from_now() -> None:
    """Half, a tenth and nine tenths of such jobs have ended by then, and none in the past."""
    schedule: Schedule[str] = Schedule()
    schedule.track("a", 100.0, phases=Model(), started_at=80.0, floor=0.5, ceiling=30.0, price=PRICE)
    half, few, most = schedule.remaining("a", 100.0, (0.5, 0.1, 0.9)) or (0.0, 0.0, 0.0)
    assert 0.0 < few < half < most
    for share, seconds in ((0.5, half), (0.1, few), (0.9, most)):
        assert UNI.left(20.0 + seconds) / UNI.left(20.0) == pytest.approx(1.0 - share, abs=1e-3)
    assert schedule.remaining("a", 1e6, (0.5,)) == (0.0,)


# --- the price


@pytest.mark.parametrize(
    ("how", "price"),
    [
        ({}, 0.15),
        ({"price": 1.0}, 1.0),
        ({"share": 0.1}, 0.015),
        ({"lag_weight": 3.0}, 0.05),
        ({"lag_weight": 9.0}, 0.04),  # not cheaper: the floor would keep it from being asked earlier
        ({"price": 0.01, "lag_weight": 9.0}, 0.01),
        ({"lag_weight": 0.0}, 0.15),
        ({"backpressure": 3.0}, 1.35),
    ],
)
def test_the_price_of_a_question(how: dict[str, float], price: float) -> None:
    """It falls when a question answers for many, or lag delays others too, and rises when the budget binds."""
    schedule: Schedule[str] = Schedule()
    schedule.lag_weight, schedule.backpressure.value = how.pop("lag_weight", 1.0), how.pop("backpressure", 1.0)
    track(schedule, "a", Model(), 0.0, floor=0.0, ceiling=90.0, **how)
    assert schedule.wake_at() == pytest.approx(next_age(0.0, price))


def test_each_answer_says_what_the_next_one_costs() -> None:
    """A page about ten jobs costs each a tenth; a question about one alone the whole."""
    schedule = schedule_of(Model(), "a", floor=0.0, ceiling=90.0)
    schedule.answered("a", 105.0, share=0.1)
    assert schedule.wake_at() == pytest.approx(100.0 + next_age(5.0, 0.015))
    schedule.known_to_run("a", 106.0, share=0.5)
    assert schedule.wake_at() == pytest.approx(100.0 + next_age(6.0, 0.075))
    schedule.known_to_run("a", 107.0)
    assert schedule.wake_at() == pytest.approx(100.0 + next_age(7.0, 0.15))


def test_dearer_requests_are_rarer() -> None:
    """A hundred times the price is a tenth of the questions."""
    cheap, dear = (
        len(answers(schedule_of(Model(), "a", price=price, floor=0.0, ceiling=90.0), 130.0)) for price in (0.01, 1.0)
    )
    assert 6 * dear < cheap < 14 * dear


# --- many jobs


class Touches:
    """How often anything is looked at in a timer queue, in its heap or in a plan."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for owner, names in (
            (TimerQueue, ("put", "pop", "drop", "all", "wake_at", "_is_current")),
            (_timers, ("heappush", "heappop")),
            (Plan, ("next_age",)),
        ):
            for name in names:
                patch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.count += 1
            return original(*args)

        return counted


def touches_of(jobs: int) -> int:
    """Of a hundred rounds of events, among this number of jobs."""
    schedule: Schedule[int] = Schedule()
    model = Model()
    for i in range(jobs):
        track(schedule, i, model, 0.01 * (i % 10), held=i % 10 == 3)
    with pytest.MonkeyPatch.context() as patch:
        touches = Touches(patch)
        for i in range(100):
            now, other = 6.0 + 0.01 * i, i % 10
            key = schedule.take(now)
            schedule.take_also(other)
            schedule.put_back(other, now)
            if key is not None:
                schedule.answered(key, now, sent_at=now)
            schedule.ask_now(other, now)
            if schedule.take(now) is not None:
                schedule.failed(other, now, 2.0)
            schedule.begins(other, now, now)
            schedule.slow_down(other, 1.0)
            schedule.known_to_run(other, now)
            schedule.drop(other)
            track(schedule, other, model, now, held=other == 3)
            schedule.wake_at()
    return touches.count


def test_an_event_costs_the_same_among_many_jobs() -> None:
    """With a hundred times the jobs nothing is touched noticeably more often."""
    few, many = touches_of(20), touches_of(2_000)
    assert few > 1_000
    assert many < 1.3 * few


def test_at_first_there_is_no_group() -> None:
    groups: Groups[str] = Groups()
    assert (len(groups), list(groups)) == (0, [])
