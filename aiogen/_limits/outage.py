"""A provider that cannot be reached: how long creates wait, and when they are given up.  Pure.

A create that finds nobody was surely not carried out, so it is sent again; but not for ever.  What counts is how long
this has gone on for the account, not how often one job failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from aiogen._limits.retry import delay

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0
"""Seconds: the most that is waited after the first failure, doubled with each one, and after any."""


class Outage:
    """Whether one account's provider answers creates.  Moments are seconds on any steady clock."""

    def __init__(self, draw: Callable[[float, float], float]) -> None:
        """`draw(low, high)` is the source of chance, such as `random.uniform`."""
        self._draw = draw
        self._since: float | None = None
        self._gave_up_at = -math.inf
        self._failed_at = -math.inf
        """When the latest failure came that was counted."""
        self._failures = 0
        """In a row; those of creates that were under way together are one."""

    @property
    def is_unreachable(self) -> bool:
        """True if a create found nobody, and none has been answered or given up since."""
        return self._since is not None

    def reached(self) -> None:
        """The provider has answered a create: the outage is over."""
        self._since, self._failures = None, 0

    def gives_up(self, now: float, sent_at: float, timeout: float) -> bool:
        """Report that a create found nobody; True if creates are to be given up.

        The first report begins the outage.  After `timeout` seconds of it creates are given up, and the next report
        begins another one.

        Args:
            now: when it turned out that nobody is there.
            sent_at: when the create was sent.
            timeout: seconds for which creates are sent again; at least 0.
        """
        if sent_at <= self._gave_up_at:
            return True  # it was under way together with the one that gave up
        if self._since is None:
            self._since = now
        if now - self._since < timeout:
            return False
        self._gave_up_at = now
        self.reached()
        return True

    def pause(self, now: float, sent_at: float) -> float:
        """Count a failure, and return the seconds to wait before the next create: from 0 to 10.

        Exponential with full jitter.  Creates that failed together count once: of those that were sent before the
        latest failure was counted, none lengthens the pause.
        """
        if sent_at >= self._failed_at or self._failures == 0:
            self._failures += 1
            self._failed_at = now
        return delay(self._failures, base=_FIRST_PAUSE, cap=_LONGEST_PAUSE, draw=self._draw)
