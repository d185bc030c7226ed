"""JSON to attrs classes: strict about what is needed, lenient about everything else.  Pure.

A field without a default is needed: nothing can be done with an answer that lacks it, or has another type there, so
that is an error which says where.  A field with a default is only shown to the user: one that cannot be read counts as
absent, because no answer about a paid picture may be lost to it.  The whole answer stays in `raw`.

cattrs would turn 5 into "5" where a string belongs; a vendor that sends a number for an id has changed its API, and
that must be seen.  Reading is done twice only when it fails: the fast converter cannot say where, the detailed one can.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from aiogen._content.expiry import in_every_zone, url_expiry
from aiogen._content.portions import read_json
from aiogen._wording import shorten
from aiogen.errors import ProtocolError
from aiogen.exchange import Page, Response, Snapshot

T = TypeVar("T", bound=attrs.AttrsInstance)


def _strictly(kind: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        # bool is an int to Python, not to JSON.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return structure


def _converter(detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _strictly(kind))

    def leniently(default: Any) -> Callable[[Any, Any], Any]:
        def structure(value: Any, kind: Any) -> Any:
            try:
                return converter.structure(value, kind)
            except Exception:
                return default

        return structure

    # cattrs looks for fields in whatever it gets: a text would be an object all of whose fields are absent.
    def of_object(cls: type[attrs.AttrsInstance]) -> Any:
        attrs.resolve_types(cls)
        lenient: dict[str, Any] = {
            field.name: override(struct_hook=leniently(field.default))
            for field in attrs.fields(cls)
            if field.default is not attrs.NOTHING
        }
        fill = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=detailed, **lenient)
        check = _strictly(dict)
        return lambda value, kind: fill(check(value, kind), kind)

    converter.register_structure_hook_factory(attrs.has, of_object)
    return converter


_fast = _converter(detailed=False)
_slow = _converter(detailed=True)


def read(cls: type[T], document: Any, response: Response, verb: str, root: str = "$") -> T:
    """The document as an instance of `cls`.

    Raises:
        ProtocolError: something that `cls` needs is missing or of another type; `path` says where.
    """
    try:
        return _fast.structure(document, cls)
    except Exception:
        # Whatever a vendor sends must not become a bug report against us: every failure to structure is the answer's.
        try:
            _slow.structure(document, cls)
        except Exception as error:
            what, _, where = cattrs.transform_error(error, path=root)[0].partition(" @ ")
            raise unreadable(response, verb, what, where or root) from None
        raise  # pragma: no cover  - the two converters differ only in what they report


def read_part(cls: type[T], document: dict[str, Any]) -> T:
    """An object of whose fields none is needed."""
    return _fast.structure(document, cls)


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The objects in what should be a list of them; one alone counts as a list of one, and anything else as nothing."""
    if isinstance(value, dict):
        return [value] if value else []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def unread_in(value: Any, outputs: int) -> tuple[str, ...]:
    """The warning for a list of outputs of which only `outputs` could be read."""
    listed = len(value) if isinstance(value, list) else int(bool(value))
    missing = listed - outputs
    return (f"{missing} of {listed} outputs could not be read; raw has what the vendor sent",) if missing > 0 else ()


def check_outputs(value: Any, outputs: int, urls: Sequence[str], response: Response, verb: str, where: str) -> None:
    """A finished generation has outputs that can be read, or says in its usual form that it has none.

    Raises:
        ProtocolError: something is there, none of it can be read, and it does not only lack the address.
    """
    if outputs or not value:
        return
    is_bare = isinstance(value, list) and all(
        isinstance(item, dict) and not any(item.get(name) for name in urls) for item in value
    )
    if not is_bare:
        raise unreadable(response, verb, "outputs in a form that this version cannot read", where)


_LONGEST_WAIT = 7 * 86_400.0
"""Seconds, a week; a vendor that asks for more means something else, and the account is not paused for it."""

_MANY = 1_000_000_000


