"""Checks of who owns a job: leases, what killed processes leave behind, and late reports of former owners."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aiogen.errors import StoreError
from aiogen.models import State
from aiogen.stores.base import TakenOver
from aiogen.testing.stores.samples import AGO, THEN, ended, found, record, state_of
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check


class WorkerChecks(StoreSetup):
    """Several processes on one ledger; a store without a lease is only checked for the next process."""

    @check
    async def test_the_next_process_goes_on(self, stage: Stage) -> None:
        """It owns what is unfinished, the oldest first; what was being sent is unknown, and has no owner."""
        store = await stage.joins()
        for i, job_id in enumerate("abcde"):
            await store.add(record(job_id, created_at=THEN - timedelta(seconds=i)))
        for job_id in "bcde":
            await store.intend(job_id)
        for job_id in "cd":
            await store.confirm(job_id, f"v-{job_id}", State.QUEUED, AGO)
        await store.settle([ended("d")])
        await store.mark_unknown("e")
        store = await stage.comes_back(store)
        adopted = [(each.id, each.state, each.owner) for each in await store.adopt(["a", "b"])]
        me = store.worker
        assert adopted == sorted(adopted, reverse=True), "the oldest first"
        assert set(adopted) == {("a", State.PENDING, me), ("b", State.UNKNOWN, None), ("c", State.QUEUED, me)}
        assert await state_of(store, "b") is State.UNKNOWN
        assert await store.adopt(["a", "b"]) == [], "each is taken up once"

    @check
    async def test_only_what_is_asked_for_is_adopted(self, stage: Stage) -> None:
        """Jobs of these accounts, and of these ids if some are given."""
        store = await stage.joins()
        for job_id, account in (("a", "a"), ("b", "a"), ("c", "b"), ("d", "c")):
            await store.add(record(job_id, account=account))
        store = await stage.comes_back(store)
        assert await store.adopt(["unheard of"]) == []
        assert await store.adopt(["a"], only=[]) == []
        assert [each.id for each in await store.adopt(["a"], only=["b", "c"])] == ["b"]
        assert {each.id for each in await store.adopt(["a", "b"])} == {"a", "c"}

    @check
    async def test_the_jobs_of_the_living_are_theirs(self, stage: Stage) -> None:
        """Two processes share a ledger, but no job."""
        one, other = await stage.two()
        assert one.worker != other.worker
        await one.add(record("a"))
        await stage.passes(3.0 * stage.context.lease)  # which both renew
        assert await other.adopt(["a"]) == []
        with pytest.raises(TakenOver):
            await other.intend("a")
        assert await one.intend("a") == 0.0

    @check
    async def test_who_stands_still_loses_the_jobs(self, stage: Stage) -> None:
        """Another takes them over; the suspended one learns it before anything is sent, and may open again."""
        one, other = await stage.two()
        await one.add(record("a"))
        await stage.stands_still(one)
        assert [each.id for each in await other.adopt(["a"])] == ["a"]
        with pytest.raises(TakenOver):
            await one.intend("a")
        with pytest.raises(StoreError) as refused:
            await one.add(record("b"))
        assert refused.value.retryable, "it may be submitted again once the lease is back"
        assert await other.get("b") is None
        assert not await one.heartbeat(), "a lease that was ended is not renewed"
        await one.open()
        assert await one.heartbeat()
        assert await one.adopt(["a"]) == []
        await one.add(record("b"))
        assert (await found(other, "a")).owner == other.worker

    @check
    async def test_who_dies_is_missed_when_the_lease_is_over(self, stage: Stage) -> None:
        """Not before; nothing is lost."""
        one, other = await stage.two()
        await one.add(record("a"))
        await one.add(record("b"))
        await one.intend("b")
        await stage.dies(one)
        await stage.passes(0.5 * stage.context.lease)
        assert await other.adopt(["a"]) == [], "its lease has not ended"
        await stage.passes(stage.context.lease)
        assert {each.id: each.state for each in await other.adopt(["a"])} == {"a": State.PENDING, "b": State.UNKNOWN}

    @check
    async def test_who_lost_a_job_does_not_follow_it(self, stage: Stage) -> None:
        """The answer of a create comes late; meanwhile the user has found what it made, or has had it sent again."""
        one, other = await stage.two()
        for job_id in "abc":
            await one.add(record(job_id))
            await one.intend(job_id)
        await stage.stands_still(one)
        await other.adopt(["a"])
        await other.reopen("a", "v-found")
        for job_id in "bc":
            await other.reopen(job_id)
            await other.intend(job_id)
        assert not await one.confirm("a", "v-late", State.PROCESSING, AGO), "another process follows it"
        assert not await one.confirm("b", "v-late", State.PROCESSING, AGO), "it was sent again by another process"
        await one.release("b")
        await one.mark_unknown("c")
        await one.settle([ended("c", State.FAILED, provider_id=None)])  # it says that its own create was refused
        now = [await found(other, job_id) for job_id in "abc"]
        assert [(each.state, each.provider_id) for each in now] == [
            (State.QUEUED, "v-found"),
            (State.SUBMITTING, None),
            (State.SUBMITTING, None),
        ]
        assert all(each.owner == other.worker for each in now)

    @check
    async def test_an_answer_that_comes_late_finds_its_job(self, stage: Stage) -> None:
        """It became unknown meanwhile, and its user has not decided yet: the answer settles it.

        The process that made it unknown no longer follows it: the next `adopt` takes it up.
        """
        one, other = await stage.two()
        for job_id in "abc":
            await one.add(record(job_id))
            await one.intend(job_id)
        await stage.stands_still(one)
        await other.adopt(["a"])
        await one.heartbeat()
        await one.open()
        assert not await one.confirm("a", "v", State.QUEUED, AGO)
        await one.release("b")
        assert [(each.id, each.state, each.owner) for each in [await found(other, i) for i in "abc"]] == [
            ("a", State.QUEUED, None),
            ("b", State.PENDING, None),
            ("c", State.UNKNOWN, None),
        ]
        assert sorted(each.id for each in await one.adopt(["a"])) == ["a", "b"]

    @check
    async def test_an_end_counts_whoever_saw_it(self, stage: Stage) -> None:
        """A result of the vendor counts, whichever process reports it; that a job was not sent only its owner knows."""
        one, other = await stage.two()
        await one.add(record("a"))
        await one.add(record("b"))
        await other.settle([ended("a"), ended("b", State.CANCELLED, provider_id=None)])
        await one.settle([ended("a", State.FAILED)])
        assert await state_of(one, "a") is State.COMPLETED
        assert await state_of(one, "b") is State.PENDING, "only its owner may report that it was not sent"
        await one.settle([ended("b", State.CANCELLED, provider_id=None)])
        assert await state_of(other, "b") is State.CANCELLED

    @check
    async def test_whoever_withdraws_what_waits_wins_against_its_owner_or_loses(self, stage: Stage) -> None:
        """Of a withdrawal and an intent one comes first: a job is either withdrawn or sent, never both."""
        one, other = await stage.two()
        for job_id in ("a", "b"):
            await one.add(record(job_id))
        await one.intend("b")
        assert await other.withdraw(ended("a", State.CANCELLED, provider_id=None))
        assert not await other.withdraw(ended("b", State.CANCELLED, provider_id=None)), "it is on its way"
        assert await state_of(one, "a") is State.CANCELLED
        assert await state_of(one, "b") is State.SUBMITTING
        with pytest.raises(StoreError):
            await one.intend("a")
        assert not await one.withdraw(ended("a", State.CANCELLED, provider_id=None)), "it is over"

    @check
    async def test_news_are_what_others_have_changed(self, stage: Stage) -> None:
        """Of the jobs that are named, each change once, without the submission; None for what was removed."""
        one, other = await stage.two()
        for job_id in ("a", "b", "c"):
            await one.add(record(job_id))
        await other.news(["a", "b", "c"])
        await one.intend("a")
        await one.confirm("a", "v", State.QUEUED, AGO)
        await one.intend("b")
        news = await other.news(["a", "c"])
        assert (found := news["a"]) is not None
        assert (found.state, found.provider_id, found.submission) == (State.QUEUED, "v", None)
        assert news.get("c", found) is not None
        await one.settle([ended("a", provider_id="v")])
        assert (over := (await other.news(["a", "b", "c"]))["a"]) is not None
        assert (over.state, over.generation) == (State.COMPLETED, ended("a", provider_id="v"))
        await one.forget(["a"])
        assert (await other.news(["a"])) == {"a": None}

    @check
    async def test_peers_are_the_living_others(self, stage: Stage) -> None:
        """A worker that has left, or lost its lease, does not count."""
        one, other = await stage.two()
        assert [await one.peers(), await other.peers()] == [1, 1]
        third = await stage.joins()
        assert await one.peers() == 2
        await stage.leaves(one)
        assert await other.peers() == 1
        await stage.stands_still(third)
        assert await other.peers() == 0
