"""Hundreds of jobs at once: what they cost over the exact optimum, and what is believed of their durations then.

Simulated: the account's machine is driven by arithmetic (`machine`), so thousands of jobs take seconds, and nothing
but the schedule is in the figures.

    python -m benchmarks.batches --quick          the inner loop of development: nine lines, under a minute
    python -m benchmarks.batches --only drift     the scenarios whose table or name has this in it, a line each
    python -m benchmarks.batches --list           their names
    python -m benchmarks.batches                  all of them, for the report

`--runs N` runs each so often, with other durations (else 6 in a quick run, and what stands in `scenarios`);
`--share 0.25` makes a quarter of these runs, at least two; `--workers N` at once (2).  The seeds are the same each
time, so two versions are compared on the same jobs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import fmean, stdev
from typing import Any

import attrs

from benchmarks import results
from benchmarks.courses import SHARES, Course, Found, Look, take
from benchmarks.efficiency import best_peer
from benchmarks.results import Row
from benchmarks.scenarios import QUICK, Scenario, scenarios

Results = dict[Course, list[Found]]


def measure(chosen: Iterable[Scenario], *, runs: int = 0, workers: int = 2) -> Iterator[tuple[Scenario, list[Found]]]:
    """Each scenario with the batch that it is about, from every run, as soon as it is there."""
    done: dict[Course, list[Found]] = {}
    with ProcessPoolExecutor(workers) as pool:
        for scenario in chosen:
            courses = [scenario.course(seed) for seed in range(runs or scenario.runs)]
            missing = [course for course in courses if course not in done]
            done |= zip(missing, pool.map(take, missing), strict=True)
            yield scenario, [done[course][scenario.which] for course in courses]


def row(scenario: Scenario, found: Sequence[Found]) -> Row:
    """The means of all runs."""
    over = [each.over for each in found]
    looks = [_look(scenario, each) for each in found]
    plans = [look.plan for look in looks]
    n = found[0].n
    metrics = {
        "n": float(n),
        "runs": float(len(found)),
        "questions": fmean(each.questions for each in found),
        "lag": fmean(each.lag for each in found),
        "cost": fmean(each.cost for each in found),
        "optimum": found[0].optimum,
        "over": fmean(over),
        "over, error": error(over),
        "plan": fmean(plans),
        "plan, error": error(plans),
    }
    for i, share in enumerate(SHARES):
        metrics[f"q{100.0 * share:g}"] = fmean(look.quantiles[i] for look in looks)
        metrics[f"true q{100.0 * share:g}"] = found[0].truth[i]
    metrics["off, mean"], metrics["off, worst"] = off(looks, found[0].truth)
    metrics |= {"alarms": fmean(each.alarms for each in found), "seconds": fmean(each.seconds for each in found)}
    for kind in ("learning", "planning", "machine"):
        metrics[f"{kind}, ms per job"] = 1000.0 * fmean(each.cpu[kind] for each in found) / n
    metrics["longest, ms"] = 1000.0 * max(each.cpu["longest"] for each in found)
    if any(each.late for each in found):
        metrics["late"] = fmean(each.late for each in found)
    if scenario.is_beside_peers:
        metrics["best peer"] = best_peer(scenario.truth).metrics["over"]
    return Row(scenario.bench, scenario.subject, metrics, scenario.note)


def _look(scenario: Scenario, found: Found) -> Look:
    return found.after if scenario.look is None else found.looks[scenario.look]


def error(values: Sequence[float]) -> float:
    """The standard error of their mean."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def off(looks: Sequence[Look], truth: Sequence[float]) -> tuple[float, float]:
    """How far the 10, 50 and 90 % quantiles are off: the worst of the runs' mean, and the worst of any run."""
    mean = max(abs(fmean(look.quantiles[i] for look in looks) / truth[i] - 1.0) for i in range(3))
    return mean, max(abs(look.quantiles[i] / truth[i] - 1.0) for look in looks for i in range(3))


def line(found: Row) -> str:
    """A row as one line."""
    m = found.metrics
    believed, truth = ("/".join(f"{m[f'{kind}q{100.0 * share:g}']:.1f}" for share in SHARES) for kind in ("", "true "))
    parts = [
        f"{found.bench + ', ' + found.subject:<46}",
        f"{m['questions']:5.2f} q {m['lag']:6.3f} s",
        f"cost {m['cost']:6.3f} {_over(m['over']):>8} ±{100.0 * m['over, error']:4.1f}",
        f"plan {_over(m['plan']):>8} ±{100.0 * m['plan, error']:4.1f}",
        f"{believed} (true {truth}; off {100.0 * m['off, mean']:.0f} %, a run {100.0 * m['off, worst']:.0f} %)",
        f"alarms {m['alarms']:.1f}",
        f"CPU/job {m['learning, ms per job']:.2f}+{m['planning, ms per job']:.2f} of {m['machine, ms per job']:.2f} ms",
        f"longest {m['longest, ms']:.1f} ms",
    ]
    return "  ".join(parts)


def _over(over: float) -> str:
    return f"{100.0 * (over - 1.0):+.1f} %"


def run(*, quick: bool = False, runs: int = 0, workers: int = 2, chosen: Sequence[Scenario] | None = None) -> list[Row]:
    """Every scenario, for the report; quick: two runs of a few."""
    chosen = chosen or [scenario for scenario in scenarios() if not quick or scenario.is_quick]
    rows: list[Row] = []
    traces: dict[str, dict[str, Any]] = {}
    curves: dict[str, list[tuple[int, float]]] = {}
    for scenario, found in measure(chosen, runs=2 if quick else runs, workers=workers):
        rows.append(row(scenario, found))
        print(line(rows[-1]), flush=True)
        if found[0].trace:
            traces[scenario.subject] = {
                "truth": found[0].truth,
                "looks": [[look.seconds, look.ends, *look.quantiles] for look in found[0].trace],
            }
        if scenario.bench == "warm":
            curves.setdefault(scenario.subject.rpartition(", ")[0], []).append((found[0].n, rows[-1].metrics["over"]))
        results.write("batches", rows, {"traces": traces, "curves": curves})  # it takes long: what is there is there
    return rows


def show(chosen: Iterable[Scenario], runs: int, workers: int) -> None:
    """A line for each, as soon as it is there."""
    began = time.monotonic()
    for scenario, found in measure(chosen, runs=runs, workers=workers):
        print(line(row(attrs.evolve(scenario, is_beside_peers=False), found)), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    named = [
        attrs.evolve(scenario, runs=max(2, round(options.share * scenario.runs)))
        for scenario in scenarios()
        if options.only in f"{scenario.bench}, {scenario.subject}"
    ]
    if options.list:
        print("\n".join(f"{each.bench}, {each.subject} ({each.runs} runs)" for each in named))
    elif options.quick:
        show(QUICK, options.runs or 6, options.workers)
    elif options.only:
        show(named, options.runs, options.workers)
    else:
        run(runs=options.runs, workers=options.workers, chosen=named)


if __name__ == "__main__":
    main()
