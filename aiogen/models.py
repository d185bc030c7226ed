"""What callers receive: frozen snapshots of generations and of what belongs to them, in the words of `_codes`.

Nothing here knows a vendor, a clock or a socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self, TypeVar

import attrs

from aiogen._codes import ACTIONS, Action, Cancellation, FailureCode, State
from aiogen._schema import Reading, fields_as_json
from aiogen._wording import count, duration, lines, plain, quoted, short_id, short_url

__all__ = [
    "ACTIONS",
    "AccountInfo",
    "Action",
    "Cancellation",
    "Candidate",
    "Cost",
    "Eta",
    "Event",
    "FailureCode",
    "Generation",
    "Output",
    "State",
    "Typical",
    "UnknownJob",
]

_SHORT_PROMPT = 40
_Word = TypeVar("_Word", State, FailureCode, Action)
_MOST_BALANCES = 8


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(sep=" ", timespec="seconds") if at is not None else None


def _one_of(words: type[_Word], word: str) -> _Word | None:
    return words(word) if word in set(words) else None


def _yes_or_no(flag: bool | None) -> str | None:
    return None if flag is None else "yes" if flag else "no"


@attrs.frozen(kw_only=True)
class Output:
    """One result of a generation.

    A presigned `url` stops working at `expires_at`; `Session.download` then asks the provider for a fresh one.
    """

    kind: str
    """"image", "video", or the vendor's word for something newer."""
    url: str = ""
    """Where the bytes are, as the vendor gave it: https, and often signed, so anyone who has it can read them.  Empty
    if the vendor sent the bytes themselves."""
    data: bytes | None = attrs.field(default=None, repr=False)
    """The bytes themselves, from a vendor that sends them instead of an address."""
    expires_at: datetime | None = None
    """When the url stops working: as the url itself says, else as the vendor documents.  None if it does not stop, or
    neither says."""
    provider_id: str | None = None
    """The vendor's id of this one output, where it has one."""
    nsfw: bool | None = None
    """The vendor's flag; None if it gives none."""
    media_type: str | None = None
    """Such as "image/png": as the file itself shows once its bytes are here, before that as the vendor says.  None if
    neither is known; what the url ends with proves nothing."""
    width: int | None = None
    """Pixels, as `media_type` is known: what the file says, before any rotation that its metadata asks for.  Read from
    PNG, JPEG, WebP and GIF; None if it is not known."""
    height: int | None = None
    """Pixels, like `width`."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The vendor's own JSON for this output."""

    def __repr__(self) -> str:
        # A presigned url is a key of sorts: what signs it stays out of logs and tracebacks.
        return f"<Output {plain(self.kind, 20)} {self._where()}{' nsfw' if self.nsfw else ''}>"

    def _where(self) -> str:
        return short_url(self.url) if self.data is None else f"{len(self.data):,} bytes"

    def describe(self) -> str:
        """Everything that is known, one fact per line, for people; without the url's signature, and without `raw`."""
        known = {
            "url" if self.data is None else "bytes": self._where(),
            "expires": _moment(self.expires_at),
            "provider id": self.provider_id,
            "nsfw": _yes_or_no(self.nsfw),
            "media type": self.media_type,
            "size": f"{self.width} × {self.height} pixels" if self.width and self.height else None,
        }
        return lines(f"Output: {plain(self.kind, 20)}", known.items())

    def _to_dict(self, *, raw: bool, data: bool) -> dict[str, Any]:
        left_out = [name for name, is_wanted in (("raw", raw), ("data", data)) if not is_wanted]
        return fields_as_json(self, *left_out)

    @classmethod
    def _read(cls, found: Reading) -> Self:
        return cls(
            kind=found.text("kind") or "image",
            url=found.text("url") or "",
            data=found.data("data"),
            expires_at=found.moment("expires_at"),
            provider_id=found.text("provider_id"),
            nsfw=found.flag("nsfw"),
            media_type=found.text("media_type"),
            width=found.whole("width"),
            height=found.whole("height"),
            raw=found.mapping("raw"),
        )


