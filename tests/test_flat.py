"""Tens of thousands of generations through one session: what it holds does not grow with what it has done."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from itertools import count

import pytest
from aiohttp import web
from serving import body, done, luma, serving

import aiogen
from aiogen.stores.memory import MemoryStore

SLICE = 250
SLICES = 200 if os.environ.get("AIOGEN_LONG") else 5
"""AIOGEN_LONG=1 makes it 50,000 generations, which takes minutes."""
WIDE = {"max_active": 100_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}


def held() -> Counter[str]:
    """What of aiogen's is in memory, and what of the machine's is in use."""
    gc.collect()
    kinds = [kind for kind in map(type, gc.get_objects()) if str(kind.__module__).startswith("aiogen")]
    found = Counter(kind.__name__ for kind in kinds)
    found["tasks"] = len(asyncio.all_tasks())
    found["threads"] = threading.active_count()
    found["files"] = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    return found


@pytest.mark.looptime(noop_cycles=4)
@pytest.mark.timeout(3600 if SLICES > 5 else 120)
async def test_what_is_over_leaves_nothing_behind() -> None:
    """But the last hundred, which the ledger was told to keep: counted after every slice."""
    names = count()

    async def vendor(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.json_response(body(id=f"g-{next(names)}"), status=201)
        return web.json_response(done() | {"id": request.path.rpartition("/")[2]})

    async with serving(vendor) as url:
        provider = luma(url, **WIDE)
        async with aiogen.Session([provider], store=MemoryStore(keep_finished=100), poll_cost=0.01) as session:
            seen = []
            for _ in range(SLICES):
                jobs = [await session.submit("luma/uni-1", "a boat") for _ in range(SLICE)]
                await asyncio.gather(*jobs)
                del jobs
                await asyncio.sleep(120.0)  # idle connections and the minute's window are over
                seen.append(held())
    first, last = seen[1], seen[-1]
    grown = {name: (first[name], last[name]) for name in last if last[name] > first[name]}
    assert not grown
    assert last["Record"] == last["Generation"] == 100
    assert last["Job"] == last["Track"] == 0
