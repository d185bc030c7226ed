"""Following a generation: nothing that a vendor answers ends a paid job, but its own end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from serving import ID, Answer, Vendor, body, done, luma, serving

import aiogen
from aiogen import Action, FailureCode, State

BROKEN: list[Answer] = [
    (500, {"detail": "oops"}),
    (503, "<html>maintenance</html>"),
    (200, "<html>hello</html>"),
    (200, '{"id": "d290'),
    (200, ""),
    (200, []),
    (200, {"id": ID}),
    (200, {"id": ID, "state": 7}),
    (200, {"id": ID, "state": "completed", "output": "soon"}),
    (200, {"id": ID, "state": "completed", "output": [{"url": 5}]}),
    (200, {"id": "another", "state": "completed", "output": [{"url": "https://a.example/b.png"}]}),
    (200, b"x" * 3_000_000),
    (400, {"detail": "what?"}),
    (302, "", {"Location": "http://127.0.0.1:1/"}),
    (403, "<html>edge</html>"),
    "cut",
    "hang",
]


@pytest.mark.parametrize("answer", BROKEN, ids=lambda a: a if isinstance(a, str) else f"{a[0]}-{str(a[1])[:24]}")
async def test_a_broken_answer_passes(answer: Answer) -> None:
    """Three times in a row, and the job still completes."""
    vendor = Vendor(reads=[(200, body("processing")), answer, answer, answer, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)], max_answer_bytes=2_000_000) as session:
        generation = await session.generate("luma/uni-1", "a boat", timeout=600.0)
    assert generation.state is State.COMPLETED
    assert vendor.reads == 5


@pytest.mark.parametrize("answer", BROKEN, ids=lambda a: a if isinstance(a, str) else f"{a[0]}-{str(a[1])[:24]}")
async def test_a_broken_answer_for_ever_ends_at_the_deadline(answer: Answer) -> None:
    """To 50 ms, and the error tells what the vendor last said."""
    loop = asyncio.get_running_loop()
    vendor = Vendor(reads=[answer])
    async with serving(vendor) as url, aiogen.Session([luma(url)], max_answer_bytes=2_000_000) as session:
        job = await session.submit("luma/uni-1", "a boat", timeout=100.0)
        await job.accepted()
        begun = loop.time()
        with pytest.raises(aiogen.GenerationTimeout) as caught:
            await job
        assert loop.time() - begun == pytest.approx(100.0, abs=0.05)
        assert vendor.reads < 40
    assert "The last status request failed:" in str(caught.value)


async def test_a_wrong_answer_says_what_and_where() -> None:
    """One call that must be read shows status, path and expectation."""
    vendor = Vendor(reads=[(200, {"id": ID, "state": "completed", "output": [{"url": 5}]})])
    async with serving(vendor) as url, aiogen.Session([luma(url)], read_attempts=1) as session:
        with pytest.raises(aiogen.ProtocolError) as caught:
            await session.get("luma", ID)
    error = caught.value
    assert (error.provider, error.status, error.path, error.provider_id) == ("luma", 200, "$.output", ID)
    assert "HTTP 200" in str(error)


async def test_not_found_right_after_the_create_means_not_yet() -> None:
    """For the first seconds of a job of ours the vendor may not know it everywhere."""
    missing = (404, {"detail": "Generation not found"})
    vendor = Vendor(reads=[missing, missing, missing, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat")).state is State.COMPLETED


MISSING: Answer = (404, {"detail": "Generation not found"})


async def test_not_found_of_what_was_attached_right_after_its_creation_means_not_yet() -> None:
    """Somebody has just made it, and the vendor may not know it everywhere."""
    vendor = Vendor(reads=[MISSING] * 4 + [(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.attach("luma", ID)
        assert (await job).state is State.COMPLETED


async def test_an_attached_id_that_does_not_exist_is_said_after_the_grace() -> None:
    """A few looks over some seconds, ever more rarely; then it is believed, and its place is free again."""
    vendor = Vendor(reads=[MISSING])
    loop = asyncio.get_running_loop()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        began = loop.time()
        with pytest.raises(aiogen.NotFound):
            await (await session.attach("luma", ID))
        assert 10.0 <= loop.time() - began < 15.0
        assert vendor.reads < 10
        assert session._open().hub.account(session.connections["luma"]).window.active == 0


@pytest.mark.parametrize("missing", [MISSING, (404, {"detail": "x"}), (404, "<html>no</html>")])
@pytest.mark.parametrize("count", [1, 3])
async def test_not_found_between_good_readings_ends_nothing(missing: Answer, count: int) -> None:
    """A replica that lags behind, seconds or hours after the creation, one answer or several."""
    runs: Answer = (200, body("processing"))
    vendor = Vendor(reads=[runs, *[missing] * count, runs, *[missing] * count, runs, *[missing] * count, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat", timeout=86_400.0)).state is State.COMPLETED


@pytest.mark.no_cover
async def test_not_found_hours_apart_is_not_added_up() -> None:
    """Three of them with good answers between are three accidents."""
    vendor = Vendor()
    loop = asyncio.get_running_loop()
    hour = 0

    async def answers(request: web.Request) -> web.StreamResponse:
        nonlocal hour
        if request.method == "POST":
            return await vendor(request)
        if loop.time() > (hour + 1) * 3600.0:
            hour += 1
            return web.json_response({"detail": "Generation not found"}, status=404)
        return web.json_response(done() if hour == 4 else body("processing"))

    async with serving(answers) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat", timeout=86_400.0)).state is State.COMPLETED
    assert hour == 4


async def test_what_stands_between_does_not_know_what_exists() -> None:
    """A 404 that the API did not give is no "not found", however often it comes."""
    vendor = Vendor(reads=[(404, "<html>no such page</html>")])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.GenerationTimeout, match="may still finish"):
            await session.generate("luma/uni-1", "a boat", timeout=300.0)


async def test_not_found_after_the_grace_is_the_end() -> None:
    """The job is gone, and its waiters hear it."""
    vendor = Vendor(reads=[(404, {"detail": "Generation not found"})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        with pytest.raises(aiogen.NotFound) as caught:
            await job
    assert asyncio.get_running_loop().time() >= 10.0
    assert (job.state, job.generation.failure_code) == (State.FAILED, FailureCode.NOT_FOUND)
    assert caught.value.job_id == job.id


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, {"detail": "no such thing"}), aiogen.InvalidRequest),
        ((401, {"detail": "Invalid API key"}), aiogen.AuthenticationError),
        ((403, {"detail": "API client is suspended"}), aiogen.AuthenticationError),
    ],
)
async def test_an_attached_id_that_cannot_be_read_is_an_error_at_once(answer: Answer, kind: type[Exception]) -> None:
    """Its vendor says what is wrong with the id or the key, in its own words."""
    vendor = Vendor(reads=[answer])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(kind):
            await (await session.attach("luma", ID))
        assert vendor.reads == 1
        # The place in the window is free again.
        assert session._open().hub.account(session.connections["luma"]).window.active == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422, 451])
@pytest.mark.parametrize("page", ["<html>no</html>", "", "gone", {"message": "no"}])
async def test_what_stands_between_does_not_end_an_attached_job(status: int, page: Any) -> None:
    """Only the vendor itself can say that an id is none: one page of a gateway is asked past."""
    vendor = Vendor(reads=[(status, page), (status, page), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await (await session.attach("luma", ID))).state is State.COMPLETED


async def test_a_key_that_worked_may_be_refused_twice() -> None:
    """A flake of the authentication does not end the waiting; a key that stays refused does."""
    refused = (401, {"detail": "Invalid API key"})
    vendor = Vendor(reads=[refused, refused, (200, body("processing")), refused, refused, refused, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        with pytest.raises(aiogen.AuthenticationError) as caught:
            await job
    assert vendor.reads == 6
    assert caught.value.provider_id == ID
    assert job.state is State.PROCESSING  # the job itself may go on


async def test_one_429_slows_every_question_of_the_account() -> None:
    """While `Retry-After` runs nobody is asked about anything."""
    vendor = Vendor(reads=[(200, body("processing")), (429, {"detail": "Too many requests"}, {"Retry-After": "25"})])
    vendor._reads.append((200, done()))
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        while vendor.reads < 2:
            await asyncio.sleep(0.5)
        await asyncio.gather(job, session.get("luma", ID), session.submit("luma/uni-1", "another"))
    times = vendor.times("GET")
    assert times[2] - times[1] >= 25.0
    assert vendor.times("POST")[1] - times[1] >= 25.0


async def test_an_unknown_state_counts_as_running(caplog: pytest.LogCaptureFixture) -> None:
    """It is kept in `raw`, and the log tells once."""
    vendor = Vendor(reads=[(200, body("pondering")), (200, body("pondering")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        while vendor.reads < 2:
            await asyncio.sleep(0.5)
        assert (job.state, job.generation.raw["state"]) == (State.QUEUED, "pondering")
        assert (await job).state is State.COMPLETED
    assert caplog.text.count("pondering") == 1


@pytest.mark.parametrize("output", [[], None, [{"type": "image"}], [{"type": "image", "url": None}]])
async def test_completed_without_an_output_is_asked_again(output: Any) -> None:
    """The urls may come a moment later; four readings without any are a failure."""
    hollow: Answer = (200, body("completed", output=output))
    async with serving(Vendor(reads=[hollow, hollow, hollow, (200, done())])) as url:
        async with aiogen.Session([luma(url)]) as session:
            assert (await session.generate("luma/uni-1", "a boat")).url is not None
    vendor = Vendor(reads=[hollow])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.GenerationFailed) as caught:
            await session.generate("luma/uni-1", "a boat")
    assert vendor.reads == 4
    assert caught.value.code is FailureCode.OUTPUT_NOT_FOUND


@pytest.mark.parametrize(
    ("code", "ours", "action"),
    [
        ("content_moderated", FailureCode.CONTENT_MODERATED, Action.CHANGE_INPUT),
        ("generation_failed", FailureCode.GENERATION_FAILED, Action.RETRY),
        ("output_not_found", FailureCode.OUTPUT_NOT_FOUND, Action.RETRY),
        ("budget_exhausted", FailureCode.BUDGET_EXHAUSTED, Action.ADD_FUNDS),
        ("image_too_large", FailureCode.IMAGE_TOO_LARGE, Action.CHANGE_INPUT),
        ("unsupported_format", FailureCode.UNSUPPORTED_FORMAT, Action.CHANGE_INPUT),
        ("corrupt_input", FailureCode.CORRUPT_INPUT, Action.CHANGE_INPUT),
        ("invalid_request", FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT),
        ("rate_limited", FailureCode.RATE_LIMITED, Action.WAIT),
        ("gremlins", FailureCode.UNKNOWN, Action.GIVE_UP),
        (None, FailureCode.UNKNOWN, Action.GIVE_UP),
    ],
)
async def test_every_failure_code_says_what_helps(code: str | None, ours: FailureCode, action: Action) -> None:
    """The vendor's words are kept beside ours."""
    vendor = Vendor(reads=[(200, body("failed", failure_code=code, failure_reason="so it goes"))])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.GenerationFailed) as caught:
            await session.generate("luma/uni-1", "a boat")
    failure = caught.value
    assert (failure.code, failure.action, failure.reason) == (ours, action, "so it goes")
    assert failure.generation is not None
    assert failure.generation.vendor_code == code
    assert action.help_text in str(failure)


