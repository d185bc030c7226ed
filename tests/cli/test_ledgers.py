"""A ledger in a database, as far as it needs no server: what is said where it cannot be used, and never a password."""

from __future__ import annotations

import asyncio
import inspect
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import aiogen as package
from aiogen import ConfigurationError, InputError
from aiogen.cli import ledgers, options
from aiogen.cli.app import app
from aiogen.cli.options import Connected
from aiogen.stores import MemoryStore, PostgresStore, SqliteStore

AWAY = "postgresql://ann:geheim@127.0.0.1:9/jobs"
"""Nothing answers there."""
SAID = "The ledger postgresql://ann@127.0.0.1:9/jobs could not be opened: "
HELPS = "Check that the server runs and can be reached from here."
JOB = "9c81ead1-d2ab-4510-9392-5513a5b26c4f"

NEED_IT = (
    ("generate", "luma/uni-1", "a boat", "--no-download"),
    ("batch", "list.txt", "--model", "luma/uni-1"),
    ("jobs",),
    ("costs",),
    ("resume",),
    ("retry", JOB),
    ("cancel", JOB),
    ("cancel", "--batch", "boats"),
    ("reconcile",),
    ("reconcile", JOB, "--resend", "--yes"),
    ("forget", JOB),
    ("forget", "--batch", "boats", "--yes"),
    ("report", "boats"),
    ("mark", JOB),
    ("cleanup", "leonardo", "--marked"),
    ("worker",),
)
DO_WITHOUT = (
    ("get", "luma", "no-such-id"),
    ("wait", "leonardo", "ID"),
    ("download", "luma", "no-such-id"),
    ("delete", "leonardo", "ID", "--yes"),
    ("list", "leonardo"),
    ("models", "luma"),
    ("account",),
    ("doctor",),
)
OF_FILES = (("db", "adopt"), ("db", "reopen"))


def test_every_command_that_takes_a_ledger_is_tried_here() -> None:
    tried = {words[0] for words in (*NEED_IT, *DO_WITHOUT)}
    commands = {
        name: inspect.signature(app[name].default_command).parameters
        for name in app
        if not name.startswith("-") and app[name].default_command is not None
    }
    assert tried == {
        name
        for name, parameters in commands.items()
        if "common" in parameters and isinstance(parameters["common"].default, Connected)
    }


@pytest.mark.parametrize("words", NEED_IT, ids=" ".join)
def test_a_server_that_is_not_there(
    aiogen: Any, vendors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """The way out is said, nothing is sent, and no traceback and no JSON has the password."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("a boat\n")
    monkeypatch.setenv("AIOGEN_STORE", AWAY)
    monkeypatch.setenv("AIOGEN_DEBUG", "1")
    said = aiogen(*words, "--json")
    assert said.code == 3
    *trace, last = said.err.splitlines()
    assert last.startswith(f"aiogen: {SAID}")
    assert last.endswith(HELPS)
    assert any(line.startswith("Traceback") for line in trace)
    assert "geheim" not in said.out + said.err
    assert vendors.jobs == []


class Silent:
    """Something that takes every connection and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.url = f"postgresql://ann:geheim@127.0.0.1:{self._socket.getsockname()[1]}/jobs"

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._socket, *self._connections):
            each.close()

    def taken(self) -> int:
        """How many connections there were so far: they wait in the kernel."""
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._connections.append(self._socket.accept()[0])
        return len(self._connections)


