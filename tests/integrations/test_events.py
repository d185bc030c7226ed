"""Live events of the router: over real HTTP, from a server in the test's own loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from integrations.web import MODEL, Web, serving, until

from aiogen.integrations.fastapi import Shutdown
from aiogen.integrations.fastapi.bodies import Seen
from aiogen.integrations.fastapi.following import events, preferred_wait
from aiogen.sandbox import Fate, Rule, Script


class Server(uvicorn.Server):
    """One that leaves the signals of the test's process alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is caught."""
        yield


@asynccontextmanager
async def over_http(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same application, behind a server; the application is open already."""
    server = Server(uvicorn.Config(web.app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    running = asyncio.ensure_future(server.serve())
    try:
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=300, trust_env=False) as http:
            yield http
    finally:
        server.should_exit = True
        await running


async def events_of(http: httpx.AsyncClient, path: str, most: int = 1000) -> list[tuple[str, dict[str, Any]]]:
    """The id and the body of each event, until the stream ends or so many came."""
    found: list[tuple[str, dict[str, Any]]] = []
    async with http.stream("GET", path, headers={"x-user": "ann"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = data = ""
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            name = value if field == "id" else name
            data = value if field == "data" else data
            if not line and data:
                found.append((name, json.loads(data)))
                data = ""
                if len(found) == most:
                    break
    return found


def slow(seconds: float) -> Script:
    """Each job takes so long."""
    return Script(rules=[Rule(fate=Fate(processing=seconds))])


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["wait=5"], 5),
        (["respond-async, WAIT = 7; x=1"], 7),
        (["return=minimal", 'wait="30"'], 30),
        (["wait=900"], 60),
        (["wait=0"], 0),
        (["wait=1, wait=2"], 1),
        (["wait", "wait=", "wait=-1", "wait=1.5", "await=3", "wait=9999999999"], None),
    ],
)
def test_how_long_a_client_would_wait(headers: list[str], seconds: int | None) -> None:
    """By RFC 7240; what is no number of seconds does not count."""
    assert preferred_wait(headers) == seconds


async def test_a_job_is_followed_to_its_end() -> None:
    """The present state at once, each change, the estimate in between; and the end, which is the job's body."""
    async with serving(slow(30)) as web, over_http(web) as http:
        body = (await web.post()).json()
        found = await events_of(http, body["links"]["events"])
        states = [state for state, _ in found]
        assert states[0] == found[0][1]["state"]
        assert list(dict.fromkeys(states))[-2:] == ["processing", "completed"]
        assert states.count("completed") == 1
        assert states.count("processing") > 2
        assert found[-1][1] == (await web.get(body["links"]["self"])).json()
        assert {each["links"]["events"] for _, each in found} == {body["links"]["events"]}


async def test_what_is_over_and_told_is_not_told_again() -> None:
    """204, so that the browser asks no more; who does not know it is told once."""
    async with serving() as web, over_http(web) as http:
        body = await web.made()
        path = body["links"]["events"]
        assert await events_of(http, path) == [("completed", body)]
        for known, status in (("completed", 204), ("processing", 200), ("", 200)):
            assert (await web.get(path, {"last-event-id": known})).status_code == status


async def test_an_end_is_told_to_a_slow_client_too() -> None:
    """The job ends while the client still takes what was told before."""
    async with serving(slow(5)) as web:
        body = (await web.post()).json()
        job = await web.session.job(body["id"])
        record = await web.session.store.get(body["id"])
        assert job is not None
        assert record is not None
        telling = events(Seen(record, job), "/generations", Shutdown())
        told = [(await anext(telling)).id]
        await until(lambda: job.done)
        told += [event.id async for event in telling]
        assert told[0] != "completed"
        assert told[-1] == "completed"


async def test_who_leaves_takes_nothing_along() -> None:
    """A client goes in the middle of it; the job goes on, and nothing is left behind."""
    async with serving(slow(30)) as web, over_http(web) as http:
        body = (await web.post()).json()
        await events_of(http, body["links"]["events"], most=1)
        job = await web.session.job(body["id"])
        assert job is not None
        await until(lambda: not job._listeners or job.done)  # nobody listens any more
        assert not job.done
        done = (await web.get(body["links"]["self"], {"prefer": "wait=60"})).json()
        assert done["state"] == "completed"
        assert web.paid == 1


@pytest.mark.parametrize("how", ["while it is made", "while it runs"])
async def test_who_goes_away_stops_nothing_that_is_paid(how: str) -> None:
    """The connection of one who waits is cut; by the key it is the same job, which has gone on."""
    async with serving(slow(30)) as web, over_http(web) as http:
        headers = {"x-user": "ann", "idempotency-key": "boat", "prefer": "wait=60"}
        asked = {"model": MODEL, "prompt": "a paper boat"}
        waiting = asyncio.ensure_future(http.post("/generations", json=asked, headers=headers))
        await until(lambda: web.paid == 1)
        if how == "while it runs":
            await until(lambda: web.session.jobs()[0].state == "processing")
        waiting.cancel()
        await asyncio.wait([waiting])
        (job,) = web.session.jobs()
        await until(lambda: job.done)
        assert job.state == "completed"
        again = await http.post("/generations", json=asked, headers=headers)
        assert (again.status_code, again.json()["id"], web.paid) == (200, job.id, 1)
