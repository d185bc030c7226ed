"""Waiting on behalf of a client: for the end of a job, and for each change of it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from fastapi.sse import ServerSentEvent

from aiogen._engine.job import Job
from aiogen.errors import AiogenError
from aiogen.integrations.fastapi.bodies import GenerationBody, Seen
from aiogen.integrations.fastapi.news import LOOK_EVERY, SILENT_LOOKS, News
from aiogen.integrations.fastapi.problems import Refused
from aiogen.integrations.fastapi.shutdown import Shutdown
from aiogen.models import Event, State

LONGEST_WAIT = 60.0
"""Seconds for which an answer is delayed at most; proxies give up on longer ones."""
RECONNECT = 3000
"""Milliseconds after which a browser asks again."""
_WAIT = re.compile(r"\s*wait\s*(?:[=;].*)?", re.IGNORECASE | re.DOTALL)
_SECONDS = re.compile(r'\s*wait\s*=\s*"?0*([0-9]+)"?\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)


def preferred_wait(headers: Iterable[str]) -> int | None:
    """Seconds, at most `LONGEST_WAIT`, that `Prefer: wait=n` asks for (RFC 7240); None without a valid one."""
    for header in headers:
        for preference in header.split(","):
            if _WAIT.fullmatch(preference):  # the first counts, also if it is no number
                found = _SECONDS.fullmatch(preference)
                return min(int(found[1][:9]), int(LONGEST_WAIT)) if found else None
    return None


async def wait(seen: Seen, seconds: float | None, shutdown: Shutdown) -> Seen:
    """Until it is over, `seconds` have passed, or the server is stopped; its state then.

    A client that leaves cancels nothing else.  A job whose deadline has passed goes on at the provider: its end is
    awaited in the ledger.
    """
    end = asyncio.get_running_loop().time() + (seconds or 0.0)
    while not (seen.is_over or shutdown.has_begun):
        left = end - asyncio.get_running_loop().time()
        if left <= 0.0:
            break
        if seen.is_followed:
            await _pause(seen, left, shutdown)
        elif seen.again is None:
            break
        else:
            await _pause(seen, min(LOOK_EVERY, left), shutdown)
            seen = await _look_again(seen)
    return seen


async def _pause(seen: Seen, seconds: float, shutdown: Shutdown) -> None:
    """For `seconds`, or until the job's handle ends or changes its state, or the server is stopped."""
    loop, job = asyncio.get_running_loop(), seen.job
    waiter: asyncio.Future[None] = loop.create_future()

    # This resumes the waiter in the next turn of the loop; `job.result()` takes three.
    def end(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    limit = loop.call_later(seconds, end)
    if job is not None and not job.done:
        job._when_done(end)
    try:
        with shutdown.calling(end), _hearing(job, end):
            await waiter
    finally:
        limit.cancel()
        if job is not None:
            job._forget(end)


@contextmanager
def _hearing(job: Job | None, call: Callable[[], None]) -> Iterator[None]:
    """Inside, `call` is called at the end of a job whose deadline has passed, where it is followed by this worker."""
    if job is None or not job.done:
        yield
        return
    with job._listening(_Ear(call)):
        yield


class _Ear:
    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def put_nowait(self, event: Event | None, /) -> None:
        self._call()


async def _look_again(seen: Seen) -> Seen:
    """By the ledger as of now; unchanged while that cannot be read."""
    if seen.again is None:
        return seen
    try:
        return await seen.again()
    except AiogenError:
        return seen


async def events(seen: Seen, base: str, shutdown: Shutdown) -> AsyncGenerator[ServerSentEvent, None]:
    """The present state at once, then each change of state and estimate; ends with the job, or with the server.

    The id of an event is the state in it.
    """
    sent: State | None = None
    looks = 0
    while True:
        if (job := seen.job) is not None and not job.done:
            # Not by `job.events()`: to look at the estimate now and then, that would take a task for each client.
            with job._listening(News(job)) as news, news.looking(), shutdown.calling(partial(news.put_nowait, None)):
                while True:
                    has_ended, is_last = news.has_ended, seen.is_over  # it may end while a slow client reads
                    if seen.state is not sent or news.is_due:
                        body = seen.body(base)
                        is_known = body.state is sent and body.eta is None and news.estimate is None
                        sent = body.state
                        news.sent(body.eta)
                        yield ServerSentEvent(comment="still there") if is_known else _event(body)
                    if is_last:
                        return
                    if has_ended:
                        break
                    await news.wait()
        elif seen.state is not sent:
            sent, looks = seen.state, 0
            yield _event(seen.body(base))
        elif looks >= SILENT_LOOKS:
            looks = 0
            yield ServerSentEvent(comment="still there")
        if seen.is_over:
            if seen.state is sent:
                return
            continue
        if seen.again is None or shutdown.has_begun:
            break
        # Its deadline has passed, and it goes on at the provider.
        await _pause(seen, LOOK_EVERY * random.uniform(0.8, 1.2), shutdown)
        looks += 1
        try:
            seen = await _look_again(seen)
        except Refused:  # it was removed
            break
    # Not all browsers come back at the same moment.
    yield ServerSentEvent(retry=random.randint(RECONNECT // 3, RECONNECT))


def _event(body: GenerationBody) -> ServerSentEvent:
    return ServerSentEvent(raw_data=body.model_dump_json(), id=body.state, retry=RECONNECT)
