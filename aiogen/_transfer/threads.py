"""A few threads of a session's own, for disk, name lookup and whatever else would hold up the event loop.

The loop's default pool belongs to the application.  It may be full of calls that wait for aiogen; then waiting for one
of its threads would never end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_MOST = 8
"""Threads.  Few are needed: a download needs one only while it reads or writes."""


class Threads:
    """Started when first needed, ended with `close`."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[asyncio.Future[Any]] = set()
        self._closed = False

    def start(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> asyncio.Future[T]:
        """Have it done, first come first served.  Shield the future: cancelling it does not stop a thread.

        Raises:
            RuntimeError: they are closed.
        """
        if self._closed:
            raise RuntimeError("The threads of this session have been stopped.")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(AT_MOST, thread_name_prefix="aiogen")
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **options))
        self._running.add(future)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._running.discard(future)
        if not future.cancelled():
            future.exception()  # nobody is left to look at it where the caller was cancelled

    async def run(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        """Have it done and wait for the result.  A caller that is cancelled leaves it to end by itself."""
        return await asyncio.shield(self.start(call, *args, **options))

    async def close(self) -> None:
        """Let what is under way end, and every thread with it."""
        while self._running:
            await asyncio.wait(self._running)
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False)  # idle threads end by themselves, at once
