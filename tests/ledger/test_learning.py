"""What a session learns of its models, and what that is good for: fewer questions, forecasts, a price of its own."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import looptime
import pytest
from aiohttp import web
from serving import body, done, luma, serving

import aiogen
from aiogen import Eta, Job, State
from aiogen.sandbox import LEONARDO_KEY, LeonardoSettings, Sandbox
from aiogen.stores.memory import MemoryStore

# Before the clock jumps, a loop whose sockets are all its own need not look 42 times whether one has something.
pytestmark = pytest.mark.looptime(noop_cycles=4)

WIDE = {"max_active": 1000, "creates_per_minute": 10_000, "requests_per_minute": 60_000}
"""An account that waits for nothing."""
SLOW = {"low": 49.0, "high": 51.0}
"""Luma says that this model takes 15 to 60 seconds."""


@attrs.define(eq=False)
class Studio:
    """Luma in a few lines: the job whose prompt is "boat 7" has the id "job-7", and lasts as long as number 7 does."""

    low: float = 18.0
    high: float = 22.0
    seed: int = 3
    queued: float = 0.0
    """Seconds in which it is queued."""
    latency: float = 0.1
    accepted: dict[str, float] = attrs.field(factory=dict)
    seen: list[tuple[float, str, str]] = attrs.field(factory=list)

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(self.latency)
        now = asyncio.get_running_loop().time()
        name = request.path.rpartition("/")[2]
        if request.method == "POST":
            name = "job-" + (await request.json())["prompt"].split()[-1]
            self.accepted[name] = now
        self.seen.append((now, request.method, f"/{name}"))
        age = now - self.accepted[name]
        state = "queued" if age < self.queued else "processing" if now < self.ends_at(name) else "completed"
        told = {"id": name, "type": "image", "model": "uni-1", "state": state, "output": []}
        if state == "completed":
            told["output"] = [{"type": "image", "url": f"https://storage.example/{name}.png"}]
        return web.json_response(told, status=201 if request.method == "POST" else 200)

    def ends_at(self, name: str) -> float:
        return self.accepted[name] + random.Random(f"{self.seed}/{name}").uniform(self.low, self.high)

    def lag(self, name: str | None) -> float:
        """Seconds from its end to the question that found it."""
        return max(at for at, _, path in self.seen if path == f"/{name}") - self.ends_at(name or "")

    @property
    def reads(self) -> int:
        return sum(method == "GET" for _, method, _ in self.seen)


async def batch(session: aiogen.Session, numbers: range, **options: Any) -> list[Job]:
    """So many jobs at once, to their ends."""
    jobs = [await session.submit("luma/uni-1", f"boat {i}", **options) for i in numbers]
    await asyncio.gather(*jobs)
    assert [job.generation.url for job in jobs] == [f"https://storage.example/job-{i}.png" for i in numbers]
    return jobs


class Paper(MemoryStore):
    """A ledger on paper: what is kept goes through JSON, as it does in a file."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, str] = {}
        self.version = 0

    async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
        if version != (self.version if name in self.pages else 0):
            return 0
        self.pages[name] = json.dumps(value, allow_nan=False)
        self.version += 1
        return self.version

    async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
        if name not in self.pages:
            return None, 0
        return (json.loads(self.pages[name]) if known != self.version else None), self.version


# --- fewer questions


@pytest.mark.no_cover
async def test_a_second_batch_costs_fewer_questions() -> None:
    """Slower than anyone believed: the next ones are not asked about too early, and still found sooner."""
    studio = Studio(**SLOW)
    reads, costs = [], []
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        for numbers in (range(20), range(100, 120)):
            before = studio.reads
            jobs = await batch(session, numbers)
            reads.append(studio.reads - before)
            costs.append(0.15 * reads[-1] + sum(studio.lag(job.provider_id) for job in jobs))
    assert reads[1] < 0.85 * reads[0]
    assert costs[1] < 0.5 * costs[0]


