"""Calls the handlers of jobs that have ended: at least once each, also for ends that came while no program ran.

Which handlers a job has stands in the ledger since the job was taken in.  A call is claimed there, the handler is
called, and then the call is acknowledged (`claim`, `ack`); if the program dies in between, the claim ends with its
lease, and the call is due again.

Handlers are called in the order in which the ends were written, several at once, and may finish in any order.  Each
name has its own places, and a place that gets free is taken by the next end: one call that hangs holds up no other.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextvars import ContextVar
from functools import partial

import attrs

from aiogen._limits.retry import delay
from aiogen.models import Generation
from aiogen.stores.base import Store

logger = logging.getLogger("aiogen")

Handler = Callable[[Generation], Awaitable[object] | None]

_CLAIM_EVERY = 2.0
"""Seconds between two claims while nothing ends here: other processes see ends, too, and failed calls fall due."""
_AT_ONCE = 20
"""Calls of one handler at the same time."""
_ATTEMPTS = 12
"""Calls of one handler for one job before it is given up."""
_LONGEST_PAUSE = 300.0
"""Seconds from a call that failed to the next one, at most."""


@attrs.frozen(eq=False)
class _Call:
    """One call of a handler."""

    name: str


_around: ContextVar[frozenset[_Call]] = ContextVar("aiogen_handlers", default=frozenset())
"""The calls from within which this is done, also in tasks that a handler has started; of any session."""


class Handlers:
    """The handlers of one session."""

    def __init__(self, store: Store, *, timeout: float) -> None:
        """`timeout`: seconds that a handler may take."""
        self._store = store
        self._timeout = timeout
        self._handlers: dict[str, Handler] = {}
        self._woken = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._running: set[_Call] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closers: set[_Call] = set()
        """They wait for the session to close, so it cannot wait for them."""
        self._leaving = asyncio.Event()
        self._idle: asyncio.Future[None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the handlers that jobs submitted from now on wait for."""
        return tuple(self._handlers)

    def register(self, name: str, handler: Handler) -> None:
        """Call it from now on; a name that is registered already gets the new handler."""
        self._handlers[name] = handler
        self._woken.set()
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    def wake(self) -> None:
        """Something has ended."""
        self._woken.set()

    def surrounding(self) -> Collection[_Call]:
        """The calls from within which this is called, while they run."""
        return _around.get() & self._running

    async def flush(self) -> None:
        """Wait until the handlers of all that has ended by now have been called, each within its time."""
        if self._working is not None:
            idle = self._idle = self._idle or asyncio.get_running_loop().create_future()
            self._woken.set()
            await asyncio.wait({idle, self._working}, return_when=asyncio.FIRST_COMPLETED)

    async def closing(self, calls: Collection[_Call]) -> None:
        """For these calls, which close the session: wait until nothing but them keeps it from closing."""
        self._closers.update(calls)
        self._woken.set()
        await self._leaving.wait()

    async def close(self) -> None:
        """Call the handlers of what has ended by now, and then none any more."""
        self._leaving.set()
        working, self._working = self._working, None
        if working is None:
            return
        self._woken.set()
        await asyncio.gather(working, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while True:
                self._woken.clear()
                idle = self._idle
                if await self._call_those_due():
                    continue
                if idle is not None and self._running <= self._closers:
                    self._idle = None
                    if not idle.done():  # who waited may have been cancelled
                        idle.set_result(None)
                if self._leaving.is_set() and not self._running:
                    return
                try:
                    async with asyncio.timeout(_CLAIM_EVERY):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        finally:
            # Here with calls under way only if it was cancelled itself.
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call_those_due(self) -> bool:
        """Claim and start as many calls as there are places for; False if none was due."""
        taken = Counter(call.name for call in self._running if call not in self._closers)
        found = False
        for name in self.names:
            if taken[name] >= _AT_ONCE:
                continue
            try:
                due = await self._store.claim([name], _AT_ONCE - taken[name])
            except Exception as error:
                logger.warning("Which handlers are to be called could not be read; aiogen tries again: %s", error)
                return found
            for _, generation, attempt in due:
                found = True
                self._start(name, generation, attempt)
        return found

    def _start(self, name: str, generation: Generation, attempt: int) -> None:
        call = _Call(name)
        self._running.add(call)  # first: with an eager task factory it runs at once
        task = asyncio.get_running_loop().create_task(self._carry_out(call, generation, attempt))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, call))

    def _ended(self, call: _Call, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._running.discard(call)
        self._closers.discard(call)
        self._woken.set()
        if not task.cancelled():
            task.exception()  # SystemExit and its like: the loop has raised it already

    async def _carry_out(self, call: _Call, generation: Generation, attempt: int) -> None:
        name, job_id = call.name, generation.id or ""
        handler = self._handlers[name]
        _around.set(_around.get() | {call})
        again: float | None = None
        try:
            async with asyncio.timeout(self._timeout):
                result = handler(generation)
                if inspect.isawaitable(result):  # a plain function has done it already
                    await result
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # the session is torn down; else something that the handler waited for was cancelled
            if attempt < _ATTEMPTS:
                again = delay(attempt, base=1.0, cap=_LONGEST_PAUSE, draw=lambda low, high: high)
                logger.warning("Handler %r failed for job %s and will be called again: %r", name, job_id, error)
            else:
                logger.error(
                    "Handler %r failed for job %s %d times and will not be called again: %r",
                    name,
                    job_id,
                    attempt,
                    error,
                    exc_info=error,
                )
        try:
            await self._store.ack(job_id, name, again)
        except Exception as error:
            logger.warning(
                "That handler %r was called for job %s could not be written, so it is called again: %s",
                name,
                job_id,
                error,
            )
