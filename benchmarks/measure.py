"""One measurement of one peer, in a process of its own: none inherits another's memory, imports or connections."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import resource
import statistics
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
import psutil

from benchmarks.peers import PEERS, Outcome, Peer, Run
from benchmarks.server import Server
from benchmarks.world import Config, Report, Totals

T = TypeVar("T")

_SAMPLED_EVERY = 0.1


@attrs.define(kw_only=True)
class Followed:
    """How a peer followed n generations to their end."""

    n: int
    lags: list[float]
    """Seconds from each end at the server until the client's code had the result."""
    failures: dict[str, int]
    totals: Totals
    seconds: float
    """From the first create to the last result."""
    cpu: float
    """Seconds of the client's process, imports and opening left out."""
    peak_tasks: int
    """Tasks of the event loop beside the measurement's own."""
    usual_tasks: float
    """Their median over time: what waits, not what is being sent."""
    rss_growth: int
    """Bytes from before the first create to the largest size."""

    def metrics(self) -> dict[str, float]:
        """The figures that every benchmark of whole lives shows; without a result there is no lag."""
        lags = sorted(self.lags)
        lag = {"mean_lag": statistics.fmean(lags), "p95_lag": lags[round(0.95 * (len(lags) - 1))]} if lags else {}
        return {
            "requests_per_job": self.totals.requests / self.n,
            **lag,
            "failures": self.n - len(lags),
            "cpu_seconds": self.cpu,
        }

    def note(self) -> str:
        """What came instead of results."""
        return ", ".join(f"{count} × {name}" for name, count in self.failures.items())


def apart(measure: Callable[..., T], /, *args: Any) -> T:
    """What the function returns when a fresh process calls it."""
    return together(measure, [args], at_once=1)[0]


def together(measure: Callable[..., T], calls: Sequence[tuple[Any, ...]], *, at_once: int) -> list[T]:
    """The same for many calls, so many at once; the results stand in the order of the calls."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, mp_context=context, max_tasks_per_child=1) as pool:
        return [future.result() for future in [pool.submit(measure, *call) for call in calls]]


def follow(subject: str | Peer, n: int, config: Config, warm_up: int = 0) -> Followed:
    """Let a peer follow `n` generations, after `warm_up` others with the same client."""

    async def measured(server: Server) -> Followed:
        async with peer_of(subject)(server) as run:
            if warm_up:
                server.reset(attrs.evolve(config, seed=config.seed + 1))
                await run(warm_up, Outcome())
            server.reset(config)
            outcome = Outcome()
            gc.collect()
            process = psutil.Process()
            rss = process.memory_info().rss
            async with _sampled(process) as samples:
                began, cpu = time.monotonic(), time.process_time()
                await run(n, outcome)
                cpu, seconds = time.process_time() - cpu, time.monotonic() - began
            report = server.report()
        tasks = [count for count, _ in samples]
        return Followed(
            n=n,
            lags=_lags(outcome, report),
            failures=dict(outcome.failures),
            totals=report.totals,
            seconds=seconds,
            cpu=cpu,
            peak_tasks=max(tasks, default=0),
            usual_tasks=statistics.median(tasks or [0]),
            rss_growth=max((size for _, size in samples), default=rss) - rss,
        )

    return _at_server(measured)


def bytes_per_waiting(subject: str | Peer, n: int) -> float:
    """Bytes allocated for each of `n` generations that were accepted and do not end (tracemalloc, so timed nowhere)."""

    async def measured(server: Server) -> float:
        async with peer_of(subject)(server) as run:
            server.reset(Config(durations=("fixed", 0.2)))
            await run(20, Outcome())  # code, caches and a few connections are there
            server.reset(Config(durations=("never",)))
            gc.collect()
            tracemalloc.start()
            waiting = asyncio.create_task(_run(run, n))
            while server.report().totals.creates < n:  # noqa: ASYNC110  - it is another process that tells
                await asyncio.sleep(0.5)
            sizes = []
            for _ in range(10):
                await asyncio.sleep(0.2)
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        return statistics.median(sizes) / n

    return _at_server(measured)


async def _run(run: Run, n: int) -> None:
    await run(n, Outcome())


def peer_of(subject: str | Peer) -> Peer:
    """A peer by its name, or the one that is given."""
    return PEERS[subject] if isinstance(subject, str) else subject


def _at_server(measured: Callable[[Server], Coroutine[Any, Any, T]]) -> T:
    # A connection per generation is what some peers open.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Server() as server:
        return asyncio.run(measured(server))


@asynccontextmanager
async def _sampled(process: psutil.Process) -> AsyncIterator[list[tuple[int, int]]]:
    """Tasks and bytes, taken while it is entered."""
    own = len(asyncio.all_tasks()) + 1
    samples: list[tuple[int, int]] = []

    async def sample() -> None:
        while True:
            await asyncio.sleep(_SAMPLED_EVERY)
            samples.append((len(asyncio.all_tasks()) - own, process.memory_info().rss))

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()


def _lags(outcome: Outcome, report: Report) -> list[float]:
    return [seen - report.jobs[job_id].ended_at for job_id, seen in outcome.over.items()]
