"""Cancelled or left at every single step: nobody takes anything with them, and nothing is paid for unseen.

Steps are turns of the event loop in which something ran.  Each test begins again for the first step, the second, and so
on, until what is to be interrupted ends by itself.  AIOGEN_LONG=1 goes through all steps also where a few would do.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from pictures import png
from serving import luma, serving

import aiogen
from aiogen import Generation, Job, State
from aiogen._polling.durations import DurationModel
from aiogen.stores.base import Store
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.no_cover]

MODEL = "luma/uni-1"
WIDE = {"requests_per_minute": 100_000, "creates_per_minute": 1000, "max_active": 100}
PNG = png(2000)
ELSEWHERE = "made elsewhere"
MOST = 2000
"""Steps; what takes more than that hangs."""


def through(stride: int) -> range:
    """The steps, one after the other; every so manieth where the rest would tell little."""
    return range(1, MOST, 1 if os.environ.get("AIOGEN_LONG") else stride)


class Vendor:
    """Luma in a few lines: a generation is over when it is looked at for the second time."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}
        """Prompt by id."""
        self.looks: Counter[str] = Counter()
        self.url = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/storage/"):
            return web.Response(body=PNG, content_type="image/png")
        if request.path.endswith("/files"):
            return web.json_response({"data": []})
        if request.method == "POST":
            name = self.make((await request.json())["prompt"])
            return web.json_response(self.answer(name, "queued"), status=201)
        name = request.path.rpartition("/")[2]
        self.looks[name] += 1
        return web.json_response(self.answer(name, "processing" if self.looks[name] < 2 else "completed"))

    def make(self, prompt: str) -> str:
        name = f"gen-{len(self.made)}"
        self.made[name] = prompt
        return name

    def answer(self, name: str, state: str) -> dict[str, Any]:
        output = [{"type": "image", "url": f"{self.url}/storage/{name}.png"}] if state == "completed" else []
        return {"id": name, "type": "image", "model": "uni-1", "state": state, "output": output}


class Still(SqliteStore):
    """The virtual clock stands still while the thread writes, as it does for the loop's own executors."""

    async def _said(self, *work: Any) -> Any:
        loop: Any = asyncio.get_running_loop()
        held = loop.create_future()
        loop._LoopTimeEventLoop__sync_futures.add(held)
        try:
            return await super()._said(*work)
        finally:
            held.cancel()


At = Callable[[int, Callable[[], object]], None]


@contextmanager
def steps() -> Iterator[At]:
    """Gives `at(k, do)`: after k more turns of the loop in which something ran, do this, and nothing else."""
    loop: Any = asyncio.get_running_loop()
    turn, run = loop._run_once, asyncio.Handle._run
    left = 0
    then: Callable[[], object] | None = None
    ran = False

    def counted(handle: asyncio.Handle) -> None:
        nonlocal ran
        ran = True
        run(handle)

    def stepped() -> None:
        nonlocal left, then, ran
        ran = False
        turn()
        left -= ran
        if then is not None and left <= 0:
            do, then = then, None
            do()

    def at(k: int, do: Callable[[], object]) -> None:
        nonlocal left, then
        left, then = k, do

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", counted)
        patch.setattr(loop, "_run_once", stepped, raising=False)
        yield at


@attrs.define
class Stage:
    """What one round has: a session of its own, and for each job somebody else who waits for it."""

    session: aiogen.Session
    vendor: Vendor
    folder: Path
    prompt: str
    count: int = 0
    jobs: list[Job] = attrs.field(factory=list)
    ids: list[str] = attrs.field(factory=list)
    bystanders: list[asyncio.Task[Generation]] = attrs.field(factory=list)
    generation: Generation | None = None

    def word(self) -> str:
        """A prompt that nobody else has."""
        self.count += 1
        return f"{self.prompt}: {self.count}"

    async def submit(self) -> Job:
        job = await self.session.submit(MODEL, self.word())
        self.jobs.append(job)
        self.bystanders.append(asyncio.create_task(job.result()))
        return job


