"""Waiting for a job on behalf of a client: for its end, and for each news of it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, cast

from fastapi.sse import ServerSentEvent

from aiogen._engine.job import Job
from aiogen.errors import AiogenError
from aiogen.integrations.fastapi.bodies import Seen
from aiogen.integrations.fastapi.shutdown import Shutdown
from aiogen.models import Event

LONGEST_WAIT = 60.0
"""Seconds for which an answer is put off; proxies give up on longer ones."""
ETA_EVERY = 5.0
"""Seconds between two events of a job of which nothing else is new: its estimate is."""
RECONNECT = 3000
"""Milliseconds after which a browser asks again."""
_WAIT = re.compile(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE)


def preferred_wait(headers: Iterable[str]) -> int | None:
    """Seconds, at most `LONGEST_WAIT`, that `Prefer: wait=n` asks for (RFC 7240); None if it does not, or not so."""
    for header in headers:
        for preference in header.split(","):
            if found := _WAIT.fullmatch(preference):
                return min(int(found[1]), int(LONGEST_WAIT))  # the first counts
    return None


async def wait(seen: Seen, seconds: float | None, shutdown: Shutdown) -> None:
    """Until it is over, so many seconds have passed, or the server is stopped.  Who leaves takes nothing with them."""
    if seen.job is None or not seconds:
        return
    with suppress(TimeoutError, AiogenError):  # how it ended, its body says
        async with asyncio.timeout(seconds) as limit:
            with shutdown.calling(partial(_end, limit)):
                await seen.job.result()


def _end(limit: asyncio.Timeout) -> None:
    if not limit.expired():
        limit.reschedule(asyncio.get_running_loop().time())


async def events(seen: Seen, base: str, shutdown: Shutdown) -> AsyncIterator[ServerSentEvent]:
    """The state at once, then each change, and the estimate every few seconds; ends with the job, or with the server.

    The id of an event is the state that it tells of.
    """
    told = None
    stopping = asyncio.get_running_loop().create_future()
    with shutdown.calling(partial(_wake, stopping)):
        async with aclosing(_news(seen.job, stopping)) as news:
            async for _ in news:
                now = (seen.state, seen.job.eta() if seen.job is not None else None)
                is_last = seen.is_over  # by what is told now: it may end while a slow client takes that
                if now != told:
                    told = now
                    yield ServerSentEvent(data=seen.body(base), id=seen.state, retry=RECONNECT)
                if is_last:
                    return
        # Not all browsers come back at the same moment.
        yield ServerSentEvent(retry=random.randint(RECONNECT // 3, RECONNECT))


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _news(job: Job | None, stopping: asyncio.Future[None]) -> AsyncGenerator[Event | None, None]:
    """Each change of the job, and None where for a while there was none; ends when the server is stopped."""
    if job is None:
        yield None
        return
    changes = cast(AsyncGenerator[Event, None], job.events())
    coming: asyncio.Task[Event] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(changes))
            either: set[asyncio.Future[Any]] = {coming, stopping}
            await asyncio.wait(either, timeout=ETA_EVERY, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                yield None
                if stopping.done():
                    return
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                yield None  # what it ended with may be new
                return
            finally:
                coming = None
            yield event
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait([coming])
        await changes.aclose()


async def _next(changes: AsyncIterator[Event]) -> Event:
    return await anext(changes)
