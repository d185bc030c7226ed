"""One budget of requests for each account: creates, questions, pages and single calls share it."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any

import attrs
import pytest
from aiohttp import web
from serving import luma, serving

import aiogen
from aiogen import Job, State
from aiogen.sandbox import LEONARDO_KEY, LeonardoSettings, Sandbox
from aiogen.sandbox.script import Script, Storm

# Before the clock jumps, a loop whose sockets are all its own need not look 42 times whether one has something.
pytestmark = pytest.mark.looptime(noop_cycles=4)

MODEL = "leonardo/gemini-image-2"


def leonardo(box: Sandbox, **limits: Any) -> aiogen.Leonardo:
    return aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url, **limits)


def imitation(*storms: Storm, seconds: float = 8.0, **settings: Any) -> Sandbox:
    """Leonardo, where nothing is in the way but what the test says."""
    wide = {"creates_per_window": 10_000, "max_running": 1000, "durations": {"image": (seconds, 0.3)}}
    return Sandbox(leonardo=LeonardoSettings(**{**wide, **settings}), script=Script(storms=list(storms)))


def busiest(times: list[float], span: float = 60.0) -> int:
    """Most requests in any span of time."""
    return max(sum(first <= at < first + span - 1e-6 for at in times) for first in times)


def refusals(box: Sandbox) -> int:
    return sum(seen.status == 429 for seen in box.requests)


async def everything(session: aiogen.Session, jobs: int) -> tuple[list[Job], int]:
    """Jobs, and while they run whatever else a session can be asked for; how many single calls were answered."""
    handles = [await session.submit(MODEL, f"cat {i}") for i in range(jobs)]
    answers = 0
    while not all(job.done for job in handles):
        await session.account("leonardo")
        names = [job.provider_id for job in handles if job.provider_id is not None]
        for name in names[:5]:
            await session.get("leonardo", name)
        answers += 1 + len(names[:5]) + len([g async for g in session.list("leonardo", limit=60)])
    await asyncio.gather(*handles)
    return handles, answers


# --- one window for all


@pytest.mark.no_cover
@pytest.mark.parametrize("margin", [300, 290])
async def test_no_request_goes_beyond_the_vendors_limit(margin: int) -> None:
    """Three hundred in any minute, of every kind: used to the full, and not one is refused, not one job lost."""
    async with imitation(requests_per_window=300) as box:
        connection = leonardo(box, requests_per_minute=margin, creates_per_minute=1000)
        async with aiogen.Session([connection], poll_cost=0.02) as session:
            jobs, _ = await everything(session, 120)
    assert all(job.state is State.COMPLETED for job in jobs)
    times = [seen.at for seen in box.requests]
    assert busiest(times) <= margin
    kinds = Counter(seen.action for seen in box.requests)
    assert kinds["create"] == 120
    assert min(kinds["poll"], kinds["list"], kinds["account"]) > 3
    assert refusals(box) == 0


@pytest.mark.no_cover
async def test_a_limit_that_is_lower_than_was_said() -> None:
    """Told too much, the session meets a few refusals, slows down, and brings every job to its end."""
    async with imitation(requests_per_window=100, retry_after_on_429=True, seconds=30.0) as box:
        connection = leonardo(box, requests_per_minute=300, creates_per_minute=1000)
        async with aiogen.Session([connection], poll_cost=0.001) as session:
            jobs = [await session.submit(MODEL, f"cat {i}") for i in range(150)]
            await asyncio.gather(*jobs)
    assert all(job.state is State.COMPLETED for job in jobs)
    assert 0 < refusals(box) <= 0.1 * len(box.requests)


async def test_connections_with_one_key_share_it() -> None:
    """Two names for one account are one budget; another key has its own."""
    other = "1e07a2d0-0000-4000-8000-5a4db0c50001"
    settings = {"api_keys": {LEONARDO_KEY: "valid", other: "valid"}, "requests_per_window": 100_000}
    async with imitation(**settings) as box:
        limits = {"requests_per_minute": 60, "creates_per_minute": 1000}
        connections = [
            leonardo(box, name="a", **limits),
            leonardo(box, name="b", **limits),
            aiogen.Leonardo(api_key=other, base_url=box.leonardo_url, name="c", **limits),
        ]
        async with aiogen.Session(connections) as session:
            for name in "abc":
                for _ in range(40):
                    await session.submit(f"{name}/gemini-image-2", name)
            await asyncio.sleep(30.0)
            counts = Counter(job.prompt for job in box.jobs)
            assert counts["a"] + counts["b"] == pytest.approx(10 + 30 * 0.96, abs=2)
            assert counts["c"] == pytest.approx(10 + 30 * 0.96, abs=2)


async def test_creates_go_first() -> None:
    """While jobs wait to be sent, what is left of the budget is theirs: running ones are asked about later."""
    async with imitation(seconds=2.0) as box:
        async with aiogen.Session([leonardo(box, requests_per_minute=60, creates_per_minute=1000)]) as session:
            jobs = [await session.submit(MODEL, f"cat {i}") for i in range(40)]
            await asyncio.gather(*(job.accepted() for job in jobs))
            sent = [seen.action for seen in box.requests]
            assert sent == ["create"] * 40
            await asyncio.gather(*jobs)


async def test_single_calls_and_questions_take_turns() -> None:
    """Who calls `get` a hundred times at once does not keep the running jobs from being asked about."""
    async with imitation() as box:
        async with aiogen.Session([leonardo(box, requests_per_minute=120)]) as session:
            job = await session.submit(MODEL, "cat")
            name = await job.accepted()
            calls = [asyncio.create_task(session.get("leonardo", name)) for _ in range(100)]
            await asyncio.sleep(0.0)
            other = await session.generate(MODEL, "dog")
            assert other.state is State.COMPLETED
            await asyncio.gather(job, *calls)
    assert busiest([seen.at for seen in box.requests]) <= 120


@pytest.mark.no_cover
async def test_the_window_of_creates_still_holds() -> None:
    """However many requests are allowed, no more creates than the vendor takes."""
    async with imitation(creates_per_window=30) as box:
        connection = leonardo(box, creates_per_minute=30, requests_per_minute=3000)
        async with aiogen.Session([connection]) as session:
            jobs = [await session.submit(MODEL, f"cat {i}") for i in range(70)]
            await asyncio.gather(*jobs)
    assert busiest([seen.at for seen in box.requests if seen.action == "create"]) <= 30
    assert refusals(box) == 0


# --- refused


@pytest.mark.parametrize("action", ["create", "poll", "list", "account"])
async def test_a_refusal_holds_everything_as_long_as_it_says(action: str) -> None:
    """Whatever kind of request is told `Retry-After`, nothing at all is sent before."""
    storm = Storm("429@20", after=3.0, actions=(action,), times=1)
    async with imitation(storm, seconds=10.0) as box:
        async with aiogen.Session([leonardo(box)], poll_cost=0.01) as session:
            jobs = [await session.submit(MODEL, f"cat {i}") for i in range(8)]
            await asyncio.sleep(4.0)
            jobs += [await session.submit(MODEL, f"cat {i}") for i in range(8, 12)]
            calls = [asyncio.create_task(session.account("leonardo")) for _ in range(3)]
            await asyncio.gather(*jobs, *calls)
            figures = (await session.account("leonardo")).window
    (refused,) = [seen.at for seen in box.requests if seen.status == 429]
    # What was under way with it, at the same moment, had left already.
    assert not [seen for seen in box.requests if refused + 1e-3 < seen.at < refused + 20.0]
    assert [seen for seen in box.requests if seen.at > refused + 20.0]
    assert all(job.state is State.COMPLETED for job in jobs)
    assert figures["requests_per_minute"] < 0.96 * 1500


async def test_a_refusal_halves_and_answers_give_back() -> None:
    """Half as fast after a 429, and with every answer a little faster again."""
    storm = Storm("429@1", actions=("poll",), times=1)
    async with imitation(storm) as box, aiogen.Session([leonardo(box, requests_per_minute=1000)]) as session:
        await session.generate(MODEL, "cat")
        rates = []
        for _ in range(150):
            rates.append((await session.account("leonardo")).window["requests_per_minute"])
    assert 480 < rates[0] < 540
    assert all(later >= earlier for earlier, later in pairwise(rates))
    assert rates[-1] == 960


async def test_refused_together_is_halved_once() -> None:
    """Ten calls in flight that all meet the limit are one refusal."""
    storm = Storm("429@2", actions=("account",), times=10)
    async with imitation(storm, latency=0.5) as box:
        async with aiogen.Session([leonardo(box, requests_per_minute=600)]) as session:
            await asyncio.gather(*(session.account("leonardo") for _ in range(10)))
            figures = (await session.account("leonardo")).window
    assert refusals(box) == 10
    assert 288 <= figures["requests_per_minute"] < 350


async def test_without_retry_after_the_pauses_grow() -> None:
    """A vendor that refuses and says no more is left alone for five seconds, then ten, then twenty."""
    storm = Storm("429", after=0.5, until=60.0)
    async with imitation(storm, seconds=3.0) as box, aiogen.Session([leonardo(box)]) as session:
        assert (await session.generate(MODEL, "cat")).state is State.COMPLETED
    times = [seen.at for seen in box.requests if seen.status == 429]
    assert 3 <= len(times) <= 6
    assert all(later - earlier >= 5.0 * 2.0**i for i, (earlier, later) in enumerate(pairwise(times)))


async def test_an_overloaded_vendor_is_asked_less() -> None:
    """A 503 to a question halves the rate, and its `Retry-After` holds everything."""
    storm = Storm("503@15", after=2.0, actions=("poll",), times=1)
    async with imitation(storm, seconds=6.0) as box:
        async with aiogen.Session([leonardo(box, requests_per_minute=1000)], poll_cost=0.01) as session:
            job = await session.submit(MODEL, "cat")
            await asyncio.sleep(4.0)
            late = asyncio.create_task(session.account("leonardo"))
            assert (await job).state is State.COMPLETED
            assert (await late).window["requests_per_minute"] < 540
    (overloaded,) = [seen.at for seen in box.requests if seen.status == 503]
    assert not [seen for seen in box.requests if overloaded < seen.at < overloaded + 15.0]


@pytest.mark.parametrize(
    "action",
    [
        "list",
        "account",
    ],
)
async def test_an_overloaded_vendor_is_asked_less_by_all(action: str) -> None:
    """The same for pages and single calls: what they are told holds for the whole account."""
    storm = Storm("503@15", after=1.0, actions=(action,), times=1)
    async with imitation(storm, seconds=30.0) as box:
        async with aiogen.Session([leonardo(box)], poll_cost=0.01) as session:
            jobs = [await session.submit(MODEL, f"cat {i}") for i in range(12)]
            await asyncio.sleep(2.0)
            await session.account("leonardo")
            await asyncio.gather(*jobs)
    (overloaded,) = [seen.at for seen in box.requests if seen.status == 503]
    assert not [seen for seen in box.requests if overloaded + 1e-3 < seen.at < overloaded + 15.0]


# --- turns that are given back


async def test_a_cancelled_call_gives_its_turn_back() -> None:
    """Fifty calls that wait and are cancelled cost nothing: who comes after them waits as if they had not been."""
    loop = asyncio.get_running_loop()
    async with imitation() as box, aiogen.Session([leonardo(box, requests_per_minute=60)]) as session:
        await asyncio.gather(*(session.account("leonardo") for _ in range(10)))
        calls = [asyncio.create_task(session.account("leonardo")) for _ in range(50)]
        await asyncio.sleep(0.5)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        begun = loop.time()
        await session.account("leonardo")
        assert loop.time() - begun < 2.1
    assert len(box.requests) == 11


@attrs.define(eq=False)
class Counting:
    """A vendor that takes its time and counts who is there."""

    seconds: float
    here: int = 0
    most: int = 0
    seen: int = 0

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.seen += 1
        self.here += 1
        self.most = max(self.most, self.here)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.here -= 1
        name = request.path.rpartition("/")[2]
        return web.json_response({"id": name, "type": "image", "state": "processing", "output": []})


@pytest.mark.parametrize("after", [0.0, 0.001, 1.0])
async def test_calls_that_are_cancelled_under_way_leave_room(after: float) -> None:
    """Places for single calls come back as well, whenever the caller stops waiting."""
    vendor = Counting(3.0)
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, requests_per_minute=60_000)], max_in_flight=4) as session:
            for _ in range(5):
                calls = [asyncio.create_task(session.get("luma", f"job-{i}")) for i in range(4)]
                await asyncio.sleep(after)
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
            async with asyncio.timeout(10.0):
                await asyncio.gather(*(session.get("luma", f"job-{i}") for i in range(4)))


async def test_no_more_under_way_than_allowed() -> None:
    """`max_in_flight` bounds the questions, also when their answers take long."""
    vendor = Counting(5.0)
    async with serving(vendor) as url:
        connection = luma(url, requests_per_minute=60_000)
        async with aiogen.Session([connection], max_in_flight=6, poll_cost=0.001) as session:
            jobs = [await session.attach("luma", f"job-{i}", timeout=60.0) for i in range(30)]
            await asyncio.sleep(30.0)
            assert vendor.most == 6
            assert vendor.seen >= 30
            assert not any(job.done for job in jobs)


async def test_a_call_in_line_gives_up_in_time() -> None:
    """Behind a long hold a single call ends by its own timeout, and says that the account has to wait."""
    loop = asyncio.get_running_loop()
    async with imitation(Storm("429@900", actions=("account",), times=1)) as box:
        async with aiogen.Session([leonardo(box)], call_timeout=30.0) as session:
            with pytest.raises(aiogen.RateLimited):
                await session.account("leonardo")
            begun = loop.time()
            with pytest.raises(aiogen.NetworkError, match="has to wait"):
                await session.get("leonardo", "11111111-2222-4333-8444-555555555555")
            assert loop.time() - begun == pytest.approx(30.0, abs=0.1)
    assert len(box.requests) == 1


async def test_the_budget_is_told() -> None:
    """What a session allows itself stands in its account, and in its own line."""
    async with imitation() as box, aiogen.Session([leonardo(box, requests_per_minute=500)]) as session:
        account = await session.account("leonardo")
        assert account.window["requests_per_minute"] == 480
        assert "0/180 active, 0/90 creates, 480 requests/min" in repr(session)
