"""The key as vendors quote it: where, and how it is written there; and whether it stands in what was shown."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import quote

_HERE = "the-key-belongs-here"

WAYS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "slashes": lambda key: key.replace("/", "\\/"),
    "escaped": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "percent": lambda key: quote(key, safe=""),
    "percent lower": lambda key: re.sub("%..", lambda found: found[0].lower(), quote(key, safe="")),
    "base64": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "entities": lambda key: "".join(f"&#{ord(c)};" for c in key),
}


def into(body: bytes, key: str, places: dict[str, str]) -> bytes:
    """The body with the key in it, where its kind is one of those that quote it."""
    if body.startswith(b"<"):
        way = places.get("pages")
        return body if way is None else body.replace(b"</h1>", f": {WAYS[way](key)}</h1>".encode())
    try:
        document = json.loads(body)
    except ValueError:
        return body
    place = _quoted(document)
    way = places.get(place or "")
    return body if way is None else json.dumps(document).replace(_HERE, WAYS[way](key)).encode()


def _quoted(document: Any) -> str | None:
    """Put it in there; which kind of place it was."""
    if not isinstance(document, dict):
        return None
    for name in ("detail", "error", "message"):
        if isinstance(document.get(name), str):
            document[name] += f" (Authorization: Bearer {_HERE})"
            return "errors"
    for value in list(document.values()):
        for row in value if isinstance(value, list) else [value]:
            if isinstance(row, dict):
                row["debug"] = {"headers": [f"Bearer {_HERE}"]}
    document["debug"] = {f"Bearer {_HERE}": True, "authorization": f"Bearer {_HERE}"}
    return "answers"


@cache
def _needles(key: str) -> tuple[str, ...]:
    # What base64 makes of the first and the last letters depends on what stands around them.
    return tuple(way(key)[8:-6] if name == "base64" else way(key) for name, way in WAYS.items())


def stands_in(key: str, text: str) -> bool:
    """True if the key is in there, in any of the ways."""
    bare = text.replace("\\\\", "\\")
    return any(needle in bare for needle in _needles(key))