async def test_models_are_learned_apart() -> None:
    """What is known of one model says nothing of another."""
    studio = Studio()
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        await batch(session, range(20))
        known = await session.submit("luma/uni-1", "boat 50")
        other = await session.submit("luma/uni-1-max", "boat 51")
        await asyncio.gather(known.accepted(), other.accepted())
        spread = [eta.high / eta.low for job in (known, other) if (eta := job.eta()) is not None]
        await asyncio.gather(known, other)
    assert spread[0] < 2.0
    assert spread[1] > 3.0


# --- from one program to the next


@pytest.mark.no_cover
async def test_what_was_learned_is_kept_in_the_store() -> None:
    """A new session with the same ledger begins where the last one ended; one without begins anew."""
    studio, paper = Studio(**SLOW), Paper()
    reads = []
    async with serving(studio) as url:
        for store, numbers in ((paper, range(20)), (paper, range(100, 120)), (None, range(200, 220))):
            before = studio.reads
            async with aiogen.Session([luma(url, **WIDE)], store=store) as session:
                await batch(session, numbers)
            reads.append(studio.reads - before)
    anew, again, without = reads
    assert again < 0.85 * anew
    assert again < 0.85 * without
    (name,) = paper.pages
    assert "uni-1" in name
    assert url.rpartition(":")[2] not in name  # the address is in it as a hash alone


async def test_forecasts_are_kept_too() -> None:
    """The first job of a new session is foretold by what the last one saw."""
    studio, paper = Studio(), Paper()
    etas = []
    async with serving(studio) as url:
        for numbers in (range(20), range(100, 101)):
            async with aiogen.Session([luma(url, **WIDE)], store=paper) as session:
                job = await session.submit("luma/uni-1", f"boat {numbers[0]}")
                await job.accepted()
                etas.append(job.eta())
                await batch(session, numbers[1:])
                await job
    before, after = etas
    assert before is not None
    assert after is not None
    assert after.high - after.low < 0.5 * (before.high - before.low)
    assert 14.0 < after.low < 20.0 < after.high < 26.0


async def test_another_address_is_another_model() -> None:
    """What an imitation of a vendor does teaches nothing about the vendor."""
    paper = Paper()
    for _ in range(2):
        studio = Studio()
        async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)], store=paper) as session:
            await batch(session, range(5))
    assert len(paper.pages) == 2


async def test_learning_is_saved_meanwhile() -> None:
    """A program that is killed has lost at most the last two dozen ends."""
    studio, paper = Studio(low=2.0, high=3.0), Paper()
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)], store=paper) as session:
        await batch(session, range(24))
        assert not paper.pages
        await batch(session, range(100, 104))
        assert paper.pages


