"""Jobs as the battery adds them, and their ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aiogen.exchange import Submission
from aiogen.models import Generation, State, Typical
from aiogen.stores.base import Record, Store
from aiogen.testing.stores.setup import START

AGO = 10.0
"""Seconds before a test begins."""
NOW = datetime.fromtimestamp(START, UTC)
THEN = NOW - timedelta(seconds=AGO)
WISH = Submission(
    model="uni-1",
    kind="image",
    prompt="a boat",
    endpoint="generations",
    body={"prompt": "a boat", "image_ref": [{"url": "https://example.org/é.png"}]},
    outputs=2,
    weight=3,
    timeout=90.0,
    typical=Typical(median=30.0, spread=0.4),
)


def record(job_id: str, **more: Any) -> Record:
    """A job that waits to be sent, of the account `a`."""
    fields: dict[str, Any] = {"connection": "luma", "provider": "luma", "account": "a", "state": State.PENDING}
    fields |= {"submission": WISH, "created_at": THEN, "read_at": NOW}
    return Record(id=job_id, **{**fields, **more})


def ended(job_id: str, state: State = State.COMPLETED, **more: Any) -> Generation:
    """Its end, as the vendor reported it."""
    fields: dict[str, Any] = {"provider": "luma", "connection": "luma", "model": "uni-1", "finished_at": THEN}
    fields |= {"provider_id": f"v-{job_id}"}
    return Generation(id=job_id, state=state, **{**fields, **more})


async def found(store: Store, job_id: str) -> Record:
    """The record of a job that has to be there."""
    kept = await store.get(job_id)
    assert kept is not None, f"job {job_id!r} is not in the ledger any more"
    return kept


async def state_of(store: Store, job_id: str) -> State:
    """The state of a job that has to be there."""
    return (await found(store, job_id)).state
