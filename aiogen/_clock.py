"""The two clocks of a session, both read from the event loop, so that a virtual loop moves them together."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

TICK = 1e-5
"""Seconds added to a wait: a timer may fire a hair early, and would then be set again for no time at all."""


class Clock:
    """Made inside a running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wall_offset = time.time() - self._loop.time()

    def now(self) -> float:
        """Seconds on a steady clock, for intervals."""
        return self._loop.time()

    def wall(self) -> float:
        """Seconds since the epoch, for records and for dates in headers."""
        return self._loop.time() + self._wall_offset

    def datetime(self) -> datetime:
        """`wall()` with its zone, UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)
