"""Whose create goes first where several processes use one account, and how long one of ours waits.  Pure.

The one of the higher priority goes first, as within one process; but after seven such creates one of the lowest that
waits, to which the others give way then.  A place that is kept free for somebody who does not take it is taken after
some seconds.  The stores count and read, each in its own SQL; what follows from that is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

LOOK_AGAIN = 0.5
"""Seconds after which what others have is counted again."""
LONGEST_RUN = 3600.0
"""Seconds after which a job of which nothing more was heard holds no place: Luma forgets an active one then."""
LONGEST_CREATE = 300.0
"""Seconds between sending a create and its answer, at most."""
SHARE = 8
"""One in this number of creates is of the lowest priority that waits; the same share as within one process."""
_UNUSED = 3.0
"""Seconds for which a place is kept free while nobody takes it: a worker that waits for one looks every half second."""


def wait_for_window(lately: Sequence[tuple[float, int]], creates: float, period: float, now: float) -> float:
    """Seconds until what others have created lately leaves room for one of ours; 0.0 if there is room now.

    Args:
        lately: their creates of the last `period` seconds, when and with which weight; the oldest first.
        creates: units that they may have created within a period.
        period: seconds.
        now: the moment, by the same clock.
    """
    over = sum(weight for _, weight in lately) - max(0.0, creates)
    wait = 0.0
    for at, weight in lately:
        if over <= 0.0:
            break
        over -= weight
        wait = at + period - now
    return wait


@attrs.frozen
class Create:
    """One that was sent, by whichever worker."""

    at: float
    priority: int
    by: str | None


@attrs.frozen
class Claim:
    """What others have waiting, that may go before a create of ours."""

    weight: int
    newest: float
    """When the last of it was added to the ledger."""


@attrs.frozen
class Asking:
    """One create of ours that asks whether it may go."""

    me: str
    accounts: tuple[str, ...]
    """The names of one account; it is known by the first."""
    priority: int
    room: float
    """Units that others could still have, should this one be sent."""
    at: float
    """The moment, by the ledger's clock."""
    creates: Sequence[Create]
    """The last ones at the account, at most one less than `SHARE`; the newest first."""

    def is_due(self, priority: int, since: float) -> bool:
        """True if one of this priority, which waits since then, has its turn: only higher ones went before it."""
        return len(self.creates) == SHARE - 1 and all(
            create.priority > priority and create.at >= since for create in self.creates
        )


@attrs.frozen
class _Idle:
    """Claims that were given way to for nothing: what their process waits for is not this account."""

    since: float
    newest: float
    """When the last of them was added; later ones count again, and all when that process has sent one."""


class Turns:
    """What one worker remembers of whom it let go first.

    `is_above`: the others' creates have a higher priority than ours; else a lower one.
    """

    def __init__(self) -> None:
        self._held_back: dict[tuple[str, bool], float] = {}
        """Since when, by account, and by `is_above`."""
        self._idle: dict[tuple[str, bool], _Idle] = {}
        self._latest = 0.0
        """The moment of the last create that asked."""

    def counted_after(self, asking: Asking, *, is_above: bool) -> float:
        """Only what others have added after this moment is a claim: 0.0, unless they left a place unused before."""
        if asking.at < self._latest:  # the clock was set back: what is remembered would hold for as long as that
            self._held_back.clear()
            self._idle.clear()
        self._latest = asking.at
        key = asking.accounts[0], is_above
        idle = self._idle.get(key)
        if idle is None:
            return 0.0
        for create in asking.creates:
            is_of_them = create.by != asking.me and create.priority != asking.priority
            if is_of_them and create.at >= idle.since and (create.priority > asking.priority) is is_above:
                del self._idle[key]
                return 0.0
        return idle.newest

    def gives_way(self, asking: Asking, claim: Claim | None, *, is_above: bool) -> bool:
        """True if this create waits for that claim; `claim`: None if others have nothing that may go before it."""
        key = asking.accounts[0], is_above
        if claim is None or claim.weight <= max(0.0, asking.room):
            self._held_back.pop(key, None)
            return False
        since = self._held_back.setdefault(key, asking.at)
        others = max((create.at for create in asking.creates if create.by != asking.me), default=0.0)
        if asking.at < max(since, others) + _UNUSED:
            return True
        del self._held_back[key]
        self._idle[key] = _Idle(asking.at, claim.newest)
        return False

    def nobody(self, accounts: Sequence[str]) -> None:
        """Others have nothing waiting there that could go before."""
        for is_above in (True, False):
            self._held_back.pop((accounts[0], is_above), None)
