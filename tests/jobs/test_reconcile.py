"""Creates that were never answered: found again where the vendor can list, and decided about by the user alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import aiogen
from aiogen import State
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, Sandbox, Storm
from aiogen.stores.sqlite import SqliteStore

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]
MODEL = "leonardo/gemini-image-2"


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """Not started yet: the virtual clock runs in the body of a test alone."""
    box = Sandbox(speed=40.0)
    yield box
    await box.stop()


@asynccontextmanager
async def session_on(box: Sandbox, store: Any = None) -> AsyncIterator[aiogen.Session]:
    await box.start()
    providers = [
        aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url),
        aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url),
    ]
    async with asyncio.timeout(30.0), aiogen.Session(providers, store=store, poll_cost=0.01) as session:
        yield session


async def lost(session: aiogen.Session, box: Sandbox, model: str, prompt: str, *, arrives: bool) -> aiogen.Job:
    """A job whose create is cut off: after the vendor took it, or before."""
    box.script.storms.append(Storm("cut-after" if arrives else "cut-before", actions=("create",), times=1))
    job = await session.submit(model, prompt, width=512, height=512) if "leo" in model else None
    job = job or await session.submit(model, prompt)
    with pytest.raises(aiogen.SubmissionUnknown):
        await job
    return job


async def test_it_is_found_and_adopted(box: Sandbox, tmp_path: Path) -> None:
    """By the next program; it is followed to its images, and nothing is paid twice."""
    path = tmp_path / "aiogen.db"
    async with session_on(box, path) as session:
        job = await lost(session, box, MODEL, "a paper boat", arrives=True)
        await session.generate(MODEL, "a paper boat", width=512, height=512)  # the same, but it is in the ledger
        await session.generate(MODEL, "another boat", width=512, height=512)
    async with session_on(box, path) as session:
        (unknown,) = await session.reconcile()
        assert (unknown.job_id, unknown.prompt, unknown.searched) == (job.id, "a paper boat", True)
        assert "may be running and charged" in unknown.explanation
        (candidate,) = unknown.candidates
        assert "session.adopt" in unknown.advice
        assert candidate.generation.provider_id == next(j.id for j in box.jobs if j.prompt == "a paper boat")
        adopted = await session.adopt(job.id, candidate.generation.provider_id or "")
        generation = await adopted
        assert (adopted.id, generation.id, generation.state) == (job.id, job.id, State.COMPLETED)
        assert await session.reconcile() == []
    assert len(box.jobs) == 3


@pytest.mark.parametrize("kept", [True, False])
async def test_it_is_sent_again_on_the_user_s_word(
    box: Sandbox, tmp_path: Path, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fits, so it probably never arrived; in a file, or in memory within the same session."""
    async with session_on(box, tmp_path / "aiogen.db" if kept else None) as session:
        job = await lost(session, box, MODEL, "a paper boat", arrives=False)
        (unknown,) = await session.reconcile(job.id)
        assert unknown.candidates == ()
        assert "search again" in unknown.advice
        with monkeypatch.context() as later:
            later.setattr("aiogen._jobs.matching.AFTER", timedelta(0))
            (unknown,) = await session.reconcile(job.id)
        assert "probably not accepted" in unknown.advice
        assert box.jobs == []
        again = await session.resend(job.id)
        assert (await again).state is State.COMPLETED
        assert again.id == job.id
    assert len(box.jobs) == 1


async def test_where_nothing_can_be_listed_that_is_said(box: Sandbox) -> None:
    """Luma has no such call; the user can still decide."""
    async with session_on(box) as session:
        job = await lost(session, box, "luma/uni-1", "a paper boat", arrives=True)
        (unknown,) = await session.reconcile(connection="luma")
        assert not unknown.searched
        assert "cannot list" in unknown.explanation
        generation = await (await session.adopt(job.id, box.jobs[0].id))
        assert generation.state is State.COMPLETED


async def test_a_list_that_cannot_be_read_is_said(box: Sandbox) -> None:
    """The ledger's word stands all the same."""
    async with session_on(box) as session:
        await lost(session, box, MODEL, "a paper boat", arrives=True)
        box.script.storms.append(Storm("403", actions=("list",)))
        (unknown,) = await session.reconcile()
        assert not unknown.searched
        assert "could not be read" in unknown.explanation


