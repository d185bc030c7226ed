"""A key that a vendor quotes is cut out of the answer before anyone reads it, however it is written there.  Pure.

Whatever an answer says ends in errors, logs, pickles and the ledger, so it is done once, where the answer comes in.
Looking costs a few microseconds; only where something is found the answer is taken apart.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from html.entities import html5
from typing import Any
from urllib.parse import unquote_to_bytes

import attrs

from aiogen._content.portions import PORTION, read_json, written
from aiogen._safety.secret import MASK, SHORTEST, Secret
from aiogen.exchange import Response

_FRAGMENT = 12
"""Characters of a key in a row that a message cut off in its middle may still show."""
_LONGEST_TEXT = 64 * 1024
"""Characters that are looked through for where the key stands; of a longer text nothing is kept."""
_ROUNDS = 3
"""How often what is encoded may be encoded again: JSON inside a string of JSON, `%252D`."""
_BLANKS = b" \t\r\n\v\f\0"
_ESCAPE = re.compile(rb"\\(?:u00([2-7][0-9A-Fa-f])|x([2-7][0-9A-Fa-f])|([^ux]))")
_LOWER = bytes(range(256)).lower()
_NAMED = {c: sorted(name for name, stands_for in html5.items() if stands_for == c) for c in map(chr, range(33, 127))}
"""How HTML calls the characters that a key may have: `amp`, `amp;`, `sol;`."""
_ENTITY = re.compile(f"&(?:#|{'|'.join(name for names in _NAMED.values() for name in names)})".encode())
_BETWEEN = r"(?:[\s\0]|\\{1,8}[nrtvf]){0,8}"
"""What may stand between two characters of a key that was broken into lines."""


def redacted(secret: Secret, response: Response) -> Response:
    """The same answer without the key; the very same if it is not in there."""
    body = response.body
    if b"\0" not in body[:4] and not found(secret, b"\1".join((body, _as_bytes(response.headers)))):
        return response  # one look for all of it, for nearly always that is all
    return attrs.evolve(
        response,
        body=redacted_body(secret, body),
        headers=redacted_headers(secret, response.headers),
        request_id=None if response.request_id is None else redacted_text(secret, response.request_id),
    )


def redacted_body(secret: Secret, body: bytes) -> bytes:
    """The body without the key; the very same if it is not in there.  JSON stays JSON."""
    plain = body if b"\0" not in body[:4] else _as_utf8(body)
    if not found(secret, plain):
        return body
    try:
        return b"".join(part.encode() for part in written(_without(secret, read_json(body))))
    except (ValueError, RecursionError):
        return redacted_text(secret, plain.decode("utf-8", "replace")).encode()


def redacted_headers(secret: Secret, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers without the key, by names in lower case; the very same if it is not in there."""
    if not found(secret, _as_bytes(headers)):
        return headers
    clean: dict[str, str] = {}
    for name, value in headers.items():
        clean.setdefault(redacted_text(secret, name).lower(), redacted_text(secret, value))
    return clean


def redacted_text(secret: Secret, text: str) -> str:
    """The text without the key; all of it is masked where the key is in it in a way that cannot be cut out."""
    if not found(secret, text.encode("utf-8", "surrogatepass")):
        return text
    if len(text) > _LONGEST_TEXT:
        return MASK
    clean = _pattern(secret).sub(MASK, text)
    return MASK if found(secret, clean.encode("utf-8", "surrogatepass")) else clean


def redacted_message(secret: Secret, text: str) -> str:
    """The text of an exception without the key, nor the part of it that was left where the text was cut off."""
    text = redacted_text(secret, text)
    key = str(secret.text)
    fragments = {key[i : i + _FRAGMENT] for i in range(len(key) - _FRAGMENT + 1)}
    kept, begin, i = [], 0, 0
    while i <= len(text) - _FRAGMENT:
        end = i
        while text[end : end + _FRAGMENT] in fragments:
            end += 1
        if end > i:
            kept += [text[begin:i], MASK]
            begin = i = end - 1 + _FRAGMENT
        else:
            i += 1
    return "".join([*kept, text[begin:]])


