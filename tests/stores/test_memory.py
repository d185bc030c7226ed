"""The ledger in a dict, beyond what every store has to do (test_machine.py): it keeps no more than it should."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from aiogen import Generation, State, StoreError
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.memory import MemoryStore

NOW = datetime(2026, 4, 8, 12, tzinfo=UTC)


def record(job_id: str) -> Record:
    return Record(id=job_id, connection="luma", provider="luma", account="a", state=State.PENDING, created_at=NOW)


def ended(job_id: str, state: State = State.COMPLETED) -> Generation:
    return Generation(id=job_id, provider_id="v", provider="luma", connection="luma", model="uni-1", state=state)


async def state_of(store: MemoryStore, job_id: str) -> State | None:
    found = await store.get(job_id)
    return found.state if found is not None else None


async def test_finished_jobs_are_forgotten_in_time() -> None:
    """The unfinished never are."""
    store = MemoryStore(keep_finished=2)
    for job_id in "abcd":
        await store.add(record(job_id))
    await store.settle([ended(job_id) for job_id in "abc"])
    assert [await state_of(store, job_id) for job_id in "abcd"] == [
        None,
        State.COMPLETED,
        State.COMPLETED,
        State.PENDING,
    ]


async def test_a_named_batch_is_kept_beside_the_last_others() -> None:
    """Until it is forgotten."""
    store = MemoryStore(keep_finished=1)
    for job_id in "abc":
        await store.add(attrs.evolve(record(job_id), batch="night" if job_id in "ab" else None))
    await store.settle([ended(job_id) for job_id in "abc"])
    assert [await state_of(store, job_id) for job_id in "abc"] == [State.COMPLETED] * 3
    assert await store.forget(RecordQuery(batch="night")) == 2
    assert [await state_of(store, job_id) for job_id in "abc"] == [None, None, State.COMPLETED]


async def test_what_is_not_there_cannot_change() -> None:
    """A verb for an unknown job does nothing, and nothing is sent for it."""
    store = MemoryStore()
    await store.release("a")
    with pytest.raises(StoreError, match="must not be sent any more"):
        await store.intend("a")
    assert await store.get("a") is None
