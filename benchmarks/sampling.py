"""Where the CPU goes while a program runs, by looking now and then at what it does."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Protocol

import aiogen

_SAMPLED_EVERY = 0.0005
_PACKAGE = str(Path(aiogen.__file__).parent)
_KNOWN = ("aiogen", "aiohttp", "asyncio", "json", "attr", "benchmarks", "yarl", "multidict")
"""Packages whose modules are told apart."""


class Counted(Protocol):
    """Where all samples go while it is on."""

    is_on: bool
    spent_in: Counter[str]
    spent_under: Counter[str]


_samples: list[str] | None = None


def arm() -> None:
    """A turn begins."""
    if _samples is not None:
        _samples.clear()
        signal.setitimer(signal.ITIMER_REAL, _SAMPLED_EVERY, _SAMPLED_EVERY)


def disarm(found: Counter[str] | None) -> None:
    """It is over; what was seen of it is added, if it counts."""
    if _samples is not None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        if found is not None:
            found.update(_samples)


@contextmanager
def of_turns() -> Iterator[None]:
    """The functions that turns are in, between `arm` and `disarm`; a timer rings only in those that last."""
    global _samples

    def sample(_: int, frame: FrameType | None) -> None:
        names = []
        inner = frame
        while frame is not None:
            if frame.f_code.co_filename.startswith(_PACKAGE):
                names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
            frame = frame.f_back
        if _samples is not None:
            _samples.append(f"{names[-1]} … {names[0]}" if names else _outside(inner))

    before = signal.signal(signal.SIGALRM, sample)
    _samples = []
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        _samples = None


def _outside(frame: FrameType | None) -> str:
    where = frame.f_code if frame is not None else None
    return f"not aiogen's: {Path(where.co_filename).stem}.{where.co_name}" if where is not None else "not aiogen's"


@contextmanager
def of_all(turns: Counted) -> Iterator[None]:
    """A sample each 2 ms of CPU, or as seldom as the kernel's tick."""

    def sample(_: int, frame: FrameType | None) -> None:
        if not turns.is_on:
            return
        names = []
        while frame is not None:
            names.append(_module(frame.f_code.co_filename))
            frame = frame.f_back
        turns.spent_in[names[0]] += 1
        turns.spent_under[next((name for name in names if name.startswith("aiogen.")), "none of aiogen's")] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@lru_cache(maxsize=4096)
def _module(path: str) -> str:
    parts = Path(path).with_suffix("").parts
    known = next((i for i, part in enumerate(parts) if part in _KNOWN), len(parts) - 1)
    return ".".join(parts[known:])
