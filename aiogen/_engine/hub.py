"""What a session keeps of its jobs: the accounts and every deadline, and what the ledger reports of other processes.

It starts nothing.  Whatever could change what may be started calls `wake`, which the coordinator sets.  What becomes of
a job is in modules that are given the hub: `create`, `poll` and `sweep` for requests, `ends`, `expiry` and `forecast`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from aiogen._account.account import AccountState
from aiogen._account.track import Track
from aiogen._answers import outcomes
from aiogen._checkpoint import Turn
from aiogen._clock import Clock
from aiogen._engine import log
from aiogen._engine.deadlines import Deadlines, Place
from aiogen._engine.job import Job
from aiogen._engine.remote import RemoteJobs
from aiogen._engine.taken_in import TakenIn
from aiogen._ledger.handlers import Handlers
from aiogen._ledger.learned import LearnedModels
from aiogen._ledger.lease import Ledger
from aiogen._ledger.proofs import Proofs
from aiogen._options import Limits
from aiogen.errors import AiogenError
from aiogen.exchange import Submission, Ticket
from aiogen.models import State, Typical
from aiogen.providers.base import Provider
from aiogen.stores.base import Follows, Record, RequestKind, Store, Wish
from aiogen.stores.budget import Budget

if TYPE_CHECKING:
    from aiogen._transfer.transport import Transport

Account = AccountState[Job]
"""What a session keeps for one account."""


class Hub:
    """One per session."""

    def __init__(
        self,
        transport: Transport,
        store: Store,
        clock: Clock,
        limits: Limits,
        *,
        accounts: Callable[[], Collection[str]],
        take_up: Callable[[Record, float | None], None],
        provider_of: Callable[[Record], Provider | None],
        follows: Follows,
        budget: Budget | None = None,
    ) -> None:
        """What it works with.

        Args:
            transport: what sends.
            store: the ledger of jobs.
            clock: the session's.
            limits: what bounds it.
            accounts: whose jobs the session can follow, as their keys are known.
            take_up: goes on with a job that another session left behind.
            provider_of: the connection of such a job; None if this session does not have its key.
            follows: all that nobody owns; its own, and those that somebody here waits for; or nothing.
            budget: what may be spent.
        """
        self.transport = transport
        self.store = store
        self.clock = clock
        self.limits = limits
        self.budget = budget
        self.wake: Callable[[], None] = lambda: None
        """Something has changed: look again what may be started, soon and once."""
        self.on_cancel: Callable[[str], None] = lambda job_id: None
        """Somebody else wants a job of ours to be cancelled; said again until it is granted."""
        self._take_up = take_up
        self._provider_of = provider_of
        self._follows = follows
        self.is_follower = follows is not Follows.NOTHING
        """False: what is taken in here is sent and followed by others, and no provider is asked about it."""
        self._loop = asyncio.get_running_loop()
        self._accounts: dict[str, Account] = {}
        self._looking_up: dict[str, asyncio.Lock] = {}
        self.deadlines = Deadlines()
        self._last_number = 0
        self._writings: set[asyncio.Task[None]] = set()
        self.lookups: set[asyncio.Task[None]] = set()
        """Who asks what became of creates that others have left behind."""
        self.leaving = asyncio.Event()
        """Nothing is taken in, and nothing created, any more."""
        self.is_losing = False
        """The lease was lost, and not all that was ours has been let go of yet: nothing is sent for it."""
        self.creates_stopped = False
        """What waits stays in the ledger for the next process; all else goes on until the session is left."""
        self.overdue: set[Job] = set()
        """They have waited here for long enough, but their creates are on their way."""
        self.settling: set[str] = set()
        """Our ids of those that are over, and are just being written into the ledger."""
        self.unknown_states: set[tuple[str, str]] = set()
        """State words that have been warned about, by provider."""
        self.learned = LearnedModels(store)
        self.proofs = Proofs(store, clock)
        self._taking_up_learned: asyncio.Task[None] | None = None
        self.handlers = Handlers(store, timeout=limits.handler_timeout)
        self.ledger = Ledger(store, clock, accounts, self, follows)
        transport.permits = self.ledger.permit
        self.remote = RemoteJobs(
            clock,
            expect=self.expect,
            end=self.end,
            attend=self.ledger.others.attend,
            owes=self.ledger.owes,
            queue_timeout=limits.queue_timeout,
        )
        self.taken_in = TakenIn(
            store,
            clock,
            self.ledger,
            self.remote,
            end=self.end,
            queue_timeout=limits.queue_timeout,
            is_used=not self.is_follower,
        )

    @property
    def closed(self) -> bool:
        """Whether nothing is taken in, and nothing created, any more."""
        return self.leaving.is_set()

    def stop_creates(self) -> None:
        """Send no create any more, and take up nothing, for this process ends soon; from any thread."""
        self.creates_stopped = True
        self.ledger.takes_up = False

    # --- accounts

    def account(self, provider: Provider) -> Account:
        """The account that a connection belongs to."""
        account = self._accounts.get(provider.account)
        if account is None:
            account = AccountState(provider, max_in_flight=self.limits.max_in_flight, draw=random.uniform)
            account.shared_budget.is_shared = self.ledger.is_shared
            self._accounts[provider.account] = account
        account.joins(provider)
        return account

    def used_account(self, provider: Provider) -> Account | None:
        """The account of a connection, if it was used already."""
        return self._accounts.get(provider.account)

    async def known(self, provider: Provider, provider_ids: Collection[str]) -> list[Record]:
        """What the ledger has of these ids of the vendor's, whatever key its account had then.

        Raises:
            StoreError: it cannot be read.
        """
        found = list[Record]()
        for account in provider.accounts:
            found += await self.store.by_provider_id(account, provider_ids)
        return found

    def accounts(self) -> list[Account]:
        """Every account that was used."""
        return list(self._accounts.values())

    def connected(self) -> None:
        """There is one more connection: what waits in the ledger for its account is taken up."""
        self.spawn(self.ledger.adopt())

    def looking_up(self, account: Account) -> asyncio.Lock:
        """Held by the one that asks whose account it is."""
        return self._looking_up.setdefault(account.key, asyncio.Lock())

    def refused(self, account: Account, error: AiogenError, kind: RequestKind, *, sent_at: float) -> bool:
        """A request was refused; True if that is for the account's rate, or the provider is overloaded."""
        refusal = account.refused(error, kind, self.clock.now(), sent_at=sent_at)
        if refusal.hold is not None:
            log.throttled(account.provider, refusal.hold, at=self.clock.datetime())
        return refusal.concerns_all

    async def turn(self, account: Account) -> None:
        """Wait until the account's budget has room for one more request, which is then taken."""
        turn: asyncio.Future[None] = self._loop.create_future()
        account.calls.put(turn, self.clock.now())
        self.wake()
        try:
            await turn
        finally:
            account.calls.drop(turn)

    # --- jobs

    def jobs(self) -> list[Job]:
        """Every job that somebody may still wait for."""
        return self.deadlines.jobs()

    def enqueue(self, job: Job) -> None:
        """Queue a job that is in the ledger: it is sent when its turn comes."""
        if not self.is_follower:
            self.taken_in.take_in(job)
            return
        self._last_number += 1
        self.account(job._provider).queue.put(self._last_number, job)
        self.expect(job, self.limits.queue_timeout)
        self.ledger.others.begin()

    def expect(self, job: Job, seconds: float) -> None:
        """Give a job a deadline: this number of seconds from now."""
        self.deadlines.put(job, self.clock.now() + seconds)
        self.wake()

    def extend(self, job: Job, timeout: float) -> None:
        """The job's deadline is `timeout` seconds from now."""
        job.timeout = timeout
        if job in self.remote:
            self.expect(job, timeout)
            return
        self.deadlines.put_with_last_look(job, self.clock.now())
        self.wake()

    def lower_price(self, job: Job, price: float) -> None:
        """Somebody else waits for it, to whom a request is worth less waiting."""
        job.poll_cost = price
        provider, key = job._provider, job.provider_id or ""
        schedule = self.account(provider).schedule
        schedule.lower_price(key, provider.facts.poll_floor, provider.facts.poll_ceiling, price, self.clock.now())
        self.wake()

    def tracked(self, provider: Provider, provider_id: str) -> Track[Job] | None:
        """The generation that is followed under this id of the vendor's; None if none is."""
        account = self.used_account(provider)
        return account.tracks.get(provider_id) if account is not None else None

    def follow(
        self,
        account: Account,
        job: Job,
        ticket: Ticket,
        typical: Typical,
        *,
        weight: int,
        is_ours: bool,
        age: float = 0.0,
        is_counted: bool = False,
        within: float | None = None,
        part: float | None = None,
    ) -> Track[Job]:
        """Begin, or go on, to ask about a generation, see `AccountState.follow`.

        `within`: seconds to the job's deadline; by default its timeout runs from now.  `part`: see there.
        """
        now, provider = self.clock.now(), job._provider
        phases = self.learned.of(provider, ticket.model, typical)
        track = account.follow(
            now, job, ticket, provider, phases,
            weight=weight, is_ours=is_ours, age=age, is_counted=is_counted, part=part,
        )  # fmt: skip
        self.deadlines.put_with_last_look(job, now, within)
        self.wake()
        self.ledger.others.begin()
        return track

    def not_ours(self, job: Job, provider_id: str) -> None:
        """What is followed here is another process's, or nobody's: that was not known when following it began."""
        track = self.tracked(job._provider, provider_id)
        if track is None or job not in track.jobs:
            return
        self.account(job._provider).leave(track, self.clock.now())
        self.remote.lose(track.jobs)
        self.ledger.others.attend()
        self.wake()

    def begun(self, track: Track[Job]) -> None:
        """The vendor has begun to process it."""
        self.ledger.note_begun(job.id for job in track.jobs)

    def woken(self, account_key: str, provider_id: str | None, *, proved: bool = False) -> bool:
        """Somebody has heard that there is news of a generation; False if it is not followed here.

        `account_key`: of today, or as it was when the job was made.  `proved`: see `Schedule.hint`.
        """
        now = self.clock.now()
        named = [account for account in self._accounts.values() if account_key in account.names]
        if provider_id is None or not any(account.heard(provider_id, now, proved=proved) for account in named):
            return False
        self.wake()
        return True

    async def watch(self, job: Job) -> None:
        """Wait for a job that another process owns."""
        self.remote.watch(job)
        if job.submission is not None:
            await self.learned.load(job._provider, job.submission.model, job.submission.typical)
        await self.ledger.others.look_at(job.id)

    # --- ends

    def end(self, job: Job, error: AiogenError | None) -> None:
        """Resolve everyone who waits for this job."""
        self.deadlines.drop(job)
        self.overdue.discard(job)
        if (account := self._accounts.get(job._provider.account)) is not None:
            account.queue.ended(job)
        if job.done:
            return
        job._finish(outcomes.with_ids(job.generation, error) if error is not None else None)
        log.ended(job, error)

    def hold_place(self, account: Account, weight: int, seconds: float) -> None:
        """A create without an answer may hold its place at the vendor: count it for so long."""
        self.deadlines.put(Place(account.window, weight), self.clock.now() + seconds)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Writing that the session waits for when it is left."""
        task = self._loop.create_task(work)
        self._writings.add(task)
        task.add_done_callback(self._writings.discard)
        return task

    def look_up(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Asking, or waiting, that ends when the session is left."""
        task = self._loop.create_task(work)
        self.lookups.add(task)
        task.add_done_callback(self.lookups.discard)
        return task

    @property
    def writings(self) -> set[asyncio.Task[None]]:
        """The tasks that write into the ledger just now."""
        return self._writings

    # --- what the ledger reports (LedgerEvents)

    async def prepare_for(self, records: Sequence[Record]) -> None:
        """Load the duration models that jobs left behind need, which takes long for the first job of each."""
        done, turn = set[object](), Turn()
        for record in records:
            await turn.step()
            submission = record.submission
            if submission is None:
                continue
            model = (record.account, record.connection, submission.model, submission.typical)
            if model in done:
                continue
            done.add(model)
            provider = self._provider_of(record)
            if provider is not None:
                await self.learn_of(provider, submission)

    async def learn_of(self, provider: Provider, submission: Submission) -> None:
        """Read, once, what was learned before of the model of a job that is to be sent, or followed."""
        model, typical = submission.model, submission.typical
        await self.learned.load(provider, model, typical)
        if self.is_follower:
            await self.proofs.load(self.account(provider), self.learned.of(provider, model, typical), model, typical)

    def adopted(self, record: Record, part: float | None = None) -> None:
        """A job that another session left behind is ours now; `part`: see `AccountState.follow`."""
        self._take_up(record, part)

    def adoptable(self) -> Collection[str] | None:
        """The ids of the only jobs that may be adopted; None for all."""
        return None if self._follows is Follows.ALL else self.watched()

    async def lost(self) -> None:
        """Nothing is ours any more: the process that owns the jobs now goes on with them, and we read how."""
        turn, self.is_losing = Turn(), True
        try:
            for account in self.accounts():
                for job in account.queue.drain():
                    if not job.done:  # it may have ended in a turn between these
                        self.remote.hand_over(job)
                    await turn.step()
                for track in list(account.tracks.values()):
                    account.leave(track, self.clock.now())
                    self.remote.lose(track.jobs)
                    await turn.step()
        finally:
            self.is_losing = False
            self.wake()
        self.ledger.others.attend()

    def renewed(self) -> None:
        """The lease holds again, so requests may be sent."""
        self.wake()

    def joined(self) -> None:
        """Other processes use this ledger, and perhaps the same accounts."""
        for account in self.accounts():
            account.shared_budget.is_shared = True
            for track in account.tracks.values():
                if track.state is State.PROCESSING:
                    self.begun(track)

    def watched(self) -> list[str]:
        """The jobs of other processes that somebody here waits for."""
        return list(dict.fromkeys(self.remote.ids() + self.taken_in.ids() + self.ledger.others.asks.ids()))

    def follows(self) -> bool:
        """True if there are jobs of ours of which others may want something."""
        return any(a.tracks or a.creates_in_flight or len(a.queue) for a in self._accounts.values())

    def wished(self, wish: Wish) -> None:
        """Somebody else wants something of a job of ours."""
        if wish.wake:
            self.woken(wish.account, wish.provider_id, proved=wish.proved)
        if wish.cancel:
            self.on_cancel(wish.job_id)

    def seen(self, record: Record) -> None:
        """The present record of a watched job was read."""
        self.taken_in.seen(record)
        self.remote.seen(record)
        if record.state.is_terminal or record.state is State.UNKNOWN:
            self.ledger.others.asks.moot(record.id)
            if not self.is_follower:
                self.handlers.wake()

    def gone(self, job_id: str) -> None:
        """One of these is no longer in the ledger."""
        self.remote.gone(job_id)
        self.ledger.others.asks.moot(job_id)

    def accompanied(self) -> None:
        """Other processes learn of the same models: what they have learned is taken up now and then."""
        if not self.closed and (self._taking_up_learned is None or self._taking_up_learned.done()):
            self._taking_up_learned = self.spawn(self._take_up_learned())

    async def _take_up_learned(self) -> None:
        if await self.learned.take_up(self.clock.now()):
            self.wake()
