"""Ids of which somebody has heard before their creates were answered: kept for a short while.  Pure."""

from __future__ import annotations

_MOST = 200
_KEPT = 150.0
"""Seconds: a create takes 120 by default, before it is given up."""


class EarlyHints:
    """One account's.  A stranger may name any id, so there are few, and each lasts for a short while."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def put(self, provider_id: str, now: float) -> None:
        """There is news of it, and nobody here knows it yet; of too many the oldest goes."""
        self._at.pop(provider_id, None)
        self._at[provider_id] = now
        if len(self._at) > _MOST:
            del self._at[next(iter(self._at))]

    def take(self, provider_id: str, now: float) -> bool:
        """True, once, if there was news of it a short while ago."""
        at = self._at.pop(provider_id, None)
        return at is not None and now - at <= _KEPT
