"""From the moment at which a worker knows of an end until its clients do: at that worker, and at another one.

    python -m benchmarks.told [--jobs 2000] [--seconds 20]

Two workers (uvicorn, the router of `aiogen.integrations.fastapi`) on one ledger, of which the first has sent all jobs
and asks about them; one client for each job, half of them by server-sent events, half by `Prefer: wait`, all at the one
worker or all at the other.  Once all clients wait, the jobs end evenly over so many seconds.

The time is the wall clock's, in which other programs are.  CPU is what the loop of the worker that follows has used
from the moment at which it knew until the client's bytes were handed to the socket: other programs are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import resource
import socket
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import uvicorn
from fastapi import FastAPI

import aiogen
from aiogen import Generation, Job
from aiogen.integrations.fastapi import SessionDep, lifespan, router
from benchmarks.server import Server
from benchmarks.world import Config

KEY = "luma-api-0123456789"
LIMITS = {"max_active": 100_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
_BATCH = 100
"""Jobs that are submitted at once."""


@attrs.frozen
class Standing:
    """How it stands with one worker."""

    known: dict[str, float]
    """When it knew of which end."""
    used: dict[str, float]
    """Seconds of CPU of its loop from then until its client's answer was written."""
    waiting: int
    """Clients."""
    cpu: float
    """Seconds of a processor that it has used."""


@attrs.frozen
class Told:
    """How one client has been told of an end."""

    how: str
    late: float
    """Seconds after the sender knew."""
    used: float | None
    """Seconds of CPU of the sender's loop until its answer was written, if that is who was asked."""


def worker(path: Path, vendor: str, pipe: Connection) -> None:
    """One worker; it says its port."""
    gc.enable()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    luma = aiogen.Luma(api_key=KEY, base_url=vendor, **LIMITS)
    app = FastAPI(lifespan=lifespan([luma], store=path))
    app.include_router(router(scope=None, models=None))
    known: dict[str, float] = {}
    began: dict[str, float] = {}
    used: dict[str, float] = {}
    show = Job._show

    def noting(job: Job, generation: Generation, *more: Any) -> None:
        if generation.state.is_terminal:
            known.setdefault(job.id, time.monotonic())
            began.setdefault(job.id, time.thread_time())
        show(job, generation, *more)

    Job._show = noting  # type: ignore[method-assign]

    async def written(scope: Any, receive: Any, send: Any) -> None:
        """The application, with what it writes about a job noted."""
        job = str(scope.get("path", "")).removeprefix("/generations/").removesuffix("/events")

        async def noted(message: Any) -> None:
            await send(message)
            if message.get("body") and job in began:
                used.setdefault(job, time.thread_time() - began[job])

        await app(scope, receive, noted)

    @app.post("/fill/{count}")
    async def fill(count: int, session: SessionDep) -> list[str]:
        """Jobs that run."""
        jobs: list[Job] = []
        for _ in range(0, count, _BATCH):
            jobs += await asyncio.gather(*(session.submit("luma/uni-1", "a boat") for _ in range(_BATCH)))
        await asyncio.gather(*(job.accepted() for job in jobs))
        return [job.id for job in jobs]

    @app.get("/standing")
    async def standing() -> dict[str, Any]:
        waiting = len(app.state.aiogen_shutdown._calls)
        return {"known": known, "used": used, "waiting": waiting, "cpu": time.process_time()}

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        pipe.send(listening.getsockname()[1])
        uvicorn.Server(uvicorn.Config(written, log_level="warning", access_log=False)).run([listening])


async def by_events(http: aiohttp.ClientSession, job: str) -> float:
    """When a stream has told of the end."""
    async with http.get(f"/generations/{job}/events") as answer:
        lines = []
        async for line in answer.content:
            lines.append(line)
            if line == b"id: completed\n":
                return time.monotonic()
    raise AssertionError(f"the stream has ended before the job: {answer.status} {lines[-4:]}")


