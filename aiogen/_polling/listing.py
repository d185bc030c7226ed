"""Where our generations stand in a vendor's list: which page answers for the most of them.  Pure.

A list is read in pages, newest first as far as anyone knows.  A generation's place is counted from the far end, so it
does not move when newer ones come; generations of other programs push ours along, which every page that is read
corrects.  A place alone proves nothing: a page counts for the ids that really stand on it, and an id that
should be there and is not is asked about by itself until it is seen in the list again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Sequence

_WORTH = 1.2
"""A page has to promise this many times what the single question promises."""
_FIRST_REST, _LONGEST_REST = 60.0, 3600.0
"""Seconds without the list after it was refused or was behind; doubled each time."""
_THROTTLED = 2
"""After this number of refusals in a row for the account's sake jobs are asked about singly: they must not starve."""
_CHECK_EVERY = 4
"""After this number of pages one job is asked about singly as well, to see that the list is not behind.

What a list that is behind says is learned, too, so it has to be found out before it has taught much.
"""


class Listing:
    """What is known of one account's list."""

    def __init__(self, page: int) -> None:
        """`page`: most generations per page; 0 if the vendor has no list."""
        self._page = page
        self._made = 0
        """Generations made since we look, by us and, as far as pages have shown, by others."""
        self._places: dict[str, int] = {}
        self._order: list[tuple[int, str]] = []
        self._rest_until = -math.inf if page else math.inf
        self._rest = _FIRST_REST
        self._pages = 0
        self._throttled = 0
        """How often it was answered with the account's limit since the last page."""
        self._over: dict[str, None] = {}
        """The ids that ended last, to see whether the list knows it."""

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def usable(self, now: float) -> bool:
        """True if pages may be asked for."""
        return now >= self._rest_until

    def made(self, key: str) -> None:
        """A generation of ours was accepted: it is the newest."""
        self._made += 1
        self._put(key, self._made)

    def gone(self, key: str, *, over: bool = True) -> None:
        """Forget a generation: it is over, or, if not `over`, only no longer followed."""
        self.unplace(key)
        if not over:
            return
        self._over.pop(key, None)
        self._over[key] = None
        while len(self._over) > 4 * self._page:
            del self._over[next(iter(self._over))]

    def page_for(self, key: str, gain: Callable[[str], float]) -> tuple[int, list[str]] | None:
        """The offset of the best page with this job on it, and the jobs expected there; None to ask singly.

        `gain` is what an answer about a job promises: the probability that it has ended.
        """
        place = self._places.get(key)
        if place is None:
            return None
        low = bisect_left(self._order, (place - self._page + 1, ""))
        high = bisect_left(self._order, (place + self._page, ""))
        near = self._order[low:high]
        gains = [gain(name) for _, name in near]
        best, begin, end, total, chosen = 0.0, 0, 0, 0.0, (0, 0)
        for end, (upto, _) in enumerate(near):
            total += gains[end]
            while upto - near[begin][0] >= self._page:
                total -= gains[begin]
                begin += 1
            if total > best and near[begin][0] <= place <= upto:
                best, chosen = total, (begin, end)
        if best <= _WORTH * gain(key):
            return None
        names = [name for _, name in near[chosen[0] : chosen[1] + 1]]
        oldest, newest = near[chosen[0]][0], near[chosen[1]][0]
        # What is left of the page goes half to each side: others may have pushed ours along.
        spare = (self._page - (newest - oldest + 1)) // 2
        return max(0, self._made - newest - spare), names

    def read(self, now: float, offset: int, ids: Sequence[str], expected: Collection[str]) -> set[str]:
        """A page has come; corrects the places, and returns which of the expected ids were not on it."""
        self._pages += 1
        self._throttled = 0
        missing = set(expected) - set(ids)
        drifts = sorted(self._places[key] + offset + i - self._made for i, key in enumerate(ids) if key in self._places)
        drift = drifts[len(drifts) // 2] if drifts else 0
        self._made += drift
        if not missing:
            self._rest = max(_FIRST_REST, 0.9 * self._rest)
        elif not drifts:
            self.refused(now)  # whatever its order is, it is not the one we count by
        if abs(drift) < max(1, self._page // 4):
            for key in missing:
                self.unplace(key)
        # Else many came at once: now that this is known, the next page will be the right one.
        return missing

    def seen(self, key: str, offset: int, index: int) -> None:
        """A job that we follow stands at this place."""
        self._put(key, self._made - offset - index)

    def wants_check(self) -> bool:
        """True if it is time to ask one job singly, too."""
        return self._pages % _CHECK_EVERY == 0

    def is_behind(self, key: str) -> bool:
        """True for an id that is over, while a page says that it runs."""
        return key in self._over

    def refused(self, now: float) -> None:
        """The list cannot be had, or is behind: do without for a while, longer each time."""
        self._rest_until = now + self._rest
        self._rest = min(_LONGEST_REST, 2.0 * self._rest)

    def throttled(self, now: float) -> None:
        """The account has to slow down, or the vendor is overloaded.  If that goes on, it may be the list alone."""
        self._throttled += 1
        if self._throttled >= _THROTTLED:
            self._throttled = 0
            self.refused(now)

    def unplace(self, key: str) -> None:
        """Nobody knows where it stands."""
        place = self._places.pop(key, None)
        if place is not None:
            del self._order[bisect_left(self._order, (place, key))]

    def _put(self, key: str, place: int) -> None:
        self.unplace(key)
        self._places[key] = place
        insort(self._order, (place, key))
