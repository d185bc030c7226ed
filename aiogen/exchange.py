"""What travels between the pure provider files and the transport.  Pure, and public, for authors of providers.

An `Exchange` is one operation, written as a generator: it yields a `Request`, is sent the `Response`, and returns
the result or raises an error from `aiogen.errors`.  An operation of several requests is still one exchange, and so is
one of none, whose result is known beforehand.  A test drives it with a list of prepared responses and looks at the
requests that came out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs

from aiogen._content.portions import written
from aiogen.errors import ProtocolError
from aiogen.models import AccountInfo, Action, Cost, FailureCode, Output, State, Typical

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Raw:
    """A body that is sent as it is, such as an image."""

    base64: str = attrs.field(repr=False)
    """Its bytes; they are decoded when they are sent, off the event loop."""
    media_type: str = "application/octet-stream"


@attrs.frozen(kw_only=True)
class Part:
    """One field of a form: a text, or a file."""

    name: str
    text: str | None = attrs.field(default=None, repr=False)
    """The value of a field that is no file."""
    base64: str | None = attrs.field(default=None, repr=False)
    """The bytes of a file; they are decoded when they are sent, off the event loop."""
    filename: str | None = None
    media_type: str | None = None


@attrs.frozen
class Multipart:
    """A form with files (`multipart/form-data`, RFC 7578)."""

    parts: tuple[Part, ...]


Body = Mapping[str, Any] | list[Any] | Raw | Multipart


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request, not yet sent."""

    verb: str
    """What it does, for messages: "create", "retrieve", "list", "delete", "cancel", "upload".

    "create" is the one request that makes a generation and charges for it.  An exchange sends at most one, and that is
    never repeated unless it surely was not carried out.
    """
    method: str
    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Holds the key, so it is never shown."""
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: Body | None = attrs.field(default=None, repr=False)
    """An object or an array is sent as JSON."""


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
class Submission:
    """What a create will say, complete and checked: all that is needed to send it, now or after a restart."""

    model: str
    kind: str
    prompt: str | None = attrs.field(default=None, repr=False)
    endpoint: str
    """The provider's own name of the call."""
    body: Mapping[str, Any] = attrs.field(repr=False)
    """JSON; it is kept in the ledger until the job is over, so images are in it as base64 text."""
    provider_id: str | None = None
    """The id that this create chooses for its generation, where the vendor lets one choose: a UUID.  `create` reads it
    from here, for another attempt gets another id."""
    outputs: int | None = None
    """How many outputs are asked for, where the request says."""
    weight: int = 1
    """Units of the account's window that it takes, as far as the provider file knows."""
    weight_class: str = ""
    """What the weight depends on, in the vendor's words; those of the same class have the same weight."""
    timeout: float
    """Default deadline, seconds after acceptance."""
    typical: Typical
    warnings: tuple[str, ...] = ()
    """What of the request the vendor cannot honour, in sentences; for `Generation.warnings`."""
    estimate: Cost | None = None
    """What it will cost by the vendor's published prices, marked as an estimate; None if the vendor quotes it when it
    accepts, or nobody knows."""
    _fingerprint: str | None = attrs.field(init=False, default=None, eq=False, repr=False)

    def fingerprint(self) -> str:
        """SHA-256 over what would be sent: equal for equal submissions; the request cannot be read from it."""
        if self._fingerprint is None:
            said = hashlib.sha256()
            for part in written([self.endpoint, self.body], sort_keys=True, separators=(",", ":"), default=str):
                said.update(part.encode())
            object.__setattr__(self, "_fingerprint", said.hexdigest())  # frozen for users; of megabytes it takes long
        return str(self._fingerprint)


@attrs.frozen(kw_only=True)
class Ticket:
    """What asking about a generation needs."""

    provider_id: str
    model: str | None = None
    kind: str = "image"
    outputs: int | None = None
    """How many outputs were asked for, to see whether some are missing."""
    reference: Mapping[str, Any] | None = None
    """What the create's `Accepted.reference` said."""


@attrs.frozen(kw_only=True)
class Failure:
    """Why a generation failed, in our words and in the vendor's."""

    code: FailureCode
    reason: str | None = None
    vendor_code: str | None = None
    action: Action | None = None
    """Only where the table in `models.ACTIONS` does not fit."""
    refunded: bool = False
    """The vendor documents that such a failure is refunded, or not charged."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """One reading of a generation, as the vendor reports it."""

    provider_id: str
    state: State
    """queued, processing, completed, failed or cancelled."""
    model: str | None = None
    kind: str | None = None
    prompt: str | None = None
    outputs: tuple[Output, ...] = ()
    partial: bool = False
    failure: Failure | None = None
    cost: Cost | None = None
    created_at: datetime | None = None
    unknown_state: str | None = None
    """A state word that this version does not know; the job counts as running."""
    warnings: tuple[str, ...] = ()
    """What is odd about it and ends nothing; for `Generation.warnings`."""
    missing_outputs: bool = False
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
    reference: Mapping[str, Any] | None = None
    """What else is needed to ask about it, such as the addresses that the vendor named: JSON, kept in the ledger, and
    given back in each `Ticket`."""


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


@attrs.frozen(kw_only=True)
class Cancelled:
    """What became of a cancel."""

    stopped: bool
    """False if it was over before, or the vendor does not know it."""


AccountExchange = Exchange[AccountInfo]

__all__ = [
    "Accepted",
    "AccountExchange",
    "Body",
    "Cancelled",
    "Deleted",
    "Exchange",
    "Failure",
    "Multipart",
    "Page",
    "Part",
    "Quota",
    "Raw",
    "Request",
    "Response",
    "Snapshot",
    "Submission",
    "Ticket",
]
