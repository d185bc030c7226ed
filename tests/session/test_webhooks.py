"""Webhooks in a session, with the sandbox's Leonardo that sends them: late, twice, forged, never."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from serving import serving

import aiogen
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, LeonardoSettings, Sandbox
from aiogen.stores.base import RecordQuery
from aiogen.webhooks import Answer, Unsigned, Webhooks

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.usefixtures("virtual_files")]

SECRET = "the-callback-secret"
MODEL = "leonardo/gemini-image-2"
OK, NO = Answer(200, "ok\n"), Answer(401, "not authorized\n")
UNKNOWN = "00000000-0000-4000-8000-000000000001"


@attrs.define
class Stage:
    box: Sandbox
    session: aiogen.Session
    webhooks: Webhooks
    took: list[float] = attrs.field(factory=list)

    async def job(self, directives: str = "") -> aiogen.Job:
        return await self.session.submit(MODEL, f"a boat [[processing=90 {directives}]]", timeout=20_000.0)

    def call(
        self, provider_id: str, *, secret: str = SECRET, connection: str = "leonardo", event: str | None = None
    ) -> Answer:
        """A call that somebody makes."""
        said = {"object": "generation", "data": {"object": {"id": provider_id, "status": "COMPLETE"}}}
        said |= {"type": event} if event is not None else {}
        headers = {"Authorization": f"Bearer {secret}"}
        return self.webhooks.handle(connection, json.dumps(said).encode(), headers)

    @property
    def polls(self) -> int:
        return sum(request.action == "poll" for request in self.box.requests)


@asynccontextmanager
async def stage(
    *,
    settings: dict[str, Any] | None = None,
    secret: Any = SECRET,
    path: Path | None = None,
    typical: float = 3000.0,  # polling alone asks seldom
    delay: float = 0.0,
    **limits: Any,
) -> AsyncIterator[Stage]:
    """A sandbox that calls a server in this loop, whose one line is `handle`."""
    stages: list[Stage] = []

    async def hear(request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(delay)
        began = asyncio.get_running_loop().time()
        answer = stages[0].webhooks.handle("leonardo", body, request.headers)
        stages[0].took.append(asyncio.get_running_loop().time() - began)
        return web.Response(status=answer.status, text=answer.text)

    async with serving(hear) as url:
        given = LeonardoSettings(webhook_url=url, webhook_secret=SECRET, **(settings or {}))
        async with Sandbox(leonardo=given) as box:
            provider = aiogen.Leonardo(
                api_key=LEONARDO_KEY,
                base_url=box.leonardo_url,
                typical_seconds={"gemini-image-2": typical},
                **limits,
            )
            async with asyncio.timeout(36_000.0), aiogen.Session([provider], store=path) as session:
                stages.append(Stage(box, session, Webhooks(session, {"leonardo": secret})))
                yield stages[0]


async def lag(on: Stage, job: aiogen.Job) -> float:
    """Seconds from the vendor's end to ours."""
    await job
    return asyncio.get_running_loop().time() - next(j.ends_at for j in on.box.jobs if j.id == job.provider_id)


# --- what they are for


async def test_the_end_is_known_a_round_trip_after_the_vendors() -> None:
    async with stage() as on:
        assert await lag(on, await on.job()) < 0.1
        assert on.webhooks.counts("leonardo") == {"hint": 1, "followed": 1}
        assert [(call.status, call.forged) for call in on.box.webhooks] == [(200, False)]


async def test_without_them_polling_has_its_own_lag() -> None:
    """The measure of the test before."""
    async with stage() as on:
        assert await lag(on, await on.job("webhook=never")) > 1.0
        assert on.webhooks.counts("leonardo") == {}


async def test_a_failure_is_told_like_a_success() -> None:
    async with stage() as on:
        job = await on.job("fail=internal_error")
        with pytest.raises(aiogen.GenerationFailed):
            await job
        ended = on.box.jobs[0].ends_at
        assert asyncio.get_running_loop().time() - ended < 0.1


async def test_one_that_comes_late_changes_nothing() -> None:
    """Polling has found the end long before, and nothing is asked again."""
    async with stage() as on:
        await (await on.job("webhook=late@500"))
        polls = on.polls
        await asyncio.sleep(700.0)
        assert on.polls == polls
        assert on.webhooks.counts("leonardo") == {"hint": 1, "unknown": 1}


