"""What other processes write, as far as it matters here: how their jobs stand, and what they ask of ours."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from aiogen._checkpoint import Turn
from aiogen._clock import Clock
from aiogen._ledger.asks import Asks
from aiogen._ledger.events import LedgerEvents
from aiogen.stores.base import Record, RecordQuery, Store

_READ_AT_ONCE = 500
"""Records in one look at the jobs of others."""
_PAUSE = 0.1
"""Seconds from a look to one that somebody here asks for."""
_ASKED_EVERY = 15.0
"""Seconds after which it is asked what has changed though nobody seems to have written."""


class Others:
    """Reads for one session what other processes have written in its ledger."""

    def __init__(self, store: Store, clock: Clock, events: LedgerEvents) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self.asks = Asks(store)
        self.are_there = False
        """Other processes use the ledger, as of the last look."""
        self.hand_over = False
        """Some of them only take in, so that whatever is heard may be something to adopt."""
        self._asked_at = 0.0
        """When it was last asked what has changed."""
        self._forced_at = -math.inf
        """When all that is watched was last read."""
        self._unlooked = False
        """Somebody waits for a job of another process that was not looked for yet."""
        self._unheard = True
        """Jobs have become ours of which others may want something."""
        self._woken = asyncio.Event()
        self._listens = False

    # --- when to look

    def attend(self) -> None:
        """Somebody waits for a job of another process since just now: look soon, whether or not anybody has written."""
        self._unlooked = True
        self._woken.set()

    def listen(self) -> None:
        """There is something to hear of now."""
        if not self._listens:
            self._woken.set()

    def begin(self) -> None:
        """There is one more job of ours of which others may want something."""
        if self.are_there and (self._unheard or not self._listens):
            self._woken.set()

    def took_up(self) -> None:
        """Jobs have become ours: what was wanted of who had them is wanted of us."""
        self._unheard = True

    async def rest(self, seconds: float) -> bool:
        """Wait this number of seconds at most, or until there is something to look for; True if another process has
        written.

        Raises:
            StoreError: the ledger cannot be listened to.
        """
        if self._unheard and self._events.follows():
            return False
        heard = False if self._unlooked else await self._listen(max(0.0, seconds))
        if self._unlooked:  # who begins to wait again and again is answered as often as others are listened to
            await asyncio.sleep(max(0.0, self._forced_at + _PAUSE - self._clock.now()))
        return heard

    async def _listen(self, seconds: float) -> bool:
        self._woken.clear()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._woken.wait())]
        wanted = bool(self._events.watched()) or (self.are_there and self._events.follows())
        self._listens = wanted or self.hand_over
        if self._listens:
            waits.append(asyncio.ensure_future(self._store.wait_for_news(seconds)))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._listens = False
            for waiting in waits:
                waiting.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return len(waits) > 1 and not waits[-1].cancelled() and waits[-1].result()

    # --- looking

    async def look(self, heard: bool) -> None:
        """How the jobs of other processes stand, and what others want of ours; `heard`: somebody has written."""
        if self._unlooked:
            await self._look_at_all()
        elif self._events.watched():
            now = self._clock.now()
            if heard or now >= self._asked_at + _ASKED_EVERY:
                self._asked_at = now
                await self._report(await self._store.news(self._events.watched()))
        await self.asks.look()
        self._unheard |= heard
        if self._unheard and self._events.follows():
            self._unheard = False
            try:
                wishes = await self._store.wishes()
            except BaseException:
                self._unheard = True
                raise
            turn = Turn()
            for wish in wishes:
                self._events.wished(wish)
                await turn.step()

    async def look_at(self, job_id: str) -> None:
        """How one job of another process stands, for which somebody begins to wait."""
        self.listen()
        await self._report({job_id: await self._store.get(job_id)})

    async def _look_at_all(self) -> None:
        self._unlooked, self._forced_at = False, self._clock.now()
        wanted = self._events.watched()
        for i in range(0, len(wanted), _READ_AT_ONCE):
            some = wanted[i : i + _READ_AT_ONCE]
            records = await self._store.find(RecordQuery(ids=some, limit=_READ_AT_ONCE))
            await self._report(dict.fromkeys(some) | {record.id: record for record in records})

    async def _report(self, found: Mapping[str, Record | None]) -> None:
        """Of each, as much as fits into a turn of the loop: all that this process waits for may have ended at once."""
        turn = Turn()
        for job_id, record in found.items():
            if record is None:
                self._events.gone(job_id)
            else:
                self._events.seen(record)
            await turn.step()
