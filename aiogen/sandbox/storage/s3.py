"""The storage's answers as S3 words them."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ..context import RequestContext


def xml_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as S3 words it."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>SANDBOX</RequestId></Error>"
    )
    return web.Response(text=text, status=status, content_type="application/xml", headers=headers)


class StorageErrorFormat:
    """S3's errors, for storms and faults."""

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response:
        code = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}.get(status, "InternalError")
        return xml_error(status, code, "Scripted by the sandbox", headers)

    def limited(self, kind: str, retry_after: float | None) -> web.Response:
        return self.refuse(503, {})

    def error_inside_200(self, status: int) -> web.Response:
        return self.refuse(200, {})

    def no_such_range(self, size: int) -> web.Response:
        text = "The requested range is not satisfiable"
        return xml_error(416, "InvalidRange", text, {"Content-Range": f"bytes */{size}"})


class Storage:
    """The `Api` of all files. Vendors add the routes."""

    latency: float = 0.0

    def headers(self, context: RequestContext) -> dict[str, str]:
        return {"x-amz-request-id": context.recorded.request_id}

    def refusal(self, context: RequestContext) -> web.Response | None:
        """For a request with a key. S3 refuses that; whether a public CDN does is not known, but it shows the leak."""
        if "Authorization" in context.request.headers:
            if context.request.method == "POST":
                return xml_error(403, "AccessDenied", "Access Denied")  # documented for one vendor's uploads
            return xml_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        return None

    def error_format(self, context: RequestContext) -> StorageErrorFormat:
        return StorageErrorFormat()

    def unknown(self, context: RequestContext) -> web.Response:
        return no_such_key()


def no_such_key() -> web.Response:
    return xml_error(404, "NoSuchKey", "The specified key does not exist.")
