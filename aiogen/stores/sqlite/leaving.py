"""A file whose ledger moves away: closed, read from beginning to end, and marked with how far the move has come."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from aiogen.errors import StoreError
from aiogen.stores import rows
from aiogen.stores.carrying import NAMES, Row, Table, carried, storable
from aiogen.stores.sqlite import closed, file, forks
from aiogen.stores.sqlite.closed import Move, Stage
from aiogen.stores.sqlite.failures import store_error
from aiogen.stores.sqlite.schema import VERSION

T = TypeVar("T")

_BUSY = 10.0
"""Seconds to wait for other programs that hold the file."""
_ROWS, _BYTES = 500, 8 * 2**20
"""Of one portion, about: what is sent may be megabytes a row."""
_NAMED = 5


async def reopen(path: Path) -> str:
    """Give up a move that was not handed over: the file may be used again.  Where it would have gone.

    Raises:
        StoreError: it is not closed, or was handed over.
    """
    async with Source(path) as source:
        return await source.written(lambda c: closed.reopen(c, path))


class Source:
    """The file that is moved, used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, "aiogen-move")
        self._reading: sqlite3.Connection | None = None

    async def __aenter__(self) -> Source:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.do(self._let_go)  # behind what is under way
        self._thread.shutdown(wait=False)  # an idle thread ends by itself, at once

    async def do(self, work: Callable[[], T]) -> T:
        """In the thread; what goes wrong with the file is a StoreError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, self.path, "moved") from error

    def standing(self) -> Move | None:
        """How far it has come; None if it is open."""
        if not self.path.is_file():
            raise StoreError(f"There is no ledger {str(self.path)!r} to be moved.")
        try:
            with closing(self._connect()) as c:
                return closed.read(c)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None  # what it is then, is said when it is opened
            raise

    def close(self, move_id: str, to: str) -> None:
        """Open it as every program does, which brings it up to date, and close it for good."""
        ledger = file.connect(self.path, _BUSY)
        try:
            with _transaction(ledger.connection) as c:
                _refuse_names(c, self.path)
                closed.close(c, self.path, move_id, to, VERSION)
        finally:
            ledger.connection.close()
            ledger.watch.close()

    def begin_again(self, before: Move, move_id: str, to: str) -> Awaitable[None]:
        """See `closed.begin_again`."""
        return self.written(lambda c: closed.begin_again(c, self.path, before, move_id, to))

    def advance(self, move_id: str, stage: Stage) -> Awaitable[None]:
        """See `closed.advance`."""
        return self.written(lambda c: closed.advance(c, self.path, move_id, stage))

    async def written(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One transaction, on the disk when this returns."""

        def write() -> T:
            with closing(self._connect()) as c:
                c.execute("PRAGMA synchronous = FULL")
                with _transaction(c):
                    return work(c)

        return await self.do(write)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Read in the thread; every read sees the file as it was at the first one."""
        return self.do(lambda: work(self._reader()))

    def portions(self, table: Table, shift: float) -> Iterator[list[Row]]:
        """The rows of a table, as the database keeps them."""
        some, size = list[Row](), 0
        for row in self._reader().execute(table.select):
            some.append(carried(table, row, shift))
            size += sum(len(value) for value in row if isinstance(value, str))
            if len(some) >= _ROWS or size >= _BYTES:
                yield some
                some, size = [], 0
        if some:
            yield some

    def _reader(self) -> sqlite3.Connection:
        if self._reading is None:
            self._reading = self._connect()
            self._reading.text_factory = rows.lenient
            self._reading.execute("PRAGMA query_only = ON")
            self._reading.execute("BEGIN")
        return self._reading

    def _let_go(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _connect(self) -> sqlite3.Connection:
        forks.refuse_inherited(self.path)
        return sqlite3.connect(
            self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False, factory=forks.Connection
        )


@contextmanager
def _transaction(c: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    c.execute("BEGIN IMMEDIATE")
    try:
        yield c
        c.execute("COMMIT")
    except BaseException:
        if c.in_transaction:
            c.rollback()
        raise


def _refuse_names(c: sqlite3.Connection, path: Path) -> None:
    """Names with characters that PostgreSQL does not keep would be others there, and two might become one."""
    found = list[str]()
    for row in c.execute(f"SELECT {', '.join(NAMES)} FROM aiogen_job"):
        for name in filter(None, row):
            if storable(name, is_json=False) != name:
                found.append(repr(row[0]))
                break
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise StoreError(
            f"The ledger {str(path)!r} stays where it is, and open: names of jobs in it (key, scope, batch, id) have "
            f"characters that PostgreSQL cannot keep, such as NUL: {', '.join(found[:_NAMED])}{more}. Forget those "
            "jobs first."
        )
