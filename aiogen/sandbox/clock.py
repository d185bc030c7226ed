"""The only module that reads the time.

Everything is counted in seconds of the running loop, so that the sandbox follows a loop with virtual time. A wall time
is the wall time at the start plus the loop's seconds since.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class Clock:
    """Loop seconds, wall times, and the factor by which the vendors' seconds are shortened."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, speed: float = 1.0) -> None:
        self._loop = loop
        self._started = loop.time()
        self._wall = datetime.now(UTC)
        self.speed = speed

    def now(self) -> float:
        """Loop seconds."""
        return self._loop.time()

    def since_start(self) -> float:
        """Loop seconds since the start, not shortened."""
        return self._loop.time() - self._started

    def wall(self, at: float) -> datetime:
        """The wall time (UTC) at the loop second `at`."""
        return self._wall + timedelta(seconds=at - self._started)

    def shortened(self, seconds: float) -> float:
        """The vendor's seconds as seconds of the loop."""
        return seconds / self.speed
