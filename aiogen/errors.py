"""The errors that callers meet.

    AiogenError
    ├── InputError (ValueError)              refused here, before anything was sent
    │   ├── KeyReused                        the key already stands for another request
    │   ├── RowsError                        rows of a list are not valid; each with its line
    │   ├── UnknownParameter                 a parameter that the vendor, or this model, does not have
    │   ├── ConfigurationError               key, base url, connection name
    │   └── Unsupported                      the provider has no such call
    ├── APIError                             the provider answered: no
    │   ├── AuthenticationError              401, 403 of a suspended client, Leonardo's "authorization hook"
    │   ├── InsufficientFunds                402, "not enough api tokens"
    │   ├── InvalidRequest                   400, 413, 422 and other 4xx
    │   ├── NotFound                         404, `null`, `[]`
    │   ├── RateLimited                      429
    │   └── ProviderError                    5xx
    ├── ProtocolError                        the provider answered something that cannot be read
    ├── NetworkError (ConnectionError)       no answer; `sent` says whether the request may have arrived
    ├── GenerationError                      how one job ended, for its waiters
    │   ├── GenerationFailed                 failed at the provider
    │   │   └── GenerationRefused (+ APIError)   the create was refused; nothing runs, nothing was charged
    │   ├── GenerationTimeout (TimeoutError) its deadline passed; it may still finish
    │   ├── SubmissionUnknown                the create's answer never came; it may be running and charged
    │   └── SessionClosed                    the session was closed before the job ended
    ├── TooManyJobs                          a bound on unfinished jobs is reached; nothing was sent
    ├── BudgetReached                        the session's budget does not allow it; nothing was sent
    ├── CancelTimeout (TimeoutError)         another process did not say in time whether it could cancel a job
    ├── DownloadError                        an output's bytes could not be fetched
    │   └── OutputExpired                    its address has expired, and here there will be no fresh one
    └── StoreError                           the ledger could not be written

Every error carries what is known of `provider`, `connection`, `job_id`, `provider_id`, `request_id`, `code`,
`action`, `retryable` and `retry_after`.  What helps is said once, by `action`; `retryable` follows from it:

    action                              retryable
    retry                               True: submit it, or make the call, again
    wait                                True: the same, later; but False while the first may still run (see below)
    change_input, add_funds, fix_key    False: something else has to change first
    give_up, None                       False

A `GenerationTimeout`, `CancelTimeout` or `SessionClosed` that says "wait" is about a generation that continues: a new
submission would be a second bill, so these are never `retryable`.  `session.attach` follows such a generation again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import attrs

from aiogen._wording import duration, lines
from aiogen.models import ACTIONS, Action, Cost, FailureCode, Generation


class AiogenError(Exception):
    """The root of all errors raised on purpose by aiogen."""

    provider: str | None = None
    """The provider's own name, such as "luma"; None where none is involved."""
    connection: str | None = None
    """The name of the connection, as model strings begin with it; None where none is involved."""
    job_id: str | None = None
    """Our id of the job, a UUID; None if the error is not about a job."""
    provider_id: str | None = None
    """The vendor's id of the generation; None if it is not about one, or the vendor gave no id yet."""
    request_id: str | None = None
    """The vendor's id of the request, from its answer: quote it to the vendor's support.  None if it gave none."""
    code: FailureCode | None = None
    """What went wrong, in one vocabulary for all vendors; None for what is no failure, such as a withdrawn job."""
    action: Action | None = None
    """What helps; None if nothing needs to be done, or the message alone says it."""
    retry_after: float | None = None
    """Seconds from the answer, 0 to 604,800, that the provider asks to wait (`Retry-After`); None if it does not ask,
    or asks for more than a week."""
    generation: Generation | None = None
    """The last snapshot, where the error is the end of a job that failed or was cancelled."""
    _may_go_on: ClassVar[bool] = False
    """The generation may continue: waiting for it is right, submitting it again is a second bill."""

    def __init__(self, message: str, **context: Any) -> None:
        """Make an error.

        Args:
            message: what happened and what helps, in sentences.
            context: values for the attributes, by name.  `retryable=` is short for an action where none is given:
                `wait` if true, `give_up` if false.

        Raises:
            TypeError: there is no such attribute.
        """
        super().__init__(message)
        self.message: str = message
        retryable = context.pop("retryable", None)
        for name, value in context.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no attribute {name!r}")
            setattr(self, name, value)
        if "action" in context:
            return
        if self.action is None and self.code is not None:
            self.action = ACTIONS[self.code]
        if retryable is not None and retryable is not self.retryable:
            self.action = Action.WAIT if retryable else Action.GIVE_UP

    @property
    def retryable(self) -> bool:
        """True where a new submission, or the same call again, may help, and only there.  Follows from `action`."""
        return self.action is Action.RETRY or (self.action is Action.WAIT and not self._may_go_on)

    def add_context(self, **context: Any) -> Self:
        """Add what only the caller of a pure function knows (ids, connection) and return self; what is set stays."""
        for name, value in context.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    def naming(self, provider_id: str) -> Self:
        """Add the generation's id to the message, unless it is there already, and return self."""
        if provider_id not in self.message:
            self.message = f"{self.message.removesuffix('.')} (generation {provider_id})."
            super().__init__(self.message)
        return self.add_context(provider_id=provider_id)

    def describe(self) -> str:
        """Everything that is known, one fact per line, for people to read."""
        known = {
            "what helps": self.action.help_text if self.action is not None else None,
            "code": self.code,
            "action": self.action,
            "retryable": "yes" if self.retryable else "no",
            "retry after": duration(self.retry_after) if self.retry_after is not None else None,
            "HTTP status": getattr(self, "status", None) or None,
            "provider": self.provider,
            "connection": self.connection,
            "provider id": self.provider_id,
            "job id": self.job_id,
            "request id": self.request_id,
            "notes": " ".join(getattr(self, "__notes__", ())),
        }
        return lines(f"{type(self).__name__}: {self.message}", known.items())


