"""Which error a refusal is: by its code where the vendor's words give one, else by its HTTP status.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from aiogen.errors import (
    APIError,
    AuthenticationError,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    ProviderError,
    RateLimited,
)
from aiogen.models import FailureCode

_BY_CODE: Mapping[FailureCode, type[APIError]] = {
    FailureCode.AUTH: AuthenticationError,
    FailureCode.BUDGET_EXHAUSTED: InsufficientFunds,
    FailureCode.CONTENT_MODERATED: InvalidRequest,
    FailureCode.INVALID_REQUEST: InvalidRequest,
    FailureCode.IMAGE_TOO_LARGE: InvalidRequest,
    FailureCode.NOT_FOUND: NotFound,
    FailureCode.RATE_LIMITED: RateLimited,
    FailureCode.PROVIDER_ERROR: ProviderError,
}


def error_class(status: int, code: FailureCode | None) -> type[APIError]:
    """The class of error for an answer with this status, about which the vendor's words say `code`."""
    cls = _BY_CODE.get(code) if code is not None else None
    return cls if cls is not None else _by_status(status)


def _by_status(status: int) -> type[APIError]:
    if status in (401, 403):
        return AuthenticationError
    if status == 402:
        return InsufficientFunds
    if status == 404:
        return NotFound
    if status == 429:
        return RateLimited
    if status >= 500 or status < 400 or status == 408:
        return ProviderError  # below 400 only what no vendor sends; it says nothing about the request
    return InvalidRequest
