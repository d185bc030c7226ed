"""The environment of one test of a store: an event loop, a ledger, a clock, and the stores that are open on it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeVar

import pytest

from aiogen.stores.base import Follows, Store
from aiogen.testing.stores.setup import StoreContext, StoreSetup, new_context

T = TypeVar("T")
S = TypeVar("S", bound=StoreSetup)
NEWS_AT_MOST = 100
"""That often a store may tell of what was written before; more than that never ends."""


class Stage:
    """One ledger for one test; every store that was opened on it is closed in the end."""

    def __init__(self, setup: StoreSetup) -> None:
        self._setup = setup
        self._folder = tempfile.TemporaryDirectory(prefix="aiogen")
        # The standard loop: an event loop policy that the program has set is not tested here.
        self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        self.context: StoreContext = new_context(setup, self._folder)
        self.present: list[Store] = []
        """The stores that are open, and renew their leases."""
        self._killed: list[Store] = []

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, work: Awaitable[T]) -> T:
        """In the event loop of this stage."""
        __tracebackhide__ = True

        async def wait() -> T:
            return await work

        return self._runner.run(wait())

    def close(self) -> None:
        """Close what is still open."""
        try:
            for store in [*self.present, *self._killed]:
                self.run(store.close())
        finally:
            self._runner.close()
            self.context.close()
            self._folder.cleanup()

    @property
    def moment(self) -> datetime:
        """The time, as a date in UTC."""
        return datetime.fromtimestamp(self.context.now, UTC)

    # --- processes

    async def joins(self, follows: Follows = Follows.ALL) -> Store:
        """A process opens the ledger."""
        store = self._setup.make_store(self.context)
        assert store.lease in (None, self.context.lease), "the store's lease has to be that of the context"
        await (store.open() if follows is Follows.ALL else store.open(follows))
        self.present.append(store)
        return store

    async def two(self) -> tuple[Store, Store]:
        """Two processes open the ledger; skips the test if no other process can see it."""
        one = await self.joins()
        if one.lease is None:
            pytest.skip("a store without a lease has only one process")
        return one, await self.joins()

    async def leaves(self, store: Store) -> None:
        """A process closes the ledger and gives up its lease."""
        self.present.remove(store)
        await store.close()

    async def dies(self, store: Store) -> None:
        """A process is killed: it gives nothing back."""
        self.present.remove(store)
        self._killed.append(store)
        await self._setup.kill(store)

    async def comes_back(self, store: Store) -> Store:
        """A process ends, and the next one begins."""
        await self.leaves(store)
        return await self.joins()

    async def passes(self, seconds: float, without: Store | None = None) -> None:
        """Time passes while every store renews its lease, but for `without`."""
        while seconds > 0.0:
            step = min(seconds, 0.6 * self.context.lease)
            self.context.now += step
            seconds -= step
            for store in self.present:
                if store is not without:
                    assert await store.heartbeat(), "a lease was lost although it was renewed in time"

    async def hears_all(self, store: Store) -> None:
        """A process hears of what the others have written so far, which has an end."""
        for _ in range(NEWS_AT_MOST):
            if not await store.wait_for_news(0.0):
                return
        raise AssertionError("wait_for_news tells of something new again and again, while nobody writes")

    async def stands_still(self, store: Store) -> None:
        """It is suspended for longer than its lease, which the others end meanwhile."""
        await self.passes(1.2 * self.context.lease, without=store)


def check(test: Callable[[S, Stage], Coroutine[Any, Any, None]]) -> Callable[[S], None]:
    """A coroutine with a stage, as a plain test without arguments: pytest needs no plugin for it."""

    def run(self: S) -> None:
        __tracebackhide__ = True
        with Stage(self) as stage:
            stage.run(test(self, stage))

    # Not functools.wraps: pytest would follow it to the coroutine, and take the stage for a fixture.
    run.__name__, run.__qualname__, run.__module__ = test.__name__, test.__qualname__, test.__module__
    run.__doc__ = test.__doc__
    return run
