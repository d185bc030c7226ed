"""What a store has while its ledger is open: connections, a writer, a listener, and two tasks that go on beside."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from uuid import UUID

import attrs

from aiogen._options import ServerOptions
from aiogen.errors import ConfigurationError
from aiogen.stores.peers import Worker
from aiogen.stores.postgres import database, jobs, moments, notices, upgrade, workers
from aiogen.stores.postgres.address import Address
from aiogen.stores.postgres.database import Database, Raw, Tx
from aiogen.stores.postgres.listening import Listener
from aiogen.stores.postgres.writer import Writer

logger: logging.Logger = logging.getLogger("aiogen")

_PURGED_EVERY = 30.0
"""Seconds between two looks for what has been kept for long enough."""
_CLOSES_WITHIN = 2.0
"""Seconds, beyond what one statement may take, that closing waits for the server."""
_IDLE = 1 / 3
"""The part of the lease for which the server keeps a transaction open of which nothing more is heard."""
_REAPED_WITHIN = 0.1
"""The part of the lease that a heartbeat waits until what the dead had is nobody's."""
_WAITS_FOR = 0.5
"""Seconds that ending the dead waits for others that have locked what they left."""


def steady() -> float:
    """Seconds on a clock that nobody sets."""
    return asyncio.get_running_loop().time()


@attrs.frozen
class Place:
    """Where a ledger is, and how it is reached."""

    address: Address | None
    """None with a pool of the caller's."""
    listen_at: Address | None
    """Where the connection that listens leads to; None for one of the pool."""
    pool: Raw | None
    """The caller's; None with an address."""
    schema: str | None
    """The namespace of the tables; None for the first of the search path."""

    @property
    def shown(self) -> str:
        """For people; without a password."""
        place = "of the given pool" if self.address is None else self.address.shown
        return place if self.schema is None else f"{place} ({self.schema})"


@attrs.define(eq=False)
class Opened:
    """One ledger, from `open_ledger` to `close`."""

    database: Database
    writer: Writer
    listener: Listener
    namespace: UUID
    channel: str
    only_reads: bool = False
    """No worker was entered, and nothing is written."""
    purging: asyncio.Task[None] | None = None
    reaping: asyncio.Task[None] | None = None
    is_ahead: bool = True
    """Moments in the ledger may lie further ahead than they can have meant, as the server's clock was set back."""
    _clock: moments.ServerClock = attrs.field(factory=moments.ServerClock)
    _company: int = 1
    """Workers that follow, this one included, as of its last renewal."""
    _alone_at: float = 0.0
    """From when on others that lost their leases together with this worker would have come back."""

    _renewed_until: float = -math.inf
    """When the lease runs out by our clock, which nobody sets."""
    _spares_until: float = -math.inf
    """Until then no lease is ended: that they have run out may only seem so, and who lives renews them meanwhile."""

    def heard(self, renewal: workers.Renewal, asked_at: float, heard_at: float, lease: float) -> None:
        """This came of a heartbeat; the two moments are on a clock that nobody sets."""
        was_set = self._clock.was_set(renewal.now, asked_at, heard_at)
        self.is_ahead |= was_set is moments.Set.BACK
        if was_set is moments.Set.FORWARD:
            self._spares_until = heard_at + lease
        if renewal.is_ours:
            self._company = renewal.company
            self._renewed_until = asked_at + lease

    async def renew_late(self, name: str, asked_at: float, lease: float) -> bool:
        """Renew a lease that has run out by the server's clock, and not by ours; False where it was ended."""
        if asked_at >= self._renewed_until:
            return False
        renewed_at = steady()
        if not await self.database.run(lambda tx: workers.renew_late(tx, name, lease)):
            return False
        self._renewed_until = renewed_at + lease
        return True

    def comes_back(self, now: float, lease: float) -> None:
        """This worker has lost its lease of so many seconds, as all do together when the server is away for longer."""
        self._alone_at = now + lease / 3.0 + 1.0

    def expected(self, now: float) -> int:
        """How many share what nobody owns, at least."""
        return self._company if now < self._alone_at else 1

    async def put_right(self, *, surely: bool = False) -> None:
        """Put right what a clock wrote before it was set back, if it was; `surely`: look whether it was."""
        self.is_ahead |= surely
        if not self.is_ahead:
            return
        try:
            await moments.correct(self.database)
        except Exception as error:  # it is tried again with the next heartbeat
            logger.debug("Moments of the ledger could not be put right: %r", error)
        else:
            self.is_ahead = False

    async def reap(self, lease: float) -> None:
        """End the leases of the dead; what they had may be thousands of jobs, so most of that goes on beside.

        `lease`: seconds, of which a tenth is waited here.
        """
        if self.reaping is None or self.reaping.done():
            self.reaping = asyncio.get_running_loop().create_task(self._reap())
        await self.reaped(lease)

    async def reaped(self, lease: float) -> None:
        """Wait for the leases of the dead that are being ended, if there are any, for a tenth of `lease` seconds."""
        if self.reaping is not None:
            await asyncio.wait([self.reaping], timeout=lease * _REAPED_WITHIN)

    async def _reap(self) -> None:
        await self.put_right()
        try:
            await self.database.run(lambda tx: workers.let_go(tx, self.database.idle))
        except Exception as error:  # perhaps that is not allowed here
            logger.debug("What the dead have locked could not be freed: %r", error)
        if steady() < self._spares_until:
            return
        try:
            async with self.database.transaction(lock_timeout=_WAITS_FOR) as tx:
                await workers.reap(tx)
        except Exception as error:  # our lease is renewed all the same, and it is tried again with the next
            logger.debug("The leases of the dead could not be ended: %r", error)

    async def stop(self) -> None:
        """End what goes on beside."""
        tasks = [task for task in (self.purging, self.reaping) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self, name: str, timeout: float) -> None:
        """Write what waits, give up the lease of this worker, and close the connections.

        `timeout`: seconds that one statement may take.
        """
        await self.stop()
        try:
            async with asyncio.timeout(_CLOSES_WITHIN + timeout):
                await self.writer.close()
            if self.only_reads:
                return
            async with asyncio.timeout(_CLOSES_WITHIN):
                await self.database.run(lambda tx: workers.end(tx, name))
        except Exception as error:
            logger.debug("The lease could not be given up, so it has to run out: %r", error)
        finally:
            await self.listener.close()
            await self.database.close()


