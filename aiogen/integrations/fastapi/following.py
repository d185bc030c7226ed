"""Waiting for a job on behalf of a client: for its end, and for each news of it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Iterable
from functools import partial

from fastapi.sse import ServerSentEvent

from aiogen.integrations.fastapi.bodies import GenerationBody, Seen
from aiogen.integrations.fastapi.news import News
from aiogen.integrations.fastapi.shutdown import Shutdown

LONGEST_WAIT = 60.0
"""Seconds for which an answer is put off; proxies give up on longer ones."""
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
    job = seen.job
    if job is None or not seconds or job.done:
        return
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    # Whoever waits goes on in the next turn of the loop; by `job.result()` that takes three.
    def end(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    limit = loop.call_later(seconds, end)
    job._when_done(end)
    try:
        with shutdown.calling(end):
            await waiter
    finally:
        limit.cancel()
        job._forget(end)


async def events(seen: Seen, base: str, shutdown: Shutdown) -> AsyncGenerator[ServerSentEvent, None]:
    """The state at once, then each change and what is new of the estimate; ends with the job, or with the server.

    The id of an event is the state that it tells of.
    """
    job = seen.job
    if job is None:
        yield _event(seen.body(base))
    else:
        # Not by `job.events()`: to look at the estimate now and then, that would take a task for each client.
        with job._listening(News(job)) as news, news.looking(), shutdown.calling(partial(news.put_nowait, None)):
            told = None
            while True:
                has_ended, is_last = news.has_ended, seen.is_over  # it may end while a slow client takes what is told
                if seen.state is not told or news.is_due:
                    body = seen.body(base)
                    is_known = body.state is told and body.eta is None and news.estimate is None
                    told = body.state
                    news.told(body.eta)
                    yield ServerSentEvent(comment="still there") if is_known else _event(body)
                if is_last:
                    return
                if has_ended:
                    break
                await news.wait()
    # Not all browsers come back at the same moment.
    yield ServerSentEvent(retry=random.randint(RECONNECT // 3, RECONNECT))


def _event(body: GenerationBody) -> ServerSentEvent:
    return ServerSentEvent(raw_data=body.model_dump_json(), id=body.state, retry=RECONNECT)
