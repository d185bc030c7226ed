"""Damaged or foreign content is a StoreError that names it; the rest stays readable, and nothing of others changes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from stores.opening import opened

import aiogen
from aiogen import ConfigurationError, Generation, State, StoreError
from aiogen.exchange import Submission
from aiogen.models import Typical
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)

WISH = Submission(
    model="uni-1", kind="image", prompt="a boat", endpoint="generations", body={"prompt": "a boat"}, timeout=90.0,
    typical=Typical(median=30.0),
)  # fmt: skip


def record(job_id: str, **more: Any) -> Record:
    fields = {"connection": "luma", "provider": "luma", "account": "a", "state": State.PENDING, "submission": WISH}
    return Record(id=job_id, created_at=datetime.now(UTC), **(fields | more))


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


# --- rows

ROWS = {
    "half of a request": "request = '{half'",
    "a request without a part": "request = '{}'",
    "a request that is a list": "request = '[]'",
    "a request of many brackets": f"request = '{'[' * 100_000}'",
    "no text": "batch = CAST(x'ff' AS TEXT)",
    "no text in an id": "id = CAST(x'62ff' AS TEXT)",
    "an unheard-of state": "state = 'dreaming'",
    "a moment that never was": "created_at = 1e300",
    "a result that is none": "result = '{\"state\": 7}'",
}


@pytest.mark.parametrize("damage", ROWS.values(), ids=ROWS)
async def test_one_row_that_cannot_be_read_hides_no_other(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named once, by whatever call it is met, and however often."""
    async with opened(path) as store:
        for job_id in "abc":
            await store.add(record(job_id, provider_id=f"v-{job_id}"))
    changed(path, f"UPDATE aiogen_job SET {damage} WHERE id = 'b'")
    async with opened(path) as store:
        for _ in range(2):
            assert [each.id for each in await store.find(RecordQuery(with_request=True))] == ["c", "a"]
            some = RecordQuery(ids=["a", "b"], with_request=True)
            assert [each.id for each in await store.find(some)] == ["a"]
            slices = store.scan(RecordQuery(with_request=True))
            assert [each.id async for part in slices for each in part] == ["c", "a"]
            bare = [each.id for each in await store.find(RecordQuery())]
            assert bare == (["c", "b", "a"] if "request =" in damage else ["c", "a"])  # what is not read harms nobody
            assert {each.id for each in await store.by_provider_id("a", ["v-a", "v-b", "v-c"])} == {"a", "c"}
            assert {each.id for each in await store.adopt(["a"])} in ({"a", "c"}, set())
        assert len(store.unreadable) == 1
        assert caplog.text.count("cannot be read") == 1
        if "id =" not in damage:
            with pytest.raises(StoreError, match=r"contains a row that this version cannot read: job b") as caught:
                await store.get("b")
            assert str(path) in str(caught.value)


