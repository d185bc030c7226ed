"""What travels between the pure provider files and the transport.  Pure.

An `Exchange` is one operation, written as a generator: it yields a `Request`, is sent the `Response`, and returns
the result or raises an error from `aiogen.errors`.  An operation of several requests is still one exchange.  A test
drives it with a list of prepared responses and looks at the requests that came out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import attrs

from aiogen._content.expiry import in_every_zone
from aiogen.errors import ProtocolError
from aiogen.models import Account, Action, Cost, FailureCode, Output, State

T = TypeVar("T")
_LONGEST_WAIT = 7 * 86_400.0
"""Seconds; who asks for more than a week means something else, and the account is not shut for it."""
_MANY = 1_000_000_000


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request, not yet sent."""

    verb: str
    """What it does, for messages: "create", "retrieve", "list", "delete"."""
    method: str
    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Holds the key, so it is never shown."""
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Response:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Asked for by names in lower case."""
    body: bytes = attrs.field(default=b"", repr=False)
    received_at: float = 0.0
    """Wall-clock time of the answer, seconds since the epoch."""
    request_id: str | None = None
    """The `X-Request-Id` we sent, unless the answer names its own."""


Exchange = Generator[Request, Response, T]


@attrs.frozen(kw_only=True)
class Typical:
    """What is believed of a model's durations before any was seen: a lognormal by its median and spread."""

    median: float
    """Seconds from acceptance to the end."""
    spread: float = 0.5
    """Standard deviation of the logarithm; 0.35 is narrow, 0.8 says little."""


@attrs.frozen(kw_only=True)
class Submission:
    """What a create will say, complete and checked: all that is needed to send it, now or after a restart."""

    model: str
    kind: str
    prompt: str | None = attrs.field(default=None, repr=False)
    endpoint: str
    """The provider's own name of the call."""
    body: Mapping[str, Any] = attrs.field(repr=False)
    outputs: int | None = None
    """How many outputs are asked for, where the request says."""
    weight: int = 1
    """Units of the account's window that it takes, as far as the provider file knows."""
    tariff: str = ""
    """What the weight depends on, in the vendor's words; submissions with the same tariff weigh the same."""
    timeout: float
    """Default deadline, seconds after acceptance."""
    typical: Typical

    def fingerprint(self) -> str:
        """SHA-256 over what would be sent: equal for equal submissions, and tells nothing about them."""
        text = json.dumps([self.endpoint, self.body], sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen(kw_only=True)
class Ticket:
    """What asking about a generation needs."""

    provider_id: str
    model: str | None = None
    kind: str = "image"
    outputs: int | None = None
    """How many outputs were asked for, to tell when some are missing."""


@attrs.frozen(kw_only=True)
class Failure:
    """Why a generation failed, in our words and in the vendor's."""

    code: FailureCode
    reason: str | None = None
    vendor_code: str | None = None
    action: Action | None = None
    """Only where the table in `models.ACTIONS` does not fit."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """One reading of a generation, as the vendor tells it."""

    provider_id: str
    state: State
    """queued, processing, completed or failed."""
    model: str | None = None
    kind: str | None = None
    prompt: str | None = None
    outputs: tuple[Output, ...] = ()
    partial: bool = False
    failure: Failure | None = None
    cost: Cost | None = None
    created_at: datetime | None = None
    strange: str | None = None
    """A state word that this version does not know; the job counts as running."""
    warnings: tuple[str, ...] = ()
    """What is odd about it and ends nothing; for `Generation.warnings`."""
    hollow: bool = False
    """Completed, yet with no output where one must be: worth asking again before believing it."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Quota:
    """What an answer's headers say about the window of creates."""

    limit: int | None = None
    remaining: int | None = None


@attrs.frozen(kw_only=True)
class Accepted:
    """The vendor took the job."""

    snapshot: Snapshot
    quota: Quota | None = None


@attrs.frozen(kw_only=True)
class Page:
    """One page of a list, in the vendor's order."""

    rows: tuple[Snapshot | None, ...]
    """None for a row that could not be read: it has a place all the same."""
    names: tuple[str, ...]
    """By which each row is known again: the generation's id, or a hash of what cannot be read."""
    problem: ProtocolError | None = None
    """What was wrong with the first of these."""

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The rows that could be read."""
        return tuple(row for row in self.rows if row is not None)


@attrs.frozen(kw_only=True)
class Deleted:
    """What became of a delete."""

    found: bool


AccountExchange = Exchange[Account]


def parse_json(response: Response, verb: str) -> Any:
    """The answer's JSON.

    In a 2xx, bytes that are no UTF-8, a line end inside a text, and a number of thousands of digits are taken: they
    stand in some field that nobody needs, and the answer may name a job that is paid for.

    Raises:
        ProtocolError: the body is empty, not JSON, or not text.
    """
    text = response.body
    if not text.strip():
        raise unreadable(response, verb, "an empty body where JSON belongs")
    try:
        return json.loads(text)
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
        raise unreadable(response, verb, f"a {type(document).__name__} where an object belongs")
    return document


def unreadable(response: Response, verb: str, what: str, path: str = "$") -> ProtocolError:
    """The error for an answer that cannot be read; says what came, where, and with which status."""
    return ProtocolError(
        f"Cannot read the answer to {verb!r}: HTTP {response.status} with {what} at {path}; "
        f"it begins {shorten(response.body[:300].decode('utf-8', 'replace'), 120)!r}",
        status=response.status,
        path=path,
        request_id=response.request_id,
    )


def shorten(text: str, limit: int) -> str:
    """The text on one line, at most `limit` characters long."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def retry_after(response: Response) -> float | None:
    """Seconds that `Retry-After` asks to wait: a number or an HTTP date (RFC 9110, 10.2.3); None if it says neither."""
    value = response.headers.get("retry-after", "").strip()
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
        seconds = when.timestamp() - _sent_at(response)
    if not seconds <= _LONGEST_WAIT:  # no number, or a moment where seconds belong
        return None
    return max(0.0, seconds)


def _sent_at(response: Response) -> float:
    """When the answer was sent by the clock that also wrote `Retry-After`; ours, if it does not say."""
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return response.received_at


def whole_number(value: str | None) -> int | None:
    """A header's value as a number; None if it is none, or one that counts nothing in this world."""
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
    """A vendor's amount of money or credits (a number, or a number in a string), exactly; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return None
    return amount if amount.is_finite() else None
