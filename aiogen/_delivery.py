"""Ends brought to whoever registered for them: at least once, also if nobody was there when they came.

What is to be delivered stands in the ledger since the job was taken in.  A delivery is claimed, the handler is
called, and only then it is done; if the program dies in between, the claim ends with its lease.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from aiogen._clock import Clock
from aiogen._retry import delay
from aiogen.models import Generation
from aiogen.stores.base import Store

logger = logging.getLogger("aiogen")

Handler = Callable[[Generation], Awaitable[object] | None]

_LOOK = 2.0
"""Seconds between two looks for ends that others have seen."""
_AT_ONCE = 20
_ATTEMPTS = 12
_LONGEST_PAUSE = 300.0


class Deliveries:
    """The handlers of one session."""

    def __init__(self, store: Store, clock: Clock, *, patience: float) -> None:
        """`patience`: seconds that a handler may take."""
        self._store = store
        self._clock = clock
        self._patience = patience
        self._handlers: dict[str, Handler] = {}
        self._news = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._leaving = False
        self._idle: asyncio.Future[None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Who is to be told of the jobs that are taken in now."""
        return tuple(self._handlers)

    def register(self, name: str, handler: Handler) -> None:
        """From now on; a name that is there already gets the new handler."""
        self._handlers[name] = handler
        self._news.set()
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    def wake(self) -> None:
        """Something has ended."""
        self._news.set()

    async def told(self) -> None:
        """When everything that has ended by now was told, each handler within its time."""
        if self._working is not None:
            idle = self._idle = self._idle or asyncio.get_running_loop().create_future()
            self._news.set()
            await asyncio.wait({idle, self._working}, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Tell what has ended by now, and then nothing more."""
        working, self._working = self._working, None
        if working is None:
            return
        self._leaving = True
        self._news.set()
        await asyncio.gather(working, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            self._news.clear()
            idle = self._idle
            try:
                due = await self._store.due(self.names, _AT_ONCE)
            except Exception as trouble:
                logger.warning("What is to be delivered could not be read; it is tried again: %s", trouble)
                due = []
            if due:
                await asyncio.gather(*(self._deliver(*each) for each in due))
                continue
            if idle is not None:
                self._idle = None
                if not idle.done():  # who waited may have been cancelled
                    idle.set_result(None)
            if self._leaving:
                return
            try:
                async with asyncio.timeout(_LOOK):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _deliver(self, name: str, generation: Generation, attempt: int) -> None:
        handler = self._handlers[name]
        job_id = generation.id or ""
        again: float | None = None
        try:
            async with asyncio.timeout(self._patience):
                told = handler(generation)
                if inspect.isawaitable(told):  # a plain function has done it already
                    await told
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # the session is torn down; else something that the handler waited for was cancelled
            if attempt < _ATTEMPTS:
                again = delay(attempt, base=1.0, cap=_LONGEST_PAUSE, draw=lambda low, high: high)
                logger.warning("Handler %r failed for job %s, it is called again: %r", name, job_id, error)
            else:
                logger.error(
                    "Handler %r failed for job %s %d times, and is not called again: %r",
                    name,
                    job_id,
                    attempt,
                    error,
                    exc_info=error,
                )
        try:
            await self._store.delivered(job_id, name, again)
        except Exception as trouble:
            logger.warning("That job %s was delivered could not be written, so it is once more: %s", job_id, trouble)
