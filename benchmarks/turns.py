"""How long one turn of the event loop takes while hundreds of jobs are followed, and what the whole batch costs.

Over real sockets, with the server in another process: what is measured is the client's alone (`loop` says how).  A
bystander sleeps 1 ms again and again, as every other request of a web backend would, and notes how late it wakes.

    python -m benchmarks.turns --quick            500 jobs, and the bare loop at the same time: under 40 s
    python -m benchmarks.turns                    500, 5,000, and 5,000 taken up from a ledger, one after the other
    python -m benchmarks.turns --jobs 5000        only so many
    python -m benchmarks.turns --taking-up 5000   only these
    python -m benchmarks.turns --quick --where    also in which functions slow turns are; the figures are then too high
    python -m benchmarks.turns --quick --profile  where the CPU of the whole batch goes, by module (sampled)
"""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import attrs

import aiogen
from aiogen._ledger.learned import LearnedModels
from aiogen.models import State
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore
from benchmarks import loop, results
from benchmarks.courses import PRICE, Batch, teach
from benchmarks.distributions import Lognormal
from benchmarks.learning import TYPICAL
from benchmarks.loop import Turns
from benchmarks.measure import together
from benchmarks.optimum import cost_of, optimum
from benchmarks.peers import KEY, UNLIMITED, Every, Outcome, bare
from benchmarks.results import Row
from benchmarks.server import Server
from benchmarks.store import _record
from benchmarks.world import Config, Report

AIOGEN, LOOP = "aiogen, Luma", "aiohttp, every 2 s"
WARM_UP = 60
"""Jobs before those that are measured, twice; in a quick run a simulation has taught the model instead."""


def law(median: float) -> Lognormal:
    """Sigma 0.5."""
    return Lognormal(median * math.exp(0.125), math.sqrt(math.expm1(0.25)))


@attrs.frozen
class Call:
    """One measurement."""

    subject: str
    n: int
    median: float
    quick: bool = False
    where: bool = False
    profiled: bool = False
    """Also tell which modules the CPU goes to."""
    wait: float = 0.0
    """Seconds before it begins, so that two of them do not submit at the same moment."""


def measured(call: Call) -> list[Row]:
    """A batch from the first create to the last end, in this process."""
    time.sleep(call.wait)
    truth = law(call.median)
    config = Config(durations=("lognormal", truth.mean, truth.cv), seed=3)
    with Server() as server, loop.measuring(where=call.where, profiled=call.profiled) as turns:
        work = _with_aiogen if call.subject == AIOGEN else _with_a_loop
        return loop.run(work(call, server, config, turns), turns)


async def _with_aiogen(call: Call, server: Server, config: Config, turns: Turns) -> list[Row]:
    provider = aiogen.Luma(api_key=KEY, base_url=server.luma_url, **attrs.asdict(UNLIMITED))
    store = MemoryStore()
    if call.quick:
        learned = LearnedModels(store)
        teach(learned.of(provider, "uni-1", TYPICAL), [Batch(n=500, truth=law(call.median))] * 2, seed=7)
        await learned.save(every=1)
    async with aiogen.Session([provider], store=store) as session:
        if not call.quick:
            for seed in (1, 2):
                server.reset(attrs.evolve(config, seed=seed))
                await _follow(session, WARM_UP)
        server.reset(config)
        await turns.begin()
        await _follow(session, call.n)
        turns.end()
        return [_row(f"{call.n:,} jobs", call, turns, server.report())]


async def _follow(session: aiogen.Session, n: int) -> None:
    jobs = [await session.submit("luma/uni-1", f"picture {number}") for number in range(n)]
    async for job in session.as_completed(jobs):
        assert job.error is None, job.error


async def _with_a_loop(call: Call, server: Server, config: Config, turns: Turns) -> list[Row]:
    async with bare(server, Every(2.0)) as run:
        server.reset(config)
        outcome = Outcome()
        await turns.begin()
        await run(call.n, outcome)
        turns.end()
        assert len(outcome.over) == call.n, outcome.failures
        return [_row(f"{call.n:,} jobs", call, turns, server.report())]


def _row(bench: str, call: Call, turns: Turns, report: Report) -> Row:
    """Of what was measured last."""
    watch = turns.watch
    metrics = {
        "cpu_seconds": turns.cpu,
        "share_learning": (watch.learning + watch.planning) / turns.cpu,
        "longest_ms": 1000.0 * turns.longest,
        "above_2_ms": float(sum(turn.seconds > 0.002 for turn in turns.slow)),
        "above_3_ms": float(sum(turn.seconds > 0.003 for turn in turns.slow)),
        "late_p999_ms": 1000.0 * loop.worst(turns.lateness, 0.001),
        "kept_p999_ms": 1000.0 * loop.worst(turns.kept, 0.001),
        "kept_most_ms": 1000.0 * loop.worst(turns.kept, 0.0),
        "gc_ms": 1000.0 * turns.collecting,
        "turns": float(turns.count),
        "seconds": turns.seconds,
    }
    jobs = report.jobs.values()
    if all(job.told_at is not None for job in jobs):
        truth = law(call.median)
        lags = [(job.told_at or 0.0) - job.ended_at for job in jobs]
        asked = fmean(job.questions for job in jobs)
        best = fmean(cost_of(truth, PRICE, job.ended_at - job.accepted_at) for job in jobs)
        cost = PRICE * asked + fmean(lags)
        metrics |= {"questions": asked, "lag": fmean(lags), "cost": cost}
        metrics["over"] = 1.0 + (cost - best) / optimum(truth, PRICE).cost
    _describe(f"{bench}, {call.subject}", turns)
    return Row(bench, call.subject, metrics)


