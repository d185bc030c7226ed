"""Two processes with one budget on one ledger, which both try to spend alone."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from processes.running import running
from processes.vendor import Vendor

from aiogen.stores.base import RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

JOBS, FIT = 500, 250
LIMITS = {"max_active": 2 * JOBS, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
BUDGET = {"budget": "10.10", "per": "day", "poll_cost": 1.0}
"""Of which a picture by uni-1 takes 0.0404."""


@pytest.mark.timeout(120)
async def test_two_processes_spend_one_budget(tmp_path: Path) -> None:
    """250 creates in all, not one more; and a third process, that comes when it is spent, sends nothing."""
    path = tmp_path / "aiogen.db"
    async with asyncio.timeout(110.0), Vendor.open(1.0) as vendor, AsyncExitStack() as stack:
        begun = (running(name, vendor, path, provider=LIMITS, session=BUDGET) for name in ("one", "other"))
        both = await asyncio.gather(*map(stack.enter_async_context, begun))
        for each in both:
            await each.tell("submit", prompts=[f"boat {i} of {each.name}" for i in range(JOBS)], wait=True)
        ended = [end for each in both for end in await each.hears("ended", JOBS)]
        async with running("third", vendor, path, provider=LIMITS, session=BUDGET) as third:
            await third.tell("submit", prompts=["one more"], wait=True)
            ended += await third.hears("ended", 1)
        assert [each.get("error") for each in ended].count("BudgetReached") == 2 * JOBS + 1 - FIT
        assert len(vendor.prompts) == FIT
        assert vendor.of("one")
        assert vendor.of("other")
    store = SqliteStore(path)
    await store.open()
    spent = await store.costs(RecordQuery())
    await store.close()
    assert (str(spent), spent.count) == ("about 10.1 dollars", FIT)
