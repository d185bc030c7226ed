"""A vendor that refuses some of its requests, whichever they are, and says when to come again, in whatever words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import cycle
from typing import Any

import attrs
from aiohttp import web
from pictures import png

PNG = png(256)
NIL = "00000000-0000-0000-0000-000000000000"
USER = "3f1c3a3e-0000-4000-8000-000000000001"

CREATE, READ, FILE = "create", "read", "file"


@attrs.frozen
class Refusal:
    """One answer that says: not now."""

    lane: str
    """Which requests it is about: creates, reads, or files of the storage."""
    nth: int
    """Of these."""
    status: int
    words: str
    headers: dict[str, str]
    asked: float
    """Seconds that it asks to wait, as far as anybody can tell."""


@attrs.frozen
class Came:
    """One request, and what became of it."""

    at: float
    lane: str
    path: str


@attrs.frozen
class Refused:
    """A refusal as it was given."""

    at: float
    refusal: Refusal
    path: str


@attrs.define(eq=False)
class Refusing:
    """Luma or Leonardo in a few lines, and the storage of both."""

    vendor: str
    refusals: list[Refusal]
    latencies: list[float]
    seconds: float
    """That a generation takes."""
    made: dict[str, float] = attrs.field(factory=dict)
    came: list[Came] = attrs.field(factory=list)
    refused: list[Refused] = attrs.field(factory=list)
    ends: dict[str, float] = attrs.field(factory=dict)
    """When it was first said of a generation that it is over."""
    _latency: Callable[[], float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._latency = cycle(self.latencies).__next__

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        loop = asyncio.get_running_loop()
        lane = FILE if request.path.startswith("/files/") else CREATE if request.method == "POST" else READ
        number = sum(came.lane == lane for came in self.came)
        self.came.append(Came(loop.time(), lane, request.path))
        await asyncio.sleep(self._latency())
        refusal = next((each for each in self.refusals if (each.lane, each.nth) == (lane, number)), None)
        if refusal is not None:
            self.refused.append(Refused(loop.time(), refusal, request.path))
            told = {"detail": refusal.words} if self.vendor == "luma" else {"error": refusal.words}
            return web.json_response(told, status=refusal.status, headers=refusal.headers)
        if lane == FILE:
            return web.Response(body=PNG, content_type="image/png")
        if lane == CREATE:
            key = f"v-{len(self.made)}"
            self.made[key] = loop.time()
            return web.json_response(self._created(key), status=201 if self.vendor == "luma" else 200)
        if request.path.endswith(NIL):  # by which Luma's key is checked
            return web.json_response({"detail": "Generation not found"}, status=404)
        return web.json_response(self._told(request))

    def _created(self, key: str) -> dict[str, Any]:
        if self.vendor == "luma":
            return {"id": key, "type": "image", "state": "queued", "model": "uni-1", "output": []}
        return {"generate": {"generationId": key}}

    def _told(self, request: web.BaseRequest) -> dict[str, Any]:
        last = request.path.rpartition("/")[2]
        if last == "me":
            return {"user_details": [{"user": {"id": USER, "username": "me"}, "apiConcurrencySlots": 10}]}
        if last == USER:
            offset, limit = int(request.query["offset"]), int(request.query["limit"])
            rows = [self._row(key, request) for key in list(reversed(self.made))[offset : offset + limit]]
            return {"generations": rows}
        row = self._row(last, request)
        return row if self.vendor == "luma" else {"generations_by_pk": row}

    def _row(self, key: str, request: web.BaseRequest) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        is_over = now >= self.made[key] + self.seconds
        if is_over:
            self.ends.setdefault(key, now)
        url = f"http://{request.host}/files/{key}.png"
        if self.vendor == "luma":
            output = [{"type": "image", "url": url}] if is_over else []
            return {**self._created(key), "state": "completed" if is_over else "processing", "output": output}
        images = [{"id": key, "url": url}] if is_over else []
        return {"id": key, "status": "COMPLETE" if is_over else "PENDING", "generated_images": images}


# --- the ways to say when to come again


def in_words(seconds: float, form: str) -> tuple[dict[str, str], float]:
    """`Retry-After` and what belongs to it; and the seconds that it asks to wait."""
    if form == "seconds":
        return {"Retry-After": str(int(seconds))}, float(int(seconds))
    if form == "decimals":
        return {"Retry-After": f"{seconds:.2f}"}, float(f"{seconds:.2f}")
    if form == "date":
        # The vendor's clock may be wrong by hours; it wrote both.
        now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
        then = now + timedelta(seconds=int(seconds))
        return {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(then, usegmt=True)}, float(
            int(seconds)
        )
    return {
        "past date": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"},
        "negative": {"Retry-After": "-30"},
        "zero": {"Retry-After": "0"},
        "infinite": {"Retry-After": "inf"},
        "moment": {"Retry-After": "1795000000"},  # seconds since 1970, where seconds from now belong
        "garbage": {"Retry-After": "in a moment"},
        "empty": {"Retry-After": " "},
        "nothing": {},
    }[form], 0.0


FORMS = (
    *("seconds", "decimals", "date") * 3,
    *("past date", "negative", "zero", "infinite", "moment", "garbage", "empty", "nothing"),
)