def parse_json(response: Response, verb: str) -> Any:
    """The answer's JSON.

    In a 2xx, bytes that are no UTF-8, a line end inside a text, and a number of thousands of digits are taken: they
    are in some field that is not needed, and the answer may name a job that is paid for.

    Raises:
        ProtocolError: the body is empty, not JSON, or not text.
    """
    text = response.body
    if not text.strip():
        raise unreadable(response, verb, "an empty body instead of JSON")
    try:
        return read_json(text)
    except (ValueError, RecursionError) as caught:
        error = caught
    try:
        if 200 <= response.status < 300:
            decoded = text.decode(json.detect_encoding(text), "replace").removeprefix("\ufeff")
            return json.loads(decoded, strict=False, parse_int=_number_or_text)
    except (ValueError, RecursionError):
        pass
    kind = "HTML" if text.lstrip()[:1] == b"<" else "text"
    raise unreadable(response, verb, f"{kind} that is not JSON ({shorten(str(error), 80)})")


def _number_or_text(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # Python turns no more than 4,300 digits into a number
        return digits


def parse_object(response: Response, verb: str) -> dict[str, Any]:
    """The answer's JSON, which must be an object."""
    document = parse_json(response, verb)
    if not isinstance(document, dict):
        raise unreadable(response, verb, f"a {type(document).__name__} instead of an object")
    return document


def unreadable(response: Response, verb: str, what: str, path: str = "$") -> ProtocolError:
    """The error for an answer that cannot be read; the message says what came, where, and with which status."""
    return ProtocolError(
        f"Cannot read the answer to {verb!r}: HTTP {response.status} with {what} at {path}; "
        f"it begins with {shorten(response.body[:300].decode('utf-8', 'replace'), 120)!r}",
        status=response.status,
        path=path,
        request_id=response.request_id,
    )


def retry_after(headers: Mapping[str, str], received_at: float) -> float | None:
    """Seconds that `Retry-After` asks to wait: a number or an HTTP date (RFC 9110, 10.2.3); None if it says neither.

    `received_at`: when the answer came, in seconds since the epoch.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = when.timestamp() - _sent_at(headers, received_at)
    if not seconds <= _LONGEST_WAIT:  # no number, or a moment where seconds belong
        return None
    return max(0.0, seconds)


def _sent_at(headers: Mapping[str, str], received_at: float) -> float:
    """When the answer was sent by the clock that also wrote `Retry-After`; ours, if it does not say."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return received_at


def whole_number(value: str | None) -> int | None:
    """A header's value as a number; None if it is not one, or too large to be a real count."""
    try:
        number = int(value) if value is not None else None
    except ValueError:
        return None
    return number if number is None or abs(number) < _MANY else None


def parse_time(value: object) -> datetime | None:
    """A vendor's time stamp.  One without a zone is taken as UTC; one that cannot be read is None, never an error."""
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    if not in_every_zone(when):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def parse_amount(value: object) -> Decimal | None:
    """A vendor's amount of money or credits (a number, or a number in a string), exactly; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return None
    return amount if amount.is_finite() else None


_READ_OF_PAGE = 16 * 1024
"""Bytes: enough for the head of any page, and for its first heading where it has no title."""

_TITLE = re.compile(r"<(?:title|h1)\b[^>]{0,500}>([^<]{1,1000})<", re.IGNORECASE)


def read_page(rows: Sequence[Any], read: Callable[[Any, int], Snapshot]) -> Page:
    """A page whose rows are read one by one: one that cannot be read does not hide the others."""
    found: list[Snapshot | None] = []
    names: list[str] = []
    problem: ProtocolError | None = None
    for i, row in enumerate(rows):
        try:
            snapshot = read(row, i)
        except ProtocolError as error:
            problem = problem or error
            found.append(None)
            names.append(hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest())
        else:
            found.append(snapshot)
            names.append(snapshot.provider_id.lower())
    return Page(rows=tuple(found), names=tuple(names), problem=problem)


def plain_details(response: Response) -> str:
    """What a body that is not JSON says, short enough for a message; of an HTML page its title, or first heading."""
    text = response.body[:_READ_OF_PAGE].decode("utf-8", "replace").strip()
    if not text:
        return "(empty body)"
    if not text.startswith("<"):
        return shorten(text[:2000], 200)
    title = next((found[1] for found in _TITLE.finditer(text) if found[1].strip()), text[:2000])
    return f"HTML page: {shorten(title, 200)}"


__all__ = [
    "check_outputs",
    "objects_in",
    "parse_amount",
    "parse_json",
    "parse_object",
    "parse_time",
    "plain_details",
    "read",
    "read_page",
    "read_part",
    "retry_after",
    "shorten",
    "unread_in",
    "unreadable",
    "url_expiry",
    "whole_number",
]
