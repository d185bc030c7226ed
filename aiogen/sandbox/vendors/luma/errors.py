"""The errors of the Luma Agents API. Every body is {"detail": "..."}."""

from __future__ import annotations

import math
from collections.abc import Mapping

from aiohttp import web

from ...answering import as_json
from ...clock import Clock
from ...limits import SlidingWindow
from .settings import LumaSettings

ABUSE_RETRY_AFTER = 30.0
"""Seconds. It is documented that there is a Retry-After, but not its value."""

CONCURRENCY_TEXTS = {
    "documented": "Too many concurrent jobs",
    "observed": "Concurrent generation capacity reached (limit={limit} weight units; this request needs {weight}). "
    "Wait for existing jobs to complete.",
    "variant": "Concurrent generation limit reached ({limit})",
}

USUAL_TEXTS = {
    400: "Invalid request",
    401: "Invalid API key",
    402: "Insufficient credits. Please add credits to continue.",
    403: "API client is suspended",
    404: "Generation not found",
    413: "Image exceeds 50 MB size limit",
    422: "image_ref[0]: failed to fetch URL",
    429: "Rate limit exceeded",
    502: "Upstream service unavailable",
    503: "Image URL ingestion unavailable",
}
"""One of the documented texts for each status; other statuses have none."""

KEY_TEXTS = {
    "revoked": (401, "API key has been revoked"),
    "expired": (401, "API key has expired"),
    "suspended": (403, "API client is suspended"),
    "deactivated": (403, "API client is deactivated"),
}


def detail(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return as_json({"detail": text}, status, headers)


class LumaErrorFormat:
    """Luma's errors. The rate window gives the values of the headers."""

    def __init__(self, settings: LumaSettings, window: SlidingWindow, clock: Clock) -> None:
        self._settings = settings
        self._window = window
        self._clock = clock

    def refuse(self, status: int, headers: Mapping[str, str]) -> web.Response:
        return detail(status, USUAL_TEXTS.get(status, "Internal server error"), headers)

    def error_inside_200(self, status: int) -> web.Response:
        return detail(200, USUAL_TEXTS.get(status, "Internal server error"))

    def limited(self, kind: str, retry_after: float | None) -> web.Response:
        match kind:
            case "concurrency":
                return self.too_many_jobs(1, retry_after)
            case "abuse":
                return self.too_many_requests(retry_after or ABUSE_RETRY_AFTER)
        now = self._clock.now()
        return self.rate_exceeded(now, retry_after or self._window.retry_after(now), remaining=0)

    def rate_exceeded(self, now: float, retry_after: float, *, remaining: int) -> web.Response:
        """The rate window of creates is full; `remaining` units are left for smaller requests."""
        headers = {**_retry_after(retry_after), **self.rate_headers(now, retry_after, remaining)}
        return detail(429, "Rate limit exceeded", headers)

    def too_many_jobs(self, weight: int, retry_after: float | None = None) -> web.Response:
        """Too many active jobs. Retry-After is always 60, the length of the window, and is scaled with it here. It is
        documented with the oldest of the texts; whether answers with the other texts have it is not known."""
        text = CONCURRENCY_TEXTS[self._settings.concurrency_text]
        text = text.format(limit=self._settings.max_active, weight=weight)
        return detail(429, text, _retry_after(retry_after or self._settings.window_seconds))

    def too_many_requests(self, retry_after: float) -> web.Response:
        """The abuse ceiling; its text is not documented."""
        return detail(429, "Too many requests", _retry_after(retry_after))

    def rate_headers(self, now: float, reset_in: float, remaining: int) -> dict[str, str]:
        """X-RateLimit-*; no headers if the limiter fails open."""
        if not self._settings.rate_headers:
            return {}
        return {
            "X-RateLimit-Limit": str(self._window.limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(math.ceil(self._clock.wall(now + reset_in).timestamp())),
        }


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}
