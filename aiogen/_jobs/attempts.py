"""Further attempts of a job, after failures that trying again may help against; each is a job and a bill of its own.

The handle that the user holds shows the attempt under way, and ends as the last one does.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial

from aiogen._answers.asked import may_retry
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._limits.retry import retry_pause
from aiogen._wording import duration
from aiogen.errors import AiogenError, GenerationFailed, GenerationRefused
from aiogen.models import Cost, Generation, State

logger = logging.getLogger("aiogen")


def try_again(hub: Hub, job: Job, another: Another, *, retries: int, is_retry: bool) -> Attempts:
    """Have a job tried again, `retries` times in all; counted from itself where it `is_retry`, one asked for by hand.

    The same job may be asked for by several callers under its key: the one that allows most decides.
    """
    attempts = job._attempts
    if not isinstance(attempts, Attempts):
        job._attempts = attempts = Attempts(hub, another)
    attempts.allow(max(retries + 1, job.attempt + retries if is_retry else 0))
    return attempts


Another = Callable[[Job], Awaitable[Job]]
"""Makes another attempt of what has failed."""


class Attempts:
    """Those of one job, for all who have asked for them."""

    def __init__(self, hub: Hub, another: Another) -> None:
        self._hub = hub
        self._another = another
        self._most = self._callers = 0
        self.ended: list[Generation] = []
        """How the attempts before this one ended."""
        self.latest: Job | None = None
        """The attempt under way, if it is not the first."""
        self._pause: asyncio.Task[None] | None = None

    def allow(self, most: int) -> None:
        """One more caller wants further attempts, and allows this number in all."""
        self._callers += 1
        self._most = max(self._most, most)

    def leave(self) -> None:
        """A caller has gone: nobody pays for an attempt that nobody waits for."""
        self._callers -= 1
        if self._callers <= 0:
            self.stop()

    def stop(self) -> bool:
        """No further attempt is made; True if one was about to be."""
        self._most = 0
        return self._pause is not None and self._pause.cancel()

    def goes_on(self, job: Job, error: AiogenError | None) -> bool:
        """An attempt has ended like this; True if another one follows, and the job is not over yet."""
        made = (self.latest or job).attempt
        if self._hub.closed or made >= self._most or not _helps(error):
            if self.ended and error is not None:
                error.add_note(_summary([*self.ended, job.generation]))
            return False
        assert error is not None
        pause = retry_pause(made, draw=random.uniform)
        logger.info(
            "Job %s has failed (%s) and is tried again in %s: attempt %d of at most %d; each may be charged.",
            job.id,
            error.code,
            duration(pause),
            made + 1,
            self._most,
        )
        self._pause = self._hub.look_up(asyncio.sleep(pause))
        self._pause.add_done_callback(partial(self._paused, job, error))
        return True

    def _paused(self, job: Job, error: AiogenError, pause: asyncio.Task[None]) -> None:
        self._pause = None
        if pause.cancelled():  # it was withdrawn, or the session is being closed
            self._end(job, error)
        else:
            self._hub.look_up(self._go_on(job, error)).add_done_callback(partial(self._went_on, job, error))

    async def _go_on(self, job: Job, error: AiogenError) -> None:
        failed = self.latest or job
        latest = await self._another(failed)
        if latest is job or latest is failed:  # the ledger has not heard of its end yet
            self._end(job, error)
            return
        self.ended.append(job.generation)
        self.latest = latest
        job._follow(latest)
        latest._when_done(partial(self._over, job))

    def _went_on(self, job: Job, error: AiogenError, going: asyncio.Task[None]) -> None:
        """Nobody takes it, or the session is being closed: then the failure is its end."""
        why = None if going.cancelled() else going.exception()
        if why is not None:
            error.add_note(f"It was not tried again: {why}")
        if why is not None or going.cancelled():
            self._end(job, error)

    def _end(self, job: Job, error: AiogenError) -> None:
        self._most = 0
        job._finish(error)

    def _over(self, job: Job, latest: Job) -> None:
        job.generation = latest.generation
        job._finish(latest.error)


def _helps(error: AiogenError | None) -> bool:
    """Trying again may help, and it is certain that nothing runs: never after a create whose answer did not come."""
    if not isinstance(error, GenerationFailed) or isinstance(error, GenerationRefused) or error.generation is None:
        return False
    ended = error.generation
    # One without an id was refused, where another process has sent it.
    was_made = ended.state is State.FAILED and ended.provider_id is not None
    return was_made and may_retry(ended.state, error.code, error.action)


def _summary(attempts: list[Generation]) -> str:
    """How many there were, and what they cost, as far as it was said."""
    costs: dict[str, Cost] = {}
    for cost in (attempt.cost for attempt in attempts if attempt.cost is not None):
        before = costs.get(cost.unit)
        costs[cost.unit] = cost if before is None else Cost(before.amount + cost.amount, cost.unit)
    said = f": {' and '.join(map(str, costs.values()))} by what the provider said" if costs else ""
    return f"It was tried {len(attempts)} times; each attempt may have been charged{said}."
