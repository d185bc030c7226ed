"""What a ledger in PostgreSQL has to do: statements, transactions, log and time of the server for each job.

    python -m benchmarks.shared_ledger [--quick]

In a server that the tests' own code starts, on this machine's disk and with the server's own settings for durability;
two stores, as two machines have them.  Its figures are in docs/deployment.md, and how soon an end is known elsewhere in
docs/postgres.md.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
import attrs

import aiogen
from aiogen.models import State
from aiogen.stores.base import Headroom
from aiogen.stores.postgres.store import PostgresStore
from benchmarks import results
from benchmarks.peers import KEY
from benchmarks.results import Row
from benchmarks.store import _ended, _record

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
_AT_ONCE = 50
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_APART = 0.15
"""Seconds between two things that are written: what comes sooner after another is read together with more of it."""
_TICKS = os.sysconf("SC_CLK_TCK")
_NOBODY = "http://127.0.0.1:9"


def run(*, quick: bool = False) -> list[Row]:
    """Measure with so many jobs in the ledger."""
    from postgres.server import Server

    found = []
    with Server.made(**_DURABLE) as server:
        for jobs in (100, 500) if quick else (500, 5_000, 50_000):
            metrics = asyncio.run(_measured(server, jobs, 100 if quick else 1_000, 3.0 if quick else 20.0))
            found.append(Row("a ledger in PostgreSQL", f"{jobs:,} jobs", metrics))
            results.show(found[-1:])
    results.write("shared_ledger", found)
    return found


async def _measured(server: Any, jobs: int, lives: int, idle: float) -> dict[str, float]:
    schema = f"jobs_{jobs}"
    stores = [PostgresStore(server.url, schema=schema) for _ in range(2)]
    for store in stores:
        await store.open()
    began = time.perf_counter()
    for first in range(0, jobs, 1_000):
        some = range(first, min(jobs, first + 1_000))
        await asyncio.gather(*(stores[i % 2].add(_record(i, "a", State.QUEUED)) for i in some))
    metrics = {"adds/s": jobs / (time.perf_counter() - began)}
    raw = await asyncpg.connect(server.url)
    await raw.execute("CHECKPOINT; ANALYZE")
    table = await raw.fetchval("SELECT pg_total_relation_size($1::text::regclass)", f"{schema}.aiogen_job")
    metrics["bytes a waiting job"] = table / jobs
    metrics |= await _lives(server, raw, stores, lives)
    metrics |= await _known(stores, lives // 5)
    rows = f"SELECT avg(pg_column_size(j.*)) FROM \"{schema}\".aiogen_job j WHERE state = 'completed'"
    metrics["bytes a finished row"] = float(await raw.fetchval(rows))
    for store in stores:
        await store.close()
    metrics |= await _idle(server, raw, schema, idle)
    await raw.close()
    return metrics


async def _lives(server: Any, raw: Any, stores: list[PostgresStore], count: int) -> dict[str, float]:
    """Whole lives, as many at once as there is room for, and what one of them takes."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def live(number: int) -> None:
        async with turns:
            store, job_id = stores[number % 2], f"job-live-{number}"
            await store.add(attrs.evolve(_record(number, "live", State.PENDING), id=job_id))
            await store.intend(job_id, Headroom(active=1e6, creates=1e6))
            await store.confirm(job_id, f"w-{number}", State.QUEUED)
            await store.progressed([job_id])
            await store.settle([attrs.evolve(_ended(number), id=job_id, provider_id=f"w-{number}")])

    log, busy = await _log(raw), _busy(server)
    with counting() as counts:
        began = time.perf_counter()
        await asyncio.gather(*(live(number) for number in range(count)))
        seconds = time.perf_counter() - began
    return {
        "lives/s": count / seconds,
        "statements a life": counts["statements"] / count,
        "commits a life": counts["commits"] / count,
        "log bytes a life": (await _log(raw) - log) / count,
        "server ms a life": 1e3 * (_busy(server) - busy) / count,
    }


async def _known(stores: list[PostgresStore], count: int) -> dict[str, float]:
    """From when one says that a job is over until the other knows, which watches it; one job after the other."""
    one, other = stores
    took = []
    for number in range(count):
        job_id = f"job-known-{number}"
        await one.add(attrs.evolve(_record(number, "known", State.QUEUED), id=job_id))
        await asyncio.sleep(_APART)
        await other.wait_for_news(0.0)
        await other.news([job_id])
        await asyncio.sleep(_APART)
        began = time.perf_counter()
        settling = asyncio.create_task(one.settle([attrs.evolve(_ended(number), id=job_id)]))
        while True:
            await other.wait_for_news(15.0)
            found = (await other.news([job_id])).get(job_id)
            if found is not None and found.state.is_terminal:
                break
        took.append(time.perf_counter() - began)
        await settling
    took.sort()
    return {
        "known elsewhere, median ms": 1e3 * took[len(took) // 2],
        "known elsewhere, p99 ms": 1e3 * took[min(len(took) - 1, int(0.99 * len(took)))],
    }


async def _idle(server: Any, raw: Any, schema: str, seconds: float) -> dict[str, float]:
    """Two sessions that follow, while nothing of their account changes: what that takes for each of them."""
    sessions = [
        aiogen.Session([aiogen.Luma(api_key=KEY, base_url=_NOBODY)], store=PostgresStore(server.url, schema=schema))
        for _ in range(2)
    ]
    for session in sessions:
        await session.__aenter__()
    await asyncio.sleep(1.0)
    busy = _busy(server)
    with counting() as counts:
        await asyncio.sleep(seconds)
    metrics = {
        "idle statements/s": counts["statements"] / seconds / len(sessions),
        "idle server ms/s": 1e3 * (_busy(server) - busy) / seconds / len(sessions),
        "connections": float(
            await raw.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'aiogen%'")
        )
        / len(sessions),
    }
    for session in sessions:
        await session.close()
    return metrics


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Statements that are sent, and those of them that are commits: each that stands alone is one, too."""
    counts = Counter[str]()
    connection = asyncpg.connection.Connection

    def counted(name: str) -> Any:
        before = getattr(connection, name)

        async def method(self: Any, statement: str, *values: Any, **options: Any) -> Any:
            counts["statements"] += 1
            counts["commits"] += statement == "COMMIT" or not self.is_in_transaction()
            counts["commits"] -= statement.startswith("BEGIN")
            return await before(self, statement, *values, **options)

        return method

    with ExitStack() as stack:
        for name in ("fetch", "fetchrow", "fetchval", "execute"):
            stack.enter_context(mock.patch.object(connection, name, counted(name)))
        yield counts


async def _log(raw: Any) -> int:
    """Bytes of write-ahead log so far."""
    return int(await raw.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))


def _busy(server: Any) -> float:
    """Seconds of processor that the server's processes have used, of those that live."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if server._process.pid in (int(fields[1]), int(entry.name)):
                total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


if __name__ == "__main__":
    results.main(run)
