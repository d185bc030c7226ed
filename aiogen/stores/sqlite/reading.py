"""Long reads of a ledger: each in a thread and with a connection of its own, so that nobody who writes waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from aiogen.errors import StoreError
from aiogen.stores.base import RecordQuery
from aiogen.stores.sqlite import rows
from aiogen.stores.sqlite.forks import Guarded

T = TypeVar("T")
Connection = sqlite3.Connection
Key = tuple[float, str]
"""By which rows are sorted: when they were taken in, the newest first, and their id."""

_COLUMNS = ", ".join(rows.COLUMNS)
_AT_ONCE = 4
"""Threads; further reads wait for one to end."""
_SLICE = 10
"""Rows between two pauses."""
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
            raise StoreError("The ledger was closed while it was read.")
        time.sleep(_PAUSE)

    # --- in the thread

    def _run(self, work: Callable[[Connection], Any], done: asyncio.Future[Any]) -> None:
        value, trouble = None, None
        try:
            reader = Guarded(self._connect)  # no child of a fork inherits it
            try:
                with reader as connection:
                    connection.text_factory = rows.lenient
                    value = work(connection)
            finally:
                reader.close()
        except BaseException as error:
            trouble = error

        def resolve() -> None:
            if trouble is None:
                done.set_result(value)
            else:
                done.set_exception(trouble)
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


def found(c: Connection, wanted: RecordQuery, after: Key | None = None) -> Iterator[list[tuple[Any, ...]]]:
    """The rows that are wanted, in slices, the newest first; those behind a key, if one is given."""
    cursor = c.execute(*_query(wanted, after))
    while some := cursor.fetchmany(_SLICE):
        yield some


def found_at_once(c: Connection, wanted: RecordQuery) -> list[tuple[Any, ...]]:
    """The same, where there are few."""
    return fetched(c, *_query(wanted))


def _query(wanted: RecordQuery, after: Key | None = None) -> tuple[str, list[Any]]:
    where, values = _where(wanted)
    if after is not None:
        where += " AND created_at <= ? AND (created_at < ? OR id > CAST(? AS TEXT))"
        values += [after[0], after[0], after[1].encode("utf-8", "surrogateescape")]
    statement = f"SELECT {_COLUMNS} FROM aiogen_job WHERE {where} ORDER BY created_at DESC, id LIMIT ?"
    return statement, [*values, wanted.limit]


def key_of(row: tuple[Any, ...]) -> Key:
    """Where a row stands."""
    return row[rows.COLUMNS.index("created_at")], row[0]


def _where(wanted: RecordQuery) -> tuple[str, list[Any]]:
    parts, values = ["1"], list[Any]()
    if wanted.states is not None:
        parts.append(f"state IN ({', '.join('?' for _ in wanted.states)})")
        values += map(str, wanted.states)
    if wanted.ids is not None:
        parts.append(f"id IN ({', '.join('?' for _ in wanted.ids)})")
        values += wanted.ids
    if wanted.prefix is not None:
        parts.append("(substr(id, 1, ?) = ? OR substr(provider_id, 1, ?) = ?)")
        values += [len(wanted.prefix), wanted.prefix] * 2
    for column, value in (("connection", wanted.connection), ("batch", wanted.batch)):
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    for sign, moment in ((">", wanted.created_after), ("<", wanted.created_before)):
        if moment is not None:
            parts.append(f"created_at {sign} ?")
            values.append(moment.timestamp())
    return " AND ".join(parts), values
