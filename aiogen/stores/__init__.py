"""The ledger of jobs: in memory, in a file that survives crashes, or in a database for several machines."""

import typing

from aiogen.stores.base import (
    ADOPTED,
    UNLIMITED,
    AtMost,
    Follows,
    Forgotten,
    Headroom,
    Page,
    Peers,
    Record,
    RecordQuery,
    RequestKind,
    Store,
    TakenOver,
    Wish,
)
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite.store import SqliteStore

if typing.TYPE_CHECKING:
    from aiogen.stores.postgres.store import PostgresStore

__all__ = [
    "ADOPTED",
    "UNLIMITED",
    "AtMost",
    "Follows",
    "Forgotten",
    "Headroom",
    "MemoryStore",
    "Page",
    "Peers",
    "PostgresStore",
    "Record",
    "RecordQuery",
    "RequestKind",
    "SqliteStore",
    "Store",
    "TakenOver",
    "Wish",
]


def __getattr__(name: str) -> typing.Any:
    """`PostgresStore` is loaded when it is first used: its driver is an extra.

    Raises:
        ImportError: the driver is not there.
    """
    if name != "PostgresStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from aiogen.stores.postgres.store import PostgresStore
    except ModuleNotFoundError as missing:
        if missing.name != "asyncpg":
            raise
        raise ImportError(
            'A ledger in PostgreSQL needs asyncpg: pip install "aiogen-sdk[postgres]"', name=missing.name
        ) from missing
    globals()[name] = PostgresStore
    return PostgresStore
