"""A proxy in a few lines: raw HTTP on loopback that answers by itself; nothing is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Answer = Callable[[str, dict[str, str]], bytes]


def reply(body: bytes, status: str = "200 OK", kind: str = "application/json", *more: str) -> bytes:
    """An HTTP answer as bytes."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


class Proxy:
    """What it was asked for, with which headers; an answer of no bytes cuts the connection."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                self.asked.append(first.rpartition(" ")[0])
                self.headers.append(headers)
                await reader.readexactly(int(headers.get("content-length", "0")))
                said = self._answer(self.asked[-1], headers)
                writer.write(said)
                await writer.drain()
                if not said:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def proxying(answer: Answer) -> AsyncIterator[tuple[Proxy, str]]:
    """The proxy, and its host and port; also of use as a server that says what no aiohttp server would."""
    proxy = Proxy(answer)
    async with await asyncio.start_server(proxy, "127.0.0.1", 0, limit=1 << 20) as server:
        host, port = server.sockets[0].getsockname()[:2]
        yield proxy, f"{host}:{port}"
