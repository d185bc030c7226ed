"""A clock that was wrong in an earlier life: what it left in the ledger holds nobody for longer than it meant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from stores.still_clock import Clock

from aiogen import Generation, State
from aiogen.stores.base import Headroom, Record, RecordQuery, RequestKind, Store
from aiogen.stores.charges import Charge
from aiogen.stores.sqlite import SqliteStore
from aiogen.testing.stores.samples import record

pytestmark = pytest.mark.looptime(False)

HOUR, YEAR, LEASE, KEEP = 3600.0, 365 * 86_400.0, 15.0, 1000.0
wrong_by = pytest.mark.parametrize(
    "wrong", [HOUR, YEAR, -HOUR, 0.0], ids=["hour ahead", "year ahead", "behind", "right"]
)


class Ledger:
    """A file, a clock, and one process after the other."""

    portions = "aiogen.stores.sqlite.moments._ROWS"

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self.clock = path, clock

    def make(self) -> Store:
        return SqliteStore(self.path, lease=LEASE, keep_finished=KEEP)

    async def kill(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        writer, store._writer = store._writer, None
        assert writer is not None
        await writer.close()

    async def purge(self, store: Store) -> None:
        """Remove what is old."""
        await store.heartbeat()

    @asynccontextmanager
    async def opened(self, *, is_killed: bool = False) -> AsyncIterator[Store]:
        store = self.make()
        await store.open()
        try:
            yield store
        finally:
            await (self.kill(store) if is_killed else store.close())

    async def earlier(self, wrong: float, does: Callable[[Store], Awaitable[object]]) -> None:
        """What a process did while the clock was wrong by so much; then it was killed, and the clock put right."""
        self.clock.now += wrong
        async with self.opened(is_killed=True) as store:
            await does(store)
        self.clock.now -= wrong

    def record(self, job_id: str, **more: Any) -> Record:
        fields = {"connection": "luma", "provider": "luma", "account": "a", "state": State.PENDING}
        return Record(id=job_id, created_at=self.clock.datetime(), **(fields | more))

    def ended(self, job_id: str) -> Generation:
        known = {"provider": "luma", "connection": "luma", "model": "uni-1", "state": State.COMPLETED}
        return Generation(id=job_id, provider_id=f"v-{job_id}", finished_at=self.clock.datetime(), **known)


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(tmp_path / "aiogen.db", clock)


@wrong_by
async def test_its_jobs_are_taken_over_after_a_lease(ledger: Ledger, clock: Clock, wrong: float) -> None:
    """And it counts as one who is there for no longer than that."""
    await ledger.earlier(wrong, lambda store: store.add(ledger.record("a")))
    async with ledger.opened() as store:
        clock.now += LEASE + 0.1
        assert await store.peers() == 0
        assert await store.heartbeat() is False  # we stood still for as long
        await store.open()
        assert [each.id for each in await store.adopt(["a"])] == ["a"]


@wrong_by
@pytest.mark.parametrize("kind", RequestKind)
async def test_a_hold_lasts_as_long_as_was_said(ledger: Ledger, clock: Clock, wrong: float, kind: RequestKind) -> None:
    """From when somebody looks again, at most."""
    await ledger.earlier(wrong, lambda store: store.hold("a", kind, 20.0))

    async def wait(store: Store) -> float:
        if kind is RequestKind.REQUESTS:
            return await store.acquire("a", 1, 10.0)
        return await store.intend("job", Headroom())

    async with ledger.opened() as store:
        await store.add(ledger.record("job"))
        seconds = await wait(store)
        assert seconds <= 20.001
        clock.now += 20.5
        assert not seconds or await wait(store) == 0.0


@wrong_by
async def test_requests_that_were_taken_ahead(ledger: Ledger, clock: Clock, wrong: float) -> None:
    """They cost one batch, not an hour."""

    async def takes(store: Store) -> None:
        for _ in range(2):
            await store.acquire("a", 5, 10.0)

    await ledger.earlier(wrong, takes)
    async with ledger.opened() as store:
        assert await store.acquire("a", 5, 10.0) <= 2.0


@wrong_by
async def test_creates_leave_the_window_after_a_minute(ledger: Ledger, clock: Clock, wrong: float) -> None:
    """What seems to have been sent in the future was sent just now."""

    async def sends(store: Store) -> None:
        for job_id in "abc":
            await store.add(ledger.record(job_id))
            await store.intend(job_id)
            await store.confirm(job_id, f"v-{job_id}", State.QUEUED)
            await store.settle([ledger.ended(job_id)])

    await ledger.earlier(wrong, sends)
    async with ledger.opened() as store:
        await store.add(ledger.record("job"))
        seconds = await store.intend("job", Headroom(creates=0))
        assert seconds <= 60.001
        clock.now += 60.1
        assert not seconds or await store.intend("job", Headroom(creates=0)) == 0.0


@wrong_by
async def test_a_lost_create_holds_its_place_until_its_deadline(ledger: Ledger, clock: Clock, wrong: float) -> None:
    """Counted from now at the latest; and one that runs, as long as the vendor keeps one."""

    async def sends(store: Store) -> None:
        for job_id in ("lost", "runs"):
            await store.add(ledger.record(job_id, timeout=600.0))
            await store.intend(job_id)
        await store.mark_unknown("lost")
        await store.confirm("runs", "v", State.QUEUED)

    await ledger.earlier(wrong, sends)
    async with ledger.opened() as store:
        await store.add(ledger.record("job"))
        clock.now += 600.5
        assert await store.intend("job", Headroom(active=1)) == 0.0
        await store.add(ledger.record("more"))
        clock.now += 3000.0
        assert await store.intend("more", Headroom(active=0)) == 0.0


@wrong_by
@pytest.mark.parametrize("again", [None, 5.0], ids=["first", "once more"])
async def test_an_end_is_told_when_it_was_meant_to_be(
    ledger: Ledger, clock: Clock, wrong: float, again: float | None
) -> None:
    """At once; or after the pause of a handler that failed."""

    async def ends(store: Store) -> None:
        await store.add(ledger.record("a", handlers=("gallery",)))
        await store.settle([ledger.ended("a")])
        if again is not None:
            await store.claim(["gallery"], 1)
            await store.ack("a", "gallery", again)

    await ledger.earlier(wrong, ends)
    async with ledger.opened() as store:
        clock.now += again or 0.0
        assert len(await store.claim(["gallery"], 1)) == 1


@pytest.mark.parametrize("wrong", [HOUR, YEAR], ids=["hour", "year"])
async def test_what_is_over_is_kept_as_long_as_was_meant(ledger: Ledger, clock: Clock, wrong: float) -> None:
    """All of it, also if there is much."""

    async def ends(store: Store) -> None:
        for i in range(3):
            await store.add(ledger.record(f"{i}"))
            await store.settle([ledger.ended(f"{i}")])

    await ledger.earlier(wrong, ends)
    async with ledger.opened() as store:
        clock.now += 10.0
        assert await store.heartbeat()
        assert len(await store.find(RecordQuery())) == 3
        clock.now += KEEP
        await ledger.purge(store)
        assert await store.find(RecordQuery()) == []


async def test_a_clock_that_is_put_right_while_it_is_used(ledger: Ledger, clock: Clock) -> None:
    """With the next heartbeat."""
    clock.now += HOUR
    async with ledger.opened(is_killed=True) as dies, ledger.opened() as store:
        await dies.hold("a", RequestKind.REQUESTS, 20.0)
        await dies.add(ledger.record("theirs"))
        assert await store.heartbeat()
        clock.now -= HOUR
        assert await store.heartbeat()
        assert await store.acquire("a", 1, 10.0) == pytest.approx(20.0)
        for _ in range(3):
            clock.passes(0.4 * LEASE)
            assert await store.heartbeat()
        assert [each.id for each in await store.adopt(["a"])] == ["theirs"]


async def test_many_ends_from_the_future(ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are looked at at once."""
    monkeypatch.setattr(ledger.portions, 2)

    async def ends(store: Store) -> None:
        for i in range(7):
            await store.add(ledger.record(f"{i}"))
            await store.settle([ledger.ended(f"{i}")])

    await ledger.earlier(HOUR, ends)
    async with ledger.opened() as store:
        assert {each.finished_at for each in await store.find(RecordQuery())} == {clock.datetime()}


