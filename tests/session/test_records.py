"""What the ledger says of jobs: page by page, counted, and forgotten when a person asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ledger.in_loop import files_in_the_loop
from serving import Vendor, luma, serving

import aiogen
from aiogen import InputError, State
from aiogen.stores import MemoryStore


@pytest.fixture(params=["memory", "file"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """A ledger, in the test's own loop and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield tmp_path / "jobs.db" if request.param == "file" else MemoryStore()


async def filled(session: aiogen.Session, count: int = 6) -> None:
    """As many jobs that have ended, ann's and bob's in turn, the last one first."""
    for i in range(count):
        await session.generate(
            "luma/uni-1", f"Boat {i}", scope="ann" if i % 2 else "bob", key=f"img{i}", metadata={"row": i}
        )
        await asyncio.sleep(1.0)


async def test_pages_are_read_to_their_end(store: Any) -> None:
    """Each record once, though jobs come in; the same words for each page."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url)], store=store) as session:
        await filled(session)
        first = await session.page(limit=2, prompt="bOAT")
        assert [record.prompt for record in first.records] == ["Boat 5", "Boat 4"]
        await session.generate("luma/uni-1", "Boat 6")
        prompts, after = list[str | None](), first.next
        while after is not None:
            page = await session.page(limit=2, prompt="bOAT", after=after)
            prompts += [record.prompt for record in page.records]
            after = page.next
        assert prompts == ["Boat 3", "Boat 2", "Boat 1", "Boat 0"]
        assert await session.page(scope="nobody") == aiogen.stores.Page(records=(), next=None)
        whole = await session.page(limit=7)
        assert (len(whole.records), whole.next) == (7, None)
        assert first.next == first.records[-1].cursor
        behind = await session.records(after=first.next, limit=1)
        assert [record.prompt for record in behind] == ["Boat 3"]


async def test_records_are_chosen_and_read_without_what_was_sent(store: Any) -> None:
    """Unless it is asked for, of one that still has it."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url, max_active=1)], store=store) as session:
        await filled(session)
        assert [each.key for each in await session.records(scope="ann", metadata={"row": 3})] == ["img3"]
        assert [each.scope for each in await session.records(key="img4")] == ["bob"]
        job = await session.submit("luma/uni-1", "a slow boat", batch="night")
        (bare,) = await session.records(batch="night")
        assert (bare.submission, bare.model, bare.prompt) == (None, "uni-1", "a slow boat")
        (whole,) = await session.records(batch="night", with_request=True)
        assert whole.submission is not None
        assert whole.submission.body["prompt"] == "a slow boat"
        await job


async def test_a_person_is_forgotten(store: Any) -> None:
    """What runs stays, and is said; a key that was forgotten stands for a new job."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        await filled(session)
        running = await session.submit("luma/uni-1", "a boat of ann's", scope="ann")
        await running.accepted()
        assert dict(await session.count(scope="ann")) == {State.QUEUED: 1, State.COMPLETED: 3}
        gone = await session.forget(scope="ann")
        assert (gone, gone.running) == (3, 1)
        assert f"{gone} jobs" == "3 jobs"
        assert await session.job(key="img1", scope="ann") is None
        await running
        assert await session.forget(scope="ann", states=[State.COMPLETED]) == 1
        assert dict(await session.count()) == {State.COMPLETED: 3}
        assert vendor.creates == 7
        await session.generate("luma/uni-1", "Boat 1", scope="ann", key="img1")
        assert vendor.creates == 8


async def test_nothing_is_forgotten_by_mistake(store: Any) -> None:
    """Nothing named is nothing removed, and what cannot be meant is refused."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url)], store=store) as session:
        await filled(session, 2)
        nobody: Any = None
        assert await session.forget() == await session.forget(scope=nobody) == await session.forget(states=[]) == 0
        (job_id, _) = [record.id for record in await session.records()]
        with pytest.raises(InputError, match="not by both"):
            await session.forget(job_id, scope="ann")
        mistakes: list[tuple[dict[str, Any], type[Exception], str]] = [
            ({"bacth": "x"}, TypeError, "not chosen by bacth=, but by states, batch"),
            ({"limit": 1}, TypeError, "not chosen by limit="),
            ({"states": "completed"}, InputError, r"several states: \[State.COMPLETED\]"),
            ({"states": ["done"]}, InputError, "'done' is no state"),
            ({"metadata": "x"}, InputError, "metadata has to be a mapping"),
            ({"metadata": {"x": float("nan")}}, InputError, "metadata.x is nan"),
            ({"prompt": 7}, InputError, "prompt has to be text"),
        ]
        for which, kind, words in mistakes:
            for call in (session.forget, session.count, session.page, session.records):
                if call not in (session.page, session.records) or "limit" not in which:
                    with pytest.raises(kind, match=words):
                        await call(**which)
        with pytest.raises(InputError, match="is no cursor"):
            await session.page(after="yesterday")
        with pytest.raises(InputError, match="limit has to be from 1 to 10,000"):
            await session.page(limit=0)
        assert len(await session.records()) == 2


async def test_a_named_batch_outlives_its_time(tmp_path: Path) -> None:
    """Whoever looks in a month finds what was paid for; it goes when it is forgotten."""
    with files_in_the_loop(asyncio.get_running_loop()):

        def session_on(url: str) -> aiogen.Session:
            ledger = aiogen.stores.SqliteStore(tmp_path / "jobs.db", keep_finished=0.0)
            return aiogen.Session([luma(url)], store=ledger)

        async with serving(Vendor()) as url, session_on(url) as session:
            await session.generate("luma/uni-1", "a boat", batch="night")
            await session.generate("luma/uni-1", "a boat")
        await asyncio.sleep(3_600.0)  # nobody looks in between: each second of a session costs some
        async with serving(Vendor()) as url, session_on(url) as session:
            await asyncio.sleep(60.0)
            (kept,) = await session.records()
            assert (kept.batch, kept.state) == ("night", State.COMPLETED)
            assert await session.forget(batch="night") == 1
            assert await session.records() == []
