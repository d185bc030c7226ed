"""Every fault, as it arrives at a client."""

from __future__ import annotations

import asyncio
import gc
import json
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from aiogen.sandbox import Fate, LumaSettings, Rule, Script, Storm
from aiogen.sandbox.answering import distorted

from .conftest import Caller, Visiting

DONE = "queued=0 processing=0"


def create_fault(fault: str) -> str:
    return f"a boat [[{DONE} create={fault}]]"


def poll_fault(fault: str) -> str:
    return f"a boat [[{DONE} poll={fault}]]"


class TestStatuses:
    @pytest.mark.parametrize("status", [401, 402, 403, 413, 422, 429, 500, 502, 503, 504])
    async def test_of_a_create_means_that_nothing_was_made(self, visiting: Visiting, status: int) -> None:
        async with visiting() as caller:
            for provider in ("luma", "leonardo"):
                create = caller.create if provider == "luma" else caller.create_v2
                answer = await create(create_fault(str(status)))
                assert answer.status == status
                assert answer.json
            assert caller.sandbox.jobs == []
            assert [one.status for one in caller.sandbox.requests] == [status, status]

    async def test_come_one_by_one(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            statuses = [(await caller.create(create_fault("503*2,500"))).status for _ in range(4)]
            assert statuses == [503, 503, 500, 201]
            assert len(caller.sandbox.jobs) == 1

    async def test_of_polls(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created(poll_fault("500,502,404"))
            assert [(await caller.poll(job_id)).status for _ in range(4)] == [500, 502, 404, 200]

    async def test_may_come_after_the_request_is_carried_out(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert (await caller.create(create_fault("504-after"))).status == 504
            assert len(caller.sandbox.jobs) == 1

    async def test_of_deletes(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a boat [[delete=504-after]]")
            assert (await caller.leonardo("DELETE", f"/v1/generations/{job_id}")).status == 504
            assert await caller.generation(job_id) is None

    async def test_retry_after_in_seconds(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert (await caller.create(create_fault("503@7"))).headers["Retry-After"] == "7"
            assert (await caller.create_v2(create_fault("503@0.5"))).headers["Retry-After"] == "0.5"

    async def test_retry_after_as_a_date(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            header = (await caller.create(create_fault("503@date+30"))).headers["Retry-After"]
            now = caller.sandbox.clock.wall(caller.sandbox.clock.now())
            assert header.endswith("GMT")
            assert 29 <= (parsedate_to_datetime(header) - now).total_seconds() <= 30

    async def test_no_retry_after_unless_asked(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert "Retry-After" not in (await caller.create(create_fault("503"))).headers


class TestRefusalsOfLimits:
    async def test_rate_of_luma(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create(create_fault("rpm@12"))
            assert (answer.status, answer.json) == (429, {"detail": "Rate limit exceeded"})
            assert answer.headers["Retry-After"] == "12"
            assert answer.headers["X-RateLimit-Remaining"] == "0"
            assert (await caller.create("b [[create=rpm]]")).headers["Retry-After"] == "60"

    async def test_concurrency_of_luma(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(window_seconds=6)) as caller:
            answer = await caller.create(create_fault("concurrency"))
            assert (answer.status, answer.json) == (429, {"detail": "Too many concurrent jobs"})
            assert answer.headers["Retry-After"] == "6"  # scaled like the window
            assert "X-RateLimit-Remaining" not in answer.headers

    async def test_abuse_of_luma(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created(poll_fault("abuse,abuse@3"))
            first, second = [await caller.poll(job_id) for _ in range(2)]
            assert (first.status, first.headers["Retry-After"]) == (429, "30")
            assert second.headers["Retry-After"] == "3"
            assert "X-RateLimit-Remaining" not in first.headers

    async def test_of_leonardo(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create_v1(create_fault("rpm@12"))
            assert (answer.status, answer.headers["Retry-After"]) == (429, "12")


class TestCuts:
    """aiohttp repeats a GET or a DELETE once by itself when the connection breaks, so these are cut twice."""

    async def test_before_nothing_was_made(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            with pytest.raises(aiohttp.ClientConnectionError):
                await caller.create(create_fault("cut-before"))
            assert caller.sandbox.jobs == []
            assert caller.sandbox.requests[0].status is None
            assert caller.sandbox.requests[0].job_id is None

    async def test_after_the_job_exists(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            with pytest.raises(aiohttp.ClientConnectionError):
                await caller.create(create_fault("cut-after"))
            [job] = caller.sandbox.jobs
            assert caller.sandbox.requests[0].status is None
            assert caller.sandbox.requests[0].job_id == job.id
            assert (await caller.poll(job.id)).json["state"] == "completed"

    async def test_of_a_poll(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created(poll_fault("cut-before*2,cut-after*2"))
            for is_seen in (False, True):
                with pytest.raises(aiohttp.ClientConnectionError):
                    await caller.poll(job_id)
                assert (caller.sandbox.jobs[0].seen_end_at is not None) is is_seen

    async def test_of_a_delete(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a boat [[delete=cut-after]]")
            repeated = await caller.leonardo("DELETE", f"/v1/generations/{job_id}")
            assert [one.status for one in caller.sandbox.requests[1:]] == [None, 200]
            assert repeated.json == {"delete_generations_by_pk": None}  # it was gone already


class TestHang:
    async def test_never_answers_but_does_it(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            start = caller.sandbox.clock.now()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(200):
                    await caller.create(create_fault("hang"))
            assert caller.sandbox.clock.now() - start == pytest.approx(200, abs=1)
            assert len(caller.sandbox.jobs) == 1
            assert caller.sandbox.requests[0].status is None

    async def test_ends_when_the_client_goes_away(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            before = len(asyncio.all_tasks())
            async with aiohttp.ClientSession() as http:
                other = Caller(caller.sandbox, http)
                call = asyncio.create_task(other.create(create_fault("hang")))
                await asyncio.sleep(1)
                assert len(asyncio.all_tasks()) > before + 1
                call.cancel()
            await asyncio.sleep(1)
            assert len(asyncio.all_tasks()) == before

    async def test_ends_when_the_sandbox_stops(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            call = asyncio.create_task(caller.create(create_fault("hang")))
            await asyncio.sleep(1)
            await caller.sandbox.stop()
            with pytest.raises(aiohttp.ClientConnectionError):
                await call


class TestSpoiledBodies:
    async def test_half_a_json(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create(create_fault("half-json"))
            assert answer.status == 201
            with pytest.raises(json.JSONDecodeError):
                json.loads(answer.content)
            assert len(caller.sandbox.jobs) == 1

    @pytest.mark.parametrize(("fault", "body"), [("empty", b""), ("null", b"null")])
    async def test_next_to_nothing(self, visiting: Visiting, fault: str, body: bytes) -> None:
        async with visiting() as caller:
            job_id = await caller.created(poll_fault(fault))
            answer = await caller.poll(job_id)
            assert (answer.status, answer.content) == (200, body)

    async def test_list_where_an_object_belongs(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created(poll_fault("list"))
            assert isinstance((await caller.poll(job_id)).json, list)

    async def test_wrong_types(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created(poll_fault("wrong-types"))
            wrong, right = [(await caller.poll(job_id)).json for _ in range(2)]
            assert set(wrong) == set(right)
            assert all(type(wrong[key]) is not type(right[key]) for key in right)

    async def test_wrong_types_of_nothing_is_nothing(self, visiting: Visiting) -> None:
        async with visiting(script=Script(storms=[Storm("wrong-types", methods="DELETE")])) as caller:
            body = {"mime_type": "image/png", "size_bytes": 5}
            file_id = (await caller.luma("POST", "/files", json=body)).json["id"]
            answer = await caller.luma("DELETE", f"/files/{file_id}")
            assert (answer.status, answer.content) == (204, b"")

    async def test_html(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create(create_fault("html"))
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert caller.sandbox.jobs == []

    async def test_error_inside_200(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a boat [[poll=error-200]]")
            answer = await caller.leonardo("GET", f"/v1/generations/{job_id}")
            [error] = answer.json
            assert answer.status == 200
            assert (error["message"], error["extensions"]["statusCode"]) == ("Rate limit exceeded", 429)
            luma = await caller.create(create_fault("error-200@402"))
            assert (luma.status, luma.json["detail"][:20]) == (200, "Insufficient credits")


class TestHuge:
    async def test_as_many_megabytes_as_said(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create(create_fault("huge@3"))
            assert answer.status == 200
            assert 3 * 1024**2 < len(answer.content) < 3.1 * 1024**2
            assert set(json.loads(answer.content)) == {"detail"}
            assert caller.sandbox.jobs == []

    async def test_ends_when_the_client_goes_away(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            before = len(asyncio.all_tasks())
            url = f"{caller.sandbox.luma_url}/generations"
            headers = {"Authorization": f"Bearer {caller.luma_key}"}
            body = {"prompt": create_fault("huge@100000")}
            async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as response:
                await response.content.readexactly(1000)
            await asyncio.sleep(1)
            assert len(asyncio.all_tasks()) == before

    @pytest.mark.parametrize("reading", [True, False])
    async def test_ends_when_the_sandbox_stops(self, visiting: Visiting, reading: bool) -> None:
        async def read_on(response: aiohttp.ClientResponse) -> None:
            while True:
                await response.content.readany()

        async with visiting() as caller:
            url = f"{caller.sandbox.luma_url}/generations"
            headers = {"Authorization": f"Bearer {caller.luma_key}"}
            body = {"prompt": create_fault("huge@100000")}
            async with caller.http.post(url, json=body, headers=headers) as response:
                await response.content.readexactly(1000)
                reader = asyncio.create_task(read_on(response)) if reading else None
                await caller.sandbox.stop()
                with pytest.raises(aiohttp.ClientError):
                    await (reader or response.read())


async def test_slow(visiting: Visiting) -> None:
    async with visiting() as caller:
        start = caller.sandbox.clock.now()
        assert (await caller.create(create_fault("slow@18"))).status == 201
        assert caller.sandbox.clock.now() - start == pytest.approx(18, abs=0.1)
        assert caller.sandbox.jobs[0].created_at == pytest.approx(start, abs=0.1)


async def test_stopping_waits_for_nobody(visiting: Visiting) -> None:
    async with visiting() as caller:
        call = asyncio.create_task(caller.create(create_fault("slow@1000")))
        await asyncio.sleep(1)
        start = caller.sandbox.clock.now()
        await caller.sandbox.stop()
        assert caller.sandbox.clock.now() - start < 10
        await asyncio.gather(call, return_exceptions=True)


async def test_fault_of_a_rule(visiting: Visiting) -> None:
    script = Script([Rule(nth=1, fate=Fate(create_fault="cut-after"))])
    async with visiting(script=script) as caller:
        await caller.created()
        with pytest.raises(aiohttp.ClientConnectionError):
            await caller.create()
        await caller.created()
        assert len(caller.sandbox.jobs) == 3


async def test_nothing_is_logged_when_connections_break(visiting: Visiting, caplog: pytest.LogCaptureFixture) -> None:
    async with visiting() as caller:
        for fault in ("cut-before", "cut-after"):
            with pytest.raises(aiohttp.ClientConnectionError):
                await caller.create(f"{fault} [[create={fault}]]")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await caller.create(create_fault("hang"))
        await asyncio.sleep(1)
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ({"a": "x", "b": [1], "c": None, "d": 1}, {"a": 7, "b": "none", "c": ["null"], "d": "seven"}),
        (True, "seven"),
        ({"a": {"b": "x"}}, {"a": {"b": 7}}),
    ],
)
def test_distorted_keeps_the_shape_and_no_type(value: Any, other: Any) -> None:
    assert distorted(value) == other
