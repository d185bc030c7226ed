"""Questions that a break has kept back, or of which nobody knows when they were asked last: not all at once.  Pure.

For some seconds nothing may be asked, as the ledger cannot be reached; or a process takes up thousands of jobs of one
that was killed.  All that fell due meanwhile is due now, and would come in one second, tens of times what the vendor is
asked otherwise.  Nothing is gained by that for jobs that last minutes, and other callers of the account are refused.
"""

from __future__ import annotations

import attrs

MANY = 20
"""With fewer jobs nobody minds: what they have become is asked at once."""
_FASTER = 0.2
"""The part of the usual rate that what was kept back comes faster by, until it is done."""


@attrs.frozen
class Break:
    """Nothing was asked between two moments."""

    since: float
    until: float

    def has_kept(self, ready_at: float) -> bool:
        """A question that was ready then, and is taken up later."""
        return ready_at < self.until

    def moment(self, ready_at: float, pace: float) -> float:
        """When to ask what fell due at `ready_at`, of a job that is asked about every `pace` seconds.

        In the order in which they fell due within one pace.  What falls due after the break has the usual rate until
        those would come once more that were not asked in it; from then on there is room for what was kept back.
        """
        length = min(self.until - self.since, pace)
        behind = max(0.0, ready_at - self.since) % length
        return self.until + min(behind / _FASTER, (behind + pace - length) / (1.0 + _FASTER))
