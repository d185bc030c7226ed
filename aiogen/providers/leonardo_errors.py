"""Which answers of Leonardo's are errors, and what their words mean.  Pure.

HTTP 200 does not mean success: v2 reports errors as a JSON array of GraphQL errors with status 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from aiogen.models import FailureCode

# What the words of an error mean, first match wins (error messages page; texts reported by public clients).
_WORDS: tuple[tuple[re.Pattern[str], FailureCode], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"authorization hook|authentication hook|access-denied", FailureCode.AUTH),
        (r"content moderation|inappropriate content|moderation_blocked", FailureCode.CONTENT_MODERATED),
        (r"not enough api tokens|insufficient (tokens|credit|balance|funds)", FailureCode.BUDGET_EXHAUSTED),
        (r"rate.?limit|too.?many.?(requests|concurrent|pending|generations|jobs)|throttl|queue (is )?full",
         FailureCode.RATE_LIMITED),
        (r"validation-failed|bad-request|unexpected variable|badrequestexception|validation_error|bad_request|"
         r"invalid dimensions|not supported within the production api", FailureCode.INVALID_REQUEST),
        # The words for a full queue are not documented; after the parameter that may have this name.
        (r"concurren", FailureCode.RATE_LIMITED),
        (r"\bnot_found\b", FailureCode.NOT_FOUND),
    )
)  # fmt: skip


def code_of(text: str) -> FailureCode | None:
    """What these words mean, where that is known."""
    return next((code for words, code in _WORDS if words.search(text)), None)


@attrs.frozen(kw_only=True)
class VendorError:
    """What an answer complains of."""

    message: str
    code: str = ""
    status: int | None = None
    from_api: bool = True
    """False if its shape alone does not say that it is theirs; then its words have to."""


def error_in(document: Any) -> VendorError | None:
    """The error in an answer, if it is one: v1's object, a GraphQL array, the same inside `errors`."""
    if isinstance(document, dict):
        if document.get("error"):
            code = document.get("code")
            return VendorError(message=str(document["error"]), code=str(code or ""), from_api=_is_hasura(document))
        errors = document.get("errors")
        return _worst(errors) if isinstance(errors, list) and errors else None
    return _worst(document) if isinstance(document, list) and _is_graphql(document) else None


def _is_hasura(document: Mapping[str, Any]) -> bool:
    """Theirs has a word as code and a path into the request beside it (recorded).

    Gateways say `{"error": "Unauthorized"}` as well, with the status as code, or with the path of the address.
    """
    code, path = document.get("code"), document.get("path")
    is_word = isinstance(code, str) and re.fullmatch("[a-z][a-z_-]*", code, re.IGNORECASE) is not None
    return is_word or (isinstance(path, str) and path.startswith("$"))


def _is_graphql(errors: list[Any]) -> bool:
    first = errors[0] if errors else None
    return isinstance(first, dict) and ("message" in first or "extensions" in first)


def _worst(errors: list[Any]) -> VendorError:
    """The first of several errors, unless another of them is a 429: that one says to wait."""
    read = [attrs.evolve(_graphql(error), from_api=_is_graphql(errors)) for error in errors]
    return next((error for error in read if error.status == 429), read[0])


def _graphql(error: Any) -> VendorError:
    if not isinstance(error, dict):
        return VendorError(message=str(error))
    extensions = error.get("extensions") or {}
    if not isinstance(extensions, dict):
        extensions = {}
    details = extensions.get("details")
    message = error.get("message") or "An error occurred."
    inner: dict[str, Any] = details if isinstance(details, dict) else {}
    listed = inner.get("errors")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict) and listed[0].get("message"):
        message = listed[0]["message"]
    elif inner.get("message"):
        message = inner["message"]
    elif isinstance(details, str) and not details.startswith("An error occurred"):
        message = details
    status = extensions.get("statusCode") or inner.get("statusCode") or error.get("statusCode")
    if isinstance(status, str) and re.fullmatch("[0-9]{3}", status):
        status = int(status)
    return VendorError(
        message=str(message),
        code=f"{extensions.get('code') or ''} {inner.get('code') or ''}".strip(),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
    )


__all__ = ["VendorError", "code_of", "error_in"]
