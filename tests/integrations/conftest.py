from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from ledger.in_loop import files_in_the_loop


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield
