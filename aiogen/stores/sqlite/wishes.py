"""Requests to the worker that follows a job: to cancel it, or to ask about it soon."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aiogen.models import State
from aiogen.stores.base import Wish

Connection = sqlite3.Connection

_CANCELLED = (State.SUBMITTING, State.QUEUED, State.PROCESSING)
"""What a wish may stop: what waits is withdrawn without one, and of an unknown job nobody knows what it is."""
HEARD, PROVED = 1, 2
"""In the column `wake`: somebody has heard that there is news; and from the vendor, who has proved to be it."""
AT_ONCE = 500
"""Ids in one statement; SQLite of old took 999."""


def wish(c: Connection, job_id: str) -> bool:
    """Somebody wants it to be cancelled; False if it is not on its way, and does not run."""
    states = ", ".join("?" for _ in _CANCELLED)
    return bool(
        c.execute(
            "INSERT INTO aiogen_wish (job, cancel) SELECT id, 1 FROM aiogen_job "
            f"WHERE id = ? AND finished_at IS NULL AND state IN ({states}) "
            "ON CONFLICT (job) DO UPDATE SET cancel = 1, answer = NULL",
            (job_id, *map(str, _CANCELLED)),
        ).rowcount
    )


def to_wake(c: Connection, account: str, provider_ids: Collection[str]) -> list[tuple[str, int]]:
    """The unfinished jobs with these ids of the vendor's; and of each 0, `HEARD` or `PROVED`, as it is to be woken."""
    marks = ", ".join("?" for _ in provider_ids)
    found = c.execute(
        "SELECT j.id, coalesce(w.wake, 0) FROM aiogen_job j LEFT JOIN aiogen_wish w ON w.job = j.id "
        f"WHERE j.account = ? AND j.provider_id IN ({marks}) AND j.finished_at IS NULL",
        (account, *provider_ids),
    )
    return [(str(job_id), int(wake)) for job_id, wake in found]


def wake(c: Connection, job_ids: Iterable[str], level: int) -> None:
    """Somebody has heard that there is news of these."""
    c.executemany(
        "INSERT INTO aiogen_wish (job, wake) SELECT id, ? FROM aiogen_job WHERE id = ? AND finished_at IS NULL "
        "ON CONFLICT (job) DO UPDATE SET wake = max(wake, excluded.wake)",
        [(level, job_id) for job_id in job_ids],
    )


def read(c: Connection, owner: str) -> list[Wish]:
    """The requests to this worker."""
    found = c.execute(
        "SELECT w.job, j.account, j.provider_id, w.cancel, w.wake FROM aiogen_wish w CROSS JOIN aiogen_job j "
        "ON j.id = w.job WHERE w.cancel + w.wake > 0 AND j.owner = ?",  # what is over has none
        (owner,),
    )
    return [
        Wish(
            job_id=job_id,
            account=account,
            provider_id=provider_id,
            cancel=bool(cancel),
            wake=level > 0,
            proved=level == PROVED,
        )
        for job_id, account, provider_id, cancel, level in found
    ]


def heard(c: Connection, job_ids: Iterable[str]) -> None:
    """The workers that follow these know that there is news of them."""
    ids = [(job_id,) for job_id in job_ids]
    c.executemany("UPDATE aiogen_wish SET wake = 0 WHERE job = ?", ids)
    c.executemany("DELETE FROM aiogen_wish WHERE job = ? AND cancel = 0 AND answer IS NULL", ids)


def grant(c: Connection, job_id: str, answer: Mapping[str, Any]) -> None:
    """Note what came of a request to cancel a job."""
    text = json.dumps(answer, separators=(",", ":"))
    c.execute("UPDATE aiogen_wish SET cancel = 0, answer = ? WHERE job = ? AND cancel = 1", (text, job_id))


def granted(c: Connection, job_id: str) -> Mapping[str, Any] | None:
    """What came of the last wish; None as long as it is open."""
    found = c.execute("SELECT answer FROM aiogen_wish WHERE job = ?", (job_id,)).fetchone()
    value = json.loads(found[0]) if found is not None and found[0] is not None else None
    return value if isinstance(value, dict) else None
