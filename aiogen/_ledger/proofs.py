"""Which ends hints have announced, for each model of an account; kept in the store between programs.

Else each program that is started again would ask as if there were no webhooks until they have proved once more to come.
It is believed for a short time only: of a program that begins long after nobody knows whether it is called.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs

from aiogen._account.account import AccountState
from aiogen._clock import Clock
from aiogen._polling.announcements import Announcements
from aiogen._polling.phases import PhaseModel
from aiogen.models import Typical
from aiogen.stores.base import Store

logger = logging.getLogger("aiogen")

VERSION = 1
BELIEVED_FOR = 900.0
"""Seconds from the last end that was announced: a program that is started again is there sooner."""
_SAVE_EVERY = 25
"""Ends after which it is written again..."""
_SAVE_AFTER = BELIEVED_FOR / 3.0
"""... and seconds, where ends are few."""


@attrs.define(eq=False)
class _Kept:
    """Of one model."""

    announcements: Announcements[Any]
    version: int = 0
    """Of what stood in the store when it was last read or written."""
    hits: int = 0
    """As they were counted when `heard_at` was."""
    heard_at: float = 0.0
    """When an end was announced, in seconds since 1970."""
    written_at: float = 0.0


class Proofs:
    """Of all accounts of a session."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    async def load(self, account: AccountState[Any], phases: PhaseModel, model: str | None, typical: Typical) -> None:
        """Read once what another program has seen; if the store fails, it is as if there were nothing."""
        name = f"hints/{account.key}/{model}/{typical.median:g}-{typical.spread:g}"
        if account.provider.webhooks is None or name in self._kept:
            return
        kept = self._kept[name] = _Kept(account.schedule.announcements(phases), written_at=self._clock.now())
        try:
            data, kept.version = await self._store.get_learned(name)
        except Exception as error:
            logger.debug("What is known of hints about %s could not be read: %r", model, error)
            return
        heard_at = heard_in(data)
        if abs(self._clock.datetime().timestamp() - heard_at) <= BELIEVED_FOR and data is not None:
            kept.heard_at = heard_at
            kept.announcements.restore(data.get("ends"))

    async def save(self, *, every: int = _SAVE_EVERY) -> None:
        """Write those of which so many ends, 1 or more, were seen since they were written; the last writer counts."""
        now = self._clock.now()
        for name, kept in list(self._kept.items()):
            known = kept.announcements
            if known.hits != kept.hits:
                kept.hits, kept.heard_at = known.hits, self._clock.datetime().timestamp()
            ends = known.unwritten
            is_due = ends >= every or (ends and now - kept.written_at >= _SAVE_AFTER)
            if not is_due or not kept.heard_at:
                continue
            kept.written_at = now
            try:
                await self._write(name, kept)
                known.unwritten -= ends
            except Exception as error:
                logger.debug("What is known of hints could not be written: %r", error)

    async def _write(self, name: str, kept: _Kept) -> None:
        value = {"version": VERSION, "heard_at": kept.heard_at, "ends": kept.announcements.to_json()}
        version = await self._store.put_learned(name, value, kept.version)
        if not version:  # another worker's, which has seen other ends of the same account
            _, kept.version = await self._store.get_learned(name)
            version = await self._store.put_learned(name, value, kept.version)
        kept.version = version or kept.version


def heard_in(data: Mapping[str, Any] | None) -> float:
    """When hints were heard last, by what stands in the store; 0 if that cannot be read."""
    heard_at = data.get("heard_at") if data is not None and data.get("version") == VERSION else None
    return float(heard_at) if isinstance(heard_at, int | float) else 0.0
