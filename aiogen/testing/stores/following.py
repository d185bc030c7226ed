"""Checks of workers that add jobs and follow none: what they add is for those that follow."""

from __future__ import annotations

from aiogen.models import State
from aiogen.stores.base import Follows, Peers
from aiogen.testing.stores.samples import AGO, ended, found, record, state_of
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check


class FollowingChecks(StoreSetup):
    """`open(Follows…)`, and its effect on `add`, `adopt`, `reopen`, `withdraw`, `peers` and `wait_for_news`."""

    @check
    async def test_what_is_taken_in_by_who_follows_nothing_is_nobody_s(self, stage: Stage) -> None:
        """A worker that follows adopts it at once, and the one that added it never does."""
        front = await stage.joins(Follows.NOTHING)
        await front.add(record("waits"))
        await front.add(record("runs", state=State.QUEUED, provider_id="v"))
        assert [(await found(front, i)).owner for i in ("waits", "runs")] == [None, None]
        assert await front.adopt(["a"]) == []
        assert await front.adopt(["a"], ["waits"]) == []
        if front.lease is None:  # then the next one is the first that can see it
            await stage.leaves(front)
        back = await stage.joins()
        adopted = {each.id: (each.state, each.owner) for each in await back.adopt(["a"])}
        assert adopted == {"waits": (State.PENDING, back.worker), "runs": (State.QUEUED, back.worker)}
        assert await back.intend("waits") == 0.0

    @check
    async def test_it_is_known_who_follows(self, stage: Stage) -> None:
        """How many adopt jobs without an owner, and how many add such jobs."""
        back, own = await stage.two()
        await stage.leaves(own)
        own = await stage.joins(Follows.OWN)
        front = await stage.joins(Follows.NOTHING)
        known = [Peers.of(await store.peers()) for store in (back, own, front)]
        assert [(int(each), each.follow_all, each.follow_nothing) for each in known] == [
            (2, 0, 1),
            (2, 1, 1),
            (2, 1, 0),
        ]
        await stage.stands_still(back)
        assert Peers.of(await front.peers()).follow_all == 0, "a worker without a lease follows nothing"

    @check
    async def test_who_follows_hears_of_what_is_taken_in(self, stage: Stage) -> None:
        """As of any other change: once."""
        back, _ = await stage.two()
        front = await stage.joins(Follows.NOTHING)
        await stage.hears_all(back)
        await front.add(record("a"))
        assert await back.wait_for_news(60.0), "it was written before this was asked"
        assert [each.id for each in await back.adopt(["a"])] == ["a"]

    @check
    async def test_who_follows_nothing_takes_back_what_was_not_sent(self, stage: Stage) -> None:
        """Adopted or not; of a withdrawal and an intent one comes first."""
        back, _ = await stage.two()
        front = await stage.joins(Follows.NOTHING)
        await front.add(record("early"))
        assert await front.withdraw(ended("early", State.CANCELLED, provider_id=None))
        for job_id in ("waits", "sent"):
            await front.add(record(job_id))
        await back.adopt(["a"])
        await back.intend("sent")
        assert await front.withdraw(ended("waits", State.CANCELLED, provider_id=None))
        assert not await front.withdraw(ended("sent", State.CANCELLED, provider_id=None))
        states = [await state_of(back, job_id) for job_id in ("early", "waits", "sent")]
        assert states == [State.CANCELLED, State.CANCELLED, State.SUBMITTING]

    @check
    async def test_what_was_unknown_is_for_those_who_follow(self, stage: Stage) -> None:
        """Also if the user has decided about it in a process that follows nothing."""
        back, _ = await stage.two()
        front = await stage.joins(Follows.NOTHING)
        for job_id in ("again", "found"):
            await back.add(record(job_id))
            await back.intend(job_id)
            await back.mark_unknown(job_id)
        assert (reopened := await front.reopen("again")) is not None
        assert reopened.owner is None
        assert (reopened := await front.reopen("found", "v-found")) is not None
        assert reopened.owner is None
        assert {each.id for each in await back.adopt(["a"])} == {"again", "found"}
        assert await back.intend("again") == 0.0
        assert await back.confirm("again", "v", State.QUEUED, AGO)

    @check
    async def test_it_follows_nothing_in_its_next_life_either(self, stage: Stage) -> None:
        """A lost lease is begun again with the same argument."""
        back, _ = await stage.two()
        front = await stage.joins(Follows.NOTHING)
        await stage.stands_still(front)
        assert not await front.heartbeat()
        await front.open(Follows.NOTHING)
        await front.add(record("a"))
        assert [each.id for each in await back.adopt(["a"])] == ["a"]
