"""One thread with one SQLite connection: whole transactions, many in one commit when many wait.

The event loop never touches the file.  A commit waits for the disk, so whatever has queued up meanwhile goes into the
next one together; each transaction stands in a savepoint of its own, and one that fails takes no other with it.

Another program may hold the file.  Each transaction has a moment of its own until which it waits for that, counted
from when it was asked for: the patience of several is never added up.  Reads need no lock and are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Result = tuple["asyncio.Future[Any]", Any, BaseException | None]

_TOGETHER = 200
_SLICE = 0.05
"""Seconds that SQLite itself waits for the lock; between two such waits, reads are answered."""
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@attrs.frozen(eq=False)
class _Order:
    """One transaction that somebody waits for, or one read."""

    work: Work
    done: asyncio.Future[Any]
    until: float
    """`time.monotonic` at which it has waited for long enough."""
    is_look: bool


class Writer:
    """The thread; `close` ends it."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        patience: float = 10.0,
        glance: Callable[[sqlite3.Connection], None] = lambda connection: None,
        check: Callable[[sqlite3.Connection], None] = lambda connection: None,
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin with `open`.

        `connect` is called in the thread, first.  `patience`: seconds to wait while another program holds the file.
        `glance` is called before each transaction, `check` before each read and each commit; what they raise undoes
        that.  `let_go` is called last.
        """
        self._connect = connect
        self._patience = patience
        self._glance = glance
        self._check = check
        self._let_go = let_go
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._is_closing = False
        """Seen by the thread: what waits is still carried out."""
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

    async def do(self, work: Callable[[sqlite3.Connection], T], *, patience: float = math.inf) -> T:
        """Carry out one transaction; when this returns, it is on the disk.

        A caller that is cancelled leaves it to be carried out all the same.  `patience`: seconds, if it has less than
        usual.
        """
        return await self._ask(work, min(patience, self._patience), is_look=False)

    async def look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out a short read: outside of any transaction, so it waits for nobody who writes."""
        return await self._ask(work, self._patience, is_look=True)

    async def _ask(self, work: Callable[[sqlite3.Connection], T], patience: float, *, is_look: bool) -> T:
        done: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put(_Order(work, done, time.monotonic() + patience, is_look))
        return await asyncio.shield(done)

    async def close(self) -> None:
        """After all that waits has been carried out."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    # --- in the thread

    def _run(self) -> None:
        try:
            connection = self._connect()
            connection.execute(f"PRAGMA busy_timeout = {_SLICE * 1000:.0f}")
        except BaseException as error:
            self._tell([(self._opened, None, error)])
            return
        self._tell([(self._opened, None, None)])
        try:
            while not self._is_closing:
                orders = self._arrived(self._waiting.get(), _TOGETHER)
                first = next((i for i, order in enumerate(orders) if not order.is_look), len(orders))
                self._answer(connection, orders[:first])
                if first < len(orders):
                    self._write(connection, orders[first:])
        finally:
            connection.close()
            self._let_go()

    def _arrived(self, order: _Order | None, room: int) -> list[_Order]:
        """This one and what waits behind it, `room` at most."""
        orders = list[_Order]()
        while order is not None:
            orders.append(order)
            if len(orders) >= room:
                return orders
            try:
                order = self._waiting.get_nowait()
            except queue.Empty:
                return orders
        self._is_closing = True
        return orders

    def _answer(self, connection: sqlite3.Connection, looks: list[_Order]) -> None:
        self._tell([self._looked(connection, look) for look in looks])

    def _looked(self, connection: sqlite3.Connection, look: _Order) -> Result:
        while True:
            try:
                self._check(connection)
                return look.done, look.work(connection), None
            except BaseException as error:
                # Rare: a program that holds the file against readers, too.
                if not is_busy(error) or time.monotonic() >= look.until:
                    return look.done, None, error

    def _write(self, connection: sqlite3.Connection, orders: list[_Order]) -> None:
        """Transactions, and reads that came after one of them."""
        try:
            self._glance(connection)
            orders = self._begin(connection, orders)
        except BaseException as error:
            self._tell([(order.done, None, error) for order in orders])
            return
        writes = [order for order in orders if not order.is_look]
        if writes:
            self._tell(_carry_out(connection, writes, self._check))
        self._answer(connection, [order for order in orders if order.is_look])

    def _begin(self, connection: sqlite3.Connection, orders: list[_Order]) -> list[_Order]:
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
                self._tell([(order.done, None, error) for order in orders if not order.is_look and order.until <= now])
                self._answer(connection, [order for order in orders if order.is_look])
                orders = [order for order in orders if not order.is_look and order.until > now]
            else:
                return orders
            if not self._is_closing and len(orders) < _TOGETHER:
                try:
                    first = self._waiting.get_nowait()
                except queue.Empty:
                    pass
                else:
                    orders += self._arrived(first, _TOGETHER - len(orders))
            if all(order.is_look for order in orders):
                return orders

    def _tell(self, results: list[Result]) -> None:
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

        try:
            self._loop.call_soon_threadsafe(resolve)
        except RuntimeError:
            return  # the loop is gone, and with it everybody who waited


def is_busy(error: BaseException) -> bool:
    """Another program holds the file: worth trying again."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and (
        "database is locked" in str(error) if code is None else code & 0xFF in _BUSY
    )


def _carry_out(
    connection: sqlite3.Connection, orders: list[_Order], check: Callable[[sqlite3.Connection], None]
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
        # Nothing of it is on the disk: nobody is told that it was.
        if connection.in_transaction:
            connection.rollback()
        return [(order.done, None, error) for order in orders]
    return results
