"""Processes and their database killed again and again, at random; nothing is lost, and nothing created twice.

    cd tests && python -m postgres.kills [--kills 40] [--seed 0]

For people, as it takes minutes: three processes send the same requests under the same keys, and whichever is killed is
started again.  The test of one kill of each kind is in `test_processes.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from postgres.server import Server
from postgres.test_processes import LEASE, LIMITS, Ledger
from processes.running import Worker, running
from processes.vendor import Vendor

JOBS = 600
PROMPTS = [f"boat {i:03}" for i in range(JOBS)]
PLACES = 20
"""So many run at once, three seconds each: creates are on their way all the time."""
AT_ONCE = 16
"""So many creates a process may have on their way: what became of them nobody knows after a kill."""


@asynccontextmanager
async def sending(name: str, vendor: Vendor, server: Server, ledger: Ledger) -> AsyncIterator[Worker]:
    """A process that asks for all of them."""
    store = {"schema": ledger.schema, "timeout": 2.0}
    how = {"lease": LEASE, "provider": LIMITS | {"max_active": PLACES}, "session": {"poll_cost": 0.02}}
    async with running(name, vendor, server.url, store=store, **how) as worker:  # type: ignore[arg-type]
        await worker.tell("submit", prompts=PROMPTS, keyed=True)
        try:
            yield worker
        finally:
            await worker.bury()


async def kill(count: int, draw: random.Random) -> None:
    """So many, and then until all is over."""
    with Server.made(fsync="on", synchronous_commit="on", full_page_writes="on") as server:
        ledger, began, what = Ledger(server.url, "kills"), time.monotonic(), Counter[str]()
        async with Vendor.open(3.0) as vendor, AsyncExitStack() as stack:
            workers: dict[str, Worker] = {}

            async def start(name: str) -> None:
                workers[name] = await stack.enter_async_context(sending(name, vendor, server, ledger))

            for name in ("one", "two", "three"):
                await start(name)
            for _ in range(count):
                await asyncio.sleep(draw.uniform(0.1, 1.0))
                if draw.random() < 0.3:
                    what["server"] += 1
                    await asyncio.to_thread(server.stop, signal.SIGQUIT)
                    await asyncio.sleep(draw.uniform(0.0, 2.0 * LEASE))
                    await asyncio.to_thread(server.start)
                else:
                    what["process"] += 1
                    name = draw.choice(list(workers))
                    await workers[name].bury()
                    await start(name)
            for name in workers:  # one that found no database when it wanted to write has ended by itself
                await workers[name].bury()
                await start(name)
            while set(states := await ledger.states()) - {"completed", "unknown"} or sum(states.values()) < JOBS:
                await asyncio.sleep(0.2)
            lost = JOBS - states["completed"] - states["unknown"]
            twice = len(vendor.prompts) - len(set(vendor.prompts))
            nameless = len(vendor.made.keys() - await ledger.known())
            took = time.monotonic() - began
            _say(f"{what['process']} kills of processes, {what['server']} of the server, in {took:.0f} s")
            _say(f"{dict(states)} of {JOBS}: {lost} lost, {twice} created twice, {nameless} of an id that nobody has")
            assert (lost, twice) == (0, 0)
            assert nameless <= states["unknown"] <= AT_ONCE * (what["process"] + 3 * what["server"] + 3)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    """As the command says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(kill(given.kills, random.Random(given.seed)))


if __name__ == "__main__":
    main()
