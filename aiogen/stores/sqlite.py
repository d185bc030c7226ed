"""The ledger in a file: survives any crash, and serves several processes on one machine.

Not on network file systems: SQLite's locks do not work there.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import attrs

from aiogen.errors import ConfigurationError, StoreError
from aiogen.models import Action, Generation, State
from aiogen.providers.base import check_number
from aiogen.stores import _rows as rows
from aiogen.stores._schema import STEPS, VERSION
from aiogen.stores._writer import Writer
from aiogen.stores.base import ADOPTED, Record, Wanted

T = TypeVar("T")
logger: logging.Logger = logging.getLogger("aiogen")
Connection = sqlite3.Connection

_COLUMNS = ", ".join(rows.COLUMNS)
_MARKS = ", ".join("?" for _ in rows.COLUMNS)
_DAY = 86_400.0
_PURGED_AT_ONCE = 500
_MANY = 500
"""Ids in one statement; SQLite of old took 999."""


class SqliteStore:
    """The ledger in an SQLite file.

    Args:
        path: the file; made, readable by nobody else, if it is not there.  Its folder must be there.
        keep_finished: seconds that a job stays in the ledger after its end; a week by default.
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
        check_number(keep_finished, "keep_finished", 0.0, 36_500 * _DAY)
        check_number(lease, "lease", 0.5, 3600.0)
        check_number(patience, "patience", 0.0, 600.0)
        if "://" in os.fspath(path):
            raise ConfigurationError(f"The store {os.fspath(path)!r} is no file; this version keeps its ledger in one.")
        self.path: Path = Path(path)
        self._keep_finished = keep_finished
        self._keep_requests = keep_requests
        self._lease = lease
        self._patience = patience
        self._writer: Writer | None = None
        self._me = ""
        self._version = -1

    def __repr__(self) -> str:
        return f"<SqliteStore {str(self.path)!r}>"

    @property
    def lease(self) -> float | None:
        """See `Store.lease`."""
        return self._lease

    # --- the worker

    async def open(self) -> None:
        """See `Store.open`."""
        if self._writer is None:
            writer = Writer(self._connect)
            try:
                await writer.open()
            except (sqlite3.Error, OSError) as error:
                raise self._trouble(error, "opened") from error
            self._writer = writer
        # A name of its own each time: what an earlier life of this process left behind is not ours by itself.
        me = f"{_home()}:{os.getpid()}:{secrets.token_hex(4)}"

        def register(c: Connection) -> None:
            # A program that is started again after a crash need not wait for its old lease to run out.
            for (name,) in c.execute("SELECT id FROM aiogen_worker").fetchall():
                if _is_dead(name):
                    c.execute("DELETE FROM aiogen_worker WHERE id = ?", (name,))
            c.execute("INSERT INTO aiogen_worker VALUES (?, ?)", (me, time.time() + self._lease))

        await self._write(register)
        self._me = me

    async def beat(self) -> bool:
        """See `Store.beat`.  Also removes what is old."""

        def beat(c: Connection) -> bool:
            now = time.time()
            mine = c.execute(
                "UPDATE aiogen_worker SET lease_until = ? WHERE id = ? AND lease_until > ?",
                (now + self._lease, self._me, now),
            ).rowcount
            c.execute("DELETE FROM aiogen_worker WHERE lease_until < ?", (now,))
            c.execute(
                "DELETE FROM aiogen_job WHERE id IN (SELECT id FROM aiogen_job WHERE expires_at < ? LIMIT ?)",
                (now, _PURGED_AT_ONCE),
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
            records = []
            for values in found:
                if only is not None and values[0] not in only:
                    continue
                try:
                    record = rows.record_of(values)
                except Exception as trouble:  # it must not keep all the others from being taken up
                    logger.error("Job %s in %s cannot be read, and is left alone: %r", values[0], self.path, trouble)
                    continue
                lost = record.state is State.SUBMITTING
                state, owner = (State.UNKNOWN, None) if lost else (record.state, self._me)
                c.execute("UPDATE aiogen_job SET state = ?, owner = ? WHERE id = ?", (str(state), owner, record.id))
                records.append((record, state, owner))
            return [attrs.evolve(record, state=state, owner=owner) for record, state, owner in records]

        return await self._write(adopt)

    async def close(self) -> None:
        """See `Store.close`."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            await writer.do(lambda c: c.execute("DELETE FROM aiogen_worker WHERE id = ?", (self._me,)).rowcount)
        except sqlite3.Error:
            pass  # the lease runs out by itself
        finally:
            await writer.close()

    # --- the life of a job

    async def add(self, record: Record) -> None:
        """See `Store.add`."""
        values = rows.row(attrs.evolve(record, owner=self._me), whole=self._keep_requests)

        def add(c: Connection) -> None:
            c.execute(f"INSERT INTO aiogen_job ({_COLUMNS}) VALUES ({_MARKS})", values)
            told = [(record.id, handler) for handler in record.handlers]
            c.executemany("INSERT INTO aiogen_delivery (job, handler) VALUES (?, ?)", told)

        await self._write(add)

    async def intend(self, job_id: str) -> None:
        """See `Store.intend`."""

        def intend(c: Connection) -> int:
            return c.execute(
                "UPDATE aiogen_job SET state = ?, submitted_at = ? WHERE id = ? AND owner = ? AND state = ?",
                (str(State.SUBMITTING), time.time(), job_id, self._me, str(State.PENDING)),
            ).rowcount

        if not await self._write(intend):
            raise StoreError(f"Job {job_id} is no longer this process's to send: another one has taken it over.")

    async def confirm(self, job_id: str, provider_id: str, state: State, accepted_at: datetime) -> None:
        """See `Store.confirm`."""
        await self._write(
            lambda c: (
                c.execute(
                    "UPDATE aiogen_job SET state = ?, provider_id = ?, accepted_at = ?, owner = coalesce(owner, ?) "
                    "WHERE id = ? AND finished_at IS NULL",
                    (str(state), provider_id, accepted_at.timestamp(), self._owner(c), job_id),
                ).rowcount
            )
        )

    async def retreat(self, job_id: str) -> None:
        """See `Store.retreat`."""
        await self._move(job_id, State.PENDING, self._me)

    async def lose(self, job_id: str) -> None:
        """See `Store.lose`."""
        await self._move(job_id, State.UNKNOWN, None)

    async def _move(self, job_id: str, state: State, owner: str | None) -> None:
        await self._write(
            lambda c: (
                c.execute(
                    "UPDATE aiogen_job SET state = ?, owner = ? WHERE id = ? AND finished_at IS NULL",
                    (str(state), owner and self._owner(c), job_id),
                ).rowcount
            )
        )

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
                # Whoever saw it first: what is over stays as it is.
                first = c.execute(
                    "UPDATE aiogen_job SET state = ?, result = ?, finished_at = ?, expires_at = ?, request = NULL, "
                    "owner = NULL, provider_id = coalesce(provider_id, ?) WHERE id = ? AND finished_at IS NULL",
                    (state, result, finished_at or now, now + self._keep_finished, provider_id, job_id),
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

    async def changed(self) -> bool:
        """See `Store.changed`."""
        version = await self._read(lambda c: int(c.execute("PRAGMA data_version").fetchone()[0]))
        before, self._version = self._version, version
        return version != before

    async def due(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """See `Store.due`."""

        def due(c: Connection) -> list[tuple[str, Generation, int]]:
            now = time.time()
            found = c.execute(
                "SELECT d.job, d.handler, d.attempts, j.result "
                "FROM aiogen_delivery d JOIN aiogen_job j ON j.id = d.job "
                f"WHERE d.next_at <= ? AND d.owner IS NULL AND d.handler IN ({', '.join('?' for _ in handlers)}) "
                "ORDER BY d.next_at LIMIT ?",
                (now, *handlers, limit),
            ).fetchall()
            owner = self._owner(c)
            claimed = [(owner, job, handler) for job, handler, _, _ in found]
            c.executemany(
                "UPDATE aiogen_delivery SET attempts = attempts + 1, owner = ? WHERE job = ? AND handler = ?", claimed
            )
            return [(handler, rows.generation_of(result), attempts + 1) for _, handler, attempts, result in found]

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
            "UPDATE aiogen_delivery SET next_at = ?, done_at = ?, owner = NULL WHERE job = ? AND handler = ?",
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

    def _connect(self) -> Connection:
        """In the writer's thread."""
        path = self.path
        # 0600 from the first moment; SQLite gives its side files the mode of the main one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=self._patience, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _upgrade(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _execute(self, statement: str, *values: Any) -> int:
        return await self._write(lambda c: c.execute(statement, values).rowcount)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        if self._writer is None:
            raise StoreError(f"The ledger {str(self.path)!r} is not open.")
        try:
            return await self._writer.do(work)
        except sqlite3.Error as error:
            raise self._trouble(error, "written") from error

    async def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._write(work)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"The ledger {str(self.path)!r} holds a row that this version cannot read: {error!r}"
            ) from error

    def _trouble(self, error: Exception, verb: str) -> StoreError:
        if isinstance(error, StoreError):
            return error
        text = str(error)
        retryable = False
        if "locked" in text or "busy" in text:
            help_text = "Another process holds it; try again, or look for one that hangs."
            retryable = True
        elif "full" in text or "No space" in text:
            help_text = "The disk is full; make room."
        elif "readonly" in text or isinstance(error, OSError) or "unable to open" in text:
            help_text = "Its file and its folder have to be there and writable."
        elif "malformed" in text or "not a database" in text or "corrupt" in text:
            help_text = "The file is damaged, or none of ours; move it away to begin a new one."
        else:
            help_text = "Nothing was sent because of it."
        return StoreError(
            f"The ledger {str(self.path)!r} could not be {verb}: {text}. {help_text}",
            action=Action.WAIT if retryable else Action.GIVE_UP,
            retryable=retryable,
        )


