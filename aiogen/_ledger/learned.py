"""What is believed of every model's durations, for one session; kept in the store from one program to the next."""

from __future__ import annotations

import hashlib
import logging

from aiogen._polling.phases import PhaseModel
from aiogen.models import Typical
from aiogen.providers.base import Provider
from aiogen.stores.base import Store

logger = logging.getLogger("aiogen")

_SAVE_EVERY = 25
"""Ends of one model between two savings."""

Key = tuple[str, str, str | None, Typical]


class LearnedModels:
    """Shared by all accounts: a model is as fast for one key as for another of the same provider."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Key, PhaseModel] = {}
        self._saved: dict[Key, int] = {}

    async def load(self, provider: Provider, model: str | None, typical: Typical) -> None:
        """Fetch what was learned before.  Without it one begins anew, so trouble with the store is only noted."""
        key = _key(provider, model, typical)
        if key in self._known:
            return
        phases = PhaseModel(typical)
        try:
            data = await self._store.get_learned(_name(key))
            if data is not None:
                phases = PhaseModel.from_json(typical, data)
        except Exception as trouble:
            logger.warning("What was learned of %s before could not be read: %r", model, trouble)
        if key not in self._known:
            self._known[key], self._saved[key] = phases, phases.seen

    def of(self, provider: Provider, model: str | None, typical: Typical) -> PhaseModel:
        """The belief about a model."""
        key = _key(provider, model, typical)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = PhaseModel(typical)
        return found

    async def save(self, *, every: int = _SAVE_EVERY) -> None:
        """Keep what was learned of models that ended `every` times since they were saved."""
        for key, phases in list(self._known.items()):
            if phases.seen >= self._saved.get(key, 0) + every:
                self._saved[key] = phases.seen
                try:
                    await self._store.put_learned(_name(key), phases.to_json())
                except Exception as trouble:
                    logger.warning("What was learned of %s could not be kept: %r", key[2], trouble)


def _key(provider: Provider, model: str | None, typical: Typical) -> Key:
    return provider.default_name, provider.base_url, model, typical


def _name(key: Key) -> str:
    """The address is in it only as a hash: an imitation of a vendor must not teach about the vendor."""
    provider, url, model, typical = key
    place = hashlib.sha256(url.encode()).hexdigest()[:8]
    return f"durations/{provider}-{place}/{model}/{typical.median:g}-{typical.spread:g}"
