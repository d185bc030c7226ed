"""`webhook_router`: the vendors' calls in a FastAPI application, from whoever sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger.in_loop import files_in_the_loop
from starlette.requests import ClientDisconnect

import aiogen
from aiogen.integrations.fastapi import lifespan, webhook_router
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, Sandbox
from aiogen.stores.base import RecordQuery

SECRET = "the-callback-secret"
MODEL = "leonardo/gemini-image-2"
BEARER = {"authorization": f"Bearer {SECRET}"}
ID = "00000000-0000-4000-8000-000000000001"
ACCEPTED, NOT_AUTHORIZED = (200, "ok\n"), (401, "not authorized\n")


@attrs.frozen
class Web:
    """A worker's application, without a server around it."""

    app: FastAPI
    http: httpx.AsyncClient
    box: Sandbox

    @property
    def session(self) -> aiogen.Session:
        session: aiogen.Session = self.app.state.aiogen
        return session

    def counts(self, connection: str = "leonardo") -> dict[str, int]:
        found: dict[str, int] = self.app.state.aiogen_webhooks.counts(connection)
        return found

    async def call(
        self, provider_id: str | None = ID, connection: str = "leonardo", secret: str = SECRET, content: Any = None
    ) -> tuple[int, str]:
        """A call like Leonardo's, unless it says otherwise."""
        event = {"object": "generation", "data": {"object": {"id": provider_id, "status": "COMPLETE"}}}
        answer = await self.http.post(
            f"/webhooks/{connection}",
            content=json.dumps(event).encode() if content is None else content,
            headers={"authorization": f"Bearer {secret}"},
        )
        return answer.status_code, answer.text


def application(box: Sandbox, store: Any, secrets: Any = None, **options: Any) -> FastAPI:
    """With two accounts at Leonardo, and one at Luma, which makes no calls."""
    providers = [
        aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url, typical_seconds={"gemini-image-2": 3000.0}),
        aiogen.Leonardo(name="second", api_key=LEONARDO_KEY + "2", base_url=box.leonardo_url),
        aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url),
    ]
    app = FastAPI(lifespan=lifespan(providers, store=store))
    app.include_router(webhook_router(secrets or {"leonardo": SECRET, "second": "another-secret"}, **options))
    return app


@asynccontextmanager
async def serving(*, workers: int = 1, store: Any = ":memory:", **options: Any) -> AsyncIterator[list[Web]]:
    """So many workers of one application."""
    async with AsyncExitStack() as stack:
        stack.enter_context(files_in_the_loop(asyncio.get_running_loop()))
        box = await stack.enter_async_context(Sandbox())
        found = []
        for _ in range(workers):
            app = application(box, store, **options)
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")
            found.append(Web(app, await stack.enter_async_context(client), box))
        yield found


async def runs(web: Web) -> tuple[aiogen.Job, str]:
    """A picture that is over, of which nobody knows so yet; and the vendor's id of it."""
    job = await web.session.submit(MODEL, "a boat [[processing=95]]", timeout=3000.0)
    provider_id = await job.accepted()
    while asyncio.get_running_loop().time() < web.box.jobs[-1].ends_at:
        await asyncio.sleep(0.5)
    assert not job.done
    return job, provider_id


async def test_a_call_has_its_job_asked_about_at_once() -> None:
    async with serving() as [web]:
        job, provider_id = await runs(web)
        assert await web.call(provider_id) == ACCEPTED
        await asyncio.wait_for(job, 1.0)
        assert web.counts() == {"hint": 1, "followed": 1}
        assert job.state is aiogen.State.COMPLETED


async def test_any_worker_may_be_called(tmp_path: Path) -> None:
    """Another one owns the job, and hears of it through the ledger."""
    async with serving(workers=2, store=tmp_path / "images.db") as [web, other]:
        job, provider_id = await runs(web)
        assert await other.call(provider_id) == ACCEPTED
        await asyncio.wait_for(job, 1.0)
        assert (web.counts(), other.counts()) == ({}, {"hint": 1, "followed": 1})


async def test_each_connection_has_its_own_secret() -> None:
    async with serving() as [web]:
        assert await web.call(connection="second", secret="another-secret") == ACCEPTED
        assert await web.call(connection="second") == NOT_AUTHORIZED
        assert await web.call(secret="another-secret") == NOT_AUTHORIZED
        assert await web.call(connection="luma") == NOT_AUTHORIZED
        assert await web.call(connection="a..b%00") == NOT_AUTHORIZED
        assert (web.counts(), web.counts("second")) == ({"forged": 1}, {"hint": 1, "forged": 1})


