"""The life of a job in the ledger, one function for each step; each is given the worker that asks.

Who may say what: that a job ran, everybody; that it was not sent, only its owner, or who sent its last create.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs

from aiogen.models import State
from aiogen.stores import rows
from aiogen.stores.base import AtMost, Forgotten, Record
from aiogen.stores.charges import UNKNOWN, Charge
from aiogen.stores.peers import Worker
from aiogen.stores.postgres import reading, spending
from aiogen.stores.postgres.database import Tx
from aiogen.stores.postgres.reading import COLUMNS

_MOMENTS = ("created_at", "submitted_at", "accepted_at", "finished_at")
_PURGED_AT_ONCE = 500
_UNHEARD_FOR = 30 * 86_400.0
"""Seconds beyond `keep_finished` that an end is kept which a handler has not heard of yet."""
_KEYS_FOR = 366 * 86_400.0
"""Seconds for which key and vendor id of an ended job are kept."""
IDS_AT_ONCE = 500
"""Jobs that are removed in one transaction."""


# --- one that comes in


@attrs.frozen
class New:
    """A job to be added."""

    fields: dict[str, Any]
    """By the names of the columns; of the moments, how many seconds ago they were."""
    handlers: tuple[str, ...]

    @classmethod
    def of(cls, record: Record, *, whole: bool) -> New:
        """`whole`: with prompt and parameters."""
        fields: dict[str, Any] = dict(zip(rows.COLUMNS, rows.row(record, whole=whole), strict=True))
        read_at = rows.seconds(record.read_at)
        for name in _MOMENTS:
            if (at := fields[name]) is not None:
                fields[name] = 0.0 if read_at is None else max(0.0, read_at - at)
        return cls(fields, record.handlers)


def _insert() -> str:
    """To the microsecond, as a record has it."""
    values = [
        f"CASE WHEN ${i}::float8 IS NOT NULL THEN round((aiogen_now() - ${i}::float8) * 1e6::float8) / 1e6::float8 END"
        if name in _MOMENTS
        else "CASE WHEN w.follows != 'nothing' THEN w.id END"
        if name == "owner"
        else f"${i}"
        for i, name in enumerate(rows.COLUMNS, 1)
    ]
    owner = rows.COLUMNS.index("owner") + 1
    return (
        f"INSERT INTO aiogen_job ({COLUMNS}) SELECT {', '.join(values)} FROM aiogen_worker w WHERE w.id = ${owner} "
        "ON CONFLICT (id) DO NOTHING RETURNING id"
    )


_INSERT = _insert()


async def add(tx: Tx, worker: Worker, new: New, at_most: AtMost | None = None) -> Record | bool:
    """A new row: True; the record that stands instead; False if this worker's lease was lost.

    Raises:
        TooManyJobs: there are as many unfinished ones as are allowed.
    """
    fields = new.fields | {"owner": worker.name}
    if at_most is not None:
        await tx.lock(_bounds(at_most, fields["scope"]))
    if fields["provider_id"] is not None:
        generation = f"{fields['account']} {fields['provider_id']}"
        await tx.value("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", generation)
    if at_most is not None or fields["provider_id"] is not None:
        standing = await _standing(tx, worker, fields)
        if standing is not None:
            return standing
        if at_most is not None:
            at_most.check(fields["scope"], *await _unfinished(tx, fields["scope"], at_most))
    if await tx.value(_INSERT, *fields.values()) is None:
        standing = await _standing(tx, worker, fields)
        return False if standing is None else standing
    if new.handlers:
        await tx.rows(
            "INSERT INTO aiogen_delivery (job, handler) SELECT $1, unnest($2::text[]) RETURNING 1",
            fields["id"],
            new.handlers,
        )
    tx.tell()
    return True


async def is_there(tx: Tx, job_id: str) -> bool:
    """Whether it was added."""
    return await tx.value("SELECT 1 FROM aiogen_job WHERE id = $1", job_id) is not None


def _bounds(at_most: AtMost, scope: str) -> list[str]:
    """What has to stand still while it is counted; no account is called so.

    Not by the scope's name, which would stay when all of it is forgotten: scopes share some rows.
    """
    digest = hashlib.sha256(scope.encode("utf-8", "surrogatepass")).digest()
    names = [] if at_most.scope is None else [f"scopes {digest[0]}"]
    return names if at_most.total is None else [*names, "total"]


async def _standing(tx: Tx, worker: Worker, fields: dict[str, Any]) -> Record | bool | None:
    """What stands already; False if this worker's lease was lost."""
    found = await tx.row(
        f"SELECT {COLUMNS} , aiogen_now() FROM aiogen_job WHERE id = $1 OR (account = $2 AND provider_id = $3) "
        "ORDER BY (id = $1) DESC LIMIT 1",
        fields["id"],
        fields["account"],
        fields["provider_id"],
    )
    if not await tx.value("SELECT 1 FROM aiogen_worker WHERE id = $1", worker.name):
        return False
    return None if found is None else reading.record(found)