# --- what is interrupted: what is there before, and what is done


async def nothing(stage: Stage) -> None: ...


async def a_job(stage: Stage) -> None:
    await stage.submit()


async def a_running_job(stage: Stage) -> None:
    stage.ids.append(await (await stage.submit()).accepted())


async def an_ended_job(stage: Stage) -> None:
    stage.generation = await (await stage.submit())


async def some_ids(stage: Stage) -> None:
    stage.ids += [stage.vendor.make(ELSEWHERE) for _ in range(2)]


async def submit(stage: Stage) -> object:
    return await (await stage.submit())


async def generate(stage: Stage) -> object:
    return await stage.session.generate(MODEL, stage.word())


async def accepted(stage: Stage) -> object:
    return await stage.jobs[0].accepted()


async def events(stage: Stage) -> object:
    return [event async for event in stage.jobs[0].events()]


async def as_completed(stage: Stage) -> object:
    jobs = [await stage.submit() for _ in range(2)]
    return [job async for job in stage.session.as_completed(jobs)]


async def wait_many(stage: Stage) -> object:
    return await stage.session.wait_many("luma", stage.ids)


async def get(stage: Stage) -> object:
    while (seen := await stage.session.get("luma", stage.ids[0])).state is not State.COMPLETED:
        pass
    return seen


async def download(stage: Stage) -> object:
    assert stage.generation is not None
    return await stage.session.download(stage.generation, stage.folder)


async def download_of_a_job(stage: Stage) -> object:
    return await stage.session.download(stage.jobs[0], stage.folder)


async def save_of_a_job(stage: Stage) -> object:
    return await stage.jobs[0].save(stage.folder / "boat.png")


async def read_of_a_job(stage: Stage) -> object:
    return await stage.jobs[0].read()


async def account(stage: Stage) -> object:
    return await stage.session.account("luma")


async def withdraw(stage: Stage) -> object:
    return await stage.jobs[0].withdraw()


OPERATIONS: dict[str, tuple[Callable[[Stage], Awaitable[None]], Callable[[Stage], Awaitable[object]]]] = {
    "submit": (nothing, submit),
    "generate": (nothing, generate),
    "accepted": (a_job, accepted),
    "events": (a_job, events),
    "as_completed": (nothing, as_completed),
    "wait_many": (some_ids, wait_many),
    "get": (a_running_job, get),
    "download": (an_ended_job, download),
    "download of a job": (a_job, download_of_a_job),
    "save of a job": (a_job, save_of_a_job),
    "read of a job": (a_job, read_of_a_job),
    "account": (nothing, account),
    "withdraw": (a_job, withdraw),
}
WRITES = ("submit", "wait_many", "get", "withdraw")
"""What waits for the ledger in its own ways; the others do it in one of these, or not at all."""
EVERYTHING = (submit, generate, accepted, events, as_completed, wait_many, get, download, download_of_a_job)


# --- where


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: here nobody pulls the plug, and a disk is slow."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning is nine tenths of the time that a short life takes, and not what is tested here."""
    plan = DurationModel.plan
    known = cache(lambda typical, price: plan(DurationModel(typical), price))
    monkeypatch.setattr(DurationModel, "_learned", lambda self, amount: None)
    monkeypatch.setattr(DurationModel, "plan", lambda self, price: known(self.typical, price))


def store_of(kind: str, folder: Path, k: int) -> Store:
    return MemoryStore() if kind == "memory" else Still(folder / f"{k}.db")


async def held() -> tuple[int, int]:
    """Open files and sockets, and threads of stores, when all that has to end has had the time for it."""
    for _ in range(10):
        await asyncio.sleep(0)
    stores = [thread for thread in threading.enumerate() if thread.name == "aiogen-store"]
    for thread in stores:
        thread.join(5.0)
    return len(os.listdir("/proc/self/fd")), sum(thread.is_alive() for thread in stores)


