"""A session that takes in and follows nothing, beside others on one ledger that do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from contract.steps import Server, Steps
from serving import ID, Vendor, luma, serving

import aiogen
from aiogen import AtMost, Cancellation, State
from aiogen.stores import MemoryStore
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

KNOWN = 1.5
"""Seconds after which each session on a ledger knows of the others."""
NEWS = 0.25
"""Seconds in which what one has written another has read, at the latest."""


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


@attrs.define
class Stage:
    server: Server
    back: aiogen.Session
    front: aiogen.Session
    by_front: Server
    """What the session that follows nothing would ask."""


@asynccontextmanager
async def stage(path: Path, *, seconds: float = 10.0, **front: Any) -> AsyncIterator[Stage]:
    """Two sessions with one account; the requests of each are told apart by the server they go to."""
    server = Server(seconds=seconds)
    async with serving(server) as url, asyncio.timeout(3 * 86_400.0):
        async with (
            aiogen.Session([Steps(base_url=url)], store=path) as back,
            aiogen.Session([Steps(base_url=url)], store=path, follow=False, **front) as web,
        ):
            web._lifetime.parts.hub.transport.perform = asks_nobody  # type: ignore
            await asyncio.sleep(KNOWN)
            yield Stage(server, back, web, server)


async def asks_nobody(*_: object) -> None:
    raise AssertionError("a session that follows nothing has sent a request")


async def test_what_it_takes_in_others_send_and_follow(path: Path) -> None:
    """At once, and its end is known as soon as anywhere."""
    async with stage(path) as on:
        began = now()
        job = await on.front.submit("steps/m", "a boat")
        await job.accepted()
        assert now() < began + 2 * NEWS
        (other,) = await on.back.resume()
        ends = {}
        for name, each in (("front", job), ("back", other)):
            each._when_done(lambda _, name=name: ends.setdefault(name, now()))
        assert (await job).state is State.COMPLETED
        await other
        assert abs(ends["front"] - ends["back"]) < NEWS
        assert on.server.count("POST /jobs") == 1
