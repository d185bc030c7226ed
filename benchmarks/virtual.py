"""A vendor that keeps to its limits to the second, and two clients, on a clock that jumps to the next timer.

All live in one loop, so a quarter of an hour of polling takes seconds, and nothing in it depends on the machine.  The
sockets are real.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import aiohttp
import attrs
import looptime
from aiohttp import web

import aiogen

LATENCY = 0.1
"""Seconds from sending to the answer; spent first, so that an answer is never older than its way back."""
MINUTE = 60.0
_RUNNING_JSON: dict[str, Any] = {"type": "image", "model": "uni-1", "created_at": None, "output": []}


@attrs.frozen
class Limits:
    """What an account allows."""

    active: int
    per_minute: int


LUMA = Limits(active=10, per_minute=30)
HALVED = Limits(active=5, per_minute=15)
RAISED = Limits(active=100_000, per_minute=1_000_000)


@attrs.define
class Life:
    """One job as the vendor saw it."""

    accepted_at: float
    ends_at: float
    looks: list[float] = attrs.field(factory=list)
    """When its answers were read off: the last one said it is over."""

    @property
    def lag(self) -> float:
        """Seconds from its end to the look that found it."""
        return self.looks[-1] - self.ends_at


@attrs.define
class Vendor:
    """Speaks as much of Luma as a client needs, and keeps to its limits to the second."""

    durations: Sequence[float]
    """The n-th job accepted lasts so long."""
    limits: Limits
    later: Limits | None = None
    """The limits from the middle on: when half of the jobs have been accepted."""
    changed_at: float = math.inf
    refusals: list[float] = attrs.field(factory=list)
    """When a 429 was given."""
    lives: list[Life] = attrs.field(factory=list)

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(LATENCY)
        now = asyncio.get_running_loop().time()
        return self._create(now) if request.method == "POST" else self._read(request.path, now)

    def _create(self, now: float) -> web.Response:
        recent = sum(1 for life in self.lives if life.accepted_at > now - MINUTE)
        if recent >= self.limits.per_minute:
            oldest = self.lives[-self.limits.per_minute].accepted_at
            return self._refuse(now, "Rate limit exceeded", oldest + MINUTE - now, {"X-RateLimit-Remaining": "0"})
        if sum(1 for life in self.lives if life.ends_at > now) >= self.limits.active:
            return self._refuse(now, "Too many concurrent jobs", MINUTE, {})
        number = len(self.lives)
        self.lives.append(Life(now, now + self.durations[number]))
        headers = self._headers({"X-RateLimit-Remaining": str(self.limits.per_minute - recent - 1)})
        if self.later is not None and len(self.lives) == len(self.durations) // 2:
            self.limits, self.changed_at = self.later, now
        return _json({"id": f"job-{number}", "state": "queued", **_RUNNING_JSON}, 201, headers)

    def _read(self, path: str, now: float) -> web.Response:
        name = path.rpartition("/")[2]
        life = self.lives[int(name.removeprefix("job-"))]
        life.looks.append(now)
        if now < life.ends_at:
            return _json({"id": name, "state": "processing", **_RUNNING_JSON})
        output = [{"type": "image", "url": f"https://storage.invalid/{name}.png"}]
        return _json({"id": name, "state": "completed", **_RUNNING_JSON, "output": output})

    def _refuse(self, now: float, why: str, wait: float, headers: dict[str, str]) -> web.Response:
        self.refusals.append(now)
        headers = self._headers(headers) if headers else {}
        return _json({"detail": why}, 429, {"Retry-After": str(math.ceil(wait)), **headers})

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"X-RateLimit-Limit": str(self.limits.per_minute), **more}


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(value).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


# --- clients: each brings `jobs` to their ends, the n-th handed in `pace * n` seconds after the first

Client = Callable[[str, int, float, Limits], Awaitable[int]]
"""Url, jobs, pace, the limits it was told; gives how many jobs failed."""


async def with_aiogen(url: str, jobs: int, pace: float, limits: Limits) -> int:
    """One session, everything by default but the account's limits."""
    provider = aiogen.Luma(
        api_key="luma-api-benchmark",
        base_url=url,
        max_active=min(limits.active, 1_000_000),
        creates_per_minute=limits.per_minute,
        requests_per_minute=600 if limits is LUMA else 1_000_000,
    )
    failed = 0
    async with aiogen.Session([provider], max_in_flight=32 if limits is LUMA else 1000) as session:
        handles = []
        for _ in range(jobs):
            handles.append(await session.submit("luma/uni-1", "a lighthouse", timeout=600.0))
            await asyncio.sleep(pace)
        for handle in handles:
            try:
                await handle
            except aiogen.AiogenError:
                failed += 1
    return failed


async def with_a_loop(url: str, jobs: int, pace: float, limits: Limits, interval: float = 2.0) -> int:
    """What people write with care: places by a semaphore, creates evenly spaced, 429 obeyed, a look every 2 s."""
    places = asyncio.Semaphore(limits.active)
    turn = asyncio.Lock()

    async def one(client: aiohttp.ClientSession) -> None:
        async with places:
            while True:
                async with turn:
                    await asyncio.sleep(MINUTE / limits.per_minute)
                async with client.post(f"{url}/generations", json={"prompt": "a lighthouse"}) as answer:
                    if answer.status == 201:
                        name = (await answer.json())["id"]
                        break
                    wait = float(answer.headers["Retry-After"])
                await asyncio.sleep(wait)
            state = ""
            while state != "completed":
                await asyncio.sleep(interval)
                async with client.get(f"{url}/generations/{name}") as answer:
                    state = (await answer.json())["state"]

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client, asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(one(client))
            await asyncio.sleep(pace)
    return 0


CLIENTS: dict[str, Client] = {"aiogen": with_aiogen, "semaphore, every 2 s": with_a_loop}


@attrs.frozen
class Run:
    """What one client did."""

    vendor: Vendor
    failed: int
    seconds: float
    """From the first job handed in to the last one known to be over."""


def meet(client: str, vendor: Vendor, pace: float) -> Run:
    """One of `CLIENTS` and a vendor, in a loop of their own whose time is virtual."""

    async def main() -> Run:
        runner = web.ServerRunner(web.Server(vendor), shutdown_timeout=0.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        try:
            host, port = runner.addresses[0][:2]
            loop = asyncio.get_running_loop()
            begun = loop.time()
            failed = await CLIENTS[client](f"http://{host}:{port}/v1", len(vendor.durations), pace, vendor.limits)
            return Run(vendor, failed, loop.time() - begun)
        finally:
            await runner.cleanup()

    # Before the clock jumps the loop looks so often whether a socket has something after all; on one machine and in one
    # thread it always has it at once, and the default of 42 would be most of the run's time.
    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=3)) as once:
        return once.run(main())
