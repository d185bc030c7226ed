"""A sandbox and somebody who calls it, in the test's own loop and on its virtual clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from multidict import CIMultiDictProxy

from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, Sandbox

MODEL = "gemini-image-2"


@attrs.frozen
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return self.content.decode()


@attrs.define
class Caller:
    """Knows the URLs of both vendors."""

    sandbox: Sandbox
    http: aiohttp.ClientSession
    luma_key: str | None = LUMA_KEY
    leonardo_key: str | None = LEONARDO_KEY

    async def ask(self, method: str, url: str, **options: Any) -> Answer:
        async with self.http.request(method, url, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def luma(self, method: str, path: str, **options: Any) -> Answer:
        return await self._with_key(self.luma_key, method, f"{self.sandbox.luma_url}{path}", options)

    async def leonardo(self, method: str, path: str, **options: Any) -> Answer:
        return await self._with_key(self.leonardo_key, method, f"{self.sandbox.leonardo_url}{path}", options)

    async def _with_key(self, key: str | None, method: str, url: str, options: dict[str, Any]) -> Answer:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key}")
        return await self.ask(method, url, headers=headers, **options)

    # --- Luma ---

    async def create(self, prompt: str = "a boat", **body: Any) -> Answer:
        return await self.luma("POST", "/generations", json={"prompt": prompt, **body})

    async def created(self, prompt: str = "a boat", **body: Any) -> str:
        """The id of a new job."""
        answer = await self.create(prompt, **body)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    async def poll(self, job_id: str) -> Answer:
        return await self.luma("GET", f"/generations/{job_id}")

    # --- Leonardo ---

    async def create_v1(self, prompt: str = "a boat", **body: Any) -> Answer:
        return await self.leonardo("POST", "/v1/generations", json={"prompt": prompt, **body})

    async def create_v2(self, prompt: str = "a boat", model: str = MODEL, **parameters: Any) -> Answer:
        body = {"model": model, "parameters": {"prompt": prompt, **parameters}}
        return await self.leonardo("POST", "/v2/generations", json=body)

    async def created_v2(self, prompt: str = "a boat", model: str = MODEL, **parameters: Any) -> str:
        answer = await self.create_v2(prompt, model, **parameters)
        assert "generate" in answer.json, answer.text
        return str(answer.json["generate"]["generationId"])

    async def generation(self, job_id: str) -> Any:
        """What is inside `generations_by_pk`."""
        return (await self.leonardo("GET", f"/v1/generations/{job_id}")).json["generations_by_pk"]

    async def listed(self, **query: int) -> list[Any]:
        path = f"/v1/generations/user/{self.sandbox.leonardo.user_id}"
        answer = await self.leonardo("GET", path, params=query)
        return list(answer.json["generations"])


Visiting = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def visiting() -> Visiting:
    """`async with visiting(luma=LumaSettings(...)) as caller:` takes what Sandbox takes."""

    @asynccontextmanager
    async def context(**options: Any) -> AsyncIterator[Caller]:
        async with Sandbox(**options) as sandbox, aiohttp.ClientSession() as http:
            yield Caller(sandbox, http)

    return context


@pytest.fixture(autouse=True)
def answers_are_false(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in aiohttp 3.11, where `if response:` is false: an answer must be compared with None."""
    monkeypatch.setattr(web.StreamResponse, "__bool__", lambda self: False, raising=False)
