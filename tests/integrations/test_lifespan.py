"""One session for each worker, beside what the application opens itself; and whether the worker can work."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from integrations.web import MODEL, serving, whoever
from ledger.in_loop import files_in_the_loop
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

import aiogen
from aiogen.integrations.fastapi import SessionDep, health, lifespan, router
from aiogen.sandbox import LUMA_KEY, Sandbox, Script, Storm
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore


def test_a_ledger_in_memory_has_to_be_said() -> None:
    """What is paid for is not lost because nobody thought of it."""
    with pytest.raises(TypeError, match="store"):
        lifespan([])  # type: ignore[call-arg]
    with pytest.raises(aiogen.InputError, match=":memory:"):
        lifespan([], store=None)  # type: ignore[arg-type]


async def test_the_applications_own_lifespan_runs_inside() -> None:
    """It may use the session, what it yields is the state, and it ends first."""
    seen: list[object] = []

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        session = app.state.aiogen
        seen.append(await session.count())
        yield {"mine": 1}
        seen.append(await session.count())

    app = FastAPI(lifespan=lifespan([], store=":memory:", inner=own, poll_cost=1.0))
    for _ in range(2):
        async with app.router.lifespan_context(app) as state:
            assert state == {"mine": 1}
        assert not hasattr(app.state, "aiogen")
    assert seen == [{}, {}, {}, {}]


class Picky(BaseRoute):
    """A route of somebody's own, which takes no request but its own."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        self.paths.append(scope["path"])
        raise KeyError("tenant")


async def test_what_the_first_request_needs_is_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else everybody waits while what the routes need is made; what a route does not take at that is its own affair."""
    read: list[object] = []
    signature = inspect.signature
    picky = Picky()
    async with Sandbox() as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        app = FastAPI(lifespan=lifespan([provider], store=":memory:"))
        app.include_router(router(scope=None, models=None))
        app.router.routes.insert(0, picky)
        async with app.router.lifespan_context(app):
            assert picky.paths == ["/.aiogen"]
            app.router.routes.remove(picky)
            monkeypatch.setattr(
                inspect, "signature", lambda *args, **how: (read.append(args), signature(*args, **how))[1]
            )
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
                assert (await client.get("/generations")).json()["items"] == []
    assert read == []


async def test_routes_of_ones_own_have_the_session() -> None:
    """By its dependency."""
    async with serving() as web:

        @web.app.get("/mine")
        async def mine(session: SessionDep) -> list[str]:
            return list(session.connections)

        assert (await web.get("/mine")).json() == ["luma"]


async def test_without_a_lifespan_it_is_said() -> None:
    """503, and no internal error."""
    app = FastAPI()
    app.include_router(router(scope=whoever, models=[MODEL]))
    app.include_router(health())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http:
        answer = await http.get("/generations", headers={"x-user": "ann"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/health/ready")).status_code == 503


async def test_another_worker_finds_the_job(tmp_path: Path) -> None:
    """Two workers on one ledger: the same job, by its address and by its key, to whoever is asked."""
    with files_in_the_loop(asyncio.get_running_loop()):
        async with Sandbox() as box:
            apps = []
            for _ in range(2):
                provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
                apps.append(FastAPI(lifespan=lifespan([provider], store=tmp_path / "images.db")))
                apps[-1].include_router(router(scope=whoever, models=[MODEL]))
            one, other = apps
            async with one.router.lifespan_context(one), other.router.lifespan_context(other):
                here = httpx.AsyncClient(transport=httpx.ASGITransport(one), base_url="http://here")
                there = httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://here")
                async with here, there:
                    headers = {"x-user": "ann", "idempotency-key": "boat"}
                    asked = {"model": MODEL, "prompt": "a paper boat"}
                    made = (await here.post("/generations", json=asked, headers=headers)).json()
                    again = (await there.post("/generations", json=asked, headers=headers)).json()
                    assert again["id"] == made["id"]
                    live = asyncio.ensure_future(there.get(made["links"]["events"], headers=headers))
                    waits = headers | {"prefer": "wait=60"}
                    done = (await there.get(made["links"]["self"], headers=waits)).json()
                    assert done["state"] == "completed"
                    assert (await here.get(made["links"]["self"], headers=headers)).json() == done
                    told = re.findall(r"^id: (\w+)$", (await live).text, re.MULTILINE)
                    assert (told[0] != "completed", told[-1]) == (True, "completed")
                    assert [
                        (await each.get("/generations", headers=headers)).json()["items"] for each in (here, there)
                    ] == [
                        [done],
                        [done],
                    ]
                    picture = await there.get(done["outputs"][0]["url"], headers=headers)
                    assert picture.content.startswith(b"\x89PNG")
                    assert len(box.jobs) == 1


async def test_a_worker_is_ready_while_it_can_work() -> None:
    """Its ledger is read, and a key works; the provider is asked once for all who look."""
    async with serving() as web:
        for _ in range(5):
            answer = await web.http.get("/health/ready")
        assert (answer.status_code, answer.json()) == (
            200,
            {"status": "ok", "ledger": "ok", "connections": {"luma": "ok"}},
        )


async def test_a_worker_is_not_ready_without_a_key_that_works() -> None:
    """503, and alive all the same; it is asked again after a while."""
    async with serving(Script(storms=[Storm("401", until=30.0)])) as web:
        answer = await web.http.get("/health/ready")
        assert (answer.status_code, answer.json()["connections"]) == (503, {"luma": "key_refused"})
        assert (await web.http.get("/health/live")).status_code == 200
        await asyncio.sleep(61)
        assert (await web.http.get("/health/ready")).status_code == 200


@pytest.mark.parametrize(("fault", "says"), [("cut-before", "unreachable"), ("500", "failing")])
async def test_what_is_wrong_with_a_provider_is_told_apart(fault: str, says: str) -> None:
    """It was not reached, or it fails."""
    async with serving(Script(storms=[Storm(fault, until=3000.0)])) as web:
        answer = await web.http.get("/health/ready")
        assert (answer.status_code, answer.json()["connections"]) == (503, {"luma": says})


class Failing(MemoryStore):
    """A ledger that can be told to fail, or to hang."""

    fails = hangs = False

    async def find(self, query: RecordQuery) -> list[Record]:
        """As it is told."""
        if self.fails:
            raise aiogen.StoreError("/srv/images.db cannot be read.")
        if self.hangs:
            await asyncio.sleep(1e6)
        return await super().find(query)


async def test_a_worker_is_not_ready_without_its_ledger() -> None:
    """503 within some seconds, with no word of where the ledger is; nor do other routes say it."""
    store = Failing()
    async with serving(store=store) as web:
        store.fails = True
        answer = await web.http.get("/health/ready")
        assert (answer.status_code, answer.json()["ledger"]) == (503, "failing")
        answer = await web.get("/generations")
        assert (answer.status_code, answer.json()["code"], "/srv" in answer.text) == (503, "unavailable", False)
        store.fails, store.hangs = False, True
        assert (await web.http.get("/health/ready")).status_code == 503


class Full(SqliteStore):
    """A ledger whose disk can be full."""

    is_full = False

    async def settle(self, ended: Sequence[aiogen.Generation]) -> None:
        """As it is told."""
        if self.is_full:
            raise aiogen.StoreError("The disk is full.")
        await super().settle(ended)


async def test_a_worker_is_not_ready_while_its_ledger_is_behind(tmp_path: Path) -> None:
    """An end is known here that the ledger does not take; once it does, all is well."""
    with files_in_the_loop(asyncio.get_running_loop()):
        store = Full(tmp_path / "images.db")
        async with serving(store=store) as web:
            store.is_full = True
            await web.post({"prefer": "wait=60"})
            answer = await web.http.get("/health/ready")
            assert (answer.status_code, answer.json()["ledger"]) == (503, "behind")
            store.is_full = False
            await asyncio.sleep(60)
            assert (await web.http.get("/health/ready")).json()["ledger"] == "ok"


async def test_a_listed_model_without_a_connection_is_the_servers_fault() -> None:
    """503, and the variable of the key is not named; where any model may be asked for it is the client's."""
    async with serving(models=["leonardo/gemini-image-2"]) as web:
        answer = await web.post(model="leonardo/gemini-image-2")
        assert (answer.status_code, "KEY" in answer.text) == (503, False)
    async with serving(models=None) as web:
        answer = await web.post(model="leonardo/gemini-image-2")
        assert (answer.status_code, answer.json()["code"], "KEY" in answer.text) == (422, "unknown_model", False)
        assert (await web.post(model="nothing")).status_code == 422
        assert (await web.post()).status_code == 202


