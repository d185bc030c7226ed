"""What becomes of a create: paid for once, never lost, never sent again unless it surely was not carried out."""

from __future__ import annotations

import asyncio
import itertools
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from serving import ID, Answer, Vendor, body, done, luma, serving

import aiogen
from aiogen import Action, FailureCode, State, Throttle
from aiogen.stores.memory import MemoryStore

ACCEPTED: Answer = (201, body())


@pytest.mark.parametrize(
    "answer",
    [
        "cut",
        "hang",
        (500, {"detail": "oops"}),
        (504, "<html>gateway</html>"),
        (599, ""),
        (201, "<html>hello</html>"),
        (201, '{"id": "d290'),
        (201, ""),
        (201, []),
        (201, {"state": "queued"}),
        (201, {"id": 7, "state": "queued"}),
        (201, {"id": " ", "state": "queued"}),
        (302, "", {"Location": "http://127.0.0.1:1/"}),
        (201, b"x" * 3_000_000),
    ],
    ids=lambda a: a if isinstance(a, str) else f"{a[0]}-{str(a[1])[:16]}",
)
async def test_an_answer_that_says_nothing_leaves_the_outcome_unknown(answer: Answer) -> None:
    """The job may be running and charged: it is reported with all that helps to find it, and never sent again."""
    vendor = Vendor(creates=[answer, ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url)], max_answer_bytes=2_000_000) as session:
        before = datetime.now(UTC)
        job = await session.submit("luma/uni-1", "a boat")
        with pytest.raises(aiogen.SubmissionUnknown) as caught:
            await job
        await asyncio.sleep(600.0)
        with pytest.raises(aiogen.SubmissionUnknown):
            await job.accepted()
    assert vendor.creates == 1
    error = caught.value
    assert job.state is State.UNKNOWN
    assert error.job_id == job.id
    assert error.submitted_at is not None
    assert abs(error.submitted_at - before) < timedelta(seconds=5)
    assert job.submission is not None
    assert error.fingerprint == job.submission.fingerprint()
    assert error.request_id == vendor.headers[0]["X-Request-Id"]
    assert "aiogen does not send it again" in str(error)
    assert isinstance(error.__cause__, aiogen.AiogenError)


