"""Many generations, one question: the pages of Leonardo's list, as a session uses them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import attrs
import pytest
from aiohttp import web
from serving import Handler, serving

import aiogen
from aiogen import FailureCode, Job, State

# Before the clock jumps, a loop whose sockets are all its own need not look 42 times whether one has something.
pytestmark = pytest.mark.looptime(noop_cycles=4)

USER = "3f1c3a3e-0000-4000-8000-000000000001"
KEY = "1e07a2d0-0000-4000-8000-5a4db0c50000"
WIDE = {"max_active": 1000, "creates_per_minute": 10_000, "requests_per_minute": 60_000, "running_at_once": 1000}
"""An account that waits for nothing."""


@attrs.define
class Made:
    """One generation at the vendor."""

    id: str
    created_at: float
    ends_at: float
    is_ours: bool = True
    failed: bool = False

    def told(self, now: float, *, images: int = 1, reason: str | None = None) -> dict[str, Any]:
        row: dict[str, Any] = {"id": self.id, "status": "PENDING", "generated_images": []}
        if now >= self.ends_at and self.failed:
            row |= {"status": "FAILED", "failedReason": reason}
        elif now >= self.ends_at:
            urls = [f"https://cdn.example/{self.id}/{i}.jpg" for i in range(images)]
            row |= {"status": "COMPLETE", "generated_images": [{"id": url[-40:], "url": url} for url in urls]}
        return row


@attrs.define(eq=False)
class Gallery:
    """Leonardo in a few lines.  What is wrong with its list is said by the test."""

    low: float = 18.0
    high: float = 22.0
    """Seconds that a generation takes."""
    slots: int = 1000
    strangers: int = 0
    """So many of somebody else are made with each of ours."""
    fails: frozenset[int] = frozenset()
    """The numbers of those that fail."""
    images: int = 1
    images_listed: int = 1
    lag: float = 0.0
    """The list shows what was so long ago."""
    list_answer: tuple[int, Any] | None = None
    """What the list says instead."""
    hidden: Callable[[Made], bool] = lambda made: False
    """Which ones the list never shows."""
    turned: Callable[[list[Made]], list[Made]] = lambda rows: rows
    """In which order the list stands, if not newest first."""
    page: int = 50
    made: dict[str, Made] = attrs.field(factory=dict)
    seen: list[tuple[float, str, str]] = attrs.field(factory=list)
    chance: random.Random = attrs.field(factory=lambda: random.Random(7))

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(0.1)
        now = asyncio.get_running_loop().time()
        last = request.path.rpartition("/")[2]
        if request.method == "POST":
            return self.note(now, "create", web.json_response({"generate": {"generationId": self.create(now)}}))
        if last == "me":
            user = {"user": {"id": USER, "username": "me"}, "apiConcurrencySlots": self.slots}
            return self.note(now, "me", web.json_response({"user_details": [user]}))
        if "/user/" in request.path:
            assert last == USER
            return self.note(now, "list", self.list(now, int(request.query["offset"]), int(request.query["limit"])))
        row = self.made[last].told(now, images=self.images, reason="out of paint")
        return self.note(now, last, web.json_response({"generations_by_pk": row}))

    def note(self, now: float, what: str, answer: web.Response) -> web.Response:
        self.seen.append((now, what, str(answer.status)))
        return answer

    def create(self, now: float) -> str:
        number = len(self.ours())
        name = f"gen-{number}"
        begins = now
        if number >= self.slots:
            begins = max(now, sorted(made.ends_at for made in self.ours())[number - self.slots])
        ends_at = begins + self.chance.uniform(self.low, self.high)
        self.made[name] = Made(name, now, ends_at, failed=number in self.fails)
        for i in range(self.strangers):
            self.made[f"{name}-{i}"] = Made(f"{name}-{i}", now, now + 9.0, is_ours=False)
        return name

    def list(self, now: float, offset: int, limit: int) -> web.Response:
        if self.list_answer is not None:
            return web.json_response(self.list_answer[1], status=self.list_answer[0])
        then = now - self.lag
        rows = [made for made in reversed(self.made.values()) if made.created_at <= then and not self.hidden(made)]
        rows = self.turned(rows)[offset : offset + min(limit, self.page)]
        return web.json_response({"generations": [made.told(then, images=self.images_listed) for made in rows]})

    # --- for the tests

    def ours(self) -> list[Made]:
        return [made for made in self.made.values() if made.is_ours]

    def count(self, what: str) -> int:
        return sum(1 for _, seen, _ in self.seen if seen == what)

    @property
    def singles(self) -> int:
        """Questions about one generation alone."""
        return sum(1 for _, what, _ in self.seen if what in self.made)

    @property
    def reads(self) -> int:
        return self.singles + self.count("list") + self.count("me")

    def times(self, *what: str) -> Iterable[float]:
        return [at for at, seen, _ in self.seen if not what or seen in what]


@attrs.define
class Told:
    """What came of a run."""

    jobs: list[Job]
    lags: list[float]
    """Seconds from each end at the vendor until somebody here knew."""

    @property
    def mean_lag(self) -> float:
        return sum(self.lags) / len(self.lags)


async def run(gallery: Gallery, jobs: int, *, timeout: float = 600.0, poll_cost: float = 0.15, **limits: Any) -> Told:
    """So many jobs at once, to their ends, each with the image that is its own."""
    loop = asyncio.get_running_loop()
    lags = []
    async with serving(gallery) as url:
        leonardo = aiogen.Leonardo(api_key=KEY, base_url=url, **{**WIDE, **limits})
        async with aiogen.Session([leonardo], poll_cost=poll_cost) as session:
            model = "leonardo/gemini-image-2"
            handles = [await session.submit(model, f"cat {i}", timeout=timeout) for i in range(jobs)]
            async for job in session.as_completed(handles):
                lags.append(loop.time() - gallery.made[job.provider_id or ""].ends_at)
    assert len({job.provider_id for job in handles}) == jobs
    assert not [job for job in handles if not job.state.is_terminal]
    for job in handles:
        if job.state is State.COMPLETED:
            assert job.generation.url == f"https://cdn.example/{job.provider_id}/0.jpg"
    assert min(lags) >= 0.0, "an end was told before it came"
    return Told(handles, lags)


def completed(told: Told) -> int:
    return sum(job.state is State.COMPLETED and job.error is None for job in told.jobs)


# --- what a list is good for


@pytest.mark.no_cover
async def test_many_jobs_are_asked_about_by_pages() -> None:
    """A hundred and fifty jobs cost fewer questions than there are jobs, and their ends are known at once."""
    gallery = Gallery()
    told = await run(gallery, 150)
    assert completed(told) == 150
    assert gallery.count("list") >= 3
    assert gallery.reads < 100  # singly it would be more than two for each
    assert max(told.lags) < 3.0
    assert gallery.count("me") == 1


async def test_one_job_is_asked_about_by_itself() -> None:
    """A page about one job says no more than the question about it, and would need the user's id first."""
    gallery = Gallery()
    for _ in range(5):
        assert completed(await run(gallery, 1)) == 1
        gallery.made = {}
    assert (gallery.count("list"), gallery.count("me")) == (0, 0)


