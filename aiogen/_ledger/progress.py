"""Notes in the ledger which of our jobs have begun, for callers in other processes: late, and many at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from aiogen.stores.base import Store

logger = logging.getLogger("aiogen")

_GATHERED_FOR = 0.2
"""Seconds from the first to the write: a batch begins together, and ends have the ledger to themselves meanwhile."""


class Progress:
    """One per session.  Nothing waits for it, and what cannot be written is forgotten."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begun: dict[str, None] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, job_ids: Iterable[str]) -> None:
        """These have begun to be processed."""
        self._begun.update(dict.fromkeys(job_ids))
        if self._begun and self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def close(self) -> None:
        """Stop: what is not written yet is dropped."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        try:
            while self._begun:
                await asyncio.sleep(_GATHERED_FOR)
                begun, self._begun = list(self._begun), {}
                try:
                    await self._store.progressed(begun)
                except Exception as error:
                    logger.debug("That %d jobs have begun was not written: %s", len(begun), error)
        finally:
            self._writing = None
