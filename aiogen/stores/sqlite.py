"""The ledger in a file: survives any crash, and serves several processes on one machine.

Not on network file systems: SQLite's locks do not work there.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs

from aiogen._binding import Binding, bound
from aiogen.errors import ConfigurationError, StoreError
from aiogen.models import Action, Generation, State
from aiogen.providers.base import check_seconds
from aiogen.stores import _rows as rows
from aiogen.stores import _sharing as sharing
from aiogen.stores._file import connect, is_dead, new_worker, trouble
from aiogen.stores._writer import Writer
from aiogen.stores.base import ADOPTED, UNLIMITED, Lane, Record, Room, TakenOver, Wanted

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
        patience: seconds to wait for other processes that write.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_finished: float = 7 * _DAY,
        keep_requests: bool = True,
        lease: float = 15.0,
        patience: float = 10.0,
    ) -> None:
        check_seconds(keep_finished, "keep_finished", 0.0, 36_500 * _DAY)
        check_seconds(lease, "lease", 0.5, 3600.0)
        check_seconds(patience, "patience", 0.0, 600.0)
        if "://" in os.fspath(path):
            raise ConfigurationError(f"The store {os.fspath(path)!r} is no file; this version keeps its ledger in one.")
        self.path: Path = Path(path)
        self._keep_finished = keep_finished
        self._keep_requests = keep_requests
        self._lease = lease
        self._patience = patience
        self._binding = Binding("store")
        self._writer: Writer | None = None
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

    # --- the worker

    async def open(self) -> None:
        """See `Store.open`."""
        if self._writer is None:
            writer = Writer(partial(connect, self.path, self._patience), last=partial(_give_up, self._names))
            try:
                await writer.open()
            except (sqlite3.Error, OSError, RuntimeError) as error:  # the last: no more threads are allowed
                raise trouble(error, self.path, "opened") from error
            self._writer = writer

        def register(c: Connection) -> str:
            # A name of its own each time: what an earlier life of this process left behind is not ours by itself.
            me = new_worker()
            # A program that is started again after a crash need not wait for its old lease to run out.
            for (name,) in c.execute("SELECT id FROM aiogen_worker").fetchall():
                if is_dead(name):
                    c.execute("DELETE FROM aiogen_worker WHERE id = ?", (name,))
            c.execute("INSERT INTO aiogen_worker VALUES (?, ?)", (me, time.time() + self._lease))
            return me

        self._me = await self._write(register)
        self._names.append(self._me)

    async def beat(self) -> bool:
        """See `Store.beat`.  Also removes what is old."""

        def beat(c: Connection) -> bool:
            now = time.time()
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
            return bool(mine)

        return await self._write(beat)

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        """See `Store.adopt`."""

        def adopt(c: Connection) -> list[Record]:
            marks, states = ", ".join("?" for _ in accounts), ", ".join("?" for _ in ADOPTED)
            found = c.execute(
                f"SELECT {_COLUMNS} FROM aiogen_job WHERE finished_at IS NULL AND owner IS NULL "
                f"AND account IN ({marks}) AND state IN ({states}) ORDER BY created_at",
                (*accounts, *map(str, ADOPTED)),
            ).fetchall()
            ours, lost = list[Record](), list[Record]()
            for values in found:
                if only is not None and values[0] not in only:
                    continue
                try:
                    record = rows.record_of(values)
                except Exception as unread:  # it must not keep all the others from being taken up
                    logger.error("Job %s in %s cannot be read, and is left alone: %r", values[0], self.path, unread)
                    continue
                if record.state is State.SUBMITTING:
                    lost.append(attrs.evolve(record, state=State.UNKNOWN))
                else:
                    ours.append(attrs.evolve(record, owner=self._me))
            c.executemany("UPDATE aiogen_job SET owner = ? WHERE id = ?", [(self._me, record.id) for record in ours])
            unknown = "UPDATE aiogen_job SET state = ? WHERE id = ?"
            c.executemany(unknown, [(str(State.UNKNOWN), record.id) for record in lost])
            return sorted(ours + lost, key=lambda record: record.created_at)

        return await self._write(adopt)

    async def close(self) -> None:
        """See `Store.close`."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            await writer.do(lambda c: c.execute("DELETE FROM aiogen_worker WHERE id = ?", (self._me,)).rowcount)
        except (sqlite3.Error, OSError):
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

    async def intend(self, job_id: str, room: Room = UNLIMITED) -> float:
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

    async def retreat(self, job_id: str) -> None:
        """See `Store.retreat`.  The vendor did not count it, so neither do other workers.

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

    async def lose(self, job_id: str) -> None:
        """See `Store.lose`."""
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
                "submitted_at = CASE WHEN ? THEN NULL ELSE submitted_at END WHERE id = ? AND state = ?",
                (str(state), provider_id, accepted_at, self._me, provider_id is None, job_id, str(State.UNKNOWN)),
            ).rowcount
            if not moved:
                return None
            return rows.record_of(c.execute(f"SELECT {_COLUMNS} FROM aiogen_job WHERE id = ?", (job_id,)).fetchone())

        return await self._read(reopen)

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
        found = await self.find(Wanted(ids=[job_id]))
        return found[0] if found else None

    async def find(self, wanted: Wanted) -> list[Record]:
        """See `Store.find`."""
        where, values = _where(wanted)

        def find(c: Connection) -> list[Record]:
            chosen = c.execute(
                f"SELECT {_COLUMNS} FROM aiogen_job WHERE {where} ORDER BY created_at DESC, id LIMIT ?",
                (*values, wanted.limit),
            )
            return [rows.record_of(found) for found in chosen]

        return await self._read(find)

    async def known(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        """See `Store.known`."""
        ids = list(provider_ids)

        def known(c: Connection) -> list[Record]:
            found = []
            for i in range(0, len(ids), _MANY):
                some = ids[i : i + _MANY]
                found += c.execute(
                    f"SELECT {_COLUMNS} FROM aiogen_job WHERE account = ? "
                    f"AND provider_id IN ({', '.join('?' for _ in some)})",
                    (account, *some),
                ).fetchall()
            return [rows.record_of(values) for values in found]

        return await self._read(known)

    async def changed(self) -> bool:
        """See `Store.changed`."""
        version = await self._read(_version)
        before, self._version = self._version, version
        return version != before

    async def due(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """See `Store.due`."""

        def due(c: Connection) -> list[tuple[str, Generation, int]]:
            now = time.time()
            owner = self._owner(c)
            if owner is None:
                return []  # a claim of the dead would hold nobody else off
            found = c.execute(
                "SELECT d.job, d.handler, d.attempts, j.result "
                "FROM aiogen_delivery d JOIN aiogen_job j ON j.id = d.job "
                f"WHERE d.next_at <= ? AND d.owner IS NULL AND d.handler IN ({', '.join('?' for _ in handlers)}) "
                "ORDER BY d.next_at LIMIT ?",
                (now, *handlers, limit),
            ).fetchall()
            claimed = [(owner, job, handler) for job, handler, _, _ in found]
            c.executemany(
                "UPDATE aiogen_delivery SET attempts = attempts + 1, owner = ? WHERE job = ? AND handler = ?", claimed
            )
            told = list[tuple[str, Generation, int]]()
            for job, handler, attempts, result in found:
                try:
                    told.append((handler, rows.generation_of(result), attempts + 1))
                except Exception as unread:  # it must not keep all others from being told; our claim hides it
                    logger.error("The end of job %s in %s cannot be read, nor told: %r", job, self.path, unread)
            return told

        # Looking is free, and a write is not: most looks find nothing.
        waiting = await self._read(
            lambda c: c.execute(
                "SELECT 1 FROM aiogen_delivery WHERE next_at <= ? AND owner IS NULL LIMIT 1", (time.time(),)
            ).fetchone()
        )
        return await self._read(due) if waiting else []

    async def delivered(self, job_id: str, handler: str, again: float | None) -> None:
        """See `Store.delivered`."""
        now = time.time()
        next_at, done_at = (None, now) if again is None else (now + again, None)
        await self._execute(
            "UPDATE aiogen_delivery SET next_at = ?, done_at = ?, owner = NULL "
            "WHERE job = ? AND handler = ? AND done_at IS NULL",
            *(next_at, done_at, job_id, handler),
        )

    async def forget(self, job_ids: Collection[str]) -> int:
        """See `Store.forget`."""
        ids = list(job_ids)

        def forget(c: Connection) -> int:
            count = 0
            for i in range(0, len(ids), _MANY):
                some = ids[i : i + _MANY]
                marks = ", ".join("?" for _ in some)
                count += c.execute(
                    f"DELETE FROM aiogen_job WHERE id IN ({marks}) AND (finished_at IS NOT NULL OR state = ?)",
                    (*some, str(State.UNKNOWN)),
                ).rowcount
            return count

        return await self._write(forget)

    # --- one account, several processes

    async def peers(self) -> int:
        """See `Store.peers`."""
        return await self._read(lambda c: sharing.peers(c, self._me, time.time()))

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """See `Store.acquire`."""
        return await self._write(lambda c: sharing.acquire(c, self._me, account, count, per_second, time.time()))

    async def hold(self, account: str, lane: Lane, seconds: float) -> None:
        """See `Store.hold`."""
        await self._write(lambda c: sharing.hold(c, self._me, account, lane, time.time() + seconds))

    # --- what was learned

    async def remember(self, name: str, value: Mapping[str, Any]) -> None:
        """See `Store.remember`."""
        text = json.dumps(value)
        await self._execute("INSERT OR REPLACE INTO aiogen_learned VALUES (?, ?, ?)", name, text, time.time())

    async def recall(self, name: str) -> Mapping[str, Any] | None:
        """See `Store.recall`."""
        found = await self._read(
            lambda c: c.execute("SELECT value FROM aiogen_learned WHERE name = ?", (name,)).fetchone()
        )
        value = json.loads(found[0]) if found is not None else None
        return value if isinstance(value, dict) else None

    # --- inside

    async def _execute(self, statement: str, *values: Any) -> int:
        return await self._write(lambda c: c.execute(statement, values).rowcount)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        if self._writer is None:
            raise StoreError(f"The ledger {str(self.path)!r} is not open.")
        try:
            return await self._writer.do(work)
        except (sqlite3.Error, OSError) as error:  # OSError: it was opened again, after a fork
            raise trouble(error, self.path, "written") from error

    async def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._write(work)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"The ledger {str(self.path)!r} holds a row that this version cannot read: {error!r}"
            ) from error


def _version(c: Connection) -> int:
    """Changes whenever somebody else has written, and with each connection."""
    return int(c.execute("PRAGMA data_version").fetchone()[0]) + (getattr(c, "number", 0) << 32)


def _give_up(names: list[str], c: Connection) -> None:
    """Nobody uses this store any more, and nobody has closed it: what is ours is for others to take up."""
    c.executemany("DELETE FROM aiogen_worker WHERE id = ?", [(name,) for name in names])


def _where(wanted: Wanted) -> tuple[str, list[Any]]:
    parts, values = ["1"], list[Any]()
    if wanted.states is not None:
        parts.append(f"state IN ({', '.join('?' for _ in wanted.states)})")
        values += map(str, wanted.states)
    if wanted.ids is not None:
        parts.append(f"id IN ({', '.join('?' for _ in wanted.ids)})")
        values += wanted.ids
    if wanted.prefix is not None:
        parts.append("(substr(id, 1, ?) = ? OR substr(provider_id, 1, ?) = ?)")
        values += [len(wanted.prefix), wanted.prefix] * 2
    for column, value in (("connection", wanted.connection), ("batch", wanted.batch)):
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    for sign, moment in ((">", wanted.created_after), ("<", wanted.created_before)):
        if moment is not None:
            parts.append(f"created_at {sign} ?")
            values.append(moment.timestamp())
    return " AND ".join(parts), values
