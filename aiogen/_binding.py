"""Sessions and stores belong to one process and one event loop: used from anywhere else, they say so at once.

Futures, sockets and locks work in their own loop alone, and a forked process has copies of objects whose sockets and
files are its parent's.  Without a guard such a call hangs, or fails somewhere deep inside with words about tasks and
futures.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Protocol, TypeVar
from weakref import WeakSet, WeakValueDictionary

from aiogen.errors import InputError
from aiogen.models import Action

C = TypeVar("C", bound="type[Bound]")

_SESSION = "async with aiogen.Session(...) as session: ..."


class Binding:
    """Where something was first used; `check` refuses every other place."""

    __slots__ = ("__weakref__", "_loop", "_pid", "_what", "holding")

    def __init__(self, what: str) -> None:
        """`what` is bound, for the message: "session" or "store"."""
        self._what = what
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.holding: object = None
        """What a forked child must not let go of: closing its copies would reach into the parent."""

    @property
    def is_over(self) -> bool:
        """True if it was bound to a loop that is closed, or in another process: nobody can use it any more."""
        return self._loop is not None and (self._pid != os.getpid() or self._loop.is_closed())

    @property
    def is_of_this_process(self) -> bool:
        """True if it was bound here, in whichever loop."""
        return self._loop is not None and self._pid == os.getpid()

    def bind(self) -> None:
        """It belongs here from now on, if it does not belong anywhere yet.

        Raises:
            InputError: it belongs somewhere else, or no event loop runs here.
        """
        if self._loop is not None:
            self.check()
            return
        self._loop, self._pid = _running_loop(), os.getpid()
        _bound.add(self)

    def release(self) -> None:
        """Forget the binding: the object may be used in any loop again."""
        self._loop = self.holding = None
        _bound.discard(self)

    def check(self) -> None:
        """Pass in its own process and loop, or while it belongs nowhere.

        Raises:
            InputError: the message says what happened, and what is right instead.
        """
        bound = self._loop
        if bound is None:
            return
        if self._pid != os.getpid():
            raise _refusal(
                f"This {self._what} belongs to process {self._pid}, and this is process {os.getpid()}, forked "
                f"from it. The child has only a copy of it: open a new {self._what} here, in the "
                f"child{self._instead}"
            )
        if _running_loop() is bound:
            return
        if bound.is_closed():
            raise _refusal(
                f"This {self._what} belongs to an event loop that has ended: asyncio.run() closes its loop when "
                f"it returns. Open one {self._what} per loop, inside the coroutine that is passed to "
                f"asyncio.run(){self._instead}"
            )
        if bound.is_running():
            raise _refusal(
                f"This {self._what} belongs to the event loop of another thread. Call it there, with "
                f"asyncio.run_coroutine_threadsafe(..., its_loop), or open another one in this loop{self._instead}"
            )
        raise _refusal(
            f"This {self._what} belongs to another event loop. Use it only in that loop, and open another one in "
            f"this loop{self._instead}"
        )

    @property
    def _instead(self) -> str:
        return f": {_SESSION}" if self._what == "session" else "."


def _refusal(message: str) -> InputError:
    # The same call fails here again, whatever it is given.
    return InputError(message, action=Action.GIVE_UP)


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise _refusal(
            "No asyncio event loop is running here: call aiogen from a coroutine, under asyncio.run()."
        ) from None


# --- stores


class Bound(Protocol):
    """A store that is guarded by `bound`."""

    _binding: Binding


def bound(cls: C) -> C:
    """Let a store belong to one process and loop from `open` to `close`: all of its async methods are guarded."""
    for name, method in list(vars(cls).items()):
        if name.startswith("_"):
            continue
        if asyncio.iscoroutinefunction(method):
            setattr(cls, name, _GUARDS.get(name, _checked)(method))
        elif inspect.isasyncgenfunction(method):
            setattr(cls, name, _checked_at_each_step(method))
    return cls


Method = Callable[..., Coroutine[Any, Any, Any]]


def _checked(method: Method) -> Method:
    @functools.wraps(method)
    async def checked(self: Bound, *args: Any, **options: Any) -> Any:
        self._binding.check()
        return await method(self, *args, **options)

    return checked


def _checked_at_each_step(method: Callable[..., AsyncGenerator[Any, None]]) -> Callable[..., AsyncGenerator[Any, None]]:
    @functools.wraps(method)
    async def checked(self: Bound, *args: Any, **options: Any) -> AsyncGenerator[Any, None]:
        self._binding.check()
        async with aclosing(method(self, *args, **options)) as items:
            async for item in items:
                yield item
                self._binding.check()

    return checked


def _opening(method: Method) -> Method:
    @functools.wraps(method)
    async def opening(self: Bound, *args: Any, **options: Any) -> Any:
        was_bound = self._binding.is_of_this_process
        self._binding.bind()
        try:
            return await method(self, *args, **options)
        except BaseException:
            if not was_bound:
                self._binding.release()
            raise

    return opening


def _closing(method: Method) -> Method:
    @functools.wraps(method)
    async def closing(self: Bound, *args: Any, **options: Any) -> Any:
        self._binding.check()
        try:
            return await method(self, *args, **options)
        finally:
            self._binding.release()

    return closing


_GUARDS: dict[str, Callable[[Method], Method]] = {"open": _opening, "close": _closing}


class Claim:
    """One session has the store: no other one may, as long as this is kept and its session can still be used."""

    __slots__ = ("__weakref__", "_binding", "_store")

    def __init__(self, store: object, binding: Binding) -> None:
        """`binding` is the session's.

        Raises:
            InputError: another session has it, or it is open in another loop or process.
        """
        self._binding: Binding = binding
        bound_to = getattr(store, "_binding", None)  # a store of somebody's own has none
        if isinstance(bound_to, Binding):
            bound_to.check()
        other = _claims.get(id(store))
        if other is not None and not other._binding.is_over:
            raise _refusal(
                f"This {type(store).__name__} is in use by another session, and a store object serves one session "
                "at a time: close the other session first, or pass each session its own object; any number of "
                "SqliteStore objects may use one file."
            )
        self._store = store  # so that its id stays its own
        _claims[id(store)] = self

    def release(self) -> None:
        """The store may be used by another session."""
        if _claims.get(id(self._store)) is self:
            del _claims[id(self._store)]


_claims: WeakValueDictionary[int, Claim] = WeakValueDictionary()


# --- forks

_bound: WeakSet[Binding] = WeakSet()
_inherited: list[object] = []


def _keep_what_was_inherited() -> None:
    """In a forked child: sockets are shared with the parent, and so is what its loop waits for (epoll).

    A copy of an aiohttp session that is collected here would take the parent's sockets out of the parent's loop.
    """
    _inherited.extend(binding.holding for binding in list(_bound))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_what_was_inherited)
