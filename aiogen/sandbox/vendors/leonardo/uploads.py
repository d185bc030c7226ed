"""Leonardo's uploads: an image is sent in a form of S3's; creates refer to it by its id.

The bytes are counted and discarded; the CDN's URL of an upload answers 404.
"""

from __future__ import annotations

import base64
import json
import random
import uuid

import attrs
from aiohttp import web

from ...clock import Clock
from ...context import RequestContext
from ...storage.s3 import xml_error
from ...storage.signing import Signer
from .bodies import stamp
from .errors import error_object, reply

EXTENSIONS = ("png", "jpg", "jpeg", "webp")
UPLOAD_SECONDS = 120.0
"""Within which the form must be sent. Shortened by `speed`."""


@attrs.define(kw_only=True)
class Upload:
    id: str
    key: str
    created_at: float
    """Loop seconds."""
    size: int | None = None
    """Bytes, once they have arrived."""
    deleted: bool = False


class Uploads:
    """All uploads of the account."""

    def __init__(self, url: str, clock: Clock, signer: Signer, *, user_id: str, seed: int) -> None:
        self._url = url
        self._clock = clock
        self._signer = signer
        self._user_id = user_id
        self._dice = random.Random(f"{seed}/uploads")
        self._uploads: dict[str, Upload] = {}

    def has(self, upload_id: str) -> bool:
        """Whether there is an upload of this id, and its file has arrived."""
        upload = self._uploads.get(upload_id)
        return upload is not None and upload.size is not None and not upload.deleted

    async def create(self, context: RequestContext) -> web.Response:
        """Presigns a form. Its `fields` are a JSON text inside the JSON."""
        body = await context.body()
        extension = body.get("extension") if isinstance(body, dict) else None
        if extension not in EXTENSIONS:
            return error_object(400, "invalid file extension", "unexpected")
        upload_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        key = f"users/{self._user_id}/initImages/{upload_id}.{extension}"
        upload = self._uploads[upload_id] = Upload(id=upload_id, key=key, created_at=context.now)
        until = context.now + self._clock.shortened(UPLOAD_SECONDS)
        policy = base64.b64encode(json.dumps({"id": upload.id, "until": until}).encode()).decode()
        fields = {
            "Content-Type": f"image/{extension}",
            "bucket": "sandbox",
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": "SANDBOX",
            "X-Amz-Date": self._clock.wall(context.now).strftime("%Y%m%dT%H%M%SZ"),
            "X-Amz-Security-Token": "SANDBOX",
            "key": key,
            "Policy": policy,
            "X-Amz-Signature": self._signer.sign(policy),
        }
        shown = {
            "id": upload.id,
            "fields": json.dumps(fields),
            "key": key,
            "url": f"{self._url}/storage/leonardo/uploads/",
        }
        return reply({"uploadInitImage": shown})

    async def post(self, context: RequestContext) -> web.Response:
        """The form itself, in the storage: all fields first, the file last."""
        form = await context.request.post()
        policy, last = str(form.get("Policy", "")), list(form)[-1:]
        if self._signer.sign(policy) != form.get("X-Amz-Signature"):
            return xml_error(403, "SignatureDoesNotMatch", "The signature does not match.")
        terms = json.loads(base64.b64decode(policy))
        if context.now >= terms["until"]:
            return xml_error(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        upload, file = self._uploads[terms["id"]], form.get("file")
        if last != ["file"] or not isinstance(file, web.FileField) or form.get("key") != upload.key:
            return xml_error(400, "InvalidArgument", "All fields first, and exactly one file as the last.")
        upload.size = len(file.file.read())
        return web.Response(status=204)

    async def read(self, context: RequestContext) -> web.Response:
        upload = self._uploads.get(context.request.match_info["id"])
        if upload is None or upload.deleted:
            return reply({"init_images_by_pk": None})
        shown = {
            "createdAt": stamp(self._clock.wall(upload.created_at)),
            "id": upload.id,
            "url": f"{self._url}/storage/leonardo/{upload.key}",
        }
        return reply({"init_images_by_pk": shown})

    async def delete(self, context: RequestContext) -> web.Response:
        upload = self._uploads.get(context.request.match_info["id"])
        if upload is None or upload.deleted:
            return reply({"delete_init_images_by_pk": None})
        upload.deleted = True
        return reply({"delete_init_images_by_pk": {"id": upload.id}})
