"""Used in another loop, thread or process than its own, everything says so at once; and what was forgotten ends."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import os
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
from serving import ID, luma
from watchdogs import no_thread_left, wait_until

import aiogen
from aiogen._engine.coordinator import Coordinator
from aiogen.stores.base import RecordQuery
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore
from aiogen.stores.sqlite import serving as _serving

NOBODY = "http://127.0.0.1:9"

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, object]]


def is_async(method: object) -> bool:
    return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


def async_methods(cls: type) -> list[str]:
    """Whatever a user can await or go through, also what is added later."""
    return [n for n, method in inspect.getmembers(cls, is_async) if not n.startswith("_") or n == "__aenter__"]


COMPLETED = aiogen.Generation(
    id=None, provider_id=ID, provider="luma", connection="luma", model=None, state=aiogen.State.COMPLETED
)
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "account": ("luma",),
    "adopt": ("job", ID),
    "as_completed": ([],),
    "attach": ("luma", ID),
    "cancel": ("job",),
    "delete": ("luma", ID),
    "estimate": ([],),
    "download": (COMPLETED,),
    "generate": ("luma/uni-1", "a boat"),
    "get": ("luma", ID),
    "image": (COMPLETED,),
    "job": ("job",),
    "list": ("luma",),
    "mark": ("job",),
    "models": ("luma",),
    "on_completion": ("gallery", print),
    "open_output": (COMPLETED,),
    "read": (COMPLETED,),
    "resend": ("job",),
    "retry": ("job",),
    "save": (COMPLETED, "boat.png"),
    "submit": ("luma/uni-1", "a boat"),
    "urls": (COMPLETED,),
    "wake": ("luma", ID),
    "wait_many": ("luma", []),
}
"""Of the session's methods that need any."""
JOB_ARGUMENTS: dict[str, tuple[Any, ...]] = {"save": ("boat.png",)}


# --- places


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here jobs wait for ever."""
    monkeypatch.setattr(Coordinator, "_dispatch", lambda *_: math.inf)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ledger's thread looks at once whether its loop is still there."""
    monkeypatch.setattr(_serving, "_LOOK", 0.01)
    yield
    wait_until(lambda: not [each for each in threading.enumerate() if each.name == "aiogen-store"])


@pytest.fixture
def home() -> Iterator[Home]:
    """The loop in which everything begins."""
    with asyncio.Runner() as runner:
        yield Home(runner)


@attrs.define
class Home:
    """A loop that goes on between two calls; `close` ends it as `asyncio.run` does."""

    runner: asyncio.Runner
    is_closed: bool = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def close(self) -> None:
        self.is_closed = True
        self.runner.close()


def in_another_loop(home: Home, work: Work) -> None:
    asyncio.run(work())


def after_its_loop_has_ended(home: Home, work: Work) -> None:
    home.close()
    asyncio.run(work())


def in_another_thread(home: Home, work: Work) -> None:
    async def beside() -> None:
        await asyncio.to_thread(asyncio.run, work())

    home.run(beside())


PLACES = {in_another_loop: "another event loop", after_its_loop_has_ended: "has ended", in_another_thread: "thread"}
everywhere = pytest.mark.parametrize(("place", "says"), PLACES.items(), ids=[place.__name__ for place in PLACES])


@contextmanager
def left_open() -> Iterator[None]:
    """What is not closed in here warns, when it is collected; so does what it has opened."""
    shown: set[type[Warning]] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # Not recorded: a record would keep what it is about.
        warnings.showwarning = lambda message, category, *_: shown.add(category)
        yield
        gc.collect()
    assert shown <= {ResourceWarning}


# --- from every method


async def said(calls: dict[str, Work]) -> dict[str, str]:
    """What each of them raises here; anything but our own refusal, and a call that hangs, fails the test."""
    found = {}
    for name, call in calls.items():
        with pytest.raises(aiogen.InputError) as caught:
            async with asyncio.timeout(5.0):
                await call()
        assert (caught.value.action, caught.value.retryable) == (aiogen.Action.GIVE_UP, False), name
        found[name] = str(caught.value)
    return found


