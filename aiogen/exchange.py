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
    """What `Content-Type` says."""


@attrs.frozen(kw_only=True)
class Part:
    """One field of a form: a text, or a file."""

    name: str
    """The field's name."""
    text: str | None = attrs.field(default=None, repr=False)
    """The value of a field that is no file."""
    base64: str | None = attrs.field(default=None, repr=False)
    """The bytes of a file; they are decoded when they are sent, off the event loop."""
    filename: str | None = None
    """The name that the form gives a file."""
    media_type: str | None = None
    """What the form says of a file, such as "image/png"."""


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
    """GET, POST, PUT, PATCH or DELETE."""
    url: str
    """The absolute address; `query` is added to it."""
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Holds the key, so it is never shown."""
    query: Mapping[str, str] = attrs.field(factory=dict)
    """Parameters for the end of the address, not encoded."""
    body: Body | None = attrs.field(default=None, repr=False)
    """An object or an array is sent as JSON."""


@attrs.frozen(kw_only=True)
class Response:
    """An HTTP answer, read to its end."""

    status: int
    """The HTTP status, 100 to 599."""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Their names are in lower case."""
    body: bytes = attrs.field(default=b"", repr=False)
    """All of it, unpacked; without the key, should the vendor quote that."""
    received_at: float = 0.0
    """Wall-clock time of the answer, seconds since the epoch."""
    request_id: str | None = None
    """The `X-Request-Id` we sent, unless the answer names its own."""


Exchange = Generator[Request, Response, T]


@attrs.frozen(kw_only=True)
class Submission:
    """What a create will say, complete and checked: all that is needed to send it, now or after a restart."""

    model: str
    """As users name it, without the connection."""
    kind: str
    """"image", "video", or the vendor's word for something else, such as "image_edit"."""
    prompt: str | None = attrs.field(default=None, repr=False)
    """What the picture should show; None for a request without one."""
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
    """How long such a generation usually takes, before any was seen."""
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
    """The vendor's id of the generation."""
    model: str | None = None
    """The model that was asked for; None for a generation that was attached by its id."""
    kind: str = "image"
    """As `Submission.kind`."""
    outputs: int | None = None
    """How many outputs were asked for, to see whether some are missing."""
    reference: Mapping[str, Any] | None = None
    """What the create's `Accepted.reference` said."""


@attrs.frozen(kw_only=True)
class Failure:
    """Why a generation failed, in our words and in the vendor's."""

    code: FailureCode
    """Why, in the vocabulary that all vendors share."""
    reason: str | None = None
    """The vendor's words; None if it gave none."""
    vendor_code: str | None = None
    """The code as the vendor wrote it; None if it gave none."""
    action: Action | None = None
    """Only where the table in `models.ACTIONS` does not fit."""
    refunded: bool = False
    """The vendor documents that such a failure is refunded, or not charged."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """One reading of a generation, as the vendor reports it."""

    provider_id: str
    """The vendor's id of the generation, as the answer names it."""
    state: State
    """queued, processing, completed, failed or cancelled."""
    model: str | None = None
    """As the vendor names it; None if the answer does not say."""
    kind: str | None = None
    """As `Submission.kind`; None if the answer does not say."""
    prompt: str | None = None
    """As the vendor gives it; None if it does not."""
    outputs: tuple[Output, ...] = ()
    """In the vendor's order."""
    partial: bool = False
    """Completed with fewer outputs than were asked for."""
    failure: Failure | None = None
    """Why it failed; None in every other state."""
    cost: Cost | None = None
    """What the vendor says that it costs; None if the answer does not say."""
    created_at: datetime | None = None
    """When the vendor created it, with a time zone; None if the answer does not say."""
    unknown_state: str | None = None
    """A state word that this version does not know; the job counts as running."""
    warnings: tuple[str, ...] = ()
    """What is unusual about it but does not end it, in sentences; for `Generation.warnings`."""
    missing_outputs: bool = False
    """Completed, but without any output: it is asked about again before that is believed."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The vendor's own JSON for the generation."""


@attrs.frozen(kw_only=True)
class Quota:
    """What an answer's headers say about the window of creates."""

    limit: int | None = None
    """Creates that the window allows; None if the headers do not say."""
    remaining: int | None = None
    """Creates of these that are left; None if the headers do not say."""


@attrs.frozen(kw_only=True)
class Accepted:
    """The vendor took the job."""

    snapshot: Snapshot
    """The generation as the answer shows it, with its id."""
    quota: Quota | None = None
    """What the answer's headers say; None if they say nothing."""
    reference: Mapping[str, Any] | None = None
    """What else is needed to ask about it, such as the addresses that the vendor named: JSON, kept in the ledger, and
    given back in each `Ticket`."""


@attrs.frozen(kw_only=True)
class Page:
    """One page of a list, in the vendor's order."""

    rows: tuple[Snapshot | None, ...]
    """One for each row; None for one that could not be read."""
    names: tuple[str, ...]
    """What identifies each row: the generation's id, or a hash of a row that cannot be read."""
    problem: ProtocolError | None = None
    """Why the first of the unreadable rows could not be read; None if there is none."""

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The rows that could be read."""
        return tuple(row for row in self.rows if row is not None)


@attrs.frozen(kw_only=True)
class Deleted:
    """What became of a delete."""

    found: bool
    """False if the vendor does not know it (any more)."""


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
