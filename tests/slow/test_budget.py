"""Two processes with one budget on one ledger, which both try to spend alone."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from processes.ledger import opened_at, until
from processes.running import running
from processes.vendor import Vendor

from aiogen.stores.base import RecordQuery

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

JOBS, FIT = 500, 250
LIMITS = {"max_active": 2 * JOBS, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
PRICE = 0.0404
"""Dollars for a picture by uni-1."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


@pytest.mark.timeout(120)
async def test_two_processes_spend_one_budget(path: Path) -> None:
    """250 creates in all, not one more; and a third process, that comes when it is spent, sends nothing."""
    budget = {"budget": f"{PRICE * FIT:g}", "per": "day", "poll_cost": 1.0}
    async with asyncio.timeout(110.0), Vendor.open(1.0) as vendor, AsyncExitStack() as stack:
        begun = (running(name, vendor, path, provider=LIMITS, session=budget) for name in ("one", "other"))
        both = await asyncio.gather(*map(stack.enter_async_context, begun))
        for each in both:  # so that each surely has one of them
            await each.tell("submit", prompts=[f"boat of {each.name}"], wait=True)
            await until(lambda name=each.name: bool(vendor.of(name)))  # type: ignore[misc]
        for each in both:
            await each.tell("submit", prompts=[f"boat {i} of {each.name}" for i in range(1, JOBS)], wait=True)
        ended = [end for each in both for end in await each.hears("ended", JOBS)]
        async with running("third", vendor, path, provider=LIMITS, session=budget) as third:
            await third.tell("submit", prompts=["one more"], wait=True)
            ended += await third.hears("ended", 1)
        assert [each.get("error") for each in ended].count("BudgetReached") == 2 * JOBS + 1 - FIT
        assert len(vendor.prompts) == FIT
        assert vendor.of("one")
        assert vendor.of("other")
    store = opened_at(path)
    await store.open()
    spent = await store.costs(RecordQuery())
    await store.close()
    assert (str(spent), spent.count) == (f"about {PRICE * FIT:g} dollars", FIT)
