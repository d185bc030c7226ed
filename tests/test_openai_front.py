"""The front in OpenAI's form: which requests are one job, and what its clients are told.

A real client of OpenAI's and workers that are killed are in tests/official/test_openai_front.py.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from ledger.in_loop import files_in_the_loop

import aiogen
from aiogen.sandbox import LUMA_KEY, Sandbox

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield import_module("openai_front")
    for name in ("_vendor", "openai_front"):
        sys.modules.pop(name, None)


class Client:
    """Asks as OpenAI's clients do."""

    def __init__(self, http: httpx.AsyncClient, box: Sandbox) -> None:
        self._http = http
        self._box = box

    async def ask(self, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """One request, with the key of ann."""
        asked = {"prompt": "a paper boat", "model": "luma/uni-1"} | body
        return await self._http.post(
            "/v1/images/generations", json=asked, headers={"authorization": "Bearer ann"} | (headers or {})
        )

    async def urls(self, headers: dict[str, str] | None = None, **body: Any) -> list[str]:
        """Where the pictures are, without what lets one in: an address that ends soon is asked for again."""
        answer = await self.ask(headers, **body)
        assert answer.status_code == 200, answer.text
        return [image["url"].partition("?")[0] for image in answer.json()["data"]]

    @property
    def paid(self) -> int:
        return len(self._box.jobs)


@asynccontextmanager
async def serving(front: ModuleType, folder: Path) -> AsyncIterator[Client]:
    """The application with a session on a sandbox, without a server around it."""
    with files_in_the_loop(asyncio.get_running_loop()):
        async with Sandbox() as box:
            provider = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
            async with aiogen.Session([provider], store=folder / "ledger.db") as front.app.state.aiogen:
                transport = httpx.ASGITransport(front.app)
                async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
                    yield Client(http, box)


async def test_the_same_request_is_the_same_job(front: ModuleType, tmp_path: Path) -> None:
    """Whatever the order of its fields, and in which form the picture is wanted."""
    async with serving(front, tmp_path) as client:
        first = await client.urls()
        assert await client.urls() == first
        assert await client.urls(model="luma/uni-1", prompt="a paper boat", n=1) == first
        answer = (await client.ask(response_format="b64_json")).json()
        assert base64.b64decode(answer["data"][0]["b64_json"])[:3] == b"\x89PN"
        assert client.paid == 1


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "a paper kite"},
        {"user": "ben"},
        {"headers": {"idempotency-key": "another"}},
        {"headers": {"authorization": "Bearer ben"}},
    ],
    ids=["prompt", "user", "Idempotency-Key", "Authorization"],
)
async def test_what_makes_it_another_job(front: ModuleType, other: dict[str, Any], tmp_path: Path) -> None:
    """Each of them, and repeated it is that one again."""
    async with serving(front, tmp_path) as client:
        first, second = await client.urls(), await client.urls(**other)
        assert first != second
        assert await client.urls(**other) == second
        assert client.paid == 2


async def test_several_pictures_are_several_jobs(front: ModuleType, tmp_path: Path) -> None:
    """One request, as many as it wants; repeated, they are the same."""
    async with serving(front, tmp_path) as client:
        three = await client.urls(n=3)
        assert len(set(three)) == 3
        assert await client.urls(n=3) == three
        assert client.paid == 3


async def test_a_key_that_stands_for_another_request_is_refused(front: ModuleType, tmp_path: Path) -> None:
    """No picture of something else, and nothing paid; nor does the client repeat it."""
    async with serving(front, tmp_path) as client:
        await client.urls({"idempotency-key": "mine"})
        answer = await client.ask({"idempotency-key": "mine"}, prompt="a paper kite")
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "KeyReused")
        assert answer.headers["x-should-retry"] == "false"
        assert client.paid == 1


async def test_what_failed_is_paid_again_only_by_a_new_call(front: ModuleType, tmp_path: Path) -> None:
    """A repetition of the client's own gets the same failure; the person who asks once more gets another attempt."""
    failing = "a paper boat [[fail=generation_failed]]"
    async with serving(front, tmp_path) as client:
        for count, paid in (("0", 1), ("1", 1), ("2", 1), ("0", 2)):
            answer = await client.ask({"x-stainless-retry-count": count}, prompt=failing)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "generation_failed")
            assert answer.headers["x-should-retry"] == "false"
            assert client.paid == paid


async def test_what_is_unknown_is_not_repeated(front: ModuleType, tmp_path: Path) -> None:
    """Its create may have arrived: it is told so each time, and no time sent again."""
    async with serving(front, tmp_path) as client:
        for count in ("0", "1", "0"):
            headers = {"x-stainless-retry-count": count}
            answer = await client.ask(headers, prompt="a paper boat [[create=cut-after]]")
            assert answer.status_code in (400, 502)
            assert "may" in answer.json()["error"]["message"]
            assert answer.headers["x-should-retry"] == "false"
        assert client.paid == 1


@pytest.mark.parametrize("kind", [aiogen.SessionClosed, aiogen.StoreError])
async def test_what_another_worker_can_do_better_is_repeated(
    front: ModuleType, kind: type[aiogen.AiogenError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is asked to: it then finds the same job."""

    async def submit(*_: object, **__: object) -> None:
        raise kind("Not here, not now.")

    async with serving(front, tmp_path) as client:
        monkeypatch.setattr(front.app.state.aiogen, "submit", submit)
        answer = await client.ask()
        assert (answer.status_code, answer.headers["x-should-retry"]) == (503, "true")
        assert answer.json()["error"]["message"] == "Not here, not now."


async def test_what_it_does_not_know_is_refused(front: ModuleType, tmp_path: Path) -> None:
    """Not left out in silence, and paid."""
    async with serving(front, tmp_path) as client:
        assert (await client.ask(size="1024x1024")).status_code == 422
        assert (await client.ask(prompt=" ")).status_code == 400
        assert client.paid == 0


async def test_no_key_of_a_client_is_kept(front: ModuleType, tmp_path: Path) -> None:
    """Only its digest stands in the ledger."""
    async with serving(front, tmp_path) as client:
        await client.urls({"authorization": "Bearer sk-very-secret"})
        (record,) = await front.app.state.aiogen.records()
        assert "sk-very-secret" not in repr(record)
    for file in tmp_path.iterdir():
        assert b"sk-very-secret" not in file.read_bytes()
