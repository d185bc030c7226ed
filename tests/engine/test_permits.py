"""What was decided, and waited for its connection while this process stood still, is not sent when it wakes.

Others may own its jobs by then.  So whether it may still go is looked at right before its bytes are written, for every
request to a provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import aiogen
from aiogen._engine.poll import ask
from aiogen._engine.sweep import sweep
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, Sandbox
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

LEASE = 3.0
LUMA, LEONARDO = "luma/uni-1", "leonardo/gemini-image-2"


class CutOff(SqliteStore):
    """It may be that its heartbeats do not come through, or come too late."""

    is_cut = False
    is_over = False

    @property
    def can_be_cut_off(self) -> bool:
        return True

    async def heartbeat(self) -> bool:
        if self.is_cut:
            raise aiogen.StoreError("The server cannot be reached.", retryable=True)
        if self.is_over:
            self.is_over = False
            return False
        return await super().heartbeat()


class Full(aiohttp.TCPConnector):
    """Who wants a connection waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.waiting = 0

    async def connect(self, *request: Any, **more: Any) -> aiohttp.connector.Connection:
        self.waiting += 1
        await self.is_free.wait()
        self.waiting -= 1
        return await super().connect(*request, **more)


Does = Callable[[aiogen.Session, list[aiogen.Job]], Awaitable[object]]


async def asks_about_one(session: aiogen.Session, jobs: list[aiogen.Job]) -> None:
    hub = session._open().hub
    account = hub.account(jobs[0]._provider)
    track = account.tracks[jobs[0].provider_id or ""]
    await ask(hub, account, track)


async def asks_for_a_page(session: aiogen.Session, jobs: list[aiogen.Job]) -> None:
    hub = session._open().hub
    account = hub.account(jobs[0]._provider)
    await sweep(hub, account, jobs[0]._provider, 0, [job.provider_id or "" for job in jobs])


async def creates(session: aiogen.Session, jobs: list[aiogen.Job]) -> None:
    jobs.append(await session.submit(f"{jobs[0].connection}/{jobs[0].model}", "one more"))
    await jobs[-1].accepted()


async def looks(session: aiogen.Session, jobs: list[aiogen.Job]) -> None:
    await session.get(jobs[0].connection, jobs[0].provider_id or "")


@pytest.mark.parametrize("is_over", [False, True], ids=["renewed", "lost"])
@pytest.mark.parametrize(
    ("model", "does"),
    [(LUMA, asks_about_one), (LEONARDO, asks_for_a_page), (LUMA, creates), (LEONARDO, creates), (LUMA, looks)],
    ids=lambda value: getattr(value, "__name__", None) or value.partition("/")[0],
)
async def test_what_waited_for_a_connection_is_not_sent_when_it_wakes(
    tmp_path: Path, model: str, does: Does, is_over: bool
) -> None:
    """And nothing is lost for that: once the lease holds, everything goes on, and nothing is created twice."""
    loop, store = asyncio.get_running_loop(), CutOff(tmp_path / "aiogen.db", lease=LEASE)
    connector = Full()
    async with asyncio.timeout(3600.0), Sandbox() as box, aiohttp.ClientSession(connector=connector) as network:
        providers = [
            aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url),
            aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url),
        ]
        async with aiogen.Session(providers, store=store, client_session=network) as session:
            hub = session._open().hub
            jobs = [await session.submit(model, f"boat {i} [[processing=60]]", timeout=3000.0) for i in range(3)]
            for job in jobs:
                await job.accepted()
            if does is asks_for_a_page:  # whose account it is, is asked first, and is known then
                await does(session, jobs)
            connector.is_free.clear()
            doing = asyncio.ensure_future(does(session, jobs))
            while not connector.waiting:
                await asyncio.sleep(0.01)
            store.is_cut = True
            while not hub.ledger.is_fenced(loop.time()):
                await asyncio.sleep(0.05)
            count = len(box.requests)
            connector.is_free.set()
            await asyncio.sleep(1.0)
            assert box.requests[count:] == []
            store.is_over, store.is_cut = is_over, False
            await doing
            assert len(box.requests) > count or does in (asks_about_one, asks_for_a_page)
            assert {(await job).state for job in jobs} == {aiogen.State.COMPLETED}
    prompts = [job.prompt for job in box.jobs]
    assert len(prompts) == len(set(prompts)) == len(jobs)


async def test_what_waited_from_before_a_lease_that_was_lost_is_not_sent_under_the_next(tmp_path: Path) -> None:
    """The connection comes when a new lease holds already: the job may be another's all the same."""
    loop, store = asyncio.get_running_loop(), CutOff(tmp_path / "aiogen.db", lease=LEASE)
    connector = Full()
    async with asyncio.timeout(3600.0), Sandbox() as box, aiohttp.ClientSession(connector=connector) as network:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        async with aiogen.Session([provider], store=store, client_session=network, take_up=False) as session:
            hub = session._open().hub
            job = await session.submit(LUMA, "a boat [[processing=60]]", timeout=3000.0)
            await job.accepted()
            connector.is_free.clear()
            asking = asyncio.ensure_future(asks_about_one(session, [job]))
            while not connector.waiting:
                await asyncio.sleep(0.01)
            count = len(box.requests)
            hub._take_up = lambda record, part: None  # another process has it
            store.is_over = True
            while store.is_over or hub.ledger.is_fenced(loop.time()) or hub.account(provider).tracks:
                await asyncio.sleep(0.05)
            connector.is_free.set()
            await asking
            assert box.requests[count:] == []