async def test_many_such_rows_are_not_said_one_by_one(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first few are enough to see what is the matter."""
    async with opened(path) as store:
        await asyncio.gather(*(store.add(record(f"{i}")) for i in range(50)))
        changed(path, "UPDATE aiogen_job SET request = '{'")
        assert await store.find(RecordQuery(with_request=True)) == []
        assert len(store.unreadable) == 50
    assert len(caplog.records) == 21


async def test_an_unknown_one_that_cannot_be_read_cannot_be_decided_about(path: Path) -> None:
    """Nothing is changed then."""
    async with opened(path) as store:
        await store.add(record("a"))
        await store.intend("a")
        await store.mark_unknown("a")
        changed(path, "UPDATE aiogen_job SET request = '{half'")
        with pytest.raises(StoreError, match="job a"):
            await store.reopen("a")
        assert [each[0] for each in _rows(path, "SELECT state FROM aiogen_job")] == ["unknown"]


def _rows(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize(
    "value", ["'{half'", "CAST(x'ff' AS TEXT)", f"'{'[' * 100_000}'"], ids=["half", "bytes", "deep"]
)
async def test_what_was_learned_may_be_damaged(path: Path, value: str) -> None:
    """A StoreError, which the session takes for nothing learned."""
    async with opened(path) as store:
        version = await store.put_learned("durations", {"seen": 1}, 0)
        changed(path, f"UPDATE aiogen_learned SET value = {value}")
        with pytest.raises(StoreError, match="cannot read"):
            await store.get_learned("durations")
        # What nobody can read is written over; its version is not given to another value.
        again = await store.put_learned("durations", {"seen": 2}, 0)
        assert again not in (0, version)
        assert await store.get_learned("durations", version) == ({"seen": 2}, again)


async def test_the_command_says_how_many(path: Path) -> None:
    """And shows all others."""
    async with opened(path) as store:
        for job_id in "abc":
            await store.add(record(job_id))
        await store.settle(
            [Generation(id="c", provider_id="v", provider="luma", connection="luma", model="m", state=State.COMPLETED)]
        )
    changed(path, "UPDATE aiogen_job SET metadata = '{half' WHERE id = 'b'")
    for option in ([], ["--json"]):
        command = [sys.executable, "-m", "aiogen", "jobs", "--store", str(path), *option]
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        assert ran.returncode == 0
        assert "1 job in" in ran.stderr
        assert "cannot be read, and is not shown" in ran.stderr
        assert len(ran.stdout.splitlines()) == 2
    assert json.loads(ran.stdout.splitlines()[0])["id"] == "c"


# --- files

META = "CREATE TABLE aiogen_meta(k, v)"
FOREIGN: dict[str, tuple[list[str], str]] = {
    "tables": (["CREATE TABLE invoice(total)"], "use another file"),
    "a view": (["CREATE VIEW v AS SELECT 1"], "use another file"),
    "an application": (["PRAGMA application_id = 77"], "use another file"),
    "no version": ([META], "does not say its version"),
    "no columns": (["CREATE TABLE aiogen_meta(z)"], "no such column"),
    "version as a number": ([META, "INSERT INTO aiogen_meta VALUES ('schema', 99)"], "does not say its version"),
    "version as nothing": ([META, "INSERT INTO aiogen_meta VALUES ('schema', NULL)"], "does not say its version"),
    "version as bytes": ([META, "INSERT INTO aiogen_meta VALUES ('schema', x'32')"], "does not say its version"),
    "version as no text": (
        [META, "INSERT INTO aiogen_meta VALUES ('schema', CAST(x'ff' AS TEXT))"],
        "does not say its version",
    ),
    "version zero": ([META, "INSERT INTO aiogen_meta VALUES ('schema', '0')"], "does not say its version"),
    "version squared": ([META, "INSERT INTO aiogen_meta VALUES ('schema', '²')"], "does not say its version"),
    "version for ever": (
        [META, f"INSERT INTO aiogen_meta VALUES ('schema', '{'9' * 5000}')"],
        "does not say its version",
    ),
    "other tables": (
        [META, "INSERT INTO aiogen_meta VALUES ('schema', '1')", "CREATE TABLE aiogen_job(x)"],
        "has different tables from those of version 1",
    ),
}


@pytest.mark.parametrize("journal", ["DELETE", "WAL", "WAL left behind"])
@pytest.mark.parametrize(("statements", "says"), FOREIGN.values(), ids=FOREIGN)
async def test_a_database_of_something_else_is_not_changed(
    path: Path, statements: list[str], says: str, journal: str
) -> None:
    """In no byte; nor does anything appear beside it."""
    if journal == "WAL left behind":
        died = path.with_name("died.db")
        connection = sqlite3.connect(died)
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        for suffix in ("", "-wal"):
            path.with_name(path.name + suffix).write_bytes(died.with_name(died.name + suffix).read_bytes())
        connection.close()
        died.unlink()
    else:
        changed(path, f"PRAGMA journal_mode = {journal}", *statements)
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(StoreError, match=says) as caught:
        await SqliteStore(path).open()
    assert str(path) in str(caught.value)
    after = {each: each.read_bytes() for each in path.parent.iterdir() if not each.name.endswith("-shm")}
    assert after == before


def fifo(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(os.name != "posix", reason="kinds of files")
@pytest.mark.parametrize("make", [fifo, a_socket, a_device])
async def test_what_is_no_ordinary_file_is_not_opened(path: Path, make: Callable[[Path], None]) -> None:
    """To open a pipe would never end."""
    make(path)
    async with asyncio.timeout(10.0):
        with pytest.raises(StoreError, match="not an ordinary file"):
            await SqliteStore(path).open()


@pytest.mark.parametrize("path", ["", "a\0b", 5, 1.5, ["aiogen.db"], "mysql://host/db"], ids=repr)
def test_what_is_no_path_is_said_at_once(path: Any) -> None:
    """Also by the session."""
    for make in (SqliteStore, lambda store: aiogen.Session([], store=store)):
        with pytest.raises(ConfigurationError, match="The store"):
            make(path)


async def test_a_path_may_be_bytes(path: Path) -> None:
    """As the system has it."""
    async with opened(os.fsencode(path)) as store:  # type: ignore[arg-type]
        assert store.path == path


async def test_one_whose_maker_died_at_once_is_begun_again(path: Path) -> None:
    """It left a journal and nothing else."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE t(x)")
    journal = path.with_name(path.name + "-journal")
    left = journal.read_bytes() if journal.exists() else b""
    connection.rollback()
    connection.close()
    path.write_bytes(b"")
    journal.write_bytes(left or b"\0" * 512)
    async with opened(path) as store:
        await store.add(record("a"))
