"""Two sessions on one ledger: one sees how a job of the other stands, cancels it, or has it asked about."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from contract.steps import Server, Steps
from serving import Vendor, body, done, luma, serving

import aiogen
from aiogen import Cancellation, Job, State
from aiogen.exchange import Cancelled, Exchange, Ticket
from aiogen.sandbox import LUMA_KEY, Sandbox
from aiogen.stores import Wish
from aiogen.stores.base import RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

LONG = {"typical_seconds": {"m": 3000.0}}
"""Its jobs are asked about seldom."""
HEARD = 2.1
"""Seconds after which each session on a ledger knows of the others."""


class Asking(Steps):
    """It may be asked whether it can cancel, and is not the one to do so."""

    def cancel(self, ticket: Ticket) -> Exchange[Cancelled]:
        raise AssertionError("this one does not follow the job")
        yield  # pragma: no cover


class Deaf(SqliteStore):
    """Its process does not hear what is wanted of it."""

    async def wishes(self) -> list[Wish]:
        return []


@attrs.define
class Stage:
    server: Server
    one: aiogen.Session
    other: aiogen.Session

    async def runs(self) -> tuple[Job, Job]:
        """A job that the first follows, and the other's handle to it."""
        mine = await self.one.submit("steps/m", "a boat")
        await mine.accepted()
        theirs = await self.other.job(mine.id)
        assert theirs is not None
        await asyncio.sleep(HEARD)
        return mine, theirs


@asynccontextmanager
async def stage(
    path: Path, store: type[SqliteStore] = SqliteStore, other: type[Steps] = Asking, seconds: float = 1000.0
) -> AsyncIterator[Stage]:
    server = Server(seconds=seconds)
    async with serving(server) as url, asyncio.timeout(3600.0):
        async with (
            aiogen.Session([Steps(base_url=url, **LONG)], store=store(path)) as first,
            aiogen.Session([other(base_url=url, **LONG)], store=path) as second,
        ):
            yield Stage(server, first, second)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aiogen.db"


# --- cancelled by its owner


async def test_who_follows_a_job_cancels_it_for_others(path: Path) -> None:
    """Within the time that news take; everybody who waits hears of it, there and here."""
    async with stage(path) as on:
        mine, theirs = await on.runs()
        began = asyncio.get_running_loop().time()
        assert await theirs.cancel() is Cancellation.STOPPED
        assert asyncio.get_running_loop().time() < began + 0.4
        for job in (mine, theirs):
            with pytest.raises(aiogen.GenerationFailed, match="was cancelled at steps"):
                await job
        assert await theirs.cancel() is Cancellation.ENDED
    assert on.server.count("POST /jobs/job-1/cancel") == 1


async def test_what_the_owner_is_told_by_the_vendor_others_hear(path: Path) -> None:
    """That it has ended; or the same error as if it had been their own job."""
    async with stage(path) as on:
        mine, theirs = await on.runs()
        errors = []
        for job in (mine, theirs):
            on.server.faults["POST /jobs/job-1/cancel"] = ["422"]
            with pytest.raises(aiogen.APIError) as caught:
                await job.cancel()
            error = caught.value
            errors.append((type(error), str(error), error.status, error.code, error.action, error.provider_id))
        assert errors[0] == errors[1]
        assert errors[0][2] == 422
        on.server.seconds = 0.0
        assert await theirs.cancel() is Cancellation.ENDED
        assert (await theirs).state is (await mine).state is State.COMPLETED


async def test_a_wish_is_heard_by_who_did_not_know_of_others(path: Path) -> None:
    """A command that was begun just now asks a program that was alone until then."""
    async with stage(path) as on:
        mine = await on.one.submit("steps/m", "a boat")
        await mine.accepted()
        theirs = await on.other.job(mine.id)
        assert theirs is not None
        assert await theirs.cancel(timeout=3.0) is Cancellation.STOPPED


async def test_two_that_wish_the_same_hear_the_same(path: Path) -> None:
    """The vendor is asked as often as it takes, and both are told."""
    async with stage(path) as on:
        _, theirs = await on.runs()
        said = await asyncio.gather(*(theirs.cancel() for _ in range(3)))
        assert set(said) == {Cancellation.STOPPED}


