"""Stands in for the thread of `SqliteStore`: the same transactions in the same file, told after virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from aiogen.stores.sqlite.serving import Opening, Order, carry_out

from .network import PROGRAM

T = TypeVar("T")


class Disk:
    """One per simulation; `writer` and `readers` take the places of the store's threads."""

    def __init__(self, path: Path, seconds: Callable[[], float]) -> None:
        """`seconds`: how long the next commit takes."""
        self.path = path
        self.seconds = seconds
        self.fails: str | None = None
        """What is wrong with it just now."""
        self.workers: dict[Any, str] = {}
        self._reader: sqlite3.Connection | None = None

    def writer(self, opening: Opening, *, busy_timeout: float, last: object = None) -> _Writer:
        """For one store of one program; no program here forgets to close it, so `last` is not needed."""
        return _Writer(self, opening)

    def readers(self, connect: Callable[[], sqlite3.Connection]) -> _Readers:
        """For one store of one program."""
        return _Readers(self, connect)

    def row(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """What anybody would read in the file now."""
        if self._reader is None:
            self._reader = sqlite3.connect(self.path)
        return self._reader.execute(question, values).fetchall()

    def close(self) -> None:
        """After the last program."""
        if self._reader is not None:
            self._reader.close()


@contextmanager
def _in_a_thread() -> Iterator[None]:
    """As seen from inside: no loop runs here, so that what takes time holds up nobody."""
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


class _Readers:
    def __init__(self, disk: Disk, connect: Callable[[], sqlite3.Connection]) -> None:
        self._disk = disk
        self._connect = connect

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        await asyncio.sleep(self._disk.seconds())
        with _in_a_thread(), closing(self._connect()) as connection:
            return work(connection)

    def breathe(self) -> None:
        """Nothing is held up."""

    async def close(self) -> None:
        """There is nothing to close."""


class _Writer:
    def __init__(self, disk: Disk, opening: Opening) -> None:
        self._disk = disk
        self._opening = opening
        self._process = PROGRAM.get()
        self._waiting: list[Order] = []
        self._commit: asyncio.TimerHandle | None = None
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        await asyncio.sleep(self._disk.seconds())
        with _in_a_thread():
            self._connection = self._opening.connect()
            self._connection.execute("PRAGMA synchronous = OFF")

    async def do(self, work: Callable[[sqlite3.Connection], T], *, busy_timeout: float = 0.0) -> T:
        return await self._ask(work, is_read=False)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._ask(work, is_read=True)

    async def _ask(self, work: Callable[[sqlite3.Connection], T], *, is_read: bool) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append(Order(work, done, 0.0, is_read))
        if self._commit is None:
            self._commit = loop.call_later(self._disk.seconds(), self._carry_out)
        return await asyncio.shield(done)

    async def close(self) -> None:
        while self._waiting or self._commit is not None:
            await asyncio.sleep(0.001)
        if self._connection is not None:
            with _in_a_thread():
                self._connection.close()
                self._opening.let_go()

    def _carry_out(self) -> None:
        batch, self._waiting = self._waiting, []
        assert self._connection is not None
        trouble = "the program is dead" if self._process is not None and self._process.dead else self._disk.fails
        if trouble is not None:
            results: Any = [(order.done, None, sqlite3.OperationalError(trouble)) for order in batch]
        else:
            with _in_a_thread():
                results = self._carried_out(self._connection, batch)
        # It is on the disk now, and its program learns of that a little later: it may die in between.
        self._commit = asyncio.get_running_loop().call_later(self._disk.seconds(), self._tell, results)

    def _carried_out(self, connection: sqlite3.Connection, batch: list[Order]) -> list[Any]:
        results = list[Any]()
        if writes := [order for order in batch if not order.is_read]:
            connection.execute("BEGIN IMMEDIATE")
            results += carry_out(connection, writes, self._opening.check)
        for look in [order for order in batch if order.is_read]:
            try:
                results.append((look.done, look.work(connection), None))
            except Exception as error:
                results.append((look.done, None, error))
        return results

    def _tell(self, results: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        for future, value, error in results:
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
                future.exception()
            else:
                future.set_result(value)
        self._commit = asyncio.get_running_loop().call_later(0.0, self._carry_out) if self._waiting else None
