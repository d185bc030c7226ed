"""What the log says: one line for each thing that matters, with ids as fields, and never a prompt."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from serving import ID, KEY, Vendor, body, done, luma, serving

import aiogen
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, Sandbox

PROMPT = "a private matter"
WIDE = {"max_active": 1000, "creates_per_minute": 10_000, "requests_per_minute": 60_000}


class Many:
    """A vendor with an id for each create; `refuses` answers in the place of whichever request it likes to."""

    def __init__(self, seconds: float = 20.0) -> None:
        self.seconds = seconds
        self.made: dict[str, float] = {}

    def refuses(self, request: web.BaseRequest, now: float) -> web.Response | None:
        return None

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        now = asyncio.get_running_loop().time()
        if (refused := self.refuses(request, now)) is not None:
            return refused
        if request.method == "POST":
            name = f"{len(self.made):08}-0000-4000-8000-000000000000"
            self.made[name] = now + self.seconds
            return web.json_response(body() | {"id": name}, status=201)
        name = request.path.rpartition("/")[2]
        return web.json_response((done() if now >= self.made[name] else body("processing")) | {"id": name})


@pytest.fixture
def lines() -> Iterator[list[logging.LogRecord]]:
    """Everything at INFO and above."""
    seen: list[logging.LogRecord] = []
    handler, logger = logging.Handler(logging.INFO), logging.getLogger("aiogen")
    handler.emit = seen.append  # type: ignore[method-assign]
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield seen
    logger.removeHandler(handler)
    logger.setLevel(level)


def events(lines: list[logging.LogRecord]) -> Counter[str]:
    return Counter(line.aiogen_event for line in lines)  # type: ignore[attr-defined]


def one(lines: list[logging.LogRecord], event: str) -> Any:
    (line,) = [line for line in lines if getattr(line, "aiogen_event", None) == event]
    return line


async def run_one(vendor: Vendor, **options: Any) -> aiogen.Job:
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", PROMPT, batch="boats", **options)
        await asyncio.wait([asyncio.ensure_future(job.result())])
    return job


# --- a job's lines


async def test_a_job_that_completes_is_two_lines(lines: list[logging.LogRecord]) -> None:
    """Accepted, and completed: with the seconds it took; ids stand in the line and as fields."""
    job = await run_one(Vendor(reads=[(200, body("processing")), (200, done())]))
    accepted, completed = lines
    assert accepted.getMessage() == f"luma/uni-1 {ID} accepted, about 0.0404 dollars, job {job.id}"
    assert completed.getMessage().startswith(f"luma/uni-1 {ID} completed after ")
    assert (accepted.levelname, completed.levelname, accepted.name) == ("INFO", "INFO", "aiogen")
    told: Any = completed
    assert (told.aiogen_event, told.aiogen_job, told.aiogen_provider_id) == ("completed", job.id, ID)
    assert (told.aiogen_provider, told.aiogen_connection, told.aiogen_model) == ("luma", "luma", "uni-1")
    assert (told.aiogen_batch, told.aiogen_code, told.aiogen_action) == ("boats", None, None)
    assert job.generation.finished_at is not None
    assert job.generation.accepted_at is not None
    took = (job.generation.finished_at - job.generation.accepted_at).total_seconds()
    assert told.aiogen_seconds == pytest.approx(took, abs=0.001)


async def test_a_cost_that_is_known_is_told(lines: list[logging.LogRecord]) -> None:
    """As the vendor quoted it."""
    async with Sandbox() as box:
        leonardo = aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url)
        async with aiogen.Session([leonardo]) as session:
            generation = await session.generate("leonardo/gemini-image-2", PROMPT)
    told = one(lines, "completed")
    assert generation.cost is not None
    assert (told.aiogen_cost, told.aiogen_cost_unit) == (str(generation.cost.amount), "DOLLARS")
    assert told.getMessage().endswith(f", {generation.cost}")


QUOTING = f"this is not allowed: {PROMPT}"
FAILED: dict[str, tuple[Vendor, str, str, str]] = {
    "by the vendor": (
        Vendor(reads=[(200, body("failed", failure_code="content_moderated", failure_reason=QUOTING))]),
        "content_moderated",
        "change_input",
        "GenerationFailed",
    ),
    "refused": (Vendor(creates=[(400, {"detail": QUOTING})]), "invalid_request", "change_input", "GenerationRefused"),
    "key": (Vendor(creates=[(401, {"detail": QUOTING})]), "auth", "fix_key", "AuthenticationError"),
    "funds": (Vendor(creates=[(402, {"detail": QUOTING})]), "budget_exhausted", "add_funds", "InsufficientFunds"),
}


@pytest.mark.parametrize(("vendor", "code", "action", "kind"), FAILED.values(), ids=FAILED)
async def test_a_job_that_fails_says_why(
    vendor: Vendor, code: str, action: str, kind: str, lines: list[logging.LogRecord]
) -> None:
    """In one line: our code and what helps; not the vendor's words, which may quote the prompt."""
    job = await run_one(vendor)
    told = one(lines, "failed")
    assert told.levelname == "INFO"
    assert (told.aiogen_job, told.aiogen_code, told.aiogen_action, told.aiogen_error) == (job.id, code, action, kind)
    assert "failed" in told.getMessage()
    assert f": {code}" in told.getMessage()
    assert f"({action})" in told.getMessage()
    assert events(lines).total() == vendor.creates + (code == "content_moderated")
    assert PROMPT not in everything(lines)


