"""One scope submits very many jobs, and three others go on as before: in one process, and from another one."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from ledger.in_loop import files_in_the_loop
from serving import luma, serving
from session.test_fairness import Oven

import aiogen
from aiogen.stores import MemoryStore, shares

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.no_cover]


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield


OTHERS = ("ann", "ben", "cid")
EVERY, LONG, PLACES = 20.0, 20.0, 10
"""Each of the others submits a job about every `EVERY` seconds; a picture takes about `LONG`."""


class Kitchen(Oven):
    """Each picture takes its own time, by its prompt: the same in each story."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.seconds = LONG * random.Random((await request.json())["prompt"]).lognormvariate(0.0, 0.3)
        return await super().__call__(request)


@attrs.define
class Seen:
    """What came of it."""

    lasted: list[float] = attrs.field(factory=list)
    """From its submission to its end, of each job of the others; sorted."""
    waited: list[float] = attrs.field(factory=list)
    """The same to its acceptance."""
    flooded: float = 0.0
    """Seconds until the last job of the flood was accepted."""


def of(values: list[float], share: float) -> float:
    return values[int(len(values) * share)]


async def customer(session: aiogen.Session, name: str, count: int, seen: Seen) -> None:
    clock, chance = asyncio.get_running_loop().time, random.Random(name)

    async def waits(job: aiogen.Job, began: float) -> None:
        await job.accepted()
        seen.waited.append(clock() - began)
        await job
        seen.lasted.append(clock() - began)

    async with asyncio.TaskGroup() as waiting:
        for i in range(count):
            began = clock()
            waiting.create_task(waits(await session.submit("luma/uni-1", f"{name} {i}", scope=name), began))
            await asyncio.sleep(EVERY * chance.uniform(0.5, 1.5))


async def flood(session: aiogen.Session, count: int, seen: Seen) -> None:
    await asyncio.sleep(EVERY / 2)
    clock = asyncio.get_running_loop().time
    began = clock()
    jobs = [await session.submit("luma/uni-1", f"flood {i}", scope="flood") for i in range(count)]
    for job in jobs:
        await job.accepted()
    seen.flooded = clock() - began


@asynccontextmanager
async def sessions(url: str, store: Any) -> AsyncIterator[tuple[aiogen.Session, aiogen.Session]]:
    """Of the flood, and of the others; one for both, if there is only one process."""

    def session() -> aiogen.Session:
        return aiogen.Session([luma(url, max_active=PLACES, creates_per_minute=1000)], store=store)

    async with session() as one:
        if isinstance(store, MemoryStore):
            yield one, one
        else:
            async with session() as other:
                yield one, other


async def story(store: Any, each: int, flooding: int = 0) -> Seen:
    """`each`: jobs of each of the others; `flooding`: those of the flood."""
    seen = Seen()
    async with serving(Kitchen(LONG)) as url, sessions(url, store) as (one, other), asyncio.TaskGroup() as tasks:
        for name in OTHERS:
            tasks.create_task(customer(other, name, each, seen))
        if flooding:
            tasks.create_task(flood(one, flooding, seen))
    seen.lasted.sort()
    seen.waited.sort()
    return seen


@pytest.mark.parametrize(("processes", "each", "flooding"), [(1, 30, 200), (2, 12, 80)])
async def test_a_scope_that_floods_is_not_noticed_by_the_others(
    processes: int, each: int, flooding: int, tmp_path: Path, virtual_files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And hardly gets less than it would if nothing were kept for them."""

    calm = await story(MemoryStore(), each)
    during = await story(MemoryStore() if processes == 1 else tmp_path / "jobs.db", each, flooding)
    assert len(during.lasted) == len(calm.lasted) == len(OTHERS) * each
    assert of(during.lasted, 0.99) <= 1.1 * of(calm.lasted, 0.99)
    assert of(during.waited, 0.5) <= 0.5
    assert of(during.waited, 0.9) <= 4.0
    if processes == 1:  # of two, the one that floods would leave nothing to the other
        monkeypatch.setattr(shares, "_FEWEST", math.inf)
        without = await story(MemoryStore(), each, flooding)
        assert of(without.waited, 0.5) > 1.0
        assert without.flooded >= 0.85 * during.flooded
