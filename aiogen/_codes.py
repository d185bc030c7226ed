"""The words that callers compare with: where a job stands, why it failed, what helps, and what a cancel did.

Callers import them from `aiogen`, modules of the package from `aiogen.models`.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job is in its life.  It only ever moves forward; `aiogen._answers.states` has the table."""

    PENDING = "pending"
    """Waits here for its turn: nothing has been sent."""
    SUBMITTING = "submitting"
    """The create is on its way to the provider."""
    UNKNOWN = "unknown"
    """The create was sent and its answer never came: it may be running, and may be charged."""
    QUEUED = "queued"
    """Accepted by the provider, and not known to have begun; from here on it may be charged."""
    PROCESSING = "processing"
    """Running at the provider."""
    COMPLETED = "completed"
    """Finished, with its outputs."""
    FAILED = "failed"
    """Failed at the provider, or refused by it; `Generation.failure_code` says why."""
    CANCELLED = "cancelled"
    """Withdrawn before it was sent, or stopped at the provider."""

    @property
    def is_terminal(self) -> bool:
        """True when nothing more will happen: completed, failed or cancelled."""
        return self in _TERMINAL


_TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})


class Cancellation(StrEnum):
    """What `Job.cancel` could do."""

    WITHDRAWN = "withdrawn"
    """It had not been sent: nothing runs, and nothing was charged."""
    STOPPED = "stopped"
    """The provider has stopped it.  Whether what was done by then is charged, the provider decides."""
    ENDED = "ended"
    """It had ended before, or the provider says so."""


class FailureCode(StrEnum):
    """Why a generation failed, in one vocabulary for all vendors.

    The first nine are Luma's own codes (error handling guide); the rest are ours.
    """

    CONTENT_MODERATED = "content_moderated"
    """The prompt, an input or an output was flagged."""
    GENERATION_FAILED = "generation_failed"
    """The model failed."""
    OUTPUT_NOT_FOUND = "output_not_found"
    """It finished, but there is no output to fetch."""
    BUDGET_EXHAUSTED = "budget_exhausted"
    """No funds, at the start or on the way; or the session's own budget does not allow it."""
    IMAGE_TOO_LARGE = "image_too_large"
    """An input image is over the vendor's limit."""
    UNSUPPORTED_FORMAT = "unsupported_format"
    """An input image has a format that the vendor does not read."""
    CORRUPT_INPUT = "corrupt_input"
    """An input image cannot be decoded."""
    INVALID_REQUEST = "invalid_request"
    """A parameter is missing or not valid."""
    RATE_LIMITED = "rate_limited"
    """Too many requests; of a job, the vendor's own model was throttled."""

    AUTH = "auth"
    """The key is wrong, revoked or expired, or the account is suspended."""
    NOT_FOUND = "not_found"
    """The vendor does not know the generation, or no longer knows it."""
    PROVIDER_ERROR = "provider_error"
    """The vendor failed (5xx), its answer cannot be read, or something in between refused the request."""
    UNKNOWN = "unknown"
    """The vendor gave no code, or one that this version does not know; see `Generation.vendor_code`."""


class Action(StrEnum):
    """What helps after a failure.  `help_text` says it in a sentence."""

    RETRY = "retry"
    """Submit it again, which is a new charge; of a call, make it again."""
    CHANGE_INPUT = "change_input"
    """Change the prompt, the parameters or the references."""
    ADD_FUNDS = "add_funds"
    """Add funds at the provider."""
    FIX_KEY = "fix_key"
    """Check the key and the account."""
    WAIT = "wait"
    """Wait: it may still finish, or works later."""
    GIVE_UP = "give_up"
    """Nothing is known to help."""

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
