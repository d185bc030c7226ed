"""One name for one job: whoever repeats a request under its key pays once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ledger.in_loop import files_in_the_loop
from serving import Vendor, body, done, luma, serving

import aiogen
import aiogen.stores
from aiogen import KeyReused, State
from aiogen.stores import MemoryStore, Store

KEY = "night1/img017"
FAILED = (200, body("failed", failure_code="generation_failed"))
MODERATED = (200, body("failed", failure_code="content_moderated"))


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path, virtual_files: None) -> Any:
    """Gives the same ledger again each time it is called, as another process would open it."""
    if request.param == "file":
        return lambda: tmp_path / "jobs.db"
    kept = MemoryStore()
    return lambda: kept


async def test_the_same_key_is_the_same_job(store: Any) -> None:
    """While it runs, when it is over, and in another session on the same ledger: one create."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store()) as session:
            first = await session.submit("luma/uni-1", "a boat", key=KEY, aspect_ratio="1:1")
            assert await session.submit("luma/uni-1", "a boat", key=KEY, aspect_ratio="1:1") is first
            generation = await first
            again = await session.submit("luma/uni-1", "a boat", key=KEY, aspect_ratio="1:1")
            assert (await again).outputs == generation.outputs
        async with aiogen.Session([luma(url)], store=store()) as session:
            job = await session.submit("luma/uni-1", "a boat", key=KEY, aspect_ratio="1:1")
            assert (job.id, (await job).provider_id) == (first.id, generation.provider_id)
            found = await session.job(key=KEY)
            assert found is not None
            assert found.id == first.id
            assert await session.job(key="another") is None
    assert vendor.creates == 1


async def test_a_program_that_died_goes_on_under_the_key(store: Any) -> None:
    """It is run again from its start, and waits for what it asked for before."""
    vendor = Vendor(reads=[(200, body("processing"))] * 5 + [(200, done())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store()) as session:
            job = await session.submit("luma/uni-1", "a boat", key=KEY)
            await job.accepted()
        async with aiogen.Session([luma(url)], store=store()) as session:
            assert (await session.generate("luma/uni-1", "a boat", key=KEY)).id == job.id
    assert vendor.creates == 1


async def test_many_at_once_are_one() -> None:
    """A client that loses its patience asks again and again."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        jobs = await asyncio.gather(*(session.submit("luma/uni-1", "a boat", key=KEY) for _ in range(50)))
        assert len(set(jobs)) == 1
        await jobs[0]
    assert vendor.creates == 1


async def test_two_sessions_ask_for_the_same_at_once(tmp_path: Path, virtual_files: None) -> None:
    """The ledger decides whose job it is; the other one reads its end there."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    path = tmp_path / "jobs.db"
    async with (
        serving(vendor) as url,
        aiogen.Session([luma(url)], store=path) as one,
        aiogen.Session([luma(url)], store=path) as two,
    ):
        keys = [f"{KEY}/{i}" for i in range(20)]
        made = [session.submit("luma/uni-1", "a boat", key=key) for key in keys for session in (one, two)]
        jobs = await asyncio.gather(*made)
        ends = await asyncio.gather(*jobs)
    assert vendor.creates == len({end.provider_id for end in ends}) == 20
    assert len({job.id for job in jobs}) == 20


@pytest.mark.parametrize(
    ("words", "more"),
    [("another boat", {}), ("a boat", {"aspect_ratio": "1:1"}), ("a boat", {"image_ref": ["https://a.example/b.png"]})],
)
async def test_another_request_under_the_key_is_refused(words: str, more: dict[str, Any], store: Any) -> None:
    """Before anything is sent, and by whoever asks; the job of the key is named."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store()) as session:
            job = await session.submit("luma/uni-1", "a boat", key=KEY)
            with pytest.raises(KeyReused, match="already stands for another request") as caught:
                await session.submit("luma/uni-1", words, key=KEY, **more)
            assert caught.value.job_id == job.id
            await job
        async with aiogen.Session([luma(url)], store=store()) as session:
            with pytest.raises(aiogen.InputError):
                await session.submit("luma/uni-1", words, key=KEY, **more)
    assert vendor.creates == 1


async def test_what_is_compared_is_what_was_given(tmp_path: Path) -> None:
    """A picture by its bytes, wherever it comes from; defaults do not count, nor how it was asked."""
    png = bytes.fromhex("89504e470d0a1a0a") + b"x" * 40
    path = tmp_path / "a.png"
    path.write_bytes(png)
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        first = await session.submit("luma/uni-1", "a boat", key=KEY, image_ref=[path])
        typed = aiogen.LumaImage(prompt="a boat", image_ref=(png,))
        assert await session.submit(typed, key=KEY) is first
        assert await session.submit("luma/uni-1", "a boat", key=KEY, image_ref=png, style=None) is first
        with pytest.raises(KeyReused):
            await session.submit("luma/uni-1", "a boat", key=KEY, image_ref=png + b"y")
        await first


async def test_a_key_counts_in_its_scope() -> None:
    """Two users of a program may use the same names."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        jobs = [await session.submit("luma/uni-1", "a boat", key=KEY, scope=scope) for scope in ("ann", "bob", "ann")]
        assert jobs[0] is jobs[2]
        assert jobs[0] is not jobs[1]
        await asyncio.gather(*jobs)
    assert vendor.creates == 2


async def test_metadata_is_kept_beside_the_job(store: Any) -> None:
    """It is the user's own, and goes to no vendor."""
    vendor = Vendor()
    metadata = {"row": 17, "tags": ["é", None]}
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store()) as session:
        job = await session.submit("luma/uni-1", "a boat", key=KEY, scope="ann", metadata=metadata)
        await job
        record = await session.store.get(job.id)
        assert record is not None
        assert (record.key, record.scope, record.attempt, record.metadata) == (KEY, "ann", 1, metadata)
        assert record.prompt == "a boat"
    assert "row" not in str(vendor.bodies)


