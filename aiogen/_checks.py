"""Checks of what callers pass: numbers, ids, names, prompts and hosts, before anything is sent.  Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote
from uuid import UUID

from aiogen._wording import count, duration, shorten
from aiogen.errors import ConfigurationError, InputError

MAX_ID_LENGTH = 256

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

_LONGEST = 30 * 86_400.0
"""Seconds, 30 days; no setting may be longer."""


def check_name(name: str) -> str:
    """The name of a connection: it begins model strings, so it has no slash and no spaces."""
    if not isinstance(name, str) or not name or len(name) > 64 or not all(c.isalnum() or c in "-_." for c in name):
        raise ConfigurationError(
            f"The connection name {name!r} is not valid: use 1 to 64 letters, digits, '-', '_' or '.'.", action=None
        )
    return name


def can_be_host(host: str) -> bool:
    """False for what no resolver could look up: an empty label or one of more than 63 letters, odd characters."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        return True
    try:
        name = host.encode("idna").decode("ascii").removesuffix(".")
    except UnicodeError:
        return False
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split("."))


def is_this_machine(host: str) -> bool:
    """True for loopback addresses and names that mean them."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_number(value: object, name: str, low: float, high: float) -> float:
    """A finite number from `low` to `high`.

    Raises:
        InputError: it is not.
    """
    return _within(value, low, high, f"{name} has to be", "a number ", f"from {count(low)} to {count(high)}", "")


def check_seconds(value: object, name: str, low: float = 0.001, high: float = _LONGEST) -> float:
    """Seconds from `low` to `high`: by default from a millisecond to 30 days.

    Raises:
        InputError: it is not.
    """
    span = f"from {duration(low)} to {duration(high)}"
    return _within(value, low, high, f"{name} has to be", "a number of seconds, ", span, " s")


def _within(value: object, low: float, high: float, has_to_be: str, kind: str, span: str, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{has_to_be} {kind}{span}, not {shorten(repr(value), 60)}.")
    if not low <= value <= high:
        raise InputError(f"{has_to_be} {span}, not {count(value)}{unit}.")
    return value


def check_id(value: object, what: str = "Generation") -> str:
    """An id as a vendor gives it: opaque, but fit for a path.

    Raises:
        InputError: it is empty, too long, or has a slash or a control character in it.
    """
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and _PLAIN_ID.fullmatch(value):
        return value
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} ID cannot be empty. Please provide a valid {what.lower()} ID.")
    value = value.strip()
    if len(value) > MAX_ID_LENGTH:
        raise InputError(f"{what} ID is {len(value)} characters long; an id has at most {MAX_ID_LENGTH}.")
    if value in (".", "..") or any(c in "/\\" or not c.isprintable() for c in value):
        raise InputError(
            f"{what} ID {shorten(repr(value), 60)} is not valid: an id has no slashes and no control characters. "
            "Pass the id alone, not a path or an address."
        )
    return value


def check_given_id(value: object, what: str = "Generation") -> str:
    """An id as people pass it: a `uuid.UUID`, or text, perhaps in upper case or with white space around it.

    A UUID is written in lower case (RFC 9562), as both vendors and aiogen do, so that one generation has one spelling:
    in the ledger, on a page of a list, in the name of a file.

    Raises: as `check_id`.
    """
    text = check_id(value, what)
    return text.lower() if _UUID.fullmatch(text) else text


def own_id(value: object) -> str:
    """An id of ours as people pass it, in the ledger's spelling; text that is no id is simply not found there.

    Raises:
        InputError: it is neither text nor a `uuid.UUID`.
    """
    if not isinstance(value, str | UUID):
        raise InputError(f"A job's id must be text or a uuid.UUID, not {type(value).__name__}.")
    text = str(value).strip()
    return text.lower() if _UUID.fullmatch(text) else text


def path_of(value: str) -> str:
    """An id as one segment of a path."""
    return value if _PLAIN_ID.fullmatch(value) else quote(value, safe="")


def check_prompt(prompt: object) -> str:
    """A prompt with something in it.

    Raises:
        InputError: it is not text, or blank, cannot be encoded, or has a NUL in it.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError("The prompt cannot be empty. Describe in words what the image should show.")
    return check_text(prompt, "The prompt")


def check_text(text: str, what: str) -> str:
    """What can be sent, and be kept by every ledger.

    Raises:
        InputError: it cannot be encoded, or has the character NUL, which databases do not take.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what} contains half of a surrogate pair, which JSON cannot represent.") from None
    if "\0" in text:
        raise InputError(f"{what} contains the character U+0000, which no text needs and databases do not take.")
    return text


def check_extra(extra: object) -> None:
    """Further fields of a body, by name.

    Raises:
        InputError: it is not a mapping, or contains something that JSON cannot represent.
    """
    if not isinstance(extra, Mapping):
        raise InputError(f"extra= takes further fields by name, {{'name': value}}, not {type(extra).__name__}.")
    check_json(extra, "extra")


def check_json(value: Any, where: str = "options") -> None:
    """Everything in it can be represented in JSON.

    Raises:
        InputError: a number is not finite, a text has a NUL in it, or something is not JSON at all; the message says
            where.
    """
    if value is None or isinstance(value, bool | int | str):
        if isinstance(value, str):
            check_text(value, where)
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{where} is {value!r}; JSON allows only finite numbers.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"{where} has the key {key!r}; in JSON, keys are text.")
            check_text(key, f"A key of {where}")
            check_json(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            check_json(item, f"{where}[{i}]")
    else:
        raise InputError(f"{where} is a {type(value).__name__}, which JSON cannot represent.")