WARNED: dict[str, tuple[Vendor, dict[str, Any], str, str]] = {
    "unknown": (Vendor(creates=["cut"]), {}, "unknown", "it is not known whether it was accepted"),
    "unreadable": (Vendor(creates=[(200, QUOTING)]), {}, "unknown", "it is not known whether it was accepted"),
    "late": (Vendor(reads=[(500, QUOTING)]), {"timeout": 5.0}, "timeout", "not finished within 5 s; it may still"),
    "key": (
        Vendor(reads=[(401, {"detail": QUOTING})]),
        {},
        "unfollowed",
        "it is no longer followed: auth, HTTP 401",
    ),
}


@pytest.mark.parametrize(("vendor", "options", "event", "words"), WARNED.values(), ids=WARNED)
async def test_what_may_cost_money_unseen_is_a_warning(
    vendor: Vendor, options: dict[str, Any], event: str, words: str, lines: list[logging.LogRecord]
) -> None:
    """With the id of the job, once."""
    job = await run_one(vendor, **options)
    told = one(lines, event)
    assert (told.levelname, told.aiogen_job, told.aiogen_error) == ("WARNING", job.id, type(job.error).__name__)
    assert words in told.getMessage()
    assert job.id in told.getMessage()
    assert PROMPT not in everything(lines)


async def test_what_was_not_sent_in_time_is_a_warning(lines: list[logging.LogRecord]) -> None:
    """It waited for its turn, and nothing was charged."""
    async with serving(Many()) as url, aiogen.Session([luma(url, max_active=1)], queue_timeout=5.0) as session:
        jobs = [await session.submit("luma/uni-1", PROMPT) for _ in range(2)]
        await asyncio.gather(*jobs, return_exceptions=True)
    assert one(lines, "timeout").getMessage() == f"luma/uni-1, job {jobs[1].id}: not sent within 5 s"


async def test_an_end_after_the_deadline_is_told_as_well(lines: list[logging.LogRecord]) -> None:
    """Whoever reads the log sees what became of what was paid for."""
    async with serving(Many(60.0)) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.GenerationTimeout):
            await session.generate("luma/uni-1", PROMPT, timeout=10.0)
        await asyncio.sleep(120.0)
    assert [line.aiogen_event for line in lines] == ["accepted", "timeout", "completed"]  # type: ignore[attr-defined]


async def test_what_is_withdrawn_is_not_told(lines: list[logging.LogRecord]) -> None:
    """Its user knows, and it cost nothing."""
    async with serving(Many()) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        first, second = [await session.submit("luma/uni-1", PROMPT) for _ in range(2)]
        await first.accepted()
        assert await second.withdraw()
        await first
    assert events(lines) == {"accepted": 1, "completed": 1}


# --- an account's lines


@pytest.mark.no_cover
async def test_five_hundred_jobs_can_be_read(lines: list[logging.LogRecord]) -> None:
    """Two lines for each job and one for each time the account is held, whatever number of requests met the limit."""

    class Busy(Many):
        def refuses(self, request: web.BaseRequest, now: float) -> web.Response | None:
            # Two seconds in, and half a minute in, everybody is told to wait for a quarter of a minute.
            if 2.0 <= now - began < 4.0 or 30.0 <= now - began < 33.0:
                return web.json_response({"detail": QUOTING}, status=429, headers={"Retry-After": "15"})
            return None

    began = asyncio.get_running_loop().time()
    async with serving(Busy()) as url, aiogen.Session([luma(url, **WIDE)]) as session:
        jobs = [await session.submit("luma/uni-1", f"{PROMPT} {i}") for i in range(500)]
        await asyncio.gather(*jobs)
    told = events(lines)
    assert (told["accepted"], told["completed"]) == (500, 500)
    assert 1 <= told["throttled"] <= 4
    assert told.total() == 1000 + told["throttled"]
    assert {line.aiogen_job for line in lines if line.aiogen_event == "completed"} == {job.id for job in jobs}  # type: ignore[attr-defined]
    assert PROMPT not in everything(lines)