@pytest.mark.parametrize("verb", ["put_learned", "get_learned"])
async def test_a_store_that_cannot_learn(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that is learned is worth a job: trouble with it is noted, and that is all."""

    class Torn(Paper):
        async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
            if verb == "put_learned":
                raise OSError("no paper left")
            return 1

        async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
            if verb == "get_learned":
                raise OSError("no paper left")
            return None, 0

    studio = Studio()
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)], store=Torn()) as session:
        await batch(session, range(3))
    assert "no paper left" in caplog.text


def spoiled(told: dict[str, Any], what: str) -> Any:
    queued = told["queued"]
    match what:
        case "a list":
            return ["nonsense"]
        case "empty":
            return {}
        case "another grid":
            return told | {"queued": queued | {"evidence": {"ended": [[3, 4_000, 1.0]]}}}
        case "negative":
            return told | {"queued": queued | {"evidence": {"ended": [[3, 4, -3.0]]}}}
        case "no evidence":
            return told | {"queued": queued | {"evidence": None}, "lead": "far"}
        case "of an older version":
            return told | {"queued": {"table": {"ends": [], "exposure": [], "weight": 6.0}, "scores": {}, "seen": 6}}
        case "seen in words":
            return told | {"queued": queued | {"seen": "many"}}
        case _:
            return told | {"lead": "far"}


@pytest.mark.parametrize(
    "what",
    [
        "a list", "empty", "another grid", "negative", "no evidence", "of an older version", "seen in words",
        "the lead in words",
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_begun_anew(what: str) -> None:
    """A ledger of another version, or one that somebody wrote in, costs no job."""
    studio, paper = Studio(), Paper()
    async with serving(studio) as url:
        async with aiogen.Session([luma(url, **WIDE)], store=paper) as session:
            await batch(session, range(6))
        ((name, page),) = paper.pages.items()
        paper.pages[name] = json.dumps(spoiled(json.loads(page), what))
        async with aiogen.Session([luma(url, **WIDE)], store=paper) as session:
            await batch(session, range(100, 102))
    # Two jobs were seen since; with the lead alone spoiled, the six before are still known.
    assert json.loads(paper.pages[name])["queued"]["seen"] == (8 if "lead" in what else 2)


@pytest.mark.parametrize("ends", ["completed", "failed", "not found"])
async def test_what_its_vendor_does_not_know_any_more_teaches_nothing(ends: str) -> None:
    """That it is gone says nothing of how long such a generation takes; a failure at the vendor does."""
    paper = Paper()

    async def vendor(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response(body(), status=201)
        if ends == "not found":
            return web.json_response({"detail": "Generation not found"}, status=404)
        return web.json_response(done() if ends == "completed" else body("failed", failure_code="generation_failed"))

    async with serving(vendor) as url, aiogen.Session([luma(url, **WIDE)], store=paper) as session:
        job = await session.submit("luma/uni-1", "boat 1")
        await asyncio.gather(job.result(), return_exceptions=True)
    assert job.state is (State.COMPLETED if ends == "completed" else State.FAILED)
    seen = [json.loads(page)["queued"]["seen"] for page in paper.pages.values()]
    assert seen == ([] if ends == "not found" else [1])


# --- how long it may take


def sane(eta: Eta | None) -> Eta:
    assert eta is not None
    assert 0.0 <= eta.low <= eta.seconds <= eta.high < math.inf
    return eta


async def test_an_eta_shrinks_and_ends() -> None:
    """Half of such jobs end by `seconds`, and nine in ten between the two others; when it is over there is none."""
    studio = Studio()
    loop = asyncio.get_running_loop()
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        await batch(session, range(20))
        job = await session.submit("luma/uni-1", "boat 50")
        sane(job.eta())
        await job.accepted()
        told = []
        for _ in range(4):
            told.append((loop.time(), sane(job.eta())))
            await asyncio.sleep(5.0)
        await job
        assert job.eta() is None
    ends = [at + eta.seconds for at, eta in told]
    assert all(abs(end - studio.ends_at("job-50")) < 3.0 for end in ends)
    assert all(later.high < earlier.high - 3.0 for (_, earlier), (_, later) in pairwise(told))
    assert str(told[0][1]).startswith(f"{told[0][1].seconds:.0f} s (")


@pytest.mark.no_cover
async def test_an_eta_is_right_as_often_as_it_says() -> None:
    """Eight in ten end between `low` and `high`, and half before `seconds`."""
    studio = Studio(low=10.0, high=30.0)
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        for first in (0, 50, 100):
            await batch(session, range(first, first + 25))
        job = await session.submit("luma/uni-1", "boat 150")
        await job.accepted()
        eta = sane(job.eta())
        await job
    # The durations are even over these twenty seconds.
    assert 0.7 < (min(eta.high, 30.0) - max(eta.low, 10.0)) / 20.0 < 0.95
    assert 0.4 < (eta.seconds - 10.0) / 20.0 < 0.6
    assert 10.0 < eta.low < 14.0
    assert 26.0 < eta.high < 31.0


async def test_who_waits_in_line_is_told_so() -> None:
    """A job that others go before is foretold to end after them, and does."""
    studio = Studio()
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE | {"max_active": 2})]) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(9)]
        await jobs[0].accepted()
        etas = [sane(job.eta()) for job in jobs]
        assert [job.state for job in jobs[2:]] == [State.PENDING] * 7
        assert [eta.seconds for eta in etas[2:]] == sorted(eta.seconds for eta in etas[2:])
        assert etas[8].seconds > etas[2].seconds + 20.0
        assert etas[2].low > 5.0
        await asyncio.gather(*jobs)


async def test_who_waits_for_the_rate_is_told_so() -> None:
    """Three hundred jobs at thirty a minute: the last is foretold after all its minutes, the next after this one."""
    studio = Studio()
    limits = WIDE | {"creates_per_minute": 30}
    async with serving(studio) as url, aiogen.Session([luma(url, **limits)]) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(300)]
        await jobs[0].accepted()
        await jobs[29].accepted()
        assert 8 * 60.0 < sane(jobs[-1].eta()).seconds < 11 * 60.0
        assert 55.0 < sane(jobs[30].eta()).low < 90.0


async def test_who_waits_behind_others_at_the_vendor_is_told_so() -> None:
    """Leonardo runs ten at once and takes many more; which ones run is told nowhere, but counted in."""
    async with Sandbox(leonardo=LeonardoSettings(durations={"image": (8.0, 0.1)})) as box:
        leonardo = aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url)
        async with aiogen.Session([leonardo]) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", f"cat {i}") for i in range(40)]
            before = [sane(job.eta()).seconds for job in jobs]  # they will stand in the vendor's line
            assert before == sorted(before)
            assert before[-1] > before[0] + 10.0
            await asyncio.gather(*(job.accepted() for job in jobs))
            running, waiting = sane(jobs[0].eta()), [sane(job.eta()).seconds for job in jobs[10:]]
            assert waiting == sorted(waiting)
            assert waiting[-1] > running.seconds + 10.0
            await asyncio.gather(*jobs)
            assert jobs[-1].eta() is None


async def test_who_joins_may_be_in_a_greater_hurry() -> None:
    """The lowest price counts, and is not raised again by somebody who has time."""
    studio = Studio()
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        job = await session.submit("luma/uni-1", "boat 1", poll_cost=10.0)
        provider_id = await job.accepted()
        assert await session.attach("luma", provider_id, poll_cost=0.01) is job
        await session.attach("luma", provider_id, poll_cost=5.0)
        assert job.poll_cost == 0.01
        await asyncio.sleep(15.0)
        assert studio.reads > 5


@pytest.mark.parametrize("hurried", [False, True])
async def test_who_attaches_after_a_hurried_waiter_s_deadline_has_a_price_of_its_own(hurried: bool) -> None:
    """Nobody is in a hurry any more: it is asked about as if nobody had been."""
    studio = Studio(low=400.0, high=401.0)
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        job = await session.submit("luma/uni-1", "boat 1", poll_cost=0.001 if hurried else 60.0, timeout=60.0)
        with pytest.raises(aiogen.GenerationTimeout):
            await job
        before = studio.reads
        later = await session.attach("luma", job.provider_id or "", poll_cost=60.0, timeout=600.0)
        await asyncio.sleep(200.0)
        assert studio.reads - before < 10
        assert (await later).url is not None


async def test_events_tell_it_too() -> None:
    """Each change of state comes with what may be expected then, but for the last."""
    studio = Studio(queued=4.0)
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        job = await session.submit("luma/uni-1", "boat 1")
        told = [(event.state, event.eta) async for event in job.events()]
        again = [event.eta async for event in job.events()]
    assert [state for state, _ in told] == ["pending", "submitting", "queued", "processing", "completed"]
    assert told[-1][1] is None
    assert again == [None]
    for state, eta in told[:-1]:
        if state is not State.QUEUED:
            sane(eta)


async def test_the_acceptance_tells_it_too() -> None:
    """The one event that Leonardo has between the create and the end comes with a forecast."""
    studio = Studio(queued=4.0)
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        job = await session.submit("luma/uni-1", "boat 1")
        (eta,) = [event.eta async for event in job.events() if event.state is State.QUEUED]
    sane(eta)


async def test_a_job_that_failed_has_none() -> None:
    """Whatever ended it: a refusal, its deadline, or the session."""
    studio = Studio()
    async with serving(studio) as url:
        async with aiogen.Session([luma(url, **WIDE)]) as session:
            late = await session.submit("luma/uni-1", "boat 1", timeout=5.0)
            with pytest.raises(aiogen.GenerationTimeout):
                await late
            assert late.eta() is None
            left = await session.submit("luma/uni-1", "boat 2")
            await left.accepted()
            sane(left.eta())
        assert left.eta() is None


async def test_a_job_made_elsewhere_is_foretold_vaguely() -> None:
    """Nobody knows its model nor how far it is, so the range is wide; it does not teach either."""
    studio = Studio()
    studio.accepted["job-1"] = 0.0
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        job = await session.attach("luma", "job-1")
        eta = sane(job.eta())
        assert eta.high > 4.0 * eta.low
        assert (await job).url == "https://storage.example/job-1.png"
        assert job.eta() is None


# --- what a question costs


@pytest.mark.no_cover
@pytest.mark.parametrize("verb", ["session", "submit", "generate", "attach", "wait_many"])
async def test_dearer_questions_are_fewer(verb: str) -> None:
    """Whoever says that a request is worth more seconds of waiting gets fewer of them, everywhere it can be said."""
    reads = []
    for cost in (0.005, 0.15, 5.0):
        studio = Studio(low=100.0, high=120.0)
        whole, each = (cost, None) if verb == "session" else (0.15, cost)
        async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)], poll_cost=whole) as session:
            if verb in ("session", "submit"):
                assert (await batch(session, range(1), timeout=300.0, poll_cost=each))[0].poll_cost == cost
            elif verb == "generate":
                await session.generate("luma/uni-1", "boat 0", timeout=300.0, poll_cost=each)
            else:
                studio.accepted["job-0"] = asyncio.get_running_loop().time()
                if verb == "attach":
                    await (await session.attach("luma", "job-0", poll_cost=each))
                else:
                    await session.wait_many("luma", ["job-0"], poll_cost=each)
        reads.append(studio.reads)
    assert reads[0] > 1.5 * reads[1]
    assert reads[1] > 1.5 * reads[2]


WRONG = [0, 0.0, -1, 0.0009, 60.1, math.nan, math.inf, -math.inf, True, "1"]


@pytest.mark.parametrize("cost", WRONG)
async def test_a_cost_that_is_none_is_refused(cost: Any) -> None:
    """Before anything is sent, and before anything is written down."""
    studio = Studio()
    async with serving(studio) as url, aiogen.Session([luma(url)]) as session:
        for call in (
            session.submit("luma/uni-1", "boat 1", poll_cost=cost),
            session.generate("luma/uni-1", "boat 1", poll_cost=cost),
            session.attach("luma", "job-1", poll_cost=cost),
            session.wait_many("luma", ["job-1"], poll_cost=cost),
        ):
            with pytest.raises(aiogen.InputError, match="poll_cost has to be"):
                await call
        with pytest.raises(aiogen.InputError, match="poll_cost has to be"):
            aiogen.Session([], poll_cost=cost)
        await asyncio.sleep(5.0)
        assert session.jobs() == []
    assert studio.seen == []


@pytest.mark.parametrize("verb", ["session", "submit"])
async def test_the_ends_of_the_range_are_allowed(verb: str) -> None:
    """A thousandth of a second asks as often as the provider's floor allows, and a minute hardly ever; 60 is 60.0."""
    reads, lags = [], []
    for cost in (0.001, 60, 60.0):
        studio = Studio(low=50.0, high=51.0)
        whole, each = (cost, None) if verb == "session" else (0.15, cost)
        async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)], poll_cost=whole) as session:
            (job,) = await batch(session, range(1), poll_cost=each)
        reads.append(studio.reads)
        lags.append(studio.lag(job.provider_id))
    assert reads[0] > 10 * reads[1]
    assert lags[0] < 1.0 < lags[1]
    assert (reads[1], lags[1]) == (reads[2], pytest.approx(lags[2]))


