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

from aiogen import Job
from aiogen.integrations.fastapi import Shutdown
from aiogen.integrations.fastapi.bodies import Seen
from aiogen.integrations.fastapi.following import events, preferred_wait
from aiogen.integrations.fastapi.news import LOOK_EVERY, SILENT_LOOKS, has_changed
from aiogen.integrations.fastapi.streams import EventStream
from aiogen.models import Eta
from aiogen.sandbox import Fate, Rule, Script
from aiogen.stores.base import Record


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
        (["wait=9999999999"], 60),
        (["wait=0000000000007"], 7),
        ([f"wait={'9' * 5000}"], 60),
        (["await=3, wait=4"], 4),
        (["wait=abc, wait=5"], None),
        (["wait", "wait=5"], None),
        (["wait; x=1", "wait=5"], None),
        (["wait="], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=\u0665"], None),
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


async def submitted(web: Web) -> tuple[Record, Job]:
    """One job, as the ledger and as the session has it."""
    job_id = (await web.post()).json()["id"]
    record, job = await web.session.store.get(job_id), await web.session.job(job_id)
    assert record is not None
    assert job is not None
    return record, job


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
        record, job = await submitted(web)
        telling = events(Seen(record, job), "/generations", Shutdown())
        told = [(await anext(telling)).id]
        await until(lambda: job.done)
        told += [event.id async for event in telling]
        assert told[0] != "completed"
        assert told[-1] == "completed"


@pytest.mark.parametrize(
    ("told", "ago", "now", "is_told"),
    [
        (Eta(30, 20, 60), 5.0, Eta(25, 15, 55), False),
        (Eta(30, 20, 60), 5.0, Eta(25.9, 15, 58), False),
        (Eta(30, 20, 60), 5.0, Eta(28, 15, 55), True),
        (Eta(30, 20, 60), 5.0, Eta(22, 15, 55), True),
        (Eta(30, 20, 60), 5.0, Eta(25, 17, 55), True),
        (Eta(30, 20, 60), 5.0, Eta(25, 15, 63), True),
        (Eta(300, 200, 600), 5.0, Eta(320, 210, 610), False),
        (Eta(30, 2, 60), 5.0, Eta(25, 0, 55), False),
        (Eta(30, 2, 60), 40.0, Eta(0, 0, 20), False),
        (Eta(30, 2, 60), 40.0, Eta(10, 2, 20), True),
        (None, 5.0, Eta(30, 20, 60), True),
        (Eta(30, 20, 60), 5.0, None, True),
        (None, 5.0, None, False),
    ],
)
def test_an_estimate_is_told_if_counting_down_shows_another(
    told: Eta | None, ago: float, now: Eta | None, is_told: bool
) -> None:
    """Off by more than a second, and by more than a tenth of what is left; what is past is nought."""
    assert has_changed(told, ago, now) is is_told


async def test_an_estimate_is_told_when_it_is_another() -> None:
    """While it counts down, as seldom as proxies allow; when it jumps, at the next look; without one, a comment."""
    async with serving(slow(500)) as web:
        record, job = await submitted(web)
        await until(lambda: job.state == "processing")
        loop = asyncio.get_running_loop()
        end: float | None = loop.time() + 1000.0

        def forecast(_: Job) -> Eta | None:
            left = end - loop.time() if end is not None else None
            return Eta(left, left - 100.0, left + 1000.0) if left is not None else None

        job._forecast = forecast
        telling = events(Seen(record, job), "/generations", Shutdown())
        await anext(telling)
        at = loop.time()
        for _ in range(3):
            assert (await anext(telling)).id == "processing"
            assert 0.8 * LOOK_EVERY * SILENT_LOOKS <= loop.time() - at <= 1.2 * LOOK_EVERY * SILENT_LOOKS
            at = loop.time()
        end += 500.0
        assert (await anext(telling)).id == "processing"
        assert loop.time() - at <= 1.2 * LOOK_EVERY
        end = None
        assert (await anext(telling)).raw_data
        silence = await anext(telling)
        assert silence.comment
        assert silence.id is silence.raw_data is None
        await telling.aclose()
        assert not job._listeners


@pytest.mark.parametrize("how", ["disconnected", "broken pipe"])
async def test_a_stream_ends_when_nobody_reads_it(how: str) -> None:
    """Servers say it by a message, or by an error at the next event."""
    async with serving(slow(500)) as web:
        record, job = await submitted(web)
        has_left = asyncio.Event()
        sent: list[bytes] = []

        async def receive() -> dict[str, str]:
            await has_left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))
            if how == "broken pipe" and len(sent) == 3:
                raise BrokenPipeError

        stream = EventStream(events(Seen(record, job), "/generations", Shutdown()))
        serving_it = asyncio.create_task(stream({"type": "http"}, receive, send))
        await until(lambda: len(sent) >= 2)
        if how == "disconnected":
            has_left.set()
        await serving_it
        assert not job._listeners
        assert not job.done


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
