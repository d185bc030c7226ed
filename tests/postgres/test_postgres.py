"""What only a server can do, or do wrong: connections that are lost, transactions that meet, notices, passwords."""

from __future__ import annotations

import asyncio
import itertools
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from postgres.proxy import Proxy
from postgres.server import Server

import aiogen
from aiogen import ConfigurationError, State, StoreError
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores import AtMost, Headroom, PostgresStore, Record, RecordQuery
from aiogen.stores.postgres import jobs, listening, schema
from aiogen.stores.postgres.database import Tx
from aiogen.testing.stores.samples import ended, record

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False)]
_NUMBERS = itertools.count()


@pytest.fixture
def name() -> str:
    """Of a namespace that nobody uses."""
    return f"test_{next(_NUMBERS)}"


@pytest.fixture
def url(server: Server) -> str:
    return server.url


@asynccontextmanager
async def opened(url: str | None, count: int, **options: Any) -> AsyncIterator[list[PostgresStore]]:
    """So many processes on one ledger."""
    async with AsyncExitStack() as stack:
        stores = [PostgresStore(url, **options) for _ in range(count)]
        for store in stores:
            stack.push_async_callback(store.close)
        await asyncio.gather(*(store.open() for store in stores))
        yield stores


async def asked(url: str, statement: str, *values: Any) -> Any:
    """What the server says, beside every store."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


def now(job_id: str, **more: Any) -> Record:
    """A job that is taken in now."""
    return record(job_id, created_at=datetime.now(UTC), read_at=None, **more)


# --- what a url says


async def test_a_url_of_libpq_opens_it(url: str, name: str) -> None:
    """What psycopg and SQLAlchemy take: the server hears nothing of what it has no parameter for."""
    said = "connect_timeout=30&gssencmode=prefer&channel_binding=prefer&client_encoding=utf8&ssl=prefer"
    more = f"fallback_application_name=x&sslsni=1&search_path={name}"
    async with opened(f"{url}?{said}&{more}".replace("postgresql:", "postgresql+psycopg:"), 1) as [store]:
        await store.add(now("a"))
        assert [each.id for each in await store.find(RecordQuery())] == ["a"]


# --- several at once


async def test_who_comes_at_the_same_time_makes_one_ledger(url: str, name: str) -> None:
    async with opened(url, 6, schema=name) as stores:
        assert len({store.namespace for store in stores}) == 1
        assert len({store.worker for store in stores}) == 6
        assert await stores[0].peers() == 5


async def test_who_only_looks_enters_no_worker_and_makes_nothing(url: str, name: str) -> None:
    reader = PostgresStore(f"{url}?search_path={name}")
    assert not await reader.open_to_read()
    await reader.close()
    assert not await asked(url, "SELECT 1 FROM pg_namespace WHERE nspname = $1", name)
    async with opened(url, 1, schema=name) as (store,):
        await store.add(now("a"))
        assert await reader.open_to_read()
        assert await reader.open_to_read()
        try:
            assert [found.id for found in await reader.find(RecordQuery())] == ["a"]
            assert (await reader.costs(RecordQuery())).count == 0
            assert reader.namespace == store.namespace
            assert await store.peers() == 0
            with pytest.raises(StoreError, match="open to be read only: close it first"):
                await reader.open()
        finally:
            await reader.close()
        await reader.open()
        assert await store.peers() == 1
        await reader.close()
        assert await store.peers() == 0


async def test_the_intent_is_the_semaphore(url: str, name: str) -> None:
    """Three processes that ask at the very same time, for an account with ten places: ten are given, not one more."""

    all_are_there = list[str]()

    async def sends(store: PostgresStore, who: str) -> int:
        mine = 0
        for i in range(12):
            await store.add(now(f"{who}{i}"))
        all_are_there.append(who)
        while len(all_are_there) < 3:
            await asyncio.sleep(0.001)
        for i in range(12):
            if mine < 10:  # its own are counted by each process itself
                mine += await store.intend(f"{who}{i}", Headroom(active=9 - mine)) == 0.0
        return mine

    async with opened(url, 3, schema=name) as stores:
        given = await asyncio.gather(*(sends(store, who) for store, who in zip(stores, "abc", strict=True)))
    assert sum(given) == 10


async def test_a_bound_is_kept_by_all_that_add_at_once(url: str, name: str) -> None:
    async def adds(store: PostgresStore, who: str) -> int:
        found = await asyncio.gather(
            *(store.add(now(f"{who}{i}"), AtMost(total=10)) for i in range(8)), return_exceptions=True
        )
        assert all(each is None or isinstance(each, aiogen.TooManyJobs) for each in found)
        return found.count(None)

    async with opened(url, 3, schema=name) as stores:
        assert sum(await asyncio.gather(*map(adds, stores, "abc"))) == 10


async def test_a_generation_is_attached_once(url: str, name: str) -> None:
    """By whichever of three processes is first."""
    async with opened(url, 3, schema=name) as stores:
        found = await asyncio.gather(
            *(store.add(now(f"job {i}", state=State.QUEUED, provider_id="v")) for i, store in enumerate(stores))
        )
        assert found.count(None) == 1


async def test_those_that_lost_their_leases_together_share_as_before(url: str, name: str) -> None:
    """The first that is back leaves the others theirs, for a while; as when the server was away."""
    async with opened(url, 2, schema=name, lease=600.0) as (first, other):
        await asyncio.gather(*(first.add(now(f"{i}")) for i in range(100)))
        assert all([await store.heartbeat() for store in (first, other)])
        await asked(url, f"DELETE FROM {name}.aiogen_worker")
        for store in (first, other):
            assert not await store.heartbeat()
            await store.open()
            assert len(await store.adopt(["a"])) == 50
        await other.close()
        first._parts._alone_at = 0.0  # type: ignore[union-attr] # for long enough
        assert len(await first.adopt(["a"])) == 50


async def test_orphans_are_shared_out(url: str, name: str) -> None:
    """Each goes to one of those that look at the same time."""
    async with opened(url, 4, schema=name) as (first, *others):
        for i in range(0, 900, 100):
            await asyncio.gather(*(first.add(now(f"job {j}")) for j in range(i, i + 100)))
        await first.close()
        taken = list[str]()
        for _ in range(9):
            for found in await asyncio.gather(*(other.adopt(["a"]) for other in others)):
                taken += [each.id for each in found]
        assert sorted(taken) == sorted(f"job {i}" for i in range(900))


async def test_ends_are_claimed_once(url: str, name: str) -> None:
    async with opened(url, 3, schema=name) as stores:
        ids = [f"job {i}" for i in range(60)]
        await asyncio.gather(*(stores[0].add(now(each, handlers=("gallery",))) for each in ids))
        await stores[0].settle([ended(each) for each in ids])
        found = await asyncio.gather(*(store.claim(["gallery"], 40) for store in stores))
        claimed = [end.id for each in found for _, end, _ in each]
        assert sorted(map(str, claimed)) == sorted(ids)


# --- what waits is written together


async def test_what_waits_goes_into_one_transaction(url: str, name: str) -> None:
    """In the order in which it was asked; what is refused, by whomever, takes no other with it."""
    async with opened(url, 1, schema=name) as (store,):
        wrong = now("refused", batch="a text with a zero: \0")
        found = await asyncio.gather(
            *(store.add(now(f"job {i}")) for i in range(50)), store.add(now("over"), AtMost(total=3)),
            *(store.intend(f"job {i}") for i in range(50)), return_exceptions=True,
        )  # fmt: skip
        assert [type(each) for each in found].count(aiogen.TooManyJobs) == 1
        assert [each for each in found if each not in (None, 0.0)] == [found[50]]
        written = await asked(url, f"SELECT count(DISTINCT xmin::text) FROM {name}.aiogen_job")
        assert written <= 3
        found = await asyncio.gather(
            *(store.add(now(f"more {i}")) for i in range(5)), store.add(wrong), return_exceptions=True
        )
        assert [type(each) for each in found] == [type(None)] * 5 + [StoreError]
        assert "refused" not in [each.id for each in await store.find(RecordQuery())]


async def test_two_that_wait_for_each_other_both_succeed(url: str, name: str) -> None:
    """Ends of the same jobs, seen by two processes in two orders."""
    async with opened(url, 2, schema=name) as (one, other):
        ids = [f"job {i}" for i in range(40)]
        for each in ids:
            await one.add(now(each))
        await asyncio.gather(
            *(one.settle([ended(each)]) for each in ids), *(other.settle([ended(each)]) for each in reversed(ids))
        )
        assert dict(await one.count(RecordQuery())) == {State.COMPLETED: 40}


# --- news


async def test_an_end_is_known_at_once(url: str, name: str) -> None:
    async with opened(url, 2, schema=name) as (one, other):
        await one.add(now("job"))
        await other.news(["job"])
        while await other.wait_for_news(0.0):
            pass
        waiting = asyncio.ensure_future(other.wait_for_news(30.0))
        await asyncio.sleep(0.2)
        await one.settle([ended("job")])
        assert await asyncio.wait_for(waiting, 5.0)
        assert (await other.news(["job"]))["job"].state is State.COMPLETED  # type: ignore[union-attr]


async def test_many_ends_are_told_in_pieces(url: str, name: str) -> None:
    """A notice of all of them would be refused, and the ends with it."""
    async with opened(url, 2, schema=name) as (one, other):
        ids = [f"job-{i:06}-{'é' * 20}" for i in range(600)]
        await asyncio.gather(*(one.add(now(each)) for each in ids))
        await other.news(ids)
        await one.settle([ended(each) for each in ids])
        assert set(await other.news([*ids, "another"])) == set(ids)
        assert await other.news(ids) == {}


async def test_what_is_written_while_nobody_hears_is_read_afterwards(url: str, name: str) -> None:
    """The listening connection is ended by the server."""
    async with opened(url, 2, schema=name) as (one, other):
        await one.add(now("job"))
        await other.news(["job"])
        await asked(
            url,
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
            "WHERE application_name = 'aiogen listens'",
        )
        await one.settle([ended("job")])
        async with asyncio.timeout(10.0):
            while "job" not in (found := await other.news(["job"])):
                await other.wait_for_news(5.0)
            assert found["job"].state is State.COMPLETED  # type: ignore[union-attr]
            while not other._parts.listener.is_live:  # type: ignore[union-attr]
                await asyncio.sleep(0.05)


async def test_without_a_connection_to_listen_it_is_looked(url: str, name: str) -> None:
    """A pool of two has none to spare; nor is one of the caller's closed."""
    async with asyncpg.create_pool(url, min_size=0, max_size=2) as pool:
        async with opened(None, 1, schema=name, pool=pool) as (one,), opened(url, 1, schema=name) as (other,):
            assert not one._parts.listener.is_live  # type: ignore[union-attr]
            await other.add(now("job"))
            assert await one.wait_for_news(5.0)
            assert "job" in await one.news(["job"])
            await one.add(now("mine"))
        assert await pool.fetchval(f"SELECT count(*) FROM {name}.aiogen_job") == 2


