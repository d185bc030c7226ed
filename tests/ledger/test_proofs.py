"""What is known of webhooks outlives the program that has seen it, for a while."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

import aiogen
from aiogen._account.account import AccountState
from aiogen._clock import Clock
from aiogen._ledger.proofs import BELIEVED_FOR, Proofs, heard_in
from aiogen._polling.phases import PhaseModel
from aiogen.models import Typical
from aiogen.providers.base import Provider
from aiogen.stores.memory import MemoryStore

TYPICAL = Typical(median=20.0, spread=0.5)
LEONARDO = aiogen.Leonardo(api_key="c0ffee00-0000-4000-8000-000000000001")


class Worker:
    """One process that follows jobs of one model."""

    def __init__(self, store: MemoryStore, provider: Provider = LEONARDO, clock: Clock | None = None) -> None:
        self.proofs = Proofs(store, clock or Clock())
        self.phases = PhaseModel(TYPICAL)
        self.account: AccountState[Any] = AccountState(provider, max_in_flight=100, draw=random.uniform)
        self.known = self.account.schedule.announcements(self.phases)

    async def load(self) -> float:
        """How much dearer a question is by what stands in the store."""
        await self.proofs.load(self.account, self.phases, "gemini-image-2", TYPICAL)
        return self.known.price_factor(0)

    async def sees(self, ends: str) -> None:
        """`+` was announced, `-` was not."""
        for i, end in enumerate(ends):
            if end == "+":
                self.known.announced(0)
            else:
                self.known.found(i, 0, 0.0, -math.inf)
                self.known.decide(1.0)
            await self.proofs.save()


async def written(store: MemoryStore, ends: str, clock: Clock | None = None) -> None:
    """By a worker that has left."""
    worker = Worker(store, clock=clock)
    await worker.load()
    await worker.sees(ends)
    await worker.proofs.save(every=1)


async def test_the_next_one_begins_with_it() -> None:
    store = MemoryStore()
    assert await Worker(store).load() == 1.0
    await written(store, "+" * 40)
    assert await Worker(store).load() == pytest.approx(41.0)


async def test_it_is_forgotten_after_twenty_ends_that_nobody_announced() -> None:
    store = MemoryStore()
    await written(store, "+" * 40)
    await written(store, "-" * 20)
    assert await Worker(store).load() == 1.0


async def test_it_is_believed_for_a_quarter_of_an_hour() -> None:
    """Counted from the last end that was announced, however many were not since."""
    store, clock = MemoryStore(), Clock()
    await written(store, "+" * 60, clock)
    await asyncio.sleep(BELIEVED_FOR - 10.0)
    assert await Worker(store, clock=clock).load() > 20.0
    await written(store, "-", clock)
    await asyncio.sleep(20.0)
    assert await Worker(store, clock=clock).load() == 1.0


async def test_it_is_written_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 25 ends, or every five minutes where ends are few: who is killed has lost no more."""
    store, worker = MemoryStore(), Worker(MemoryStore())
    worker.proofs = Proofs(store, Clock())
    writes: list[object] = []
    put = store.put_learned

    async def noted(*args: Any) -> int:
        writes.append(args)
        return await put(*args)

    monkeypatch.setattr(store, "put_learned", noted)
    await worker.load()
    await worker.sees("+" * 24)
    assert len(writes) == 0
    await worker.sees("+")
    assert len(writes) == 1
    await worker.sees("+" * 24)
    assert len(writes) == 1
    await asyncio.sleep(BELIEVED_FOR / 3.0)
    await worker.proofs.save()
    await worker.proofs.save()
    assert len(writes) == 2


async def test_two_workers_write_one_after_the_other() -> None:
    """Neither has to wait, and what was written last stands."""
    store = MemoryStore()
    workers = [Worker(store), Worker(store)]
    for worker in workers:
        await worker.load()
    await workers[0].sees("+" * 25)
    await workers[1].sees("+" * 5 + "-" * 20)
    assert await Worker(store).load() == 1.0
    await workers[0].sees("+" * 25)
    assert await Worker(store).load() == pytest.approx(51.0)


@pytest.mark.parametrize("provider", [LEONARDO, aiogen.Luma(api_key="luma-api-0123456789")], ids=["heard", "no calls"])
async def test_where_nothing_is_heard_nothing_is_written(provider: Provider) -> None:
    store = MemoryStore()
    worker = Worker(store, provider)
    await worker.load()
    await worker.sees("-" * 60)
    await worker.proofs.save(every=1)
    assert not store._learned


async def test_a_store_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer, and no job fails, for what is known of webhooks."""
    store = MemoryStore()

    async def fails(*args: object) -> Any:
        raise aiogen.StoreError("the disk is full")

    monkeypatch.setattr(store, "put_learned", fails)
    monkeypatch.setattr(store, "get_learned", fails)
    worker = Worker(store)
    assert await worker.load() == 1.0
    await worker.sees("+" * 30)
    assert worker.known.unwritten == 30


@pytest.mark.parametrize("data", [None, {}, {"version": 2, "heard_at": 5.0}, {"version": 1, "heard_at": "now"}])
def test_what_another_version_wrote_is_not_read(data: Any) -> None:
    assert heard_in(data) == 0.0
