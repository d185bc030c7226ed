"""One session serves a program for as long as it runs: what it holds does not grow with what it has done.

Some thousands here, fifty thousand with AIOGEN_LONG=1 (some minutes; --log-cli-level=info shows the figures).
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import threading
from collections import Counter
from itertools import islice
from typing import Any

import pytest

import aiogen
from aiogen import Generation, State
from aiogen.stores.memory import MemoryStore

logger = logging.getLogger("tests.flat")

pytestmark = pytest.mark.no_cover
SLICES = 100 if os.environ.get("AIOGEN_LONG") else 5
WAVES, WAVE = 1, 500
KEPT = 400
"""Finished jobs that the ledger is told to remember."""
MOST = {"Plan": 72, "Cohort": 380, "Counts": 380, "Sight": 60, "_Compared": 60, "Cost": KEPT, "Sum": 200}
"""What is learned is bounded, though not by the first slice: of each of six duration models the plans for twelve
prices, sixty cohorts that are kept apart, and the three hundred jobs by which two are compared, with theirs.  What is
remembered of each job has its cost; what was removed is added up by the minute.
"""
SLACK = 4
"""More than so many of anything are no accident: what ended last may still be in some frame."""
LASTS = 3.0
USER = "3f1c3a3e-0000-4000-8000-000000000001"


class Vendor(asyncio.Protocol):
    """Luma below /luma, Leonardo elsewhere, as fast as Python answers: bytes in, bytes out."""

    made: dict[str, float]
    """When each was made, the latest last."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        self.unread += data
        while (end := self.unread.find(b"\r\n\r\n")) >= 0:
            method, path, rest = self.unread[:end].decode().split(" ", 2)
            size = int(rest.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
            if len(self.unread) < end + 4 + size:
                return
            self.unread = self.unread[end + 4 + size :]
            body = json.dumps(self.answer(method, path)).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def answer(self, method: str, path: str) -> Any:
        now = asyncio.get_running_loop().time()
        name = path.partition("?")[0].rpartition("/")[2]
        if method == "POST":
            name = f"gen-{len(self.made)}"
            self.made[name] = now
            return {"id": name, "state": "queued"} if path.startswith("/luma") else {"generate": {"generationId": name}}
        if name == "me":
            return {"user_details": [{"user": {"id": USER, "username": "me"}, "apiConcurrencySlots": 1000}]}
        if "/user/" in path:
            offset = int(path.partition("offset=")[2].partition("&")[0])
            page = islice(reversed(self.made), offset, offset + 50)
            return {"generations": [self.leonardo(name, now) for name in page]}
        if not path.startswith("/luma"):
            return {"generations_by_pk": self.leonardo(name, now)}
        over = now >= self.made[name] + LASTS
        output = [{"type": "image", "url": f"https://cdn.example/{name}.png"}] if over else []
        return {"id": name, "state": "completed" if over else "processing", "output": output}

    def leonardo(self, name: str, now: float) -> dict[str, Any]:
        over = now >= self.made[name] + LASTS
        images = [{"id": name, "url": f"https://cdn.example/{name}.png"}] if over else []
        return {"id": name, "status": "COMPLETE" if over else "PENDING", "generated_images": images}


# --- what a session holds


def objects() -> Counter[str]:
    """Everything of aiogen's own that lives in this process, by type."""
    gc.collect()
    kinds = map(type, gc.get_objects())
    return Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("aiogen."))


