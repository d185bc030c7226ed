"""`Retry-After` is never undercut, whoever asked: one refusal holds all that it concerns, and all go on after it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import looptime
import pytest
from aiohttp import web
from hypothesis import example, given, settings
from hypothesis import strategies as st
from refusing import CREATE, FILE, FORMS, READ, Came, Refusal, Refused, Refusing, in_words
from serving import ID, KEY, body, done, luma, serving

import aiogen
from aiogen import State
from aiogen.providers.reading import retry_after
from aiogen.stores.memory import MemoryStore

pytestmark = pytest.mark.no_cover
A_WEEK = 7 * 86_400.0
LONG = 25 * 86_400.0
PATIENT = {"queue_timeout": LONG, "unreachable_timeout": LONG, "call_timeout": LONG, "download_timeout": LONG}
LUMA_WORDS = ("Rate limit exceeded", "Too many concurrent jobs", "Slow down")
"""The three kinds of 429 that Luma documents; Leonardo documents none."""


class Slow(MemoryStore):
    """Takes its time for an intent, as a disk does."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def intend(self, job_id: str, *more: Any) -> Any:
        result = await super().intend(job_id, *more)
        await asyncio.sleep(self.seconds)
        return result


@attrs.frozen
class Scene:
    """What a program does, and what its vendor refuses."""

    vendor: str
    steps: tuple[tuple[float, str], ...]
    """After so many seconds, this."""
    refusals: tuple[Refusal, ...]
    latencies: tuple[float, ...]
    seconds: float
    intent: float


@st.composite
def refusals(draw: st.DrawFn, vendor: str) -> Refusal:
    lane = draw(st.sampled_from([CREATE, CREATE, READ, READ, FILE]))
    # A create that Leonardo answers with 503 may have been carried out: it ends as unknown, which is another story.
    status = 429 if (vendor, lane) == ("leonardo", CREATE) else draw(st.sampled_from([429, 429, 503]))
    words = draw(st.sampled_from(LUMA_WORDS)) if (vendor, lane) == ("luma", CREATE) else "Too many requests"
    seconds = draw(st.sampled_from([1.0, 2.5, 7.0, 30.0, 59.0, 61.0, 600.0, 86_400.0]))
    headers, asked = in_words(seconds, draw(st.sampled_from(FORMS)))
    return Refusal(lane, draw(st.integers(0, 4)), status, words, headers, asked)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    vendor = draw(st.sampled_from(["luma", "leonardo"]))
    calls = ["submit", "submit", "submit", "get", "account", "download"] + ["list"] * (vendor == "leonardo")
    steps = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 1.0, 5.0]), st.sampled_from(calls)), min_size=3, max_size=9)
    return Scene(
        vendor,
        ((0.0, "submit"), *draw(steps)),
        tuple(draw(st.lists(refusals(vendor), min_size=1, max_size=3, unique_by=lambda r: (r.lane, r.nth)))),
        tuple(draw(st.lists(st.sampled_from([0.0, 0.05, 0.4, 3.0]), min_size=1, max_size=3))),
        draw(st.sampled_from([0.5, 6.0, 40.0])),
        draw(st.sampled_from([0.0, 0.3])),
    )


