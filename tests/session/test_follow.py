"""A session that takes in and follows nothing, beside others on one ledger that do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from contract.steps import PNG, Server, Steps
from serving import ID, Vendor, body, done, luma, serving

import aiogen
from aiogen import AtMost, Cancellation, Generation, Reference, State, Where
from aiogen.exchange import Accepted, Exchange, Submission
from aiogen.stores.base import Record
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

KNOWN = 1.5
"""Seconds after which each session on a ledger knows of the others."""
NEWS = 0.25
"""Seconds in which what one has written another has read, at the latest."""
LEASE = 3.0


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


@asynccontextmanager
async def front(
    provider: aiogen.providers.Provider, path: Path, *, may_ask: bool = False, **options: Any
) -> AsyncIterator[aiogen.Session]:
    """One that follows nothing; whatever it sends fails the test."""
    asked: list[str] = []

    async def note(_: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        asked.append(f"{params.method} {params.url}")

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    async with aiohttp.ClientSession(trace_configs=[trace]) as client:
        store = options.pop("store", None) or SqliteStore(path, lease=LEASE)
        async with aiogen.Session([provider], store=store, follow=False, client_session=client, **options) as session:
            yield session
    assert asked == [] or may_ask


class Slow(SqliteStore):
    """Whoever adds a boat to it hears late that it is there."""

    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        standing = await super().add(record, at_most)
        await asyncio.sleep(5.0 if record.prompt == "a boat" else 0.0)
        return standing


@attrs.define
class Stage:
    server: Server
    url: str
    path: Path
    front: aiogen.Session

    def back(self, **options: Any) -> aiogen.Session:
        """One that follows."""
        return aiogen.Session([Steps(base_url=self.url)], store=SqliteStore(self.path, lease=LEASE), **options)


@asynccontextmanager
async def stage(path: Path, *, seconds: float = 10.0, **options: Any) -> AsyncIterator[Stage]:
    server = Server(seconds=seconds)
    async with (
        serving(server) as url,
        asyncio.timeout(200.0),
        front(Steps(base_url=url), path, **options) as web,
    ):
        yield Stage(server, url, path, web)


# --- taken in here, made there


async def test_what_it_takes_in_others_send_and_follow(path: Path) -> None:
    """At once, and its end is known as soon as anywhere."""
    async with stage(path) as on, on.back() as back:
        await asyncio.sleep(KNOWN)
        began = now()
        job = await on.front.submit("steps/m", "a boat")
        assert await job.accepted() == "job-1"
        assert now() < began + 2 * NEWS
        (other,) = await back.resume()
        ends: dict[str, float] = {}
        job._when_done(lambda _: ends.setdefault("front", now()))
        other._when_done(lambda _: ends.setdefault("back", now()))
        assert (await job) == (await other)
        assert 0.0 <= ends["front"] - ends["back"] < NEWS
        assert on.server.count("POST /jobs") == 1
        assert on.front.jobs() == []


async def test_one_that_has_just_come_is_noticed_within_a_second(path: Path) -> None:
    """Nobody listens for what others take in before it is known that there is somebody who does."""
    async with stage(path) as on, on.back():
        began = now()
        await (await on.front.submit("steps/m", "a boat")).accepted()
        assert now() < began + 1.2


async def test_an_end_that_is_quicker_than_the_ledger_s_answer_is_not_missed(path: Path) -> None:
    """It is adopted, made and over before whoever takes it in hears that it is written; others are awaited as well."""

    async with stage(path, seconds=0.5, store=Slow(path, lease=LEASE)) as on, on.back():
        long = await on.front.submit("steps/m", "a ship")
        on.server.began[await long.accepted()] += 50.0
        await asyncio.sleep(KNOWN)
        began = now()
        job = await on.front.submit("steps/m", "a boat")
        assert (await job).state is State.COMPLETED
        assert now() < began + 5.0 + NEWS
        assert not long.done


async def test_pictures_to_go_by_are_uploaded_by_who_follows(path: Path) -> None:
    """They are read where they are given, and sent where the create is."""
    async with stage(path) as on, on.back():
        await (await on.front.submit("steps/m", "a boat", image=Reference(data=PNG))).accepted()
        assert on.server.uploads == [PNG]


async def test_the_most_urgent_goes_first_whoever_took_it_in(path: Path) -> None:
    """Its priority stands in the ledger."""
    server = Server(seconds=2.0)
    async with serving(server) as url, front(Steps(base_url=url, max_active=1), path) as web:
        back = aiogen.Session([Steps(base_url=url, max_active=1)], store=SqliteStore(path, lease=LEASE))
        async with back:
            night = [await back.submit("steps/m", f"row {i}", priority="batch") for i in range(4)]
            await night[0].accepted()
            await asyncio.sleep(1.0)
            button = await web.submit("steps/m", "button", priority="interactive")
            await asyncio.gather(button, *night)
    assert [each["prompt"] for each in server.bodies][:2] == ["row 0", "button"]


async def test_the_same_key_is_the_same_job_in_both(path: Path) -> None:
    """While it waits for somebody, while it runs, and when it is over."""
    async with stage(path) as on:
        job = await on.front.submit("steps/m", "a boat", key="boat")
        assert (await on.front.submit("steps/m", "a boat", key="boat")) is job
        async with on.back() as back:
            theirs = await back.submit("steps/m", "a boat", key="boat")
            assert theirs.id == job.id
            assert (await theirs) == (await job)
        again = await on.front.submit("steps/m", "a boat", key="boat")
        assert again.done
        assert (await again) == job.generation
        with pytest.raises(aiogen.KeyReused):
            await on.front.submit("steps/m", "a ship", key="boat")
        assert on.server.count("POST /jobs") == 1


async def test_bounds_hold_over_all(path: Path) -> None:
    """What waits for somebody to follow it is unfinished, too."""
    async with stage(path) as on:
        await on.front.submit("steps/m", "a boat", at_most=AtMost(total=1))
        with pytest.raises(aiogen.TooManyJobs):
            await on.front.submit("steps/m", "a boat", at_most=AtMost(total=1))


async def test_a_batch_runs_where_others_follow(path: Path, tmp_path: Path) -> None:
    """Row by row, each once, also when it is run again."""
    rows = [{"model": "steps/m", "prompt": f"row {i}"} for i in range(5)]
    async with stage(path) as on, on.back():
        for _ in range(2):
            results = [result async for result in on.front.batch("night", rows)]
            assert [result.ok for result in results] == [True] * 5
        assert on.server.count("POST /jobs") == 5


async def test_what_was_made_elsewhere_is_followed_by_others(path: Path) -> None:
    """`attach` gives it to them, and its end is read in the ledger."""
    vendor = Vendor()
    async with serving(vendor) as url, front(luma(url), path) as web:
        job = await web.attach("luma", ID)
        async with aiogen.Session([luma(url)], store=SqliteStore(path, lease=LEASE)):
            assert (await job).provider_id == ID
        again = await web.attach("luma", ID)
        assert again.done
        assert (await again).state is State.COMPLETED
    assert vendor.reads == 1


async def test_ends_are_brought_to_handlers_here(path: Path) -> None:
    """As soon as they are read."""
    heard: list[tuple[str | None, float]] = []
    async with stage(path) as on, on.back():
        await asyncio.sleep(KNOWN)
        await on.front.on_completion("gallery", lambda generation: heard.append((generation.id, now())))
        job = await on.front.submit("steps/m", "a boat")
        await job
        ended = now()
        await asyncio.sleep(5.0)
        assert [job_id for job_id, _ in heard] == [job.id]
        assert heard[0][1] < ended + 0.1


async def test_a_hint_is_for_who_follows(path: Path) -> None:
    """It is said in the ledger."""
    async with stage(path, seconds=0.0) as on, on.back():
        job = await on.front.submit("steps/m", "a boat")
        assert await on.front.wake("steps", await job.accepted())
        assert not await on.front.wake("steps", "job-99")
        await job


# --- taken back, tried again


async def test_what_waits_is_taken_back_and_not_sent(path: Path) -> None:
    """By its handle, by its id, or because whoever submits it is gone."""
    async with stage(path) as on:
        jobs = [await on.front.submit("steps/m", "a boat", key=f"{i}") for i in range(3)]
        assert await jobs[0].withdraw()
        assert await jobs[1].cancel() is Cancellation.WITHDRAWN
        assert await on.front.cancel(jobs[2].id) is Cancellation.WITHDRAWN
        submitting = asyncio.create_task(on.front.submit("steps/m", "a boat"))
        keyed = asyncio.create_task(on.front.submit("steps/m", "a boat", key="gone"))
        await asyncio.sleep(0.003)  # the ledger is about to take them
        submitting.cancel()
        keyed.cancel()
        await asyncio.gather(submitting, keyed, return_exceptions=True)
        async with on.back():
            await asyncio.sleep(5.0)
        for job in jobs:
            with pytest.raises(aiogen.GenerationFailed, match="was withdrawn before it was sent"):
                await job
        assert await on.front.job(key="gone") is None
        assert set(await on.front.count()) == {State.CANCELLED}
        assert on.server.count("POST /jobs") == 0


async def test_who_is_cancelled_while_it_is_written_takes_back_what_was_adopted(path: Path) -> None:
    """Nobody has a handle for it, so nobody is to send it."""
    server = Server(seconds=20.0)
    async with (
        serving(server) as url,
        front(Steps(base_url=url, max_active=1), path, store=Slow(path, lease=LEASE)) as web,
    ):
        back = aiogen.Session([Steps(base_url=url, max_active=1)], store=SqliteStore(path, lease=LEASE))
        async with back:
            await (await back.submit("steps/m", "in the way")).accepted()
            submitting = asyncio.create_task(web.submit("steps/m", "a boat"))
            await asyncio.sleep(2.0)
            assert [each.submission and each.submission.prompt for each in await back.resume()] == ["a boat"]
            submitting.cancel()
            await asyncio.sleep(25.0)
            assert [each["prompt"] for each in server.bodies] == ["in the way"]


async def test_what_runs_is_stopped_by_who_follows(path: Path) -> None:
    """Whose answer everybody gets."""
    async with stage(path, seconds=1000.0) as on, on.back() as back:
        job = await on.front.submit("steps/m", "a boat")
        await job.accepted()
        assert not await job.withdraw()
        await asyncio.sleep(KNOWN)
        assert await job.cancel() is Cancellation.STOPPED
        (theirs,) = await back.resume()
        for each in (job, theirs):
            with pytest.raises(aiogen.GenerationFailed, match="was cancelled at steps"):
                await each


FAILED = (200, body("failed", failure_code="generation_failed"))


async def test_what_has_failed_is_tried_again_from_here(path: Path) -> None:
    """As often as it was said; each attempt is made by who follows."""
    vendor = Vendor(reads=[FAILED, (200, done())])
    async with serving(vendor) as url, front(luma(url), path) as web:
        async with aiogen.Session([luma(url)], store=SqliteStore(path, lease=LEASE)):
            job = await web.submit("luma/uni-1", "a boat", retries=2)
            assert (await job).state is State.COMPLETED
            assert [each.state for each in job.attempts] == [State.FAILED, State.COMPLETED]
    assert vendor.creates == 2


async def test_another_attempt_that_is_asked_for_is_made_by_who_follows(path: Path) -> None:
    """Under its own id, and charged by itself."""
    vendor = Vendor(reads=[FAILED, (200, done())])
    async with serving(vendor) as url, front(luma(url), path) as web:
        async with aiogen.Session([luma(url)], store=SqliteStore(path, lease=LEASE)):
            job = await web.submit("luma/uni-1", "a boat")
            with pytest.raises(aiogen.GenerationFailed):
                await job
            again = await web.retry(job.id)
            assert again.id != job.id
            assert (await again).state is State.COMPLETED


class Moody(Steps):
    """It refuses what it may take the next time."""

    def create(self, submission: Submission) -> Exchange[Accepted]:
        yield self.request("create", "POST", "/jobs", body=[{"id": None}])
        raise aiogen.InvalidRequest("not now", status=422, action=aiogen.Action.RETRY)


async def test_what_was_refused_is_not_tried_again(path: Path) -> None:
    """Though here it looks like any other failure after which trying again may help."""
    async with serving(Server()) as url, front(Moody(base_url=url), path) as web:
        async with aiogen.Session([Moody(base_url=url)], store=SqliteStore(path, lease=LEASE)):
            job = await web.submit("steps/m", "a boat", retries=5)
            with pytest.raises(aiogen.GenerationFailed) as failed:
                await job
            assert failed.value.action is aiogen.Action.RETRY
        assert await web.count() == {State.FAILED: 1}


# --- who follows


@pytest.mark.no_cover
async def test_another_takes_over_from_one_that_stands_still(path: Path) -> None:
    """What waits is sent and what runs is followed by the next, once; here nothing is to be done."""
    async with stage(path, seconds=20.0) as on:
        killed = on.back()
        async with killed, on.back(take_up=False):
            await asyncio.sleep(KNOWN)
            jobs = [await on.front.submit("steps/m", f"{i}") for i in range(30)]
            await asyncio.sleep(2.0)
            assert on.server.count("POST /jobs") == 20, "as many as the account allows at once"
            parts = killed._parts
            assert parts is not None
            parts.coordinator._has_stopped = True
            assert parts.hub.ledger._keeping is not None
            parts.hub.ledger._keeping.cancel()
            async with on.back():
                await asyncio.gather(*jobs)
        assert sorted(each["prompt"] for each in on.server.bodies) == sorted(f"{i}" for i in range(30))


async def test_nobody_follows_and_that_is_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once, while it waits; it goes on as soon as somebody does."""
    with caplog.at_level(logging.WARNING, "aiogen"):
        async with stage(path) as on:
            async with on.back(take_up=False):  # which follows its own
                job = await on.front.submit("steps/m", "a boat")
                await asyncio.sleep(20.0)
                assert job.state is State.PENDING
                assert job.eta() is None
                assert on.server.seen == []
                assert caplog.messages == [
                    "Nobody follows jobs on this ledger, and 1 waits for that. Nothing is lost, and they go on as soon "
                    "as somebody does: start `aiogen worker`, or a session that follows."
                ]
            async with on.back():
                assert (await job).state is State.COMPLETED
            await on.front.submit("steps/m", "a boat")
            await asyncio.sleep(10.0)
    assert len(caplog.messages) == 2, "it is said again of the next time"


