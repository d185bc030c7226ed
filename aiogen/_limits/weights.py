"""What a create of each kind weighs, learned from how much of its window the vendor says is left.  Pure."""

from __future__ import annotations

import attrs

_SAME_DROPS = 2
"""A weight is learned when this number of creates in a row cost the same."""


@attrs.define
class LearnedWeights:
    """The weights of one account's creates, by class."""

    _remaining: int | None = attrs.field(init=False, default=None)
    _drops: dict[str, tuple[int, int]] = attrs.field(init=False, factory=dict)
    """By kind: what the latest create cost, and how many in a row cost the same."""
    _weights: dict[str, int] = attrs.field(init=False, factory=dict)

    def learn(self, remaining: int, kind: str, *, limit: float, alone: bool) -> None:
        """An accepted create of this kind left `remaining` units of a window of `limit`.

        `alone`: no other create was under way since the answer before, so the drop is what this one cost.  Slots that
        became free meanwhile make the drop too small, creates of others too large: two in a row have to agree.
        """
        drop = None if self._remaining is None or not alone else self._remaining - remaining
        self._remaining = remaining
        if drop is None or not 1 <= drop <= limit:
            return
        last, count = self._drops.get(kind, (0, 0))
        self._drops[kind] = (drop, count + 1 if drop == last else 1)
        if self._drops[kind][1] >= _SAME_DROPS:
            self._weights[kind] = drop

    def of(self, kind: str, documented: int) -> int:
        """Units that a create of this kind takes: as learned, else as documented."""
        return self._weights.get(kind, documented)
