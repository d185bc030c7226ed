"""`aiogen._account.account`: generations that are followed, from their acceptance until they are left."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from itertools import pairwise

import pytest
from account.scenes import Scene, leonardo, luma
from polling.teaching import one_job

from aiogen._account.track import Track
from aiogen._polling.phases import PhaseModel
from aiogen.exchange import Ticket
from aiogen.models import State, Typical

HOUR = 3600.0


@lru_cache
def learned() -> str:
    """What is stored of a model of which eight generations were seen to end after some thirty seconds."""
    phases = PhaseModel(Typical(median=30.0))
    for i in range(8):
        one_job(phases.queued, [26.5 + 0.75 * i], 27.0 + 0.75 * i)
    return json.dumps(phases.to_json())


def known() -> PhaseModel:
    """Of this model no generation is looked at early."""
    return PhaseModel.from_json(Typical(median=30.0), json.loads(learned()))


# --- beginning


@pytest.mark.parametrize("is_ours", [True, False])
def test_many_that_were_left_behind_are_not_asked_about_at_once(is_ours: bool) -> None:
    """A single one is; of many each has its part of the time from one question to the next."""
    scene = Scene(luma(), phases=known())
    scene.resume("alone", 100.0, age=40.0, is_ours=is_ours)
    assert scene.at(100.0) == ["ask alone"]
    scene = Scene(luma(), phases=known())
    for i in range(1, 5):
        scene.resume(f"{i}", 100.0, age=40.0, is_ours=is_ours, part=i / 4)
    assert scene.at(100.0) == []
    moments = []
    for i in range(1, 5):
        moments.append(scene.moment)
        assert scene.at(scene.moment) == [f"ask {i}"]
    steps = [later - earlier for earlier, later in pairwise([100.0, *moments])]
    assert steps == pytest.approx([steps[0]] * 4)


def test_ours_is_asked_about_as_its_model_plans() -> None:
    """Accepted just now, it cannot be over: nothing is asked at once."""
    scene = Scene(luma(), phases=known())
    scene.run(100.0, "a")
    assert scene.at(100.0) == []
    assert 110.0 < scene.moment <= 130.0
    assert scene.at(scene.moment) == ["ask a"]


def test_a_moment_that_its_model_has_put_off_meanwhile_passes_without_a_question() -> None:
    """Others took three times as long: it is planned again when its moment comes."""
    scene = Scene(luma(), phases=known())
    scene.run(0.0, "a")
    scene.at(0.0)
    planned = scene.moment
    for _ in range(20):
        one_job(scene.phases.queued, [90.0], 91.0)
    scene.phases.queued.fit()
    assert scene.at(planned) == []
    assert planned + 0.5 < scene.moment < math.inf
    assert scene.at(scene.moment) == ["ask a"]


def test_many_that_were_put_off_are_planned_again_in_parts() -> None:
    """Some in one turn of the loop, the others in the next ones."""
    wide = luma(max_active=1000, creates_per_minute=1000, requests_per_minute=1_000_000)
    scene = Scene(wide, phases=known(), max_in_flight=1000)
    for i in range(150):
        scene.run(0.001 * i, f"j{i}")
    scene.at(0.15)
    planned = scene.moment + 0.2
    for _ in range(20):
        one_job(scene.phases.queued, [90.0], 91.0)
    scene.phases.queued.fit()
    turns = 0
    while not turns or scene.moment == planned:
        assert scene.at(planned) == []
        turns += 1
    assert 2 <= turns <= 6
    assert planned < scene.moment < math.inf


def test_an_attached_one_is_asked_about_at_once() -> None:
    """Nobody knows how far it is."""
    scene = Scene(luma(), phases=known())
    scene.attach("x", 100.0)
    assert scene.at(100.0) == ["ask x"]


def test_one_of_a_session_before_counts_from_its_acceptance() -> None:
    """It was accepted 28 seconds ago, when most end: so it is asked about sooner than a new one."""
    scene = Scene(luma(), phases=known())
    scene.resume("a", 100.0, age=28.0)
    assert scene.began_at("a", 100.0, 72.0)
    assert scene.at(100.0) == ["ask a"]


def test_what_is_followed_takes_its_place_at_the_vendor_until_it_is_left() -> None:
    """Ours and others' alike; a second job for the same generation takes none."""
    scene = Scene(luma(max_active=3))
    scene.attach("x", 0.0)
    scene.attach("again", 0.0, to="x")
    scene.run(0.0, "a", "b")
    scene.submit("c")
    assert scene.created(1.0) == []
    scene.end("x", 2.0)
    assert scene.created(2.0) == ["c"]