@everywhere
def test_a_session_and_its_jobs_say_where_they_belong(place: Callable[..., None], says: str, home: Home) -> None:
    """From each of their methods, at once, in words that name the way out; what only looks never raises."""

    async def elsewhere(session: aiogen.Session, job: aiogen.Job, seen: str) -> None:
        calls: dict[str, Work] = {
            name: partial(done, partial(getattr(session, name), *ARGUMENTS.get(name, ())))
            for name in async_methods(aiogen.Session)
        }
        calls |= {
            f"job.{name}": partial(done, partial(getattr(job, name), *JOB_ARGUMENTS.get(name, ())))
            for name in async_methods(aiogen.Job)
        }
        calls["await job"] = partial(awaited, job)
        for name, text in (await said(calls)).items():
            assert says in text, name
            assert "async with aiogen.Session" in text, name
        assert (session.jobs(), repr(session), session.is_ready) == ([job], seen, True)
        assert job.id[:4] in repr(job)

    with left_open():
        session = aiogen.Session([luma(NOBODY)])
        home.run(session.__aenter__())
        job = home.run(session.submit("luma/uni-1", "a boat"))
        place(home, partial(elsewhere, session, job, repr(session)))
        if not home.is_closed:
            home.run(session.close())
            assert not session.is_ready
            with pytest.raises(aiogen.SessionClosed):  # what is over is known anywhere
                asyncio.run(job.result())
        del session, job


async def done(call: Callable[[], Any]) -> object:
    """Of a coroutine, or of the first step of an async generator."""
    result = call()
    return await (anext(result) if inspect.isasyncgen(result) else result)


async def awaited(job: aiogen.Job) -> object:
    return await job


@everywhere
@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore])
def test_a_store_says_where_it_belongs(
    kind: type, place: Callable[..., None], says: str, home: Home, tmp_path: Path, soon: None
) -> None:
    """From each method, as long as it is open; closed, it may be opened in any loop."""

    async def elsewhere() -> None:
        calls: dict[str, Work] = {}
        for name in async_methods(kind):
            method = getattr(store, name)
            arguments = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
            calls[name] = partial(done, partial(method, *[None] * len(arguments)))
        assert all(says in text for text in (await said(calls)).values())

    store = kind(*([tmp_path / "aiogen.db"] if kind is SqliteStore else []))
    home.run(store.open())
    place(home, elsewhere)
    if not home.is_closed:
        home.run(store.close())
        asyncio.run(opened_and_closed(store))


async def opened_and_closed(store: Any) -> None:
    await store.open()
    assert await store.find(RecordQuery()) == []
    await store.close()


def test_without_an_event_loop_that_is_said() -> None:
    """Some other library's coroutines, or none."""
    session = aiogen.Session([luma(NOBODY)])
    with pytest.raises(aiogen.InputError, match="under asyncio"):
        session.get("luma", ID).send(None)


def test_what_was_never_opened_belongs_nowhere() -> None:
    """A session at the top of a module begins where it is first used."""
    session = aiogen.Session([luma(NOBODY)])

    async def one() -> None:
        async with session:
            await session.submit("luma/uni-1", "a boat")

    asyncio.run(one())
    with pytest.raises(aiogen.InputError, match="closed"):
        asyncio.run(one())
    asyncio.run(session.close())
    asyncio.run(aiogen.Session([luma(NOBODY)]).close())


async def test_what_went_wrong_is_not_hidden_by_where_it_is_left(home: Home) -> None:
    """An error that leaves `async with` in the wrong place comes out as it is."""
    with left_open():
        session = aiogen.Session([luma(NOBODY)])
        await asyncio.to_thread(home.run, session.__aenter__())
        with pytest.raises(ZeroDivisionError):
            await interrupted(session)
        await asyncio.to_thread(home.run, session.close())


async def interrupted(session: aiogen.Session) -> None:
    async with AsyncExitStack() as stack:
        stack.push_async_exit(session.__aexit__)
        raise ZeroDivisionError


# --- one store, one session


@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore])
async def test_a_store_serves_one_session_at_a_time(kind: type, tmp_path: Path) -> None:
    """A second one is refused before it does anything; the first goes on, and another may come after it."""
    store = kind(*([tmp_path / "aiogen.db"] if kind is SqliteStore else []))
    async with aiogen.Session([luma(NOBODY)], store=store) as one:
        other = aiogen.Session([luma(NOBODY)], store=store)
        with pytest.raises(aiogen.InputError, match="in use by another session"):
            await other.__aenter__()
        await other.close()
        await one.submit("luma/uni-1", "a boat")
    async with aiogen.Session([luma(NOBODY)], store=store, take_up=False) as after:
        assert len(await after.records()) == 1


