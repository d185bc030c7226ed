"""An application with our router, in the test's own loop, and clients that say who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import attrs
import httpx
from fastapi import FastAPI, Header, HTTPException

import aiogen
from aiogen.integrations.fastapi import health, lifespan, router
from aiogen.sandbox import LUMA_KEY, Sandbox, Script

MODEL = "luma/uni-1"


async def whoever(x_user: Annotated[str | None, Header()] = None) -> str:
    """Whose request it is."""
    if x_user is None:
        raise HTTPException(401, "Say who you are.", {"WWW-Authenticate": "Bearer"})
    return x_user


@attrs.frozen
class Web:
    """The application, and what stands behind it."""

    app: FastAPI
    http: httpx.AsyncClient
    box: Sandbox

    @property
    def session(self) -> aiogen.Session:
        """The worker's session."""
        session: aiogen.Session = self.app.state.aiogen
        return session

    async def post(self, headers: dict[str, str] | None = None, user: str = "ann", **body: Any) -> httpx.Response:
        """One wish for a picture."""
        asked = {"model": MODEL, "prompt": "a paper boat"} | body
        return await self.http.post("/generations", json=asked, headers={"x-user": user} | (headers or {}))

    async def get(self, path: str, headers: dict[str, str] | None = None, user: str = "ann") -> httpx.Response:
        """What stands there for this user."""
        return await self.http.get(path, headers={"x-user": user} | (headers or {}))

    async def delete(self, path: str, user: str = "ann") -> httpx.Response:
        """Cancel it."""
        return await self.http.delete(path, headers={"x-user": user})

    async def made(self, user: str = "ann", **body: Any) -> dict[str, Any]:
        """A picture that is there."""
        answer = await self.post({"prefer": "wait=60"}, user, **body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @property
    def paid(self) -> int:
        """Creates that the provider took."""
        return len(self.box.jobs)


@asynccontextmanager
async def serving(
    script: Script | None = None, *, store: Any = ":memory:", speed: float = 1.0, **options: Any
) -> AsyncIterator[Web]:
    """The application, asked without a server around it."""
    async with Sandbox(script=script, speed=speed) as box:
        provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        app = FastAPI(lifespan=lifespan([provider], store=store))
        app.include_router(router(**{"scope": whoever, "models": [MODEL]} | options))
        app.include_router(health())
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=300) as http:
                yield Web(app, http, box)


async def until(condition: Any) -> None:
    """Time passes until it holds."""
    while not condition():
        await asyncio.sleep(0.05)
