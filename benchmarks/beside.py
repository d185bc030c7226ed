"""A route that does nothing: how long its answers take beside 500 jobs in flight, and without any.

    python -m benchmarks.beside [--jobs 500] [--runs 5] [--seconds 5]

The application is uvicorn with one worker, with the session in it; vendor and load are processes of their own.  The
load is one client that keeps its connection and asks 200 times a second; both cases take turns, and of each the median
of the runs counts.  The jobs last 30 s on average, and a new one is made for each that ends.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import multiprocessing
import statistics
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import attrs
import uvicorn
from fastapi import FastAPI

import aiogen
from aiogen.integrations.fastapi import lifespan, router
from benchmarks.peers import KEY, UNLIMITED
from benchmarks.server import Server
from benchmarks.world import Config

PACE = 0.005
"""Seconds between two requests."""


def application(connection: Connection, url: str, jobs: int, path: Path) -> None:
    """The web application, in this process; it goes when the other end does."""
    provider = aiogen.Luma(api_key=KEY, base_url=url, **attrs.asdict(UNLIMITED))
    app = FastAPI(lifespan=lifespan([provider], store=path))
    app.include_router(router(scope=None, models=["luma/uni-1"]))

    @app.get("/nothing")
    async def nothing() -> None:
        """Nothing."""

    async def one(session: aiogen.Session) -> None:
        while True:
            with suppress(aiogen.AiogenError):
                await session.generate("luma/uni-1", "a boat")

    async def serve() -> None:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  - uvicorn has no event for it
            await asyncio.sleep(0.01)
        making = [asyncio.create_task(one(app.state.aiogen)) for _ in range(jobs)]
        await asyncio.sleep(5.0 if jobs else 1.0)
        connection.send(server.servers[0].sockets[0].getsockname()[1])
        with suppress(EOFError):
            await asyncio.to_thread(connection.recv)
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)
        server.should_exit = True
        await serving

    asyncio.run(serve())


def load(port: int, seconds: float) -> list[float]:
    """Milliseconds of each answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took, due = list[float](), time.perf_counter()
    for i in range(int(seconds / PACE) + 100):
        due += PACE
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        client.request("GET", "/nothing")
        client.getresponse().read()
        if i >= 100:
            took.append(1000.0 * (time.perf_counter() - began))
    client.close()
    return sorted(took)


def measured(jobs: int, seconds: float) -> tuple[float, float]:
    """The 50th and the 99th of a hundred."""
    context = multiprocessing.get_context("spawn")
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        server.reset(Config(durations=("lognormal", 30.0, 0.5), seed=3))
        here, there = context.Pipe()
        process = context.Process(target=application, args=(there, server.luma_url, jobs, Path(folder, "jobs.db")))
        process.start()
        there.close()
        took = load(here.recv(), seconds)
        here.close()
        process.join()
    return took[len(took) // 2], took[int(0.99 * len(took))]


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    found: dict[int, list[tuple[float, float]]] = {0: [], given.jobs: []}
    for _ in range(given.runs):
        for jobs, runs in found.items():
            runs.append(measured(jobs, given.seconds))
            print(f"{jobs:4d} jobs: p50 {runs[-1][0]:.2f} ms, p99 {runs[-1][1]:.2f} ms", flush=True)
    for jobs, runs in found.items():
        p50, p99 = (statistics.median(each) for each in zip(*runs, strict=True))
        print(f"{jobs:4d} jobs, median of {given.runs}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    main()
