"""The tables of a ledger's file: whether this version can use them, and how older ones become those of today."""

from __future__ import annotations

import functools
import sqlite3
from contextlib import closing
from pathlib import Path

from aiogen.errors import StoreError
from aiogen.stores.rows import lenient
from aiogen.stores.sqlite import closed, identity
from aiogen.stores.sqlite.failures import DAMAGED, USE_ANOTHER
from aiogen.stores.sqlite.schema import STEPS, VERSION


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError, unless it is a ledger that this version can use, or empty."""
    connection.text_factory = lenient  # whatever may stand in somebody else's file
    version = _version(connection, path)
    connection.text_factory = str
    if version and not _has_shape(connection, _shape(version)):
        raise StoreError(f"The ledger {str(path)!r} has different tables from those of version {version}. {DAMAGED}")


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to this version's tables; within a transaction.

    Raises:
        StoreError: it is of a newer version, or no ledger.
    """
    version = _version(connection, path)
    connection.execute("CREATE TABLE IF NOT EXISTS aiogen_meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT")
    for step in STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO aiogen_meta VALUES ('schema', ?)", (str(VERSION),))


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Which version's tables the file has; 0 for a new one.

    Raises:
        StoreError: it is of a newer version, or no ledger.
    """
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner not in (0, identity.APPLICATION_ID) or (names and "aiogen_meta" not in names):
        raise StoreError(f"The file {str(path)!r} is a database of another program, not a ledger; {USE_ANOTHER}")
    if not names:
        return 0
    found = connection.execute("SELECT v FROM aiogen_meta WHERE k = 'schema'").fetchone()
    text = found[0] if found is not None else None
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) < 1:
        raise StoreError(f"The ledger {str(path)!r} does not say its version. {DAMAGED}")
    version = int(text)
    if version == closed.CLOSED:
        raise closed.refusal(connection, path)
    if version > VERSION:
        raise StoreError(
            f"The ledger {str(path)!r} is of a newer version of aiogen (schema {version}; this version knows "
            f"{VERSION}). Update aiogen, or {USE_ANOTHER}"
        )
    return version


@functools.cache
def _shape(version: int) -> dict[str, frozenset[str]]:
    """The columns of each table of a version."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in STEPS[:version]:
            for statement in step:
                connection.execute(statement)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: _columns(connection, name) for name in names}


def _has_shape(connection: sqlite3.Connection, shape: dict[str, frozenset[str]]) -> bool:
    return all(columns <= _columns(connection, name) for name, columns in shape.items())


def _columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))