async def test_a_vendor_that_cannot_cancel_is_not_asked_by_anybody(path: Path) -> None:
    """It is said at once, and nothing is written."""
    vendor = Vendor(reads=[(200, body("processing"))] * 3 + [(200, done())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=Deaf(path)) as one, aiogen.Session([luma(url)], store=path) as two:
            mine = await one.submit("luma/uni-1", "a boat")
            await mine.accepted()
            theirs = await two.job(mine.id)
            assert theirs is not None
            with pytest.raises(aiogen.Unsupported, match=r"Luma has no API call that cancels .* goes on"):
                await theirs.cancel()
            assert await SqliteStore.wishes(one.store) == []
            assert (await theirs).state is State.COMPLETED


async def test_an_owner_that_does_not_hear_is_waited_for_no_longer_than_is_said(path: Path) -> None:
    """The wish stays: whoever follows the job next carries it out."""
    loop = asyncio.get_running_loop()
    server = Server(seconds=1000.0)
    async with serving(server) as url, aiogen.Session([Steps(base_url=url, **LONG)], store=path) as other:
        async with aiogen.Session([Steps(base_url=url, **LONG)], store=Deaf(path)) as one:
            mine = await one.submit("steps/m", "a boat")
            await mine.accepted()
            theirs = await other.job(mine.id)
            assert theirs is not None
            began = loop.time()
            with pytest.raises(aiogen.CancelTimeout, match="The request to cancel it stays in the ledger") as caught:
                await theirs.cancel(timeout=5.0)
            assert loop.time() == pytest.approx(began + 5.0, abs=0.1)
            assert isinstance(caught.value, TimeoutError)
            assert (caught.value.job_id, caught.value.timeout) == (mine.id, 5.0)
            assert not caught.value.retryable, "submitting it again is a second bill"
            assert not server.cancelled
        with pytest.raises(aiogen.GenerationFailed, match="was cancelled"):
            await asyncio.wait_for(theirs, 10.0)
    assert server.cancelled == {"job-1"}


async def test_an_owner_that_goes_meanwhile_leaves_the_wish_to_who_comes(path: Path) -> None:
    """Here that is the one that asks."""
    server = Server(seconds=1000.0)
    async with serving(server) as url, aiogen.Session([Steps(base_url=url, **LONG)], store=path) as other:
        async with aiogen.Session([Steps(base_url=url, **LONG)], store=Deaf(path)) as one:
            mine = await one.submit("steps/m", "a boat")
            await mine.accepted()
            theirs = await other.job(mine.id)
            assert theirs is not None
            asking = asyncio.create_task(theirs.cancel())
            await asyncio.sleep(1.0)
        assert await asking is Cancellation.STOPPED
    assert server.count("POST /jobs/job-1/cancel") == 1


async def test_what_ends_meanwhile_has_ended(path: Path) -> None:
    """Its owner does not hear the wish, and sees the end."""
    async with stage(path, store=Deaf, seconds=4.0) as on:
        _, theirs = await on.runs()
        asking = asyncio.create_task(theirs.cancel())
        await asyncio.sleep(3.0)
        await on.one.wake("steps", "job-1")
        assert await asking is Cancellation.ENDED
        assert (await theirs).state is State.COMPLETED


async def test_a_job_whose_deadline_has_passed_here_is_cancelled_where_it_is_followed(path: Path) -> None:
    """Nobody waits for it here any more, and it runs all the same."""
    async with stage(path) as on:
        mine = await on.one.submit("steps/m", "a boat", timeout=5.0)
        await mine.accepted()
        theirs = await on.other.job(mine.id)
        assert theirs is not None
        for job in (mine, theirs):
            with pytest.raises(aiogen.GenerationTimeout):
                await job
        assert await theirs.cancel() is Cancellation.STOPPED
    assert on.server.count("POST /jobs/job-1/cancel") == 1


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), "soon"])
async def test_timeouts_that_cannot_be(timeout: Any, path: Path) -> None:
    """They are refused before anybody is asked."""
    async with stage(path) as on:
        _, theirs = await on.runs()
        with pytest.raises(aiogen.InputError, match="timeout has to be"):
            await theirs.cancel(timeout=timeout)
        assert await on.one.store.wishes() == []


