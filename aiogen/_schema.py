"""What callers hold, as JSON says it, and read back from there.  Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

import attrs


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, as short as it is exact: 2026-11-27T10:00:00.208Z.  Without a zone it is taken as UTC."""
    if at is None:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    exact = "seconds" if not at.microsecond else "microseconds" if at.microsecond % 1000 else "milliseconds"
    return at.isoformat(timespec=exact).replace("+00:00", "Z")


def as_json(value: Any) -> Any:
    """Moments in UTC; amounts as text, for a number would be rounded; bytes in base64."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if attrs.has(type(value)):
        return fields_as_json(value)
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def fields_as_json(value: Any, *without: str) -> dict[str, Any]:
    """The fields of an attrs object in their own order."""
    return {f.name: as_json(getattr(value, f.name)) for f in attrs.fields(type(value)) if f.name not in without}


def json_or_text(text: str) -> Any:
    """A value that somebody typed: JSON if it can be read as such, else the text itself; NaN and Infinity are text."""
    try:
        return json.loads(text, parse_constant=_refused)
    except ValueError:
        return text


def _refused(word: str) -> Any:
    raise ValueError(word)


@attrs.frozen
class Reading:
    """One JSON object that somebody gave us, read key by key.  What is missing is None; other keys are ignored.

    Each method raises `ValueError`, which names the key, where something else stands there.
    """

    _object: Any
    _path: str = "$"

    def __attrs_post_init__(self) -> None:
        if not isinstance(self._object, Mapping):
            raise ValueError(f"{self._path} has to be an object, not {type(self._object).__name__}.")

    def needed(self, key: str) -> str:
        """Text that has to be there."""
        found = self.text(key)
        if found is None:
            raise ValueError(f"{self._path}.{key} is missing.")
        return found

    def text(self, key: str) -> str | None:
        found: str | None = self._of(key, str, "text")
        return found

    def flag(self, key: str) -> bool | None:
        found: bool | None = self._of(key, bool, "true or false")
        return found

    def whole(self, key: str) -> int | None:
        found: int | None = self._of(key, int, "a whole number")
        if isinstance(found, bool):
            raise self._wrong(key, "a whole number")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._of(key, list | tuple, "a list") or ()
        if not all(isinstance(item, str) for item in found):
            raise self._wrong(key, "a list of texts")
        return tuple(found)

    def numbers(self, key: str) -> tuple[float, ...]:
        found = self._of(key, list | tuple, "a list") or ()
        if not all(isinstance(item, int | float) and not isinstance(item, bool) for item in found):
            raise self._wrong(key, "a list of numbers")
        return tuple(map(float, found))

    def mapping(self, key: str) -> Mapping[str, Any]:
        return self._of(key, Mapping, "an object") or {}

    def inner(self, key: str) -> Reading | None:
        found = self._object.get(key)
        return None if found is None else Reading(found, f"{self._path}.{key}")

    def each(self, key: str) -> list[Reading]:
        found = self._of(key, list | tuple, "a list") or ()
        return [Reading(item, f"{self._path}.{key}[{i}]") for i, item in enumerate(found)]

    def moment(self, key: str) -> datetime | None:
        text = self.text(key)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise self._wrong(key, "a time in ISO 8601") from None
        if found.tzinfo is None:
            raise self._wrong(key, "a time with its zone")
        return found

    def amount(self, key: str) -> Decimal:
        found = self._object.get(key)
        try:
            return Decimal(found if isinstance(found, str | int) and not isinstance(found, bool) else "no number")
        except InvalidOperation:
            raise self._wrong(key, "a number, as text") from None

    def data(self, key: str) -> bytes | None:
        text = self.text(key)
        try:
            return None if text is None else binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            raise self._wrong(key, "base64") from None

    def _of(self, key: str, kind: Any, called: str) -> Any:
        found = self._object.get(key)
        if found is not None and not isinstance(found, kind):
            raise self._wrong(key, called)
        return found

    def _wrong(self, key: str, called: str) -> ValueError:
        # Not what stands there instead: it may be a signed address.
        return ValueError(f"{self._path}.{key} has to be {called}.")
