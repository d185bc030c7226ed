"""`aiogen._account.eta`: how long a job may still take, by what it still waits for."""

from __future__ import annotations

import attrs
import pytest
from account.scenes import Scene, leonardo, luma, too_many

from aiogen._account import eta
from aiogen.errors import Throttle
from aiogen.models import Eta


def quantiles(scene: Scene, wait: float = 0.0) -> Eta:
    """A job that runs after so many seconds."""
    quantile = scene.phases.queued.quantile
    return Eta(wait + quantile(0.5), wait + quantile(0.9), wait + quantile(0.1))


def median(scene: Scene) -> float:
    """Seconds in which half of the generations end: some thirty."""
    return scene.phases.queued.quantile(0.5)


def waiting(scene: Scene, name: str, now: float) -> Eta:
    """Of a job that waits here."""
    return eta.of_waiting(scene.account, scene.jobs[name], scene.phases, now)


def assert_after(found: Eta, scene: Scene, wait: float) -> None:
    """A wait is added as it is; the spread is that of the job's own run."""
    right = quantiles(scene, wait)
    assert (found.seconds, found.low, found.high) == pytest.approx((right.seconds, right.low, right.high))


# --- sent, and running


def test_a_job_on_its_way_takes_what_its_model_takes() -> None:
    """One in ten, half, and nine in ten."""
    scene = Scene(luma())
    found = eta.of_sent(scene.phases)
    assert_after(found, scene, 0.0)
    assert found.low < found.seconds < found.high


def test_one_that_has_run_for_a_while_takes_less() -> None:
    """As far as its model is known, from its acceptance on; never less than nothing."""
    scene = Scene(luma())
    scene.run(100.0, "a")
    assert_after(eta.of_running(scene.account, "a", 100.0), scene, 0.0)
    later = eta.of_running(scene.account, "a", 120.0)
    assert 0.0 < later.low < later.seconds < quantiles(scene).seconds < 20.0 + later.seconds
    assert eta.of_running(scene.account, "a", 1e9).low >= 0.0


def test_one_behind_others_at_the_vendor_waits_for_a_turn_of_theirs() -> None:
    """Two run at once: each place in the queue is half a run."""
    scene = Scene(leonardo(running_at_once=2))
    scene.run(0.0, *"abcd")
    assert_after(eta.of_running(scene.account, "b", 0.0), scene, 0.0)
    assert_after(eta.of_running(scene.account, "c", 0.0), scene, 0.5 * median(scene))
    assert_after(eta.of_running(scene.account, "d", 0.0), scene, 1.0 * median(scene))


# --- waiting here


def test_a_job_that_may_be_sent_now_waits_for_nothing() -> None:
    """Nor one that its account does not hold in its queue: it is on its way."""
    scene = Scene(luma())
    scene.submit("a", "b")
    assert_after(waiting(scene, "a", 0.0), scene, 0.0)
    assert_after(waiting(scene, "b", 0.0), scene, 0.0)
    assert scene.created(0.0) == ["a", "b"]
    assert_after(waiting(scene, "a", 0.0), scene, 0.0)


def test_it_waits_for_the_window() -> None:
    """Three a minute: the fourth is sent when the first has left the window, the seventh a minute after that."""
    scene = Scene(luma(creates_per_minute=3))
    scene.submit(*"abcdefg")
    scene.at(0.0)
    for name in "abc":
        scene.accept_only(name, 5.0)
    assert_after(waiting(scene, "d", 15.0), scene, 50.0)
    assert_after(waiting(scene, "g", 15.0), scene, 110.0)


def test_it_waits_for_the_rate_of_an_account_that_was_slowed_down() -> None:
    """Halved four times, to one create in 32 seconds; two fit into what is left of the window."""
    scene = Scene(luma(creates_per_minute=30))
    scene.submit("a")
    now = 0.0
    for _ in range(4):
        assert scene.created(now) == ["a"]
        scene.refuse("a", now + 1.0, too_many(Throttle.CREATES, 1.0))
        now += 1000.0
    scene.submit(*(f"j{i}" for i in range(40)))
    assert scene.account.window.creates_per_minute == 30 / 16
    # j39 is the forty-first; thirty are in the window's allowance, ten go one by one
    assert_after(waiting(scene, "j39", now), scene, 10 * 32.0)