@pytest.mark.no_cover
async def test_those_that_wait_at_the_vendor_are_not_asked_about() -> None:
    """Of eighty that were accepted ten run; only these can end, so only these are asked about."""
    gallery = Gallery(slots=10, low=3.6, high=4.4)
    told = await run(gallery, 80, running_at_once=10)
    assert completed(told) == 80
    assert gallery.reads < 1.5 * 80
    assert told.mean_lag < 1.0


async def test_the_user_is_looked_up_once() -> None:
    """Pages and `Session.list` share what they know of the account."""
    gallery = Gallery(low=5.0, high=6.0)
    async with serving(gallery) as url:
        async with aiogen.Session([aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)]) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", "cat") for _ in range(30)]
            await asyncio.sleep(4.0)
            listed = {generation.provider_id async for generation in session.list("leonardo")}
            await asyncio.gather(*jobs)
    assert listed == set(gallery.made)
    assert gallery.count("list") > 2
    assert gallery.count("me") == 1


@pytest.mark.no_cover
async def test_pages_keep_to_the_budget() -> None:
    """However cheap questions are said to be, pages and all else stay below the account's requests per minute."""
    gallery = Gallery(low=60.0, high=90.0)
    told = await run(gallery, 40, poll_cost=0.001, requests_per_minute=120)
    assert completed(told) == 40
    assert gallery.count("list") > 40
    times = list(gallery.times())
    for first in times:
        assert sum(first <= at < first + 60.0 for at in times) <= 120


