"""A ledger behind PgBouncer in transaction mode, where no statement finds what an earlier one left in its session."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator

import pytest
from postgres.pooler import pooling, program
from postgres.server import Server
from postgres.test_postgres import now, opened

import aiogen
from aiogen import State
from aiogen.stores import AtMost, Headroom, PostgresStore
from aiogen.testing.stores.samples import ended

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.looptime(False),
    pytest.mark.skipif(program() is None, reason="no pgbouncer here: apt-get install pgbouncer"),
]
_NUMBERS = itertools.count()
ACCOUNTS = ("a",)


@pytest.fixture(scope="module")
def pooled(server: Server) -> Iterator[str]:
    """Three sessions of the server for all that come this way."""
    with pooling(server.port, sessions=3) as port:
        yield server.url.replace(f":{server.port}/", f":{port}/")


@pytest.fixture
def name() -> str:
    return f"pooled_{next(_NUMBERS)}"


async def test_three_processes_share_three_sessions(pooled: str, server: Server, name: str) -> None:
    """Tables, locks, bounds, leases: what a transaction needs is in it.  Ends are heard past the pooler."""
    url = f"{pooled}?statement_cache_size=0"
    async with opened(url, 3, schema=name, listen_dsn=server.url) as stores:
        assert len({store.namespace for store in stores}) == 1
        found = await asyncio.gather(
            *(store.add(now(f"{who}{i}"), AtMost(total=24)) for store, who in zip(stores, "abc", strict=True)
              for i in range(10)),
            return_exceptions=True,
        )  # fmt: skip
        assert found.count(None) == 24
        assert sum(isinstance(each, aiogen.TooManyJobs) for each in found) == 6
        added = [
            (store, f"{who}{i}") for store, who in zip(stores, "abc", strict=True) for i in range(10)
            if await store.get(f"{who}{i}") is not None
        ]  # fmt: skip
        given = dict.fromkeys(stores, 0)

        async def sends(store: PostgresStore, job_id: str) -> None:
            given[store] += await store.intend(job_id, Headroom(active=9 - given[store])) == 0.0

        for turn in itertools.zip_longest(*([each for each in added if each[0] is store] for store in stores)):
            await asyncio.gather(*(sends(*each) for each in turn if each is not None))
        assert sum(given.values()) == 10
        assert all(await asyncio.gather(*(store.heartbeat() for store in stores)))
        assert all(store._parts.listener.is_live for store in stores)  # type: ignore[union-attr]
        first, *others = stores
        await asyncio.gather(*(other.news([added[0][1]]) for other in others))
        await first.settle([ended(added[0][1])])
        for other in others:
            async with asyncio.timeout(60.0):
                while added[0][1] not in (await other.news([added[0][1]])):
                    await other.wait_for_news(10.0)
        await first.close()
        assert len(await others[0].adopt(ACCOUNTS)) + len(await others[1].adopt(ACCOUNTS)) > 0


async def test_without_a_direct_connection_it_is_looked(
    pooled: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can listen there, which is found out and said once; ends are known all the same."""
    caplog.set_level(logging.WARNING, "aiogen")
    async with opened(pooled, 2, schema=name, statement_cache_size=0) as (one, other):
        await one.add(now("job"))
        await other.news(["job"])
        await one.settle([ended("job")])
        async with asyncio.timeout(60.0):
            while not (found := await other.news(["job"])):
                await other.wait_for_news(10.0)
        assert found["job"] is not None
        assert found["job"].state is State.COMPLETED
        assert not other._parts.listener.is_live  # type: ignore[union-attr]
    said = [each.getMessage() for each in caplog.records if "listen_dsn" in each.getMessage()]
    assert len(said) == 2  # by each of the two
