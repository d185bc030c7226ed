"""Ledgers in a file on the virtual clock: the same transactions in the same file, without the store's threads.

A thread waits in real time, and a virtual clock does not know that: it would run on meanwhile.  So here each
transaction is carried out in the loop, and takes `COMMIT` virtual seconds; the time of day is the loop's, too, for
leases and holds are kept in it.  What the threads do is tested in tests/stores; several processes in tests/slow.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, TypeVar

import pytest

from aiogen.stores.sqlite import clock, reading, store
from aiogen.stores.sqlite.serving import Opening, Order, carry_out

T = TypeVar("T")
COMMIT = 0.004
"""Virtual seconds of a transaction: half until it is on the disk, half until its caller hears of it."""


@contextmanager
def files_in_the_loop(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Each `SqliteStore` that is opened in here belongs to this loop, which has a virtual clock."""
    epoch = time.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "Writer", _Writer)
        patch.setattr(reading, "Readers", _Readers)
        patch.setattr(time, "time", lambda: epoch + loop.time())
        patch.setattr(clock, "now", lambda _: epoch + loop.time())
        yield


@contextmanager
def as_in_a_thread() -> Iterator[None]:
    """As seen from inside no loop runs, so that a call which takes real time holds up nobody."""
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


class _Readers:
    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        await asyncio.sleep(COMMIT / 2)
        with as_in_a_thread(), closing(self._connect()) as connection:
            return work(connection)

    def breathe(self) -> None:
        """Nothing is held up."""

    async def close(self) -> None:
        """There is nothing to close."""


class _Writer:
    """In the place of `aiogen.stores.sqlite.writer.Writer`."""

    def __init__(self, opening: Opening, *, busy_timeout: float, last: object = None) -> None:
        self._opening = opening
        self._connection: sqlite3.Connection | None = None
        self._orders = set[asyncio.Task[Any]]()
        self._waiting = deque[Callable[[], None]]()

    async def open(self) -> None:
        await asyncio.sleep(COMMIT / 2)
        with as_in_a_thread():
            self._connection = self._opening.connect()
            self._connection.execute("PRAGMA synchronous = OFF")

    async def do(self, work: Callable[[sqlite3.Connection], T], *, busy_timeout: float = 0.0) -> T:
        return await self._ask(work, self._write)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._ask(work, self._read)

    async def close(self) -> None:
        if self._orders:
            await asyncio.wait(self._orders)
        if self._connection is not None:
            with as_in_a_thread():
                self._connection.close()
                self._opening.let_go()

    async def _ask(self, work: Callable[[sqlite3.Connection], T], how: Callable[[Any], T]) -> T:
        """Carried out also if the caller is cancelled, and in the order in which it was asked, as by the thread."""
        mine: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(partial(self._carry_out, work, how, mine))

        async def carried_out() -> T:
            await asyncio.sleep(COMMIT / 2)
            self._waiting.popleft()()  # the oldest: of several whose time has come, any may wake first
            value = await mine
            await asyncio.sleep(COMMIT / 2)
            return value

        order = asyncio.get_running_loop().create_task(carried_out())
        self._orders.add(order)
        order.add_done_callback(self._done)
        return await asyncio.shield(order)

    @staticmethod
    def _carry_out(work: Callable[[sqlite3.Connection], T], how: Callable[[Any], T], to: asyncio.Future[T]) -> None:
        try:
            with as_in_a_thread():
                value = how(work)
        except Exception as error:
            to.set_exception(error)
        else:
            to.set_result(value)

    def _done(self, order: asyncio.Task[Any]) -> None:
        self._orders.discard(order)
        if not order.cancelled():
            order.exception()  # its caller may have been cancelled

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        assert self._connection is not None
        self._opening.check(self._connection)
        return work(self._connection)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        assert connection is not None
        self._opening.glance(connection)
        connection.execute("BEGIN IMMEDIATE")
        order: Any = Order(work, None, 0.0, is_read=False)  # type: ignore[arg-type]  # nobody waits for that future
        ((_, value, error),) = carry_out(connection, [order], self._opening.check)
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]
