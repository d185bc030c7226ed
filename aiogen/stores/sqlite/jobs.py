"""The life of a job in the ledger, one function for each step; each is given the worker that asks and the time.

Who may say what: that a job ran, everybody; that it was not sent, only its owner, or who sent its last create.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs

from aiogen.models import State
from aiogen.stores import rows
from aiogen.stores.base import ADOPTED, AtMost, Forgotten, Headroom, Record
from aiogen.stores.budget import Budget
from aiogen.stores.charges import UNKNOWN, Charge
from aiogen.stores.peers import Worker
from aiogen.stores.sqlite import reading, spending, workers
from aiogen.stores.sqlite.reading import COLUMNS
from aiogen.stores.sqlite.sharing import Neighbours, Wanted

Connection = sqlite3.Connection

_MARKS = ", ".join("?" for _ in rows.COLUMNS)
_MOMENTS = ("created_at", "submitted_at", "accepted_at", "finished_at")
_PURGED_AT_ONCE = 500
_UNHEARD_FOR = 30 * 86_400.0
"""Seconds beyond `keep_finished` that an end is kept which a handler has not heard of yet."""
_KEYS_FOR = 366 * 86_400.0
"""Seconds for which key and vendor id of an ended job are kept."""
_AT_LEAST = 200
"""Orphans that one look adopts, at most."""
IDS_AT_ONCE = 500
"""Ids in one statement; SQLite of old took 999."""


def add(
    c: Connection,
    worker: Worker,
    values: tuple[Any, ...],
    handlers: Sequence[tuple[str, str]],
    read_at: float | None,
    now: float,
    at_most: AtMost | None = None,
) -> Record | bool:
    """A new row: True; the record that stands instead; False if this worker's lease was lost.

    `handlers`: the job, with each that waits for its end.  `read_at`: the time by the clock of the moments in the row.

    Raises:
        TooManyJobs: there are as many unfinished ones as are allowed.
    """
    if workers.living(c, worker) is None:
        return False
    fields = dict(zip(rows.COLUMNS, values, strict=True))
    standing = c.execute(
        f"SELECT {COLUMNS} FROM aiogen_job WHERE id = ? "
        f"UNION ALL SELECT {COLUMNS} FROM aiogen_job WHERE account = ? AND provider_id = ? LIMIT 1",
        (fields["id"], fields["account"], fields["provider_id"]),
    ).fetchone()
    if standing is not None:
        return rows.record_from(standing, now)
    if at_most is not None:
        at_most.check(fields["scope"], *_unfinished(c, fields["scope"], at_most))
    for name in _MOMENTS:
        if fields[name] is not None:
            fields[name] = now - max(0.0, (fields[name] if read_at is None else read_at) - fields[name])
    fields["created_at"] = _behind_others(c, fields["created_at"])
    c.execute(f"INSERT INTO aiogen_job ({COLUMNS}) VALUES ({_MARKS})", tuple(fields.values()))
    c.executemany("INSERT INTO aiogen_delivery (job, handler) VALUES (?, ?)", handlers)
    return True


def _behind_others(c: Connection, at: float) -> float:
    """Jobs of one millisecond, which is all that the clock tells apart, keep their order.

    In whole microseconds, as a record has it: by these two pages of records fit together.
    """
    at = round(at, 6)
    last = c.execute(
        "SELECT max(created_at) FROM aiogen_job WHERE created_at BETWEEN ? AND ?", (at, at + 1e-3)
    ).fetchone()[0]
    return at if last is None else round(float(last) + 1e-6, 6)


def _unfinished(c: Connection, scope: str, at_most: AtMost) -> tuple[int, int]:
    """How many there are of the scope and in all; what has no bound is not counted."""
    count = "SELECT count(*) FROM aiogen_job WHERE finished_at IS NULL"
    of_scope = c.execute(f"{count} AND scope = ?", (scope,)).fetchone()[0] if at_most.scope is not None else 0
    return of_scope, c.execute(count).fetchone()[0] if at_most.total is not None else 0


def latest(c: Connection, scope: str, key: str, now: float) -> Record | None:
    """The last attempt under a key."""
    found = c.execute(
        f"SELECT {COLUMNS} FROM aiogen_job WHERE scope = ? AND key = ? ORDER BY attempt DESC LIMIT 1", (scope, key)
    ).fetchone()
    return None if found is None else rows.record_from(found, now)


def intend(
    c: Connection,
    worker: Worker,
    neighbours: Neighbours,
    job_id: str,
    headroom: Headroom,
    now: float,
    budget: Budget | None = None,
) -> float | None:
    """Its create is about to be sent: 0.0; else the seconds to wait for others, or None if it is not ours to send.

    Raises:
        BudgetReached: the budget does not allow it.
    """
    ours = c.execute(
        "SELECT account, priority, scope, weight, charge, charge_unit FROM aiogen_job "
        "WHERE id = ? AND owner = ? AND state = ?",
        (job_id, worker.name, str(State.PENDING)),
    ).fetchone()
    if ours is None:
        return None  # asked first: nobody waits for a place for what another one sends
    *facts, charge, unit = ours
    wanted = Wanted(*facts)
    if budget is not None:  # before the window: what is not sent waits for nobody's place
        spending.check(c, budget, Charge(charge, unit), now)
    wait = neighbours.wait_for(c, worker.name, wanted, headroom, now)
    if wait > 0.0:
        return wait
    c.execute(
        "UPDATE aiogen_job SET state = ?, submitted_at = ?, submitter = ?, account = ? WHERE id = ?",
        (str(State.SUBMITTING), now, worker.name, (*headroom.accounts, wanted.account)[0], job_id),
    )
    return 0.0


def confirm(
    c: Connection,
    worker: Worker,
    job_id: str,
    provider_id: str,
    state: State,
    accepted_at: float,
    reference: str | None = None,
    quoted: Charge = UNKNOWN,
) -> bool:
    """The vendor accepted it; True if this worker follows it, or nobody knows of it."""
    me = workers.living(c, worker)
    c.execute(
        # What is known of it since then stays: that it is processed, if this is said for the second time.
        "UPDATE aiogen_job SET state = CASE state WHEN 'processing' THEN state ELSE ? END, "
        f"provider_id = ?, accepted_at = ?, reference = ?, owner = coalesce(owner, {_SINCE}), {_QUOTED} "
        "WHERE id = ? AND finished_at IS NULL AND coalesce(provider_id, ?) = ? "
        f"AND (submitter IS NULL OR {_sent_by(worker)})",
        (
            *(str(state), provider_id, accepted_at, reference, me, me, *_quoted(quoted), job_id),
            *(provider_id, provider_id, *worker.names),
        ),
    )
    found = c.execute("SELECT owner FROM aiogen_job WHERE id = ?", (job_id,)).fetchone()
    return me is not None and (found is None or found[0] == me)


_SINCE = "CASE WHEN submitter IS NULL OR submitter = ? THEN ? END"
"""This worker, if it has been one since the create.

