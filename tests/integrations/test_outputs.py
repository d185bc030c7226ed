"""The bytes of outputs through the router: in pieces, bounded, and never the vendor's address."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from integrations.web import Web, serving

import aiogen
from aiogen.sandbox import Fate, Rule, Script


def doing(**fate: Any) -> Script:
    """The vendor does this to every job."""
    return Script(rules=[Rule(fate=Fate(**fate))])


async def test_what_was_seen_is_known() -> None:
    """Kind and size of an output stand in the job's body once its bytes were handed out, also in lists."""
    async with serving() as web:
        made = await web.made()
        (output,) = made["outputs"]
        assert output["size"] is None
        path = made["links"]["self"]
        await web.get(output["url"])
        for body in ((await web.get(path)).json(), (await web.get("/generations")).json()["items"][0]):
            (output,) = body["outputs"]
            assert output["media_type"] == "image/png"
            assert output["size"]["width"] > 0
            assert output["size"]["height"] > 0


async def test_head_fetches_nothing() -> None:
    """The same headers, but for what only the bytes would tell; once they were seen, their kind, too."""
    async with serving() as web:
        made = await web.made()
        url = made["outputs"][0]["url"]
        asked = len(web.box.requests)
        head = await web.http.head(url, headers={"x-user": "ann"})
        assert (head.status_code, head.content, len(web.box.requests)) == (200, b"", asked)
        assert "content-length" not in head.headers
        whole = await web.get(url)
        assert int(whole.headers["content-length"]) == len(whole.content)
        assert whole.headers["accept-ranges"] == "none"
        part = await web.get(url, {"range": "bytes=0-9"})
        assert (part.status_code, part.content) == (200, whole.content)
        head = await web.http.head(url, headers={"x-user": "ann"})
        assert head.headers.items() >= {(n, v) for n, v in whole.headers.items() if n != "content-length"}
        assert (await web.http.head(f"{url}9", headers={"x-user": "ann"})).status_code == 404


async def test_an_output_has_a_limit() -> None:
    """502, and nobody is told to try again; the session's own limit counts as well."""
    async with serving(max_output_bytes=1024) as web:
        answer = await web.get((await web.made())["outputs"][0]["url"])
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["retryable"]) == (502, "download_failed", False)
        assert "max_download_bytes" not in answer.text


@pytest.mark.parametrize("fault", ["403*", "404*", "500*", "cut-before*", "cut*", "html*"])
async def test_no_failure_shows_the_vendors_address(fault: str) -> None:
    """Whatever the storage does: neither in the body nor in a header, and it is no redirect."""
    async with serving(doing(download_faults=fault)) as web:
        url = (await web.made())["outputs"][0]["url"]
        answer = await web.get(url)
        assert answer.status_code == 502
        said = answer.text + str(answer.headers)
        assert not re.search(r"https?:|127\.0\.0\.1|localhost", said.replace("about:blank", "")), said
        assert answer.headers["content-type"] == "application/problem+json"


async def test_who_goes_away_in_the_middle_leaves_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first piece, and between two of them; the watchdogs see to it that none is open."""
    monkeypatch.setattr("aiogen._transfer.spooling.IN_MEMORY", 100)
    monkeypatch.setattr("aiogen._transfer.spooling.PIECE", 1000)
    async with serving() as web:
        url = (await web.made())["outputs"][0]["url"]
        for after in (0, 1, 3):
            assert await begun(web, url, after) == after


async def begun(web: Web, url: str, after: int) -> int:
    """Take so many pieces, then go; how many came."""
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": url, "raw_path": url.encode(),
        "root_path": "", "scheme": "http", "query_string": b"", "headers": [(b"x-user", b"ann")],
        "server": ("here", 80), "client": ("there", 1),
    }  # fmt: skip
    came = 0
    over = asyncio.Event()

    async def receive() -> Any:
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal came
        if message["type"] == "http.response.body":
            came += 1
        if came >= after:
            over.set()
            await asyncio.sleep(1e6)

    await asyncio.wait_for(web.app(scope, receive, send), 1000)
    return came


async def test_a_job_that_was_removed_meanwhile_has_no_outputs() -> None:
    """404, as for what never was."""
    async with serving() as web:
        made = await web.made()
        assert isinstance(web.session, aiogen.Session)
        await web.session.forget(made["id"])
        assert (await web.get(made["outputs"][0]["url"])).status_code == 404
