"""Calls that the imitated Leonardo makes, as a server meets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from aiohttp import web
from serving import serving

from aiogen.sandbox import LEONARDO_KEY, LeonardoSettings, Script
from aiogen.sandbox.script import ScriptError

from .conftest import Visiting


@attrs.define
class Server:
    """Hears the calls."""

    heard: list[tuple[float, Mapping[str, str], Any]] = attrs.field(factory=list)
    status: int = 200

    async def __call__(self, request: web.Request) -> web.Response:
        self.heard.append((asyncio.get_running_loop().time(), request.headers, json.loads(await request.read())))
        return web.Response(status=self.status)

    @property
    def times(self) -> list[int]:
        """Whole seconds."""
        return [round(at) for at, _, _ in self.heard]


async def test_as_documented(visiting: Visiting) -> None:
    """One call at the end, with the row as reading shows it, and the key with its secret inside."""
    server = Server()
    async with serving(server) as url:
        settings = LeonardoSettings(webhook_url=f"{url}/hook", webhook_secret="abcdefgh")
        async with visiting(leonardo=settings) as caller:
            await caller.create_v1("a boat [[processing=20]]")
            await asyncio.sleep(60.0)
            [(at, headers, event)] = server.heard
            [job] = caller.sandbox.jobs
    assert round(at - job.ends_at, 1) == 0.0
    assert headers["authorization"] == "Bearer abcdefgh"
    assert headers["user-agent"] == "axios/1.4.0"
    assert {name: event[name] for name in ("type", "object", "api_version")} == {
        "type": "image_generation.complete",
        "object": "generation",
        "api_version": "v1",
    }
    row = event["data"]["object"]
    assert (row["id"], row["status"], len(row["images"])) == (job.id, "COMPLETE", 4)
    assert row["createdAt"].endswith("Z")
    assert isinstance(row["seed"], str)
    assert "generated_images" not in row
    assert row["apiKey"] == {
        "key": LEONARDO_KEY,
        "webhookCallbackUrl": f"{url}/hook",
        "webhookCallbackApiKey": "abcdefgh",
    }


@pytest.mark.parametrize(
    ("words", "times"),
    [
        ("processing=20", [20]),
        ("processing=20 fail=null", [20]),
        ("processing=20 webhook=never", []),
        ("processing=20 webhook=twice", [20, 20]),
        ("processing=20 webhook=late@7.5", [28]),
        ("processing=20 webhook=twice,late@10", [30, 30]),
        ("processing=20 webhook=forged", [0, 20]),
        ("processing=20 webhook=forged,never", [0]),
    ],
)
async def test_late_twice_forged_never(visiting: Visiting, words: str, times: list[int]) -> None:
    server = Server()
    async with serving(server) as url:
        async with visiting(leonardo=LeonardoSettings(webhook_url=url, webhook_secret="abcdefgh")) as caller:
            await caller.create_v1(f"a boat [[{words}]]")
            await asyncio.sleep(100.0)
            assert server.times == times
            assert [call.status for call in caller.sandbox.webhooks] == [200] * len(times)


async def test_a_forged_one_has_no_secret(visiting: Visiting) -> None:
    """Whoever makes it does not know it, nor the key."""
    server = Server(status=401)
    async with serving(server) as url:
        async with visiting(leonardo=LeonardoSettings(webhook_url=url, webhook_secret="abcdefgh")) as caller:
            await caller.create_v1("a boat [[processing=20 webhook=forged,never]]")
            await asyncio.sleep(1.0)
            [(_, headers, event)] = server.heard
            [sent] = caller.sandbox.webhooks
    assert headers["authorization"] != "Bearer abcdefgh"
    assert "abcdefgh" not in str(event)
    assert LEONARDO_KEY not in str(event)
    assert event["data"]["object"]["status"] == "COMPLETE"
    assert (sent.forged, sent.status, sent.provider) == (True, 401, "leonardo")


async def test_without_a_secret(visiting: Visiting) -> None:
    server = Server()
    async with serving(server) as url, visiting(leonardo=LeonardoSettings(webhook_url=url)) as caller:
        await caller.create_v1("a boat [[processing=1]]")
        await asyncio.sleep(5.0)
        [(_, headers, _)] = server.heard
    assert "authorization" not in headers


async def test_nobody_is_there(visiting: Visiting) -> None:
    async with visiting(leonardo=LeonardoSettings(webhook_url="http://127.0.0.1:9/hook")) as caller:
        await caller.create_v1("a boat [[processing=1]]")
        await asyncio.sleep(5.0)
        assert [call.status for call in caller.sandbox.webhooks] == [None]


async def test_a_reset_forgets_what_was_not_sent(visiting: Visiting) -> None:
    server = Server()
    async with serving(server) as url, visiting(leonardo=LeonardoSettings(webhook_url=url)) as caller:
        await caller.create_v1("a boat [[processing=1]]")
        await asyncio.sleep(5.0)
        await caller.create_v1("a boat [[processing=20]]")
        caller.sandbox.reset()
        assert caller.sandbox.webhooks == []
        await asyncio.sleep(60.0)
        assert len(server.heard) == 1


async def test_what_is_under_way_ends_with_the_sandbox(visiting: Visiting) -> None:
    """No task, no socket; the fixtures look."""
    async with visiting(leonardo=LeonardoSettings(webhook_url="http://127.0.0.1:9/hook")) as caller:
        await caller.create_v1("a boat [[processing=1 webhook=twice,late@1000]]")
        await asyncio.sleep(5.0)


@pytest.mark.parametrize("word", ["sometimes", "late", "late@x", "late@-1"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ScriptError, match=r"never, twice, forged, late@S"):
        Script.read({"rules": [{"fate": {"webhook": word}}]})
