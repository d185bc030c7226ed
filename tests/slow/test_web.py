"""A real web server in front of a provider: it is stopped, and its clients lose nothing."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest
from processes.ledger import states, until
from processes.uvicorns import serving
from processes.vendor import Vendor

from aiogen.sandbox import LUMA_KEY

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

MANY = {"max_active": 5_000, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
GRACE = 60
"""Seconds for which uvicorn would wait for its connections: longer than the test may take."""


class Clients:
    """Those of one server, each with a connection of its own."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.heard = 0
        """Streams that have begun."""

    async def wish(self, prompt: str) -> tuple[int, str]:
        """Wait for a picture; the status, and where it is."""
        wish = {"model": "luma/uni-1", "prompt": prompt}
        async with self._http.post("/generations", json=wish, headers={"prefer": "wait=60"}) as answer:
            return answer.status, answer.headers.get("location", "")

    async def look(self, path: str) -> tuple[int, str]:
        """Wait for one that somebody has asked for; the status, and its state."""
        async with self._http.get(path, headers={"prefer": "wait=60"}) as answer:
            return answer.status, (await answer.json())["state"]

    async def listen(self, path: str) -> list[str]:
        """Each event of it."""
        async with self._http.get(f"{path}/events") as answer:
            told = await answer.content.readuntil(b"\n\n")
            self.heard += 1
            return (told + await answer.read()).decode().strip().split("\n\n")


@pytest.mark.timeout(60)
async def test_a_server_that_is_stopped_answers_who_waits(tmp_path: Path) -> None:
    """A hundred who wait and a hundred who listen, with a create on its way: nobody gets a 500, and it is gone.

    What they wait for never ends here, and the test may not take as long as uvicorn would wait for them.
    """
    ledger = tmp_path / "images.db"
    async with asyncio.timeout(50.0), Vendor.open() as vendor:
        async with serving(f"{vendor.url}/web/v1", LUMA_KEY, tmp_path, provider=MANY, grace=GRACE) as server:
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(server.url, connector=connector, headers={"x-user": "ann"}) as http:
                clients = Clients(http)
                wishing = [asyncio.create_task(clients.wish("a boat")) for _ in range(50)]
                await until(lambda: states(ledger)["processing"] == 50)
                async with http.get("/generations") as answer:
                    path = (await answer.json())["items"][0]["links"]["self"]
                looking = [asyncio.create_task(clients.look(path)) for _ in range(50)]
                listening = [asyncio.create_task(clients.listen(path)) for _ in range(100)]
                await until(lambda: clients.heard == 100)
                vendor.hold("web", after=len(vendor.of("web")))
                wishing.append(asyncio.create_task(clients.wish("the last boat")))
                await until(lambda: "the last boat" in vendor.prompts)
                server.signal(signal.SIGTERM)
                made, seen, told = [await asyncio.gather(*each) for each in (wishing, looking, listening)]
                # The vendor has carried out the last create, and not said so: so long the worker stays.
                await server.says("Waiting for application shutdown")
                vendor.release()
                assert await server.ended() == -signal.SIGTERM
    assert {status for status, _ in made} == {202}
    assert len({where for _, where in made}) == 51
    assert set(seen) == {(200, "processing")}
    assert {events[-1].partition(":")[0] for events in told} == {"retry"}
    assert states(ledger) == {"processing": 51}
    assert not [line for line in server.said if "ERROR" in line or "Cancel" in line]
