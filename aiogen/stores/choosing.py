"""Which ledger a program means by the name that it gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiogen.errors import ConfigurationError
from aiogen.stores.base import Store
from aiogen.stores.memory import MemoryStore
from aiogen.stores.postgres.address import is_url
from aiogen.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from aiogen.stores.postgres.store import PostgresStore


def chosen(store: object) -> Store:
    """None and ":memory:" mean memory, a url of PostgreSQL a database, and any other text a file.

    Raises:
        ConfigurationError: it is another value, or the driver of a database is not installed.
    """
    if store is None or store == ":memory:":
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


def path_of(name: str) -> Path | None:
    """The file that `sqlite:jobs.db`, or SQLAlchemy's `sqlite:///jobs.db`, names; None for something else."""
    scheme, colon, rest = name.strip().partition(":")
    if not colon or scheme.lower() != "sqlite":
        return None
    rest = rest.removeprefix("///")
    return Path(rest) if rest and not rest.startswith("//") else None