async def test_a_pool_with_three_has_one_that_listens(url: str, name: str) -> None:
    async with asyncpg.create_pool(url, min_size=0, max_size=3, statement_cache_size=0) as pool:
        async with opened(None, 1, schema=name, pool=pool) as (store,):
            assert store._parts.listener.is_live  # type: ignore[union-attr]
        assert await pool.fetchval("SELECT 1") == 1


async def test_only_for_others_there_is_a_notice(url: str, name: str) -> None:
    async with opened(url, 1, schema=name) as (store,):
        parts = store._parts
        assert parts is not None
        heard = list[str]()
        listening_too = await asyncpg.connect(url)
        try:
            await listening_too.add_listener(parts.channel, lambda *said: heard.append(said[-1]))

            async def told() -> int:
                await listening_too.fetchval("SELECT 1")
                return sum(not text.startswith("?") for text in heard)  # those are to oneself

            await store.add(now("alone"))
            assert await told() == 0
            async with opened(url, 1, schema=name):
                await store.add(now("accompanied"))
                assert await told() == 1
        finally:
            await listening_too.close()


# --- the server goes and comes


async def test_lost_connections_are_made_again(url: str, name: str) -> None:
    """A read succeeds, and a fact is written at the next try."""
    async with opened(url, 1, schema=name) as (store,):
        await store.add(now("job"))
        ends = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        others = f"{ends} WHERE application_name LIKE 'aiogen%'"
        await asked(url, others)
        assert await store.get("job") is not None
        await asked(url, others)
        for _ in range(3):
            with suppress(StoreError):
                await store.settle([ended("job")])
        assert (await store.get("job")).state is State.COMPLETED  # type: ignore[union-attr]
        assert await store.heartbeat()


