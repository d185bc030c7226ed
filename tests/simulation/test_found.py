"""What the simulation found, each as a small story of its own."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohappyeyeballs
import attrs
import pytest
from aiohttp import web
from serving import ID, Vendor, body, done, luma, serving

import aiogen
from aiogen import Generation, State
from aiogen.stores.base import UNLIMITED, Headroom, Record, RecordQuery, TakenOver
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore

OTHER = "00000000-0000-4000-8000-00000000000f"


async def test_an_answer_about_another_generation_is_not_taken_for_this_one_by_a_look() -> None:
    """`get` repeats the question, and whoever waits for the job is not told of another's picture."""
    wrong = {**done("https://storage.example/other.png"), "id": OTHER}
    vendor = Vendor(reads=[(200, body("processing")), (200, wrong), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
        while not vendor.reads:
            await asyncio.sleep(0.01)
        generation = await session.get("luma", ID)
        assert generation.provider_id == ID
        assert (await job).url == generation.url == "https://storage.example/picture.png"
    assert job.state is State.COMPLETED


async def test_what_was_just_accepted_and_is_taken_up_may_not_be_known_yet() -> None:
    """A vendor that does not know it for some seconds does not make a failure of a paid job."""
    vendor = Vendor(reads=[(404, {"detail": "Generation not found"})] * 4 + [(200, done())])
    store = MemoryStore()
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store) as session:
            await (await session.submit("luma/uni-1", "a boat")).accepted()
        async with aiogen.Session([luma(url)], store=store) as session:
            (job,) = await session.resume()
            assert (await job).state is State.COMPLETED


@pytest.mark.parametrize("status", [400, 405, 410, 451])
async def test_a_page_in_place_of_the_first_answer_ends_nothing_that_was_attached(status: int) -> None:
    """Only the vendor itself can say that it cannot read such an id."""
    vendor = Vendor(reads=[(status, "<html><h1>Not here</h1></html>"), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await (await session.attach("luma", ID))).state is State.COMPLETED


async def test_what_the_vendor_cannot_show_yet_is_read_in_the_ledger() -> None:
    """Who attaches a generation a moment after its end hears of it, and the vendor is not asked for what is known."""
    vendor = Vendor(reads=[(200, done())])
    late = Vendor(reads=[(404, {"detail": "Generation not found"})])
    store = MemoryStore()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job
    async with serving(late) as url, aiogen.Session([luma(url)], store=store) as session:
        attached = await session.attach("luma", ID)
        assert (attached.id, (await attached).url) == (job.id, "https://storage.example/picture.png")
    assert late.reads == 0


async def test_what_somebody_attached_is_counted_once_when_it_is_taken_up() -> None:
    """A place that is counted twice is given back once: with one place nothing would ever be sent again."""
    vendor = Vendor(reads=[(200, body("processing")), (200, body("processing")), (200, done())])
    store = MemoryStore()
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store) as session:
            await (await session.submit("luma/uni-1", "a boat")).accepted()
            await store.add(attrs.evolve((await session.records())[0], id="another", submission=None))
        async with aiogen.Session([luma(url, max_active=1)], store=store) as session:
            for job in await session.resume():
                assert (await job).state is State.COMPLETED
            async with asyncio.timeout(60.0):
                assert (await session.generate("luma/uni-1", "another boat")).state is State.COMPLETED


class Shared(MemoryStore):
    """A ledger that other processes write to as well; our heart beats in it only while we do not stand still."""

    lease = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.beats = asyncio.Event()
        self.beats.set()
        self.is_ours = True

    async def heartbeat(self) -> bool:
        await self.beats.wait()
        return self.is_ours

    async def wait_for_news(self, timeout: float) -> bool:
        await asyncio.sleep(min(0.1, timeout))
        return True

    def by_others(self, job_id: str, **changes: Any) -> None:
        """What another process writes."""
        self._change(job_id, **{"owner": "other", **changes})


async def test_a_job_that_another_may_have_sent_meanwhile_is_not_given_up() -> None:
    """Whoever stood still does not say "not sent" of what is no longer its own; the other's end counts."""
    vendor = Vendor(reads=[(200, body("processing"))])
    store = Shared()
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, max_active=1)], store=store, queue_timeout=4.0) as session:
            first, second = [await session.submit("luma/uni-1", prompt) for prompt in ("a boat", "another")]
            await first.accepted()
            store.beats.clear()
            await asyncio.sleep(3.9)
            assert not await second.withdraw()
            store.by_others(second.id, state=State.SUBMITTING)
            await asyncio.sleep(1.0)
            assert not second.done
            store.is_ours = False
            store.beats.set()
            await asyncio.sleep(1.0)
            store.by_others(second.id, state=State.QUEUED, provider_id=OTHER)
            await asyncio.sleep(1.0)
            ended = attrs.evolve(second.generation, state=State.COMPLETED)
            store.by_others(second.id, state=State.COMPLETED, generation=ended)
            assert (await second).provider_id == OTHER
    assert vendor.creates == 1


