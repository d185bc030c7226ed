"""Measured: how long a batch takes at a vendor's own limits, beside what these allow."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections.abc import Sequence

import attrs
import pytest
from aiohttp import web
from serving import body, luma, serving

import aiogen

pytestmark = pytest.mark.no_cover

ROWS, ACTIVE, PER_MINUTE = 500, 10, 30


@attrs.define
class Vendor:
    """Keeps to Luma's limits to the second: 30 creates in any minute, 10 generations at once."""

    durations: Sequence[float]
    ends: list[float] = attrs.field(factory=list)
    creates: list[float] = attrs.field(factory=list)
    refused: int = 0

    async def __call__(self, request: web.Request) -> web.Response:
        now = asyncio.get_running_loop().time()
        if request.method == "POST":
            is_full = sum(end > now for end in self.ends) >= ACTIVE
            if is_full or sum(at > now - 60.0 for at in self.creates) >= PER_MINUTE:
                self.refused += 1
                return web.json_response({"detail": "Rate limit exceeded"}, status=429, headers={"Retry-After": "1"})
            self.creates.append(now)
            self.ends.append(now + self.durations[len(self.ends)])
            return web.json_response({**body(), "id": _id(len(self.ends) - 1)}, status=201)
        number = int(request.path.rpartition("-")[2])
        output = [{"type": "image", "url": "https://storage.example/a.png"}]
        is_over = self.ends[number] <= now
        return web.json_response(
            {**body("completed" if is_over else "processing"), "id": _id(number), "output": output if is_over else []}
        )


def _id(number: int) -> str:
    return f"a60fd67b-7f9e-4caa-a525-{number:012}"


def allowed(durations: Sequence[float]) -> float:
    """When the last would end if each were sent as soon as both limits allow it, in the same order."""
    creates, running, ends = list[float](), list[float](), list[float]()
    for seconds in durations:
        at = creates[-PER_MINUTE] + 60.0 if len(creates) >= PER_MINUTE else 0.0
        if len(running) >= ACTIVE:
            at = max(at, heapq.heappop(running))
        creates.append(at)
        heapq.heappush(running, at + seconds)
        ends.append(at + seconds)
    return max(ends)


async def test_500_rows_at_the_limits_of_the_vendor() -> None:
    """Within two per cent of what they allow, and nothing is refused."""
    chance = random.Random(3)
    durations = [chance.lognormvariate(math.log(30.0), 0.33) for _ in range(ROWS)]
    vendor, clock = Vendor(durations), asyncio.get_running_loop().time
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=":memory:") as session:
        began = clock()
        rows = [{"id": f"row{i}", "model": "luma/uni-1", "prompt": f"boat {i}"} for i in range(ROWS)]
        assert [result.ok async for result in session.batch("boats", rows)] == [True] * ROWS
        took = clock() - began
    assert (len(vendor.creates), vendor.refused) == (ROWS, 0)
    assert took <= 1.02 * allowed(durations), took / allowed(durations)
