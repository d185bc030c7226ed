"""Which values a script may contain: validators and converters for attrs. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

from ..vendors import NAMES
from .faults import OF_DOWNLOADS, ONLY_OF_DOWNLOADS

Validator = Callable[[Any, Any, Any], None]

_WEBHOOK = re.compile(r"never|twice|forged|late@[0-9]{1,6}(\.[0-9]{1,6})?")

ACTIONS = ("create", "poll", "list", "delete", "download", "upload", "account")
"""What a request is for; `upload` is every request about files, `account` reads the account's own data, and
what there is to choose from."""

PROVIDERS = (*NAMES, "storage")
"""Who answers a request: a vendor, or the storage in which its outputs are."""


class ScriptError(ValueError):
    """A script contains something that the sandbox does not know; the message says where."""


def is_a(expected: str, test: Callable[[Any], bool]) -> Validator:
    """A validator that names what it expects. It raises ValueError."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not test(value):
            raise ValueError(f"{attribute.name}: expected {expected}, not {value!r}")

    return check


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


seconds: Validator = is_a("seconds, 0 or more", lambda value: value is None or (_is_number(value) and value >= 0))
lifetime: Validator = is_a("seconds, more than 0", lambda value: value is None or (_is_number(value) and value > 0))
moment: Validator = is_a("seconds since the start", _is_number)
count: Validator = is_a("a whole number, 0 or more", lambda value: value is None or _is_count(value))
positions: Validator = is_a("positions, from 0", lambda value: all(_is_count(one) for one in value))
probability: Validator = is_a("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
boolean: Validator = is_a("true or false", lambda value: isinstance(value, bool))
text: Validator = is_a("a text", lambda value: value is None or isinstance(value, str))
texts: Validator = is_a("texts", lambda value: all(isinstance(one, str) for one in value))
webhook: Validator = is_a(
    "words: never, twice, forged, late@S",
    lambda value: all(isinstance(one, str) and _WEBHOOK.fullmatch(one) for one in value),
)
missing_output: Validator = is_a('"empty" or "absent"', lambda value: value in (None, "empty", "absent"))
flagged: Validator = is_a('a whole number or "all"', lambda value: value in (None, "all") or _is_count(value))
vendor: Validator = is_a(f"one of {', '.join(NAMES)}", lambda value: value in (None, *NAMES))
provider: Validator = is_a(f"one of {', '.join(PROVIDERS)}", lambda value: value in (None, *PROVIDERS))
actions: Validator = is_a(f"some of {', '.join(ACTIONS)}", lambda value: all(action in ACTIONS for action in value))
fault: Validator = is_a(
    "a fault that is not of downloads only", lambda value: value is None or value.word not in ONLY_OF_DOWNLOADS
)
faults: Validator = is_a(
    f"no fault of downloads only ({', '.join(ONLY_OF_DOWNLOADS)})",
    lambda value: all(fault.word not in ONLY_OF_DOWNLOADS for fault in value),
)
download_faults: Validator = is_a(
    f"faults of downloads: statuses, {', '.join(OF_DOWNLOADS)}",
    lambda value: all(fault.status is not None or fault.word in OF_DOWNLOADS for fault in value),
)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A converter. A single text or number becomes a tuple of one: "POST" is one method, not four."""
    return (value,) if isinstance(value, str | int) else tuple(value)
