"""Calls that vendors make: each is sent once, at its time, and its answer changes nothing here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

import aiohttp
import attrs

from .clock import Clock

PATIENCE = 10.0
"""Seconds for one call; what the vendors allow is not known."""


@attrs.define
class SentWebhook:
    """One call, as `Sandbox.webhooks` keeps it."""

    at: float
    """Loop seconds at which it was sent."""
    provider: str
    job_id: str
    forged: bool
    """Sent by a stranger, who does not know the secret."""
    status: int | None = None
    """None: no answer (yet)."""


class WebhookSender:
    """Of all vendors, from the sandbox's start to its end."""

    def __init__(self, clock: Clock) -> None:
        self.sent: list[SentWebhook] = []
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None

    def post(
        self, at: float, what: SentWebhook, url: str, headers: Mapping[str, str], body: Callable[[], object]
    ) -> None:
        """Sends JSON at the loop second `at`; `body` is called then."""
        task = asyncio.get_running_loop().create_task(self._post(at, what, url, headers, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(
        self, at: float, what: SentWebhook, url: str, headers: Mapping[str, str], body: Callable[[], object]
    ) -> None:
        await asyncio.sleep(max(0.0, at - self._clock.now()))
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE))
        what.at = self._clock.now()
        self.sent.append(what)
        try:
            async with self._client.post(url, data=json.dumps(body()).encode(), headers=headers) as answer:
                what.status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            pass  # no server answers; the vendor's own repetitions are not documented

    def forget(self) -> None:
        """Drops the calls that are still to be sent, and forgets those that were."""
        for task in self._tasks:
            task.cancel()
        self.sent = []

    async def close(self) -> None:
        """Ends what is under way."""
        for task in (running := [*self._tasks]):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._client is not None:
            await self._client.close()


def delays(words: tuple[str, ...]) -> list[float]:
    """The genuine calls that a fate's words mean: for each the vendor's seconds after the job's end."""
    late = next((float(word.partition("@")[2]) for word in words if word.startswith("late@")), 0.0)
    return [late] * (0 if "never" in words else 2 if "twice" in words else 1)
