"""Runs a command's coroutine to its end, or until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from aiogen.cli.exits import Exit


def run(work: Coroutine[Any, Any, Exit]) -> Exit:
    """The command's own code, or `INTERRUPTED`.

    The first signal cancels the work, which then closes its session: that waits for creates in flight, so that no
    paid generation is left without its id.  A second signal ends that wait, too.
    """
    return asyncio.run(_until_signalled(work))


async def _until_signalled(work: Coroutine[Any, Any, Exit]) -> Exit:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    signalled = False

    def stop() -> None:
        nonlocal signalled
        signalled = True
        task.cancel()

    with _on_signals(lambda: loop.call_soon_threadsafe(stop)):
        try:
            return await task
        except asyncio.CancelledError:
            if not signalled:
                raise
            return Exit.INTERRUPTED


@contextmanager
def _on_signals(do: Callable[[], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may listen; elsewhere whoever started us decides
        return
    # Plain handlers rather than loop.add_signal_handler: they work on every system, and wake the loop all the same.
    before = {number: signal.signal(number, lambda *_: do()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
