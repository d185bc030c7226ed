"""Headers and bytes of outputs: from our own address, and never run as a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from aiogen._content.media import extension_of, recognise
from aiogen._transfer.spooling import OutputFile

INLINE = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/mp4"})
"""Kinds that browsers show and cannot run."""
OTHER = "application/octet-stream"


def binary(kinds: Iterable[str]) -> dict[str, Any]:
    """Bytes of one of these media types, as OpenAPI describes them."""
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(kinds)}


DESCRIBED: dict[str, Any] = {
    "description": "The bytes: shown if they are of a kind that browsers show and cannot run, else a download",
    "content": binary({*INLINE, OTHER}),
}
_AGE = 365 * 86_400


def etag_of(job_id: str, n: int) -> str:
    """What an output of a job is never changes, so its name is enough."""
    return f'"{job_id}-{n}"'


def headers_of(etag: str) -> dict[str, str]:
    """Headers of each answer, also of one without the bytes."""
    return {
        "ETag": etag,
        "Cache-Control": f"private, max-age={_AGE}, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
        "Accept-Ranges": "none",  # a part would need all of it from the vendor, too
    }


def kind_headers(job_id: str, n: int, found: str | None) -> dict[str, str]:
    """The type, and whether a browser shows it or downloads it.

    Args:
        job_id: for its name.
        n: the same.
        found: the media type by the bytes themselves, whatever the provider says.
    """
    is_inline = found in INLINE
    ending = (extension_of(found) if found else None) or "bin"
    how = "inline" if is_inline else "attachment"
    return {
        "Content-Type": found if is_inline and found else OTHER,
        "Content-Disposition": f'{how}; filename="{job_id}-{n}.{ending}"',
    }


def is_known(etag: str, if_none_match: str | None) -> bool:
    """Whether the client has it already (RFC 9110, 13.1.2)."""
    known = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return etag in known or known == ["*"]


class FileAnswer(StreamingResponse):
    """The bytes in pieces, with their length; the file is closed at the end, also if the client has gone."""

    def __init__(self, job_id: str, n: int, file: OutputFile) -> None:
        headers = headers_of(etag_of(job_id, n)) | kind_headers(job_id, n, recognise(file.head))
        super().__init__(file.pieces(), headers=headers | {"Content-Length": str(file.size)})
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._file.close()