@attrs.frozen
class Cost:
    """What a generation costs, as the vendor said when it accepted it, or as its published prices say."""

    amount: Decimal
    """In `unit`, exactly as the vendor wrote it; 0 or more."""
    unit: str
    """"DOLLARS" or "CREDITS"; never add the two."""
    is_estimate: bool = False
    """True if it was worked out from published prices: the vendor said nothing about this generation itself."""

    def __str__(self) -> str:
        about = "about " if self.is_estimate else ""
        return f"{about}{self.amount:,f} {plain(self.unit, 20).lower()}"

    def __repr__(self) -> str:
        return f"<Cost {self}>"

    @classmethod
    def _read(cls, found: Reading) -> Self:
        return cls(found.amount("amount"), found.needed("unit"), found.flag("is_estimate") is True)


@attrs.frozen(kw_only=True)
class Generation:
    """A snapshot of one generation.  It never changes; ask again for a newer one."""

    id: str | None
    """Our id of the job: a UUID made before anything was sent.  None for a generation that was only looked up."""
    provider_id: str | None
    """The vendor's id; None until the vendor has accepted the job."""
    provider: str
    """The provider's own name, such as "luma"."""
    connection: str
    """The name of the connection; the provider's unless another was given."""
    model: str | None
    """The model as it was asked for, without the connection; of one only looked up, as the vendor names it, or None."""
    kind: str = "image"
    """"image", "video", or the vendor's word for something else, such as "image_edit"."""
    state: State
    """Where it is in its life."""
    prompt: str | None = attrs.field(default=None, repr=False)
    """As it was sent, or as the vendor gives it; None if neither is known."""
    outputs: tuple[Output, ...] = ()
    """In the vendor's order; empty until it has completed."""
    partial: bool = False
    """True when fewer outputs came than were asked for."""
    failure_code: FailureCode | None = None
    """Why it failed; None if it did not."""
    failure_reason: str | None = None
    """The vendor's words on why it failed; None if it did not, or the vendor said nothing."""
    action: Action | None = None
    """What helps, when it failed; else None."""
    vendor_code: str | None = None
    """The failure code as the vendor wrote it; None if it gave none."""
    cost: Cost | None = None
    """As quoted at acceptance, else by published prices (`Cost.is_estimate`); None if neither is known.  What a
    failure would have cost without its refund; see `refunded`."""
    warnings: tuple[str, ...] = ()
    """What is unusual about it but did not end it, in sentences."""
    created_at: datetime | None = None
    """When it was created, by the vendor's clock; None if the vendor does not say."""
    accepted_at: datetime | None = None
    """When the vendor accepted it, by this machine's clock (zoned); None before, and if it was only looked up."""
    finished_at: datetime | None = None
    """When this program saw the end, by this machine's clock (zoned); None before."""
    began_at: datetime | None = None
    """When this program saw that it was being processed, by this machine's clock (zoned); None if it never saw that,
    as where the vendor reports no such state, or it ended between two questions."""
    asked_after: tuple[float, ...] = ()
    """Seconds from acceptance to each question about it, pages of the vendor's list included; known once it is over.
    Of more than 100 an even part is kept; those of a program that ended before it did are not known."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The vendor's whole last answer, as JSON gave it."""
    refunded: bool = False
    """True for a failure of which the vendor documents that it is refunded, or not charged; what no vendor documents is
    False, and counts as paid."""

    @property
    def url(self) -> str | None:
        """The first output's url; None without one."""
        return (self.outputs[0].url or None) if self.outputs else None

    def to_dict(self, *, raw: bool = False, data: bool = True) -> dict[str, Any]:
        """Everything that is known, as a JSON object with the keys of the command line's `--json` (docs/cli.md).

        Times are ISO 8601 in UTC; the amount of a cost is text; what is not known is None.  Urls are complete, with
        their signatures, so anybody who reads them can fetch the files.

        Args:
            raw: include the vendor's own JSON, of the generation and of each output, under `raw`.
            data: include the bytes of outputs that came as bytes, in base64 under `data`.
        """
        found = fields_as_json(self, "outputs", "warnings", "raw")
        found["outputs"] = [output._to_dict(raw=raw, data=data) for output in self.outputs]
        found["warnings"] = list(self.warnings)
        return found | ({"raw": dict(self.raw)} if raw else {})

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """The generation that `to_dict`, or a line of the command line's JSON, describes; of this version or another.

        Missing keys count as not known, except `provider`, `connection` and `state`; unknown keys are ignored.  A
        failure code that this version does not know becomes `unknown`.

        Args:
            found: the parsed JSON object.

        Raises:
            ValueError: it is not such an object; the message names the key.
        """
        read = Reading(found)
        code = read.text("failure_code")
        failure_code = None if code is None else _one_of(FailureCode, code) or FailureCode.UNKNOWN
        action = None if read.text("action") is None else _one_of(Action, read.needed("action"))
        state = _one_of(State, read.needed("state"))
        if state is None:
            raise ValueError("$.state is not a state that this version knows.")
        cost = read.inner("cost")
        return cls(
            id=read.text("id"),
            provider_id=read.text("provider_id"),
            provider=read.needed("provider"),
            connection=read.needed("connection"),
            model=read.text("model"),
            kind=read.text("kind") or "image",
            state=state,
            prompt=read.text("prompt"),
            outputs=tuple(Output._read(output) for output in read.each("outputs")),
            partial=read.flag("partial") or False,
            failure_code=failure_code,
            failure_reason=read.text("failure_reason"),
            action=action,
            vendor_code=read.text("vendor_code"),
            cost=Cost._read(cost) if cost is not None else None,
            warnings=read.texts("warnings"),
            created_at=read.moment("created_at"),
            accepted_at=read.moment("accepted_at"),
            finished_at=read.moment("finished_at"),
            began_at=read.moment("began_at"),
            asked_after=read.numbers("asked_after"),
            raw=read.mapping("raw"),
            refunded=read.flag("refunded") or False,
        )

    def __repr__(self) -> str:
        parts = [
            self.state,
            self._made_by(),
            short_id(self.provider_id) if self.provider_id else None,
            self.failure_code if self.state is State.FAILED else self._made(),
            quoted(self.prompt, _SHORT_PROMPT) if self.prompt else None,
        ]
        return f"<Generation {' '.join(filter(None, parts))}>"

    def describe(self) -> str:
        """Everything that is known, one fact per line, for people; without the urls' signatures, and without `raw`."""
        known = {
            "state": self.state,
            "provider id": self.provider_id,
            "job id": self.id,
            "model": self.model,
            "prompt": self.prompt,
            "kind": self.kind,
            "cost": self.cost,
            "created": _moment(self.created_at),
            "accepted": _moment(self.accepted_at),
            "began": _moment(self.began_at),
            "finished": _moment(self.finished_at),
            "took": self._took(),
            "failure": self.failure_code,
            "vendor's code": self.vendor_code,
            "reason": self.failure_reason,
            "what helps": self.action.help_text if self.action is not None else None,
            "outputs": self._made(),
        }
        rows = [*known.items(), *((f"output {i}", output._where()) for i, output in enumerate(self.outputs))]
        return lines(f"Generation: {self._made_by()}", rows)

    def _made_by(self) -> str:
        return plain(self.connection, 64) + (f"/{plain(self.model, 64)}" if self.model else "")

    def _made(self) -> str | None:
        if not self.outputs:
            return None
        kinds = {output.kind for output in self.outputs}
        kind = plain(kinds.pop(), 20) if len(kinds) == 1 else "output"
        some = ", not all" if self.partial else ""
        return f"{count(len(self.outputs))} {kind}{'s' if len(self.outputs) > 1 else ''}{some}"

    def _took(self) -> str | None:
        if self.accepted_at is None or self.finished_at is None:
            return None
        return duration(max(0.0, (self.finished_at - self.accepted_at).total_seconds()))


