"""JSON and base64 of many megabytes, in portions.  Pure.

One call of Python's own goes through all of it in one piece, and no other thread runs meanwhile, the event loop's
neither: moved to a thread, it holds the loop as long as before.  Between two portions the interpreter can change over.
What is left in one piece is the copying of the longest text itself.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

LARGE = 128 * 1024
"""Bytes or characters.  What is larger is given to a thread, and cut into portions there."""
PORTION = 96 * 1024
"""Bytes or characters, a multiple of 12: some tenths of a millisecond."""
_WINDOW = 32 * 1024
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-"
_HEAD = re.compile(rb"data:[\w/.+;=-]{0,200},")
_BLANK = re.compile(r"[ \t\n\r]*")
_DEPTH = 3
"""Objects inside each other that are read member by member, and at the end of them a list; its items are not."""


def size(value: Any) -> int:
    """About the characters that it has as JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size, value))
    return 8


# --- base64


def as_base64(data: bytes) -> str:
    """Base64 of these bytes, as text."""
    view = memoryview(data)
    parts = (binascii.b2a_base64(view[i : i + PORTION], newline=False) for i in range(0, len(view), PORTION))
    return b"".join(parts).decode("ascii")


def of_base64(text: str) -> bytes:
    """The bytes.

    Raises:
        ValueError: it is no base64, or something else stands in it.
    """
    parts = []
    for i in range(0, len(text), PORTION):
        part = text[i : i + PORTION]
        if i + PORTION < len(text) and "=" in part:
            raise ValueError("something stands behind the padding")
        parts.append(binascii.a2b_base64(part, strict_mode=True))
    return b"".join(parts)


def without_blanks(text: str) -> str:
    """The same text without blanks."""
    return "".join("".join(text[i : i + PORTION].split()) for i in range(0, len(text), PORTION))


# --- JSON written


def written(
    value: Any,
    *,
    sort_keys: bool = False,
    separators: tuple[str, str] = (", ", ": "),
    default: Callable[[Any], Any] | None = None,
) -> Iterator[str]:
    """What `json.dumps` writes, to the letter, in parts.

    Raises: what `json.dumps` raises.
    """
    options: dict[str, Any] = {"sort_keys": sort_keys, "separators": separators, "default": default}

    def dumped(value: Any) -> str:
        return json.dumps(value, **options)

    def parts(value: Any) -> Iterator[str]:
        if type(value) is str and len(value) > PORTION:
            within = (json.dumps(value[i : i + PORTION])[1:-1] for i in range(0, len(value), PORTION))
            return chain('"', within, '"')
        if type(value) is dict and size(value) > PORTION and all(type(name) is str for name in value):
            names = sorted(value) if sort_keys else value
            heads = (dumped(name) + separators[1] for name in names)
            return members("{", zip(heads, (value[name] for name in names), strict=True), "}")
        if type(value) in (list, tuple) and size(value) > PORTION:
            return members("[", (("", item) for item in value), "]")
        return iter((dumped(value),))

    def members(begin: str, items: Iterator[tuple[str, Any]], end: str) -> Iterator[str]:
        yield begin
        for i, (head, item) in enumerate(items):
            yield f"{separators[0] if i else ''}{head}"
            yield from parts(item)
        yield end

    return parts(value)


# --- JSON read


def read_json(body: bytes) -> Any:
    """What `json.loads` reads.

    Raises:
        ValueError, RecursionError: as `json.loads` does.
    """
    if len(body) <= LARGE or json.detect_encoding(body) != "utf-8":
        return json.loads(body)
    rest, lifted = lift(body)
    try:
        value = json.loads(rest) if len(rest) <= LARGE else _in_portions(rest.decode("utf-8", "surrogatepass"))
    except (ValueError, IndexError):
        return json.loads(body)  # what is wrong, and where, it says itself
    return put_back(value, lifted) if lifted else value


def lift(body: bytes) -> tuple[bytes, dict[str, str]]:
    """JSON with its long texts of base64, and of `data:` URIs, taken out; and those, by what stands in their place."""
    lifted: dict[str, str] = {}
    if b"\\u0000" in body:  # which could be taken for what stands in their place
        return body, lifted
    rest: list[bytes] = []
    done = at = 0
    while (at := at + _WINDOW) + _WINDOW < len(body):
        # A text that has no quote for so long; where it begins, and where it ends, a quote stands.
        if at < done or body.find(b'"', at, at + _WINDOW) >= 0:
            continue
        begin, end = body.rfind(b'"', done, at) + 1, body.find(b'"', at)
        if begin == 0 or end < 0 or not _is_base64(body, begin, end):
            continue
        name = f"\0{len(lifted)}"
        lifted[name] = str(memoryview(body)[begin:end], "ascii")
        rest += (body[done:begin], json.dumps(name)[1:-1].encode())
        done = at = end
    return b"".join((*rest, body[done:])), lifted


def _is_base64(body: bytes, begin: int, end: int) -> bool:
    """Whatever stands between a closing quote and the next has signs in it that this has not."""
    head = _HEAD.match(body, begin, min(end, begin + 256))
    begin = head.end() if head is not None else begin
    return not any(body[i : min(end, i + PORTION)].translate(None, _ALPHABET) for i in range(begin, end, PORTION))


def put_back(value: Any, lifted: Mapping[str, str]) -> Any:
    """The value with the long texts in their places."""
    if isinstance(value, str):
        return lifted.get(value, value)
    if isinstance(value, dict):
        return {lifted.get(name, name): put_back(item, lifted) for name, item in value.items()}
    if isinstance(value, list):
        return [put_back(item, lifted) for item in value]
    return value


_read = json.JSONDecoder().raw_decode


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found is not None else at


def _in_portions(text: str) -> Any:
    value, end = _value(text, _after_blanks(text, 0), _DEPTH)
    if _after_blanks(text, end) != len(text):
        raise ValueError("something stands behind it")
    return value


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """What begins there, and where it ends."""
    kind, first = text[at], _after_blanks(text, at + 1)
    if kind not in "{[" or depth == 0 or text[first] in "}]" or (kind == "[" and text[first] not in "{["):
        return _read(text, at)
    names: list[str] = []
    values: list[Any] = []
    at = first
    while True:
        if kind == "{":
            if text[at] != '"':
                raise ValueError("a member without a name")
            name, at = _read(text, at)
            names.append(name)
            at = _after_blanks(text, at)
            if text[at] != ":":
                raise ValueError("a name without a value")
            at = _after_blanks(text, at + 1)
        value, at = _value(text, at, depth - 1 if kind == "{" else 0)
        values.append(value)
        at = _after_blanks(text, at)
        if text[at] != ",":
            break
        at = _after_blanks(text, at + 1)
    if text[at] != ("}" if kind == "{" else "]"):
        raise ValueError("no end")
    return (dict(zip(names, values, strict=True)) if kind == "{" else values), at + 1
