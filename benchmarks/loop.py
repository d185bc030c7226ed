"""An event loop that says how long each of its turns took, in CPU time, and how late a bystander woke.

A turn is one callback.  The garbage collector is counted apart, and so is what the bystander itself costs: iterations
of the loop that ran nothing but it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from unittest import mock

import attrs

from benchmarks import sampling
from benchmarks.watch import Watch, watched

T = TypeVar("T")

NAP = 0.001
"""Seconds that the bystander sleeps each time."""
SLOW = 0.002
"""Seconds of CPU from which on a turn is described."""
_RUN = asyncio.Handle._run


@attrs.frozen
class Turn:
    """One that took long."""

    seconds: float
    name: str
    """What was run: the coroutine of a task, or the callback."""
    learning: float
    planning: float
    """Seconds of it that were spent so."""


@attrs.define
class Turns:
    """Everything from `begin` to `end`; seconds are of CPU."""

    watch: Watch
    count: int = 0
    longest: float = 0.0
    slow: list[Turn] = attrs.field(factory=list)
    collecting: float = 0.0
    """In the garbage collector."""
    bystander: float = 0.0
    """In iterations that ran nothing but the bystander."""
    iterations: int = 0
    lateness: list[float] = attrs.field(factory=list)
    """Of each nap, by the wall clock; whatever else runs on the machine is in it."""
    kept: list[float] = attrs.field(factory=list)
    """The same, at most the CPU that the loop took meanwhile: what it alone is to blame for."""
    held: list[float] = attrs.field(factory=list)
    """The same, at most the CPU of the process: threads that keep the interpreter are in it, other programs are not."""
    where: Counter[str] = attrs.field(factory=Counter)
    """Samples of slow turns by aiogen's functions, the outermost and the innermost."""
    has_others: bool = False
    cpu: float = 0.0
    """Of the process, without the bystander and what the measuring costs; known after `end`."""
    seconds: float = 0.0
    """From `begin` to `end`, by the wall clock."""
    is_on: bool = False
    spent_in: Counter[str] = attrs.field(factory=Counter)
    """Samples of all CPU by the module that was running, if that is asked for."""
    spent_under: Counter[str] = attrs.field(factory=Counter)
    """The same by the innermost of aiogen's modules, whatever that had called."""
    _began: tuple[float, float] = (0.0, 0.0)

    async def begin(self) -> None:
        """Count from the next turn on."""
        await asyncio.sleep(0)
        self.watch.clear()
        self.count = self.iterations = 0
        self.longest = self.collecting = self.bystander = 0.0
        self.slow, self.lateness, self.kept, self.held, self.where = [], [], [], [], Counter()
        gc.collect()
        self.collecting = 0.0
        self.is_on, self._began = True, (time.process_time(), time.monotonic())
        await asyncio.sleep(0)
        self.longest, self.slow = 0.0, []  # that turn began before

    def end(self) -> None:
        """Count no more."""
        measuring = self.count * _cost_of_a_turn() + self.iterations * _cost_of_the_clock()
        cpu, wall = self._began
        self.cpu = time.process_time() - cpu - self.bystander - measuring
        self.seconds, self.is_on = time.monotonic() - wall, False


class _Loop(asyncio.SelectorEventLoop):
    turns: Turns

    def _run_once(self) -> None:
        turns = self.turns
        turns.has_others = False
        began = time.thread_time()
        super()._run_once()  # type: ignore[misc]
        turns.iterations += 1
        if not turns.has_others:
            turns.bystander += time.thread_time() - began


class _Bystander:
    """Sleeps and notes how late it wakes."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            woken = loop.create_future()
            was_on = self._turns.is_on
            due, cpu, all_cpu = loop.time() + NAP, time.thread_time(), time.process_time()
            loop.call_at(due, self.wake, woken)
            await woken
            if was_on and self._turns.is_on:
                late = loop.time() - due
                self._turns.lateness.append(late)
                self._turns.kept.append(min(late, time.thread_time() - cpu))
                self._turns.held.append(min(late, time.process_time() - all_cpu))

    def wake(self, woken: asyncio.Future[None]) -> None:
        if not woken.done():
            woken.set_result(None)


def worst(naps: list[float], share: float) -> float:
    """What all but this share of them do not exceed."""
    naps = sorted(naps or [0.0])
    return naps[min(len(naps) - 1, int(len(naps) * (1.0 - share)))]


def run(work: Coroutine[Any, Any, T], turns: Turns) -> T:
    """`asyncio.run` with a bystander, everything measured."""
    loop = _Loop()
    loop.turns = turns

    async def beside() -> T:
        bystander.task = asyncio.create_task(bystander.run())
        try:
            return await work
        finally:
            bystander.task.cancel()

    bystander = _Bystander(turns)
    with _timed(turns, bystander), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(beside())


@contextmanager
def measuring(*, where: bool = False, profiled: bool = False) -> Iterator[Turns]:
    """What `run` fills.

    `where`: also sample which functions slow turns are in, which makes all of them slower.
    `profiled`: also sample which modules all CPU goes to.
    """
    with watched() as watch, ExitStack() as stack:
        turns = Turns(watch)
        stack.enter_context(_collector(turns))
        if where:
            stack.enter_context(sampling.of_turns())
        if profiled:
            stack.enter_context(sampling.of_all(turns))
        yield turns


@contextmanager
def _timed(turns: Turns, bystander: _Bystander) -> Iterator[None]:
    wake, watch, clock = bystander.wake, turns.watch, time.thread_time

    def turn(handle: asyncio.Handle) -> None:
        callback: Any = handle._callback  # type: ignore[attr-defined]
        owner = getattr(callback, "__self__", None)
        if callback == wake or owner is bystander.task:
            _RUN(handle)
            return
        turns.has_others = True
        collecting, learning, planning = turns.collecting, watch.learning, watch.planning
        sampling.arm()
        began = clock()
        _RUN(handle)
        seconds = clock() - began - (turns.collecting - collecting)
        sampling.disarm(turns.where if seconds >= SLOW else None)
        if not turns.is_on:
            return
        turns.count += 1
        turns.longest = max(turns.longest, seconds)
        if seconds >= SLOW:
            parts = (watch.learning - learning, watch.planning - planning)
            turns.slow.append(Turn(seconds, _name(callback, owner), *parts))

    with mock.patch.object(asyncio.Handle, "_run", turn):
        yield


def _name(callback: Any, owner: Any) -> str:
    if isinstance(owner, asyncio.Task):
        coroutine = owner.get_coro()
        return str(getattr(coroutine, "__qualname__", coroutine))
    return str(getattr(callback, "__qualname__", callback))


@contextmanager
def _collector(turns: Turns) -> Iterator[None]:
    began = 0.0

    def note(phase: str, _: object) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time()
        else:
            turns.collecting += time.thread_time() - began

    gc.callbacks.append(note)
    try:
        yield
    finally:
        gc.callbacks.remove(note)


# --- what the measuring costs

_costs: dict[str, float] = {}


def _cost_of_the_clock() -> float:
    if "clock" not in _costs:
        began = time.perf_counter()
        for _ in range(10_000):
            time.thread_time()
        _costs["clock"] = (time.perf_counter() - began) / 10_000
    return _costs["clock"]


def _cost_of_a_turn() -> float:
    """Two readings of the clock, and about as much again for what stands round them."""
    return 3.0 * _cost_of_the_clock()
