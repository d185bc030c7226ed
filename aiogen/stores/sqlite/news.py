"""What has changed in the ledger since somebody last looked: it costs as much as there is, however many are watched."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

import attrs

from aiogen.stores import rows
from aiogen.stores.base import Record
from aiogen.stores.sqlite import clock
from aiogen.stores.sqlite.reading import BARE

Connection = sqlite3.Connection

_AT_ONCE = 500


@attrs.define
class Cursor:
    """Up to where one store has looked."""

    seq: int = -1
    """The last change that was seen; -1 before the first look."""
    removed: int = -1
    """How often something had been removed by then."""


def read(c: Connection, cursor: Cursor, job_ids: Collection[str]) -> dict[str, Record | None]:
    """Those of these jobs that changed, or are no longer there; the cursor moves on."""
    kept = dict(c.execute("SELECT k, v FROM aiogen_file WHERE k IN ('changes', 'removed')"))
    last, removed = int(kept["changes"]), int(kept["removed"])
    is_first, now = cursor.seq < 0, clock.now(c)
    changed = () if is_first else c.execute("SELECT id FROM aiogen_job WHERE seq > ?", (cursor.seq,))
    wanted = set(job_ids)
    ids = list(wanted) if is_first else [row[0] for row in changed if row[0] in wanted]
    found: dict[str, Record | None] = {}
    for some in _parts(ids):
        marks = ", ".join("?" for _ in some)
        for row in c.execute(f"SELECT {BARE} FROM aiogen_job WHERE id IN ({marks})", some):
            found[row[0]] = rows.record_from(row, now)
    if is_first or removed != cursor.removed:
        there: set[str] = set()
        for some in _parts(list(wanted)):
            marks = ", ".join("?" for _ in some)
            there.update(row[0] for row in c.execute(f"SELECT id FROM aiogen_job WHERE id IN ({marks})", some))
        found |= dict.fromkeys(wanted - there)
    cursor.seq, cursor.removed = last, removed
    return found


def _parts(ids: list[str]) -> list[list[str]]:
    return [ids[i : i + _AT_ONCE] for i in range(0, len(ids), _AT_ONCE)]
