"""The time of a ledger in a database is the server's: two machines whose clocks differ agree on it.

The tests of the ledger in a file, unchanged; and what a job that changes hands is told, in real time.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest
from postgres.server import Server
from stores import test_clocks as of_files
from stores.test_clocks import (
    test_they_have_the_same_leases,  # noqa: F401
    test_they_have_the_same_window,  # noqa: F401
    test_they_read_the_same_ages,  # noqa: F401
)
from wrong_clocks import wrong_clock

import aiogen
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores.base import Store
from aiogen.stores.postgres.store import PostgresStore

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False)]
_NUMBERS = itertools.count()
SHORT = 3.0
"""Seconds that a job may take; whatever is said of time here leaves the machine half a minute, a third of what a clock
is wrong by."""


class Ledger(of_files.Ledger):
    """A namespace in a database."""

    def __init__(self, url: str) -> None:
        self.url, self.name = url, f"clocks_{next(_NUMBERS)}"

    def make(self) -> Store:
        return PostgresStore(self.url, schema=self.name, lease=of_files.LEASE)

    async def lease_ends(self) -> list[float]:
        connection = await asyncpg.connect(self.url)
        try:
            return [row[0] for row in await connection.fetch(f"SELECT lease_until FROM {self.name}.aiogen_worker")]
        finally:
            await connection.close()


@pytest.fixture
def ledger(server: Server) -> Ledger:
    return Ledger(server.url)


@asynccontextmanager
async def session_on(box: Sandbox, ledger: Ledger, wrong: float = 0.0) -> AsyncIterator[aiogen.Session]:
    """Its clock is wrong by so many seconds."""
    provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
    with wrong_clock(wrong):
        session = aiogen.Session([provider], store=ledger.make())
        await session.__aenter__()
    try:
        yield session
    finally:
        await session.close()


@pytest.mark.timeout(90)
@of_files.wrong_by
async def test_a_job_that_changes_hands_keeps_its_deadline_and_its_age(ledger: Ledger, wrong: float) -> None:
    """Its deadline is counted from when it was accepted, by neither process's clock; so is for how long it ran."""
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(80.0), Sandbox() as box:
        async with session_on(box, ledger) as session, session_on(box, ledger, wrong) as watches:
            asked_at = clock()
            late = await session.submit("luma/uni-1", "a boat [[processing=1000]]", timeout=SHORT)
            long = await session.submit("luma/uni-1", "a car [[processing=2]]", timeout=300.0)
            seen = await watches.job(late.id)
            assert seen is not None
            await late.accepted()
            accepted_at = clock()  # or earlier, but not before it was asked for
            with pytest.raises(aiogen.GenerationTimeout):
                await seen
            assert asked_at + SHORT - 0.5 < clock() < accepted_at + SHORT + 30.0
            over = await long
            assert over.accepted_at is not None
            assert over.finished_at is not None
            ran = over.finished_at - over.accepted_at
            theirs = await watches.job(long.id)
            assert theirs is not None
            read = await theirs
            assert read.accepted_at is not None
            assert read.finished_at is not None
            assert abs((read.finished_at - read.accepted_at) - ran) < timedelta(seconds=30)
            stays = await session.submit("luma/uni-1", "a boat [[processing=1000]]", timeout=300.0)
            await stays.accepted()
        async with session_on(box, ledger, wrong) as session:
            (taken_up,) = [job for job in await session.resume() if job.id == stays.id]
            assert 300.0 - 30.0 < taken_up.timeout <= 300.0
