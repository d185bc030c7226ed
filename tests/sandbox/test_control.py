"""The sandbox's own pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .conftest import Answer, Caller, Visiting, plain_graph


async def control(caller: Caller, method: str, path: str, **options: Any) -> Answer:
    return await caller.ask(method, f"{caller.sandbox.url}{path}", **options)


async def test_front_page_says_how_clients_find_it(visiting: Visiting) -> None:
    async with visiting() as caller:
        page = await control(caller, "GET", "/")
        assert page.headers["Content-Type"].startswith("text/plain")
        for name, value in caller.sandbox.environment.items():
            assert f"export {name}={value}\n" in page.text
        assert "POST /sandbox/script" in page.text
        assert "It imitates ComfyUI, Leonardo.Ai and Luma on this machine." in page.text


async def test_jobs(visiting: Visiting) -> None:
    async with visiting() as caller:
        ids = [await caller.created("a boat [[queued=0 processing=0]]"), await caller.created_v2()]
        await caller.poll(ids[0])
        jobs = (await control(caller, "GET", "/sandbox/jobs")).json["jobs"]
        assert [job["id"] for job in jobs] == ids
        assert [job["provider"] for job in jobs] == ["luma", "leonardo"]
        assert (jobs[0]["state"], len(jobs[0]["polls"]), jobs[0]["prompt"]) == ("completed", 1, "a boat")


async def test_requests(visiting: Visiting) -> None:
    async with visiting() as caller:
        await caller.created()
        await caller.create(model="?")
        requests = (await control(caller, "GET", "/sandbox/requests")).json["requests"]
        assert [one["status"] for one in requests] == [201, 400]
        last = (await control(caller, "GET", "/sandbox/requests", params={"limit": 1})).json["requests"]
        assert last == requests[1:]
        assert (await control(caller, "GET", "/sandbox/requests", params={"limit": 0})).json == {"requests": []}


async def test_requests_want_a_number(visiting: Visiting) -> None:
    async with visiting() as caller:
        assert (await control(caller, "GET", "/sandbox/requests", params={"limit": "all"})).status == 400


async def test_script_is_replaced_or_extended(visiting: Visiting) -> None:
    async with visiting() as caller:
        rule = {"provider": "luma", "fate": {"outputs": 2, "queued": 0, "processing": 0}}
        answer = await control(caller, "POST", "/sandbox/script", json={"rules": [rule]})
        assert (answer.status, answer.json) == (200, {"rules": 1, "storms": 0})
        job_id = await caller.created()
        assert len((await caller.poll(job_id)).json["output"]) == 2

        storm = {"fault": "503", "provider": "luma", "times": 1}
        answer = await control(caller, "POST", "/sandbox/script?extend=1", json={"storms": [storm]})
        assert answer.json == {"rules": 1, "storms": 1}
        assert (await caller.create()).status == 503

        answer = await control(caller, "POST", "/sandbox/script?extend=0", json={})
        assert answer.json == {"rules": 0, "storms": 0}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"rules": [{"colour": "red"}]}', "rules[0]: unknown key 'colour'; the known keys are fate, provider"),
        (b"{", "not JSON"),
    ],
)
async def test_wrong_scripts_are_explained(visiting: Visiting, data: bytes, said: str) -> None:
    async with visiting() as caller:
        answer = await control(caller, "POST", "/sandbox/script", data=data)
        assert answer.status == 400
        assert said in answer.json["error"]


async def test_reset_forgets(visiting: Visiting) -> None:
    async with visiting() as caller:
        first = await caller.created()
        assert (await control(caller, "POST", "/sandbox/reset")).json == {}
        assert (caller.sandbox.jobs, caller.sandbox.requests) == ([], [])
        assert (await caller.poll(first)).status == 404
        assert (await caller.create()).headers["X-RateLimit-Remaining"] == "29"
        assert caller.sandbox.jobs[0].id == first  # the same seed begins again


async def test_a_vendors_server_is_started_again(visiting: Visiting) -> None:
    async with visiting() as caller:
        assert (await caller.comfyui("POST", "/prompt", json={"prompt": plain_graph()})).status == 200
        await asyncio.sleep(1)
        assert len((await caller.comfyui("GET", "/history")).json) == 1
        assert (await control(caller, "POST", "/sandbox/restart/comfyui")).status == 200
        assert (await caller.comfyui("GET", "/history")).json == {}
        said = await control(caller, "POST", "/sandbox/restart/luma")
        assert (said.status, said.json["error"]) == (400, "luma cannot be restarted")
        assert (await control(caller, "POST", "/sandbox/restart/bfl")).status == 404


async def test_own_pages_are_not_recorded(visiting: Visiting) -> None:
    async with visiting() as caller:
        await control(caller, "GET", "/")
        assert caller.sandbox.requests == []