def test_it_waits_for_places_at_the_vendor() -> None:
    """Two run at once and do: a run for every two that have to end before."""
    scene = Scene(luma(max_active=2))
    scene.run(0.0, "a", "b")
    scene.submit("c", "d", "e")
    assert_after(waiting(scene, "c", 0.0), scene, 0.5 * median(scene))
    assert_after(waiting(scene, "e", 0.0), scene, 1.5 * median(scene))


def test_places_that_are_taken_twice_over_are_none() -> None:
    """What others created was attached here: more than we would have sent."""
    scene = Scene(luma(max_active=2))
    for name in "wxyz":
        scene.attach(name, 0.0)
    scene.submit("a")
    assert_after(waiting(scene, "a", 0.0), scene, 0.5 * median(scene))


def test_it_waits_behind_those_that_the_vendor_has_accepted() -> None:
    """Leonardo takes more than it runs: with two slots the fifth in all is three turns of half a run away."""
    scene = Scene(leonardo(running_at_once=2))
    scene.run(0.0, "a", "b", "c")
    scene.submit("d", "e")
    assert_after(waiting(scene, "d", 0.0), scene, 2 * 0.5 * median(scene))
    assert_after(waiting(scene, "e", 0.0), scene, 3 * 0.5 * median(scene))


def test_with_slots_free_nobody_is_behind() -> None:
    """Ten run at once."""
    scene = Scene(leonardo())
    scene.run(0.0, "a", "b")
    scene.submit("c")
    assert_after(waiting(scene, "c", 0.0), scene, 0.0)


def test_those_that_ended_while_they_waited_are_not_waited_for() -> None:
    """A withdrawn job is before nobody."""
    scene = Scene(luma(max_active=2))
    scene.run(0.0, "a", "b")
    scene.submit("c", "d")
    scene.jobs["c"].done = True
    scene.account.queue.ended(scene.jobs["c"])
    assert_after(waiting(scene, "d", 0.0), scene, 0.5 * median(scene))


def test_a_batch_waits_for_those_who_wait_in_person() -> None:
    """Those that come later as well, for they go first; and they do not wait for it, but for its share."""
    scene = Scene(luma(max_active=1))
    scene.run(0.0, "a")
    scene.submit("row")
    scene.jobs["row"].priority = 3
    scene.account.queue.drain()
    scene.account.queue.put(1, scene.jobs["row"])
    assert_after(waiting(scene, "row", 0.0), scene, median(scene))
    for number in range(2, 12):
        job = scene.jobs[f"b{number}"] = attrs.evolve(scene.jobs["row"], id=f"b{number}", priority=7)
        scene.account.queue.put(number, job)
    assert_after(waiting(scene, "b2", 0.0), scene, median(scene))
    assert_after(waiting(scene, "row", 0.0), scene, 8 * median(scene))
    assert_after(waiting(scene, "b9", 0.0), scene, 9 * median(scene))


def test_of_a_job_that_another_process_follows() -> None:
    """By its age since the acceptance; by its beginning where that foretells better and is known."""
    scene = Scene(luma())
    phases = scene.phases
    assert eta.of_remote(phases, 0.0, None).seconds == pytest.approx(median(scene), rel=0.05)
    assert eta.of_remote(phases, 0.0, 5.0) == eta.of_remote(phases, 0.0, None)
    phases._others_lead = 3.0  # the beginning foretells better
    assert phases.by_beginning
    begun = eta.of_remote(phases, 500.0, 0.0)
    assert begun.seconds == pytest.approx(phases.processing.quantile(0.5), rel=0.05)
