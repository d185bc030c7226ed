"""When a stream has something to send: a new state, a changed estimate, or a sign of life after a long silence."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from aiogen._engine.job import Job
from aiogen.models import Event

LOOK_EVERY = 5.0
"""Seconds between two looks at the estimate of a job whose state has not changed."""
SILENT_LOOKS = 3
"""Looks after which something is sent in any case: proxies close connections that are silent for long."""
_SECONDS, _SHARE = 1.0, 0.1
"""An estimate has changed if it is off by this number of seconds, and by this share of what is left."""


class Estimate(Protocol):
    """Seconds from the moment at which it was made."""

    @property
    def seconds(self) -> float:
        """Half of such jobs have ended by then."""
        ...

    @property
    def low(self) -> float:
        """One in ten has."""
        ...

    @property
    def high(self) -> float:
        """Nine in ten have."""
        ...


def has_changed(sent: Estimate | None, ago: float, now: Estimate | None) -> bool:
    """Whether counting down from the estimate that was sent `ago` seconds ago no longer shows the present one."""
    if sent is None or now is None:
        return sent is not now
    pairs = ((sent.seconds, now.seconds), (sent.low, now.low), (sent.high, now.high))
    return any(abs(max(0.0, before - ago) - left) > max(_SECONDS, _SHARE * left) for before, left in pairs)


class News:
    """What one stream waits for.  There are thousands, so each costs one timer and no task."""

    __slots__ = ("_at", "_is_new", "_job", "_looks", "_loop", "_timer", "_waiter", "estimate", "has_ended", "is_due")

    def __init__(self, job: Job) -> None:
        self._job = job
        self._loop = asyncio.get_running_loop()
        self._at = 0.0
        self._looks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_new = False
        self.estimate: Estimate | None = None
        """As it was sent last."""
        self.has_ended: bool = job.done
        """Nothing more comes."""
        self.is_due: bool = False
        """The job is to be sent again, though its state is as before."""

    def put_nowait(self, event: Event | None) -> None:
        """The state has changed; None: nothing more comes."""
        self.has_ended = self.has_ended or event is None
        self._wake()

    async def wait(self) -> None:
        """Until there is something to send, or nothing more comes; at once if that happened since the last call."""
        if not self._is_new:
            self._waiter = self._loop.create_future()
            await self._waiter
        self._is_new = False

    def sent(self, eta: Estimate | None) -> None:
        """This is sent now; the next look is some seconds from now."""
        self.estimate, self._at = eta, self._loop.time()
        self.is_due, self._looks = False, 0
        self._look_again()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Inside, the estimate is looked at now and then."""
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _look_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Streams that were opened together are not all looked at together.
        self._timer = self._loop.call_later(LOOK_EVERY * random.uniform(0.8, 1.2), self._look)

    def _look(self) -> None:
        self._looks += 1
        if self._looks >= SILENT_LOOKS or has_changed(self.estimate, self._loop.time() - self._at, self._job.eta()):
            self.is_due = True
            self._wake()
        else:
            self._look_again()

    def _wake(self) -> None:
        self._is_new = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
