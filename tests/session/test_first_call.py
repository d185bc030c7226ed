"""Each public call as the first one on a session that was not entered, with a file as store.

A program that forgets `async with`, or begins in the middle, is served all the same: the first call opens the session.
"""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

import aiogen
from aiogen import Generation, State
from aiogen.sandbox import LEONARDO_KEY, Sandbox, Storm

pytestmark = pytest.mark.looptime(False)
MODEL = "leonardo/gemini-image-2"


@attrs.frozen
class Left:
    """What a session before left in the ledger."""

    done: Generation
    running: str
    """Our id of a job that still runs."""
    unknown: str
    """Our id of a job whose create was never answered."""
    found: str
    """The vendor's id of the same."""
    folder: Path


Call = Callable[[aiogen.Session, Left], Coroutine[Any, Any, object]]


async def submitted(session: aiogen.Session, left: Left) -> object:
    job = await session.submit(MODEL, "a first boat")
    return bool(await job.accepted()), job.id in {record.id for record in await session.records()}


async def generated(session: aiogen.Session, left: Left) -> object:
    return (await session.generate(MODEL, "a first boat")).state


async def attached(session: aiogen.Session, left: Left) -> object:
    job = await session.attach("leonardo", left.done.provider_id or "")
    return job.id == left.done.id, (await job).state  # the ledger knows it


async def resumed(session: aiogen.Session, left: Left) -> object:
    return [job.id == left.running for job in await session.resume()]


async def registered(session: aiogen.Session, left: Left) -> object:
    heard: list[Generation] = []
    await session.on_completion("gallery", heard.append)
    await session.generate(MODEL, "a first boat")
    while not heard:
        await asyncio.sleep(0.01)
    return len(heard)


async def listed_in_the_ledger(session: aiogen.Session, left: Left) -> object:
    return {record.id for record in await session.records()} == {left.done.id, left.running, left.unknown}


async def paged(session: aiogen.Session, left: Left) -> object:
    first = await session.page(limit=2)
    second = await session.page(limit=2, after=first.next)
    return len(first.records), len(second.records), second.next


async def counted(session: aiogen.Session, left: Left) -> object:
    return (await session.count())[State.COMPLETED]


async def reconciled(session: aiogen.Session, left: Left) -> object:
    (unknown,) = await session.reconcile()
    return unknown.job_id == left.unknown, [each.generation.provider_id == left.found for each in unknown.candidates]


async def adopted(session: aiogen.Session, left: Left) -> object:
    job = await session.adopt(left.unknown, left.found)
    return job.id == left.unknown, job.provider_id == left.found


async def sent_again(session: aiogen.Session, left: Left) -> object:
    job = await session.resend(left.unknown)
    return job.id == left.unknown, await job.accepted() != left.found


async def forgotten(session: aiogen.Session, left: Left) -> object:
    return await session.forget(left.done.id or "", left.unknown, left.running)


async def cancelled(session: aiogen.Session, left: Left) -> object:
    return await session.cancel(left.done.id or "")


async def looked_up(session: aiogen.Session, left: Left) -> object:
    job = await session.job(left.done.id or "")
    return job is not None and (await job).state


async def woken(session: aiogen.Session, left: Left) -> object:
    return await session.wake("leonardo", left.done.provider_id or "")


async def waited_for(session: aiogen.Session, left: Left) -> object:
    return [each.id == left.done.id for each in await session.wait_many("leonardo", [left.done.provider_id or ""])]


async def completed(session: aiogen.Session, left: Left) -> object:
    return [job async for job in session.as_completed([])]


async def got(session: aiogen.Session, left: Left) -> object:
    return (await session.get("leonardo", left.done.provider_id or "")).state


async def listed(session: aiogen.Session, left: Left) -> object:
    return {each.provider_id async for each in session.list("leonardo")} > {left.done.provider_id, left.found}