async def _unfinished(tx: Tx, scope: str, at_most: AtMost) -> tuple[int, int]:
    """How many there are of the scope and in all; what has no bound is not counted."""
    row = await tx.row(
        "SELECT CASE WHEN $2 THEN (SELECT count(*) FROM aiogen_job WHERE finished_at IS NULL AND scope = $1) "
        "ELSE 0 END, CASE WHEN $3 THEN (SELECT count(*) FROM aiogen_job WHERE finished_at IS NULL) ELSE 0 END",
        scope,
        at_most.scope is not None,
        at_most.total is not None,
    )
    assert row is not None
    return int(row[0]), int(row[1])


async def latest(tx: Tx, scope: str, key: str) -> Record | None:
    """The last attempt under a key."""
    found = await tx.row(
        f"SELECT {COLUMNS} , aiogen_now() FROM aiogen_job WHERE scope = $1 AND key = $2 ORDER BY attempt DESC LIMIT 1",
        scope,
        key,
    )
    return None if found is None else reading.record(found)


# --- what came of its create


_SINCE = "(SELECT id FROM aiogen_worker WHERE id = {0} AND (submitter IS NULL OR submitter = {0}))"
"""This worker, if it has been one since the create.

In between others may have written the job off, and so has the caller who waits for it here: without an owner it is
adopted.
"""
_QUOTED = (
    "charge = coalesce({0}, charge), charge_unit = CASE WHEN {0} IS NOT NULL AND {1} THEN {2} ELSE charge_unit END, "
    "charge_is_estimate = CASE WHEN {0} IS NOT NULL AND {1} THEN {3} ELSE charge_is_estimate END"
)
"""What it costs, if somebody knows it better; the second: in which unit."""


async def confirm(
    tx: Tx,
    worker: Worker,
    job_id: str,
    provider_id: str,
    state: State,
    ago: float,
    reference: str | None = None,
    quoted: Charge = UNKNOWN,
) -> bool:
    """The vendor accepted it; True if this worker follows it, or nobody knows of it."""
    charge = _QUOTED.format("$9::bigint", "true", "$10::text", "$11::integer")
    row = await tx.row(
        # What is known of it since then stays: that it is processed, if this is said for the second time.
        "WITH me AS (SELECT id FROM aiogen_worker WHERE id = $1), "
        "ours AS (UPDATE aiogen_job SET state = CASE state WHEN 'processing' THEN state ELSE $3 END, "
        "provider_id = $4, accepted_at = aiogen_now() - $5, reference = $6, "
        f"owner = coalesce(owner, {_SINCE.format('$1')}), {charge} "
        "WHERE id = $2 AND finished_at IS NULL AND coalesce(provider_id, $4) = $4 "
        "AND (submitter IS NULL OR submitter = ANY($7::text[])) RETURNING owner) "
        "SELECT (SELECT id FROM me), EXISTS (SELECT 1 FROM ours), (SELECT owner FROM ours), j.id, j.owner "
        "FROM (SELECT $8::text AS wanted) w LEFT JOIN aiogen_job j ON j.id = w.wanted",
        worker.name,
        job_id,
        str(state),
        provider_id,
        max(0.0, ago),
        reference,
        worker.names,
        job_id,
        quoted.millionths,
        quoted.unit,
        int(quoted.is_estimate),
    )
    assert row is not None
    me, is_changed, owner, known, owner_before = row
    if is_changed:
        tx.tell(job_id)
    return me is not None and (known is None or (owner if is_changed else owner_before) == me)


