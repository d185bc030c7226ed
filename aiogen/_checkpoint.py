"""Lets the event loop run between steps that wait for nothing.

With the ledger in memory much is done without ever waiting, and what never waits lets nobody else run: twenty thousand
jobs that are submitted in a row, or all at once, would hold up heartbeats, timeouts and the jobs themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

_AT_ONCE = 10
"""Steps in one turn of the loop; of the longest, submitting, that is one or two milliseconds."""


class Checkpoint:
    """Awaited before each step: passes at once, unless the limit of this turn of the loop is reached.

    The others come in the turns after it, first come, first served.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = _AT_ONCE
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_counting = False

    async def __call__(self) -> None:
        """The next step may be taken."""
        if not self._is_counting:
            self._is_counting = True
            self._loop.call_soon(self._turn)
        if self._left > 0:
            self._left -= 1
            return
        turn = self._loop.create_future()
        self._waiting.append(turn)
        await turn

    def _turn(self) -> None:
        """The loop has run."""
        self._left, self._is_counting = _AT_ONCE, False
        while self._waiting and self._left > 0:
            turn = self._waiting.popleft()
            if not turn.done():  # done: its caller was cancelled
                turn.set_result(None)
                self._left -= 1
        if self._waiting:
            self._is_counting = True
            self._loop.call_soon(self._turn)


class Turn:
    """How much of the CPU one turn of the loop has had, for work in steps of which some take long, and most do not.

    By the thread's own clock: on a machine that has much else to do, turns would else be short, and many.
    """

    def __init__(self, seconds: float = 0.001) -> None:
        """`seconds`: what a turn may take."""
        self._seconds = seconds
        self._until = time.thread_time() + seconds

    async def step(self) -> None:
        """A step was taken: the next one comes in the turn after this one, if this one has lasted for long enough."""
        if time.thread_time() >= self._until:
            await asyncio.sleep(0)
            self._until = time.thread_time() + self._seconds
