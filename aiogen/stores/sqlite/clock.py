"""The ledger's own clock: the time by SQLite, in the transaction that writes it or the read that returns it.

No process's idea of the time gets into the file: what happened before, or in another process, is passed as an age.
"""

from __future__ import annotations

import sqlite3

_NOW = "SELECT (julianday('now') - 2440587.5) * 86400.0"


def now(c: sqlite3.Connection) -> float:
    """Seconds since the epoch, to the millisecond."""
    return round(float(c.execute(_NOW).fetchone()[0]), 3)
