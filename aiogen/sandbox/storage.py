"""Where outputs lie: Luma's bucket behind presigned URLs, and Leonardo's public CDN.

A presigned URL has what S3's have. Its signature also covers `x-sandbox-until`, the loop second at which it expires:
S3 counts whole seconds, which is too coarse once `speed` has shortened an hour. Nothing is stored; a picture is
painted when it is fetched.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import attrs
from aiohttp import web

from .answering import HTML_PAGE, RequestContext, pour, retry_after
from .clock import Clock
from .faults import Fault
from .jobs import Jobs, SandboxJob
from .painter import Picture
from .worker import Worker

CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "mp4": "video/mp4"}
SUFFIXES = {"png": "png", "jpeg": "jpg", "mp4": "mp4"}

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_NUMBER = re.compile(r"(\d+)$")


class Signer:
    """Makes presigned URLs and checks them."""

    def __init__(self, clock: Clock, secret: bytes) -> None:
        self._clock = clock
        self._secret = secret

    def presign(self, base: str, path: str, method: str, *, now: float, lifetime: float) -> str:
        """A URL under `base` that works for `lifetime` loop seconds."""
        date = self._clock.wall(now).strftime("%Y%m%dT%H%M%SZ")
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SANDBOX/{date[:8]}/us-west-2/s3/aws4_request",
            "X-Amz-Date": date,
            "X-Amz-Expires": str(max(1, math.ceil(lifetime))),
            "X-Amz-SignedHeaders": "host",
            "x-sandbox-until": repr(now + lifetime),
        }
        query["X-Amz-Signature"] = self._sign(method, path, query)
        return f"{base}{quote(path)}?{urlencode(query)}"

    def refusal(self, request: web.Request, *, now: float) -> web.Response | None:
        """Why this request to a presigned URL is not served, in S3's words."""
        query = dict(request.query)
        signature = query.pop("X-Amz-Signature", "")
        # S3 would have a HEAD signed as such. Here the URL of a GET serves, for who wants to look before he fetches.
        method = "GET" if request.method == "HEAD" else request.method
        if not hmac.compare_digest(signature, self._sign(method, request.path, query)):
            return xml_error(403, "SignatureDoesNotMatch", "The signature does not match.")
        if now >= float(query["x-sandbox-until"]):
            return xml_error(403, "AccessDenied", "Request has expired")
        return None

    def _sign(self, method: str, path: str, query: dict[str, str]) -> str:
        return self.sign("\n".join([method, path, *(f"{key}={query[key]}" for key in sorted(query))]))

    def sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


class StorageErrorFormat:
    """S3's errors, for storms that hit the storage."""

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response:
        code = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}.get(status, "InternalError")
        return xml_error(status, code, "Scripted by the sandbox", headers)

    def limited(self, kind: str, retry_after: float | None) -> web.Response:
        return self.refuse(503, {})

    def error_inside_200(self, status: int) -> web.Response:
        return self.refuse(200, {})


def xml_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as S3 words it."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>SANDBOX</RequestId></Error>"
    )
    return web.Response(text=text, status=status, content_type="application/xml", headers=headers)


@attrs.frozen
class File:
    content: bytes
    content_type: str
    etag: str


