"""A stranger's JSON, within bounds: how large, how deep, of how many parts; and without the secrets in it.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

MAX_BYTES = 64 * 1024
"""What is read of a call; a real one of Leonardo's has some 5 kB."""
MAX_DEPTH = 32
"""Objects and lists inside each other; a real one has 5."""
MAX_TOKENS = 8192
"""Brackets, quotes and commas: what parsing costs is less the bytes than these.  A real one has about 600."""

# The last quote may be missing, so that a text without an end is passed over once, and not from each of its quotes.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OPENS = b"[{"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_object(body: bytes, *, secrets: Collection[str] = ()) -> Mapping[str, Any] | None:
    """The object that a body is, without the members called one of `secrets`, wherever they stand; None if it is not an
    object.

    They are dropped while it is parsed, so nothing that comes after has ever seen them.  Every number is a float.
    """
    if not _is_small(body):
        return None

    def without(found: dict[str, Any]) -> dict[str, Any]:
        for name in secrets:
            found.pop(name, None)
        return found

    try:
        found = json.loads(
            body.decode("utf-8"), object_hook=without, parse_int=float
        )  # an int takes the square of its digits
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_small(body: bytes) -> bool:
    """Whether parsing it costs little; for what is no JSON the answer means nothing."""
    if len(body) - len(body.translate(None, b'[]{},"')) > MAX_TOKENS:
        return False
    depth = 0
    for each in _TEXT.sub(b"", body).translate(None, _NO_BRACKETS):
        depth += 1 if each in _OPENS else -1
        if depth > MAX_DEPTH:
            return False
    return True