@pytest.mark.parametrize(
    ("words", "throttle", "told"),
    [
        ("Rate limit exceeded", "creates", "too many creates: the next one waits, until "),
        ("slow down", "account", "too many requests: everything waits, until "),
        ("too many concurrent jobs", "concurrency", "too many jobs at once: the next create waits for one to end"),
    ],
)
async def test_a_throttled_account_says_which_limit_and_until_when(
    words: str, throttle: str, told: str, lines: list[logging.LogRecord]
) -> None:
    """Which account, which limit, how long; the account by its hash."""
    refused = (429, {"detail": words}, {"Retry-After": "20"})
    await run_one(Vendor(creates=[refused, (201, body())]))
    line = one(lines, "throttled")
    assert line.getMessage().startswith(f"luma throttled (HTTP 429), {told}")
    assert (line.aiogen_throttle, line.aiogen_connection, line.aiogen_status) == (throttle, "luma", 429)
    assert line.aiogen_account == luma("http://127.0.0.1:1").account
    assert (line.aiogen_until is None) is (throttle == "concurrency")


async def test_reads_that_are_held_say_so(lines: list[logging.LogRecord]) -> None:
    """A 429 for a question, and a 503 that names a time; a 503 that names none slows down without a hold."""
    slow = (503, {"detail": QUOTING}, {"Retry-After": "9"})
    busy = (429, {"detail": QUOTING}, {"Retry-After": "9"})
    await run_one(Vendor(reads=[(200, body("processing")), busy, (503, "x"), slow, (200, done())]))
    held = [line for line in lines if line.aiogen_event == "throttled"]  # type: ignore[attr-defined]
    assert [line.aiogen_throttle for line in held] == ["account", None]  # type: ignore[attr-defined]
    assert held[1].getMessage().startswith("luma throttled (HTTP 503), it is overloaded: everything waits, until ")
    assert PROMPT not in everything(lines)


# --- leaving


async def leave(store: Any, jobs: int, *, after: float = 1.0, **settings: Any) -> list[aiogen.Job]:
    """A program that ends in the middle, as by a mistake of its own."""
    handles = []

    async def program(url: str) -> None:
        async with aiogen.Session([luma(url, **{**WIDE, **settings})], store=store) as session:
            handles.extend([await session.submit("luma/uni-1", PROMPT) for _ in range(jobs)])
            await asyncio.sleep(after)
            raise ZeroDivisionError

    async with serving(Many()) as url:
        with pytest.raises(ZeroDivisionError):
            await program(url)
    return handles


async def test_who_leaves_paid_jobs_behind_is_warned_once(lines: list[logging.LogRecord]) -> None:
    """With their ids, and with what keeps them; by an exception as well."""
    jobs = await leave(None, 3)
    line = one(lines, "left")
    assert line.levelname == "WARNING"
    assert line.getMessage() == (
        "The session was closed with 3 generations that may still run and cost money: "
        + ", ".join(f"luma {job.provider_id}" for job in jobs)
        + '. Their ids are kept nowhere: with Session(store="aiogen.db") the next session would follow them. '
        f'session.attach("luma", "{jobs[0].provider_id}") follows one again.'
    )
    assert line.aiogen_jobs == [job.id for job in jobs]
    assert line.aiogen_provider_ids == [job.provider_id for job in jobs]
    assert {type(job.error) for job in jobs} == {aiogen.SessionClosed}


@pytest.mark.no_cover
async def test_many_that_are_left_are_not_all_named(lines: list[logging.LogRecord]) -> None:
    """Twenty, and how many more."""
    await leave(None, 120, after=5.0)
    line = one(lines, "left")
    assert "with 120 generations" in line.getMessage()
    assert ", and 100 more. " in line.getMessage()
    assert line.getMessage().count("-4000-8000-") == 21  # and the one that is given as an example
    assert (line.aiogen_count, len(line.aiogen_jobs), len(line.aiogen_provider_ids)) == (120, 20, 20)


@pytest.mark.looptime(False)
async def test_what_is_in_a_file_is_no_reason_to_warn(tmp_path: Path, lines: list[logging.LogRecord]) -> None:
    """The next session goes on with it."""
    await leave(tmp_path / "aiogen.db", 1, after=0.3)
    line = one(lines, "left")
    assert line.levelname == "INFO"
    assert "with one generation" in line.getMessage()
    assert line.getMessage().endswith("The ledger has their ids, and the next session on the same store follows them.")


