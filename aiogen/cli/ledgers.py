"""The ledger that a command is about: in a file, or in a database.

A file is opened as it is.  A database is shared with other machines, so who only looks there enters no worker and makes
no tables: the right to read is enough, and nobody takes a command for one that sends or follows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiogen.errors import ConfigurationError, InputError
from aiogen.stores.base import Follows, Store
from aiogen.stores.choosing import is_memory
from aiogen.stores.postgres.address import Address, is_url
from aiogen.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from aiogen.stores.postgres.store import PostgresStore

    Ledger = SqliteStore | PostgresStore
    """What a command may be about."""

VARIABLE = "AIOGEN_STORE"
OPTION = "--store"


def place(store: Store) -> str:
    """Where it is, for people; without a password."""
    found = getattr(store, "place", None) or getattr(store, "path", None)
    return repr(store) if found is None else str(found)


def words(named: str | None) -> list[str]:
    """The options by which another command finds the same ledger, for one that was named so.

    A url has no password in them, and none is needed where the environment names it.
    """
    if not named:
        return []
    try:
        if not is_url(named):
            return [] if is_memory(named) else [OPTION, named]
        return [] if os.environ.get(VARIABLE) == named else [OPTION, checked(named).by_hand]
    except ConfigurationError:  # opening it says so
        return []


def checked(named: str) -> Address:
    """A url.

    Raises:
        ConfigurationError: it cannot be read; the message does not show it.
    """
    return Address.of(named, VARIABLE if os.environ.get(VARIABLE) == named else OPTION)


@asynccontextmanager
async def reading(store: Ledger) -> AsyncIterator[bool]:
    """Open, for a look; False for a database in which there is no ledger, of which nothing may be asked."""
    is_there = True
    if isinstance(store, SqliteStore):
        await store.open()
    else:
        is_there = await store.open_to_read()
    try:
        yield is_there
    finally:
        await store.close()


@asynccontextmanager
async def writing(store: Ledger) -> AsyncIterator[None]:
    """Open, for what is no job of one's own."""
    await store.open(Follows.NOTHING)
    try:
        yield
    finally:
        await store.close()


async def is_there(store: Ledger) -> bool:
    """Whether there is a ledger; none is made.

    Raises:
        StoreError: the server of a database cannot be asked.
    """
    if isinstance(store, SqliteStore):
        return await asyncio.to_thread(store.path.exists)
    async with reading(store) as found:
        return found


def in_a_file(store: Ledger, instead: str) -> SqliteStore:
    """The same, for what there is only of files.

    Raises:
        InputError: it is a database; `instead` says what there is for that.
    """
    if isinstance(store, SqliteStore):
        return store
    raise InputError(f"This is about a ledger in a file, and {place(store)} is a database. {instead}")