def _home() -> str:
    """Where process ids mean what they mean here: this machine, and this container of it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()}/{space.strip('pid:[]')}"


def _is_dead(worker: str) -> bool:
    """True for a worker of this machine whose process is gone; nothing is known of others."""
    home, _, rest = worker.partition(":")
    pid = rest.partition(":")[0]
    if home != _home() or not pid.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _upgrade(connection: Connection, path: Path) -> None:
    """Bring the file to this version's tables, under a lock; one of a newer version is left alone."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS aiogen_meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT")
        found = connection.execute("SELECT v FROM aiogen_meta WHERE k = 'schema'").fetchone()
        version = int(found[0]) if found is not None else 0
        if version > VERSION:
            raise StoreError(
                f"The ledger {str(path)!r} is of a newer version of aiogen (schema {version}; this one knows "
                f"{VERSION}). Update aiogen, or use another file."
            )
        for step in STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO aiogen_meta VALUES ('schema', ?)", (str(VERSION),))
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _where(wanted: Wanted) -> tuple[str, list[Any]]:
    parts, values = ["1"], list[Any]()
    if wanted.states is not None:
        parts.append(f"state IN ({', '.join('?' for _ in wanted.states)})")
        values += map(str, wanted.states)
    if wanted.ids is not None:
        parts.append(f"id IN ({', '.join('?' for _ in wanted.ids)})")
        values += wanted.ids
    for column, value in (("connection", wanted.connection), ("batch", wanted.batch)):
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    for sign, moment in ((">", wanted.created_after), ("<", wanted.created_before)):
        if moment is not None:
            parts.append(f"created_at {sign} ?")
            values.append(moment.timestamp())
    return " AND ".join(parts), values
