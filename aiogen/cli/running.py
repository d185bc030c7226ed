"""Runs a command's coroutine to its end, or until Ctrl-C, SIGTERM or SIGHUP."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from aiogen.cli.exits import Exit

_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""The terminal was closed, or its connection was lost; not on every system."""


def run(work: Coroutine[Any, Any, Exit]) -> Exit:
    """The command's own code, or `INTERRUPTED`.

    The first signal cancels the work, which then closes its session: that waits for creates in flight, so that no
    paid generation is left without its id.  A second Ctrl-C or SIGTERM ends that wait, too; a hangup never does:
    no person sends it, and it mostly comes twice, from the kernel and from the shell.
    """
    return asyncio.run(_until_signalled(work))


def run_until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, Exit]]) -> Exit:
    """For a command that has no end of its own: the first signal is its ordinary end, and sets the event.

    A second Ctrl-C or SIGTERM cancels it: then the code is `INTERRUPTED`.
    """
    return asyncio.run(_until_stopped(work))


async def _until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, Exit]]) -> Exit:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.create_task(work(stop))
    is_cut = False

    def on_signal(number: int) -> None:
        nonlocal is_cut
        if not stop.is_set():
            stop.set()
        elif number != _HANGUP:
            is_cut = True
            task.cancel()

    with _on_signals(lambda number: loop.call_soon_threadsafe(on_signal, number)):
        try:
            return await task
        except asyncio.CancelledError:
            if not is_cut:
                raise
            return Exit.INTERRUPTED


async def _until_signalled(work: Coroutine[Any, Any, Exit]) -> Exit:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    signalled = False

    def stop(number: int) -> None:
        nonlocal signalled
        if signalled and number == _HANGUP:
            return
        signalled = True
        task.cancel()

    with _on_signals(lambda number: loop.call_soon_threadsafe(stop, number)):
        try:
            return await task
        except asyncio.CancelledError:
            if not signalled:
                raise
            return Exit.INTERRUPTED


@contextmanager
def _on_signals(do: Callable[[int], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals; in any other the host program decides
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    # Under nohup a hangup is to be ignored.
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        numbers.append(_HANGUP)
    # Plain handlers rather than loop.add_signal_handler: they work on every system, and wake the loop all the same.
    before = {number: signal.signal(number, lambda came, _: do(came)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
