"""Requests to the worker that follows a job: to cancel it, or to ask about it soon."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from aiogen.stores.base import Wish
from aiogen.stores.postgres.database import Tx

HEARD, PROVED = 1, 2
"""In the column `wake`: somebody has heard that there is news; and from the vendor, who has proved to be it."""


async def wish(tx: Tx, job_id: str) -> bool:
    """Somebody wants it to be cancelled; False if it is not on its way, and does not run.

    What waits is withdrawn without a wish, and of an unknown job nobody knows what it is.
    """
    found = await tx.value(
        "INSERT INTO aiogen_wish (job, cancel) SELECT id, true FROM aiogen_job "
        "WHERE id = $1 AND finished_at IS NULL AND state IN ('submitting', 'queued', 'processing') FOR SHARE "
        "ON CONFLICT (job) DO UPDATE SET cancel = true, answer = NULL RETURNING job",
        job_id,
    )
    if found is not None:
        tx.tell()
    return found is not None


async def to_wake(tx: Tx, account: str, provider_ids: Collection[str]) -> list[tuple[str, int]]:
    """The unfinished jobs with these ids of the vendor's; and of each 0, `HEARD` or `PROVED`, as it is to be woken."""
    found = await tx.rows(
        "SELECT j.id, coalesce(w.wake, 0) FROM aiogen_job j LEFT JOIN aiogen_wish w ON w.job = j.id "
        "WHERE j.account = $1 AND j.provider_id = ANY($2::text[]) AND j.finished_at IS NULL",
        account,
        list(provider_ids),
    )
    return [(row[0], row[1]) for row in found]


async def wake(tx: Tx, job_ids: Collection[str], level: int) -> None:
    """Somebody has heard that there is news of these."""
    if await tx.rows(
        "INSERT INTO aiogen_wish AS w (job, wake) SELECT id, $2 FROM aiogen_job "
        "WHERE id = ANY($1::text[]) AND finished_at IS NULL ORDER BY id "
        "ON CONFLICT (job) DO UPDATE SET wake = greatest(w.wake, excluded.wake) RETURNING job",
        sorted(job_ids),
        level,
    ):
        tx.tell()


async def read(tx: Tx, owner: str) -> list[Wish]:
    """The requests to this worker."""
    found = await tx.rows(
        "SELECT w.job, j.account, j.provider_id, w.cancel, w.wake FROM aiogen_wish w JOIN aiogen_job j ON j.id = w.job "
        "WHERE (w.cancel OR w.wake > 0) AND j.owner = $1",  # what is over has none
        owner,
    )
    return [
        Wish(
            job_id=job_id,
            account=account,
            provider_id=provider_id,
            cancel=cancel,
            wake=level > 0,
            proved=level == PROVED,
        )
        for job_id, account, provider_id, cancel, level in found
    ]


async def heard(tx: Tx, job_ids: Collection[str]) -> None:
    """The workers that follow these know that there is news of them."""
    await tx.rows(
        "DELETE FROM aiogen_wish WHERE job = ANY($1::text[]) AND NOT cancel AND answer IS NULL RETURNING job",
        list(job_ids),
    )
    await tx.rows("UPDATE aiogen_wish SET wake = 0 WHERE job = ANY($1::text[]) RETURNING job", list(job_ids))


async def grant(tx: Tx, job_id: str, answer: Mapping[str, Any]) -> None:
    """Note what came of a request to cancel a job."""
    text = json.dumps(answer, separators=(",", ":"))
    if await tx.value(
        "UPDATE aiogen_wish SET cancel = false, answer = $2 WHERE job = $1 AND cancel RETURNING job", job_id, text
    ):
        tx.tell()


async def granted(tx: Tx, job_id: str) -> Mapping[str, Any] | None:
    """What came of the last wish; None as long as it is open."""
    text = await tx.value("SELECT answer FROM aiogen_wish WHERE job = $1", job_id)
    value = json.loads(text) if text is not None else None
    return value if isinstance(value, dict) else None
