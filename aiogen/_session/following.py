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
        """Follow a generation that another program, or an earlier run, has created; `timeout` counts from now, 600 s by
        default.

        Attaching twice to a running generation gives the same job, and one stream of questions; the latest `timeout`
        and the lowest `poll_cost` count.  One that the ledger knows keeps its id; if another process follows it, its
        end is read in the ledger.

        Raises:
            InputError: the id is empty or cannot be an id.
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
        """Somebody has heard that there is news of a generation (a webhook, a user): have it asked about soon.

        By this session, or by the process that follows it.  It only brings the next question forward, to one
        `poll_floor` after the one before, and what the account allows is kept; nothing else is believed.

        Args:
            connection: whose id it is.
            provider_id: the vendor's.

        Returns:
            False if nobody on this ledger follows it; then nothing was written.

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

        They were left behind by a session before this one, or by another process that died.  What was waiting is
        sent, what runs is followed; a job whose create was on its way ends in `SubmissionUnknown`.

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
        up to 12 times with growing pauses.  With a file as store this outlives the program: ends that came while nobody
        was there go to the next session that registers a handler under the same name.

        It is called in the order in which the ends were written, for up to 20 of them at the same time, so that one
        call which hangs holds up no other; each within `handler_timeout`.  It may close the session.

        Args:
            name: of the handler, the same in each program.
            handler: an async function; or a plain one, while which nothing else is done in this loop.

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

        It may be over, and it may be another process's: then its end is read in the ledger.

        Raises:
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
        """Every job that has not ended yet."""
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
            connection: whose ids they are.
            ids: the vendor's ids; every one is checked before the first request.
            timeout: seconds from now for each, 600 by default.
            poll_cost: seconds of waiting that one request about one of them is worth; by default the session's, or the
                provider's.
            return_exceptions: put errors among the results instead of raising the first.
        """
        checked = [check_given_id(i) for i in ([ids] if isinstance(ids, str | UUID) else ids)]
        await self._find(connection)
        jobs = [await self.attach(connection, i, timeout=timeout, poll_cost=poll_cost) for i in checked]
        async for job in self.as_completed(jobs):
            if job.error is not None and not return_exceptions:
                await job
        return [job.error or job.generation for job in jobs]

    async def as_completed(self, jobs: Iterable[Job]) -> AsyncIterator[Job]:
        """The jobs in the order in which they end, each ready to be awaited at once."""
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
