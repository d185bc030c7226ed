"""Two processes get the same requests under the same keys at once; one is killed half way.  What is created?

python -m benchmarks.repeats [--keys 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import aiogen
from benchmarks.server import Server
from benchmarks.world import Config

KEY = "luma-api-0123456789"
LIMITS = {"max_active": 100_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
AT_ONCE = 100
"""Requests that wait for `submit` at once."""


def client(path: Path, url: str, keys: int, ready: Event, go: Event) -> None:
    """Gets all of them."""
    asyncio.run(_submit(path, url, keys, ready, go))


async def _submit(path: Path, url: str, keys: int, ready: Event, go: Event) -> None:
    luma = aiogen.Luma(api_key=KEY, base_url=url, **LIMITS)
    async with aiogen.Session([luma], store=path, poll_cost=1.0) as session:
        ready.set()
        await asyncio.to_thread(go.wait)
        jobs = []
        for i in range(0, keys, AT_ONCE):
            some = range(i, min(i + AT_ONCE, keys))
            jobs += await asyncio.gather(*(session.submit("luma/uni-1", f"boat {k}", key=f"night/{k}") for k in some))
        ends = await asyncio.gather(*jobs, return_exceptions=True)
        print(f"told in one process: {dict(Counter(type(end).__name__ for end in ends))}", flush=True)


def kept(path: Path) -> dict[str, int]:
    """How many jobs are in which state."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM aiogen_job GROUP BY state").fetchall())


def measure(path: Path, server: Server, keys: int) -> None:
    """Kill one when half of them are created; then let a third one get all of them once more."""
    go, ready = multiprocessing.Event(), [multiprocessing.Event() for _ in range(3)]
    one, other, third = (
        multiprocessing.Process(target=client, args=(path, server.luma_url, keys, each, go)) for each in ready
    )
    for process, event in ((one, ready[0]), (other, ready[1])):
        process.start()
        event.wait()
    began = time.monotonic()
    go.set()
    while server.report().totals.creates < keys // 2:
        time.sleep(0.02)
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    killed_at = time.monotonic() - began
    other.join()
    took, creates = time.monotonic() - began, server.report().totals.creates
    third.start()
    third.join()
    again = server.report().totals.creates - creates
    print(f"{keys:,} keys, one of two killed after {killed_at:.1f} s, all over after {took:.1f} s: {creates:,} creates")
    print(f"in the ledger: {kept(path)}; created when a third process got them once more: {again}")
    one.join()


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1000)
    given = parser.parse_args()
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        server.reset(Config(durations=("fixed", 1.0)))
        measure(Path(folder) / "jobs.db", server, given.keys)


if __name__ == "__main__":
    main()
