"""A ledger's file that moves away: when it may be closed, who is refused afterwards, and how a move is given up."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from stores.sample_ledger import NAMES, taken_in

import aiogen
from aiogen import ConfigurationError, State, StoreError
from aiogen.stores import MemoryStore, RecordQuery, SqliteStore
from aiogen.stores.base import TakenOver
from aiogen.stores.carrying import TABLES, carried
from aiogen.stores.choosing import chosen
from aiogen.stores.sqlite import closed, workers
from aiogen.stores.sqlite.closed import Stage
from aiogen.stores.sqlite.file import path_in_url
from aiogen.stores.sqlite.leaving import Source, reopen
from aiogen.stores.sqlite.schema import VERSION

pytestmark = pytest.mark.looptime(False)
TO = "postgresql://ann@db.example/jobs (public)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


async def filled(path: Path, **more: Any) -> SqliteStore:
    """Open, with a job that waits, and one that is being submitted."""
    store = SqliteStore(path, **more)
    await store.open()
    for name in (State.PENDING, State.SUBMITTING):
        await store.add(taken_in(name))
    await store.intend("job-submitting")
    return store


async def close(path: Path, move_id: str = "one") -> None:
    async with Source(path) as source:
        await source.do(lambda: source.close(move_id, TO))


async def advance(path: Path, stage: Stage, move_id: str = "one") -> None:
    async with Source(path) as source:
        await source.advance(move_id, stage)


def asked(path: Path, statement: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as c:
        return c.execute(statement, values).fetchall()


async def refused(path: Path) -> str:
    with pytest.raises(StoreError) as said:
        await SqliteStore(path).open()
    return str(said.value)


async def test_it_stays_open_while_somebody_uses_it(path: Path) -> None:
    store = await filled(path)
    with pytest.raises(StoreError, match="in use by") as said:
        await close(path)
    assert said.value.retryable
    assert store.worker in str(said.value)
    assert await store.heartbeat()
    assert await store.add(taken_in(State.QUEUED)) is None
    await store.close()
    await close(path)


async def test_the_lease_of_a_process_that_is_gone_is_not_waited_for(path: Path) -> None:
    await (await filled(path)).close()
    dead = f"{await asyncio.to_thread(workers._home)}:{2**22 + 1}:cafe.1-00"
    asked(path, "INSERT INTO aiogen_worker (id, lease_until, lease) VALUES (?, 1e12, 1e12)", dead)
    await close(path)
    assert asked(path, "SELECT * FROM aiogen_worker") == []


async def test_whoever_opens_it_afterwards_is_told_the_way_out(path: Path) -> None:
    """Whichever version it is: an older one reads a version that it does not know."""
    await (await filled(path)).close()
    await close(path)
    ((number,),) = asked(path, "SELECT v FROM aiogen_meta WHERE k = 'schema'")
    assert int(number) > VERSION
    assert len(number) < 10
    said = await refused(path)
    assert f"is being moved to {TO}, and is closed" in said
    assert f"aiogen db copy sqlite:{path} postgresql://" in said
    assert f"aiogen db reopen --store {path}" in said
    await advance(path, Stage.HANDED_OVER)
    assert "aiogen db copy" in await refused(path)
    assert "reopen" not in await refused(path)
    await advance(path, Stage.MOVED)
    assert f"was moved to {TO}: use that url as the store (AIOGEN_STORE)" in await refused(path)


async def test_what_was_being_submitted_is_unknown_and_nothing_has_an_owner(path: Path) -> None:
    await (await filled(path)).close()
    await close(path)
    assert asked(path, "SELECT id, state, owner FROM aiogen_job ORDER BY id") == [
        ("job-pending", "pending", None),
        ("job-submitting", "unknown", None),
    ]


async def test_one_that_was_stopped_with_it_open_can_do_nothing_there(path: Path) -> None:
    """Longer than its lease: it wakes up, and neither gets a new one nor sends, nor writes down what it has heard."""
    store = await filled(path)
    asked(path, "UPDATE aiogen_worker SET lease_until = 1, lease = 1")
    await close(path)
    before = asked(path, "SELECT * FROM aiogen_job")
    assert not await store.heartbeat()
    with pytest.raises(StoreError, match="it is closed: it was moved"):
        await store.open()
    with pytest.raises((StoreError, TakenOver)):
        await store.intend("job-pending")
    for write in (
        store.confirm("job-submitting", "v", State.QUEUED),
        store.add(taken_in(State.QUEUED)),
        store.release("job-submitting"),
        store.put_learned("durations", {}, 0),
    ):
        with pytest.raises(StoreError):
            await write
    assert asked(path, "SELECT * FROM aiogen_job") == before
    await store.close()


async def test_a_move_that_was_not_handed_over_is_given_up(path: Path) -> None:
    await (await filled(path)).close()
    await close(path)
    assert await reopen(path) == TO
    store = SqliteStore(path)
    await store.open()
    assert {record.id: record.state for record in await store.find(RecordQuery())} == {
        "job-pending": State.PENDING,
        "job-submitting": State.UNKNOWN,
    }
    assert await store.add(taken_in(State.QUEUED)) is None
    await store.close()
    with pytest.raises(StoreError, match="is open"):
        await reopen(path)


@pytest.mark.parametrize("stage", [Stage.HANDED_OVER, Stage.MOVED])
async def test_what_was_handed_over_is_never_opened_again(path: Path, stage: Stage) -> None:
    await (await filled(path)).close()
    await close(path)
    await advance(path, stage)
    with pytest.raises(StoreError, match="cannot be opened again"):
        await reopen(path)
    assert "jobs.db" in await refused(path)


async def test_a_move_that_was_given_up_or_begun_again_cannot_hand_over(path: Path) -> None:
    """By another process: what the first one has copied is opened nowhere."""
    await (await filled(path)).close()
    await close(path)
    async with Source(path) as source:
        before = await source.do(source.standing)
        assert before is not None
        await source.begin_again(before, "two", TO)
        with pytest.raises(StoreError, match="Another process moves"):
            await source.begin_again(before, "three", TO)
    with pytest.raises(StoreError, match="Another process moves"):
        await advance(path, Stage.HANDED_OVER, "one")
    await advance(path, Stage.HANDED_OVER, "two")
    other = path.with_name("other.db")
    await (await filled(other)).close()
    await close(other)
    await reopen(other)
    with pytest.raises(StoreError, match="has opened it again"):
        await advance(other, Stage.HANDED_OVER)


async def test_a_copy_of_another_ledger_is_not_moved(path: Path) -> None:
    """What waits in it may be sent by the other one."""
    await (await filled(path)).close()
    there = path.with_name("copy.db")
    there.write_bytes(path.read_bytes())
    with pytest.raises(StoreError, match="seems to be a copy"):
        await close(there)
    store = SqliteStore(there, adopt=True)
    await store.open()
    await store.close()
    await close(there)


async def test_names_that_a_database_cannot_keep_are_found_before_it_is_closed(path: Path) -> None:
    await (await filled(path)).close()
    asked(path, "UPDATE aiogen_job SET key = ? WHERE id = 'job-pending'", "night\0one")
    with pytest.raises(StoreError, match="'job-pending'"):
        await close(path)
    store = SqliteStore(path)
    await store.open()
    await store.close()


async def test_a_file_that_is_none(path: Path) -> None:
    async with Source(path) as source:
        with pytest.raises(StoreError, match="There is no ledger"):
            await source.do(source.standing)
    path.write_bytes(b"no database at all")
    async with Source(path) as source:
        with pytest.raises(StoreError, match="could not be moved"):
            await source.do(source.standing)
    path.unlink()
    asked(path, "CREATE TABLE mine(x)")
    async with Source(path) as source:
        assert await source.do(source.standing) is None
    with pytest.raises(StoreError, match="database of another program"):
        await close(path)


async def test_it_is_read_in_portions_and_as_it_was(path: Path) -> None:
    """Neither by too many rows at once, nor by too many bytes."""
    store = SqliteStore(path)
    await store.open()
    for name in NAMES:
        await store.add(taken_in(name))
    await store.close()
    asked(
        path, "UPDATE aiogen_job SET request = printf('%.*c', 5000000, 'x') WHERE id IN ('job-pending', 'job-failed')"
    )
    (job, *_) = TABLES
    async with Source(path) as source:
        portions = await source.do(lambda: list(source.portions(job, 0.0)))
    assert [len(some) > 0 for some in portions] == [True, True]
    assert [row[0] for some in portions for row in some] == [f"job-{name}" for name in NAMES]


def test_what_is_carried() -> None:
    """Moments by the other clock, and JSON that is damaged stays so: nobody sends what nobody wrote."""
    job, _, wish, budget, *_ = TABLES
    values = dict.fromkeys(job.columns) | {
        "id": "a", "created_at": 10.0, "finished_at": None, "prompt": "a\0b", "request": '{"a":"\udcff"}', "weight": 3,
        "result": '{"é":1}',
    }  # fmt: skip
    row = dict(zip(job.columns, carried(job, tuple(values.values()), 90.0), strict=True))
    assert (row["created_at"], row["finished_at"], row["weight"]) == (100.0, None, 3)
    assert row["prompt"] == "a\N{REPLACEMENT CHARACTER}b"
    assert row["request"].startswith("damaged: ")
    assert row["result"] == '{"é":1}'
    assert carried(wish, ("a", 1, 0, None), 90.0) == ("a", True, False, None)
    held = ("a", "requests", 0.0, 5.0, None, 2.5)
    assert carried(budget, held, 90.0) == ("a", "requests", 0.0, 95.0, None, 2.5)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("sqlite:jobs.db", "jobs.db"),
        ("sqlite:/var/jobs.db", "/var/jobs.db"),
        ("sqlite:///jobs.db", "jobs.db"),
        ("SQLite:////var/jobs.db", "/var/jobs.db"),
        ("sqlite+aiosqlite:///jobs.db", "jobs.db"),
        (" sqlite:jobs.db ", "jobs.db"),
        ("./sqlite:jobs.db", None),
        ("jobs.db", None),
        ("postgresql://host/jobs", None),
    ],
)
def test_a_file_by_its_url(name: str, path: str | None) -> None:
    assert path_in_url(name) == (None if path is None else Path(path))


@pytest.mark.parametrize(
    "name", ["sqlite:", "sqlite://", "sqlite://ann:geheim@host/jobs.db", "sqlite:jobs.db?geheim=1", "sqlite:a\0"]
)
def test_a_url_that_names_no_file_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:jobs\.db") as caught:
        path_in_url(name)
    assert "geheim" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"sqlite:jobs\.db"):
        aiogen.Session([], store=name)


def test_a_url_names_a_file_wherever_a_store_is_named(tmp_path: Path) -> None:
    """So that a program moves from a file to a database and back by changing a url."""
    for store in (chosen(f"sqlite:///{tmp_path}/a.db"), SqliteStore(f"sqlite:{tmp_path}/a.db")):
        assert isinstance(store, SqliteStore)
        assert store.path == tmp_path / "a.db"
    assert isinstance(chosen("sqlite:///:memory:"), MemoryStore)


def test_a_closed_file_that_does_not_say_why(tmp_path: Path) -> None:
    """Somebody else wrote there."""
    with closing(sqlite3.connect(tmp_path / "odd.db")) as c:
        c.execute("CREATE TABLE aiogen_meta(k, v)")
        c.execute("CREATE TABLE aiogen_file(k, v)")
        assert "does not say why" in str(closed.refusal(c, tmp_path / "odd.db"))


async def test_every_column_is_carried_or_left_behind_on_purpose(path: Path) -> None:
    """Whoever adds one to the tables decides what becomes of it in a move."""
    await (await filled(path)).close()
    left = {
        "job": {"owner", "copied", "seq"},  # nobody owns anything there; what is held is not moved; for watchers here
        "delivery": {"owner", "pause"},
        "budget": {"held_for"},
    }
    names = {name for (name,) in asked(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == {f"aiogen_{table.name}" for table in TABLES} | {"aiogen_worker", "aiogen_meta", "aiogen_file"}
    for table in TABLES:
        columns = {row[1] for row in asked(path, f"PRAGMA table_info(aiogen_{table.name})")}
        assert columns == set(table.columns) | left.get(table.name, set())