async def test_twice_is_one_question() -> None:
    async with stage() as on:
        job = await on.job("webhook=twice")
        assert await lag(on, job) < 0.1
        await asyncio.sleep(5.0)
        [ended] = on.box.jobs
        assert sum(at >= ended.ends_at for at in ended.polls) == 1
        assert on.webhooks.counts("leonardo") == {"hint": 1, "double": 1, "followed": 1}
        assert [call.status for call in on.box.webhooks] == [200, 200]


async def test_a_forged_one_is_refused_and_nothing_is_asked() -> None:
    """It says COMPLETE of a job that runs; the genuine one still comes through."""
    async with stage() as on:
        job = await on.job("webhook=forged")
        await job.accepted()
        await asyncio.sleep(5.0)
        assert [(call.forged, call.status) for call in on.box.webhooks] == [(True, 401)]
        assert job.state is aiogen.State.QUEUED or job.state is aiogen.State.PROCESSING
        assert on.webhooks.counts("leonardo") == {"forged": 1}
        assert await lag(on, job) < 0.1


async def test_a_hint_that_lies_costs_one_question_and_settles_nothing() -> None:
    """By somebody who has the secret: a replay, or the vendor's own mistake."""
    async with stage() as on:
        job = await on.job("webhook=never")
        await job.accepted()
        await asyncio.sleep(20.0)
        polls = on.polls
        assert on.call(str(job.provider_id)) == OK
        await asyncio.sleep(3.0)
        assert on.polls == polls + 1
        assert not job.done
        for _ in range(100):
            assert on.call(str(job.provider_id)) == OK
        await asyncio.sleep(3.0)
        assert on.polls <= polls + 2
        assert (await job).state is aiogen.State.COMPLETED


async def test_one_before_the_create_was_answered() -> None:
    """The job is over before its id is known here; its first question comes after one poll floor.

    Of a model that takes longer as a rule, so that nobody would ask that soon.
    """
    async with stage() as on:
        await asyncio.gather(*[await on.job() for _ in range(10)])
        job = await on.session.submit(MODEL, "a boat [[processing=0 create=slow@20]]")
        await asyncio.sleep(10.0)
        assert on.webhooks.counts("leonardo")["hint"] == 11
        assert job.provider_id is None
        await job.accepted()
        accepted_at = asyncio.get_running_loop().time()
        await job
        first = next(r.at for r in on.box.requests if r.action == "poll" and r.job_id == job.provider_id)
        assert first - accepted_at < 1.1


async def test_one_after_the_other() -> None:
    """Also when nothing has waited for a while."""
    async with stage() as on:
        for _ in range(3):
            assert await lag(on, await on.job()) < 1.1  # a poll floor, if polling has just asked
            await asyncio.sleep(100.0)
        assert on.webhooks.counts("leonardo") == {"hint": 3, "followed": 3}


async def test_none_waits_for_one_that_is_tried_again() -> None:
    """An unknown id is tried again, first after five seconds; what comes meanwhile is given at once."""
    async with stage() as on:
        job = await on.job("webhook=never processing=2000")
        await job.accepted()
        await asyncio.sleep(100.0)
        on.call(UNKNOWN)
        await asyncio.sleep(1.0)
        on.call(str(job.provider_id))
        await asyncio.sleep(1.5)
        assert on.webhooks.counts("leonardo") == {"hint": 2, "followed": 1}


async def test_what_another_process_follows(tmp_path: Path) -> None:
    """The worker that is called is not the one that follows the job; it hears of it by the ledger."""
    async with stage(path=tmp_path / "aiogen.db") as on:
        [provider] = [on.session.connections["leonardo"]]
        async with aiogen.Session([provider], store=tmp_path / "aiogen.db") as other:
            job = await other.submit(MODEL, "a boat [[processing=90]]")
            await job
            ended = on.box.jobs[0].ends_at
            assert asyncio.get_running_loop().time() - ended < 0.5
            assert on.webhooks.counts("leonardo") == {"hint": 1, "followed": 1}


async def test_one_before_the_create_was_answered_in_another_process(tmp_path: Path) -> None:
    """The worker that is called knows nothing of the create: it looks again until the id stands in the ledger."""
    async with stage(path=tmp_path / "aiogen.db") as on:
        async with aiogen.Session([on.session.connections["leonardo"]], store=tmp_path / "aiogen.db") as other:
            job = await other.submit(MODEL, "a boat [[processing=3000 create=slow@20 webhook=never]]", timeout=20_000.0)
            await asyncio.sleep(10.0)
            assert job.provider_id is None
            assert on.call(on.box.jobs[0].id) == OK
            await asyncio.sleep(7.0)
            assert on.webhooks.counts("leonardo") == {"hint": 1}
            assert await job.accepted() == on.box.jobs[0].id
            await asyncio.sleep(30.0)
            assert on.webhooks.counts("leonardo") == {"hint": 1, "followed": 1}


