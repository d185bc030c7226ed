"""A window, and what happens to it."""

from __future__ import annotations

import math

from hypothesis import settings

from aiogen._limits.window import Window
from aiogen.errors import Throttle

quick = settings(deadline=None, derandomize=True, max_examples=100)


def window_of(creates: int = 30, active: int = 1_000, requests: float = math.inf) -> Window:
    """Unless a number of requests is given, their limit is not felt."""
    return Window(creates_per_minute=creates, max_active=active, requests_per_minute=requests)


def accept(window: Window, now: float, times: int = 1, weight: int = 1) -> None:
    """`times` creates are sent and answered at this moment."""
    for _ in range(times):
        window.create_sent(now, weight)
        window.create_accepted(now, weight)


def refuse(window: Window, sent_at: float, now: float, throttle: Throttle, retry_after: float | None = None) -> None:
    """A create meets a 429."""
    window.create_sent(sent_at, 1)
    window.create_refused(now, 1, counted=False)
    window.throttled(now, throttle, retry_after, sent_at=sent_at)


def recover(window: Window, now: float) -> float:
    """Create one after the other, each ending at once, until the account is at its full rate; when that is."""
    for _ in range(200):
        now = window.create_at(now, 1)
        accept(window, now)
        window.ended(1)
    return now + 60.0


def sent_together(window: Window, now: float, most: int = 10_000) -> int:
    """How many creates may be sent at one moment, when each is accepted at once."""
    sent = 0
    while sent < most and window.create_at(now, 1) <= now:
        window.advance(now)
        accept(window, now)
        sent += 1
    return sent
