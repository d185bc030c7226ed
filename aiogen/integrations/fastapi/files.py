"""The bytes of outputs, as a browser may have them: under our address, and never as a page."""

from __future__ import annotations

from fastapi import Response

from aiogen._content.media import HEAD_BYTES, extension_of, recognise

INLINE = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/mp4"})
"""What browsers show and cannot run."""
_AGE = 365 * 86_400


def etag_of(job_id: str, n: int) -> str:
    """What an output of a job is never changes, so its name is enough."""
    return f'"{job_id}-{n}"'


def headers_of(etag: str) -> dict[str, str]:
    """What each answer says, also one without the bytes."""
    return {
        "ETag": etag,
        "Cache-Control": f"private, max-age={_AGE}, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }


def is_known(etag: str, if_none_match: str | None) -> bool:
    """Whether the client has it already (RFC 9110, 13.1.2)."""
    known = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return etag in known or known == ["*"]


def file_answer(job_id: str, n: int, data: bytes) -> Response:
    """The bytes; what it is they say themselves, not who sent them."""
    found = recognise(data[:HEAD_BYTES])
    is_inline = found in INLINE
    ending = (extension_of(found) if found else None) or "bin"
    how = "inline" if is_inline else "attachment"
    headers = headers_of(etag_of(job_id, n)) | {"Content-Disposition": f'{how}; filename="{job_id}-{n}.{ending}"'}
    kind = found if is_inline and found else "application/octet-stream"
    return Response(data, media_type=kind, headers=headers)
