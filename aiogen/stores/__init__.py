"""The ledger of jobs: in memory, or in a file that survives crashes."""

from aiogen.stores.base import Record, Store
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite.store import SqliteStore

__all__ = ["MemoryStore", "Record", "SqliteStore", "Store"]
