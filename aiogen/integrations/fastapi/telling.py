"""What of an error goes to the client, and what only to the server's log."""

from __future__ import annotations

import asyncio
import logging
import re

from fastapi import Request

from aiogen._wording import shorten

logger: logging.Logger = logging.getLogger("aiogen")

EVERY = 60.0
"""Seconds between two lines about problems of one kind, so that a busy server does not fill its disk."""
_LONGEST = 1000
_ADDRESS = re.compile(r"""[a-z][a-z0-9+.-]{1,20}://[^\s"'<>]+""", re.IGNORECASE)
_SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_OF_PYTHON = re.compile(r"aiogen\.|[Ss]ession[.(]|\b[Pp]ass (?:its path|the bytes|media_type)\b|\ba path, bytes\b")
_ADVICE = re.compile(r"; pass [^.;]*(?=\.(?: |$))")
_KEYWORD = re.compile(r"\b([a-z_]+)=(?=\s)")
_REFERENCE = "A reference is an https address, or the bytes of a picture as data:image/png;base64,…"


def without_addresses(text: str) -> str:
    """A provider's text without its addresses: some of them give access to a picture or an account."""
    return _ADDRESS.sub("(address)", text)


def for_clients(message: str) -> str:
    """A message that was written for Python programs, without the advice that only they can follow."""
    said = _SENTENCES.split(_ADVICE.sub("", message))
    kept = [each for each in said if not _OF_PYTHON.search(each)]
    if len(kept) < len(said) and "reference" in message.lower():
        kept.append(_REFERENCE)
    return _KEYWORD.sub(r"\1", " ".join(kept)) or "The request is invalid."


def log_for_operator(request: Request, error: BaseException, status: int, code: str, job_id: str | None) -> None:
    """One line in the log, because the client gets general words only; of each kind once a minute."""
    now, kind = asyncio.get_running_loop().time(), (type(error).__name__, code)
    state = request.app.state
    if not hasattr(state, "aiogen_logged"):
        state.aiogen_logged = {}
    at, missed = state.aiogen_logged.get(kind, (None, 0))
    if at is not None and 0.0 <= now - at < EVERY:
        state.aiogen_logged[kind] = (at, missed + 1)
        return
    state.aiogen_logged[kind] = (now, 0)
    route = request.scope.get("route")
    what = f"{request.method} {getattr(route, 'path', request.url.path)}"
    more = f" ({missed} more of this kind since the last line)" if missed else ""
    job = f", job {job_id}" if job_id is not None else ""
    said = shorten(str(error), _LONGEST)
    logger.warning("%s: %d %s%s: %s: %s%s", what, status, code, job, type(error).__name__, said, more)
