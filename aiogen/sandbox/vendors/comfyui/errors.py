"""The server's errors beside those about a graph: plain texts of the web server that it is built on."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from ...answering import as_json
from .checks import Errors

SERVER_TROUBLE = "500 Internal Server Error\n\nServer got itself in trouble"


def reply(value: object, status: int = 200) -> web.Response:
    """JSON with the charset that the recorded answers name."""
    response = as_json(value, status)
    response.charset = "utf-8"
    return response


def empty(status: int = 200) -> web.Response:
    """Without a body and without a Content-Type."""
    return web.Response(status=status)


def plain(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """As the web server words a status."""
    text = SERVER_TROUBLE if status == 500 else f"{status}: {_phrase(status)}"
    return web.Response(text=text, status=status, headers=headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def no_route(method: str) -> web.Response:
    """Of a path that the server does not have: it looks for a file of its front end."""
    if method == "OPTIONS":
        return empty()
    if method in ("GET", "HEAD"):
        return web.Response(status=404, content_type="application/octet-stream")
    return plain(405, {"Allow": "GET,HEAD"})


def failed(text: str, status: int) -> web.Response:
    """As /api/jobs words errors."""
    return reply({"error": text}, status)


def refused(body: Errors) -> web.Response:
    return reply(body, 400)


class ComfyUIErrorFormat:
    """What a proxy in front of the server says, or the web server that it is built on."""

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response:
        return plain(status, headers)

    def limited(self, kind: str, retry_after: float | None) -> web.Response:
        """The server has no limits; a proxy may."""
        return plain(429, {} if retry_after is None else {"Retry-After": f"{retry_after:g}"})

    def error_inside_200(self, status: int) -> web.Response:
        return failed(f"{status}: {_phrase(status)}", 200)

    def no_such_range(self, size: int) -> web.Response:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
