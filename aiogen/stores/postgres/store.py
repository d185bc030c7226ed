"""The ledger in PostgreSQL: survives any crash, and serves several machines, whose clocks do not matter."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import attrs

from aiogen._binding import Binding, bound
from aiogen._options import ServerOptions
from aiogen.costs import Costs
from aiogen.errors import BudgetReached, ConfigurationError, StoreError, TooManyJobs
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
from aiogen.stores.postgres import (
    adopting,
    deliveries,
    jobs,
    learned,
    opened,
    reading,
    sharing,
    spending,
    wishes,
    workers,
)
from aiogen.stores.postgres.address import Address, schema_name
from aiogen.stores.postgres.database import Tx
from aiogen.stores.postgres.doubts import Doubts, undo
from aiogen.stores.postgres.failures import is_of_a_value, store_error
from aiogen.stores.postgres.opened import Opened, Place, open_ledger, open_to_read
from aiogen.stores.postgres.precedence import Precedence
from aiogen.stores.selecting import is_of_all

T = TypeVar("T")
logger: logging.Logger = logging.getLogger("aiogen")

_DAY = 86_400.0
_READ_EVERY = 15.0
"""Seconds after which all that is watched is read, whatever was heard."""
_KNOWN_WITHIN = 2.0
"""Seconds in which the server may answer whether a job is there whose commit it did not answer."""
_IDS_AT_ONCE = 500
_STATEMENTS = 100
"""Prepared statements of a connection, if nothing is said."""


@bound
class PostgresStore:
    """The ledger in a database of PostgreSQL, 15 or newer.

    Args:
        url: `postgresql://user:password@host/database`; what SQLAlchemy puts behind the scheme (`+asyncpg`,
            `+psycopg`) is left out.
        pool: one of asyncpg's instead, which is used and not closed.  It should have three connections for this, one
            of which listens; with less, or with `listen_dsn`, none of them does.
        schema: the namespace for the tables, made if it is not there; by default the one that `?search_path=` names in
            the url, else the first of the search path.
        listen_dsn: another url of the same database, for the one connection that listens: where `url` leads to a pooler
            that shares sessions, such as PgBouncer.
        statement_cache_size: prepared statements of a connection, 0 to 10,000; 0 for such a pooler, which the url may
            say as well (`?statement_cache_size=0`); by default 100.
        keep_finished: seconds that a job stays in the ledger after its end, 0 to 100 years; a week by default.  One
            whose end a handler has not heard of yet stays up to 30 days more; one of a named batch, until `forget`.
        keep_requests: keep what is sent until the job is over.  Without it the ledger holds no prompt, and jobs that
            were not sent yet when the program died cannot be sent by the next.
        lease: seconds after which the jobs of a process that died, or cannot reach the ledger, are taken over by
            others, 0.5 to 3600.
        timeout: seconds that one statement, or connecting, may take, 0.1 to 600.

    Raises:
        ConfigurationError: the url is not valid, or neither it nor a pool is given.
        InputError: a number is out of its range.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        pool: Any = None,
        schema: str | None = None,
        listen_dsn: str | None = None,
        statement_cache_size: int | None = None,
        keep_finished: float = 7 * _DAY,
        keep_requests: bool = True,
        lease: float = 15.0,
        timeout: float = 10.0,
    ) -> None:
        if (url is None) is (pool is None):
            raise ConfigurationError("The ledger needs a url of PostgreSQL, or a pool of asyncpg's, and not both.")
        address = None if url is None else Address.of(url)
        listen_at = address if listen_dsn is None else Address.of(listen_dsn, "listen_dsn")
        said = None if address is None else address.statement_cache_size
        if statement_cache_size is None:
            statement_cache_size = _STATEMENTS if said is None else said
        self._options = ServerOptions(
            keep_finished=keep_finished,
            keep_requests=keep_requests,
            lease=lease,
            timeout=timeout,
            statement_cache_size=statement_cache_size,
        )
        namespace = schema_name(schema) or (address.schema if address is not None else None)
        self._where = Place(address, listen_at, pool, namespace)
        self._binding = Binding("store")
        self._parts: Opened | None = None
        self._worker = Worker()
        self._precedence = Precedence()
        self._doubts = Doubts()
        self._name = secrets.token_hex(6)
        """Who this is in notices."""
        self._unreadable = reading.Unread(self._place)
        self._read_at = 0.0
        """When all that is watched was last read, by the loop."""

    def __repr__(self) -> str:
        return f"<PostgresStore {self._place}>"

    @property
    def place(self) -> str:
        """Where it is, for people: the url without password and parameters, and the namespace, if one is named."""
        return self._place

    @property
    def _place(self) -> str:
        return self._where.shown

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
        """See `Store.can_be_cut_off`."""
        return True

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Rows that could not be read so far, by the job's id, and why; all others can be."""
        return dict(self._unreadable.found)

    # --- the worker

    async def open(self, follows: Follows = Follows.ALL) -> None:
        """See `Store.open`."""
        is_first = self._parts is None
        if self._parts is None:
            self._parts = await self._said(open_ledger(self._where, self._options, self._worker, self._name), "opened")
        elif self._parts.only_reads:
            raise StoreError(f"The ledger {self._place} is open to be read only: close it first.")
        await self._parts.put_right(surely=True)
        name = workers.new_name()
        try:
            await self._run(lambda tx: workers.begin(tx, name, self._options.lease, follows), "written")
        except BaseException:
            if is_first:
                await self.close()
            raise
        if self._worker.name and not is_first:
            self._parts.comes_back(asyncio.get_running_loop().time(), self._options.lease)
        self._worker.begin(name, follows)

    async def open_to_read(self) -> bool:
        """Open it for those who only look: `get`, `find`, `count`, `costs` and the like.

        No worker is entered and no table is made, so the right to read is enough, as in a standby.  Whoever opens the
        ledger later makes what is missing.

        Returns:
            False where there is no ledger; then it is not open.

        Raises:
            StoreError: the server cannot be reached, or the ledger is of another version.
        """
        if self._parts is None:
            self._parts = await self._said(open_to_read(self._where, self._options, self._worker, self._name), "opened")
        return self._parts is not None

    async def heartbeat(self) -> bool:
        """See `Store.heartbeat`.  It waits for nobody who writes."""
        parts, lease = self._open_parts(), self._options.lease
        if self._doubts:
            with suppress(StoreError):
                await self._undo_doubtful()
        asked_at = opened.steady()
        found = await self._run(lambda tx: workers.renew(tx, self._worker.name, lease), "written")
        parts.heard(found, asked_at, opened.steady(), lease)
        is_ours = found.is_ours or await self._said(parts.renew_late(self._worker.name, asked_at, lease), "written")
        await (parts.reap if found.are_dead or parts.is_ahead else parts.reaped)(lease)
        return is_ours

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        """See `Store.adopt`."""
        if self._worker.follows is Follows.NOTHING:
            return []
        if self._doubts:  # first: what is taken up from here on is not in doubt
            await self._undo_doubtful()
        # Looking is cheap, and a write is not: most looks find nothing.
        if not await self._run(lambda tx: adopting.are_there(tx, accounts), "read"):
            return []
        expected = self._open_parts().expected(asyncio.get_running_loop().time())
        return await self._write_or_doubt(
            lambda tx: adopting.adopt(tx, self._worker.name, accounts, only, expected, self._unreadable.skip),
            lambda records: self._doubtful().owned.update(record.id for record in records),
        )

    async def close(self) -> None:
        """See `Store.close`."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.close(self._worker.name, self._options.timeout)

    # --- the life of a job

    @property
    def namespace(self) -> UUID:
        """See `Store.namespace`."""
        return self._open_parts().namespace

    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        """See `Store.add`."""
        new = jobs.New.of(record, whole=self._options.keep_requests)
        try:
            standing = await self._write_or_doubt(
                lambda tx: jobs.add(tx, self._worker, new, at_most),
                lambda added: self._doubtful().added.update([record.id] if added is True else []),
            )
        except StoreError:
            if await self._was_added(record.id):
                return None
            raise
        if standing is False:
            raise StoreError(
                f"This process could not reach the ledger {self._place} for longer than its lease, and gets a new one "
                "in a moment; nothing was sent. Submit it again.",
                action=Action.RETRY,
                retryable=True,
            )
        return standing if isinstance(standing, Record) else None

    async def _was_added(self, job_id: str) -> bool:
        """Whether a job whose commit was not answered is there all the same: asked at once, over another connection.

        Then nothing has failed.  If it is not there, or nobody answers, it stays in doubt: it may still come.
        """
        if job_id not in self._doubtful().added:
            return False
        self._doubtful().added.discard(job_id)  # it must not be undone while it is looked for
        is_there = False
        try:
            async with asyncio.timeout(_KNOWN_WITHIN):
                is_there = await self._run(lambda tx: jobs.is_there(tx, job_id), "read")
        except (StoreError, TimeoutError):
            pass
        finally:
            if not is_there:
                self._doubtful().added.add(job_id)
        return is_there

    async def latest(self, scope: str, key: str) -> Record | None:
        """See `Store.latest`."""
        return await self._run(lambda tx: jobs.latest(tx, scope, key), "read")

    async def intend(self, job_id: str, headroom: Headroom = UNLIMITED, budget: Budget | None = None) -> float:
        """See `Store.intend`."""
        wait = await self._write(
            lambda tx: sharing.intend(tx, self._worker, self._precedence, job_id, headroom, budget)
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
        text, quoted = rows.json_text(reference), Charge.of(cost)
        return await self._write(
            lambda tx: jobs.confirm(tx, self._worker, job_id, provider_id, state, ago, text, quoted)
        )

    async def release(self, job_id: str) -> None:
        """See `Store.release`.  The vendor did not count it, so neither do other workers.

        If it comes so late that the job was sent again meanwhile, that was another create, and this says nothing of it.
        """
        await self._write(lambda tx: jobs.release(tx, self._worker, job_id))

    async def mark_unknown(self, job_id: str) -> None:
        """See `Store.mark_unknown`."""
        await self._write(lambda tx: jobs.mark_unknown(tx, self._worker, job_id))

    async def progressed(self, job_ids: Collection[str]) -> None:
        """See `Store.progressed`."""
        ids = list(job_ids)
        await self._write(lambda tx: jobs.progressed(tx, self._worker, ids))

    async def reopen(self, job_id: str, provider_id: str | None = None) -> Record | None:
        """See `Store.reopen`."""
        return await self._write_or_doubt(
            lambda tx: jobs.reopen(tx, self._worker, job_id, provider_id),
            lambda record: self._doubtful().owned.update([] if record is None else [job_id]),
        )

    async def settle(self, ended: Sequence[Generation]) -> None:
        """See `Store.settle`."""
        ends = [rows.End.of(generation, whole=self._options.keep_requests) for generation in ended]
        if ends:
            await self._write(lambda tx: jobs.settle(tx, self._worker, ends, self._options.keep_finished))

    async def withdraw(self, ended: Generation) -> bool:
        """See `Store.withdraw`."""
        end = rows.End.of(ended, whole=self._options.keep_requests)
        return await self._write(lambda tx: jobs.withdraw(tx, end, self._options.keep_finished))

    # --- requests to the worker that follows a job

    async def wish(self, job_id: str) -> bool:
        """See `Store.wish`."""
        return await self._write(lambda tx: wishes.wish(tx, job_id))

    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        """See `Store.wake`."""
        level = wishes.PROVED if proved else wishes.HEARD
        found = await self._run(lambda tx: wishes.to_wake(tx, account, provider_ids), "read")
        # The caller knows next to nothing of the ids: only what is followed is worth a write.
        if fresh := [job_id for job_id, before in found if before < level]:
            await self._write(lambda tx: wishes.wake(tx, fresh, level))
        return len(found)

    async def wishes(self) -> list[Wish]:
        """See `Store.wishes`."""
        found = await self._run(lambda tx: wishes.read(tx, self._worker.name), "read")
        if woken := [wish.job_id for wish in found if wish.wake]:
            await self._write(lambda tx: wishes.heard(tx, woken))
        return found

    async def grant(self, job_id: str, answer: Mapping[str, Any]) -> None:
        """See `Store.grant`."""
        await self._write(lambda tx: wishes.grant(tx, job_id, answer))

    async def granted(self, job_id: str) -> Mapping[str, Any] | None:
        """See `Store.granted`."""
        return await self._run(lambda tx: wishes.granted(tx, job_id), "read")

    # --- looking

    async def get(self, job_id: str) -> Record | None:
        """See `Store.get`."""
        return await self._run(lambda tx: reading.one(tx, job_id), "read")

    async def find(self, query: RecordQuery) -> list[Record]:
        """See `Store.find`.  Rows that cannot be read are left out and logged; see `unreadable`."""
        records = list[Record]()

        async def read() -> None:
            here = self._open_parts().database
            async for some in reading.found(here, await reading.narrowed(here, query)):
                await self._unreadable.records(some, records.append)

        await self._said(read(), "read")
        return records

    async def scan(self, query: RecordQuery) -> AsyncIterator[list[Record]]:
        """Like `find`, some hundred records at a time: for a program that does not want all of them in memory.

        Each part is as the ledger stands when it is read.

        Raises:
            StoreError: the ledger cannot be read.
        """
        left, after = MOST_FOUND if query.limit is None else query.limit, query.after
        while left > 0:
            some = await self.find(attrs.evolve(query, limit=min(left, _IDS_AT_ONCE), after=after))
            left -= len(some)
            if some:
                yield some
                after = some[-1].cursor
            if len(some) < _IDS_AT_ONCE:
                return

    async def count(self, query: RecordQuery) -> Mapping[State, int]:
        """See `Store.count`."""
        narrow = await self._narrowed(query)
        return await self._run(lambda tx: reading.counted(tx, narrow), "read")

    async def costs(self, query: RecordQuery) -> Costs:
        """See `Store.costs`."""
        narrow = await self._narrowed(query)
        return await self._run(lambda tx: spending.costs(tx, narrow, is_of_all=is_of_all(query)), "read")

    async def by_provider_id(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        """See `Store.by_provider_id`.  Rows that cannot be read are left out and logged; see `unreadable`."""
        found = await self._run(lambda tx: reading.by_provider_id(tx, account, provider_ids), "read")
        records = list[Record]()
        await self._unreadable.records(found, records.append)
        return records

    async def wait_for_news(self, timeout: float) -> bool:
        """See `Store.wait_for_news`."""
        return await self._open_parts().listener.wait(timeout)

    async def news(self, job_ids: Collection[str]) -> Mapping[str, Record | None]:
        """See `Store.news`.  All of them are read first, after a lost connection, and every 15 seconds."""
        listener, now = self._open_parts().listener, asyncio.get_running_loop().time()
        await listener.sync()
        changed = listener.take()
        if changed is None or now >= self._read_at + _READ_EVERY:
            wanted, self._read_at = list(dict.fromkeys(job_ids)), now
        else:
            wanted = [job_id for job_id in dict.fromkeys(job_ids) if job_id in changed]
        found: dict[str, Record | None] = dict.fromkeys(wanted)
        try:
            for i in range(0, len(wanted), _IDS_AT_ONCE):
                some = wanted[i : i + _IDS_AT_ONCE]
                read = await self._run(lambda tx, ids=some: reading.bare(tx, ids), "read")  # type: ignore[misc]
                await self._unreadable.records(read, lambda record: found.update({record.id: record}))
                for row in read:
                    if found[row[0]] is None:
                        del found[row[0]]  # it is there, and cannot be read
        except BaseException:
            listener.forget()
            raise
        return found

    # --- handlers, and what is over

    async def claim(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """See `Store.claim`."""
        # Looking is cheap, and a write is not: most looks find nothing.
        if not await self._run(deliveries.are_due, "read"):
            return []
        return await self._write_or_doubt(
            lambda tx: deliveries.claim(tx, self._worker.name, handlers, limit, self._unreadable.skip_end),
            lambda due: self._doubtful().claimed.update((end.id or "", handler) for handler, end, _ in due),
        )

    async def ack(self, job_id: str, handler: str, again: float | None) -> None:
        """See `Store.ack`.  What cannot be written is written later, as long as this store is open."""
        try:
            await self._write(lambda tx: deliveries.ack(tx, self._worker.name, job_id, handler, again))
        except StoreError as error:
            if error.retryable:  # else no handler would be called until this process ends, for it has the claim
                self._doubtful().acks.append((job_id, handler, again))
            raise

    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        """See `Store.forget`."""
        if isinstance(which, RecordQuery):
            query = await self._narrowed(which)
            ids = await self._run(lambda tx: reading.ids(tx, query), "read")
        else:
            ids = list(dict.fromkeys(which))
        removed = running = 0
        for i in range(0, len(ids), jobs.IDS_AT_ONCE):  # others write in between
            some = await self._write(partial(jobs.forget, job_ids=ids[i : i + jobs.IDS_AT_ONCE]))
            removed, running = removed + some, running + some.running
        return Forgotten(removed, running)

    # --- one account, several processes

    async def peers(self) -> int:
        """See `Store.peers`."""
        return await self._run(lambda tx: workers.peers(tx, self._worker.name), "read")

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """See `Store.acquire`."""
        return await self._write_alone(lambda tx: sharing.acquire(tx, self._worker.name, account, count, per_second))

    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        """See `Store.hold`."""
        await self._write_alone(lambda tx: sharing.hold(tx, self._worker.name, account, kind, seconds))

    # --- what was learned

    async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
        """See `Store.put_learned`."""
        text = json.dumps(value)
        return await self._write(lambda tx: learned.put(tx, name, text, version))

    async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
        """See `Store.get_learned`."""
        return await self._run(lambda tx: learned.get(tx, name, known), "read")

    # --- inside

    async def _write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """One transaction, behind what was asked for before."""
        return await self._said(self._open_parts().writer.do(work), "written")

    async def _write_or_doubt(self, work: Callable[[Tx], Awaitable[T]], doubt: Callable[[T], None]) -> T:
        """The same, where the caller acts on the result; `doubt` gets it if it may stand despite the error."""
        done = list[tuple[Tx, T]]()

        async def noted(tx: Tx) -> T:
            result = await work(tx)
            done[:] = [(tx, result)]
            return result

        try:
            return await self._write(noted)
        except StoreError:
            if done and done[0][0].is_in_doubt:
                doubt(done[0][1])
            raise

    def _doubtful(self) -> Doubts:
        """What is in doubt in the present life of this worker."""
        if self._doubts.owner != self._worker.name:
            before, self._doubts = self._doubts, Doubts(self._worker.name)
            self._doubts.merge(before)
        return self._doubts

    async def _undo_doubtful(self) -> None:
        doubts, self._doubts = self._doubtful(), Doubts(self._worker.name)
        try:
            await self._write(lambda tx: undo(tx, doubts))
        except BaseException:
            self._doubtful().merge(doubts)
            raise

    async def _write_alone(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """One statement, which waits for no other of ours."""

        database = self._open_parts().database

        async def write() -> T:
            async with database.reading() as tx:
                return await work(tx)

        return await self._said(database.wherever_it_writes(write), "written")

    async def _run(self, work: Callable[[Tx], Awaitable[T]], verb: str) -> T:
        """A statement that may be done twice."""
        return await self._said(self._open_parts().database.run(work), verb)

    async def _narrowed(self, query: RecordQuery) -> RecordQuery:
        return await self._said(reading.narrowed(self._open_parts().database, query), "read")

    async def _said(self, work: Awaitable[T], verb: str) -> T:
        """Whatever may be wrong with a database is a StoreError that names it."""
        try:
            return await work
        except (TooManyJobs, BudgetReached, StoreError):
            raise
        except rows.Unreadable as error:
            raise StoreError(
                f"The ledger {self._place} contains a row that this version cannot read: {error}"
            ) from error
        except Exception as error:
            raise store_error(error, self._place, verb) from (None if is_of_a_value(error) else error)

    def _open_parts(self) -> Opened:
        if self._parts is None:
            raise StoreError(f"The ledger {self._place} is not open.")
        return self._parts
