"""Measured: a thousand jobs of a batch wait, and somebody presses a button; three scopes of very different size."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics

import attrs
from account.scenes import FakeJob, Scene, luma


@attrs.frozen
class Came:
    """A job, and when it comes."""

    at: float
    name: str
    priority: int = 5
    scope: str = ""


def played(jobs: list[Came], *, seed: int = 0) -> tuple[list[str], dict[str, float], dict[str, float]]:
    """In which order their creates are sent, when, and when they end; ten at once, each some thirty seconds."""
    scene, chance = Scene(luma(max_active=10, creates_per_minute=600)), random.Random(seed)
    window, queue, submission = scene.account.window, scene.account.queue, scene.submission()
    seconds = {came.name: chance.lognormvariate(math.log(30.0), 0.45) for came in sorted(jobs, key=lambda c: c.name)}
    events: list[tuple[float, int, Came | str]] = [(came.at, i, came) for i, came in enumerate(jobs)]
    heapq.heapify(events)
    number, order = len(jobs), list[str]()
    sent_at, ended_at = dict[str, float](), dict[str, float]()
    while len(ended_at) < len(jobs):
        now = events[0][0] if events else scene.moment
        if math.isfinite(scene.moment):
            now = min(now, scene.moment)
        while events and events[0][0] <= now:
            event = heapq.heappop(events)[2]
            if isinstance(event, str):
                window.ended(1)
                ended_at[event] = now
            else:
                job = FakeJob(event.name, submission, priority=event.priority, scope=event.scope)
                queue.put(len(scene.jobs) + 1, job)
                scene.jobs[event.name] = job
        for name in scene.created(now):
            scene.accept_only(name, now)
            order.append(name)
            sent_at[name] = now
            number += 1
            heapq.heappush(events, (now + seconds[name], number, name))
    return order, sent_at, ended_at


def batch(count: int = 1000) -> list[Came]:
    return [Came(0.0, f"row{i:04}", priority=3) for i in range(count)]


def test_a_button_is_the_next_create_and_the_batch_hardly_takes_longer() -> None:
    """Ten within the hour, while a thousand wait: each takes the next place, and the batch one per cent longer."""
    buttons = [Came(60.0 + 200.0 * i, f"button{i}", priority=7) for i in range(10)]
    _, _, alone = played(batch())
    order, sent_at, ended_at = played([*batch(), *buttons])
    for button in buttons:
        before = [name for name in order if button.at < sent_at[name] < sent_at[button.name]]
        assert before == [], "something else was sent first"
    together = max(at for name, at in ended_at.items() if name.startswith("row"))
    assert together <= 1.02 * max(alone.values())
    assert max(alone.values()) > 2000.0, "a thousand jobs are no small thing"


def test_a_hundred_buttons_at_once_do_not_stop_the_batch() -> None:
    """Every eighth create is of the batch."""
    order, _, _ = played([*batch(), *(Came(60.0, f"button{i}", priority=7) for i in range(100))])
    first, last = order.index("button0"), order.index("button99")
    rows = [i for i in range(first, last) if order[i].startswith("row")]
    assert 10 <= len(rows) <= 16
    assert max(b - a for a, b in itertools.pairwise(rows)) == 8


def test_three_scopes_of_500_5_and_1_jobs() -> None:
    """The small ones are not behind the big one: they end as if they had a third of the account for themselves."""
    sizes = {"big": 500, "small": 5, "one": 1}
    came = [Came(0.0, f"{scope}{i:03}", scope=scope) for scope, size in sizes.items() for i in range(size)]
    order, sent_at, ended_at = played(came)
    assert order.index("one000") <= 2
    assert [order.index(f"small{i:03}") for i in range(5)] <= [2 + 3 * i for i in range(5)]
    whole = max(ended_at.values())
    assert max(at for name, at in ended_at.items() if not name.startswith("big")) < 0.1 * whole
    assert statistics.mean(sent_at[name] for name in sent_at if name.startswith("big")) > 0.4 * whole