async def release(tx: Tx, worker: Worker, job_id: str) -> None:
    """The create surely was not carried out: pending again."""
    if await tx.value(
        f"UPDATE aiogen_job SET state = 'pending', owner = {_SINCE.format('$2')}, "
        "submitted_at = NULL WHERE id = $1 AND state IN ('submitting', 'unknown') AND submitter = ANY($3::text[]) "
        "RETURNING id",
        job_id,
        worker.name,
        worker.names,
    ):
        tx.tell(job_id)


async def mark_unknown(tx: Tx, worker: Worker, job_id: str) -> None:
    """The create's answer never came."""
    if await tx.value(
        "UPDATE aiogen_job SET state = 'unknown', owner = NULL "
        "WHERE id = $1 AND state = 'submitting' AND submitter = ANY($2::text[]) RETURNING id",
        job_id,
        worker.names,
    ):
        tx.tell(job_id)


async def progressed(tx: Tx, worker: Worker, job_ids: Sequence[str]) -> None:
    """Those of them that are ours and queued are being processed."""
    changed = await tx.rows(
        "UPDATE aiogen_job SET state = 'processing' WHERE id = ANY($1::text[]) AND owner = $2 AND state = 'queued' "
        "RETURNING id",
        sorted(job_ids),
        worker.name,
    )
    if changed:
        tx.tell(*(row[0] for row in changed))


async def reopen(tx: Tx, worker: Worker, job_id: str, provider_id: str | None) -> Record | None:
    """The user has decided about an unknown one; None if it is not unknown."""
    if not await tx.value("SELECT 1 FROM aiogen_job WHERE id = $1 AND state = 'unknown' FOR UPDATE", job_id):
        return None
    if provider_id is None:
        await spending.keep_lost(tx, job_id)
    found = await tx.row(
        "UPDATE aiogen_job SET state = $2, provider_id = $3, owner = $4, "
        "accepted_at = CASE WHEN $3::text IS NULL THEN NULL ELSE aiogen_now() END, "
        "submitted_at = CASE WHEN $3::text IS NULL THEN NULL ELSE submitted_at END "
        f"WHERE id = $1 RETURNING {COLUMNS} , aiogen_now()",
        job_id,
        str(State.PENDING if provider_id is None else State.QUEUED),
        provider_id,
        worker.owner,
    )
    tx.tell(job_id)
    return None if found is None else reading.record(found)


# --- its end


_SETTLE = (
    "WITH e AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], "
    "$7::text[], $8::integer[]) AS e(job, provider_id, state, result, charge, has_unit, unit, is_estimate)), "
    "first AS (UPDATE aiogen_job j SET state = e.state, result = e.result, finished_at = aiogen_now(), "
    "expires_at = CASE WHEN j.batch IS NULL THEN aiogen_now() + $9::float8 END, "
    "request = CASE WHEN e.state != 'completed' THEN j.request END, charge = coalesce(e.charge, j.charge), "
    "charge_unit = CASE WHEN e.has_unit THEN e.unit ELSE j.charge_unit END, "
    "charge_is_estimate = CASE WHEN e.has_unit THEN e.is_estimate ELSE j.charge_is_estimate END, "
    "owner = NULL, provider_id = coalesce(j.provider_id, e.provider_id) "
    # The first to see it counts: what is over stays as it is.  But that it was not sent, and will not be, is for its
    # owner to say: somebody else may have sent it meanwhile.
    "FROM e WHERE j.id = e.job AND j.finished_at IS NULL AND (e.provider_id IS NOT NULL OR j.owner = $10 "
    "OR (j.owner IS NULL AND j.state = 'pending') OR j.submitter = ANY($11::text[])) RETURNING j.id), "
    "due AS (UPDATE aiogen_delivery d SET next_at = aiogen_now() FROM first "
    "WHERE d.job = first.id AND d.done_at IS NULL) SELECT id FROM first"
)


