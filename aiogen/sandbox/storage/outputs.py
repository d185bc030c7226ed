"""Outputs: found by their file names, painted when they are fetched, and sent whole or in part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

import attrs
from aiohttp import web

from ..answering import HTML_PAGE, pour, retry_after
from ..context import RequestContext
from ..jobs import SandboxJob
from ..painting import Picture
from ..script import Fault
from .s3 import StorageErrorFormat, no_such_key, xml_error

CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "mp4": "video/mp4"}
SUFFIXES = {"png": "png", "jpeg": "jpg", "mp4": "mp4"}

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_NUMBER = re.compile(r"(\d+)$")


@attrs.frozen
class File:
    """What is sent of a file."""

    content: bytes
    content_type: str
    etag: str
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Further ones."""


class DownloadErrors(Protocol):
    """How the server of the file words its errors."""

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response: ...

    def no_such_range(self, size: int) -> web.Response: ...


async def serve(
    context: RequestContext, job: SandboxJob | None, *, layers: int = 0, also: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """GET or HEAD of an output of this job, by the last part of the path, as in output-1.png.

    `layers` is the number of layers if the outputs are layers of one picture. `also` maps suffixes to the formats in
    which an output can be had besides its own.
    """
    found = _output_in(context.request.match_info["name"], job, also or {}) if job is not None else None
    # Deleting removes the images too (reported); what the CDN answers then is not known.
    if job is None or found is None or not job.has_ended(context.now):
        return no_such_key()
    context.recorded.job_id = job.id
    index, format_ = found
    fault = job.download_fault(index) if context.request.method == "GET" else None
    try:
        file = await _file(context, job, index, format_, layers)
    except ImportError as error:  # no Pillow: the message says what to install
        return xml_error(501, "NotImplemented", str(error))
    await context.pause(job.fate.latency or 0)
    return await send(context, file, fault, StorageErrorFormat())


async def send(context: RequestContext, file: File, fault: Fault | None, errors: DownloadErrors) -> web.StreamResponse:
    """The file or the part that is requested, unless the fault says otherwise."""
    if fault is not None:
        return await _send_wrong(context, fault, file, errors)
    if context.request.method in ("GET", "HEAD") and file.etag in context.request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers={"ETag": file.etag, **file.headers})
    return await _send(context, file, errors)


async def _file(context: RequestContext, job: SandboxJob, index: int, format_: str, layers: int) -> File:
    picture = Picture(
        prompt=job.prompt, model=job.model, index=index, size=job.size, format=format_, seed=job.seed, layer_of=layers
    )
    content = await context.worker.picture(picture)
    return File(content, CONTENT_TYPES[format_], f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"')


def _output_in(name: str, job: SandboxJob, also: Mapping[str, str]) -> tuple[int, str] | None:
    """Which output a file's name means, and its format; None: the job has no such output."""
    stem, _, suffix = name.rpartition(".")
    number = _NUMBER.search(stem)
    index = int(number[1]) if number else 0
    formats = {SUFFIXES[job.format]: job.format, **also}
    if suffix not in formats or index >= job.outputs:
        return None
    return index, formats[suffix]


def _range(request: web.Request, file: File) -> tuple[int, int] | None:
    """The first byte and the one after the last, if a part is requested. Empty if there is no such part."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    unchanged = (file.etag, file.headers.get("Last-Modified"))
    if match is None or match[0] == "bytes=-" or request.headers.get("If-Range", file.etag) not in unchanged:
        return None
    size = len(file.content)
    if match[1]:
        return int(match[1]), min(int(match[2] or size) + 1, size)
    return max(0, size - int(match[2])), size


async def _send(
    context: RequestContext,
    file: File,
    errors: DownloadErrors,
    *,
    content_type: str | None = None,
    cut_after: int | None = None,
) -> web.StreamResponse:
    request, size = context.request, len(file.content)
    part = _range(request, file)
    start, stop = part or (0, size)
    if part and start >= stop:
        return errors.no_such_range(size)
    response = web.StreamResponse(
        status=206 if part else 200,
        headers={
            **file.headers,
            "Content-Type": content_type or file.content_type,
            "ETag": file.etag,
            "Accept-Ranges": "bytes",
        },
    )
    if part:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    response.content_length = stop - start
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    if cut_after is not None and cut_after < stop - start:
        await response.write(file.content[start : start + cut_after])
        context.cut(at_once=False)
        return response
    await response.write(file.content[start:stop])
    return response


async def _send_wrong(context: RequestContext, fault: Fault, file: File, errors: DownloadErrors) -> web.StreamResponse:
    match fault.word:
        case "cut":
            return await _send(context, file, errors, cut_after=int(fault.amount))
        case "cut-before":
            return context.cut()
        case "hang":
            return await context.hang()
        case "slow":
            await context.pause(fault.amount)
        case "wrong-type":
            return await _send(context, file, errors, content_type="text/plain")
        case "html":
            return web.Response(text=HTML_PAGE, content_type="text/html")
        case "empty":
            return web.Response(body=b"", content_type=file.content_type)
        case "huge":
            return await pour(context, fault.amount)
        case _:
            return errors.refuse(fault.status or 500, retry_after(context, fault))
    return await _send(context, file, errors)
