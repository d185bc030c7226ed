"""At shutdown waiting requests are answered at once: servers wait for connections before the lifespan ends.

It begins with a signal, handled before the server's own handler, or with `begin_shutdown`.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""The signals at which uvicorn, hypercorn and gunicorn's workers stop."""


class Shutdown:
    """Whether the server is being stopped, for one application; it belongs to the running event loop."""

    def __init__(self, at_once: Callable[[], object] | None = None) -> None:
        """`at_once` is called in whichever thread it begins, before anything else; it must not raise."""
        self._at_once = at_once
        self._loop = asyncio.get_running_loop()
        self._has_begun = False
        self._calls: dict[object, Callable[[], object]] = {}

    @property
    def has_begun(self) -> bool:
        """From now on no request should wait."""
        return self._has_begun

    @property
    def is_of_another_loop(self) -> bool:
        """It was made in another event loop, which has probably ended."""
        return self._loop is not asyncio.get_running_loop()

    def begin(self) -> None:
        """Answer every waiting request; from any thread or signal handler.  A second call does nothing."""
        if self._has_begun:
            return
        self._has_begun = True
        if self._at_once is not None:
            self._at_once()
        with suppress(RuntimeError):  # the loop is closed, so nothing waits
            self._loop.call_soon_threadsafe(self._tell)

    async def wait(self) -> None:
        """Wait until it begins: for routes of your own that wait for something."""
        begins = asyncio.Event()
        with self.calling(begins.set):
            await begins.wait()

    @contextmanager
    def calling(self, call: Callable[[], object]) -> Iterator[None]:
        """Inside, `call` is called in the event loop when it begins; at once, if it has begun.  It must not raise."""
        if self._has_begun:
            call()
            yield
            return
        # Not callbacks of one future, whose list is searched when one is removed: thousands come and go.
        mine = object()
        self._calls[mine] = call
        try:
            yield
        finally:
            self._calls.pop(mine, None)

    def _tell(self) -> None:
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call()


def begin_shutdown(app: FastAPI) -> None:
    """Have the application answer every waiting request, as at SIGTERM: for servers that stop by other means.

    No create is sent from then on: what waits for its turn stays in the ledger for the next worker.  Every waiting
    request is answered with the job as it stands (202 with `Location`, or 200), every stream of events ends, new jobs
    are refused with 503, and `/health/ready` is 503.  The session stays open until the lifespan ends.
    From any thread or signal handler; a second call does nothing, nor does one where the application is not open.
    """
    if (found := getattr(app.state, "aiogen_shutdown", None)) is not None:
        found.begin()


def shutdown_of_app(app: Any) -> Shutdown:
    """The application's; made where the session is opened by other means than our lifespan."""
    found: Shutdown | None = getattr(app.state, "aiogen_shutdown", None)
    if found is None or found.is_of_another_loop:
        found = app.state.aiogen_shutdown = Shutdown()
    return found


async def shutdown_of(connection: HTTPConnection) -> Shutdown:
    """The dependency."""
    return shutdown_of_app(connection.app)


ShutdownDep = Annotated[Shutdown, Depends(shutdown_of)]
"""For routes of your own that wait, WebSockets as well: `async def route(shutdown: ShutdownDep)`."""


@contextmanager
def hearing_signals(call: Callable[[], object]) -> Iterator[None]:
    """Inside, `call` is called at each of these signals, before the handler that was there.

    Only in the main thread, for no other may set handlers; and not for a signal that has no handler: it ends the
    process at once, and goes on doing so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    links = [_Link(number, call) for number in SIGNALS if callable(signal.getsignal(number))]
    for link in links:
        signal.signal(link.number, link)
    try:
        yield
    finally:
        for link in links:
            link.remove()


class _Link:
    """One handler in a chain.  Applications of one process may leave in any order, and so may their servers."""

    def __init__(self, number: int, call: Callable[[], object]) -> None:
        self.number = number
        self.call: Callable[[], object] | None = call
        self.before: Any = signal.getsignal(number)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Ours first: the other one may raise, as Python's own for Ctrl+C does."""
        if self.call is not None:
            self.call()
        self.before(number, frame)

    def remove(self) -> None:
        """Put back what was there; if somebody has put a handler over ours, ours only passes signals on."""
        self.call = None
        before: Any = self.before
        while isinstance(before, _Link) and before.call is None:
            before = before.before
        self.before, number = before, self.number
        if signal.getsignal(number) is self:
            signal.signal(number, before)
