"""A stranger's JSON, within bounds: how large, how deep, of how many parts; and without the secrets in it.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

MAX_BYTES = 256 * 1024
"""What is read of a call; a real one of Leonardo's has some 5 kB.  As much is parsed in about 2 ms."""
MAX_DEPTH = 32
"""Objects and lists inside each other; a real one has 5."""
MAX_PARTS = 4096
"""Objects and lists in all: each costs more than the two bytes that it takes."""

# The last quote may be missing, so that a text without an end is passed over once, and not from each of its quotes.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OPENS = b"[{"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_object(body: bytes, *, secrets: Collection[str] = ()) -> Mapping[str, Any] | None:
    """The object that a body is, without the members called one of `secrets`, wherever they stand; None if it is none.

    They are dropped while it is parsed, so nothing that comes after has ever seen them.
    """
    if not _is_small(body):
        return None

    def without(found: dict[str, Any]) -> dict[str, Any]:
        for name in secrets:
            found.pop(name, None)
        return found

    try:
        found = json.loads(body.decode("utf-8"), object_hook=without)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_small(body: bytes) -> bool:
    """Whether parsing it costs little; for what is no JSON the answer means nothing."""
    brackets, depth = _TEXT.sub(b"", body).translate(None, _NO_BRACKETS), 0
    if len(brackets) > 2 * MAX_PARTS:
        return False
    for each in brackets:
        depth += 1 if each in _OPENS else -1
        if depth > MAX_DEPTH:
            return False
    return True
