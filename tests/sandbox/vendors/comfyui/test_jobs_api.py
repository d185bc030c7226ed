"""/api/jobs, which servers of 2026 have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aiogen.sandbox import ComfyUISettings, Fate, Rule, Script

from ...conftest import Caller, Visiting, plain_graph
from .test_api import new_id, sent

SCRIPT = Script(rules=[Rule(nth=1, fate=Fate(failure_code="ValueError")), Rule(nth=(1, 2), fate=Fate(processing=60))])
"""One is completed, one fails, one runs, one waits. (The second rule does not see the one that fails.)"""


async def four(caller: Caller) -> list[str]:
    ids = []
    for color in range(4):
        ids.append(await sent(caller, plain_graph(color=color)))
        await asyncio.sleep(1)
    return ids


async def jobs(caller: Caller, query: str = "") -> Any:
    return (await caller.comfyui("GET", f"/api/jobs?{query}")).json


async def job(caller: Caller, job_id: str) -> Any:
    return (await caller.comfyui("GET", f"/api/jobs/{job_id}")).json


async def test_one_job_in_each_state(visiting: Visiting) -> None:
    async with visiting(script=SCRIPT) as caller:
        ids = await four(caller)
        states = [(await job(caller, one))["status"] for one in ids]
        assert states == ["completed", "failed", "in_progress", "pending"]
        done, failed = await job(caller, ids[0]), await job(caller, ids[1])
        image = {"filename": "ComfyUI_00001_.png", "subfolder": "", "type": "output"}
        assert done["outputs"] == {"3": {"images": [image]}}
        assert done["preview_output"] == {**image, "nodeId": "3", "mediaType": "images"}
        assert (done["outputs_count"], done["execution_status"]["status_str"]) == (1, "success")
        assert done["create_time"] <= done["execution_start_time"] <= done["execution_end_time"]
        assert done["workflow"]["prompt"] == plain_graph()
        assert failed["execution_error"]["exception_type"] == "ValueError"
        assert "outputs" not in await job(caller, ids[3])


async def test_lists(visiting: Visiting) -> None:
    async with visiting(script=SCRIPT) as caller:
        ids = await four(caller)
        everything = await jobs(caller)
        assert [one["id"] for one in everything["jobs"]] == ids[::-1]
        assert everything["pagination"] == {"offset": 0, "limit": None, "total": 4, "has_more": False}
        assert "workflow" not in everything["jobs"][0]
        page = await jobs(caller, "limit=2&offset=1&sort_order=asc")
        assert [one["id"] for one in page["jobs"]] == ids[1:3]
        assert page["pagination"] == {"offset": 1, "limit": 2, "total": 4, "has_more": True}
        some = await jobs(caller, "status=completed,pending")
        assert [one["id"] for one in some["jobs"]] == [ids[3], ids[0]]
        longest = await jobs(caller, "sort_by=execution_duration&status=completed,failed")
        assert {one["id"] for one in longest["jobs"]} == set(ids[:2])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=done", "Invalid status value(s): done. Valid values: pending, in_progress"),
        ("sort_by=size", "sort_by must be"),
        ("sort_order=up", "sort_order must be"),
        ("limit=0", "limit must be a positive integer"),
        ("limit=x", "limit must be an integer"),
        ("offset=x", "offset must be an integer"),
    ],
)
async def test_wrong_questions(visiting: Visiting, query: str, said: str) -> None:
    async with visiting() as caller:
        answer = await caller.comfyui("GET", f"/api/jobs?{query}")
        assert answer.status == 400
        assert said in answer.json["error"]


async def test_an_unknown_job(visiting: Visiting) -> None:
    async with visiting() as caller:
        answer = await caller.comfyui("GET", f"/api/jobs/{new_id()}")
        assert (answer.status, answer.json) == (404, {"error": "Job not found"})
        job_id = await sent(caller, plain_graph(prefix="x [[not-found=1 processing=9]]"))
        assert [(await caller.comfyui("GET", f"/api/jobs/{job_id}")).status for _ in range(2)] == [404, 200]


async def test_cancel(visiting: Visiting) -> None:
    async with visiting(script=SCRIPT) as caller:
        done, failed, running, waiting = await four(caller)
        said = [(await caller.comfyui("POST", f"/api/jobs/{one}/cancel")).json for one in (done, waiting, running)]
        assert said == [{"cancelled": False}, {"cancelled": True}, {"cancelled": True}]
        assert (await job(caller, running))["status"] == "cancelled"
        assert (await caller.comfyui("GET", f"/api/jobs/{waiting}")).status == 404
        assert (await job(caller, done))["status"] == "completed"
        assert (await caller.comfyui("POST", f"/api/jobs/{new_id()}/cancel")).json == {"cancelled": False}
        assert (await job(caller, failed))["status"] == "failed"


async def test_cancel_several(visiting: Visiting) -> None:
    async with visiting(script=SCRIPT) as caller:
        ids = await four(caller)
        answer = await caller.comfyui("POST", "/api/jobs/cancel", json={"job_ids": ids})
        assert answer.json == {"cancelled": True}
        left = (await jobs(caller))["jobs"]
        assert [one["status"] for one in left] == ["cancelled", "failed", "completed"]
        for body, said in (
            ({"job_ids": ["x"]}, "job_ids contains invalid id(s)"),
            ({}, "job_ids must be a list"),
            (None, "Request body must be valid JSON"),
        ):
            options: dict[str, Any] = {"json": body} if body is not None else {"data": b"{"}
            answer = await caller.comfyui("POST", "/api/jobs/cancel", **options)
            assert (answer.status, answer.json["error"]) == (400, said)


async def test_faults_of_a_cancel(visiting: Visiting) -> None:
    script = Script(rules=[Rule(fate=Fate(processing=60, delete_faults="503", poll_faults="502"))])
    async with visiting(script=script) as caller:
        job_id = await sent(caller, plain_graph())
        assert (await caller.comfyui("GET", f"/api/jobs/{job_id}")).status == 502
        statuses = [(await caller.comfyui("POST", f"/api/jobs/{job_id}/cancel")).status for _ in range(2)]
        assert statuses == [503, 200]


async def test_older_servers_do_not_have_it(visiting: Visiting) -> None:
    async with visiting(comfyui=ComfyUISettings(has_jobs_api=False)) as caller:
        job_id = await sent(caller, plain_graph())
        for path in ("/api/jobs?limit=1", f"/api/jobs/{job_id}"):
            answer = await caller.comfyui("GET", path)
            assert (answer.status, answer.content) == (404, b"")
        for path in (f"/api/jobs/{job_id}/cancel", "/api/jobs/cancel"):
            answer = await caller.comfyui("POST", path, json={"job_ids": [job_id]})
            assert (answer.status, answer.text) == (405, "405: Method Not Allowed")
        await asyncio.sleep(1)
        entry = (await caller.comfyui("GET", f"/history/{job_id}")).json[job_id]
        assert entry["prompt"][3] == {}  # no create_time
