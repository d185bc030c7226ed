"""What takes longer than an event loop should wait: painting, and reading very large bodies."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from .painter import Picture, film, paint

P = ParamSpec("P")
T = TypeVar("T")

KEPT_BYTES = 64 * 1024 * 1024
"""Of finished pictures."""


class Worker:
    """A thread, and a shelf with the last pictures."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        # Painting holds the interpreter's lock most of the time; a second thread would only compete for it.
        self._thread = ThreadPoolExecutor(1, "aiogen-sandbox")
        self._shelf: OrderedDict[Picture, bytes] = OrderedDict()
        self._kept_bytes = kept_bytes
        self._on_shelf = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a slow function without holding up the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def picture(self, picture: Picture) -> bytes:
        """The file, painted now unless it is on the shelf."""
        content = self._shelf.get(picture)
        if content is not None:
            self._shelf.move_to_end(picture)
            return content
        content = await self.run(film if picture.format == "mp4" else paint, picture)
        if picture not in self._shelf:  # somebody else may have wanted it at the same time
            self._shelf[picture] = content
            self._on_shelf += len(content)
        while self._on_shelf > self._kept_bytes:
            self._on_shelf -= len(self._shelf.popitem(last=False)[1])
        return content

    async def close(self) -> None:
        """Ends the thread, after what it is just doing."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
