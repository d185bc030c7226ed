"""`retries=`: what has failed is tried again by itself, under the handle that its user holds."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from ledger.in_loop import files_in_the_loop
from serving import Vendor, body, done, luma, serving

import aiogen
from aiogen import Cancellation, State
from aiogen.stores.base import RecordQuery

FAILED = (200, body("failed", failure_code="generation_failed"))
RUNS = (200, body("processing"))
KEY = "night1/img017"
NAMED = pytest.mark.parametrize("named", [{}, {"key": KEY, "scope": "ann"}])


@NAMED
async def test_the_handle_follows_its_attempts(named: dict[str, Any]) -> None:
    """It ends as the last one does, shows the latest meanwhile, and each is a job of its own."""
    vendor = Vendor(reads=[RUNS, FAILED, RUNS, FAILED, RUNS, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", retries=5, batch="b", metadata={"row": 1}, **named)
        states = [event.state async for event in job.events()]
        assert [job async for job in session.as_completed([job])] == [job]
        generation = await job
        assert job.done
        assert job.error is None
        assert generation is job.generation
        assert [attempt.state for attempt in job.attempts] == [State.FAILED, State.FAILED, State.COMPLETED]
        assert (states.count(State.QUEUED), states.count(State.FAILED), states[-1]) == (3, 2, State.COMPLETED)
        records = sorted(await session.records(), key=lambda record: record.attempt)
        assert [record.attempt for record in records] == [1, 2, 3]
        assert [record.id for record in records] == [attempt.id for attempt in job.attempts]
        assert {(r.batch, r.scope, r.key) for r in records} == {("b", named.get("scope", ""), named.get("key"))}
        assert {str(r.metadata) for r in records} == {"{'row': 1}"}
        assert job.id == records[0].id
        assert "attempts 3" in " ".join(job.describe().split())
    assert vendor.creates == 3


async def test_what_all_of_it_cost_is_said() -> None:
    """Each attempt may have been charged."""
    vendor = Vendor(reads=[FAILED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", retries=2)
        for _ in range(2):
            with pytest.raises(aiogen.GenerationFailed) as caught:
                await job
        (note,) = [note for note in caught.value.__notes__ if "tried" in note]
        assert note.startswith("It was tried 3 times; each attempt may have been charged")
        assert caught.value.job_id == job.attempts[-1].id
        assert len({attempt.provider_id for attempt in job.attempts}) == 3
    assert vendor.creates == 3


async def test_it_waits_longer_each_time(caplog: pytest.LogCaptureFixture) -> None:
    """And the log says that another attempt is made."""
    caplog.set_level(logging.INFO, "aiogen")
    loop = asyncio.get_running_loop()
    vendor = Vendor(reads=[FAILED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        began = loop.time()
        with pytest.raises(aiogen.GenerationFailed):
            await session.generate("luma/uni-1", "a boat", retries=5)
        assert 61.0 <= loop.time() - began <= 300.0
    said = [record.getMessage() for record in caplog.records if "is tried again in" in record.getMessage()]
    assert [text.partition("attempt ")[2].partition(";")[0] for text in said] == [
        f"{i} of at most 6" for i in range(2, 7)
    ]


@pytest.mark.parametrize("creates", [["cut"], [(422, {"detail": "no"})]])
async def test_not_what_may_run_and_not_what_is_refused(creates: list[Any]) -> None:
    """Never an unknown one: that would be a second bill by ourselves."""
    vendor = Vendor(creates=creates)
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", retries=5)
        with pytest.raises(aiogen.AiogenError):
            await job
        assert len(job.attempts) == 1
    assert vendor.creates == 1


@NAMED
@pytest.mark.parametrize("stop", ["withdraw", "cancel"])
async def test_stopped_in_the_pause(stop: str, named: dict[str, Any]) -> None:
    """It ends as the attempt before did, and nothing more is paid."""
    vendor = Vendor(reads=[FAILED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", retries=1, **named)
        async for event in job.events():
            if event.state is State.FAILED:
                break
        assert not job.done
        assert await getattr(job, stop)() == (True if stop == "withdraw" else Cancellation.ENDED)
        with pytest.raises(aiogen.GenerationFailed):
            await job
        await asyncio.sleep(100.0)
    assert vendor.creates == 1


async def test_a_later_attempt_is_withdrawn_by_the_handle() -> None:
    """And how long it takes is asked of that attempt, too."""
    vendor = Vendor(reads=[FAILED] + [RUNS] * 200)
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        job = await session.submit("luma/uni-1", "a boat", retries=1)
        async for event in job.events():
            if event.state is State.FAILED:
                break
        await (await session.submit("luma/uni-1", "another", timeout=900.0)).accepted()
        async for event in job.events():
            if event.state is State.PENDING:
                break
        assert (eta := job.eta()) is not None
        assert eta.seconds > 0.0
        accepting = asyncio.ensure_future(job.accepted())
        await asyncio.sleep(0)
        assert await job.withdraw()
        with pytest.raises(aiogen.GenerationFailed, match="was withdrawn"):
            await job
        with pytest.raises(aiogen.GenerationFailed, match="was withdrawn"):
            await accepting
    assert vendor.creates == 2


async def test_the_session_is_left_in_the_pause() -> None:
    """The failure is what is known of it then."""
    vendor = Vendor(reads=[FAILED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", retries=5)
        async for event in job.events():
            if event.state is State.FAILED:
                break
    with pytest.raises(aiogen.GenerationFailed):
        await job
    assert vendor.creates == 1


async def test_a_caller_that_goes_pays_for_no_further_attempt() -> None:
    """But while another one waits under the same key, attempts are made for that one."""
    for others, creates in ((0, 1), (1, 3)):
        vendor = Vendor(reads=[FAILED, FAILED, (200, done())])
        async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
            calls = [
                asyncio.ensure_future(session.generate("luma/uni-1", "a boat", key=KEY, retries=2))
                for _ in range(1 + others)
            ]
            await asyncio.sleep(0.5)
            calls[0].cancel()
            await asyncio.sleep(300.0)
            for call in calls[1:]:
                assert (await call).state is State.COMPLETED
        assert vendor.creates == creates


async def test_attempts_of_all_calls_under_a_key_count(tmp_path: Path) -> None:
    """A client that repeats its request does not pay for more than it allowed once."""
    with files_in_the_loop(asyncio.get_running_loop()):
        vendor = Vendor(reads=[FAILED])
        async with serving(vendor) as url:
            for _ in range(3):
                async with aiogen.Session([luma(url)], store=tmp_path / "jobs.db") as session:
                    for _ in range(2):
                        job = await session.submit("luma/uni-1", "a boat", key=KEY, retries=2)
                        with pytest.raises(aiogen.GenerationFailed):
                            await job
            assert vendor.creates == 3
            async with aiogen.Session([luma(url)], store=tmp_path / "jobs.db") as session:
                with pytest.raises(aiogen.GenerationFailed):
                    await session.generate("luma/uni-1", "a boat", key=KEY, retries=1, retry=True)
            assert vendor.creates == 5
            async with aiogen.Session([luma(url)], store=tmp_path / "jobs.db") as session:
                assert len(await session.store.find(RecordQuery(key=KEY))) == 5


async def test_more_attempts_are_allowed_under_a_key_that_runs() -> None:
    """Whoever holds the job of a later attempt holds the whole of it then."""
    vendor = Vendor(reads=[FAILED, RUNS, FAILED, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", key=KEY, retries=1)
        while len(job.attempts) < 2:
            await asyncio.sleep(0.1)
        assert await session.submit("luma/uni-1", "a boat", key=KEY, retries=3) is job
        assert (await job).state is State.COMPLETED
    assert vendor.creates == 3


async def test_its_end_could_not_be_written() -> None:
    """Another attempt is another bill: it is not made while the ledger does not take it."""
    vendor = Vendor(reads=[FAILED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", retries=5)

        async def refuses(record: object, *more: object, **named: object) -> None:
            raise aiogen.StoreError("The disk is full.")

        session.store.add = refuses  # type: ignore[method-assign]
        with pytest.raises(aiogen.GenerationFailed) as caught:
            await job
        assert "It was not tried again: The disk is full." in caught.value.__notes__
    assert vendor.creates == 1


@pytest.mark.parametrize("retries", [-1, 6, 1.5, "x"])
async def test_as_many_as_are_allowed(retries: Any) -> None:
    """Said before anything is sent."""
    async with aiogen.Session([luma("http://127.0.0.1:9")]) as session:
        for call in (session.submit, session.generate):
            with pytest.raises(aiogen.InputError, match="retries"):
                await call("luma/uni-1", "a boat", retries=retries)
