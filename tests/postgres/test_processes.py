"""Several processes on one database: one is killed, one is cut off, the server crashes; nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from postgres.proxy import Proxy
from postgres.server import Server
from processes.running import Worker, running
from processes.vendor import Vendor

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False), pytest.mark.no_cover, pytest.mark.timeout(200)]

LEASE = 3.0
LIMITS = {"max_active": 10_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
JOBS, SUBMITTED = 150, 60
HANGS = 180.0
"""Seconds after which a test has failed; it takes a tenth of that on a machine that does nothing else."""


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


async def begin(
    stack: AsyncExitStack,
    vendor: Vendor,
    ledger: Ledger,
    urls: dict[str, str],
    *,
    logs: list[Path] | None = None,
    poll_cost: float = 0.02,
) -> list[Worker]:
    """Processes that share jobs which run already, and are sending new ones."""
    options: dict[str, Any] = {"lease": LEASE, "provider": LIMITS, "session": {"poll_cost": poll_cost}}
    workers = [
        await stack.enter_async_context(
            running(name, vendor, url, store={"schema": ledger.schema, "timeout": 2.0}, log=log, **options)
        )
        for (name, url), log in zip(urls.items(), logs or [None] * len(urls), strict=True)
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
    async with asyncio.timeout(HANGS), Vendor.open() as vendor, AsyncExitStack() as stack:
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
        # The promise is lease + heartbeat + 1 s, which `five_thousand` measures; here it is that it does not take long.
        assert time.monotonic() - killed_at < 4.0 * (LEASE + LEASE / 3 + 1.0)
        await has_ended_well(vendor, ledger, unknown=SUBMITTED // 3)
        handed_over = {("one", "two"), ("one", "three")}
        assert {tuple(turns) for turns in vendor.askers().values()} <= handed_over | {("one",), ("two",), ("three",)}
        assert not [each.name for each in others if each.heard("lost")]


async def test_one_that_is_cut_off_asks_nothing_and_creates_nothing(server: Server, tmp_path: Path) -> None:
    """Others own its jobs by then; it still reaches the vendor.  When it is back, it goes on with what it gets."""
    ledger = Ledger(server.url, "cut")
    async with asyncio.timeout(HANGS), Vendor.open() as vendor, Proxy.open(server.port) as proxy:
        async with AsyncExitStack() as stack:
            cut = server.url.replace(f":{server.port}/", f":{proxy.port}/")
            logs = [tmp_path / "one", tmp_path / "other"]
            one, other = await begin(stack, vendor, ledger, {"one": cut, "other": server.url}, logs=logs)
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
            assert " has run out; " in logs[0].read_text()  # and why: tests/ledger/test_lease.py


async def test_one_that_is_stopped_for_two_leases_touches_nothing_that_is_anothers(server: Server) -> None:
    """Before it knows it sends nothing; then it goes on with what it gets.

    One request may have been between the look at its lease and its bytes, in the very step in which it was stopped.
    """
    ledger = Ledger(server.url, "stopped")
    async with asyncio.timeout(HANGS), Vendor.open() as vendor, AsyncExitStack() as stack:
        one, other = await begin(stack, vendor, ledger, dict.fromkeys(("one", "other"), server.url))
        for worker in (one, other):
            await worker.hears("submitted")
        await until(lambda: _true(len(vendor.prompts) > SUBMITTED // 2))
        one.stop()
        stopped_at = time.monotonic()

        async def is_taken_over() -> bool:
            return not await ledger.owned(one) and await ledger.owned(other) >= JOBS

        await until(is_taken_over)
        await until(lambda: _true(time.monotonic() > stopped_at + 2.0 * LEASE))
        woken_at = time.monotonic()
        one.go_on()
        (anew,) = await one.hears("registered anew")
        on_its_way = [visit.id for visit in vendor.of("one", since=woken_at) if visit.at < anew["at"]]
        assert len(on_its_way) <= 1, "it went on as if nothing were"
        await has_ended_well(vendor, ledger, unknown=16)
        if other.heard("lost"):  # a busy machine held it up for a lease, too: then jobs go to and fro
            return
        handed_over = ("one", "other"), ("one", "other", "one")  # the second: an answer that came home late
        turns = Counter(tuple(each) for name, each in vendor.askers().items() if name not in on_its_way)
        assert set(turns) <= {("one",), ("other",), *handed_over}
        assert turns[handed_over[1]] <= SUBMITTED


async def test_a_server_that_crashes_and_comes_back_has_lost_nothing(tmp_path: Path) -> None:
    """All pause, and go on: it was away for longer than the lease.  Their logs say it in a few lines.

    How much is asked in the second of return is for tests/engine/test_breaks.py, and measured by five_thousand.py.
    """
    logs = [tmp_path / "one", tmp_path / "two"]
    with Server.made(fsync="on", synchronous_commit="on", full_page_writes="on") as server:
        ledger = Ledger(server.url, "crash")
        async with asyncio.timeout(HANGS), Vendor.open() as vendor, AsyncExitStack() as stack:
            urls = dict.fromkeys(("one", "two"), server.url)
            workers = await begin(stack, vendor, ledger, urls, logs=logs, poll_cost=1.0)
            for worker in workers:  # what is refused while it is away ends their programs
                await worker.hears("submitted")
            await until(lambda: _true(len(vendor.prompts) > 5))
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            stopped_at = time.monotonic()
            await asyncio.sleep(LEASE + 1.0)
            assert [visit for visit in vendor.visits if visit.at > stopped_at + LEASE] == []
            await asyncio.to_thread(server.start)

            async def are_followed() -> bool:
                return sum([await ledger.owned(worker) for worker in workers]) >= JOBS

            await until(are_followed)
            await has_ended_well(vendor, ledger, unknown=32)
    lines = [line for log in logs for line in log.read_text().splitlines()]
    assert not [line for line in lines if line.startswith("Traceback")]
    assert len(lines) < 40, lines


async def _true(is_so: bool) -> bool:
    return is_so
