"""Where webhooks have proved to come, aiogen asks less; and when they stop, as before: on the virtual clock."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import attrs
import pytest
from session.test_webhooks import MODEL, SECRET, Stage, stage

import aiogen
from aiogen.webhooks import Webhooks

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

LATENCY = 0.05
PROVED = 35
"""Jobs by which webhooks have proved to come."""
ONE_SECRET = {"secret": SECRET}


@attrs.frozen
class Run:
    """Some jobs, and the requests that asked about them."""

    lags: list[float]
    """Seconds from each end to ours, in the order of the ends."""
    reads: float
    """Per job; single questions and pages of the list."""


def quick(**how: object) -> object:
    """Pictures of some eight seconds."""
    settings = {"latency": LATENCY, "max_running": 1000}
    return stage(settings=settings, typical=8.0, delay=LATENCY, **ONE_SECRET | how)  # type: ignore[arg-type]


async def jobs(on: Stage, directives: Sequence[str], pace: float = 2.0) -> Run:
    """One after the other, each begun so long after the one before."""

    async def one(i: int) -> tuple[float, float]:
        await asyncio.sleep(pace * i)
        job = await on.session.submit(MODEL, f"a boat [[{directives[i]}]]", timeout=3000.0)
        await job
        ended = next(made.ends_at for made in on.box.jobs if made.id == job.provider_id)
        return ended, asyncio.get_running_loop().time() - ended

    def asked() -> int:
        return sum(request.action in ("poll", "list") for request in on.box.requests)

    before = asked()
    seen = sorted(await asyncio.gather(*map(one, range(len(directives)))))
    return Run([lag for _, lag in seen], (asked() - before) / len(seen))


_USUAL: list[Run] = []


async def usual() -> Run:
    """Without any webhooks; always the same, and played once."""
    if not _USUAL:
        async with quick() as on:
            await jobs(on, ["webhook=never"] * PROVED)
            _USUAL.append(await jobs(on, ["webhook=never"] * PROVED))
    return _USUAL[0]


async def test_where_they_have_proved_to_come_one_question_is_enough() -> None:
    """At most 1.3 requests for a job, and its end known a round trip after the call; without them it is twice that."""
    async with quick() as on:
        await jobs(on, [""] * 50)
        run = await jobs(on, [""] * 50)
    assert run.reads <= 1.3
    assert statistics.median(run.lags) <= 2 * LATENCY + 0.01
    assert max(run.lags) < 0.3
    without = await usual()
    assert without.reads > 2.0
    assert statistics.median(without.lags) > 0.4


async def test_when_they_stop_polling_has_its_own_lag_again_within_twenty_jobs() -> None:
    async with quick() as on:
        await jobs(on, [""] * PROVED)
        run = await jobs(on, ["webhook=never"] * 60)
    without = await usual()
    assert max(run.lags[:3]) > 2.0, "this is what polling less costs"
    assert max(run.lags[20:]) <= max(without.lags) + 0.1
    assert statistics.mean(run.lags[20:]) <= statistics.mean(without.lags) + 0.15
    assert max(run.lags) < 20.0


@pytest.mark.parametrize(
    ("directive", "secret"),
    [("", None), ("webhook=forged,late@3,twice", SECRET)],
    ids=["not proved", "forged, and late, and twice"],
)
async def test_what_proves_nothing_changes_nothing(directive: str, secret: str | None) -> None:
    """Whoever cannot prove it, and whoever tells after polling knows, makes no question dearer."""
    async with quick(secret=secret) as on:
        await jobs(on, [directive] * PROVED)
        run = await jobs(on, [directive] * 20)
    without = await usual()
    assert max(run.lags) <= max(without.lags) + 0.1
    assert run.reads >= without.reads - 0.2


async def test_one_in_ten_that_is_lost_costs_little() -> None:
    """The price is by what may be relied on."""
    async with quick() as on:
        await jobs(on, [""] * PROVED)
        run = await jobs(on, ["webhook=never", *[""] * 9] * 4)
        assert sorted(run.lags)[-5] < 0.3, "nine in ten a round trip after the call"
        assert max(run.lags) < 8.0
        assert run.reads <= 1.9


async def test_early_calls_for_every_job_make_none_later() -> None:
    """By somebody who has the secret: long before the ends, after webhooks had proved to come.

    The genuine calls come as well; those that say the same as the early ones are doubles.
    """
    async with quick() as on:
        await jobs(on, [""] * PROVED)
        told: set[str | None] = set()

        async def tell() -> None:
            while True:
                await asyncio.sleep(1.0)
                for job in on.session.jobs():
                    if job.provider_id is not None and job.provider_id not in told:
                        told.add(job.provider_id)
                        on.call(job.provider_id, event="image_generation.complete")

        telling = asyncio.create_task(tell())
        run = await jobs(on, [""] * PROVED)
        telling.cancel()
        assert on.webhooks.counts("leonardo")["double"] == PROVED, "so no genuine one is left"
    without = await usual()
    assert max(run.lags[20:]) <= max(without.lags) + 0.1


async def test_a_hint_comes_below_the_floor_of_a_question_that_polling_has_just_asked() -> None:
    """Polling asks as often as it may; each end is known a round trip after the call all the same."""
    async with quick() as on:
        for i in range(8):
            job = await on.session.submit(MODEL, f"a boat [[processing={30.0 + 0.13 * i}]]", poll_cost=0.001)
            await job
            made = on.box.jobs[-1]
            assert len(made.polls) > 3
            assert asyncio.get_running_loop().time() - made.ends_at < 5 * LATENCY


async def test_the_proof_reaches_the_worker_that_follows_the_job(tmp_path: Path) -> None:
    """Through the ledger: its question comes below the floor, too."""
    async with quick(path=tmp_path / "aiogen.db") as on:
        provider = on.session.connections["leonardo"]
        async with aiogen.Session([provider], store=tmp_path / "aiogen.db") as other:
            lags = []
            for i in range(6):
                job = await other.submit(MODEL, f"a boat [[processing={10.0 + 0.17 * i}]]", poll_cost=0.001)
                await job
                lags.append(asyncio.get_running_loop().time() - on.box.jobs[-1].ends_at)
            assert on.webhooks.counts("leonardo")["followed"] > 3
            assert max(lags) < 0.3


async def test_a_program_that_is_started_again_begins_with_what_was_proved(tmp_path: Path) -> None:
    """At most 1.3 requests for a job from its first one on."""
    async with quick(path=tmp_path / "aiogen.db") as on:
        await jobs(on, [""] * 50)
        await on.session.close()
        provider = on.session.connections["leonardo"]
        async with aiogen.Session([provider], store=tmp_path / "aiogen.db") as again:
            on.session, on.webhooks = again, Webhooks(again, {"leonardo": SECRET})
            run = await jobs(on, [""] * 50)
    assert run.reads <= 1.3
    assert max(run.lags) < 0.3


async def test_without_a_secret_the_floor_is_kept() -> None:
    """Whoever finds the address has questions brought forward, and none below the floor."""
    async with quick(secret=None) as on:
        job = await on.session.submit(MODEL, "a boat [[processing=60 webhook=never]]")
        provider_id = await job.accepted()
        while not job.done:
            on.call(provider_id)
            await asyncio.sleep(0.3)
        asked = sorted(r.at for r in on.box.requests if r.action in ("poll", "list"))
        assert all(later - sooner > 0.99 for sooner, later in pairwise(asked))
