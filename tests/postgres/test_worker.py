"""`aiogen worker` on a database: what is taken in on other machines is made."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from cli import conftest as cli
from postgres.server import Server

from aiogen import Session
from aiogen.stores import PostgresStore

plain, often, vendors, aiogen = cli.plain, cli.often, cli.vendors, cli.aiogen

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False), pytest.mark.no_cover, pytest.mark.timeout(60)]


def test_what_is_taken_in_elsewhere_is_made(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aiogen: Any,
    vendors: cli.Vendors,
) -> None:
    monkeypatch.setenv("AIOGEN_STORE", f"{server.url}?search_path=worked")

    async def ask() -> str:
        async with Session(store=PostgresStore(server.url, schema="worked"), follow=False) as session:
            try:
                return (await session.generate("luma/uni-1", "a boat")).state
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

    async def beside() -> str:
        return await asyncio.to_thread(asyncio.run, ask())

    async def made() -> None:
        store = PostgresStore(server.url, schema="worked")
        await store.open()
        await store.close()

    asyncio.run(made())
    asking = asyncio.run_coroutine_threadsafe(beside(), vendors._loop)
    said = aiogen("worker", "--health", tmp_path / "health")
    assert asking.result(10) == "completed"
    assert said.code == 0
    assert said.err.startswith("Follows the jobs of postgresql://postgres@127.0.0.1:")
    assert "(worked) at luma" in said.err
    assert "geheim" not in said.out + said.err
    assert len(vendors.jobs) == 1
    assert not (tmp_path / "health").exists()