async def by_waiting(http: aiohttp.ClientSession, job: str) -> float:
    """When a long poll has told of it."""
    while True:
        async with http.get(f"/generations/{job}", headers={"prefer": "wait=60"}) as answer:
            body = await answer.read()
        at = time.monotonic()
        if json.loads(body)["state"] == "completed":
            return at


async def watch(sender: int, asked: int, jobs: int, end: Callable[[], None]) -> tuple[list[Told], float]:
    """How each client is told; and the cores that the asked worker takes.

    `end` has the jobs end.
    """
    async with client_of(asked) as http, client_of(sender) as first:
        async with first.post(f"/fill/{jobs}") as answer:
            ids: list[str] = await answer.json()
        print(f"{len(ids):,} jobs run", flush=True)
        ways = [by_events, by_waiting]
        tasks = []
        for i, job in enumerate(ids):
            tasks.append(asyncio.create_task(ways[i % 2](http, job)))
            if i % _BATCH == 0:
                await asyncio.sleep(0.1)  # as many connections at once as a listening socket holds
        # Of those who ask again after a minute a few are always on their way.
        while (state := await state_of(http)).waiting < 0.99 * jobs:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        print("all clients wait", flush=True)
        await asyncio.to_thread(end)
        began = time.monotonic()
        at = await asyncio.gather(*tasks)
        cores = ((await state_of(http)).cpu - state.cpu) / (time.monotonic() - began)
        sent = await state_of(first)
    return [Told(ways[i % 2].__name__, at[i] - sent.known[job], sent.used.get(job)) for i, job in enumerate(ids)], cores


def client_of(port: int) -> aiohttp.ClientSession:
    """With a connection for each request: a kept one may be closed at the moment at which it is used again."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(
        f"http://127.0.0.1:{port}", connector=connector, timeout=aiohttp.ClientTimeout(total=600.0)
    )


async def state_of(http: aiohttp.ClientSession) -> Standing:
    """How it stands with one worker."""
    async with http.get("/standing") as answer:
        return Standing(**await answer.json())


def shares(seconds: list[float]) -> tuple[float, float, float]:
    """The median, what 99 of 100 do not exceed, and the most, in ms."""
    all_of_them = sorted(1000.0 * each for each in seconds)
    return all_of_them[len(all_of_them) // 2], all_of_them[int(0.99 * len(all_of_them))], all_of_them[-1]


def measure(name: str, server: Server, given: argparse.Namespace, *, elsewhere: bool) -> None:
    """Print how late the clients are, all asking one worker."""
    with tempfile.TemporaryDirectory() as folder:
        ports, processes = [], []
        for _ in range(2):
            here, there = multiprocessing.Pipe()
            path = Path(folder) / "jobs.db"
            process = multiprocessing.Process(target=worker, args=(path, server.luma_url, there), daemon=True)
            process.start()
            processes.append(process)
            ports.append(here.recv())
        time.sleep(2.0)
        try:
            found, cores = asyncio.run(
                watch(ports[0], ports[elsewhere], given.jobs, lambda: server.end_within(given.seconds))
            )
        finally:
            for process in processes:
                process.terminate()
                process.join()
    for way in (None, "by_events", "by_waiting"):
        of_it = [each for each in found if way in (None, each.how)]
        p50, p99, most = shares([each.late for each in of_it])
        print(f"{name}, {way or 'all'}: {p50:.1f} ms (median), {p99:.1f} ms (p99), {most:.1f} ms (most)")
        if used := [each.used for each in of_it if each.used is not None]:
            p50, p99, most = shares(used)
            print(f"    of CPU until it is written: {p50:.2f} ms (median), {p99:.2f} ms (p99), {most:.1f} ms (most)")
    print(f"{name}: {cores:.2f} core")


def main() -> None:
    """Measure once at either worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--follower", action="store_true", help="only at the worker that follows")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    gc.disable()  # the pauses of what measures are not what is measured
    with Server() as server:
        for name, elsewhere in (("at the worker that follows", False), ("at the other one", True)):
            if elsewhere and given.follower:
                continue
            server.reset(Config(durations=("never",)))
            measure(name, server, given, elsewhere=elsewhere)


if __name__ == "__main__":
    main()
