"""A ledger moves from a file into a database: closed there, copied, and opened here, never open in both.

The order of what is written decides (see `sqlite.closed` and `postgres.taking_in`):

1. The file is closed, in one commit; what was being submitted is unknown.
2. Everything is copied in one transaction of the database.
3. The file notes that it was handed over, in one commit, if nobody has opened it again meanwhile.
4. The transaction is committed: the database is open.

Whatever ends this in between, it can be done again.  Before 3 nothing is in the database and the copying begins again,
or the move is given up; after 3 the database says whether 4 was carried out.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import attrs

from aiogen.errors import StoreError
from aiogen.stores.carrying import TABLES, Table
from aiogen.stores.postgres import taking_in
from aiogen.stores.postgres.taking_in import Target
from aiogen.stores.sqlite import clock, copies
from aiogen.stores.sqlite.closed import Stage
from aiogen.stores.sqlite.leaving import Source

_CLOCKS_AGREE = 1.0
"""Seconds by which this machine's clock and the server's may differ, and moments are left as they are."""


@attrs.frozen
class Moved:
    """The result of a move."""

    to: str
    """Where the ledger is now, without a password."""
    counts: Mapping[str, int]
    """Jobs by state."""
    was_done: bool = False
    """An earlier try had come to its end already."""

    @property
    def jobs(self) -> int:
        """In all."""
        return sum(self.counts.values())


Progress = Callable[[str, int, int], None]
"""Called with the name of a table, how many of its rows are copied, and how many there are."""


def _silent(table: str, done: int, total: int) -> None:
    pass


async def _passed(step: str) -> None:
    """For tests, which end it there."""


async def move(
    path: Path,
    url: str,
    *,
    schema: str | None = None,
    progress: Progress = _silent,
    passed: Callable[[str], Awaitable[None]] = _passed,
) -> Moved:
    """Move the ledger in a file into a database; done again after a crash it goes on or begins again.

    Raises:
        ConfigurationError: the url is not valid.
        StoreError: the file is in use, is a copy of another ledger, or was moved to another place; the database cannot
            be reached, or has jobs already.  Where that is found out before, nothing was changed.
    """
    async with taking_in.opened(url, schema) as target, Source(path) as source:
        return await _move(source, target, progress, passed)


async def _move(source: Source, target: Target, progress: Progress, passed: Callable[[str], Awaitable[None]]) -> Moved:
    before = await source.do(source.standing)
    if before is None or before.stage is Stage.COPYING:
        await target.refuse_use()
    elif before.to != target.place:
        raise StoreError(f"The ledger {str(source.path)!r} was moved to {before.to} already, not to {target.place}.")
    move_id = secrets.token_hex(8)
    if before is None:
        await source.do(lambda: source.close(move_id, target.place))
    await passed("closed")
    async with target.alone():
        if before is not None:
            if before.stage is not Stage.COPYING and await target.moved_from() == before.id:
                counts = await target.counts()
                await target.commit()
                await source.advance(before.id, Stage.MOVED)
                return Moved(target.place, counts, was_done=before.stage is Stage.MOVED)
            if before.stage is Stage.MOVED:  # what has been done there since, nobody knows: some may be sent already
                raise StoreError(
                    f"The ledger {str(source.path)!r} was moved to {target.place}, and what is there now is another "
                    "one: put a backup of that database back."
                )
            await target.refuse_use()
            await source.begin_again(before, move_id, target.place)
        else:
            await target.refuse_use()
        await passed("alone")
        await target.clear()
        await _copy(source, target, progress, passed)
        await target.finish(await source.read(_namespace), move_id)
        counts = await target.counts()
        await passed("copied")
        await source.advance(move_id, Stage.HANDED_OVER)
        await passed("handed over")
        await target.commit()
    await passed("committed")
    await source.advance(move_id, Stage.MOVED)
    return Moved(target.place, counts)


async def _copy(source: Source, target: Target, progress: Progress, passed: Callable[[str], Awaitable[None]]) -> None:
    shift = await target.now() - await source.read(clock.now)
    if abs(shift) < _CLOCKS_AGREE:
        shift = 0.0
    for table in TABLES:
        total = await source.read(lambda c, table=table: _count(c, table))  # type: ignore[misc]
        done = 0
        progress(table.name, done, total)
        portions = await source.do(lambda table=table: source.portions(table, shift))  # type: ignore[misc]
        while some := await source.do(lambda portions=portions: next(portions, None)):  # type: ignore[misc]
            await target.take(table.name, table.columns, some)
            done += len(some)
            progress(table.name, done, total)
            await passed(f"some of {table.name}")
        if done != await target.count(table.name):
            raise StoreError(f"Not all rows of {table.name} are in {target.place}; run the move again.", retryable=True)


def _count(c: sqlite3.Connection, table: Table) -> int:
    return int(c.execute(f"SELECT count(*) FROM aiogen_{table.name}").fetchone()[0])


def _namespace(c: sqlite3.Connection) -> str:
    return str(copies.namespace(c))
