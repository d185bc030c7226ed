"""The errors of the Leonardo.Ai API, in the shapes that are known. None of them says when to try again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ...answering import as_json
from .checks import Refusal
from .settings import LeonardoSettings

AUTH_HOOK = "Invalid response from authorization hook"

USUAL_TEXTS = {
    401: ("Authentication hook unauthorized this request", "access-denied"),
    402: ("Insufficient tokens", "unexpected"),
    403: (
        "Your prompt appears to contain inappropriate content, please be mindful of our Terms of Service. "
        "You may modify your prompt and try again.",
        "unexpected",
    ),
    404: ("Not found", "not-found"),  # not documented
    413: ("Payload too large", "unexpected"),  # not documented
    422: ("invalid dimensions", "unexpected"),
    429: ("Rate limit exceeded", "unexpected"),
}
"""Text and v1's code for a status; all other statuses are a "Service Error"."""


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON with the charset that the recorded answers name."""
    response = as_json(value, status, headers)
    response.charset = "utf-8"
    return response


def error_object(
    status: int, text: str, code: str, path: str = "$", headers: Mapping[str, str] | None = None
) -> web.Response:
    """v1's shape."""
    return reply({"error": text, "path": path, "code": code}, status, headers)


def usual_error(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """v1's shape, with the usual text."""
    text, code = USUAL_TEXTS.get(status, ("Service Error", "unexpected"))
    return error_object(status, text, code, headers=headers)


def error_graphql(shape: str, status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """v2's shapes, by their names in `LeonardoSettings.error_shape`."""
    if shape == "object":
        return error_object(status, text, "unexpected", headers=headers)
    error: dict[str, Any] = {
        "message": text,
        "path": [],
        "extensions": {"code": "HttpException", "statusCode": status},
    }
    if status == 400:
        error["message"] = "An error occurred."
        error["extensions"] = {
            "code": "BadRequestException",
            "statusCode": status,
            "details": {"code": "VALIDATION_ERROR", "message": text},
        }
    body: object = {"errors": [error]} if shape.startswith("errors") else [error]
    return reply(body, 200 if shape.endswith("200") else status, headers)


class LeonardoErrorFormat:
    """Leonardo's errors, as v1 or v2 words them."""

    def __init__(self, settings: LeonardoSettings, version: int) -> None:
        self._settings = settings
        self._version = version

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response:
        """With exactly this HTTP status, like a gateway; errors inside a 200 have a fault of their own."""
        if self._version == 1:
            return usual_error(status, headers)
        text, _ = USUAL_TEXTS.get(status, ("Service Error", ""))
        return error_graphql(self._settings.error_shape.removesuffix("200"), status, text, headers)

    def error_inside_200(self, status: int) -> web.Response:
        text, _ = USUAL_TEXTS.get(status, ("Service Error", ""))
        return error_graphql("array200", status, text)

    def limited(self, kind: str, retry_after: float | None) -> web.Response:
        """Neither status nor body of a refused request is documented; here all limits answer alike."""
        if retry_after is None and self._settings.retry_after_on_429:
            retry_after = 1.0
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return self.refused(Refusal(USUAL_TEXTS[429][0], status=429), headers)

    def refused(self, refusal: Refusal, headers: Mapping[str, str] | None = None) -> web.Response:
        """The API's own refusal of a create."""
        if self._version == 1:
            return error_object(refusal.status, refusal.text, refusal.code, refusal.path, headers)
        return error_graphql(self._settings.error_shape, refusal.status, refusal.text, headers)
