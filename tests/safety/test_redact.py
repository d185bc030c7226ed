"""A vendor that quotes the key, however it writes it: what comes after the transport has never seen it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from aiogen._safety.redact import (
    found,
    redacted,
    redacted_body,
    redacted_headers,
    redacted_message,
    redacted_text,
)
from aiogen._safety.secret import MASK, Secret
from aiogen.exchange import Response

KEYS = (
    "luma-api-SECRETsecret0123456789abcdef",
    "11111111-2222-4333-8444-555555555555",
    "a/b+c&d<e>f'g=h%41i",
    "x\\u0041y/z~12",
)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "upper case": str.upper,
    "JSON, every character": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "JSON, every other": lambda key: "".join(f"\\u{ord(c):04X}" if i % 2 else c for i, c in enumerate(key)),
    "JSON of PHP": lambda key: key.replace("\\", "\\\\").replace("/", "\\/"),
    "Python": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "a url": lambda key: quote(key, safe=""),
    "a url, every character": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "a url in a url": lambda key: "".join(f"%25{ord(c):02X}" for c in key),
    "a url with its hyphens": lambda key: quote(key, safe="").replace("-", "%2D"),
    "HTML": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(c):X};" for c in key),
    "HTML by names": lambda key: "".join({"&": "&amp;", "<": "&lt;", "/": "&sol;"}.get(c, c) for c in key),
    "base64": b64,
    "base64 after one": lambda key: b64(f":{key}"),
    "base64 of a pair": lambda key: b64(f"user:{key}"),
    "base64 in the middle": lambda key: b64(f"me:{key}:you"),
    "base64 of urls": lambda key: base64.urlsafe_b64encode(f"?>{key}".encode()).decode(),
    "base64 in a url": lambda key: quote(b64(key), safe=""),
    "hexadecimal": lambda key: key.encode().hex(),
    "on two lines": lambda key: f"{key[:10]}\n{key[10:]}",
    "one character at a time": " ".join,
    "base64 on two lines": lambda key: f"{b64(key)[:11]}\r\n {b64(key)[11:]}",
}  # fmt: skip
every_way = pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
every_key = pytest.mark.parametrize("key", KEYS)


def hidden(text: str, key: str) -> bool:
    """The key is not in there, nor most of it, in any of these ways."""
    return not [way for way in WRITTEN.values() for part in (way(key), way(key)[8:]) if part.lower() in text.lower()]


@every_key
@every_way
def test_a_key_is_cut_out_of_text(written: Callable[[str], str], key: str) -> None:
    """What stands round it stays, unless it is written in a way that cannot be cut out."""
    text = redacted_text(Secret(key), f"Bad key {written(key)} (code 17).")
    assert hidden(text, key)
    assert text in (f"Bad key {MASK} (code 17).", MASK)


@every_key
@every_way
@pytest.mark.parametrize("nested", [False, True])
def test_a_key_is_cut_out_of_json(written: Callable[[str], str], key: str, nested: bool) -> None:
    """Wherever it stands, as a name, too; what else is there is what it was, and it is still JSON."""
    quoted = {"why": f"bad {written(key)}", written(key): [written(key), 3, None]}
    detail: Any = json.dumps(quoted) if nested else quoted
    body = {"id": "5b1b7a3c-90f4-4f9e-8a53-0d8c6b6a1e01", "cost": 0.1, "ok": True, "detail": detail, "tail": "ü€"}
    clean = redacted_body(Secret(key), json.dumps(body).encode())
    document = json.loads(clean)
    assert hidden(json.dumps(document, ensure_ascii=False), key)
    assert {name: document[name] for name in body if name != "detail"} == {n: body[n] for n in body if n != "detail"}
    if not nested:
        assert document["detail"].pop(MASK) == [MASK, 3, None]
        assert MASK in document["detail"]["why"]


@every_way
def test_escapes_that_json_undoes(written: Callable[[str], str]) -> None:
    """Written into the JSON as it is, so that reading it shows the key."""
    key = KEYS[0]
    clean = redacted_body(
        Secret(key),
        b'{"detail": "bad %s!"}'
        % written(key).replace("\n", "\\n").replace("\r", "\\r").replace("\\x", "\\\\x").encode(),
    )
    assert MASK in json.loads(clean)["detail"]
    assert hidden(json.loads(clean)["detail"], key)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
def test_json_in_other_encodings(encoding: str) -> None:
    """They are read as well, so they are looked through."""
    body = json.dumps({"detail": KEYS[0], "id": "x"}).encode(encoding)
    assert json.loads(redacted_body(Secret(KEYS[0]), body)) == {"detail": MASK, "id": "x"}


@pytest.mark.parametrize("body", [b"<p>%s</p>", b'{"detail": "%s', b"\xff\xfe%s\xff", b"[" * 100_000 + b"%s"])
def test_a_body_that_is_no_json(body: bytes) -> None:
    """Errors quote its beginning."""
    clean = redacted_body(Secret(KEYS[0]), body.replace(b"%s", KEYS[0].encode()))
    assert KEYS[0].encode() not in clean
    assert MASK.encode() in clean


def test_a_number_that_is_the_key() -> None:
    """Some keys are digits only; other numbers stay."""
    assert json.loads(redacted_body(Secret("1234567890"), b'{"key": 1234567890, "n": 12}')) == {"key": MASK, "n": 12}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"id": "5b1b7a3c-90f4-4f9e-8a53-0d8c6b6a1e01"}',
        b'{"prompt": "100% &amp; \\u00e9 \\u4e2d \\"quoted\\" \\n caf%C3%A9 &copy;"}',
        b'{"url": "https://s.example/a%2Fb?Signature=a%2Bb%3D&Expires=1"}',
        f'{{"id": "{KEYS[0][:-1]}"}}'.encode(),
        f'{{"id": "{KEYS[0][9:]}"}}'.encode(),
        f'{{"id": "{KEYS[0][:12]}", "rest": "{KEYS[0][12:]}"}}'.encode(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\0" * 20,
    ],
)
def test_what_holds_no_key_is_the_very_same(body: bytes) -> None:
    """A part of a key is none: an id may be like one."""
    assert redacted_body(Secret(KEYS[0]), body) is body


def test_a_short_key_is_looked_for_as_it_is() -> None:
    """By itself, not within words, where it would be found by chance."""
    assert redacted_text(Secret("key-1"), "monkey-1, key-12 and key-1.") == f"monkey-1, key-12 and {MASK}."


def test_headers() -> None:
    """Names and values; the first of several of a name counts, and names are asked for in lower case."""
    secret, fine = Secret(KEYS[0]), {"X-Request-Id": "abc", "Via": "proxy"}
    assert redacted_headers(secret, fine) is fine
    clean = redacted_headers(secret, {"X-Request-Id": f"Bearer {KEYS[0]}", f"X-{KEYS[0]}": "1", "Via": "proxy"})
    assert clean == {"x-request-id": f"Bearer {MASK}", f"x-{MASK}": "1", "via": "proxy"}


def test_a_response() -> None:
    """One that holds no key is the very same."""
    secret = Secret(KEYS[0])
    fine = Response(status=200, headers={"Via": "p"}, body=b"{}", request_id="abc")
    assert redacted(secret, fine) is fine
    clean = redacted(secret, Response(status=422, headers={"A": KEYS[0]}, body=b'{"a": 1}', request_id=KEYS[0]))
    assert (clean.status, clean.headers, clean.body, clean.request_id) == (422, {"a": MASK}, b'{"a": 1}', MASK)
    assert redacted(secret, Response(status=422, body=KEYS[0].encode())).request_id is None


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("nothing here", "nothing here"),
        (f"reading: b'{KEYS[0]}'", f"reading: b'{MASK}'"),
        (f"reading: b'{KEYS[0][:20]}", f"reading: b'{MASK}"),
        (f"{KEYS[0][3:33]}...", f"{MASK}..."),
        (f"a {KEYS[0][:12]} b {KEYS[0][-12:]}", f"a {MASK} b {MASK}"),
        (f"only {KEYS[0][:11]}", f"only {KEYS[0][:11]}"),
    ],
)
def test_a_message_that_was_cut_off(text: str, clean: str) -> None:
    """aiohttp quotes the first bytes of what it cannot read: so much of a key is too much."""
    assert redacted_message(Secret(KEYS[0]), text) == clean


def test_a_short_key_has_no_fragments() -> None:
    """There is less of it than a fragment."""
    assert redacted_message(Secret("luma-key"), "a luma-ke and a luma-key") == f"a luma-ke and a {MASK}"


@pytest.mark.parametrize("filling", ["A", "\\\\", "%2B", "&amp;", " ", "n", "%25", KEYS[0][:-1], "\\u002d"])
def test_much_around_a_key_takes_no_time(filling: str) -> None:
    """A vendor cannot hold up the loop with it: none of this would end in a test's time if it were looked at again and
    again; of what is longer still nothing is kept."""
    text = filling * (60_000 // len(filling))
    assert KEYS[0] not in redacted_text(Secret(KEYS[0]), f"{text} {KEYS[0]} {text[:500]}")
    assert redacted_text(Secret(KEYS[0]), f"{text} {KEYS[0]} {text}") == MASK


def test_what_is_found() -> None:
    """After three rounds of decoding nobody looks further."""
    deep = KEYS[0]
    for _ in range(2):
        deep = json.dumps(deep.replace("-", "\\u002d") if "\\" not in deep else deep)[1:-1]
    assert found(Secret(KEYS[0]), deep.encode())
    assert not found(Secret(KEYS[0]), json.dumps(json.dumps(deep)).encode())
