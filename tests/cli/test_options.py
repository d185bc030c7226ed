"""How --param and the shared options are read."""

from __future__ import annotations

import pytest

from aiogen import InputError
from aiogen.cli.options import parse_params


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1024", 1024),
        ("-0.5", -0.5),
        ("true", True),
        ("null", None),
        ('["a", 1]', ["a", 1]),
        ('{"a": {"b": 2}}', {"a": {"b": 2}}),
        ('"1024"', "1024"),
        ("16:9", "16:9"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("[1, 2", "[1, 2"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_value_is_json_or_else_text(text: str, value: object) -> None:
    assert parse_params([f"name={text}"]) == {"name": value}


@pytest.mark.parametrize("pair", ["width", "=1", " =1", "connection=luma", "model=x", "batch=x", "poll_cost=1"])
def test_a_pair_that_cannot_be_meant_is_refused(pair: str) -> None:
    with pytest.raises(InputError):
        parse_params([pair])


def test_extra_is_a_keyword_of_its_own() -> None:
    """What is sent unchecked stands apart; its names may be those of arguments."""
    given = parse_params(["width=5"], ["seed_mode=new", 'video={"guide": 1}', "model=x"])
    assert given == {"width": 5, "extra": {"seed_mode": "new", "video": {"guide": 1}, "model": "x"}}
    assert parse_params([], []) == {}


@pytest.mark.parametrize(
    ("params", "extra", "text"),
    [
        ([], ["width"], r"--extra 'width' cannot be read; write name=value, such as --extra new_option=5"),
        ([], ["a=1", "a=2"], "--extra a=… is given twice"),
        (["extra={}"], ["a=1"], "mean the same; give only one"),
    ],
)
def test_an_extra_that_cannot_be_meant_is_refused(params: list[str], extra: list[str], text: str) -> None:
    with pytest.raises(InputError, match=text):
        parse_params(params, extra)
