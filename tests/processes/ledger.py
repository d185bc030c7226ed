"""What the ledger says, read past aiogen: of a file, or of a database where a url is given for its path."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from aiogen.stores.base import Store
from aiogen.stores.sqlite import SqliteStore
from processes.running import Worker

Where = Path | str


def opened_at(where: Where) -> Store:
    """A store that is not open yet."""
    if isinstance(where, Path):
        return SqliteStore(where)
    from aiogen.stores import PostgresStore

    return PostgresStore(where)


def _read(path: Where, statement: str) -> list[tuple[Any, ...]]:
    if isinstance(path, str):
        with ThreadPoolExecutor(1) as beside:  # this thread has a loop already
            return beside.submit(asyncio.run, _asked(path, statement)).result()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


async def _asked(url: str, statement: str) -> list[tuple[Any, ...]]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


def states(path: Where) -> Counter[str]:
    """How many jobs are in which state."""
    return Counter(dict(_read(path, "SELECT state, count(*) FROM aiogen_job GROUP BY state")))


def known(path: Where) -> set[str]:
    """The vendor's ids that it knows."""
    return {name for (name,) in _read(path, "SELECT provider_id FROM aiogen_job WHERE provider_id IS NOT NULL")}


def owners(path: Where, worker: Worker) -> Counter[bool | None]:
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
