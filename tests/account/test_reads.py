"""`aiogen._account.account`: questions and single calls share what creates leave of the budget."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from account.scenes import FakeJob, Scene, leonardo, luma, too_many
from polling.teaching import teach

from aiogen._polling.phases import PhaseModel
from aiogen.models import Typical

CALLS = [f"c{i}" for i in range(20)]
BURST = 10
"""At ten requests a second so many may go at once."""


# --- whose turn it is


def test_questions_and_single_calls_are_first_come_first_served() -> None:
    """They came while everything was held, and go in the order in which they came."""
    scene = Scene(luma())
    scene.submit("a")
    scene.at(0.0)
    scene.refuse("a", 0.5, too_many(retry_after=20.0))
    scene.call(1.0, "first")
    scene.attach("x", 2.0)
    scene.call(3.0, "third")
    scene.attach("y", 4.0)
    scene.call(5.0, "fifth", "sixth")
    assert scene.at(6.0) == []
    assert scene.moment == 20.5
    assert scene.at(20.5) == ["create a", "turn first", "ask x", "turn third", "ask y", "turn fifth", "turn sixth"]


def test_a_single_call_that_came_at_the_same_moment_goes_before_the_question() -> None:
    """Its caller waits for this very answer."""
    scene = Scene(luma())
    scene.attach("x", 1.0)
    scene.call(1.0, "c")
    assert scene.at(1.0) == ["turn c", "ask x"]


def test_requests_keep_the_accounts_distance() -> None:
    """Of twenty calls ten go at once, and then one at a time; the moments say when."""
    scene = Scene(luma())
    scene.call(0.0, *CALLS)
    assert scene.at(0.0) == [f"turn {name}" for name in CALLS[:BURST]]
    assert scene.moment == pytest.approx(60.0 / 576.0)
    for name in CALLS[BURST:]:
        now = scene.moment
        assert scene.at(now) == [f"turn {name}"]
    assert scene.moment == math.inf


def test_creates_come_first() -> None:
    """Six creates leave room for four of the calls that came before them."""
    scene = Scene(luma())
    scene.call(0.0, *CALLS)
    scene.submit(*"abcdef")
    assert scene.at(0.0) == [*(f"create {name}" for name in "abcdef"), *(f"turn {name}" for name in CALLS[:4])]


def test_a_cancelled_turn_costs_nothing() -> None:
    """Its caller has gone: the whole budget is for the others."""
    scene = Scene(luma())
    for turn in scene.call(0.0, *"abcdefghijkl"):
        turn.is_cancelled = True
    scene.call(0.0, *CALLS)
    assert scene.at(0.0) == [f"turn {name}" for name in CALLS[:BURST]]


def test_a_turn_that_was_dropped_is_not_given() -> None:
    """Whoever waits takes it out when he is cancelled."""
    scene = Scene(luma())
    first, _ = scene.call(0.0, "first", "second")
    scene.account.calls.drop(first)
    assert scene.at(0.0) == ["turn second"]


def test_questions_take_places_and_single_calls_do_not() -> None:
    """With every place taken by questions, calls go on; the next question waits for an answer."""
    scene = Scene(luma(), max_in_flight=2)
    for name in "xyz":
        scene.attach(name, 0.0)
    assert scene.at(0.0) == ["ask x", "ask y"]
    scene.call(1.0, "c", "d")
    assert scene.at(1.0) == ["turn c", "turn d"]
    assert scene.moment == math.inf
    scene.runs("x", 1.5)
    assert scene.at(1.5) == ["ask z"]


def test_a_single_call_of_later_has_its_moment() -> None:
    """A call may be put for a moment to come."""
    scene = Scene(luma(), max_in_flight=1)
    scene.attach("x", 0.0)
    scene.at(0.0)
    scene.call(7.0, "c")
    assert scene.at(1.0) == []
    assert scene.moment == 7.0


# --- a budget that several processes share


def test_the_shared_budget_is_asked_for_once_and_nothing_is_asked_before_it_is_there() -> None:
    """A quarter second's worth; what was taken may be used from a moment on."""
    scene = Scene(luma(), is_shared=True)
    scene.call(0.0, *CALLS)
    assert scene.at(0.0) == ["take 3 at 9.6/s"]
    assert scene.moment == math.inf
    assert scene.at(0.1) == []
    scene.account.shared_budget.taken(3, 5.0, alone=False)
    assert scene.at(1.0) == []
    assert scene.moment == 5.0
    assert scene.at(5.0) == ["turn c0", "turn c1", "turn c2", "take 3 at 9.6/s"]
    assert scene.at(6.0) == []


