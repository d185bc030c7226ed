"""The two ends of `benchmarks.heavy`, each in a process of its own: a vendor with large answers, and web clients."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any
from uuid import uuid4

from aiohttp import web

from benchmarks.answers import as_json, leonardo, luma
from benchmarks.peers import KEY

ROW_BYTES = 1_200
"""About what one generation of a list has."""
MEGABYTE = 1_000_000
FILE_BYTES = 20 * MEGABYTE
USER = "3f1c3a3e-0000-4000-8000-000000000001"


@contextmanager
def vendor() -> Iterator[str]:
    """Its base address: below `/luma/v1` and `/leonardo` as the vendors have it, by what the paths ask for."""
    with _process(_vendor) as connection:
        yield f"http://127.0.0.1:{connection.recv()}"


def _vendor(connection: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(web.Server(_answer), "127.0.0.1", 0)
        connection.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, _ended, connection)

    asyncio.run(serve())


_ids = [str(uuid4()) for _ in range(8_000)]


async def _answer(request: web.BaseRequest) -> web.StreamResponse:
    """Lists are as long as they are asked to be; `error` in an id or a user's name brings a large error."""
    await request.read()
    _, vendor, *rest = request.path.split("/")
    host = f"http://{request.host}"
    if vendor == "file":
        return web.Response(body=_jpeg(FILE_BYTES), content_type="image/jpeg")
    if request.method == "POST":
        if vendor == "luma":
            return as_json(luma(str(uuid4()), time.time(), over=False), 201)
        return as_json({"generate": {"generationId": str(uuid4())}})
    if rest[-1].endswith("e0"):
        return web.Response(body=_large_error(), status=400, content_type="application/json")
    if "user" in rest:
        return as_json({"generations": [leonardo(name, 0.0, over=True) for name in _ids]})
    if vendor == "luma":
        found = luma(rest[-1], time.time(), over=True)
        found["output"] = [{"type": "image", "url": f"{host}/file/a.jpg"}]
        return as_json(found)
    return as_json({"generations_by_pk": leonardo(rest[-1], time.time(), over=True)})


def _jpeg(size: int) -> bytes:
    return (
        b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xda\x00\x02"
        + b"\x11" * (size - 26)
        + b"\xff\xd9"
    )


def _large_error() -> bytes:
    """A megabyte that repeats the key in several of its forms."""
    line = {"authorization": f"Bearer {KEY}", "url": f"https://api.example/?key={KEY}&page=1", "text": "word " * 40}
    many = MEGABYTE // len(json.dumps(line))
    return json.dumps({"error": "The request was refused", "code": "invalid", "trace": [line] * many}).encode()


# --- clients


def answers(work: Callable[..., None], *args: Any) -> list[Any]:
    """All that `work(connection, *args)` sends from a process of its own, up to the None at its end."""
    with _process(work, *args) as connection:
        return list(iter(connection.recv, None))


def post(connection: Connection, port: int, body_of: Callable[[], bytes], times: int) -> None:
    """Posts the same body again and again; sends how it was answered."""
    import http.client

    body = body_of()
    for _ in range(times):
        http_ = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        http_.request("POST", "/generations", body, {"Content-Type": "application/json"})
        answer = http_.getresponse()
        connection.send((answer.status, answer.read()[:500]))
        http_.close()
        time.sleep(0.3)
    connection.send(None)


def get(connection: Connection, port: int, path: str, times: int) -> None:
    """Reads the same path again and again; sends what came."""
    import http.client

    for _ in range(times):
        http_ = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        http_.request("GET", path)
        answer = http_.getresponse()
        connection.send((answer.status, len(answer.read())))
        http_.close()
        time.sleep(0.3)
    connection.send(None)


def follow(connection: Connection, port: int, ids: list[str]) -> None:
    """Opens an event stream for each; sends how many have come to their end."""

    async def one(name: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /generations/{name}/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        found = await reader.read()
        writer.close()
        return found.count(b'"state":"completed"')

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*map(one, ids))

    connection.send(sum(map(bool, asyncio.run(all_of_them()))))
    connection.send(None)


# --- processes


@contextmanager
def _process(work: Callable[..., None], *args: Any) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, *args), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join(5)
        if process.is_alive():
            process.terminate()
            process.join()


def _ended(connection: Connection) -> None:
    with suppress(EOFError, OSError):
        connection.recv()