def found(secret: Secret, text: bytes) -> bool:
    """True if the key is in there, as it is or encoded in one of the usual ways."""
    key = secret.text
    if len(key) < SHORTEST:
        return _pattern(secret).search(text.decode("utf-8", "replace")) is not None
    probes = _probes(secret)
    for _ in range(_ROUNDS):
        if _stands_in(text, probes):
            return True
        decoded = _decoded(text)
        if decoded == text:
            return False
        text = decoded
    return _stands_in(text, probes)


def _stands_in(text: bytes, probes: tuple[bytes, ...]) -> bool:
    before = b""
    for i in range(0, len(text), PORTION):
        bare = before + text[i : i + PORTION].translate(_LOWER, _BLANKS)
        for probe in probes:
            if probe in bare:
                return True
        if i + PORTION < len(text):
            before = bare[1 - max(map(len, probes)) :]  # it may stand across the border
    return False


def _decoded(text: bytes) -> bytes:
    """The same with its escapes of JSON, urls and HTML undone once, as far as they stand for what a key may hold."""
    if b"\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    if b"%" in text:
        text = unquote_to_bytes(text)
    if b"&" in text and _ENTITY.search(text):
        text = html.unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogatepass")
    return text


def _unescaped(match: re.Match[bytes]) -> bytes:
    number = match[1] or match[2]
    if number is not None:
        return bytes([int(number, 16)])
    return b"" if match[3] in b"nrtvfb" else match[3]


def _as_bytes(headers: Mapping[str, str]) -> bytes:
    return "\1".join(map("\1".join, headers.items())).encode("utf-8", "surrogatepass")


def _as_utf8(body: bytes) -> bytes:
    """JSON may come in UTF-16 and UTF-32 as well."""
    return body.decode(json.detect_encoding(body), "replace").encode()


def _without(secret: Secret, value: Any) -> Any:
    if isinstance(value, str):
        return redacted_text(secret, value)
    if isinstance(value, dict):
        return {redacted_text(secret, name): _without(secret, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without(secret, item) for item in value]
    if isinstance(value, int | float) and found(secret, str(value).encode()):
        return MASK
    return value


@lru_cache(maxsize=64)
def _probes(secret: Secret) -> tuple[bytes, ...]:
    """What the key looks like in text without blanks and in lower case."""
    key = secret.text.encode()
    # A key may itself hold what looks like an escape, which is undone with those around it.
    undone = [key]
    while (further := _decoded(undone[-1])) != undone[-1]:
        undone.append(further)
    forms = [key.hex().encode(), *_base64(key), *(form for form in undone if len(form) >= SHORTEST)]
    return tuple(dict.fromkeys(form.lower() for form in forms))


def _base64(key: bytes) -> list[bytes]:
    """The characters that base64 has for the key wherever it begins, as in "user:key"; of both alphabets."""
    forms = []
    for before in range(3):
        skipped = -before % 3  # bytes that share a group of four characters with what stands before
        whole = key[skipped : skipped + (len(key) - skipped) // 3 * 3]
        forms += [base64.b64encode(whole), base64.urlsafe_b64encode(whole)]
    return forms


@lru_cache(maxsize=64)
def _pattern(secret: Secret) -> re.Pattern[str]:
    """The key in text, each of its characters written in any way, and the words of base64 and hex around it."""
    key = secret.text
    if len(key) < SHORTEST:
        return re.compile(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])")
    written = _BETWEEN.join(_written(c) for c in str.__str__(key))
    cores = "|".join(re.escape(core.decode()) for core in _base64(key.encode()))
    spread = _BETWEEN.join(key.encode().hex())
    word = "(?:[A-Za-z0-9+/_-]|%2[BF])*"
    return re.compile(rf"{written}|(?<![A-Za-z0-9+/_%-]){word}(?:{cores}){word}(?:=|%3D)*|{spread}", re.IGNORECASE)


def _written(c: str) -> str:
    """One character as it is, and as JSON, a url, HTML and Python write it."""
    number = ord(c)
    entities = "|".join([f"#0{{0,6}}{number};?", f"#x0{{0,6}}{number:x};?", *sorted(_NAMED[c], key=len, reverse=True)])
    code = f"{number:02x}"
    escapes = rf"\\{{0,8}}{re.escape(c)}|\\{{1,8}}(?:u00|x){code}"
    return rf"(?:{escapes}|%(?:25){{0,3}}{code}|&(?:amp;){{0,3}}(?:{entities}))"