# --- the same again


async def five_hundred() -> list[tuple[float, str, str]]:
    """Each second ten jobs more, all kinds of durations, one account."""
    studio = Studio(low=2.0, high=30.0)
    async with serving(studio) as url:
        connection = luma(url, max_active=200, creates_per_minute=600, requests_per_minute=3000)
        connections = aiohttp.TCPConnector(limit=0)  # kept alive, also after creates: twice as fast
        async with (
            aiohttp.ClientSession(connector=connections) as client,
            aiogen.Session([connection], client_session=client, poll_cost=10.0) as session,
        ):
            jobs = []
            for i in range(500):
                jobs.append(await session.submit("luma/uni-1", f"boat {i}"))
                if i % 10 == 9:
                    await asyncio.sleep(1.0)
            await asyncio.gather(*jobs)
    return studio.seen


@pytest.mark.timeout(300)
@pytest.mark.no_cover
def test_the_same_again_is_the_same() -> None:
    """Five hundred jobs twice: the same requests, at the same moments, in the same order."""
    logs = []
    for _ in range(2):
        with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=4)) as runner:
            logs.append(runner.run(five_hundred()))
    assert len(logs[0]) > 1000
    assert logs[0] == logs[1]


# --- several at once


class Desk(MemoryStore):
    """One of several that keep what they learn on one paper; writing takes a second."""

    def __init__(self, paper: Paper) -> None:
        super().__init__()
        self.paper = paper
        self.asked: list[tuple[float, int]] = []
        """When it was asked what others have learned, and which version was known."""

    @property
    def lease(self) -> float:
        return 15.0

    async def peers(self) -> int:
        return 1

    async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
        await asyncio.sleep(1.0)
        return await self.paper.put_learned(name, value, version)

    async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
        self.asked.append((asyncio.get_running_loop().time(), known))
        return await self.paper.get_learned(name, known)


