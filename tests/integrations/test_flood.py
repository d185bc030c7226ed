"""One client asks without end: all others are served as if it were not there."""

from __future__ import annotations

import asyncio
import statistics
from itertools import chain

import pytest
from integrations.test_events import slow
from integrations.web import Web, serving

from aiogen.stores.base import AtMost

OTHERS, EACH = 3, 6
SECONDS = 30.0
"""Each picture takes at the provider."""


async def latencies(web: Web) -> list[float]:
    """How long those who ask for one picture after the other wait for each."""
    clock = asyncio.get_running_loop().time

    async def client(name: str) -> list[float]:
        found = []
        for _ in range(EACH):
            began = clock()
            job = (await web.post({"prefer": "wait=60"}, name)).json()
            while job["state"] != "completed":
                job = (await web.get(job["links"]["self"], {"prefer": "wait=60"}, name)).json()
            found.append(clock() - began)
            await asyncio.sleep(7)
        return found

    return list(chain(*await asyncio.gather(*(client(f"user {n}") for n in range(OTHERS)))))


async def flood(web: Web, statuses: list[int]) -> None:
    """As fast as it is answered; refused, after as long as it is told to wait."""
    while True:
        answer = await web.post({}, "flood")
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))


@pytest.mark.parametrize("scope", [5, 50])
async def test_who_floods_keeps_nobody_else_waiting(scope: int) -> None:
    """As before where a scope may have fewer jobs than run at once, which is 10; else most of them.

    Those who come together, so that they need more places than are kept, wait at most until one is free.  They never
    wait behind what the flood has asked for before them, which would be 150 seconds.
    """
    async with serving(slow(SECONDS), at_most=AtMost(scope=scope, total=1000)) as web:
        before = await latencies(web)
        statuses: list[int] = []
        flooding = asyncio.ensure_future(flood(web, statuses))
        await asyncio.sleep(2 * SECONDS)
        during = await latencies(web)
        flooding.cancel()
        await asyncio.wait([flooding])
    assert statuses.count(202) > scope
    assert statuses.count(429) > 0
    assert statistics.median(during) <= 1.1 * max(before)
    assert max(during) <= (1.1 * max(before) if scope < 10 else max(before) + SECONDS)
