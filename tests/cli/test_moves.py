"""`aiogen db copy` and `aiogen db reopen`, as far as they need no server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aiogen.cli.moves import Progress, counted
from aiogen.stores import SqliteStore
from aiogen.stores.sqlite.leaving import Source


@pytest.mark.parametrize(
    "words",
    [
        ("jobs.db", "postgresql://host/jobs"),
        ("postgresql://host/jobs", "sqlite:jobs.db"),
        ("sqlite:a.db", "sqlite:b.db"),
    ],
)
def test_only_from_a_file_into_a_database(aiogen: Any, words: tuple[str, str]) -> None:
    said = aiogen("db", "copy", *words)
    assert said.code == 2
    assert "aiogen db copy sqlite:jobs.db postgresql://user@host/database" in said.err
    assert ("no way back" in said.err) is words[0].startswith("postgresql:")


def test_a_server_that_is_not_there_has_closed_nothing(aiogen: Any, tmp_path: Path) -> None:
    """And the password is not shown."""
    pytest.importorskip("asyncpg")
    asyncio.run(made(path := tmp_path / "jobs.db"))
    said = aiogen("db", "copy", f"sqlite:{path}", "postgresql://ann:geheim@127.0.0.1:9/jobs")
    assert said.code == 3
    assert "postgresql://ann@127.0.0.1:9/jobs could not be opened" in said.err
    assert "geheim" not in said.out + said.err
    asyncio.run(made(path))


def test_only_a_database_is_restored_so(aiogen: Any) -> None:
    said = aiogen("db", "restored", "sqlite:jobs.db")
    assert said.code == 2
    assert "aiogen db adopt" in said.err


def test_a_name_that_is_none(aiogen: Any) -> None:
    said = aiogen("db", "copy", "sqlite:jobs.db", "postgresql://host/jobs", "--schema", "a b")
    assert said.code == 2
    assert "--schema takes a name" in said.err


@pytest.mark.parametrize("words", [("copy", "sqlite:jobs.db"), ("restored",)])
def test_two_names_of_a_schema_are_one_too_many(aiogen: Any, words: tuple[str, ...]) -> None:
    """Which is meant, nobody knows; the one in the url had been left aside without a word."""
    said = aiogen("db", *words, "postgresql://ann:geheim@127.0.0.1:9/jobs?search_path=a", "--schema", "b")
    assert said.code == 2
    assert "another schema (a) than --schema (b)" in said.err
    assert "geheim" not in said.err


def test_a_move_is_given_up(aiogen: Any, tmp_path: Path) -> None:
    """Until then every command about that ledger says what it is, and what to do."""
    path = tmp_path / "jobs.db"
    asyncio.run(made(path))
    asyncio.run(closed(path))
    said = aiogen("jobs", "--store", path)
    assert said.code == 3
    assert "is being moved to postgresql://db/jobs, and is closed" in said.err
    assert f"aiogen db reopen --store {path}" in said.err
    said = aiogen("db", "reopen", "--store", path)
    assert said.code == 0
    assert "is open again" in said.err
    assert aiogen("jobs", "--store", path).code == 0
    assert "is open" in aiogen("db", "reopen", "--store", path).err


async def made(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.close()


async def closed(path: Path) -> None:
    async with Source(path) as source:
        await source.do(lambda: source.close("one", "postgresql://db/jobs"))


def test_how_far_it_has_come_is_said_now_and_then() -> None:
    said, now = list[str](), [0.0]
    progress = Progress(said.append, lambda: now[0])
    for second in range(1, 6):
        now[0] = float(second)
        progress("job", second * 500, 20_000)
        progress("wish", 1, 2)
    assert said == ["Copied 1,000 of 20,000 jobs.", "Copied 2,000 of 20,000 jobs."]


def test_jobs_by_state() -> None:
    assert counted({"completed": 1_200, "pending": 3, "dreaming": 1}) == "3 pending, 1,200 completed, 1 dreaming"
    assert counted({}) == "no jobs"
