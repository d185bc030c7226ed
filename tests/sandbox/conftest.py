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
    """Knows the URLs of the vendors."""

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

    async def comfyui(self, method: str, path: str, **options: Any) -> Answer:
        return await self.ask(method, f"{self.sandbox.comfyui_url}{path}", **options)

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


# --- ComfyUI ---


def plain_graph(*, color: int = 0, size: tuple[int, int] = (64, 64), batch: int = 1, prefix: str = "ComfyUI") -> Any:
    """Needs no model."""
    width, height = size
    values = {"width": width, "height": height, "batch_size": batch, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": values},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": prefix}},
    }


def model_graph(prompt: str = "a boat", *, model: str = "sd_xl_base_1.0.safetensors", **sampler: Any) -> Any:
    """Text to image, as usual."""
    usual = {"seed": 5, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return {
        "3": {"class_type": "KSampler", "inputs": {**usual, **links, **sampler}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": model}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 832, "height": 1216, "batch_size": 2}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurred", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "boats/new"}},
    }