async def test_an_intent_that_comes_too_late_leaves_the_job_to_whoever_has_it() -> None:
    """It stood still while the intent was on its way to the disk: the job is neither failed nor sent here."""

    class Late(Shared):
        async def intend(self, job_id: str, room: Headroom = UNLIMITED) -> float:
            self.by_others(job_id)
            raise TakenOver("another process has taken it over")

    vendor, store = Vendor(), Late()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await asyncio.sleep(1.0)
        (record,) = await session.records()
        assert (record.state, record.owner, job.done) == (State.PENDING, "other", False)
        store.by_others(job.id, state=State.COMPLETED, generation=attrs.evolve(job.generation, state=State.COMPLETED))
        assert (await job).state is State.COMPLETED
    assert vendor.creates == 0


async def test_who_waits_for_another_processes_job_waits_until_it_was_sent() -> None:
    """The deadline begins with the acceptance there; before that nobody is told that it was not sent."""
    vendor, store = Vendor(reads=[(200, body("processing"))]), Shared()
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, max_active=1)], store=store) as one:
            await one.submit("luma/uni-1", "a boat")
            mine = await one.submit("luma/uni-1", "another", timeout=5.0)
            elsewhere = copy.copy(store)  # the same ledger, as another process has it
            async with aiogen.Session([luma(url)], store=elsewhere, take_up=False, queue_timeout=30.0) as other:
                job = await other.job(mine.id)
                assert job is not None
                await asyncio.sleep(20.0)
                assert not job.done
                with pytest.raises(aiogen.GenerationTimeout, match="do not submit it again"):
                    await job
                again = await other.job(mine.id)
                assert again is not None
                store.by_others(mine.id, state=State.QUEUED, provider_id=OTHER)
                begun = asyncio.get_running_loop().time()
                with pytest.raises(aiogen.GenerationTimeout, match="it may still finish"):
                    await again
                assert 4.9 < asyncio.get_running_loop().time() - begun < 5.5


async def test_a_handler_is_told_at_once_of_what_is_withdrawn() -> None:
    """As of any other end."""
    told: list[tuple[float, State]] = []

    async def handler(generation: aiogen.Generation) -> None:
        told.append((asyncio.get_running_loop().time(), generation.state))

    async with serving(Vendor(creates=["hang"])) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        await session.on_completion("gallery", handler)
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        await asyncio.sleep(1.0)
        at = asyncio.get_running_loop().time()
        assert await jobs[1].withdraw()
        await asyncio.sleep(0.1)
        assert [(round(when - at, 1), state) for when, state in told] == [(0.0, State.CANCELLED)]


