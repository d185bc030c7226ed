"""The duration models of one session, one for each model that it uses; kept in the store between programs.

Several processes learn of the same models: what each has seen is added to what stands in the store, and now and then a
session takes up what others have added.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Generator
from typing import TypeVar

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
_TAKE_UP_EVERY = 60.0
"""Seconds after which a session that is not alone takes up what others have learned."""
_TRIES = 20
"""To write one model, while others write it as well.  What could not be written is kept for the next time."""

T = TypeVar("T")
Key = tuple[str, str, str | None, Typical]


class LearnedModels:
    """Shared by all accounts: a model is as fast for one key as for another of the same provider."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._models: dict[Key, PhaseModel] = {}
        self._versions: dict[Key, int] = {}
        """Of what stood in the store when it was last read or written."""
        self._tried: dict[Key, int] = {}
        """How many ends had been seen here when it was last to be written."""
        self._locks: dict[Key, asyncio.Lock] = {}
        """Held by the one that reads or writes a model."""
        self._take_up_at = 0.0

    async def load(self, provider: Provider, model: str | None, typical: Typical) -> None:
        """Read the duration model that was learned before; if the store fails, that is logged, and a new one begins."""
        key = _key(provider, model, typical)
        if key in self._models:
            return
        async with self._lock(key):
            if key not in self._models:
                phases, version = await self._loaded(key)
                if self._models.setdefault(key, phases) is phases:
                    self._versions[key] = version

    async def _loaded(self, key: Key) -> tuple[PhaseModel, int]:
        _, _, model, typical = key
        for _ in preparing(typical):
            await asyncio.sleep(0)  # others have their turns between the steps
        phases = PhaseModel(typical)
        try:
            data, version = await self._store.get_learned(_name(key))
        except Exception as error:
            logger.warning("The duration model of %s could not be read, so a new one begins: %r", model, error)
            return phases, 0
        if data is not None and not phases.restore(data):
            logger.info("The duration model of %s was written by another version, so a new one begins.", model)
        await _in_steps(phases.fitting())
        return phases, version

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
            return (await self._store.get_learned(_name(key)))[0] is not None
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
            has_failed = every > 1 and phases.seen_here < self._tried.get(key, 0) + every
            if phases.unwritten < every or has_failed:
                continue
            self._tried[key] = phases.seen_here
            try:
                async with self._lock(key):
                    await self._write(key, phases)
            except Exception as error:
                logger.warning("The duration model of %s could not be written: %r", key[2], error)

    async def take_up(self, now: float) -> bool:
        """What others have learned, once a minute; True if there was any.  `now`: by a clock that never goes back."""
        if now < self._take_up_at:
            return False
        self._take_up_at = now + _TAKE_UP_EVERY
        found = False
        for key, phases in list(self._models.items()):
            try:
                async with self._lock(key):
                    if not await self._read(key, phases):
                        continue
                found = True
                await _in_steps(phases.fitting())
            except Exception as error:
                logger.debug("What others have learned of %s could not be read: %r", key[2], error)
        return found

    async def _write(self, key: Key, phases: PhaseModel) -> None:
        for _ in range(_TRIES):
            version = 0
            try:
                data = await _in_steps(phases.sharing())
                version = await self._store.put_learned(_name(key), data, self._versions.get(key, 0))
            finally:
                phases.shared(is_written=version > 0)
            if version:
                self._versions[key] = version
                return
            await self._read(key, phases)

    async def _read(self, key: Key, phases: PhaseModel) -> bool:
        """Take up what others have written since; False if nobody has."""
        known = self._versions.get(key, 0)
        data, version = await self._store.get_learned(_name(key), known)
        if version == known:
            return False
        if not await _in_steps(phases.merging(data)):
            logger.info("The duration model of %s was written by another version, and is written over.", key[2])
        self._versions[key] = version
        return True

    def _lock(self, key: Key) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


async def _in_steps(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)  # others have their turns between the steps


def _key(provider: Provider, model: str | None, typical: Typical) -> Key:
    return provider.facts.name, provider.base_url, model, typical


def _name(key: Key) -> str:
    """The address is in it only as a hash: an imitation of a vendor must not teach about the vendor."""
    provider, url, model, typical = key
    place = hashlib.sha256(url.encode()).hexdigest()[:8]
    return f"durations/{provider}-{place}/{model}/{typical.median:g}-{typical.spread:g}"
