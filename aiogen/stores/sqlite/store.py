"""The ledger in a file: survives any crash, and serves several processes on one machine.

Not on network file systems: SQLite's locks do not work there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

import attrs

from aiogen._binding import Binding, bound
from aiogen._content.portions import LARGE, size
from aiogen._options import StoreOptions
from aiogen.costs import Costs
from aiogen.errors import BudgetReached, StoreError, TooManyJobs
from aiogen.models import Action, Cost, Generation, State
from aiogen.stores import rows
from aiogen.stores.base import (
    MOST_FOUND,
    UNLIMITED,
    AtMost,
    Follows,
    Forgotten,
    Headroom,
    Record,
    RecordQuery,
    RequestKind,
    TakenOver,
    Wish,
)
from aiogen.stores.budget import Budget
from aiogen.stores.charges import Charge
from aiogen.stores.peers import Worker
from aiogen.stores.sqlite import (
    clock,
    copies,
    deliveries,
    jobs,
    learned,
    moments,
    news,
    reading,
    sharing,
    spending,
    vacuum,
    wishes,
    workers,
)
from aiogen.stores.sqlite.copies import HeldCopy
from aiogen.stores.sqlite.failures import store_error
from aiogen.stores.sqlite.file import Handle, path_of
from aiogen.stores.sqlite.jobs import IDS_AT_ONCE
from aiogen.stores.sqlite.writer import Writer

T = TypeVar("T")
logger: logging.Logger = logging.getLogger("aiogen")
Connection = sqlite3.Connection

_DAY = 86_400.0
_BEFORE_THE_FENCE = 0.2
"""This part of the lease the heartbeat waits for others at most: an error has to be known before the lease may end."""
_SHORT_TIMEOUT = 1.0
"""Seconds; for what is no fact about a job."""
_BUDGET_TIMEOUT = 0.25
"""Seconds; what is asked for in vain here is sent all the same."""
_TIDYING = 0.2
"""Seconds with each heartbeat that what is free is given back to the disk."""
_LOOKS_EVERY = 0.1
"""Seconds between two looks whether another process has written something; a look takes some microseconds."""
_SLICE = 500
"""Rows of `scan` at once."""


@bound
class SqliteStore:
    """The ledger in an SQLite file.

    Args:
        path: the file, on a local disk; made, readable by its owner alone, if it is not there.  Its folder must exist.
        keep_finished: seconds that a job stays in the ledger after its end, 0 to 100 years; a week by default.  One
            whose end is not delivered to a handler yet stays up to 30 days more; one of a named batch, until `forget`.
        keep_requests: keep what is sent until the job has ended.  Without it the file holds no prompt, and jobs that
            were not sent yet when the program died cannot be sent by the next.
        lease: seconds after which the jobs of a process that died, or was stopped, are taken over by others, 0.5 to
            3600.
        busy_timeout: seconds to wait for other processes that write, 0 to 600.
        adopt: if the file is a copy of another ledger, or was restored from a backup, send what waits in it all the
            same: your assurance that no other ledger sends it.  See `held_copy`.

    Raises:
        ConfigurationError: the path is not that of a file.
        InputError: a number is out of its range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_finished: float = 7 * _DAY,
        keep_requests: bool = True,
        lease: float = 15.0,
        busy_timeout: float = 10.0,
        adopt: bool = False,
    ) -> None:
        self._options = StoreOptions(
            keep_finished=keep_finished,
            keep_requests=keep_requests,
            lease=lease,
            busy_timeout=busy_timeout,
            adopt=adopt,
        )
        self.path: Path = path_of(path)
        self._binding = Binding("store")
        self._writer: Writer | None = None
        self._readers: reading.Readers | None = None
        self._handle: Handle | None = None
        self._held: HeldCopy | None = None
        self._namespace: UUID | None = None
        self._cursor = news.Cursor()
        self._unreadable = reading.Unread(self.path)
        self._latest = 0.0
        """The latest time that the clock has said: later than now only if it was set back."""
        self._worker = Worker()
        self._neighbours = sharing.Neighbours()
        self._version = -1
        self._looked_at = -math.inf
        """When it was looked last whether others have written."""

    def __repr__(self) -> str:
        return f"<SqliteStore {str(self.path)!r}>"

    @property
    def lease(self) -> float | None:
        """See `Store.lease`."""
        return self._options.lease

    @property
    def worker(self) -> str:
        """See `Store.worker`."""
        return self._worker.name

    @property
    def can_be_cut_off(self) -> bool:
        """See `Store.can_be_cut_off`: it is on this machine, and who cannot write there, nobody can."""
        return False

    @property
    def held_copy(self) -> HeldCopy | None:
        """What is not sent because this file seems to be a copy; None if it does not, or nothing waits.

        As of when it was opened.  A ledger knows its path, its file's number and its machine, and counts in a small
        file beside it (`<file>-epoch`); where one of these is not as it was left, jobs that waited in it are held.
        """
        return self._held

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Rows that could not be read since this was opened, by the job's id, and why; all others can be."""
        return dict(self._unreadable.found)

    # --- the worker

    async def open(self, follows: Follows = Follows.ALL) -> None:
        """See `Store.open`."""
        if self._writer is None:
            self._unreadable.clear()
            handle = Handle(self.path, self._options.busy_timeout, is_adopted=self._options.adopt)
            # Nobody uses this store any more, and nobody has closed it: what is ours is for others to take up.
            last = partial(workers.end, names=self._worker.names)
            writer = Writer(handle, busy_timeout=self._options.busy_timeout, last=last)
            try:
                await writer.open()
            except Exception as error:
                raise store_error(error, self.path, "opened") from error
            self._writer, self._handle = writer, handle
            self._readers = reading.Readers(handle.connect_to_read)

        def begin(c: Connection) -> tuple[str, HeldCopy | None, UUID]:
            rows.prepare()
            name = workers.begin(c, clock.now(c), self._options.lease, follows)
            return name, copies.held(c, self.path), copies.namespace(c)

        name, held, self._namespace = await self._write(begin)
        self._worker.begin(name, follows)
        if held is not None and self._held is None:
            logger.warning("%s", held)
        self._held = held

    async def adopt_copy(self) -> int:
        """You say that nobody else sends what waits in this copy: it is sent from here.  How many jobs that are.

        Who uses this file already takes them up within two seconds.  The store has to be open.

        Raises:
            StoreError: it could not be written, or the ledger is not open.
        """
        count = await self._write(copies.adopt)
        self._held = None
        return count

    async def heartbeat(self) -> bool:
        """See `Store.heartbeat`.  Also removes what is old, and gives free pages back to the disk."""
        handle = self._handle
        if handle is None:
            raise self._not_open()

        def renew(c: Connection) -> tuple[bool, bool]:
            assert handle.file is not None
            now = clock.now(c)
            if now < self._latest:
                moments.correct(c, now)
            self._latest = now
            is_ours = workers.renew(c, self._worker.name, now, self._options.lease)
            jobs.purge(c, now)
            handle.file.count(c)
            return is_ours, vacuum.is_worth_it(c)

        def after(c: Connection) -> None:
            assert handle.file is not None
            handle.file.write_beside()

        is_ours, has_free_pages = await self._write(renew, busy_timeout=_BEFORE_THE_FENCE * self._options.lease)
        await self._read(after)
        if has_free_pages:
            await self._give_back(_TIDYING)
        return is_ours

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        """See `Store.adopt`."""
        if self._worker.follows is Follows.NOTHING:
            return []
        orphans = jobs.Orphans(accounts)
        # Looking is free, and a write is not: most looks find nothing.
        if not await self._read(orphans.are_there):
            return []
        return await self._write(
            lambda c: orphans.adopt(c, self._worker, only, self._unreadable.skip, clock.now(c)),
            busy_timeout=_BEFORE_THE_FENCE * self._options.lease,
        )

    async def close(self) -> None:
        """See `Store.close`."""
        writer, self._writer = self._writer, None
        readers, self._readers = self._readers, None
        if writer is None:
            return
        try:
            if readers is not None:
                await readers.close()
            await writer.do(lambda c: workers.end(c, [self._worker.name]), busy_timeout=_SHORT_TIMEOUT)
        except (sqlite3.Error, StoreError):
            pass  # the lease runs out by itself
        finally:
            await writer.close()

    # --- the life of a job

    @property
    def namespace(self) -> UUID:
        """See `Store.namespace`."""
        if self._namespace is None:
            raise self._not_open()
        return self._namespace

    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        """See `Store.add`."""
        mine, whole = attrs.evolve(record, owner=self._worker.owner), self._options.keep_requests
        if record.submission is not None and size(record.submission.body) > LARGE:
            values = await self._read(lambda c: rows.row(mine, whole=whole))  # megabytes would hold up the loop
        else:
            values = rows.row(mine, whole=whole)
        handlers = [(record.id, handler) for handler in record.handlers]
        read_at = rows.seconds(record.read_at)
        standing = await self._write(
            lambda c: jobs.add(c, self._worker, values, handlers, read_at, clock.now(c), at_most)
        )
        if standing is False:
            raise StoreError(
                f"This process was stopped for longer than its lease in {str(self.path)!r}, and gets a new one in "
                "a moment; nothing was sent. Submit it again.",
                action=Action.RETRY,
                retryable=True,
            )
        return standing if isinstance(standing, Record) else None

    async def latest(self, scope: str, key: str) -> Record | None:
        """See `Store.latest`."""
        return await self._read(lambda c: jobs.latest(c, scope, key, clock.now(c)))

    async def intend(self, job_id: str, headroom: Headroom = UNLIMITED, budget: Budget | None = None) -> float:
        """See `Store.intend`."""
        wait = await self._write(
            lambda c: jobs.intend(c, self._worker, self._neighbours, job_id, headroom, clock.now(c), budget)
        )
        if wait is None:
            raise TakenOver(
                f"Job {job_id} must not be sent by this process any more: another process has taken it over."
            )
        return wait

    async def confirm(
        self,
        job_id: str,
        provider_id: str,
        state: State,
        ago: float = 0.0,
        reference: Mapping[str, Any] | None = None,
        cost: Cost | None = None,
    ) -> bool:
        """See `Store.confirm`."""
        text = rows.json_text(reference)

        def confirm(c: Connection) -> bool:
            accepted_at = clock.now(c) - max(0.0, ago)
            return jobs.confirm(c, self._worker, job_id, provider_id, state, accepted_at, text, Charge.of(cost))

        return await self._write(confirm)

    async def release(self, job_id: str) -> None:
        """See `Store.release`.  The vendor did not count it, so neither do other workers.

        If it comes so late that the job was sent again meanwhile, that was another create, and this says nothing of it.
        """
        await self._write(lambda c: jobs.release(c, self._worker, job_id))

    async def mark_unknown(self, job_id: str) -> None:
        """See `Store.mark_unknown`."""
        await self._write(lambda c: jobs.mark_unknown(c, self._worker, job_id))

    async def progressed(self, job_ids: Collection[str]) -> None:
        """See `Store.progressed`.  It does not wait long for others: what it says is known by the next question."""
        ids = list(job_ids)
        await self._write(lambda c: jobs.progressed(c, self._worker, ids), busy_timeout=_BUDGET_TIMEOUT)

    async def reopen(self, job_id: str, provider_id: str | None = None) -> Record | None:
        """See `Store.reopen`."""
        return await self._write(lambda c: jobs.reopen(c, self._worker, job_id, provider_id, clock.now(c)))

    async def settle(self, ended: Sequence[Generation]) -> None:
        """See `Store.settle`."""
        ends = [rows.End.of(generation, whole=self._options.keep_requests) for generation in ended]
        await self._write(lambda c: jobs.settle(c, self._worker, ends, clock.now(c), self._options.keep_finished))

    async def withdraw(self, ended: Generation) -> bool:
        """See `Store.withdraw`."""
        end = rows.End.of(ended, whole=self._options.keep_requests)
        return await self._write(lambda c: jobs.withdraw(c, end, clock.now(c), self._options.keep_finished))

    # --- requests to the worker that follows a job

    async def wish(self, job_id: str) -> bool:
        """See `Store.wish`."""
        return await self._write(lambda c: wishes.wish(c, job_id))

    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        """See `Store.wake`."""
        ids, found, level = list(provider_ids), list[tuple[str, int]](), wishes.PROVED if proved else wishes.HEARD
        for i in range(0, len(ids), wishes.AT_ONCE):
            some = ids[i : i + wishes.AT_ONCE]
            found += await self._read(partial(wishes.to_wake, account=account, provider_ids=some))
        # The caller knows next to nothing of the ids: only what is followed is worth a write.
        if fresh := [job_id for job_id, before in found if before < level]:
            await self._write(lambda c: wishes.wake(c, fresh, level), busy_timeout=_SHORT_TIMEOUT)
        return len(found)

    async def wishes(self) -> list[Wish]:
        """See `Store.wishes`."""
        found = await self._read(lambda c: wishes.read(c, self._worker.name))
        if woken := [wish.job_id for wish in found if wish.wake]:
            await self._write(lambda c: wishes.heard(c, woken), busy_timeout=_SHORT_TIMEOUT)
        return found

    async def grant(self, job_id: str, answer: Mapping[str, Any]) -> None:
        """See `Store.grant`."""
        await self._write(lambda c: wishes.grant(c, job_id, answer))

    async def granted(self, job_id: str) -> Mapping[str, Any] | None:
        """See `Store.granted`."""
        return await self._read(lambda c: wishes.granted(c, job_id))

    # --- looking

    async def get(self, job_id: str) -> Record | None:
        """See `Store.get`."""
        return await self._read(lambda c: reading.one(c, job_id))

    async def find(self, query: RecordQuery) -> list[Record]:
        """See `Store.find`.  Rows that cannot be read are left out and logged; see `unreadable`."""
        if query.ids is not None and len(query.ids) <= IDS_AT_ONCE:  # few, and found at once
            return await self._read(lambda c: self._unreadable.records([reading.found_at_once(c, query)], clock.now(c)))
        return (await self._slice(query))[0]

    async def scan(self, query: RecordQuery) -> AsyncIterator[list[Record]]:
        """Like `find`, some hundred records at a time: for a program that does not want all of them in memory.

        Each part is as the ledger stands when it is read.

        Raises:
            StoreError: the ledger cannot be read.
        """
        left, after = MOST_FOUND if query.limit is None else query.limit, None
        while left > 0:
            some = attrs.evolve(query, limit=min(left, _SLICE))
            records, after = await self._slice(some, after)
            left -= _SLICE
            if records:
                yield records
            if after is None:
                return

    async def _slice(
        self, query: RecordQuery, after: reading.Key | None = None
    ) -> tuple[list[Record], reading.Key | None]:
        """Records behind a key, and the key of the last one; None if there are no more."""

        return await self._read_long(lambda c, breathe: reading.sliced(c, query, after, self._unreadable, breathe))

    async def count(self, query: RecordQuery) -> Mapping[State, int]:
        """See `Store.count`."""
        return await self._read_long(lambda c, _: reading.counted(c, query))

    async def costs(self, query: RecordQuery) -> Costs:
        """See `Store.costs`."""
        return await self._read_long(lambda c, _: spending.costs(c, query))

    async def by_provider_id(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        """See `Store.by_provider_id`.  Rows that cannot be read are left out and logged; see `unreadable`."""
        ids = list(provider_ids)

        def select(c: Connection, some: list[str]) -> list[Record]:
            return self._unreadable.records([reading.by_provider_id(c, account, some)], clock.now(c))

        records = list[Record]()
        for i in range(0, len(ids), IDS_AT_ONCE):
            records += await self._read(partial(select, some=ids[i : i + IDS_AT_ONCE]))
        return records

    async def wait_for_news(self, timeout: float) -> bool:
        """See `Store.wait_for_news`.  SQLite reports no writes of other processes, so the file is looked at now and
        then."""
        clock = asyncio.get_running_loop().time
        until = clock() + timeout
        while True:
            # From one look to the next, not from the end of what came of the last one.
            next_look = max(clock(), min(clock(), self._looked_at) + _LOOKS_EVERY)
            await asyncio.sleep(max(0.0, min(next_look, until) - clock()))
            self._looked_at = clock()
            version = await self._read(sharing.data_version)
            before, self._version = self._version, version
            if version != before:
                return True
            if clock() >= until:
                return False

    async def news(self, job_ids: Collection[str]) -> Mapping[str, Record | None]:
        """See `Store.news`."""
        return await self._read(lambda c: news.read(c, self._cursor, job_ids))

    # --- handlers, and what is over

    async def claim(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """See `Store.claim`."""

        def claim(c: Connection) -> list[tuple[str, Generation, int]]:
            owner = workers.living(c, self._worker)
            if owner is None:
                return []  # a claim of the dead would hold nobody else off
            return deliveries.claim(c, owner, handlers, limit, clock.now(c), self._unreadable.skip_end)

        # Looking is free, and a write is not: most looks find nothing.
        return await self._write(claim) if await self._read(lambda c: deliveries.are_due(c, clock.now(c))) else []

    async def ack(self, job_id: str, handler: str, again: float | None) -> None:
        """See `Store.ack`."""
        await self._write(lambda c: deliveries.ack(c, self._worker.name, job_id, handler, again, clock.now(c)))

    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        """See `Store.forget`.  Also what is held in a copy.

        Where they stood in the file is written over with zeros, and what they took of the disk is given back.  The
        log beside it (`-wal`) is emptied, unless another program reads just then: after the next one it is.
        """
        if isinstance(which, RecordQuery):
            query = which
            ids = await self._read_long(lambda c, _: reading.ids(c, query))
        else:
            ids = list(dict.fromkeys(which))
        removed = running = 0
        for i in range(0, len(ids), IDS_AT_ONCE):  # others write in between
            some = await self._write(partial(jobs.forget, job_ids=ids[i : i + IDS_AT_ONCE]))
            removed, running = removed + some, running + some.running
        if removed:
            await self._give_back(math.inf, empties_log=True)
        return Forgotten(removed, running)

    async def _give_back(self, seconds: float, *, empties_log: bool = False) -> None:
        """Free pages of the file, for this number of seconds, to the disk; if that fails, nobody is harmed."""
        until = monotonic() + seconds
        try:
            while await self._write(vacuum.give_back) and monotonic() < until:
                pass
            await self._read(vacuum.make_small)
            if empties_log:
                await self._read(vacuum.empty_log)
        except StoreError as error:
            logger.debug("The ledger file could not be shrunk: %s", error)

    # --- one account, several processes

    async def peers(self) -> int:
        """See `Store.peers`."""
        return await self._read(lambda c: sharing.peers(c, self._worker.name, clock.now(c)))

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """See `Store.acquire`."""
        return await self._write(
            lambda c: sharing.acquire(c, self._worker.name, account, count, per_second, clock.now(c)),
            busy_timeout=_BUDGET_TIMEOUT,
        )

    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        """See `Store.hold`."""
        await self._write(lambda c: sharing.hold(c, self._worker.name, account, kind, seconds, clock.now(c)))

    # --- what was learned

    async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
        """See `Store.put_learned`."""
        text = json.dumps(value)
        # It is learned again, if need be: nobody waits long for that.
        return await self._write(
            lambda c: learned.put(c, name, text, version, clock.now(c)), busy_timeout=_SHORT_TIMEOUT
        )

    async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
        """See `Store.get_learned`."""
        return await self._read(lambda c: learned.get(c, name, known))

    # --- inside

    async def _write(self, work: Callable[[Connection], T], *, busy_timeout: float = math.inf) -> T:
        """One transaction."""
        if self._writer is None:
            raise self._not_open()
        return await self._said(self._writer.do(work, busy_timeout=busy_timeout), "written")

    async def _read(self, work: Callable[[Connection], T]) -> T:
        """A short read, which waits for nobody."""
        if self._writer is None:
            raise self._not_open()
        return await self._said(self._writer.read(work), "read")

    async def _read_long(self, work: Callable[[Connection, Callable[[], None]], T]) -> T:
        """A read of many rows, in a thread of its own; it calls what it is given between two slices."""
        await self._read(lambda c: None)  # whether it is still there
        readers = self._readers
        if readers is None:
            raise self._not_open()
        return await self._said(readers.do(lambda c: work(c, readers.breathe)), "read")

    async def _said(self, work: Awaitable[T], verb: str) -> T:
        """Whatever may be wrong with a file is a StoreError that names it."""
        try:
            return await work
        except (TooManyJobs, BudgetReached):
            raise
        except rows.Unreadable as error:
            raise StoreError(
                f"The ledger {str(self.path)!r} contains a row that this version cannot read: {error}"
            ) from error
        except Exception as error:
            raise store_error(error, self.path, verb) from error

    def _not_open(self) -> StoreError:
        return StoreError(f"The ledger {str(self.path)!r} is not open.")
