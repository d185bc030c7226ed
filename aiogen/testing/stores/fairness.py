"""Checks of limits on unfinished jobs, and of priorities between processes."""

from __future__ import annotations

import pytest

from aiogen.errors import TooManyJobs
from aiogen.models import State
from aiogen.stores.base import AtMost, Headroom, RequestKind, ScopeWait, Store
from aiogen.testing.stores.samples import ended, record, state_of
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.sharing import sent
from aiogen.testing.stores.stage import Stage, check

LAST_PLACE = Headroom(active=0)
"""Once ours is sent, no other has a place."""


class FairnessChecks(StoreSetup):
    """`add` with `at_most`; `intend` where others have jobs waiting that are more urgent, or of other scopes, skipped
    without others.
    """

    @check
    async def test_a_bound_counts_what_is_unfinished(self, stage: Stage) -> None:
        """In every state that is not terminal, unknown included; by scope or in all."""
        store = await stage.joins()
        for job_id in ("waits", "runs", "lost", "over"):
            await store.add(record(job_id, scope="ann", weight=3))
        await store.add(record("bob's", scope="bob"))
        for job_id in ("runs", "lost", "over"):
            await store.intend(job_id)
        await store.confirm("runs", "v", State.QUEUED)
        await store.mark_unknown("lost")
        await store.settle([ended("over")])

        async def is_refused(at_most: AtMost, scope: str | None, limit: int, unfinished: int) -> None:
            with pytest.raises(TooManyJobs) as caught:
                await store.add(record("more", scope="ann"), at_most)
            error = caught.value
            assert (error.scope, error.limit, error.unfinished) == (scope, limit, unfinished)
            assert await store.get("more") is None, "what is refused is not added"

        await is_refused(AtMost(scope=3), "ann", 3, 3)
        await is_refused(AtMost(total=4), None, 4, 4)
        await is_refused(AtMost(scope=1, total=100), "ann", 1, 3)
        await is_refused(AtMost(scope=100, total=2), None, 2, 4)
        assert await store.add(record("more", scope="ann"), AtMost(scope=4, total=5)) is None
        await is_refused_again(store, "ann")
        await store.settle([ended("runs", provider_id="v")])
        assert await store.add(record("after", scope="ann"), AtMost(scope=4)) is None

    @check
    async def test_what_stands_already_is_no_more(self, stage: Stage) -> None:
        """A repeated request adds nothing, so no limit refuses it."""
        store = await stage.joins()
        await store.add(record("a"))
        await store.add(record("b", state=State.QUEUED, provider_id="v", submission=None))
        at_most = AtMost(scope=1, total=1)
        for again in (record("a"), record("c", state=State.QUEUED, provider_id="v", submission=None)):
            try:
                assert await store.add(again, at_most) is not None, "a job was added twice"
            except TooManyJobs as error:
                raise AssertionError("the limit is not for jobs that are there already") from error

    @check
    async def test_a_bound_is_over_all_processes(self, stage: Stage) -> None:
        """Also over those that have left: what they had waiting is unfinished."""
        one, other = await stage.two()
        await one.add(record("a"), AtMost(total=2))
        await other.add(record("b"), AtMost(total=2))
        await stage.leaves(one)
        with pytest.raises(TooManyJobs):
            await other.add(record("c"), AtMost(total=2))

    @check
    async def test_the_more_urgent_goes_first(self, stage: Stage) -> None:
        """The last place is kept for it, in whatever process it waits; its own create takes it."""
        one, other = await stage.two()
        await one.add(record("button", priority=7))
        wait = await sent(other, stage, "row", LAST_PLACE, priority=3)
        assert 0.0 < wait <= 5.0, "the one place that is left is for the more urgent job"
        assert await state_of(other, "row") is State.PENDING
        assert await one.intend("button", LAST_PLACE) == 0.0
        await one.confirm("button", "v", State.QUEUED)
        await one.settle([ended("button", provider_id="v")])
        assert await other.intend("row", LAST_PLACE) == 0.0

    @check
    async def test_where_there_is_room_for_both_nobody_waits(self, stage: Stage) -> None:
        """By weight; a job that is as urgent, of another account, or of the same process, holds none back."""
        one, other = await stage.two()
        await one.add(record("button", priority=7, weight=3))
        assert await sent(other, stage, "fits", Headroom(active=3, creates=3), priority=3) == 0.0
        assert await sent(other, stage, "late", Headroom(active=2), priority=3) > 0.0
        assert await sent(other, stage, "rate", Headroom(creates=2), priority=3) > 0.0
        assert await sent(other, stage, "equal", LAST_PLACE, priority=7) == 0.0
        assert await sent(one, stage, "own", Headroom(active=9, creates=9), priority=0) == 0.0
        assert await sent(other, stage, "elsewhere", LAST_PLACE, priority=3, account="b") == 0.0

    @check
    async def test_the_dead_are_not_gone_before(self, stage: Stage) -> None:
        """What they had waiting is sent by the process that adopts it."""
        one, other = await stage.two()
        await stage.joins()
        await one.add(record("button", priority=7))
        assert await sent(other, stage, "row", LAST_PLACE, priority=3) > 0.0
        await stage.stands_still(one)
        assert await other.intend("row", LAST_PLACE) == 0.0

    @check
    async def test_no_batch_starves(self, stage: Stage) -> None:
        """After seven that went before it, a job goes; and the next one is held back again."""
        one, other = await stage.two()
        await other.add(record("row", priority=3))
        await other.add(record("next", priority=3))
        for i in range(30):
            await one.add(record(f"{i}", priority=7))
        before = list[int]()
        for row in ("row", "next"):
            count = 0
            while await other.intend(row, LAST_PLACE) > 0.0:
                await sends(one, stage, f"{sum(before) + count}")
                count += 1
                assert count < 9, "a create was held back forever"
                await stage.passes(1.0)
            before.append(count)
        assert before == [7, 7]

    @check
    async def test_the_more_urgent_gives_way_in_the_end(self, stage: Stage) -> None:
        """After seven creates that went before one of another process, which has no place as long as they go on."""
        one, other = await stage.two()
        await other.add(record("row", priority=3))
        for i in range(9):
            await one.add(record(f"{i}", priority=7))
        for i in range(7):
            assert await one.intend(f"{i}", LAST_PLACE) == 0.0, "its turn has not come yet"
            await one.confirm(f"{i}", f"v-{i}", State.QUEUED)
            await one.settle([ended(f"{i}")])
            await stage.passes(1.0)
        assert await one.intend("7", Headroom(active=1)) == 0.0, "there is room for both"
        await one.confirm("7", "v-7", State.QUEUED)
        await one.settle([ended("7")])
        assert await one.intend("8", LAST_PLACE) > 0.0
        assert await other.intend("row", LAST_PLACE) == 0.0
        await other.confirm("row", "v-row", State.QUEUED)
        await other.settle([ended("row")])
        assert await one.intend("8", LAST_PLACE) == 0.0

    @check
    async def test_a_place_that_nobody_takes_is_not_kept(self, stage: Stage) -> None:
        """A process may be held up by something else: the account must not be idle because of it."""
        one, other = await stage.two()
        await one.add(record("button", priority=7, created_at=stage.moment))
        await other.add(record("row", priority=3))
        for _ in range(20):
            if await other.intend("row", LAST_PLACE) == 0.0:
                break
            await stage.passes(0.5)
        else:
            raise AssertionError("a place was kept for ten seconds for a job that does not take it")
        assert await sent(other, stage, "more", LAST_PLACE, priority=3) == 0.0, "nor for the next"
        await stage.passes(1.0)
        await one.add(record("again", priority=7, created_at=stage.moment))
        assert await sent(other, stage, "last", LAST_PLACE, priority=3) > 0.0, "but it is for one that is added later"

    @check
    async def test_the_last_place_is_not_for_a_scope_that_has_its_share(self, stage: Stage) -> None:
        """Where another scope uses the account, in whatever process; that one has it."""
        one, other = await stage.two()
        for i in range(8):
            assert await sent(one, stage, f"flood {i}", Headroom(active=9, places=10), scope="flood") == 0.0
        assert await sent(other, stage, "flood 8", Headroom(active=9, places=10), scope="flood") == 0.0
        last = Headroom(active=8, places=10)
        assert await sent(other, stage, "alone", last, scope="flood") == 0.0, "it is the only one"
        await other.settle([ended("alone")])
        await one.add(record("bob's", scope="bob"))
        wait = await sent(other, stage, "too much", last, scope="flood")
        assert 0.0 < wait <= 5.0
        assert isinstance(wait, ScopeWait), "it holds up no other scope"
        assert await one.intend("bob's", Headroom(active=1, places=10)) == 0.0
        await one.confirm("bob's", "v-bob", State.QUEUED)
        await one.settle([ended("bob's", provider_id="v-bob")])
        assert await other.intend("too much", last) > 0.0, "it is kept for the next"
        await one.settle([ended("flood 0")])
        assert await other.intend("too much", last) == 0.0, "another one is free"

    @check
    async def test_nor_is_the_last_create_of_its_minute(self, stage: Stage) -> None:
        """What was created counts, though it is over."""
        one, other = await stage.two()
        for i in range(6):
            await sent(other, stage, f"flood {i}", scope="flood")
            await other.settle([ended(f"flood {i}")])
        await one.add(record("bob's", scope="bob"))
        assert await sent(other, stage, "too much", Headroom(creates=0, limit=10), scope="flood") > 0.0
        assert await one.intend("bob's", Headroom(creates=6, limit=10)) == 0.0
        await stage.passes(61.0)
        assert await other.intend("too much", Headroom(creates=1, limit=10)) == 0.0

    @check
    async def test_a_scope_counts_for_a_minute_after_its_last_job(self, stage: Stage) -> None:
        """And not for a job of which nobody knows whether it runs, which may stand there for ever."""
        one, other = await stage.two()
        await sent(one, stage, "bob's", scope="bob")
        for i in range(4):
            assert await sent(other, stage, f"flood {i}", Headroom(active=9, places=10), scope="flood") == 0.0
        last = Headroom(active=1, places=4)
        assert await sent(other, stage, "too much", last, scope="flood") > 0.0
        await one.mark_unknown("bob's")
        await stage.passes(30.0)
        assert await other.intend("too much", last) > 0.0
        await stage.passes(31.0)
        assert await other.intend("too much", last) == 0.0

    @check
    async def test_scopes_of_other_accounts_do_not_matter(self, stage: Stage) -> None:
        """Those under the account's other names do."""
        one, other = await stage.two()
        last = Headroom(active=1, places=4)
        await one.add(record("elsewhere", scope="bob", account="b"))
        await one.add(record("the same", scope="flood", account="old"))
        await sent(one, stage, "runs", scope="flood")
        assert await sent(other, stage, "ours", last, scope="flood") == 0.0
        await one.add(record("bob's", scope="bob", account="old"))
        both = Headroom(active=1, places=4, accounts=("a", "old"))
        assert await sent(other, stage, "too much", both, scope="flood") > 0.0

    @check
    async def test_who_may_have_what_is_kept_looks_for_it_soon(self, stage: Stage) -> None:
        """Not only when others can have no more of the minute; but not before a refusal's time is over."""
        one, other = await stage.two()
        for i in range(10):
            await sent(other, stage, f"flood {i}", scope="flood")
        full = Headroom(creates=9, limit=10)
        assert 59.0 <= await sent(one, stage, "flood, too", full, scope="flood") <= 60.0
        assert 0.0 < await sent(one, stage, "bob's", full, scope="bob") <= 5.0
        await other.hold("a", RequestKind.CREATES, 20.0)
        assert 19.0 <= await one.intend("bob's", full) <= 21.0


async def is_refused_again(store: Store, scope: str) -> None:
    """There are four now, of a limit of four."""
    with pytest.raises(TooManyJobs):
        await store.add(record("one too many", scope=scope), AtMost(scope=4))


async def sends(store: Store, stage: Stage, job_id: str) -> None:
    """A create that is over at once."""
    assert await store.intend(job_id) == 0.0
    await store.confirm(job_id, f"v-{job_id}", State.QUEUED)
    await store.settle([ended(job_id)])
