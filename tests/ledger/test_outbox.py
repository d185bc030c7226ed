"""`aiogen._ledger.outbox`: facts that the ledger could not take yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from aiogen import StoreError
from aiogen._ledger.outbox import Outbox
from aiogen.stores.memory import MemoryStore

pytestmark = pytest.mark.looptime(noop_cycles=4)


class Shared(MemoryStore):
    """It says of itself what a ledger in a file would."""

    @property
    def lease(self) -> float:
        return 15.0


@attrs.define(eq=False)
class Paper:
    """Where facts are written; out of paper for a while, or slow."""

    pages: list[str] = attrs.field(factory=list)
    is_out: bool = False
    seconds: float = 0.0
    tries: int = 0

    def write(self, fact: str) -> object:
        async def write() -> None:
            self.tries += 1
            await asyncio.sleep(self.seconds)
            if self.is_out:
                raise StoreError("no paper left")
            self.pages.append(fact)

        return write


async def note(outbox: Outbox, paper: Paper, *facts: str, **options: float) -> None:
    for fact in facts:
        await outbox.note(paper.write(fact), fact, **options)  # type: ignore[arg-type]


async def test_what_cannot_be_written_is_owed_and_caught_up_in_order() -> None:
    """Nothing is dropped, and nobody who notes it hears of it."""
    outbox, paper = Outbox(Shared()), Paper(is_out=True)
    await note(outbox, paper, "a", "b", "c")
    assert (outbox.owes, outbox.is_behind, paper.pages) == (3, True, [])
    paper.is_out = False
    await outbox.catch_up()
    assert (outbox.owes, outbox.is_behind, paper.pages) == (0, False, ["a", "b", "c"])
    await note(outbox, paper, "d")
    assert paper.pages == ["a", "b", "c", "d"]


async def test_the_first_that_is_refused_stops_the_catching_up() -> None:
    """What comes after it is not tried: it would come before it."""
    outbox, paper = Outbox(Shared()), Paper(is_out=True)
    await note(outbox, paper, "a", "b", "c")
    assert paper.tries == 1  # while it is behind nobody tries for each fact
    await outbox.catch_up()
    assert (outbox.owes, outbox.is_behind, paper.tries) == (3, True, 2)


async def test_one_that_is_slow_is_waited_for_within_its_time_and_written_once() -> None:
    """It goes on; those who wait for an end do not."""
    outbox, paper, loop = Outbox(Shared()), Paper(seconds=3.0), asyncio.get_running_loop()
    began = loop.time()
    await note(outbox, paper, "a", within=0.5)
    assert loop.time() == pytest.approx(began + 0.5, abs=0.01)
    assert (outbox.owes, outbox.is_behind) == (1, True)
    await note(outbox, paper, "b", within=0.5)  # behind it, so nobody waits
    assert loop.time() == pytest.approx(began + 0.5, abs=0.01)
    await outbox.catch_up()
    assert (paper.pages, paper.tries, outbox.owes) == (["a", "b"], 2, 0)


async def test_who_is_cancelled_while_it_is_written_leaves_it_owed() -> None:
    """The fact is one all the same."""
    outbox, paper = Outbox(Shared()), Paper(seconds=3.0)
    noting = asyncio.create_task(note(outbox, paper, "a", within=10.0))
    await asyncio.sleep(1.0)
    noting.cancel()
    await asyncio.gather(noting, return_exceptions=True)
    assert outbox.owes == 1
    await outbox.close()
    assert (paper.pages, paper.tries) == (["a"], 1)


async def test_catching_up_is_waited_for_within_its_time_and_goes_on() -> None:
    """Much may be owed."""
    outbox, paper, loop = Outbox(Shared()), Paper(is_out=True), asyncio.get_running_loop()
    for fact in "abcd":  # about one job, so one after the other
        await outbox.note(paper.write(fact), "a job")  # type: ignore[arg-type]
    paper.is_out, paper.seconds = False, 1.0
    began = loop.time()
    await outbox.catch_up_within(1.5)
    assert loop.time() == pytest.approx(began + 1.5, abs=0.01)
    await outbox.catch_up_within(60.0)  # the same one is waited for
    assert loop.time() == pytest.approx(began + 4.0, abs=0.01)
    assert paper.pages == ["a", "b", "c", "d"]


async def test_what_is_owed_about_many_jobs_is_caught_up_side_by_side() -> None:
    """A loop that is late gives each write some turns: one after the other they would take a minute, and the lease."""
    outbox, paper, loop = Outbox(Shared()), Paper(is_out=True), asyncio.get_running_loop()
    facts = [f"job {i}" for i in range(100)]
    await note(outbox, paper, *facts)
    paper.is_out, paper.seconds = False, 1.0
    began = loop.time()
    await outbox.catch_up()
    assert loop.time() <= began + 7.01
    assert (sorted(paper.pages), outbox.owes, outbox.is_behind) == (sorted(facts), 0, False)


@pytest.mark.parametrize("about", [["a", "b", "a", "c", "b", "a"], ["a", "a", "b", "b", "", "c", "a", "", "c"]])
async def test_about_one_job_they_are_caught_up_in_order(about: list[str]) -> None:
    """And what names no job is behind all before it, and before all behind it."""
    outbox, paper = Outbox(Shared()), Paper(is_out=True)
    for i, job in enumerate(about):
        await outbox.note(paper.write(f"{job}{i}"), *filter(None, [job]))  # type: ignore[arg-type]
    paper.is_out, running, pages = False, set[str](), list[str]()

    def slow(write: Callable[[], Awaitable[None]], job: str) -> Callable[[], Awaitable[None]]:
        async def slowly() -> None:
            assert not ({job, ""} & running if job else running), f"beside {running}"
            running.add(job)
            await asyncio.sleep(1.0 / (1 + len(pages)))  # later ones are faster
            running.remove(job)
            await write()

        return slowly

    for fact, job in zip(outbox._owed, about, strict=True):
        fact.write = slow(fact.write, job)
    await outbox.catch_up()
    assert sorted(paper.pages, key=lambda fact: int(fact[-1])) == [f"{job}{i}" for i, job in enumerate(about)]
    for job in "abc":
        mine = [fact for fact in paper.pages if fact[0] == job]
        assert mine == sorted(mine)


async def test_of_those_caught_up_together_only_what_is_refused_is_still_owed() -> None:
    """In its place: the others are not written twice, and what comes behind it about its job is not written."""
    outbox, paper, bad = Outbox(Shared()), Paper(is_out=True), Paper(is_out=True)
    for job, of in zip("abcdc", (paper, paper, bad, paper, paper), strict=True):
        await outbox.note(of.write(job), job)  # type: ignore[arg-type]
    paper.is_out = False
    await outbox.catch_up()
    assert (paper.pages, outbox.owes, outbox.is_behind) == (["a", "b"], 3, True)
    bad.is_out = False
    await outbox.catch_up()
    assert (paper.pages, bad.pages, outbox.owes) == (["a", "b", "d", "c"], ["c"], 0)


@pytest.mark.parametrize("recovers", [True, False])
async def test_closing_tries_all_of_it_once_more(recovers: bool, caplog: pytest.LogCaptureFixture) -> None:
    """What is never written is named, each job once."""
    outbox, paper = Outbox(Shared()), Paper(is_out=True)
    await note(outbox, paper, "a", "b", "a")
    paper.is_out = not recovers
    caplog.clear()
    await outbox.close()
    assert paper.pages == (["a", "b", "a"] if recovers else [])
    assert ("3 changes could not be written" in caplog.text) is not recovers
    assert ("Jobs: a, b" in caplog.text) is not recovers


@pytest.mark.parametrize("retryable", [True, False])
async def test_what_is_only_in_memory_is_said_once(retryable: bool, caplog: pytest.LogCaptureFixture) -> None:
    """And not at all while another process only holds the file."""
    outbox = Outbox(Shared())

    async def write() -> None:
        raise StoreError("held", retryable=retryable)

    await outbox.note(write, "a")
    for _ in range(3):
        await outbox.catch_up()
    assert caplog.text.count("only in memory") == (0 if retryable else 1)


async def test_a_ledger_in_memory_owes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is gone with the process: what it refuses is said, and there is nobody to catch up for."""
    outbox, paper = Outbox(MemoryStore()), Paper(is_out=True)
    await note(outbox, paper, "a")
    assert (outbox.owes, outbox.is_behind) == (0, False)
    assert "only in memory" in caplog.text
