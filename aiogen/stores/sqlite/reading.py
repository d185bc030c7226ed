"""Reading a ledger: statements, rows that cannot be read, and long reads.

A long read has a thread and a connection of its own, so that nobody who writes waits for it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aiogen.errors import StoreError
from aiogen.models import State
from aiogen.stores import rows
from aiogen.stores.base import MOST_FOUND, Record, RecordQuery
from aiogen.stores.sqlite import clock, where
from aiogen.stores.sqlite.forks import Guarded
from aiogen.stores.unread import UnreadRows

T = TypeVar("T")
Connection = sqlite3.Connection
Key = tuple[float, str]
"""By which rows are sorted: when they were taken in, the newest first, and their id."""

COLUMNS = ", ".join(rows.COLUMNS)
"""Of a record, for a SELECT."""
BARE = ", ".join("NULL" if name == "request" else name for name in rows.COLUMNS)
"""The same without what was sent, which may be megabytes."""
_CLOSED = "The ledger was closed while it was read."
_AT_ONCE = 4
"""Threads; further reads wait for one to end."""
_SLICE = 10
"""Rows between two pauses."""
_LOOK = 10_000
"""Of SQLite's steps between two looks whether the store is being closed: some milliseconds."""
_PAUSE = 0.0001
"""Seconds in which the event loop and the writer come to their turns: both need the interpreter that reading holds."""


class Readers:
    """The long reads of one store."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """`connect` is called in the thread of each read."""
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._running: set[asyncio.Future[Any]] = set()
        self._is_closing = False

    async def do(self, work: Callable[[Connection], T]) -> T:
        """Carry it out; what was written before this is called is seen."""
        async with self._places:
            if self._is_closing:
                raise StoreError("The ledger was closed before it was read.")
            done: asyncio.Future[T] = self._loop.create_future()
            self._running.add(done)
            done.add_done_callback(self._running.discard)
            threading.Thread(target=self._run, args=(work, done), name="aiogen-store-read", daemon=True).start()
            return await asyncio.shield(done)

    async def close(self) -> None:
        """Cut short what is being read."""
        self._is_closing = True
        while self._running:
            await asyncio.wait(set(self._running))

    def breathe(self) -> None:
        """Called by long work between two slices."""
        if self._is_closing:
            raise StoreError(_CLOSED)
        time.sleep(_PAUSE)

    # --- in the thread

    def _run(self, work: Callable[[Connection], Any], done: asyncio.Future[Any]) -> None:
        value: Any = None
        failure: BaseException | None = None
        try:
            reader = Guarded(self._connect)  # no child of a fork inherits it
            try:
                with reader as connection:
                    connection.text_factory = rows.lenient
                    # A search that finds nothing gives nobody a turn in which it could be stopped.
                    connection.set_progress_handler(lambda: self._is_closing, _LOOK)
                    value = work(connection)
            finally:
                reader.close()
        except sqlite3.OperationalError as error:
            failure = StoreError(_CLOSED) if self._is_closing else error
        except BaseException as error:
            failure = error

        def resolve() -> None:
            if failure is None:
                done.set_result(value)
            else:
                done.set_exception(failure)
                done.exception()  # a caller that was cancelled does not look

        try:
            self._loop.call_soon_threadsafe(resolve)
        except RuntimeError:
            return  # the loop is gone, and with it everybody who waited


def fetched(c: Connection, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows, also if the text of one cannot be decoded."""
    try:
        return c.execute(statement, values).fetchall()
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        before, c.text_factory = c.text_factory, rows.lenient
        try:
            return c.execute(statement, values).fetchall()
        finally:
            c.text_factory = before


def one(c: Connection, job_id: str) -> Record | None:
    """The record of a job, by our id.

    Raises:
        rows.Unreadable: its row cannot be read.
    """
    found = fetched(c, f"SELECT {COLUMNS} FROM aiogen_job WHERE id = ?", (job_id,))
    return rows.record_from(found[0], clock.now(c)) if found else None


def by_provider_id(c: Connection, account: str, ids: list[str]) -> list[tuple[Any, ...]]:
    """The rows of an account with these ids of the vendor's."""
    marks = ", ".join("?" for _ in ids)
    statement = f"SELECT {COLUMNS} FROM aiogen_job WHERE account = ? AND provider_id IN ({marks})"
    return fetched(c, statement, (account, *ids))


def found(c: Connection, query: RecordQuery, after: Key | None = None) -> Iterator[list[tuple[Any, ...]]]:
    """The rows that a query asks for, in slices, the newest first; those behind a key, if one is given."""
    cursor = c.execute(*_select(c, query, after))
    while some := cursor.fetchmany(_SLICE):
        yield some


def found_at_once(c: Connection, query: RecordQuery) -> list[tuple[Any, ...]]:
    """The same, where there are few."""
    return fetched(c, *_select(c, query))


def _select(c: Connection, query: RecordQuery, after: Key | None = None) -> tuple[str, list[Any]]:
    conditions, values = where.conditions(c, query)
    if after is not None:
        conditions += " AND created_at <= ? AND (created_at < ? OR id > CAST(? AS TEXT))"
        values += [after[0], after[0], after[1].encode("utf-8", "surrogateescape")]
    columns = COLUMNS if query.with_request else BARE
    statement = f"SELECT {columns} FROM aiogen_job WHERE {conditions} {where.ORDER} LIMIT ?"
    return statement, [*values, MOST_FOUND if query.limit is None else query.limit]


def key_of(row: tuple[Any, ...]) -> Key:
    """Where a row stands."""
    return row[rows.COLUMNS.index("created_at")], row[0]


def counted(c: Connection, query: RecordQuery) -> dict[State, int]:
    """How many rows a query asks for, by state; one in a state that nobody knows is not counted."""
    statement, values = _limited(c, query, "state")
    found = dict(c.execute(f"SELECT state, count(*) FROM ({statement}) GROUP BY state", values).fetchall())
    return {state: found[state] for state in State if state in found}


def ids(c: Connection, query: RecordQuery) -> list[str]:
    """Our ids of what a query asks for."""
    return [row[0] for row in c.execute(*_limited(c, query, "id"))]


def _limited(c: Connection, query: RecordQuery, column: str) -> tuple[str, list[Any]]:
    conditions, values = where.conditions(c, query)
    statement = f"SELECT {column} FROM aiogen_job WHERE {conditions}"
    if query.limit is None:
        return statement, values
    return f"{statement} {where.ORDER} LIMIT ?", [*values, query.limit]


# --- rows that cannot be read


class Unread(UnreadRows):
    """Those of one file that could not be read so far."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "SqliteStore")

    def records(
        self, slices: Iterable[list[tuple[Any, ...]]], now: float, between: Callable[[], None] = lambda: None
    ) -> list[Record]:
        """The records in these rows, which are read now; `between` is called after each slice."""
        records = []
        for part in slices:
            for row in part:
                try:
                    records.append(rows.record_from(row, now))
                except rows.Unreadable as unread:
                    self.skip(unread)
            between()
        return records


def sliced(
    c: Connection, query: RecordQuery, after: Key | None, unread: Unread, breathe: Callable[[], None]
) -> tuple[list[Record], Key | None]:
    """The records behind a key, and the key of the last one; None in its place if there are no more."""
    key, count = None, 0

    def counted() -> Iterator[list[tuple[Any, ...]]]:
        nonlocal key, count
        for some in found(c, query, after):
            key, count = key_of(some[-1]), count + len(some)
            yield some

    records = unread.records(counted(), clock.now(c), breathe)
    return records, key if count == query.limit else None