async def play(scene: Scene, vendor: Refusing, folder: Path) -> float:
    """All of it, to the end; how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    is_luma = scene.vendor == "luma"
    kind = aiogen.Luma if is_luma else aiogen.Leonardo
    model = f"{scene.vendor}/{'uni-1' if is_luma else 'flux'}"
    async with serving(vendor) as url:
        provider = kind(api_key=KEY, base_url=f"{url}/v1" if is_luma else url)
        async with aiogen.Session([provider], store=Slow(scene.intent), **PATIENT) as session:
            jobs: list[aiogen.Job] = []
            calls: list[asyncio.Task[Any]] = []
            for pause, step in scene.steps:
                await asyncio.sleep(pause)
                if step == "submit":
                    jobs.append(await session.submit(model, "a boat", timeout=LONG))
                else:
                    calls.append(asyncio.create_task(call(session, scene.vendor, step, jobs[-1], folder)))
            await asyncio.gather(*jobs, *calls)
            assert {job.state for job in jobs} == {State.COMPLETED}
    return loop.time() - began


async def call(session: aiogen.Session, connection: str, step: str, job: aiogen.Job, folder: Path) -> None:
    if step == "get":
        await session.get(connection, await job.accepted())
    elif step == "account":
        await session.account(connection)
    elif step == "list":
        _ = [generation async for generation in session.list(connection, limit=3)]
    else:
        await session.download(job, folder)


def concerns(vendor: Refusing, refused: Refused, came: Came) -> bool:
    """True if this refusal forbids this request, as docs/design.md has it."""
    refusal = refused.refusal
    if refusal.lane == FILE:
        return came.path == refused.path  # the storage is no part of the account
    if vendor.vendor == "luma" and refusal.lane == CREATE:
        words = refusal.words.lower()
        is_full = "concurren" in words or ("rate limit" not in words and refusal.asked >= 60.0)
        if refusal.status == 429 and is_full:
            # The end of one of our own makes room, whatever was asked.
            return came.lane == CREATE and not any(refused.at <= end <= came.at for end in vendor.ends.values())
        if refusal.status == 503 or "rate limit" in words:
            return came.lane == CREATE
    return True


def check(vendor: Refusing) -> None:
    """Nothing that was refused came before its time.  What is seen at the very moment was on its way."""
    for refused in vendor.refused:
        until = refused.at + refused.refusal.asked
        for came in vendor.came:
            if refused.at < came.at < until - 1e-6 and concerns(vendor, refused, came):
                pytest.fail(f"{came} in spite of {refused}, until {until}")


def scene(vendor: str, steps: str, *refused: Refusal, seconds: float = 6.0, intent: float = 0.0) -> Scene:
    """Steps a second apart."""
    return Scene(vendor, tuple((1.0, step) for step in steps.split()), refused, (0.4,), seconds, intent)


def refusal(
    lane: str, nth: int, words: str = "Slow down", status: int = 429, form: str = "seconds", seconds: float = 30.0
) -> Refusal:
    headers, asked = in_words(seconds, form)
    return Refusal(lane, nth, status, words, headers, asked)


WHILE_THE_USER_IS_LOOKED_UP = Scene(
    "leonardo",
    ((0.0, "submit"), (1.0, "list"), (0.1, "submit"), (1.0, "submit"), (0.1, "submit"), (0.1, "submit")),
    (refusal(READ, 0, status=503, seconds=61.0), refusal(READ, 3, status=503), refusal(CREATE, 4, seconds=1.0)),
    (0.4,),
    seconds=6.0,
    intent=0.3,
)


@example(scene=scene("luma", "submit submit submit", refusal(CREATE, 0, LUMA_WORDS[0]), intent=1.2))
@example(scene=scene("luma", "submit submit submit", refusal(CREATE, 1, LUMA_WORDS[1]), intent=1.2))
@example(scene=scene("luma", "submit submit submit get download", refusal(CREATE, 2), intent=0.3))
@example(scene=scene("luma", "submit submit get submit", refusal(READ, 1, form="date")))
@example(scene=scene("luma", "submit submit submit get account", refusal(READ, 1, status=503)))
@example(scene=scene("luma", "submit submit submit get account", refusal(CREATE, 1, status=503)))
@example(scene=scene("luma", "submit download", refusal(FILE, 0), refusal(FILE, 1, status=503, form="decimals")))
@example(scene=scene("leonardo", "submit submit submit list download", refusal(READ, 1), seconds=1.0))
@example(scene=scene("leonardo", "submit submit submit submit account", refusal(CREATE, 3), seconds=40.0))
@example(scene=scene("luma", "submit account account account download", refusal(READ, 3), seconds=0.5))
@example(scene=scene("luma", "submit submit", refusal(CREATE, 0, LUMA_WORDS[1])))
@example(scene=WHILE_THE_USER_IS_LOOKED_UP)
@settings(deadline=None, derandomize=True, max_examples=20)
@given(scene=scenes())
def test_no_request_comes_before_the_vendor_allows_it(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Creates, questions, sweeps, single calls and downloads of one account, in any order; and nobody's job fails."""
    vendor = Refusing(scene.vendor, list(scene.refusals), list(scene.latencies), scene.seconds)
    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=4)) as runner:
        took = runner.run(play(scene, vendor, tmp_path_factory.mktemp("pictures")))
    check(vendor)
    assert took < sum(refusal.asked for refusal in scene.refusals) + 3600.0


