"""Checks of what other processes see of a job, and of their requests to the worker that follows it."""

from __future__ import annotations

from typing import Any

from aiogen.models import State
from aiogen.stores.base import Store, Wish
from aiogen.testing.stores.samples import ended, record, state_of
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check

ANSWER: dict[str, Any] = {"cancellation": "stopped", "é": [1, None]}


async def runs(store: Store, *job_ids: str, account: str = "a") -> None:
    """Jobs that this store follows; the vendor's ids are `v-…`."""
    for job_id in job_ids:
        await store.add(record(job_id, account=account))
        await store.intend(job_id)
        await store.confirm(job_id, f"v-{job_id}", State.QUEUED)


def said(wishes: list[Wish]) -> list[tuple[str, bool, bool]]:
    """Job, whether to cancel it, and whether to ask about it."""
    return sorted((wish.job_id, wish.cancel, wish.wake) for wish in wishes)


class WishChecks(StoreSetup):
    """`progressed`, `wait_for_news`, `wish`, `wake`, `wishes`, `grant` and `granted`."""

    @check
    async def test_what_has_begun_is_processing(self, stage: Stage) -> None:
        """If it was queued; nothing else changes."""
        store = await stage.joins()
        await store.add(record("waits"))
        await runs(store, "runs", "other", "over")
        await store.settle([ended("over")])
        await store.progressed(["waits", "runs", "over", "unheard of"])
        states = [await state_of(store, job_id) for job_id in ("waits", "runs", "other", "over")]
        assert states == [State.PENDING, State.PROCESSING, State.QUEUED, State.COMPLETED]
        assert await store.confirm("runs", "v-runs", State.QUEUED)
        assert await state_of(store, "runs") is State.PROCESSING, "a late answer must not lead backwards"

    @check
    async def test_who_lost_a_job_does_not_say_that_it_has_begun(self, stage: Stage) -> None:
        """Only its owner may report that."""
        one, other = await stage.two()
        await runs(one, "a", "b")
        await other.progressed(["a"])
        assert await state_of(one, "a") is State.QUEUED
        await stage.stands_still(one)
        await other.adopt(["a"])
        await one.progressed(["a", "b"])
        assert [await state_of(other, job_id) for job_id in "ab"] == [State.QUEUED] * 2

    @check
    async def test_news_are_waited_for(self, stage: Stage) -> None:
        """A process that waits is woken once by what others write; what was written before counts, too."""
        one, other = await stage.two()
        await stage.hears_all(other)
        assert not await other.wait_for_news(0.0)
        await one.add(record("a"))
        assert await other.wait_for_news(60.0), "it was written before this was asked"
        assert not await other.wait_for_news(0.0), "once"

    @check
    async def test_a_cancel_is_wished_of_the_owner(self, stage: Stage) -> None:
        """The owner sees the wish until it grants it; a process that does not follow the job does not see it."""
        one, other = await stage.two()
        await runs(one, "a", "b")
        assert await other.wish("a")
        assert await other.wishes() == []
        wish = Wish(job_id="a", account="a", provider_id="v-a", cancel=True, wake=False)
        assert await one.wishes() == [wish]
        assert await one.wishes() == [wish], "until it is granted"
        assert await other.granted("a") is None
        await one.grant("a", ANSWER)
        assert await one.wishes() == []
        assert await other.granted("a") == ANSWER
        await one.grant("a", {"cancellation": "ended"})
        assert await other.granted("a") == ANSWER, "no wish was open"
        assert await other.wish("a")
        assert await other.granted("a") is None, "the last wish is open"

    @check
    async def test_only_what_is_on_its_way_or_runs_may_be_wished_to_stop(self, stage: Stage) -> None:
        """What waits is withdrawn without a wish; what has ended or is unknown cannot be stopped."""
        store = await stage.joins()
        for job_id in ("waits", "on its way", "unknown"):
            await store.add(record(job_id))
        await runs(store, "runs", "over")
        for job_id in ("on its way", "unknown"):
            await store.intend(job_id)
        await store.mark_unknown("unknown")
        await store.settle([ended("over")])
        names = ("waits", "on its way", "unknown", "runs", "over", "unheard of")
        assert [await store.wish(name) for name in names] == [False, True, False, True, False, False]
        assert said(await store.wishes()) == [("on its way", True, False), ("runs", True, False)]
        await store.settle([ended("runs")])
        assert said(await store.wishes()) == [("on its way", True, False)], "the other is over"

    @check
    async def test_a_wish_is_for_the_next_owner_too(self, stage: Stage) -> None:
        """The first owner has died before it saw the wish."""
        one, other = await stage.two()
        await runs(one, "a", "b")
        await other.wish("a")
        await other.wake("a", ["v-b"])
        await stage.stands_still(one)
        assert await one.wishes() == [] or not await one.heartbeat()
        await other.adopt(["a"])
        assert said(await other.wishes()) == [("a", True, False), ("b", False, True)]

    @check
    async def test_whoever_follows_a_job_is_woken(self, stage: Stage) -> None:
        """Once for each `wake` since it last looked; by the vendor's id, within one account."""
        store = await stage.joins()
        await runs(store, "a", "over")
        await runs(store, "b", account="b")
        await store.settle([ended("over")])
        assert await store.wake("a", ["v-a", "v-b", "v-over", "unheard of"]) == 1
        assert await store.wake("a", ["v-a"]) == 1
        assert said(await store.wishes()) == [("a", False, True)]
        assert await store.wishes() == []
        assert await store.wake("b", ["v-b"]) == 1
        assert await store.wake("a", []) == 0
        await store.wish("b")
        assert said(await store.wishes()) == [("b", True, True)]
        assert said(await store.wishes()) == [("b", True, False)]

    @check
    async def test_what_the_vendor_has_proved_is_said_to_be_proved(self, stage: Stage) -> None:
        """If one of several hints is proved, in whatever order they came; and once, like the hint itself."""
        one, other = await stage.two()
        await runs(one, "a", "b", "c")
        await other.wake("a", ["v-a"], proved=True)
        await other.wake("a", ["v-b"])
        await other.wake("a", ["v-b"], proved=True)
        await other.wake("a", ["v-c"])
        await other.wake("a", ["v-a"])
        await other.wish("a")
        found = sorted((wish.job_id, wish.wake, wish.proved) for wish in await one.wishes())
        assert found == [("a", True, True), ("b", True, True), ("c", True, False)]
        assert [(wish.job_id, wish.wake, wish.proved) for wish in await one.wishes()] == [("a", False, False)]
        await other.wake("a", ["v-b"])
        assert [(wish.job_id, wish.proved) for wish in await one.wishes() if wish.wake] == [("b", False)], "once"

    @check
    async def test_an_unheard_of_id_writes_nothing(self, stage: Stage) -> None:
        """Calls from outside may name any id, any number of times."""
        one, other = await stage.two()
        await runs(one, "a", "over")
        await one.settle([ended("over")])
        await one.wake("a", ["v-a"], proved=True)
        await stage.hears_all(other)
        await one.wake("a", ["unheard of", "v-over", "v-a"])
        await one.wake("a", ["unheard of", "v-over", "v-a"], proved=True)
        assert not await other.wait_for_news(0.0)

    @check
    async def test_what_is_forgotten_has_no_wishes(self, stage: Stage) -> None:
        """They are removed with the job."""
        store = await stage.joins()
        await runs(store, "a")
        await store.wish("a")
        await store.wake("a", ["v-a"])
        await store.settle([ended("a")])
        assert await store.forget(["a"]) == 1
        assert await store.wishes() == []
        assert await store.granted("a") is None
