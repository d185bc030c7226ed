"""The ledger in one SQLite file, for all processes of one machine."""

from aiogen.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
