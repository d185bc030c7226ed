"""Answers with something wrong: the vendors' own, recorded, with one thing changed, or several."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st
from providers.drive import SAMPLES

from aiogen.exchange import Response

RAW = {
    "\0number": "7" * 5000,  # more digits than Python reads
    "\0deep": "[" * 20_000 + "]" * 20_000,
    **{f"\0deep {n}": '{"message":[' * n + "]}" * n for n in (100, 300, 400, 450, 470)},
}
"""What no JSON library writes: a text, and what is put in its place."""
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**400, -(10**400), 0.5, 1e308, -0.0,
    float("nan"), float("inf"), float("-inf"), "", " ", "null", "0", "429", "500", "7" * 5000, "\ud800", "\0",
    "a/../b", "x" * 5000, "٣", "²", "completed", "COMPLETE", "failed", "FAILED", "Queued", "PENDING", "not_found",
    [], {}, [[]], [{}], [None], {"": None}, {"message": []}, {"id": "another"}, "rate limit", "access-denied",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", *RAW,
)  # fmt: skip
ODD = st.sampled_from(VALUES) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIGURES = (
    "0", "-1", "1", "12", "0.5", "1e3", "1e300", "-1e300", "nan", "inf", "-inf", "1_000", "٣", " 7 ", "7" * 5000,
    "1" + "0" * 400, "0x10", "true", "", ",", "12, 12", "1 1", "Thu, 31 Feb 2026 25:61:61 GMT",
    "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "1 Jan 99999999999 0:0:0 +99999999999",
)  # fmt: skip
HEADERS = {
    **dict.fromkeys(("retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"), FIGURES),
    **dict.fromkeys(("content-length", "date"), FIGURES),
    "content-type": ("text/html", "application/json; charset=nonsense", "image/png", "", ";", "application/json;;;"),
    "etag": ('"a"', "W/", "\x7f", '"'),
    "set-cookie": ("a=b; Expires=never", "=", "\xff=\xff", "x" * 4000),
    "x-request-id": ("", "x" * 4000, "\x00", "ÿ"),
    "location": ("https://elsewhere.example/", "//", "\x00"),
    "x-nonsense": ("",),
}
STATUSES = (
    0, 99, 100, 101, 103, 199, 200, 201, 202, 204, 206, 299, 300, 301, 304, 399, 400, 401, 402, 403, 404, 408, 409,
    413, 418, 422, 425, 429, 451, 499, 500, 501, 502, 503, 504, 520, 529, 599, 600, 999,
)  # fmt: skip


def places(document: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every node inside, as the way to it."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [deeper for key, value in inner for deeper in ((*way, key), *places(value, (*way, key)))]


def at(root: Any, way: tuple[Any, ...]) -> Any:
    """The object or list that holds the node there."""
    for key in way[:-1]:
        root = root[key]
    return root


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """The document with one node replaced, removed, doubled, renamed or wrapped."""
    root = {"": copy.deepcopy(document)}
    way = draw(st.sampled_from(places(root)))
    holder, key = at(root, way), way[-1]
    what = draw(st.sampled_from(["replace", "replace", "replace", "remove", "double", "rename", "list", "object"]))
    if what == "remove" and len(way) > 1:
        del holder[key]
    elif what == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif what == "rename" and isinstance(holder, dict) and len(way) > 1:
        holder[draw(st.text(max_size=8))] = holder.pop(key)
    elif what == "list":
        holder[key] = [holder[key]]
    elif what == "object":
        holder[key] = {str(key): holder[key]}
    else:
        holder[key] = draw(ODD)
    return root[""]


def written(document: Any, *, ascii_only: bool = True) -> bytes:
    """As JSON, or what looks like it."""
    text = json.dumps(document, ensure_ascii=ascii_only)
    for name, raw in RAW.items() if "\\u0000" in text else ():
        text = text.replace(json.dumps(name), raw)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def spoiled(draw: st.DrawFn, body: bytes) -> bytes:
    """Cut, doubled, in another encoding, or nothing of it."""
    how = draw(st.sampled_from(["cut", "more", "twice", "utf-16", "utf-8-sig", "latin-1", "garbage"]))
    if how in ("utf-16", "utf-8-sig", "latin-1"):
        return body.decode("utf-8", "replace").encode(how, "replace")
    if how == "cut":
        return body[: draw(st.integers(0, len(body)))]
    if how == "twice":
        return body * 2
    return draw(st.binary(min_size=1, max_size=60)) + (body if how == "more" else b"")


@cache
def recorded(folder: str, kind: str = "") -> list[Any]:
    """The vendor's own answers, by the beginnings of their names."""
    paths = [path for path in sorted((SAMPLES / folder).glob("*.json")) if re.match(kind, path.stem)]
    return [found for path in paths if "status" in (found := json.loads(path.read_text()))]


def as_response(honest: Any, body: bytes, status: int | None = None, **headers: str) -> Response:
    told = {name.lower(): value for name, value in honest["headers"].items()} | headers
    return Response(status=honest["status"] if status is None else status, headers=told, body=body, received_at=1.8e9)


@st.composite
def hostile(draw: st.DrawFn, folder: str, kind: str) -> Response:
    """An honest answer of this vendor with something wrong: one of that kind, as often as any."""
    honest = draw(st.sampled_from(recorded(folder, kind)) | st.sampled_from(recorded(folder)))
    document = honest.get("body", honest.get("text"))
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2)))):
        document = draw(changed(document))
    body = written(document, ascii_only=draw(st.booleans())) if "body" in honest else honest["text"].encode()
    if draw(st.integers(0, 3)) == 3:
        body = draw(spoiled(body))
    names = draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=3))
    headers = {name: draw(st.sampled_from(HEADERS[name]) | st.text(max_size=12)) for name in names}
    status = draw(st.sampled_from((None, None, 200)) | st.sampled_from(STATUSES) | st.integers(0, 999))
    return as_response(honest, body, status, **headers)


def with_one_thing_wrong(honest: Any) -> Iterator[Response]:
    """Each status, each header, and each odd value in the place of each honest one."""
    body = written(honest["body"])
    for status in STATUSES:
        yield as_response(honest, body, status)
    for name, values in HEADERS.items():
        for value in values:
            yield as_response(honest, body, **{name: value})
    root = {"": copy.deepcopy(honest["body"])}
    if isinstance(root[""], dict) and "generations" in root[""]:
        del root[""]["generations"][1:]  # the others are like the first
    for way in places(root):
        holder = at(root, way)
        kept = holder[way[-1]]
        for value in VALUES:
            holder[way[-1]] = value
            yield as_response(honest, written(root[""]))
        holder[way[-1]] = kept
