"""What waits to be written goes into one transaction, in the order in which it was asked.

A commit waits for the server's disk, so whatever has come meanwhile goes into the next one together.  What is refused
(a bound, a budget) has written nothing by then, and takes no other with it; where the server refuses a statement,
which undoes the transaction, each of them gets one of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import attrs

from aiogen.errors import BudgetReached, StoreError, TooManyJobs
from aiogen.stores.postgres.database import Database, Split, Tx
from aiogen.stores.postgres.failures import CONFLICTS, is_away

T = TypeVar("T")
Work = Callable[[Tx], Awaitable[Any]]

_TOGETHER = 200
_TRIES = 4
"""Times that one is done which was in the way of another's."""
REFUSALS = (TooManyJobs, BudgetReached)
"""Raised before anything was written."""


@attrs.frozen(eq=False)
class Order:
    """Something that somebody waits for."""

    work: Work
    done: asyncio.Future[Any]

    def succeeds(self, value: Any) -> None:
        if not self.done.done():
            self.done.set_result(value)

    def fails(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # a caller that was cancelled does not look


class Writer:
    """The one that writes for a store; its task lives only as long as something waits."""

    def __init__(self, database: Database, tell: Callable[[Tx], Awaitable[None]]) -> None:
        """`tell` sends what others have to hear of, in the transaction that it is about."""
        self._database = database
        self._tell = tell
        self._waiting: deque[Order] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._is_closed = False

    async def do(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """One transaction; it is carried out although the caller may be cancelled.

        It may be done twice, the first time in vain.
        """
        if self._is_closed:
            raise StoreError("The ledger was closed before it was written.")
        loop = asyncio.get_running_loop()
        order = Order(work, loop.create_future())
        self._waiting.append(order)
        if self._serving is None:
            self._serving = loop.create_task(self._serve())
        result: T = await order.done
        return result

    async def close(self) -> None:
        """After what waits."""
        self._is_closed = True
        if self._serving is not None:
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _serve(self) -> None:
        try:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
                await self._carry_out(some)
        finally:
            self._serving = None
            while self._waiting:  # this task was cancelled: the loop ends
                self._waiting.popleft().fails(StoreError("The ledger was closed before it was written."))

    async def _carry_out(self, orders: list[Order]) -> None:
        while orders:
            try:
                results = await self._database.wherever_it_writes(partial(self._together, orders))
            except Exception as error:
                await self._one_by_one(orders, error)
                return
            except BaseException:
                for order in orders:
                    order.fails(StoreError("The ledger was closed while it was written."))
                raise
            for order, (value, refusal) in zip(orders, results, strict=False):
                if refusal is not None:
                    order.fails(refusal)
                else:
                    order.succeeds(value)
            orders = orders[len(results) :]

    async def _together(self, orders: list[Order]) -> list[tuple[Any, Exception | None]]:
        """What came of the first of them, as many as one transaction can hold."""
        results = list[tuple[Any, Exception | None]]()
        async with self._database.transaction() as tx:
            for order in orders:
                try:
                    results.append((await order.work(tx), None))
                except REFUSALS as refusal:
                    results.append((None, refusal))
                except Split:
                    break
            if tx.is_news:
                await self._tell(tx)
        return results

    async def _one_by_one(self, orders: list[Order], error: Exception) -> None:
        if is_away(error):
            for order in orders:
                order.fails(error)
            return
        for order in orders:
            for again in reversed(range(_TRIES)):
                try:
                    alone = partial(self._together, [order])
                    ((value, refusal),) = await self._database.wherever_it_writes(alone)
                except CONFLICTS as conflict:
                    if not again:
                        order.fails(conflict)
                except Exception as failure:
                    order.fails(failure)
                    break
                else:
                    order.succeeds(value) if refusal is None else order.fails(refusal)
                    break