async def only_reads(store: PostgresStore) -> None:
    """The server that its connections lead to has been replaced by another one, to which new ones lead."""
    pool = store._parts.database._pool  # type: ignore[union-attr]
    async with pool.acquire() as one, pool.acquire() as other:
        for raw in (one, other):
            await raw.execute("SET default_transaction_read_only = on")


async def test_connections_to_a_server_that_was_replaced_are_not_used_again(url: str, name: str) -> None:
    """What is asked meets one after the other, succeeds over a new one, and nobody hears of it."""
    calls: list[Callable[[PostgresStore], Awaitable[object]]] = [
        lambda store: store.add(now("another")),
        lambda store: store.intend("job", Headroom()),
        lambda store: store.heartbeat(),
        lambda store: store.acquire("account", 1, 1.0),
        lambda store: store.peers(),
        lambda store: store.wish("job"),
        lambda store: store.put_learned("model", {}, 0),
        lambda store: store.settle([ended("job")]),
    ]
    async with opened(url, 1, schema=name) as (store,):
        await store.add(now("job"))
        for call in calls:
            await only_reads(store)
            await call(store)
        assert (await store.get("job")).state is State.COMPLETED  # type: ignore[union-attr]
        assert await store.get("another") is not None


async def test_while_the_server_only_reads_jobs_wait_and_do_not_fail(url: str, name: str) -> None:
    """It says what helps if it stays so; when the primary is there, everything goes on by itself."""
    user = f"only_{name}"
    of_user = url.replace("postgres:geheim-7", user)
    await asked(url, f"CREATE ROLE {user} SUPERUSER LOGIN")
    ends = f"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = '{user}'"
    async with asyncio.timeout(120.0), Sandbox() as box:
        store = PostgresStore(of_user, schema=name, lease=2.0)
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        async with aiogen.Session([provider], store=store) as session:
            job = await session.submit("luma/uni-1", "a boat [[processing=2]]")
            await asked(url, f"ALTER ROLE {user} SET default_transaction_read_only = on")
            await asked(url, ends)
            while not session._open().hub.ledger.is_fenced(asyncio.get_running_loop().time()):
                await asyncio.sleep(0.1)
            with pytest.raises(StoreError, match=r"read-only.*use the address of the primary") as caught:
                await session.submit("luma/uni-1", "a ship")
            assert caught.value.retryable
            await asked(url, f"ALTER ROLE {user} RESET default_transaction_read_only")
            assert (await job).state is State.COMPLETED
    assert [job.prompt for job in box.jobs] == ["a boat"]


