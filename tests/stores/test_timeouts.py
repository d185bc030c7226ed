"""Another program holds the ledger, or somebody reads much of it: nobody waits for that who need not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from serving import Vendor, body, done, luma, serving
from stores.disks import held

import aiogen
from aiogen import State, StoreError
from aiogen.stores import rows as _rows
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)

FOR_EVER = 600.0
"""Seconds; no test is as patient."""


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, **options)
    await store.open()
    try:
        async with asyncio.timeout(20.0):
            yield store
    finally:
        await store.close()


@asynccontextmanager
async def session_on(vendor: Vendor, store: SqliteStore) -> AsyncIterator[aiogen.Session]:
    async with asyncio.timeout(30.0), serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store) as session:
            yield session


def record(job_id: str, **more: Any) -> Record:
    fields = {"connection": "luma", "provider": "luma", "account": "a", "state": State.PENDING}
    return Record(id=job_id, **(fields | {"created_at": datetime.now(UTC)} | more))


# --- held by another


async def test_an_end_goes_to_who_waits_though_the_ledger_is_held(path: Path) -> None:
    """However patient the store is; written down it is when the file is free again."""
    vendor = Vendor(reads=[(200, body("processing"))])
    async with session_on(vendor, SqliteStore(path, busy_timeout=FOR_EVER)) as session:
        job = await session.submit("luma/uni-1", "a boat")
        provider_id = await job.accepted()
        with held(path):
            vendor._reads.insert(0, (200, done()))
            await session.get("luma", provider_id)
            assert (await job).state is State.COMPLETED
            assert [each.state for each in await session.records()] == [State.QUEUED]
        while (await session.records())[0].state is not State.COMPLETED:
            await asyncio.sleep(0.05)


async def test_a_deadline_is_kept_though_the_ledger_is_held(path: Path) -> None:
    """Both of what ended in time and of what did not."""
    vendor = Vendor(reads=[(200, body("processing"))])
    async with session_on(vendor, SqliteStore(path, busy_timeout=FOR_EVER)) as session:
        late = await session.submit("luma/uni-1", "a boat", timeout=1.0)
        await late.accepted()
        with held(path):
            with pytest.raises(aiogen.GenerationTimeout):
                await late


async def test_facts_about_one_job_keep_their_order(path: Path) -> None:
    """Each is written once, also if it was waited for in vain."""
    wrote: list[str] = []

    class Noting(SqliteStore):
        async def confirm(self, job_id: str, *fact: Any) -> bool:
            wrote.append("confirm")
            return await super().confirm(job_id, *fact)

        async def settle(self, ended: Any) -> None:
            wrote.append("settle")
            await super().settle(ended)

    vendor = Vendor(reads=[(200, done())])
    async with session_on(vendor, Noting(path, busy_timeout=FOR_EVER)) as session:
        job = await session.submit("luma/uni-1", "a boat")
        while vendor.creates == 0:
            await asyncio.sleep(0)
        with held(path):
            assert (await job).state is State.COMPLETED
        while (await session.records())[0].state is not State.COMPLETED:
            await asyncio.sleep(0.05)
    assert wrote == ["confirm", "settle"]


async def test_reads_wait_for_nobody_who_writes(path: Path) -> None:
    """Not even for our own writes that wait."""
    async with opened(path, busy_timeout=FOR_EVER) as store:
        await store.add(record("a", provider_id="v", state=State.QUEUED))
        with held(path):
            writing = asyncio.create_task(store.add(record("b")))
            await asyncio.sleep(0.01)
            assert (await store.get("a")) is not None
            assert len(await store.find(RecordQuery())) == 1
            assert len(await store.by_provider_id("a", ["v"])) == 1
            assert await store.get_learned("nothing") == (None, 0)
            assert await store.peers() == 0
            assert await store.adopt(["a"]) == []
            assert not writing.done()
        await writing


async def test_each_waits_for_its_own_time(path: Path) -> None:
    """Who is less patient goes first, and takes nobody along; others join meanwhile."""
    async with opened(path, busy_timeout=FOR_EVER, lease=1.0) as store:
        with held(path):
            waits = asyncio.create_task(store.add(record("a")))
            await asyncio.sleep(0.01)
            with pytest.raises(StoreError, match="Another process has locked it"):
                await store.heartbeat()  # it may not wait until the lease is over
            assert not waits.done()
            joins = asyncio.create_task(store.add(record("b")))
            await asyncio.sleep(0.1)
        await asyncio.gather(waits, joins)
        assert len(await store.find(RecordQuery())) == 2


async def test_one_that_is_closed_while_it_is_held_ends(path: Path) -> None:
    """What waited for longer than it may is refused, and the thread is gone."""
    store = SqliteStore(path, busy_timeout=0.2)
    await store.open()
    with held(path):
        refused = asyncio.create_task(store.add(record("a")))
        await asyncio.sleep(0.01)
        await store.close()
        with pytest.raises(StoreError, match="has locked it"):
            await refused


# --- long reads


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A read in a thread of its own stops at the first row: that it does, and how it goes on."""
    reads, goes = threading.Event(), threading.Event()
    read = _rows.record_from

    def record_of(values: Any, now: float) -> Record:
        if threading.current_thread().name == "aiogen-store-read":
            reads.set()
            assert goes.wait(20.0)
        return read(values, now)

    monkeypatch.setattr(_rows, "record_from", record_of)
    yield reads, goes
    goes.set()