async def open_ledger(place: Place, options: ServerOptions, worker: Worker, name: str) -> Opened:
    """Connect, make or update the tables, and listen.

    Args:
        place: where it is.
        options: how the ledger is kept.
        worker: who writes; it may have no name yet.
        name: who this is in notices.
    """
    here = await _connected(place, options)
    try:
        opened = _joined(here, await upgrade.prepare(here, place.shown), place, options, worker, name)
        await opened.listener.start()
    except BaseException:
        await here.close()
        raise
    opened.purging = asyncio.get_running_loop().create_task(_purge(opened.writer))
    return opened


async def open_to_read(place: Place, options: ServerOptions, worker: Worker, name: str) -> Opened | None:
    """Connect, and nothing else; None where there is no ledger.  See `open_ledger` for what it is given."""
    here = await _connected(place, options)
    try:
        if not await upgrade.is_made(here, place.shown):
            await here.close()
            return None
        opened = _joined(here, await upgrade.prepare(here, place.shown), place, options, worker, name)
    except BaseException:
        await here.close()
        raise
    opened.only_reads = True
    return opened


async def _connected(place: Place, options: ServerOptions) -> Database:
    """The pool, and the namespace in which the tables are."""
    pool = place.pool
    if pool is None:
        assert place.address is not None
        pool = await database.make_pool(
            place.address.url,
            timeout=place.address.connect_timeout or options.timeout,
            statement_cache_size=options.statement_cache_size,
        )
    here = Database(
        pool,
        schema=place.schema or "",
        timeout=options.timeout,
        idle=options.lease * _IDLE,
        is_ours=place.pool is None,
    )
    try:
        here.schema = place.schema or await upgrade.current_schema(here, place.shown)
    except BaseException:
        await here.close()
        raise
    return here


def _joined(here: Database, namespace: UUID, place: Place, options: ServerOptions, worker: Worker, name: str) -> Opened:
    channel = notices.channel(here.schema)
    writer = Writer(here, partial(_tell, channel, name, worker))
    return Opened(here, writer, _listener(here, place, options.timeout, channel, name), namespace, channel)


def _listener(here: Database, place: Place, timeout: float, channel: str, name: str) -> Listener:
    address: Address | None = place.listen_at
    pool: Raw = place.pool  # of the caller's, where there is no address

    async def connect() -> Raw:
        if address is not None:
            return await database.connect(address.url, timeout=address.connect_timeout or timeout)
        if pool.get_max_size() < 3:
            raise ConfigurationError("The pool has no connection to spare for listening.")
        return await pool.acquire(timeout=timeout)

    async def release(raw: Raw) -> None:
        if address is not None:
            await database.disconnect(raw)
        else:
            await pool.release(raw, timeout=timeout)

    async def send(text: str) -> None:
        await here.run(lambda tx: tx.value("SELECT pg_notify($1, $2)", channel, text))

    return Listener(connect, release, send, channel, name)


async def _tell(channel: str, name: str, worker: Worker, tx: Tx) -> None:
    """Others, if there are any, hear of what was written, once it is committed."""
    await tx.rows(
        "SELECT pg_notify($1, t) FROM unnest($2::text[]) t WHERE EXISTS (SELECT 1 FROM aiogen_worker WHERE id != $3)",
        channel,
        list(notices.texts(name, tx.changed)),
        worker.name,
    )


async def _purge(writer: Writer) -> None:
    """Remove what has been kept for long enough, now and then."""
    while True:
        await asyncio.sleep(_PURGED_EVERY)
        try:
            while await writer.do(jobs.purge):
                pass
        except Exception as error:
            logger.debug("Old jobs could not be removed from the ledger: %r", error)
