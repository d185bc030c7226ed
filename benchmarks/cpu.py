"""What one status question costs the client in CPU, with 1, 50 and 500 of them in flight.

Every client asks about generations that never end, as fast as it can, at a server without latency in another process;
the client's `time.process_time()` is divided by the requests that the server counted.  Subjects take turns, each time
in a fresh process, and the best turn counts: disturbance only ever adds.

aiogen is measured twice: through `Session.get`, a single call with its budget and its retries, and as it polls by
itself, with the coordinator, the schedule and the states.  For that its floor between two questions is taken away, so
that every job is asked about again as soon as its answer was seen.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

import aiohttp
import attrs

import aiogen
from benchmarks import results
from benchmarks.measure import apart
from benchmarks.peers import KEY, UNLIMITED
from benchmarks.results import Row
from benchmarks.server import Server
from benchmarks.world import Config

Asking = Callable[[Server, Sequence[str]], AbstractAsyncContextManager[None]]
"""While it is entered, one question about each id is always in flight."""


class EagerLuma(aiogen.Luma):
    """Nothing between an answer and the next question."""

    facts: ClassVar[aiogen.Facts] = attrs.evolve(aiogen.Luma.facts, poll_floor=0.001, poll_ceiling=0.002)


def _aiogen(server: Server) -> aiogen.Session:
    provider = EagerLuma(api_key=KEY, base_url=server.luma_url, **attrs.asdict(UNLIMITED))
    return aiogen.Session([provider], max_in_flight=1000, poll_cost=0.001)


@asynccontextmanager
async def _each(ids: Sequence[str], ask: Callable[[str], Awaitable[object]]) -> AsyncIterator[None]:
    """A task per id that asks again and again."""

    async def again(job_id: str) -> None:
        while True:
            await ask(job_id)

    tasks = [asyncio.create_task(again(i)) for i in ids]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


@asynccontextmanager
async def bare(server: Server, ids: Sequence[str]) -> AsyncIterator[None]:
    """aiohttp and json, nothing else: what a question costs at least."""
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as http:

        async def ask(job_id: str) -> object:
            async with http.get(f"{server.luma_url}/generations/{job_id}") as answer:
                return json.loads(await answer.read())

        async with _each(ids, ask):
            yield


@asynccontextmanager
async def aiogen_get(server: Server, ids: Sequence[str]) -> AsyncIterator[None]:
    """`Session.get`."""
    async with _aiogen(server) as session, _each(ids, lambda job_id: session.get("luma", job_id)):
        yield


@asynccontextmanager
async def aiogen_polling(server: Server, ids: Sequence[str]) -> AsyncIterator[None]:
    """Jobs that are followed."""
    async with _aiogen(server) as session:
        jobs = [await session.attach("luma", job_id) for job_id in ids]
        yield
        assert not any(job.done for job in jobs), "a job that never ends has ended"


@asynccontextmanager
async def luma_agents(server: Server, ids: Sequence[str]) -> AsyncIterator[None]:
    """Luma's own client, over aiohttp as its documentation recommends."""
    from luma_agents import AsyncLuma, DefaultAioHttpClient

    http = DefaultAioHttpClient()
    client = AsyncLuma(auth_token=KEY, base_url=server.luma_url, http_client=http)
    async with client, _each(ids, client.generations.get):
        yield


@asynccontextmanager
async def leonardo_sdk(server: Server, ids: Sequence[str]) -> AsyncIterator[None]:
    """Leonardo's own client."""
    from leonardo_ai_sdk import LeonardoAiSDK

    client = LeonardoAiSDK(bearer_auth=KEY, server_url=f"{server.leonardo_url}/v1", timeout_ms=60_000)
    async with client, _each(ids, lambda job_id: client.image.get_generation_by_id_async(id=job_id)):
        yield


SUBJECTS: dict[str, Asking] = {
    "bare aiohttp": bare,
    "aiogen, polling": aiogen_polling,
    "aiogen, Session.get": aiogen_get,
    "luma-agents": luma_agents,
    "leonardo-ai-sdk": leonardo_sdk,
}


def _measured(subject: str, in_flight: int, seconds: float) -> float:
    """CPU-microseconds of this process per request."""

    async def measured(server: Server) -> float:
        server.reset(Config(durations=("never",)))
        async with SUBJECTS[subject](server, server.put_jobs(in_flight)):
            await asyncio.sleep(max(0.3, seconds / 4))  # connections are open, code is warm
            began, cpu = server.count(), time.process_time()
            await asyncio.sleep(seconds)
            spent, asked = time.process_time() - cpu, server.count() - began
        return spent / asked * 1e6

    with Server() as server:
        return asyncio.run(measured(server))


def run(*, quick: bool = False) -> list[Row]:
    """Measure CPU per status question."""
    levels, turns, seconds = ((50,), 1, 0.7) if quick else ((1, 50, 500), 2, 1.0)
    turned = [
        (subject, level, apart(_measured, subject, level, seconds))
        for _, level, subject in itertools.product(range(turns), levels, SUBJECTS)
    ]
    best = {(s, level): min(us for s2, l2, us in turned if (s2, l2) == (s, level)) for s, level, _ in turned}
    rows = []
    for subject in SUBJECTS:
        metrics = {}
        for level in levels:
            metrics[f"us_per_poll_at_{level}"] = best[subject, level]
            metrics[f"times_bare_at_{level}"] = best[subject, level] / best["bare aiohttp", level]
        # Both SDKs open 100 connections at most; what is beyond waits inside the client.
        note = "100 connections at most" if 500 in levels and subject in ("luma-agents", "leonardo-ai-sdk") else ""
        rows.append(Row("cpu per poll", subject, metrics, note))
    results.write("cpu", rows)
    results.show(rows)
    return rows


if __name__ == "__main__":
    results.main(run)