def check_holds(holds: list[tuple[int, int]]) -> None:
    """The last round holds no more than an early one; the first ones start the loop's own threads."""
    assert holds[-1][0] <= max(fds for fds, _ in holds[:4]), holds
    assert not any(stores for _, stores in holds), holds


@pytest.mark.parametrize("kind", ["memory", "file"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_whoever_is_cancelled_takes_nothing_with_them(
    name: str, kind: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The job lives on, others who wait get their result, and the ledger says what the vendor says."""
    before, operation = OPERATIONS[name]
    holds = []
    async with serving(vendor := Vendor()) as vendor.url:
        with steps() as at:
            for k in through(1 if kind == "memory" or name in WRITES else 4):
                session = aiogen.Session([luma(vendor.url, **WIDE)], store=store_of(kind, folder, k))
                async with session:
                    stage = Stage(session, vendor, folder / str(k), f"boat {k}")
                    await before(stage)
                    task = asyncio.ensure_future(operation(stage))
                    at(k, task.cancel)
                    await asyncio.wait([task])
                    at(MOST, bool)
                    await all_end(stage)
                holds.append(await held())
                if not task.cancelled():
                    task.result()
                    break
    check_holds(holds)
    gc.collect()
    assert not caplog.records


async def all_end(stage: Stage) -> None:
    """As if nobody had been cancelled."""
    async with asyncio.timeout(60.0):
        await asyncio.gather(*stage.session.jobs())
        ends = await asyncio.gather(*stage.bystanders, return_exceptions=True)
    await asyncio.sleep(1.0)
    for job, end in zip(stage.jobs, ends, strict=True):
        withdrawn = job.state is State.CANCELLED and isinstance(end, aiogen.GenerationFailed)
        assert end is job.generation or end == unmeasured(job.generation) or withdrawn
    # What the vendor has made is over in the ledger; what it has not made nobody will send.
    made = sorted(name for name, prompt in stage.vendor.made.items() if prompt.startswith(f"{stage.prompt}:"))
    records = await stage.session.records()
    assert {record.state for record in records} <= {State.COMPLETED, State.CANCELLED}
    ended = {record.provider_id or "" for record in records if record.state is State.COMPLETED}
    assert made == sorted(ended - {name for name, prompt in stage.vendor.made.items() if prompt == ELSEWHERE})
    assert len(made) <= stage.count
    assert not list(stage.folder.glob("*.part")), "half a file"
    parts = stage.session._parts
    assert parts is not None
    assert not parts.calls._running
    for account in parts.hub.accounts():
        assert (account.tracks, account.in_flight, account.window.active, len(account.calls)) == ({}, 0, 0, 0)


def unmeasured(generation: Generation) -> Generation:
    """As it was known before anybody had its files."""
    outputs = (attrs.evolve(output, media_type=None, width=None, height=None) for output in generation.outputs)
    return attrs.evolve(generation, outputs=tuple(outputs))


# --- leaving


STRIDES = {("memory", False): 4, ("memory", True): 6, ("file", False): 14, ("file", True): 18}


@pytest.mark.parametrize("torn", [False, True], ids=["left", "torn"])
@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_session_is_left_at_any_step(
    kind: str, torn: bool, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each waiter gets an error of ours; the ledger knows what was made, and the next session ends it all."""
    holds = []
    async with serving(vendor := Vendor()) as vendor.url:
        with steps() as at:
            for k in through(STRIDES[kind, torn]):
                store = store_of(kind, folder, k)
                vendor.made.clear()
                going_on = await leave(k, 1 + 7 * k % 23 if torn else None, at, vendor, store, folder / str(k))
                holds.append(await held())
                await go_on(vendor, store, torn=torn)
                if not going_on:
                    break
    check_holds(holds)
    gc.collect()
    assert told_of_jobs(caplog) <= {"left", "unknown"}


def told_of_jobs(caplog: pytest.LogCaptureFixture) -> set[str]:
    """What was warned of; nothing else than the fate of jobs may be."""
    assert not [record for record in caplog.records if not hasattr(record, "aiogen_event")]
    return {record.aiogen_event for record in caplog.records}  # type: ignore[attr-defined]


async def leave(k: int, torn_at: int | None, at: At, vendor: Vendor, store: Store, folder: Path) -> bool:
    """Leave a session in which everything is going on, after k steps; cancel the leaving `torn_at` steps later.

    False if nothing was going on any more.
    """
    session = aiogen.Session([luma(vendor.url, **WIDE)], store=store)
    stage = Stage(session, vendor, folder, f"boat {k}")
    waiting: list[asyncio.Future[Any]] = []
    going_on = True

    async def program() -> None:
        nonlocal going_on
        async with session:
            stage.generation = await session.generate(MODEL, stage.word())
            await a_running_job(stage)
            await some_ids(stage)
            waiting.extend(asyncio.ensure_future(operation(stage)) for operation in EVERYTHING)
            now = asyncio.get_running_loop().create_future()
            at(k, partial(now.set_result, None))
            all_over = asyncio.gather(*waiting, return_exceptions=True)
            await asyncio.wait([now, all_over], return_when=asyncio.FIRST_COMPLETED)
            going_on = not all_over.done()
            at(torn_at or MOST, running.cancel if torn_at else bool)

    running = asyncio.ensure_future(program())
    await asyncio.wait([running])
    at(MOST, bool)
    waiting += stage.bystanders
    await asyncio.wait(waiting, timeout=1.0)
    for waiter in waiting:
        assert waiter.done()
        assert waiter.exception() is None or isinstance(waiter.exception(), aiogen.AiogenError)
    return going_on


async def go_on(vendor: Vendor, store: Store, *, torn: bool) -> None:
    """The next session on that ledger."""
    # By the one before: while the ledger is read, this one sends what waited.
    made = {name for name, prompt in vendor.made.items() if prompt != ELSEWHERE}
    async with aiogen.Session([luma(vendor.url, **WIDE)], store=store) as session:
        records = await session.records()
        unknown = sum(record.state is State.UNKNOWN for record in records)
        missing = made - {record.provider_id for record in records}
        assert len(missing) <= unknown
        assert torn or not unknown
        async with asyncio.timeout(60.0):
            await asyncio.gather(*await session.resume(), return_exceptions=torn)
        states = {record.state for record in await session.records()}
    assert states <= {State.COMPLETED, State.CANCELLED, State.UNKNOWN}
    prompts = [prompt for prompt in vendor.made.values() if prompt != ELSEWHERE]
    assert len(prompts) == len(set(prompts)), "paid for twice"


# --- entering


async def test_entering_is_cancelled_at_any_step(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What a program left behind is there for the one after: sent once, followed, or known to be unknown."""
    async with serving(vendor := Vendor()) as vendor.url:
        await leave_behind(vendor, folder / "left.db")
        with steps() as at:
            for k in through(1):
                path = shutil.copy(folder / "left.db", folder / f"{k}.db")
                vendor.looks.clear()
                made = len(vendor.made)
                entering = asyncio.ensure_future(enter(vendor, Still(path, adopt=True)))
                at(k, entering.cancel)
                await asyncio.wait([entering])
                at(MOST, bool)
                assert (await held())[1] == 0
                async with aiogen.Session([luma(vendor.url)], store=Still(path, adopt=True)) as session:
                    await asyncio.gather(*await session.resume(), return_exceptions=True)
                    states = Counter(record.state for record in await session.records())
                assert states == {State.COMPLETED: 2, State.UNKNOWN: 1}
                assert len(vendor.made) == made + 1
                if not entering.cancelled():
                    break
    assert told_of_jobs(caplog) == {"unknown"}


async def leave_behind(vendor: Vendor, path: Path) -> None:
    """One whose create was on its way when the program died, one that runs, and one that waits for its turn."""
    async with aiogen.Session([luma(vendor.url, max_active=2)], store=Still(path)) as session:
        jobs = [await session.submit(MODEL, f"boat {i}") for i in range(3)]
        await asyncio.gather(*(job.accepted() for job in jobs[:2]))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE aiogen_job SET state = 'submitting' WHERE id = ?", (jobs[0].id,))
        connection.commit()


async def enter(vendor: Vendor, store: Store) -> None:
    async with aiogen.Session([luma(vendor.url)], store=store):
        pass


# --- leaving at once


async def a_withdrawn_job(stage: Stage, key: str | None = None) -> None:
    job = await stage.session.submit(MODEL, stage.word(), key=key)
    await job.withdraw()
    stage.ids.append(job.id)


async def an_unknown_job(stage: Stage) -> None:
    await a_withdrawn_job(stage)
    with closing(sqlite3.connect(stage.folder / f"{stage.prompt}.db")) as connection:
        connection.execute("UPDATE aiogen_job SET state = 'unknown', owner = NULL, result = NULL, finished_at = NULL")
        connection.commit()


TAKES_IN: dict[str, tuple[Callable[[Stage], Awaitable[None]], Callable[[Stage], Awaitable[Job]]]] = {
    "submit": (nothing, lambda stage: stage.session.submit(MODEL, stage.word())),
    "submit, retries": (nothing, lambda stage: stage.session.submit(MODEL, stage.word(), retries=2)),
    "submit, key": (nothing, lambda stage: stage.session.submit(MODEL, stage.word(), key="boat")),
    "submit, key of before": (
        partial(a_withdrawn_job, key="boat"),
        lambda stage: stage.session.submit(MODEL, f"{stage.prompt}: 1", key="boat", retry=True),
    ),
    "retry": (a_withdrawn_job, lambda stage: stage.session.retry(stage.ids[0])),
    "retry, key": (partial(a_withdrawn_job, key="boat"), lambda stage: stage.session.retry(stage.ids[0])),
    "resend": (an_unknown_job, lambda stage: stage.session.resend(stage.ids[0])),
}


@pytest.mark.parametrize("name", TAKES_IN)
async def test_what_was_just_taken_in_waits_where_leaving_is_cancelled(name: str, folder: Path) -> None:
    """Nothing has been sent for it yet: the next session sends it, and nobody has to find out what became of it."""
    before, operation = TAKES_IN[name]
    async with serving(vendor := Vendor()) as vendor.url:
        with steps() as at:
            for k in through(4):
                path = folder / f"boat {k}.db"
                vendor.made.clear()
                stage = Stage(aiogen.Session([luma(vendor.url)], store=Still(path)), vendor, folder, f"boat {k}")
                left = asyncio.ensure_future(take_in_and_leave(stage, before, operation, partial(at, k)))
                await asyncio.wait([left])
                at(MOST, bool)
                async with aiogen.Session([luma(vendor.url)], store=Still(path, adopt=True)) as session:
                    await asyncio.gather(*await session.resume())
                    states = Counter(record.state for record in await session.records())
                assert len(vendor.made) == states[State.COMPLETED]
                if stage.jobs:
                    assert states[State.COMPLETED] == 1
                if stage.jobs or name != "resend":
                    assert states[State.UNKNOWN] == 0
                if not left.cancelled():
                    left.result()
                    break


async def take_in_and_leave(
    stage: Stage,
    before: Callable[[Stage], Awaitable[None]],
    operation: Callable[[Stage], Awaitable[Job]],
    at: Callable[[Callable[[], object]], None],
) -> None:
    task = asyncio.current_task()
    assert task is not None
    async with stage.session:
        await before(stage)
        at(task.cancel)
        stage.jobs.append(await operation(stage))
