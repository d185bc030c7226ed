"""`aiogen._account.deciding`: whether an answer leaves anything to do before the next look."""

from __future__ import annotations

from account.scenes import Scene, leonardo, luma, too_many

from aiogen._account.deciding import rests_until
from aiogen._polling.phases import PhaseModel
from aiogen.errors import Throttle
from aiogen.models import Typical


def running() -> Scene:
    """One generation runs, and the account has nothing else to do until the next question about it."""
    scene = Scene(luma())
    scene.run(0.0, "a")
    scene.at(0.5)
    return scene


def test_it_rests_until_the_next_question() -> None:
    scene = running()
    when = scene.moment
    assert rests_until(scene.account, when, 0.5)
    assert not rests_until(scene.account, when + 1.0, 0.5), "the question comes before that look"


def test_it_rests_for_good_where_nothing_runs() -> None:
    scene = Scene(luma())
    scene.at(0.0)
    assert rests_until(scene.account, 1e9, 0.0)


def test_it_does_not_rest_while_something_waits() -> None:
    scene = running()
    scene.submit("b")
    assert not rests_until(scene.account, 0.6, 0.5)
    scene = running()
    scene.call(0.5, "a call")
    assert not rests_until(scene.account, 0.6, 0.5)


def test_it_does_not_rest_while_others_use_the_account_or_the_vendor_holds_it() -> None:
    scene = running()
    scene.account.shared_budget.is_shared = True
    assert not rests_until(scene.account, 0.6, 0.5)
    scene = running()
    scene.submit("b")
    assert scene.created(0.5) == ["b"]
    scene.refuse("b", 0.6, too_many(Throttle.CREATES, retry_after=30.0))
    scene.account.queue.drain()
    assert not rests_until(scene.account, 0.7, 0.6)


def test_it_does_not_rest_while_the_schedule_has_news() -> None:
    scene = Scene(leonardo(), phases=PhaseModel(Typical(median=30.0, spread=0.45)))
    scene.run(0.0, *(f"job-{i}" for i in range(3)))
    scene.at(0.5)
    for i in range(3):
        observation = scene.end(f"job-{i}", 10.0 + i)
        if observation is not None:
            scene.account.schedule.learn(observation, 10.0 + i)
    assert scene.account.schedule.has_news
    assert not rests_until(scene.account, 13.0, 12.5)
