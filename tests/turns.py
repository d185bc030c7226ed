"""How much is done in one turn of the event loop, in steps, where each of them has cost a fixed part of the CPU."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest

IN_A_TURN = 4
"""Steps."""


class Steps:
    """Counts those of each turn of the loop."""

    def __init__(self) -> None:
        self.of_turns: list[int] = []
        self._is_counting = False

    def note(self, *_: Any, **__: Any) -> None:
        """One more."""
        if not self._is_counting:
            self._is_counting = True
            self.of_turns.append(0)
            asyncio.get_running_loop().call_soon(self._turn)
        self.of_turns[-1] += 1

    def _turn(self) -> None:
        self._is_counting = False

    def noting(self, do: Any) -> Any:
        """The same function, counted."""

        def noted(*args: Any, **kwargs: Any) -> Any:
            self.note()
            return do(*args, **kwargs)

        return noted


def steps_that_cost(patch: pytest.MonkeyPatch) -> Steps:
    """From here on a quarter of what a turn may take has gone by with each step."""
    ticks = count()
    patch.setattr("aiogen._checkpoint.time.thread_time", lambda: next(ticks) * 0.0003)
    return Steps()