async def test_two_answers_and_no_third() -> None:
    """Whatever it is about, whatever it is."""
    async with serving() as [web]:
        for content in (b"", b"\xff", b"[]", b"{" * 100_000, b"x" * 70_000):
            assert await web.call(content=content) == ACCEPTED
        assert await web.call(None) == await web.call("nonsense") == await web.call(ID) == ACCEPTED
        assert await web.call(secret="") == await web.call(secret="no") == NOT_AUTHORIZED
        assert (await web.http.get("/webhooks/leonardo")).status_code == 405
        assert "/webhooks/{connection}" not in web.app.openapi()["paths"]


async def test_a_large_body_is_not_read() -> None:
    given_so_far = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal given_so_far
        for _ in range(1000):
            given_so_far += 1000
            yield b"x" * 1000

    async with serving(max_body_bytes=5000) as [web]:
        answer = await web.http.post("/webhooks/leonardo", content=chunks(), headers=BEARER)
        assert (answer.status_code, answer.text) == ACCEPTED
        assert given_so_far <= 6000
        assert web.counts() == {"too large": 1}


async def test_the_answer_waits_for_nothing() -> None:
    """Not for the ledger, which does not answer, and not for the vendor."""
    async with serving() as [web]:
        web.session.store.wake = asyncio.Event().wait  # type: ignore[method-assign, assignment]
        began = asyncio.get_running_loop().time()
        for _ in range(20):
            assert await web.call() == ACCEPTED
        assert asyncio.get_running_loop().time() - began < 0.1


async def test_a_client_that_goes_away_is_no_error() -> None:
    """In the middle of its body."""
    async with serving() as [web]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        messages = iter(
            [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}],
        )

        async def receive() -> Any:
            return next(messages)

        scope = {
            "type": "http", "method": "POST", "path": "/webhooks/leonardo", "raw_path": b"", "query_string": b"",
            "headers": [(b"authorization", f"Bearer {SECRET}".encode())], "http_version": "1.1", "scheme": "http",
        }  # fmt: skip
        try:
            await web.app(scope, receive, send)
        except ClientDisconnect:
            pytest.fail("it ends in an error")
        assert web.counts() == {"unreadable": 1}


async def test_what_is_set_up_wrongly_is_said_when_the_application_starts() -> None:
    async with Sandbox() as box:
        for secrets, why in (
            ({"luma": SECRET}, "leave 'luma' out"),
            ({"lenardo": SECRET}, "no connection"),
            ({"leonardo": ""}, "is empty"),
        ):
            app = application(box, ":memory:", secrets)
            with pytest.raises(aiogen.ConfigurationError, match=why):
                async with app.router.lifespan_context(app):
                    pytest.fail("it has started")
        app = FastAPI()
        app.include_router(webhook_router({"leonardo": SECRET}))
        with pytest.raises(aiogen.SessionClosed, match="has no session"):
            async with app.router.lifespan_context(app):
                pytest.fail("it has started")


def test_options_that_cannot_be_right() -> None:
    for options in ({"max_body_bytes": 10}, {"lifespan": None}):
        with pytest.raises(aiogen.InputError):
            webhook_router({"leonardo": SECRET}, **options)
    for secrets in ("leonardo", ["leonardo"]):
        with pytest.raises(aiogen.InputError, match="mapping"):
            webhook_router(secrets)  # type: ignore[arg-type]


async def test_mounted_and_stopped() -> None:
    """An application inside another, whose lifespan nobody runs; and one that is being stopped."""
    async with serving() as [web]:
        inner = FastAPI()
        inner.state.aiogen = web.session
        inner.include_router(webhook_router({"leonardo": SECRET}, prefix=""))
        outer = FastAPI()
        outer.mount("/inner", inner)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://here") as http:
            assert (await http.post("/inner/leonardo", headers=BEARER)).status_code == 200
            del inner.state.aiogen
            stopped = await http.post("/inner/leonardo", headers=BEARER)
            assert (stopped.status_code, stopped.text) == (503, "unavailable\n")


