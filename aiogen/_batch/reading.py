"""Going through the rows of a batch: those of a file some at a time, in a thread, for reading a file takes its time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from aiogen._transfer.threads import Threads

_AT_ONCE = 50
"""Rows that are read in one go: with pictures in them each may have megabytes."""


@runtime_checkable
class Readable(Protocol):
    """What gives rows, or what is wrong with one, as `aiogen.batch.Rows` does."""

    def read(self) -> Iterable[Any]: ...


async def each_row(requests: Iterable[Any], threads: Threads) -> AsyncGenerator[Any, None]:
    """Each request; of a file also each `RowProblem`."""
    if not isinstance(requests, Readable):
        for request in requests:
            yield request
        return
    reading = iter(requests.read())

    def some() -> list[Any]:
        return list(islice(reading, _AT_ONCE))

    try:
        while rows := await threads.run(some):
            for row in rows:
                yield row
    finally:
        if (close := getattr(reading, "close", None)) is not None:
            await threads.run(close)