@pytest.mark.looptime(noop_cycles=4)
async def test_one_that_asks_for_days_ends_no_wait_late() -> None:
    """Nothing more is sent, and whoever waits is told in time, and why."""
    headers, asked = in_words(6 * 86_400.0, "seconds")
    vendor = Refusing("luma", [Refusal(READ, 0, 429, "Slow down", headers, asked)], [0.0], 5.0)
    async with serving(vendor) as url:
        async with aiogen.Session([aiogen.Luma(api_key=KEY, base_url=f"{url}/v1")], queue_timeout=90.0) as session:
            job = await session.submit("luma/uni-1", "a boat", timeout=60.0)
            with pytest.raises(aiogen.GenerationTimeout, match="Slow down"):
                await job
            with pytest.raises(aiogen.GenerationTimeout, match="was not sent"):
                await session.generate("luma/uni-1", "another")
    assert [came.lane for came in vendor.came] == [CREATE, READ]


words = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40)
odd_words = st.sampled_from(["1e400", "-1e400", "nan", "1_0", "0x10", "Wed, 31 Feb 2026 25:61:61 GMT"])


@settings(max_examples=300, derandomize=True)
@given(told=words | odd_words, date=words)
def test_whatever_is_said_it_is_a_time_to_wait_or_nothing(told: str, date: str) -> None:
    """Never an error, never less than nothing, never longer than a week."""
    seconds = retry_after({"retry-after": told, "date": date}, 1e9)
    assert seconds is None or 0.0 <= seconds <= A_WEEK


@given(seconds=st.floats(0.0, A_WEEK), skew=st.integers(-100_000, 100_000), form=st.sampled_from(FORMS))
@settings(derandomize=True)
def test_no_form_is_read_as_less_than_it_says(seconds: float, skew: int, form: str) -> None:
    """Whatever the vendor's clock says; and what says nothing is not taken for a number."""
    headers, asked = in_words(seconds, form)
    names = {name.lower(): value for name, value in headers.items()}
    told = retry_after(names, 1.8e9 + skew)
    if form in ("infinite", "moment", "garbage", "empty", "nothing"):
        assert told is None
    else:
        assert told == pytest.approx(asked, abs=1e-3)


async def test_a_question_that_somebody_else_has_answered_meanwhile_still_tells_when_to_ask_again() -> None:
    """The generation is over by another reading; what is refused then concerns all others all the same."""
    first, second = "slow question", "another job"
    begun = asyncio.Event()
    seen: list[tuple[float, str]] = []
    loop = asyncio.get_running_loop()
    names: dict[str, str] = {}

    async def vendor(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            prompt = (await request.json())["prompt"]
            names[prompt] = f"{ID[:-4]}{len(names):04}"
            return web.json_response(body(id=names[prompt]), status=201)
        key = request.path.rsplit("/", 1)[-1]
        seen.append((loop.time(), key))
        if key == names[first] and not begun.is_set():
            begun.set()
            await asyncio.sleep(1.0)
            return web.json_response({"detail": "Too many requests"}, status=429, headers={"Retry-After": "100"})
        is_over = key == names[first] or loop.time() > 60.0
        return web.json_response((done() if is_over else body("processing")) | {"id": key})

    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        jobs = [await session.submit("luma/uni-1", prompt) for prompt in (first, second)]
        await begun.wait()
        await session.get("luma", names[first])
        assert jobs[0].done
        refused_at = loop.time() + 1.0
        await asyncio.gather(*jobs)
    assert not [at for at, _ in seen if refused_at + 0.01 < at < refused_at + 99.0]
    assert seen[-1][0] >= refused_at + 99.0
