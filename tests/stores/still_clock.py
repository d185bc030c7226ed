"""A clock for ledgers in files, which stands still until a test sets it; the fixture `clock` is in conftest."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The time of day, which the ledger reads, at rest."""

    def __init__(self) -> None:
        self.now = time.time()
        self.steady = 0.0
        """Seconds that have passed, however `now` was set."""

    def passes(self, seconds: float) -> None:
        """Time goes by: nobody sets the clock."""
        self.now += seconds
        self.steady += seconds

    def time(self) -> float:
        return self.now

    def datetime(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)