async def test_what_nobody_waits_for_is_followed_slowly(caplog: pytest.LogCaptureFixture) -> None:
    """Its place at the vendor is taken until it ends, so it is asked about every half minute, for an hour at most."""
    caplog.set_level(logging.DEBUG, "aiogen")
    vendor = Vendor(reads=[(200, body("processing"))])
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        with pytest.raises(aiogen.GenerationTimeout):
            await session.generate("luma/uni-1", "a boat", timeout=10.0)
        before = vendor.reads
        waiting = await session.submit("luma/uni-1", "next", timeout=5000.0)
        await asyncio.sleep(3000.0)
        assert vendor.reads - before == pytest.approx(100, abs=3)
        assert waiting.state is State.PENDING
        await asyncio.sleep(700.0)
        assert waiting.provider_id is not None


async def test_lag_is_small_where_completion_is_likely() -> None:
    """A uni-1 image of 30 s is seen within three seconds, for about a dozen questions."""
    loop = asyncio.get_running_loop()
    asked = []

    async def after_thirty(request: Any) -> Any:
        from aiohttp import web

        if request.method == "POST":
            return web.json_response(body(), status=201)
        asked.append(loop.time())
        return web.json_response(done() if loop.time() >= 30.0 else body("processing"))

    async with serving(after_thirty) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "a boat")
    assert 30.0 <= loop.time() < 33.0
    assert len(asked) < 13