# --- woken


async def test_who_follows_a_job_is_woken_through_the_ledger(path: Path) -> None:
    """Within the time that news take; its next question would have come much later."""
    async with stage(path) as on:
        mine, theirs = await on.runs()
        await asyncio.sleep(20.0)
        on.server.seconds = 0.0
        began = asyncio.get_running_loop().time()
        assert await on.other.wake("steps", "job-1")
        await theirs
        assert mine.done
        assert asyncio.get_running_loop().time() < began + 0.4


async def test_a_job_of_one_s_own_is_asked_about_without_a_write(path: Path) -> None:
    """At once."""

    class Counting(SqliteStore):
        woken = 0

        async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
            Counting.woken += 1
            return await super().wake(account, provider_ids, proved=proved)

    async with stage(path, store=Counting) as on:
        mine, _ = await on.runs()
        await asyncio.sleep(20.0)
        on.server.seconds = 0.0
        assert await on.one.wake("steps", "job-1")
        await asyncio.wait_for(mine, 0.1)
    assert Counting.woken == 0


async def test_whoever_wakes_again_and_again_costs_one_question_per_floor(path: Path) -> None:
    """And nothing is believed: what runs goes on."""
    async with stage(path) as on:
        mine, _ = await on.runs()
        await asyncio.sleep(20.0)
        before, began = on.server.count("GET /queue/job-1"), asyncio.get_running_loop().time()
        for _ in range(200):
            assert await on.one.wake("steps", "job-1")
            assert await on.other.wake("steps", "job-1")
        await asyncio.sleep(0.5)
        seconds = asyncio.get_running_loop().time() - began
        assert 1 <= on.server.count("GET /queue/job-1") - before <= seconds / Steps.facts.poll_floor + 1
        assert mine.state is State.PROCESSING


async def test_a_job_of_a_key_before_is_woken_under_the_new_one(path: Path) -> None:
    """The ledger knows it by the account's name of then."""
    before, new = "luma-api-key-before-0123", "luma-api-new-key-9876543210"
    vendor = Vendor(reads=[(200, body("processing"))])

    def session(url: str, key: str, *previous: str) -> aiogen.Session:
        provider = aiogen.Luma(api_key=key, previous_keys=list(previous), base_url=f"{url}/v1")
        return aiogen.Session([provider], store=path)

    async with serving(vendor) as url:
        async with session(url, before) as first:
            job = await first.submit("luma/uni-1", "a boat", timeout=3000.0)
            provider_id = await job.accepted()
        async with session(url, new, before) as one, session(url, new, before) as other:
            assert [each.id for each in await one.resume()] == [job.id]
            await asyncio.sleep(60.0)
            for waker in (one, other):
                await asyncio.sleep(3.0)
                count = len(vendor.seen)
                assert await waker.wake("luma", provider_id)
                await asyncio.sleep(0.5)
                assert len(vendor.seen) > count


async def test_ids_that_nobody_follows_wake_nobody(path: Path) -> None:
    """Those of no job, of one that is over, or of another connection."""
    async with stage(path, seconds=1.0) as on:
        mine, _ = await on.runs()
        await on.one.wake("steps", "job-1")
        await mine
        assert not await on.other.wake("steps", "job-1")
        assert not await on.one.wake("steps", "unheard-of")
        with pytest.raises(aiogen.ConfigurationError):
            await on.one.wake("nobody", "job-1")
        with pytest.raises(aiogen.InputError):
            await on.one.wake("steps", "")


# --- seen from elsewhere


@asynccontextmanager
async def watching(path: Path, box: Sandbox, **options: Any) -> AsyncIterator[tuple[aiogen.Session, aiogen.Session]]:
    def session(store: Any) -> aiogen.Session:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, **options)
        return aiogen.Session([provider], store=store)

    async with asyncio.timeout(3600.0), session(path) as one, session(path) as other:
        yield one, other