def seen_on(paper: Paper) -> int:
    (page,) = paper.pages.values()
    return int(json.loads(page)["queued"]["seen"])


async def test_what_several_learn_at_once_is_put_together(caplog: pytest.LogCaptureFixture) -> None:
    """None of them has read what the others have learned before it writes; a fourth begins with all of it."""
    studio, paper = Studio(), Paper()

    async def works(url: str, numbers: range) -> None:
        async with aiogen.Session([luma(url, **WIDE)], store=Desk(paper)) as session:
            await batch(session, numbers)

    async with serving(studio) as url:
        await asyncio.gather(*(works(url, range(first, first + 30)) for first in (0, 100, 200)))
        assert seen_on(paper) == 90
        await works(url, range(300, 305))
    assert seen_on(paper) == 95
    assert not caplog.records


async def test_a_running_session_takes_up_what_others_learn() -> None:
    """Within a minute, though it sees no end by itself: its forecasts are theirs."""
    studio, paper = Studio(), Paper()
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)], store=Desk(paper)) as one:
        await (await one.submit("luma/uni-1", "boat 0"))
        async with aiogen.Session([luma(url, **WIDE)], store=Desk(paper)) as other:
            await batch(other, range(100, 130))
        await asyncio.sleep(65.0)
        job = await one.submit("luma/uni-1", "boat 1")
        await job.accepted()
        eta = sane(job.eta())
        await job
    assert 14.0 < eta.low < 20.0 < eta.high < 26.0
    assert seen_on(paper) == 32


