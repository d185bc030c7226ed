"""What a request says, as bytes.  Megabytes are encoded in a thread: in one piece they would hold up the event loop."""

from __future__ import annotations

import binascii
import io
import json
from typing import Any

import aiohttp
import attrs

from aiogen._transfer.threads import Threads
from aiogen.errors import InputError
from aiogen.exchange import Body, Multipart, Part, Raw

_LARGE = 128 * 1024
"""Characters that are encoded at once."""


@attrs.frozen
class Encoded:
    """A body, ready to be sent."""

    data: bytes | io.BytesIO | aiohttp.FormData
    content_type: str | None
    """None for a form, which says it itself, for it chooses its boundary."""


async def encoded(body: Body, threads: Threads) -> Encoded:
    """The body as bytes.

    Raises:
        InputError: what should be base64 is not.
    """
    if isinstance(body, Raw):
        return Encoded(io.BytesIO(await _decoded(body.base64, threads)), body.media_type)
    if isinstance(body, Multipart):
        form = aiohttp.FormData(default_to_multipart=True)
        for part in body.parts:
            await _add(form, part, threads)
        return Encoded(form, None)
    if _size(body) > _LARGE:
        return Encoded(io.BytesIO(await threads.run(lambda: json.dumps(body).encode())), "application/json")
    return Encoded(json.dumps(body).encode(), "application/json")


async def _add(form: aiohttp.FormData, part: Part, threads: Threads) -> None:
    if part.base64 is None:
        form.add_field(part.name, part.text or "", content_type=part.media_type)
        return
    content = io.BytesIO(await _decoded(part.base64, threads))
    form.add_field(
        part.name,
        content,
        filename=part.filename or part.name,
        content_type=part.media_type or "application/octet-stream",
    )


async def _decoded(text: str, threads: Threads) -> bytes:
    try:
        if len(text) > _LARGE:
            return await threads.run(binascii.a2b_base64, text)
        return binascii.a2b_base64(text)
    except ValueError:
        raise InputError("An image of the request is not valid base64.") from None


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8
