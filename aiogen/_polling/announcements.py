"""Vendors that announce ends by webhooks: what a question is still worth there.  Pure.

A question finds an end by itself only where no hint came before it.  So where hints announce the share p of all ends, a
second of waiting that a question saves is saved with probability 1 - p, and the question is worth so much less: its
price rises by 1 / (1 - p).  For p stands the lower end of what the last ends allow to say, so that it takes proof to
raise the price; it never rises without end, and a few ends that no hint announced bring it down.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_MOST = 60
"""Ends that are remembered: the price rises to some sixty times at most."""
_FEW = 20
"""After this number of ends that no hint announced, questions cost what they did before there were any."""
_DOUBTS = 2
"""After this number of these in a row only the last few ends count: that is more than a call that was lost."""
_Z = 1.0
"""Standard errors: the share is higher than its bound in 84 of 100 cases."""
_RACE = 0.25
"""Seconds: a question that was sent less than this before the hint has only been a little quicker."""
_MOST_UNTRUE = 3
"""Vendors may announce each state, not only the end; more calls than that may hit the end by chance."""
_FALL = 1.15
"""A price that falls by more than this part is noticeable."""


class Announcements(Generic[K]):
    """One model's at one account: which of its last ends hints have announced.

    Separately for jobs for which hints have come before while they ran: where a vendor calls once, those get no more.
    """

    def __init__(self) -> None:
        self._shares = [_Share() for _ in range(_MOST_UNTRUE + 1)]
        self._open: dict[K, tuple[float, int]] = {}  # found by questions sent then, and a hint may come yet
        self.hits = 0
        """Ends that were seen here, and that hints have announced."""
        self.unwritten = 0
        """Ends that were seen here since they were last counted as written."""
        self.falls = 0
        """The number of times that prices have fallen noticeably: what was planned at them comes too late."""

    def price_factor(self, untrue: int) -> float:
        """How many times dearer a question is than it would be without hints, from 1.0 to about 61.

        `untrue`: how many hints of its job have come while that ran.
        """
        return self._shares[untrue].price_factor if untrue <= _MOST_UNTRUE else 1.0

    def announced(self, untrue: int) -> None:
        """A question has found an end, and the vendor's hint came before it was sent."""
        self._note(untrue, True)

    def found(self, key: K, untrue: int, sent_at: float, told_at: float) -> None:
        """The question that was sent at `sent_at` has found an end that no hint had announced by then.

        `told_at`: when the hint came after all; -inf if it has not.
        """
        if self.price_factor(untrue) == 1.0:  # nothing to lose, and sessions without webhooks pay nothing for them
            self._note(untrue, False)
        elif told_at > sent_at:
            if told_at - sent_at > _RACE:
                self._note(untrue, False)
        else:
            self._open[key] = (sent_at, untrue)

    def hinted(self, key: K, now: float) -> None:
        """The hint of an end comes that is known already: if it is hardly later, that says nothing about hints."""
        if key in self._open:
            sent_at, untrue = self._open.pop(key)
            if now - sent_at > _RACE:
                self._note(untrue, False)

    def decides_at(self) -> float:
        """When `decide` has something to do; `math.inf` if nothing is open."""
        return next(iter(self._open.values()), (math.inf, 0))[0] + _RACE

    def decide(self, now: float) -> None:
        """Those of which no hint has come by now were not announced."""
        over = [(key, untrue) for key, (sent_at, untrue) in self._open.items() if now >= sent_at + _RACE]
        for key, untrue in over:
            del self._open[key]
            self._note(untrue, False)

    def to_json(self) -> list[str]:
        """The ends that count, for the next program: 1 for one that was announced, by how many hints came too early."""
        return ["".join(map(str, map(int, share.ends))) for share in self._shares]

    def restore(self, data: object) -> None:
        """Begin with the ends of the program before, if none were seen here; what cannot be read is nothing."""
        if self.unwritten or not isinstance(data, list) or len(data) != len(self._shares):
            return
        for share, ends in zip(self._shares, data, strict=True):
            if isinstance(ends, str) and set(ends) <= {"0", "1"}:
                for end in ends[-_MOST:]:
                    share.note(end == "1")

    def _note(self, untrue: int, announced: bool) -> None:
        self.unwritten += 1
        self.hits += announced
        if untrue <= _MOST_UNTRUE and self._shares[untrue].note(announced):
            self.falls += 1


class _Share:
    """Of some ends, and what that makes of a price."""

    def __init__(self) -> None:
        self.ends: deque[bool] = deque(maxlen=_MOST)
        self._unannounced = 0  # in a row
        self._highest = 1.0  # since it has fallen
        self.price_factor = 1.0

    def note(self, announced: bool) -> bool:
        """One more; True if the price has fallen noticeably."""
        self.ends.append(announced)
        self._unannounced = 0 if announced else self._unannounced + 1
        if self._unannounced >= _DOUBTS:
            while len(self.ends) > _FEW:
                self.ends.popleft()
        # Of hints that begin to come the last few know first.
        few = list(self.ends)[-_FEW:]
        share = max(lower_bound(sum(few), len(few)), lower_bound(sum(self.ends), len(self.ends)))
        self.price_factor = 1.0 / (1.0 - share)
        has_fallen = _FALL * self.price_factor < self._highest
        self._highest = self.price_factor if has_fallen else max(self._highest, self.price_factor)
        return has_fallen


def lower_bound(hits: int, of: int) -> float:
    """The lower end of the interval in which a share may lie of which this number were seen (Wilson's score interval).

    From 0.0 to below 1.0.
    """
    part, z2 = hits / of, _Z * _Z
    middle, half = part + z2 / (2 * of), _Z * math.sqrt(part * (1 - part) / of + z2 / (4 * of * of))
    return max(0.0, (middle - half) / (1 + z2 / of))
