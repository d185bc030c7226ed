"""Three processes with 5,000 jobs on one database, of which something goes wrong: what is lost, and how long it takes.

    cd tests && python -m postgres.five_thousand [--jobs 5000] [--lease 5] [--only killed,stopped,cut,crash]

For people, as it takes minutes: one process is killed; one is stopped for two leases; one is cut off from the database
and not from the vendor; the server is killed in mid-run and back after 5 s.  Each begins with processes and a namespace
of its own.  Small ones are tests, in `test_processes.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs
from postgres.proxy import Proxy
from postgres.server import Server
from postgres.test_processes import LIMITS, Ledger, until
from processes.running import Worker, running
from processes.vendor import Vendor, Visit

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
SUBMITTED = 300
"""Of the jobs; the others run already."""
AWAY = 5.0
"""Seconds for which the server is away."""
IN_FLIGHT = 16 + 16
"""So many creates a process has on their way, or their answers on the way to the ledger: what became of them nobody
knows when it is killed."""
STEADY = 20.0
"""Seconds before something goes wrong, and after it, in which requests are counted."""
WITHIN = 1.25
"""Times the requests of before that there may be after a return: in its first second, and in the busiest one."""


@attrs.define
class Scene:
    """Three processes, and what they have to do."""

    server: Server
    proxy: Proxy
    vendor: Vendor
    ledger: Ledger
    workers: list[Worker]
    jobs: int
    lease: float
    logs: list[Path]

    @property
    def one(self) -> Worker:
        """To which it happens."""
        return self.workers[0]

    @property
    def others(self) -> list[Worker]:
        return self.workers[1:]

    async def steady(self) -> list[float]:
        """When there was a request, once all runs."""
        for worker in self.workers:
            await worker.hears("submitted")
        await until(lambda: _true(len(self.vendor.prompts) >= SUBMITTED))
        await asyncio.sleep(STEADY)
        now = time.monotonic()
        return [visit.at for visit in self.vendor.visits if now - STEADY < visit.at <= now]

    async def is_taken_over(self) -> bool:
        """By both others."""
        shares = [await self.ledger.owned(each) for each in self.others]
        return not await self.ledger.owned(self.one) and sum(shares) >= self.jobs - IN_FLIGHT and min(shares) > 0


@asynccontextmanager
async def scene(name: str, server: Server, jobs: int, lease: float, folder: Path) -> AsyncIterator[Scene]:
    """They have all of them."""
    ledger = Ledger(server.url, name)
    async with Vendor.open() as vendor, Proxy.open(server.port) as proxy, AsyncExitStack() as stack:
        urls = [server.url.replace(f":{server.port}/", f":{proxy.port}/"), server.url, server.url]
        names, workers = ("one", "two", "three"), list[Worker]()
        logs = [folder / f"{name}-{each}" for each in names]
        for each, url, log in zip(names, urls, logs, strict=True):
            store, session = {"schema": name, "timeout": 2.0 * lease}, {"poll_cost": 1.0}
            made = running(each, vendor, url, lease=lease, store=store, provider=LIMITS, session=session, log=log)
            workers.append(await stack.enter_async_context(made))
        there = vendor.make(jobs - SUBMITTED)
        for i, worker in enumerate(workers):
            await worker.tell("attach", ids=there[i::3])
        for i, worker in enumerate(workers):
            await worker.hears("attached")
            await worker.tell("submit", prompts=[f"boat {j:03}" for j in range(i, SUBMITTED, 3)])
        yield Scene(server, proxy, vendor, ledger, workers, jobs, lease, logs)


async def killed(here: Scene) -> None:
    """One of them, while it creates."""
    await until(lambda: _true(sum(visit.is_create for visit in here.vendor.of("one")) > 20))
    for worker in here.others:
        await worker.hears("submitted")
    at = time.monotonic()
    await here.one.kill()
    await until(here.is_taken_over)
    took = time.monotonic() - at
    say(f"  taken over by both others after {took:.2f} s (promised: {_promised(here):.2f} s)")
    await ends_well(here, unknown=IN_FLIGHT)
    assert took <= _promised(here)


async def stopped(here: Scene) -> None:
    """One of them, for two leases."""
    await here.steady()
    here.one.stop()
    at = time.monotonic()
    await until(here.is_taken_over)
    took = time.monotonic() - at
    await asyncio.sleep(max(0.0, at + 2.0 * here.lease - time.monotonic()))
    woken_at = time.monotonic()
    here.one.go_on()
    (anew,) = await here.one.hears("registered anew")
    early = len([visit for visit in here.vendor.of("one", since=woken_at) if visit.at < anew["at"]])
    say(f"  taken over after {took:.2f} s (promised: {_promised(here):.2f} s); woken, {early} requests before it knew")
    await ends_well(here, unknown=IN_FLIGHT)
    assert not early
    assert took <= _promised(here)


async def cut(here: Scene) -> None:
    """One of them, from the database and not from the vendor, for two leases from when it was taken over."""
    await here.steady()
    here.proxy.cut()
    at = time.monotonic()
    await until(here.is_taken_over)
    took = time.monotonic() - at
    await asyncio.sleep(2.0 * here.lease)
    late = len(here.vendor.of("one", since=at + here.lease))
    here.proxy.mend()
    await here.one.hears("registered anew")
    say(f"  taken over after {took:.2f} s (promised: {_promised(here):.2f} s); {late} requests after its lease")
    await ends_well(here, unknown=IN_FLIGHT)
    assert not late
    assert took <= _promised(here)


async def crash(here: Scene) -> None:
    """The server is killed, and back after seconds."""
    before = await here.steady()
    await asyncio.to_thread(here.server.stop, signal.SIGQUIT)
    at = time.monotonic()
    await asyncio.sleep(AWAY)
    meanwhile = len([visit for visit in here.vendor.visits if visit.at > at + here.lease])
    await asyncio.to_thread(here.server.start)
    back_at = time.monotonic()
    await until(lambda: _true(time.monotonic() > back_at + STEADY))
    after = [visit.at for visit in here.vendor.visits if visit.at > back_at]
    rate, first = len(before) / STEADY, len([moment for moment in after if moment < after[0] + 1.0])
    shares = [await here.ledger.owned(each) for each in here.workers]
    say(f"  before: {rate:.0f} requests/s, {busiest(before)} in the busiest second; {meanwhile} after the lease")
    say(f"  back: the first after {after[0] - back_at:.2f} s, {first} in its second ({first / rate:.2f} x)")
    say(f"  {busiest(after)} in the busiest second; shared out as {shares}")
    await ends_well(here, unknown=3 * IN_FLIGHT)
    assert not meanwhile
    assert first <= WITHIN * rate
    assert busiest(after) <= WITHIN * busiest(before)


def busiest(moments: list[float]) -> int:
    """The most of them within one second."""
    first, most = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] < moment - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def asked_by_two(visits: list[Visit]) -> int:
    """How many generations somebody was asked about in between two questions of somebody else."""
    turns: dict[str, list[str]] = defaultdict(list)
    for visit in visits:
        if not visit.is_create and turns[visit.id][-1:] != [visit.who]:
            turns[visit.id].append(visit.who)
    return sum(len(each) != len(set(each)) for each in turns.values())


async def ends_well(here: Scene, *, unknown: int) -> None:
    """All of it, as the database and the vendor see it, and the logs."""
    for worker in here.workers:
        if worker is not here.one or worker.heard("submitted"):
            await worker.hears("submitted")
    here.vendor.end_within(10.0)

    async def is_over() -> bool:
        return set(await here.ledger.states()) <= {"completed", "unknown"}

    await until(is_over)
    counts = await here.ledger.states()
    prompts = here.vendor.prompts
    lost = here.jobs - counts["completed"] - counts["unknown"]
    twice = len(prompts) - len(set(prompts))
    nameless = len(here.vendor.made.keys() - await here.ledger.known())
    by_two = asked_by_two(here.vendor.visits)
    lines = [line for log in here.logs for line in log.read_text().splitlines()]
    traces = sum(line.startswith("Traceback") for line in lines)
    say(f"  {dict(counts)} of {here.jobs}: {lost} lost, {twice} created twice, {by_two} asked by two at once")
    say(f"  {nameless} of an id that nobody has; {len(lines)} lines in three logs, {traces} tracebacks")
    for text, count in Counter(lines).most_common(4):
        say(f"    {count} x {text[:150]}")
    assert (lost, twice, by_two, traces) == (0, 0, 0, 0)
    assert nameless <= counts["unknown"] <= unknown


def _promised(here: Scene) -> float:
    return here.lease + here.lease / 3.0 + 1.0


async def _true(is_so: bool) -> bool:
    return is_so


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


SCENES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "killed": killed, "stopped": stopped, "cut": cut, "crash": crash,
}  # fmt: skip


async def play(names: list[str], jobs: int, lease: float) -> None:
    """One after the other; all of them, and then what was wrong."""
    wrong = []
    for name in names:
        say(f"{name}: {jobs:,} jobs, lease {lease:g} s")
        with tempfile.TemporaryDirectory() as folder, Server.made(**DURABLE) as server:
            try:
                async with scene(name, server, jobs, lease, Path(folder)) as here:
                    await SCENES[name](here)
            except AssertionError as error:
                wrong.append(f"{name}: {error}")
                said = "".join(log.read_text()[-2000:] for log in Path(folder).iterdir())
                say(f"  WRONG {error}\n{said}")
    if wrong:
        raise SystemExit("\n".join(wrong))


def main() -> None:
    """As the command says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--lease", type=float, default=5.0)
    parser.add_argument("--only", default=",".join(SCENES))
    given = parser.parse_args()
    asyncio.run(play(given.only.split(","), given.jobs, given.lease))


if __name__ == "__main__":
    main()
