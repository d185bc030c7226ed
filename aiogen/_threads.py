"""A few threads of a session's own, for disk, name lookup and whatever else would hold up the event loop.

The loop's default pool belongs to the application.  It may be full of calls that wait for aiogen; then waiting for one
of its threads would never end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_MOST = 8
"""Threads.  Few are needed: a download needs one only while it reads or writes."""


class Threads:
    """Started when first needed, ended with `close`."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[Future[object]] = set()
        self._closed = False

    def start(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        """Have it done, first come first served.

        Raises:
            RuntimeError: they are closed.
        """
        if self._closed:
            raise RuntimeError("The session's threads have ended.")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(AT_MOST, thread_name_prefix="aiogen")
        future = self._pool.submit(call, *args, **options)
        self._running.add(future)  # type: ignore[arg-type]  # only whether they are done is looked at
        future.add_done_callback(self._running.discard)
        return future

    async def run(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        """Have it done and wait for the result.  A caller that is cancelled leaves it to end by itself."""
        return await asyncio.wrap_future(self.start(call, *args, **options))

    async def close(self) -> None:
        """Let what is under way end, and every thread with it."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            await asyncio.gather(*map(asyncio.wrap_future, self._running), return_exceptions=True)
