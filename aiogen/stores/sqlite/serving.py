"""One thread with one SQLite connection: whole transactions, many in one commit when many wait.

A commit waits for the disk, so whatever has queued up meanwhile goes into the next one together; each transaction
stands in a savepoint of its own, and one that fails takes no other with it.

While another program holds the file, the thread waits in slices and answers reads in between.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import attrs

from aiogen.stores.sqlite.failures import is_busy
from aiogen.stores.sqlite.forks import Guarded

logger: logging.Logger = logging.getLogger("aiogen")

Work = Callable[[sqlite3.Connection], Any]
Result = tuple["asyncio.Future[Any]", Any, BaseException | None]

_TOGETHER = 200
_LOOK = 5.0
"""Seconds without any work after which the thread looks whether its loop is still there.  A session's heartbeat comes
more often, so this happens only to what was never closed."""
_SLICE = 0.05
"""Seconds that SQLite itself waits for the lock; between two such waits, reads are answered."""


class Opening(Protocol):
    """How the thread comes to its connection, and what it looks at; nothing in it may lead back to the store."""

    def connect(self) -> sqlite3.Connection:
        """First, and again after a fork."""
        ...

    def glance(self, connection: sqlite3.Connection) -> None:
        """Before each transaction; what it raises undoes that."""

    def check(self, connection: sqlite3.Connection) -> None:
        """Before each read and each commit; what it raises undoes that."""

    def let_go(self) -> None:
        """Last, when the connection is closed."""


@attrs.frozen(eq=False)
class Order:
    """One transaction that somebody waits for, or one read."""

    work: Work
    done: asyncio.Future[Any]
    until: float
    """`time.monotonic` at which it has waited for long enough."""
    is_read: bool


End = asyncio.Future[None] | None
"""The end, and who waits for it; or None, when there is nobody left."""


class Serving:
    """What the thread does; it ends when it is closed, or when its loop is gone."""

    def __init__(
        self,
        opening: Opening,
        waiting: queue.SimpleQueue[Order | End],
        loop: weakref.ref[asyncio.AbstractEventLoop],
        last: Work | None,
    ) -> None:
        self._opening = opening
        self._connection = Guarded(self._connect)
        self._waiting = waiting
        self._loop = loop
        self._last = last
        self._is_ending = False
        """Seen by the thread: what waits is still carried out."""
        self._end: End = None

    def run(self) -> None:
        try:
            while not self._is_ending:
                self._serve(self._arrived(self._next(), _TOGETHER))
            if self._end is None and self._last is not None:
                self._give_up(self._last)
            self._connection.close()
            self._opening.let_go()
        finally:
            if self._end is not None:
                _resolve_in(self._end.get_loop(), partial(_set_result, self._end))

    def _connect(self) -> sqlite3.Connection:
        connection = self._opening.connect()
        connection.execute(f"PRAGMA busy_timeout = {_SLICE * 1000:.0f}")
        return connection

    def _next(self) -> Order | End:
        while True:
            try:
                return self._waiting.get(timeout=_LOOK)
            except queue.Empty:
                if self._is_alone():
                    return None

    def _is_alone(self) -> bool:
        loop = self._loop()
        return loop is None or loop.is_closed()

    def _arrived(self, item: Order | End, limit: int) -> list[Order]:
        """This one and what waits behind it, at most `limit` in all."""
        orders = list[Order]()
        while isinstance(item, Order):
            orders.append(item)
            if len(orders) >= limit:
                return orders
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return orders
        self._is_ending, self._end = True, item
        return orders

    def _serve(self, orders: list[Order]) -> None:
        first = next((i for i, order in enumerate(orders) if not order.is_read), len(orders))
        for some, work in ((orders[:first], self._answered), (orders[first:], self._written)):
            if not some:
                continue
            try:
                with self._connection as connection:
                    results = work(connection, some)
            except BaseException as error:  # it could not be opened
                results = list[Result]((order.done, None, error) for order in some)
            # Only now: a caller that hears of it may fork, for which nobody may hold the connection.
            _report(results)

    def _answered(self, connection: sqlite3.Connection, reads: list[Order]) -> list[Result]:
        return [self._read(connection, read) for read in reads]

    def _read(self, connection: sqlite3.Connection, read: Order) -> Result:
        while True:
            try:
                self._opening.check(connection)
                return read.done, read.work(connection), None
            except BaseException as error:
                # Rare: a program that holds the file against readers, too.
                if not is_busy(error) or time.monotonic() >= read.until:
                    return read.done, None, error

    def _written(self, connection: sqlite3.Connection, orders: list[Order]) -> list[Result]:
        """Transactions, and reads that came after one of them."""
        try:
            self._opening.glance(connection)
            orders = self._begin(connection, orders)
        except BaseException as error:
            return [(order.done, None, error) for order in orders]
        writes = [order for order in orders if not order.is_read]
        results = carry_out(connection, writes, self._opening.check) if writes else []
        return results + self._answered(connection, [order for order in orders if order.is_read])

    def _begin(self, connection: sqlite3.Connection, orders: list[Order]) -> list[Order]:
        """Begin a transaction, and who is in it: those who have waited for too long are not, and others have joined.

        With nothing but reads left, none was begun.
        """
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                now = time.monotonic()
                _report([(order.done, None, error) for order in orders if not order.is_read and order.until <= now])
                _report(self._answered(connection, [order for order in orders if order.is_read]))
                orders = [order for order in orders if not order.is_read and order.until > now]
            else:
                return orders
            if not self._is_ending and len(orders) < _TOGETHER:
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    pass
                else:
                    orders += self._arrived(item, _TOGETHER - len(orders))
            if all(order.is_read for order in orders):
                return orders

    def _give_up(self, last: Work) -> None:
        try:
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                last(connection)
                connection.execute("COMMIT")
        except Exception as error:
            logger.debug(
                "The lease of a ledger that was never closed could not be released, so it has to run out: %r", error
            )


def _report(results: list[Result]) -> None:
    if not results:
        return

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


def carry_out(
    connection: sqlite3.Connection, orders: list[Order], check: Callable[[sqlite3.Connection], None]
) -> list[Result]:
    """In the transaction that has begun, to its commit."""
    results: list[Result] = []
    is_alone = len(orders) == 1  # most come alone, and need no savepoint
    try:
        for order in orders:
            if not is_alone:
                connection.execute("SAVEPOINT one")
            try:
                value = order.work(connection)
            except BaseException as error:
                if is_alone or not connection.in_transaction:
                    raise  # a full disk has ended it for all
                connection.execute("ROLLBACK TO one")
                results.append((order.done, None, error))
            else:
                results.append((order.done, value, None))
            if not is_alone:
                connection.execute("RELEASE one")
        check(connection)
        connection.execute("COMMIT")
    except BaseException as error:
        # Nothing of it is on the disk, and nobody hears that it is.
        if connection.in_transaction:
            connection.rollback()
        return [(order.done, None, error) for order in orders]
    return results