@everywhere
@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore])
def test_a_store_that_is_open_elsewhere_is_refused(
    kind: type, place: Callable[..., None], says: str, home: Home, tmp_path: Path, soon: None
) -> None:
    """By every session that is given it, whatever is asked first; closing that session is nothing then."""
    store = kind(*([tmp_path / "aiogen.db"] if kind is SqliteStore else []))

    async def elsewhere() -> None:
        session = aiogen.Session([luma(NOBODY)], store=store)
        await said({"enter": session.__aenter__, "get": partial(session.get, "luma", ID), "records": session.records})
        await session.close()

    home.run(store.open())
    place(home, elsewhere)
    if not home.is_closed:
        home.run(store.close())


async def test_a_session_that_is_closed_while_many_submit_takes_nothing_in() -> None:
    """A caller that still waits for a turn hears so, and no job is left in the ledger that nobody has a handle for."""
    store = MemoryStore()
    session = aiogen.Session([luma(NOBODY)], store=store)
    async with session:
        submits = [asyncio.create_task(session.submit("luma/uni-1", f"boat {i}")) for i in range(500)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*submits, return_exceptions=True)
    refused = [each for each in results if isinstance(each, BaseException)]
    assert 0 < len(refused) < 500
    assert all(isinstance(each, aiogen.InputError) and "closed" in str(each) for each in refused)
    assert len(await store.find(RecordQuery())) == 500 - len(refused)


# --- what was never closed


async def forgotten(path: Path) -> aiogen.Session:
    session = aiogen.Session([luma(NOBODY)], store=path)
    await session.submit("luma/uni-1", "a boat")
    return session


def leases(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM aiogen_worker").fetchone()[0])


@pytest.mark.no_cover
def test_sessions_that_were_never_closed_leave_no_thread(tmp_path: Path) -> None:
    """Collected, they warn; their ledger is given up at once, and what they left there is taken up."""
    path = tmp_path / "aiogen.db"
    with no_thread_left(), left_open():
        for _ in range(3):
            asyncio.run(forgotten(path))
            gc.collect()
        wait_until(lambda: threading.active_count() == 1)
        assert leases(path) == 0

    async def after() -> int:
        async with aiogen.Session([luma(NOBODY)], store=path) as session:
            return len(await session.resume())

    assert asyncio.run(after()) == 3


def test_a_session_that_outlives_its_loop_leaves_no_thread(tmp_path: Path, soon: None) -> None:
    """One at the top of a module is never collected."""
    path = tmp_path / "aiogen.db"
    with left_open(), no_thread_left():
        session = asyncio.run(forgotten(path))
        wait_until(lambda: threading.active_count() == 1)
        assert leases(path) == 0
        del session


def test_a_session_that_was_never_closed_says_so() -> None:
    """As aiohttp's does; one that was closed, or never used, does not."""

    async def use(*, close: bool) -> None:
        session = aiogen.Session([luma(NOBODY)])
        await session.submit("luma/uni-1", "a boat")
        if close:
            await session.close()

    def forget(*, close: bool) -> None:
        asyncio.run(use(close=close))
        gc.collect()

    with pytest.warns(ResourceWarning, match="never closed.*async with"):
        forget(close=False)
    forget(close=True)
    aiogen.Session([luma(NOBODY)])
    gc.collect()


async def test_leaving_needs_no_thread_of_the_applications(tmp_path: Path) -> None:
    """All of the loop's own may hang."""
    over = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(executor := ThreadPoolExecutor(1))
    hanging = loop.run_in_executor(None, over.wait)
    try:
        async with asyncio.timeout(20.0):
            async with aiogen.Session([luma(NOBODY)], store=tmp_path / "aiogen.db"):
                pass
    finally:
        over.set()
        await hanging
        executor.shutdown()


# --- forks


@pytest.mark.no_cover
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_child_has_a_session_of_its_own(tmp_path: Path) -> None:
    """What it inherited says so; its own, on the same ledger, loses nothing when the parent leaves it."""
    program = Path(__file__).parents[1] / "processes" / "forking.py"
    ran = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(program), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60.0,
    )
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert ran.stdout.splitlines() == [
        "the child is refused by each method of the session, the job and the store",
        "what was in use while it was forked is refused",
        "in the ledger: before, first of the child, in the parent, second of the child",
    ]