async def test_what_is_dropped_because_too_many_wait_is_no_double_when_it_is_said_again() -> None:
    async with stage() as on:
        ids = [f"00000000-0000-4000-8000-{i:012}" for i in range(1001)]
        for each in (*ids, ids[0], ids[-1]):
            on.call(each)
        assert on.webhooks.counts("leonardo") == {"hint": 1000, "busy": 2, "double": 1}
        await asyncio.sleep(2.0)
        on.call(ids[-1])
        assert on.webhooks.counts("leonardo")["hint"] == 1001


# --- what strangers may do


async def test_ids_that_nobody_knows_are_answered_alike_and_write_nothing(tmp_path: Path) -> None:
    async with stage(path=tmp_path / "aiogen.db") as on:
        await on.session.account("leonardo")
        requests = len(on.box.requests)
        before = await on.session.store.count(RecordQuery())
        for i in range(50):
            assert on.call(f"00000000-0000-4000-8000-{i:012}") == OK
        await asyncio.sleep(200.0)
        assert await on.session.store.count(RecordQuery()) == before
        assert len(on.box.requests) == requests
        assert on.webhooks.counts("leonardo") == {"hint": 50, "unknown": 50}


async def test_two_answers_and_no_third() -> None:
    async with stage() as on:
        assert on.call(UNKNOWN) == on.call(UNKNOWN) == OK
        assert on.call("nonsense") == OK
        assert on.call(UNKNOWN, secret="no") == on.call(UNKNOWN, connection="elsewhere") == NO
        assert on.webhooks.handle("leonardo", b"x" * 70_000, {}) == NO
        assert on.webhooks.handle("leonardo", b"\xff", {"authorization": f"bearer {SECRET}"}) == OK
        assert on.webhooks.handle("leonardo", b"", {}) == NO
        assert on.webhooks.counts("elsewhere") == {}


async def test_the_answer_waits_for_nothing() -> None:
    """Not for the ledger, and not for the vendor, which takes five seconds here."""
    async with stage(settings={"latency": 5.0}) as on:
        await (await on.job())
        assert on.took == [0.0]


async def test_hints_take_a_tenth_of_the_requests() -> None:
    """Thirty jobs, and somebody with the secret who names them all again and again."""
    async with stage(secret=None, requests_per_minute=300) as on:
        jobs = [await on.job("processing=2000 webhook=never") for _ in range(30)]
        for job in jobs:
            await job.accepted()
        await asyncio.sleep(120.0)
        polls, began = on.polls, asyncio.get_running_loop().time()
        await asyncio.sleep(300.0)
        usual = on.polls - polls
        polls = on.polls
        for _ in range(300):
            for job in jobs:
                on.call(str(job.provider_id))
            await asyncio.sleep(1.0)
        assert asyncio.get_running_loop().time() - began < 700.0
        assert 100 < on.polls - polls <= usual + 30 * 5 + 3
        assert not any(job.done for job in jobs)


async def test_a_closed_session_is_no_error() -> None:
    async with stage() as on:
        job = await on.job("webhook=never")
        await job.accepted()
        await on.session.close()
        assert on.call(UNKNOWN) == OK
        assert on.webhooks.counts("leonardo") == {"closed": 1}
        with pytest.raises(aiogen.SessionClosed):
            await job


