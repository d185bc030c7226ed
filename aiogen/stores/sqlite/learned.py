"""What was learned, in the file: values with versions, so that none is written over another unseen."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from aiogen.stores.sqlite import reading


def get(c: sqlite3.Connection, name: str, known: int) -> tuple[Mapping[str, Any] | None, int]:
    """See `Store.get_learned`."""
    # Large, and mostly known: it is read only where it is not.
    columns = "version, CASE WHEN version != ? THEN value END"
    found = reading.fetched(c, f"SELECT {columns} FROM aiogen_learned WHERE name = ?", (known, name))
    if not found:
        return None, 0
    ((version, text),) = found
    value = json.loads(text) if version != known else None
    return (value if isinstance(value, dict) else None), version


def put(c: sqlite3.Connection, name: str, text: str, version: int, now: float) -> int:
    """See `Store.put_learned`."""
    row = c.execute("SELECT version FROM aiogen_learned WHERE name = ?", (name,)).fetchone()
    stands = row[0] if row is not None else 0
    if stands != version and (row is None or not _is_damaged(c, name)):
        return 0
    # Above both: a version that was read from what is damaged now is not given to another value.
    new = max(int(stands), version) + 1
    c.execute("INSERT OR REPLACE INTO aiogen_learned VALUES (?, ?, ?, ?)", (name, text, now, new))
    return new


def _is_damaged(c: sqlite3.Connection, name: str) -> bool:
    """Nobody can read it, so nobody loses anything by it."""
    try:
        found = reading.fetched(c, "SELECT value FROM aiogen_learned WHERE name = ?", (name,))
        return not isinstance(json.loads(found[0][0]), dict)
    except (ValueError, RecursionError):
        return True
