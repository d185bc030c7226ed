"""The ledger's own clock: what SQLite says the time is, in the transaction that writes it down or the read that tells.

No process's idea of the time gets into the file: what happened elsewhere, or before, comes as an age.
"""

from __future__ import annotations

import sqlite3

_NOW = "SELECT (julianday('now') - 2440587.5) * 86400.0"


def now(c: sqlite3.Connection) -> float:
    """Seconds since the epoch, to the millisecond."""
    return round(float(c.execute(_NOW).fetchone()[0]), 3)