async def deleted(session: aiogen.Session, left: Left) -> object:
    return await session.delete("leonardo", left.done.provider_id or "")


async def marked(session: aiogen.Session, left: Left) -> object:
    count = await session.mark(left.done.id or "")
    found = await session.cleanup("leonardo", aiogen.Where(marked=True)).find()
    return [count, [each.provider_id == left.done.provider_id for each in found]]


async def identified(session: aiogen.Session, left: Left) -> object:
    return (await session.account("leonardo")).user_id is not None


async def tried_again(session: aiogen.Session, left: Left) -> object:
    try:
        await session.retry(left.done.id or "")
    except aiogen.InputError as error:
        if "is completed, and is not tried again" in str(error):
            return True
        raise
    return False


async def spent(session: aiogen.Session, left: Left) -> object:
    costs = await session.spent()
    return costs.count, costs.unknown  # what is not known to have been accepted was quoted by nobody


async def downloaded(session: aiogen.Session, left: Left) -> object:
    return [path.stat().st_size > 0 for path in await session.download(left.done, left.folder / "out")]


async def saved(session: aiogen.Session, left: Left) -> object:
    return [path.stat().st_size > 0 for path in await session.save(left.done, left.folder / "boat.png")]


async def bytes_read(session: aiogen.Session, left: Left) -> object:
    return len(await session.read(left.done)) > 0


async def opened(session: aiogen.Session, left: Left) -> object:
    async with await session.open_output(left.done) as file:
        return sum([len(piece) async for piece in file.pieces()]) == file.size > 0


async def decoded(session: aiogen.Session, left: Left) -> object:
    return (await session.image(left.done)).width > 0


async def addressed(session: aiogen.Session, left: Left) -> object:
    return await session.urls(left.done) == [left.done.url]


WITH_LEDGER: dict[str, tuple[Call, object]] = {
    "submit": (submitted, (True, True)),
    "generate": (generated, State.COMPLETED),
    "attach": (attached, (True, State.COMPLETED)),
    "resume": (resumed, [True]),
    "on_completion": (registered, 1),
    "records": (listed_in_the_ledger, True),
    "page": (paged, (2, 1, None)),
    "count": (counted, 1),
    "reconcile": (reconciled, (True, [True])),
    "adopt": (adopted, (True, True)),
    "resend": (sent_again, (True, True)),
    "retry": (tried_again, True),
    "forget": (forgotten, 2),
    "job": (looked_up, State.COMPLETED),
    "wait_many": (waited_for, [True]),
    "wake": (woken, False),
    "cancel": (cancelled, aiogen.Cancellation.ENDED),
    "mark": (marked, [1, [True]]),
    "spent": (spent, (3, 1)),
}
"""What each does, and what comes of it."""


async def models_listed(session: aiogen.Session, left: Left) -> object:
    return MODEL in {f"leonardo/{info.name}" for info in await session.models("leonardo")}


async def estimated(session: aiogen.Session, left: Left) -> object:
    return (await session.estimate((MODEL, "a boat"))).count


WITHOUT: dict[str, tuple[Call, object]] = {
    "as_completed": (completed, []),
    "get": (got, State.COMPLETED),
    "list": (listed, True),
    "delete": (deleted, True),
    "account": (identified, True),
    "models": (models_listed, True),
    "estimate": (estimated, 1),
    "download": (downloaded, [True]),
    "save": (saved, [True]),
    "read": (bytes_read, True),
    "open_output": (opened, True),
    "image": (decoded, True),
    "urls": (addressed, True),
}
"""These need no ledger, and work though it cannot be opened."""


def leonardo(box: Sandbox) -> aiogen.Leonardo:
    return aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url)


