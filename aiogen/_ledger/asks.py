"""Cancels that this session asks other processes for, until they are answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiogen.stores.base import Store

Answer = Mapping[str, Any] | None


class Asks:
    """Those whose answers are waited for here, by our ids of the jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: Counter[str] = Counter()
        """How many here want something of a job."""
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}

    def ids(self) -> list[str]:
        """The ids of the jobs for which a cancel is asked for here."""
        return list(self._open)

    @contextmanager
    def about(self, job_id: str) -> Iterator[None]:
        """Within this the job is watched, and an answer can be waited for."""
        self._open[job_id] += 1
        try:
            yield
        finally:
            self._open[job_id] -= 1
            if not self._open[job_id]:
                del self._open[job_id]

    async def answer(self, job_id: str) -> Answer:
        """What the owner says, also if that is us by now; None if the job is over, so that nobody will.

        Raises:
            StoreError: the ledger cannot be read.
        """
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        among = self._waiting.setdefault(job_id, [])
        among.append(waiting)
        try:
            # It may have been given already; after this whatever is written is news.
            early = await self._store.granted(job_id)
            return early if early is not None else await waiting
        finally:
            among.remove(waiting)
            if not among and self._waiting.get(job_id) is among:
                del self._waiting[job_id]

    def moot(self, job_id: str) -> None:
        """Nobody will answer: the job is over, or no longer there."""
        for waiting in self._waiting.get(job_id, ()):
            if not waiting.done():
                waiting.set_result(None)

    async def look(self) -> None:
        """Read the answers that have been given since the last look."""
        for job_id, waits in list(self._waiting.items()):
            answer = await self._store.granted(job_id)
            for waiting in waits:
                if answer is not None and not waiting.done():
                    waiting.set_result(answer)
