"""`aiogen._ledger.others`: when a session looks at what other processes have written, and for what."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import pytest
from ledger.events import Noted
from turns import IN_A_TURN, steps_that_cost

from aiogen import State
from aiogen._clock import Clock
from aiogen._ledger.lease import Ledger
from aiogen._ledger.others import Others
from aiogen._ledger.progress import Progress
from aiogen.stores.base import Follows, Peers, Record, Wish
from aiogen.stores.memory import MemoryStore

pytestmark = pytest.mark.looptime(noop_cycles=4)


class Listening(MemoryStore):
    """Others write when a test says so; this store hears of it at once, as one that is told by its engine."""

    lease = 15.0

    def __init__(self, others: int = 1) -> None:
        super().__init__()
        self.others = others
        self.has_news = asyncio.Event()
        self.waits = 0
        self.reads: list[str] = []

    async def peers(self) -> int:
        return self.others

    async def wait_for_news(self, timeout: float) -> bool:
        self.waits += 1
        try:
            async with asyncio.timeout(timeout):
                await self.has_news.wait()
        except TimeoutError:
            return False
        self.has_news.clear()
        return True

    async def wishes(self) -> list[Wish]:
        self.reads.append("wishes")
        return await super().wishes()

    async def news(self, job_ids: Collection[str]) -> Mapping[str, Record | None]:
        self.reads.append("news")
        return await super().news(job_ids)


async def running(store: MemoryStore, job_id: str) -> None:
    now = datetime.now(UTC)
    await store.add(
        Record(id=job_id, connection="luma", provider="luma", account="a", state=State.PENDING, created_at=now)
    )
    await store.intend(job_id)
    await store.confirm(job_id, f"v-{job_id}", State.QUEUED)


async def test_a_store_that_is_told_is_not_looked_at() -> None:
    """What others write is known in the same moment, and nothing is read until then."""
    store, events, loop = Listening(), Noted(waiting=["job"], has_jobs=True), asyncio.get_running_loop()
    ledger = Ledger(store, Clock(), set, events)
    await ledger.ready()
    try:
        await running(store, "job")
        await asyncio.sleep(2.5)
        store.reads.clear()
        await store.wish("job")
        await asyncio.sleep(1.0)
        assert store.reads == []
        began = loop.time()
        store.has_news.set()
        await asyncio.sleep(0.001)
        assert store.reads == ["news", "wishes"]
        assert loop.time() < began + 0.01
        assert [(wish.job_id, wish.cancel) for wish in events.wishes] == [("job", True)]
    finally:
        await ledger.close()


@pytest.mark.parametrize(("others", "has_jobs", "watches"), [(0, True, False), (1, False, False)])
async def test_who_has_nothing_to_hear_does_not_listen(others: int, has_jobs: bool, watches: bool) -> None:
    """Alone, or without a job: a program that rests is not woken ten times a second."""
    store = Listening(others)
    ledger = Ledger(store, Clock(), set, Noted(has_jobs=has_jobs))
    await ledger.ready()
    try:
        await asyncio.sleep(30.0)
        assert (store.waits > 0) is watches
    finally:
        await ledger.close()


async def test_what_was_written_before_there_was_a_job_is_heard_with_the_job() -> None:
    """It was no news for anybody here then."""
    store, events = Listening(), Noted(waiting=["theirs"])
    ledger = Ledger(store, Clock(), set, events)
    await ledger.ready()
    try:
        await asyncio.sleep(0.3)
        await running(store, "ours")
        await store.wake("a", ["v-ours"])
        store.has_news.set()
        await asyncio.sleep(0.3)
        assert events.wishes == []
        events.has_jobs = True
        ledger.others.begin()
        await asyncio.sleep(0.01)
        assert [(wish.job_id, wish.wake) for wish in events.wishes] == [("ours", True)]
    finally:
        await ledger.close()


async def test_what_is_taken_up_is_asked_for_wishes() -> None:
    """Of those who had it before, though nobody writes any more."""
    store, events = Listening(), Noted(has_jobs=True)
    ledger = Ledger(store, Clock(), lambda: ["a"], events)
    await ledger.ready()
    try:
        await asyncio.sleep(2.5)
        assert store.reads == ["wishes"]
        await running(store, "left")
        await store.wish("left")
        store._change("left", owner=None)
        await asyncio.sleep(2.0)
        assert events.adopted_ids == ["left"]
        assert "left" in {wish.job_id for wish in events.wishes}
    finally:
        await ledger.close()


async def test_many_that_begin_to_wait_are_looked_at_together() -> None:
    """Ten times a second, however many come."""

    class Counting(Listening):
        finds = 0

        async def find(self, query: object) -> list[Record]:
            self.finds += 1
            return await super().find(query)  # type: ignore[arg-type]

    store, events = Counting(), Noted(waiting=["job"])
    ledger = Ledger(store, Clock(), set, events)
    await ledger.ready()
    try:
        for _ in range(200):
            ledger.others.attend()
            await asyncio.sleep(0.005)
        assert 9 <= store.finds <= 12
    finally:
        await ledger.close()


async def test_what_begins_together_is_written_together() -> None:
    """Once; and what comes meanwhile after that."""
    written: list[list[str]] = []

    class Slow(MemoryStore):
        async def progressed(self, job_ids: Collection[str]) -> None:
            written.append(list(job_ids))
            await asyncio.sleep(1.0)

    progress = Progress(Slow())
    for i in range(5):
        progress.note([f"{i}"])
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    progress.note(["late", "late"])
    await asyncio.sleep(5.0)
    assert written == [["0", "1", "2", "3", "4"], ["late"]]
    progress.note(["never"])
    await progress.close()
    assert len(written) == 2


async def test_who_has_nothing_to_do_listens_while_others_only_take_in() -> None:
    """What they have taken in is adopted at once, by who takes up everything."""

    class TakingIn(Listening):
        async def peers(self) -> int:
            return Peers(1, follow_all=0, follow_nothing=1)

    for follows, adopted in ((Follows.ALL, ["left"]), (Follows.OWN, [])):
        store, events = TakingIn(), Noted(only=None if follows is Follows.ALL else [])
        ledger = Ledger(store, Clock(), lambda: ["a"], events, follows)
        await ledger.ready()
        try:
            await asyncio.sleep(0.4)
            await running(store, "left")
            store._change("left", owner=None)
            store.has_news.set()
            await asyncio.sleep(0.01)
            assert events.adopted_ids == adopted
        finally:
            await ledger.close()


async def test_who_follows_nothing_adopts_nothing_and_looks_for_those_who_do() -> None:
    """As of the last look; a plain number of others says that they do."""

    class Counted(Listening):
        async def adopt(self, accounts: object, only: object = None) -> list[Record]:
            raise AssertionError("nothing is to be adopted")

    store = Counted(others=0)
    ledger = Ledger(store, Clock(), lambda: ["a"], Noted(waiting=["job"]), Follows.NOTHING)
    await ledger.ready()
    try:
        await ledger.adopt()
        assert not ledger.is_followed
        store.others = 1
        await asyncio.sleep(6.0)
        assert ledger.is_followed
    finally:
        await ledger.close()


async def test_what_has_become_of_many_is_told_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a process waits for may have ended at once, and each may cost a message to a client."""
    store, events = Listening(), Noted(waiting=[f"job {i}" for i in range(50)])
    for name in events.waiting[:40]:
        await running(store, name)
    others = Others(store, Clock(), events)
    steps = steps_that_cost(monkeypatch)
    monkeypatch.setattr(Noted, "seen", steps.noting(Noted.seen))
    monkeypatch.setattr(Noted, "gone", steps.noting(Noted.gone))
    others.attend()
    await others.look(heard=False)
    await asyncio.sleep(0)
    await others.look(heard=True)
    assert [record.id for record in events.seen_records] == events.waiting[:40] * 2
    assert events.said == [f"gone {name}" for name in events.waiting[40:]] * 2
    assert (max(steps.of_turns), sum(steps.of_turns)) == (IN_A_TURN, 100)


async def test_what_many_want_is_heard_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints come by the thousand."""

    class Wished(Listening):
        async def wishes(self) -> list[Wish]:
            return [
                Wish(job_id=f"job {i}", account="a", provider_id=f"v-{i}", wake=True, cancel=False) for i in range(50)
            ]

    events = Noted(has_jobs=True)
    others = Others(Wished(), Clock(), events)
    steps = steps_that_cost(monkeypatch)
    monkeypatch.setattr(Noted, "wished", steps.noting(Noted.wished))
    await others.look(heard=False)
    assert len(events.wishes) == 50
    assert max(steps.of_turns) == IN_A_TURN