async def begun(box: Sandbox, path: Path) -> Left:
    """A session that did something and was left properly."""
    async with aiogen.Session([leonardo(box)], store=path, poll_cost=0.01) as session:
        done = await session.submit(MODEL, "a done boat")
        await done.accepted()
        box.script.storms.append(Storm("cut-after", actions=("create",), times=1))
        unknown = await session.submit(MODEL, "a lost boat")
        with pytest.raises(aiogen.SubmissionUnknown):
            await unknown
        running = await session.submit(MODEL, "a slow boat [[processing=100000]]")
        await running.accepted()
        generation = await done
    found = next(job.id for job in box.jobs if job.prompt == "a lost boat")
    return Left(generation, running.id, unknown.id, found, path.parent)


def workers(path: Path) -> tuple[int, int]:
    """How many processes stand in the ledger, and how many jobs have an owner."""
    with closing(sqlite3.connect(path)) as connection:
        (workers,) = connection.execute("SELECT count(*) FROM aiogen_worker").fetchone()
        (owned,) = connection.execute("SELECT count(*) FROM aiogen_job WHERE owner IS NOT NULL").fetchone()
    return workers, owned


def test_every_call_is_here() -> None:
    """Of those that wait for something; what only looks at the session opens nothing."""
    found = {
        name
        for name, method in inspect.getmembers(aiogen.Session)
        if not name.startswith("_") and (inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method))
    }
    assert found - {"close"} == {*WITH_LEDGER, *WITHOUT}


@pytest.mark.no_cover
@pytest.mark.parametrize("name", [*WITH_LEDGER, *WITHOUT])
async def test_it_works_as_the_first_one(tmp_path: Path, name: str) -> None:
    """And `close` leaves nothing behind: no lease, no owner, and (the watchdogs see to it) no thread and no socket."""
    call, expected = (WITH_LEDGER | WITHOUT)[name]
    path = tmp_path / "aiogen.db"
    async with asyncio.timeout(30.0), Sandbox(speed=400.0) as box:
        left = await begun(box, path)
        session = aiogen.Session([leonardo(box)], store=path, poll_cost=0.01)
        try:
            assert await call(session, left) == expected
        finally:
            await session.close()
        assert repr(session) == "<Session [leonardo] closed>"
        assert workers(path) == (0, 0)
        if name != "as_completed":  # of no jobs at all
            with pytest.raises(aiogen.InputError, match="This session is closed"):
                await call(session, left)


def broken(box: Sandbox, folder: Path) -> aiogen.Session:
    """A session whose ledger cannot be opened."""
    return aiogen.Session([leonardo(box)], store=folder / "no folder" / "aiogen.db", poll_cost=0.01)


@pytest.mark.parametrize("name", WITHOUT)
async def test_what_needs_no_ledger_does_not_look_for_it(tmp_path: Path, name: str) -> None:
    """It works though the ledger cannot be opened."""
    call, expected = WITHOUT[name]
    async with asyncio.timeout(30.0), Sandbox(speed=400.0) as box:
        left = await begun(box, tmp_path / "aiogen.db")
        session = broken(box, tmp_path)
        try:
            assert await call(session, left) == expected
        finally:
            await session.close()
    assert not (tmp_path / "no folder").exists()


@pytest.mark.parametrize("name", WITH_LEDGER)
async def test_what_needs_the_ledger_says_that_it_cannot_be_opened(tmp_path: Path, name: str) -> None:
    """Before anything is sent."""
    one, other = "5e0f2b1c-0000-4000-8000-000000000001", "5e0f2b1c-0000-4000-8000-000000000002"
    done = Generation(
        id=one, provider_id=other, provider="leonardo", connection="leonardo", model=None, state=State.COMPLETED
    )
    async with asyncio.timeout(30.0), Sandbox() as box:
        session = broken(box, tmp_path)
        try:
            with pytest.raises(aiogen.StoreError, match="must exist and be writable"):
                await WITH_LEDGER[name][0](session, Left(done, one, one, other, tmp_path))
        finally:
            await session.close()
        assert not box.jobs
    assert not (tmp_path / "no folder").exists()
