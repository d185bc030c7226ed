"""Checks of what several processes share: the window of an account, its budget of requests, and refusals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aiogen.models import State
from aiogen.stores.base import UNLIMITED, Headroom, RecordQuery, RequestKind, Store
from aiogen.testing.stores.samples import ended, record, state_of
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check

FULL = Headroom(active=0, creates=0)
NO_PLACE = Headroom(active=0)


async def sent(store: Store, stage: Stage, job_id: str, headroom: Headroom = UNLIMITED, **more: Any) -> float:
    """Add a job and `intend` it; the seconds that it has to wait."""
    await store.add(record(job_id, created_at=stage.moment, read_at=stage.moment, **more))
    return await store.intend(job_id, headroom)


class SharingChecks(StoreSetup):
    """`intend` with headroom, `acquire` and `hold`; skipped for a store that no other process can see."""

    @check
    async def test_what_others_run_takes_places(self, stage: Stage) -> None:
        """By weight; what waits stays pending, and may go as soon as there is room."""
        one, other = await stage.two()
        assert await sent(one, stage, "theirs", weight=3) == 0.0
        wait = await sent(other, stage, "ours", Headroom(active=2))
        assert 0.0 < wait <= 60.0, "another process has three units running, and two may"
        assert await state_of(other, "ours") is State.PENDING
        assert await other.intend("ours", Headroom(active=3)) == 0.0

    @check
    async def test_one_s_own_are_not_counted(self, stage: Stage) -> None:
        """The process that asks has counted them already."""
        one, _ = await stage.two()
        for i in range(3):
            assert await sent(one, stage, f"{i}", FULL) == 0.0
        await one.mark_unknown("0")
        assert await sent(one, stage, "more", FULL) == 0.0

    @check
    async def test_other_accounts_do_not_matter(self, stage: Stage) -> None:
        """Each has its own limits."""
        one, other = await stage.two()
        await sent(one, stage, "theirs")
        assert await sent(other, stage, "ours", FULL, account="b") == 0.0

    @check
    async def test_an_account_may_have_several_names(self, stage: Stage) -> None:
        """Its key was changed: jobs under each name count, and what is sent belongs to the first name from then on."""
        one, other = await stage.two()
        await sent(one, stage, "old", account="old")
        await one.hold("older", RequestKind.CREATES, 20.0)
        names = ("a", "old", "older")
        await other.add(record("ours", created_at=stage.moment, account="old"))
        assert await other.intend("ours", Headroom(active=9, accounts=names)) > 0.0
        await stage.passes(21.0)
        assert await other.intend("ours", Headroom(active=0, accounts=names)) > 0.0
        assert await other.intend("ours", Headroom(active=1, creates=0, accounts=names)) > 0.0
        assert await other.intend("ours", Headroom(active=1, creates=1, accounts=names)) == 0.0
        await other.confirm("ours", "v", State.QUEUED)
        assert [kept.id for kept in await other.by_provider_id("a", ["v"])] == ["ours"]
        assert await sent(one, stage, "counts", Headroom(active=0), account="a") > 0.0

    @check
    async def test_places_are_given_back(self, stage: Stage) -> None:
        """By jobs that have ended or were not carried out; not by those that may still run."""
        one, other = await stage.two()
        for job_id in ("runs", "refused", "lost"):
            await sent(one, stage, job_id)
        await one.confirm("runs", "v", State.QUEUED)
        await one.release("refused")
        await one.mark_unknown("lost")
        assert await sent(other, stage, "ours", Headroom(active=1)) > 0.0, "two of another process may run"
        await one.settle([ended("runs", provider_id="v")])
        assert await other.intend("ours", NO_PLACE) > 0.0, "one of another process may run"
        assert await other.intend("ours", Headroom(active=1)) == 0.0

    @check
    async def test_the_dead_keep_their_places(self, stage: Stage) -> None:
        """What they have sent runs at the vendor all the same."""
        one, other = await stage.two()
        await sent(one, stage, "theirs")
        await one.confirm("theirs", "v", State.PROCESSING)
        await stage.stands_still(one)
        assert await sent(other, stage, "ours", NO_PLACE) > 0.0

    @check
    async def test_what_others_created_fills_the_minute(self, stage: Stage) -> None:
        """Until enough of it is older; what was not carried out does not count."""
        one, other = await stage.two()
        for i in range(3):
            await sent(one, stage, f"{i}")
            await stage.passes(10.0)
        await one.release("2")
        first = await sent(other, stage, "ours", Headroom(creates=1))
        assert 29.0 <= first <= 31.0, "two were created 30 and 20 seconds ago, and one may within 60"
        both = await other.intend("ours", Headroom(creates=0))
        assert 39.0 <= both <= 41.0, "the second was created 20 seconds ago"
        assert await other.intend("ours", Headroom(creates=0, period=5.0)) == 0.0
        await sent(other, stage, "more", FULL)

    @check
    async def test_processes_whose_clocks_differ_have_one_window(self, stage: Stage) -> None:
        """Here by 90 s: what each of them created counts from when the store says that it was."""
        one, other = await stage.two()
        ahead, now = stage.moment + timedelta(seconds=90), stage.moment
        await one.add(record("theirs", created_at=ahead, read_at=ahead))
        await other.add(record("ours", created_at=now, read_at=now))
        await one.intend("theirs")
        await stage.passes(10.0)
        await one.confirm("theirs", "v", State.QUEUED, 4.0)
        assert await other.intend("ours", Headroom(creates=0)) == pytest.approx(56.0, abs=0.1)
        await stage.passes(56.1)
        assert await other.intend("ours", Headroom(creates=0)) == 0.0
        assert [each.id for each in await one.find(RecordQuery())] == ["ours", "theirs"]

    @check
    async def test_who_left_is_counted_too(self, stage: Stage) -> None:
        """Programs that run one after the other share the minute."""
        one, other = await stage.two()
        for i in range(3):
            await sent(one, stage, f"{i}")
        await stage.leaves(one)
        assert 59.0 <= await sent(other, stage, "ours", Headroom(creates=2)) <= 61.0
        await stage.passes(61.0)
        assert await other.intend("ours", Headroom(creates=2)) == 0.0

    @check
    async def test_requests_come_out_of_one_budget(self, stage: Stage) -> None:
        """Sixty at ten a second take six seconds, whichever process sends them; each may have saved up one batch.

        A process asks for its next batch when it may send the one before.
        """
        stores, start = await stage.two(), stage.context.now
        free = [start, start]
        for _ in range(12):
            which = free.index(min(free))
            stage.context.now = free[which]
            free[which] += await stores[which].acquire("a", 5, 10.0)
        assert 4.9 <= max(free) - start <= 6.5, "twelve batches of half a second each"
        assert await stores[0].acquire("b", 5, 10.0) <= 0.5, "another account has a budget of its own"
        await stage.passes(60.0)
        assert await stores[1].acquire("a", 5, 10.0) <= 0.5, "what was taken a minute ago is restored"

    @check
    async def test_a_refusal_holds_the_others(self, stage: Stage) -> None:
        """Creates and polls alike; a shorter pause does not end a longer one."""
        one, other = await stage.two()
        await one.hold("a", RequestKind.REQUESTS, 20.0)
        await one.hold("a", RequestKind.REQUESTS, 5.0)
        assert 19.0 <= await other.acquire("a", 1, 10.0) <= 21.0
        assert 19.0 <= await sent(other, stage, "ours") <= 21.0
        assert await state_of(other, "ours") is State.PENDING
        assert await other.acquire("b", 1, 10.0) <= 0.1
        await stage.passes(21.0)
        assert await other.intend("ours") == 0.0

    @check
    async def test_a_refusal_of_creates_holds_creates(self, stage: Stage) -> None:
        """Polls go on."""
        one, other = await stage.two()
        await one.hold("a", RequestKind.CREATES, 20.0)
        assert await other.acquire("a", 1, 10.0) <= 0.1
        assert 19.0 <= await sent(other, stage, "ours") <= 21.0
        assert await sent(other, stage, "at another account", account="b") == 0.0
        await stage.passes(21.0)
        assert await other.intend("ours") == 0.0