In between others may have written the job off, and so has the caller who waits for it here: without an owner it is
adopted.
"""
_QUOTED = (
    "charge = coalesce(?, charge), charge_unit = CASE WHEN ? THEN ? ELSE charge_unit END, "
    "charge_is_estimate = CASE WHEN ? THEN ? ELSE charge_is_estimate END"
)
"""What it costs, if somebody knows it better."""


def _quoted(charge: Charge) -> tuple[Any, ...]:
    is_known = charge.millionths is not None
    return charge.millionths, is_known, charge.unit, is_known, int(charge.is_estimate)


def release(c: Connection, worker: Worker, job_id: str) -> None:
    """The create surely was not carried out: pending again."""
    c.execute(
        f"UPDATE aiogen_job SET state = ?, owner = {_SINCE}, submitted_at = NULL WHERE id = ? "
        f"AND state IN (?, ?) AND {_sent_by(worker)}",
        (
            *(str(State.PENDING), me := workers.living(c, worker), me, job_id),
            *(str(State.SUBMITTING), str(State.UNKNOWN), *worker.names),
        ),
    )


def mark_unknown(c: Connection, worker: Worker, job_id: str) -> None:
    """The create's answer never came."""
    c.execute(
        f"UPDATE aiogen_job SET state = ?, owner = NULL WHERE id = ? AND state = ? AND {_sent_by(worker)}",
        (str(State.UNKNOWN), job_id, str(State.SUBMITTING), *worker.names),
    )


def progressed(c: Connection, worker: Worker, job_ids: Sequence[str]) -> None:
    """Those of them that are ours and queued are being processed."""
    c.executemany(
        "UPDATE aiogen_job SET state = ? WHERE id = ? AND owner = ? AND state = ?",
        [(str(State.PROCESSING), job_id, worker.name, str(State.QUEUED)) for job_id in job_ids],
    )


