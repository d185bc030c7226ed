"""Web servers of a test: started, reloaded, stopped and killed as they are where they are deployed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiogen

_APP = Path(__file__).with_name("backend.py")


def free_port() -> int:
    """One that nobody listens on: a server that is started again has to have the same."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Server:
    """uvicorn with one worker, or with a process that watches over several."""

    def __init__(self, config: dict[str, Any], *, workers: int, grace: int, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pids: list[int] = []
        """Of the workers, in order of their starts; those that have ended are left in it."""
        self.said: list[str] = []
        self._workers = workers
        self._folder = folder
        self._options = ("--port", str(self.port), "--workers", str(workers), "--timeout-graceful-shutdown", str(grace))
        self._environment = os.environ | {
            "BACKEND": json.dumps(config),
            "PYTHONPATH": os.pathsep.join([str(Path(aiogen.__file__).parent.parent), str(_APP.parent)]),
        }
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._is_silent = False
        self._news = asyncio.Condition()

    async def start(self) -> None:
        """Until each worker has opened its session."""
        count = self.count("Application startup complete") + self._workers
        listening = self.count("Uvicorn running on") + 1
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "backend:app", "--no-access-log", *self._options),
            *("--timeout-worker-healthcheck", "30"),
            cwd=self._folder,
            start_new_session=True,  # so that nothing of it can be left behind
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._is_silent = False
        self._listening = asyncio.create_task(self._listen(self._process))
        await self.says("Application startup complete", count)
        await self.says("Uvicorn running on", listening)  # a single worker listens only then

    def count(self, text: str) -> int:
        """How many lines have it."""
        return sum(text in line for line in self.said)

    async def says(self, text: str, count: int = 1) -> None:
        """So many lines have it by now."""
        async with self._news:
            await self._news.wait_for(lambda: self.count(text) >= count or self._is_silent)
        assert self.count(text) >= count, "\n".join(self.said)

    def signal(self, number: int) -> None:
        """To the process that was started."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """How the process has ended, once it has."""
        assert self._process is not None
        assert self._listening is not None
        code = await self._process.wait()
        await self._listening
        return code

    async def bury(self) -> None:
        """It is gone with its workers, whatever has happened to the test."""
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 10.0)
            except TimeoutError:
                os.killpg(self._process.pid, signal.SIGKILL)
            await self.ended()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            async with self._news:
                self.said.append(text)
                if found := re.search(r"Started server process \[(\d+)\]", text):
                    self.pids.append(int(found[1]))
                self._news.notify_all()
        async with self._news:
            self._is_silent = True
            self._news.notify_all()


@asynccontextmanager
async def serving(
    url: str,
    key: str,
    folder: Path,
    *,
    workers: int = 1,
    grace: int = 5,
    provider: dict[str, Any] | None = None,
    session: dict[str, Any] | None = None,
) -> AsyncIterator[Server]:
    """A server whose application speaks to the provider there; it has a ledger in the folder."""
    config = {
        "url": url,
        "key": key,
        "ledger": str(folder / "images.db"),
        "provider": provider or {},
        "session": session or {},
    }
    server = Server(config, workers=workers, grace=grace, folder=folder)
    try:
        await server.start()
        yield server
    finally:
        await server.bury()