def test_two_creates_that_were_answered_with_one_id_free_both_places_at_its_end() -> None:
    """The vendor may count both until then; afterwards neither."""
    scene = Scene(luma(max_active=2))
    scene.submit("a", "b", "c", "d")
    assert scene.created(0.0) == ["a", "b"]
    scene.accept("a", 1.0)
    track = scene.accept("b", 1.0, given="a")
    assert track.jobs == [scene.jobs["a"], scene.jobs["b"]]
    scene.end("a", 2.0)
    assert scene.account.window.active == 0
    assert scene.created(2.0) == ["c", "d"]


# --- what a question about it is worth


def test_a_second_job_lowers_the_price_and_asks_at_once() -> None:
    """It is in a hurry: ask now, and often from then on."""
    scene, patient = Scene(luma(), phases=known()), Scene(luma(), phases=known())
    for each in (scene, patient):
        each.run(0.0, "a", poll_cost=2.0)
        assert each.at(5.0) == []
    track = scene.attach("hurried", 5.0, to="a", poll_cost=0.01)
    assert track is scene.account.tracks["a"]
    assert track.price == 0.01
    assert scene.at(5.0) == ["ask a"]
    scene.runs("a", 5.0)
    assert (scene.at(5.0), patient.at(5.0)) == ([], [])
    assert scene.moment < patient.moment - 1.0


def test_who_attaches_after_a_hurried_waiters_deadline_is_polled_at_his_own_price() -> None:
    """The hurried one waits no longer: the moments are those of a generation that only the patient one has."""
    scene, alone = Scene(luma(), phases=known()), Scene(luma(), phases=known())
    scene.run(0.0, "hurried", poll_cost=0.01)
    alone.run(0.0, "hurried", poll_cost=2.0)
    alone.jobs["hurried"].done = scene.jobs["hurried"].done = True
    moments = []
    for each in (scene, alone):
        track = each.attach("patient", 5.0, to="hurried", poll_cost=2.0)
        assert track.price == 2.0
        assert each.at(5.0) == ["ask hurried"]
        each.runs("hurried", 5.0)
        each.at(5.0)
        moments.append(each.moment)
    assert moments[0] == moments[1] > 15.0


def test_nobody_left_to_wait_makes_questions_infinitely_dear() -> None:
    """The price is the least of those who still wait."""
    scene = Scene(luma())
    track = scene.attach("x", 0.0, poll_cost=2.0)
    scene.attach("y", 0.0, to="x", poll_cost=0.5)
    assert (track.price, track.is_awaited) == (0.5, True)
    scene.jobs["y"].done = True
    assert (track.price, track.is_awaited) == (2.0, True)
    scene.jobs["x"].done = True
    assert (track.price, track.is_awaited) == (math.inf, False)


@pytest.mark.parametrize("has_list", [True, False])
def test_those_that_share_a_page_are_asked_about_sooner(has_list: bool) -> None:
    """A tenth of a question is worth less waiting than a whole one; without the list nothing is shared."""
    alone, many = Scene(leonardo(), phases=known()), Scene(leonardo(requests_per_minute=600), phases=known())
    for scene, names in ((alone, "a"), (many, "abcdefghij")):
        if not has_list:
            scene.account.listing.refused(0.0)
        scene.run(0.0, *names)
        assert scene.at(0.0) == []
    assert (many.moment < alone.moment - 0.5) is has_list


def test_a_generation_is_planned_by_who_waits_when_it_is_accepted() -> None:
    """Nine came while its create was on its way: it is asked about sooner than one that holds up nobody."""
    moments = []
    for behind in ("", "bcdefghij"):
        scene = Scene(luma(max_active=1), phases=known())
        scene.submit("a")
        assert scene.created(0.0) == ["a"]
        scene.submit(*behind)
        scene.accept("a", 1.0)
        scene.at(1.0)
        moments.append(scene.moment)
    assert moments[1] < moments[0] - 0.5


