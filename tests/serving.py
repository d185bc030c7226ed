"""A vendor in a few lines: an aiohttp server in the test's own loop whose answers the test writes itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

import aiogen

KEY = "luma-api-test-key-0123456789"
ID = "d290f1ee-6c54-4b01-90e6-d701748f0851"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Every request goes to the handler; gives the server's url."""
    server = web.Server(handler)
    runner = web.ServerRunner(server, shutdown_timeout=0.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def luma(url: str, **options: Any) -> aiogen.Luma:
    """A Luma connection to that server."""
    return aiogen.Luma(api_key=KEY, base_url=f"{url}/v1", **options)


def completed_at(*urls: str, kind: str = "image", **more: Any) -> aiogen.Generation:
    """A completed generation with an output at each of these addresses."""
    return aiogen.Generation(
        id=None,
        provider_id=ID,
        provider="luma",
        connection="luma",
        model=None,
        state=aiogen.State.COMPLETED,
        outputs=tuple(aiogen.Output(kind=kind, url=url) for url in urls),
        **more,
    )


def body(state: str = "queued", **more: Any) -> dict[str, Any]:
    """A generation as Luma writes it."""
    return {"id": ID, "type": "image", "state": state, "model": "uni-1", "output": [], **more}


def done(url: str = "https://storage.example/picture.png") -> dict[str, Any]:
    """A finished generation as Luma writes it."""
    return body("completed", output=[{"type": "image", "url": url}])


Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]] | str


class Vendor:
    """Answers creates and reads from two lists; the last answer of each is repeated.

    An answer is (status, JSON or text, headers), or "cut" to close the connection, or "hang" to say nothing.  Where it
    names `ID`, that stands for the generation it is about: the first create makes `ID`, and each one after it another.
    """

    def __init__(self, creates: Iterable[Answer] = (), reads: Iterable[Answer] = ()) -> None:
        self._creates = list(creates) or [(201, body())]
        self._reads = list(reads) or [(200, done())]
        self.seen: list[tuple[float, str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[Any] = []
        self.has_many = True
        """False: every create makes the same generation."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((asyncio.get_running_loop().time(), request.method, request.path))
        self.headers.append(request.headers)
        answers = self._creates if request.method == "POST" else self._reads
        if request.method == "POST":
            self.bodies.append(await request.json())
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer == "cut":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer == "hang":
            await asyncio.sleep(1e6)
        assert not isinstance(answer, str)
        status, content, *headers = answer
        if isinstance(content, dict) and content.get("id") == ID and self.has_many:
            content = {**content, "id": self._about(request)}
        if isinstance(content, str | bytes):
            content = content.encode() if isinstance(content, str) else content
            return web.Response(status=status, body=content, headers=headers[0] if headers else None)
        return web.json_response(content, status=status, headers=headers[0] if headers else None)

    def _about(self, request: web.Request) -> str:
        if request.method != "POST":
            return request.path.rsplit("/", 1)[-1]
        return ID if self.creates == 1 else f"{ID[:-4]}{self.creates:04}"

    def times(self, method: str) -> list[float]:
        """When requests of this method came, seconds of the loop."""
        return [at for at, seen, _ in self.seen if seen == method]

    @property
    def creates(self) -> int:
        """How many creates came."""
        return len(self.times("POST"))

    @property
    def reads(self) -> int:
        """How many reads came."""
        return len(self.times("GET"))