def test_questions_wait_for_the_shared_budget_like_calls() -> None:
    """Nor do they take a place meanwhile."""
    scene = Scene(luma(), is_shared=True)
    scene.attach("x", 0.0)
    assert scene.at(0.0) == ["take 3 at 9.6/s"]
    assert scene.account.in_flight == 0
    scene.account.shared_budget.taken(3, 1.0, alone=False)
    assert scene.at(1.0) == ["ask x"]


def test_with_nothing_to_ask_nothing_is_taken() -> None:
    """All of it is left to the others."""
    scene = Scene(luma(), is_shared=True)
    assert scene.at(0.0) == []
    scene.attach("x", 0.0)
    scene.account.leave(scene.account.tracks["x"], 0.0)
    assert scene.at(1.0) == []


def test_a_process_that_is_alone_asks_for_nothing() -> None:
    """Once the ledger says so, its own window is all that counts."""
    scene = Scene(luma(), is_shared=True)
    scene.call(0.0, *CALLS)
    scene.at(0.0)
    scene.account.shared_budget.taken(3, 0.0, alone=True)
    assert scene.at(0.0) == [f"turn {name}" for name in CALLS[:BURST]]


def test_creates_do_not_wait_for_the_shared_budget_and_the_next_batch_pays_for_them() -> None:
    """One that was withheld is not paid for."""
    scene = Scene(luma(), is_shared=True)
    scene.submit("a", "b", "c")
    scene.call(0.0, "x")
    assert scene.at(0.0) == ["create a", "create b", "create c", "take 6 at 9.6/s"]
    scene.account.shared_budget.taken(6, 0.0, alone=False)
    scene.withhold("b")
    assert scene.at(0.0) == ["create b", "turn x"]
    scene.call(0.0, "y", "z", "last")
    assert scene.at(0.0) == ["turn y", "turn z", "take 3 at 9.6/s"]


# --- one page for many


def known() -> PhaseModel:
    """Nothing is looked at early."""
    phases = PhaseModel(Typical(median=30.0))
    teach(phases.queued, [29.0 + i / 4 for i in range(8)])
    return phases


def running(*names: str, median: float = 12.0) -> Scene:
    """These were accepted at moment 0, and will be asked about when they have run for a while."""
    scene = Scene(leonardo(), phases=PhaseModel(Typical(median=median)))
    scene.run(0.0, *names)
    return scene


def test_one_page_of_the_list_answers_for_all_that_stand_on_it() -> None:
    """Leonardo's page holds fifty: four generations that may end are one question."""
    scene = running(*"abcd")
    assert scene.at(0.5) == []
    assert scene.at(scene.moment) == ["page 0: a b c d"]
    assert scene.account.in_flight == 1
    assert scene.at(1.5) == []


def test_a_generation_alone_is_asked_about_by_itself() -> None:
    """A page would say no more."""
    scene = running("a")
    scene.at(0.5)
    assert scene.at(scene.moment) == ["ask a"]


def test_what_is_being_asked_is_on_no_page() -> None:
    """Its own answer is on its way: the page is for the others."""
    scene = running(*"abcd")
    scene.account.schedule.ask_now("b", 0.5)
    assert scene.at(0.5) == ["ask b"]
    assert scene.at(scene.moment) == ["page 0: a c d"]


def test_a_page_for_what_is_being_asked_already_is_not_worth_it() -> None:
    """Of two the one is on its way: the other is asked about by itself."""
    scene = running("a", "b")
    scene.account.schedule.ask_now("b", 0.5)
    assert scene.at(0.5) == ["ask b"]
    assert scene.at(scene.moment) == ["ask a"]


def test_an_urgent_question_is_about_its_job_and_no_other() -> None:
    """Somebody wants to know of this very one: a list may be behind."""
    scene = running(*"abcd")
    scene.account.schedule.ask_now("b", 20.0)
    scene.account.schedule.ask_now("c", 20.0)
    assert scene.at(20.0) == ["ask b", "ask c", "page 0: a d"]


def test_without_a_list_each_is_asked_about_by_itself() -> None:
    """Luma has none."""
    scene = Scene(luma())
    scene.run(0.0, *"abc")
    assert sorted(scene.at(60.0)) == ["ask a", "ask b", "ask c"]


def test_while_the_list_rests_each_is_asked_about_by_itself() -> None:
    """It was refused, and is tried again after a minute."""
    scene = running(*"abc")
    scene.account.listing.refused(0.0)
    assert scene.at(15.0) == ["ask a", "ask b", "ask c"]
    for name in "abc":
        scene.runs(name, 16.0)
    assert scene.at(100.0) == ["page 0: a b c"]


def test_what_was_attached_stands_nowhere_in_the_list() -> None:
    """Nobody knows how many came after it."""
    scene = running("a", "b")
    scene.attach("x", 20.0)
    assert scene.at(20.0) == ["ask x", "page 0: a b"]


