"""Starts, stops and kills the processes of a test, and hears what they say."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiogen
from processes.vendor import Vendor

_WORKER = Path(__file__).with_name("worker.py")


class Worker:
    """One process with one session on the ledger."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.pid = process.pid
        self.said: list[dict[str, Any]] = []
        self._process = process
        self._is_silent = False
        self._news = asyncio.Condition()

    async def tell(self, do: str, **more: Any) -> None:
        """Have it do something; what comes of it is heard."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        await self._process.stdin.drain()

    def heard(self, event: str) -> list[dict[str, Any]]:
        """What it has said of this."""
        return [each for each in self.said if each["event"] == event]

    async def hears(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The same, once that was said so often."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.heard(event)) >= count or self._is_silent)
        assert len(self.heard(event)) >= count, f"{self.name} has ended, and said only {self.said[-5:]}"
        return self.heard(event)

    def stop(self) -> None:
        """It stands still until `go_on`."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """At once, whatever it does."""
        os.kill(self.pid, signal.SIGKILL)
        await self._process.wait()

    async def listen(self) -> None:
        """Until it says no more."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self.said.append(json.loads(line))
                self._news.notify_all()
        async with self._news:
            self._is_silent = True
            self._news.notify_all()

    async def leave(self) -> None:
        """It leaves its session, and ends without an error."""
        if self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            assert await self._process.wait() == 0

    async def bury(self) -> None:
        """It is gone, whatever has happened to the test."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running(
    name: str,
    vendor: Vendor,
    path: Path | str,
    *,
    lease: float = 15.0,
    store: dict[str, Any] | None = None,
    provider: dict[str, Any] | None = None,
    session: dict[str, Any] | None = None,
    slow_intent: float = 0.0,
    slow_return: float = 0.0,
    log: Path | None = None,
) -> AsyncIterator[Worker]:
    """A process that has opened its session on the ledger; it leaves it at the end, unless it was killed.

    `path`: of a file, or the url of a database; `log`: where its log is kept, else it is this process's.
    """
    config = {
        "url": f"{vendor.url}/{name}/v1",
        "path": str(path),
        "lease": lease,
        "store": store or {},
        "provider": provider or {},
        "session": session or {},
        "slow_intent": slow_intent,
        "slow_return": slow_return,
    }
    with ExitStack() as stack:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(_WORKER),
            json.dumps(config),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if log is None else stack.enter_context(log.open("ab")),
            limit=1 << 24,
            env=os.environ | {"PYTHONPATH": str(Path(aiogen.__file__).parent.parent)},
        )
    worker = Worker(name, process)
    listening = asyncio.create_task(worker.listen())
    try:
        await worker.hears("registered")
        yield worker
        await worker.leave()
    finally:
        await worker.bury()
        await listening
