"""`aiogen._schema`: objects that somebody gave us, read key by key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aiogen._schema import Reading, json_or_text

pytestmark = pytest.mark.looptime(False)


@pytest.mark.parametrize("given", [(), [1, 2.5], (0, -1)])
def test_numbers_are_read_as_such(given: Any) -> None:
    found = Reading({"n": given}).numbers("n")
    assert found == tuple(given)
    assert all(type(number) is float for number in found)


@pytest.mark.parametrize(
    ("read", "given", "expected"),
    [
        (Reading.numbers, [1.0, "2"], "a list of numbers"),
        (Reading.numbers, [True], "a list of numbers"),
        (Reading.numbers, [None], "a list of numbers"),
        (Reading.numbers, 1.0, "a list"),
        (Reading.texts, ["a", 1], "a list of texts"),
        (Reading.texts, "ab", "a list"),
        (Reading.text, 1, "text"),
        (Reading.flag, 1, "true or false"),
        (Reading.whole, True, "a whole number"),
        (Reading.whole, 1.0, "a whole number"),
        (Reading.mapping, [], "an object"),
        (Reading.each, {}, "a list"),
        (Reading.moment, "yesterday", "a time in ISO 8601"),
        (Reading.moment, "2026-01-01T00:00:00", "a time with its zone"),
        (Reading.amount, True, "a number, as text"),
        (Reading.amount, "much", "a number, as text"),
        (Reading.data, "?", "base64"),
    ],
)  # fmt: skip
def test_what_is_no_such_thing_is_refused_by_its_name(
    read: Callable[[Reading, str], object], given: object, expected: str
) -> None:
    """And is not shown: it may be a signed address."""
    inner = Reading({"cost": {"key": given}}).inner("cost")
    assert inner is not None
    with pytest.raises(ValueError, match=rf"^\$\.cost\.key has to be {expected}\.$"):
        read(inner, "key")


def test_what_is_missing_is_none_and_what_is_needed_is_named() -> None:
    read = Reading({})
    assert [read.text("x"), read.flag("x"), read.whole("x"), read.moment("x"), read.inner("x"), read.data("x")] == (
        [None] * 6
    )
    assert (read.texts("x"), read.numbers("x"), read.each("x"), dict(read.mapping("x"))) == ((), (), [], {})
    with pytest.raises(ValueError, match=r"^\$\.x is missing\.$"):
        read.needed("x")
    with pytest.raises(ValueError, match=r"^\$\.jobs\[1\] has to be an object, not int\.$"):
        Reading({"jobs": [{}, 1]}).each("jobs")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1024", 1024),
        ("true", True),
        ('["a", 1.5]', ["a", 1.5]),
        ('"1024"', "1024"),
        ("16:9", "16:9"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("[NaN]", "[NaN]"),
        ("{", "{"),
    ],
)
def test_what_somebody_types_is_json_where_it_can_be(text: str, value: object) -> None:
    """Numbers that JSON does not have are words."""
    assert json_or_text(text) == value
