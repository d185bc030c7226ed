"""Two hundred jobs at a server of one's own: how much longer they take through aiogen than the server alone needs.

    python -m benchmarks.local [--jobs 200] [--runs 5] [--file]

At the imitation of ComfyUI, or at a real server if COMFYUI_BASE_URL names one.  The jobs are of the graph without a
model, ledger in memory (`--file`: in a file), nothing is downloaded, all settings are the defaults.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter, process_time
from uuid import uuid4

import aiohttp

import aiogen
from aiogen import State
from aiogen.sandbox import Sandbox


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """The address of a real server, or of the imitation, which runs in this process then."""
    if url := os.environ.get("COMFYUI_BASE_URL"):
        yield url
    else:
        async with Sandbox() as sandbox:
            yield sandbox.comfyui_url


async def alone(url: str, jobs: int) -> float:
    """Seconds that the server needs: all are put into its queue, and its history is read until all are there."""
    provider = aiogen.ComfyUI(base_url=url)
    began = perf_counter()
    async with aiohttp.ClientSession() as client:
        names = [str(uuid4()) for _ in range(jobs)]
        for name in names:
            submission = provider.encode(provider.prepare("empty", "a boat", {}))
            body = {"prompt": submission.body["graph"], "prompt_id": name}
            async with client.post(f"{url}/prompt", json=body) as answer:
                assert answer.status == 200, await answer.text()
        while True:
            async with client.get(f"{url}/history/{names[-1]}") as answer:
                if await answer.json():
                    return perf_counter() - began
            await asyncio.sleep(0.01)


async def through_aiogen(url: str, jobs: int, store: Path | None) -> tuple[float, float, int]:
    """Seconds, CPU seconds (of the imitation, too) and requests."""
    provider = aiogen.ComfyUI(base_url=url)
    began, cpu = perf_counter(), process_time()
    async with aiogen.Session([provider], store=store) as session:
        made = [await session.submit("comfyui/empty", f"boat {i}") for i in range(jobs)]
        ends = await asyncio.gather(*made)
        taken, used = perf_counter() - began, process_time() - cpu
        assert {end.state for end in ends} == {State.COMPLETED}
        assert len({end.provider_id for end in ends}) == jobs
        return taken, used, session._open().transport.sent


async def measure(jobs: int, runs: int, in_file: bool) -> None:
    """Alternating, and printed line by line."""
    more = []
    async with server() as url:
        await alone(url, 5)
        for _ in range(runs):
            bare = await alone(url, jobs)
            with tempfile.TemporaryDirectory() as folder:
                ledger = Path(folder) / "jobs.db" if in_file else None
                taken, used, sent = await through_aiogen(url, jobs, ledger)
            more.append(taken - bare)
            print(f"alone {bare:5.2f} s   aiogen {taken:5.2f} s   {sent} requests   {used:.2f} s of CPU")
    print(f"aiogen takes {statistics.median(more):+.2f} s (median; {min(more):+.2f} to {max(more):+.2f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--file", action="store_true")
    given = parser.parse_args()
    asyncio.run(measure(given.jobs, given.runs, given.file))
