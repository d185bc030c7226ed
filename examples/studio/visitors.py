"""Whose pictures these are: a visitor without a name, known by a cookie that no script can read."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Annotated

from fastapi import Cookie, HTTPException, Request, Response

NAME = "studio"
_TOKEN = re.compile(r"[\w-]{43}")
_AGE = 365 * 86_400


def visitor(studio: Annotated[str | None, Cookie()] = None) -> str:
    """The scope of a visitor's jobs: a digest, so that whoever reads the ledger cannot be anybody else.

    Raises:
        HTTPException: 401, there is no cookie of ours.
    """
    if studio is None or not _TOKEN.fullmatch(studio):
        raise HTTPException(401, "The page has to be loaded first, and cookies have to be allowed.")
    return hashlib.sha256(studio.encode()).hexdigest()


def welcome(request: Request, answer: Response) -> None:
    """A new visitor gets a cookie; an old one keeps theirs for another year."""
    known = request.cookies.get(NAME, "")
    token = known if _TOKEN.fullmatch(known) else secrets.token_urlsafe(32)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(NAME, token, max_age=_AGE, httponly=True, samesite="strict", secure=is_secure)
