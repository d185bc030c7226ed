"""Jobs that a session before left behind, in number."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from serving import Vendor, body, luma, serving

import aiogen
from aiogen._ledger.learned import LearnedModels
from aiogen.stores import Record, SqliteStore


async def left_behind(provider: aiogen.Luma, path: Path, count: int) -> None:
    """Generations that run, and nobody follows."""
    store, now = SqliteStore(path), datetime.now(UTC)
    submission = provider.encode(provider.prepare("uni-1", "a boat", {}))
    await store.open()
    for _ in range(count):
        await store.add(
            Record(
                id=str(uuid4()), connection="luma", provider="luma", account=provider.account, provider_id=str(uuid4()),
                state=aiogen.State.QUEUED, submission=submission, timeout=3600.0, created_at=now, accepted_at=now,
            )
        )  # fmt: skip
    await store.close()


async def test_their_duration_model_is_loaded_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made from nothing it takes long, in one turn of the loop, and knows nothing of what was learned before."""
    known, was_there = LearnedModels.of, list[bool]()

    def noting(models: LearnedModels, *args: Any) -> Any:
        was_there.append(models.known(*args) is not None)
        return known(models, *args)

    monkeypatch.setattr(LearnedModels, "of", noting)
    async with serving(Vendor(reads=[(200, body("processing"))])) as url:
        provider = luma(url)
        await left_behind(provider, tmp_path / "jobs.db", 12)
        async with aiogen.Session([provider], store=tmp_path / "jobs.db") as session:
            assert len(await session.resume()) == 12
    assert was_there
    assert all(was_there)
