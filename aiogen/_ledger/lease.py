"""The session's lease on its store: opened, renewed, and jobs that nobody owns adopted."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Iterable
from typing import ClassVar

from aiogen._checkpoint import Turn
from aiogen._clock import TICK, Clock
from aiogen._ledger.events import LedgerEvents
from aiogen._ledger.losing import why_lost
from aiogen._ledger.others import Others
from aiogen._ledger.outbox import WRITE_TIMEOUT, Outbox, Write
from aiogen._ledger.progress import Progress
from aiogen._polling.breaks import MANY
from aiogen.stores.base import Follows, Peers, Record, RequestKind, Store

logger = logging.getLogger("aiogen")

_FEW = 8
"""Jobs that are taken up in one turn of the loop, and between two heartbeats; more of them beside the heartbeats."""
_FENCE = 0.8
"""The part of the lease after which nothing is sent unless it was renewed: others may own our jobs soon."""
_RETURNS_WITHIN = 4
"""The number of leases for which deadlines wait for a ledger that does not renew ours."""
_HEARTBEATS = 3
"""The number of times that the lease is renewed before it would run out."""
_LONGEST_PAUSE = 1.0
"""Seconds between two looks for jobs that nobody owns."""
_REMINDED_EVERY = 60.0
"""Seconds between two warnings that say the same."""
_UNFOLLOWED_FOR = 5.0
"""Seconds for which jobs are left alone before that is worth a warning: a process that follows jobs may only be
restarting."""


class Ledger:
    """Opens the store, keeps the lease, and hands over what it adopts."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        accounts: Callable[[], Collection[str]],
        events: LedgerEvents,
        follows: Follows = Follows.ALL,
    ) -> None:
        """`accounts`: those whose jobs this session has the keys for; asked for each time."""
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._events = events
        self._follows = follows
        self._outbox = Outbox(store)
        self.others = Others(store, clock, events)
        self._progress = Progress(store)
        self.peers = Peers(0)
        """Other processes on this ledger, as of the last look."""
        self._unfollowed_at: float | None = None
        """Since when jobs are awaited here that nobody follows; infinite once that was said."""
        self._opening = asyncio.Lock()
        self._is_open = self._is_ready = False
        self._taking_up: asyncio.Task[None] | None = None
        """Much that was adopted at once, beside the heartbeats."""
        self._is_lost = False
        """The lease was lost, and the next one has not begun."""
        self._times_lost = 0
        self._refused_at: list[float] = []
        """When the first attempts to renew the lease have failed, since it was last renewed."""
        self.takes_up = True
        """False while the session is being closed: what is adopted then is for the next one."""
        self._renewed_at = 0.0
        self._failed_at = -math.inf
        """When a ledger that answers nobody last refused to renew the lease: then following goes on, for `intend`
        guards what costs."""
        self._lost_at = -math.inf
        """Since when what was ours has been nobody's; until it, or what others left of it, is taken up again."""
        self._keeping: asyncio.Task[None] | None = None
        self._warned: tuple[str, float] = ("", -math.inf)
        """The last warning about a ledger that does not answer, and when."""

    write_timeout: ClassVar[float] = WRITE_TIMEOUT
    """Seconds that an end is kept from those who wait for it while the ledger is written."""

    @property
    def is_shared(self) -> bool:
        """True if it outlives this process."""
        return self._store.lease is not None

    @property
    def is_behind(self) -> bool:
        """True while something is owed that could not be written at the last try."""
        return self._outbox.is_behind

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
        await self._begin()
        self._renewed_at = sent_at
        await self._count_peers()
        # Last: if this is cancelled, nothing of what was adopted has begun; after that all of it will have.
        records = await self._adopted()
        self._is_open = True
        loop = asyncio.get_running_loop()
        if self._store.lease is not None:
            self._keeping = loop.create_task(self._keep(self._store.lease))
        if len(records) > _FEW:
            self._taking_up = loop.create_task(self._take_up(records))
            return
        try:
            await self._events.prepare_for(records)
        except BaseException:  # what was adopted is ours, also if the task that opened the ledger is gone
            self._taking_up = loop.create_task(self._take_up(records))
            raise
        # In the turn in which the opening ends: a caller that leaves at once does so before anything was sent.
        for record in records:
            self._go_on_with(record)

    async def _begin(self) -> None:
        """As a new worker.  A store that was written before workers could follow less is asked for nothing new."""
        await (self._store.open() if self._follows is Follows.ALL else self._store.open(self._follows))

    @property
    def is_followed(self) -> bool:
        """True if somebody adopts what is taken in, as of the last look."""
        return self._follows is not Follows.NOTHING or self.peers.follow_all > 0

    async def adopt(self) -> None:
        """Take up what nobody owns: the accounts are not the same as before."""
        if not self._is_open:
            return
        try:
            await self._take_up(await self._adopted())
        except Exception as error:
            self._warn(str(error))

    async def _adopted(self) -> list[Record]:
        if self.takes_up and self._follows is not Follows.NOTHING:
            return [*await self._store.adopt(self._accounts(), self._events.adoptable())]
        return []

    async def _look_for_orphans(self) -> None:
        """Few are taken up at once; many beside the heartbeats, for that may take longer than the lease."""
        if self._taking_up is not None and not self._taking_up.done():
            return
        records = await self._adopted()
        if len(records) <= _FEW:
            await self._take_up(records)
        else:
            self._taking_up = asyncio.get_running_loop().create_task(self._take_up_beside(records))

    async def _take_up_beside(self, records: list[Record]) -> None:
        try:
            await self._take_up(records)
        except Exception as error:
            self._warn(str(error))

    async def _take_up(self, records: list[Record]) -> None:
        """Go on with these; what was adopted under a lease that was lost meanwhile is nobody's, and adopted again.

        The list is empty in the end: to free thousands of them at once takes several milliseconds.
        """
        await self._events.prepare_for(records)
        turn, count = Turn(), len(records)
        records.reverse()
        while records and self.takes_up:
            part = (count - len(records) + 1) / count if count >= MANY else None
            self._go_on_with(records.pop(), part)
            await turn.step()
        if records:  # they are for those who stay
            return
        if not self._is_lost:
            self._lost_at = -math.inf

    def _go_on_with(self, record: Record, part: float | None = None) -> None:
        if record.owner is None or (record.owner == self._store.worker and not self._is_lost):
            self._events.adopted(record, part)
            self.others.took_up()

    def is_fenced(self, now: float) -> bool:
        """True if the lease may run out at any moment, so that nothing may be sent for its jobs."""
        lease = self._store.lease
        known_at = max(self._renewed_at, self._failed_at)
        return self._is_open and lease is not None and now > known_at + _FENCE * lease

    def permit(self) -> Callable[[], bool]:
        """For a request that is decided now: whether it may still be sent, to be asked right before it is.

        Not while the lease may run out, nor after it was lost: what was ours then may be another's.
        """
        times_lost = self._times_lost
        return lambda: times_lost == self._times_lost and not self.is_fenced(self._clock.now())

    def is_returning(self, now: float) -> bool:
        """True if our jobs could not be asked about just now, and soon can be again, by us or by who owns them then.

        The lease has run out, or what was lost with it has not been taken up yet.  For some leases at most: a ledger
        that stays away puts off nobody's deadline.
        """
        lease = self._store.lease
        if lease is None:
            return False
        since = self._lost_at if self._lost_at > -math.inf else self._renewed_at
        return (self.is_fenced(now) or self._lost_at > -math.inf) and now <= since + _RETURNS_WITHIN * lease

    def is_sure(self, now: float) -> bool:
        """True if nobody can have taken over what is ours."""
        lease = self._store.lease
        return not self._is_open or lease is None or now <= self._renewed_at + _FENCE * lease

    def owes(self, job_id: str) -> bool:
        """True if something is known about this job that the ledger could not take yet."""
        return self._outbox.owes_about(job_id)

    async def note(self, write: Write, *job_ids: str, within: float = WRITE_TIMEOUT) -> None:
        """A fact about these jobs: written now, or as soon as the ledger takes it; see `Outbox.note`."""
        await self._outbox.note(write, *job_ids, within=within)

    def note_begun(self, job_ids: Iterable[str]) -> None:
        """These have begun to be processed: noted for callers in other processes, if there are any."""
        if self.peers:
            self._progress.note(job_ids)

    async def catch_up_if_behind(self) -> None:
        """Try once more what could not be written, for a moment."""
        if self._outbox.is_behind:
            await self._outbox.catch_up_within(WRITE_TIMEOUT)

    async def close(self) -> None:
        """Stop renewing, and write what is owed; the store is closed by who opened it."""
        self.takes_up = False
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._taking_up is not None:
            await asyncio.gather(self._taking_up, return_exceptions=True)
        await self._progress.close()
        await self._outbox.close()

    async def _keep(self, lease: float) -> None:
        pause = min(_LONGEST_PAUSE, lease / _HEARTBEATS)
        looked_at = self._clock.now()
        while True:
            try:
                # Counted from when it began: taking up thousands of jobs must not put off the next heartbeat.
                heard = await self.others.rest(looked_at + pause + TICK - self._clock.now())
                if self._clock.now() >= looked_at + pause:
                    looked_at = self._clock.now()
                    await self._maintain(lease, pause)
                elif heard and self.others.hand_over:
                    await self._look_for_orphans()
                await self.others.look(heard)  # last: what cannot be read must not put off the heartbeat
            except Exception as error:
                if not self._store.can_be_cut_off:
                    self._failed_at = self._clock.now()
                self._warn(str(error))
                await asyncio.sleep(max(0.0, looked_at + pause - self._clock.now()))

    def _warn(self, text: str) -> None:
        """Once a minute, as long as it stays the same."""
        before, at = self._warned
        if text != before or self._clock.now() >= at + _REMINDED_EVERY:
            self._warned = (text, self._clock.now())
            logger.warning("The ledger does not answer; aiogen tries again: %s", text)

    async def _maintain(self, lease: float, pause: float) -> None:
        if self._clock.now() >= self._renewed_at + lease / _HEARTBEATS:
            await self._heartbeat()
        if self._outbox.owes:
            await self._outbox.catch_up_within(pause)
        await self._look_for_orphans()
        await self._count_peers()

    async def _count_peers(self) -> None:
        self.peers, before = Peers.of(await self._store.peers()), self.peers
        self.others.are_there = self.peers > 0
        self.others.hand_over = self.peers.follow_nothing > 0 and self._follows is Follows.ALL
        self._look_for_followers()
        if self.peers and not before:
            self._events.joined()
        if self.peers:
            self._events.accompanied()

    def _look_for_followers(self) -> None:
        """Say once if jobs are awaited here, and nobody follows them."""
        if self.is_followed or not self._events.watched():
            self._unfollowed_at = None
            return
        now = self._clock.now()
        self._unfollowed_at = now if self._unfollowed_at is None else self._unfollowed_at
        if now >= self._unfollowed_at + _UNFOLLOWED_FOR:
            self._unfollowed_at = math.inf
            count = len(self._events.watched())
            logger.warning(
                "Nobody follows jobs on this ledger, and %d %s for that. Nothing is lost, and they go on as soon as "
                "somebody does: start `aiogen worker`, or a session that follows.",
                count,
                "waits" if count == 1 else "wait",
            )

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """Take `count` requests out of the budget of all processes; the seconds to wait, 0.0 if the ledger fails."""
        try:
            return await self._store.acquire(account, count, per_second)
        except Exception as error:
            logger.debug("The shared budget cannot be read: %s", error)
            return 0.0

    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        """A refusal concerns every process: report it to them, unless the ledger fails."""
        try:
            await self._store.hold(account, kind, seconds)
        except Exception as error:
            logger.debug("A refusal could not be shared with other processes: %s", error)

    async def _heartbeat(self) -> None:
        sent_at = self._clock.now()
        try:
            is_kept = await self._store.heartbeat()
        except Exception:
            self._refused_at = [*self._refused_at, self._clock.now()][:2]
            raise
        if not is_kept:
            if not self._is_lost:
                self._say_that_it_is_lost(sent_at)
            if self._lost_at == -math.inf:
                self._lost_at = self._clock.now()
            self._is_lost = True
            self._times_lost += 1
            await self._events.lost()
            await self._outbox.catch_up()  # while nothing is ours: what comes of it is taken up like all the rest
            sent_at = self._clock.now()
            await self._begin()
        self._refused_at = []
        self._is_lost = False  # also where a try before this one has begun it, and did not hear so
        was_fenced, self._renewed_at = self.is_fenced(self._clock.now()), sent_at
        if was_fenced:
            self._events.renewed()

    def _say_that_it_is_lost(self, asked_at: float) -> None:
        lease = self._store.lease
        assert lease is not None
        logger.warning(
            "%s",
            why_lost(
                renewed_at=self._renewed_at,
                asked_at=asked_at,
                now=self._clock.now(),
                lease=lease,
                refused_at=self._refused_at,
                follows=self._follows is not Follows.NOTHING,
            ),
        )
