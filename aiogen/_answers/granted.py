"""What came of a request to cancel a job: a result, or the error of the process that tried; as JSON, and back.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from aiogen import errors
from aiogen.errors import AiogenError, Throttle
from aiogen.models import Action, Cancellation, FailureCode

_PLAIN: Final = (
    *("provider", "connection", "job_id", "provider_id", "request_id", "retry_after"),
    *("status", "details", "from_api", "path", "sent", "reason", "timeout", "fingerprint"),
)
"""Attributes of errors that are JSON as they are."""
_READ: Final[Mapping[str, Callable[[str], object]]] = {
    "code": FailureCode,
    "action": Action,
    "throttle": Throttle,
    "submitted_at": datetime.fromisoformat,
}
"""Those that are written as text."""


def encoded(what: Cancellation | AiogenError) -> dict[str, Any]:
    """What came of it, as JSON for the ledger."""
    if isinstance(what, Cancellation):
        return {"cancellation": str(what)}
    answer: dict[str, Any] = {"error": type(what).__name__, "message": what.message}
    answer |= {name: getattr(what, name) for name in _PLAIN if hasattr(what, name)}
    for name in _READ:
        value = getattr(what, name, None)
        answer[name] = value.isoformat() if isinstance(value, datetime) else value
    return answer | {"notes": list(getattr(what, "__notes__", ()))}


def decoded(answer: Mapping[str, Any]) -> Cancellation:
    """The result in such a JSON object.

    Raises:
        AiogenError: it could not be cancelled; the error of the process that tried.
    """
    if (cancellation := answer.get("cancellation")) in list(Cancellation):
        return Cancellation(cancellation)
    kind = getattr(errors, str(answer.get("error")), None)
    if not (isinstance(kind, type) and issubclass(kind, AiogenError)):
        kind = AiogenError  # of a newer version
    known = {name: answer[name] for name in _PLAIN if name in answer and hasattr(kind, name)}
    for name, read in _READ.items():
        if hasattr(kind, name):
            known[name] = _read(read, answer.get(name))
    error = kind(str(answer.get("message", "It could not be cancelled.")), **known)
    for note in answer.get("notes", ()):
        error.add_note(note)
    raise error


def _read(read: Callable[[str], object], text: str | None) -> object:
    try:
        return None if text is None else read(text)
    except ValueError:  # of a newer version
        return None
