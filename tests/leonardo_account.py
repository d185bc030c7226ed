"""A Leonardo account with a past: generations of any age, which can be listed, read, deleted, and fetched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from pictures import png
from serving import serving

import aiogen
from aiogen import Session

KEY = "01234567-89ab-4cde-8f01-23456789abcd"
USER = "11111111-2222-4333-8444-555555555555"
API = "/api/rest/v1"


def id_of(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


class Account:
    """The vendor; `rows` is what it has, by id, the newest first."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.url = ""
        self.deleted: list[str] = []
        """In the order in which they were."""
        self.seen: list[str] = []
        self.times: list[float] = []
        """When deletes came, seconds of the loop."""
        self.on_delete: Callable[[str], web.Response | None] = lambda name: None
        """What is answered instead."""

    def has(
        self,
        number: int,
        prompt: str | None = "a boat",
        *,
        status: str = "COMPLETE",
        days: float | None = 1.0,
        images: int = 1,
        nsfw: tuple[int, ...] = (),
    ) -> str:
        """One more; its id.  `nsfw`: which of its images are flagged."""
        name = id_of(number)
        made = datetime.fromtimestamp(asyncio.get_running_loop().time() + _wall(), UTC)
        created = None if days is None else (made - timedelta(days=days)).replace(tzinfo=None).isoformat()
        shown = []
        for i in range(images if status == "COMPLETE" else 0):
            path = f"/files/{name}/{i}.png"
            self.files[path] = png(10 + number % 7 + 20 * i)
            shown.append({"id": f"{name[:-1]}{i}", "path": path, "nsfw": i in nsfw})
        self.rows[name] = {
            "id": name, "status": status, "prompt": prompt, "createdAt": created, "generated_images": shown,
        }  # fmt: skip
        return name

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        if request.path.startswith("/files/"):
            found = self.files.get(request.path)
            return web.Response(status=404) if found is None else web.Response(body=found, content_type="image/png")
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": "Authentication hook unauthorized this request"}, status=401)
        path = request.path.removeprefix(API)
        if path == "/me":
            return web.json_response({"user_details": [{"user": {"id": USER, "username": "ann"}}]})
        if path == f"/generations/user/{USER}":
            offset, limit = int(request.query["offset"]), int(request.query["limit"])
            page = list(self.rows.values())[offset : offset + limit]
            return web.json_response({"generations": [self._written(row) for row in page]})
        name = path.rpartition("/")[2]
        if request.method == "GET":
            row = self.rows.get(name)
            return web.json_response({"generations_by_pk": self._written(row) if row is not None else None})
        self.times.append(asyncio.get_running_loop().time())
        if (answer := self.on_delete(name)) is not None:
            return answer
        found = self.rows.pop(name, None)
        if found is not None:
            self.deleted.append(name)
        return web.json_response({"delete_generations_by_pk": {"id": name} if found is not None else None})

    def _written(self, row: dict[str, Any]) -> dict[str, Any]:
        images = [{"url": self.url + each["path"], **each} for each in row["generated_images"]]
        return {**row, "generated_images": images}


def _wall() -> float:
    """By so much the session's wall clock is ahead of the loop's."""
    from aiogen._clock import Clock

    return Clock().wall() - asyncio.get_running_loop().time()


@asynccontextmanager
async def session_at(account: Account, *, store: str | Path | None = None, **options: Any) -> AsyncIterator[Session]:
    async with serving(account) as url:
        account.url = url
        leonardo = aiogen.Leonardo(api_key=KEY, base_url=f"{url}/api/rest", **options)
        async with Session([leonardo], store=store) as session:
            yield session