async def test_typical_seconds_are_believed() -> None:
    """Who knows better how long a model takes is asked for fewer questions."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url, typical_seconds={"uni-1": 3.0})]) as session:
        await session.generate("luma/uni-1", "a boat")
    assert vendor.times("GET")[0] - vendor.times("POST")[0] < 2.5


async def test_a_generation_says_when_it_began_and_was_asked_about() -> None:
    """Each question once, in seconds from acceptance; and the first answer that said it was being processed."""
    reads = [(200, body("queued")), (200, body("processing")), (503, {}), (200, body("processing")), (200, done())]
    vendor = Vendor(reads=reads)
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        generation = await session.generate("luma/uni-1", "a boat", timeout=600.0)
    created_at, *asked_at = vendor.times("POST") + vendor.times("GET")
    assert generation.asked_after == pytest.approx([at - created_at for at in asked_at], abs=0.01)
    assert len(generation.asked_after) == 5
    assert generation.accepted_at is not None
    assert generation.began_at is not None
    began_after = (generation.began_at - generation.accepted_at).total_seconds()
    assert began_after == pytest.approx(generation.asked_after[1], abs=0.01)


async def test_what_was_never_seen_to_begin_says_so() -> None:
    """It ended between two questions: nobody knows when it began."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url)]) as session:
        generation = await session.generate("luma/uni-1", "a boat", timeout=600.0)
    assert generation.began_at is None
