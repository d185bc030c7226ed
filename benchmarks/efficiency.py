"""How near aiogen's schedule comes to the best there is, and how far others are from it.

Nothing is sent and nothing is waited for: a schedule's cost is computed from the true distribution (`optimum`), and
only the jobs that a belief is learned from are drawn by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count, product
from random import Random
from statistics import fmean
from typing import Any

from aiogen._polling.durations import DurationModel
from aiogen._polling.plan import Plan
from aiogen._polling.survival import EDGES
from benchmarks import results
from benchmarks.distributions import DISTRIBUTIONS, USUAL, Distribution, Lognormal, quantile
from benchmarks.learning import SHIFT, TYPICAL, Course, Findings, judged, take
from benchmarks.optimum import Outcome, asked, bound, efficiency, optimum, outcome, price_for
from benchmarks.policies import Peer, after, fixed, peers, root_of_hazard
from benchmarks.results import Row

PRICE = 0.15
"""The default poll_cost."""
ASKED = (3, 4, 6, 8, 12)
"""Requests per job that the exact optimum makes, at the prices that known durations are tried with."""
COUNTS = (5, 20, 50, 200)
CURVE = (1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 75, 100, 140, 200)
SHIFTED = (10, 20, 50)
PRICES = (0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0)
"""Of the line in the picture: what a user gets for other values of poll_cost."""
BATCH = 20


def run(*, quick: bool = False) -> list[Row]:
    """The schedule against the optimum, learned from nothing, after a change, and beside others."""
    names = [USUAL, "uniform 10-30 s", "two humps, 12 s and 39 s"] if quick else list(DISTRIBUTIONS)
    seeds = 1 if quick else 20
    courses = _courses(names, seeds, prices=PRICES[::3] if quick else PRICES)
    with ProcessPoolExecutor() as pool:
        found = dict(zip(courses, pool.map(take, courses.values(), chunksize=1), strict=True))
    rows = [_known(name, ASKED[:3:2] if quick else ASKED) for name in names]
    rows += [row for name in names for row in _learned(name, found, seeds)]
    rows += [_cold(name, DISTRIBUTIONS[name]) for name in names]
    rows += [_cold(f"lognormal {mean:g} s, CV 0.35", Lognormal(mean, 0.35)) for mean in (2.0, 5.0, 60.0, 180.0)]
    rows += _beside_others(found, seeds, names)
    results.write("efficiency", rows, _series(rows, found, names, seeds))
    results.show(rows)
    return rows


Key = tuple[str, str, float, int]
"""Kind of course, distribution, price, seed."""


def _courses(names: list[str], seeds: int, prices: Sequence[float]) -> dict[Key, Course]:
    courses: dict[Key, Course] = {}
    for name, seed in product(names, range(seeds)):
        truth = DISTRIBUTIONS[name]
        courses["one by one", name, PRICE, seed] = Course(
            truth=truth, price=PRICE, seed=seed, counts=CURVE, shifted=SHIFTED
        )
        courses["batches", name, PRICE, seed] = Course(
            truth=truth, price=PRICE, seed=1000 + seed, batch=BATCH, counts=COUNTS[:3]
        )
    for price, seed in product(prices, range(seeds)):
        courses["other prices", USUAL, price, seed] = Course(
            truth=DISTRIBUTIONS[USUAL], price=price, seed=2000 + seed, counts=(50,)
        )
    return courses


def _known(name: str, per_job: Sequence[int]) -> Row:
    """Durations known: only the plan is judged, at prices for few and for many questions."""
    truth = DISTRIBUTIONS[name]
    metrics: dict[str, float] = {}
    shape = [truth.survival(edge) for edge in EDGES]
    for requests in per_job:
        price = price_for(truth, requests)
        best = optimum(truth, price)
        ours = outcome(asked(Plan(shape, price).next_age), truth)
        metrics[f"E@{requests}"] = efficiency(ours, truth)
        metrics[f"optimum E@{requests}"] = efficiency(best.outcome, truth)
        metrics[f"over@{requests}"] = ours.cost(price) / best.cost
    return Row("known durations", name, metrics)


def _learned(name: str, found: dict[Key, Findings], seeds: int) -> list[Row]:
    """The cost of what was learned over the optimum, the mean of all seeds."""
    truth = DISTRIBUTIONS[name]
    best, new_best = optimum(truth, PRICE).cost, optimum(truth.scaled(SHIFT), PRICE).cost
    rows = []
    for kind, bench in (("one by one", "learned one by one"), ("batches", f"learned in batches of {BATCH}")):
        steady = [found[kind, name, PRICE, seed].steady for seed in range(seeds)]
        over = {f"over@{n}": _over((s[n] for s in steady), best) for n in COUNTS if n in steady[0]}
        rows.append(Row(bench, name, over))
    shifted = [found["one by one", name, PRICE, seed].shifted for seed in range(seeds)]
    over = {f"over@{n}": _over((s[n] for s in shifted), new_best) for n in (0, *SHIFTED)}
    return [*rows, Row("durations halve", name, over)]


def _over(outcomes: Iterable[Outcome], best: float) -> float:
    return fmean(result.cost(PRICE) for result in outcomes) / best


def _cold(name: str, truth: Distribution) -> Row:
    """The very first job, when only the provider's typical duration is known."""
    ours = judged(DurationModel(TYPICAL), PRICE, truth)
    usual = outcome(after(TYPICAL.median, 2.0), truth)
    metrics = {"cost": ours.cost(PRICE), "usual advice": usual.cost(PRICE)}
    metrics["ratio"] = metrics["cost"] / metrics["usual advice"]
    metrics["over"] = metrics["cost"] / optimum(truth, PRICE).cost
    return Row("the first job", name, metrics)


