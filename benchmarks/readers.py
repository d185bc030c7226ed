"""A process that waits for thousands of jobs of another one: how late it knows their ends, and what that costs.

    python -m benchmarks.readers [--jobs 3000] [--seconds 10]

The other process ends them one after the other, evenly over so many seconds, on one ledger in a file.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import aiogen
from aiogen import State
from aiogen.stores import Record, SqliteStore

KEY = "luma-api-0123456789"


def writer(path: Path, jobs: int, seconds: float, ready: Event, go: Event, ends: Any) -> None:
    """The other process."""
    asyncio.run(_write(path, jobs, seconds, ready, go, ends))


async def _write(path: Path, jobs: int, seconds: float, ready: Event, go: Event, ends: Any) -> None:
    luma, store = aiogen.Luma(api_key=KEY), SqliteStore(path, lease=3600.0)
    submission = luma.encode(luma.prepare("uni-1", "a boat", {}))
    await store.open()
    for i in range(jobs):
        now = datetime.now(UTC)
        await store.add(
            Record(
                id=f"job-{i}", connection="luma", provider="luma", account=luma.account, state=State.PENDING,
                submission=submission, timeout=3600.0, created_at=now,
            )
        )  # fmt: skip
        await store.intend(f"job-{i}")
        await store.confirm(f"job-{i}", f"v-{i}", State.QUEUED)
    ready.set()
    await asyncio.to_thread(go.wait)
    began = time.time()
    for i in range(jobs):
        output = aiogen.Output(kind="image", url="https://cdn.example/a.png")
        end = aiogen.Generation(
            id=f"job-{i}", provider_id=f"v-{i}", provider="luma", connection="luma", model="uni-1",
            state=State.COMPLETED, outputs=(output,), finished_at=datetime.now(UTC),
        )  # fmt: skip
        await store.settle([end])
        ends.put((end.id, time.time()))
        await asyncio.sleep(max(0.0, began + seconds * (i + 1) / jobs - time.time()))
    await store.close()


async def measure(path: Path, jobs: int, seconds: float) -> None:
    """Watch them all."""
    ready, go = multiprocessing.Event(), multiprocessing.Event()
    ends: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=writer, args=(path, jobs, seconds, ready, go, ends))
    process.start()
    await asyncio.to_thread(ready.wait)
    async with aiogen.Session([aiogen.Luma(api_key=KEY)], store=path, take_up=False) as session:
        watched, each = [], list[float]()
        for i in range(jobs):
            began = time.perf_counter()
            watched.append(await session.job(f"job-{i}"))
            each.append(1000.0 * (time.perf_counter() - began))
        few, many = sorted(each[:20])[10], sorted(each[-20:])[10]
        print(f"session.job: {few:.2f} ms with few watched, {many:.2f} ms with {jobs:,} (medians of 20)")
        cpu, began = time.process_time(), time.time()
        go.set()
        known = {job.id: time.time() async for job in session.as_completed(job for job in watched if job is not None)}
        cores = (time.process_time() - cpu) / (time.time() - began)
    ended = dict(ends.get() for _ in range(jobs))
    late = sorted(known[name] - at for name, at in ended.items())
    print(
        f"known after {late[jobs // 2]:.3f} s (median), {late[int(0.99 * jobs)]:.3f} s (p99), {late[-1]:.3f} s (most)"
    )
    print(f"the watcher took {cores:.2f} core")
    process.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder) / "jobs.db", given.jobs, given.seconds))
