"""Again, or not?  Decisions as values; who carries them out is elsewhere.  Pure.

Repeating a read is free.  Repeating a create may be a second bill, so each outcome of a create is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from enum import StrEnum

from aiogen.errors import AiogenError, APIError, InputError, NetworkError, ProtocolError, ProviderError, RateLimited

_PASSING = (RateLimited, ProviderError, ProtocolError, NetworkError)


class Verdict(StrEnum):
    """What a create's failure means for its job."""

    THROTTLED = "throttled"
    """Surely not carried out: the account has to slow down.  Not an attempt."""
    UNREACHABLE = "unreachable"
    """Surely not carried out: the provider cannot be reached just now."""
    REFUSED = "refused"
    """Surely not carried out, and will never be."""
    UNKNOWN = "unknown"
    """It may have been carried out and charged: never again by itself."""


def judge_create(error: AiogenError, resend_statuses: Collection[int]) -> Verdict:
    """What became of a create that ended in `error`.

    `resend_statuses` are the 5xx of which the vendor documents that nothing was carried out.
    """
    if isinstance(error, RateLimited):
        return Verdict.THROTTLED
    if isinstance(error, NetworkError):
        return Verdict.UNKNOWN if error.sent else Verdict.UNREACHABLE
    if isinstance(error, ProviderError):
        if error.status in resend_statuses:
            return Verdict.UNREACHABLE
        # A page of the network's edge (403) never reached the API; a 5xx, or an error inside HTTP 200, may have.
        return Verdict.REFUSED if 400 <= error.status < 500 and error.status != 408 else Verdict.UNKNOWN
    if isinstance(error, APIError | InputError):
        return Verdict.REFUSED
    return Verdict.UNKNOWN


def delay(attempt: int, *, base: float = 0.5, cap: float = 30.0, draw: Callable[[float, float], float]) -> float:
    """Seconds to wait after failure number `attempt` (from 1): exponential with full jitter.

    `draw(low, high)` is the source of chance, such as `random.uniform`.
    """
    return draw(0.0, min(cap, base * 2.0 ** min(attempt - 1, 30)))


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


def worth_repeating(error: Exception, patience: float) -> bool:
    """True if the same read may succeed when repeated, and need not wait longer than `patience` seconds for it.

    Only where the vendor or the network failed: `retryable` alone also tells users what they may do again themselves.
    """
    return isinstance(error, _PASSING) and error.retryable and (error.retry_after or 0.0) <= patience