# --- a list is read as it is


@pytest.mark.no_cover
async def test_ids_are_matched_wherever_they_stand() -> None:
    """A list in no order at all: what stands on a page counts, and nobody gets another one's image."""

    def shuffled(rows: list[Made]) -> list[Made]:
        return random.Random(len(rows)).sample(rows, len(rows))

    gallery = Gallery(turned=shuffled)
    told = await run(gallery, 70)
    assert completed(told) == 70
    assert gallery.count("list") > 3
    assert max(told.lags) < 4.0


@pytest.mark.no_cover
async def test_a_list_with_the_oldest_first() -> None:
    """Then the pages that are asked for are the wrong ones, and soon no page is asked for any more."""
    gallery = Gallery(turned=lambda rows: rows[::-1])
    told = await run(gallery, 120)
    assert completed(told) == 120
    assert gallery.count("list") < 10
    assert gallery.singles >= 100


@pytest.mark.no_cover
async def test_generations_of_others_stand_between_ours() -> None:
    """Another program with the same key pushes ours down the list; they are found all the same."""
    gallery = Gallery(strangers=2)
    told = await run(gallery, 60)
    assert completed(told) == 60
    assert gallery.count("list") > 3
    assert max(told.lags) < 8.0


def is_hidden(made: Made) -> bool:
    return int(made.id.rpartition("-")[2]) % 5 == 0


@pytest.mark.no_cover
async def test_what_does_not_appear_is_asked_about_singly() -> None:
    """An id that should be on the page and is not costs a question of its own; the others do not."""
    gallery = Gallery(hidden=is_hidden)
    told = await run(gallery, 50)
    assert completed(told) == 50
    asked = [what for _, what, _ in gallery.seen if what in gallery.made]
    hidden = {made.id for made in gallery.ours() if is_hidden(made)}
    assert {what for what in asked if what in hidden} == hidden
    assert len(asked) < 2.5 * 50
    assert gallery.count("list") > 3


@pytest.mark.no_cover
async def test_a_page_may_be_shorter_than_asked_for() -> None:
    """A vendor whose pages are shorter than anyone knows is asked about the rest singly."""
    gallery = Gallery(page=10)
    assert completed(await run(gallery, 60)) == 60
    assert gallery.singles > 0


async def test_a_failure_is_asked_about_singly() -> None:
    """The list says that it failed, and the question about it why."""
    gallery = Gallery(fails=frozenset([10]))
    told = await run(gallery, 25)
    assert completed(told) == 24
    (failed,) = [job for job in told.jobs if job.state is State.FAILED]
    assert isinstance(failed.error, aiogen.GenerationFailed)
    known = failed.generation
    assert (known.failure_code, known.failure_reason) == (FailureCode.GENERATION_FAILED, "out of paint")


async def test_two_failures_on_one_page() -> None:
    """Each costs one question of its own, not one page after the other for as long as both stand there."""
    gallery = Gallery(fails=frozenset([8, 9]))
    told = await run(gallery, 25, timeout=60.0)
    assert completed(told) == 23
    assert [job.state for job in told.jobs[8:10]] == [State.FAILED] * 2
    assert gallery.count("list") < 100


async def test_a_list_that_leaves_the_images_out() -> None:
    """What the list cannot show is asked for singly: every job completes."""
    gallery = Gallery(images_listed=0)
    assert completed(await run(gallery, 20, timeout=60.0)) == 20


