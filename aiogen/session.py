"""The session: where a program begins.  It joins the parts and decides nothing."""

from __future__ import annotations

import asyncio
import builtins
import os
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast, overload
from uuid import UUID

import attrs

from aiogen._answers import snapshots
from aiogen._answers.asked import check_key
from aiogen._batch import marks
from aiogen._batch.batch import Batch, BatchTerms, Workshop
from aiogen._batch.choice import Where
from aiogen._batch.cleanup import Bounds, Cleanup
from aiogen._batch.loose import LooseRun
from aiogen._batch.moving import Place, check_can, move
from aiogen._batch.run import Result
from aiogen._batch.spending import Spending, cost_of
from aiogen._batch.templates import DEFAULT as DEFAULT_TEMPLATE
from aiogen._batch.templates import Template
from aiogen._checkpoint import Checkpoint
from aiogen._checks import check_given_id, check_number, check_seconds, own_id
from aiogen._clock import Clock
from aiogen._engine.coordinator import Coordinator
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs import records
from aiogen._jobs.calls import Calls
from aiogen._jobs.cancel import cancel, cancel_by_id
from aiogen._jobs.keyed import KeyedJobs
from aiogen._jobs.naming import check_bound, check_names, rank_of
from aiogen._jobs.outputs import Outputs
from aiogen._jobs.reconcile import Reconciler
from aiogen._jobs.records import Which
from aiogen._jobs.registry import Registry
from aiogen._jobs.requests import AnyRequest, each_cost
from aiogen._jobs.submitting import JobTerms, Submitting
from aiogen._jobs.wishes import Wishes
from aiogen._lifetime import Lifetime, Parts
from aiogen._options import CallOptions, DownloadOptions, JobOptions, Limits, RequestOptions
from aiogen._wording import lines
from aiogen.catalogue import ModelInfo
from aiogen.costs import Costs
from aiogen.errors import AiogenError, InputError, StoreError
from aiogen.models import AccountInfo, Cancellation, Cost, Generation, State, UnknownJob
from aiogen.providers.base import Provider, TypedRequest
from aiogen.providers.connections import Connections
from aiogen.stores.base import AtMost, Forgotten, Page, Record, RecordQuery, Store
from aiogen.stores.budget import Amount, Amounts, Budget
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    import aiohttp
    from PIL import Image


