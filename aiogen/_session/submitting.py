"""Taking jobs in, one at a time, and taking them back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, cast, overload
from uuid import UUID

from aiogen._checks import check_seconds, own_id
from aiogen._engine.job import Job
from aiogen._jobs.cancel import cancel_by_id
from aiogen._jobs.naming import check_bound, check_names, rank_of
from aiogen._jobs.submitting import JobTerms
from aiogen._options import JobOptions
from aiogen._session.base import SessionBase
from aiogen.errors import InputError
from aiogen.models import Cancellation, Generation
from aiogen.providers.base import TypedRequest
from aiogen.stores.base import AtMost


class SubmittingCalls(SessionBase):
    """Taking jobs in, one at a time, and taking them back."""

    # In the first of each two overloads the parameters of the request are inside it: a keyword that is none of the
    # job's is an error to type checkers.  A connection's name with a typed request, or a model without a prompt, fits,
    # too.

    @overload
    async def submit(
        self,
        model: str | TypedRequest,
        prompt: TypedRequest | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        poll_cost: float | None = None,
        batch: str | None = None,
        key: str | None = None,
        scope: str = "",
        metadata: Mapping[str, Any] | None = None,
        retry: bool = False,
        retries: int = 0,
        priority: Literal["interactive", "batch"] | int | None = None,
        at_most: AtMost | None = None,
    ) -> Job: ...
    @overload
    async def submit(
        self,
        model: str,
        prompt: str | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        poll_cost: float | None = None,
        batch: str | None = None,
        key: str | None = None,
        scope: str = "",
        metadata: Mapping[str, Any] | None = None,
        retry: bool = False,
        retries: int = 0,
        priority: Literal["interactive", "batch"] | int | None = None,
        at_most: AtMost | None = None,
        **options: Any,
    ) -> Job: ...
    async def submit(
        self,
        model: str | TypedRequest,
        prompt: str | TypedRequest | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        poll_cost: float | None = None,
        batch: str | None = None,
        key: str | None = None,
        scope: str = "",
        metadata: Mapping[str, Any] | None = None,
        retry: bool = False,
        retries: int = 0,
        priority: Literal["interactive", "batch"] | int | None = None,
        at_most: AtMost | None = None,
        **options: Any,
    ) -> Job:
        """Submit one job and return as soon as the ledger has it; it is sent when the account's limits allow.

        If the caller is cancelled before it returns, the job is withdrawn and nothing is sent.

        Args:
            model: "connection/model", such as "luma/uni-1"; or a typed request, such as `LumaImage(prompt=…)`.
            prompt: what the image should show.
            connection: the connection for a typed request; by default the one with the provider's own name.
            timeout: the job's deadline in seconds after the provider accepted it, 0.001 to 30 days; by default the
                provider's for this kind of output.
            poll_cost: seconds of waiting that one request about this job is worth, 0.001 to 60; lower asks more
                often.  By default the session's, or the provider's.
            batch: your name for jobs that belong together; the ledger can be searched for it.
            key: your name for this job, 1 to 256 characters.  The same key of the same scope in the same ledger is the
                same job, in any process and after any crash: nothing is sent for it again, and its end is there at
                once if it has ended.  A key lives for a year after the end of its job, in memory as long as
                the store.
            scope: in which the key counts, such as the user or the tenant it belongs to.  Where jobs wait for their
                turn here, scopes take turns.
            metadata: your own JSON object, kept in the ledger beside the job.
            retry: if the job of this key has failed and trying again may help, or it was withdrawn or cancelled, make
                another attempt, which is charged for by itself.
            retries: further attempts after failures that trying again may help against, 0 to 5, with growing pauses
                (1 to 2 s, then up to 60 s).  Each is a job of its own in the ledger, and charged for by itself; the
                returned job shows the latest, ends as the last one does, and has all in `attempts`.  Never after a
                create that was refused, or whose answer did not come.  Under a key the attempts of all calls count.
            priority: which of the waiting jobs is sent first: "interactive" (7) for a user who waits, "batch" (3), or 0
                to 9; 5 by default.  Every eighth create is one of the lowest priority that waits.  It counts across all
                processes on one ledger.
            at_most: limits of the unfinished jobs of this scope, and of the whole ledger, across all processes.  They
                are checked when the job is submitted; a job that the key belongs to already is returned all the same.
            options: the provider's own parameters; an unknown one is refused, unless it is inside `extra={…}`.

        Raises:
            InputError: the input is not valid, or a local file cannot be read; nothing was sent.  `UnknownParameter`:
                the provider or the model has no such parameter.  `KeyReused`: the key belongs to another request.
            TooManyJobs: as many jobs are unfinished as `at_most` allows; nothing was sent.
            BudgetReached: the job costs more than the session's whole budget, or its cost is not known.  A job that
                only does not fit now ends in this error when its turn comes.
            ConfigurationError: there is no such connection.
            StoreError: the ledger could not be written; nothing was sent.
        """
        parts = self._open()
        await self._load(connection or (model.partition("/")[0].strip() if isinstance(model, str) else None))
        check_names(options, key, scope, metadata, retry=retry)
        check_bound(at_most)
        rank = rank_of(priority)
        provider, request = self.connections.request(model, prompt, connection, options)
        JobOptions(timeout=timeout, poll_cost=poll_cost, retries=retries)
        await self._step(parts)
        prepared = await parts.submitting.prepare(provider, request, is_keyed=key is not None)
        terms = JobTerms(
            timeout=timeout,
            poll_cost=poll_cost,
            batch=batch,
            key=key,
            scope=scope,
            metadata=metadata,
            retry=retry,
            retries=retries,
            rank=rank,
            at_most=at_most,
        )
        return await parts.submitting.take_in(prepared, terms)

    @overload
    async def generate(
        self,
        model: str | TypedRequest,
        prompt: TypedRequest | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        poll_cost: float | None = None,
        batch: str | None = None,
        key: str | None = None,
        scope: str = "",
        metadata: Mapping[str, Any] | None = None,
        retry: bool = False,
        retries: int = 0,
        priority: Literal["interactive", "batch"] | int | None = None,
        at_most: AtMost | None = None,
    ) -> Generation: ...
    @overload
    async def generate(
        self,
        model: str,
        prompt: str | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        poll_cost: float | None = None,
        batch: str | None = None,
        key: str | None = None,
        scope: str = "",
        metadata: Mapping[str, Any] | None = None,
        retry: bool = False,
        retries: int = 0,
        priority: Literal["interactive", "batch"] | int | None = None,
        at_most: AtMost | None = None,
        **options: Any,
    ) -> Generation: ...
    async def generate(
        self,
        model: str | TypedRequest,
        prompt: str | TypedRequest | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        poll_cost: float | None = None,
        batch: str | None = None,
        key: str | None = None,
        scope: str = "",
        metadata: Mapping[str, Any] | None = None,
        retry: bool = False,
        retries: int = 0,
        priority: Literal["interactive", "batch"] | int | None = None,
        at_most: AtMost | None = None,
        **options: Any,
    ) -> Generation:
        """Submit one job and wait for its end.

        The arguments are those of `submit`.  If the caller is cancelled meanwhile, the job goes on and is followed
        until the session is left; further `retries` are not made then.

        Raises:
            AiogenError: what `submit` raises, or awaiting the job; see `Job.result`.
        """
        submit = cast(Callable[..., Awaitable[Job]], self.submit)  # which refuses what does not fit together
        job = await submit(
            model,
            prompt,
            connection=connection,
            timeout=timeout,
            poll_cost=poll_cost,
            batch=batch,
            key=key,
            scope=scope,
            metadata=metadata,
            retry=retry,
            retries=retries,
            priority=priority,
            at_most=at_most,
            **options,
        )
        try:
            return await job
        except asyncio.CancelledError:
            if job._attempts is not None and retries:
                job._attempts.leave()
            raise

    async def retry(self, job_id: str | UUID) -> Job:
        """Another attempt of a job that has failed, or was withdrawn or cancelled: the same request, and a new charge.

        Args:
            job_id: our id, in full.

        Raises:
            InputError: the ledger does not know it, it has not failed, trying again would not help, or its request was
                not kept (`keep_requests=False`, or a completed one).
            ConfigurationError: it was submitted with a key that this session does not have.
            StoreError: the ledger cannot be read or written.
        """
        parts = self._open()
        await self._step(parts)
        await parts.hub.ledger.ready()
        record = await self._store.get(own_id(job_id))
        if record is None:
            raise InputError(f"There is no job {job_id} in the ledger.")
        known = await parts.registry.revivable(record)
        return await parts.keyed.again(record, lambda new_id: parts.registry.another_attempt(record, known, new_id))

    async def cancel(self, job_id: str | UUID, *, timeout: float = 30.0) -> Cancellation:
        """Stop a job of the ledger by our id, whichever process has it; see `Job.cancel`.

        What waits is withdrawn, and is not taken up for that.

        Args:
            job_id: our id, in full.
            timeout: seconds to wait for another process that follows it, 0.001 to 30 days.

        Raises:
            InputError: the ledger does not know it.
            CancelTimeout: another process follows it, and did not report in time whether it could cancel it.
            Unsupported: it was sent, and the provider has no call that cancels (Luma, Leonardo).
            SubmissionUnknown: it is not known whether it runs.
            APIError, NetworkError: the cancel could not be delivered; the job goes on.
            StoreError: the ledger cannot be read or written.
        """
        parts = self._open()
        await self._step(parts)
        what = await cancel_by_id(parts.hub, parts.registry, own_id(job_id), check_seconds(timeout, "timeout"))
        if what is None:
            raise InputError(f"There is no job {job_id} in the ledger.")
        return what