# --- a list that cannot be relied on


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "answer",
    [
        (403, {"error": "Forbidden", "code": "access-denied"}),
        (404, {"error": "Endpoint not found", "code": "not-found"}),
        (500, {"error": "Internal error", "code": "unexpected"}),
        (200, {"generations": None}),
    ],
)
async def test_a_refused_list_is_done_without(answer: tuple[int, Any]) -> None:
    """It is asked for once, then left alone for a minute; every job ends by questions of its own."""
    gallery = Gallery(list_answer=answer)
    told = await run(gallery, 25)
    assert completed(told) == 25
    assert gallery.count("list") == 1
    assert gallery.singles >= 25


@pytest.mark.no_cover
async def test_without_the_user_there_is_no_list() -> None:
    """If nobody says whose list it would be, jobs are asked about singly."""

    async def no_user(request: web.BaseRequest) -> web.Response:
        if request.path.endswith("/me"):
            return gallery.note(0.0, "me", web.json_response({"error": "unexpected"}, status=500))
        return await gallery(request)

    gallery = Gallery()
    loop = asyncio.get_running_loop()
    async with serving(no_user) as url:
        async with aiogen.Session([aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)]) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", "cat") for _ in range(40)]
            await asyncio.gather(*jobs)
    assert loop.time() < 40.0
    assert (gallery.count("list"), gallery.count("me")) == (0, 1)


async def test_a_refused_list_is_tried_again_later_each_time() -> None:
    """After one minute, then two, then four; what it refuses meanwhile costs nobody an answer."""
    gallery = Gallery(low=400.0, high=420.0, list_answer=(403, {"error": "Forbidden"}))
    assert completed(await run(gallery, 10)) == 10
    times = list(gallery.times("list"))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 2 <= len(gaps) <= 3
    assert all(gap >= least for gap, least in zip(gaps, (60.0, 120.0, 240.0), strict=False))


@pytest.mark.no_cover
async def test_a_list_that_works_again_is_used_again() -> None:
    """Its rest over, it is asked once more, and then for all."""
    gallery = Gallery(low=100.0, high=130.0, list_answer=(403, {"error": "Forbidden"}))

    def allow() -> None:
        gallery.list_answer = None

    asyncio.get_running_loop().call_later(30.0, allow)
    assert completed(await run(gallery, 25)) == 25
    first, *later = gallery.times("list")
    assert later[0] >= first + 60.0
    assert len(later) > 5


async def test_a_list_that_knows_nothing_of_the_newest() -> None:
    """A list that is behind lacks what was just made; its pages are given up, and nothing is believed of them."""
    gallery = Gallery(lag=8.0)
    told = await run(gallery, 25)
    assert completed(told) == 25
    assert gallery.count("list") <= 3
    assert gallery.singles >= 25


@attrs.define(eq=False)
class Stale(Gallery):
    """All ids stand in its list, in the state of some seconds ago."""

    behind: float = 6.0

    def list(self, now: float, offset: int, limit: int) -> web.Response:
        rows = list(reversed(self.made.values()))[offset : offset + limit]
        return web.json_response({"generations": [made.told(now - self.behind) for made in rows]})


async def test_old_states_in_the_list_take_nothing_back() -> None:
    """A list that says PENDING of what is over only delays: every job ends, once, with its image."""
    gallery = Stale()
    told = await run(gallery, 25)
    assert completed(told) == 25
    assert max(told.lags) < 6.0 + 4.0


@pytest.mark.no_cover
async def test_a_list_with_old_states_is_found_out() -> None:
    """Now and then a job is asked about singly as well: what the list does not know yet ends the use of it."""
    gallery = Stale(low=10.0, high=40.0)
    told = await run(gallery, 80)
    assert completed(told) == 80
    assert gallery.singles > 10
    assert told.mean_lag < 5.0


# --- a session's corners


