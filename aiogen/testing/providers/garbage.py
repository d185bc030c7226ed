"""Answers that no API intends: pages of a proxy, half of a document, values of the wrong type.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs

from aiogen.exchange import Response

PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
"""What a proxy or a login page answers in the vendor's place."""

GARBAGE = {
    "an empty body": b"",
    "blanks": b" \r\n",
    "a page": PAGE,
    "words": b"upstream connect error or disconnect/reset before headers",
    "an empty object": b"{}",
    "an empty array": b"[]",
    "null": b"null",
    "a text": b'"ok"',
    "a number": b"1",
    "true": b"true",
    "no number": b"NaN",
    "zero bytes": b"\0" * 64,
    "no text at all": bytes(range(128, 256)),
    "100,000 arrays": b"[" * 100_000,
}
"""Bodies that say nothing about any generation."""

_LONG = 10**400
_STRANGE: tuple[Any, ...] = (
    None, [], {}, "", " ", 0, -1, 1e308, _LONG, True, "a\0b", "\ud800", [None], [[]], {"a": None}, ["x"],
)  # fmt: skip
"""Values of other types, for the place of any value."""

_ADDRESSES = ("https://elsewhere.example/x", "//elsewhere.example/x", "@elsewhere.example/x", "/../../x", "/x?y#z")

_MOST = 150
"""The most places of one answer that are tried, from the outermost on."""

Where = tuple[str | int, ...]


def spoilt(response: Response) -> Iterator[tuple[str, Response]]:
    """The answer, damaged or encoded in another way."""
    body = response.body
    text = body.decode("utf-8", "replace")
    bodies = {
        "the first half of it": body[: len(body) // 2],
        "all but its last byte": body[:-1],
        "it in UTF-16": text.encode("utf-16"),
        "it behind a byte order mark": b"\xef\xbb\xbf" + body,
        "it in an array": b"[" + body + b"]",
        "it twice": body + body,
        "it as a text of JSON": json.dumps(text).encode(),
        "it before zero bytes": body + b"\0" * 8,
    }
    for words, spoilt_body in bodies.items():
        yield words, attrs.evolve(response, body=spoilt_body)


def strange(response: Response) -> Iterator[tuple[str, Where, Response]]:
    """The answer with one of its values removed, or replaced by one of another type: one after the other."""
    document = _document(response)
    for where in _places(document):
        if where:
            yield f"without {shown(where)}", where, _said(response, _without(document, where))
        for value in _STRANGE:
            yield f"{_short(value)} at {shown(where)}", where, _said(response, _with(document, where, value))


def addressed(response: Response) -> Iterator[tuple[str, Response]]:
    """The answer with one of its addresses replaced by one at another host."""
    document = _document(response)
    for where, text in texts(response):
        if text.startswith(("http://", "https://", "/")):
            for value in _ADDRESSES:
                yield f"{value} at {shown(where)}", _said(response, _with(document, where, value))


def texts(response: Response) -> list[tuple[Where, str]]:
    """Every text in the answer, with its place."""
    document = _document(response)
    found = ((where, _at(document, where)) for where in _places(document))
    return [(where, value) for where, value in found if isinstance(value, str)]


def replaced(response: Response, where: Where, value: Any) -> Response:
    """The answer with another value in this place."""
    return _said(response, _with(_document(response), where, value))


def has(response: Response, where: Where, text: str) -> bool:
    """Whether the value in this place is this text, or contains it."""
    return any(found == text for place, found in texts(response) if place[: len(where)] == where)


def shown(where: Where) -> str:
    """A place in a document, for people."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)


def _document(response: Response) -> Any:
    """The parsed body; None if it is no JSON: there is nothing to replace."""
    try:
        return json.loads(response.body)
    except ValueError:
        return None


def _places(document: Any) -> list[Where]:
    """Every place in a document, the outermost first; of a list the first two."""
    if document is None:
        return []
    found: list[Where] = [()]
    for where in found:
        value = _at(document, where)
        steps: list[str | int] = []
        if isinstance(value, dict):
            steps = list(value)
        elif isinstance(value, list):
            steps = list(range(min(2, len(value))))
        found += [(*where, step) for step in steps]
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def _at(document: Any, where: Where) -> Any:
    for step in where:
        document = document[step]
    return document


def _with(document: Any, where: Where, value: Any) -> Any:
    if not where:
        return value
    copy = _copied(document)
    copy[where[0]] = _with(copy[where[0]], where[1:], value)
    return copy


def _without(document: Any, where: Where) -> Any:
    copy = _copied(document)
    if len(where) == 1:
        del copy[where[0]]
    else:
        copy[where[0]] = _without(copy[where[0]], where[1:])
    return copy


def _copied(document: Any) -> Any:
    return list(document) if isinstance(document, list) else dict(document)


def _said(response: Response, document: Any) -> Response:
    return attrs.evolve(response, body=json.dumps(document).encode())


def _short(value: Any) -> str:
    return "a number of 401 digits" if value is _LONG else json.dumps(value)
