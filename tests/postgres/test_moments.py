"""A server's clock that was set back, as by a standby that takes over: the tests of the ledger in a file, unchanged."""

from __future__ import annotations

import itertools

import pytest
from postgres.server import Server
from postgres.server_ledger import kill
from stores import test_moments as of_files
from stores.test_moments import *  # noqa: F403 - all of its tests

from aiogen.stores.base import Store
from aiogen.stores.postgres import jobs
from aiogen.stores.postgres.store import PostgresStore

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False)]
_NUMBERS = itertools.count()


class Ledger(of_files.Ledger):
    """A namespace in a database, a clock, and one process after the other."""

    portions = "aiogen.stores.postgres.moments._ROWS"

    def __init__(self, url: str, clock: of_files.Clock) -> None:
        self.url, self.clock, self.name = url, clock, f"moments_{next(_NUMBERS)}"

    def make(self) -> Store:
        return PostgresStore(self.url, schema=self.name, lease=of_files.LEASE, keep_finished=of_files.KEEP)

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
    return clock


@pytest.fixture
def ledger(server: Server, clock: of_files.Clock) -> Ledger:
    return Ledger(server.url, clock)
