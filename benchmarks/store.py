"""What the ledger in a file costs: a submit, a batch, a restart, and the disk.

All on the machine's own disk, committed with `synchronous=FULL`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import attrs

import aiogen
from aiogen.exchange import Submission
from aiogen.models import Generation, Output, State, Typical
from aiogen.stores.base import Record
from aiogen.stores.sqlite import SqliteStore
from benchmarks import results
from benchmarks.measure import together
from benchmarks.peers import KEY, Limits
from benchmarks.results import Row
from benchmarks.server import Server
from benchmarks.world import Config

_WISH = Submission(
    model="uni-1",
    kind="image",
    prompt="p" * 200,
    endpoint="generations",
    body={"prompt": "p" * 200, "model": "uni-1", "aspect_ratio": "16:9"},
    timeout=600.0,
    typical=Typical(median=20.0),
)
_URL = "https://cdn.example/generations/" + "x" * 300


def run(*, quick: bool = False) -> list[Row]:
    """Measure with a ledger in a file beside one in memory."""
    jobs, many, rounds, long = (100, 500, 1, 2.0) if quick else (500, 5_000, 3, 20.0)
    metrics: dict[str, float] = {}
    for kind in ("memory", "file"):
        short = together(_batch, [(kind, jobs, 0.2)] * rounds, at_once=1)
        metrics[f"{kind}: short seconds"] = statistics.median(short)
        metrics[f"{kind}: seconds"] = statistics.median(together(_batch, [(kind, jobs, long)] * rounds, at_once=1))
    ledgers = together(_ledger, [(jobs, many)] * rounds, at_once=1)
    submits = [seconds for each in ledgers for seconds in each.submits]
    commits = [seconds for each in ledgers for seconds in each.commits]
    taken_up = statistics.median(each.taken_up for each in ledgers)
    metrics |= {
        "throughput": metrics["memory: seconds"] / metrics["file: seconds"],
        "submit p50": statistics.median(submits),
        "submit p95": statistics.quantiles(submits, n=20)[-1],
        "commit p50": statistics.median(commits),
        "bytes per finished job": ledgers[0].size,
        "taken up": taken_up,
        "jobs": float(many),
    }
    rows = [Row("the ledger in a file", "aiogen", metrics)]
    results.write("store", rows)
    results.show(rows)
    return rows


def _batch(kind: str, jobs: int, lasts: float) -> float:
    """Seconds for a batch of generations that last so long, nothing in the way but the client."""

    async def measured(server: Server, path: Path) -> float:
        server.reset(Config(durations=("fixed", lasts)))
        provider = aiogen.Luma(api_key=KEY, base_url=server.luma_url, **attrs.asdict(Limits()))
        store = SqliteStore(path) if kind == "file" else None
        async with aiogen.Session([provider], store=store, poll_cost=0.01) as session:
            await session.generate("luma/uni-1", "first")
            began = time.perf_counter()
            handles = [await session.submit("luma/uni-1", f"picture {number}") for number in range(jobs)]
            await asyncio.gather(*handles)
            return time.perf_counter() - began

    with Server() as server, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measured(server, Path(folder, "jobs.db")))


@attrs.frozen
class _Ledger:
    """What was measured of one."""

    submits: list[float]
    """Seconds of each durable submit."""
    commits: list[float]
    """Seconds of as many transactions with nothing round them: what this disk takes."""
    size: float
    """Bytes per finished job."""
    taken_up: float
    """Seconds until many running jobs are taken up."""


def _ledger(jobs: int, many: int) -> _Ledger:
    async def measured(server: Server, folder: Path) -> _Ledger:
        server.reset(Config(durations=("never",)))
        provider = aiogen.Luma(api_key=KEY, base_url=server.luma_url, max_active=1)
        submits = []
        async with aiogen.Session([provider], store=folder / "submits.db") as session:
            for number in range(jobs):
                began = time.perf_counter()
                await session.submit("luma/uni-1", f"picture {number}")
                submits.append(time.perf_counter() - began)
        commits = await asyncio.to_thread(_commits, folder / "bare.db", jobs)
        size = await _size(folder / "finished.db", jobs)
        await _running(folder / "running.db", provider.account, many)
        began = time.perf_counter()
        async with aiogen.Session([provider], store=folder / "running.db") as session:
            taken_up = await session.resume()
            seconds = time.perf_counter() - began
            assert len(taken_up) == many
        return _Ledger(submits, commits, size, seconds)

    with Server() as server, tempfile.TemporaryDirectory() as name:
        return asyncio.run(measured(server, Path(name)))


def _commits(path: Path, count: int) -> list[float]:
    """The least that is durable: one row into one table, on the same disk, with the same settings."""
    found = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE job(id TEXT PRIMARY KEY, request TEXT)")
        for number in range(count):
            began = time.perf_counter()
            connection.execute("INSERT INTO job VALUES (?, ?)", (f"job-{number}", "p" * 600))
            found.append(time.perf_counter() - began)
    return found


async def _size(path: Path, jobs: int) -> float:
    store = SqliteStore(path)
    await store.open()
    await asyncio.gather(*(store.add(_record(number, "a", State.PENDING)) for number in range(jobs)))
    await asyncio.gather(*(store.settle([_ended(number)]) for number in range(jobs)))
    await store.close()
    return await asyncio.to_thread(lambda: path.stat().st_size) / jobs


async def _running(path: Path, account: str, many: int) -> None:
    store = SqliteStore(path)
    await store.open()
    await asyncio.gather(*(store.add(_record(number, account, State.QUEUED)) for number in range(many)))
    await store.close()


def _record(number: int, account: str, state: State) -> Record:
    now = datetime.now(UTC)
    running = {"provider_id": f"v-{number}", "accepted_at": now} if state is State.QUEUED else {}
    return Record(
        id=f"job-{number}",
        connection="luma",
        provider="luma",
        account=account,
        state=state,
        submission=_WISH,
        timeout=600.0,
        created_at=now,
        **running,
    )


def _ended(number: int) -> Generation:
    return Generation(
        id=f"job-{number}",
        provider_id=f"v-{number}",
        provider="luma",
        connection="luma",
        model="uni-1",
        state=State.COMPLETED,
        prompt="p" * 200,
        outputs=(Output(kind="image", url=_URL, expires_at=datetime.now(UTC)),),
        finished_at=datetime.now(UTC),
    )


if __name__ == "__main__":
    results.main(run)