def _describe(title: str, turns: Turns) -> None:
    """What to mend: the slow turns by what they ran, and where they were."""
    lines = [f"{title}: {len(turns.slow)} turns of {1000 * loop.SLOW:g} ms and more"]
    names = sorted({turn.name for turn in turns.slow}, key=lambda name: -_most(turns, name))
    for name in names[:8]:
        slow = [turn for turn in turns.slow if turn.name == name]
        total = sum(turn.seconds for turn in slow)
        learning, planning = sum(t.learning for t in slow) / total, sum(t.planning for t in slow) / total
        lines.append(
            f"  {len(slow):4d} × {name}: longest {1000.0 * _most(turns, name):.1f} ms, "
            f"{100.0 * learning:.0f} % learning, {100.0 * planning:.0f} % planning"
        )
    for what, samples in (
        ("all CPU, by the module that ran", turns.spent_in),
        ("all CPU, by aiogen's module that ran or had called", turns.spent_under),
        ("slow turns, by aiogen's outermost and innermost function", turns.where),
    ):
        total = sum(samples.values())
        lines += [f"  {what}:"] * bool(samples)
        lines += [f"  {100.0 * count / total:5.1f} %  {name}" for name, count in samples.most_common(25)]
    print("\n".join(lines), flush=True)


def _most(turns: Turns, name: str) -> float:
    return max(turn.seconds for turn in turns.slow if turn.name == name)


# --- jobs that another session left behind


def taken_up(call: Call) -> list[Row]:
    """Opens a ledger with so many running jobs, and follows them to their ends."""

    async def work() -> list[Row]:
        truth = law(call.median)
        server.reset(Config(durations=("lognormal", truth.mean, truth.cv), seed=3))
        provider = aiogen.Luma(api_key=KEY, base_url=server.luma_url, **attrs.asdict(UNLIMITED))
        path = Path(folder, "running.db")
        await _write(path, provider.account, server.put_jobs(call.n))
        await turns.begin()
        async with aiogen.Session([provider], store=path) as session:
            jobs = await session.resume()
            assert len(jobs) == call.n
            await asyncio.sleep(0.2)
            turns.end()
            rows = [_row(f"taking up {call.n:,}", call, turns, server.report())]
            await turns.begin()
            async for job in session.as_completed(jobs):
                assert job.error is None, job.error
            turns.end()
            return [*rows, _row(f"following {call.n:,} taken up", call, turns, server.report())]

    with (
        tempfile.TemporaryDirectory() as folder,
        Server() as server,
        loop.measuring(where=call.where, profiled=call.profiled) as turns,
    ):
        return loop.run(work(), turns)


async def _write(path: Path, account: str, ids: Sequence[str]) -> None:
    store = SqliteStore(path)
    await store.open()
    records = [attrs.evolve(_record(i, account, State.QUEUED), provider_id=name) for i, name in enumerate(ids)]
    await asyncio.gather(*map(store.add, records))
    await store.close()


# --- all of it


def run(*, quick: bool = False) -> list[Row]:
    """Measure the turns of 500 and 5,000 jobs, and of 5,000 that are taken up."""
    rows = _batches([500], quick=quick) if quick else [*_batches([500, 5_000]), *_taking_up(5_000)]
    results.write("turns", rows)
    results.show(rows)
    return rows


def _batches(sizes: Sequence[int], *, quick: bool = False, **more: bool) -> list[Row]:
    median, pause = (5.0, 2.0) if quick else (8.0, 0.0)
    calls = [Call(who, n, median, quick, wait=pause * i, **more) for n in sizes for i, who in enumerate((AIOGEN, LOOP))]
    return _all(measured, calls, at_once=2 if quick else 1)


def _taking_up(n: int, *, where: bool = False) -> list[Row]:
    return _all(taken_up, [Call(AIOGEN, n, 8.0, where=where)], at_once=1)


def _all(measure: Callable[[Call], list[Row]], calls: Sequence[Call], at_once: int) -> list[Row]:
    found: list[list[Row]] = together(measure, [(call,) for call in calls], at_once=at_once)
    return [row for rows in found for row in rows]


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short jobs, the bare loop beside, a model taught before")
    parser.add_argument("--where", action="store_true", help="sample in which functions slow turns are")
    parser.add_argument("--profile", action="store_true", help="by module")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--taking-up", type=int, default=0)
    options = parser.parse_args()
    if not (options.jobs or options.taking_up or options.where or options.profile):
        run(quick=options.quick)
    elif options.taking_up:
        results.show(_taking_up(options.taking_up, where=options.where))
    else:
        more = {"where": options.where, "profiled": options.profile}
        results.show(_batches([options.jobs or 500], quick=options.quick, **more))


if __name__ == "__main__":
    main()