async def test_nobody_is_missed_while_somebody_follows_or_nothing_waits(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that is started again in time is no news either."""
    with caplog.at_level(logging.WARNING, "aiogen"):
        async with stage(path, seconds=15.0) as on:
            await asyncio.sleep(10.0)
            async with on.back():
                job = await on.front.submit("steps/m", "a boat")
                await asyncio.sleep(10.0)
            await asyncio.sleep(3.0)
            async with on.back():
                await job
    assert [each for each in caplog.messages if "Nobody" in each] == []


@pytest.mark.parametrize(
    ("is_followed", "says"),
    [(False, "nobody follows jobs on its ledger.*aiogen worker"), (True, "waited 20 s for its turn")],
)
async def test_who_has_waited_for_long_enough_is_told_why(path: Path, is_followed: bool, says: str) -> None:
    """And the job is out of the ledger: it may be submitted again."""
    server = Server(seconds=10_000.0)
    async with serving(server) as url, front(Steps(base_url=url, max_active=1), path, queue_timeout=20.0) as web:
        back = aiogen.Session(
            [Steps(base_url=url, max_active=1)], store=SqliteStore(path, lease=LEASE), take_up=is_followed
        )
        async with back:
            await (await back.submit("steps/m", "in the way")).accepted()
            job = await web.submit("steps/m", "a boat")
            began = now()
            with pytest.raises(aiogen.GenerationTimeout, match=says) as late:
                await job
            assert now() == pytest.approx(began + 20.0, abs=0.1)
            assert "nothing was charged" in str(late.value).lower()
        assert job.state is State.CANCELLED
        assert await web.count(prompt="a boat") == {State.CANCELLED: 1}


async def test_a_deadline_is_kept_here(path: Path) -> None:
    """From the moment that the provider has accepted it, wherever that was."""
    async with stage(path, seconds=1000.0) as on, on.back():
        await asyncio.sleep(KNOWN)
        job = await on.front.submit("steps/m", "a boat", timeout=20.0)
        await job.accepted()
        began = now()
        with pytest.raises(aiogen.GenerationTimeout, match="did not finish within 20 s"):
            await job
        assert now() == pytest.approx(began + 20.0, abs=NEWS)


async def test_what_is_left_goes_on_without_it(path: Path) -> None:
    """Who waits here is told so; the job is made."""
    async with stage(path) as on, on.back():
        other = aiogen.Session([Steps(base_url=on.url)], store=SqliteStore(path, lease=LEASE), follow=False)
        async with other:
            job = await other.submit("steps/m", "a boat")
        with pytest.raises(aiogen.SessionClosed, match="is in the ledger"):
            await job
        found = await on.front.job(job.id)
        assert found is not None
        assert (await found).state is State.COMPLETED


async def test_a_budget_of_those_who_follow_holds(path: Path) -> None:
    """It is kept by who sends, and whoever waits is told."""
    vendor = Vendor()
    async with serving(vendor) as url, front(luma(url), path) as web:
        back = aiogen.Session([luma(url)], store=SqliteStore(path, lease=LEASE), budget=0.05, per="day")
        async with back:
            jobs = [await web.submit("luma/uni-1", f"{i}") for i in range(3)]
            ends = await asyncio.gather(*jobs, return_exceptions=True)
    assert [isinstance(end, Generation) for end in ends].count(True) == 1
    refused = [end for end in ends if isinstance(end, BaseException)]
    assert all("budget" in str(each) for each in refused), refused
    assert vendor.creates == 1


# --- what it does not do


def test_it_needs_a_ledger_that_others_can_see() -> None:
    for store in (None, ":memory:", aiogen.stores.MemoryStore()):
        with pytest.raises(aiogen.InputError, match="nobody else can see a ledger in memory"):
            aiogen.Session([], store=store, follow=False)


def test_it_keeps_no_budget(tmp_path: Path) -> None:
    with pytest.raises(aiogen.InputError, match="give the budget to the processes that follow"):
        aiogen.Session([], store=tmp_path / "a.db", follow=False, budget=1.0)


async def test_calls_that_would_ask_about_generations_are_refused(path: Path) -> None:
    """Each in the same words; and none is sent."""
    vendor = Vendor()
    async with serving(vendor) as url:
        leonardo = aiogen.Leonardo(api_key="key-of-a-leonardo-account", base_url=url)
        async with front(leonardo, path) as web:
            calls = [
                web.get("leonardo", ID),
                web.delete("leonardo", ID),
                anext(aiter(web.list("leonardo"))),
                web.cleanup("leonardo", Where(marked=True)).find(),
            ]
            for call in calls:
                with pytest.raises(aiogen.InputError, match="This session leaves its jobs") as refused:
                    await call
                assert refused.value.connection == "leonardo"
    assert vendor.seen == []


async def test_outputs_are_handed_out_while_their_addresses_live(path: Path) -> None:
    """Fresh ones would have to be asked for."""
    made = [done(f"https://storage.example/{name}.png") for name in ("new", "old")]
    made[1]["output"][0]["url"] += "?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60"
    vendor = Vendor(reads=[(200, each) for each in made])
    async with serving(vendor) as url, front(luma(url), path) as web:
        async with aiogen.Session([luma(url)], store=SqliteStore(path, lease=LEASE)):
            new = await web.submit("luma/uni-1", "a boat")
            assert await web.urls(new) == ["https://storage.example/new.png"]
            old = await web.submit("luma/uni-1", "a boat")
            await old
            reads = vendor.reads
            with pytest.raises(aiogen.OutputExpired, match="This session leaves its jobs to other processes"):
                await web.urls(old)
            assert vendor.reads == reads


async def test_what_is_unknown_is_shown_and_decided_here(path: Path) -> None:
    """What would have to be asked is not; sent again it is by others."""
    async with stage(path) as on:
        on.server.faults["POST /jobs"] = ["cut after"]
        async with on.back():
            job = await on.front.submit("steps/m", "a boat")
            with pytest.raises(aiogen.SubmissionUnknown):
                await job
        (unknown,) = await on.front.reconcile()
        assert unknown.job_id == job.id
        again = await on.front.resend(job.id)
        async with on.back():
            assert (await again).state is State.COMPLETED
        assert on.server.count("POST /jobs") == 2