async def test_what_others_have_learned_is_asked_for_once_a_minute() -> None:
    """And read only if it has changed."""
    studio, desk = Studio(), Desk(Paper())
    async with serving(studio) as url, aiogen.Session([luma(url, **WIDE)], store=desk) as session:
        await batch(session, range(26))
        await asyncio.sleep(1_200.0)
    gaps = [after - before for (before, _), (after, _) in pairwise(desk.asked[1:])]
    assert 18 <= len(gaps) <= 20
    assert all(60.0 <= gap < 65.0 for gap in gaps)
    assert [known for _, known in desk.asked[2:]] == [1] * (len(desk.asked) - 2)


@pytest.mark.usefixtures("virtual_files")
async def test_what_two_sessions_learn_a_third_knows(tmp_path: Path) -> None:
    """On one file, each has seen fifty ends, and saved now and then; neither writes over what the other has learned."""
    studio, path = Studio(), tmp_path / "aiogen.db"

    async def works(session: aiogen.Session, first: int) -> None:
        await batch(session, range(first, first + 25))
        await batch(session, range(first + 25, first + 50))

    async with serving(studio) as url:
        async with (
            aiogen.Session([luma(url, **WIDE)], store=path) as one,
            aiogen.Session([luma(url, **WIDE)], store=path) as other,
        ):
            await asyncio.gather(works(one, 0), works(other, 100))
        async with aiogen.Session([luma(url, **WIDE)], store=path) as third:
            job = await third.submit("luma/uni-1", "boat 500")
            (phases,) = third._parts.hub.learned._models.values()
            assert phases.seen == 100
            await job
