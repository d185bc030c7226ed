"""Forks while a ledger is open; parent and child go on with it, and say what they found."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import aiogen
from aiogen._engine.coordinator import Coordinator
from aiogen.stores.base import RecordQuery
from aiogen.stores.sqlite import SqliteStore
from aiogen.stores.sqlite import forks as _forks

LUMA = aiogen.Luma(api_key="luma-api-test-key-0123456789", base_url="http://127.0.0.1:9/v1")
NAME = "luma/uni-1"
_forks._FORK_TIMEOUT = 0.2
Coordinator._dispatch = lambda *_: math.inf  # nothing is ever sent


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def refused(*calls: Callable[[], Awaitable[object]]) -> None:
    for call in calls:
        with pytest.raises(aiogen.InputError, match=r"forked.*open a new"):
            await asyncio.wait_for(call(), 5.0)


async def child(session: aiogen.Session, job: aiogen.Job, folder: Path, said: int, heard: int) -> None:
    await refused(
        lambda: session.submit(NAME, "in the child"), lambda: session.get("luma", "an-id"), session.records,
        session.close, job.result, job.withdraw, lambda: session.store.find(RecordQuery()),
    )  # fmt: skip
    assert [each.id for each in session.jobs()] == [job.id]
    assert "1 pending" in repr(session)
    say("the child is refused by each method of the session, the job and the store")
    with pytest.raises(aiogen.StoreError, match="while this process was forked"):
        await SqliteStore(folder / "busy.db").open()
    say("what was in use while it was forked is refused")
    async with aiogen.Session([LUMA], store=folder / "aiogen.db", take_up=False) as own:
        await own.submit(NAME, "first of the child")
        os.write(said, b".")
        await asyncio.to_thread(os.read, heard, 1)  # the parent has left the ledger
        await own.submit(NAME, "second of the child")


async def parent(folder: Path) -> None:
    to_child, to_parent = os.pipe(), os.pipe()
    busy = SqliteStore(folder / "busy.db")
    await busy.open()
    assert busy._writer is not None
    async with aiogen.Session([LUMA], store=folder / "aiogen.db") as session:
        job = await session.submit(NAME, "before")
        working = asyncio.create_task(busy._writer.do(lambda connection: time.sleep(0.6)))
        await asyncio.sleep(0.1)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                asyncio.run(child(session, job, folder, to_parent[1], to_child[0]))
                code = 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        await asyncio.to_thread(os.read, to_parent[0], 1)
        await session.submit(NAME, "in the parent")
        await working
    await busy.close()
    os.write(to_child[1], b".")
    assert (await asyncio.to_thread(os.waitpid, pid, 0))[1] == 0
    async with aiogen.Session([LUMA], store=folder / "aiogen.db", take_up=False) as after:
        prompts = [
            r.submission.prompt for r in reversed(await after.records(with_request=True)) if r.submission is not None
        ]
    say(f"in the ledger: {', '.join(prompts)}")


if __name__ == "__main__":
    asyncio.run(parent(Path(sys.argv[1])))
