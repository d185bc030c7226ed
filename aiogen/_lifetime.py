"""How long a session's parts live: from its first use to the end of `close`, in one process and one event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiogen._binding import Binding, Claim
from aiogen._checkpoint import Checkpoint
from aiogen._clock import Clock
from aiogen._engine.coordinator import Coordinator
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.calls import Calls
from aiogen._jobs.keyed import KeyedJobs
from aiogen._jobs.outputs import Outputs
from aiogen._jobs.reconcile import Reconciler
from aiogen._jobs.registry import Registry
from aiogen._jobs.submitting import Submitting
from aiogen._jobs.wishes import Wishes
from aiogen.errors import InputError
from aiogen.stores.base import Store

if TYPE_CHECKING:
    from aiogen._transfer.transport import Transport


@attrs.frozen
class Parts:
    """The parts of a session that exist only inside a running loop."""

    checkpoint: Checkpoint
    clock: Clock
    transport: Transport
    hub: Hub
    coordinator: Coordinator
    calls: Calls
    outputs: Outputs
    registry: Registry
    keyed: KeyedJobs
    submitting: Submitting
    reconciler: Reconciler
    wishes: Wishes


class Lifetime:
    """One session's.  It is opened by the first call that needs the parts, and once it is closed it stays so."""

    def __init__(self, store: Store) -> None:
        """`store` is the session's alone as long as it is open, and closed last."""
        self.binding = Binding("session")
        self.parts: Parts | None = None
        """While it is open."""
        self.is_closed = False
        self._store = store
        self._claim: Claim | None = None
        self._leaving: asyncio.Future[None] | None = None

    @property
    def is_forgotten(self) -> bool:
        """True if nobody has closed it in this process; a forked child has only a copy, and nothing to close."""
        return self.parts is not None and self.binding.is_of_this_process

    def open(self, begin: Callable[[], Parts]) -> Parts:
        """The parts, made by `begin` when they are first needed.

        Raises:
            InputError: it is closed, belongs to another loop or process, or its store is in use.
        """
        if self.is_closed:
            raise InputError("This session is closed. Open another one: async with aiogen.Session() as session: …")
        if self.parts is not None:
            self.binding.check()
            return self.parts
        self.binding.bind()
        try:
            self._claim = Claim(self._store, self.binding)
            self.parts = self.binding.holding = begin()
        except BaseException:
            self._let_go()
            raise
        return self.parts

    async def close(self) -> None:
        """See `Session.close`."""
        parts = self.parts
        if self.is_closed or parts is None:
            self.is_closed = True
            return
        self.binding.check()
        deliveries = parts.hub.handlers
        if handlers := deliveries.surrounding():
            # A task of its own, for it outlasts the handler, which is waited for itself.
            self._leaving = self._leaving or asyncio.get_running_loop().create_task(self._leave(parts))
            await deliveries.closing(handlers)
        elif self._leaving is not None:
            await asyncio.wait([self._leaving])
        else:
            left = self._leaving = asyncio.get_running_loop().create_future()
            try:
                await self._leave(parts)
            finally:
                left.set_result(None)

    async def _leave(self, parts: Parts) -> None:
        try:
            await parts.coordinator.leave()
        finally:
            self.is_closed = True
            self.parts = None
            try:
                await self._close(parts)
            finally:
                self._let_go()

    async def _close(self, parts: Parts) -> None:
        calls = parts.calls.close()
        try:
            await parts.coordinator.close()
            await asyncio.gather(*calls, return_exceptions=True)
        finally:
            try:
                await parts.transport.close()
            finally:
                await self._store.close()

    def _let_go(self) -> None:
        self.binding.release()
        if self._claim is not None:
            self._claim.release()

    def is_followed(self) -> bool | None:
        """Whether somebody sends and follows what is taken in here; None if that is this session's own affair."""
        if self.parts is None or self.parts.hub.is_follower:
            return None
        return self.parts.hub.ledger.is_followed

    # --- for people

    def jobs(self) -> list[Job]:
        """Every job that has not ended yet."""
        return self.parts.hub.jobs() if self.parts is not None else []

    def standing(self) -> str:
        """The number of jobs in each state, in words; or why there are none."""
        if self.parts is None:
            return "closed" if self.is_closed else "not open"
        counts = Counter(job.state for job in self.jobs())
        return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no jobs"

    def windows(self) -> list[tuple[str, str]]:
        """Each account that was used, and what it allows now."""
        if self.parts is None:
            return []
        hub, now = self.parts.hub, self.parts.clock.now()
        return [(account.name, account.window.summary(now)) for account in hub.accounts()]
