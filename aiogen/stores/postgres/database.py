"""Connections to the database: two for statements, from a pool of ours or of the caller's, and one that listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from aiogen.errors import StoreError
from aiogen.stores.postgres import sql
from aiogen.stores.postgres.failures import is_away, is_read_only

T = TypeVar("T")
Raw = Any
"""A connection of asyncpg's, which has no types."""
Row = Any
"""A row of asyncpg's: a tuple, and a mapping."""

_AT_MOST = 2
"""Connections: one writes, and one reads, or renews the lease."""
_CLOSES_WITHIN = 2.0
_UNDONE_WITHIN = 2.0


class Split(Exception):
    """What a transaction has locked so far does not go together with what this work has to lock."""


class Tx:
    """A transaction, or a connection on which each statement is one."""

    def __init__(self, raw: Raw, schema: str, timeout: float) -> None:
        self._raw = raw
        self.schema: str = schema
        self._timeout = timeout
        self._locked: tuple[str, ...] | None = None
        self.changed: list[str] = []
        """Jobs that others may watch and that are not as they were."""
        self.is_news: bool = False
        """There is something for others to look at."""
        self.is_in_doubt: bool = False
        """Its commit was sent, and nothing was heard of it."""

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """All rows that it gives."""
        found = await self._raw.fetch(sql.in_schema(statement, self.schema), *values, timeout=self._timeout)
        return list(found)

    async def row(self, statement: str, *values: object) -> Row | None:
        """The first row."""
        return await self._raw.fetchrow(sql.in_schema(statement, self.schema), *values, timeout=self._timeout)

    async def value(self, statement: str, *values: object) -> Any:
        """The first column of the first row; None if there is none."""
        return await self._raw.fetchval(sql.in_schema(statement, self.schema), *values, timeout=self._timeout)

    async def script(self, statement: str) -> None:
        """Without values: what makes tables."""
        await self._raw.execute(sql.in_schema(statement, self.schema), timeout=self._timeout)

    def tell(self, *job_ids: str) -> None:
        """These have changed, and others hear of it once that is committed."""
        self.changed += job_ids
        self.is_news = True

    async def lock(self, names: Collection[str]) -> None:
        """Until the transaction ends nobody else has these; all at once, so that two never wait for each other.

        Raises:
            Split: others are locked already; nothing was done.
        """
        wanted = tuple(sorted(names))
        if wanted == self._locked:
            return
        if self._locked is not None:
            raise Split
        self._locked = wanted
        statement = "SELECT name FROM aiogen_lock WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE"
        if len(await self.rows(statement, wanted)) < len(wanted):
            await self.rows(
                "INSERT INTO aiogen_lock SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING RETURNING name", wanted
            )
            await self.rows(statement, wanted)


class Database:
    """The connections of one open ledger."""

    def __init__(self, pool: Raw, *, schema: str, timeout: float, idle: float, is_ours: bool) -> None:
        """`timeout`: seconds that one statement may take; `idle`: seconds that the server waits for the next one of a
        transaction; `is_ours`: the pool is closed with this."""
        self._pool = pool
        self.schema: str = schema
        self._timeout = timeout
        self.idle: float = idle
        self._is_ours = is_ours

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """Each statement is a transaction of its own."""
        async with self._pool.acquire(timeout=self._timeout) as raw:
            try:
                yield Tx(raw, self.schema, self._timeout)
            except Exception as error:
                self._give_up(raw, error)
                raise

    @asynccontextmanager
    async def transaction(self, *, lock_timeout: float = 0.0) -> AsyncIterator[Tx]:
        """One transaction: committed at the end, undone where something is raised.

        If this process stands still in the middle, or is cut off, the server undoes it after a third of the lease, and
        others need not wait for what it has locked.  `lock_timeout`: seconds that this one waits for others; 0 for no
        bound of its own.
        """
        async with self._pool.acquire(timeout=self._timeout) as raw:
            try:
                await raw.execute(
                    "BEGIN ISOLATION LEVEL READ COMMITTED; "
                    f"SET LOCAL idle_in_transaction_session_timeout = {1000.0 * self.idle:.0f}; "
                    f"SET LOCAL lock_timeout = {1000.0 * lock_timeout:.0f}",
                    timeout=self._timeout,
                )
                tx = Tx(raw, self.schema, self._timeout)
                yield tx
                tx.is_in_doubt = True
                said = await raw.execute("COMMIT", timeout=self._timeout)
                tx.is_in_doubt = False
                if said != "COMMIT":
                    raise StoreError("The server has rolled a transaction back.", retryable=True)
            except BaseException as error:
                self._give_up(raw, error)
                await self._undo(raw)
                raise

    def _give_up(self, raw: Raw, error: BaseException) -> None:
        """A connection that is of no use after this error is not used again."""
        # After a time-out the driver would wait for as long as it takes to call the statement off.
        if isinstance(error, TimeoutError) or is_read_only(error):
            _terminate(raw)

    async def _undo(self, raw: Raw) -> None:
        """Nothing of it stays; a connection of which that is not certain is not used again."""
        try:
            if not raw.is_closed() and raw.is_in_transaction():
                await raw.execute("ROLLBACK", timeout=min(_UNDONE_WITHIN, self._timeout))
        except Exception:
            _terminate(raw)
        except BaseException:
            _terminate(raw)
            raise

    async def run(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Statements that stand alone; again on another connection where one was lost, as all are at once.

        So only for what does no harm when it is done twice.
        """
        for _ in range(_AT_MOST):
            try:
                async with self.reading() as tx:
                    return await work(tx)
            except TimeoutError:
                raise
            except Exception as error:
                if not is_away(error):
                    raise
        async with self.reading() as tx:
            return await work(tx)

    async def wherever_it_writes(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it; again over another connection where one leads to a server that only reads, as all may do at once.

        That is so after another server has taken over.  Nothing was written there, so this does for what must not be
        done twice.
        """
        for _ in range(_AT_MOST):
            try:
                return await work()
            except Exception as error:
                if not is_read_only(error):
                    raise
        return await work()

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """The rows of one statement, in a transaction of its own."""
        return await self.run(lambda tx: tx.rows(statement, *values))

    async def close(self) -> None:
        """Let go of the connections; a pool of the caller's stays as it is."""
        if not self._is_ours:
            return
        try:
            await asyncio.wait_for(self._pool.close(), _CLOSES_WITHIN)
        except Exception:  # the server is not there any more to say goodbye
            self._pool.terminate()


def _terminate(raw: Raw) -> None:
    """Close it without a word; one that was lost has gone back to the pool by itself, and cannot be called any more."""
    with suppress(asyncpg.InterfaceError):
        raw.terminate()


async def _as_it_is(raw: Raw) -> None:
    """Nothing of a session is changed here, so nothing has to be put back: that would be a statement for each use."""


async def make_pool(url: str, *, timeout: float, statement_cache_size: int) -> Raw:
    """A pool of our own."""
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=_AT_MOST,
        timeout=timeout,
        statement_cache_size=statement_cache_size,
        reset=_as_it_is,
        server_settings={"application_name": "aiogen"},
    )


async def connect(url: str, *, timeout: float) -> Raw:
    """One connection that nobody else uses."""
    # Its signature wants whole seconds, and does without.
    options: dict[str, Any] = {"timeout": timeout, "statement_cache_size": 0}
    return await asyncpg.connect(url, server_settings={"application_name": "aiogen listens"}, **options)


async def disconnect(raw: Raw, timeout: float = 1.0) -> None:
    """Whether or not the server is still there."""
    with suppress(Exception):
        await raw.close(timeout=timeout)
    raw.terminate()
