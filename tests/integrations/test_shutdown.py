"""The server is told to stop: who waits is answered, before the server waits for them.

A real server with real signals is in tests/slow/test_web.py.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from integrations.test_events import over_http, slow
from integrations.web import MODEL, Web, serving, until
from ledger.in_loop import files_in_the_loop

from aiogen.integrations.fastapi import ShutdownDep, begin_shutdown, lifespan
from aiogen.integrations.fastapi.shutdown import SIGNALS, hearing_signals
from aiogen.models import State

RUNS = ("pending", "submitting", "queued", "processing")
"""What a job is that nobody waited for to its end."""


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """What a server's handlers were called with; they are put away after the test."""
    calls: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        calls.append(number)

    before = {number: signal.signal(number, handler) for number in SIGNALS}
    yield calls
    left = {number: signal.signal(number, before[number]) for number in SIGNALS}
    assert set(left.values()) == {handler}, "the server's handler was not put back"


async def stream(http: httpx.AsyncClient, path: str) -> str:
    """All that it says until it ends."""
    async with http.stream("GET", path, headers={"x-user": "ann"}) as answer:
        return "".join([text async for text in answer.aiter_text()])


def waiting(web: Web) -> int:
    """How many are told when the server stops."""
    return len(web.app.state.aiogen_shutdown._calls)


@pytest.mark.parametrize("how", ["signal", "function", "another thread"])
async def test_who_waits_is_answered_at_once(how: str, heard: list[int]) -> None:
    """202 with where it is, GET with the job as it stands, and each stream ends with when to come back."""
    async with serving(slow(50)) as web, over_http(web) as http:
        known = (await web.post()).json()
        path = known["links"]["self"]
        headers = {"x-user": "ann", "prefer": "wait=60"}
        asked = {"model": MODEL, "prompt": "a paper kite"}
        asking = [
            asyncio.ensure_future(each)
            for each in (
                http.post("/generations", json=asked, headers=headers),
                http.get(path, headers=headers),
                stream(http, known["links"]["events"]),
            )
        ]
        await until(lambda: waiting(web) == 3)
        if how == "signal":
            signal.raise_signal(signal.SIGTERM)
        elif how == "function":
            begin_shutdown(web.app)
        else:
            await asyncio.to_thread(begin_shutdown, web.app)
        made, read, told = await asyncio.gather(*asking)
        assert (made.status_code, made.json()["state"] in RUNS) == (202, True)
        assert made.headers["location"] == made.json()["links"]["self"]
        assert int(made.headers["retry-after"]) >= 1
        assert (read.status_code, read.json()["id"], read.json()["state"] in RUNS) == (200, known["id"], True)
        assert {made.headers["connection"], read.headers["connection"]} == {"close"}
        first, *_, last, rest = told.split("\n\n")
        assert (first[:6], "completed" in told) == ("data: ", False)
        assert (last.partition(": ")[0], rest) == ("retry", "")
        assert 1000 <= int(last.removeprefix("retry: ")) <= 3000
        assert heard == ([signal.SIGTERM] if how == "signal" else [])


async def test_what_comes_while_it_stops() -> None:
    """Nothing new is taken, for a ledger in memory would lose it; who asks for what there is does not wait."""
    async with serving(slow(50)) as web, over_http(web) as http:
        known = (await web.post()).json()
        begin_shutdown(web.app)
        begin_shutdown(web.app)
        refused = await web.post({"idempotency-key": "kite", "prefer": "wait=60"})
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["retryable"]) == (503, "unavailable", True)
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) >= 1
        assert (await web.get(known["links"]["self"], {"prefer": "wait=60"})).json()["state"] in RUNS
        first, last, rest = (await stream(http, known["links"]["events"])).split("\n\n")
        assert (first[:6], last[:6], rest) == ("data: ", "retry:", "")
        assert "completed" not in first
        ready = await web.http.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "stopping")
        assert (await web.http.get("/health/live")).status_code == 200
        assert len(web.session.jobs()) == 1


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield


async def test_what_waits_for_its_turn_is_not_sent_any_more(tmp_path: Path, virtual_files: None) -> None:
    """Also where places become free while the server still waits; the next worker sends it."""
    store = tmp_path / "jobs.db"
    async with serving(slow(5), store=store) as web:
        jobs = [(await web.post()).json()["links"]["self"] for _ in range(14)]
        await until(lambda: web.paid == 10)
        begin_shutdown(web.app)
        await asyncio.sleep(20)
        assert web.paid == 10
        states = [(await web.get(path)).json()["state"] for path in jobs]
        assert sorted(states) == ["completed"] * 10 + ["pending"] * 4
    async with serving(slow(5), store=store) as web:
        answers = [await web.get(path, {"prefer": "wait=60"}) for path in jobs]
        assert {answer.json()["state"] for answer in answers} == {"completed"}
        assert web.paid == 4