@wrong_by
async def test_what_was_spent_was_spent_by_now(ledger: Ledger, clock: Clock, wrong: float) -> None:
    """Also of jobs that are not in the ledger any more: a clock that was ahead fills no budget for longer than that."""
    now = clock.now
    clock.now += wrong
    async with ledger.opened() as store:
        for job_id in "ab":
            charge = Charge(40_000, "DOLLARS")
            await store.add(record(job_id, created_at=clock.datetime(), read_at=clock.datetime(), charge=charge))
            await store.intend(job_id)
            await store.mark_unknown(job_id)
        await store.forget("a")
    clock.now = now + 60.0
    async with ledger.opened() as store:
        spent = await store.costs(RecordQuery(sent_within=max(0.0, -wrong) + 300.0))
        assert (str(spent), spent.count) == ("0.08 dollars", 2)
        clock.now += 3700.0
        assert (await store.costs(RecordQuery(sent_within=3600.0))).count == 0


@pytest.mark.parametrize("kind", RequestKind)
async def test_until_a_clock_is_seen_to_be_set_back_nobody_waits_for_it(
    ledger: Ledger, clock: Clock, kind: RequestKind
) -> None:
    """A hold is no longer than was said, and a minute no longer than that, before the next heartbeat as well."""
    clock.now += HOUR
    async with ledger.opened() as other, ledger.opened() as store:
        await other.hold("a", kind, 20.0)
        await other.add(ledger.record("theirs"))
        assert await other.intend("theirs") == 0.0
        await store.add(ledger.record("ours"))
        clock.now -= HOUR
        if kind is RequestKind.REQUESTS:
            assert await store.acquire("a", 1, 10.0) <= 20.001
        assert 0.0 < await store.intend("ours", Headroom(creates=0)) <= 60.001
        await other.hold("a", kind, 30.0)  # what is said now counts, though an earlier one seems to end later
        assert await store.heartbeat()
        clock.now += 25.0
        if kind is RequestKind.CREATES:
            assert await store.intend("ours") == pytest.approx(5.0)
        else:
            assert await store.acquire("a", 1, 10.0) == pytest.approx(5.0, abs=0.2)


async def test_whoever_was_let_go_first_is_not_waited_for_until_a_clock_is_where_it_was(
    ledger: Ledger, clock: Clock
) -> None:
    """A place that is kept free for others is taken after seconds, also by a clock that was set back meanwhile."""
    clock.now += HOUR
    async with ledger.opened() as other, ledger.opened() as store:
        await other.add(ledger.record("urgent", priority=9))
        await store.add(ledger.record("ours"))
        assert await store.intend("ours", Headroom(active=0)) > 0.0
        clock.now -= HOUR
        assert await store.intend("ours", Headroom(active=0)) > 0.0
        clock.now += 3.5
        assert await store.intend("ours", Headroom(active=0)) == 0.0
