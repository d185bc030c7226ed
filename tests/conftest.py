"""Every test runs on looptime's virtual clock unless it says @pytest.mark.looptime(False).

Start servers and sessions inside the test body, not in async fixtures: the virtual clock runs only there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiogen.providers import PROVIDERS


@pytest.fixture(autouse=True)
def no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test must never speak to a real provider, whatever the developer's environment holds."""
    for provider in PROVIDERS:
        monkeypatch.delenv(provider.key_variable, raising=False)
        monkeypatch.delenv(provider.url_variable, raising=False)
    monkeypatch.delenv("AIOGEN_STORE", raising=False)


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """No test leaves a task running."""
    yield
    for _ in range(3):  # closed connections say goodbye in their own callbacks
        await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
    assert not left, left
