"""OpenAI's own client repeats what two workers of a web front were doing when they ended, and nothing is paid twice.

What the key of a request is made of is in tests/test_openai_front.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from aiogen.sandbox import LumaSettings, Sandbox

pytestmark = [pytest.mark.official, pytest.mark.looptime(False), pytest.mark.filterwarnings("default")]

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
WORKERS = 2
ASKED = 20


class Front:
    """The example behind two workers, as it is deployed: one process watches over them and starts them again."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.url = ""
        self.workers: list[int] = []
        """Process ids, in order of their starts; those of before are left in it."""
        self._ready = 0
        self._process = process
        self._ledger = folder / "openai_front.db"
        self._news = asyncio.Condition()

    async def listen(self) -> None:
        """Hear what it says, until it says no more."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode()
            async with self._news:
                if found := re.search(r"running on (http://\S+)", text):
                    self.url = found[1]
                if found := re.search(r"Started server process \[(\d+)\]", text):
                    self.workers.append(int(found[1]))
                self._ready += "Application startup complete" in text
                self._news.notify_all()

    async def has_started(self, count: int) -> None:
        """So many workers have opened their session, with those that have ended."""
        async with self._news:
            await self._news.wait_for(lambda: self._ready >= count)

    async def kill_workers(self) -> None:
        """Both at once, with jobs that run and jobs that wait, and no create on its way: that one would be unknown."""
        while True:
            for pid in self.workers:
                os.kill(pid, signal.SIGSTOP)
            states = await asyncio.to_thread(self._states)
            if states["running"] >= 5 and states["pending"] >= 5 and not states["submitting"]:
                break
            for pid in self.workers:
                os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.02)
        for pid in self.workers:
            os.kill(pid, signal.SIGKILL)

    async def reload_workers(self) -> None:
        """One after the other, as for a new version: each has a second left for what it does."""
        while (await asyncio.to_thread(self._states))["running"] < 5:
            await asyncio.sleep(0.02)
        os.kill(self._process.pid, signal.SIGHUP)

    def _states(self) -> Counter[str]:
        with closing(sqlite3.connect(self._ledger)) as ledger:
            states = Counter(state for (state,) in ledger.execute("SELECT state FROM aiogen_job"))
        return states + Counter(running=states["queued"] + states["processing"])


@asynccontextmanager
async def front(box: Sandbox, folder: Path) -> AsyncIterator[Front]:
    """Two workers that serve the example."""
    command = (sys.executable, "-m", "uvicorn", "openai_front:app", "--app-dir", str(EXAMPLES), "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--workers", str(WORKERS), "--timeout-graceful-shutdown", "1", "--timeout-worker-healthcheck", "30"),
        env=os.environ | box.environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    serving = Front(process, folder)
    listening = asyncio.create_task(serving.listen())
    try:
        await serving.has_started(WORKERS)
        yield serving
    finally:
        process.terminate()
        await process.wait()
        await listening


async def end_each(box: Sandbox) -> None:
    """From now on each job ends within a second."""
    while True:
        soon = asyncio.get_running_loop().time() + 1.0
        for job in box.jobs:
            job.ends_at = min(job.ends_at, max(job.started_at, soon))
        await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["killed", "reloaded"])
async def test_twenty_asked_are_twenty_paid(how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever worker gets the repeated request, and whoever follows the job then."""
    openai = pytest.importorskip("openai")
    caplog.set_level(logging.INFO, "openai")
    prompts = [f"boat {i}" for i in range(ASKED)]
    longer = " [[processing=600]]"  # than the test takes: none ends before it has been interrupted
    # Slots of the vendor's would stay taken for so long; aiogen keeps to its ten by itself.
    many = LumaSettings(max_active=2 * ASKED)
    async with asyncio.timeout(240.0), Sandbox(luma=many) as box, front(box, tmp_path) as serving:
        async with openai.AsyncOpenAI(base_url=f"{serving.url}/v1", api_key="ann", max_retries=10) as client:

            async def ask(prompt: str, **headers: str) -> str:
                answer = await client.images.generate(
                    model="luma/uni-1", prompt=prompt + longer, extra_headers=headers or None
                )
                url: str = answer.data[0].url
                return url

            asking = [asyncio.create_task(ask(prompt)) for prompt in prompts]
            await (serving.kill_workers() if how == "killed" else serving.reload_workers())
            while sum(record.message.startswith("Retrying request") for record in caplog.records) < 5:
                await asyncio.sleep(0.05)
            ending = asyncio.create_task(end_each(box))
            urls = await asyncio.gather(*asking)
            assert len(box.jobs) == ASKED
            await serving.has_started(2 * WORKERS)
            # Asked once more by the same client, it is the same picture; asked for by another name, it is another.
            assert await ask("boat 0") == urls[0]
            assert len(box.jobs) == ASKED
            another = await ask("boat 0", **{"Idempotency-Key": "another"})
            ending.cancel()
    assert len({*urls, another}) == ASKED + 1
    assert Counter(job.prompt for job in box.jobs) == Counter(prompts) + Counter(["boat 0"])
