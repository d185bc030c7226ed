"""What the ledger's file says, read past aiogen."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from processes.running import Worker


def _read(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def states(path: Path) -> Counter[str]:
    """How many jobs are in which state."""
    return Counter(dict(_read(path, "SELECT state, count(*) FROM aiogen_job GROUP BY state")))


def known(path: Path) -> set[str]:
    """The vendor's ids that it knows."""
    return {name for (name,) in _read(path, "SELECT provider_id FROM aiogen_job WHERE provider_id IS NOT NULL")}


def owners(path: Path, worker: Worker) -> Counter[bool | None]:
    """How many unfinished jobs that worker owns (True), others own (False), nobody owns (None)."""
    chosen = "WHERE finished_at IS NULL AND state != 'unknown' GROUP BY owner"
    counts: Counter[bool | None] = Counter()
    for owner, count in _read(path, f"SELECT owner, count(*) FROM aiogen_job {chosen}"):
        counts[None if owner is None else owner.split(":")[-2] == str(worker.pid)] += count
    return counts


async def until(is_so: Callable[[], bool], every: float = 0.03) -> None:
    """Wait for something that another process brings about; the test's own timeout ends it."""
    while not is_so():
        await asyncio.sleep(every)