class InputError(AiogenError, ValueError):
    """Refused here, before anything was sent; the message says what would be right."""

    code: FailureCode | None = FailureCode.INVALID_REQUEST
    action: Action | None = Action.CHANGE_INPUT


class KeyReused(InputError):
    """The key already stands for another request; nothing was sent.  `job_id` is the job that it stands for."""


@attrs.frozen
class RowProblem:
    """What is wrong with one row of a list."""

    line: int
    """Where the row begins, from 1; of a list that is no file, the number of the row."""
    what: str
    """In words."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


class RowsError(InputError):
    """Rows of a list are not valid, so none of them was sent; the message names them with their lines."""

    problems: tuple[RowProblem, ...] = ()
    """All that were found."""


class UnknownParameter(InputError):
    """A parameter that the vendor, or this model of it, does not have: misspelt, or another vendor's.

    Nothing was sent.  `extra={name: value}` sends it all the same.
    """

    parameter: str = ""
    """Its name, as it was given."""
    proposal: str | None = None
    """The name that was probably meant; None if none is similar."""


class ConfigurationError(InputError):
    """A key, a base url or the name of a connection is missing or not valid."""

    code: FailureCode | None = FailureCode.AUTH
    action: Action | None = Action.FIX_KEY


class Unsupported(InputError):
    """The provider has no such call."""

    action: Action | None = Action.GIVE_UP


class APIError(AiogenError):
    """The provider answered, and the answer was no.

    `str()` reads `Failed to <verb> generation. API error {status}: {details}`.
    """

    status: int = 0
    """The HTTP status, 100 to 599, or the status named inside a body that came with HTTP 200."""
    details: str = ""
    """The vendor's own words, at most some 500 characters of them."""
    from_api: bool = True
    """False if the answer does not have the shape of the API's own: it came from a proxy, a gateway or a login page."""


class AuthenticationError(APIError):
    """The key is wrong, revoked or expired, or the account is suspended."""

    code: FailureCode | None = FailureCode.AUTH
    action: Action | None = Action.FIX_KEY


class InsufficientFunds(APIError):
    """The balance does not allow it.  Nothing was queued and nothing charged."""

    code: FailureCode | None = FailureCode.BUDGET_EXHAUSTED
    action: Action | None = Action.ADD_FUNDS


class InvalidRequest(APIError):
    """The provider refuses the input; the same request will be refused again."""

    code: FailureCode | None = FailureCode.INVALID_REQUEST
    action: Action | None = Action.CHANGE_INPUT


class NotFound(APIError):
    """The provider knows no such generation (any more), or it belongs to another account."""

    code: FailureCode | None = FailureCode.NOT_FOUND
    action: Action | None = Action.GIVE_UP


class Throttle(StrEnum):
    """Which limit a 429 is about."""

    CREATES = "creates"
    """Too many creates in a period of time: the next create waits, reads continue."""
    CONCURRENCY = "concurrency"
    """Too many jobs running: the next create waits for one of ours to end."""
    ACCOUNT = "account"
    """Too many requests of any kind, or the answer does not say of which: everything waits."""


class RateLimited(APIError):
    """429.  Inside a session it never ends a job: the account slows down and the job waits its turn."""

    code: FailureCode | None = FailureCode.RATE_LIMITED
    action: Action | None = Action.WAIT
    throttle: Throttle = Throttle.ACCOUNT
    """Which limit was met, as far as the answer says."""


