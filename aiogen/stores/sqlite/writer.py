"""The ledger's thread, as the event loop sees it: transactions and short reads, each awaited.

The event loop never touches the file.  Each order has its time from when it was given: the busy_timeout of several is
never added up.  What the thread does is in `serving`.
"""

from __future__ import annotations

import asyncio
import math
import queue
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from typing import TypeVar

from aiogen.stores.sqlite.serving import End, Opening, Order, Serving, Work

T = TypeVar("T")


class Writer:
    """The thread; `close` ends it.

    It ends as well when this object or its event loop is gone, for a program may forget to close.
    """

    def __init__(self, opening: Opening, *, busy_timeout: float = 10.0, last: Work | None = None) -> None:
        """`busy_timeout`: seconds to wait while another program holds the file.

        `last` is the last transaction if it is never closed.
        """
        loop = asyncio.get_running_loop()
        self._busy_timeout = busy_timeout
        self._waiting: queue.SimpleQueue[Order | End] = queue.SimpleQueue()
        self._ended: asyncio.Future[None] | None = None
        # Nothing that the thread holds leads back to here: else it would keep alive what has been forgotten.
        serving = Serving(opening, self._waiting, weakref.ref(loop), last)
        self._thread = threading.Thread(target=serving.run, name="aiogen-store", daemon=True)
        weakref.finalize(self, self._waiting.put, None).atexit = False

    async def open(self) -> None:
        """Start, and connect; raises what connecting raises."""
        self._thread.start()
        try:
            await self.read(lambda connection: None)
        except BaseException:
            await self.close()
            raise

    async def do(self, work: Callable[[sqlite3.Connection], T], *, busy_timeout: float = math.inf) -> T:
        """Carry out one transaction; when this returns, it is on the disk.

        A caller that is cancelled leaves it to be carried out all the same.  `busy_timeout`: in seconds, if it has
        less than usual.
        """
        return await self._ask(work, min(busy_timeout, self._busy_timeout), is_read=False)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out a short read: outside of any transaction, so it waits for nobody who writes."""
        return await self._ask(work, self._busy_timeout, is_read=True)

    async def _ask(self, work: Callable[[sqlite3.Connection], T], busy_timeout: float, *, is_read: bool) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put(Order(work, done, time.monotonic() + busy_timeout, is_read))
        return await asyncio.shield(done)

    async def close(self) -> None:
        """After all that waits has been carried out."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
            self._waiting.put(self._ended)
        await asyncio.shield(self._ended)
        # To report that is its last act.  Joining it would need another thread, and an application may use up all of
        # the loop's own.
        while self._thread.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0)