async def until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.001)


async def test_a_long_read_holds_nobody(path: Path, stuck: tuple[threading.Event, threading.Event]) -> None:
    """Neither the heartbeat nor a submit, nor another read."""
    reads, goes = stuck
    async with opened(path) as store:
        await store.add(record("a"))
        reading = asyncio.create_task(store.find(RecordQuery()))
        await until(reads)
        assert await store.heartbeat()
        await store.add(record("b"))
        assert await store.intend("b") == 0.0
        assert (await store.get("b")) is not None
        assert not reading.done()
        goes.set()
        assert [each.id for each in await reading] == ["a"]  # as it was when it began
        assert {each.id for each in await store.find(RecordQuery())} == {"a", "b"}


async def test_a_ledger_that_is_closed_is_not_read_to_the_end(
    path: Path, stuck: tuple[threading.Event, threading.Event]
) -> None:
    """It says so, and leaves no thread."""
    reads, goes = stuck
    async with opened(path) as store:
        await store.add(record("a"))
        reading = asyncio.create_task(store.find(RecordQuery()))
        await until(reads)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.01)
        goes.set()
        await closing
        with pytest.raises(StoreError, match="closed while it was read"):
            await reading


async def test_a_read_that_nobody_waits_for_any_more_ends(
    path: Path, stuck: tuple[threading.Event, threading.Event]
) -> None:
    """Its caller was cancelled."""
    reads, goes = stuck
    async with opened(path) as store:
        await store.add(record("a"))
        reading = asyncio.create_task(store.find(RecordQuery()))
        await until(reads)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        goes.set()
        assert len(await store.find(RecordQuery())) == 1


async def test_records_come_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ones, in the same order, however many were taken in at one moment, and no more than were asked for."""
    monkeypatch.setattr("aiogen.stores.sqlite.store._SLICE", 4)
    moment = datetime.now(UTC)
    async with opened(path) as store:
        for i in range(21):
            await store.add(record(f"{i}", created_at=moment if i % 2 else datetime.now(UTC)))
        for limit in (1, 8, 20, 21, 1000):
            parts = [part async for part in store.scan(RecordQuery(limit=limit))]
            assert max(map(len, parts)) <= 4
            assert [each for part in parts for each in part] == await store.find(RecordQuery(limit=limit))
        assert [part async for part in store.scan(RecordQuery(batch="none"))] == []
    with pytest.raises(StoreError, match="not open"):
        await store.find(RecordQuery())