async def settle(tx: Tx, worker: Worker, ends: Sequence[rows.End], keep_finished: float) -> None:
    """These are over; each stays for `keep_finished` seconds, one of a named batch until it is forgotten."""
    for some in _rounds(ends):
        changed = await tx.rows(
            _SETTLE,
            [end.job_id for end in some],
            [end.provider_id for end in some],
            [end.state for end in some],
            [end.result for end in some],
            [0 if end.is_free else end.charge.millionths for end in some],
            [not end.is_free and end.charge.millionths is not None for end in some],
            [end.charge.unit for end in some],
            [int(end.charge.is_estimate) for end in some],
            keep_finished,
            worker.name,
            worker.names,
        )
        if changed:
            tx.tell(*(row[0] for row in changed))


def _rounds(ends: Sequence[rows.End]) -> list[list[rows.End]]:
    """No job twice in one statement, which would take any of its ends; sorted, so that two do not wait for each
    other."""
    rounds = list[dict[str, rows.End]]()
    for end in ends:
        one = next((each for each in rounds if end.job_id not in each), None)
        if one is None:
            rounds.append(one := {})
        one[end.job_id] = end
    return [[each[job_id] for job_id in sorted(each)] for each in rounds]


async def withdraw(tx: Tx, end: rows.End, keep_finished: float) -> bool:
    """It is over without having been sent; False if it is not pending."""
    changed = await tx.value(
        "WITH ours AS (UPDATE aiogen_job SET state = $2, result = $3, finished_at = aiogen_now(), "
        "expires_at = CASE WHEN batch IS NULL THEN aiogen_now() + $4::float8 END, charge = 0, owner = NULL "
        "WHERE id = $1 AND finished_at IS NULL AND state = 'pending' RETURNING id), "
        "due AS (UPDATE aiogen_delivery d SET next_at = aiogen_now() FROM ours "
        "WHERE d.job = ours.id AND d.done_at IS NULL) SELECT id FROM ours",
        end.job_id,
        end.state,
        end.result,
        keep_finished,
    )
    if changed:
        tx.tell(end.job_id)
    return changed is not None


# --- what is removed


async def purge(tx: Tx) -> int:
    """Some of what is over and has been kept for long enough; how many were looked at.

    An end that a handler has not heard of yet stays longer: its program may only be away.  What belongs to a named
    batch has no `expires_at`.  What another process removes just now is left to that.
    """
    old = [
        row[0]
        for row in await tx.rows(
            "SELECT id FROM aiogen_job j WHERE expires_at < (SELECT aiogen_now()) "
            "AND (expires_at < (SELECT aiogen_now()) - $1::float8 "
            "OR NOT EXISTS (SELECT 1 FROM aiogen_delivery d WHERE d.job = j.id AND d.done_at IS NULL)) "
            "ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            _UNHEARD_FOR,
            _PURGED_AT_ONCE,
        )
    ]
    if not old:
        return 0
    # What a key stands for is remembered, so that repeating the request late pays for nothing either; of what was never
    # accepted nothing was paid.
    await tx.rows(
        "UPDATE aiogen_job SET result = NULL, prompt = NULL, metadata = NULL, expires_at = finished_at + $2::float8 "
        "WHERE id = ANY($1::text[]) AND key IS NOT NULL AND provider_id IS NOT NULL "
        "AND finished_at + $2::float8 > aiogen_now() RETURNING id",
        old,
        _KEYS_FOR,
    )
    gone = await tx.rows(
        "DELETE FROM aiogen_job WHERE id = ANY($1::text[]) AND expires_at < aiogen_now() RETURNING id", old
    )
    if gone:
        tx.tell(*(row[0] for row in gone))
    return len(old)


async def forget(tx: Tx, job_ids: Sequence[str]) -> Forgotten:
    """Remove those that are over or unknown; how many were."""
    gone = await tx.rows(
        "DELETE FROM aiogen_job WHERE id = ANY($1::text[]) AND (finished_at IS NOT NULL OR state = 'unknown') "
        "RETURNING id",
        job_ids,
    )
    if gone:
        tx.tell(*(row[0] for row in gone))
    left = await tx.value("SELECT count(*) FROM aiogen_job WHERE id = ANY($1::text[])", job_ids)
    return Forgotten(len(gone), int(left))
