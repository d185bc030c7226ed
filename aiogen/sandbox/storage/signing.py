"""Presigned URLs.

They have the parameters of S3's. The signature also covers `x-sandbox-until`, the loop second at which the URL expires:
S3 counts whole seconds, which is too coarse once `speed` has shortened an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from urllib.parse import quote, urlencode

from aiohttp import web

from ..clock import Clock
from .s3 import xml_error


class Signer:
    """Makes presigned URLs under `url` and checks them."""

    def __init__(self, url: str, clock: Clock, secret: bytes) -> None:
        self._url = url
        self._clock = clock
        self._secret = secret

    def presign(self, path: str, method: str, *, now: float, lifetime: float) -> str:
        """A URL that works for `lifetime` loop seconds."""
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
        return f"{self._url}{quote(path)}?{urlencode(query)}"

    def refusal(self, request: web.Request, *, now: float) -> web.Response | None:
        """Why this request to a presigned URL is refused, in S3's words; None if it is not."""
        query = dict(request.query)
        signature = query.pop("X-Amz-Signature", "")
        # S3 wants another signature for a HEAD. Here the URL of a GET serves, for clients that look before they fetch.
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
