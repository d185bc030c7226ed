"""One thread with one SQLite connection: whole transactions, many in one commit when many wait.

The event loop never touches the file.  A commit waits for the disk, so whatever has queued up meanwhile goes into the
next one together; each transaction stands in a savepoint of its own, and one that fails takes no other with it.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

_TOGETHER = 200


class Writer:
    """The thread; `close` ends it."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """`connect` is called in the thread, first."""
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="aiogen-store", daemon=True)

    async def open(self) -> None:
        """Start, and connect; raises what `connect` raises."""
        self._thread.start()
        try:
            await asyncio.shield(self._opened)
        except BaseException:
            await self.close()
            raise

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out one transaction; when this returns, it is on the disk.

        A caller that is cancelled leaves it to be carried out all the same.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((work, done))
        return await asyncio.shield(done)

    async def close(self) -> None:
        """After all that waits has been carried out."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    # --- in the thread

    def _run(self) -> None:
        try:
            connection = self._connect()
        except BaseException as error:
            self._tell([(self._opened, None, error)])
            return
        self._tell([(self._opened, None, None)])
        try:
            while (batch := self._next()) is not None:
                self._tell(_carry_out(connection, batch))
        finally:
            connection.close()

    def _next(self) -> list[tuple[Work, asyncio.Future[Any]]] | None:
        first = self._waiting.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < _TOGETHER:
            try:
                more = self._waiting.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._waiting.put(None)
                break
            batch.append(more)
        return batch

    def _tell(self, results: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        def resolve() -> None:
            for future, value, error in results:
                if future.done():
                    continue
                if error is not None:
                    future.set_exception(error)
                    future.exception()  # a caller that was cancelled does not look
                else:
                    future.set_result(value)

        try:
            self._loop.call_soon_threadsafe(resolve)
        except RuntimeError:
            return  # the loop is gone, and with it everybody who waited


def _carry_out(
    connection: sqlite3.Connection, batch: list[tuple[Work, asyncio.Future[Any]]]
) -> list[tuple[asyncio.Future[Any], Any, BaseException | None]]:
    if len(batch) == 1:
        return [_carry_out_one(connection, *batch[0])]
    results: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for work, future in batch:
            connection.execute("SAVEPOINT one")
            try:
                value = work(connection)
            except BaseException as error:
                if not connection.in_transaction:
                    raise  # a full disk has ended it for all
                connection.execute("ROLLBACK TO one")
                results.append((future, None, error))
            else:
                results.append((future, value, None))
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
    except BaseException as error:
        # Nothing of it is on the disk: nobody is told that it was.
        if connection.in_transaction:
            connection.rollback()
        return [(future, None, error) for _, future in batch]
    return results


def _carry_out_one(
    connection: sqlite3.Connection, work: Work, future: asyncio.Future[Any]
) -> tuple[asyncio.Future[Any], Any, BaseException | None]:
    """Most come alone, and need no savepoint."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        value = work(connection)
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.rollback()
        return future, None, error
    return future, value, None
