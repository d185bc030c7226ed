"""Checks of what jobs cost: what is kept of it, how it is added up, and that a budget is kept by all processes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from aiogen.costs import Costs
from aiogen.errors import BudgetReached
from aiogen.models import Cost, State
from aiogen.stores.base import UNLIMITED, RecordQuery, Store
from aiogen.stores.budget import Budget
from aiogen.stores.charges import Charge
from aiogen.testing.stores.samples import ended, found, record, state_of
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check

FOUR_CENTS = Charge(40_000, "DOLLARS", is_estimate=True)
A_DAY = timedelta(days=1).total_seconds()


def dollars(amount: str, *, count: int, estimated: int = 0, unknown: int = 0, **others: Decimal) -> Costs:
    """These amounts, and perhaps others, by unit."""
    known = {"DOLLARS": Decimal(amount)} if Decimal(amount) else {}
    return Costs(amounts={**known, **others}, count=count, estimated=estimated, unknown=unknown)


async def sent(store: Store, stage: Stage, job_id: str, budget: Budget | None = None, **more: Any) -> None:
    """Add a job, and `intend` it."""
    more = {"charge": FOUR_CENTS, "created_at": stage.moment, "read_at": stage.moment, **more}
    await store.add(record(job_id, **more))
    assert await store.intend(job_id, UNLIMITED, budget) == 0.0


class SpendingChecks(StoreSetup):
    """`Record.charge`, `costs`, and `intend` with a budget."""

    @check
    async def test_what_a_job_costs_is_known_better_and_better(self, stage: Stage) -> None:
        """By the published price, then as the vendor quotes it, then as it ended; None changes nothing."""
        store = await stage.joins()
        for job_id, charge in (("a", FOUR_CENTS), ("b", Charge())):
            await sent(store, stage, job_id, charge=charge)
            assert (await found(store, job_id)).charge == charge
            await store.confirm(job_id, f"v-{job_id}", State.QUEUED)
            assert (await found(store, job_id)).charge == charge, "the vendor quoted nothing"
            await store.confirm(job_id, f"v-{job_id}", State.QUEUED, cost=Cost(Decimal("0.05"), "DOLLARS"))
            quoted = Charge(50_000, "DOLLARS")
            assert (await found(store, job_id)).charge == quoted
        await store.settle([ended("a"), ended("b", cost=Cost(Decimal("0.0000001"), "CREDITS"))])
        store = await stage.comes_back(store)
        assert (await found(store, "a")).charge == quoted
        assert (await found(store, "b")).charge == Charge(1, "CREDITS"), "smaller amounts are rounded up"

    @check
    async def test_what_surely_was_not_charged_costs_nothing(self, stage: Stage) -> None:
        """Withdrawn, refused, or refunded by the vendor's own word; a failure of which it says nothing was charged."""
        store = await stage.joins()
        for job_id in ("refused", "refunded", "failed", "cancelled"):
            await sent(store, stage, job_id)
        for job_id in ("withdrawn", "waits"):
            await store.add(record(job_id, charge=FOUR_CENTS))
        await store.withdraw(ended("withdrawn", State.CANCELLED, provider_id=None))
        cost = FOUR_CENTS.cost
        await store.settle(
            [
                ended("refused", State.FAILED, provider_id=None, cost=cost),
                ended("refunded", State.FAILED, refunded=True, cost=cost),
                ended("failed", State.FAILED, cost=cost),
                ended("cancelled", State.CANCELLED, cost=cost),
            ]
        )
        charges = {each.id: each.charge.millionths for each in await store.find(RecordQuery())}
        assert charges == {
            "refused": 0, "refunded": 0, "withdrawn": 0, "failed": 40_000, "cancelled": 40_000, "waits": 40_000,
        }  # fmt: skip
        assert await store.costs(RecordQuery()) == dollars("0.08", count=2, estimated=2)

    @check
    async def test_costs_are_added_up_by_unit(self, stage: Stage) -> None:
        """Of the jobs that a query selects; those of unknown cost are counted apart."""
        store = await stage.joins()
        assert await store.costs(RecordQuery()) == Costs()
        nine_credits = Charge(9_000_000, "CREDITS")
        await sent(store, stage, "a", scope="ann", batch="night")
        await sent(store, stage, "b", scope="ann", charge=nine_credits, connection="leonardo")
        await sent(store, stage, "c", batch="night", charge=Charge(20_400, "DOLLARS"))
        await sent(store, stage, "d", charge=Charge())
        await store.mark_unknown("a")
        await store.add(record("attached", provider_id="v", state=State.PROCESSING, charge=nine_credits))
        nine = Decimal(9)
        assert await store.costs(RecordQuery()) == dollars("0.0604", count=4, estimated=1, unknown=1, CREDITS=nine)
        assert await store.costs(RecordQuery(scope="ann")) == dollars("0.04", count=2, estimated=1, CREDITS=nine)
        assert await store.costs(RecordQuery(batch="night")) == dollars("0.0604", count=2, estimated=1)
        assert await store.costs(RecordQuery(connection="leonardo")) == dollars("0", count=1, CREDITS=nine)
        assert await store.costs(RecordQuery(scope="bob")) == Costs()

    @check
    async def test_costs_count_from_when_the_create_was_sent(self, stage: Stage) -> None:
        """Not from when the job was added."""
        store = await stage.joins()
        await store.add(record("late", charge=FOUR_CENTS))
        await sent(store, stage, "early")
        await stage.passes(600.0)
        then = stage.moment
        await stage.passes(10.0)
        await store.intend("late")
        await stage.passes(600.0)
        one = dollars("0.04", count=1, estimated=1)
        assert await store.costs(RecordQuery(sent_after=then)) == one
        assert await store.costs(RecordQuery(sent_within=700.0)) == one
        assert await store.costs(RecordQuery(sent_within=500.0)) == Costs()
        assert [each.id for each in await store.find(RecordQuery(sent_within=700.0))] == ["late"]
        assert await store.costs(RecordQuery()) == dollars("0.08", count=2, estimated=2)

    @check
    async def test_what_was_removed_was_spent_all_the_same(self, stage: Stage) -> None:
        """Of a forgotten job only minute and connection are kept: no other condition finds its cost."""
        store = await stage.joins()
        await sent(store, stage, "a", scope="ann")
        await sent(store, stage, "b", scope="ann")
        await sent(store, stage, "free", scope="ann")
        await sent(store, stage, "c", charge=Charge(), connection="leonardo")
        await store.settle([ended("a"), ended("c"), ended("free", State.FAILED, provider_id=None)])
        await store.mark_unknown("b")
        assert await store.forget(["a", "b", "c", "free"]) == 4
        store = await stage.comes_back(store)
        eight = dollars("0.08", count=3, estimated=2, unknown=1)
        assert await store.costs(RecordQuery()) == await store.costs(RecordQuery(sent_within=30.0)) == eight
        assert await store.costs(RecordQuery(connection="luma")) == dollars("0.08", count=2, estimated=2)
        assert await store.costs(RecordQuery(scope="ann")) == Costs()
        await stage.passes(200.0)
        assert await store.costs(RecordQuery(sent_within=100.0)) == Costs()
        with pytest.raises(BudgetReached):
            await sent(store, stage, "more", Budget.of("0.11", "day", None))

    @check
    async def test_a_create_that_is_sent_again_may_be_charged_twice(self, stage: Stage) -> None:
        """A job that the user has sent again may be charged twice; one that was found is charged once."""
        store = await stage.joins()
        for job_id in "ab":
            await sent(store, stage, job_id)
            await store.mark_unknown(job_id)
        await store.reopen("a")
        await store.intend("a")
        await store.reopen("b", "v-b")
        assert await store.costs(RecordQuery()) == dollars("0.12", count=3, estimated=3)
        await sent(store, stage, "c")
        await store.release("c")
        assert await store.costs(RecordQuery()) == dollars("0.12", count=3, estimated=3), "surely not carried out"

    @check
    async def test_a_budget_is_not_exceeded(self, stage: Stage) -> None:
        """What waits stays pending, until enough is released or has left the period."""
        store = await stage.joins()
        budget = Budget.of("0.10", "day", None)
        await sent(store, stage, "a", budget)
        await stage.passes(60.0)
        await sent(store, stage, "b", budget, scope="ann", connection="leonardo", account="b")
        with pytest.raises(BudgetReached) as refused:
            await sent(store, stage, "c", budget)
        said = refused.value
        assert (str(said.budget), str(said.estimate)) == ("0.1 dollars", "about 0.04 dollars")
        assert str(said.spent) == "0.08 dollars"
        assert said.retry_after == pytest.approx(A_DAY - 60.0)
        assert await state_of(store, "c") is State.PENDING
        await sent(store, stage, "small", budget, charge=Charge(20_000, "DOLLARS"))
        await store.settle([ended("b", State.FAILED, refunded=True)])
        assert await store.intend("c", UNLIMITED, budget) == 0.0
        await store.add(record("d", charge=FOUR_CENTS))
        with pytest.raises(BudgetReached):
            await store.intend("d", UNLIMITED, budget)
        assert await store.intend("d", UNLIMITED, Budget.of("0.14", None, None)) == 0.0
        with pytest.raises(BudgetReached) as refused:
            await sent(store, stage, "e", Budget.of("0.14", None, None))
        assert refused.value.retry_after is None, "without a period nothing is ever released by time"
        assert not refused.value.retryable

    @check
    async def test_a_budget_s_period_rolls(self, stage: Stage) -> None:
        """An hour after it was sent a create counts no more."""
        store = await stage.joins()
        budget = Budget.of("0.04", "hour", None)
        await sent(store, stage, "a", budget)
        await store.confirm("a", "v", State.QUEUED)
        await stage.passes(3590.0)
        await store.add(record("b", charge=FOUR_CENTS))
        with pytest.raises(BudgetReached) as refused:
            await store.intend("b", UNLIMITED, budget)
        assert refused.value.retry_after == pytest.approx(10.0, abs=0.01)
        await stage.passes(10.1)
        assert await store.intend("b", UNLIMITED, budget) == 0.0

    @check
    async def test_what_nobody_knows_the_cost_of_does_not_fit(self, stage: Stage) -> None:
        """Unless an assumed cost is given, which counts until the vendor quotes."""
        store = await stage.joins()
        budget = Budget.of(1, None, None)
        for i, charge in enumerate((Charge(), Charge(1_000_000, "CREDITS"), Charge(1_000_001, "DOLLARS"))):
            await store.add(record(f"{i}", charge=charge))
            with pytest.raises(BudgetReached) as refused:
                await store.intend(f"{i}", UNLIMITED, budget)
            assert (refused.value.retry_after, refused.value.retryable) == (None, False)
        assuming = Budget.of(1, None, "0.4")
        assert await store.intend("0", UNLIMITED, assuming) == 0.0
        assert await store.intend("1", UNLIMITED, assuming) == 0.0
        await store.add(record("3", charge=Charge()))
        with pytest.raises(BudgetReached):
            await store.intend("3", UNLIMITED, assuming)
        await store.confirm("0", "v", State.QUEUED, cost=Cost(Decimal("0.1"), "DOLLARS"))
        assert await store.intend("3", UNLIMITED, assuming) == 0.0
        assert await store.costs(RecordQuery()) == dollars("0.1", count=3, unknown=1, CREDITS=Decimal(1))

    @check
    async def test_several_processes_keep_to_one_budget(self, stage: Stage) -> None:
        """Over all processes and scopes: what others have sent counts before it is confirmed."""
        one, other = await stage.two()
        budget = Budget.of("0.20", "day", None)
        count = 0
        for i in range(10):
            try:
                await sent(other if i % 2 else one, stage, f"{i}", budget, scope=f"{i % 3}")
            except BudgetReached:
                continue
            count += 1
        assert count == 5
        assert await one.costs(RecordQuery()) == dollars("0.20", count=5, estimated=5)