class Storage:
    """Hands out URLs for outputs, and the outputs themselves."""

    def __init__(self, url: str, jobs: Jobs, signer: Signer, worker: Worker, *, user_id: str) -> None:
        self.url = url
        self._jobs = jobs
        self._signer = signer
        self._user_id = user_id
        self._worker = worker

    latency: float = 0.0

    def headers(self, context: RequestContext) -> dict[str, str]:
        return {"x-amz-request-id": context.recorded.request_id}

    def turned_away(self, context: RequestContext) -> web.Response | None:
        """Whoever brings a key along. S3 refuses that; of the CDN it is not known, but it shows the leak."""
        if "Authorization" in context.request.headers:
            if context.request.method == "POST":
                return xml_error(403, "AccessDenied", "Access Denied")  # documented for Leonardo's uploads
            return xml_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        return None

    def error_format(self, context: RequestContext) -> StorageErrorFormat:
        return StorageErrorFormat()

    def unknown(self, context: RequestContext) -> web.Response:
        return xml_error(404, "NoSuchKey", "The specified key does not exist.")

    def presigned(self, job: SandboxJob, index: int, *, now: float, lifetime: float) -> str:
        name = "layer" if job.kind == "layering" else "output"
        number = f"-{index}" if job.outputs > 1 or job.kind == "layering" else ""
        path = f"/storage/luma/generations/{job.id}/{name}{number}.{SUFFIXES[job.format]}"
        return self._signer.presign(self.url, path, "GET", now=now, lifetime=lifetime)

    def public(self, job: SandboxJob, index: int, suffix: str) -> str:
        words = "_".join(re.findall(r"\w+", job.prompt)[:8])[:60] or "image"
        path = f"/storage/leonardo/users/{self._user_id}/generations/{job.id}/Default_{words}_{index}.{suffix}"
        return f"{self.url}{quote(path)}"

    async def serve_luma(self, context: RequestContext) -> web.StreamResponse:
        """GET or HEAD of a presigned output."""
        return self._signer.refusal(context.request, now=context.now) or await self._serve(context, "luma")

    async def serve_leonardo(self, context: RequestContext) -> web.StreamResponse:
        """GET or HEAD of a public output."""
        if context.request.match_info["user"] != self._user_id:
            return self.unknown(context)
        return await self._serve(context, "leonardo")

    async def _serve(self, context: RequestContext, provider: str) -> web.StreamResponse:
        job = self._jobs.get(provider, context.request.match_info["id"])
        found = _output_in(context.request.match_info["name"], job) if job is not None else None
        # Deleting removes the images too (reported); what the CDN answers then is not known.
        if job is None or found is None or not job.over(context.now):
            return self.unknown(context)
        context.recorded.job_id = job.id
        index, form = found
        fault = job.download_fault(index) if context.request.method == "GET" else None
        try:
            file = await self._file(job, index, form)
        except ImportError as error:  # no Pillow: whoever downloads shall read what to do
            return xml_error(501, "NotImplemented", str(error))
        await context.pause(job.fate.latency or 0)
        return await (_send(context, file) if fault is None else _send_wrong(context, fault, file))

    async def _file(self, job: SandboxJob, index: int, form: str) -> File:
        picture = Picture(
            prompt=job.prompt,
            model=job.model,
            index=index,
            size=job.size,
            format=form,
            seed=job.seed,
            layer_of=job.outputs if job.kind == "layering" else 0,
        )
        content = await self._worker.picture(picture)
        return File(content, CONTENT_TYPES[form], f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"')


def _output_in(name: str, job: SandboxJob) -> tuple[int, str] | None:
    """Which output a file's name means, and its format; None: the job has no such output."""
    stem, _, suffix = name.rpartition(".")
    number = _NUMBER.search(stem)
    index = int(number[1]) if number else 0
    forms = {SUFFIXES[job.format]: job.format}
    if job.provider == "leonardo" and job.format == "mp4":
        forms["jpg"] = "jpeg"  # the poster
    if suffix not in forms or index >= job.outputs:
        return None
    return index, forms[suffix]


def _range(request: web.Request, file: File) -> tuple[int, int] | None:
    """First byte and the one behind the last, if a part is asked for. Empty if there is no such part."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or match[0] == "bytes=-" or request.headers.get("If-Range", file.etag) != file.etag:
        return None
    size = len(file.content)
    if match[1]:
        return int(match[1]), min(int(match[2] or size) + 1, size)
    return max(0, size - int(match[2])), size


async def _send(
    context: RequestContext, file: File, *, content_type: str | None = None, cut_after: int | None = None
) -> web.StreamResponse:
    request, size = context.request, len(file.content)
    part = _range(request, file)
    start, stop = part or (0, size)
    if part and start >= stop:
        return xml_error(
            416, "InvalidRange", "The requested range is not satisfiable", {"Content-Range": f"bytes */{size}"}
        )
    response = web.StreamResponse(
        status=206 if part else 200,
        headers={"Content-Type": content_type or file.content_type, "ETag": file.etag, "Accept-Ranges": "bytes"},
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


async def _send_wrong(context: RequestContext, fault: Fault, file: File) -> web.StreamResponse:
    match fault.word:
        case "cut":
            return await _send(context, file, cut_after=int(fault.amount))
        case "cut-before":
            return context.cut()
        case "hang":
            return await context.hang()
        case "slow":
            await context.pause(fault.amount)
        case "wrong-type":
            return await _send(context, file, content_type="text/plain")
        case "html":
            return web.Response(text=HTML_PAGE, content_type="text/html")
        case "empty":
            return web.Response(body=b"", content_type=file.content_type)
        case "huge":
            return await pour(context, fault.amount)
        case _:
            return StorageErrorFormat().refuse(fault.status or 500, retry_after(context, fault))
    return await _send(context, file)
