"""Three processes on one ledger, of which one is killed: when the others have all its jobs, and how they share them.

    python -m benchmarks.survivors [--jobs 5000] [--lease 15]

All jobs are of the one that is killed, and run at a vendor that is imitated here.
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
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import aiogen
from aiogen import State
from aiogen.stores import Record, SqliteStore
from benchmarks.server import Server
from benchmarks.world import Config

KEY = "luma-api-0123456789"
LIMITS = {"max_active": 100_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}


def victim(path: Path, url: str, jobs: list[str], lease: float, ready: Event) -> None:
    """Owns all of them."""
    asyncio.run(_own(path, url, jobs, lease, ready))


async def _own(path: Path, url: str, jobs: list[str], lease: float, ready: Event) -> None:
    luma, store = aiogen.Luma(api_key=KEY, base_url=url), SqliteStore(path, lease=lease)
    submission = luma.encode(luma.prepare("uni-1", "a boat", {}))
    await store.open()

    def running(provider_id: str) -> Record:
        now = datetime.now(UTC)
        return Record(
            id=f"job-{provider_id}", connection="luma", provider="luma", account=luma.account, state=State.QUEUED,
            submission=submission, provider_id=provider_id, timeout=3600.0, created_at=now, accepted_at=now,
        )  # fmt: skip

    for i in range(0, len(jobs), 200):
        await asyncio.gather(*(store.add(running(provider_id)) for provider_id in jobs[i : i + 200]))
    ready.set()
    while True:
        await asyncio.sleep(0.2 * lease)
        await store.heartbeat()


def survivor(path: Path, url: str, lease: float, ready: Event, stop: Event) -> None:
    """Lives, and takes up what it finds."""
    asyncio.run(_live(path, url, lease, ready, stop))


async def _live(path: Path, url: str, lease: float, ready: Event, stop: Event) -> None:
    luma = aiogen.Luma(api_key=KEY, base_url=url, **LIMITS)
    async with aiogen.Session([luma], store=SqliteStore(path, lease=lease), poll_cost=5.0) as session:
        await session.resume()
        ready.set()
        await asyncio.to_thread(stop.wait)


def owners(path: Path) -> Counter[int | None]:
    """How many jobs each process owns, by its id."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT owner, count(*) FROM aiogen_job GROUP BY owner").fetchall()
    return Counter({None if owner is None else int(owner.split(":")[-2]): count for owner, count in rows})


def measure(path: Path, url: str, jobs: list[str], lease: float) -> None:
    """Kill one, and watch who owns what."""
    stop, events = multiprocessing.Event(), [multiprocessing.Event() for _ in range(3)]
    killed: BaseProcess = multiprocessing.Process(target=victim, args=(path, url, jobs, lease, events[0]))
    others = [multiprocessing.Process(target=survivor, args=(path, url, lease, each, stop)) for each in events[1:]]
    for process in (killed, *others):
        process.start()
    for event in events:
        event.wait()
    time.sleep(1.0)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    began, first = time.monotonic(), None
    while (now := owners(path))[killed.pid] or now[None]:
        if first is None and now[killed.pid] == 0:
            first = time.monotonic() - began
        time.sleep(0.02)
    took = time.monotonic() - began
    shares = ", ".join(f"{100.0 * now[each.pid] / len(jobs):.1f} %" for each in others)
    print(f"lease {lease:g} s, {len(jobs):,} jobs: known to be dead after {first or took:.2f} s")
    print(f"the last was taken over after {took:.2f} s; the survivors have {shares}")
    stop.set()
    for process in (killed, *others):
        process.join()


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--lease", type=float, default=15.0)
    given = parser.parse_args()
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        server.reset(Config(durations=("never",)))
        measure(Path(folder) / "jobs.db", server.luma_url, server.put_jobs(given.jobs), given.lease)


if __name__ == "__main__":
    main()
