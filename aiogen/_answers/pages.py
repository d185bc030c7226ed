"""Which page of a vendor's list to ask for next while the list moves.  Pure.

A list is read by offsets, and an offset means another row as soon as something before it is deleted or made.  So each
page begins with the last row that was read: if it is there, nothing was skipped; if it is not, the list has moved, and
is read back to a row that is known.  Deletions of our own are counted at once, so that a clean-up costs no more
requests than a reading.

This finds every generation that was there at the start, as long as the vendor's order is stable: a row can only be
missed between two others, and no two rows are taken for neighbours that were not seen side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

_LOST = 60
"""Pages without anything new, after which the list counts as unreadable."""
_SAME = 3
"""Number of times in a row that the same has to be seen before it counts as how the vendor behaves."""


class Moved(Exception):
    """The list moves so fast that its content cannot be established."""


class Pager:
    """One reading of one list: ask for `offset`, pass what came to `read`, until `is_over`."""

    def __init__(self, limit: int) -> None:
        """`limit`: rows asked for with each request."""
        self.offset = 0
        """Where the next page begins."""
        self.is_over = False
        """True once every row has been seen."""
        self._step = max(1, limit - 1)
        self._given: set[str] = set()
        self._removed: set[str] = set()
        self._place = -1
        """The position of the last row that was read, as far as we know."""
        self._is_anchored = False
        """The next page has to hold a row that is known."""
        self._longest = 0
        """Rows of the longest page so far: a vendor may give fewer than it is asked for."""
        self._backs = 0
        """Number of times in a row that it was read back."""
        self._nothing_at: int | None = None
        """The last offset at which there was nothing."""
        self._dead_ends = 0
        """Number of times in a row that the list was read up to there, and there was nothing again."""
        self._idle = 0
        self._last: tuple[int, list[str]] | None = None
        self._same = 0

    def removed(self, name: str) -> None:
        """A generation was deleted by us: the rows after it move up."""
        if name in self._given and name not in self._removed:
            self._removed.add(name)
            self._place -= 1
            self._go_on()

    def read(self, rows: Sequence[str]) -> list[int]:
        """The names of the rows of the page at `offset`; the places of those that are new.

        Raises:
            Moved: the list changes faster than it can be read, or the vendor ignores the offset.
        """
        offset, end = self.offset, self.offset + len(rows)
        fresh = [i for i, name in enumerate(rows) if name not in self._given]
        self._watch(offset, list(rows), bool(fresh))
        self._longest = max(self._longest, len(rows))
        if self._is_anchored and offset > 0 and len(fresh) == len(rows):
            # No row is known, so some may have been skipped.
            if not rows:
                self._dead_ends = self._dead_ends + 1 if self._nothing_at == offset else 1
                self._nothing_at = offset
            self.offset = max(0, offset - self._step * 2**self._backs)
            self._backs += 1
            return []
        self._backs = 0
        if not fresh and self._says_the_end(len(rows), end):
            self.is_over = True
            return []
        self._given.update(rows)
        self._place = end - 1
        self._go_on()
        return fresh

    def _go_on(self) -> None:
        # A vendor that gives one row at a time gives no overlap either.
        self._is_anchored = self._longest > 1 and self._place >= 0
        self.offset = self._place if self._is_anchored else self._place + 1

    def _says_the_end(self, count: int, end: int) -> bool:
        """Nothing new is on it: True if nothing can be behind it either."""
        if count == 0 or (self._is_anchored and count == 1):
            return True
        # Some give a short list whole, and nothing at any other offset; seen once it may be a list that moves.
        return self._dead_ends >= _SAME and self._nothing_at is not None and end >= self._nothing_at

    def _watch(self, offset: int, rows: list[str], is_new: bool) -> None:
        self._idle = 0 if is_new else self._idle + 1
        if is_new or self._last is None or self._last[1] != rows or len(set(rows)) < 2:
            self._same = 0
        elif self._last[0] != offset:
            self._same += 1
        self._last = (offset, rows)
        if self._same >= _SAME:
            raise Moved("it returns the same rows at every offset")
        if self._idle > _LOST:
            raise Moved("it changes faster than it can be read")
