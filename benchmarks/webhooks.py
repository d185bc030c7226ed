"""What webhooks gain: how late an end is known, and how many questions that takes; and what happens when they stop.

    python -m benchmarks.webhooks [--jobs 200]

The sandbox's Leonardo makes pictures of some eight seconds (lognormal, median 8 s, sigma 0.4), and answers and calls
after 50 ms; a new picture begins every two seconds.  The clock jumps to the next timer, so nothing depends on the
machine; the sockets are real.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import attrs
import looptime
from aiohttp import web

import aiogen
from aiogen.sandbox import LEONARDO_KEY, LeonardoSettings, Sandbox
from aiogen.webhooks import Webhooks

LATENCY = 0.05
"""Seconds that an answer takes, and a call."""
PACE = 2.0
"""Seconds from one job to the next."""
LEARNING = 70
"""Jobs after which webhooks count as proved, and durations as learned."""
STORIES = 10
"""Of calls that stop."""
MINUTE = "processing=60"
SECRET = "the-secret-of-the-benchmark"


T = TypeVar("T")


@attrs.frozen
class Seen:
    """One job that has ended."""

    ended_at: float
    lag: float
    """Seconds from its end to ours."""


@attrs.frozen
class Run:
    """Some jobs."""

    jobs: list[Seen]
    """As they ended."""
    reads: int
    """Questions that were asked from the first of them on, single ones and pages of the list."""


@attrs.frozen
class Stage:
    """A session, and the vendor that calls it."""

    session: aiogen.Session
    box: Sandbox

    async def job(self, directives: str) -> Seen:
        """One picture, from order to end."""
        job = await self.session.submit("leonardo/gemini-image-2", f"a boat [[{directives}]]")
        await job
        [made] = [each for each in self.box.jobs if each.id == job.provider_id]
        return Seen(made.ends_at, asyncio.get_running_loop().time() - made.ends_at)

    async def jobs(self, directives: Sequence[str]) -> Run:
        """Several, one every two seconds."""

        async def one(i: int) -> Seen:
            await asyncio.sleep(PACE * i)
            return await self.job(directives[i])

        before = self._reads
        seen = await asyncio.gather(*map(one, range(len(directives))))
        return Run(sorted(seen, key=lambda each: each.ended_at), self._reads - before)

    @property
    def _reads(self) -> int:
        return sum(request.action in ("poll", "list") for request in self.box.requests)


@asynccontextmanager
async def stage(seed: int = 0) -> AsyncIterator[Stage]:
    """A sandbox that calls a server in this loop."""
    webhooks: list[Webhooks] = []

    async def hear(request: web.BaseRequest) -> web.Response:
        body = await request.read()
        await asyncio.sleep(LATENCY)
        answer = webhooks[0].handle("leonardo", body, request.headers)
        return web.Response(status=answer.status, text=answer.text)

    runner = web.ServerRunner(web.Server(hear), shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        settings = LeonardoSettings(webhook_url=url, webhook_secret=SECRET, latency=LATENCY, max_running=1000)
        async with Sandbox(seed=seed, leonardo=settings) as box:
            provider = aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url)
            async with aiogen.Session([provider]) as session:
                webhooks.append(Webhooks(session, {"leonardo": SECRET}))
                yield Stage(session, box)
    finally:
        await runner.cleanup()


async def steady(jobs: int, directives: str) -> Run:
    """`jobs` after those by which everything was learned."""
    async with stage() as on:
        await on.jobs([directives] * LEARNING)
        return await on.jobs([directives] * jobs)


async def from_the_start(jobs: int) -> Run:
    """Nothing is known of the model, nor of webhooks."""
    async with stage() as on:
        return await on.jobs([""] * jobs)


async def long_one(directives: str, others: str) -> Run:
    """One of a minute, after others."""
    async with stage() as on:
        await on.jobs([f"{directives} {others}"] * LEARNING)
        return await on.jobs([f"{directives} {MINUTE}"])


async def stops(jobs: int, seed: int) -> list[Seen]:
    """Calls come, and then come no more: the jobs from then on."""
    async with stage(seed) as on:
        await on.jobs([""] * LEARNING)
        return (await on.jobs(["webhook=never"] * jobs)).jobs


def virtual(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """In a loop of its own whose time is virtual."""
    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=4)) as once:
        return once.run(work())


def quantile(values: Sequence[float], share: float) -> float:
    """Of some values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def row(name: str, run: Run) -> str:
    """A line of the table."""
    lags = [each.lag for each in run.jobs]
    return f"| {name} | {quantile(lags, 0.5):.2f} | {quantile(lags, 0.99):.2f} | {run.reads / len(lags):.2f} |"


def main(jobs: int) -> None:
    """Print the tables."""
    print("|  | seconds until an end is known (median) | 99 of 100 | requests per job |\n| --- | --- | --- | --- |")
    print(row("with webhooks", virtual(partial(steady, jobs, ""))))
    print(row("with webhooks, the first ones, too", virtual(partial(from_the_start, jobs))))
    print(row("without", virtual(partial(steady, jobs, "webhook=never"))))
    print(row("one of 60 s after those of 8 s, with webhooks", virtual(partial(long_one, "", ""))))
    print(row("one of 60 s after those of 8 s, without", virtual(partial(long_one, "webhook=never", ""))))
    print(row("one of 60 s after others of 60 s, with webhooks", virtual(partial(long_one, "", MINUTE))))
    print(row("one of 60 s after others of 60 s, without", virtual(partial(long_one, "webhook=never", MINUTE))))
    late = [[each.lag for each in virtual(partial(stops, 40, seed))] for seed in range(STORIES)]
    by_place = [sum(lags) / STORIES for lags in zip(*late, strict=True)]
    print(f"\nafter they stop, the mean of {STORIES} stories, for each job in the order of their ends:")
    print(" ".join(f"{lag:.2f}" for lag in by_place))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    main(parser.parse_args().jobs)
