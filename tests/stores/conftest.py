from __future__ import annotations

import pytest
from stores.still_clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("aiogen.stores.sqlite.clock.now", lambda _: clock.now)
    return clock
