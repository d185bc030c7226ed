"""What this session wants of jobs that other processes follow, until it is granted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiogen.stores.base import Store

Answer = Mapping[str, Any] | None


class Asks:
    """Those whose answers are waited for here, by our ids of the jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, list[asyncio.Future[Answer]]] = {}

    def ids(self) -> list[str]:
        """Of which jobs somebody here wants something."""
        return list(self._open)

    @contextmanager
    def about(self, job_id: str) -> Iterator[None]:
        """Within this the job is watched, and an answer can be waited for."""
        self._open.setdefault(job_id, [])
        try:
            yield
        finally:
            if not self._open[job_id]:
                del self._open[job_id]

    async def answer(self, job_id: str) -> Answer:
        """What the owner says; None if the job is over or ours by now, so that nobody will.

        Raises:
            StoreError: the ledger cannot be read.
        """
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open.setdefault(job_id, []).append(waiting)
        try:
            # It may have been given already; after this whatever is written is news.
            early = await self._store.granted(job_id)
            return early if early is not None else await waiting
        finally:
            self._open[job_id].remove(waiting)

    def moot(self, job_id: str) -> None:
        """Nobody will answer: the job is over, no longer there, or ours by now."""
        for waiting in self._open.get(job_id, ()):
            if not waiting.done():
                waiting.set_result(None)

    async def look(self) -> None:
        """What has been answered meanwhile."""
        for job_id, waits in list(self._open.items()):
            if not any(not waiting.done() for waiting in waits):
                continue
            answer = await self._store.granted(job_id)
            for waiting in waits:
                if answer is not None and not waiting.done():
                    waiting.set_result(answer)
