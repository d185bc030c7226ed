"""What callers hold: states, failure codes, and frozen snapshots of generations.

Nothing here knows a vendor, a clock or a socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from aiogen._wording import count, duration, lines, plain, quoted, short_id, short_url


class State(StrEnum):
    """Where a job stands.  It only ever moves forward; `aiogen._answers.states` has the table."""

    PENDING = "pending"
    """Ours: nothing has been sent."""
    SUBMITTING = "submitting"
    """The create is on its way."""
    UNKNOWN = "unknown"
    """The create was sent and its answer never came: it may be running, and may be charged."""
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """True when nothing more will happen: completed, failed or cancelled."""
        return self in _TERMINAL


_TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})


class FailureCode(StrEnum):
    """Why a generation failed, in one vocabulary for all vendors.

    The first nine are Luma's own words (error handling guide); the rest are ours.
    """

    CONTENT_MODERATED = "content_moderated"
    GENERATION_FAILED = "generation_failed"
    OUTPUT_NOT_FOUND = "output_not_found"
    BUDGET_EXHAUSTED = "budget_exhausted"
    IMAGE_TOO_LARGE = "image_too_large"
    UNSUPPORTED_FORMAT = "unsupported_format"
    CORRUPT_INPUT = "corrupt_input"
    INVALID_REQUEST = "invalid_request"
    RATE_LIMITED = "rate_limited"

    AUTH = "auth"
    NOT_FOUND = "not_found"
    PROVIDER_ERROR = "provider_error"
    UNKNOWN = "unknown"
    """The vendor gave no code, or one that this version does not know; see `Generation.vendor_code`."""


class Action(StrEnum):
    """What helps after a failure.  `help_text` says it in a sentence."""

    RETRY = "retry"
    CHANGE_INPUT = "change_input"
    ADD_FUNDS = "add_funds"
    FIX_KEY = "fix_key"
    WAIT = "wait"
    GIVE_UP = "give_up"

    @property
    def help_text(self) -> str:
        """One sentence for people."""
        return _HELP[self]


_HELP = {
    Action.RETRY: "Submitting it again may work; a new submission is a new charge.",
    Action.CHANGE_INPUT: "Change the prompt, the parameters or the references; the same input fails again.",
    Action.ADD_FUNDS: "Add funds at the provider, then submit again.",
    Action.FIX_KEY: "Check the API key and the state of the account at the provider.",
    Action.WAIT: "Wait, then try again.",
    Action.GIVE_UP: "Nothing is known to help; the provider's support may know more.",
}

ACTIONS = {
    FailureCode.CONTENT_MODERATED: Action.CHANGE_INPUT,
    FailureCode.GENERATION_FAILED: Action.RETRY,
    FailureCode.OUTPUT_NOT_FOUND: Action.RETRY,
    FailureCode.BUDGET_EXHAUSTED: Action.ADD_FUNDS,
    FailureCode.IMAGE_TOO_LARGE: Action.CHANGE_INPUT,
    FailureCode.UNSUPPORTED_FORMAT: Action.CHANGE_INPUT,
    FailureCode.CORRUPT_INPUT: Action.CHANGE_INPUT,
    FailureCode.INVALID_REQUEST: Action.CHANGE_INPUT,
    FailureCode.RATE_LIMITED: Action.WAIT,
    FailureCode.AUTH: Action.FIX_KEY,
    FailureCode.NOT_FOUND: Action.GIVE_UP,
    FailureCode.PROVIDER_ERROR: Action.WAIT,
    FailureCode.UNKNOWN: Action.GIVE_UP,
}
"""What helps for each code, unless the provider file knows better."""


_SHORT_PROMPT = 40
_MOST_BALANCES = 8


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(sep=" ", timespec="seconds") if at is not None else None


def _yes_or_no(flag: bool | None) -> str | None:
    return None if flag is None else "yes" if flag else "no"


@attrs.frozen(kw_only=True)
class Output:
    """One result of a generation.

    A presigned `url` dies at `expires_at`; `Session.download` asks for a fresh one by itself.
    """

    kind: str
    """"image", "video", or the vendor's word for something newer."""
    url: str
    expires_at: datetime | None = None
    """When the url stops working; None if it does not, or if nobody says."""
    provider_id: str | None = None
    """The vendor's id of this one output, where it has one."""
    nsfw: bool | None = None
    """The vendor's flag; None if it gives none."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def __repr__(self) -> str:
        # A presigned url is a key of sorts: what signs it stays out of logs and tracebacks.
        return f"<Output {plain(self.kind, 20)} {short_url(self.url)}{' nsfw' if self.nsfw else ''}>"

    def describe(self) -> str:
        """All that is known, one fact a line, for people; without what signs the url, and without `raw`."""
        known = {
            "url": short_url(self.url),
            "expires": _moment(self.expires_at),
            "provider id": self.provider_id,
            "nsfw": _yes_or_no(self.nsfw),
        }
        return lines(f"Output: {plain(self.kind, 20)}", known.items())


@attrs.frozen
class Cost:
    """What the vendor said a generation costs when it accepted it."""

    amount: Decimal
    unit: str
    """"DOLLARS" or "CREDITS"; never add the two."""

    def __str__(self) -> str:
        return f"{self.amount:,f} {plain(self.unit, 20).lower()}"

    def __repr__(self) -> str:
        return f"<Cost {self}>"


@attrs.frozen(kw_only=True)
class Generation:
    """A snapshot of one generation.  It never changes; ask again for a newer one."""

    id: str | None
    """Ours: a UUID made before anything was sent.  None for a generation only looked up."""
    provider_id: str | None
    """The vendor's; None until the vendor accepted the job."""
    provider: str
    connection: str
    model: str | None
    kind: str = "image"
    state: State
    prompt: str | None = attrs.field(default=None, repr=False)
    outputs: tuple[Output, ...] = ()
    partial: bool = False
    """True when fewer outputs came than were asked for."""
    failure_code: FailureCode | None = None
    failure_reason: str | None = None
    action: Action | None = None
    """What helps, when it failed."""
    vendor_code: str | None = None
    """The failure code as the vendor wrote it."""
    cost: Cost | None = None
    """As quoted at acceptance.  Whether a failure is refunded is not known here."""
    warnings: tuple[str, ...] = ()
    """What is odd about it and did not end it, in sentences."""
    created_at: datetime | None = None
    """The vendor's time of creation."""
    accepted_at: datetime | None = None
    finished_at: datetime | None = None
    """When this program saw the end."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The vendor's whole last answer."""

    @property
    def url(self) -> str | None:
        """The first output's url, or None."""
        return self.outputs[0].url if self.outputs else None

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
        """All that is known, one fact a line, for people; without what signs the urls, and without `raw`."""
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
            "finished": _moment(self.finished_at),
            "took": self._took(),
            "failure": self.failure_code,
            "vendor's code": self.vendor_code,
            "reason": self.failure_reason,
            "what helps": self.action.help_text if self.action is not None else None,
            "outputs": self._made(),
        }
        rows = [*known.items(), *((f"output {i}", short_url(output.url)) for i, output in enumerate(self.outputs))]
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
    seconds: float | None
    """From the sending of the create to its creation by the vendor's clock; None if the vendor does not say."""


