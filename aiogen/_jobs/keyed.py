"""Jobs under a key of the user's own: the same key is the same job, in whatever process, after whatever crash."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4
from weakref import WeakSet, WeakValueDictionary

import attrs

from aiogen._answers.asked import job_id, may_retry
from aiogen._engine.ends import take_back
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.intake import Name, add, begin, submit
from aiogen._jobs.registry import Registry
from aiogen.errors import InputError, KeyReused
from aiogen.models import State
from aiogen.stores.base import AtMost, Record

logger = logging.getLogger("aiogen")


@attrs.frozen(kw_only=True)
class Key:
    """The key of a job, its scope, and the fingerprint of what was asked for."""

    key: str
    scope: str = ""
    asked: str
    """The fingerprint of what is asked for."""
    retry: bool = False
    """Make another attempt, if the last one has failed and trying again may help."""
    after: int | None = None
    """Only if the last one is this; what others have made since then stands."""
    retries: int = 0
    """Further attempts in all that are made without being asked for, while they may help."""
    is_redone: bool = False
    """If it stands for another request, make an attempt with this one."""

    def __str__(self) -> str:
        return f"{self.key!r}" + (f" of scope {self.scope!r}" if self.scope else "")


class KeyedJobs:
    """The keyed jobs of one session."""

    def __init__(self, hub: Hub, registry: Registry) -> None:
        self._hub = hub
        self._registry = registry
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._held: WeakSet[Job] = WeakSet()
        """Jobs that somebody was given."""
        self._added: set[Job] = set()
        """Jobs that are in the ledger, and not to be sent before somebody was given them."""
        self._has_warned = False

    async def submit(
        self,
        key: Key,
        make: Callable[[str], Job],
        metadata: Mapping[str, Any] | None,
        at_most: AtMost | None = None,
    ) -> Job:
        """The job that the key stands for; a new one, made by `make` with our id, if it stands for none yet.

        Raises:
            KeyReused: it stands for another request.
            TooManyJobs: it stands for none, and there are as many unfinished jobs as are allowed.
            InputError: another attempt is wanted of a job of which nobody knows whether it runs.
            StoreError: the ledger cannot be read or written.
        """
        hub = self._hub
        await hub.ledger.ready()
        if not hub.ledger.is_shared and not self._has_warned:
            self._has_warned = True
            logger.warning(
                'key= does not survive this process: the ledger is in memory. With Session(store="aiogen.db") the same '
                "key is the same job after a crash, too."
            )
        work = asyncio.get_running_loop().create_task(self._submit(key, make, metadata, at_most))
        try:
            job, _ = await asyncio.shield(work)
        except asyncio.CancelledError:
            hub.spawn(self._abandon(key, work))
            raise
        self._held.add(job)
        self._begin(job)
        return job

    def _begin(self, job: Job) -> None:
        if job in self._added:
            self._added.discard(job)
            begin(self._hub, job)

    async def _submit(
        self,
        key: Key,
        make: Callable[[str], Job],
        metadata: Mapping[str, Any] | None,
        at_most: AtMost | None,
    ) -> tuple[Job, bool]:
        """The job, and whether this has made it."""
        hub = self._hub
        # A caller who asks for the same key meanwhile gets the same job.
        async with self._lock(key):
            attempt = 1
            latest = await hub.store.latest(key.scope, key.key)
            if latest is not None:
                is_other = latest.asked is not None and latest.asked != key.asked
                if is_other and key.is_redone:
                    self._check_known(latest)
                else:
                    self.check(key, latest)
                    if not self._is_tried_again(key, latest):
                        return await self._standing(latest), False
                attempt = latest.attempt + 1
            job = make(job_id(hub.store.namespace, key.scope, key.key, attempt))
            job.attempt = attempt
            name = Name(key=key.key, scope=key.scope, attempt=attempt, asked=key.asked, metadata=metadata)
            standing = await add(hub, job, name, at_most)
            if standing is None:
                self._added.add(job)
                return self._registry.keep(job), True
            self.check(key, standing)  # another process was faster
            return await self._standing(standing), False

    async def _standing(self, record: Record) -> Job:
        """The job that somebody else has made; held from here on, under the lock, so that it is not taken back."""
        job = await self._registry.standing(record)
        self._held.add(job)
        return job

    async def _abandon(self, key: Key, work: asyncio.Task[tuple[Job, bool]]) -> None:
        """Who asked for it was cancelled: what this call alone has made is taken back, and the key is free again."""
        try:
            job, is_new = await work
        except Exception:
            return
        async with self._lock(key):
            if is_new and job not in self._held:
                self._added.discard(job)
                if await take_back(self._hub, job):
                    await self._hub.store.forget([job.id])
            else:
                self._begin(job)

    def _lock(self, key: Key) -> asyncio.Lock:
        return self._locks.setdefault((key.scope, key.key), asyncio.Lock())

    async def next_attempt(self, key: Key | None, name: Name, failed: Job) -> Job:
        """Another attempt of a job that has failed here; under a key, what others have made since then.

        Raises:
            StoreError: the ledger did not take it.
        """
        make = partial(self._registry.next_attempt, failed)
        if key is not None:
            return await self.submit(attrs.evolve(key, retry=True, after=failed.attempt), make, name.metadata)
        job = make(str(uuid4()))
        await submit(self._hub, job, attrs.evolve(name, attempt=job.attempt))
        return self._registry.keep(job)

    async def again(self, record: Record, make: Callable[[str], Job]) -> Job:
        """Another attempt of a job that has failed, under its key if it has one.

        Raises:
            InputError: it has not failed, trying again would not help, or its request was not kept.
        """
        if not self._retries(record):
            raise InputError(
                f"Job {record.id} is {record.state}, and is not tried again: that is for what has failed and may work "
                "the next time, and for what was withdrawn or cancelled.",
                job_id=record.id,
                connection=record.connection,
            )
        if record.submission is None or not record.submission.body:
            raise InputError(
                f"The request of job {record.id} was not kept (keep_requests=False), so it cannot be sent again from "
                "here: submit it once more.",
                job_id=record.id,
                connection=record.connection,
            )
        if record.key is not None:
            key = Key(key=record.key, scope=record.scope, asked=record.asked or "", retry=True)
            return await self.submit(key, make, record.metadata)
        job = make(str(uuid4()))
        name = Name(scope=record.scope, attempt=record.attempt + 1, metadata=record.metadata)
        await submit(self._hub, job, name)
        return self._registry.keep(job)

    async def find(self, scope: str, key: str) -> Job | None:
        """The job that a key stands for, or None."""
        await self._hub.ledger.ready()
        latest = await self._hub.store.latest(scope, key)
        return None if latest is None else await self._registry.standing(latest)

    @staticmethod
    def check(key: Key, standing: Record) -> None:
        """Whether it stands for this request.

        Raises:
            KeyReused: it does not.
        """
        if standing.asked is not None and standing.asked != key.asked:
            raise KeyReused(
                f"The key {key} already stands for another request, job {standing.id} of "
                f"{standing.created_at.isoformat(timespec='seconds')}. Use another key for another request, or "
                "the same request under this key.",
                job_id=standing.id,
            )

    def _is_tried_again(self, key: Key, latest: Record) -> bool:
        if key.retry:
            return latest.attempt == (key.after or latest.attempt) and self._retries(latest)
        # By itself only after the provider's own word that it has failed, never what was taken back or refused.
        failed = latest.state is State.FAILED and latest.provider_id is not None
        return failed and latest.attempt <= key.retries and self._retries(latest)

    @staticmethod
    def _check_known(latest: Record) -> None:
        if latest.state is State.UNKNOWN:
            raise InputError(
                f"Job {latest.id} may run and be charged, so no other attempt is made: first decide about it with "
                "session.reconcile(), session.adopt() or session.resend().",
                job_id=latest.id,
                connection=latest.connection,
            )

    def _retries(self, latest: Record) -> bool:
        self._check_known(latest)
        known = latest.generation
        return may_retry(latest.state, known.failure_code if known else None, known.action if known else None)
