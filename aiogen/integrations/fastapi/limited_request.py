"""A request whose body has a limit, and whose JSON is read without holding up the event loop."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from aiogen._content.portions import LARGE, lift, put_back
from aiogen.integrations.fastapi.sessions import in_thread, threads_of

_MOST_BESIDE = 256 * 1024
"""Bytes of a body without its pictures; a large graph of ComfyUI has half of that."""
_MOST_VALUES = 16_384
"""Brackets, commas and colons, also those inside strings: the cost of parsing depends on them more than on bytes."""


class LimitedRequest(Request):
    """A request whose JSON is read without holding up the event loop.

    Without its pictures a body is small, and is parsed in the event loop; pictures are copied in a thread.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._kept: list[object] = []

    async def body(self) -> bytes:
        """All of it."""
        if not hasattr(self, "_body"):
            parts = [part async for part in self.stream()]
            size = sum(map(len, parts))
            self._body = b"".join(parts) if size <= LARGE else await in_thread(self, b"".join, parts)
        return self._body

    async def json(self) -> Any:
        """The parsed body.

        Raises:
            HTTPException: 413, it is too large without its pictures.
            ValueError: it is not JSON.
        """
        body = await self.body()
        rest, lifted = await in_thread(self, lift, body) if len(body) > LARGE else (body, dict[str, str]())
        if len(rest) > _MOST_BESIDE or len(rest) - len(rest.translate(None, b"[{,:")) > _MOST_VALUES:
            raise HTTPException(
                413, f"Beside its pictures a body has at most {_MOST_BESIDE:,} bytes, and {_MOST_VALUES:,} values."
            )
        found = put_back(json.loads(rest), lifted) if lifted else json.loads(rest)
        if lifted:
            self.keep(body, found)
        return found

    def keep(self, *values: object) -> None:
        """Keep these until the request is answered; then a thread frees them, as freeing many megabytes takes long."""
        self._kept += values

    def let_go(self) -> None:
        """The request is answered: free what was kept."""
        if self._kept:
            self.__dict__.pop("_body", None)
            threads_of(self).start(self._kept.clear)


def limited(request: Request, most: int) -> LimitedRequest:
    """The same request, with a limit on its body.

    FastAPI's `max_body_size` is not used: it answers 413 in plain text where the length was announced.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise HTTPException(413, f"The body has at most {most:,} bytes.")
    receive, seen = request.receive, 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, f"The body has at most {most:,} bytes.")
        return message

    return LimitedRequest(request.scope, counting)
