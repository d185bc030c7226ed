"""What is large holds nobody up: it is given to a thread, and goes out part by part."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from integrations.web import MODEL, serving
from watchdogs import watching_sizes

from aiogen._content.portions import LARGE
from aiogen.integrations.fastapi.uploading import _cut
from aiogen.sandbox import Fate, Rule, Script

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4000
URI = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"


def asking(**parameters: Any) -> bytes:
    """A body as a client sends it."""
    return json.dumps({"model": MODEL, "prompt": "a boat", "parameters": parameters}).encode()


JSON = {"x-user": "ann", "content-type": "application/json"}


@pytest.mark.looptime(False)  # threads take real time
async def test_a_body_with_pictures_is_read_in_threads(tmp_path: Path) -> None:
    """From the bytes that come to those that the provider is sent, and to the ledger, nothing large in the loop."""
    body = asking(references=[URI])
    runs = Script(rules=[Rule(fate=Fate(processing=500))])
    async with serving(runs, store=tmp_path / "jobs.db") as web:
        with watching_sizes(LARGE) as seen:
            answer = await web.http.post("/generations", content=body, headers=JSON | {"idempotency-key": "boat"})
            assert answer.status_code == 202
            job = await web.session.job(answer.json()["id"])
            assert await job.accepted()
            (record,) = await web.session.records(with_request=True)
        assert not seen, seen[0]
    assert record.submission is not None
    assert base64.b64encode(PICTURE).decode() in json.dumps(record.submission.body)


async def test_what_is_large_beside_pictures_is_refused() -> None:
    """To read it would take long, and who wants a picture has not so much to say."""
    async with serving() as web:
        for body in (asking(seeds=[1] * 20_000), asking(style="x " * 150_000), b"[" * 400_000):
            answer = await web.http.post("/generations", content=body, headers=JSON)
            assert answer.status_code == 413
            assert answer.json()["code"] == "too_large"
        assert web.paid == 0


async def test_an_upload_goes_out_part_by_part() -> None:
    """And the loop runs after each."""
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    asyncio.get_running_loop().call_soon(turn)
    parts = [(part, turns) async for part in _cut(PICTURE)]
    assert b"".join(part for part, _ in parts) == PICTURE
    assert len({at for _, at in parts}) == len(parts) > 2