async def test_without_its_key_it_is_only_told(box: Sandbox, tmp_path: Path) -> None:
    """Another account's job is listed, and left alone."""
    path = tmp_path / "aiogen.db"
    async with session_on(box, path) as session:
        job = await lost(session, box, "luma/uni-1", "a paper boat", arrives=False)
    other = aiogen.Luma(api_key="luma-api-of-somebody-else", base_url=box.luma_url)
    async with aiogen.Session([other], store=path) as session:
        (unknown,) = await session.reconcile()
        assert "no key" in unknown.explanation
        with pytest.raises(aiogen.ConfigurationError, match="does not have"):
            await session.resend(job.id)


async def test_what_is_refused(box: Sandbox, tmp_path: Path) -> None:
    """Nothing is changed by a word that cannot be meant."""
    async with session_on(box, tmp_path / "aiogen.db") as session:
        job = await lost(session, box, MODEL, "a paper boat", arrives=False)
        done = await session.submit(MODEL, "another")
        await done
        with pytest.raises(aiogen.InputError, match="no job nonsense"):
            await session.resend("nonsense")
        with pytest.raises(aiogen.InputError, match="is completed, not unknown"):
            await session.resend(done.id)
        with pytest.raises(aiogen.InputError, match=f"already belongs to job {done.id} in the ledger"):
            await session.adopt(job.id, done.provider_id or "")
        with pytest.raises(aiogen.NotFound):
            await session.adopt(job.id, "1f0bba44-923a-69b0-b519-62a6710d46a9")
        with pytest.raises(aiogen.InputError, match="look_through"):
            await session.reconcile(look_through=0)
        assert [each.job_id for each in await session.reconcile()] == [job.id]
        assert await session.forget(job.id) == 1
        assert await session.reconcile() == []


async def test_what_was_not_kept_cannot_be_sent_again(box: Sandbox, tmp_path: Path) -> None:
    """It is said, and stays unknown; by its time it is found all the same."""
    store = SqliteStore(tmp_path / "aiogen.db", keep_requests=False)
    async with session_on(box, store) as session:
        job = await lost(session, box, MODEL, "a paper boat", arrives=True)
        with pytest.raises(aiogen.InputError, match="was not kept"):
            await session.resend(job.id)
        (unknown,) = await session.reconcile()
        assert unknown.prompt is None
        assert len(unknown.candidates) == 1


async def test_two_cannot_decide(box: Sandbox, tmp_path: Path) -> None:
    """Of two who send it again at once, in two processes, one does."""
    path = tmp_path / "aiogen.db"
    async with session_on(box, path) as one, session_on(box, path) as other:
        job = await lost(one, box, MODEL, "a paper boat", arrives=False)
        words = await asyncio.gather(one.resend(job.id), other.resend(job.id), return_exceptions=True)
        (refused,) = [each for each in words if isinstance(each, Exception)]
        assert isinstance(refused, aiogen.InputError)
        (job,) = [each for each in words if isinstance(each, aiogen.Job)]
        await job
    assert len(box.jobs) == 1


async def test_a_long_list_is_not_read_to_its_end(box: Sandbox) -> None:
    """So much is looked through, and it is said that there was more."""
    async with session_on(box) as session:
        await lost(session, box, MODEL, "a paper boat", arrives=False)
        await asyncio.gather(*[await session.submit(MODEL, f"fox {i}") for i in range(55)])
        (unknown,) = await session.reconcile(look_through=50)
        assert "Searched 50 generations of the list, not all of it." in unknown.explanation
        assert "larger look_through" in unknown.advice  # who sends it again now may pay twice
        (unknown,) = await session.reconcile()
        assert "Searched 55 generations of the list." in unknown.explanation
        assert "may appear until 10 min" in unknown.advice


async def test_what_another_process_decides_is_seen_by_who_holds_the_job(box: Sandbox, tmp_path: Path) -> None:
    """The handle that said "unknown" is not given for ever."""
    path = tmp_path / "aiogen.db"
    async with session_on(box, path) as one, session_on(box, path) as other:
        job = await lost(one, box, "luma/uni-1", "a paper boat", arrives=True)
        assert await one.job(job.id) is job
        (created,) = box.jobs
        await other.adopt(job.id, created.id)
        same = await one.job(job.id)
        assert same is not None
        assert (await same).state is State.COMPLETED
