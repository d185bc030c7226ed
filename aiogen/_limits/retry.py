"""Again, or not?  Decisions as values; the caller carries them out.  Pure.

Repeating a read is free.  Repeating a create may be a second bill, so each outcome of a create is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from enum import StrEnum

from aiogen.errors import AiogenError, APIError, InputError, NetworkError, ProtocolError, ProviderError, RateLimited

_PASSING = (RateLimited, ProviderError, ProtocolError, NetworkError)

TAKES = 3
"""How often one job is sent at most while the vendor says that it does not take it just now."""

_LOOKS = 3
"""Fewest answers in a row after which "not found" counts."""


class Verdict(StrEnum):
    """What a create's failure means for its job."""

    THROTTLED = "throttled"
    """Surely not carried out: the account has to slow down.  Not an attempt."""
    UNREACHABLE = "unreachable"
    """Surely not carried out: the provider cannot be reached just now."""
    NOT_TAKEN = "not_taken"
    """The vendor answered, in its own words, that nothing was queued just now."""
    REFUSED = "refused"
    """Surely not carried out, and will never be."""
    UNKNOWN = "unknown"
    """It may have been carried out and charged: never again by itself."""


def judge_create(
    error: AiogenError,
    resend_statuses: Collection[int],
    *,
    not_taken: int = 0,
    posted: bool = True,
    went_on: bool = False,
) -> Verdict:
    """What became of a create that ended in `error`.

    Only the vendor's own word counts for what the vendor did.  An answer without the API's shape was given by
    something on the way, which may have passed the create on before: that is unknown, but for a 4xx, which says that it
    was not passed on.

    `resend_statuses`: the 5xx of which the vendor documents that nothing was carried out.
    `not_taken`: how often it has said so of this job before.
    `posted`: False if the error came before the request that makes the generation, as from an upload for it.
    `went_on`: the error came from what was asked after that request had been answered with yes.
    """
    if went_on:
        return Verdict.UNKNOWN
    if not posted:
        return _judge_before(error, not_taken)
    if isinstance(error, RateLimited):
        return Verdict.THROTTLED
    if isinstance(error, NetworkError):
        return Verdict.UNKNOWN if error.sent else Verdict.UNREACHABLE
    if isinstance(error, ProviderError):
        if error.status in resend_statuses and error.from_api:
            return Verdict.NOT_TAKEN if not_taken + 1 < TAKES else Verdict.REFUSED
        # A 5xx, or an error inside HTTP 200, may have been carried out.
        return Verdict.REFUSED if 400 <= error.status < 500 and error.status != 408 else Verdict.UNKNOWN
    if isinstance(error, APIError | InputError):
        return Verdict.REFUSED
    return Verdict.UNKNOWN


def _judge_before(error: AiogenError, not_taken: int) -> Verdict:
    """Nothing was carried out: is it worth another try?"""
    if isinstance(error, RateLimited):
        return Verdict.THROTTLED
    if isinstance(error, NetworkError) and not error.sent:
        return Verdict.UNREACHABLE
    if isinstance(error, _PASSING) and error.retryable and not_taken + 1 < TAKES:
        return Verdict.NOT_TAKEN
    return Verdict.REFUSED


def delay(attempt: int, *, base: float = 0.5, cap: float = 30.0, draw: Callable[[float, float], float]) -> float:
    """Seconds to wait after failure number `attempt` (from 1): exponential with full jitter.

    `draw(low, high)` is the source of chance, such as `random.uniform`.
    """
    return draw(0.0, min(cap, base * 2.0 ** min(attempt - 1, 30)))


def resend_pause(not_taken: int, *, draw: Callable[[float, float], float]) -> float:
    """Seconds before a job is sent again that the vendor did not take `not_taken` times (from 1).

    There are few tries, so they are spread over what such an outage lasts; jobs turned away together come back apart.
    """
    return draw(0.5, 1.0) * 2.0 * 4.0 ** (not_taken - 1)


def is_missing(answers: int, since: float, sent_at: float, grace: float) -> bool:
    """True if "not found" counts for a generation that is followed.

    A replica that lags behind, or a cache, says so of what is there.  So the vendor has to say it `answers` times
    without another word between, for at least `grace` seconds: from `since`, when the first of these questions was
    sent, to `sent_at`, when the last one was.
    """
    return answers >= _LOOKS and sent_at >= since + grace


def missing_pause(answers: int, floor: float, grace: float) -> float:
    """Seconds before it is looked for again: soon after the first "not found", then more rarely."""
    return max(floor, min(floor * 2.0 ** min(answers - 1, 30), grace / _LOOKS))


def waits(
    *, base: float = 0.5, cap: float = 30.0, draw: Callable[[float, float], float]
) -> Generator[float, Exception | None, None]:
    """A wait generator for `backoff`: full jitter on top of nothing, but never less than `Retry-After` asks.

    backoff's own `runtime()` with its default jitter would undercut `Retry-After`, so use this with `jitter=None`.
    """
    error = yield 0.0
    attempt = 0
    while True:
        attempt += 1
        asked = getattr(error, "retry_after", None) or 0.0
        error = yield asked + delay(attempt, base=base, cap=cap, draw=draw)


def worth_repeating(error: Exception, within: float) -> bool:
    """True if the same read may succeed when repeated, and need not wait longer than `within` seconds for it.

    Only where the vendor or the network failed: `retryable` alone also says what users may do again themselves.
    """
    return isinstance(error, _PASSING) and error.retryable and (error.retry_after or 0.0) <= within
