"""One session for each worker, open as long as the application runs."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import Depends, FastAPI, Request

from aiogen._transfer.threads import Threads
from aiogen.errors import InputError, SessionClosed
from aiogen.integrations.fastapi.shutdown import Shutdown, hearing_signals
from aiogen.models import Action
from aiogen.providers.base import Provider
from aiogen.session import Session
from aiogen.stores.base import Store

P = ParamSpec("P")
T = TypeVar("T")
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any] | None]]


def lifespan(
    providers: Sequence[Provider] | None = None,
    *,
    store: Store | str | os.PathLike[str],
    inner: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
    signals: bool = True,
    **options: Any,
) -> Lifespan:
    """What `FastAPI(lifespan=…)` takes: it opens one session for the worker, and closes it at the end.

    Args:
        providers: as `Session` takes them.
        store: the ledger, one file for all workers of a machine.  A ledger in memory loses paid jobs at a restart, so
            it has to be chosen explicitly: ":memory:".
        inner: the application's own lifespan; it runs while the session is open, so it may use `app.state.aiogen`.
        signals: at SIGTERM and SIGINT answer everybody who waits, before the server waits for them (`begin_shutdown`);
            the server's own handlers are called after that, and put back at the end.  Elsewhere than in the main
            thread, and where a signal has no handler, nothing is done.
        options: whatever else `Session` takes; with `follow=False` this worker only takes in and waits, and others on
            the ledger (`aiogen worker`) send and follow.

    Raises:
        InputError: `store` is None.
    """
    if store is None:
        raise InputError(
            "lifespan() needs a store, the path of the ledger: without one a restart loses jobs that are paid for. "
            'For a ledger in memory pass store=":memory:".'
        )

    @asynccontextmanager
    async def open_session(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        async with Session(providers, store=store, **options) as session:
            app.state.aiogen = session
            app.state.aiogen_shutdown = shutdown = Shutdown(session._open().hub.stop_creates)
            try:
                await _warm(app, session._open().hub.transport.threads)
                with hearing_signals(shutdown.begin) if signals else nullcontext():
                    if inner is None:
                        yield None
                    else:
                        async with inner(app) as state:
                            yield state
            finally:
                shutdown.begin()
                del app.state.aiogen, app.state.aiogen_shutdown

    return open_session


async def _warm(app: FastAPI, threads: Threads) -> None:
    """Have FastAPI make now what it makes for the first request, which takes ten milliseconds in one turn of the loop.

    These are what each route needs, made when a router is first asked for a path, and what the search for the source
    line of an endpoint compiles.
    """
    nowhere = {"type": "http", "method": "GET", "path": "/.aiogen", "root_path": "", "headers": [], "query_string": b""}
    for route in app.routes:
        with suppress(Exception):  # it may be anybody's, and expect more of a request
            route.matches({**nowhere, "app": app})
    with suppress(OSError):  # there may be no source
        await threads.run(inspect.getsourcelines, _warm)


async def session_of(request: Request) -> Session:
    """The session of this worker.

    Raises:
        SessionClosed: there is none, because the application has no `lifespan`, or has ended.
    """
    return session_in(request.app)


def session_in(app: FastAPI) -> Session:
    """The session of an application.

    Raises:
        SessionClosed: there is none, because it has no `lifespan`, or has ended.
    """
    session = getattr(app.state, "aiogen", None)
    if session is None:
        raise SessionClosed(
            "This application has no session: give FastAPI the lifespan of aiogen.integrations.fastapi.",
            action=Action.GIVE_UP,
        )
    found: Session = session
    return found


async def in_thread(request: Request, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
    """Run it in the session's own threads: those of the loop may all be waiting for aiogen."""
    return await threads_of(request).run(call, *args, **options)


def threads_of(request: Request) -> Threads:
    """Of the session of this worker."""
    return session_in(request.app)._open().hub.transport.threads


SessionDep = Annotated[Session, Depends(session_of)]
"""The worker's session, for routes of your own: `async def route(session: SessionDep)`."""
