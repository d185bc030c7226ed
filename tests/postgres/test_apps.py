"""An application on two machines, which share a database and nothing else: whoever is asked, it is the same job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from integrations.web import MODEL, Web, whoever
from postgres.server import Server

import aiogen
from aiogen.integrations.fastapi import health, lifespan, router
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores import PostgresStore

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False), pytest.mark.no_cover, pytest.mark.timeout(60)]


@asynccontextmanager
async def machine(box: Sandbox, url: str, schema: str) -> AsyncIterator[Web]:
    """One worker of the application."""
    provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
    app = FastAPI(lifespan=lifespan([provider], store=PostgresStore(url, schema=schema, lease=2.0)))
    app.include_router(router(scope=whoever, models=[MODEL]))
    app.include_router(health())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=30) as http:
            yield Web(app, http, box)


async def test_two_machines_are_one_application(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job has one address and one key everywhere; one is stopped, and the other goes on with what it had taken in."""
    monkeypatch.chdir(tmp_path)
    async with Sandbox(speed=20.0) as box, AsyncExitStack() as first:
        one = await first.enter_async_context(machine(box, server.url, "apps"))
        async with machine(box, server.url, "apps") as other:
            assert [(await each.get("/health/ready")).status_code for each in (one, other)] == [200, 200]
            key = {"idempotency-key": "boat-1", "prefer": "wait=20"}
            # At the same time, by a client that has tried the one, and then the other.
            answers = await asyncio.gather(one.post(key), other.post(key))
            assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
            (job_id,) = {answer.json()["id"] for answer in answers}
            assert one.paid == 1
            for each in (one, other):
                found = (await each.get(f"/generations/{job_id}")).json()
                assert found["state"] == "completed"
                assert (await each.get(found["outputs"][0]["url"])).content[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0")
                assert (await each.get(f"/generations/{job_id}", user="ben")).status_code == 404
            asked = [(await one.post(prompt=f"boat {i}")).json()["id"] for i in range(4)]
            await first.aclose()
            waits = [other.get(f"/generations/{each}", {"prefer": "wait=20"}) for each in asked]
            ends = [answer.json()["state"] for answer in await asyncio.gather(*waits)]
            assert ends == ["completed"] * 4
            listed = (await other.get("/generations?state=completed")).json()
            assert {each["id"] for each in listed["items"]} == {job_id, *asked}
            assert other.paid == 5
    assert list(tmp_path.iterdir()) == []