def test_who_waits_behind_others_at_the_vendor_makes_no_page_worth_reading() -> None:
    """It cannot have ended."""
    scene = Scene(leonardo(running_at_once=1))
    scene.run(0.0, *"abcd")
    assert scene.at(1.5) == ["ask a"]
    scene.runs("a", 1.6)
    assert scene.at(25.0) == ["ask a"]


# --- in turns


def test_what_was_learned_is_to_be_fitted_once() -> None:
    """Whoever carries that out does it in steps, and looks again afterwards."""
    scene = Scene(luma())
    scene.run(0.0, "a", "b")
    observation = scene.end("b", 41.0)
    assert observation is not None
    scene.account.schedule.learn(observation, 41.0)
    scene.at(41.0)
    assert scene.to_fit == [scene.phases.queued]
    scene.at(41.0)
    assert scene.to_fit == []
    scene.phases.queued.fit()
    scene.at(41.0)
    assert scene.to_fit == []


def test_a_model_that_turns_out_to_be_quicker_is_planned_again_in_several_turns() -> None:
    """Some jobs in each; until all are done it is to be looked at again at once."""
    scene = Scene(luma(), phases=known())
    for i in range(100):
        scene.resume(f"{i}", 0.0, age=0.0)
    scene.at(0.0)
    before = scene.moment
    teach(scene.phases.queued, [4.0] * 30)
    turns = 1
    assert scene.at(0.5) == []
    while scene.moment == 0.5:
        assert scene.at(0.5) == []
        turns += 1
    assert turns == 3
    assert 0.5 < scene.moment < 5.0 < before


# --- how dear a second of lag is


def test_jobs_that_wait_here_make_lag_dearer() -> None:
    """Each of two that run holds up two of the four that wait for its place."""
    scene = Scene(luma(max_active=2))
    scene.run(0.0, "a", "b")
    scene.submit(*"cdef")
    scene.created(0.1)
    assert scene.account.schedule.lag_weight == 3.0


@pytest.mark.parametrize(("slots", "weight"), [(2, 1.0), (1, 1.0), (3, 3.0)])
def test_a_queue_at_the_vendor_is_never_empty_while_jobs_wait_here(slots: int, weight: float) -> None:
    """Three were accepted: where fewer run at once, another is there to begin, whatever our lag."""
    scene = Scene(leonardo(running_at_once=slots, max_active=3))
    scene.run(0.0, *"abc")
    scene.submit(*"defghi")
    scene.created(0.1)
    assert scene.account.schedule.lag_weight == weight


def test_where_places_are_free_lag_delays_nobody_else() -> None:
    """Who waits here waits for the vendor to be reachable, and not for an end."""
    scene = Scene(luma())
    scene.account.window.unreachable(0.0, 100.0)
    scene.account.queue.put(1, FakeJob("a", scene.submission()))
    assert scene.at(0.0) == []
    assert scene.account.schedule.lag_weight == 1.0


# --- in company


@pytest.mark.parametrize(("left", "asked"), [(2, ["ask first", "ask nearly"]), (1, ["ask first"])])
def test_who_is_nearly_due_is_asked_about_in_company(left: int, asked: list[str]) -> None:
    """The program wakes once for both, where the account has room for one more question."""
    scene = Scene(luma(), phases=known())
    scene.resume("first", 0.0, age=0.0)
    scene.resume("nearly", 0.0, age=-0.01)
    assert scene.at(0.0) == []
    now = scene.moment
    for _ in range(BURST - left):
        scene.account.window.request_sent(now - 0.01)
    assert scene.at(now) == asked


def test_one_plan_is_made_in_one_turn_of_the_loop() -> None:
    """It takes as long as dozens of questions: what else is due comes in the next turn, in its order."""
    phases = PhaseModel(Typical(median=30.0, spread=0.45))
    teach(phases.queued, [30.0] * 12)
    scene = Scene(luma(), phases=phases)
    names = [f"g{i}" for i in range(4)]
    for i, name in enumerate(names):
        scene.attach(name, 0.0, poll_cost=0.05 * 3.0**i)
    assert scene.at(0.0) == [f"ask {name}" for name in names]
    for name in names:
        scene.runs(name, 1.0)
    teach(phases.queued, [300.0] * 60)
    scene.call(200.0, "c")
    lines, made = list[str](), [scene.account.schedule.plans_made]
    scene.moment = 200.0
    while scene.moment <= 200.0:
        lines += scene.at(200.0)
        made.append(scene.account.schedule.plans_made)
    assert max(after - before for before, after in pairwise(made)) == 1
    assert made[-1] - made[0] == 3  # two of these are worth about the same
    assert lines == [*(f"ask {name}" for name in names), "turn c"]