async def test_workers_that_follow_nothing_leave_it_to_one_that_does(tmp_path: Path) -> None:
    """Made there, and waited for, listed, told live and handed out here; ready also while nobody follows."""
    with files_in_the_loop(asyncio.get_running_loop()):
        async with Sandbox() as box:
            path, provider = tmp_path / "images.db", aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
            app = FastAPI(lifespan=lifespan([provider], store=path, follow=False))
            app.include_router(router(scope=whoever, models=[MODEL]))
            app.include_router(health())
            web = httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://here", headers={"x-user": "ann"}
            )
            async with app.router.lifespan_context(app), web:
                asked = {"model": MODEL, "prompt": "a paper boat"}
                waiting, withdrawn = [(await web.post("/generations", json=asked)).json() for _ in range(2)]
                answer = await web.delete(withdrawn["links"]["self"])
                assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
                await asyncio.sleep(60.0)
                answer = await web.get("/health/ready")
                ready = {"status": "ok", "ledger": "ok", "connections": {}, "followed": False}
                assert (answer.status_code, answer.json()) == (200, ready)
                assert (await web.get(waiting["links"]["self"])).json()["state"] == "pending"
                assert box.jobs == []
                async with aiogen.Session([provider], store=path):
                    live = asyncio.ensure_future(web.get(waiting["links"]["events"]))
                    done = (await web.get(waiting["links"]["self"], headers={"prefer": "wait=60"})).json()
                    assert done["state"] == "completed"
                    assert re.findall(r"^id: (\w+)$", (await live).text, re.MULTILINE)[-1] == "completed"
                    assert (await web.get("/health/ready")).json()["followed"] is True
                    picture = await web.get(done["outputs"][0]["url"])
                    assert picture.content.startswith(b"\x89PNG")
                    assert len(box.jobs) == 1
                await asyncio.sleep(3700.0)  # Luma's addresses live for an hour
                late = await web.get(done["outputs"][0]["url"])
                problem = late.json()
                assert (late.status_code, problem["code"], problem["retryable"]) == (410, "output_expired", False)
                assert "aiogen download" in problem["detail"]