async def test_an_unknown_submission_holds_its_place_for_a_while() -> None:
    """It may hold a slot at the vendor, so the window counts it until its deadline would have passed."""
    vendor = Vendor(creates=["cut", ACCEPTED], reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate("luma/uni-1", "lost", timeout=40.0)
        await session.generate("luma/uni-1", "next")
    assert vendor.times("POST")[1] - vendor.times("POST")[0] == pytest.approx(40.0, abs=0.1)


@pytest.mark.parametrize("kind", ["seconds", "date"])
async def test_retry_after_is_obeyed(kind: str) -> None:
    """A 429 is no attempt and loses nothing; the create goes out again when it may, and not before."""
    value = "17" if kind == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=18), usegmt=True)
    refusal = (429, {"detail": "Rate limit exceeded"}, {"Retry-After": value, "X-RateLimit-Remaining": "0"})
    vendor = Vendor(creates=[refusal, refusal, ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        states = [event.state async for event in job.events()]
    first, second, third = vendor.times("POST")
    assert 16.9 < second - first < 20.0
    if kind == "seconds":
        assert third - second >= 17.0
    assert states[:5] == ["pending", "submitting", "pending", "submitting", "pending"]
    assert states[-1] == "completed"


async def test_a_concurrency_refusal_waits_for_one_of_our_own_to_end() -> None:
    """The vendor's 60 s are no promise: the end of a job of ours is, and nothing is sent before it."""
    loop = asyncio.get_running_loop()
    ends: dict[str, float] = {}
    refused = 0

    async def two_at_once(request: Any) -> Any:
        nonlocal refused
        from aiohttp import web

        if request.method == "GET":
            key = request.path.rsplit("/", 1)[1]
            over = loop.time() >= ends[key]
            return web.json_response({**(done() if over else body("processing")), "id": key})
        if sum(end > loop.time() for end in ends.values()) >= 2:
            refused += 1
            return web.json_response({"detail": "Too many concurrent jobs"}, status=429, headers={"Retry-After": "60"})
        key = f"job-{len(ends)}"
        ends[key] = loop.time() + 10.0
        return web.json_response({**body(), "id": key}, status=201)

    async with serving(two_at_once) as url, aiogen.Session([luma(url, max_active=10)]) as session:
        jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(8)]
        await asyncio.gather(*jobs)
        assert loop.time() < 60.0
        window = session._open().hub.account(session.connections["luma"]).window
        assert window.figures(loop.time())["max_active"] == 2
    assert refused == 6  # the first burst; from then on the limit is known


async def test_a_full_account_of_others_is_tried_again_after_retry_after() -> None:
    """With none of ours running, no end of ours can come."""
    refusal = (429, {"detail": "Concurrent generation limit reached (10)"}, {"Retry-After": "60"})
    vendor = Vendor(creates=[refusal, ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "a boat")
    first, second = vendor.times("POST")
    assert 60.0 <= second - first < 67.0


@pytest.mark.parametrize("status", [502, 503])
async def test_luma_documents_502_and_503_as_not_carried_out(status: int) -> None:
    """They are sent again, with a pause between."""
    vendor = Vendor(creates=[(status, {"detail": "Upstream service unavailable"})] * 2 + [ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat")).state is State.COMPLETED
    first, second, third = vendor.times("POST")
    assert 1.0 <= second - first < 3.0
    assert 4.0 <= third - second < 9.0


@pytest.mark.parametrize("status", [502, 503])
async def test_what_the_vendor_says_of_a_job_is_believed_three_times(status: int) -> None:
    """Then that job is refused, whatever the truth: it may be the very request that the vendor cannot take."""
    vendor = Vendor(creates=[(status, {"detail": "Upstream service unavailable"})] * 3 + [ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.GenerationRefused, match="Upstream service unavailable") as caught:
            await session.generate("luma/uni-1", "a boat")
        assert vendor.creates == 3
        assert (caught.value.status, caught.value.code) == (status, aiogen.FailureCode.PROVIDER_ERROR)
        assert (await session.generate("luma/uni-1", "another")).state is State.COMPLETED


PAGES = [
    *("<html>Bad Gateway</html>", "upstream connect error", "", '{"message": "no"}', "[]", "null", '{"det'),
    *('{"detail": null}', '{"detail": "Bad Gateway"}', '{"error": "Bad Gateway", "code": 502}'),
]
VENDORS = {"luma": "luma/uni-1", "leonardo": "leonardo/gemini-image-2"}


def connection(name: str, url: str, **options: Any) -> aiogen.Provider:
    if name == "luma":
        return luma(url, **options)
    return aiogen.Leonardo(api_key="11111111-2222-4333-8444-555555555555", base_url=url, **options)


@pytest.mark.no_cover
@pytest.mark.parametrize("body", PAGES)
@pytest.mark.parametrize("status", [200, 201, 204, 301, 307, 408, 500, 502, 503, 504, 520])
@pytest.mark.parametrize("name", VENDORS)
async def test_who_answers_for_the_vendor_does_not_know_what_it_did(name: str, status: int, body: str) -> None:
    """The create may have been passed on and carried out: it is unknown, and never sent again."""
    vendor = Vendor(creates=[(status, "" if status == 204 else body)])
    async with serving(vendor) as url, aiogen.Session([connection(name, url)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate(VENDORS[name], "a boat")
        await asyncio.sleep(60.0)
    assert vendor.creates == 1


@pytest.mark.no_cover
@pytest.mark.parametrize("body", PAGES)
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 407, 413, 418, 451])
@pytest.mark.parametrize("name", VENDORS)
async def test_who_turns_a_create_away_for_the_vendor_ends_that_job_alone(name: str, status: int, body: str) -> None:
    """It did not get through.  Of the account it says nothing, so the others are sent all the same."""
    taken = ACCEPTED if name == "luma" else (200, {"generate": {"generationId": ID}})
    vendor = Vendor(creates=[(status, body), taken])
    async with serving(vendor) as url, aiogen.Session([connection(name, url, max_active=1)]) as session:
        first, second = [await session.submit(VENDORS[name], prompt) for prompt in ("a boat", "another")]
        with pytest.raises(aiogen.GenerationRefused) as caught:
            await first
        assert caught.value.status == status
        # An empty answer with 404 is Leonardo's own way to say that something is not there.
        assert caught.value.from_api is ((name, status) == ("leonardo", 404) and body in ("[]", "null"))
        await second.accepted()
    assert vendor.creates == 2


@pytest.mark.parametrize("body", PAGES)
async def test_a_429_slows_the_account_whoever_gave_it(body: str) -> None:
    """Somebody on the way wants fewer requests: it is no failure of the job."""
    vendor = Vendor(creates=[(429, body, {"Retry-After": "7"}), ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat")).state is State.COMPLETED
    first, second = vendor.times("POST")
    assert second - first >= 7.0


async def test_the_vendors_own_word_about_the_key_is_for_all() -> None:
    """In its own shape it ends every job that waits, unsent: each would be refused alike."""
    vendor = Vendor(creates=[ACCEPTED, (401, {"detail": "API key has been revoked"})])
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(5)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(r) for r in results] == [aiogen.Generation, *[aiogen.AuthenticationError] * 4]
    assert vendor.creates == 2


async def test_a_refused_connection_is_tried_again() -> None:
    """Nothing was sent, so nothing can be paid twice; a provider that comes back within the minute loses no job."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    vendor = Vendor()
    async with aiogen.Session([luma(f"http://127.0.0.1:{port}")]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await asyncio.sleep(20.0)
        assert job.state is State.PENDING
        from aiohttp import web

        runner = web.ServerRunner(web.Server(vendor), shutdown_timeout=0.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        assert (await job).state is State.COMPLETED
    await runner.cleanup()
    assert vendor.creates == 1


async def test_an_unreachable_provider_is_given_up_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """It is said at once, and once; after `unreachable_timeout` every job hears that nothing was sent."""
    loop = asyncio.get_running_loop()
    async with aiogen.Session([luma("http://127.0.0.1:9")], unreachable_timeout=30.0) as session:
        jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(50)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert 30.0 <= loop.time() < 60.0
    assert all(isinstance(r, aiogen.NetworkError) and not r.sent for r in results)
    assert {r.job_id for r in results if isinstance(r, aiogen.AiogenError)} == {job.id for job in jobs}
    assert "cannot be reached" in str(results[0])
    (warning,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert "127.0.0.1:9 cannot be reached" in warning
    assert warning.endswith("Nothing was sent; aiogen keeps trying for 30 s.")


@pytest.mark.parametrize(
    ("status", "detail", "code"),
    [
        (400, "Unknown model: super-model-v9", FailureCode.INVALID_REQUEST),
        (404, "Not Found", FailureCode.NOT_FOUND),
        (413, "Image exceeds 50 MB size limit", FailureCode.IMAGE_TOO_LARGE),
        (422, "image_ref[0]: failed to fetch URL", FailureCode.INVALID_REQUEST),
        (403, "<html>edge</html>", FailureCode.PROVIDER_ERROR),
    ],
)
async def test_a_refusal_ends_the_job(status: int, detail: str, code: FailureCode) -> None:
    """It is a `GenerationFailed` for loops over many jobs, and an `APIError` with the vendor's words."""
    vendor = Vendor(creates=[(status, detail if "<" in detail else {"detail": detail})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        with pytest.raises(aiogen.GenerationFailed) as caught:
            await job
    error = caught.value
    assert isinstance(error, aiogen.APIError)
    assert isinstance(error, aiogen.GenerationRefused)
    assert str(error).startswith(f"Failed to create generation. API error {status}: ")
    assert (error.status, error.code, error.generation) == (status, code, job.generation)
    assert error.action is not None
    # At an address of the user's own, of words that are any server's, the address is what to look at.
    what_helps = f"Is the base url {url}/v1 right" if status == 404 else error.action.help_text
    assert what_helps in "\n".join([str(error), *getattr(error, "__notes__", ())])
    assert (job.state, job.generation.failure_code) == (State.FAILED, code)
    assert vendor.creates == 1


@pytest.mark.parametrize(
    ("status", "detail", "kind", "action"),
    [
        (401, "API key has been revoked", aiogen.AuthenticationError, Action.FIX_KEY),
        (403, "API client is suspended", aiogen.AuthenticationError, Action.FIX_KEY),
        (402, "Insufficient credits. Please add credits to continue.", aiogen.InsufficientFunds, Action.ADD_FUNDS),
    ],
)
async def test_trouble_of_the_account_ends_all_that_wait(
    status: int, detail: str, kind: type[aiogen.APIError], action: Action
) -> None:
    """Those in line are not sent to be refused one by one; a later job tries anew."""
    vendor = Vendor(creates=[(status, {"detail": detail})])
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(20)]
        errors = await asyncio.gather(*jobs, return_exceptions=True)
        assert vendor.creates == 1
        with pytest.raises(kind):
            await session.generate("luma/uni-1", "later")
    assert vendor.creates == 2
    assert all(isinstance(error, kind) and error.action is action for error in errors)
    assert {error.job_id for error in errors if isinstance(error, aiogen.AiogenError)} == {job.id for job in jobs}
    assert all(job.state is State.FAILED for job in jobs)


async def test_waiting_for_a_turn_ends_too() -> None:
    """`queue_timeout` bounds the time in our queue; nothing was sent."""
    refusal = (429, {"detail": "Too many requests"})
    async with serving(Vendor(creates=[refusal])) as url:
        async with aiogen.Session([luma(url)], queue_timeout=100.0) as session:
            job = await session.submit("luma/uni-1", "a boat")
            with pytest.raises(aiogen.GenerationTimeout, match="was not sent; nothing was charged"):
                await job
        assert asyncio.get_running_loop().time() == pytest.approx(100.0, abs=2.0)


async def test_creates_without_retry_after_back_off() -> None:
    """429s that say nothing are spaced ever wider, for the whole account."""
    vendor = Vendor(creates=[(429, {"detail": "Too many requests"})] * 4 + [ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "a boat")
    times = vendor.times("POST")
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert all(gap >= least for gap, least in zip(gaps, (5.0, 10.0, 20.0, 40.0), strict=True))


async def test_a_job_that_is_done_at_once() -> None:
    """A create answered with a finished generation needs no reading, and no waiting."""
    vendor = Vendor(creates=[(201, done())])
    loop = asyncio.get_running_loop()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        generation = await session.generate("luma/uni-1", "a boat")
    assert loop.time() < 0.1
    assert (generation.state, len(generation.outputs), vendor.reads) == (State.COMPLETED, 1, 0)


async def test_a_job_that_is_done_at_once_without_its_outputs_is_read() -> None:
    """How it ended the next reading says."""
    vendor = Vendor(creates=[(201, body("completed"))])
    loop = asyncio.get_running_loop()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        generation = await session.generate("luma/uni-1", "a boat")
    assert loop.time() < 0.1
    assert (generation.state, len(generation.outputs), vendor.reads) == (State.COMPLETED, 1, 1)


async def test_first_come_first_served() -> None:
    """A job that was put back keeps its place in line."""
    refusal = (429, {"detail": "Rate limit exceeded"}, {"Retry-After": "5"})
    vendor = Vendor(creates=[refusal, ACCEPTED])
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(4)]
        await asyncio.gather(*jobs)
    assert [sent["prompt"] for sent in vendor.bodies] == ["p0", "p0", "p1", "p2", "p3"]


async def test_the_window_learns_a_lower_limit() -> None:
    """`X-RateLimit-Limit` below what is configured is believed."""
    vendor = Vendor(creates=[(201, body(), {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1"})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "first")
        jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(5)]
        await asyncio.gather(*jobs)
    times = vendor.times("POST")
    assert all(c - a >= 60.0 for a, c in zip(times, times[2:], strict=False))


class Faulty:
    """A ledger that fails at one verb."""

    def __init__(self, verb: str) -> None:
        from aiogen.stores.memory import MemoryStore

        self._inner = MemoryStore()
        self._verb = verb

    def __getattr__(self, name: str) -> Any:
        if name == self._verb:

            async def fail(*_: object) -> None:
                raise aiogen.StoreError(f"the disk is full ({name})")

            return fail
        return getattr(self._inner, name)


@pytest.mark.parametrize(("verb", "sent"), [("add", 0), ("intend", 0), ("confirm", 1), ("settle", 1)])
async def test_a_ledger_that_fails(verb: str, sent: int, caplog: pytest.LogCaptureFixture) -> None:
    """Before money is spent it is an error; afterwards the job goes on in memory and the log tells."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=Faulty(verb)) as session:  # type: ignore[arg-type]
        if sent:
            assert (await session.generate("luma/uni-1", "a boat")).state is State.COMPLETED
            assert "disk is full" in caplog.text
        else:
            with pytest.raises(aiogen.StoreError, match="disk is full"):
                await session.generate("luma/uni-1", "a boat")
    assert vendor.creates == sent


async def test_throttles_have_names() -> None:
    """A handler can tell which limit a refusal speaks of."""
    headers = {"Retry-After": "30"}
    vendor = Vendor(reads=[(429, {"detail": "Too many requests"}, headers)])
    async with serving(vendor) as url, aiogen.Session([luma(url)], read_attempts=2) as session:
        with pytest.raises(aiogen.RateLimited) as caught:
            await session.get("luma", ID)
    assert (caught.value.throttle, caught.value.retry_after) == (Throttle.ACCOUNT, 30.0)
    first, second = vendor.times("GET")
    assert second - first >= 30.0


def loud(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "ERROR"]


async def test_jobs_that_asked_for_different_things_are_not_one_generation(caplog: pytest.LogCaptureFixture) -> None:
    """A create that is answered with another job's id is unknown: nobody gets a picture made for somebody else."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    vendor.has_many = False
    store = MemoryStore()
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        first = await session.submit("luma/uni-1", "a boat")
        await first.accepted()
        others = [await session.submit("luma/uni-1", f"boat {i}") for i in range(2)]
        for other in others:
            with pytest.raises(aiogen.SubmissionUnknown, match=f"generation {ID}, which belongs to job {first.id}"):
                await other
        assert (await first).warnings == ()
        assert {r.state for r in await session.records() if r.id != first.id} == {State.UNKNOWN}
    assert vendor.creates == 3
    (line,) = loud(caplog)
    assert ID in line
    assert "may have been charged, and it is not known what became of the second" in line


async def test_an_id_that_comes_again_is_confirmed_marked_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """The first is over, so nothing of it can be mixed up any more: no paid job becomes an error for its id."""
    vendor = Vendor()
    vendor.has_many = False
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        generations = [await session.generate("luma/uni-1", f"boat {i}") for i in range(4)]
        recorded = {r.id: r for r in await session.records()}
    assert [len(generation.warnings) for generation in generations] == [0, 1, 1, 1]
    assert all(f"also belongs to job {generations[0].id}" in g.warnings[0] for g in generations[1:])
    assert {(r.state, r.provider_id) for r in recorded.values()} == {(State.COMPLETED, ID)}
    (line,) = loud(caplog)
    assert "both get its outputs" in line


@pytest.mark.looptime(False)
@pytest.mark.parametrize("how", ["after it", "beside it", "taken up", "attached"])
async def test_an_id_of_another_session_is_seen_in_the_ledger(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one that was given before a restart, to another program on the same file, or that was attached."""
    vendor = Vendor(reads=[(200, body("processing"))])
    vendor.has_many = False
    async with asyncio.timeout(30.0), serving(vendor) as url, AsyncExitStack() as stack:

        async def opened() -> aiogen.Session:
            provider = luma(url, typical_seconds={"uni-1": 0.05})
            return await stack.enter_async_context(aiogen.Session([provider], store=tmp_path / "ledger.db"))

        session = await opened()
        job = await (session.attach("luma", ID) if how == "attached" else session.submit("luma/uni-1", "a boat"))
        await job.accepted()
        if how == "after it":
            vendor._reads = [(200, done())]
            await job
        if how in ("after it", "taken up"):
            await stack.aclose()
        if how != "attached":
            session = await opened()
            await session.resume()
        late = await session.submit("luma/uni-1", "a tree" if how == "after it" else "a boat")
        await late.accepted()
        vendor._reads = [(200, done())]
        assert "the provider answered two creates with one id" in (await late).warnings[0]
    (line,) = loud(caplog)
    assert "both get its outputs" in line


@pytest.mark.looptime(False)
async def test_an_id_of_a_job_that_runs_in_another_session_gives_its_picture_to_nobody_else(tmp_path: Path) -> None:
    """It asked for something else, so what the second create made is unknown."""
    vendor = Vendor(reads=[(200, body("processing"))])
    vendor.has_many = False
    store = tmp_path / "ledger.db"
    async with asyncio.timeout(30.0), serving(vendor) as url, aiogen.Session([luma(url)], store=store) as session:
        await (await session.submit("luma/uni-1", "a boat")).accepted()
        async with aiogen.Session([luma(url)], store=store) as other:
            with pytest.raises(aiogen.SubmissionUnknown):
                await other.generate("luma/uni-1", "a tree")


async def test_two_jobs_that_asked_for_the_same_may_be_one_generation(caplog: pytest.LogCaptureFixture) -> None:
    """A vendor may make one of two equal requests: both end with it, and both say so, also in the ledger."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    vendor.has_many = False
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        jobs = [await session.submit("luma/uni-1", "a boat") for _ in range(2)]
        first, second = await asyncio.gather(*jobs)
        recorded = {r.id: r.generation for r in await session.records()}
    assert (first.provider_id, second.provider_id) == (ID, ID)
    assert [w for g in (first, second) for w in g.warnings] == [
        f"generation {ID} also belongs to job {job.id}: the provider answered two creates with one id"
        for job in reversed(jobs)
    ]
    assert all(recorded[g.id or ""].warnings == g.warnings for g in (first, second))
    (line,) = loud(caplog)
    assert "both get its outputs" in line


async def test_a_ledger_in_trouble_does_not_make_two_jobs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first job asked for cannot be read: nothing is taken for the same on a guess."""
    vendor = Vendor(reads=[(200, body("processing"))])
    vendor.has_many = False

    async def broken(self: MemoryStore, job_id: str) -> None:
        raise aiogen.StoreError("no")

    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await (await session.submit("luma/uni-1", "a boat")).accepted()
        monkeypatch.setattr(MemoryStore, "get", broken)
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate("luma/uni-1", "a boat")


@pytest.mark.parametrize("is_left", [False, True])
async def test_an_id_is_written_down_also_if_the_ledger_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, is_left: bool
) -> None:
    """Whether it was given before is asked first; neither silence nor the end of the session costs the paid id."""
    asked = asyncio.Event()

    async def silent(self: MemoryStore, account: str, provider_ids: Any) -> Any:
        asked.set()
        await asyncio.sleep(1e6)

    monkeypatch.setattr(MemoryStore, "by_provider_id", silent)
    store = MemoryStore()
    async with serving(Vendor(reads=[(200, body("processing"))])) as url:
        session = aiogen.Session([luma(url)], store=store)
        job = await session.submit("luma/uni-1", "a boat")
        await asked.wait()
        if is_left:
            for task in list(session._open().coordinator._creates):
                task.cancel()
        await asyncio.sleep(2.0)
        record = await store.get(job.id)
        await session.close()
    assert record is not None
    assert (record.provider_id, record.state) == (ID, State.QUEUED)
