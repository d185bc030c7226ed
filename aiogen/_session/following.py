"""Jobs that run: found, taken up, waited for."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Literal, overload
from uuid import UUID

from aiogen._answers.asked import check_key
from aiogen._checkpoint import Checkpoint
from aiogen._checks import check_given_id, own_id
from aiogen._engine.job import Job
from aiogen._options import JobOptions
from aiogen._session.base import SessionBase
from aiogen.errors import AiogenError, InputError
from aiogen.models import Generation


class FollowingCalls(SessionBase):
    """Jobs that run: found, taken up, waited for."""

    async def attach(
        self, connection: str, provider_id: str | UUID, *, timeout: float | None = None, poll_cost: float | None = None
    ) -> Job:
        """Follow a generation that another program, or an earlier run, has created.

        Attaching twice to a running generation returns the same job, which is polled once for both; the latest
        `timeout` and the lowest `poll_cost` count.  One that the ledger knows keeps its id; if another process follows
        it, its end is read in the ledger.

        Args:
            connection: the connection that it was made over.
            provider_id: the vendor's id.
            timeout: seconds from now to its deadline, 0.001 to 30 days; 600 by default.
            poll_cost: seconds of waiting that one request about it is worth, 0.001 to 60; by default the session's, or
                the provider's.

        Raises:
            InputError: the id is empty or cannot be an id, or a number is out of its range.
            ConfigurationError: there is no such connection.
            StoreError: the ledger could not be read or written; `get` needs none.
        """
        provider = await self._find(connection)
        provider_id = check_given_id(provider_id)
        JobOptions(timeout=timeout, poll_cost=poll_cost)
        parts = self._open()
        await self._step(parts)
        return await parts.registry.attached(provider, provider_id, timeout, poll_cost)

    async def wake(self, connection: str, provider_id: str | UUID) -> bool:
        """There may be news of a generation, by a webhook or a user: have it polled soon.

        By this session, or by the process that follows it.  This only brings the next poll forward, to one `poll_floor`
        after the last one, within the account's limits; nothing else of the hint is trusted.

        Args:
            connection: the connection that it was made over.
            provider_id: the vendor's id.

        Returns:
            False if no process on this ledger follows it; then nothing was written.

        Raises:
            InputError: the id is empty or cannot be an id.
            ConfigurationError: there is no such connection.
            StoreError: the ledger could not be read or written.
        """
        return await self._wake(connection, provider_id)

    async def _wake(self, connection: str, provider_id: str | UUID, *, proved: bool = False) -> bool:
        """The same; `proved`: by a call of the vendor's whose secret or signature was right, see `Schedule.hint`."""
        provider = await self._find(connection)
        return await self._open().wishes.wake(provider, check_given_id(provider_id), proved=proved)

    async def resume(self) -> builtins.list[Job]:
        """The jobs that this session has taken up from its store, each once; await them like any others.

        They were left behind by an earlier session, or by another process that died.  What was waiting is sent, what
        runs is followed; a job whose create was in flight ends in `SubmissionUnknown`.

        Raises:
            StoreError: the ledger cannot be opened.
        """
        parts = self._open()
        await parts.hub.ledger.ready()
        return parts.registry.taken_up()

    async def on_completion(self, name: str, handler: Callable[[Generation], Awaitable[object] | None]) -> None:
        """Have a handler called at the end of every job that is submitted or attached from now on.

        It is called at least once per job, with the `Generation`, completed, failed or cancelled; `generation.id` is
        the same each time, so that a handler can see that it has done this already.  One that raises is called again,
        up to 12 times with growing pauses.  With a file or database as store this outlives the program: ends that came
        while no program ran go to the next session that registers a handler under the same name.

        It is called in the order in which the ends were written, for up to 20 of them at the same time, so that one
        call which hangs holds up no other; each within `handler_timeout`.  It may close the session.

        Args:
            name: the name of the handler, the same in each program.
            handler: an async function; or a plain one, which blocks the event loop while it runs.

        Raises:
            InputError: the name is empty.
            StoreError: the ledger cannot be opened.
        """
        if not name.strip():
            raise InputError("A handler needs a name: by it the ledger knows which ends it has had already.")
        hub = self._open().hub
        await hub.ledger.ready()
        hub.handlers.register(name, handler)

    async def job(self, job_id: str | UUID | None = None, *, key: str | None = None, scope: str = "") -> Job | None:
        """The job with our id, or the last attempt under a key; None if the ledger does not know it.

        It may have ended already, and another process may follow it: then its end is read in the ledger.

        Args:
            job_id: our id, in full.
            key: its key, instead of an id.
            scope: the scope of the key.

        Raises:
            InputError: neither an id nor a key is given, or both.
            StoreError: the ledger cannot be read.
            ConfigurationError: it belongs to an account that this session has no key for.
        """
        if (job_id is None) == (key is None):
            raise InputError("A job is named by its id or by its key: give one of them.")
        parts = self._open()
        await self._step(parts)
        if key is not None:
            return await parts.keyed.find(scope, check_key(key, "key"))
        return await parts.registry.find(own_id(job_id))

    def jobs(self) -> builtins.list[Job]:
        """Every job of this session that has not ended yet; `records` also has those of other processes."""
        return self._lifetime.jobs()

    @overload
    async def wait_many(
        self,
        connection: str,
        ids: Iterable[str | UUID],
        *,
        timeout: float | None = None,
        poll_cost: float | None = None,
        return_exceptions: Literal[False] = False,
    ) -> builtins.list[Generation]: ...
    @overload
    async def wait_many(
        self,
        connection: str,
        ids: Iterable[str | UUID],
        *,
        timeout: float | None = None,
        poll_cost: float | None = None,
        return_exceptions: bool,
    ) -> builtins.list[Generation | AiogenError]: ...
    async def wait_many(
        self,
        connection: str,
        ids: Iterable[str | UUID],
        *,
        timeout: float | None = None,
        poll_cost: float | None = None,
        return_exceptions: bool = False,
    ) -> builtins.list[Generation] | builtins.list[Generation | AiogenError]:
        """Attach generations by the vendor's ids and wait for them; the results are in the order of the ids.

        Args:
            connection: the connection that they were made over.
            ids: the vendor's ids; every one is checked before the first request.
            timeout: seconds from now to the deadline of each, 0.001 to 30 days; 600 by default.
            poll_cost: seconds of waiting that one request about one of them is worth, 0.001 to 60; by default the
                session's, or the provider's.
            return_exceptions: put errors among the results instead of raising the first.

        Raises:
            InputError: an id is empty or cannot be an id, or a number is out of its range.
            ConfigurationError: there is no such connection.
            StoreError: the ledger could not be read or written.
            AiogenError: the first error of one of them, as awaiting the job raises it; the others are still followed.
        """
        checked = [check_given_id(i) for i in ([ids] if isinstance(ids, str | UUID) else ids)]
        await self._find(connection)
        jobs = [await self.attach(connection, i, timeout=timeout, poll_cost=poll_cost) for i in checked]
        async for job in self.as_completed(jobs):
            if job.error is not None and not return_exceptions:
                await job
        return [job.error or job.generation for job in jobs]

    async def as_completed(self, jobs: Iterable[Job]) -> AsyncIterator[Job]:
        """The jobs in the order in which they end, each ready to be awaited at once.

        None raises here: awaiting a failed one does.

        Args:
            jobs: jobs of this session; one that is given twice comes once.

        Raises:
            InputError: the session belongs to another event loop or process than this one.
        """
        self._lifetime.binding.check()
        ended: asyncio.Queue[Job] = asyncio.Queue()
        put = ended.put_nowait
        waiting = list(dict.fromkeys(jobs))
        checkpoint = Checkpoint()
        for job in waiting:
            job._when_done(put)
        try:
            for _ in waiting:
                await checkpoint()  # those that have ended are not waited for
                yield await ended.get()
        finally:
            for job in waiting:
                job._forget(put)
