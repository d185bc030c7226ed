"""Sessions whose own clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aiogen._clock import Clock


@contextmanager
def wrong_clock(wrong: float) -> Iterator[None]:
    """The clock of a session that is opened in here is wrong by so many seconds, for as long as it lives."""

    class WrongClock(Clock):
        def __init__(self) -> None:
            super().__init__()
            self._wall_offset += wrong

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiogen.session.Clock", WrongClock)
        yield
