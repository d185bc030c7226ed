"""`aiogen._checks`: what callers pass, checked before anything is sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._checks import (
    MAX_ID_LENGTH,
    check_given_id,
    check_id,
    check_json,
    check_number,
    check_prompt,
    check_seconds,
    own_id,
    path_of,
)
from aiogen.errors import (
    InputError,
)
from aiogen.providers import Luma

# --- ids


@pytest.mark.parametrize("what", ["Generation", "User"])
@pytest.mark.parametrize("value", ["", "   ", "\n\t", None, 5, b"id"])
def test_an_empty_id_is_refused(what: str, value: Any) -> None:
    """An id that is empty or no text is refused with the known text."""
    with pytest.raises(InputError) as caught:
        check_id(value, what)
    assert str(caught.value) == f"{what} ID cannot be empty. Please provide a valid {what.lower()} ID."


@pytest.mark.parametrize(
    "value",
    [
        "d290f1ee-6c54-4b01-90e6-d701748f0851",
        "1f0bba44-923a-69b0-b519-62a6710d46a9",
        "j9k0",
        "ид",
        "a b",
        "..a",
        "x" * 256,
    ],
)
def test_ids_are_opaque(value: str) -> None:
    """Any text fit for a path is an id, UUID of whatever version or not; blanks around it are dropped."""
    assert check_id(f"  {value}\n") == value


NAME = "1f0bba44-923a-69b0-b519-62a6710d46a9"


@pytest.mark.parametrize("value", [NAME, NAME.upper(), f" {NAME.upper()}\r\n", UUID(NAME)], ids=repr)
def test_an_id_has_one_spelling(value: Any) -> None:
    """As people have it: from a database as a `uuid.UUID`, in upper case, with a line end around it."""
    assert check_given_id(value) == own_id(value) == NAME
    assert check_id(UUID(NAME)) == NAME


@pytest.mark.parametrize("value", ["Gen-1", "J9K0", NAME.upper() + "-X", NAME.replace("-", "").upper()])
def test_only_what_is_a_uuid_is_written_in_lower_case(value: str) -> None:
    """Any other id is opaque: whether upper case matters is the vendor's affair.  So is an id in a vendor's answer."""
    assert check_given_id(value) == own_id(f" {value} ") == value
    assert check_id(NAME.upper()) == NAME.upper()


@pytest.mark.parametrize("value", [None, 5, b"j1", ["j1"]])
def test_no_job_is_called_so(value: Any) -> None:
    """Something of another type is a mistake of the program, and said."""
    with pytest.raises(InputError, match=f"text or a uuid.UUID, not {type(value).__name__}"):
        own_id(value)
    with pytest.raises(InputError, match="cannot be empty"):
        check_given_id(value)


@pytest.mark.parametrize(
    "value",
    ["a/b", "a\\b", "https://x", ".", "..", "a\nb", "a\0", "a\x7f", "a\u2028b", "a\u200eb", "\ud800", "x" * 257],
)
def test_what_cannot_be_an_id(value: str) -> None:
    """Slashes, control characters, dots alone and endless text are refused before anything is sent."""
    with pytest.raises(InputError, match=r"^Generation ID ") as caught:
        check_id(value)
    assert len(str(caught.value)) < 250
    str(caught.value).encode()


def test_the_longest_id() -> None:
    """The error for a long id says how long it may be."""
    with pytest.raises(InputError, match=f"is 999 characters long; an id has at most {MAX_ID_LENGTH}"):
        check_id("x" * 999)


@pytest.mark.no_cover  # Hypothesis reads all of Unicode for it
@given(value=st.text(max_size=40))
@settings(deadline=None, derandomize=True)
def test_an_id_is_one_segment_of_a_path(value: str) -> None:
    """Whatever passes as an id becomes one segment, which means the same id again."""
    try:
        segment = path_of(check_id(value))
    except InputError:
        return
    assert segment not in ("", ".", "..")
    assert not set(segment) & set("/?#\\ &")
    assert segment.isascii()


# --- prompts and JSON


@pytest.mark.parametrize("prompt", ["", "  \n", None, 5, b"a boat"])
def test_a_prompt_has_something_in_it(prompt: Any) -> None:
    """A blank prompt, or none, is refused."""
    with pytest.raises(InputError, match=r"^The prompt cannot be empty"):
        check_prompt(prompt)


def test_a_prompt_can_be_encoded() -> None:
    """Half a surrogate pair cannot be sent, and any other text is left as it is."""
    assert check_prompt("  ein Boot 🚤 ") == "  ein Boot 🚤 "
    with pytest.raises(InputError, match="surrogate"):
        check_prompt("boat \ud83d")
    with pytest.raises(InputError, match=r"The prompt contains the character U\+0000"):
        check_prompt("a\0boat")


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "x", [], {}, {"a": [1, {"b": (None, "c")}]}])
def test_json_can_be_said(value: Any) -> None:
    """Everything that JSON has a word for passes."""
    check_json(value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": float("nan")}, r"options\.a is nan"),
        ({"a": [0, float("inf")]}, r"options\.a\[1\] is inf"),
        ({"a": (object(),)}, r"options\.a\[0\] is a object"),
        ({"a": {"b": b"x"}}, r"options\.a\.b is a bytes"),
        ({"a": {5: "x"}}, r"options\.a has the key 5"),
        (["\ud800"], r"options\[0\] contains half of a surrogate"),
        ({"a": ["b\0"]}, r"options\.a\[0\] contains the character U\+0000"),
        ({"a": {"\0": 1}}, r"A key of options\.a contains the character U\+0000"),
        ({"\ud800": 1}, "A key of options contains half of a surrogate"),
        ({1, 2}, "options is a set"),
    ],
)
def test_what_json_cannot_say_is_said_with_its_place(value: Any, where: str) -> None:
    """What JSON has no word for is refused here, and the error says where it is."""
    with pytest.raises(InputError, match=where):
        check_json(value)


def test_the_place_can_be_named() -> None:
    """The path begins with the word that the caller gives."""
    with pytest.raises(InputError, match=r"^extra\.a is a bytes"):
        check_json({"a": b""}, "extra")


def test_a_limit_is_a_whole_number() -> None:
    """Two and a half jobs cannot run at once."""
    with pytest.raises(InputError, match="max_active has to be a whole number"):
        Luma(api_key="k", max_active=2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda: check_seconds(31 * 86_400.0, "wait"), "wait has to be from 0.001 s to 30 days, not 2,678,400 s."),
        (lambda: check_seconds(-1, "wait"), "wait has to be from 0.001 s to 30 days, not -1 s."),
        (lambda: check_seconds("9", "wait"), "wait has to be a number of seconds, from 0.001 s to 30 days, not '9'."),
        (lambda: check_seconds(70, "poll_cost", 0.001, 60.0), "poll_cost has to be from 0.001 s to 60 s, not 70 s."),
        (lambda: check_number(2e6, "limit", 1, 1_000_000), "limit has to be from 1 to 1,000,000, not 2,000,000."),
        (lambda: check_number(float("nan"), "limit", 1, 1e6), "limit has to be a number from 1 to 1,000,000, not nan."),
        (lambda: check_number(0, "max_download_bytes", 1, 1 << 50),
         "max_download_bytes has to be from 1 to 1,125,899,906,842,624, not 0."),
    ],
)  # fmt: skip
def test_numbers_in_messages_are_written_as_people_write_them(check: Any, words: str) -> None:
    """Days as days, thousands with commas, nothing as 2.592e+06."""
    with pytest.raises(InputError) as caught:
        check()
    assert str(caught.value) == words
