"""A vendor that knows which process speaks to it: each has a base url of its own."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from uuid import uuid4

import attrs
from aiohttp import web
from serving import serving


@attrs.frozen
class Visit:
    """One request."""

    at: float
    """On the clock that all processes of this machine share."""
    who: str
    is_create: bool
    id: str


@attrs.define
class Made:
    """One generation."""

    prompt: str
    by: str
    ends_at: float


class Vendor:
    """Luma in a few lines: what it accepts is done after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.url = ""
        self.visits: list[Visit] = []
        self.made: dict[str, Made] = {}
        self.unanswered = 0
        """Requests that are being held back."""
        self._seconds = seconds
        self._held: dict[str, int] = {}
        self._released = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, seconds: float = math.inf) -> AsyncIterator[Self]:
        """Listens on this machine."""
        vendor = cls(seconds)
        async with serving(vendor) as vendor.url:
            try:
                yield vendor
            finally:
                vendor.release()

    def hold(self, who: str, after: int) -> None:
        """All but so many requests of this process are carried out, and not answered before `release`."""
        self._held[who] = after

    def release(self) -> None:
        """Give the answers that were held back, as things stand now."""
        self._held.clear()
        self._released.set()

    def make(self, count: int) -> list[str]:
        """Generations that were ordered before anybody here looked; their ids."""
        return [self._make("elsewhere", "nobody") for _ in range(count)]

    def end_within(self, seconds: float) -> None:
        """What runs ends one after the other, beginning now."""
        now = time.monotonic()
        for i, made in enumerate(self.made.values()):
            made.ends_at = now + seconds * i / len(self.made)
        self._seconds = 0.0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        _, who, *_, name = request.path.split("/")
        is_create = request.method == "POST"
        if is_create:
            name = self._make(json.loads(await request.read())["prompt"], who)
        self.visits.append(Visit(time.monotonic(), who, is_create, name))
        if who in self._held and len(self.of(who)) > self._held[who]:
            self.unanswered += 1
            await self._released.wait()
        return self._answer(name, 201 if is_create else 200)

    def _make(self, prompt: str, by: str) -> str:
        name = str(uuid4())
        self.made[name] = Made(prompt, by, time.monotonic() + self._seconds)
        return name

    def _answer(self, name: str, status: int) -> web.Response:
        is_over = time.monotonic() >= self.made[name].ends_at
        output = [{"type": "image", "url": f"https://storage.example/{name}.png"}] if is_over else []
        state = "completed" if is_over else "processing"
        return web.json_response(
            {"id": name, "type": "image", "state": state, "model": "uni-1", "output": output}, status=status
        )

    # --- what it saw

    @property
    def prompts(self) -> list[str]:
        """What was ordered by those who look now, in alphabetical order."""
        return sorted(made.prompt for made in self.made.values() if made.by != "nobody")

    def of(self, who: str, since: float = 0.0) -> list[Visit]:
        """The requests of one process."""
        return [visit for visit in self.visits if visit.who == who and visit.at > since]

    def askers(self) -> dict[str, list[str]]:
        """For each generation who asked about it, one after the other; who asks several times in a row stands once."""
        turns: dict[str, list[str]] = defaultdict(list)
        for visit in self.visits:
            if not visit.is_create and turns[visit.id][-1:] != [visit.who]:
                turns[visit.id].append(visit.who)
        return turns
