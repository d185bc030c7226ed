"""Waiting for a job on behalf of a client: for its end, and for each news of it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from functools import partial

from fastapi.sse import ServerSentEvent

from aiogen.errors import AiogenError
from aiogen.integrations.fastapi.bodies import Seen
from aiogen.integrations.fastapi.shutdown import Shutdown

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
    job = seen.job
    if job is None:
        yield _event(seen, base)
    else:
        # Not by `job.events()`: to look at the estimate now and then, that would take a task for each client.
        with job._listening() as changes, shutdown.calling(partial(changes.put_nowait, None)):
            told, has_ended = None, job.done
            while True:
                now = (seen.state, job.eta())
                is_last = seen.is_over  # by what is told now: it may end while a slow client takes that
                if now != told:
                    told = now
                    yield _event(seen, base)
                if is_last:
                    return
                if has_ended:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(ETA_EVERY * random.uniform(0.8, 1.2)):  # not all at the same moment
                        has_ended = await changes.get() is None
    # Not all browsers come back at the same moment.
    yield ServerSentEvent(retry=random.randint(RECONNECT // 3, RECONNECT))


def _event(seen: Seen, base: str) -> ServerSentEvent:
    return ServerSentEvent(data=seen.body(base), id=seen.state, retry=RECONNECT)
