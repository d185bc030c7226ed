"""The longest turns of the event loop where something large passes through it, and what the loop is held by in all.

Each scenario runs in a process of its own, with vendor and web clients in others.  A turn is one callback, in CPU of
the loop's thread (`loop` says how).  `held` is how late a bystander that sleeps 1 ms wakes, at most the CPU that the
whole process took meanwhile: what a thread does that keeps the interpreter is in it.

    python -m benchmarks.heavy                        all of them, about two minutes
    python -m benchmarks.heavy --only "8 MB listed"   one
    python -m benchmarks.heavy --where                also in which functions slow turns are; that makes them slower
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import uvicorn
from fastapi import FastAPI

import aiogen
from aiogen.batch import Rows
from aiogen.errors import AiogenError
from aiogen.integrations.fastapi import lifespan, router
from aiogen.webhooks import Webhooks
from benchmarks import heavy_peers, loop, results, turns
from benchmarks.heavy_peers import MEGABYTE, USER
from benchmarks.loop import Turns
from benchmarks.measure import apart
from benchmarks.peers import KEY, UNLIMITED
from benchmarks.results import Row
from benchmarks.server import Server
from benchmarks.world import Config

MODEL = "leonardo/nano-banana-2"
PNG = b"\x89PNG\r\n\x1a\n"
JOBS = 5_000


def picture(size: int) -> bytes:
    """Bytes that begin like one."""
    return PNG + os.urandom(size - len(PNG))


@attrs.frozen
class Place:
    """Where a scenario runs."""

    url: str
    """Of the vendor with large answers."""
    server: Server
    """Of the vendor with many jobs."""
    folder: Path
    turns: Turns

    async def end(self) -> None:
        """Count no more, when the bystander has had its turn."""
        await asyncio.sleep(0.01)
        self.turns.end()

    def leonardo(self) -> aiogen.Leonardo:
        """At the vendor with large answers."""
        return aiogen.Leonardo(api_key=KEY, base_url=f"{self.url}/leonardo", **attrs.asdict(UNLIMITED))

    def luma(self, *, many: bool = False) -> aiogen.Luma:
        """At either."""
        url = self.server.luma_url if many else f"{self.url}/luma/v1"
        return aiogen.Luma(api_key=KEY, base_url=url, **attrs.asdict(UNLIMITED))


# --- the web side


@asynccontextmanager
async def serving(place: Place, provider: aiogen.Provider, **options: Any) -> AsyncIterator[tuple[FastAPI, int]]:
    """The router in uvicorn, in this loop; the application and its port."""
    app = FastAPI(lifespan=lifespan([provider], store=place.folder / "web.db"))
    app.include_router(router(**{"scope": None, "models": None} | options))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield app, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def answers(work: Callable[..., None], *args: Any) -> list[Any]:
    """All that a client sends, to its end."""
    return await asyncio.to_thread(heavy_peers.answers, work, *args)


def inline_body() -> bytes:
    """Two pictures in base64, 12 MiB in all but for a little."""
    uris = [f"data:image/png;base64,{base64.b64encode(picture(4_650_000)).decode()}" for _ in range(2)]
    return json.dumps({"model": MODEL, "prompt": "a boat", "parameters": {"references": uris}}).encode()


def small_values_body() -> bytes:
    """As many values as fit, which nobody sends who wants a picture."""
    values = ",".join("1" for _ in range(6_000_000))
    return f'{{"model": "{MODEL}", "prompt": "a boat", "parameters": {{"seeds": [{values}]}}}}'.encode()


async def posting(place: Place, body_of: Callable[[], bytes], status: frozenset[int]) -> None:
    """A client posts it four times; the first is not counted, for much is imported then."""
    async with serving(place, place.leonardo()) as (_, port):
        for times in (1, 3):
            if times > 1:
                await place.turns.begin()
            found = await answers(heavy_peers.post, port, body_of, times)
            assert {each[0] for each in found} <= status, found
        await place.end()


async def proxying(place: Place) -> None:
    """A picture of 20 MB goes through to a client."""
    async with serving(place, place.luma()) as (app, port):
        job = await app.state.aiogen.submit("luma/uni-1", "a boat")
        await job
        for times in (1, 3):
            if times > 1:
                await place.turns.begin()
            found = await answers(heavy_peers.get, port, f"/generations/{job.id}/outputs/0", times)
            assert found == [(200, heavy_peers.FILE_BYTES)] * times, found
        await place.end()


async def streaming(place: Place) -> None:
    """2,000 jobs, each with an event stream to a client of its own."""
    place.server.reset(Config(durations=("lognormal", 12.0, 0.3), seed=3))
    async with serving(place, place.luma(many=True)) as (app, port):
        session = app.state.aiogen
        jobs = await asyncio.gather(*(session.submit("luma/uni-1", f"{i}") for i in range(2_000)))
        await answers(heavy_peers.get, port, f"/generations/{jobs[0].id}", 1)  # imports what is needed
        await place.turns.begin()
        found = await answers(heavy_peers.follow, port, [job.id for job in jobs])
        await place.end()
        late = [f"{job!r}: {job.error}" for job in jobs if job.error is not None]
        assert found == [2_000], (found, late)


# --- the session


async def listing(place: Place) -> None:
    """One page of 8 MB."""
    async with aiogen.Session([place.leonardo()]) as session:
        await session.get("leonardo", USER)
        await place.turns.begin()
        count = 0
        async for _ in session.list("leonardo", user_id=USER, limit=8_000):
            count += 1
        assert count == 8_000, count
        await place.end()


async def refused(place: Place) -> None:
    """An error of 1 MB that repeats the key."""
    async with aiogen.Session([place.leonardo()]) as session:
        await session.get("leonardo", USER)
        await place.turns.begin()
        for _ in range(3):
            (error,) = await asyncio.gather(session.get("leonardo", USER[:-2] + "e0"), return_exceptions=True)
            assert isinstance(error, AiogenError), error
            assert KEY not in repr(vars(error))
        await place.end()


async def inlining(place: Place) -> None:
    """Pictures of 10 MB together, which the request has inside."""
    pictures = [picture(5 * MEGABYTE) for _ in range(2)]
    async with aiogen.Session([place.leonardo()], store=place.folder / "jobs.db") as session:
        for i in range(4):
            if i == 1:
                await place.turns.begin()
            await session.submit(MODEL, "a boat", references=pictures, key=f"{i}")
            await asyncio.sleep(0.5)
        await place.end()


async def taking_up(place: Place) -> None:
    """5,000 running jobs of a session before this one."""
    place.server.reset(Config(durations=("never",)))
    provider = place.luma(many=True)
    path = place.folder / "jobs.db"
    await turns._write(path, provider.account, place.server.put_jobs(JOBS))
    async with aiogen.Session([provider]) as session:
        await session.records(limit=1)  # what is imported at the first is imported
    await place.turns.begin()
    async with aiogen.Session([provider], store=path) as session:
        assert len(await session.resume()) == JOBS
        await asyncio.sleep(1.0)
        await place.end()


async def submitting(place: Place, path: str | None) -> None:
    """5,000 at once."""
    place.server.reset(Config(durations=("never",)))
    store = path and place.folder / path
    async with aiogen.Session([place.luma(many=True)], store=store) as session:
        await session.submit("luma/uni-1", "warm")
        await place.turns.begin()
        calls = [session.submit("luma/uni-1", f"picture {i}") for i in range(JOBS)]
        await asyncio.gather(*calls)
        await asyncio.sleep(1.0)
        await place.end()


async def finding(place: Place) -> None:
    """5,000 in the ledger, read as a list and page by page."""
    provider = place.luma(many=True)
    path = place.folder / "jobs.db"
    await turns._write(path, provider.account, [f"v-{i}" for i in range(JOBS)])
    async with aiogen.Session([provider], store=path, take_up=False) as session:
        await session.records(limit=1)
        await place.turns.begin()
        assert len(await session.records(limit=JOBS)) == JOBS
        after, count = None, 0
        while True:
            page = await session.page(limit=1_000, after=after)
            count, after = count + len(page.records), page.next
            if after is None:
                break
        assert count == JOBS
        await place.end()


async def checking(place: Place) -> None:
    """20,000 rows of a list, nothing sent."""
    path = place.folder / "rows.csv"
    path.write_text("id,prompt\n" + "".join(f"row{i},a boat on a lake\n" for i in range(20_000)))
    async with aiogen.Session([place.luma(many=True)], store=place.folder / "jobs.db") as session:
        await session.records(limit=1)
        await place.turns.begin()
        assert (await session.batch("rows", Rows(path, defaults={"model": "luma/uni-1"})).check()).rows == 20_000
        await place.end()


async def hearing(place: Place) -> None:
    """Webhooks at the limit of their size, the worst that is still read, genuine and forged."""
    call = json.dumps({"type": "image_generation.complete", "object": "generation", "data": {"object": {"id": USER}}})
    numbers = '{"a": [' + ",".join("1.5e5" for _ in range(8_000)) + "]}"
    texts = json.dumps({"a": "\\" * 30_000})
    async with aiogen.Session([place.leonardo()]) as session:
        webhooks = Webhooks(session, {"leonardo": "s3cret-of-the-webhook"})
        await place.turns.begin()
        for body in (call, numbers, texts, "[" * 65_000, '"' * 65_000) * 20:
            for secret in ("s3cret-of-the-webhook", "other"):
                webhooks.handle("leonardo", body.encode(), {"Authorization": f"Bearer {secret}"})
                await asyncio.sleep(0)
        await place.end()


Scenario = Callable[[Place], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {
    "12 MiB posted, two pictures": partial(posting, body_of=inline_body, status=frozenset({202})),
    "12 MiB posted, six million numbers": partial(posting, body_of=small_values_body, status=frozenset({413, 422})),
    "20 MB proxied": proxying,
    "8 MB listed": listing,
    "1 MB of error with the key": refused,
    "10 MB of pictures submitted": inlining,
    "5,000 taken up": taking_up,
    "5,000 submitted, ledger in memory": partial(submitting, path=None),
    "5,000 submitted, ledger in a file": partial(submitting, path="jobs.db"),
    "5,000 found": finding,
    "20,000 rows checked": checking,
    "2,000 event streams": streaming,
    "webhooks of 64 KiB": hearing,
}


def measured(name: str, where: bool) -> Row:
    """One scenario, in this process."""
    with (
        tempfile.TemporaryDirectory() as folder,
        heavy_peers.vendor() as url,
        Server() as server,
        loop.measuring(where=where) as found,
    ):
        began = time.monotonic()
        loop.run(SCENARIOS[name](Place(url, server, Path(folder), found)), found)  # type: ignore[arg-type]
        turns._describe(name, found)
        return Row(
            "the longest turns",
            name,
            {
                "longest_ms": 1000.0 * found.longest,
                "above_2_ms": float(sum(turn.seconds > 0.002 for turn in found.slow)),
                "held_most_ms": 1000.0 * loop.worst(found.held, 0.0),
                "held_p999_ms": 1000.0 * loop.worst(found.held, 0.001),
                "gc_ms": 1000.0 * found.collecting,
                "turns": float(found.count),
                "seconds": time.monotonic() - began,
            },
        )


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(SCENARIOS), action="append")
    parser.add_argument("--where", action="store_true", help="sample in which functions slow turns are")
    given = parser.parse_args()
    rows = [apart(measured, name, given.where) for name in given.only or SCENARIOS]
    if not given.only and not given.where:
        results.write("heavy", rows)
    results.show(rows)


if __name__ == "__main__":
    sys.exit(main())