async def test_a_create_whose_turn_has_just_come_is_not_sent_either(tmp_path: Path, virtual_files: None) -> None:
    """The ledger was being asked when the signal came: it is taken back."""
    async with serving(slow(5), store=tmp_path / "jobs.db") as web:
        store, began = web.session.store, asyncio.Event()
        intend = store.intend

        async def stops(*args: Any) -> float:
            wait = await intend(*args)
            begin_shutdown(web.app)
            began.set()
            return wait

        store.intend = stops  # type: ignore[method-assign]
        job = (await web.post()).json()
        await began.wait()
        await asyncio.sleep(5)
        assert web.paid == 0
        record = await store.get(job["id"])
        assert record is not None
        assert record.state is State.PENDING


async def test_what_the_servers_time_cuts_off_is_no_internal_error() -> None:
    """It cancels what takes too long, such as a large picture, and would answer 500."""
    async with serving() as web:
        path = (await web.made())["outputs"][0]["url"]

        async def never(*_: object, **__: object) -> bytes:
            await asyncio.sleep(1e6)
            return b""

        web.session.open_output = never  # type: ignore[method-assign, assignment]
        for begins, status in ((False, None), (True, 503)):
            asking = asyncio.ensure_future(web.get(path))
            await asyncio.sleep(1)
            if begins:
                begin_shutdown(web.app)
            asking.cancel()
            if status is None:
                with pytest.raises(asyncio.CancelledError):
                    await asking
            else:
                answer = await asking
                assert (answer.status_code, answer.json()["code"]) == (status, "unavailable")


async def test_routes_of_ones_own_hear_of_it() -> None:
    """They may wait for it, also with a session that is opened by other means."""
    app = FastAPI()

    @app.get("/mine")
    async def mine(shutdown: ShutdownDep) -> bool:
        assert not shutdown.has_begun
        await shutdown.wait()
        return shutdown.has_begun

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http:
        begin_shutdown(app)  # nothing is open
        asking = asyncio.ensure_future(http.get("/mine"))
        await asyncio.sleep(1)
        begin_shutdown(app)
        assert (await asking).json() is True


# --- signals


def opened(**options: bool) -> FastAPI:
    """An application without connections."""
    return FastAPI(lifespan=lifespan([], store=":memory:", **options))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
async def test_several_applications_of_one_process(order: tuple[int, ...], heard: list[int]) -> None:
    """Each that is open hears it, the server's handler once; whichever leaves first, nothing of them is left."""
    apps = [opened() for _ in range(3)]
    stacks = [AsyncExitStack() for _ in apps]
    for app, stack in zip(apps, stacks, strict=True):
        await stack.enter_async_context(app.router.lifespan_context(app))
    await stacks[order[0]].aclose()
    signal.raise_signal(signal.SIGINT)
    assert [apps[n].state.aiogen_shutdown.has_begun for n in order[1:]] == [True, True]
    for n in order[1:]:
        await stacks[n].aclose()
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGINT, signal.SIGTERM]


async def test_a_handler_that_is_set_later_stays(heard: list[int]) -> None:
    """Somebody else has chained theirs behind ours: it stays, and calls go through to the server's."""
    app = opened()
    async with app.router.lifespan_context(app):
        ours = signal.getsignal(signal.SIGTERM)
        assert callable(ours)

        def theirs(number: int, frame: FrameType | None) -> None:
            ours(number, frame)

        signal.signal(signal.SIGTERM, theirs)
    assert signal.getsignal(signal.SIGTERM) is theirs
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    async with app.router.lifespan_context(app):
        signal.raise_signal(signal.SIGTERM)
        assert app.state.aiogen_shutdown.has_begun
    signal.signal(signal.SIGTERM, ours.before)  # type: ignore[attr-defined]


async def test_no_signal_is_touched_if_that_is_said(heard: list[int]) -> None:
    """The application has its own way to hear of it."""
    app = opened(signals=False)
    async with app.router.lifespan_context(app):
        signal.raise_signal(signal.SIGTERM)
        assert not app.state.aiogen_shutdown.has_begun
    assert heard == [signal.SIGTERM]


def test_what_ends_the_process_at_once_still_does() -> None:
    """A signal without a handler gets none; nor does any outside of the main thread, where none may be set."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with hearing_signals(list):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        mine = signal.getsignal(signal.SIGTERM)
        found: list[object] = []

        def elsewhere() -> None:
            with hearing_signals(list):
                found.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert found == [mine]
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_a_handler_that_raises_comes_last() -> None:
    """As Python's own does at Ctrl+C: the waiting are told all the same."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, handler)
    try:
        app = opened()
        async with app.router.lifespan_context(app):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            assert app.state.aiogen_shutdown.has_begun
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)
