"""Lets every example run as it is: with your keys if there are any, else against the sandbox on this machine."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiogen.sandbox import Sandbox


@asynccontextmanager
async def vendor() -> AsyncIterator[None]:
    """Does nothing when a key is set; otherwise starts imitated vendors, ten times faster than the real ones."""
    if os.environ.get("LUMA_AGENTS_API_KEY") or os.environ.get("LEONARDO_API_KEY"):
        yield
        return
    print("No key is set, so this runs against the sandbox.\n")
    # Another seed gives other ids, by which the files in out/ are named.
    async with Sandbox(speed=10, seed=random.randrange(1_000_000)) as sandbox:
        os.environ.update(sandbox.environment)
        try:
            yield
        finally:
            for name in sandbox.environment:
                os.environ.pop(name, None)