def reopen(c: Connection, worker: Worker, job_id: str, provider_id: str | None, now: float) -> Record | None:
    """The user has decided about an unknown one; None if it is not unknown."""
    state, accepted_at = (State.PENDING, None) if provider_id is None else (State.QUEUED, now)
    if provider_id is None:
        spending.keep_lost(c, job_id, State.UNKNOWN)
    changed = c.execute(
        "UPDATE aiogen_job SET state = ?, provider_id = ?, accepted_at = ?, owner = ?, "
        "submitted_at = CASE WHEN ? THEN NULL ELSE submitted_at END, copied = 0 WHERE id = ? AND state = ?",
        (str(state), provider_id, accepted_at, worker.owner, provider_id is None, job_id, str(State.UNKNOWN)),
    ).rowcount
    if not changed:
        return None
    return rows.record_from(c.execute(f"SELECT {COLUMNS} FROM aiogen_job WHERE id = ?", (job_id,)).fetchone(), now)


def _charged(end: rows.End) -> tuple[Any, ...]:
    """For `_QUOTED`: what nobody charged stays in its unit."""
    return (0, *_quoted(UNKNOWN)[1:]) if end.is_free else _quoted(end.charge)


def settle(c: Connection, worker: Worker, ends: Sequence[rows.End], now: float, keep_finished: float) -> None:
    """These are over; each stays for `keep_finished` seconds, one of a named batch until it is forgotten."""
    for end in ends:
        # The first to see it counts: what is over stays as it is.  But that it was not sent, and will not be, is for
        # its owner to say: somebody else may have sent it meanwhile.
        first = c.execute(
            "UPDATE aiogen_job SET state = ?, result = ?, finished_at = ?, "
            "expires_at = CASE WHEN batch IS NULL THEN ? END, "
            "request = CASE WHEN ? THEN request END, "
            f"{_QUOTED}, "
            "owner = NULL, provider_id = coalesce(provider_id, ?) WHERE id = ? AND finished_at IS NULL "
            f"AND (? IS NOT NULL OR owner = ? OR (owner IS NULL AND state = ?) OR {_sent_by(worker)})",
            (
                *(end.state, end.result, now, now + keep_finished, end.state != State.COMPLETED, *_charged(end)),
                *(end.provider_id, end.job_id, end.provider_id, worker.name, str(State.PENDING), *worker.names),
            ),
        ).rowcount
        if first:
            c.execute("UPDATE aiogen_delivery SET next_at = ? WHERE job = ? AND done_at IS NULL", (now, end.job_id))


def withdraw(c: Connection, end: rows.End, now: float, keep_finished: float) -> bool:
    """It is over without having been sent; False if it is not pending."""
    changed = c.execute(
        "UPDATE aiogen_job SET state = ?, result = ?, finished_at = ?, "
        "expires_at = CASE WHEN batch IS NULL THEN ? END, charge = 0, owner = NULL "
        "WHERE id = ? AND finished_at IS NULL AND state = ?",
        (end.state, end.result, now, now + keep_finished, end.job_id, str(State.PENDING)),
    ).rowcount
    if changed:
        c.execute("UPDATE aiogen_delivery SET next_at = ? WHERE job = ? AND done_at IS NULL", (now, end.job_id))
    return bool(changed)


def _sent_by(worker: Worker) -> str:
    """Its last create was sent by this worker, in this life or in one before."""
    return f"submitter IN ({', '.join('?' for _ in worker.names)})"


# --- what nobody owns