@attrs.frozen(kw_only=True)
class Candidate:
    """A generation at the provider that could be the one whose create was never answered."""

    generation: Generation
    """As the provider's list has it."""
    seconds: float | None
    """Seconds from the sending of the create to its creation by the vendor's clock, negative if it was created before;
    None if the vendor does not say."""


@attrs.frozen(kw_only=True)
class UnknownJob:
    """A job that the provider may or may not have accepted: possibly charged, and never sent again automatically."""

    job_id: str
    """Our id of the job."""
    connection: str
    """The name of the connection that it was sent over."""
    model: str | None
    """The model that was asked for; None if its request was not kept."""
    prompt: str | None = attrs.field(default=None, repr=False)
    """The prompt that was sent; None if its request was not kept."""
    batch: str | None = None
    """The name that `submit(batch=…)` gave it, if any."""
    fingerprint: str | None = None
    """SHA-256 of what was sent, in hexadecimal; equal for equal submissions."""
    submitted_at: datetime
    """When its create was sent, by this machine's clock (zoned)."""
    candidates: tuple[Candidate, ...] = ()
    """What it could have become, the nearest in time first; none of them is known to be it."""
    searched: bool = False
    """True if the provider's list was looked through."""
    explanation: str
    """What is known about it, and how, in sentences."""
    advice: str
    """What can be done, in sentences."""