async def test_a_ledger_that_fails_loses_the_hint_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it raises; the answer was given long before."""
    async with stage() as on:
        job = await on.job()
        await job.accepted()

        async def fails(account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
            raise RuntimeError("the disk is gone")

        on.session.store.wake = fails  # type: ignore[method-assign]
        assert on.call(UNKNOWN) == on.call(UNKNOWN) == OK
        assert await lag(on, job) < 1.1
        await asyncio.sleep(200.0)
        assert on.webhooks.counts("leonardo") == {"hint": 2, "double": 1, "followed": 1, "unknown": 1}
        assert on.call(UNKNOWN) == OK  # what was lost is no double when it is said again
        assert on.webhooks.counts("leonardo") == {"hint": 3, "double": 1, "followed": 1, "unknown": 1}
    assert "A webhook's hint for leonardo was lost: the disk is gone" in caplog.text


async def test_while_a_session_is_being_closed_nothing_is_begun() -> None:
    async with stage() as on:
        job = await on.job("webhook=never latency=30")
        await asyncio.sleep(1.0)
        closing = asyncio.create_task(on.session.close())
        await asyncio.sleep(1.0)
        assert on.call(UNKNOWN) == OK
        assert on.webhooks.counts("leonardo") == {"closed": 1}
        await closing
        with pytest.raises(aiogen.SessionClosed):
            await job


async def test_a_connection_that_was_removed_has_no_calls_any_more() -> None:
    async with stage() as on:
        on.session.remove_connection("leonardo")
        assert on.call(UNKNOWN) == OK
        assert on.webhooks.counts("leonardo") == {"closed": 1}


async def test_hints_that_wait_end_with_the_session() -> None:
    """Nothing is left running; the fixtures look."""
    async with stage(requests_per_minute=6) as on:
        for i in range(50):
            on.call(f"00000000-0000-4000-8000-{i:012}")
        await asyncio.sleep(0.5)
        assert on.webhooks.counts("leonardo") == {"hint": 50}  # each is looked up again, when the session is left


async def test_neither_the_key_nor_the_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with stage() as on:
        await (await on.job())
        shown = caplog.text + repr(on.webhooks) + repr(on.webhooks.counts("leonardo")) + repr(vars(on.webhooks))
        assert SECRET not in shown
        assert LEONARDO_KEY not in shown


# --- what is set up wrongly


async def test_what_cannot_be_set_up_is_said_at_once() -> None:
    session = aiogen.Session(
        [aiogen.Leonardo(api_key=LEONARDO_KEY), aiogen.Luma(api_key=LUMA_KEY)],
    )
    with pytest.raises(aiogen.ConfigurationError, match="no connection 'lenardo'"):
        Webhooks(session, {"lenardo": SECRET})
    with pytest.raises(aiogen.ConfigurationError, match="leave 'luma' out"):
        Webhooks(session, {"luma": SECRET})
    for empty in ("", " ", [], [""]):
        with pytest.raises(aiogen.ConfigurationError, match="secret of 'leonardo' is empty"):
            Webhooks(session, {"leonardo": empty})
    with pytest.raises(aiogen.InputError, match="max_body_bytes"):
        Webhooks(session, {"leonardo": SECRET}, max_body_bytes=10)
    webhooks = Webhooks(session, {"leonardo": [SECRET, "the older one", Unsigned()]})
    with pytest.raises(aiogen.InputError, match="must be its bytes"):
        webhooks.handle("leonardo", "text", {})  # type: ignore[arg-type]
    assert webhooks.handle("leonardo", b"{}", {}) == OK
    await session.close()


# --- the page


async def test_the_code_of_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The program for aiohttp in docs/webhooks.md, as it stands there, with the sandbox in the vendor's place."""
    page = Path(__file__).parents[2] / "docs" / "webhooks.md"
    program = page.read_text(encoding="utf-8").split("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEONARDO_WEBHOOK_SECRET", SECRET)
    names: dict[str, Any] = {"__name__": "program"}
    exec(program, names)
    runner = web.AppRunner(names["app"], shutdown_timeout=0.0)

    async def pass_on(request: web.Request) -> web.Response:
        """The sandbox is there before the program, which needs its address."""
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/leonardo"
        async with aiohttp.ClientSession() as client:
            headers = {"Authorization": request.headers["Authorization"]}
            async with client.post(url, data=await request.read(), headers=headers) as answer:
                return web.Response(status=answer.status, text=await answer.text())

    async with serving(pass_on) as url:
        settings = LeonardoSettings(webhook_url=url, webhook_secret=SECRET)
        async with Sandbox(leonardo=settings) as box:
            for name, value in box.environment.items():
                monkeypatch.setenv(name, value)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                session = names["app"][names["SESSION"]]
                await session.generate(MODEL, "a boat [[processing=90 webhook=forged]]")
                webhooks = names["app"][names["WEBHOOKS"]]
                assert webhooks.counts("leonardo") == {"forged": 1, "hint": 1, "followed": 1}
                assert [call.status for call in box.webhooks] == [401, 200]
            finally:
                await runner.cleanup()


async def test_a_body_is_read_no_further_than_allowed() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 600
            given.append(600)

    given: list[int] = []
    async with stage() as on:
        webhooks = Webhooks(on.session, {"leonardo": SECRET}, max_body_bytes=1024)
        assert len(await webhooks.read(chunks())) == 1025
        assert given == [600]
        assert webhooks.handle("leonardo", b"x" * 1025, {"Authorization": f"Bearer {SECRET}"}) == OK
        assert webhooks.handle("leonardo", b"x" * 1025, {"Authorization": "Bearer no"}) == NO
        assert webhooks.counts("leonardo") == {"too large": 1, "forged": 1}
