"""Both vendors, imitated for measuring, in a process of their own: `python -m benchmarks.server`.

This is not `aiogen.sandbox`: it checks nothing and answers as fast as aiohttp can, so that what is measured is the
client.  It speaks what a client needs to create generations and to learn that they are over (Luma below `/luma`,
Leonardo below `/leonardo`), and counts what it was asked.

Time is `time.monotonic()`, which on Linux all processes share: a client's own reading of it minus `Job.ended_at` is
the lag.  Latency is spent first and the state is read at its end, just before the answer is sent: an answer is never
older than its way back.  For the same reason a job is accepted at the end of its create's latency.  The limit of
requests is looked at when a request arrives; only those that are served count in its window of one second.

A second port, for the benchmark alone, starts anew (`POST /_reset`), puts jobs there without requests
(`POST /_jobs`), has all end within some seconds (`POST /_end`) and tells what was seen (`GET /_report`, `GET /_count`).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from benchmarks.answers import as_json, leonardo, luma
from benchmarks.world import Config, Job, Report, Totals, World

USER = "3f1c3a3e-0000-4000-8000-000000000001"
_WALL = time.time() - time.monotonic()


class Vendors(web.Server):
    """The vendors' side: one handler without a router, which would cost as much as the rest."""

    def __init__(self) -> None:
        super().__init__(self._handle)
        self.world = World(Config())

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        totals = self.world.totals
        totals.connections += 1
        totals.peak_connections = max(totals.peak_connections, totals.connections)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.world.totals.connections -= 1

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        world = self.world
        totals = world.totals
        totals.requests += 1
        totals.in_flight += 1
        totals.peak_in_flight = max(totals.peak_in_flight, totals.in_flight)
        try:
            admitted = world.admits(time.monotonic())
            if world.config.latency:
                await asyncio.sleep(world.config.latency)
            return self._answer(world, request) if admitted else _refused(world, "Rate limit exceeded")
        finally:
            totals.in_flight -= 1

    def _answer(self, world: World, request: web.BaseRequest) -> web.Response:
        now = time.monotonic()
        _, vendor, version, *rest = request.path.split("/")
        is_luma = vendor == "luma"

        def tell(job_id: str, job: Job) -> dict[str, Any]:
            say = luma if is_luma else leonardo
            return say(job_id, job.accepted_at + _WALL, over=world.is_over(job, now))

        match request.method, rest:
            case "POST", ["generations"]:
                if not world.has_room(now):
                    return _refused(world, "Too many concurrent generations")
                world.totals.creates += 1
                job_id = world.accept(now)
                if is_luma:
                    return as_json(luma(job_id, now + _WALL, over=False), 201)
                return as_json({"generate" if version == "v2" else "sdGenerationJob": {"generationId": job_id}})
            case "GET", ["generations", "user", _]:
                world.totals.lists += 1
                query = request.query
                ids = world.page(int(query.get("offset", 0)), int(query.get("limit", 10)))
                jobs = [(i, world.jobs[i]) for i in ids]
                return as_json({"generations": [tell(i, job) for i, job in jobs]})
            case "GET", ["generations", job_id]:
                world.totals.reads += 1
                job = world.jobs.get(job_id)
                if job is None:
                    return as_json({"detail": "Generation not found"}, 404)
                job.questions += 1
                return as_json(tell(job_id, job) if is_luma else {"generations_by_pk": tell(job_id, job)})
            case "GET", ["me"]:
                user = {"user": {"id": USER, "username": "bench"}, "apiConcurrencySlots": world.config.slots or 100_000}
                return as_json({"user_details": [user]})
        return as_json({"detail": "Not Found"}, 404)

    async def control(self, request: web.BaseRequest) -> web.Response:
        """What only the benchmark asks."""
        match request.path:
            case "/_reset":
                self.world = World(Config(**await request.json()), self.world.totals.connections)
            case "/_jobs":
                now = time.monotonic()
                return as_json([self.world.accept(now) for _ in range(await request.json())])
            case "/_end":
                self.world.end_within(time.monotonic(), await request.json())
            case "/_report":
                return as_json(attrs.asdict(Report(self.world.totals, self.world.jobs)))
        return as_json(self.world.totals.requests)


def _refused(world: World, text: str) -> web.Response:
    world.totals.refused += 1
    response = as_json({"detail": text, "error": text, "code": "unexpected"}, 429)
    if world.config.retry_after:
        response.headers["Retry-After"] = "1"
    return response


class Server:
    """The server's process, seen from the benchmark.  Its calls block: they are not made while something is timed."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,  # its end tells the server to leave, however this process goes
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        vendors, control = self._process.stdout.readline().split()
        self.luma_url = f"http://127.0.0.1:{vendors}/luma/v1"
        self.leonardo_url = f"http://127.0.0.1:{vendors}/leonardo"
        self._control = f"http://127.0.0.1:{control}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.communicate()

    def reset(self, config: Config) -> None:
        """Forget everything but the open connections."""
        self._ask("/_reset", attrs.asdict(config))

    def put_jobs(self, n: int) -> list[str]:
        """The ids of `n` new generations."""
        ids: list[str] = self._ask("/_jobs", n)
        return ids

    def end_within(self, seconds: float) -> None:
        """All jobs end one after the other, beginning now."""
        self._ask("/_end", seconds)

    def count(self) -> int:
        """Requests so far."""
        requests: int = self._ask("/_count")
        return requests

    def report(self) -> Report:
        """Everything so far."""
        found = self._ask("/_report")
        return Report(Totals(**found["totals"]), {i: Job(**job) for i, job in found["jobs"].items()})

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self._control + path, data) as answer:
            return json.loads(answer.read())


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    vendors = Vendors()
    ports = []
    for protocol in (vendors, web.Server(vendors.control)):
        listening = await loop.create_server(protocol, "127.0.0.1", 0, backlog=65_535)
        ports.append(listening.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
