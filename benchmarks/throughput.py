"""How fast a batch gets through an account's limits, and what every job's waiting looks like: on a virtual clock."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from random import Random
from statistics import fmean, quantiles

from benchmarks import results
from benchmarks.distributions import DISTRIBUTIONS, USUAL
from benchmarks.results import Row
from benchmarks.virtual import CLIENTS, HALVED, LUMA, MINUTE, RAISED, Life, Limits, Run, Vendor, meet

PACE = 0.2
"""Seconds between two jobs where no limit is in the way."""


def run(*, quick: bool = False) -> list[Row]:
    """500 jobs behind Luma's limits, the same with limits halved midway, and the life of each job."""
    jobs, seeds = (60, 1) if quick else (500, 3)
    with ProcessPoolExecutor() as pool:
        going = {
            (name, seed, kind): pool.submit(meet, name, vendor, pace)
            for name, seed in product(CLIENTS, range(seeds))
            for kind, vendor, pace in _vendors(seed, jobs, free=100 if quick else 500)
        }
        done = {key: future.result() for key, future in going.items()}
    rows = [_steady(name, [done[name, seed, "steady"] for seed in range(seeds)]) for name in CLIENTS]
    rows += [_halved(name, [done[name, seed, "halved"] for seed in range(seeds)]) for name in CLIENTS]
    rows += [_free(name, done[name, 0, "free"]) for name in CLIENTS]
    free = {name: done[name, 0, "free"].vendor.lives for name in CLIENTS}
    lives = {name: [[life.accepted_at, life.ends_at, life.looks] for life in free[name]] for name in CLIENTS}
    results.write("throughput", rows, {"lives": lives})
    results.show(rows)
    return rows


def _vendors(seed: int, jobs: int, free: int) -> list[tuple[str, Vendor, float]]:
    found = [
        ("steady", Vendor(_draw(seed, jobs), LUMA), 0.0),
        ("halved", Vendor(_draw(100 + seed, jobs), LUMA, later=HALVED), 0.0),
    ]
    # For the picture one is enough.
    return found + ([("free", Vendor(_draw(7, free), RAISED), PACE)] if seed == 0 else [])


def _draw(seed: int, jobs: int) -> list[float]:
    chance = Random(seed)
    return [DISTRIBUTIONS[USUAL].sample(chance) for _ in range(jobs)]


def ideal(durations: Sequence[float], limits: Limits, now: float = 0.0, before: Sequence[Life] = ()) -> list[Life]:
    """The jobs accepted as early as the limits allow, after those that were accepted `before`.

    Whoever does this knows every end at once, and needs no network.
    """
    running = [life.ends_at for life in before if life.ends_at > now]
    heapq.heapify(running)
    recent = deque((life.accepted_at for life in before), maxlen=limits.per_minute)
    lives = []
    for duration in durations:
        while running and running[0] <= now:
            heapq.heappop(running)
        while len(running) >= limits.active:
            now = max(now, heapq.heappop(running))
        if len(recent) == limits.per_minute:
            now = max(now, recent[0] + MINUTE)
        lives.append(Life(now, now + duration))
        recent.append(now)
        heapq.heappush(running, now + duration)
    return lives


def _steady(name: str, runs: Sequence[Run]) -> Row:
    found = []
    for done in runs:
        best = max(life.ends_at for life in ideal(done.vendor.durations, LUMA))
        found.append(
            {
                "makespan": done.seconds,
                "ideal": best,
                "over": done.seconds / best,
                "429s": float(len(done.vendor.refusals)),
                "failed": float(done.failed),
                **_questions(done.vendor.lives),
            }
        )
    note = f"{len(runs[0].vendor.lives)} jobs, {LUMA.active} active, {LUMA.per_minute}/min"
    return Row("behind Luma's limits", name, _means(found), note)


def _halved(name: str, runs: Sequence[Run]) -> Row:
    found = []
    for done in runs:
        vendor, changed = done.vendor, done.vendor.changed_at
        half = len(vendor.durations) // 2
        before, ours = vendor.lives[:half], vendor.lives[half:]
        best = ideal(vendor.durations[half:], HALVED, changed, before)
        found.append(
            {
                "failed": float(done.failed),
                "429s": float(len(vendor.refusals)),
                "rate after a minute": _rate(ours, changed) / _rate(best, changed),
                "over": (max(x.looks[-1] for x in vendor.lives) - changed) / (max(x.ends_at for x in best) - changed),
            }
        )
    jobs = len(runs[0].vendor.durations)
    note = f"{jobs} jobs; from the middle on {HALVED.active} active, {HALVED.per_minute}/min"
    return Row("limits halved midway", name, _means(found), note)


def _rate(lives: Sequence[Life], changed: float) -> float:
    """Jobs accepted per second, from one minute after the change to the last."""
    after = [life.accepted_at for life in lives if life.accepted_at > changed + MINUTE]
    return len(after) / (max(after) - changed - MINUTE) if after else 0.0


def _free(name: str, done: Run) -> Row:
    note = f"{len(done.vendor.lives)} jobs, one every {PACE:g} s, no limit in the way"
    return Row("each job's life", name, {"failed": float(done.failed), **_questions(done.vendor.lives)}, note)


def _questions(lives: Sequence[Life]) -> dict[str, float]:
    lags = [life.lag for life in lives]
    return {
        "looks per job": fmean(len(life.looks) for life in lives),
        "mean lag": fmean(lags),
        "95 % lag": quantiles(lags, n=20)[-1],
    }


def _means(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: fmean(one[name] for one in found) for name in found[0]}


if __name__ == "__main__":
    results.main(run)