def _beside_others(found: dict[Key, Findings], seeds: int, names: list[str]) -> list[Row]:
    """Everybody at the same jobs."""
    everyone: dict[str, tuple[str, dict[str, Outcome]]] = {
        "exact optimum": ("knows the distribution", {n: optimum(DISTRIBUTIONS[n], PRICE).outcome for n in names}),
        "aiogen, learned": (
            "after 50 ends",
            {n: _mean(found["one by one", n, PRICE, seed].steady[50] for seed in range(seeds)) for n in names},
        ),
        "aiogen, first job": (
            "knows the typical 30 s",
            {n: judged(DurationModel(TYPICAL), PRICE, DISTRIBUTIONS[n]) for n in names},
        ),
        "root of hazard": (
            "knows the distribution",
            {n: outcome(root_of_hazard(DISTRIBUTIONS[n], PRICE), DISTRIBUTIONS[n]) for n in names},
        ),
        "best interval": ("chosen knowing the distribution", {n: _best_interval(DISTRIBUTIONS[n]) for n in names}),
        "best wait, then interval": (
            "both chosen knowing the distribution",
            {n: _best_wait(DISTRIBUTIONS[n]) for n in names},
        ),
    }
    others = {peer.name: {n: _of_peer(peer, DISTRIBUTIONS[n]) for n in names} for peer in peers()}
    everyone |= {peer.name: (peer.source, others[peer.name]) for peer in peers()}
    rows = [_row(who, note, outcomes, names) for who, (note, outcomes) in everyone.items()]
    rows += [best_peer(DISTRIBUTIONS[name], "best peer", name) for name in names]
    return rows + [best_peer(DISTRIBUTIONS[name].scaled(SHIFT), "best peer, halved", name) for name in names]


def best_peer(truth: Distribution, bench: str = "best peer", name: str = "") -> Row:
    """Which of the others' schedules happens to suit these durations best."""
    costs = {peer.name: _of_peer(peer, truth).cost(PRICE) for peer in peers()}
    who = min(costs, key=lambda name: costs[name])
    return Row(bench, name, {"over": costs[who] / optimum(truth, PRICE).cost}, who)


def _row(who: str, note: str, outcomes: dict[str, Outcome], names: list[str]) -> Row:
    best = {n: optimum(DISTRIBUTIONS[n], PRICE).cost for n in names}
    over = {n: outcomes[n].cost(PRICE) / best[n] for n in names}
    here = outcomes[USUAL]
    metrics = {"requests": here.requests, "lag": here.lag, "cost": here.cost(PRICE), "over": over[USUAL]}
    metrics |= {"over, mean": fmean(over.values()), "over, worst": max(over.values())}
    return Row("beside others", who, metrics, note)


def _mean(outcomes: Iterable[Outcome]) -> Outcome:
    several = list(outcomes)
    return Outcome(fmean(o.requests for o in several), fmean(o.lag for o in several))


def _of_peer(peer: Peer, truth: Distribution) -> Outcome:
    return _mean(outcome(peer.ages(Random(seed)), truth) for seed in range(200 if peer.jitters else 1))


def _best_interval(truth: Distribution) -> Outcome:
    tried = (outcome(fixed(0.5 * 1.05**k), truth) for k in range(80))
    return min(tried, key=lambda result: result.cost(PRICE))


def _best_wait(truth: Distribution) -> Outcome:
    """The usual advice at its best; nobody has these two numbers beforehand."""
    waits = [quantile(truth, 1.0 - share / 40.0) for share in range(1, 30)]
    tried = (outcome(after(wait, 0.4 * 1.1**k), truth) for wait in waits for k in range(30))
    return min(tried, key=lambda result: result.cost(PRICE))


def _series(rows: list[Row], found: dict[Key, Findings], names: list[str], seeds: int) -> dict[str, Any]:
    """For the pictures."""
    truth = DISTRIBUTIONS[USUAL]
    line = []
    for price in sorted({price for kind, _, price, _ in found if kind == "other prices"}):
        learned = [f.steady[50] for (kind, _, p, _), f in found.items() if kind == "other prices" and p == price]
        ours, best = _mean(learned), optimum(truth, price).outcome
        line.append([price, ours.requests, ours.lag, best.requests, best.lag])
    curves = {}
    for name in names:
        best_cost = optimum(DISTRIBUTIONS[name], PRICE).cost
        courses = [found["one by one", name, PRICE, seed].steady for seed in range(seeds)]
        cold = judged(DurationModel(TYPICAL), PRICE, DISTRIBUTIONS[name]).cost(PRICE) / best_cost
        curves[name] = [[0, cold], *([n, _over((s[n] for s in courses), best_cost)] for n in CURVE)]
    intervals = [[d, *_pair(outcome(count(d, d), truth))] for d in (0.25 * math.sqrt(2.0) ** k for k in range(12))]
    points = [[r.subject, r.metrics["requests"], r.metrics["lag"]] for r in rows if r.bench == "beside others"]
    return {
        "distribution": USUAL,
        "price": PRICE,
        "seeds": seeds,
        "bound": bound(truth) ** 2 / 2.0,
        "prices": line,
        "intervals": intervals,
        "points": points,
        "curves": curves,
    }


def _pair(result: Outcome) -> tuple[float, float]:
    return result.requests, result.lag


if __name__ == "__main__":
    results.main(run)
