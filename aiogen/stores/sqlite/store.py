"""The ledger in a file: survives any crash, and serves several processes on one machine.

Not on network file systems: SQLite's locks do not work there.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shlex
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import attrs

from aiogen._binding import Binding, bound
from aiogen._checks import check_seconds
from aiogen.errors import ConfigurationError, StoreError
from aiogen.models import Action, Generation, State
from aiogen.stores.base import ADOPTED, UNLIMITED, Headroom, Record, RecordQuery, RequestKind, TakenOver
from aiogen.stores.sqlite import moments, reading, rows, sharing
from aiogen.stores.sqlite import room as room_left
from aiogen.stores.sqlite.file import Handle, adopt, is_dead, new_worker, store_error
from aiogen.stores.sqlite.writer import Writer

T = TypeVar("T")
logger: logging.Logger = logging.getLogger("aiogen")
Connection = sqlite3.Connection

_COLUMNS = ", ".join(rows.COLUMNS)
_MARKS = ", ".join("?" for _ in rows.COLUMNS)
_DAY = 86_400.0
_PURGED_AT_ONCE = 500
_UNTOLD = 30 * _DAY
"""Seconds beyond `keep_finished` that an end is kept for a handler which was not told of it."""
_MANY = 500
"""Ids in one statement; SQLite of old took 999."""
_NAMED = 20
"""Rows that cannot be read are named in the log, up to so many."""
_BEFORE_THE_FENCE = 0.2
"""So much of the lease the heartbeat waits for others at most: trouble has to be known before the lease may run out."""
_SHORT_TIMEOUT = 1.0
"""Seconds; for what is no fact about a job."""
_BUDGET_PATIENCE = 0.25
"""Seconds; what is asked for in vain here is sent all the same."""
_TIDYING = 0.2
"""Seconds with each heartbeat that what is free is given back to the disk."""
_SLICE = 500
"""Rows of `scan` at once."""


@attrs.frozen
class HeldCopy:
    """A ledger that seems to be a copy, and what in it is not sent because of that."""

    path: Path
    jobs: int
    """So many wait, as of when it was opened, until `SqliteStore.adopt_copy` or `aiogen db adopt`."""
    reason: str

    def __str__(self) -> str:
        jobs = "1 job that waits in it is" if self.jobs == 1 else f"{self.jobs} jobs that wait in it are"
        return (
            f"The ledger {str(self.path)!r} seems to be a copy: {self.reason}. {jobs} not sent from here, because the "
            "other one may send them, too. What runs is followed, and new jobs are sent. If no other one is in use: "
            f"{shlex.join(['aiogen', 'db', 'adopt', '--store', str(self.path)])}"
        )


@bound
class SqliteStore:
    """The ledger in an SQLite file.

    Args:
        path: the file; made, readable by nobody else, if it is not there.  Its folder must be there.
        keep_finished: seconds that a job stays in the ledger after its end; a week by default.  One whose end a
            handler was not told of yet stays up to 30 days more.
        keep_requests: keep what is sent until the job is over.  Without it the file holds no prompt, and jobs that
            were not sent yet when the program died cannot be sent by the next.
        lease: seconds after which the jobs of a process that died, or was stopped, are taken over by others.
        busy_timeout: seconds to wait for other processes that write.
        adopt: if the file is a copy of another ledger, or was put back from a backup, send what waits in it all the
            same: you say that nobody else does.  See `held_copy`.

    Raises:
        ConfigurationError: the path names no file, or a number is out of its range.
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
        check_seconds(keep_finished, "keep_finished", 0.0, 36_500 * _DAY)
        check_seconds(lease, "lease", 0.5, 3600.0)
        check_seconds(busy_timeout, "busy_timeout", 0.0, 600.0)
        self.path: Path = _checked(path)
        self._is_adopted = adopt
        self._keep_finished = keep_finished
        self._keep_requests = keep_requests
        self._lease = lease
        self._busy_timeout = busy_timeout
        self._binding = Binding("store")
        self._writer: Writer | None = None
        self._readers: reading.Readers | None = None
        self._handle: Handle | None = None
        self._held: HeldCopy | None = None
        self._unreadable: dict[str, str] = {}
        self._latest = 0.0
        """The latest time that the clock has said: later than now only if it was set back."""
        self._me = ""
        self._names: list[str] = []
        """What we were called, life after life: one begins when a lease was lost."""
        self._undisturbed: set[str] = set()
        """Accounts at which nobody else had anything, when we were alone; of no worth once somebody writes."""
        self._undisturbed_at = -1
        self._version = -1

    def __repr__(self) -> str:
        return f"<SqliteStore {str(self.path)!r}>"

    @property
    def lease(self) -> float | None:
        """See `Store.lease`."""
        return self._lease

    @property
    def worker(self) -> str:
        """See `Store.worker`."""
        return self._me

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
        return dict(self._unreadable)

    # --- the worker

    async def open(self) -> None:
        """See `Store.open`."""
        if self._writer is None:
            self._unreadable.clear()
            handle = Handle(self.path, self._busy_timeout, is_adopted=self._is_adopted)
            writer = Writer(handle, busy_timeout=self._busy_timeout, last=partial(_give_up, self._names))
            try:
                await writer.open()
            except Exception as error:
                raise store_error(error, self.path, "opened") from error
            self._writer, self._handle = writer, handle
            self._readers = reading.Readers(handle.connect_to_read)

        def register(c: Connection) -> tuple[str, HeldCopy | None]:
            now = time.time()
            moments.correct(c, now)
            # A name of its own each time: what an earlier life of this process left behind is not ours by itself.
            me = new_worker()
            # A program that is started again after a crash need not wait for its old lease to run out.
            for (name,) in c.execute("SELECT id FROM aiogen_worker").fetchall():
                if is_dead(name):
                    c.execute("DELETE FROM aiogen_worker WHERE id = ?", (name,))
            c.execute(
                "INSERT INTO aiogen_worker (id, lease_until, lease) VALUES (?, ?, ?)",
                (me, now + self._lease, self._lease),
            )
            return me, self._what_is_held(c)

        self._me, held = await self._write(register)
        self._names.append(self._me)
        if held is not None and self._held is None:
            logger.warning("%s", held)
        self._held = held

    def _what_is_held(self, c: Connection) -> HeldCopy | None:
        reason = c.execute("SELECT v FROM aiogen_file WHERE k = 'copied'").fetchone()
        if reason is None:
            return None
        count = c.execute(
            "SELECT count(*) FROM aiogen_job WHERE copied AND finished_at IS NULL AND state = ?",
            (str(State.PENDING),),
        ).fetchone()[0]
        return HeldCopy(self.path, count, reason[0]) if count else None

    async def adopt_copy(self) -> int:
        """You say that nobody else sends what waits in this copy: it is sent from here.  How many jobs that are.

        Who uses this file already takes them up within two seconds.  The store has to be open.

        Raises:
            StoreError: it could not be written, or the ledger is not open.
        """
        count = await self._write(adopt)
        self._held = None
        return count

    async def heartbeat(self) -> bool:
        """See `Store.heartbeat`.  Also removes what is old, and gives room back to the disk."""
        handle = self._handle
        if handle is None:
            raise self._not_open()

        def renew(c: Connection) -> tuple[bool, bool]:
            assert handle.file is not None
            now = time.time()
            if now < self._latest:
                moments.correct(c, now)
            self._latest = now
            mine = c.execute(
                "UPDATE aiogen_worker SET lease_until = ? WHERE id = ? AND lease_until > ?",
                (now + self._lease, self._me, now),
            ).rowcount
            c.execute("DELETE FROM aiogen_worker WHERE lease_until < ?", (now,))
            # An end that a handler was not told of yet stays longer: its program may only be away.
            c.execute(
                "DELETE FROM aiogen_job WHERE id IN (SELECT id FROM aiogen_job j WHERE expires_at < ? AND "
                "(expires_at < ? OR NOT EXISTS (SELECT 1 FROM aiogen_delivery WHERE job = j.id AND done_at IS NULL)) "
                "LIMIT ?)",
                (now, now - _UNTOLD, _PURGED_AT_ONCE),
            )
            handle.file.count(c)
            return bool(mine), room_left.is_worth_it(c)

        def after(c: Connection) -> None:
            assert handle.file is not None
            handle.file.write_beside()

        is_ours, is_roomy = await self._write(renew, busy_timeout=_BEFORE_THE_FENCE * self._lease)
        await self._read(after)
        if is_roomy:
            await self._give_back(_TIDYING)
        return is_ours

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        """See `Store.adopt`."""

        marks, states = ", ".join("?" for _ in accounts), ", ".join("?" for _ in ADOPTED)
        # What waits in a copy is left alone: somebody else may send it.
        free = (
            f"finished_at IS NULL AND owner IS NULL AND account IN ({marks}) AND state IN ({states}) "
            "AND NOT (copied AND state = 'pending')"
        )
        values = (*accounts, *map(str, ADOPTED))

        def adopt(c: Connection) -> list[Record]:
            found = reading.fetched(c, f"SELECT {_COLUMNS} FROM aiogen_job WHERE {free} ORDER BY created_at", values)
            ours, lost = list[Record](), list[Record]()
            for row in found:
                if only is not None and row[0] not in only:
                    continue
                try:
                    record = rows.record_from(row)
                except rows.Unreadable as unread:  # it must not keep all the others from being taken up
                    self._skip(unread)
                    continue
                if record.state is State.SUBMITTING:
                    lost.append(attrs.evolve(record, state=State.UNKNOWN))
                else:
                    ours.append(attrs.evolve(record, owner=self._me))
            c.executemany("UPDATE aiogen_job SET owner = ? WHERE id = ?", [(self._me, record.id) for record in ours])
            unknown = "UPDATE aiogen_job SET state = ? WHERE id = ?"
            c.executemany(unknown, [(str(State.UNKNOWN), record.id) for record in lost])
            return sorted(ours + lost, key=lambda record: record.created_at)

        # Looking is free, and a write is not: most looks find nothing.
        waiting = await self._read(lambda c: c.execute(f"SELECT 1 FROM aiogen_job WHERE {free}", values).fetchone())
        return await self._write(adopt, busy_timeout=_BEFORE_THE_FENCE * self._lease) if waiting else []

    async def close(self) -> None:
        """See `Store.close`."""
        writer, self._writer = self._writer, None
        readers, self._readers = self._readers, None
        if writer is None:
            return
        try:
            if readers is not None:
                await readers.close()
            await writer.do(
                lambda c: c.execute("DELETE FROM aiogen_worker WHERE id = ?", (self._me,)).rowcount,
                busy_timeout=_SHORT_TIMEOUT,
            )
        except (sqlite3.Error, StoreError):
            pass  # the lease runs out by itself
        finally:
            await writer.close()

    # --- the life of a job

    async def add(self, record: Record) -> None:
        """See `Store.add`."""
        values = rows.row(attrs.evolve(record, owner=self._me), whole=self._keep_requests)

        def add(c: Connection) -> None:
            if self._owner(c) is None:
                raise StoreError(
                    f"This process stood still for longer than its lease in {str(self.path)!r} and begins anew in a "
                    "moment; nothing was sent. Submit it again.",
                    action=Action.RETRY,
                    retryable=True,
                )
            c.execute(f"INSERT INTO aiogen_job ({_COLUMNS}) VALUES ({_MARKS})", values)
            told = [(record.id, handler) for handler in record.handlers]
            c.executemany("INSERT INTO aiogen_delivery (job, handler) VALUES (?, ?)", told)

        await self._write(add)

    async def intend(self, job_id: str, room: Headroom = UNLIMITED) -> float:
        """See `Store.intend`."""

        def intend(c: Connection) -> float | None:
            now = time.time()
            ours = c.execute(
                "SELECT account FROM aiogen_job WHERE id = ? AND owner = ? AND state = ?",
                (job_id, self._me, str(State.PENDING)),
            ).fetchone()
            if ours is None:
                return None  # asked first: nobody waits for a place for what another one sends
            account = ours[0]
            alone = sharing.is_alone(c, self._me)
            if (version := _version(c)) != self._undisturbed_at:
                # Whoever came, created and left again between two creates of ours has left no other trace.
                self._undisturbed.clear()
                self._undisturbed_at = version
            if not (alone and account in self._undisturbed):
                wait = sharing.wait_for(c, self._me, account, room, now)
                if wait is None and alone:
                    self._undisturbed.add(account)  # and remains so until another worker writes
                elif wait is not None and wait > 0.0:
                    return wait
            c.execute(
                "UPDATE aiogen_job SET state = ?, submitted_at = ?, submitter = ? WHERE id = ?",
                (str(State.SUBMITTING), now, self._me, job_id),
            )
            return 0.0

        wait = await self._write(intend)
        if wait is None:
            raise TakenOver(f"Job {job_id} is no longer this process's to send: another one has taken it over.")
        return wait

    async def confirm(self, job_id: str, provider_id: str, state: State, accepted_at: datetime) -> bool:
        """See `Store.confirm`."""

        def confirm(c: Connection) -> bool:
            me = self._owner(c)
            c.execute(
                "UPDATE aiogen_job SET state = ?, provider_id = ?, accepted_at = ?, owner = coalesce(owner, ?) "
                "WHERE id = ? AND finished_at IS NULL AND coalesce(provider_id, ?) = ? "
                f"AND (submitter IS NULL OR {self._sent_here})",
                (
                    *(str(state), provider_id, accepted_at.timestamp(), me, job_id),
                    *(provider_id, provider_id, *self._names),
                ),
            )
            found = c.execute("SELECT owner FROM aiogen_job WHERE id = ?", (job_id,)).fetchone()
            return me is not None and (found is None or found[0] == me)

        return await self._write(confirm)

    async def release(self, job_id: str) -> None:
        """See `Store.release`.  The vendor did not count it, so neither do other workers.

        If it comes so late that the job was sent again meanwhile, that was another create, and this says nothing of it.
        """
        await self._write(
            lambda c: (
                c.execute(
                    "UPDATE aiogen_job SET state = ?, owner = ?, submitted_at = NULL WHERE id = ? "
                    f"AND state IN (?, ?) AND {self._sent_here}",
                    (
                        *(str(State.PENDING), self._owner(c), job_id),
                        *(str(State.SUBMITTING), str(State.UNKNOWN), *self._names),
                    ),
                ).rowcount
            )
        )

    async def mark_unknown(self, job_id: str) -> None:
        """See `Store.mark_unknown`."""
        await self._execute(
            f"UPDATE aiogen_job SET state = ?, owner = NULL WHERE id = ? AND state = ? AND {self._sent_here}",
            *(str(State.UNKNOWN), job_id, str(State.SUBMITTING), *self._names),
        )

    async def reopen(self, job_id: str, provider_id: str | None = None) -> Record | None:
        """See `Store.reopen`."""
        state, accepted_at = (State.PENDING, None) if provider_id is None else (State.QUEUED, time.time())

        def reopen(c: Connection) -> Record | None:
            moved = c.execute(
                "UPDATE aiogen_job SET state = ?, provider_id = ?, accepted_at = ?, owner = ?, "
                "submitted_at = CASE WHEN ? THEN NULL ELSE submitted_at END, copied = 0 WHERE id = ? AND state = ?",
                (str(state), provider_id, accepted_at, self._me, provider_id is None, job_id, str(State.UNKNOWN)),
            ).rowcount
            if not moved:
                return None
            return rows.record_from(c.execute(f"SELECT {_COLUMNS} FROM aiogen_job WHERE id = ?", (job_id,)).fetchone())

        return await self._write(reopen)

    @property
    def _sent_here(self) -> str:
        """Its last create was sent by us, in this life or in one before."""
        return f"submitter IN ({', '.join('?' for _ in self._names)})"

    def _owner(self, c: Connection) -> str | None:
        """This worker, while it is one: a foreign key would refuse the dead."""
        found = c.execute("SELECT id FROM aiogen_worker WHERE id = ?", (self._me,)).fetchone()
        return None if found is None else str(found[0])

    async def settle(self, ended: Sequence[Generation]) -> None:
        """See `Store.settle`."""
        settled = [
            (
                str(generation.state),
                rows.result_text(generation, whole=self._keep_requests),
                rows.seconds(generation.finished_at),
                generation.provider_id,
                generation.id,
            )
            for generation in ended
        ]

        def settle(c: Connection) -> None:
            now = time.time()
            for state, result, finished_at, provider_id, job_id in settled:
                # Whoever saw it first: what is over stays as it is.  But that it was not sent, and will not be, is for
                # its owner to say: somebody else may have sent it meanwhile.
                first = c.execute(
                    "UPDATE aiogen_job SET state = ?, result = ?, finished_at = ?, expires_at = ?, request = NULL, "
                    "owner = NULL, provider_id = coalesce(provider_id, ?) WHERE id = ? AND finished_at IS NULL "
                    f"AND (? IS NOT NULL OR owner = ? OR (owner IS NULL AND state = ?) OR {self._sent_here})",
                    (
                        *(state, result, finished_at or now, now + self._keep_finished),
                        *(provider_id, job_id, provider_id, self._me, str(State.PENDING), *self._names),
                    ),
                ).rowcount
                if first:
                    c.execute("UPDATE aiogen_delivery SET next_at = ? WHERE job = ? AND done_at IS NULL", (now, job_id))

        await self._write(settle)

    # --- looking

    async def get(self, job_id: str) -> Record | None:
        """See `Store.get`."""

        def get(c: Connection) -> Record | None:
            found = reading.fetched(c, f"SELECT {_COLUMNS} FROM aiogen_job WHERE id = ?", (job_id,))
            return rows.record_from(found[0]) if found else None

        return await self._read(get)

    async def find(self, wanted: RecordQuery) -> list[Record]:
        """See `Store.find`.  Rows that cannot be read are left out and logged; see `unreadable`."""
        if wanted.ids is not None and len(wanted.ids) <= _MANY:  # few, and found at once
            return await self._read(lambda c: self._read_all([reading.found_at_once(c, wanted)], lambda: None))
        return (await self._slice(wanted))[0]

    async def scan(self, wanted: RecordQuery) -> AsyncIterator[list[Record]]:
        """Like `find`, some hundred records at a time: for a program that does not want all of them in memory.

        Each part is as the ledger stands when it is read.

        Raises:
            StoreError: the ledger cannot be read.
        """
        left, after = wanted.limit, None
        while left > 0:
            some = attrs.evolve(wanted, limit=min(left, _SLICE))
            records, after = await self._slice(some, after)
            left -= some.limit
            if records:
                yield records
            if after is None:
                return

    async def _slice(
        self, wanted: RecordQuery, after: reading.Key | None = None
    ) -> tuple[list[Record], reading.Key | None]:
        """Records behind a key, and the key of the last one; None if there are no more."""
        await self._read(lambda c: None)  # whether it is still there
        readers = self._readers
        if readers is None:
            raise self._not_open()

        def read(c: Connection) -> tuple[list[Record], reading.Key | None]:
            key, count = None, 0

            def noted() -> Iterator[list[tuple[Any, ...]]]:
                nonlocal key, count
                for some in reading.found(c, wanted, after):
                    key, count = reading.key_of(some[-1]), count + len(some)
                    yield some

            records = self._read_all(noted(), readers.breathe)
            return records, key if count == wanted.limit else None

        return await self._said(readers.do(read), "read")

    def _read_all(self, slices: Iterable[list[tuple[Any, ...]]], between: Callable[[], None]) -> list[Record]:
        records = []
        for some in slices:
            for row in some:
                try:
                    records.append(rows.record_from(row))
                except rows.Unreadable as unread:
                    self._skip(unread)
            between()
        return records

    def _skip(self, unread: rows.Unreadable) -> None:
        """Said once of each row."""
        if unread.job_id in self._unreadable:
            return
        self._unreadable[unread.job_id] = repr(unread.cause)
        if len(self._unreadable) <= _NAMED:
            logger.error("Job %s in %s cannot be read, and is left alone: %r", unread.job_id, self.path, unread.cause)
        elif len(self._unreadable) == _NAMED + 1:
            logger.error("More jobs in %s cannot be read; see SqliteStore.unreadable.", self.path)

    async def by_provider_id(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        """See `Store.by_provider_id`.  Rows that cannot be read are left out and logged; see `unreadable`."""
        ids = list(provider_ids)

        def select(c: Connection, some: list[str]) -> list[Record]:
            statement = (
                f"SELECT {_COLUMNS} FROM aiogen_job WHERE account = ? "
                f"AND provider_id IN ({', '.join('?' for _ in some)})"
            )
            return self._read_all([reading.fetched(c, statement, (account, *some))], lambda: None)

        records = list[Record]()
        for i in range(0, len(ids), _MANY):
            records += await self._read(partial(select, some=ids[i : i + _MANY]))
        return records

    async def changed(self) -> bool:
        """See `Store.changed`."""
        version = await self._read(_version)
        before, self._version = self._version, version
        return version != before

    async def claim(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """See `Store.claim`."""

        def claim(c: Connection) -> list[tuple[str, Generation, int]]:
            now = time.time()
            owner = self._owner(c)
            if owner is None:
                return []  # a claim of the dead would hold nobody else off
            found = reading.fetched(
                c,
                "SELECT d.job, d.handler, d.attempts, j.result "
                "FROM aiogen_delivery d JOIN aiogen_job j ON j.id = d.job "
                f"WHERE d.next_at <= ? AND d.owner IS NULL AND d.handler IN ({', '.join('?' for _ in handlers)}) "
                "ORDER BY d.next_at LIMIT ?",
                (now, *handlers, limit),
            )
            claimed = [(owner, job, handler) for job, handler, _, _ in found]
            c.executemany(
                "UPDATE aiogen_delivery SET attempts = attempts + 1, owner = ? WHERE job = ? AND handler = ?", claimed
            )
            told = list[tuple[str, Generation, int]]()
            for job, handler, attempts, result in found:
                try:
                    told.append((handler, rows.generation_from(result), attempts + 1))
                except Exception as unread:  # it must not keep all others from being told; our claim hides it
                    logger.error("The end of job %s in %s cannot be read, nor told: %r", job, self.path, unread)
            return told

        # Looking is free, and a write is not: most looks find nothing.
        waiting = await self._read(
            lambda c: c.execute(
                "SELECT 1 FROM aiogen_delivery WHERE next_at <= ? AND owner IS NULL LIMIT 1", (time.time(),)
            ).fetchone()
        )
        return await self._write(claim) if waiting else []

    async def ack(self, job_id: str, handler: str, again: float | None) -> None:
        """See `Store.ack`."""
        now = time.time()
        next_at, done_at = (None, now) if again is None else (now + again, None)
        await self._execute(
            "UPDATE aiogen_delivery SET next_at = ?, pause = ?, done_at = ?, owner = NULL "
            "WHERE job = ? AND handler = ? AND done_at IS NULL",
            *(next_at, again, done_at, job_id, handler),
        )

    async def forget(self, job_ids: Collection[str]) -> int:
        """See `Store.forget`.  Also what is held in a copy; what they took of the disk is given back."""
        ids = list(job_ids)

        def forget(c: Connection, some: list[str]) -> int:
            marks = ", ".join("?" for _ in some)
            return c.execute(
                f"DELETE FROM aiogen_job WHERE id IN ({marks}) AND (finished_at IS NOT NULL OR state = ? "
                "OR (copied AND owner IS NULL AND state = ?))",
                (*some, str(State.UNKNOWN), str(State.PENDING)),
            ).rowcount

        count = 0
        for i in range(0, len(ids), _MANY):  # others write in between
            count += await self._write(partial(forget, some=ids[i : i + _MANY]))
        if count:
            await self._give_back(math.inf)
        return count

    async def _give_back(self, seconds: float) -> None:
        """Free pages of the file, for so long, to the disk; trouble with that is nobody's."""
        until = monotonic() + seconds
        try:
            while await self._write(room_left.give_back) and monotonic() < until:
                pass
            await self._read(room_left.make_small)
        except StoreError as trouble:
            logger.debug("The ledger could not be made smaller: %s", trouble)

    # --- one account, several processes

    async def peers(self) -> int:
        """See `Store.peers`."""
        return await self._read(lambda c: sharing.peers(c, self._me, time.time()))

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """See `Store.acquire`."""
        return await self._write(
            lambda c: sharing.acquire(c, self._me, account, count, per_second, time.time()),
            busy_timeout=_BUDGET_PATIENCE,
        )

    async def hold(self, account: str, lane: RequestKind, seconds: float) -> None:
        """See `Store.hold`."""
        await self._write(lambda c: sharing.hold(c, self._me, account, lane, seconds, time.time()))

    # --- what was learned

    async def put_learned(self, name: str, value: Mapping[str, Any]) -> None:
        """See `Store.put_learned`."""
        told = (name, json.dumps(value), time.time())
        # It is learned again, if need be: nobody waits long for that.
        await self._write(
            lambda c: c.execute("INSERT OR REPLACE INTO aiogen_learned VALUES (?, ?, ?)", told).rowcount,
            busy_timeout=_SHORT_TIMEOUT,
        )

    async def get_learned(self, name: str) -> Mapping[str, Any] | None:
        """See `Store.get_learned`."""

        def read(c: Connection) -> Any:
            found = reading.fetched(c, "SELECT value FROM aiogen_learned WHERE name = ?", (name,))
            return json.loads(found[0][0]) if found else None

        value = await self._read(read)
        return value if isinstance(value, dict) else None

    # --- inside

    async def _execute(self, statement: str, *values: Any) -> int:
        return await self._write(lambda c: c.execute(statement, values).rowcount)

    async def _write(self, work: Callable[[Connection], T], *, busy_timeout: float = math.inf) -> T:
        """One transaction."""
        if self._writer is None:
            raise self._not_open()
        return await self._said(self._writer.do(work, busy_timeout=busy_timeout), "written")

    async def _read(self, work: Callable[[Connection], T]) -> T:
        """A short read, which waits for nobody."""
        if self._writer is None:
            raise self._not_open()
        return await self._said(self._writer.look(work), "read")

    async def _said(self, work: Awaitable[T], verb: str) -> T:
        """Whatever may be wrong with a file is a StoreError that names it."""
        try:
            return await work
        except rows.Unreadable as error:
            raise StoreError(
                f"The ledger {str(self.path)!r} holds a row that this version cannot read: {error}"
            ) from error
        except Exception as error:
            raise store_error(error, self.path, verb) from error

    def _not_open(self) -> StoreError:
        return StoreError(f"The ledger {str(self.path)!r} is not open.")


def _version(c: Connection) -> int:
    """Changes whenever somebody else has written, and with each connection."""
    return int(c.execute("PRAGMA data_version").fetchone()[0]) + (getattr(c, "number", 0) << 32)


def _give_up(names: list[str], c: Connection) -> None:
    """Nobody uses this store any more, and nobody has closed it: what is ours is for others to take up."""
    c.executemany("DELETE FROM aiogen_worker WHERE id = ?", [(name,) for name in names])


def _checked(path: object) -> Path:
    """Where the file is to be.

    Raises:
        ConfigurationError: that is no path of a file.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise ConfigurationError(f"The store {path!r} is no path; give a file's, such as 'aiogen.db'.")
    text = os.fsdecode(path)
    if not text or "\0" in text or "://" in text:
        raise ConfigurationError(f"The store {text!r} is no file; this version keeps its ledger in one.")
    return Path(text)
