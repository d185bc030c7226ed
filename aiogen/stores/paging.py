"""Where a record stands among all, the newest first: a text that a program keeps between two pages.  Pure."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta

from aiogen._wording import shorten
from aiogen.errors import InputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Place = tuple[int, str]
"""Microseconds since the epoch when it was taken in, and its id: the later come first, and of one moment the lower
id."""


def place_of(created_at: datetime, job_id: str) -> Place:
    """Where a record stands."""
    return (created_at - _EPOCH) // _MICROSECOND, job_id


def cursor_of(created_at: datetime, job_id: str) -> str:
    """The same as an opaque text, of letters, digits, `-` and `_`: fit for an address."""
    when, which = place_of(created_at, job_id)
    return base64.urlsafe_b64encode(f"{when} {which}".encode("utf-8", "surrogateescape")).decode().rstrip("=")


def place_at(cursor: object) -> Place:
    """What a cursor stands for.

    Raises:
        InputError: it is not a cursor.
    """
    try:
        if not isinstance(cursor, str):
            raise ValueError
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        when, _, which = data.decode("utf-8", "surrogateescape").partition(" ")
        place = int(when), which
        if not which or cursor_of(_EPOCH + place[0] * _MICROSECOND, which) != cursor:
            raise ValueError
    except (ValueError, OverflowError, binascii.Error):
        raise InputError(
            f"{shorten(repr(cursor), 60)} is no cursor: pass the one that came with a page, unchanged."
        ) from None
    return place