@attrs.frozen(kw_only=True)
class UnknownJob:
    """A job of which nobody can tell whether the provider accepted it: possibly charged, never sent again by itself."""

    job_id: str
    connection: str
    model: str | None
    prompt: str | None = attrs.field(default=None, repr=False)
    batch: str | None = None
    fingerprint: str | None = None
    """Of what was sent; equal for equal submissions."""
    submitted_at: datetime
    """When its create was sent."""
    candidates: tuple[Candidate, ...] = ()
    """What it could be, the nearest in time first; none of them is known to be it."""
    searched: bool = False
    """True if the provider's list was looked through."""
    explanation: str
    """What is known about it, and how."""
    advice: str
    """What can be done."""


@attrs.frozen(kw_only=True)
class AccountInfo:
    """What is known about a connection's account."""

    provider: str
    connection: str
    user_id: str | None = None
    username: str | None = None
    balances: Mapping[str, Any] = attrs.field(factory=dict)
    """The vendor's own names and numbers; empty where it publishes none."""
    concurrency_slots: int | None = None
    """How many jobs the vendor says it runs at once for this account."""
    window: Mapping[str, Any] = attrs.field(factory=dict)
    """What this session allows itself now: creates, active jobs and requests, used and allowed."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def __repr__(self) -> str:
        user = f" {quoted(str(self.username), 40)}" if self.username else ""
        balances = "".join(f", {name} {value}" for name, value in self._balances())
        return f"<Account {plain(self.connection, 64)}{user}{balances}>"

    def describe(self) -> str:
        """All that is known, one fact a line, for people; without `raw`."""
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
    """How long a job may still take, in seconds from now, as far as its model is known."""

    seconds: float
    """Half of such jobs have ended by then."""
    low: float
    """One in ten."""
    high: float
    """Nine in ten."""

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s ({self.low:.0f}-{self.high:.0f})"


@attrs.frozen
class Event:
    """One change of a job's state, as `Job.events()` gives it."""

    job_id: str
    state: State
    previous: State | None
    """None for the first event, which tells where the job stands."""
    at: datetime
    eta: Eta | None = None
    """How long it may still take; None when it is over, or nobody can say."""


@attrs.frozen(kw_only=True)
class Typical:
    """What is believed of a model's durations before any was seen: a lognormal by its median and spread."""

    median: float
    """Seconds from acceptance to the end."""
    spread: float = 0.5
    """Standard deviation of the logarithm; 0.35 is narrow, 0.8 says little."""
