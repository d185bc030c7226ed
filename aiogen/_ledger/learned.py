"""The duration models of one session, one for each model that it uses; kept in the store between programs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Generator
from typing import Any

import attrs

from aiogen._polling.durations import preparing
from aiogen._polling.phases import PhaseModel
from aiogen.catalogue import ModelInfo
from aiogen.errors import StoreError
from aiogen.models import Typical
from aiogen.providers.base import Provider
from aiogen.stores.base import Store

logger = logging.getLogger("aiogen")

_SAVE_EVERY = 25
"""The number of ends of one model after which it is written again."""

Key = tuple[str, str, str | None, Typical]


class LearnedModels:
    """Shared by all accounts: a model is as fast for one key as for another of the same provider."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._models: dict[Key, PhaseModel] = {}
        self._saved: dict[Key, int] = {}
        self._loading: dict[Key, asyncio.Lock] = {}

    async def load(self, provider: Provider, model: str | None, typical: Typical) -> None:
        """Read the duration model that was learned before; if the store fails, that is logged, and a new one begins."""
        key = _key(provider, model, typical)
        if key in self._models:
            return
        async with self._loading.setdefault(key, asyncio.Lock()):
            if key not in self._models:
                phases = await self._loaded(key)
                self._models.setdefault(key, phases)
                self._saved.setdefault(key, phases.seen)
        self._loading.pop(key, None)

    async def _loaded(self, key: Key) -> PhaseModel:
        _, _, model, typical = key
        for _ in preparing(typical):
            await asyncio.sleep(0)  # others have their turns between the steps
        phases = PhaseModel(typical)
        try:
            data = await self._store.get_learned(_name(key))
        except Exception as error:
            logger.warning("The duration model of %s could not be read, so a new one begins: %r", model, error)
            return phases
        if data is not None and not phases.restore(data):
            logger.info("The duration model of %s was written by another version, so a new one begins.", model)
        for _ in phases.fitting():
            await asyncio.sleep(0)
        return phases

    async def described(self, provider: Provider, info: ModelInfo) -> ModelInfo:
        """The same, with how long it takes as learned here; else as the provider file says."""
        if info.typical is None:
            return info
        typical = provider.typical(info.name, info.typical)
        key = _key(provider, info.name, typical)
        if key not in self._models and not await self._is_kept(key):
            return attrs.evolve(info, seconds=typical.median)
        await self.load(provider, info.name, typical)
        phases = self._models[key]
        seconds = phases.queued.quantile(0.5) if phases.seen else typical.median
        return attrs.evolve(info, seconds=seconds, seen=phases.seen)

    async def _is_kept(self, key: Key) -> bool:
        try:
            return await self._store.get_learned(_name(key)) is not None
        except StoreError as error:
            logger.warning("What was learned about %s could not be read: %s", key[2], error)
            return False

    def of(self, provider: Provider, model: str | None, typical: Typical) -> PhaseModel:
        """The duration model of a model, a new one if none was loaded."""
        key = _key(provider, model, typical)
        found = self._models.get(key)
        if found is None:
            found = self._models[key] = PhaseModel(typical)
        return found

    def known(self, provider: Provider, model: str | None, typical: Typical) -> PhaseModel | None:
        """The duration model of a model, if it was loaded."""
        return self._models.get(_key(provider, model, typical))

    async def save(self, *, every: int = _SAVE_EVERY) -> None:
        """Write those that have learned from `every` ends, 1 or more, since they were written."""
        for key, phases in list(self._models.items()):
            if phases.seen >= self._saved.get(key, 0) + every:
                self._saved[key] = phases.seen
                try:
                    await self._store.put_learned(_name(key), await _in_steps(phases.storing()))
                except Exception as error:
                    logger.warning("The duration model of %s could not be written: %r", key[2], error)


async def _in_steps(steps: Generator[None, None, dict[str, Any]]) -> dict[str, Any]:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: dict[str, Any] = done.value
            return result
        await asyncio.sleep(0)  # others have their turns between the steps


def _key(provider: Provider, model: str | None, typical: Typical) -> Key:
    return provider.facts.name, provider.base_url, model, typical


def _name(key: Key) -> str:
    """The address is in it only as a hash: an imitation of a vendor must not teach about the vendor."""
    provider, url, model, typical = key
    place = hashlib.sha256(url.encode()).hexdigest()[:8]
    return f"durations/{provider}-{place}/{model}/{typical.median:g}-{typical.spread:g}"
