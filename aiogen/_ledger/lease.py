"""The session's side of the store: a lease that is renewed, what others left behind, and facts that could not be
written yet.

What has happened at the provider is a fact whether the ledger takes it or not: such writes never fail anybody.  They
are owed, kept in order, and caught up when the ledger works again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import ClassVar

import attrs

from aiogen._clock import TICK, Clock
from aiogen.stores.base import Record, RecordQuery, RequestKind, Store

logger = logging.getLogger("aiogen")

Write = Callable[[], Awaitable[None]]

_AT_ONCE = 500
_TAKEN_UP_AT_ONCE = 100
"""In one turn of the loop; of thousands each takes some fifty microseconds."""
_FENCE = 0.8
"""Nothing is sent when so much of the lease has passed since it was last renewed: somebody may own our jobs soon."""
_HEARTBEATS = 3
"""So often the lease is renewed before it would run out."""
_WATCHED_EVERY = 0.1
"""Seconds between two looks whether another process has written something; a look takes some microseconds."""
_LONGEST_PAUSE = 2.0
"""Seconds between two looks for jobs that nobody owns."""
_WRITE_TIMEOUT = 0.7
"""Seconds that anybody waits for a fact to be written; after that it is owed, and goes to those who wait for it."""
_REMINDED_EVERY = 60.0
"""Seconds between two warnings that say the same."""


@attrs.define(eq=False)
class _Owed:
    """A fact that the ledger does not know yet."""

    write: Write
    job_ids: tuple[str, ...]
    trying: asyncio.Task[bool] | None = None
    """It is being written: the store may need as long as it is patient."""
    is_said: bool = False
    """That it could not be written: once is enough."""


class Ledger:
    """Opens the store, keeps the lease, and hands over what it adopts."""

    def __init__(self, store: Store, clock: Clock, accounts: Callable[[], Collection[str]]) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self.adopted: Callable[[Record], None] = lambda record: None
        """Takes up one job; set before `ready`."""
        self.only: Callable[[], Collection[str] | None] = lambda: None
        """The ids that are taken up; None for all.  What was lost to a pause is taken up again in any case."""
        self.lost: Callable[[], None] = lambda: None
        """The lease was lost: nothing is ours any more."""
        self.joined: Callable[[], None] = lambda: None
        """Others have begun to use this ledger."""
        self.watched: Callable[[], list[str]] = list
        """The jobs of other processes that somebody here waits for."""
        self.seen: Callable[[Record], None] = lambda record: None
        """How one of these stands."""
        self.gone: Callable[[str], None] = lambda job_id: None
        """One of these is no longer in the ledger."""
        self.renewed: Callable[[], None] = lambda: None
        """Requests may be sent again."""
        self.peers = 0
        """Other processes on this ledger, as of the last look."""
        self._owed: deque[_Owed] = deque()
        self._is_behind = False
        """What is owed could not be written at the last try."""
        self._opening = asyncio.Lock()
        self._is_open = self._is_ready = False
        self._taking_up: asyncio.Task[None] | None = None
        self.takes_up = True
        """False while the session is being closed: what is adopted then is for the next one."""
        self._renewed_at = 0.0
        self._failed_at = -math.inf
        """When the ledger last refused to renew the lease: then following goes on, for `intend` guards what costs."""
        self._keeping: asyncio.Task[None] | None = None
        self._unlooked = False
        """Somebody waits for a job of another process that was not looked for yet."""
        self._woken = asyncio.Event()
        self._writing = asyncio.Lock()
        self._catching_up: asyncio.Task[None] | None = None
        self._warned: tuple[str, float] = ("", -math.inf)
        """What was said last about trouble with the heartbeat, and when."""

    write_timeout: ClassVar[float] = _WRITE_TIMEOUT
    """Seconds that who waits for an end waits for the ledger, too."""

    @property
    def is_shared(self) -> bool:
        """True if it outlives this process."""
        return self._store.lease is not None

    @property
    def is_behind(self) -> bool:
        """True while something is owed that could not be written at the last try."""
        return self._is_behind

    async def ready(self) -> None:
        """Open the store, once, and take up what is there.

        Raises:
            StoreError: it cannot be opened.
        """
        if self._is_ready:
            return
        async with self._opening:
            if not self._is_open:
                await self._open()
            if self._taking_up is not None:
                await asyncio.shield(self._taking_up)
            self._is_ready = True

    async def _open(self) -> None:
        sent_at = self._clock.now()
        await self._store.open()
        self._renewed_at = sent_at
        self.peers = await self._store.peers()
        # Last: if this is cancelled, nothing of what was adopted has begun; after that all of it will have.
        records = await self._store.adopt(self._accounts(), self.only())
        self._is_open = True
        if len(records) <= _TAKEN_UP_AT_ONCE:
            for record in records:
                self.adopted(record)
        else:
            self._taking_up = asyncio.get_running_loop().create_task(self._take_up(records))
        if self._store.lease is not None:
            self._keeping = asyncio.get_running_loop().create_task(self._keep(self._store.lease))

    async def _take_up(self, records: Sequence[Record]) -> None:
        for i, record in enumerate(records, 1):
            if not self.takes_up:
                return
            self.adopted(record)
            if i % _TAKEN_UP_AT_ONCE == 0:
                await asyncio.sleep(0)

    def is_fenced(self, now: float) -> bool:
        """True if the lease may run out at any moment, so that nothing may be sent for its jobs."""
        lease = self._store.lease
        known_at = max(self._renewed_at, self._failed_at)
        return self._is_open and lease is not None and now > known_at + _FENCE * lease

    def is_sure(self, now: float) -> bool:
        """True if nobody can have taken over what is ours."""
        lease = self._store.lease
        return not self._is_open or lease is None or now <= self._renewed_at + _FENCE * lease

    async def note(self, write: Write, *job_ids: str, within: float = _WRITE_TIMEOUT) -> None:
        """A fact about these jobs: written now, or as soon as the ledger takes it.

        Never raises what a store raises, and waits for it for less than a second (`within`): the write goes on after
        that, and counts as owed until it is done.  Facts about different jobs are written side by side; only behind
        what is owed they keep their order.  While the ledger is in trouble nobody waits for it at all.
        """
        fact = _Owed(write, job_ids)
        if self._owed:
            self._owed.append(fact)
            if not self._is_behind:
                await self._catch_up_within(within)
            return
        if not self.is_shared:
            await self._took(fact)
            return
        fact.trying = trying = asyncio.get_running_loop().create_task(self._took(fact))
        try:
            await asyncio.wait([trying], timeout=within)
        finally:
            if not trying.done():  # also when whoever noted it was cancelled
                self._is_behind = True
                self._owed.append(fact)
            elif not trying.result():
                fact.trying = None
                self._owed.append(fact)

    async def catch_up(self) -> None:
        """Write what is owed, in order."""
        async with self._writing:
            while self._owed and await self._try(self._owed[0]):
                self._owed.popleft()
            self._is_behind = bool(self._owed)

    async def _try(self, fact: _Owed) -> bool:
        """True if it is written; one try goes on if whoever asked for it is cancelled."""
        if fact.trying is None:
            fact.trying = asyncio.get_running_loop().create_task(self._took(fact))
        trying = fact.trying
        try:
            return await asyncio.shield(trying)
        finally:
            if trying.done():
                fact.trying = None

    async def _catch_up_within(self, seconds: float) -> None:
        """It goes on after that, beside the heartbeat: much may be owed, and take longer than the lease."""
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.get_running_loop().create_task(self.catch_up())
        await asyncio.wait([self._catching_up], timeout=seconds)

    async def catch_up_if_behind(self) -> None:
        """Try once more what could not be written, for a moment."""
        if self._is_behind:
            await self._catch_up_within(_WRITE_TIMEOUT)

    async def _took(self, fact: _Owed) -> bool:
        """False if it has to be tried again."""
        try:
            await fact.write()
        except Exception as trouble:
            if not fact.is_said and not (self.is_shared and getattr(trouble, "retryable", False)):
                fact.is_said = True
                logger.error("The ledger could not be written, so this is only in memory: %r", trouble)
            self._is_behind = self.is_shared
            return not self.is_shared
        return True

    async def close(self) -> None:
        """Stop renewing; the rest is the store's."""
        self.takes_up = False
        if self._taking_up is not None:
            await asyncio.gather(self._taking_up, return_exceptions=True)
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._owed:
            await self.catch_up()
        if self._catching_up is not None:
            await asyncio.gather(self._catching_up, return_exceptions=True)
        if trying := [fact.trying for fact in self._owed if fact.trying is not None]:
            await asyncio.gather(*trying, return_exceptions=True)
            await self.catch_up()
        if self._owed:
            ids = list(dict.fromkeys(job_id for fact in self._owed for job_id in fact.job_ids))
            logger.error(
                "%d facts could not be written to the ledger before the session was left. The next one finds these "
                "jobs as they stood before: it asks again about what ran, and what was just accepted is unknown to it. "
                "Jobs: %s%s",
                len(self._owed),
                ", ".join(ids[:_AT_ONCE]),
                f" and {len(ids) - _AT_ONCE} more" if len(ids) > _AT_ONCE else "",
            )

    async def _keep(self, lease: float) -> None:
        pause = min(_LONGEST_PAUSE, lease / _HEARTBEATS)
        looked_at = self._clock.now()
        while True:
            # Counted from when it began: taking up thousands of jobs must not put off the next heartbeat.
            if self.watched():
                await asyncio.sleep(min(pause, _WATCHED_EVERY))
            else:
                await self._rest(looked_at + pause + TICK - self._clock.now())
            try:
                if self._clock.now() >= looked_at + pause:
                    looked_at = self._clock.now()
                    await self._look_after(lease, pause)
                if self.watched():  # last: what cannot be read must not put off the heartbeat
                    await self.look()
            except Exception as trouble:
                self._failed_at = self._clock.now()
                self._warn(str(trouble))
                await asyncio.sleep(max(0.0, looked_at + pause - self._clock.now()))

    def _warn(self, text: str) -> None:
        """Once a minute, as long as it stays the same."""
        before, at = self._warned
        if text != before or self._clock.now() >= at + _REMINDED_EVERY:
            self._warned = (text, self._clock.now())
            logger.warning("The ledger does not answer; it is tried again: %s", text)

    async def _look_after(self, lease: float, pause: float) -> None:
        if self._clock.now() >= self._renewed_at + lease / _HEARTBEATS:
            await self._heartbeat()
        if self._owed:
            await self._catch_up_within(pause)
        await self._take_up(await self._store.adopt(self._accounts(), self.only()))
        await self._count_peers()

    def attend(self) -> None:
        """Somebody waits for a job of another process since just now: look soon, whoever has written."""
        self._unlooked = True
        self._woken.set()

    async def _rest(self, seconds: float) -> None:
        """So long, or until there is something to look for."""
        self._woken.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _count_peers(self) -> None:
        self.peers, before = await self._store.peers(), self.peers
        if self.peers and not before:
            self.joined()

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """So many requests out of what all processes may send; seconds to wait.  Trouble of the ledger holds nobody."""
        try:
            return await self._store.acquire(account, count, per_second)
        except Exception as trouble:
            logger.debug("The common budget does not answer: %s", trouble)
            return 0.0

    async def hold(self, account: str, lane: RequestKind, seconds: float) -> None:
        """A refusal concerns every process; told as far as the ledger takes it."""
        try:
            await self._store.hold(account, lane, seconds)
        except Exception as trouble:
            logger.debug("Other processes could not be told of a refusal: %s", trouble)

    async def look(self, *, force: bool = False) -> None:
        """How the jobs of other processes stand, if anybody has written since."""
        if not await self._store.changed() and not force and not self._unlooked:
            return
        self._unlooked = False
        wanted = self.watched()
        for i in range(0, len(wanted), _AT_ONCE):
            some = wanted[i : i + _AT_ONCE]
            records = await self._store.find(RecordQuery(ids=some, limit=_AT_ONCE))
            for record in records:
                self.seen(record)
            for job_id in set(some).difference(record.id for record in records):
                self.gone(job_id)

    async def _heartbeat(self) -> None:
        sent_at = self._clock.now()
        if not await self._store.heartbeat():
            logger.warning("This process was stopped for so long that others own its jobs now; it begins anew.")
            self.lost()
            await self.catch_up()  # while nothing is ours: what comes of it is taken up like all the rest
            sent_at = self._clock.now()
            await self._store.open()
        was_fenced, self._renewed_at = self.is_fenced(self._clock.now()), sent_at
        if was_fenced:
            self.renewed()