# --- attempts


async def test_another_attempt_of_what_failed(store: Any) -> None:
    """Only if it is wanted; each attempt is a job of its own under the same key."""
    vendor = Vendor(reads=[FAILED, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store()) as session:
        first = await session.submit("luma/uni-1", "a boat", key=KEY)
        with pytest.raises(aiogen.GenerationFailed):
            await first
        with pytest.raises(aiogen.GenerationFailed):
            await session.generate("luma/uni-1", "a boat", key=KEY)
        assert vendor.creates == 1
        second = await session.submit("luma/uni-1", "a boat", key=KEY, retry=True)
        assert second.id != first.id
        assert (await second).state is State.COMPLETED
        assert (await session.generate("luma/uni-1", "a boat", key=KEY, retry=True)).id == second.id
        record = await session.store.get(second.id)
        assert record is not None
        assert record.attempt == 2
    assert vendor.creates == 2


async def test_no_other_attempt_of_what_would_fail_again() -> None:
    """A prompt that is moderated stays so."""
    vendor = Vendor(reads=[MODERATED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        for _ in range(3):
            with pytest.raises(aiogen.GenerationFailed, match="content_moderated"):
                await session.generate("luma/uni-1", "a boat", key=KEY, retry=True)
    assert vendor.creates == 1


async def test_no_other_attempt_of_what_may_run() -> None:
    """It could be paid for twice: the user decides first."""
    vendor = Vendor(creates=["cut"])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        for retry in (False, False):
            with pytest.raises(aiogen.SubmissionUnknown):
                await session.generate("luma/uni-1", "a boat", key=KEY, retry=retry)
        with pytest.raises(aiogen.InputError, match="may run and be charged"):
            await session.submit("luma/uni-1", "a boat", key=KEY, retry=True)
    assert vendor.creates == 1


@pytest.mark.parametrize(("failures", "retries", "creates"), [(2, 5, 3), (9, 2, 3), (9, 0, 1)])
@pytest.mark.parametrize("named", [{}, {"key": KEY}])
async def test_retries_of_a_call(failures: int, retries: int, creates: int, named: dict[str, Any]) -> None:
    """Off by default; with a key the attempts stand under it."""
    vendor = Vendor(reads=[FAILED] * failures + [(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        if failures < creates:
            assert (await session.generate("luma/uni-1", "a boat", retries=retries, **named)).state is State.COMPLETED
        else:
            with pytest.raises(aiogen.GenerationFailed) as caught:
                await session.generate("luma/uni-1", "a boat", retries=retries, **named)
            assert any("tried 3 times" in note for note in getattr(caught.value, "__notes__", ())) is (retries > 0)
    assert vendor.creates == creates


async def test_retries_stop_where_they_do_not_help() -> None:
    """What is moderated is not tried again, nor what may have been charged."""
    for vendor in (Vendor(reads=[MODERATED]), Vendor(creates=["cut"])):
        async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
            with pytest.raises(aiogen.AiogenError):
                await session.generate("luma/uni-1", "a boat", retries=5)
        assert vendor.creates == 1


@pytest.mark.parametrize("named", [{}, {"key": KEY, "scope": "ann", "metadata": {"row": 1}}])
async def test_a_failed_job_is_tried_again_by_its_id(named: dict[str, Any], store: Any) -> None:
    """Also by a program that comes later: its request is kept as long as its record."""
    vendor = Vendor(reads=[FAILED, (200, done())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], store=store()) as session:
            first = await session.submit("luma/uni-1", "a boat", aspect_ratio="1:1", batch="b", **named)
            with pytest.raises(aiogen.GenerationFailed):
                await first
        async with aiogen.Session([luma(url)], store=store()) as session:
            second = await session.retry(first.id)
            assert (await second).state is State.COMPLETED
            record = await session.store.get(second.id)
            assert record is not None
            assert (record.attempt, record.batch, record.scope) == (2, "b", named.get("scope", ""))
            assert (record.key, record.metadata) == (named.get("key"), named.get("metadata"))
            with pytest.raises(aiogen.InputError, match="is completed, and is not tried again"):
                await session.retry(second.id)
            with pytest.raises(aiogen.InputError, match="There is no job"):
                await session.retry("nothing")
    assert vendor.bodies[0] == vendor.bodies[1]
    assert first.id != second.id


async def test_what_was_withdrawn_is_sent_after_all(store: Any) -> None:
    """Nothing was charged for it, so nothing stands against it."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)], store=store()) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        await jobs[1].withdraw()
        assert (await (await session.retry(jobs[1].id))).state is State.COMPLETED
        await jobs[0]
    assert vendor.creates == 2


async def test_what_was_not_kept_cannot_be_tried_again(tmp_path: Path, virtual_files: None) -> None:
    """With `keep_requests=False` the ledger holds no prompt, and says so."""
    vendor = Vendor(reads=[FAILED])
    ledger = aiogen.stores.SqliteStore(tmp_path / "jobs.db", keep_requests=False)
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=ledger) as session:
        job = await session.submit("luma/uni-1", "a boat")
        with pytest.raises(aiogen.GenerationFailed):
            await job
        with pytest.raises(aiogen.InputError, match=r"was not kept .*keep_requests=False"):
            await session.retry(job.id)
    assert b"a boat" not in (tmp_path / "jobs.db").read_bytes()


async def test_a_key_outlives_the_result(tmp_path: Path, virtual_files: None) -> None:
    """What is purged leaves key and the vendor's id for a year: the same request is read, not paid for again."""
    vendor = Vendor()
    path = tmp_path / "jobs.db"
    async with serving(vendor) as url:
        ledger = aiogen.stores.SqliteStore(path, keep_finished=0.0)
        async with aiogen.Session([luma(url)], store=ledger) as session:
            first = await session.generate("luma/uni-1", "a boat", key=KEY)
            other = await session.submit("luma/uni-1", "another")
            await other
            await asyncio.sleep(60.0)
            assert await session.store.get(other.id) is None
            record = await session.store.get(first.id or "")
            assert record is not None
            assert (record.generation, record.prompt, record.provider_id) == (None, None, first.provider_id)
        async with aiogen.Session([luma(url)], store=path) as session:
            again = await session.generate("luma/uni-1", "a boat", key=KEY)
            assert (again.state, again.provider_id) == (State.COMPLETED, first.provider_id)
            with pytest.raises(KeyReused):
                await session.submit("luma/uni-1", "another boat", key=KEY)
    assert vendor.creates == 2


async def test_the_key_of_what_was_never_sent_is_free_once_it_is_purged(tmp_path: Path, virtual_files: None) -> None:
    """Nothing was paid for it, and there is nothing to read: the same request is a new job."""
    vendor = Vendor()
    ledger = aiogen.stores.SqliteStore(tmp_path / "jobs.db", keep_finished=0.0)
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)], store=ledger) as session:
        first = await session.submit("luma/uni-1", "a boat")
        second = await session.submit("luma/uni-1", "another", key=KEY)
        assert await second.withdraw()
        await first
        await asyncio.sleep(60.0)
        assert await session.store.get(second.id) is None
        assert (await session.generate("luma/uni-1", "another", key=KEY)).state is State.COMPLETED
    assert vendor.creates == 2


# --- whoever is cancelled


async def test_a_submit_that_is_cancelled_takes_back_only_what_it_made(store: Any) -> None:
    """At whatever step: the key is free again, and nothing is sent."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store(), queue_timeout=60.0) as session:
        await session.account("luma")
        for steps in range(1, 40):
            task = asyncio.create_task(session.submit("luma/uni-1", "a boat", key=f"{KEY}/{steps}"))
            for _ in range(steps):
                await asyncio.sleep(0)
            if task.done():
                break
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert steps > 3
        await asyncio.sleep(1.0)
        creates = vendor.creates
        job = await session.submit("luma/uni-1", "another prompt", key=f"{KEY}/1")  # it stands for nothing
        await job
        assert vendor.creates == creates + 1


@pytest.mark.parametrize("steps", range(1, 16))
async def test_a_job_that_somebody_else_holds_is_not_taken_back(steps: int) -> None:
    """Two ask for the same, and one loses its patience, at whatever step."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.account("luma")
        one = asyncio.create_task(session.submit("luma/uni-1", "a boat", key=KEY))
        two = asyncio.create_task(session.submit("luma/uni-1", "a boat", key=KEY))
        for _ in range(steps):
            await asyncio.sleep(0)
        one.cancel()
        job = await two
        assert (await job).state is State.COMPLETED
    assert vendor.creates == 1


# --- what cannot be


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"key": ""}, "key= takes 1 to 256 printable characters"),
        ({"key": "x" * 257}, "key= takes 1 to 256 printable characters"),
        ({"key": 5}, "key= takes 1 to 256 printable characters"),
        ({"key": "a\nb"}, "key= takes 1 to 256 printable characters"),
        ({"key": "a", "scope": "\0"}, "scope= takes 1 to 256 printable characters"),
        ({"key": "a", "metadata": [1]}, "metadata= takes a JSON object"),
        ({"key": "a", "metadata": {"x": object()}}, "metadata"),
        ({"key": "a", "metadata": {"x": "a\0"}}, r"metadata\.x contains the character U\+0000"),
        ({"batch": "night\0"}, r"batch contains the character U\+0000"),
        ({"batch": "night\ud800"}, "batch contains half of a surrogate"),
        ({"retry": True}, "To try again needs a key"),
        ({"idempotency_key": "x"}, "idempotency_key= is no parameter of a provider.*key="),
        ({"request_id": "x"}, "request_id= is no parameter of a provider.*key="),
    ],
)
async def test_names_that_cannot_be(options: dict[str, Any], what: str) -> None:
    """They are refused before anything is sent, and nothing goes to a vendor in silence."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.InputError, match=what):
            await session.submit("luma/uni-1", "a boat", **options)
        with pytest.raises(aiogen.InputError, match="named by its id or by its key"):
            await session.job()
    assert vendor.creates == 0


async def test_in_memory_it_is_said_that_a_key_does_not_last(caplog: pytest.LogCaptureFixture) -> None:
    """Once."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url)]) as session:
        for i in range(3):
            await session.generate("luma/uni-1", "a boat", key=f"{KEY}/{i}")
    assert sum("key= does not survive this process" in each.message for each in caplog.records) == 1


