"""One thread with one SQLite connection: whole transactions, many in one commit when many wait.

The event loop never touches the file.  A commit waits for the disk, so whatever has queued up meanwhile goes into the
next one together; each transaction stands in a savepoint of its own, and one that fails takes no other with it.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from aiogen.stores._forks import Guarded

logger: logging.Logger = logging.getLogger("aiogen")

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Item = tuple[Work, asyncio.Future[Any]]
Waiting = queue.SimpleQueue[Item | asyncio.Future[None] | None]
"""Work; or the end, and who is to be told of it; or None for the end when there is nobody left."""

_TOGETHER = 200
_LOOK = 5.0
"""Seconds without any work after which the thread looks whether its loop is still there.  A session's heartbeat comes
more often, so this happens only to what was never closed."""


class Writer:
    """The thread; `close` ends it.

    It ends as well when this object or its event loop is gone, for a program may forget to close.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, last: Work | None = None) -> None:
        """`connect` is called in the thread, first; `last` is the last transaction if it is never closed."""
        loop = asyncio.get_running_loop()
        self._waiting: Waiting = queue.SimpleQueue()
        self._ended: asyncio.Future[None] | None = None
        # Nothing that the thread holds leads back to here: else it would keep alive what has been forgotten.
        self._thread = threading.Thread(
            target=_serve,
            args=(Guarded(connect), self._waiting, weakref.ref(loop), last),
            name="aiogen-store",
            daemon=True,
        )
        weakref.finalize(self, self._waiting.put, None).atexit = False

    async def open(self) -> None:
        """Start, and connect; raises what `connect` raises."""
        self._thread.start()
        try:
            await self.do(lambda connection: None)
        except BaseException:
            await self.close()
            raise

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out one transaction; when this returns, it is on the disk.

        A caller that is cancelled leaves it to be carried out all the same.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put((work, done))
        return await asyncio.shield(done)

    async def close(self) -> None:
        """After all that waits has been carried out."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
            self._waiting.put(self._ended)
        await asyncio.shield(self._ended)
        # It has told that as its last act.  Joining it would need another thread, and an application may use up all of
        # the loop's own.
        while self._thread.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0)


# --- in the thread


def _serve(
    connection: Guarded, waiting: Waiting, loop: weakref.ref[asyncio.AbstractEventLoop], last: Work | None
) -> None:
    batch: list[Item] = []
    while True:
        item = _next(waiting, loop)
        if not isinstance(item, tuple):
            break
        batch = _batch(item, waiting)
        _tell(_carried_out(connection, batch))
        del item, batch  # they lead to the loop
    try:
        if item is None and last is not None:
            _carry_out_last(connection, last)
        connection.close()
    finally:
        if item is not None:
            _resolve_in(item.get_loop(), partial(_set_result, item))


def _next(waiting: Waiting, loop: weakref.ref[asyncio.AbstractEventLoop]) -> Item | asyncio.Future[None] | None:
    while True:
        try:
            return waiting.get(timeout=_LOOK)
        except queue.Empty:
            here = loop()
            if here is None or here.is_closed():
                return None


def _batch(first: Item, waiting: Waiting) -> list[Item]:
    batch = [first]
    while len(batch) < _TOGETHER:
        try:
            more = waiting.get_nowait()
        except queue.Empty:
            break
        if not isinstance(more, tuple):
            waiting.put(more)
            break
        batch.append(more)
    return batch


def _carried_out(connection: Guarded, batch: list[Item]) -> list[tuple[asyncio.Future[Any], Any, BaseException | None]]:
    try:
        with connection as opened:
            return _carry_out(opened, batch)
    except BaseException as error:  # it could not be opened
        return [(future, None, error) for _, future in batch]


def _carry_out_last(connection: Guarded, last: Work) -> None:
    try:
        with connection as opened:
            opened.execute("BEGIN IMMEDIATE")
            last(opened)
            opened.execute("COMMIT")
    except Exception as error:
        logger.debug("A ledger that was never closed could not be given up, so its lease runs out: %r", error)


def _tell(results: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    def resolve() -> None:
        for future, value, error in results:
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
                future.exception()  # a caller that was cancelled does not look
            else:
                future.set_result(value)

    _resolve_in(results[0][0].get_loop(), resolve)


def _resolve_in(loop: asyncio.AbstractEventLoop, resolve: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:
        return  # the loop is gone, and with it everybody who waited


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _carry_out(
    connection: sqlite3.Connection, batch: list[Item]
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
