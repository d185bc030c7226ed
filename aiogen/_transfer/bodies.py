"""What a request says, as bytes.  Megabytes are encoded in a thread, in portions: else they hold up the event loop."""

from __future__ import annotations

import binascii
import io
import json
from typing import Any

import aiohttp
import attrs

from aiogen._content.portions import LARGE, of_base64, size, written
from aiogen._transfer.threads import Threads
from aiogen.errors import InputError
from aiogen.exchange import Body, Multipart, Part, Raw


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
        return Encoded(await _decoded(body.base64, threads), body.media_type)
    if isinstance(body, Multipart):
        form = aiohttp.FormData(default_to_multipart=True)
        for part in body.parts:
            await _add(form, part, threads)
        return Encoded(form, None)
    if size(body) > LARGE:
        return Encoded(await threads.run(_dumped, body), "application/json")
    return Encoded(json.dumps(body).encode(), "application/json")


async def _add(form: aiohttp.FormData, part: Part, threads: Threads) -> None:
    if part.base64 is None:
        form.add_field(part.name, part.text or "", content_type=part.media_type)
        return
    content = await _decoded(part.base64, threads)
    form.add_field(
        part.name,
        content,
        filename=part.filename or part.name,
        content_type=part.media_type or "application/octet-stream",
    )


async def _decoded(text: str, threads: Threads) -> io.BytesIO:
    try:
        if len(text) > LARGE:
            return await threads.run(_unpacked, text)
        return io.BytesIO(binascii.a2b_base64(text))
    except ValueError:
        raise InputError("An image of the request is not valid base64.") from None


# What is written into it is the BytesIO's own; one that is made of bytes shares them, and aiohttp, which looks at its
# buffer in the event loop, would make it copy them there.


def _dumped(body: Any) -> io.BytesIO:
    file = io.BytesIO()
    for part in written(body):
        file.write(part.encode())
    file.seek(0)
    return file


def _unpacked(text: str) -> io.BytesIO:
    file = io.BytesIO()
    try:
        file.write(of_base64(text))
    except ValueError:
        file.write(binascii.a2b_base64(text))  # which skips other characters, such as the ends of lines
    file.seek(0)
    return file
