"""The loop of a simulation: time that jumps, sockets in memory, and programs that can stand still or die.

Whatever a program does runs in a context that names it, so the loop can hold back all of it (as SIGSTOP does) and cut
all of its connections (as its death does).
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import async_solipsism
from aiohttp import web
from async_solipsism.exceptions import SleepForeverError
from async_solipsism.selector import Selector

PROGRAM: ContextVar[Process | None] = ContextVar("PROGRAM", default=None)


class Process:
    """One life of one program, as an operating system would see it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.still = False
        """It does nothing at all."""
        self.dead = False
        """Nothing that it does has any effect."""
        self.closing = False
        self.closed = False
        """It is leaving, and has left, its session."""
        self.held: list[asyncio.Handle] = []
        self.sockets: list[Any] = []
        self.made: list[weakref.ref[asyncio.Task[Any]]] = []
        """Its tasks."""
        self.context = copy_context()
        self.context.run(PROGRAM.set, self)

    def __repr__(self) -> str:
        return self.name

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Have the program do this."""
        return asyncio.get_running_loop().create_task(work, context=self.context.copy())

    def cut(self) -> None:
        """Every connection of it is gone, as both ends see at once."""
        for sock in self.sockets:
            if sock._read_queue is not None:
                sock._read_queue.write_eof()
                sock._write_queue.write_eof()
        self.sockets.clear()

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Whatever it still does."""
        found = (made() for made in self.made)
        return [task for task in found if task is not None and not task.done()]


class _Ready(deque[asyncio.Handle]):
    """What runs next, but for the programs that stand still."""

    nothing: asyncio.Handle
    """Is skipped by the loop."""

    def popleft(self) -> asyncio.Handle:
        handle = super().popleft()
        process = handle._context.get(PROGRAM)
        if process is not None and process.still:
            process.held.append(handle)
            return self.nothing
        return handle


class _Selector(Selector):
    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.stills = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = []
        for key in self._fd_to_key.values():
            sock = key.fd.socket
            reader, writer = key.data
            events = 1 if reader is not None and sock.read_ready() else 0
            if writer is not None and sock.write_ready():
                events |= 2
            if events and not (self.stills and self._is_still(reader or writer)):
                ready.append((key, events))
        if ready:
            return ready
        if timeout is None:
            raise SleepForeverError("everybody waits, and nothing will ever come")
        if timeout > 0.0:
            self.clock.advance(max(timeout, self.clock.resolution))
        return ready

    @staticmethod
    def _is_still(handle: asyncio.Handle) -> bool:
        process = handle._context.get(PROGRAM)
        return process is not None and process.still


class Network(async_solipsism.EventLoop):
    """One machine's loop, one network, and all the programs on it."""

    def __init__(self) -> None:
        super().__init__()
        self._ready = _Ready()
        self._ready.nothing = asyncio.Handle(lambda: None, (), self)
        self._ready.nothing.cancel()
        self._selector = _Selector(self._selector.clock)
        self.set_task_factory(_made)
        self._ports = 0
        self._owners: dict[int, Process | None] = {}
        self.down: dict[int, str] = {}
        """Ports of servers that cannot be reached: "refuses", or "swallows" what is sent there."""

    async def connect(self, addr_infos: Any, **_: Any) -> Any:
        """In place of `aiohappyeyeballs.start_connection`."""
        process = PROGRAM.get()
        trouble = self.down.get(addr_infos[0][4][1])
        if trouble == "swallows":
            await asyncio.sleep(1e5)
        if trouble is not None or (process is not None and process.dead):
            raise ConnectionRefusedError("nobody listens there")
        self._ports += 1
        local = ("::1", self._ports, 0, 0)
        self._owners[self._ports] = process
        sock = await self.aiohappyeyeballs_start_connection(addr_infos, local_addr_infos=[local])
        if process is not None:
            process.sockets = [other for other in process.sockets if other._read_queue is not None]
            process.sockets.append(sock)
        return sock

    def sender(self, request: web.BaseRequest) -> Process | None:
        """Whose request it is."""
        return self._owners[port_of(request)]

    def hold(self, process: Process) -> None:
        """It stands still."""
        process.still = True
        self._selector.stills += 1

    def go_on(self, process: Process) -> None:
        """It goes on where it stood."""
        process.still = False
        self._selector.stills -= 1
        self._ready.extend(process.held)
        process.held.clear()


def _made(loop: Any, work: Any, **more: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
    context = more.get("context")
    process = PROGRAM.get() if context is None else context.get(PROGRAM)
    if process is not None:
        process.made.append(weakref.ref(task))
    return task


def port_of(request: web.BaseRequest) -> int:
    """Names the connection."""
    assert request.transport is not None
    return int(request.transport.get_extra_info("peername")[1])


def reset(request: web.BaseRequest) -> None:
    """The connection breaks: the other side cannot read what was not read yet, either."""
    if request.transport is not None:
        request.transport.get_extra_info("socket")._sock._write_queue.read = _broken
        request.transport.abort()


def _broken(size: int = -1) -> bytes:
    raise ConnectionResetError(104, "Connection reset by peer")
