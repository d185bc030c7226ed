"""The tables are made, or brought up to date, by the first process that opens the ledger."""

from __future__ import annotations

import hashlib
from uuid import UUID

from aiogen.errors import StoreError
from aiogen.stores.postgres.database import Database, Tx
from aiogen.stores.postgres.schema import FIRST, NAMESPACE, STEPS, VERSION, reached


async def prepare(database: Database, place: str) -> UUID:
    """Make what is missing; the ledger's namespace is returned.

    Raises:
        StoreError: its tables are of a newer version than this program; nothing was changed.
    """
    async with database.reading() as tx:
        version = await _version(tx, place)
    if version != VERSION:
        async with database.transaction() as tx:
            await tx.value("SELECT pg_advisory_xact_lock($1)", _lock(database.schema))
            await _take_steps(tx, database.schema, place)
    async with database.reading() as tx:
        return UUID(await tx.value("SELECT v FROM aiogen_meta WHERE k = 'namespace'"))


async def is_made(database: Database, place: str) -> bool:
    """Whether there are tables; none is made.

    Raises:
        StoreError: they are of a newer version.
    """
    async with database.reading() as tx:
        return await _version(tx, place) > 0


async def make(tx: Tx, place: str) -> None:
    """The same within a transaction, which has the tables for itself until it ends.

    Raises:
        StoreError: they are of a newer version.
    """
    await tx.value("SELECT pg_advisory_xact_lock($1)", _lock(tx.schema))
    await _take_steps(tx, tx.schema, place)


async def steps_taken(tx: Tx, place: str) -> int:
    """Of `schema.STEPS`; 0 where there are no tables.

    Raises:
        StoreError: more than this program knows.
    """
    return await _version(tx, place)


async def _take_steps(tx: Tx, schema: str, place: str) -> None:
    """As far as others have not done so while this waited for the lock."""
    version = await _version(tx, place)
    if version == VERSION:
        return
    if not await tx.value("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema):
        await tx.script(f'CREATE SCHEMA "{schema}"')
    await tx.script(FIRST)
    for step in STEPS[version:]:
        for statement in step:
            await tx.script(statement)
    await tx.script(NAMESPACE)
    await tx.script(reached(VERSION))


async def _version(tx: Tx, place: str) -> int:
    """How many steps were taken; 0 where there are no tables."""
    # Asked of the catalogue first: within a transaction a table that is missing would undo it.
    if not await tx.value(
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2",
        tx.schema,
        "aiogen_meta",
    ):
        return 0
    text = await tx.value("SELECT v FROM aiogen_meta WHERE k = 'version'")
    version = int(text) if text is not None and text.isdecimal() else 0
    if version > VERSION:
        raise StoreError(
            f"The ledger {place} is of a newer version of aiogen ({version}, this one knows {VERSION}): "
            "update this program. Nothing was changed."
        )
    return version


def _lock(schema: str) -> int:
    """The number of an advisory lock that stands for the tables of this namespace."""
    digest = hashlib.sha256(f"aiogen {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def current_schema(database: Database, place: str) -> str:
    """Where a plain name leads.

    Raises:
        StoreError: nowhere.
    """
    async with database.reading() as tx:
        found = await tx.value("SELECT current_schema()")
    if found is None:
        raise StoreError(
            f"No namespace of {place} is searched for tables (search_path): create one of them, or name one by schema= "
            "or by ?search_path=NAME behind the url."
        )
    return str(found)