class ProviderError(APIError):
    """5xx: the provider failed.  For a read this passes; for a create it leaves the outcome open."""

    code: FailureCode | None = FailureCode.PROVIDER_ERROR
    action: Action | None = Action.WAIT


class ProtocolError(AiogenError):
    """The provider's answer cannot be read: HTML, half a JSON, wrong types, something missing."""

    code: FailureCode | None = FailureCode.PROVIDER_ERROR
    action: Action | None = Action.WAIT
    status: int = 0
    """The HTTP status of the answer; 0 if it is not about a single answer."""
    path: str = ""
    """Where in the answer, as a JSON path such as `$.output[0].url`; empty if it is not about a single answer."""


class NetworkError(AiogenError, ConnectionError):
    """No answer came: connection refused or lost, name not found, timeout."""

    code: FailureCode | None = FailureCode.PROVIDER_ERROR
    action: Action | None = Action.WAIT
    sent: bool = True
    """False only if it is certain that no byte of the request reached the provider."""


class GenerationError(AiogenError):
    """How one job ended, for those who wait for it."""


class GenerationFailed(GenerationError):
    """The generation failed; `code` says why, `reason` in the vendor's words, `action` what helps."""

    reason: str | None = None
    """The vendor's words; None if it gave none."""

    @classmethod
    def of(cls, generation: Generation, **context: Any) -> GenerationFailed:
        """The error for a generation that has failed; `context` holds further attributes by name."""
        code = generation.failure_code or FailureCode.UNKNOWN
        action = generation.action or ACTIONS[code]
        vendor = f" ({generation.vendor_code})" if code is FailureCode.UNKNOWN and generation.vendor_code else ""
        said = f": {generation.failure_reason.rstrip('.')}" if generation.failure_reason else ""
        subject = f"Generation {generation.provider_id}" if generation.provider_id else f"Job {generation.id}"
        return cls(
            f"{subject} at {generation.connection} failed with {code}{vendor}{said}. {action.help_text}",
            provider=generation.provider,
            connection=generation.connection,
            job_id=generation.id,
            provider_id=generation.provider_id,
            code=code,
            action=action,
            reason=generation.failure_reason,
            generation=generation,
            **context,
        )


class GenerationRefused(GenerationFailed, APIError):
    """The create was refused for good: nothing runs and nothing was charged."""


class GenerationTimeout(GenerationError, TimeoutError):
    """The job's deadline passed.

    If it was accepted it may still finish: `session.attach(connection, provider_id)` follows it again, and `action` is
    `wait`.  If its turn did not come in time nothing was sent, and `action` is `retry`.
    """

    code: FailureCode | None = FailureCode.UNKNOWN
    action: Action | None = Action.WAIT
    _may_go_on: ClassVar[bool] = True
    timeout: float = 0.0
    """Seconds that were allowed: from the provider's acceptance to the end, or from `submit` until it is sent."""


class CancelTimeout(AiogenError, TimeoutError):
    """Another process follows the job, and did not say in time what came of the request to cancel it.

    The request stays in the ledger until the process that follows the job carries it out, or the job is over; to cancel
    it again does no harm.
    """

    action: Action | None = Action.WAIT
    _may_go_on: ClassVar[bool] = True
    timeout: float = 0.0
    """Seconds that were allowed."""


class SubmissionUnknown(GenerationError):
    """The create was sent, and its answer never came or said nothing: the job may be running and may be charged.

    aiogen never sends it again on its own; `session.reconcile()` shows what it could have become.
    """

    code: FailureCode | None = FailureCode.UNKNOWN
    action: Action | None = Action.GIVE_UP
    submitted_at: datetime | None = None
    """When the create was sent, by this machine's clock (zoned)."""
    fingerprint: str = ""
    """SHA-256 of the request in hexadecimal, equal for equal submissions; empty if the request was not kept."""


class SessionClosed(GenerationError):
    """The session was closed before the job ended; the message says how to continue.

    `action` is `wait` for a job that continues, at the provider or in the ledger; `retry` for one that was not sent,
    and for a single call; `give_up` for a create that was on its way.
    """

    action: Action | None = Action.RETRY
    _may_go_on: ClassVar[bool] = True


