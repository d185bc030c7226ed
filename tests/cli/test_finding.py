"""The first eight characters of an id, ours or the vendor's: enough to read, never to delete, resend or forget."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aiogen import InputError
from aiogen.cli.finding import provider_ids, whole_only
from aiogen.models import State
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore

OURS, THEIRS = "a3b068c0-adb9-42d5-95ea-a33ef047bf19", "670f2f62-a561-4ca1-a2db-103152e8192b"
OTHER = "670f2f62-0000-4ca1-a2db-103152e8192b"


def record(job_id: str, provider_id: str | None, *, connection: str = "luma", state: State = State.QUEUED) -> Record:
    return Record(
        id=job_id, connection=connection, provider=connection, account="a", state=state, provider_id=provider_id,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


async def kept(tmp_path: Path, *records: Record) -> SqliteStore:
    store = SqliteStore(tmp_path / "jobs.db")
    await store.open()
    for each in records:
        await store.add(each)
    await store.close()
    return store


async def meant(store: SqliteStore | None, *words: str, connection: str = "luma") -> tuple[list[str], list[str]]:
    echoed: list[str] = []
    return await provider_ids(store, connection, words, echoed.append), echoed


@pytest.mark.parametrize("word", [OURS, OURS[:8], OURS[:13], THEIRS[:8], THEIRS[:20]])
async def test_the_beginning_of_either_id_is_enough_and_is_echoed_in_full(tmp_path: Path, word: str) -> None:
    store = await kept(tmp_path, record(OURS, THEIRS))
    ids, echoed = await meant(store, word, THEIRS)
    assert ids == [THEIRS]
    assert echoed == [f"{word} is {THEIRS} at luma, job {OURS}."]


@pytest.mark.parametrize("word", [THEIRS, THEIRS[:7], "12345678", "x" * 200, "%_%_%_%_", OURS[:8].upper()])
async def test_what_the_ledger_does_not_know_means_itself(tmp_path: Path, word: str) -> None:
    store = await kept(tmp_path, record(OURS, THEIRS))
    assert await meant(store, word) == ([word], [])
    assert await meant(None, word) == ([word], [])


async def test_what_fits_several_is_refused_with_all_of_them(tmp_path: Path) -> None:
    store = await kept(tmp_path, record(OURS, THEIRS), record("b", OTHER))
    with pytest.raises(InputError, match="beginning of several ids") as refused:
        await meant(store, THEIRS[:8])
    assert THEIRS in str(refused.value)
    assert OTHER in str(refused.value)
    assert (await meant(store, THEIRS[:10]))[0] == [THEIRS]


async def test_of_many_that_fit_some_are_named(tmp_path: Path) -> None:
    store = await kept(tmp_path, *(record(f"job-number-{i}", f"v{i}") for i in range(9)))
    with pytest.raises(InputError, match=r", …\. Type more of it"):
        await meant(store, "job-number")


async def test_one_generation_under_two_jobs_is_one(tmp_path: Path) -> None:
    store = await kept(tmp_path, record(OURS, THEIRS), record("b", THEIRS))
    assert (await meant(store, THEIRS[:8]))[0] == [THEIRS]


async def test_a_whole_id_is_not_the_beginning_of_a_longer_one(tmp_path: Path) -> None:
    store = await kept(tmp_path, record("a", "12345678"), record("b", "123456789"))
    assert await meant(store, "12345678") == (["12345678"], [])


async def test_an_id_at_another_connection_is_said_to_be_there(tmp_path: Path) -> None:
    store = await kept(tmp_path, record(OURS, THEIRS))
    with pytest.raises(InputError, match="is at luma, not at leonardo"):
        await meant(store, OURS[:8], connection="leonardo")
    assert await meant(store, "x" * 8, THEIRS, connection="leonardo") == (["x" * 8, THEIRS], [])


@pytest.mark.parametrize(("state", "step"), [(State.PENDING, "resume"), (State.UNKNOWN, "reconcile")])
async def test_a_job_that_has_no_id_at_the_vendor_cannot_be_read_there(tmp_path: Path, state: State, step: str) -> None:
    store = await kept(tmp_path, record(OURS, None, state=state))
    with pytest.raises(InputError, match=f"See: aiogen {step}"):
        await meant(store, OURS[:8])


@pytest.mark.parametrize("word", [OURS[:8], THEIRS[:12], "0123abcd", "0123abcd-", "0123ABCD-0123"])
async def test_what_cannot_be_undone_wants_it_whole(tmp_path: Path, word: str) -> None:
    """Also of an id that nobody knows, if it looks like the beginning of one."""
    store = await kept(tmp_path, record(OURS, THEIRS))
    with pytest.raises(InputError, match="forget needs the whole id"):
        await whole_only(store, [OURS, word], "forget")


@pytest.mark.parametrize("word", [OURS, THEIRS, "x", "short", "12345678-not-hex", "x" * 200])
async def test_what_may_be_whole_is_let_through(tmp_path: Path, word: str) -> None:
    await whole_only(await kept(tmp_path, record(OURS, THEIRS)), [word], "delete")
    await whole_only(None, [word], "delete")


async def test_a_ledger_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"nothing of the kind" * 100)
    assert await meant(SqliteStore(tmp_path / "jobs.db"), OURS, THEIRS[:8]) == ([OURS, THEIRS[:8]], [])


@pytest.mark.parametrize("file", [True, False])
async def test_stores_find_by_the_beginning_of_an_id(tmp_path: Path, file: bool) -> None:
    store: Any = SqliteStore(tmp_path / "jobs.db") if file else MemoryStore()
    await store.open()
    for each in (record("a%b", "12"), record("axb", None), record("c", "a%")):
        await store.add(each)
    assert {each.id for each in await store.find(RecordQuery(prefix="a%"))} == {"a%b", "c"}
    assert {each.id for each in await store.find(RecordQuery(prefix="a"))} == {"a%b", "axb", "c"}
    assert [each.id for each in await store.find(RecordQuery(prefix="12"))] == ["a%b"]
    await store.close()


# --- the commands


def test_get_wait_and_download_take_what_jobs_tells(aiogen, vendors, tmp_path: Path) -> None:
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download").code == 0
    [known] = aiogen("jobs", "--json").records
    for words in (("get", "luma"), ("wait", "luma", "--out", tmp_path / "a"), ("download", "luma", "--out", tmp_path)):
        for word in (known["id"][:8], known["provider_id"][:8], known["id"]):
            said = aiogen(*words, word, "--json")
            assert (said.code, said.records[0]["provider_id"]) == (0, known["provider_id"])
            assert f"{word} is {known['provider_id']} at luma" in said.err
    assert len(list(tmp_path.glob("**/*.png"))) == 2


def test_delete_resend_and_forget_want_it_whole_and_change_nothing(aiogen, vendors) -> None:
    assert aiogen("generate", "leonardo/lucid-origin", "a boat", "--no-download").code == 0
    [known] = aiogen("jobs", "--json").records
    for words in (
        ("delete", "leonardo", known["provider_id"][:8], "--yes"),
        ("delete", "leonardo", known["id"][:8], "--yes"),
        ("forget", known["id"][:8]),
        ("reconcile", known["id"][:8], "--resend", "--yes"),
        ("reconcile", known["id"][:8], "--adopt", known["provider_id"]),
    ):
        said = aiogen(*words)
        assert (said.code, said.out) == (2, "")
        assert "needs the whole id" in said.err
        assert known["id"] in said.err or known["provider_id"] in said.err
    assert vendors.jobs[0].deleted_at is None
    assert len(aiogen("jobs", "--json").records) == 1


def test_reading_makes_no_ledger_and_minds_no_damaged_one(aiogen, vendors, tmp_path: Path, monkeypatch) -> None:
    [made] = vendors.make("a boat [[processing=0]]")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "none"))
    assert aiogen("get", "leonardo", made).code == 0
    assert not list(tmp_path.iterdir())
    sqlite3.connect(tmp_path / "foreign.db").execute("CREATE TABLE mine (x)").connection.close()
    assert aiogen("get", "leonardo", made, "--store", tmp_path / "foreign.db").code == 0
    assert aiogen("get", "leonardo", made, "--store", "postgresql://nowhere/db").code == 0
    assert aiogen("get", "leonardo", made, "--store", ":memory:").code == 0
