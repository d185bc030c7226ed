"""Several processes that get the same requests under the same keys at once: each is sent, and paid for, once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from processes.ledger import owners, states, until
from processes.running import running
from processes.vendor import Vendor

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

KEYS = 200
"""A thousand are measured by `python -m benchmarks.repeats`."""
GROUP = 10
LIMITS = {"max_active": 2 * KEYS, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
PROMPTS = [f"boat {i:04}" for i in range(KEYS)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


@pytest.mark.timeout(120)
async def test_two_processes_that_get_the_same_keys_pay_once(path: Path) -> None:
    """At the same moment; one is killed half way, and a third gets all of them once more afterwards."""
    async with asyncio.timeout(110.0), Vendor.open(2.0) as vendor, AsyncExitStack() as stack:
        begun = (running(name, vendor, path, provider=LIMITS, session={"poll_cost": 1.0}) for name in ("one", "other"))
        one, other = await asyncio.gather(*map(stack.enter_async_context, begun))
        # Whoever is the first to add a group has all of it, and each is surely the first once.
        for each, i in ((one, 0), (other, GROUP)):
            await each.tell("submit", prompts=PROMPTS[i : i + GROUP], wait=True, keyed=True)
            await each.hears("submitted")
        for each, i in ((one, GROUP), (other, 0)):
            await each.tell("submit", prompts=PROMPTS[i : i + GROUP], wait=True, keyed=True)
        for i in range(2 * GROUP, KEYS - GROUP, GROUP):
            for each in (one, other) if i % (2 * GROUP) else (other, one):
                await each.tell("submit", prompts=PROMPTS[i : i + GROUP], wait=True, keyed=True)
        await until(lambda: len(vendor.prompts) >= KEYS // 2)
        count = len(one.heard("submitted"))
        await one.tell("submit", prompts=PROMPTS[-GROUP:], wait=True, keyed=True)
        await one.hears("submitted", count + 1)
        await other.tell("submit", prompts=PROMPTS[-GROUP:], wait=True, keyed=True)
        assert owners(path, one)[True] > 0  # asked before the kill: the other one takes them over at once
        await one.kill()
        ended = await other.hears("ended", KEYS)
        lost = [each["id"] for each in ended if each.get("error") == "SubmissionUnknown"]
        assert len(lost) == states(path)["unknown"] <= 16  # so many creates are on their way at once
        assert states(path)["completed"] == KEYS - len(lost)
        assert {each.get("error") for each in ended} <= {None, "SubmissionUnknown"}
        assert len({each["id"] for each in ended}) == KEYS
        sent = len(vendor.prompts)
        async with running("third", vendor, path, provider=LIMITS) as third:
            await third.tell("submit", prompts=PROMPTS[::-1], wait=True, keyed=True)
            again = await third.hears("ended", KEYS)
        assert {each["id"]: each.get("result") for each in again} == {each["id"]: each.get("result") for each in ended}
        assert len(vendor.prompts) == sent
    assert len(vendor.prompts) == len(set(vendor.prompts)), "paid for twice"
    # Of those that were on their way from the one that was killed the last may not have arrived.
    assert KEYS - len(lost) <= sent <= KEYS
    assert vendor.of("one")
    assert vendor.of("other")
