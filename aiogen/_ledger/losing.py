"""Why a lease was lost, as far as the process itself can tell: for the one line in its log.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

_GOES_ON = "; it continues with a new one, and takes up those of its jobs that no other process owns now."
_HAS_NONE = "; it continues with a new one."


def why_lost(
    *,
    renewed_at: float,
    asked_at: float,
    now: float,
    lease: float,
    refused_at: Sequence[float] = (),
    follows: bool = True,
) -> str:
    """What to say of a lease that is over, and was not given up.

    Args:
        renewed_at: when the question was sent to which it was last granted.
        asked_at: when the question was sent whose answer, read `now`, is that it is over.
        now: all moments are on one steady clock, in seconds.
        lease: seconds that it lasts.
        refused_at: when attempts have failed since it was granted.
        follows: this process has jobs of its own.
    """
    until, goes_on = renewed_at + lease, _GOES_ON if follows else _HAS_NONE
    if len(refused_at) > 1 or any(at <= until for at in refused_at):
        return f"The ledger could not be reached for so long that this process's lease on it has run out{goes_on}"
    if refused_at or asked_at <= until < now:  # an attempt may have failed because nobody was there to read the answer
        return (
            "This process was stopped, or the ledger did not answer, for so long that its lease has run out" + goes_on
        )
    if asked_at > until:
        return f"This process was stopped for so long that its lease on the ledger has run out{goes_on}"
    return (
        "The lease of this process on the ledger is over although it was renewed in time, as when the clock of the "
        f"ledger is set forward{goes_on}"
    )
