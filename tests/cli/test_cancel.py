"""The command cancel: what is not sent is withdrawn, and what runs is stopped where the provider can."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import aiogen
from aiogen import State
from aiogen.stores.base import Record
from aiogen.stores.sqlite import SqliteStore


@pytest.fixture
def left(vendors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Leave a job in a ledger, as a program that has ended does; our id."""
    path = tmp_path / "jobs.db"
    monkeypatch.setenv("AIOGEN_STORE", str(path))
    luma = aiogen.Luma(api_key=os.environ["LUMA_AGENTS_API_KEY"])

    async def leave(state: State) -> str:
        store = SqliteStore(path)
        await store.open()
        job_id = f"0c7f7f5e-0000-4222-8333-{len(state):012}"
        submission = luma.encode(luma.prepare("uni-1", "a boat", {}))
        await store.add(
            Record(
                id=job_id, connection="luma", provider="luma", account=luma.account, state=State.PENDING,
                submission=submission, timeout=60.0, created_at=datetime.now(UTC),
            )
        )  # fmt: skip
        if state is not State.PENDING:
            await store.intend(job_id)
        if state is State.QUEUED:
            await store.confirm(job_id, "d290f1ee-6c54-4b01-90e6-d701748f0851", state)
        if state is State.UNKNOWN:
            await store.mark_unknown(job_id)
        await store.close()
        return job_id

    return lambda state: asyncio.run(leave(state))


def test_what_waits_is_withdrawn(aiogen: Any, vendors: Any, left: Any) -> None:
    """Nothing is sent, and the ledger says so."""
    job_id = left(State.PENDING)
    said = aiogen("cancel", job_id)
    assert (said.code, said.out.split()) == (0, ["withdrawn", job_id])
    assert [record["state"] for record in aiogen("jobs", "--json").records] == ["cancelled"]
    assert vendors.jobs == []
    said = aiogen("cancel", job_id, "--json")
    assert (said.code, said.records) == (0, [{"job_id": job_id, "cancellation": "ended", "error": None}])


def test_what_runs_where_nothing_can_be_stopped(aiogen: Any, left: Any) -> None:
    """It is said that it goes on."""
    job_id = left(State.QUEUED)
    said = aiogen("cancel", job_id)
    assert said.code != 0
    assert "Luma has no API call that cancels a generation" in said.err
    assert said.out == ""


def test_what_is_unknown_is_not_called_cancelled(aiogen: Any, left: Any) -> None:
    """Nobody can know whether it runs."""
    said = aiogen("cancel", left(State.UNKNOWN))
    assert said.code == 6
    assert "It is not known whether luma accepted job" in said.err


@pytest.mark.parametrize(("word", "what"), [("0c7f7f5e", "only the beginning"), ("nothing", "There is no job nothing")])
def test_ids_that_name_no_job(aiogen: Any, left: Any, word: str, what: str) -> None:
    """A beginning is not enough for what cannot be undone."""
    left(State.PENDING)
    said = aiogen("cancel", word)
    assert said.code == 2
    assert what in said.err


@pytest.mark.parametrize("seconds", ["0", "-1", "soon"])
def test_seconds_that_cannot_be(aiogen: Any, left: Any, seconds: str) -> None:
    """Nothing is asked of anybody."""
    said = aiogen("cancel", left(State.PENDING), "--timeout", seconds)
    assert said.code == 2
    assert "--timeout" in said.err
    assert [record["state"] for record in aiogen("jobs", "--json").records] == ["pending"]