async def test_in_memory_a_key_is_never_dropped() -> None:
    """However many others end meanwhile."""
    store: Store = MemoryStore(keep_finished=2)
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        first = await session.generate("luma/uni-1", "a boat", key=KEY)
        for i in range(5):
            await session.generate("luma/uni-1", f"boat {i}")
        assert (await session.generate("luma/uni-1", "a boat", key=KEY)).id == first.id
    assert vendor.creates == 6


# --- whose turn it is


async def test_who_waits_in_person_goes_before_the_batch() -> None:
    """A thousand wait, and one is asked for by a person: it is the next of its account."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url, creates_per_minute=10)]) as session:
        for i in range(1000):
            await session.submit("luma/uni-1", f"night {i}", priority="batch", scope="night")
        await asyncio.sleep(1.0)
        sent = vendor.creates
        await (await session.submit("luma/uni-1", "the button", priority="interactive")).accepted()
        later = [str(each["prompt"]) for each in vendor.bodies[sent:]]
        assert later.index("the button") <= 1
        for job in session.jobs():
            await job.withdraw()


async def test_scopes_take_turns() -> None:
    """One who asks for five hundred is not before those who ask for one."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url, creates_per_minute=10)]) as session:
        for i in range(500):
            await session.submit("luma/uni-1", f"big {i}", scope="big")
        small = [await session.submit("luma/uni-1", "small", scope=scope) for scope in ("ann", "bob")]
        await asyncio.gather(*(job.accepted() for job in small))
        assert vendor.creates < 30
        for job in session.jobs():
            await job.withdraw()


