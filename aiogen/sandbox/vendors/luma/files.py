"""The files of the Luma Agents API, which creates can refer to.

The fields have the names of the vendor's SDK. How long ingestion takes, and what happens to a file that is completed
before it is uploaded, is not documented: here a file of a form is pending for a moment, one that was uploaded is ready
as soon as it is completed, and one that was not fails.
"""

from __future__ import annotations

import random
import uuid
from typing import Any

import attrs
from aiohttp import web

from ...answering import as_json
from ...clock import Clock
from ...context import RequestContext
from ...storage.signing import Signer
from .bodies import iso
from .errors import detail

UPLOAD_SECONDS = 900.0
"""For which a presigned upload works, according to the documented samples. Shortened by `speed`."""
INGEST_SECONDS = 1.0
"""For which the file of a form is pending (ours). Shortened by `speed`."""
LARGEST_FILE = 5 * 1024**3
"""Bytes."""


@attrs.define(kw_only=True)
class LumaFile:
    """One file. Times are loop seconds."""

    id: str
    created_at: float
    mime_type: str
    purpose: str
    size_bytes: int
    filename: str | None = None
    user_id: str | None = None
    state: str = "pending"
    failure_reason: str | None = None
    expires_at: str | None = None
    deleted_at: float | None = None
    uploaded: int | None = None
    """Bytes that have arrived."""
    ready_at: float | None = None
    """When a pending one is ready, where that is known."""

    def settle(self, now: float) -> None:
        """Pending until it has been read."""
        if self.state == "pending" and self.ready_at is not None and now >= self.ready_at:
            self.state = "ready"


class Files:
    """All files of the account."""

    def __init__(self, clock: Clock, signer: Signer, *, seed: int, lenient: bool) -> None:
        self._clock = clock
        self._signer = signer
        self._lenient = lenient
        self._dice = random.Random(f"{seed}/files")
        self._files: dict[str, LumaFile] = {}

    def ready(self, file_id: str) -> bool:
        file = self._known(file_id)
        return file is not None and file.state == "ready"

    def _known(self, file_id: str) -> LumaFile | None:
        """As it is now."""
        if (file := self._files.get(file_id)) is not None:
            file.settle(self._clock.now())
        return file

    async def create(self, context: RequestContext) -> web.StreamResponse:
        """JSON: a presigned upload. A multipart form with a part `file`: the upload itself."""
        if context.request.content_type == "multipart/form-data":
            return await self._inline(context)
        body = await context.body()
        if not isinstance(body, dict):
            return detail(400, "Invalid JSON body")
        size = body.get("size_bytes")
        if not body.get("mime_type") or not isinstance(size, int) or not 1 <= size <= LARGEST_FILE:
            return detail(400, "mime_type and size_bytes are required")
        file = self._new(body["mime_type"], size, body)
        lifetime = self._clock.shortened(UPLOAD_SECONDS)
        path = f"/storage/luma/uploads/{file.id}"
        upload = {
            "method": "PUT",
            "url": self._signer.presign(path, "PUT", now=context.now, lifetime=lifetime),
            "headers": {"Content-Type": file.mime_type},
            "expires_at": iso(self._clock.wall(context.now + lifetime)),
        }
        return as_json({"id": file.id, "state": file.state, "file": self._shown(file), "upload": upload}, 201)

    async def _inline(self, context: RequestContext) -> web.StreamResponse:
        form = await context.request.post()
        part = form.get("file")
        if not isinstance(part, web.FileField):
            return detail(400, "file is required")
        content = part.file.read()
        file = self._new(part.content_type, len(content), {**form, "filename": part.filename})
        file.uploaded, file.ready_at = len(content), context.now + self._clock.shortened(INGEST_SECONDS)
        return as_json({"id": file.id, "state": file.state, "file": self._shown(file), "upload": None}, 201)

    def _new(self, mime_type: str, size: int, body: dict[str, Any]) -> LumaFile:
        file = LumaFile(
            id=str(uuid.UUID(int=self._dice.getrandbits(128), version=4)),
            created_at=self._clock.now(),
            mime_type=mime_type,
            purpose=body.get("purpose") or "input",
            size_bytes=size,
            filename=body.get("filename"),
            user_id=body.get("user_id"),
            expires_at=body.get("expires_at"),
        )
        self._files[file.id] = file
        return file

    async def put(self, context: RequestContext) -> web.StreamResponse:
        """The presigned upload, in the storage."""
        if (refusal := self._signer.refusal(context.request, now=context.now)) is not None:
            return refusal
        size = 0
        async for block in context.request.content.iter_any():
            size += len(block)
        file = self._files[context.request.match_info["id"]]
        file.uploaded = size
        return web.Response()

    async def complete(self, context: RequestContext) -> web.StreamResponse:
        file = self._find(context)
        if file is None:
            return detail(404, "File not found")
        if file.state == "pending" and file.ready_at is None:
            if file.uploaded == file.size_bytes or self._lenient:
                file.state = "ready"
            else:
                file.state = "failed"
                file.failure_reason = "the upload is missing or has another size"
        return as_json(self._shown(file))

    async def read(self, context: RequestContext) -> web.StreamResponse:
        file = self._find(context)
        return as_json(self._shown(file)) if file else detail(404, "File not found")

    async def list(self, context: RequestContext) -> web.StreamResponse:
        """Newest first; the cursor is the id of the last file on the page before."""
        query = context.request.query
        for file in self._files.values():
            file.settle(context.now)
        try:
            limit = int(query.get("limit", 25))
        except ValueError:
            limit = 0
        if not 1 <= limit <= 100:
            return detail(400, "limit must be between 1 and 100")
        files = [
            file
            for file in reversed(self._files.values())
            if file.purpose == query.get("purpose", file.purpose)
            and file.state == query.get("state", file.state)
            and (file.deleted_at is None or query.get("state") == "deleted")
        ]
        positions = {file.id: position for position, file in enumerate(files)}
        start = positions.get(query.get("cursor", ""), -1) + 1
        page = files[start : start + limit]
        more = start + limit < len(files)
        return as_json(
            {
                "data": [self._shown(file) for file in page],
                "has_more": more,
                "next_cursor": page[-1].id if more else None,
            }
        )

    async def delete(self, context: RequestContext) -> web.StreamResponse:
        file = self._find(context)
        if file is None:
            return detail(404, "File not found")
        file.state, file.deleted_at = "deleted", context.now
        return web.Response(status=204)

    def _find(self, context: RequestContext) -> LumaFile | None:
        file_id = context.request.match_info["id"]
        file = self._known(file_id)
        if file is None and self._lenient:
            file = LumaFile(
                id=file_id, created_at=context.now, mime_type="image/png", purpose="input", size_bytes=1, state="ready"
            )
        return file

    def _shown(self, file: LumaFile) -> dict[str, Any]:
        return {
            "id": file.id,
            "created_at": iso(self._clock.wall(file.created_at)),
            "mime_type": file.mime_type,
            "purpose": file.purpose,
            "size_bytes": file.size_bytes,
            "state": file.state,
            "filename": file.filename,
            "user_id": file.user_id,
            "failure_reason": file.failure_reason,
            "expires_at": file.expires_at,
            "deleted_at": None if file.deleted_at is None else iso(self._clock.wall(file.deleted_at)),
        }