def tables(session: aiogen.Session, store: MemoryStore) -> dict[str, int]:
    """The sizes of what grows with jobs and has to shrink with them."""
    assert session._parts is not None
    hub = session._parts.hub
    sizes = {
        "handles": len(session._parts.registry._jobs),
        "taken up": len(session._parts.registry._taken_up),
        "calls": len(session._parts.calls._running),
        "deadlines": len(hub.deadlines._timers) + len(hub.deadlines._timers._heap),
        "watched": len(hub.remote),
        "creates": len(session._parts.coordinator._creates | session._parts.coordinator._polls | hub.writings),
        "owed": hub.ledger._outbox.owes,
        "records": len(store._records),
        "to be told": len(store._due),
        "duration models": len(hub.learned._models),
    }
    for account in hub.accounts():
        schedule, listing = account.schedule, account.listing
        sizes |= {
            f"{account.name}: tracks": len(account.tracks),
            f"{account.name}: queue": len(account.queue) + len(account.calls),
            f"{account.name}: in flight": account.in_flight + account.creates_in_flight,
            f"{account.name}: active": account.window.active,
            f"{account.name}: window": len(account.window._recent),
            f"{account.name}: questions": len(schedule) + len(schedule._urgent),
            f"{account.name}: timers": sum(len(group.timers._heap) for group in schedule._groups),
            f"{account.name}: groups": len(schedule._groups),
            f"{account.name}: vendor queue": len(account.vendor_queue),
            f"{account.name}: listing": len(listing._places) + len(listing._order) + len(listing._over),
        }
    return sizes


def held() -> dict[str, int]:
    """What the system counts."""
    return {
        "tasks": len(asyncio.all_tasks()),
        "files and sockets": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
    }


async def slice_of(session: aiogen.Session) -> None:
    """Five hundred generations at both vendors, waited for in every way."""
    for wave in range(WAVES):
        models = ("luma/uni-1", "leonardo/gemini-image-2")
        jobs = [await session.submit(models[i % 2], f"boat {wave}.{i}") for i in range(WAVE)]
        seen = [asyncio.create_task(listen(job)) for job in jobs[:20]]
        async for job in session.as_completed(jobs):
            assert (await job).state is State.COMPLETED
        assert {tuple(each)[-1] for each in await asyncio.gather(*seen)} == {State.COMPLETED}
    await asyncio.sleep(90.0)  # the window's minute, and connections that nobody uses


async def listen(job: aiogen.Job) -> list[State]:
    return [event.state async for event in job.events()]


@pytest.mark.timeout(3600 if SLICES > 5 else 300)
@pytest.mark.looptime(noop_cycles=3)
async def test_what_a_session_holds_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each five hundred it is the same as after the first."""
    # aiohttp closes what is idle by the real clock: then the number of connections would be the most that ever were.
    monkeypatch.setattr("aiohttp.connector.monotonic", asyncio.get_running_loop().time)
    Vendor.made = {}
    told = Counter[State]()
    before = objects()  # what tests before this one still hold

    async def handler(generation: Generation) -> None:
        told[generation.state] += 1

    server = await asyncio.get_running_loop().create_server(Vendor, "127.0.0.1", 0, backlog=4096)
    async with server:
        host, port = server.sockets[0].getsockname()
        url, wide = f"http://{host}:{port}", {"max_active": 10_000, "creates_per_minute": 100_000}
        wide["requests_per_minute"] = 600_000
        luma = aiogen.Luma(api_key="luma-key", base_url=f"{url}/luma/v1", **wide)
        leonardo = aiogen.Leonardo(api_key="leonardo-key", base_url=url, running_at_once=1000, **wide)
        store = MemoryStore(keep_finished=KEPT)
        async with aiogen.Session([luma, leonardo], store=store, max_in_flight=1000, poll_cost=2.0) as session:
            await session.on_completion("counted", handler)
            first = None
            for _ in range(SLICES):
                await slice_of(session)
                now = held() | tables(session, store) | (objects() - before)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                logger.info("%d generations: %d things, %d MiB at most", told.total(), sum(now.values()), peak)
                first = first or now
                assert {
                    what: (first.get(what, 0), n)
                    for what, n in now.items()
                    if n > max(first.get(what, 0), MOST.get(what, 0)) + SLACK
                } == {}
            assert now["Record"] == KEPT
            assert now.get("Job", 0) == 0
    assert told == {State.COMPLETED: SLICES * WAVES * WAVE}
