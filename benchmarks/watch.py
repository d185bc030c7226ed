"""What learning and planning cost inside a program that runs: the CPU of this thread in the classes that do it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest import mock

import attrs

LEARNING = ("durations.DurationModel.runs", "durations.DurationModel.ended", "phases.PhaseModel.compare")
STEPS = ("durations.DurationModel._steps",)
"""Learning, too, in steps."""
PLANNING = ("plan.Plan.__init__",)
ALARMS = ("durations.DurationModel._changed",)
"""Methods in `aiogen._polling`; one that is not there is left out, so this has to follow what is renamed."""


@attrs.define
class Watch:
    """Seconds of CPU so far; a call within another is charged to itself alone."""

    learning: float = 0.0
    planning: float = 0.0
    longest: float = 0.0
    """Of any one call."""
    alarms: int = 0
    """How often a model began again because durations seemed to have changed."""

    def clear(self) -> None:
        """From here on."""
        self.learning = self.planning = self.longest = 0.0
        self.alarms = 0


@contextmanager
def watched() -> Iterator[Watch]:
    """While it is entered, these methods are timed."""
    watch = Watch()
    inside: list[float] = []

    def timed(method: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            inside.append(0.0)
            began = time.thread_time()
            try:
                return method(*args, **options)
            finally:
                spent = time.thread_time() - began
                own = spent - inside.pop()
                if inside:
                    inside[-1] += spent
                setattr(watch, kind, getattr(watch, kind) + own)
                watch.longest = max(watch.longest, own)

        return call

    def in_steps(method: Callable[..., Generator[None, None, None]]) -> Callable[..., Generator[None, None, None]]:
        @wraps(method)
        def call(*args: Any, **options: Any) -> Generator[None, None, None]:
            step = timed(method(*args, **options).__next__, "learning")
            while True:
                try:
                    step()
                except StopIteration:
                    return
                yield

        return call

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **options: Any) -> Any:
            watch.alarms += 1
            return method(*args, **options)

        return call

    with ExitStack() as patches:
        for kind, names in (("learning", LEARNING), ("planning", PLANNING)):
            for name in names:
                _patch(patches, name, lambda method, kind=kind: timed(method, kind))
        for name in STEPS:
            _patch(patches, name, in_steps)
        for name in ALARMS:
            _patch(patches, name, counted)
        yield watch


def _patch(patches: ExitStack, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    module, owner, method = name.split(".")
    try:
        of = getattr(importlib.import_module(f"aiogen._polling.{module}"), owner)
        original = of.__dict__[method]
    except (ImportError, AttributeError, KeyError):
        return
    patches.enter_context(mock.patch.object(of, method, wrapper(original)))