@pytest.mark.parametrize(("jobs", "after"), [(0, 1.0), (3, 60.0)], ids=["none", "over"])
async def test_who_leaves_nothing_behind_is_not_warned(jobs: int, after: float, lines: list[logging.LogRecord]) -> None:
    """Nothing was submitted, or all of it has ended."""
    await leave(None, jobs, after=after)
    assert events(lines)["left"] == 0


async def test_what_was_not_sent_is_not_named(lines: list[logging.LogRecord]) -> None:
    """It costs nothing."""
    await leave(None, 3, max_active=1)
    assert "with one generation" in one(lines, "left").getMessage()


async def test_a_create_that_is_on_its_way_is_named(lines: list[logging.LogRecord]) -> None:
    """Whether its answer comes while the session is being left, or never."""
    async with serving(Vendor(creates=["hang"])) as url:
        async with aiogen.Session([luma(url)], submit_timeout=5.0) as session:
            job = await session.submit("luma/uni-1", PROMPT)
            await asyncio.sleep(1.0)
    assert job.state is aiogen.State.UNKNOWN
    assert (
        f"cost money: luma (job {job.id}). Check at the provider before you submit" in one(lines, "left").getMessage()
    )
    assert events(lines) == {"unknown": 1, "left": 1}


@pytest.mark.looptime(False)
async def test_what_another_process_follows_is_not_left(tmp_path: Path, lines: list[logging.LogRecord]) -> None:
    """Who only waited for it takes nothing with them."""
    path = tmp_path / "aiogen.db"
    async with serving(Many(0.3)) as url, aiogen.Session([luma(url)], store=path) as first:
        job = await first.submit("luma/uni-1", PROMPT)
        await job.accepted()
        async with aiogen.Session([luma(url)], store=path) as second:
            assert await second.job(job.id) is not None
        assert events(lines)["left"] == 0
        await job


# --- what never stands there


def everything(lines: list[logging.LogRecord]) -> str:
    return "\n".join(f"{line.getMessage()} {vars(line)}" for line in lines)


async def test_keys_and_prompts_are_in_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """No key at any level, and no prompt at INFO and above."""
    caplog.set_level(logging.DEBUG, "aiogen")
    async with Sandbox() as box:
        providers = [
            aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url),
            aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url),
        ]
        async with aiogen.Session(providers) as session:
            fates = ("", "[[fail=content_moderated]]", "[[create=500]]", "[[poll=500,html,429@3]]", "[[create=400]]")
            models = ("luma/uni-1", "leonardo/gemini-image-2")
            jobs = [await session.submit(model, f"{PROMPT} {fate}") for model in models for fate in fates]
            await asyncio.gather(*jobs, return_exceptions=True)
    shown = everything(caplog.records)
    assert not [key for key in (LUMA_KEY, LEONARDO_KEY, KEY) if key in shown]
    assert PROMPT not in everything([line for line in caplog.records if line.levelno >= logging.INFO])
    assert any(line.levelno == logging.DEBUG and "GET http" in line.getMessage() for line in caplog.records)


# --- what the documentation says

DOCUMENT = (Path(__file__).parents[2] / "docs" / "logging.md").read_text(encoding="utf-8")


@pytest.mark.looptime(False)
async def test_the_program_in_the_documentation_runs() -> None:
    """As it stands: one JSON object a line."""
    program = DOCUMENT.split("```python\n")[2].partition("```")[0]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", program), stderr=asyncio.subprocess.PIPE
    )
    _, shown = await process.communicate()
    accepted, completed = map(json.loads, shown.splitlines())
    assert process.returncode == 0
    assert (accepted["aiogen_event"], completed["aiogen_event"]) == ("accepted", "completed")
    assert accepted["aiogen_job"] == completed["aiogen_job"]


async def test_every_field_is_documented(lines: list[logging.LogRecord]) -> None:
    """Names that somebody's log search is built on."""
    await run_one(Vendor(creates=[(429, {"detail": "slow"}, {"Retry-After": "2"}), (201, body())], reads=[(500, "")]))
    await leave(None, 1)
    named = {name for line in lines for name in vars(line) if name.startswith("aiogen_")}
    assert {"accepted", "throttled", "timeout", "left"} <= set(events(lines))
    assert named == set(re.findall(r"aiogen_[a-z_]+", DOCUMENT)) - {"aiogen_"}