# --- when nobody waits


def test_what_nobody_waits_for_is_asked_about_twice_a_minute_until_somebody_waits_again() -> None:
    """It still takes its place at the vendor."""
    scene = Scene(luma(), phases=known())
    track = scene.attach("x", 0.0)
    scene.at(0.0)
    scene.jobs["x"].done = True
    scene.account.slow_down(track)
    scene.runs("x", 0.5)
    assert scene.at(1.0) == []
    assert scene.moment == 30.0
    scene.attach("y", 10.0, to="x")
    assert scene.at(10.0) == ["ask x"]
    scene.runs("x", 10.0)
    assert scene.at(10.0) == []
    assert scene.moment < 40.0


def test_a_generation_is_left_after_an_hour_only_if_nobody_waits() -> None:
    """Luma forgets an active job after an hour, and so does the window."""
    scene = Scene(luma(max_active=1))
    scene.run(100.0, "a")
    track = scene.account.tracks["a"]
    scene.submit("b")
    assert not scene.account.drained(track, 100.0 + 2 * HOUR)
    scene.jobs["a"].done = True
    assert not scene.account.drained(track, 99.9 + HOUR)
    assert scene.created(99.9 + HOUR) == []
    assert scene.account.drained(track, 100.0 + HOUR)
    assert scene.account.tracks == {}
    assert scene.created(100.0 + HOUR) == ["b"]


# --- the end


def test_an_end_teaches() -> None:
    """Between which two answers it was."""
    scene = Scene(luma(), phases=known())
    scene.run(0.0, "a")
    scene.at(20.0)
    scene.runs("a", 21.0)
    observation = scene.end("a", 26.0)
    assert observation is not None
    before = scene.phases.seen
    scene.account.schedule.learn(observation, 26.0)
    assert scene.phases.seen == before + 1


def test_the_end_of_what_was_attached_teaches_nothing() -> None:
    """Nobody knows when it was accepted."""
    scene = Scene(luma())
    scene.attach("x", 0.0)
    assert scene.end("x", 26.0) is None


def test_what_is_only_left_teaches_nothing() -> None:
    """Its key was refused, or it is another process's now: that is no end."""
    scene = Scene(luma())
    scene.run(0.0, "a")
    assert scene.account.leave(scene.account.tracks["a"], 26.0) is None
    assert scene.account.tracks == {}
    assert scene.account.window.active == 0


def test_a_generation_is_left_once() -> None:
    """A late second answer frees no place of another, nor the same id that is followed again."""
    scene = Scene(luma())
    scene.run(0.0, "a", "b")
    track = scene.account.tracks["a"]
    assert scene.end("a", 10.0) is not None
    assert scene.account.leave(track, 10.5, over=True) is None
    assert scene.account.window.active == 1
    scene.attach("again", 11.0, to="a")
    assert scene.account.leave(track, 12.0, over=True) is None
    assert set(scene.account.tracks) == {"a", "b"}


# --- one behind the other at the vendor


def queue_of(*names: str) -> Scene:
    """Accepted together at moment 0; the vendor runs the first of them."""
    scene = Scene(leonardo(running_at_once=1, requests_per_minute=600), phases=known())
    scene.run(0.0, *names)
    return scene


def asked(scene: Scene, name: str, at: float) -> None:
    """An answer says that it ran at this moment."""
    scene.account.schedule.ask_now(name, at)
    assert f"ask {name}" in scene.at(at)
    scene.runs(name, at)


def is_held(scene: Scene, name: str, now: float) -> bool:
    """True if it is believed to wait behind others."""
    return scene.account.schedule.remaining(name, now, (0.5,)) is None


def test_the_next_begins_in_the_middle_between_the_last_two_answers() -> None:
    """The one before ran at 29, and was over at 31."""
    scene = queue_of("a", "b", "c")
    asked(scene, "a", 29.0)
    assert is_held(scene, "b", 29.0)
    assert scene.end("a", 31.0) is not None
    assert scene.began_at("b", 31.0, 30.0)
    assert is_held(scene, "c", 31.0)