@attrs.frozen
class Orphans:
    """Which unfinished jobs may be taken up: of these accounts, and owned by nobody."""

    accounts: Collection[str]

    def _where(self) -> tuple[str, tuple[str, ...]]:
        marks, states = ", ".join("?" for _ in self.accounts), ", ".join("?" for _ in ADOPTED)
        # What waits in a copy is left alone: somebody else may send it.
        where = (
            f"finished_at IS NULL AND owner IS NULL AND account IN ({marks}) AND state IN ({states}) "
            "AND NOT (copied AND state = 'pending')"
        )
        return where, (*self.accounts, *map(str, ADOPTED))

    def are_there(self, c: Connection) -> bool:
        """True if there is any, or if one that owns some has died."""
        if workers.dead(c):
            return True
        where, values = self._where()
        return c.execute(f"SELECT 1 FROM aiogen_job WHERE {where} LIMIT 1", values).fetchone() is not None

    def adopt(
        self,
        c: Connection,
        worker: Worker,
        only: Collection[str] | None,
        unreadable: Callable[[rows.Unreadable], None],
        now: float,
    ) -> list[Record]:
        """They are this worker's now, the oldest first; what was being submitted is unknown, and nobody's."""
        workers.end(c, workers.dead(c))
        where, values = self._where()
        limit = -1 if only is not None else self._portion(c, worker, where, values)
        found = reading.fetched(
            c, f"SELECT {COLUMNS} FROM aiogen_job WHERE {where} ORDER BY created_at LIMIT ?", (*values, limit)
        )
        ours, unknown = list[Record](), list[Record]()
        for row in found:
            if only is not None and row[0] not in only:
                continue
            try:
                record = rows.record_from(row, now)
            except rows.Unreadable as unread:  # it must not keep all the others from being taken up
                unreadable(unread)
                continue
            if record.state is State.SUBMITTING:
                unknown.append(attrs.evolve(record, state=State.UNKNOWN))
            else:
                ours.append(attrs.evolve(record, owner=worker.name))
        c.executemany("UPDATE aiogen_job SET owner = ? WHERE id = ?", [(worker.name, record.id) for record in ours])
        c.executemany(
            "UPDATE aiogen_job SET state = ? WHERE id = ?", [(str(State.UNKNOWN), record.id) for record in unknown]
        )
        return sorted(ours + unknown, key=lambda record: record.created_at)

    def _portion(self, c: Connection, worker: Worker, where: str, values: tuple[str, ...]) -> int:
        """So many that all living workers have about the same then; some in any case, for others may not want them."""
        orphans = c.execute(f"SELECT count(*) FROM aiogen_job WHERE {where}", values).fetchone()[0]
        living, owned, mine = c.execute(
            "SELECT (SELECT count(*) FROM aiogen_worker WHERE follows != 'nothing'), count(*), "
            "coalesce(sum(owner = ?), 0) FROM aiogen_job "
            "WHERE finished_at IS NULL AND owner IS NOT NULL",
            (worker.name,),
        ).fetchone()
        fair = math.ceil((owned + orphans) / max(1, living)) - mine
        return int(max(fair, _AT_LEAST, orphans // 4))


# --- what is removed


def purge(c: Connection, now: float) -> None:
    """Some of what is over and has been kept for long enough.

    An end that a handler has not heard of yet stays longer: its program may only be away.  What belongs to a named
    batch has no `expires_at`, so that it costs nothing here however long it stays.
    """
    old = [
        row[0]
        for row in c.execute(
            "SELECT id FROM aiogen_job j WHERE expires_at < ? AND "
            "(expires_at < ? OR NOT EXISTS (SELECT 1 FROM aiogen_delivery WHERE job = j.id AND done_at IS NULL)) "
            "LIMIT ?",
            (now, now - _UNHEARD_FOR, _PURGED_AT_ONCE),
        )
    ]
    marks = ", ".join("?" for _ in old)
    # What a key stands for is remembered, so that repeating the request late pays for nothing either; of what was never
    # accepted nothing was paid.
    c.execute(
        "UPDATE aiogen_job SET result = NULL, prompt = NULL, metadata = NULL, expires_at = finished_at + ? "
        f"WHERE id IN ({marks}) AND key IS NOT NULL AND provider_id IS NOT NULL AND finished_at + ? > ?",
        (_KEYS_FOR, *old, _KEYS_FOR, now),
    )
    c.execute(f"DELETE FROM aiogen_job WHERE id IN ({marks}) AND expires_at < ?", (*old, now))


def forget(c: Connection, job_ids: Sequence[str]) -> Forgotten:
    """Remove those that are over, unknown, or held in a copy; how many were.  At most `IDS_AT_ONCE`."""
    marks = ", ".join("?" for _ in job_ids)
    removed = c.execute(
        f"DELETE FROM aiogen_job WHERE id IN ({marks}) AND (finished_at IS NOT NULL OR state = ? "
        "OR (copied AND owner IS NULL AND state = ?))",
        (*job_ids, str(State.UNKNOWN), str(State.PENDING)),
    ).rowcount
    left = c.execute(f"SELECT count(*) FROM aiogen_job WHERE id IN ({marks})", job_ids).fetchone()[0]
    return Forgotten(removed, left)
