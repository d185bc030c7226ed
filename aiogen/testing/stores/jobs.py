"""Checks of the life of a job: what is kept, who may send it, and what a late report may change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from aiogen.errors import StoreError
from aiogen.models import Action, Cost, FailureCode, Output, State
from aiogen.stores.base import Headroom, RecordQuery
from aiogen.testing.stores.samples import AGO, THEN, WISH, ended, found, record, state_of
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check

NOT_READ_BACK: dict[str, Any] = {"owner": None, "handlers": (), "fingerprint": None}


class JobChecks(StoreSetup):
    """The life of a job, as one process and the next one see it."""

    @check
    async def test_a_job_is_kept_as_it_was_added(self, stage: Stage) -> None:
        """The next process sends exactly what was to be sent."""
        store = await stage.joins()
        moment = datetime(2026, 4, 8, 12, 30, 15, 250_000, tzinfo=UTC)
        added = record("a", timeout=90.0, batch="monday", weight=3, created_at=moment, handlers=("gallery",))
        attached = record("b", submission=None, state=State.PROCESSING, provider_id="v", accepted_at=moment)
        for each in (added, attached):
            await store.add(each)
            assert (await found(store, each.id)).owner == store.worker, "who adds a job owns it"
        store = await stage.comes_back(store)
        for each in (added, attached):
            kept = await found(store, each.id)
            assert attrs.evolve(kept, **NOT_READ_BACK) == attrs.evolve(each, **NOT_READ_BACK)

    @check
    async def test_each_step_moves_a_job_by_one_state(self, stage: Stage) -> None:
        """Each step records its time."""
        store = await stage.joins()
        await store.add(record("a"))
        assert await store.intend("a") == 0.0
        now = await found(store, "a")
        assert now.state is State.SUBMITTING
        assert now.submitted_at is not None
        assert await store.confirm("a", "v", State.QUEUED, AGO)
        now = await found(store, "a")
        assert (now.state, now.provider_id, now.accepted_at) == (State.QUEUED, "v", THEN)
        assert now.owner == store.worker
        await store.settle([ended("a", provider_id="v")])
        over = await found(store, "a")
        assert (over.state, over.provider_id, over.owner) == (State.COMPLETED, "v", None)
        assert (over.finished_at, over.generation) == (stage.moment, ended("a", provider_id="v"))
        assert over.submission is None, "what was sent is not needed any more"

    @check
    async def test_records_come_back_with_ages(self, stage: Stage) -> None:
        """By the store's clock, whatever the caller's clock shows: here it is 90 s ahead, and a year behind."""
        store = await stage.joins()
        for job_id, wrong in (("a", timedelta(seconds=90)), ("b", timedelta(days=-365))):
            now = stage.moment + wrong
            created, accepted = now - timedelta(seconds=30), now - timedelta(seconds=20)
            more: dict[str, Any] = {"state": State.QUEUED, "provider_id": f"v-{job_id}", "submission": None}
            await store.add(record(job_id, created_at=created, accepted_at=accepted, read_at=now, **more))
            kept = await found(store, job_id)
            assert kept.read_at == stage.moment
            assert [kept.ago(kept.created_at), kept.ago(kept.accepted_at or THEN)] == pytest.approx([30.0, 20.0])
        await store.add(record("c", created_at=stage.moment + timedelta(days=1)))
        kept = await found(store, "c")
        assert kept.ago(kept.created_at) <= 0.01, "created_at is at most the time of adding"
        assert kept.created_at <= stage.moment + timedelta(seconds=0.01)
        await store.intend("c")
        await stage.passes(10.0)
        await store.confirm("c", "v-c", State.QUEUED, 4.0)
        for kept in (await found(store, "c"), *await store.find(RecordQuery(ids=["c"]))):
            assert kept.submitted_at is not None
            assert kept.accepted_at is not None
            assert [kept.ago(kept.submitted_at), kept.ago(kept.accepted_at)] == pytest.approx([10.0, 4.0])
        end = ended("c", provider_id="v-c", finished_at=stage.moment + timedelta(seconds=90))
        await store.settle([end])
        over = await found(store, "c")
        assert (over.finished_at, over.generation) == (stage.moment, end)

    @check
    async def test_what_the_create_answered_beside_the_id_stays(self, stage: Stage) -> None:
        """Some vendors cannot be asked without the reference: it is kept while the job runs, and after its end."""
        reference = {"status": "/queue/v", "é": [1, None]}
        store = await stage.joins()
        await store.add(record("a"))
        await store.intend("a")
        await store.confirm("a", "v", State.QUEUED, AGO, reference)
        assert (await found(store, "a")).reference == reference
        store = await stage.comes_back(store)
        assert (await found(store, "a")).reference == reference
        await store.settle([ended("a", provider_id="v")])
        (over,) = await store.by_provider_id(record("a").account, ["v"])
        assert over.reference == reference

    @check
    async def test_what_is_sent_is_of_the_account_s_present_name(self, stage: Stage) -> None:
        """Its key was changed while the job waited."""
        store = await stage.joins()
        await store.add(record("a", account="old"))
        assert await store.intend("a", Headroom(accounts=("new", "old"))) == 0.0
        await store.confirm("a", "v", State.QUEUED, AGO)
        assert (await found(store, "a")).account == "new"
        assert [kept.id for kept in await store.by_provider_id("new", ["v"])] == ["a"]
        assert await store.by_provider_id("old", ["v"]) == []

    @check
    async def test_a_create_is_granted_once(self, stage: Stage) -> None:
        """A second `intend` is refused: sending again would be paid for twice."""
        store = await stage.joins()
        await store.add(record("a"))
        assert await store.intend("a") == 0.0

        async def is_refused(job_id: str) -> None:
            with pytest.raises(StoreError):
                await store.intend(job_id)

        await is_refused("a")
        await store.confirm("a", "v", State.QUEUED, AGO)
        await is_refused("a")
        await store.settle([ended("a")])
        await is_refused("a")
        await is_refused("unheard of")

    @check
    async def test_what_was_not_carried_out_is_sent_again(self, stage: Stage) -> None:
        """Pending again, as if it had not been sent."""
        store = await stage.joins()
        await store.add(record("a"))
        await store.intend("a")
        await store.release("a")
        now = await found(store, "a")
        assert (now.state, now.submitted_at, now.owner) == (State.PENDING, None, store.worker)
        assert now.submission == WISH
        assert await store.intend("a") == 0.0

    @check
    async def test_a_lost_create_waits_for_its_user(self, stage: Stage) -> None:
        """It is unknown and has no owner; the user finds it at the vendor, or has it sent again."""
        store = await stage.joins()
        for job_id in "abc":
            await store.add(record(job_id))
            await store.intend(job_id)
            await store.mark_unknown(job_id)
            now = await found(store, job_id)
            assert (now.state, now.owner) == (State.UNKNOWN, None)
        store = await stage.comes_back(store)
        assert await store.adopt(["a"]) == [], "what is unknown only its user decides"
        running = await store.reopen("a", "v-found")
        assert running is not None
        assert (running.state, running.provider_id, running.owner) == (State.QUEUED, "v-found", store.worker)
        assert [each.id for each in await store.by_provider_id("a", ["v-found"])] == ["a"]
        waiting = await store.reopen("b")
        assert waiting is not None
        assert (waiting.state, waiting.provider_id, waiting.owner) == (State.PENDING, None, store.worker)
        assert await store.intend("b") == 0.0
        assert await store.reopen("a") is None, "the user has decided already"
        assert await store.reopen("unheard of") is None
        assert await state_of(store, "c") is State.UNKNOWN

    @check
    async def test_the_first_end_counts(self, stage: Stage) -> None:
        """What has ended does not change, whatever is reported later."""
        store = await stage.joins()
        await store.add(record("a"))
        await store.intend("a")
        failed = ended("a", State.FAILED, failure_code=FailureCode.CONTENT_MODERATED, action=Action.CHANGE_INPUT)
        await store.settle([failed, ended("a"), ended("unheard of")])
        await store.settle([ended("a", State.CANCELLED)])
        await store.confirm("a", "w", State.PROCESSING, AGO)
        await store.mark_unknown("a")
        await store.release("a")
        over = await found(store, "a")
        assert (over.state, over.provider_id, over.generation) == (State.FAILED, "v-a", failed)
        assert await store.get("unheard of") is None

    @check
    async def test_an_end_is_there_for_the_next_process(self, stage: Stage) -> None:
        """With the result, of which the vendor's raw answers may be left out."""
        store = await stage.joins()
        output = Output(kind="image", url="https://cdn.example/a.png?sig=1", expires_at=THEN, nsfw=False)
        whole = ended(
            "a",
            outputs=(output,),
            cost=Cost(Decimal("0.0404"), "DOLLARS"),
            prompt="a boat",
            created_at=THEN - timedelta(seconds=7),
        )
        for job_id in "abc":
            await store.add(record(job_id))
        await store.settle([whole, ended("b", State.CANCELLED, provider_id=None)])
        for again in (False, True):
            if again:
                store = await stage.comes_back(store)
            assert (await found(store, "a")).generation == whole
            assert [await state_of(store, job_id) for job_id in "bc"] == [State.CANCELLED, State.PENDING]
        assert [each.id for each in await store.adopt(["a"])] == ["c"]

    @check
    async def test_only_what_is_over_or_unknown_is_forgotten(self, stage: Stage) -> None:
        """A generation that runs is paid for."""
        store = await stage.joins()
        for job_id in "abcde":
            await store.add(record(job_id))
        await store.settle([ended("a", provider_id="v")])
        await store.intend("b")
        await store.mark_unknown("b")
        await store.intend("c")
        await store.intend("d")
        await store.confirm("d", "w", State.QUEUED, AGO)
        assert await store.forget(["a", "b", "c", "d", "e", "unheard of"]) == 2
        assert await store.forget(["a", "b"]) == 0
        assert [await store.get(job_id) is None for job_id in "abcde"] == [True, True, False, False, False]
        assert await store.by_provider_id("a", ["v"]) == []

    @check
    async def test_words_about_a_job_that_is_not_there_change_nothing(self, stage: Stage) -> None:
        """It was forgotten meanwhile."""
        store = await stage.joins()
        await store.release("a")
        await store.mark_unknown("a")
        await store.ack("a", "gallery", None)
        await store.settle([])
        assert await store.confirm("a", "v", State.QUEUED, AGO), "no other process follows an unknown job"
        assert await store.get("a") is None
        assert await store.by_provider_id("a", ["v"]) == []

    @check
    async def test_what_is_added_twice_is_added_once(self, stage: Stage) -> None:
        """By our id, or as one generation of an account: the second `add` returns the job that is there."""
        store = await stage.joins()
        assert await store.add(record("a", key="night", prompt="a boat")) is None
        attached = {"provider_id": "v", "state": State.PROCESSING, "submission": None}
        assert await store.add(record("b", **attached)) is None
        assert await store.add(record("c", **attached, account="b")) is None
        store = await stage.comes_back(store)
        for again, standing in (
            (record("a", key="night", prompt="another"), "a"),
            (record("a", **attached), "a"),
            (record("d", **attached), "b"),
        ):
            present = await store.add(again)
            assert present is not None, "one job was added twice"
            assert present.id == standing
            assert present == await found(store, standing)
        assert (await found(store, "a")).prompt == "a boat"
        assert {each.id for each in await store.find(RecordQuery())} == {"a", "b", "c"}

    @check
    async def test_a_key_is_of_its_last_attempt(self, stage: Stage) -> None:
        """Within its scope; what is forgotten no longer counts."""
        store = await stage.joins()
        assert await store.latest("", "night") is None
        await store.add(record("a", key="night"))
        await store.add(record("b", key="night", attempt=3))
        await store.add(record("c", key="night", attempt=2))
        await store.add(record("d", key="night", scope="ann"))
        await store.add(record("e", scope="ann"))
        store = await stage.comes_back(store)

        async def latest(scope: str, key: str) -> str | None:
            last = await store.latest(scope, key)
            return last.id if last is not None else None

        assert [await latest(scope, "night") for scope in ("", "ann", "bob")] == ["b", "d", None]
        assert await latest("ann", "day") is None
        await store.settle([ended("b", provider_id="v")])
        assert await latest("", "night") == "b"
        await store.forget(["b"])
        assert await latest("", "night") == "c"
