"""The session: where a program begins.  It joins the parts and decides nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from aiogen._checkpoint import Checkpoint
from aiogen._clock import Clock
from aiogen._engine.coordinator import Coordinator
from aiogen._engine.hub import Hub
from aiogen._jobs.calls import Calls
from aiogen._jobs.cancel import cancel
from aiogen._jobs.keyed import KeyedJobs
from aiogen._jobs.outputs import Outputs
from aiogen._jobs.reconcile import Reconciler
from aiogen._jobs.registry import Registry
from aiogen._jobs.submitting import Submitting
from aiogen._jobs.wishes import Wishes
from aiogen._lifetime import Lifetime, Parts
from aiogen._options import CallOptions, DownloadOptions, Limits, RequestOptions
from aiogen._session.batches import BatchCalls
from aiogen._session.following import FollowingCalls
from aiogen._session.ledger import LedgerCalls
from aiogen._session.outputs import OutputCalls
from aiogen._session.providers import ProviderCalls
from aiogen._session.submitting import SubmittingCalls
from aiogen._wording import lines
from aiogen.errors import InputError
from aiogen.models import Cost
from aiogen.providers.base import Provider
from aiogen.providers.connections import Connections
from aiogen.stores.base import Follows, Store
from aiogen.stores.budget import Amount, Amounts, Budget
from aiogen.stores.choosing import chosen

if TYPE_CHECKING:
    import aiohttp


class Session(SubmittingCalls, BatchCalls, FollowingCalls, LedgerCalls, ProviderCalls, OutputCalls):
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
        follow: bool = True,
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
            client_session: one of your own, whose connector, proxy, `trust_env` and trace configs are used for
                everything, and which is not closed; its headers, auth, cookies, base_url and timeouts are not used.  By
                default the session opens its own, and uses HTTP_PROXY, HTTPS_PROXY and NO_PROXY, but never a proxy for
                this machine.  A create asks your connector for a connection of its own, beyond its `limit_per_host`; if
                the connector gives it a used one all the same, and that one is lost, the job is unknown.
            download_session: the same for the files alone; by default `client_session`.
            store: the ledger of jobs: a path for a file that survives crashes, `postgresql://…` for a database that
                several machines share, or a store; by default in memory.
            take_up: continue unfinished jobs in the ledger that have no owner; see `resume`.
            follow: False for a session that submits jobs and waits for them, while others on its ledger send and
                follow them (`aiogen worker`, or a session that follows): it sends no create, polls no generation, and
                refuses the calls that would.  It needs the same connections with the same keys, because the ledger
                recognises accounts by these.
            allow_insecure: allow plain http to other machines, for providers taken from the environment.
            poll_cost: seconds of waiting that one request is worth, 0.001 to 60; by default the provider's, 0.15 for
                most.  Lower asks more often; `submit`, `generate`, `attach` and `wait_many` take one of their own.
            max_in_flight: the most concurrent requests per account, 1 to 1000.
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
            max_downloads: the most concurrent downloads, 1 to 100.
            download_timeout: seconds for one output, all attempts together.
            call_timeout: seconds for `get`, a page of `list`, `delete` or `account`, all attempts together.
            budget: what may be spent: a number of dollars, a `Cost`, or amounts by unit (`{"CREDITS": 500}`), 0 to
                10,000,000.  Beyond it no create is sent, and the job ends in `BudgetReached`.  It counts what all
                sessions on the same ledger have sent, with a budget or without, in all scopes; several processes with
                the same budget keep to one.
            per: the period of the budget: the last hour, day (24 hours) or month (30 days), by the ledger's clock; None
                for everything that was ever sent on the ledger.
            assume_cost: what a job counts whose cost is not known beforehand, or not in a unit of the budget, until the
                vendor quotes it: a number or a `Cost`.  Without it such a job is refused under a budget.

        Every timeout is from 0.001 seconds to 30 days.

        Raises:
            ConfigurationError: two connections have one name, a provider cannot be configured, or what was passed as a
                `ClientSession` is not one.
            InputError: a number is out of its range, `per` and `assume_cost` do not fit the budget, or `follow=False`
                with a ledger that no other process can see, or with a budget, which only sessions that send can keep.
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
        self._store = chosen(store)
        self._is_memory_by_default = store is None
        self._follows = _follows(self._store, follow=follow, take_up=take_up)
        if self._budget is not None and not follow:
            raise InputError(
                "A session that follows nothing (follow=False) sends nothing, so it cannot keep a budget: give the "
                "budget to the processes that follow its jobs, such as aiogen worker --budget."
            )
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

        Handlers of `on_completion` are called for jobs that have ended by now; until they are done nothing new is
        created, and calls such as `download` work.  Every job that is still awaited ends in `SessionClosed`, whose
        message says how to continue it.

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
        """Its connections, the number of jobs by state, and what each account allows now, for people."""
        rows = [("jobs", self._lifetime.standing()), ("store", repr(self._store)), *self._lifetime.windows()]
        return f"{lines('Session:', rows)}\n{self.connections.describe()}"

    @property
    def store(self) -> Store:
        """The ledger of jobs."""
        return self._store

    @property
    def is_ready(self) -> bool:
        """True while it may send: it is open, everything it knows is in the ledger, and its lease is valid.

        False if the ledger cannot be written or the lease was not renewed in time; and before the first call, because
        reading this opens nothing.  For health checks.
        """
        parts = self._lifetime.parts
        return parts is not None and not parts.hub.ledger.is_behind and parts.hub.ledger.is_sure(parts.clock.now())

    @property
    def is_followed(self) -> bool | None:
        """With `follow=False`: whether a process on the ledger sends and follows what is submitted here; else None."""
        return self._lifetime.is_followed()

    # --- connections

    def add_connection(self, provider: Provider) -> None:
        """Add a connection; jobs of its account that no process follows are taken up like all others.

        Args:
            provider: the connection, with a name that is not in use.

        Raises:
            ConfigurationError: there is one of that name, or it is no provider.
        """
        self._lifetime.binding.check()
        self.connections.add(provider)

    def remove_connection(self, name: str) -> None:
        """Remove a connection: nothing more can be submitted to it, or requested through it.

        Args:
            name: the name of the connection.

        Raises:
            ConfigurationError: there is no connection of that name.
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

    # --- inside

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
            take_up=lambda record, part: registry.take_up(record, part),
            provider_of=lambda record: registry.provider_of(record),
            follows=self._follows,
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


def _follows(store: Store, *, follow: bool, take_up: bool) -> Follows:
    if follow:
        return Follows.ALL if take_up else Follows.OWN
    if store.lease is None:
        raise InputError(
            "Session(follow=False) leaves its jobs to other processes, and nobody else can see a ledger in memory: "
            'give it the file that they use, such as store="aiogen.db".'
        )
    return Follows.NOTHING