async def test_the_code_of_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The program for FastAPI in docs/webhooks.md, as it stands there."""
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    program = page.split("```python\n")[1].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEONARDO_WEBHOOK_SECRET", SECRET)
    names: dict[str, Any] = {"__name__": "backend"}
    with files_in_the_loop(asyncio.get_running_loop()):
        async with Sandbox() as box:
            for name, value in box.environment.items():
                monkeypatch.setenv(name, value)
            exec(compile(program, "backend.py", "exec"), names)
            app = names["app"]
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http,
            ):
                web = Web(app, http, box)
                assert await web.call() == ACCEPTED
                assert await web.call(secret="no") == NOT_AUTHORIZED
                assert web.counts() == {"hint": 1, "forged": 1}


# --- whatever strangers send

NAMES = st.sampled_from(
    ["authorization", "Authorization", "content-length", "content-type", "webhook-id", "webhook-signature", "x"]
) | st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True)
VALUES = st.sampled_from([f"Bearer {SECRET}", f"bearer  {SECRET}", "Bearer", "Bearer \xff"]) | st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6) | st.just([("authorization", f"Bearer {SECRET}")])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20) | st.just("ID"),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.sampled_from(["object", "data", "id", "status", "type", "apiKey"]) | st.text(max_size=8), inside
        )
    ),
    max_leaves=20,
)


LIKE_IT = st.fixed_dictionaries(
    {"object": st.just("generation"), "data": st.fixed_dictionaries({"object": st.fixed_dictionaries(
        {"id": st.just("ID"), "status": st.sampled_from(["COMPLETE", "FAILED"]) | JSON},
        optional={"images": JSON, "apiKey": JSON},
    )})},
    optional={"type": JSON, "timestamp": JSON},
)  # fmt: skip


def about(job_id: str, value: Any) -> bytes:
    """JSON, in which some texts are the id of a job that runs."""
    return json.dumps(value).replace('"ID"', json.dumps(job_id)).encode("utf-8", "surrogatepass")


async def test_whatever_is_sent_is_answered_and_settles_nothing() -> None:
    """Bytes and headers of any kind, to the plain function and to the route: one of the two answers, and no news.

    Somebody among them has the secret, and names a job that runs: it is asked about, and goes on.
    """
    async with serving() as [web]:
        job = await web.session.submit(MODEL, "a boat [[processing=100000]]", timeout=1e6)
        provider_id = await job.accepted()
        records = await web.session.store.find(RecordQuery())
        webhooks = web.app.state.aiogen_webhooks
        examples: list[tuple[bytes, list[tuple[str, str]], str]] = []

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(
            st.binary(max_size=200) | st.builds(about, st.just(provider_id), JSON | LIKE_IT),
            HEADERS,
            st.sampled_from(["leonardo", "second", "luma"]) | st.from_regex(r"[ -.0-~]{1,30}", fullmatch=True),
        )
        def collect(body: bytes, headers: list[tuple[str, str]], connection: str) -> None:
            examples.append((body, headers, connection))

        collect()
        proved = [("authorization", f"Bearer {SECRET}")]
        genuine = {"object": "generation", "data": {"object": {"id": "ID", "status": "COMPLETE"}}}
        examples += [  # one of each kind for certain
            (about(provider_id, genuine), proved, "leonardo"),
            (about(provider_id, genuine), [("authorization", "Bearer guess")], "leonardo"),
            (about(provider_id, genuine), [], "leonardo"),
            (b"[", proved, "leonardo"),
        ]
        for body, headers, connection in examples:
            plain = webhooks.handle(connection, body, dict(headers))
            assert (plain.status, plain.text) in (ACCEPTED, NOT_AUTHORIZED)
            scope = {
                "type": "http", "method": "POST", "path": f"/webhooks/{connection}", "query_string": b"",
                "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
                "http_version": "1.1", "scheme": "http",
            }  # fmt: skip
            status = await status_of(web.app, scope, body)
            assert status in (200, 401) or (status == 404 and "/" in connection)
        await asyncio.sleep(30.0)
        assert job.state in (aiogen.State.QUEUED, aiogen.State.PROCESSING)
        after = await web.session.store.find(RecordQuery())
        assert [(each.id, each.generation) for each in after] == [(each.id, each.generation) for each in records]
        assert len(web.box.jobs) == 1
        assert {"hint", "followed", "forged", "missing", "unreadable"} <= set(web.counts())


async def status_of(app: FastAPI, scope: dict[str, Any], body: bytes) -> int:
    """What the application answers, asked without a client that would refuse such headers."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    status: int = sent[0]["status"]
    return status