def without_lists(gallery: Gallery) -> Handler:
    """Its pages never come."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if "/user/" in request.path:
            await asyncio.sleep(1e6)
        return await gallery(request)

    return answer


async def test_a_session_that_is_left_while_a_page_is_read() -> None:
    """Nobody waits for the page, and every job says how to go on."""
    gallery, loop = Gallery(), asyncio.get_running_loop()
    async with serving(without_lists(gallery)) as url:
        async with aiogen.Session([aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)]) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", "cat") for _ in range(30)]
            await asyncio.sleep(10.0)
            assert gallery.count("me") == 1
        assert loop.time() < 11.0
    assert all(isinstance(job.error, aiogen.SessionClosed) for job in jobs)


@pytest.mark.no_cover
async def test_a_page_that_never_comes_holds_nobody_up() -> None:
    """It ends by the timeout of a read; then the jobs on it are asked about singly."""
    gallery, loop = Gallery(), asyncio.get_running_loop()
    async with serving(without_lists(gallery)) as url:
        leonardo = aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)
        async with aiogen.Session([leonardo], read_timeout=5.0) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", "cat") for _ in range(30)]
            await asyncio.gather(*jobs)
            assert loop.time() < 35.0
    assert all(job.state is State.COMPLETED for job in jobs)


async def test_a_bug_while_reading_a_page_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs on it are asked about again, and their deadlines hold."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("aiogen._polling.listing.Listing.read", broken)
    gallery = Gallery()
    async with serving(gallery) as url:
        async with aiogen.Session([aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)]) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", "cat", timeout=200.0) for _ in range(30)]
            ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert gallery.count("list") > 1
    assert all(isinstance(error, aiogen.GenerationTimeout) or job.done for job, error in zip(jobs, ended, strict=True))


async def test_jobs_attached_by_their_ids_are_found_on_pages_too() -> None:
    """Nobody knows where they stand; the pages that are read for others tell, and the result is theirs."""
    gallery = Gallery(low=30.0, high=34.0)
    elsewhere = [gallery.create(0.0) for _ in range(20)]
    async with serving(gallery) as url:
        async with aiogen.Session([aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)]) as session:
            ours = [await session.submit("leonardo/gemini-image-2", "cat") for _ in range(25)]
            theirs = await session.wait_many("leonardo", elsewhere)
            await asyncio.gather(*ours)
    assert [generation.provider_id for generation in theirs] == elsewhere
    assert [generation.url for generation in theirs] == [f"https://cdn.example/{name}/0.jpg" for name in elsewhere]
    assert gallery.count("list") > 1


async def test_what_a_page_says_counts_while_another_one_hangs() -> None:
    """Twenty jobs are asked about by a page that takes half a minute; the next one shows that they are over."""

    async def hangs(request: web.BaseRequest) -> web.Response:
        nonlocal pages
        answer = await gallery(request)
        if "/user/" in request.path:
            pages += 1
            if pages == 1:
                await asyncio.sleep(25.0)
        return answer

    gallery, pages, lags = Gallery(), 0, []
    loop = asyncio.get_running_loop()
    async with serving(hangs) as url:
        leonardo = aiogen.Leonardo(api_key=KEY, base_url=url, **WIDE)
        async with aiogen.Session([leonardo], read_timeout=60.0) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", f"cat {i}") for i in range(20)]
            while not pages:
                await asyncio.sleep(0.1)
            began_at = loop.time()
            late = [await session.submit("leonardo/gemini-image-2", f"late cat {i}") for i in range(20)]
            async for job in session.as_completed(jobs):
                lags.append(loop.time() - gallery.made[job.provider_id or ""].ends_at)
            assert loop.time() < began_at + 24.0
            await asyncio.gather(*late)
    assert max(lags) < 8.0


async def test_a_page_is_a_question_about_each_job_on_it() -> None:
    """Fewer questions are sent than jobs know of."""
    gallery = Gallery()
    told = await run(gallery, 40)
    known = [job.generation.asked_after for job in told.jobs]
    assert all(known)
    assert sum(map(len, known)) > gallery.reads
    assert all(0.0 <= after < 30.0 for each in known for after in each)
