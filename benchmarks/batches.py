"""Hundreds of jobs at once: what they cost over the exact optimum, simulated without a loop or a server.

`--quick` is for the inner loop of development: two distributions, one line each, under a minute.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import fmean, stdev

from benchmarks.courses import SHARES, Batch, Course, Found, take
from benchmarks.distributions import Distribution, Lognormal, Uniform

USUAL = Lognormal(8.0 * math.exp(0.125), math.sqrt(math.expm1(0.25)))
"""Median 8 s, sigma 0.5."""
FLAT = Uniform(18.0, 22.0)
QUICK: dict[str, Distribution] = {"lognormal 8 s": USUAL, "uniform 18-22": FLAT}


def warm(n: int, truth: Distribution, seed: int) -> Course:
    """The third such batch of a session; the first is the cold one."""
    return Course(batches=(Batch(n=n, truth=truth),) * 3, seed=seed)


def line(name: str, found: Sequence[Found]) -> str:
    """The mean of all runs."""
    over = [each.over for each in found]
    believed = "/".join(f"{fmean(each.quantiles[i] for each in found):.1f}" for i in range(len(SHARES)))
    truth = "/".join(f"{value:.1f}" for value in found[0].truth)
    cpu = {name: 1000.0 * fmean(each.cpu[name] for each in found) / found[0].n for name in found[0].cpu}
    parts = [
        f"{name:<34}",
        f"{fmean(f.questions for f in found):5.2f} q",
        f"{fmean(f.lag for f in found):6.3f} s",
        f"cost {fmean(f.cost for f in found):6.3f} {_percent(fmean(over)):>8} ±{100.0 * error(over):4.1f}",
        f"plan {_percent(fmean(f.plan for f in found)):>8}",
        f"{believed} (true {truth}; off {_off(found)})",
        f"alarms {fmean(f.alarms for f in found):.1f}",
        f"CPU/job {cpu['learning']:.2f}+{cpu['planning']:.2f} of {cpu['machine']:.2f} ms",
        f"longest {1000.0 * max(f.cpu['longest'] for f in found):.1f} ms",
    ]
    return "  ".join(parts)


def error(values: Sequence[float]) -> float:
    """The standard error of their mean."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def _off(found: Sequence[Found]) -> str:
    """The 10, 50 and 90 % quantiles: the mean's worst error, and that of any run."""
    mean = max(abs(fmean(f.quantiles[i] for f in found) / found[0].truth[i] - 1.0) for i in range(3))
    worst = max(abs(f.quantiles[i] / f.truth[i] - 1.0) for f in found for i in range(3))
    return f"{100.0 * mean:.0f} %, a run {100.0 * worst:.0f} %"


def _percent(over: float) -> str:
    return f"{100.0 * (over - 1.0):+.1f} %"


def quick(runs: int, workers: int) -> None:
    """One line for each."""
    began = time.monotonic()
    courses = {
        (name, n, seed): warm(n, truth, seed)
        for name, truth in QUICK.items()
        for n in (500, 60)
        for seed in range(runs)
    }
    with ProcessPoolExecutor(workers) as pool:
        found = dict(zip(courses, pool.map(take, courses.values()), strict=True))
    for name in QUICK:
        for n, which, words in ((60, 2, "60 warm"), (500, 2, "500 warm"), (500, 0, "500 cold, told 30 s")):
            print(line(f"{name}, {words}", [found[name, n, seed][which] for seed in range(runs)]))
    print(f"{runs} runs each, {time.monotonic() - began:.0f} s")


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two distributions, one line each")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    quick(options.runs or 6, options.workers)


if __name__ == "__main__":
    main()
