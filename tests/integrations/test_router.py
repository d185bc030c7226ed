"""The router for FastAPI: one job for one wish, one body for it everywhere, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from integrations.web import MODEL, serving

from aiogen.sandbox import Fate, Rule, Script


def doing(**fate: Any) -> Script:
    """The vendor does this to every job."""
    return Script(rules=[Rule(fate=Fate(**fate))])


async def test_a_job_is_made_and_looked_at() -> None:
    """202 with where it is and when to ask; and the same body there."""
    async with serving() as web:
        answer = await web.post()
        assert answer.status_code == 202
        body = answer.json()
        path = f"/generations/{body['id']}"
        assert answer.headers["location"] == body["links"]["self"] == path
        assert 1 <= int(answer.headers["retry-after"]) <= 3600
        assert (body["model"], body["state"], body["outputs"], body["failure"]) == (MODEL, "pending", [], None)
        done = (await web.get(path, {"prefer": "wait=60"})).json()
        assert done["state"] == "completed"
        assert done["outputs"][0]["url"] == f"{path}/outputs/0"
        assert all(done["times"][name] for name in ("created", "accepted", "finished"))
        assert (await web.get("/generations")).json() == {"items": [done], "next": None}


async def test_a_client_may_wait() -> None:
    """200 when it is over in time, 202 when it is not."""
    async with serving() as web:
        answer = await web.post({"prefer": "respond-async, wait=60"})
        assert (answer.status_code, answer.json()["state"]) == (200, "completed")
        assert answer.headers["preference-applied"] == "wait=60"
    async with serving(doing(processing=500)) as web:
        answer = await web.post({"prefer": "wait=100"})
        assert (answer.status_code, answer.json()["state"]) == (202, "processing")
        assert answer.headers["preference-applied"] == "wait=60"
