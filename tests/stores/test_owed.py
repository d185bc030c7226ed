"""What could not be written to the ledger at once: nobody waits for it, and no job is lost or sent twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from serving import Vendor, body, done, luma, serving

import aiogen
from aiogen import State, StoreError
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)


@asynccontextmanager
async def session_on(url: str, store: SqliteStore) -> AsyncIterator[aiogen.Session]:
    async with asyncio.timeout(30.0), aiogen.Session([luma(url, creates_per_minute=6000)], store=store) as session:
        yield session


class Stumbling(SqliteStore):
    """Takes no facts for a while, and counts how often it is asked to."""

    full = False
    tries = 0

    async def _write(self, work: Any, **options: Any) -> Any:
        if self.full:
            self.tries += 1
            raise StoreError("The disk is full; make room.")
        return await super()._write(work, **options)


class Studio:
    """A vendor of many generations, which are done when the test says so."""

    def __init__(self) -> None:
        self.made = 0
        self.is_done = False

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            self.made += 1
            return web.json_response(body() | {"id": f"boat-{self.made}"}, status=201)
        answer = done() if self.is_done else body("processing")
        return web.json_response(answer | {"id": request.path.rpartition("/")[2]})


async def test_the_patience_of_the_store_is_not_added_up(path: Path) -> None:
    """Jobs end while another program holds the file: the first learns that, and the others do not wait for it."""
    studio, tries = Studio(), 0

    class Counting(SqliteStore):
        async def settle(self, ended: Any) -> None:
            nonlocal tries
            tries += 1
            await super().settle(ended)

    async with serving(studio) as url, session_on(url, Counting(path, busy_timeout=0.1, lease=600.0)) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(6)]
        ids = await asyncio.gather(*(job.accepted() for job in jobs))
        studio.is_done = True
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        await session.get("luma", ids[0])
        assert tries == 1
        for each in ids[1:]:
            await session.get("luma", each)
        assert {(await job).state for job in jobs} == {State.COMPLETED}
        assert tries < len(jobs)
        holder.rollback()
        holder.close()
    async with session_on("http://localhost:1", SqliteStore(path)) as session:
        assert {record.state for record in await session.records()} == {State.COMPLETED}


async def test_what_was_accepted_while_the_lease_was_lost_is_followed(path: Path) -> None:
    """The ledger hears late that it runs, from one who no longer owned it: somebody follows it all the same."""
    studio, store = Studio(), Stumbling(path, lease=0.5)
    async with serving(studio) as url, session_on(url, store) as session:
        job = await session.submit("luma/uni-1", "a boat")
        while studio.made == 0:
            await asyncio.sleep(0)
        store.full = True
        assert await job.accepted() == "boat-1"
        await asyncio.sleep(0.6)  # its lease runs out
        store.full = False
        while not await session.resume():
            await asyncio.sleep(0.05)
        studio.is_done = True
        await session.get("luma", "boat-1")
        assert (await job).state is State.COMPLETED
        assert [record.state for record in await session.records()] == [State.COMPLETED]
    assert studio.made == 1


async def test_a_refusal_that_was_not_written_does_not_end_the_job(path: Path) -> None:
    """The vendor asked to wait while the disk was full; when there is space again, the job is sent."""
    vendor = Vendor(creates=[(429, {"detail": "Too many requests"}, {"Retry-After": "0.2"}), (201, body())])
    store = Stumbling(path, lease=600.0)
    async with serving(vendor) as url, session_on(url, store) as session:
        job = await session.submit("luma/uni-1", "a boat")
        while vendor.creates == 0:
            await asyncio.sleep(0)
        store.full = True
        while store.tries == 0:
            await asyncio.sleep(0)
        store.full = False
        await job.accepted()
    assert vendor.creates == 2


async def test_a_ledger_that_works_again_just_after_a_try_does_not_strand_the_job(path: Path) -> None:
    """That it is pending again could not be written, and a moment later the intent is: it is still ours to send."""

    class Flapping(SqliteStore):
        tries = 0

        async def release(self, job_id: str) -> None:
            self.tries += 1
            if self.tries <= 2:
                raise StoreError("Another process has locked it.", retryable=True)
            await super().release(job_id)

    vendor = Vendor(creates=[(429, {"detail": "Too many requests"}, {"Retry-After": "0.2"}), (201, body())])
    async with serving(vendor) as url, session_on(url, Flapping(path, lease=600.0)) as session:
        job = await session.submit("luma/uni-1", "a boat")
        async with asyncio.timeout(10.0):
            await job.accepted()
    assert vendor.creates == 2


class Late(SqliteStore):
    """Stands still before it writes an intent."""

    waits = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stands, self.goes = asyncio.Event(), asyncio.Event()

    async def intend(self, job_id: str, *more: Any) -> Any:
        if self.waits:
            self.stands.set()
            await self.goes.wait()
        return await super().intend(job_id, *more)


async def test_one_that_was_taken_over_at_the_last_moment_ends_as_it_does_there(path: Path) -> None:
    """Neither does its user hear that it failed, nor does the ledger say so while the other generates it."""
    studio, late = Studio(), Late(path, lease=0.5)
    late.waits = True
    async with serving(studio) as url, session_on(url, late) as one:
        job = await one.submit("luma/uni-1", "a boat")
        await late.stands.wait()
        ledger = one._parts.hub.ledger  # type: ignore[union-attr]
        ledger._keeping.cancel()  # type: ignore[union-attr]
        async with session_on(url, SqliteStore(path, lease=0.5)) as other:
            while not (taken_up := await other.resume()):
                await asyncio.sleep(0.05)
            provider_id = await taken_up[0].accepted()
            late.goes.set()
            await asyncio.sleep(0.1)
            assert not job.done
            ledger._keeping = asyncio.get_running_loop().create_task(ledger._keep(0.5))
            studio.is_done = True
            await other.get("luma", provider_id)
            assert (await taken_up[0]).state is (await job).state is State.COMPLETED
            assert [record.state for record in await one.records()] == [State.COMPLETED]
    assert studio.made == 1


async def test_what_was_never_written_is_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another process holds the file until the session is left: the next session knows less than this one did."""
    vendor = Vendor(reads=[(200, done())])
    async with serving(vendor) as url, session_on(url, SqliteStore(path, busy_timeout=0.05)) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert (await job).state is State.COMPLETED
    other.close()
    assert "1 changes could not be written to the ledger" in caplog.text