async def test_a_connection_that_hears_nothing_any_more_is_made_again(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers, as the server does that was replaced; and no pooler is blamed."""
    monkeypatch.setattr(listening, "_CHECKED_EVERY", 0.3)
    monkeypatch.setattr(listening, "_ANSWERS_WITHIN", 0.5)
    async with asyncio.timeout(60.0), opened(url, 1, schema=name) as (store,):
        listener = store._parts.listener  # type: ignore[union-attr]
        before = listener._raw
        await before.execute("UNLISTEN *")  # type: ignore[union-attr]
        while listener._raw is before or not listener.is_live:
            await asyncio.sleep(0.05)
        assert not listener._was_told


@pytest.mark.parametrize("ends", ["it was ended", "it took too long"])
async def test_a_transaction_that_is_lost_says_why(url: str, name: str, ends: str) -> None:
    """And not what the driver says of a connection that has gone back to its pool."""
    async with opened(url, 1, schema=name, timeout=1.0) as (store,):

        async def work(tx: Tx) -> None:
            of = "pg_terminate_backend(pg_backend_pid())" if ends == "it was ended" else "pg_sleep(60)"
            await tx.value(f"SELECT {of}::text")

        with pytest.raises(Exception, match=r"terminating connection|^$|closed in the middle") as caught:
            await store._parts.writer.do(work)  # type: ignore[union-attr]
        assert not isinstance(caught.value, asyncpg.InterfaceError)


async def test_what_has_been_kept_for_long_enough_is_removed(url: str, name: str) -> None:
    """But for what a handler has not heard of yet, and a named batch; of a key that is known what was paid for."""
    async with opened(url, 1, schema=name, keep_finished=0.0) as (store,):
        for each in (now("old"), now("unheard", handlers=("gallery",)), now("named", batch="b"), now("key", key="k")):
            await store.add(each)
        await store.settle([ended(each) for each in ("old", "unheard", "named", "key")])
        await asyncio.sleep(0.01)
        parts = store._parts
        assert parts is not None
        assert await parts.writer.do(jobs.purge) == 2
        assert {each.id for each in await store.find(RecordQuery())} == {"unheard", "named", "key"}
        assert (await store.get("key")).generation is None  # type: ignore[union-attr]
        assert await parts.writer.do(jobs.purge) == 0


# --- tables


async def test_tables_may_be_made_by_others(url: str, name: str) -> None:
    """With what `script` prints."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(schema.script(name))
    finally:
        await connection.close()
    async with opened(url, 1, schema=name) as (store,):
        assert await store.add(now("job")) is None


async def test_a_newer_ledger_is_left_alone(url: str, name: str) -> None:
    async with opened(url, 1, schema=name):
        await asked(url, f"UPDATE {name}.aiogen_meta SET v = '99' WHERE k = 'version'")
    with pytest.raises(StoreError, match="newer version of aiogen"):
        await PostgresStore(url, schema=name).open()
    assert await asked(url, f"SELECT v FROM {name}.aiogen_meta WHERE k = 'version'") == "99"


async def test_without_a_namespace_the_first_of_the_search_path_is_taken(url: str) -> None:
    async with opened(f"{url}?statement_cache_size=0", 1) as (store,):
        await store.add(now("job"))
        assert await asked(url, "SELECT count(*) FROM public.aiogen_job") == 1


# --- the password


async def test_the_password_is_never_shown(url: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither by the store, nor by an error, its causes and its traceback, nor in the log."""
    caplog.set_level(logging.DEBUG)
    shown = list[str]()
    nowhere = "postgresql+asyncpg://ann:geheim-7@127.0.0.1:1/none?password=geheim-7"
    for store in (
        PostgresStore(nowhere, timeout=1.0),
        PostgresStore(f"{url.removesuffix('/postgres')}/none"),
        PostgresStore(url, schema=name, listen_dsn=nowhere),
    ):
        shown.append(repr(store))
        try:
            await store.open()
            shown.append(repr(store._parts))
        except StoreError as error:
            shown += traceback.format_exception(error)
        finally:
            await store.close()
    for wrong in ("postgres://ann:geheim-7@[::1/db", "mysql://ann:geheim-7@host/db", "postgre://ann:geheim-7@host/db"):
        for make in (PostgresStore, lambda store: aiogen.Session([], store=store)):
            with pytest.raises(ConfigurationError) as caught:
                make(wrong)
            shown.append("".join(traceback.format_exception_only(caught.value)))
    assert "geheim" not in "".join(shown) + caplog.text
    assert "postgresql://ann@127.0.0.1:1/none" in "".join(shown)


async def test_a_text_that_cannot_be_kept_is_refused_and_not_shown(url: str, name: str) -> None:
    async with opened(url, 1, schema=name) as (store,):
        for prompt in ("geheim \ud800", "geheim \0"):
            with pytest.raises(StoreError) as caught:
                await store.add(now("job", prompt=prompt))
            assert "geheim" not in "".join(traceback.format_exception(caught.value))
            assert not caught.value.retryable
        assert await store.get("job") is None


async def test_nothing_of_a_person_stays(url: str, name: str) -> None:
    """In no table: not even in the one that counts how many may come in at once."""
    async with opened(url, 1, schema=name) as (store,):
        await store.add(
            now("job", scope="ann", key="ann's", prompt="ann's boat", handlers=("of ann",)), AtMost(scope=5)
        )
        await store.wish("job")
        await store.settle([ended("job")])
        assert await store.forget(RecordQuery(scope="ann")) == 1
        for table in ("job", "delivery", "lock", "wish", "spent", "budget", "learned", "meta"):
            assert await asked(url, f"SELECT count(*) FROM {name}.aiogen_{table} t WHERE t::text LIKE '%ann%'") == 0


async def test_what_could_not_be_opened_leaves_nothing_behind(url: str, name: str) -> None:
    """Neither a task nor a connection; and it may be tried again."""
    async with opened(url, 1, schema=name):
        await asked(url, f"ALTER TABLE {name}.aiogen_worker ADD CONSTRAINT short CHECK (lease < 10.0) NOT VALID")
    store = PostgresStore(url, schema=name)
    for _ in range(2):
        with pytest.raises(StoreError, match="could not be written"):
            await store.open()
    await asked(url, f"ALTER TABLE {name}.aiogen_worker DROP CONSTRAINT short")
    await store.open()
    await store.close()


async def test_what_cannot_work_is_said_with_what_helps(url: str) -> None:
    nobody = PostgresStore("postgresql://127.0.0.1:1/none", timeout=1.0)
    with pytest.raises(StoreError, match=r"could not be opened.*can be reached") as caught:
        await nobody.open()
    assert caught.value.retryable
    missing = PostgresStore(f"{url.removesuffix('/postgres')}/none")
    with pytest.raises(StoreError, match="Create the database first") as caught:
        await missing.open()
    assert not caught.value.retryable
    with pytest.raises(StoreError, match="is not open"):
        await missing.get("job")
    with pytest.raises(ConfigurationError, match="not both"):
        PostgresStore(url, pool=object())
    with pytest.raises(ConfigurationError, match="schema="):
        PostgresStore(url, schema='a"b')


# --- rows


async def test_one_row_that_cannot_be_read_hides_no_other(
    url: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in lists, nor among what is taken up, nor among the ends that handlers wait for; it is named once."""
    async with opened(url, 2, schema=name) as (store, other):
        for each in ("bad", "good"):
            await store.add(now(each, handlers=("gallery",)))
        await store.add(now("waits"))
        await store.add(now("damaged"))
        await store.settle([ended("bad"), ended("good")])
        await asked(url, f"UPDATE {name}.aiogen_job SET result = 'nonsense' WHERE id = 'bad'")
        await asked(url, f"UPDATE {name}.aiogen_job SET state = 'nonsense', reference = '{{' WHERE id = 'damaged'")
        for _ in range(2):
            assert {each.id for each in await store.find(RecordQuery())} == {"good", "waits"}
        assert set(store.unreadable) == {"bad", "damaged"}
        with pytest.raises(StoreError, match="cannot read"):
            await store.get("bad")
        assert set(await other.news(["bad", "good"])) == {"good"}
        assert [end.id for _, end, _ in await store.claim(["gallery"], 10)] == ["good"]
        await asked(url, f"UPDATE {name}.aiogen_job SET state = 'pending' WHERE id = 'damaged'")
        await store.close()
        assert [each.id for each in await other.adopt(["a"])] == ["waits"]
    assert sum("Job bad in" in each.getMessage() for each in caplog.records) == 2  # by each of the two that read it


async def test_long_lists_are_read_in_slices(url: str, name: str) -> None:
    """In order, once each; by words, too, which no index knows."""
    async with opened(url, 1, schema=name) as (store,):
        for i in range(0, 1300, 100):
            prompts = ("A boat" if j % 2 else "a car" for j in range(i, i + 100))
            await asyncio.gather(
                *(store.add(now(f"{j:04}", prompt=each)) for j, each in zip(range(i, i + 100), prompts, strict=True))
            )
        scanned = [[each.id for each in some] async for some in store.scan(RecordQuery(limit=1200))]
        assert max(map(len, scanned)) <= 500
        expected = [f"{j:04}" for j in reversed(range(1300))]
        assert [each for some in scanned for each in some] == expected[:1200]
        assert [each.id for each in await store.find(RecordQuery(limit=700))] == expected[:700]
        boats = await store.find(RecordQuery(prompt="BOAT", limit=600))
        assert [each.id for each in boats] == [each for each in expected if int(each) % 2][:600]
        assert await store.count(RecordQuery(prompt="boat")) == {State.PENDING: 650}
        assert (await store.find(RecordQuery(after=boats[-1].cursor, limit=1)))[0].id == f"{int(boats[-1].id) - 1:04}"


async def test_a_connection_that_says_nothing_any_more_is_given_up(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked now and then; what was written meanwhile is read after the next one listens."""
    monkeypatch.setattr(listening, "_CHECKED_EVERY", 0.3)
    monkeypatch.setattr(listening, "_ANSWERS_WITHIN", 0.3)
    port = int(url.rpartition(":")[2].partition("/")[0])
    async with Proxy.open(port) as proxy:
        through = url.replace(f":{port}/", f":{proxy.port}/")
        async with (
            opened(url, 1, schema=name, listen_dsn=through) as (one,),
            opened(url, 1, schema=name) as (other,),
        ):
            await other.add(now("job"))
            await one.news(["job"])
            assert one._parts.listener.is_live  # type: ignore[union-attr]
            proxy.cut()
            await other.settle([ended("job")])
            async with asyncio.timeout(20.0):
                while one._parts.listener.is_live:  # type: ignore[union-attr]
                    await asyncio.sleep(0.05)
                proxy.mend()
                while not one._parts.listener.is_live:  # type: ignore[union-attr]
                    await asyncio.sleep(0.05)
            assert (await one.news(["job"]))["job"].state is State.COMPLETED  # type: ignore[union-attr]


async def test_who_stands_still_before_a_statement_has_its_values_holds_nobody_up(url: str, name: str) -> None:
    """The server takes such a connection for a busy one, and has no limit for it."""
    async with opened(url, 2, schema=name, lease=1.0) as (one, other):
        await one.add(now("a"))
        held = await asyncpg.connect(url)
        try:
            await held.execute(f'BEGIN; SELECT * FROM "{name}".aiogen_job FOR UPDATE')
            await held.prepare(f'SELECT count(*) FROM "{name}".aiogen_job')
            adopted: list[Record] = []
            async with asyncio.timeout(20.0):
                while not adopted:
                    await asyncio.sleep(0.3)
                    await other.heartbeat()
                    adopted = await other.adopt(["a"])
            assert [each.id for each in adopted] == ["a"]
        finally:
            held.terminate()
