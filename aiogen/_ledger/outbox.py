"""Facts that the ledger could not take yet.

What has happened at the provider is a fact whether the ledger takes it or not: such writes never fail anybody.  They
are owed, kept in order, and caught up when the ledger works again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

import attrs

from aiogen.stores.base import Store

logger = logging.getLogger("aiogen")

Write = Callable[[], Awaitable[None]]

WRITE_TIMEOUT: Final = 0.7
"""Seconds that anybody waits for a fact to be written; after that it is owed, and goes to those who wait for it."""
_NAMED_AT_MOST = 500
"""Jobs named in the message about what was never written."""
_TOGETHER = 200
"""Facts that are caught up side by side at most: the store writes them in one transaction, or a few."""


@attrs.define(eq=False)
class _Owed:
    """A fact that the ledger does not know yet."""

    write: Write
    job_ids: tuple[str, ...]
    trying: asyncio.Task[bool] | None = None
    """The write under way: it lasts as long as the store waits for its disk."""
    is_written: bool = False
    is_reported: bool = False
    """That it could not be written: once is enough."""


class Outbox:
    """The facts that one session has not been able to write into its store yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._owed: deque[_Owed] = deque()
        self._is_behind = False
        self._writing = asyncio.Lock()
        self._catching_up: asyncio.Task[None] | None = None

    @property
    def is_behind(self) -> bool:
        """True while something is owed that could not be written at the last try."""
        return self._is_behind

    @property
    def owes(self) -> int:
        """The number of facts that are not written yet."""
        return len(self._owed)

    def owes_about(self, job_id: str) -> bool:
        """True if one of them is about this job."""
        return any(job_id in fact.job_ids for fact in self._owed)

    async def note(self, write: Write, *job_ids: str, within: float = WRITE_TIMEOUT) -> None:
        """A fact about these jobs: written now, or as soon as the ledger takes it.

        Never raises what a store raises, and waits for it for `within` seconds (0 or more) at most: the write goes on
        after that, and counts as owed until it is done.  Facts about different jobs are written side by side; only
        behind what is owed they keep their order.  While the ledger does not answer nobody waits for it at all.
        """
        fact = _Owed(write, job_ids)
        if self._owed:
            self._owed.append(fact)
            if not self._is_behind:
                await self.catch_up_within(within)
            return
        if not self._is_shared:
            await self._took(fact)
            return
        fact.trying = trying = asyncio.get_running_loop().create_task(self._took(fact))
        try:
            await asyncio.wait([trying], timeout=within)
        finally:
            if not trying.done():  # also when the caller was cancelled
                self._is_behind = True
                self._owed.append(fact)
            elif not trying.result():
                fact.trying = None
                self._owed.append(fact)

    async def catch_up(self) -> None:
        """Write what is owed, until the ledger refuses something; about each job in order.

        One first, for the ledger may not answer yet; then twice as many side by side each time.  One after the other
        each would take some turns of the loop and a commit of its own: a process that is behind because its loop is
        late would never catch up, and its lease waits for that.
        """
        async with self._writing:
            count = 1
            while self._owed:
                some = self._first(count)
                await asyncio.gather(*map(self._try, some))
                self._owed = deque(fact for fact in self._owed if not fact.is_written)
                if not all(fact.is_written for fact in some):
                    break
                count = min(2 * count, _TOGETHER)
            self._is_behind = bool(self._owed)

    def _first(self, count: int) -> list[_Owed]:
        """So many of those that are owed, or fewer: the next one may be about a job of which another one is."""
        some, named = list[_Owed](), set[str]()
        for fact in islice(self._owed, count):
            if some and (not fact.job_ids or not named.isdisjoint(fact.job_ids)):
                break
            some.append(fact)
            named.update(fact.job_ids)
            if not fact.job_ids:
                break
        return some

    async def catch_up_within(self, seconds: float) -> None:
        """Do so, and wait for it for so long at most.

        It goes on after that, beside the heartbeat: much may be owed, and take longer than the lease.
        """
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.get_running_loop().create_task(self.catch_up())
        await asyncio.wait([self._catching_up], timeout=seconds)

    async def close(self) -> None:
        """Try all of it a last time; an error names the jobs about which something could not be written."""
        if self._owed:
            await self.catch_up()
        if self._catching_up is not None:
            await asyncio.gather(self._catching_up, return_exceptions=True)
        if trying := [fact.trying for fact in self._owed if fact.trying is not None]:
            await asyncio.gather(*trying, return_exceptions=True)
            await self.catch_up()
        if self._owed:
            ids = list(dict.fromkeys(job_id for fact in self._owed for job_id in fact.job_ids))
            logger.error(
                "%d changes could not be written to the ledger before the session was closed. The next session "
                "finds these jobs in their earlier states: it asks again about those that ran, and those that "
                "were just accepted are unknown to it. Jobs: %s%s",
                len(self._owed),
                ", ".join(ids[:_NAMED_AT_MOST]),
                f" and {len(ids) - _NAMED_AT_MOST} more" if len(ids) > _NAMED_AT_MOST else "",
            )

    @property
    def _is_shared(self) -> bool:
        return self._store.lease is not None

    async def _try(self, fact: _Owed) -> None:
        """Write it, unless that is done; one try goes on if the caller is cancelled."""
        if fact.is_written:
            return
        if fact.trying is None:
            fact.trying = asyncio.get_running_loop().create_task(self._took(fact))
        trying = fact.trying
        try:
            await asyncio.shield(trying)
        finally:
            if trying.done():
                fact.trying = None

    async def _took(self, fact: _Owed) -> bool:
        """False if it has to be tried again."""
        try:
            await fact.write()
        except Exception as error:
            if not fact.is_reported and not (self._is_shared and getattr(error, "retryable", False)):
                fact.is_reported = True
                logger.error("The ledger could not be written, so this change is only in memory: %r", error)
            self._is_behind = self._is_shared
            fact.is_written = not self._is_shared
        else:
            fact.is_written = True
        return fact.is_written
