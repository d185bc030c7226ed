"""Work that would block the event loop: painting, and reading very large bodies."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from .painting import Picture, film, paint

P = ParamSpec("P")
T = TypeVar("T")

KEPT_BYTES = 64 * 1024 * 1024
"""Of finished pictures, kept in memory."""


class Worker:
    """A thread, and a cache of the pictures that were used last."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        # Painting holds the interpreter's lock most of the time; a second thread would only wait for it.
        self._thread = ThreadPoolExecutor(1, "aiogen-sandbox")
        self._cache: OrderedDict[Picture, bytes] = OrderedDict()
        self._kept_bytes = kept_bytes
        self._cached_bytes = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a slow function without holding up the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def picture(self, picture: Picture) -> bytes:
        """The file, painted now unless it is in the cache."""
        content = self._cache.get(picture)
        if content is not None:
            self._cache.move_to_end(picture)
            return content
        content = await self.run(film if picture.format == "mp4" else paint, picture)
        if picture not in self._cache:  # another request may have painted it in the meantime
            self._cache[picture] = content
            self._cached_bytes += len(content)
        while self._cached_bytes > self._kept_bytes:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])
        return content

    async def close(self) -> None:
        """Ends the thread when it has finished its present work."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
