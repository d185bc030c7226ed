"""For a while nothing may be sent, as the ledger is away: what fell due meanwhile does not come all at once."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from serving import serving

import aiogen
from aiogen._engine.coordinator import Coordinator
from aiogen._engine.poll import ask
from aiogen.sandbox import LUMA_KEY
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

JOBS, LEASE = 120, 30.0
LIMITS = {"max_active": 1000, "creates_per_minute": 10_000, "requests_per_minute": 100_000}


class CutOff(SqliteStore):
    """It may be that its heartbeats do not come through."""

    is_cut = False

    @property
    def can_be_cut_off(self) -> bool:
        return True

    async def heartbeat(self) -> bool:
        if self.is_cut:
            raise aiogen.StoreError("The server cannot be reached.", retryable=True)
        return await super().heartbeat()


class Runs:
    """A vendor whose generations run on; it notes when it is asked about one."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            self.asked.append(asyncio.get_running_loop().time())
        answer = {"id": str(uuid4()), "type": "image", "state": "processing", "model": "uni-1", "output": []}
        return web.json_response(answer, status=201 if request.method == "POST" else 200)

    def within(self, since: float, seconds: float) -> int:
        return bisect_left(self.asked, since + seconds) - bisect_left(self.asked, since)

    def busiest(self, since: float, until: float) -> int:
        """The most in one second, of those that begin at a tenth of one."""
        return max(self.within(since + 0.1 * i, 1.0) for i in range(round(10 * (until - since)) - 10))


@pytest.mark.parametrize("how", ["cut off", "stood still"])
async def test_the_second_of_return_is_like_any_other(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, vendor = asyncio.get_running_loop(), Runs()
    store = CutOff(tmp_path / "aiogen.db", lease=LEASE)
    async with serving(vendor) as url:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=url, **LIMITS)
        async with asyncio.timeout(3600.0), aiogen.Session([provider], store=store, poll_cost=5.0) as session:
            for i in range(JOBS):
                await session.submit("luma/uni-1", f"boat {i}", timeout=3000.0)
                await asyncio.sleep(0.25)
            await asyncio.sleep(100.0)
            usual = vendor.busiest(loop.time() - 40.0, loop.time())
            if how == "cut off":
                store.is_cut = True
                while not session._open().hub.ledger.is_fenced(loop.time()):
                    await asyncio.sleep(0.1)
                began = loop.time()
                await asyncio.sleep(0.1 * LEASE)  # others would take over after a fifth
                store.is_cut = False
                while session._open().hub.ledger.is_fenced(loop.time()):
                    await asyncio.sleep(0.1)
            else:
                tick: Any = Coordinator._tick
                began = loop.time()
                monkeypatch.setattr(Coordinator, "_tick", lambda self: _later(self, tick, began + 6.0))
                await asyncio.sleep(6.0)
                monkeypatch.undo()
            back = loop.time()
            assert vendor.within(began + 0.5, back - began - 0.6) <= 2
            await asyncio.sleep(30.0)
            assert vendor.within(back - 0.1, 30.0) > JOBS // 2
            assert vendor.busiest(back - 0.1, back + 30.0) <= 1.25 * usual + 1


async def test_what_was_decided_before_a_process_stood_still_is_not_asked_when_it_wakes(tmp_path: Path) -> None:
    """Its lease may be over by then."""
    loop, vendor, store = asyncio.get_running_loop(), Runs(), CutOff(tmp_path / "aiogen.db", lease=LEASE)
    async with serving(vendor) as url:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=url, **LIMITS)
        async with asyncio.timeout(3600.0), aiogen.Session([provider], store=store) as session:
            await (await session.submit("luma/uni-1", "a boat", timeout=3000.0)).accepted()
            hub = session._open().hub
            account = hub.account(provider)
            (track,) = account.tracks.values()
            await ask(hub, account, track)
            count = len(vendor.asked)
            assert count > 0
            store.is_cut = True
            while not hub.ledger.is_fenced(loop.time()):
                await asyncio.sleep(0.1)
            count = len(vendor.asked)
            await ask(hub, account, track)
            assert len(vendor.asked) == count
            store.is_cut = False
            await asyncio.sleep(60.0)
            assert len(vendor.asked) > count


def _later(coordinator: Coordinator, tick: Any, at: float) -> None:
    """Its timer rings, and it is not heard before that moment."""
    coordinator._woken = None
    asyncio.get_running_loop().call_at(at, tick, coordinator)
