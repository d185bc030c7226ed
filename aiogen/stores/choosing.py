"""Which ledger a program means by the name that it gives."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aiogen.errors import ConfigurationError
from aiogen.stores.base import Store
from aiogen.stores.memory import MemoryStore
from aiogen.stores.postgres.address import is_url
from aiogen.stores.sqlite.file import path_in_url
from aiogen.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from aiogen.stores.postgres.store import PostgresStore


def chosen(store: object) -> Store:
    """None and ":memory:" mean memory, a url of PostgreSQL a database, and any other text a file.

    A file may be named as `sqlite:jobs.db`, or `sqlite:///jobs.db`, and memory as `sqlite:///:memory:`.

    Raises:
        ConfigurationError: it is another value, or the driver of a database is not installed.
    """
    if store is None or is_memory(store):
        return MemoryStore()
    if isinstance(store, str) and is_url(store):
        return postgres_store()(store)
    if isinstance(store, str | bytes | os.PathLike) or not hasattr(store, "intend"):
        return SqliteStore(store)  # type: ignore[arg-type]  # which says what is wrong with it
    return store  # type: ignore[return-value]


def postgres_store() -> type[PostgresStore]:
    """The class.

    Raises:
        ConfigurationError: its driver is not installed.
    """
    try:
        from aiogen.stores import PostgresStore
    except ImportError as error:
        raise ConfigurationError(f"{error}.") from None
    return PostgresStore


def is_memory(store: object) -> bool:
    """Whether a name means a ledger that ends with the process.

    Raises:
        ConfigurationError: it is a url of SQLite that names no file.
    """
    return store == ":memory:" or (isinstance(store, str) and str(path_in_url(store)) == ":memory:")
