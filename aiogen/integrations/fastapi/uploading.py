"""The routes for pictures that clients send before they name them in a request."""

# Annotations are read when a route is made, for some name what `router` was given: so they are not put off here.
import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from aiogen._content.media import HEAD_BYTES, sniff
from aiogen._transfer.spooling import PIECE
from aiogen.integrations.fastapi import files
from aiogen.integrations.fastapi.bodies import UploadBody, base_of, size_of
from aiogen.integrations.fastapi.problem_route import ProblemRoute
from aiogen.integrations.fastapi.problems import Refused
from aiogen.integrations.uploaded import KINDS, NotTaken, Upload
from aiogen.integrations.uploads import Uploads

_STATUSES = {"too_large": 413, "unknown_kind": 415, "incomplete": 422, "too_many": 429, "full": 503}
_CODES = {"too_many": "too_many_uploads", "full": "uploads_full"}
"""Codes that need their context."""
_BODY = {
    "required": True,
    "content": files.binary(KINDS),
}


@contextmanager
def on_disk() -> Iterator[None]:
    """Errors of the disk as 503, without the path of the folder."""
    try:
        yield
    except OSError as error:
        raise Refused(503, "unavailable", "The server cannot keep or read uploads now.", pause=60.0) from error


def add_uploads(made: APIRouter, whose: Callable[..., Any], uploads: Uploads) -> None:
    """`/uploads`, with a limit of a body of its own."""
    route = type("UploadRoute", (ProblemRoute,), {"longest_body": uploads.max_bytes})

    async def upload_picture(request: Request, response: Response, scope: Annotated[str, Depends(whose)]) -> UploadBody:
        """Keep a picture for a while: its bytes are the body.  201, or 200 if it is there already.

        PNG, JPEG, WebP, GIF or AVIF, by the bytes themselves.  Its `url` stands for it in `parameters` of a generation.
        """
        with on_disk():
            try:
                upload = await uploads.take(scope, _body_of(request))
            except NotTaken as refused:
                status, code = _STATUSES[refused.code], _CODES.get(refused.code, refused.code)
                raise Refused(status, code, str(refused), pause=refused.pause) from None
        body = _body(upload, f"{base_of(request, 0)}/{upload.id}")
        response.headers["Location"] = body.url
        response.headers["Cache-Control"] = "no-store"
        if not upload.is_new:
            response.status_code = 200
        return body

    async def read_upload(
        upload_id: str,
        scope: Annotated[str, Depends(whose)],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The bytes of a picture that this scope has sent."""
        with on_disk():
            data = await uploads.read(scope, upload_id)
        if data is None:
            raise _none()
        kind = sniff(data[:HEAD_BYTES])
        headers = files.headers_of(f'"{upload_id}"') | {
            "Cache-Control": "private, no-cache",  # it may be deleted
        }
        if files.is_known(headers["ETag"], if_none_match):
            return Response(status_code=304, headers=headers)
        headers |= {
            "Content-Type": kind if kind in KINDS and kind else files.OTHER,
            "Content-Length": str(len(data)),
        }
        return StreamingResponse(_cut(data), headers=headers)

    async def delete_upload(upload_id: str, scope: Annotated[str, Depends(whose)]) -> None:
        """Delete it.  Generations that were asked for with it have it."""
        with on_disk():
            if not await uploads.remove(scope, upload_id):
                raise _none()

    made.add_api_route(
        "/uploads",
        upload_picture,
        methods=["POST"],
        status_code=201,
        responses={200: {"model": UploadBody, "description": "It is there already, and its time begins again"}},
        openapi_extra={"requestBody": _BODY},
        route_class_override=route,
    )
    made.add_api_route(
        "/uploads/{upload_id}",
        read_upload,
        methods=["GET"],
        response_class=Response,
        responses={200: {"content": files.binary(KINDS)}, 304: {"description": "The client has it already"}},
    )
    made.add_api_route("/uploads/{upload_id}", delete_upload, methods=["DELETE"], status_code=204)


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    """In pieces that are each sent quickly."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
        await asyncio.sleep(0)  # the server itself waits only for a slow client


def _none() -> Refused:
    return Refused(404, "not_found", "There is no such upload.")


async def _body_of(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise Refused(400, "invalid_request", "The body ended too early.") from None


def _body(upload: Upload, url: str) -> UploadBody:
    return UploadBody(
        id=upload.id,
        url=url,
        media_type=upload.measured.media_type or "",
        bytes=upload.bytes,
        size=size_of(upload.measured),
        expires=upload.expires,
    )