class Session:
    """Talks to every configured provider, and follows all of its jobs together.

    Use it with `async with`.  One session serves a whole program, however many jobs it runs.
    It belongs to the process and the event loop in which it is first used; from anywhere else every call raises
    `InputError`, which says what to do instead.
    `session.connections` holds its providers by their names.
    """

    def __init__(
        self,
        providers: Sequence[Provider] | None = None,
        *,
        client_session: aiohttp.ClientSession | None = None,
        download_session: aiohttp.ClientSession | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        take_up: bool = True,
        allow_insecure: bool = False,
        poll_cost: float | None = None,
        max_in_flight: int = 48,
        read_attempts: int = 5,
        handler_timeout: float = 60.0,
        queue_timeout: float = 86_400.0,
        unreachable_timeout: float = 60.0,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        submit_timeout: float = 120.0,
        max_answer_bytes: int = 16 * 1024 * 1024,
        max_download_bytes: int = 512 * 1024 * 1024,
        max_downloads: int = 8,
        download_timeout: float = 3600.0,
        call_timeout: float = 300.0,
        budget: Amounts | None = None,
        per: Literal["hour", "day", "month"] | None = None,
        assume_cost: Amount | Cost | None = None,
    ) -> None:
        """Nothing is opened and nothing is sent yet.

        Args:
            providers: the connections; by default each provider whose key is in the environment, and those that need no
                key once they are named.
            client_session: yours, whose connector, proxy, `trust_env` and trace configs are used for everything, and
                which is not closed; its headers, auth, cookies, base_url and timeouts are not.  By default the session
                opens its own, and goes through HTTP_PROXY and HTTPS_PROXY, but for NO_PROXY and this machine.  A create
                asks your connector for a connection of its own, beyond its `limit_per_host`; if the connector gives it
                a used one all the same, and that one is lost, whether the job runs is unknown.
            download_session: yours, for the files alone, used alike; by default `client_session`.
            store: the ledger of jobs: a path for a file that survives crashes, or a store; by default in memory.
            take_up: go on with unfinished jobs that the ledger holds and nobody owns; see `resume`.
            allow_insecure: allow plain http to other machines, for providers taken from the environment.
            poll_cost: seconds of waiting that one request is worth, 0.001 to 60; by default the provider's, 0.15 for
                most.  Lower asks more often; `submit`, `generate`, `attach` and `wait_many` take one of their own.
            max_in_flight: requests under way at once per account, 1 to 1000.
            read_attempts: how often a read is tried in all, 1 to 20.  Creates are never repeated unless they surely
                were not carried out.
            handler_timeout: seconds that a handler of `on_completion` may take; then it counts as failed.
            queue_timeout: seconds that a job may wait here for its turn.
            unreachable_timeout: seconds after which waiting creates give up on a provider that cannot be reached.
            connect_timeout: seconds for one connection: name lookup, TCP and TLS.
            read_timeout: seconds for one read, to its last byte.
            submit_timeout: seconds for one create.
            max_answer_bytes: an API answer larger than this is not read; 1,024 bytes to 1 TiB.
            max_download_bytes: an output larger than this is not downloaded; 1 byte to 1 PiB.
            max_downloads: downloads under way at once, 1 to 100.
            download_timeout: seconds for one output, all attempts together.
            call_timeout: seconds for `get`, a page of `list`, `delete` or `account`, all attempts together.
            budget: what may be spent: a number of dollars, a `Cost`, or amounts by unit (`{"CREDITS": 500}`), 0 to
                10,000,000.  Beyond it no create is sent, and the job ends in `BudgetReached`.  It counts what all
                sessions on the same ledger have sent, with a budget or without, in all scopes; several processes with
                the same budget keep to one.
            per: the period in which that counts: the last hour, day (24 hours) or month (30 days), by the ledger's
                clock; None for all that the ledger has ever sent.
            assume_cost: what a job counts whose cost nobody knows beforehand, or knows in no unit of the budget, until
                the vendor quotes it: a number or a `Cost`.  Without it such a job is refused under a budget.

        Every timeout is from 0.001 seconds to 30 days.

        Raises:
            ConfigurationError: two connections have one name, a provider cannot be configured, or what was passed as a
                `ClientSession` is none.
            InputError: a number is out of its range, or `per` and `assume_cost` do not fit the budget.
        """
        self._budget = Budget.of(budget, per, assume_cost)
        self._limits = Limits(
            max_in_flight=max_in_flight,
            queue_timeout=queue_timeout,
            unreachable_timeout=unreachable_timeout,
            handler_timeout=handler_timeout,
        )
        self._request_options = RequestOptions(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            submit_timeout=submit_timeout,
            max_answer_bytes=max_answer_bytes,
            read_attempts=read_attempts,
        )
        self._download_options = DownloadOptions(
            max_download_bytes=max_download_bytes, max_downloads=max_downloads, download_timeout=download_timeout
        )
        self._call_options = CallOptions(call_timeout=call_timeout, poll_cost=poll_cost)
        # Here, not above: aiohttp is two thirds of the time that `import aiogen` would take.
        from aiogen._transfer.sessions import check_session

        for argument, given in (("client_session", client_session), ("download_session", download_session)):
            if given is not None:
                check_session(given, argument)
        self.connections: Connections = Connections(providers, allow_insecure=allow_insecure)
        """The configured providers by connection name."""
        self._client_session = client_session
        self._download_session = download_session
        self._store = _store(store)
        self._is_memory_by_default = store is None
        self._take_up_jobs = take_up
        self._lifetime = Lifetime(self._store)

    async def __aenter__(self) -> Self:
        parts = self._open()
        try:
            await parts.hub.ledger.ready()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except InputError:
            if error is None:  # else what is on its way already says more
                raise

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if (lifetime := getattr(self, "_lifetime", None)) is not None and lifetime.is_forgotten:
            _warn(
                "A session was never closed. Its creates in flight end as unknown, and its jobs are no longer "
                "followed; use: async with aiogen.Session(...) as session: ...",
                ResourceWarning,
                source=self,
            )

    async def close(self) -> None:
        """Wait for handlers and for creates in flight, then stop following; `async with` does it by itself.

        Handlers of `on_completion` are called for what has ended by now; until they are done nothing new is created,
        and calls such as `download` work.  Every job that is still awaited ends in `SessionClosed`, which says how to
        take it up again.

        A handler may call it, too: it then returns when all the rest is done, and the handler's own end is the last
        that the session waits for.

        Raises:
            InputError: the session belongs to another event loop or process than this one.
        """
        await self._lifetime.close()

    def __repr__(self) -> str:
        standing = [self._lifetime.standing(), *map(": ".join, self._lifetime.windows())]
        return f"<Session [{', '.join(self.connections)}] {'; '.join(standing)}>"

    def describe(self) -> str:
        """Its connections, how many jobs are in which state, what each account allows now, for people."""
        rows = [("jobs", self._lifetime.standing()), ("store", repr(self._store)), *self._lifetime.windows()]
        return f"{lines('Session:', rows)}\n{self.connections.describe()}"

    @property
    def store(self) -> Store:
        """The ledger of jobs."""
        return self._store

    # --- connections

    def add_connection(self, provider: Provider) -> None:
        """One more connection, from now on; jobs of its account that nobody follows are taken up like all others.

        Raises:
            ConfigurationError: there is one of that name, or it is no provider.
        """
        self._lifetime.binding.check()
        self.connections.add(provider)

    def remove_connection(self, name: str) -> None:
        """One connection less: nothing more can be submitted to it, or asked through it.

        Raises:
            ConfigurationError: there is none of that name.
            InputError: jobs of it have not ended yet.
        """
        self._lifetime.binding.check()
        provider = self.connections.find(name)
        running = sum(job.connection == provider.name for job in self.jobs())
        if running:
            raise InputError(
                f"The connection {name!r} has {running} jobs that have not ended: wait for them, or withdraw or cancel "
                "them first."
            )
        self.connections.remove(name)

    # --- submitting

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
        """Take one job in and return at once; it is sent when the account's window gives it a turn.

        If the caller is cancelled before it returns, the job is withdrawn and nothing is sent.

        Args:
            model: "connection/model", such as "luma/uni-1"; or a typed request, such as `LumaImage(prompt=…)`.
            prompt: what the image should show.
            connection: the connection for a typed request; by default the one with the provider's own name.
            timeout: the job's deadline, seconds after the provider accepted it; by default by provider and kind.
            poll_cost: seconds of waiting that one request about this job is worth, 0.001 to 60; lower asks more
                often.  By default the session's, or the provider's.
            batch: your word for jobs that belong together; the ledger can be searched for it.
            key: your name for this job, 1 to 256 characters.  The same key of the same scope in the same ledger is the
                same job, in whatever process and after whatever crash: nothing is sent for it again, and its end is
                there at once if it has ended.  A key lives for a year after the end of its job, in memory as long as
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
            priority: which of the jobs that wait here is sent first: "interactive" (7) for somebody who waits in
                person, "batch" (3), or 0 to 9; 5 by default.  Every eighth create is one of the lowest priority that
                waits.  Over all processes on one ledger.
            at_most: bounds on the unfinished jobs of this scope, and of the whole ledger, over all processes.  They
                count when the job is taken in; the job that a key stands for already is returned all the same.
            options: the provider's own parameters; those that aiogen does not know are passed on.

        Raises:
            InputError: the input cannot be right, or a local file cannot be read; nothing was sent.  `KeyReused`: the
                key stands for another request.
            TooManyJobs: as many jobs are unfinished as `at_most` allows; nothing was sent.
            BudgetReached: the job costs more than the session's whole budget, or nobody knows its cost.  One that only
                does not fit now ends in it when its turn has come.
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
        """Submit one job and wait for its end: takes what `submit` takes, raises what awaiting the job raises.

        If the caller is cancelled meanwhile, the job goes on and is followed until the session is left; `retries` are
        not made for this caller any more.
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

    def run(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        *,
        out: str | os.PathLike[str] | None = None,
        template: str = DEFAULT_TEMPLATE,
        ahead: int = 1000,
        stop_at_first_failure: bool = False,
        retries: int = 0,
        batch: str | None = None,
        scope: str = "",
        timeout: float | None = None,
        poll_cost: float | None = None,
        priority: Literal["interactive", "batch"] | int | None = None,
    ) -> AsyncIterator[Result[Any]]:
        """What came of each request, as the jobs end: `async for result in session.run(requests)`.

        It never raises for one of them: `result.ok` says whether there is a picture, `result.error` why not.  Requests
        are read as there is room for them, so there may be any number.  Leaving the loop stops nothing that was sent.

        Args:
            requests: typed requests, `("luma/uni-1", "a boat")`, perhaps with a mapping of parameters as third, or
                `{"model": "luma/uni-1", "prompt": "a boat", …}`; one with an `id` has that as key (see `submit`).
            out: a folder, in which every output is saved before its result comes: `result.files`.
            template: of the files' names: `{index}` (from 1), `{key}`, `{id}` (the vendor's), `{n}` (of the output,
                from 0), `{model}`, `{connection}`, ending with `.{ext}`; a slash makes folders.
            ahead: how many may be on their way at once, 1 to 100,000; one account sends as its limits allow.
            stop_at_first_failure: then nothing more is sent, and what waits is withdrawn; what runs still comes.
            retries: as `submit` takes it, of each.
            batch: as `submit` takes it; see also `batch`, which can be run again.
            scope: as `submit` takes it.
            timeout: as `submit` takes it.
            poll_cost: as `submit` takes it.
            priority: as `submit` takes it.

        Raises:
            InputError: an option cannot be right.
        """
        terms = self._terms(
            timeout=timeout, poll_cost=poll_cost, batch=batch, scope=scope, retries=retries, priority=priority
        )
        names = Template.of(template)
        check_number(ahead, "ahead", 1, 100_000)
        return self._run(requests, terms, Path(out) if out is not None else None, names, ahead, stop_at_first_failure)

    async def _run(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        terms: JobTerms,
        out: Path | None,
        template: Template,
        ahead: int,
        stops: bool,
    ) -> AsyncIterator[Result[Any]]:
        parts = self._open()
        loose = LooseRun(self._workshop(parts), terms, out, template, ahead=ahead, stop_at_first_failure=stops)
        async for result in loose.results(requests):
            yield result

    def batch(
        self,
        name: str,
        requests: Iterable[Any],
        *,
        out: str | os.PathLike[str] | None = None,
        template: str = DEFAULT_TEMPLATE,
        retry_failed: int = 0,
        redo_changed: bool = False,
        max_cost: Cost | Decimal | float | None = None,
        assume_cost: Cost | Decimal | float | None = None,
        pace: float | None = None,
        ahead: int = 1000,
        stop_at_first_failure: bool = False,
        scope: str = "",
        timeout: float | None = None,
        poll_cost: float | None = None,
        priority: Literal["interactive", "batch"] | int | None = "batch",
    ) -> Batch:
        """Requests that belong together under one name: `async for result in session.batch("night1", rows)`.

        Run it again, longer, in another order or after a crash, and it pays only for what is new: each row has a key,
        its own `id`, else its content and how often that came before.  Rows that have completed or run stay; failed
        ones stay unless `retry_failed`; unknown ones are never repeated.  Results come as from `run`, and with `out`
        a line for each row in `results.jsonl` beside the pictures.

        Args:
            name: in the ledger, 1 to 55 characters.
            requests: as `run` takes them, or the rows of a file (`aiogen.batch.Rows`).  What can be gone through again
                is checked as a whole before anything is sent.
            out: as `run` takes it.
            template: as `run` takes it; it may also name the columns of the rows that begin with `_`.
            retry_failed: how often a row that has failed is tried again, 0 to 5; each time is charged for by itself.
            redo_changed: make another job for a row whose content has changed under its `id`; else that is an error.
            max_cost: dollars, or a `Cost`: nothing more is made when what was quoted, what is expected of what is on
                its way, and jobs of which nobody knows whether they run, would pass it.  What is on its way goes on,
                and may pass it.
            assume_cost: what to count for a job whose price nobody knows beforehand (most models of Leonardo).
            pace: new jobs in a minute, 0.01 to 100,000, where that is to be less than the limits allow.
            ahead: as `run` takes it.
            stop_at_first_failure: as `run` takes it.
            scope: as `submit` takes it.
            timeout: as `submit` takes it.
            poll_cost: as `submit` takes it.
            priority: as `submit` takes it; a batch gives way to what people wait for.

        Raises:
            InputError: an option cannot be right, or the ledger is in memory, where a batch could not be run again;
                `Session(store=":memory:")` says that this is meant.
        """
        if self._is_memory_by_default:
            raise InputError(
                'A batch needs a ledger to be run again without paying twice: Session(store="aiogen.db"). If it need '
                'not survive this process, say so: Session(store=":memory:").'
            )
        if type(retry_failed) is not int or not 0 <= retry_failed <= 5:
            raise InputError(f"retry_failed has to be a whole number from 0 to 5, not {retry_failed!r}.")
        check_number(ahead, "ahead", 1, 100_000)
        terms = self._terms(timeout=timeout, poll_cost=poll_cost, batch=name, scope=scope, priority=priority)
        given = BatchTerms(
            terms=terms,
            retry_failed=retry_failed,
            redo_changed=redo_changed,
            out=Path(out) if out is not None else None,
            template=Template.of(template),
            ahead=ahead,
            stop_at_first_failure=stop_at_first_failure,
            pace=check_number(pace, "pace", 0.01, 100_000) if pace is not None else None,
        )
        spending = Spending(cost_of(max_cost, "max_cost"), cost_of(assume_cost, "assume_cost"))
        return Batch(name, requests, given, spending, self._workshop(self._open()))

    def _terms(self, *, scope: str, priority: Any, **more: Any) -> JobTerms:
        check_names({}, None, scope, None, retry=False)
        JobOptions(timeout=more["timeout"], poll_cost=more["poll_cost"], retries=more.get("retries", 0))
        return JobTerms(scope=scope, rank=rank_of(priority), **more)

    def _workshop(self, parts: Parts) -> Workshop:
        return Workshop(parts.hub, parts.submitting, parts.registry, parts.outputs)

    async def retry(self, job_id: str | UUID) -> Job:
        """Another attempt of a job that has failed, or was withdrawn or cancelled: the same request, charged anew.

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
            job_id: our id of it.
            timeout: seconds to wait for another process that follows it, 0.001 to 30 days.

        Raises:
            InputError: the ledger does not know it.
            CancelTimeout: another process follows it, and did not say in time whether it could cancel it.
            Unsupported: it was sent, and the provider has no call that cancels (Luma, Leonardo).
            SubmissionUnknown: whether it runs cannot be known.
        """
        parts = self._open()
        await self._step(parts)
        what = await cancel_by_id(parts.hub, parts.registry, own_id(job_id), check_seconds(timeout, "timeout"))
        if what is None:
            raise InputError(f"There is no job {job_id} in the ledger.")
        return what

    # --- following

    async def attach(
        self, connection: str, provider_id: str | UUID, *, timeout: float | None = None, poll_cost: float | None = None
    ) -> Job:
        """Follow a generation that was made elsewhere, or before; `timeout` counts from now, 600 s by default.

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
        provider = await self._find(connection)
        return await self._open().wishes.wake(provider, check_given_id(provider_id))

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

    async def records(
        self, *, limit: int = 1000, after: str | None = None, with_request: bool = False, **which: Unpack[Which]
    ) -> builtins.list[Record]:
        """What the ledger says of jobs, the newest first: also of those that are over, and of other processes.

        Args:
            limit: at most this number, 1 to 1,000,000.
            after: only those behind this one, the `cursor` of a record.
            with_request: read what was sent, too, which may be megabytes for each; see `Record.submission`.
            which: all of these have to hold: `states` (one of these), `batch`, `connection`, `scope`, `key`, `prompt`
                (as it was sent; it contains this, in upper or lower case), `metadata` (it has each of these names, with
                this value), `created_after` and `created_before` (when it was taken in; with a time zone).

        Raises:
            InputError: a moment has no time zone, the limit is out of its range, or something else cannot be meant.
            StoreError: the ledger cannot be read.
        """
        query = attrs.evolve(records.query_of(which), limit=limit, after=after, with_request=with_request)
        await self._open().hub.ledger.ready()
        return await self._store.find(query)

    async def page(self, *, limit: int = 50, after: str | None = None, **which: Unpack[Which]) -> Page:
        """The same, one page at a time: its `records`, and `next`, which gives the next page as `after`.

        Pages stay as they are while jobs come in: what is new stands before the first.

        Args:
            limit: records on a page, at most, 1 to 10,000.
            after: `next` of the page before.
            which: as `records` takes it, the same for each page.

        Raises:
            InputError: `after` is no cursor, or as for `records`.
            StoreError: the ledger cannot be read.
        """
        query = attrs.evolve(records.query_of(which), after=after)
        await self._open().hub.ledger.ready()
        return await records.page(self._store, query, limit)

    async def count(self, **which: Unpack[Which]) -> Mapping[State, int]:
        """How many jobs the ledger knows, by state; a state that none is in is left out.

        Args:
            which: as `records` takes it; by default all.

        Raises:
            InputError: as for `records`.
            StoreError: the ledger cannot be read.
        """
        query = records.query_of(which)
        await self._open().hub.ledger.ready()
        return await self._store.count(query)

    async def reconcile(
        self,
        *job_ids: str | UUID,
        batch: str | None = None,
        connection: str | None = None,
        look_through: int = 1000,
    ) -> builtins.list[UnknownJob]:
        """The jobs whose create was never answered, each with what it could be at the provider, and what helps.

        Nothing is changed.  Where the provider can list (Leonardo), it names generations that are not in the
        ledger and whose prompt, parameters and time fit.

        Args:
            job_ids: only these; by default all that are unknown.
            batch: only those of this batch.
            connection: only those of this connection.
            look_through: at most this number of generations of a list is read, 1 to 100,000.

        Raises:
            StoreError: the ledger cannot be read.
        """
        check_number(look_through, "look_through", 1, 100_000)
        parts = self._open()
        await parts.hub.ledger.ready()
        query = RecordQuery(
            states=[State.UNKNOWN],
            ids=[own_id(i) for i in job_ids] or None,
            batch=batch,
            connection=connection,
            limit=100_000,
            with_request=True,  # for what is compared with the provider's list
        )
        return await parts.reconciler.look(await self._store.find(query), look_through)

    async def adopt(self, job_id: str | UUID, provider_id: str | UUID) -> Job:
        """You say that an unknown job is this generation at the provider: from now on it is followed as that.

        Args:
            job_id: ours.
            provider_id: the vendor's; read once before anything is changed.

        Raises:
            InputError: the job is not unknown, or the ledger has that generation already.
            ConfigurationError: the session has no key for it.
            NotFound: the provider does not know that generation.
            StoreError: the ledger cannot be read or written.
        """
        parts = self._open()
        provider_id = check_given_id(provider_id)
        await parts.hub.ledger.ready()
        return await parts.reconciler.adopt(own_id(job_id), provider_id)

    async def resend(self, job_id: str | UUID) -> Job:
        """You say that an unknown job is to be sent again.  If the first did arrive, both are charged.

        Raises:
            InputError: the job is not unknown, or its request was not kept.
            ConfigurationError: the session has no key for it.
            StoreError: the ledger cannot be read or written; nothing was sent.
        """
        parts = self._open()
        await parts.hub.ledger.ready()
        return await parts.reconciler.resend(own_id(job_id))

    async def forget(self, *job_ids: str | UUID, **which: Unpack[Which]) -> Forgotten:
        """Remove jobs that are over, or unknown, from the ledger; how many were.  At the provider nothing changes.

        Nothing of them stays but what they have cost in sum (see `spent`), so a key that is forgotten stands for a new
        job the next time, which is paid for.  The number's `running` says how many stayed because they are not over:
        cancel them, or wait, and call it again.

        Args:
            job_ids: ours.
            which: instead of ids, as `records` takes it: `scope="ann"` is everything of ann's.  With nothing at all,
                nothing is removed.

        Raises:
            InputError: both ids and something else are given, or as for `records`.
            StoreError: the ledger cannot be written.
        """
        query, ids = records.query_of(which), [own_id(i) for i in job_ids]
        if ids and records.chooses(which):
            raise InputError("Jobs to forget are named by their ids, or by what they have in common: not by both.")
        await self._open().hub.ledger.ready()
        return await self._store.forget(query if records.chooses(which) else ids)

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
        """Wait for generations made elsewhere; the results stand in the order of the ids.

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

    # --- single calls

    async def get(self, connection: str, provider_id: str | UUID) -> Generation:
        """Read a generation once, as it stands now; a failed one is returned, not raised.

        Raises:
            NotFound: the provider does not know it.
            InputError: the id is empty or cannot be an id.
        """
        provider = await self._find(connection)
        return await self._open().calls.get(provider, check_given_id(provider_id))

    async def list(
        self, connection: str, *, user_id: str | UUID | None = None, limit: int | None = None
    ) -> AsyncIterator[Generation]:
        """The user's generations, page by page, in the provider's order (Leonardo: newest first, undocumented).

        Each one that was there at the start comes once, also while they are being deleted, here or elsewhere, and new
        ones made.  A row that cannot be read is left out with a warning in the log.

        Args:
            connection: one whose provider can list (Leonardo; Luma has no such call).
            user_id: whose; by default the owner of the key, who is looked up once.
            limit: stop after this number; by default after the last.

        Raises:
            Unsupported: the provider has no such call.
            ProtocolError: no row of the first page can be read, or the list moves so fast that what it holds cannot be
                known.
        """
        provider = await self._find(connection)
        if user_id is not None:
            user_id = check_given_id(user_id, "User")
        if limit is not None:
            check_number(limit, "limit", 1, 1_000_000)
        parts = self._open()
        count = 0
        async with aclosing(parts.calls.pages(provider, user_id)) as pages:
            async for page in pages:
                for snapshot in page:
                    yield snapshots.looked_up(provider, snapshot, at=parts.clock.datetime())
                    count += 1
                    if count == limit:
                        return

    async def delete(self, connection: str, provider_id: str | UUID, *, missing_ok: bool = False) -> bool:
        """Delete a generation at the provider, with its images; True if it was there.

        This is no cancel: whether it stops a running generation is not documented.

        Raises:
            NotFound: it is not there (any more), unless `missing_ok`.
            Unsupported: the provider has no such call (Luma).
        """
        provider = await self._find(connection)
        return await self._open().calls.delete(provider, check_given_id(provider_id), missing_ok=missing_ok)

    def cleanup(
        self,
        connection: str,
        where: Where,
        *,
        dry_run: bool = True,
        limit: int | None = None,
        max_delete: int = 100,
        stop_at_first_failure: bool = False,
        audit: str | os.PathLike[str] | None = None,
        save_first: str | os.PathLike[str] | None = None,
        pace: float | None = None,
    ) -> Cleanup:
        """Delete the generations at a provider that match, one after the other, the oldest first.

        Nothing is asked before the returned object is used: `async for` gives a `Cleaned` for each generation as it is
        dealt with, `await` deals with all of them, and `find` says which they would be.  The list is read to its end
        before anything is deleted.  What runs is never deleted.  One that is gone already is a success, so a clean-up
        that was interrupted is simply made once more.

        Args:
            connection: one whose provider can list and delete (Leonardo; Luma can do neither).
            where: which; all that it says has to hold.
            dry_run: only say what matches; to delete, pass False.
            limit: at most this number is dealt with, 1 to 1,000,000; the others stay.
            max_delete: if more than this number would be deleted, none is, 1 to 1,000,000: a filter that means more
                than was thought costs nothing.
            stop_at_first_failure: by default one that cannot be deleted keeps none of the others, except where the key
                does not work.
            audit: a file that gets a line of JSON before and after each deletion; the one before is on the disk before
                anything is sent.
            save_first: a folder; each is deleted only once everything that the provider has of it is on the disk there,
                as with `download(…, then_delete=True)`.
            pace: deletions a minute, at most, 0.01 to 100,000; by default as the account's limits allow.

        Raises:
            InputError: a number is out of its range.  When it is used: more than `max_delete` match, the ledger does
                not know the account (`not_in_ledger`), or nothing can be written to `audit` or `save_first`.
            Unsupported: when it is used: the provider cannot list or delete.
            AuthenticationError: when it is used: the key does not work.
            StoreError: when it is used: the ledger cannot be read (`marked`, `not_in_ledger`).
        """
        bounds = Bounds(
            dry_run=dry_run,
            limit=limit,
            max_delete=max_delete,
            stop_at_first_failure=stop_at_first_failure,
            audit=audit,
            save_first=save_first,
            pace=pace,
        )
        return Cleanup(where, bounds, partial(self._place, connection, lists=True))

    async def mark(self, *ids: str | UUID, connection: str | None = None, marked: bool = True) -> int:
        """Mark generations for deletion, which `cleanup` with `Where(marked=True)` then deletes; how many were not yet.

        The ledger keeps the marks by the provider's ids until the generations are deleted, also of those that it does
        not know, and of jobs that it has forgotten.

        Args:
            ids: ours or the provider's, whole; all are checked before the first is marked.
            connection: whose ids those are that the ledger does not know.
            marked: False takes the marks away.

        Raises:
            InputError: the ledger does not know an id and no connection is named, the job has no id at the provider
                yet, or the id is at several.
            Unsupported: the provider deletes nothing (Luma).
            ConfigurationError: there is no such connection.
            StoreError: the ledger cannot be read or written.
        """
        provider = await self._find(connection) if connection is not None else None
        hub = self._open().hub
        await hub.ledger.ready()
        found = await marks.find(self._store, self.connections, [str(i) for i in ids], provider)
        changed = [await marks.change(self._store, account, each, marked=marked) for account, each in found.items()]
        return sum(changed)

    async def account(self, connection: str) -> AccountInfo:
        """Who the key belongs to, and what the session allows itself; the cheapest proof that a key works.

        Raises:
            AuthenticationError: the key does not work.
        """
        provider = await self._find(connection)
        return await self._open().calls.account(provider)

    async def models(self, connection: str) -> builtins.list[ModelInfo]:
        """The models of a connection, and what is known of each: its parameters, its price, how long it takes.

        How long it takes is what was learned here, if this session or one before it on the same ledger has used the
        model.  Slugs come and go: what is not listed may work all the same.

        Raises:
            Unsupported: the provider file has no list of models.
            AuthenticationError: the key does not work, where the vendor has to be asked.
        """
        provider = await self._find(connection)
        parts = self._open()
        found = await parts.calls.models(provider)
        with suppress(StoreError):  # then only what was learned is not known
            await parts.hub.ledger.ready()
        return [await parts.hub.learned.described(provider, info) for info in found]

    async def estimate(self, requests: AnyRequest | Iterable[AnyRequest]) -> Costs:
        """What requests would cost together, as far as anybody knows; nothing is made, and nothing charged.

        By the vendor's published prices (Luma), or by its own calculator (Leonardo's older models).  Requests whose
        price is not known before they are accepted (most models of Leonardo) are counted apart.

        Args:
            requests: one, or any number: each a typed request, `("luma/uni-1", "a boat")`, perhaps with a mapping of
                parameters as third, or `{"model": "luma/uni-1", "prompt": "a boat", …}`.

        Raises:
            InputError: a request cannot be right.
            ConfigurationError: there is no such connection.
        """
        parts = self._open()
        single = isinstance(requests, tuple | Mapping) or hasattr(requests, "references")
        each: Iterable[object] = [requests] if single else requests  # type: ignore[assignment]
        costs = each_cost(parts.hub, parts.calls, self.connections, each)
        return Costs.of([cost async for cost in costs])

    async def spent(
        self,
        since: datetime | timedelta | None = None,
        *,
        scope: str | None = None,
        batch: str | None = None,
        connection: str | None = None,
    ) -> Costs:
        """What was spent, by what the ledger knows: of all processes, whether the jobs are over or not.

        A job counts from when its create is sent: with its estimate, and then with what the vendor quotes.  What surely
        was not charged counts nothing: what was refused, and failures of which the vendor documents that they are
        refunded (`Generation.refunded`).  Of what is unknown nobody knows whether it was charged, so it counts.

        Jobs that are not in the ledger any more (`keep_finished`, `forget`) count where neither a scope nor a batch is
        asked for: what they have cost is kept, by minute and connection, and nothing else of them.

        Args:
            since: only what was sent after this moment (with a time zone), or within this time up to now, by the
                ledger's clock.
            scope: only jobs of this scope.
            batch: only jobs of this batch.
            connection: only jobs of this connection.

        Raises:
            InputError: the moment has no time zone.
            StoreError: the ledger cannot be read.
        """
        query = records.spent_since(since, RecordQuery(scope=scope, batch=batch, connection=connection))
        await self._open().hub.ledger.ready()
        return await self._store.costs(query)

    async def download(
        self,
        generation: Generation | Job,
        directory: str | os.PathLike[str] = ".",
        *,
        overwrite: bool = False,
        then_delete: bool = False,
        template: str | None = None,
    ) -> builtins.list[Path]:
        """Save every output of a generation as a file; returns the paths, in the order of the outputs.

        Names are `<connection>-<provider id>-<index>.<extension>`; very long ids are shortened.  `template` gives
        others: `"{connection}/{model}-{id}-{n}.{ext}"`, see `run`; `{key}` is the vendor's id here, too.  A file that is
        already there is kept, and nothing is fetched for it, unless `overwrite`; an empty one, or a link, is replaced.
        New files have the permissions that the process's umask leaves.

        A file gets its name only when it is whole: all bytes that were announced, of one and the same file, and for
        PNG, JPEG, WebP and GIF up to the end of the picture.  An expired url is asked for again at the provider, and a
        file that its storage does not have yet (403, 404, 409) is waited for up to 30 seconds.

        Files are fetched over https from public addresses.  Those of a provider whose `base_url` is on this machine or
        in a private network may be there as well.

        With `then_delete` the generation is deleted at the provider once every output that the provider has, also what
        the connection drops, is in a file with the bytes that the storage sends now, and synced to the disk.  A file
        with other bytes that is there is kept, and the output gets another name.  What cannot be saved, such as
        upscales of it, keeps it from being deleted.

        Raises:
            InputError: the generation is not completed, or a file is where the folder should be; `overwrite` and
                `then_delete` are both given.
            DownloadError: the bytes could not be had, or are not what they should be; `status` is the storage's.  With
                `then_delete`, nothing was deleted.
            Unsupported: `then_delete`, and the provider has no such call (Luma); nothing was saved either.
        """
        if then_delete:
            if overwrite:
                raise InputError("What is to be deleted writes over no file: give overwrite or then_delete, not both.")
            if template is not None:
                raise InputError("What is to be deleted is saved under names of aiogen's: give no template.")
            place = await self._place(generation.connection, lists=False)
            return await move(place, await _ended(generation), Path(directory))
        names = Template.of(template) if template is not None else None
        done = await _ended(generation)
        stem_of = partial(names.stem_of, done) if names is not None else None
        paths, _ = await self._open().outputs.download(
            generation, Path(directory), overwrite=overwrite, stem_of=stem_of
        )
        return paths

    async def save(
        self,
        generation: Generation | Job,
        path: str | os.PathLike[str],
        *,
        index: int | None = None,
        overwrite: bool = False,
    ) -> builtins.list[Path]:
        """Save the outputs of a generation under a name of yours; returns the paths, in the order of the outputs.

        One output becomes exactly that file, with its folders.  Of several the first gets the name, the others a number
        before the ending (`boat.png`, `boat-1.png`, …): all of them or, if one cannot be had, none.  The bytes are kept
        as they came: if they are of another kind than the name says, the name stays, a warning is logged, and
        `media_type` of the output tells.

        A folder, or a path string that ends with a slash, gets the files as from `download`.  Files are as whole as
        there, and come from where they do there.

        Args:
            generation: or a job, which is awaited first.
            path: of the file, or of the folder.
            index: only this output, from 0.
            overwrite: replace files that are there.  Without it a file that is there is an error, for it may be another
                picture (only a folder keeps it: names there have the id in them); empty files and links are replaced.

        Raises:
            InputError: the generation is not completed, has no such output, or something is there already.
            DownloadError: the bytes could not be had, or are not what they should be; `status` is the storage's.
        """
        paths, _ = await self._open().outputs.save(generation, path, index=index, overwrite=overwrite)
        return paths

    async def read(self, generation: Generation | Job, index: int = 0) -> bytes:
        """The bytes of one output, in memory and in no file; at most `max_download_bytes`.

        They are as whole as files from `download`, and come from where these do.

        Args:
            generation: or a job, which is awaited first.
            index: of the output, from 0.

        Raises:
            InputError: the generation is not completed, or has no such output.
            DownloadError: the bytes could not be had, or are not what they should be; `status` is the storage's.
        """
        return await self._open().outputs.read(generation, index)

    async def image(self, generation: Generation | Job, index: int = 0) -> Image.Image:
        """One output as a picture of Pillow's, decoded in a thread; needs the extra `images`.

        Args:
            generation: or a job, which is awaited first.
            index: of the output, from 0.

        Raises:
            ImportError: Pillow is not installed; nothing was fetched.
            InputError: the generation is not completed, or has no such output.
            DownloadError: the bytes could not be had; or they are no picture that Pillow reads here, or one of more
                pixels than `PIL.Image.MAX_IMAGE_PIXELS` (89 million).
        """
        return await self._open().outputs.image(generation, index)

    async def urls(self, generation: Generation | Job) -> builtins.list[str]:
        """Addresses of the outputs that work, for a browser or another program to fetch.

        If one has expired, or will within a minute, the provider is asked once for fresh ones; a job has them in
        its `generation` then.  Where neither the address nor the provider says when it expires, it is taken to work.
        It is empty for an output whose bytes the provider sent itself; see `read`.

        Args:
            generation: or a job, which is awaited first.

        Raises:
            InputError: the generation is not completed.
            DownloadError: no fresh ones could be had.
        """
        return await self._open().outputs.urls(generation)

    # --- inside

    async def _find(self, name: str) -> Provider:
        await self._load(name)
        return self.connections.find(name)

    async def _place(self, connection: str, *, lists: bool) -> Place:
        """Where generations are deleted, once it is known that they can be."""
        provider, parts = await self._find(connection), self._open()
        check_can(provider, lists=lists)
        return Place(provider=provider, hub=parts.hub, calls=parts.calls, outputs=parts.outputs)

    async def _load(self, name: object) -> None:
        await self._open().submitting.load(name)

    async def _step(self, parts: Parts) -> None:
        """Others have their turns before it; the session may be closed then."""
        await parts.checkpoint()
        self._open()

    def _accounts(self) -> set[str]:
        return {account for provider in self.connections.values() for account in provider.accounts}

    def _open(self) -> Parts:
        return self._lifetime.open(self._begin)

    @property
    def _parts(self) -> Parts | None:
        return self._lifetime.parts

    def _begin(self) -> Parts:
        from aiogen._transfer.download import Downloader
        from aiogen._transfer.transport import Transport

        clock = Clock()
        transport = Transport(
            clock,
            self._request_options,
            client_session=self._client_session,
            download_session=self._download_session,
        )
        downloader = Downloader(transport, self._download_options, attempts=self._request_options.read_attempts)
        hub = Hub(
            transport,
            self._store,
            clock,
            self._limits,
            accounts=self._accounts,
            take_up=lambda record: registry.take_up(record),
            takes_up_all=self._take_up_jobs,
            budget=self._budget,
        )
        self.connections.on_add = hub.connected
        calls = Calls(hub, call_timeout=self._call_options.call_timeout)
        outputs = Outputs(hub, calls, downloader, self.connections)
        binding, poll_cost = self._lifetime.binding, self._call_options.poll_cost
        registry = Registry(
            hub,
            self.connections,
            binding=binding,
            poll_cost=poll_cost,
            cancel=partial(cancel, hub, calls),
            outputs=outputs,
        )
        reconciler = Reconciler(hub, calls, registry)
        keyed = KeyedJobs(hub, registry)
        return Parts(
            Checkpoint(),
            clock,
            transport,
            hub,
            Coordinator(hub),
            calls,
            outputs,
            registry,
            keyed,
            Submitting(hub, self.connections, registry, keyed),
            reconciler,
            Wishes(hub, calls, registry),
        )


async def _ended(of: Generation | Job) -> Generation:
    return await of if isinstance(of, Job) else of


def _store(store: object) -> Store:
    if store is None or store == ":memory:":
        return MemoryStore()
    if isinstance(store, str | bytes | os.PathLike) or not hasattr(store, "intend"):
        return SqliteStore(store)  # type: ignore[arg-type]  # which says what is wrong with it
    return store  # type: ignore[return-value]