class TooManyJobs(AiogenError):
    """As many jobs are unfinished as `at_most=` allows: nothing was sent, and the same call may help later."""

    action: Action | None = Action.WAIT
    scope: str | None = None
    """Whose bound it is, by the user's word; None if it is the bound on all jobs together."""
    limit: int = 0
    """How many unfinished jobs are allowed, 1 or more."""
    unfinished: int = 0
    """How many there are: what waits or runs, and creates of which nobody knows what became of them."""

    @classmethod
    def of(cls, scope: str | None, limit: int, unfinished: int) -> TooManyJobs:
        """The error for a bound that is reached; `scope`: whose, None for the bound on all."""
        whose = "" if scope is None else f" of scope {scope!r}" if scope else " without a scope"
        return cls(
            f"At most {limit} unfinished jobs{whose} are allowed, and the ledger has {unfinished}. Nothing was sent; "
            "submit it again when one of them has ended.",
            scope=scope,
            limit=limit,
            unfinished=unfinished,
        )


class BudgetReached(AiogenError):
    """Nothing more is created: it would cost more than was allowed.  Nothing was sent, and nothing charged.

    By the session's `budget=`, or by the limit of a batch (`max_cost=`; then `action` is `change_input`).  Of a
    session's, `action` is `wait` where it fits later, after `retry_after`; `change_input` for a job that costs more
    than the whole budget, or whose cost nobody knows in a unit of it; `give_up` where the budget has no period, so that
    nothing of what was spent is ever free again.
    """

    code: FailureCode | None = FailureCode.BUDGET_EXHAUSTED
    action: Action | None = Action.WAIT
    retry_after: float | None = None
    """Seconds, 0 to 30 days, until enough of what was spent lies further back than the period; None if it never fits.
    Others may spend it first."""
    budget: Cost | None = None
    """What may be spent, in the unit in which this job counts; None for a job that counts in no unit of the budget."""
    spent: Cost | None = None
    """What the creates that were sent within the period cost, of all processes on the ledger; None if it was not asked
    for, because the job alone is too much."""
    estimate: Cost | None = None
    """What this job would cost, or what `assume_cost=` says of it; None if nobody knows."""
    per: str | None = None
    """The period: "hour", "day" (24 hours) or "month" (30 days), up to now; None for all that the ledger ever sent."""

    @classmethod
    def of(
        cls, *, estimate: Cost, budget: Cost, spent: Cost | None, per: str | None, retry_after: float | None
    ) -> BudgetReached:
        """The error for a job that is too much; `spent` is None if it is so by itself."""
        allowed = f"{budget} per {per}" if per is not None else f"{budget} in all"
        known: dict[str, Any] = {"budget": budget, "spent": spent, "estimate": estimate, "per": per}
        if spent is None:
            return cls(
                f"This job costs {estimate}, and the budget is {allowed}. Nothing was sent.",
                action=Action.CHANGE_INPUT,
                **known,
            )
        later = f" Enough of it is free again in {duration(retry_after)}." if retry_after is not None else ""
        return cls(
            f"The budget is {allowed}, of which {spent} are spent or reserved, and this job costs {estimate}. Nothing "
            f"was sent.{later}",
            action=Action.GIVE_UP if retry_after is None else Action.WAIT,
            retry_after=retry_after,
            **known,
        )

    @classmethod
    def unpriced(cls, estimate: Cost | None, budget: Sequence[Cost]) -> BudgetReached:
        """The error for a job that counts in no unit of the budget."""
        allowed = " and ".join(map(str, budget))
        what = "Nobody knows beforehand what this job costs" if estimate is None else f"This job costs {estimate}"
        return cls(
            f"{what}, and the budget is {allowed}. Nothing was sent. To count it all the same, say as what: "
            "Session(budget=…, assume_cost=…).",
            action=Action.CHANGE_INPUT,
            estimate=estimate,
        )

    @classmethod
    def of_batch(cls, *, estimate: Cost, budget: Cost, spent: Cost) -> BudgetReached:
        """The error for a row that its batch's own limit does not allow."""
        return cls(
            f"This batch may cost {budget}, of which {spent} are spent or on their way, and this job costs {estimate}. "
            "Nothing was sent. Run the batch again with a higher limit to go on.",
            action=Action.CHANGE_INPUT,
            budget=budget,
            spent=spent,
            estimate=estimate,
        )


class DownloadError(AiogenError):
    """The bytes of an output could not be fetched, or are not what was promised.

    The picture exists and is paid for: download it again, do not submit it again.
    """

    action: Action | None = Action.WAIT
    status: int | None = None
    """The HTTP status of the storage; None if the failure is not about a status."""


class OutputExpired(DownloadError):
    """The address of an output has expired, and no fresh one can be had by waiting.

    The provider does not know the generation any more; or this session asks none (`follow=False`, a connection that it
    does not have), and the message says who does.
    """

    action: Action | None = Action.GIVE_UP


class StoreError(AiogenError):
    """The ledger of jobs could not be read or written."""

    action: Action | None = Action.GIVE_UP
