"""What no test may do, nor leave behind: each watch fails its test, and says what it saw.

Calls that block are found by the call itself (blockbuster), not by a clock: seconds mean little on a busy machine, so
pyleak's own watch for a blocked loop is not used.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

import aiohttp
import pyleak
import pytest
from blockbuster import BlockBuster, BlockBusterFunction, BlockingError
from blockbuster import blockbuster as inside

import aiogen
from aiogen._content import portions

PACKAGE = str(Path(aiogen.__file__).parent)

# Blocking calls that blockbuster does not look for by itself.
ALSO = (
    "builtins.open", "io.open", "io.BufferedRandom.truncate", "os.open", "os.fsync", "os.chmod", "sqlite3.connect",
    "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostname", "ssl.SSLContext.load_verify_locations",
)  # fmt: skip

PATIENCE = 10.0
"""Real seconds for a thread to end that was told to; nearly always it needs none."""


def _may_wait(known: Callable[..., bool], lock: Any, *args: Any, **kwargs: Any) -> bool:
    """coverage takes a lock of its own from within whatever runs, as C code, so it has no place in a traceback."""
    if known(lock, *args, **kwargs):
        return True
    collectors = getattr(sys.modules.get("coverage.collector"), "Collector", None)
    return any(getattr(each, "data_lock", None) is lock for each in getattr(collectors, "_collectors", ()))


@contextmanager
def watching_calls() -> Iterator[list[str]]:
    """Whatever blocks, called by aiogen in a running loop, raises; each is kept in the list as well.

    Kept, because aiogen outlives what a store or a handler raises, and would outlive this.
    """
    seen: list[str] = []

    class Kept(BlockingError):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            ours = [frame for frame in traceback.extract_stack() if frame.filename.startswith(PACKAGE)]
            seen.append("".join([f"{self}\n", *traceback.format_list(ours)]))

    guard = BlockBuster(scanned_modules=["aiogen"])
    guard.functions |= {name: BlockBusterFunction(None, name, scanned_modules=["aiogen"]) for name in ALSO}
    for function in guard.functions.values():
        function.can_block_in("logging/__init__.py", "handle")  # where a log is written to is its owner's choice
        function.can_block_in("pytest_timeout.py", "timeout_sigalrm")  # a signal's handler, wherever it struck
        # An executor's own lock, which its thread holds for some microseconds each time that it takes work.
        function.can_block_in("concurrent/futures/thread.py", "submit")
        # FastAPI reads where a route is written, for its messages, at the first request of each.
        function.can_block_in("fastapi/routing.py", "_extract_endpoint_context")
        # asyncpg looks for a password and for certificates in the user's folder, each time that it connects.
        function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
    for name in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):
        function = guard.functions[name]
        function.can_block_predicate = partial(_may_wait, function.can_block_predicate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside, "BlockingError", Kept)
        guard.activate()
        try:
            yield seen
        finally:
            guard.deactivate()


@contextmanager
def watching_sizes(most: int) -> Iterator[list[str]]:
    """What aiogen does by JSON and base64 in one iteration of the event loop, with more bytes than this."""
    seen: list[str] = []
    total = 0

    def forget() -> None:
        nonlocal total
        total = 0

    def watched(name: str, known: Callable[..., Any]) -> Callable[..., Any]:
        def call(value: Any, *args: Any, **options: Any) -> Any:
            nonlocal total
            with suppress(RuntimeError):
                loop = asyncio.get_running_loop()
                size = len(value) if isinstance(value, str | bytes | memoryview) else portions.size(value)
                ours = [each for each in traceback.extract_stack() if each.filename.startswith(PACKAGE)]
                if not ours or ours[-1].filename.startswith(f"{PACKAGE}/sandbox"):
                    return known(value, *args, **options)
                if total == 0:
                    loop.call_soon(forget)
                total += max(1, size)
                if total > most:
                    seen.append("".join([f"{name} of {size:,}\n", *traceback.format_list(ours)]))
            return known(value, *args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((json, "loads"), (json, "dumps"), (binascii, "a2b_base64"), (binascii, "b2a_base64"),
                             (base64, "b64encode"), (base64, "b64decode")):  # fmt: skip
            patch.setattr(module, name, watched(name, getattr(module, name)))
        yield seen


@asynccontextmanager
async def no_task_left() -> AsyncIterator[None]:
    """Every task that is begun in here has ended in here."""
    async with pyleak.no_task_leaks(action="raise"):
        yield


@contextmanager
def no_thread_left() -> Iterator[None]:
    """Every thread that is begun in here, a daemon as well, has ended in here."""
    with pyleak.no_thread_leaks(action="raise", name_filter=None, exclude_daemon=False, grace_period=0.0):
        before = set(threading.enumerate())
        yield
        wait_until(lambda: set(threading.enumerate()) <= before)


@contextmanager
def no_file_left() -> Iterator[None]:
    """Every file, socket and pipe that is opened in here is closed in here; watched where the system tells."""
    before = open_files()
    yield
    left = {number: what for number, what in open_files().items() if before.get(number) != what}
    assert not left, f"still open: {left}"


@contextmanager
def no_session_left() -> Iterator[None]:
    """Every aiohttp session that is made in here is closed in here; one without connections shows nowhere else."""
    made: WeakSet[aiohttp.ClientSession] = WeakSet()
    make = aiohttp.ClientSession.__init__

    def noted(session: aiohttp.ClientSession, *args: Any, **options: Any) -> None:
        make(session, *args, **options)
        made.add(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "__init__", noted)
        yield
    left = [session for session in made if not session.closed]
    assert not left, f"still open: {left}"


def open_files() -> dict[int, str]:
    """What this process has open, by number."""
    found = {}
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with suppress(OSError):  # the number with which the folder itself was read
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def wait_until(holds: Callable[[], Any]) -> None:
    """In real time, but not for ever."""
    over = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < over:
        time.sleep(0.002)
