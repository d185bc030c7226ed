"""What is recorded of each request, storms, and requests without a route."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from aiogen.sandbox import Script, Storm

from .conftest import Visiting


class TestRecord:
    async def test_of_arrivals_in_order(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            start = caller.sandbox.clock.now()
            job_id = await caller.created()
            await asyncio.sleep(3)
            await caller.poll(job_id)
            create, poll = caller.sandbox.requests
            assert (create.provider, create.method, create.path) == ("luma", "POST", "/luma/v1/generations")
            assert (create.action, create.status, create.job_id, create.weight) == ("create", 201, job_id, 1)
            assert (poll.action, poll.status, poll.job_id) == ("poll", 200, job_id)
            assert poll.at - start == pytest.approx(3, abs=0.1)

    async def test_is_bounded(self, visiting: Visiting) -> None:
        async with visiting(max_requests=10) as caller:
            for number in range(40):
                await caller.poll(str(number))
            requests = caller.sandbox.requests
            assert 10 <= len(requests) <= 11
            assert requests[-1].path.endswith("/39")

    async def test_a_request_under_way_has_no_status(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            call = asyncio.create_task(caller.create("a boat [[latency=10]]"))
            await asyncio.sleep(1)
            assert caller.sandbox.requests[0].status is None
            await call
            assert caller.sandbox.requests[0].status == 201


class TestStorms:
    async def test_from_then_to_then(self, visiting: Visiting) -> None:
        script = Script(storms=[Storm("429@7", after=10, until=20, provider="luma")])
        async with visiting(script=script) as caller:
            statuses = []
            for _ in range(3):
                statuses.append((await caller.create()).status)
                await asyncio.sleep(10)
            assert statuses == [201, 429, 201]

    async def test_by_method_and_action(self, visiting: Visiting) -> None:
        script = Script(storms=[Storm("500", methods="GET", actions="list")])
        async with visiting(script=script) as caller:
            job_id = await caller.created_v2()
            assert await caller.generation(job_id) is not None
            user = caller.sandbox.leonardo.user_id
            assert (await caller.leonardo("GET", f"/v1/generations/user/{user}")).status == 500

    async def test_come_before_the_key_is_checked(self, visiting: Visiting) -> None:
        async with visiting(script=Script(storms=[Storm("503", times=1)])) as caller:
            caller.luma_key = "wrong"
            assert [(await caller.create()).status for _ in range(2)] == [503, 401]

    async def test_after_the_request_is_carried_out(self, visiting: Visiting) -> None:
        storms = [Storm("half-json", times=1), Storm("cut-after", times=1)]
        async with visiting(script=Script(storms=storms)) as caller:
            assert len((await caller.create()).content) < 150
            with pytest.raises(aiohttp.ClientConnectionError):
                await caller.create()
            await caller.created()
            assert len(caller.sandbox.jobs) == 3

    async def test_do_not_hold_up_what_a_fate_has_cut(self, visiting: Visiting) -> None:
        async with visiting(script=Script(storms=[Storm("slow@5")])) as caller:
            start = caller.sandbox.clock.now()
            with pytest.raises(aiohttp.ClientConnectionError):
                await caller.create("a boat [[create=cut-after]]")
            assert caller.sandbox.clock.now() - start < 1

    async def test_may_be_added_while_it_runs(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            await caller.created()
            caller.sandbox.script.storms.append(Storm("502"))
            assert (await caller.create()).status == 502
            caller.sandbox.script = Script()
            await caller.created()


async def test_unknown_paths_of_luma(visiting: Visiting) -> None:
    async with visiting() as caller:
        answer = await caller.luma("GET", "/models")
        assert (answer.status, answer.json) == (404, {"detail": "Not Found"})
        assert (await caller.luma("DELETE", "/generations/x")).status == 404
        assert caller.sandbox.requests[0].action == "unknown"