async def test_priority_and_scope_survive_the_program(store: Any) -> None:
    """The next session sends in the same order."""
    vendor = Vendor()
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, max_active=1)], store=store()) as session:
            for i, priority in enumerate(("batch", 5, "interactive"), 1):
                await session.submit("luma/uni-1", f"boat {i}", priority=priority, scope="ann")
            records = {record.prompt: record for record in await session.store.find(aiogen.stores.RecordQuery())}
            assert [records[f"boat {i}"].priority for i in (1, 2, 3)] == [3, 5, 7]
            assert {record.scope for record in records.values()} == {"ann"}


@pytest.mark.parametrize("priority", [10, -1, "urgent", True, 2.5])
async def test_priorities_that_cannot_be(priority: Any) -> None:
    """They are refused before anything is sent."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.InputError, match="priority= takes 'interactive' or 'batch', or a whole number"):
            await session.submit("luma/uni-1", "a boat", priority=priority)


async def test_any_process_can_withdraw_what_waits_in_another(tmp_path: Path, virtual_files: None) -> None:
    """Nothing is sent, and whoever waits for it hears of it: there, too, once its turn would have come."""
    vendor = Vendor(reads=[(200, body("processing"))] * 8 + [(200, done())])
    path = tmp_path / "jobs.db"
    async with (
        serving(vendor) as url,
        aiogen.Session([luma(url, max_active=1)], store=path) as one,
        aiogen.Session([luma(url, max_active=1)], store=path, take_up=False) as two,
    ):
        first = await one.submit("luma/uni-1", "a boat")
        second = await one.submit("luma/uni-1", "another")
        await first.accepted()
        seen = await two.job(second.id)
        assert seen is not None
        assert await seen.cancel() is aiogen.Cancellation.WITHDRAWN
        for job in (seen, second):
            with pytest.raises(aiogen.GenerationFailed, match="was withdrawn before it was sent"):
                await job
        await first
    assert vendor.creates == 1