async def test_who_waits_elsewhere_sees_how_long_it_may_take(path: Path) -> None:
    """By what was learned of its model by others, and since when it runs: as the one that follows it."""
    async with Sandbox() as box:
        async with aiogen.Session([aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)], store=path) as session:
            jobs = [await session.submit("luma/uni-1", "a boat [[queued=0 processing=100]]") for _ in range(8)]
            await asyncio.gather(*jobs)
        async with watching(path, box, max_active=1) as (one, other):
            mine = await one.submit("luma/uni-1", "a boat [[queued=0 processing=100]]")
            waits = await one.submit("luma/uni-1", "a ship")
            await mine.accepted()
            await asyncio.sleep(30.0)
            theirs, later = await other.job(mine.id), await other.job(waits.id)
            assert theirs is not None
            assert later is not None
            known, seen = mine.eta(), theirs.eta()
            assert known is not None
            assert seen is not None
            assert known.seconds == pytest.approx(70.0, rel=0.2)
            assert seen.seconds == pytest.approx(known.seconds, rel=0.1)
            assert later.eta() is None, "when its turn comes only its own process knows"
            await asyncio.sleep(30.0)
            assert (soon := theirs.eta()) is not None
            assert soon.seconds == pytest.approx(seen.seconds - 30.0, abs=5.0)
            await mine
            assert (await theirs).state is State.COMPLETED
            assert theirs.eta() is None
            await waits


async def test_that_a_job_has_begun_is_known_to_who_comes_later(path: Path) -> None:
    """Nobody else was there when it began; whoever comes sees it as soon as it is known that somebody is there."""
    async with Sandbox() as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        async with aiogen.Session([provider], store=path) as one:
            mine = await one.submit("luma/uni-1", "a boat [[queued=2 processing=60]]")
            while mine.state is not State.PROCESSING:
                await asyncio.sleep(0.5)
            (record,) = await one.records()
            assert record.state is State.QUEUED, "alone, nothing is written for others"
            async with aiogen.Session([provider], store=path) as other:
                theirs = await other.job(mine.id)
                assert theirs is not None
                await asyncio.sleep(3.0)
                assert theirs.state is State.PROCESSING


async def test_a_ledger_that_does_not_take_it_harms_nobody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """That it has begun is not a fact that anybody pays for: it is forgotten, and the end comes as always."""

    class Refusing(SqliteStore):
        asked = 0

        async def progressed(self, job_ids: Collection[str]) -> None:
            Refusing.asked += 1
            raise aiogen.StoreError("The disk is full.")

    vendor = Vendor(reads=[(200, body("queued")), *[(200, body("processing"))] * 5, (200, done())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=Refusing(path)) as one, aiogen.Session([], store=path):
            await asyncio.sleep(HEARD)
            assert (await one.generate("luma/uni-1", "a boat")).state is State.COMPLETED
    assert Refusing.asked == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_slow_ledger_does_not_keep_an_end_behind_what_has_begun(path: Path) -> None:
    """The end is written, and known, while the other write still waits."""

    class Slow(SqliteStore):
        async def progressed(self, job_ids: Collection[str]) -> None:
            await asyncio.sleep(1e6)

    vendor = Vendor(reads=[(200, body("queued")), *[(200, body("processing"))] * 5, (200, done())])
    async with serving(vendor) as url, asyncio.timeout(100.0):
        async with aiogen.Session([luma(url)], store=Slow(path)) as one, aiogen.Session([], store=path) as other:
            await asyncio.sleep(HEARD)
            assert (await one.generate("luma/uni-1", "a boat")).state is State.COMPLETED
            (record,) = await other.store.find(RecordQuery())
            assert record.state is State.COMPLETED


def test_answers_of_a_newer_version_are_read() -> None:
    """As far as this one understands them."""
    from aiogen._answers.granted import decoded, encoded

    answer: Mapping[str, Any] = {"error": "NewError", "message": "No.", "code": "new", "action": "wait", "notes": ["!"]}
    with pytest.raises(aiogen.AiogenError, match=r"No\.") as caught:
        decoded(answer)
    assert (caught.value.code, caught.value.action, caught.value.__notes__) == (None, aiogen.Action.WAIT, ["!"])
    assert decoded(encoded(Cancellation.STOPPED)) is Cancellation.STOPPED
