"""A server's clock that was set back, as by a standby that takes over: the tests of the ledger in a file, unchanged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from postgres.server import Server
from postgres.server_ledger import kill
from stores import test_moments as of_files
from stores.test_moments import *  # noqa: F403 - all of its tests

from aiogen.stores.base import Store
from aiogen.stores.postgres import jobs
from aiogen.stores.postgres.moments import ServerClock, Set
from aiogen.stores.postgres.store import PostgresStore

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False)]
_NAME = "moments"
"""Of the namespace of all these tests."""


class Ledger(of_files.Ledger):
    """A namespace in a database, a clock, and one process after the other."""

    portions = "aiogen.stores.postgres.moments._ROWS"

    def __init__(self, url: str, clock: of_files.Clock) -> None:
        self.url, self.clock, self._is_empty = url, clock, False

    @asynccontextmanager
    async def opened(self, *, is_killed: bool = False) -> AsyncIterator[Store]:
        if not self._is_empty:
            await self._empty()
            self._is_empty = True
        async with super().opened(is_killed=is_killed) as store:
            yield store

    async def _empty(self) -> None:
        """Leave nothing of the test before: to make the tables takes longer than most tests."""
        connection = await asyncpg.connect(self.url)
        try:
            tables = await connection.fetch(
                "SELECT format('DELETE FROM %I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname = $1 AND tablename != 'aiogen_meta'",
                _NAME,
            )
            if tables:  # before the first test there are none
                await connection.execute("; ".join(row[0] for row in tables))
        finally:
            await connection.close()

    def make(self) -> Store:
        return PostgresStore(self.url, schema=_NAME, lease=of_files.LEASE, keep_finished=of_files.KEEP)

    async def kill(self, store: Store) -> None:
        await kill(store)

    async def purge(self, store: Store) -> None:
        assert isinstance(store, PostgresStore)
        assert store._parts is not None
        await store.heartbeat()
        await store._parts.writer.do(jobs.purge)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> of_files.Clock:
    clock = of_files.Clock()
    monkeypatch.setattr("aiogen.stores.postgres.sql.now", lambda: f"{clock.now!r}::float8")
    monkeypatch.setattr("aiogen.stores.postgres.opened.steady", lambda: clock.steady)
    return clock


@pytest.fixture
def ledger(server: Server, clock: of_files.Clock) -> Ledger:
    return Ledger(server.url, clock)


async def test_a_clock_that_is_set_forward_ends_nobodys_lease(ledger: Ledger, clock: of_files.Clock) -> None:
    """Each sees that it renewed its own in time, and leaves the others a lease to see the same; then the dead go."""
    async with ledger.opened() as one, ledger.opened() as other, ledger.opened(is_killed=True) as dead:
        stores = {"one": one, "other": other, "dead": dead}
        for name, store in stores.items():
            await store.add(ledger.record(name))
            assert await store.heartbeat()
        clock.now += of_files.HOUR
        assert await one.heartbeat()
        assert await other.heartbeat()
        assert [await store.adopt(["a"]) for store in (one, other)] == [[], []]
        assert await one.peers() == 1
        for _ in range(3):
            clock.passes(0.4 * of_files.LEASE)
            assert all([await store.heartbeat() for store in (one, other)])
        assert [each.id for each in await one.adopt(["a"])] == ["dead"]
        assert not await dead.heartbeat()


@pytest.mark.parametrize(
    ("now", "was_set"),
    [(1010.0, None), (1009.4, None), (1009.2, Set.BACK), (1010.6, None), (1010.8, Set.FORWARD), (4610.0, Set.FORWARD)],
)
def test_a_clock_that_was_set_is_told_from_an_answer_that_took_long(now: float, was_set: Set | None) -> None:
    """It was asked and heard of at 10.0 and 10.2 before, and said 1000.0; now at 20.0 and 20.2."""
    clock = ServerClock()
    assert clock.was_set(1000.0, 10.0, 10.2) is None
    assert clock.was_set(now, 20.0, 20.2) is was_set
