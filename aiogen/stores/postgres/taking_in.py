"""A ledger of another kind is taken in whole, in one transaction: until its commit there is nothing to be opened.

The transaction has the tables for itself, so two that move at once come one after the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import attrs

from aiogen.errors import StoreError
from aiogen.models import Action
from aiogen.stores.postgres import database, upgrade
from aiogen.stores.postgres.address import Address
from aiogen.stores.postgres.database import Raw, Tx
from aiogen.stores.postgres.failures import is_of_a_value, store_error

_MOVED_FROM = "moved_from"
_TABLES = ("job", "delivery", "wish", "budget", "learned", "spent")
_STATEMENT = 120.0
"""Seconds that one statement may take, or the copying of one portion."""
_LOCK = 10_000
"""Milliseconds to wait for others that use the tables."""
_IDLE = 60_000
"""Milliseconds after which the server gives up on one of which it hears nothing more."""


@attrs.define(eq=False)
class Target:
    """A database that a ledger is to be taken into."""

    _raw: Raw
    schema: str
    place: str
    """For people."""

    async def moved_from(self) -> str | None:
        """Which move has come to its end here, if any.

        Raises:
            StoreError: the tables are of a newer version.
        """
        tx = self.tx()
        if not await upgrade.steps_taken(tx, self.place):
            return None
        found = await tx.value("SELECT v FROM aiogen_meta WHERE k = $1", _MOVED_FROM)
        return None if found is None else str(found)

    async def refuse_use(self) -> None:
        """Only a ledger without jobs, that nobody uses, may become another.

        Raises:
            StoreError: this one may not.
        """
        tx = self.tx()
        if not await upgrade.steps_taken(tx, self.place):
            return
        if await tx.value("SELECT 1 FROM aiogen_job LIMIT 1"):
            raise StoreError(
                f"There are jobs in {self.place} already: a ledger can only be moved to where there is none. "
                "Name another namespace with --schema.",
            )
        user = await tx.value("SELECT id FROM aiogen_worker WHERE lease_until > aiogen_now() LIMIT 1")
        if user is not None:
            raise StoreError(
                f"The ledger {self.place} is in use by {user}: end the programs that use it first.",
                action=Action.WAIT,
                retryable=True,
            )

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """A transaction that has the tables for itself; they are made if they are not there."""
        await self._raw.execute(
            f"BEGIN; SET LOCAL lock_timeout = {_LOCK}; SET LOCAL idle_in_transaction_session_timeout = {_IDLE}",
            timeout=_STATEMENT,
        )
        try:
            tx = self.tx()
            await upgrade.make(tx, self.place)
            tables = ", ".join(f"aiogen_{name}" for name in (*_TABLES, "worker", "meta"))
            await tx.script(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            yield
        except BaseException:
            if not self._raw.is_closed():
                self._raw.terminate()  # which undoes all of it
            raise

    async def clear(self) -> None:
        """Delete what an empty ledger may hold besides jobs."""
        for name in (*_TABLES, "worker"):
            await self.tx().script(f"DELETE FROM aiogen_{name}")

    async def take(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Some rows."""
        await self._raw.copy_records_to_table(
            f"aiogen_{table}", schema_name=self.schema, columns=columns, records=rows, timeout=_STATEMENT
        )

    async def count(self, table: str) -> int:
        """Its rows."""
        return int(await self.tx().value(f"SELECT count(*) FROM aiogen_{table}"))

    async def counts(self) -> Mapping[str, int]:
        """How many jobs there are, by state."""
        found = await self.tx().rows("SELECT state, count(*) FROM aiogen_job GROUP BY state")
        return {str(state): int(count) for state, count in found}

    async def now(self) -> float:
        """The server's time: seconds since the epoch."""
        return float(await self.tx().value("SELECT aiogen_now()"))

    async def finish(self, namespace: str, move_id: str) -> None:
        """Write what makes it a ledger, from the commit on."""
        tx = self.tx()
        for key, value in (("namespace", namespace), (_MOVED_FROM, move_id)):
            await tx.value(
                "INSERT INTO aiogen_meta VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v RETURNING k",
                key,
                value,
            )
        for name in _TABLES:
            await tx.script(f"ANALYZE aiogen_{name}")  # else the first statements are planned for empty tables

    async def commit(self) -> None:
        """It is open from here on.

        Raises:
            StoreError: the server has undone it.
        """
        if await self._raw.execute("COMMIT", timeout=_STATEMENT) != "COMMIT":
            raise StoreError("The server has rolled the move back; run it again.", retryable=True)

    def tx(self) -> Tx:
        """For statements of one's own."""
        return Tx(self._raw, self.schema, _STATEMENT)


@asynccontextmanager
async def opened(url: str, schema: str | None, *, timeout: float = 10.0) -> AsyncIterator[Target]:
    """One connection to a database; `timeout`: seconds to connect.

    Raises:
        ConfigurationError: the url is not valid.
        StoreError: something is wrong with the database; whatever is raised within becomes one.
    """
    address = Address.of(url, "the url")
    schema = schema or address.schema
    place = f"{address.shown} ({schema})" if schema else address.shown
    raw, verb = None, "opened"
    try:
        options: dict[str, Any] = {"timeout": address.connect_timeout or timeout, "statement_cache_size": 0}
        raw = await asyncpg.connect(address.url, server_settings={"application_name": "aiogen moves"}, **options)
        found = schema or await raw.fetchval("SELECT current_schema()")
        if found is None:
            raise StoreError("No namespace of the database is searched for tables; name one with --schema.")
        verb = "written"
        yield Target(raw, found, f"{address.shown} ({found})")
    except Exception as error:
        if not isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)):
            raise
        raise store_error(error, place, verb) from (None if is_of_a_value(error) else error)
    finally:
        if raw is not None:
            await database.disconnect(raw)