async def test_who_could_not_even_connect_has_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the whole create may take less time than a connection: it is not called unknown."""

    async def hangs(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(1e6)

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", hangs)
    async with aiogen.Session([luma("http://127.0.0.1:9")], submit_timeout=5.0, unreachable_timeout=10.0) as session:
        with pytest.raises(aiogen.NetworkError) as caught:
            await session.generate("luma/uni-1", "a boat")
    assert not caught.value.sent


async def test_who_has_waited_long_enough_is_not_sent_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt to connect takes its time: the one under way at the deadline is the last."""

    async def hangs(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(1e6)

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", hangs)
    monkeypatch.setattr("random.uniform", lambda low, high: low)
    provider, begun = luma("http://127.0.0.1:9"), asyncio.get_running_loop().time()
    async with aiogen.Session([provider], connect_timeout=5.0, queue_timeout=6.0, unreachable_timeout=60.0) as session:
        with pytest.raises(aiogen.GenerationTimeout, match="was not sent"):
            await session.generate("luma/uni-1", "a boat")
    assert asyncio.get_running_loop().time() - begun < 10.1


async def test_leaving_does_not_keep_those_waiting_who_have_no_create_on_its_way() -> None:
    """A create may take minutes to be answered; whoever waits for a running job is told at once, not after that."""
    vendor = Vendor(creates=[(201, body()), "hang"], reads=[(200, body("processing"))])
    async with serving(vendor) as url:
        session = aiogen.Session([luma(url)], submit_timeout=60.0)
        async with session:
            runs, hangs = [await session.submit("luma/uni-1", prompt) for prompt in ("a boat", "another")]
            await runs.accepted()
            leaving = asyncio.create_task(session.close())
            await asyncio.sleep(0.5)
            assert isinstance(runs.error, aiogen.SessionClosed)
            assert not hangs.done
            await leaving
        assert isinstance(hangs.error, aiogen.SubmissionUnknown)


@pytest.mark.looptime(False)
async def test_that_it_was_not_sent_is_for_the_owner_to_say(tmp_path: Path) -> None:
    """One that lost a job while the disk was full does not end, in the ledger, what another has sent since."""
    one, other = (SqliteStore(tmp_path / "aiogen.db") for _ in range(2))
    at = datetime(2026, 9, 1, tzinfo=UTC)
    record = Record(id="a", connection="luma", provider="luma", account="a", state=State.PENDING, created_at=at)
    given_up = Generation(
        id="a", provider_id=None, provider="luma", connection="luma", model="uni-1", state=State.CANCELLED
    )
    try:
        await one.open()
        await other.open()
        await other.add(record)
        await other.intend("a")
        await one.settle([given_up])
        assert (await one.find(RecordQuery()))[0].state is State.SUBMITTING
        await other.mark_unknown("a")
        await one.settle([given_up])
        assert (await one.find(RecordQuery()))[0].state is State.UNKNOWN
        await other.settle([attrs.evolve(given_up, state=State.FAILED)])
        assert (await one.find(RecordQuery()))[0].state is State.FAILED
    finally:
        await one.close()
        await other.close()


async def test_a_create_that_outlives_the_lease_is_still_ours() -> None:
    """The disk was full for longer than the lease: what is on its way is not called unknown, its answer will tell."""

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            await asyncio.sleep(5.0)
        return await vendor(request)

    vendor, store = Vendor(), Shared()
    async with serving(slow) as url, aiogen.Session([luma(url)], store=store) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await asyncio.sleep(0.5)
        store.by_others(job.id, owner=None)
        store.is_ours = False
        await asyncio.sleep(3.0)
        store.is_ours = True
        assert not job.done
        assert (await job).state is State.COMPLETED
    assert vendor.creates == 1


async def test_not_found_counts_from_the_question() -> None:
    """An answer that takes long may be as old as the question: "not yet" does not become "never" on its way."""

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and vendor.reads == 2:
            await asyncio.sleep(20.0)
        return await vendor(request)

    vendor = Vendor(reads=[(404, {"detail": "Generation not found"})] * 3 + [(200, done())])
    async with serving(slow) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat")).state is State.COMPLETED


async def states_of(job: aiogen.Job) -> list[State]:
    """All that somebody is told who watches it to its end."""
    return [event.state async for event in job.events()]


async def test_what_is_processed_is_not_queued_again_for_those_who_watch() -> None:
    """The ledger does not keep that it has begun: when the lease is lost, nobody is told of a step back."""
    vendor, store = Vendor(reads=[(200, body("processing"))]), Shared()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        job = await session.submit("luma/uni-1", "a boat")
        watching = asyncio.create_task(states_of(job))
        while job.state is not State.PROCESSING:
            await asyncio.sleep(0.5)
        store.by_others(job.id)
        store.is_ours = False
        await asyncio.sleep(3.0)
        store.by_others(job.id, state=State.COMPLETED, generation=attrs.evolve(job.generation, state=State.COMPLETED))
        states = await watching
    assert states == [State.PENDING, State.SUBMITTING, State.QUEUED, State.PROCESSING, State.COMPLETED]


async def test_what_cannot_be_read_does_not_stop_the_heart() -> None:
    """A row that nobody can read is about one job: the lease of all the others is renewed all the same."""

    class Spoiled(Shared):
        spoiled = False
        looks = beaten = 0

        async def find(self, wanted: RecordQuery) -> list[Record]:
            self.looks += self.spoiled
            if self.spoiled:
                raise aiogen.StoreError("it holds a row that cannot be read")
            return await super().find(wanted)

        async def heartbeat(self) -> bool:
            self.beaten += self.spoiled
            return await super().heartbeat()

    vendor, store = Vendor(reads=[(200, body("processing"))]), Spoiled()
    at = datetime(2026, 9, 1, tzinfo=UTC)
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        account = session.connections["luma"].account
        await store.add(
            Record(id="a", connection="luma", provider="luma", account=account, state=State.PENDING, created_at=at)
        )
        store.by_others("a")
        assert await session.job("a") is not None
        store.spoiled = True
        await asyncio.sleep(15.0)
        assert store.beaten >= 10
        assert store.looks <= 20  # nor is it asked ten times a second what it cannot tell


async def test_what_another_sent_and_left_ends_for_those_who_waited_here_since_before() -> None:
    """We stood still while another process sent our job, and died: its end is an end here, too."""
    vendor, store = Vendor(reads=[(200, body("processing")), (200, done())]), Shared()
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)], store=store) as session:
        await (await session.attach("luma", OTHER)).accepted()
        job = await session.submit("luma/uni-1", "a boat")
        watching = asyncio.create_task(states_of(job))
        store.beats.clear()
        await asyncio.sleep(3.9)
        store.by_others(job.id, owner=None, state=State.QUEUED, provider_id=ID)
        store.is_ours = False
        store.beats.set()
        await asyncio.sleep(0.01)
        store.is_ours = True
        assert (await job).url is not None
        states = await watching
    assert job.state is State.COMPLETED
    assert states[0] is State.PENDING
    assert states[-2:] == [State.QUEUED, State.COMPLETED]
    assert vendor.creates == 0


async def test_what_is_taken_up_while_the_session_is_left_is_not_sent() -> None:
    """Handlers may take their time; nothing new is created meanwhile, and another one finds it."""
    vendor, store = Vendor(creates=[(201, body())], reads=[(200, done())]), Shared()
    told: list[str | None] = []
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store) as session:

            async def slow(generation: Generation) -> None:
                await store.add(attrs.evolve(left_behind, owner=None))
                store.by_others(left_behind.id, owner=None)
                await asyncio.sleep(10.0)  # the ledger is looked after all the while
                told.append(generation.id)

            await session.on_completion("gallery", slow)
            job = await session.submit("luma/uni-1", "a boat")
            kept = await store.get(job.id)
            assert kept is not None
            left_behind = attrs.evolve(kept, id="left behind", handlers=())
            await job
        assert session.jobs() == []
    assert told == [job.id]
    assert (vendor.creates, (await store.get(left_behind.id) or left_behind).state) == (1, State.PENDING)