@attrs.frozen(kw_only=True)
class AccountInfo:
    """What is known about a connection's account."""

    provider: str
    """The provider's own name, such as "luma"."""
    connection: str
    """The name of the connection."""
    user_id: str | None = None
    """The vendor's id of the user whom the key belongs to; None if it does not say."""
    username: str | None = None
    """The vendor's name of that user; None if it does not say."""
    balances: Mapping[str, Any] = attrs.field(factory=dict)
    """What is left, under the vendor's own names and in its own units; empty where it publishes nothing."""
    concurrency_slots: int | None = None
    """How many jobs the vendor says it runs at once for this account, 1 or more; None if it does not say."""
    window: Mapping[str, Any] = attrs.field(factory=dict)
    """What this session allows itself now: creates, active jobs and requests, used and allowed."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The vendor's whole answer."""

    def __repr__(self) -> str:
        user = f" {quoted(str(self.username), 40)}" if self.username else ""
        balances = "".join(f", {name} {value}" for name, value in self._balances())
        return f"<AccountInfo {plain(self.connection, 64)}{user}{balances}>"

    def describe(self) -> str:
        """Everything that is known, one fact per line, for people; without `raw`."""
        window = [
            (name.replace("_", " "), count(value) if isinstance(value, int | float) else value)
            for name, value in self.window.items()
        ]
        known = {
            "provider": self.provider,
            "user": self.username,
            "user id": self.user_id,
            "jobs at once": self.concurrency_slots,
        }
        return lines(f"Account: {plain(self.connection, 64)}", [*known.items(), *self._balances(), *window])

    def _balances(self) -> list[tuple[str, str]]:
        return [
            (plain(name, 40), count(value) if type(value) in (int, float) else plain(value, 40))
            for name, value in list(self.balances.items())[:_MOST_BALANCES]
        ]


@attrs.frozen
class Eta:
    """How long a job may still take, in seconds from now, by what is known of its model."""

    seconds: float
    """Seconds after which half of such jobs have ended; 0 or more."""
    low: float
    """Seconds after which one in ten has ended; at most `seconds`."""
    high: float
    """Seconds after which nine in ten have ended; at least `seconds`."""

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s ({self.low:.0f}-{self.high:.0f})"


@attrs.frozen
class Event:
    """One change of a job's state, as `Job.events()` gives it."""

    job_id: str
    """Our id of the job."""
    state: State
    """The state from now on."""
    previous: State | None
    """The state before; None for the first event, which says where the job is."""
    at: datetime
    """When it changed, by this machine's clock (zoned)."""
    eta: Eta | None = None
    """How long it may still take; None when it is over, or cannot be estimated."""


@attrs.frozen(kw_only=True)
class Typical:
    """How long a model usually takes, before any generation was seen: a lognormal distribution."""

    median: float
    """Seconds from acceptance to the end, more than 0; half of the generations take less."""
    spread: float = 0.5
    """Standard deviation of the logarithm, more than 0: 0.35 is narrow, 0.8 says little."""