def test_the_next_began_at_most_three_seconds_before_that_was_seen() -> None:
    """Between two answers far apart the later part is likelier: nobody asks so seldom about what may be over."""
    scene = queue_of("a", "b")
    asked(scene, "a", 10.0)
    scene.end("a", 31.0)
    assert scene.began_at("b", 31.0, 28.0)


def test_the_next_begins_now_if_nobody_knows_how_long_the_one_before_ran() -> None:
    """It was there when the session began."""
    scene = Scene(leonardo(running_at_once=1), phases=known())
    scene.resume("a", 0.0, age=20.0)
    scene.run(0.0, "b")
    scene.end("a", 31.0)
    assert scene.began_at("b", 31.0, 31.0)


def test_an_end_too_early_teaches_nothing() -> None:
    """It must have begun before it was thought to."""
    scene = queue_of("a", "b", "c")
    asked(scene, "a", 29.0)
    scene.end("a", 31.0)
    assert scene.end("b", 33.0) is None
    assert scene.began_at("c", 33.0, 31.5)
    assert scene.end("c", 60.0) is not None


def test_three_ends_too_early_in_a_row_prove_more_slots_and_that_those_behind_have_run_always() -> None:
    """Twice as many run at once, from the acceptance on."""
    scene = queue_of(*"abcdefg")
    asked(scene, "a", 29.0)
    scene.end("a", 31.0)
    for name, now in (("b", 32.0), ("c", 33.0)):
        assert scene.end(name, now) is None
    assert is_held(scene, "e", 33.0)
    assert scene.end("d", 34.0) is None
    assert scene.account.vendor_queue.slots == 2
    assert scene.began_at("e", 34.0, 0.0)
    assert scene.began_at("f", 34.0, 0.0)
    assert is_held(scene, "g", 34.0)


def test_one_that_ends_while_it_should_have_waited_proves_that_those_before_it_ran_always() -> None:
    """What was thought to have begun late began when it was accepted."""
    scene = queue_of(*"abcde")
    asked(scene, "a", 29.0)
    scene.end("a", 31.0)
    assert scene.began_at("b", 31.0, 30.0)
    assert scene.end("d", 32.0) is None
    assert [scene.began_at(name, 32.0, 0.0) for name in "bce"] == [True, True, True]


def test_what_is_only_left_proves_nothing_of_the_vendors_queue() -> None:
    """Its key was refused three times while it waited there: that is no end, and no slot."""
    scene = queue_of(*"abcdefgh")
    for name in "hgf":
        scene.account.leave(scene.account.tracks[name], 5.0)
    assert scene.account.vendor_queue.slots == 1
    assert is_held(scene, "b", 5.0)
    for now, name in enumerate("abcd", 6):
        scene.account.leave(scene.account.tracks[name], float(now))
    assert scene.account.vendor_queue.slots == 1
    assert scene.began_at("e", 9.0, 9.0)


def test_the_vendor_says_whose_account_it_is_and_how_many_run_at_once() -> None:
    """Those that were thought to wait have run since they were accepted: the slots were there before, too."""
    scene = queue_of(*"abcd")
    assert scene.account.user_id is None
    scene.identify(10.0, slots=3)
    assert scene.account.user_id == "u-1"
    assert [scene.began_at(name, 10.0, 0.0) for name in "abc"] == [True, True, True]
    assert is_held(scene, "d", 10.0)


def test_a_vendor_that_says_no_slots_says_whose_account_it_is() -> None:
    """What was believed of its queue stays."""
    scene = queue_of("a", "b")
    scene.identify(10.0)
    assert scene.account.user_id == "u-1"
    assert is_held(scene, "b", 10.0)


# --- a question that broke


def test_after_a_question_broke_it_is_asked_again_in_half_a_minute() -> None:
    """A bug of ours, or of a store, must not end what was paid for, nor be met again at once."""
    scene = Scene(luma())
    scene.attach("x", 0.0)
    assert scene.at(0.0) == ["ask x"]
    scene.account.read_finished()
    scene.account.give_up_question("x", 1.0)
    assert scene.at(1.0) == []
    assert scene.moment == 31.0
    assert scene.at(31.0) == ["ask x"]


