"""From what a caller asks for to a job: prepared once, so that its name can be made of it, and then taken in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import attrs

from aiogen._account.create_queue import NORMAL
from aiogen._answers import snapshots
from aiogen._checks import check_text
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.attempts import try_again
from aiogen._jobs.intake import Name, submit
from aiogen._jobs.keyed import Key, KeyedJobs
from aiogen._jobs.registry import Registry
from aiogen._jobs.requests import Asked
from aiogen._transfer.uploads import encode
from aiogen.errors import ConfigurationError
from aiogen.exchange import Submission
from aiogen.models import State
from aiogen.providers import registry as provider_registry
from aiogen.providers.base import Provider, TypedRequest
from aiogen.providers.connections import Connections
from aiogen.stores.base import AtMost


@attrs.frozen(kw_only=True)
class Prepared:
    """A request that can be sent: checked, with its files read and its pictures written as the vendor wants them."""

    provider: Provider
    submission: Submission
    asked: str | None
    """The fingerprint of what was asked for, if it was wanted."""


@attrs.frozen(kw_only=True)
class JobTerms:
    """What a caller says of a job beside the request; see `Session.submit`."""

    timeout: float | None = None
    poll_cost: float | None = None
    batch: str | None = None
    key: str | None = None
    scope: str = ""
    metadata: Mapping[str, Any] | None = None
    retry: bool = False
    retries: int = 0
    is_redone: bool = False
    """If the key stands for another request, make an attempt with this one."""
    rank: int = NORMAL
    at_most: AtMost | None = None


class Submitting:
    """From a request to a job, in one session."""

    def __init__(self, hub: Hub, connections: Connections, registry: Registry, keyed: KeyedJobs) -> None:
        self._hub = hub
        self._connections = connections
        self._registry = registry
        self._keyed = keyed

    async def load(self, name: object) -> None:
        """What another package offers under this name, off the event loop; what is wrong with it `find` says."""
        if isinstance(name, str) and name not in self._connections and not provider_registry.is_loaded(name):
            with suppress(ConfigurationError):
                await self._hub.transport.threads.run(provider_registry.find, name)

    async def prepare_asked(self, asked: Asked, *, is_keyed: bool) -> Prepared:
        """The same for a request that stands in a list.

        Raises:
            InputError: it is not valid.
            ConfigurationError: there is no such connection.
        """
        model = asked.model
        await self.load(asked.connection or (model.partition("/")[0].strip() if isinstance(model, str) else None))
        provider, request = self._connections.request(model, asked.prompt, asked.connection, asked.options)
        return await self.prepare(provider, request, is_keyed=is_keyed)

    async def prepare(self, provider: Provider, request: TypedRequest, *, is_keyed: bool) -> Prepared:
        """Read and write what the create will say; nothing is sent, and nothing is in the ledger yet.

        Raises:
            InputError: a local file cannot be read, or a value is not valid.
        """
        submission, asked = await encode(provider, request, self._hub.transport.threads, is_keyed=is_keyed)
        return Prepared(provider=provider, submission=submission, asked=asked)

    async def take_in(self, prepared: Prepared, terms: JobTerms) -> Job:
        """The job, in the ledger from now on; or the one that its key stands for.

        Raises:
            InputError: a text cannot be kept.
            KeyReused: the key stands for another request.
            TooManyJobs: as many jobs are unfinished as are allowed.
            StoreError: the ledger could not be written; nothing was sent.
        """
        submission = prepared.submission
        for what, text in (("The prompt", submission.prompt), ("The model", submission.model), ("batch", terms.batch)):
            if isinstance(text, str):  # providers of other packages check what they like
                check_text(text, what)
        name = Name(scope=terms.scope, metadata=terms.metadata)
        make = partial(self._made, prepared, terms)
        key = None
        if terms.key is not None:
            key = Key(
                key=terms.key,
                scope=terms.scope,
                asked=prepared.asked or "",
                retry=terms.retry,
                retries=terms.retries,
                is_redone=terms.is_redone,
            )
            job = await self._keyed.submit(key, make, terms.metadata, terms.at_most)
        else:
            job = make(str(uuid4()))
            await submit(self._hub, job, name, terms.at_most)
            self._registry.keep(job)
        if terms.retries and not job.done:
            job = job._handle or job
            another = partial(self._keyed.next_attempt, key, name)
            try_again(self._hub, job, another, retries=terms.retries, is_retry=terms.retry)
        return job

    def _made(self, prepared: Prepared, terms: JobTerms, job_id: str) -> Job:
        provider, submission = prepared.provider, prepared.submission
        return self._registry.new(
            snapshots.asked_for(job_id, provider, submission, State.PENDING),
            provider,
            submission,
            terms.timeout or submission.timeout,
            terms.poll_cost,
            terms.batch,
            terms.rank,
            terms.scope,
        )
