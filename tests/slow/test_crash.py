"""A program that dies at any point of a job's life: the next one loses nothing, and pays for nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

import aiogen
from aiogen import State
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores.base import RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

PROMPTS = [f"boat {i}" for i in range(6)]
LIMITS = {"poll_cost": 0.01}

# Dies by itself at the n-th time that it comes to the point that was named.
PROGRAM = """
import asyncio, os, signal, sys

import aiogen
from aiogen._engine import create as _create
from aiogen._transfer import download as _download
from aiogen._engine import poll as _poll
from aiogen._transfer import transport as _transport
from aiogen.stores.sqlite import SqliteStore

key, url, path, point, nth, out = sys.argv[1:]
seen = 0

def here(name):
    global seen
    if name == point:
        seen += 1
        if seen == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)

def marked(owner, name, before=None, after=None, only=lambda *a: True):
    inner = getattr(owner, name)
    async def outer(*args, **kwargs):
        if before and only(*args):
            here(before)
        result = await inner(*args, **kwargs)
        if after and only(*args):
            here(after)
        return result
    setattr(owner, name, outer)

marked(SqliteStore, "intend", "before intend", "before create")
marked(_transport.Transport, "_send", None, "after create", only=lambda self, request, *_: request.verb == "create")
marked(SqliteStore, "confirm", "before confirm", "after confirm")
marked(_transport.Transport, "poll", "before a question", "after an answer")
marked(SqliteStore, "settle", "before settle", "after settle")
marked(_download.Downloader, "_fetch", "before a download", "after a download")

async def dies_in_the_create():
    # The bytes are on their way, nobody has read the answer.
    await asyncio.sleep(0.05)
    here("in a create")

inner = _create.send
async def send(*args, **kwargs):
    task = asyncio.create_task(dies_in_the_create())
    await inner(*args, **kwargs)
    await task
_create.send = send
from aiogen._engine import coordinator as _coordinator
_coordinator.send = send

async def main():
    provider = aiogen.Luma(api_key=key, base_url=url)
    async with aiogen.Session([provider], store=path, poll_cost=0.01) as session:
        async def handler(generation):
            here("in the handler")

        await session.on_completion("mine", handler)
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(6)]
        async for job in session.as_completed(jobs):
            await session.download(await job, out)

asyncio.run(main())
"""

POINTS = [
    ("before intend", 3),
    ("before create", 3),
    ("in a create", 2),
    ("after create", 3),
    ("before confirm", 3),
    ("after confirm", 3),
    ("before a question", 4),
    ("after an answer", 4),
    ("before settle", 2),
    ("after settle", 2),
    ("in the handler", 2),
    ("before a download", 2),
    ("after a download", 2),
]


async def dies(box: Sandbox, path: Path, point: str, nth: int) -> None:
    """Run the program until it has killed itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        LUMA_KEY,
        box.luma_url,
        str(path),
        point,
        str(nth),
        str(path.parent / "out"),
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    _, told = await asyncio.wait_for(process.communicate(), 60.0)
    assert process.returncode == -signal.SIGKILL, told.decode()


@pytest.mark.parametrize(("point", "nth"), POINTS, ids=[point for point, _ in POINTS])
async def test_killed(point: str, nth: int, tmp_path: Path) -> None:
    """What was sent is in the ledger; what was not is sent now; nothing is sent twice; all end."""
    path = tmp_path / "aiogen.db"
    async with Sandbox(speed=40.0) as box:
        await dies(box, path, point, nth)
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        told: list[str | None] = []

        async def handler(generation: aiogen.Generation) -> None:
            told.append(generation.id)

        async with asyncio.timeout(60.0), aiogen.Session([provider], store=path, **LIMITS) as session:
            await session.on_completion("mine", handler)
            unfinished = [r for r in await session.records() if not r.state.is_terminal]
            while True:
                await asyncio.sleep(0.1)
                records = await session.records()
                if all(r.state.is_terminal or r.state is State.UNKNOWN for r in records):
                    break
            ended = {r.id for r in records if r.state.is_terminal}
            if point == "in the handler":  # the second was being told, the first had been, or not quite
                async with asyncio.timeout(20.0):
                    while len(set(told)) < len(ended) - 1:
                        await asyncio.sleep(0.1)
        assert unfinished or point.endswith(("download", "handler"))
        assert len(told) == len(set(told))
    await check(box, path)


async def check(box: Sandbox, path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    try:
        records = await store.find(RecordQuery())
    finally:
        await store.close()
    made = [job.prompt for job in box.jobs]
    assert sorted(made) == sorted(set(made)), "paid for twice"
    assert len(records) >= len(made)
    unknown = [r for r in records if r.state is State.UNKNOWN]
    assert len(unknown) <= 6
    # Every generation that the vendor carried out is known to be over, or known to be unknown.
    known = {r.provider_id for r in records}
    lost = [job for job in box.jobs if job.id not in known]
    assert len(lost) <= len(unknown)
    assert len(made) + len(unknown) >= len(records)
