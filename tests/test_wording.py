"""`aiogen._wording`: how numbers, ids, addresses and foreign words are written for people."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._wording import count, duration, lines, plain, quoted, short_id, short_url


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.0004, "0.0004 s"),
        (0.001, "0.001 s"),
        (1.5, "1.5 s"),
        (61.23456, "61.2 s"),
        (90, "90 s"),
        (299.0, "299 s"),
        (300, "5 min"),
        (1000, "16 min 40 s"),
        (3600.0, "1 hour"),
        (5400, "1 hour 30 min"),
        (7199, "2 hours"),
        (86_399.99, "1 day"),
        (100_000, "1 day 4 hours"),
        (2.592e6, "30 days"),
        (3.1536e9, "36,500 days"),
    ],
)
def test_a_duration_is_said_as_people_say_it(seconds: float, words: str) -> None:
    """In seconds while they are few, then in the one or two units that matter."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (10, "10"),
        (1_000_000, "1,000,000"),
        (1 << 50, "1,125,899,906,842,624"),
        (2.592e6, "2,592,000"),
        (576.0, "576"),
        (0.001, "0.001"),
        (1e-9, "0.000000001"),
        (-8, "-8"),
        (1234.5, "1,234.5"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_written_as_people_write_it(number: float, words: str) -> None:
    """With commas between thousands, without an exponent, and exactly."""
    assert count(number) == words


@given(seconds=st.floats(min_value=0.0, max_value=4e9))
@settings(deadline=None, derandomize=True)
def test_no_duration_has_an_exponent_or_a_tail(seconds: float) -> None:
    """Whatever the number: two units at most, no exponent, and never nothing."""
    words = duration(seconds)
    assert re.fullmatch(r"[\d,.]+ (s|min|hours?|days?)( \d+ (s|min|hours?))?", words)


@pytest.mark.parametrize("number", [1e-7, 1e16, 123456789.123, 5])
def test_a_count_is_the_number_itself(number: float) -> None:
    """What is written is the number, not one near it."""
    assert float(count(number).replace(",", "")) == number


def test_foreign_words_stay_on_their_line() -> None:
    """Line ends, escapes and what turns the writing round are shown as what they are; the length is bounded."""
    assert plain("a\n b\x1b[31m\u202etxt é 灯", 50) == r"a b\x1b[31m\u202etxt é 灯"
    assert plain("a lighthouse at dawn", 13) == "a lighthouse…"
    assert quoted("it's\na boat", 40) == '"it\'s a boat"'
    assert quoted("a lighthouse at dawn", 13) == "'a lighthouse…'"
    assert quoted("\x1b]0;x\x07", 40) == r"'\x1b]0;x\x07'"


def test_an_id_is_known_by_its_beginning() -> None:
    """A long id is cut, a short one is not."""
    assert short_id("670f1e2d-6c54-4b01-90e6-d701748f0851") == "670f…"
    assert short_id("gen-1") == "gen-1"
    assert short_id("\x1b" * 40) == r"\x1b\x1b\x1b\x1b…"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://cdn.example.com/a.png", "https://cdn.example.com/a.png"),
        ("https://cdn.example.com/a.png?X-Amz-Signature=secret", "https://cdn.example.com/a.png?…"),
        ("https://user:secret@cdn.example.com/a.png#secret", "https://cdn.example.com/a.png?…"),
        ("https://[half", "(no url)"),
        ("", ""),
        ("https://h/" + "x" * 500, "https://h/" + "x" * 69 + "…"),
    ],
)
def test_an_address_is_shown_without_what_signs_it(url: str, shown: str) -> None:
    """No user name, no query, no fragment, and no longer than a line."""
    assert short_url(url) == shown


def test_what_is_known_stands_one_fact_a_line() -> None:
    """What is not known is left out, and what would begin a line of its own is escaped."""
    rows = [("state", "failed"), ("a longer name", 5), ("nothing", None), ("empty", ""), ("words", "a\nb\x1b")]
    assert lines("Title", rows).splitlines() == [
        "Title",
        "  state          failed",
        "  a longer name  5",
        r"  words          a\nb\x1b",
    ]
    assert lines("Title", []) == "Title"
