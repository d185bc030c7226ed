"""The answer to a commit is lost: what was said to have failed does not stand, and what is owned is followed."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest import mock

import pytest
from postgres.server import Server
from postgres.test_postgres import asked, now, opened

from aiogen import State, StoreError
from aiogen.stores import PostgresStore, RecordQuery
from aiogen.stores.base import Follows
from aiogen.testing.stores.samples import ended

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False)]
_NUMBERS = itertools.count()


@pytest.fixture
def name() -> str:
    return f"doubts_{next(_NUMBERS)}"


@contextmanager
def away(store: PostgresStore) -> Iterator[None]:
    """Nobody answers what only reads, either."""
    assert store._parts is not None
    with mock.patch.object(store._parts.database, "run", side_effect=ConnectionRefusedError("nobody there")):
        yield


@contextmanager
def lost_commit(store: PostgresStore, *, arrives: bool) -> Iterator[None]:
    """The connection is lost at the commit, which has arrived or has not."""
    assert store._parts is not None
    here = store._parts.database
    transaction = here.transaction

    @asynccontextmanager
    async def lost(**how: Any) -> AsyncIterator[Any]:
        error = ConnectionResetError("at the commit")
        try:
            async with transaction(**how) as tx:
                yield tx
                if not arrives:
                    raise error
        finally:
            tx.is_in_doubt = True
        raise error

    with mock.patch.object(here, "transaction", lost):
        yield


@contextmanager
def cut(store: PostgresStore, *, arrives: bool) -> Iterator[None]:
    """The same, and whoever asked gets an error."""
    with lost_commit(store, arrives=arrives), pytest.raises(StoreError) as caught:
        yield
    assert caught.value.retryable


arrives = pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "does not arrive"])


@arrives
async def test_what_was_said_not_to_be_taken_in_is_not_sent_later(server: Server, name: str, arrives: bool) -> None:
    """Not by the next process either; the same under a key is one job, which somebody follows."""
    async with opened(server.url, 1, schema=name) as (store,):
        with cut(store, arrives=arrives), away(store):
            await store.add(now("plain", handlers=("gallery",)))
        with cut(store, arrives=arrives), away(store):
            await store.add(now("keyed", key="k"))
        assert await asked(server.url, f"SELECT count(*) FROM {name}.aiogen_job") == 2 * arrives
        assert await store.heartbeat()
        assert [record.id for record in await store.find(RecordQuery())] == ["keyed"] * arrives
        assert (await store.add(now("keyed", key="k")) is not None) is arrives
        assert [record.id for record in await store.adopt(["a"])] == ["keyed"] * arrives
        assert await store.intend("keyed") == 0.0


@arrives
async def test_what_was_taken_up_unheard_is_taken_up_again(server: Server, name: str, arrives: bool) -> None:
    """By the next look, of this process or another; what was reopened, too."""
    async with opened(server.url, 2, schema=name) as (store, other):
        for job_id in ("left", "lost"):
            await other.add(now(job_id))
        await other.intend("lost")
        await other.mark_unknown("lost")
        await other.close()
        with cut(store, arrives=arrives):
            await store.adopt(["a"])
        assert [record.id for record in await store.adopt(["a"])] == ["left"]
        with cut(store, arrives=arrives):
            await store.reopen("lost")
        found = await store.adopt(["a"])
        assert [record.id for record in found] == ["lost"] * arrives
        assert (await store.reopen("lost") is None) is arrives
        assert await store.adopt(["a"]) == []


@arrives
async def test_handlers_are_told_though_a_claim_or_its_answer_was_lost(
    server: Server, name: str, arrives: bool
) -> None:
    async with opened(server.url, 1, schema=name) as (store,):
        for job_id in ("a", "b"):
            await store.add(now(job_id, handlers=("gallery",)))
            await store.settle([ended(job_id)])
        with cut(store, arrives=arrives):
            await store.claim(["gallery"], 10)
        assert await store.heartbeat()
        assert sorted((end.id, attempt) for _, end, attempt in await store.claim(["gallery"], 10)) == [
            ("a", 1),
            ("b", 1),
        ]
        for job_id, again in (("a", None), ("b", 0.0)):
            with cut(store, arrives=arrives):
                await store.ack(job_id, "gallery", again)
        assert await store.heartbeat()
        assert [(end.id, attempt) for _, end, attempt in await store.claim(["gallery"], 10)] == [("b", 2)]


async def test_what_another_life_had_in_doubt_is_nobodys(server: Server, name: str) -> None:
    """And so taken up like all else; the jobs of this life are left alone."""
    async with opened(server.url, 2, schema=name) as (store, other):
        await other.add(now("left"))
        await other.close()
        with cut(store, arrives=True):
            await store.adopt(["a"])
        await asked(server.url, f"DELETE FROM {name}.aiogen_worker")
        assert not await store.heartbeat()
        await store.open()
        assert [record.id for record in await store.adopt(["a"])] == ["left"]
        assert await store.heartbeat()
        kept = await store.get("left")
        assert kept is not None
        assert (kept.state, kept.owner) == (State.PENDING, store.worker)


@pytest.mark.parametrize("follows", Follows)
async def test_what_is_there_although_the_commit_was_not_answered_was_taken_in(
    server: Server, name: str, follows: Follows
) -> None:
    """The server says so over another connection: nothing has failed, nothing is undone, and it is sent once."""
    async with opened(server.url, 1, schema=name) as (other,):
        store = PostgresStore(server.url, schema=name)
        await store.open(follows)
        try:
            with lost_commit(store, arrives=True):
                assert await store.add(now("plain")) is None
            assert await store.heartbeat()
            found = await store.get("plain")
            assert found is not None
            assert found.owner == (None if follows is Follows.NOTHING else store.worker)
            assert len(await other.adopt(["a"])) == (follows is Follows.NOTHING)
            with cut(store, arrives=False):
                await store.add(now("failed"))
            assert await store.heartbeat()
            assert await store.get("failed") is None
        finally:
            await store.close()
