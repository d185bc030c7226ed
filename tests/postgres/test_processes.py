"""Several processes on one database: one is killed, one is cut off, the server crashes; nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from postgres.proxy import Proxy
from postgres.server import Server
from processes.running import Worker, running
from processes.vendor import Vendor

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False), pytest.mark.no_cover]

LEASE = 3.0
LIMITS = {"max_active": 10_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
JOBS, SUBMITTED = 150, 60


class Ledger:
    """What the database says, read past aiogen."""

    def __init__(self, url: str, schema: str) -> None:
        self.url, self.schema = url, schema

    async def _asked(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(statement.replace("aiogen_job", f"{self.schema}.aiogen_job")))
        finally:
            await connection.close()

    async def states(self) -> Counter[str]:
        found = await self._asked("SELECT state, count(*) FROM aiogen_job GROUP BY state")
        return Counter(dict(map(tuple, found)))

    async def owned(self, worker: Worker) -> int:
        found = await self._asked("SELECT owner FROM aiogen_job WHERE finished_at IS NULL AND owner IS NOT NULL")
        return sum(owner.split(":")[-2] == str(worker.pid) for (owner,) in found)

    async def known(self) -> set[str]:
        found = await self._asked("SELECT provider_id FROM aiogen_job WHERE provider_id IS NOT NULL")
        return {name for (name,) in found}


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    while not await is_so():
        await asyncio.sleep(0.05)


async def begin(stack: AsyncExitStack, vendor: Vendor, ledger: Ledger, urls: dict[str, str]) -> list[Worker]:
    """Processes that share jobs which run already, and are sending new ones."""
    options: dict[str, Any] = {"lease": LEASE, "provider": LIMITS, "session": {"poll_cost": 0.02}}
    workers = [
        await stack.enter_async_context(
            running(name, vendor, url, store={"schema": ledger.schema, "timeout": 2.0}, **options)
        )
        for name, url in urls.items()
    ]
    there = vendor.make(JOBS)
    for i, worker in enumerate(workers):
        await worker.tell("attach", ids=there[i :: len(workers)])
    for i, worker in enumerate(workers):
        await worker.hears("attached")
        await worker.tell("submit", prompts=[f"boat {j:03}" for j in range(i, SUBMITTED, len(workers))])
    return workers


async def has_ended_well(vendor: Vendor, ledger: Ledger, unknown: int) -> None:
    """Each job has ended once; nothing was created twice, or is missing."""
    vendor.end_within(1.0)

    async def is_over() -> bool:
        return set(await ledger.states()) <= {"completed", "unknown"}

    await until(is_over)
    counts = await ledger.states()
    assert counts["completed"] + counts["unknown"] == JOBS + SUBMITTED
    assert counts["unknown"] <= unknown
    assert len(vendor.prompts) == len(set(vendor.prompts)), "one was created twice"
    assert len(vendor.prompts) + counts["unknown"] >= SUBMITTED
    assert len(vendor.made.keys() - await ledger.known()) <= counts["unknown"]


async def test_the_jobs_of_one_that_is_killed_are_taken_over(server: Server) -> None:
    """By both others, within the lease, a heartbeat and a second."""
    ledger = Ledger(server.url, "killed")
    async with asyncio.timeout(60.0), Vendor.open() as vendor, AsyncExitStack() as stack:
        one, *others = await begin(stack, vendor, ledger, dict.fromkeys(("one", "two", "three"), server.url))
        for worker in others:
            await worker.hears("submitted")
        await until(lambda: _true(sum(visit.is_create for visit in vendor.of("one")) > 5))
        killed_at = time.monotonic()
        await one.kill()
        assert await ledger.owned(one) >= JOBS // 3

        async def is_taken_over() -> bool:
            return not await ledger.owned(one) and sum([await ledger.owned(each) for each in others]) >= JOBS

        await until(is_taken_over)
        # The promise is lease + heartbeat + 1 s; the rest is for a machine that does something else as well.
        assert time.monotonic() - killed_at < LEASE + LEASE / 3 + 1.0 + 3.0
        await has_ended_well(vendor, ledger, unknown=16)
        handed_over = {("one", "two"), ("one", "three")}
        assert {tuple(turns) for turns in vendor.askers().values()} <= handed_over | {("one",), ("two",), ("three",)}
        assert not [each.name for each in others if each.heard("lost")]


async def test_one_that_is_cut_off_asks_nothing_and_creates_nothing(server: Server) -> None:
    """Others own its jobs by then; it still reaches the vendor.  When it is back, it goes on with what it gets."""
    ledger = Ledger(server.url, "cut")
    async with asyncio.timeout(60.0), Vendor.open() as vendor, Proxy.open(server.port) as proxy:
        async with AsyncExitStack() as stack:
            cut = server.url.replace(f":{server.port}/", f":{proxy.port}/")
            one, other = await begin(stack, vendor, ledger, {"one": cut, "other": server.url})
            for worker in (one, other):
                await worker.hears("submitted")
            await until(lambda: _true(len(vendor.prompts) == SUBMITTED))
            proxy.cut()
            cut_at = time.monotonic()

            async def is_taken_over() -> bool:
                return not await ledger.owned(one) and await ledger.owned(other) >= JOBS + SUBMITTED - 16

            await until(is_taken_over)
            assert vendor.of("one", since=cut_at + LEASE) == []
            await asyncio.sleep(1.0)
            assert vendor.of("one", since=cut_at + LEASE) == []
            proxy.mend()
            await one.hears("lost")
            assert not other.heard("lost")
            await has_ended_well(vendor, ledger, unknown=16)
            assert {tuple(turns) for turns in vendor.askers().values()} <= {("one",), ("other",), ("one", "other")}


async def test_a_server_that_crashes_and_comes_back_has_lost_nothing() -> None:
    """All pause, and go on: it was away for longer than the lease."""
    with Server.made(fsync="on", synchronous_commit="on", full_page_writes="on") as server:
        ledger = Ledger(server.url, "crash")
        async with asyncio.timeout(60.0), Vendor.open() as vendor, AsyncExitStack() as stack:
            workers = await begin(stack, vendor, ledger, dict.fromkeys(("one", "two"), server.url))
            await until(lambda: _true(len(vendor.prompts) > 5))
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            stopped_at = time.monotonic()
            await asyncio.sleep(LEASE + 1.0)
            assert [visit for visit in vendor.visits if visit.at > stopped_at + LEASE] == []
            await asyncio.to_thread(server.start)
            for worker in workers:
                await worker.hears("submitted")
            await has_ended_well(vendor, ledger, unknown=32)


async def _true(is_so: bool) -> bool:
    return is_so
