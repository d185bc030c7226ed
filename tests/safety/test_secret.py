"""A key is sent, and never shown: whatever an error reporter does with what it finds."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest
from rich.pretty import pretty_repr

import aiogen
from aiogen._safety.secret import MASK, Masked, Secret, to_secret
from aiogen.providers.base import Provider

KEY = "luma-api-0123456789-abcdef"
HEADER = Masked(f"Bearer {KEY}")


@pytest.mark.parametrize(
    "shown",
    [
        repr(HEADER),
        repr({"Authorization": HEADER}),
        repr(HEADER[:4] + HEADER[4:]),
        repr(pickle.loads(pickle.dumps(HEADER))),
        pickle.dumps({"Authorization": HEADER}, protocol=0).decode("latin-1"),
        pretty_repr({"Authorization": HEADER}, max_string=8),
        repr(Secret(KEY)),
        str(Secret(KEY)),
        repr(Secret(KEY).text),
        pretty_repr(Secret(KEY), max_string=8),
    ],
)
def test_masked_text_is_not_shown(shown: str) -> None:
    """By repr, by a shortened repr, nor by pickle."""
    assert MASK[1:5] in shown
    assert not [part for part in (KEY, KEY[:8], KEY[-8:], "Bear") if part in shown]


def test_masked_text_is_what_it_is_where_it_is_sent() -> None:
    """As a header's value it is joined and encoded."""
    assert (str(HEADER), "a: " + HEADER, f"{HEADER}", HEADER.encode()) == (
        f"Bearer {KEY}", f"a: Bearer {KEY}", f"Bearer {KEY}", f"Bearer {KEY}".encode(),
    )  # fmt: skip
    assert copy.copy(HEADER) is copy.deepcopy(HEADER) is HEADER


def test_a_secret_is_its_key() -> None:
    """Equal by the key, usable as a name in a table, and true if there is one."""
    secret = to_secret(KEY)
    assert secret.text == KEY
    assert to_secret(secret) is secret
    assert len({secret, Secret(KEY), Secret("other")}) == 2
    assert secret != KEY
    assert bool(secret)
    assert not Secret("")
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


@pytest.mark.parametrize(("given", "text"), [(None, ""), (5, ""), ("", "")])
def test_what_is_no_text_is_no_key(given: Any, text: str) -> None:
    """A number instead of a key is reported as a missing key."""
    assert Secret(given).text == text
    assert Secret(given) == Secret("")


@pytest.mark.parametrize(
    ("key", "text", "stands"),
    [(KEY, f"https://{KEY}@h", True), (KEY, KEY[:-1], False), (KEY, 5, False), ("short", "a short text", False)],
)
def test_where_a_key_stands(key: str, text: Any, stands: bool) -> None:
    """One that is too short for a key is found in any text, which says nothing."""
    assert Secret(key).stands_in(text) is stands


def test_a_secret_is_not_pickled() -> None:
    """Nobody is to find it in a file or in another process."""
    with pytest.raises(TypeError, match="holds an API key and cannot be pickled"):
        pickle.dumps(Secret(KEY))


# --- a connection and its requests


@pytest.fixture(params=[aiogen.Luma, aiogen.Leonardo], ids=lambda cls: cls.__name__)
def provider(request: pytest.FixtureRequest) -> Provider:
    """One of each vendor."""
    made: Provider = request.param(api_key=KEY)
    return made


def test_a_connection_shows_no_key(provider: Provider) -> None:
    """Nor do its requests; the key itself can be read."""
    request = provider.request("create", "POST", "/generations", body={"prompt": "x"})
    shown = [
        repr(attrs.asdict(provider)),
        pretty_repr(provider),
        repr(attrs.asdict(request)),
        pretty_repr(attrs.asdict(request), max_string=5),
        repr([getattr(provider, name) for cls in type(provider).__mro__ for name in getattr(cls, "__slots__", ())
              if hasattr(provider, name)]),
        pickle.dumps(request, protocol=0).decode("latin-1"),
    ]  # fmt: skip
    assert not [text for text in shown if KEY in text]
    assert provider.api_key == KEY
    assert provider.headers()["Authorization"] == f"Bearer {KEY}"


def test_a_connection_is_copied_with_its_key_and_not_pickled(provider: Provider) -> None:
    """A copy works like the first; a file or another process does not get it."""
    for other in (copy.copy(provider), copy.deepcopy(provider), attrs.evolve(provider)):
        assert other == provider
        assert other.api_key == KEY
    assert attrs.evolve(provider, api_key="another").api_key == "another"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(provider)