def test_a_question_that_broke_after_its_answer_was_counted_changes_nothing() -> None:
    """Its next moment is planned already, or it is followed no more."""
    scene = Scene(luma())
    scene.attach("x", 0.0)
    scene.at(0.0)
    scene.runs("x", 0.5)
    scene.at(0.5)
    planned = scene.moment
    scene.account.give_up_question("x", 1.0)
    scene.account.give_up_question("unheard of", 1.0)
    scene.at(1.0)
    assert scene.moment == planned


# --- what is kept of it


def test_a_good_answer_forgets_the_failures_before_it() -> None:
    """But for outputs that were missing: those were good answers."""
    track = Track(luma(), Ticket(provider_id="x"), State.QUEUED, 0.0, 1, is_ours=False)
    track.failures, track.not_found, track.auth_refusals = 3, 2, 1
    track.missing_since, track.missing_outputs, track.last_error = 5.0, 2, ValueError("odd")
    track.forget_failures()
    assert (track.failures, track.not_found, track.auth_refusals) == (0, 0, 0)
    assert (track.missing_since, track.missing_outputs, track.last_error) == (math.inf, 2, None)
    assert (track.key, track.is_awaited) == ("x", False)


@pytest.mark.parametrize("how", ["attached", "ours"])
def test_a_generation_knows_whether_it_is_ours(how: str) -> None:
    """ "Not found" may then mean "not yet"."""
    scene = Scene(luma())
    if how == "ours":
        scene.run(5.0, "x")
    else:
        scene.attach("x", 5.0)
    track = scene.account.tracks["x"]
    assert (track.is_ours, track.state, track.accepted_at) == (how == "ours", State.QUEUED, 5.0)


# --- hints


@pytest.mark.parametrize("proved", [True, False])
def test_a_hint_before_the_create_was_answered_is_kept(proved: bool) -> None:
    """Of a vendor that has proved to be it the first question comes at once, else after one floor."""
    scene = Scene(leonardo(), phases=known())
    scene.submit("a")
    assert scene.at(0.0) == ["create a"]
    assert not scene.account.heard("a", 5.0, proved=proved)
    scene.accept("a", 6.0)
    assert scene.account.schedule.wake_at() == (6.0 if proved else 7.0)


def test_the_end_that_a_question_has_found_is_looked_at_and_no_other() -> None:
    """Was it announced?  Of an end that no question of ours has found, nobody can say."""
    scene = Scene(leonardo(), phases=known())
    for i in range(40):
        name, now = f"job-{i}", 10.0 * i
        scene.run(now, name)
        assert scene.account.heard(name, now + 1.0, proved=True)
        assert scene.at(now + 1.0) == [f"ask {name}"]
        scene.account.read_finished()
        track = scene.account.tracks[name]
        scene.account.leave(track, now + 2.0, over=True, sent_at=now + 1.0 if i >= 20 else None)
        [(_, known_of_it)] = scene.account.schedule._groups._announcements.values()
        assert (known_of_it.price_factor(0) > 1.0) is (i >= 20)


def test_hints_that_come_late_are_noticed() -> None:
    """The account is looked at again, in time, to decide that none has come."""
    scene = Scene(leonardo(), phases=known())
    for i in range(22):
        name, now = f"job-{i}", 10.0 * i
        scene.run(now, name)
        if i < 20:
            scene.account.heard(name, now + 1.0, proved=True)
        else:
            scene.account.schedule.ask_now(name, now + 1.0)
        assert scene.at(now + 1.0) == [f"ask {name}"]
        scene.account.read_finished()
        scene.account.leave(scene.account.tracks[name], now + 2.0, over=True, sent_at=now + 1.0)
    [(_, known_of_it)] = scene.account.schedule._groups._announcements.values()
    before = known_of_it.price_factor(0)
    scene.at(211.1)
    assert scene.moment == 211.25
    assert not scene.account.heard("job-21", 211.2, proved=True), "it was quicker by a fifth of a second, and no more"
    scene.at(211.25)
    assert scene.moment == math.inf
    assert known_of_it.price_factor(0) == before