@pytest.mark.parametrize("words", NEED_IT, ids=" ".join)
def test_a_server_that_says_nothing_is_waited_for_once(
    aiogen: Any, vendors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """By each command, however many of its steps need the ledger; and it is said what is wrong."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("a boat\n")
    for seconds in ("_WAITED_FOR", "_ANSWERS_WITHIN"):
        monkeypatch.setattr(options, seconds, 0.2)
    with Silent() as server:
        monkeypatch.setenv("AIOGEN_STORE", server.url)
        said = aiogen(*words)
        assert (said.code, server.taken()) == (3, 1)
    assert "what listens there does not answer as PostgreSQL does" in said.err
    assert "geheim" not in said.out + said.err
    assert vendors.jobs == []


@pytest.mark.parametrize("words", DO_WITHOUT[:-1], ids=" ".join)
def test_what_only_asks_the_provider_does_without(aiogen: Any, vendors: Any, words: tuple[str, ...]) -> None:
    made = vendors.make("a boat")[0] if "ID" in words else ""
    said = aiogen(*(made if word == "ID" else word for word in words), "--store", AWAY)
    assert said.code == (5 if "no-such-id" in words else 0)
    assert "geheim" not in said.out + said.err
    if words[0] in ("get", "wait", "download", "models"):
        assert said.err.count(SAID) == 1  # what was looked for there is not found


def test_doctor_says_what_is_wrong_with_it(aiogen: Any, vendors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = aiogen("doctor", "--store", AWAY)
    assert said.code == 3
    assert said.out.splitlines()[-1] == "ledger\t-\tpostgresql://ann@127.0.0.1:9/jobs\tfails: cannot be used"
    assert f"aiogen: ledger: {SAID}" in said.err
    kept = aiogen("doctor", "--json", "--store", AWAY).records[0]["ledger"]
    assert (kept["path"], kept["works"]) == ("postgresql://ann@127.0.0.1:9/jobs", False)
    assert kept["error"].endswith(HELPS)


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("postgresql://ann:ge/heim@host/jobs", "postgresql://…"),
        ("postgresql://ann:geheim@host/jobs?statement_cache_size=x", "postgresql://…"),
        ("mysql://ann:geheim@host/jobs", "mysql://…"),
    ],
)
def test_a_url_that_is_none_is_not_shown(aiogen: Any, vendors: Any, named: str, shown: str) -> None:
    for words in (("jobs",), ("get", "luma", "x"), ("doctor",), ("generate", "luma/uni-1", "a boat")):
        said = aiogen(*words, "--store", named)
        assert said.code == (5 if words[0] == "get" else 3)
        assert "heim" not in said.out + said.err
    said = aiogen("doctor", "--json", "--store", named)
    assert said.records[0]["ledger"]["path"] == shown
    assert said.records[0]["ledger"]["error"]
    assert "heim" not in said.out + said.err


def test_a_url_is_called_by_the_name_that_it_was_given_by(aiogen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "aiogen: --store takes postgresql://" in aiogen("jobs", "--store", "postgresql://a:b/c@d").err
    monkeypatch.setenv("AIOGEN_STORE", "postgresql://a:b/c@d")
    assert "aiogen: AIOGEN_STORE= takes postgresql://" in aiogen("jobs").err


def test_a_url_in_the_wrong_place_is_quoted_without_its_password(aiogen: Any) -> None:
    said = aiogen("jobs", AWAY)
    assert said.code == 2
    assert "postgresql://ann:…@127.0.0.1:9/jobs" in said.err
    for words in (("jobs", "postgresql://ann:ge/heim@host/db"), ("jobs", "postgresql://host/db?a=b&password=geheim")):
        assert "heim" not in aiogen(*words).err


def test_without_the_driver_it_is_said_what_to_install(
    aiogen: Any, vendors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(vars(package.stores), "PostgresStore", raising=False)
    for name in [name for name in sys.modules if name.startswith("aiogen.stores.postgres.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for words in (("jobs",), ("generate", "luma/uni-1", "a boat"), ("worker",)):
        said = aiogen(*words, "--store", AWAY)
        assert said.code == 3
        assert said.err == ('aiogen: A ledger in PostgreSQL needs asyncpg: pip install "aiogen-sdk[postgres]".\n')
    said = aiogen("doctor", "--store", AWAY)
    assert said.code == 3
    assert said.out.splitlines()[-1] == "ledger\t-\tpostgresql://…\tfails: cannot be used"
    assert "pip install" in said.err
    assert aiogen("list", "leonardo", "--store", AWAY).code == 0
    assert aiogen("models", "luma", "--store", AWAY).code == 0


@pytest.mark.parametrize("words", OF_FILES, ids=" ".join)
def test_what_is_only_for_files_says_so(aiogen: Any, words: tuple[str, ...]) -> None:
    """Nobody is asked for that."""
    said = aiogen(*words, "--store", AWAY)
    assert said.code == 2
    assert "is about a ledger in a file, and postgresql://ann@127.0.0.1:9/jobs is a database" in said.err
    assert "geheim" not in said.err
    assert {"adopt": "aiogen db restored postgresql://", "reopen": "--store FILE"}[words[1]] in said.err


# --- how it is named


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (None, []),
        ("", []),
        (":memory:", []),
        ("my boats.db", ["--store", "my boats.db"]),
        ("postgresql://ann@host/jobs", ["--store", "postgresql://ann@host/jobs"]),
        (
            "postgresql+asyncpg://ann:geheim@host:6432/jobs?search_path=x&password=geheim",
            ["--store", "postgresql://ann:…@host:6432/jobs?search_path=x&password=…"],
        ),
    ],
)
def test_other_commands_are_led_to_the_same_ledger(named: str | None, words: list[str]) -> None:
    assert ledgers.words(named) == words


def test_where_the_environment_names_a_url_no_command_has_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOGEN_STORE", AWAY)
    assert ledgers.words(AWAY) == []
    assert ledgers.words("postgresql://host/other") == ["--store", "postgresql://host/other"]


def test_a_place_is_for_people() -> None:
    assert ledgers.place(SqliteStore("a.db")) == "a.db"
    assert ledgers.place(PostgresStore(f"{AWAY}?search_path=x")) == "postgresql://ann@127.0.0.1:9/jobs (x)"
    assert ledgers.place(MemoryStore()).startswith("<")


def test_only_a_file_has_a_path() -> None:
    store = SqliteStore("a.db")
    assert ledgers.in_a_file(store, "") is store
    with pytest.raises(InputError, match=r"is a database\. Else this"):
        ledgers.in_a_file(PostgresStore(AWAY), "Else this")


def test_a_url_that_cannot_be_read_is_refused_before_it_is_used() -> None:
    with pytest.raises(ConfigurationError, match="--store takes"):
        ledgers.checked("postgresql://a:b/c@d")
    assert ledgers.words("postgresql://a:b/c@d") == []


def test_a_file_is_there_or_not(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "jobs.db")

    async def look() -> list[bool]:
        before = await ledgers.is_there(store)
        async with ledgers.reading(store) as is_open:
            return [before, is_open, await ledgers.is_there(store)]

    assert asyncio.run(look()) == [False, True, True]
