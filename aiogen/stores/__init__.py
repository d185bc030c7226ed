"""The ledger of jobs: in memory, or in a file that survives crashes."""

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
    "Record",
    "RecordQuery",
    "RequestKind",
    "SqliteStore",
    "Store",
    "TakenOver",
    "Wish",
]
