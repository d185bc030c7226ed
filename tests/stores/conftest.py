from __future__ import annotations

from pathlib import Path

import pytest
from stores.still_clock import Clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a ledger that is not there yet."""
    return tmp_path / "aiogen.db"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("aiogen.stores.sqlite.clock.now", lambda _: clock.now)
    return clock
