"""`aiogen._account.choosing` and `scope_use`: one scope asks for much, and others come."""

from __future__ import annotations

import math

import pytest
from account.scenes import FakeJob, Scene, luma

from aiogen._account.actions import SendCreate
from aiogen._account.choosing import Choice
from aiogen._limits.rate import Rate


def scene(places: int = 10, creates: int = 1000) -> Scene:
    """Requests are no matter."""
    made = Scene(luma(max_active=places, creates_per_minute=creates))
    made.account.window._requests = Rate(per_minute=1e9, burst=1e6)
    return made


def wants(scene: Scene, scope: str, *names: str, priority: int = 5) -> None:
    """Jobs of a scope wait for their turn."""
    for name in names:
        job = FakeJob(name, scene.submission(), scope=scope, priority=priority)
        scene.jobs[name] = job
        scene.account.queue.put(len(scene.jobs), job)


def goes(scene: Scene, now: float) -> list[str]:
    """What it sends, which is accepted at once."""
    sent = scene.created(now)
    for name in sent:
        scene.accept(name, now)
    return sent


def flood(count: int = 30) -> list[str]:
    return [f"f{i:02}" for i in range(count)]


def test_a_scope_that_is_alone_has_all_places() -> None:
    at = scene()
    wants(at, "flood", *flood())
    assert goes(at, 0.0) == flood(10)
    at.end("f00", 5.0)
    assert goes(at, 5.0) == ["f10"]


@pytest.mark.parametrize(("places", "has"), [(10, 9), (20, 18), (4, 3), (3, 3), (1, 1)])
def test_as_soon_as_there_is_another_a_tenth_is_kept(places: int, has: int) -> None:
    """Of few places none is."""
    at = scene(places)
    wants(at, "ann", "a1")
    goes(at, 0.0)
    at.end("a1", 1.0)
    wants(at, "flood", *flood())
    assert goes(at, 1.0) == flood(has)
    wants(at, "ann", "a2")
    assert goes(at, 2.0) == (["a2"] if has < places else [])


def test_it_is_kept_for_a_minute_after_the_other_s_last_job() -> None:
    """And then it is taken, though nothing else happens."""
    at = scene()
    wants(at, "ann", "a1")
    goes(at, 0.0)
    at.end("a1", 1.0)
    wants(at, "flood", *flood())
    goes(at, 2.0)
    assert goes(at, 60.9) == []
    at.at(60.9)
    assert at.moment <= 61.0
    assert goes(at, 61.0) == ["f09"]


def test_the_next_free_place_is_for_others_while_the_last_one_is_not_free() -> None:
    at = scene()
    wants(at, "ann", "a1")
    goes(at, 0.0)
    wants(at, "flood", *flood())
    assert goes(at, 1.0) == flood(8)
    wants(at, "ben", "b1", "b2")
    assert goes(at, 2.0) == ["b1"]
    at.end("f00", 3.0)
    assert goes(at, 3.0) == ["b2"]
    at.end("f01", 4.0)
    assert goes(at, 4.0) == []
    at.end("f02", 5.0)
    assert goes(at, 5.0) == ["f08"]


def test_another_scope_s_batch_goes_too_where_all_that_is_more_urgent_is_held() -> None:
    at = scene()
    wants(at, "flood", *flood(), priority=7)
    wants(at, "ann", "a1", "a2", priority=3)
    sent = goes(at, 0.0)
    assert sent[7] == "a1"
    assert sent[-1] == "a2"
    assert len(sent) == 10


def test_what_was_put_back_is_counted_no_more_and_goes_before_its_scope_s_others() -> None:
    at = scene()
    wants(at, "ann", "a1")
    goes(at, 0.0)
    wants(at, "flood", *flood())
    assert at.created(1.0) == flood(8)
    at.withhold("f03")
    for name in flood(8):
        if name != "f03":
            at.accept(name, 1.0)
    assert goes(at, 2.0) == ["f03"]
    assert goes(at, 3.0) == []


def test_one_that_is_sent_again_before_its_first_try_is_dealt_with_counts_once() -> None:
    at = scene()
    wants(at, "flood", "f1")
    at.created(0.0)
    first = at.creates["f1"]
    at.account.withheld(first)
    at.account.queue.put(first.number, first.job)
    at.created(0.0)
    at.account.create_finished(first)
    again = at.creates["f1"]
    assert isinstance(again, SendCreate)
    assert again is not first
    assert at.account.scope_use.running([]) == {"flood": 1}


def test_the_creates_of_a_minute_are_kept_as_places_are() -> None:
    """Of thirty the last three; they are there again when those of the flood have left the minute."""
    at = scene(places=500, creates=30)
    wants(at, "ann", "a1")
    goes(at, 0.0)
    wants(at, "flood", *flood(100))
    sent = goes(at, 1.0)
    while more := goes(at, 1.0):
        sent += more
    assert sent == flood(26)
    choice = Choice(at.account, 2.0)
    assert choice.weight_of_first() is None
    assert choice.looks_again_at() == 60.0, "the first create leaves the minute"
    wants(at, "ann", "a2", "a3", "a4", "a5")
    assert goes(at, 30.0) == ["a2", "a3", "a4"]
    assert goes(at, 60.0) == ["a5"]
    assert goes(at, 61.0) == [f"f{i}" for i in range(26, 26 + 23)]
    assert at.account.scope_use.created_lately(61.0) == {"ann": 4, "flood": 23}


def test_the_ledger_may_say_that_what_is_left_is_for_others() -> None:
    """Then those go at once, and the scope looks again."""
    at = scene()
    wants(at, "flood", "f1")
    at.account.scope_use.hold("flood", 0.5)
    assert goes(at, 0.0) == []
    assert at.moment == 0.5
    wants(at, "ann", "a1")
    assert goes(at, 0.1) == ["a1"]
    assert goes(at, 0.5) == ["f1"]


def test_nothing_is_held_where_nothing_waits() -> None:
    at = scene()
    at.at(0.0)
    assert at.moment == math.inf
