"""`aiogen._content.portions`: JSON and base64 as Python has them, never much in one call."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._content import portions
from aiogen._content.portions import LARGE, PORTION, as_base64, lift, of_base64, read_json, without_blanks, written

PICTURE = base64.b64encode(os.urandom(2 * PORTION)).decode()
URI = f"data:image/png;base64,{PICTURE}"
PROSE = 'é"\n\\' * PORTION
LEAVES = st.sampled_from([None, True, 1, 2.5, "", "boat", 'a"b', "é\u2028", "\ud83d", PICTURE, URI, PROSE, [], {}])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


@given(VALUES, st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_same_json_is_written_and_read(value: Any, is_tight: bool) -> None:
    """To the letter, for fingerprints are made of it."""
    options: dict[str, Any] = {"sort_keys": True, "separators": (",", ":")} if is_tight else {}
    text = json.dumps(value, **options)
    assert "".join(written(value, **options)) == text
    assert read_json(text.encode()) == json.loads(text)
    plain = json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    assert read_json(plain) == json.loads(plain)


MANY: list[Any] = [
    {"generations": [{"id": str(i), "n": [1, 2], "url": None} for i in range(8000)], "next": "x"},
    {"data": {"rows": [[i] for i in range(60_000)]}, "empty": [], "none": {}},
    [{"a": {"b": {"c": {"d": list(range(50_000))}}}}],
    list(range(60_000)),
    {"prompt": PROSE, "\0" + "0": 1, "picture": PICTURE, "more": [{"n": i} for i in range(20_000)]},
    {"text": "boat " * LARGE},
]


@pytest.mark.parametrize("value", MANY, ids=range(len(MANY)))
def test_many_values_are_read(value: Any) -> None:
    """Member by member, and in one piece where that is small."""
    body = json.dumps(value).encode()
    assert len(body) > LARGE
    assert read_json(body) == value
    assert read_json(json.dumps(value, indent=2).encode()) == value
    assert read_json(body.decode().encode("utf-16")) == value


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"]",
        b"}}",
        b", 1}",
        b'"a" 1}',
        b", a}",
        b'"a": 1]',
        b", }",
        b': "a"}',
        b', "a" 1}',
        b'"a"',
        b"\xff",
        b"} 1",
    ],
)
def test_what_is_no_json_is_refused_as_ever(end: bytes) -> None:
    """With the same words."""
    rows = json.dumps([{"n": i} for i in range(20_000)]).encode()
    for body in (b'{"rows": ' + rows + end, b'{"picture": "' + PICTURE.encode() * 2 + end, b'{"a": {' + rows + end):
        said = []
        for read in (json.loads, read_json):
            try:
                read(body)
            except ValueError as error:
                said.append(repr(error))
        assert len(said) == 2
        assert said[0] == said[1]


def test_only_base64_is_taken_out() -> None:
    """Nothing that stands between two texts, and no text with escapes."""
    values = ["a", "b", list(range(40_000)), PROSE, "boat " * LARGE, PICTURE, [URI, PICTURE]]
    rest, lifted = lift(json.dumps(values).encode())
    assert sorted(lifted.values(), key=len) == sorted([PICTURE, URI, PICTURE], key=len)
    assert PICTURE.encode() not in rest
    assert lift(b" " * 2 * LARGE) == (b" " * 2 * LARGE, {})


@pytest.mark.parametrize("size", [0, 1, PORTION - 1, PORTION, PORTION + 1, 3 * PORTION + 2])
def test_base64(size: int) -> None:
    """There and back."""
    data = os.urandom(size)
    text = as_base64(data)
    assert text == base64.b64encode(data).decode()
    assert of_base64(text) == data
    assert without_blanks("\n".join(text[i : i + 76] for i in range(0, len(text), 76))) == text


@pytest.mark.parametrize("wrong", ["=" + PICTURE, "AA==" + PICTURE, PICTURE + "AA==AAAA", PICTURE + "é", "A"])
def test_what_is_no_base64_is_refused(wrong: str) -> None:
    """Also where a portion ends."""
    for read in (of_base64, partial(binascii.a2b_base64, strict_mode=True)):
        with pytest.raises(ValueError, match=r"(?i)padding|base64|ascii|characters"):
            read(wrong)


def test_no_call_has_much_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own calls, which nobody interrupts, are given portions."""
    most = 0

    def noting(call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(value: Any, *args: Any, **options: Any) -> Any:
            nonlocal most
            most = max(most, len(value) if isinstance(value, str | bytes | memoryview) else portions.size(value))
            return call(value, *args, **options)

        return noted

    seen = {name: noting(getattr(json, name)) for name in ("loads", "dumps")}
    monkeypatch.setattr(portions, "json", SimpleNamespace(**{**vars(json), **seen}))
    seen = {name: noting(getattr(binascii, name)) for name in ("a2b_base64", "b2a_base64")}
    monkeypatch.setattr(portions, "binascii", SimpleNamespace(**{**vars(binascii), **seen}))
    rows = [{"id": str(i), "prompt": "a boat"} for i in range(20_000)]
    assert "".join(written({"picture": PICTURE * 4, "text": PROSE}))
    assert read_json(b'{"rows": %s, "picture": "%s"}' % (json.dumps(rows).encode(), PICTURE.encode()))["rows"] == rows
    assert of_base64(as_base64(os.urandom(5 * PORTION)))
    assert 0 < most <= LARGE
